//! The host's side of a QDL session, from the switch to streaming to the restart of the modem (qdl.md §7).
//!
//! The order is: 0x70; hello of version 6, 5, 4 until one is answered; for each image hello, open, writes, done;
//! reset.
//!
//! The specification leaves some gaps. There, this session makes its own assumptions:
//! * If the chunk size in the open response is smaller than the offered one and below 1 MiB, it is the largest amount of
//!   data that the modem wants in one write. 0 means that the modem states no size.
//! * A framed request whose length is a multiple of 512 gets one more flag in front. `qcserial` doesn't end a transfer with
//!   an empty packet, so a boot loader that waits for a short packet would never see the request. Several flags in a row are
//!   harmless in HDLC (qdl.md §2). Write requests aren't framed, and there the modem counts bytes (§6).
//! * If an image fails with an error that may not occur again, it is tried again from its start, see [`ATTEMPTS`].
//!
//! An answer that came damaged isn't waited for. After a short silence the request counts as unanswered, exactly as
//! after the whole silence limit.
//!
//! [`Download::stop`](Conversation::stop) takes effect between two requests, never inside a chunk: a modem that waits
//! for the rest of a chunk would take every later request for data. If the last chunk of an image is already sent,
//! the image is finished first, and after the last image the modem is still restarted. A stopped modem stays in
//! download mode. It takes the same images again after a new hello.

mod answers;
mod garbled;

use alloc::collections::VecDeque;
use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use self::answers::find_sahara_hello;
use super::image::Image;
use super::message::{HelloRequest, Request, WriteHeader};
use crate::conversation::{Peer, Step, Stretch};
use crate::hdlc;
use crate::{Action, Conversation, Instant, ProtocolError, Report};

/// The first bytes of a Sahara hello, which has no flags (sahara-firehose.md §6).
pub const SAHARA_HELLO: [u8; 8] = [0x01, 0, 0, 0, 0x30, 0, 0, 0];
/// The versions in the order in which they are tried: 6 for Gobi 3000 and all Sierra modems, 5 for Gobi 2000, 4 for
/// Gobi 1000. The modem answers an unsuitable version with a harmless error report (qdl.md §7).
pub const VERSIONS: [u8; 3] = [6, 5, 4];
/// The largest chunk in bytes for each attempt at an image. Later attempts use smaller writes, because EM7455 fell
/// silent after the first MiB (field-reports.md C13). Each attempt begins with a new hello and sends the image from
/// its start.
pub const ATTEMPTS: [u32; 3] = [1024 * 1024, 256 * 1024, 64 * 1024];
/// How often 0x70 and the hello before an image are sent. Neither changes anything in the modem.
const ASKED_AGAIN: u8 = 2;

/// Longest silence after 0x70 and hello (qdl.md §7: 5 s recommended).
pub const ANSWER_SILENCE: Duration = Duration::from_secs(5);
/// Longest silence after an open. qdl.md §7 recommends 5 s, because the modem may erase its flash before it answers.
/// Waiting six times as long does no harm.
pub const OPEN_SILENCE: Duration = Duration::from_secs(30);
/// Longest silence after a chunk (qdl.md §7).
pub const CHUNK_SILENCE: Duration = Duration::from_secs(120);
/// Longest silence after the last chunk and after done: EM7455 took 50 s (captured), the vendor waits 180 s
/// (qdl.md §7, field-reports.md C9).
pub const FINAL_SILENCE: Duration = Duration::from_secs(180);
/// How long the port may take to go away after the reset request (qdl.md §7).
pub const RESET_LIMIT: Duration = Duration::from_secs(10);
/// Longest silence after an answer that can't be read: the modem has answered and says nothing more. Estimate: long
/// enough for the rest of an answer that a slow port delivers in pieces.
pub const GARBLED_SILENCE: Duration = Duration::from_secs(1);
/// Everything that comes renews a silence limit. But after this many times the limit without an answer, the session
/// gives up anyway.
const TOTAL: u32 = 3;
/// Longest time in which the port takes no byte. MC7421 stalled at the end of its data for longer than other programs
/// wait (field-reports.md C10). Modems are known to recover after 60 s; this is twice as long.
pub const WRITE_SILENCE: Duration = Duration::from_secs(120);
/// Longest time for all bytes of one request: 1 MiB at 1 KiB/s, which is slower than any flash.
pub const WRITE_TOTAL: Duration = Duration::from_secs(1024);
/// How many unexpected messages are reported per step; further ones are ignored.
const NOISE: u8 = 8;
/// Largest packet of high-speed USB.
const PACKET: usize = 512;

/// Where the conversation starts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Start {
    /// Nothing was sent yet.
    Fresh,
    /// The caller has already sent 0x70 to find out what is on the port; `received` is everything that came since.
    SwitchSent {
        /// Bytes as they came.
        received: Vec<u8>,
    },
    /// The caller has sent 0x70, and the modem answered with an acknowledgement or error 0x16.
    Streaming {
        /// Bytes that came after the answer.
        unread: Vec<u8>,
    },
}

/// The host's side of a QDL session. If there are no images, it only restarts the modem.
#[derive(Debug)]
pub struct Download {
    images: Vec<Image>,
    decoder: hdlc::Decoder,
    /// Bytes of another protocol that the decoder has taken for a frame.
    strange: Vec<u8>,
    reports: VecDeque<Report>,
    state: QdlState,
    wish: Wish,
    version: u8,
    /// The index of the present image.
    image: usize,
    /// How often the present image was tried before; also the index in [`ATTEMPTS`].
    attempt: usize,
    chunk_size: u32,
    /// Why the image is tried again. If the modem then doesn't answer, this is the error to report.
    cause: Option<ProtocolError>,
    /// The last message in this step that couldn't be read or wasn't expected. It is reported instead of silence.
    doubt: Option<ProtocolError>,
    /// Whether the answer to the present request has come, but can't be read.
    answer: Answer,
    noise: u8,
    /// How many more times error 0x16, an answer to 0x70, is ignored.
    stray_refusals: u8,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Answer {
    Due,
    Garbled,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wish {
    GoOn,
    Stop,
}

/// The request to the modem.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asked {
    Switch {
        again: u8,
    },
    /// A hello that tries the version at index `place`. `lost` counts the answers that didn't come, over all rounds.
    Probe {
        place: usize,
        lost: usize,
    },
    Hello {
        again: u8,
    },
    Open,
    Write {
        chunk: u32,
        of: u32,
    },
    Done,
    Reset,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum QdlState {
    /// The request is to be sent.
    Ready(Asked),
    /// The port hasn't taken the whole request yet.
    Sending {
        asked: Asked,
        started: Instant,
        progress: Instant,
        left: u64,
    },
    /// The request is sent, and its answer hasn't come yet.
    Awaiting {
        asked: Asked,
        sent: Instant,
        heard: Instant,
    },
    /// The modem has left the bus to restart.
    Finished,
    /// The session has failed.
    Failed(ProtocolError),
}

impl Download {
    /// A session that sends `images` in this order (the largest first, qdl.md §7).
    pub fn new(images: Vec<Image>, start: Start) -> Self {
        let mut download = Self {
            images,
            decoder: hdlc::Decoder::default(),
            strange: Vec::new(),
            reports: VecDeque::new(),
            state: QdlState::Ready(Asked::Switch { again: 0 }),
            wish: Wish::GoOn,
            version: VERSIONS.first().copied().unwrap_or(6),
            image: 0,
            attempt: 0,
            chunk_size: 0,
            cause: None,
            doubt: None,
            answer: Answer::Due,
            noise: 0,
            stray_refusals: 0,
        };
        match start {
            Start::Fresh => {}
            Start::SwitchSent { received } => {
                // No time is known yet; `settle_start` sets it at the first call that has one.
                let asked = Asked::Switch { again: 0 };
                download.state = QdlState::Sending {
                    asked,
                    started: Instant::FAR,
                    progress: Instant::FAR,
                    left: 0,
                };
                download.decoder.push(&received);
            }
            Start::Streaming { unread } => {
                download.state = QdlState::Ready(download.after_switch());
                download.stray_refusals = 1;
                download.decoder.push(&unread);
                download.read_frames();
            }
        }
        download
    }

    /// Ends the conversation and returns the bytes that it didn't understand or didn't read; those of another
    /// protocol come first.
    pub fn into_rest(self) -> Vec<u8> {
        let mut rest = self.strange;
        rest.extend(self.decoder.into_unread());
        rest
    }

    fn after_switch(&self) -> Asked {
        if self.images.is_empty() {
            Asked::Reset
        } else {
            Asked::Probe { place: 0, lost: 0 }
        }
    }

    fn next_image_or_reset(&self) -> Asked {
        if self.image < self.images.len() {
            Asked::Hello { again: 0 }
        } else {
            Asked::Reset
        }
    }

    fn step(&self, asked: Asked) -> Step {
        let image = self.image;
        match asked {
            Asked::Switch { .. } => Step::SwitchToStreaming,
            Asked::Probe { .. } | Asked::Hello { .. } => Step::Hello,
            Asked::Open => Step::Open { image },
            Asked::Write { chunk, of } => Step::Write { image, chunk, of },
            Asked::Done => Step::SessionDone { image },
            Asked::Reset => Step::Reset,
        }
    }

    fn report(&mut self, report: Report) {
        self.reports.push_back(report);
    }

    fn note_noise(&mut self, what: String) {
        if self.noise < NOISE {
            self.noise += 1;
            self.report(Report::Noise(what));
        }
    }

    fn ask(&mut self, asked: Asked) {
        self.doubt = None;
        self.answer = Answer::Due;
        self.noise = 0;
        self.state = QdlState::Ready(asked);
    }

    fn fail(&mut self, error: ProtocolError) {
        self.state = QdlState::Failed(error);
    }

    /// Begins a request: returns its output.
    fn send(&mut self, asked: Asked, now: Instant) -> Result<Action, ProtocolError> {
        let action = match asked {
            Asked::Switch { .. } => frame(&Request::SwitchToStreaming { flags: 0 }),
            Asked::Probe { place, .. } => {
                self.version = VERSIONS
                    .get(place % VERSIONS.len())
                    .copied()
                    .unwrap_or(self.version);
                frame(&Request::Hello(HelloRequest::of_version(self.version)))
            }
            Asked::Hello { .. } => frame(&Request::Hello(HelloRequest::of_version(self.version))),
            Asked::Open => frame(&Request::Open(self.current()?.open_request())),
            Asked::Write { chunk, .. } => Action::SendImage(self.stretch(chunk)?),
            Asked::Done => frame(&Request::Done),
            Asked::Reset => frame(&Request::Reset),
        };
        let left = match &action {
            Action::Send(bytes) => bytes.len() as u64,
            Action::SendImage(stretch) => {
                stretch.range.end.saturating_sub(stretch.range.start) + stretch.header.len() as u64
            }
            _ => 0,
        };
        self.state = QdlState::Sending {
            asked,
            started: now,
            progress: now,
            left,
        };
        Ok(action)
    }

    fn current(&self) -> Result<&Image, ProtocolError> {
        let why = "it isn't in the list";
        self.images.get(self.image).ok_or(ProtocolError::Unsendable {
            image: self.image,
            why,
        })
    }

    fn stretch(&self, chunk: u32) -> Result<Stretch, ProtocolError> {
        let range = self.current()?.chunk(chunk, self.chunk_size);
        let why = "its chunks are more than the 65536 that the protocol can count";
        let sequence = u16::try_from(chunk).map_err(|_| ProtocolError::Unsendable {
            image: self.image,
            why,
        })?;
        let data_length = u32::try_from(range.end.saturating_sub(range.start)).unwrap_or(u32::MAX);
        let header = WriteHeader {
            sequence,
            address: 0,
            data_length,
        }
        .encode();
        Ok(Stretch {
            image: self.image,
            header,
            range,
            padding: 0,
        })
    }

    /// Notes that the port has taken the whole request.
    fn sent(&mut self, asked: Asked, now: Instant) {
        self.state = QdlState::Awaiting {
            asked,
            sent: now,
            heard: now,
        };
        match asked {
            Asked::Write { chunk, of } if chunk.saturating_add(1) == of => {
                self.report(Report::Finalising {
                    image: self.image,
                    up_to: FINAL_SILENCE,
                });
            }
            Asked::Reset => self.report(Report::ResetSent),
            _ => {}
        }
    }

    /// Handles a passed deadline, and returns the next one.
    fn deadline(&mut self, now: Instant) -> Instant {
        match self.state {
            QdlState::Sending {
                asked,
                started,
                progress,
                left,
            } => {
                let until = (progress + WRITE_SILENCE).min(started + WRITE_TOTAL);
                if now >= until {
                    let step = self.step(asked);
                    self.fail(ProtocolError::Stalled {
                        step,
                        left,
                        waited: now.since(progress),
                    });
                }
                until
            }
            QdlState::Awaiting {
                asked: Asked::Reset,
                sent,
                ..
            } => {
                if now >= sent + RESET_LIMIT {
                    let refused = self
                        .doubt
                        .take()
                        .filter(|doubt| matches!(doubt, ProtocolError::Refused { .. }));
                    self.fail(refused.unwrap_or(ProtocolError::Stayed { waited: RESET_LIMIT }));
                }
                sent + RESET_LIMIT
            }
            QdlState::Awaiting { asked, sent, heard } => {
                let silence = silence(asked);
                let is_endless = garbled::is_probably_endless(asked, self.decoder.unread());
                let quiet = match self.answer {
                    Answer::Due if !is_endless => heard + silence,
                    _ => heard + silence.min(GARBLED_SILENCE),
                };
                let total = sent + silence.saturating_mul(TOTAL);
                if is_endless && now >= quiet.min(total) {
                    self.doubt_endless(asked);
                }
                if now >= quiet.min(total) {
                    self.give_up(asked, sent, now >= total && heard > sent, now);
                }
                quiet.min(total)
            }
            QdlState::Ready(_) | QdlState::Finished | QdlState::Failed(_) => now,
        }
    }

    fn give_up(&mut self, asked: Asked, sent: Instant, is_endless: bool, now: Instant) {
        // A Sahara hello may follow other bytes.
        if let Some(place) = find_sahara_hello(self.decoder.unread()) {
            self.decoder.consume(place);
            return self.stranger(Peer::Sahara);
        }
        let (step, waited) = (self.step(asked), now.since(sent));
        if is_endless {
            return self.fail(ProtocolError::Endless { step, waited });
        }
        let error = self
            .doubt
            .take()
            .unwrap_or(ProtocolError::Silent { step, waited });
        self.expired(asked, error);
    }
}

impl Conversation for Download {
    fn receive(&mut self, bytes: &[u8], now: Instant) {
        self.settle_start(now);
        if let QdlState::Awaiting { heard, .. } = &mut self.state {
            if !bytes.is_empty() {
                *heard = now;
            }
        }
        self.decoder.push(bytes);
        self.read_frames();
    }

    fn wrote(&mut self, count: usize, left: u64, now: Instant) {
        self.settle_start(now);
        if let QdlState::Sending {
            asked,
            progress,
            left: to_go,
            ..
        } = &mut self.state
        {
            if count > 0 {
                *progress = now;
            }
            *to_go = left;
            if left == 0 {
                let asked = *asked;
                self.sent(asked, now);
            }
        }
    }

    fn closed(&mut self, _now: Instant) {
        match self.state {
            // A write error during the reset request is normal (qdl.md §4.10).
            QdlState::Sending {
                asked: Asked::Reset, ..
            } => {
                self.report(Report::ResetSent);
                self.state = QdlState::Finished;
            }
            QdlState::Awaiting {
                asked: Asked::Reset, ..
            } => self.state = QdlState::Finished,
            QdlState::Ready(asked) | QdlState::Sending { asked, .. } | QdlState::Awaiting { asked, .. } => {
                self.fail(ProtocolError::Left {
                    step: self.step(asked),
                });
            }
            QdlState::Finished | QdlState::Failed(_) => {}
        }
    }

    fn stop(&mut self) {
        self.wish = Wish::Stop;
    }

    fn poll(&mut self, now: Instant) -> Result<Action, ProtocolError> {
        self.settle_start(now);
        let until = self.deadline(now);
        if let Some(report) = self.reports.pop_front() {
            return Ok(Action::Report(report));
        }
        match &self.state {
            QdlState::Ready(asked) => {
                let asked = *asked;
                if self.wish == Wish::Stop && !matches!(asked, Asked::Done | Asked::Reset) {
                    self.fail(ProtocolError::Stopped {
                        step: self.step(asked),
                    });
                }
                if let QdlState::Failed(error) = &self.state {
                    return Err(error.clone());
                }
                self.send(asked, now)
                    .inspect_err(|error| self.fail(error.clone()))
            }
            QdlState::Sending { .. } | QdlState::Awaiting { .. } => Ok(Action::Wait { until }),
            QdlState::Finished => Ok(Action::Finished),
            QdlState::Failed(error) => Err(error.clone()),
        }
    }
}

impl Download {
    /// For [`Start::SwitchSent`]: the first call that has a time starts the time limit of the request that the caller
    /// has sent, and reads the bytes that already came.
    fn settle_start(&mut self, now: Instant) {
        if let QdlState::Sending {
            asked,
            started: Instant::FAR,
            ..
        } = self.state
        {
            self.sent(asked, now);
            self.read_frames();
        }
    }
}

/// Longest silence after a request.
fn silence(asked: Asked) -> Duration {
    match asked {
        Asked::Switch { .. } | Asked::Probe { .. } | Asked::Hello { .. } => ANSWER_SILENCE,
        Asked::Open => OPEN_SILENCE,
        Asked::Write { chunk, of } if chunk.saturating_add(1) < of => CHUNK_SILENCE,
        Asked::Write { .. } | Asked::Done => FINAL_SILENCE,
        Asked::Reset => RESET_LIMIT,
    }
}

/// The request on the wire. The head of this module explains the additional flag.
fn frame(request: &Request) -> Action {
    let mut bytes = request.frame();
    if bytes.len() % PACKET == 0 {
        bytes.insert(0, hdlc::FLAG);
    }
    Action::Send(bytes)
}
