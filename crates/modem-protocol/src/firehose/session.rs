//! The host's side of a Firehose session: ping, configure, storage info, images, reset
//! (sahara-firehose.md §5).
//!
//! Two rules keep images whole. Before each `program` and `power` the line is read until it is silent, and NOP
//! is sent until one ACK comes: that absorbs the complaint about the zero block of the image before. And
//! `program` is never sent again after ACK with rawmode true: it would become image data (§5.3).
//!
//! Raw data go out while answers are read: a NAK or a failure line in the middle ends the session at once.
//! Every step has a total that no log line renews.

use alloc::collections::VecDeque;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::time::Duration;

use super::failure;
use super::message::{Answer, Configure, Nak, Power, Program, Request, Response, Verdict};
use super::plan::{DEFAULT_PAGES_PER_BLOCK, DEFAULT_SECTOR_SIZE, Geometry, ZERO_BLOCK};
use super::stream::Splitter;
use crate::Instant;
use crate::conversation::{Action, Connected, Conversation, ProtocolError, Refusal, Report, Step};
use crate::outbox::Outbox;

/// Silence after which the modem has said everything (sahara-firehose.md §5, about 100 ms).
const QUIET: Duration = Duration::from_millis(100);

/// Total of ping, configure and storage info; EM7565 prints many log lines first (sahara-firehose.md §5.1).
const START: Duration = Duration::from_secs(30);

/// Total of the wait for silence before `program` or `power`; as long as NOP may take.
const DRAIN: Duration = Duration::from_secs(10);

/// Total of NOPs before `program` or `power`, and how many at most (sahara-firehose.md §5.3).
const PING: Duration = Duration::from_secs(10);
const MOST_PINGS: u8 = 40;

/// When a NOP that nothing answers is sent again. Ours: three tries in [`PING`].
const PING_AGAIN: Duration = Duration::from_secs(3);

/// When another request that may be sent twice, and that nothing answers, is sent again
/// (sahara-firehose.md §5.3: 10 s each).
const ASK_AGAIN: Duration = Duration::from_secs(10);

/// How long the answer to a request may still come when noise came first (sahara-firehose.md §5.3).
const AFTER_NOISE: Duration = Duration::from_millis(500);

/// How often a request is sent at most because of noise; WP76xx complains up to 40 times
/// (sahara-firehose.md §5.3).
const MOST_TRIES: u8 = 40;

/// Total for the answer to `program` (sahara-firehose.md §5.2: three tries of 10 s; here it is one try).
const PROGRAM: Duration = Duration::from_secs(30);

/// Total and number of NAKs for `power` (sahara-firehose.md §5.3: ten tries of 10 s).
const RESET: Duration = Duration::from_secs(100);
const MOST_RESET_NAKS: u8 = 10;

/// Total for raw data: ours, ten minutes and one second for each 16 KiB, far below any speed that was seen.
const RAW_DATA: Duration = Duration::from_secs(600);
const RAW_DATA_BYTES_PER_S: u64 = 16 * 1024;

/// The verdict on an image may take this long (sahara-firehose.md §5.2); typical are 10 to 90 s.
pub const VERDICT: Duration = Duration::from_secs(300);

/// How long the verdict may take after the modem has logged success or failure. Ours: both are written at the
/// very end.
const AFTER_SUCCESS: Duration = Duration::from_secs(10);
const AFTER_FAILURE: Duration = Duration::from_secs(1);

/// What an EM7565 logs when an image is written (sahara-firehose.md §5.2).
const PROCESSED: &str = "SWI CWE image processed OK";

/// A session from the first ping to the reset.
///
/// [`Conversation::stop`] takes effect before the first and between two images. Once `program` is sent the
/// boot loader counts bytes, and stopping would leave it in the middle of an image; so the stop waits for the
/// verdict. When all images are accepted it has no effect: the reset is the safe end.
#[derive(Clone, Debug)]
pub struct Session {
    /// Sizes of the images in bytes.
    images: Vec<u64>,
    splitter: Splitter,
    state: State,
    start_deadline: Instant,
    storage: Storage,
    geometry: Option<Geometry>,
    /// Log lines since the last response.
    log: VecDeque<String>,
    announced: Announced,
    /// Complaints about the zero block since `program` was acknowledged, and the last one.
    complaints: u8,
    complaint: Option<Nak>,
    heard: Heard,
    reset: ResetRequest,
    stop: Stop,
    out: Outbox,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stop {
    No,
    Asked,
}

/// Whether any byte of the reset request has left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ResetRequest {
    NotSent,
    Sent,
}

/// What the log said about the present image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Announced {
    Nothing,
    Success,
    Failure,
}

/// What the modem said about its flash.
#[derive(Clone, Copy, Debug)]
struct Storage {
    max_payload_bytes: u64,
    sector_size_bytes: u32,
    pages_per_block: u32,
}

/// What came since the present step began.
#[derive(Clone, Copy, Debug, Default)]
struct Heard {
    bytes: usize,
    documents: usize,
    last: Instant,
}

/// What is asked for next, or now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Goal {
    Configure,
    StorageInfo,
    Program(usize),
    Reset,
}

impl Goal {
    const fn step(self) -> Step {
        match self {
            Self::Configure => Step::Configure,
            Self::StorageInfo => Step::StorageInfo,
            Self::Program(image) => Step::Program { image },
            Self::Reset => Step::Reset,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum State {
    /// Reading until the line is silent.
    Drain {
        goal: Goal,
        ping: Ping,
        since: Instant,
        quiet_until: Instant,
        deadline: Instant,
    },
    /// NOP is sent until one ACK comes.
    Ping {
        goal: Goal,
        tries: u8,
        since: Instant,
        again_at: Instant,
        deadline: Instant,
        nak: Option<Nak>,
    },
    /// The request is sent.
    Asked {
        goal: Goal,
        tries: u8,
        naks: u8,
        since: Instant,
        again_at: Instant,
        deadline: Instant,
    },
    /// Image bytes go out; those before `next` have been given to the port.
    RawData {
        image: usize,
        next: u64,
        start: u64,
        since: Instant,
        deadline: Instant,
    },
    /// Everything is sent.
    Verdict {
        image: usize,
        since: Instant,
        deadline: Instant,
    },
    /// The reset is acknowledged, or the modem has gone after it.
    Finished,
}

/// Whether a NOP comes before the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ping {
    Due,
    Done,
}

impl Session {
    /// A session for images of these sizes in bytes, sent in this order. `leftovers` are the bytes that came
    /// behind the confirmation of the switch to Firehose.
    pub fn new(images: &[u64], leftovers: &[u8], now: Instant) -> Self {
        let start_deadline = now + START;
        let mut session = Self {
            images: images.to_vec(),
            splitter: Splitter::default(),
            state: State::Drain {
                goal: Goal::Configure,
                ping: Ping::Due,
                since: now,
                quiet_until: now + QUIET,
                deadline: start_deadline,
            },
            start_deadline,
            storage: Storage {
                max_payload_bytes: Configure::WISH_BYTES,
                sector_size_bytes: DEFAULT_SECTOR_SIZE,
                pages_per_block: DEFAULT_PAGES_PER_BLOCK,
            },
            geometry: None,
            log: VecDeque::new(),
            announced: Announced::Nothing,
            complaints: 0,
            complaint: None,
            heard: Heard::default(),
            reset: ResetRequest::NotSent,
            stop: Stop::No,
            out: Outbox::default(),
        };
        if let Some(image) = images.iter().position(|&size| size == 0) {
            session.out.fail(ProtocolError::Unsendable {
                image,
                why: "it is empty",
            });
        }
        session.receive(leftovers, now);
        session
    }

    fn step(&self) -> Step {
        match &self.state {
            State::Drain {
                goal: Goal::Configure,
                ping: Ping::Due,
                ..
            }
            | State::Ping { .. } => Step::Ping,
            State::Drain { goal, .. } | State::Asked { goal, .. } => goal.step(),
            State::RawData { image, .. } => Step::RawData { image: *image },
            State::Verdict { image, .. } => Step::Verdict { image: *image },
            State::Finished => Step::Reset,
        }
    }

    fn enter(&mut self, state: State) {
        self.heard.bytes = 0;
        self.heard.documents = 0;
        self.state = state;
    }

    fn drain(&mut self, goal: Goal, ping: Ping, now: Instant) {
        let deadline = self.total(goal, DRAIN, now);
        self.enter(State::Drain {
            goal,
            ping,
            since: now,
            quiet_until: now + QUIET,
            deadline,
        });
    }

    /// The end of a step on the way to `goal`: all steps of the start share one total.
    fn total(&self, goal: Goal, span: Duration, now: Instant) -> Instant {
        match goal {
            Goal::Configure | Goal::StorageInfo => self.start_deadline,
            Goal::Program(_) | Goal::Reset => now + span,
        }
    }

    /// The image after this one, or the reset.
    fn after(&self, image: Option<usize>) -> Goal {
        let next = image.map_or(0, |image| image + 1);
        if next < self.images.len() {
            Goal::Program(next)
        } else {
            Goal::Reset
        }
    }

    // What the modem says.

    fn document(&mut self, document: &[u8], now: Instant) {
        match Answer::parse(document) {
            Ok(answers) => {
                for answer in answers {
                    if self.out.has_failed() {
                        return;
                    }
                    match answer {
                        Answer::Log(line) => self.logged(line, now),
                        Answer::Response(response) => self.responded(&response, now),
                        Answer::Other { name, .. } => {
                            self.out.report(Report::Noise(format!("unknown element {name}")));
                        }
                    }
                }
            }
            Err(error) => {
                let is_response = document
                    .windows(b"<response".len())
                    .any(|window| window == b"<response");
                let is_awaited = !matches!(self.state, State::Drain { .. } | State::Ping { .. });
                if is_response && is_awaited {
                    let step = self.step();
                    self.out.fail(ProtocolError::Garbled { step, error });
                } else {
                    self.out
                        .report(Report::Noise(format!("document not understood: {error}")));
                }
            }
        }
    }

    fn logged(&mut self, line: String, now: Instant) {
        if self.geometry.is_none() {
            self.storage_line(&line);
        }
        let is_failure = failure::is_failure(&line);
        let is_success = line.contains(PROCESSED);
        self.out.report(if failure::is_zero_block_noise(&line) {
            Report::Noise(line.clone())
        } else {
            Report::ModemLog(line.clone())
        });
        if self.log.len() >= Nak::MOST_LINES {
            self.log.pop_front();
        }
        self.log.push_back(line);
        match &mut self.state {
            State::RawData { image, .. } if is_failure => {
                let step = Step::RawData { image: *image };
                self.refuse(step);
            }
            State::Verdict { deadline, .. } if is_failure => {
                self.announced = Announced::Failure;
                *deadline = (*deadline).min(now + AFTER_FAILURE);
            }
            State::RawData { .. } if is_success => self.announced = Announced::Success,
            State::Verdict { deadline, .. } if is_success => {
                self.announced = Announced::Success;
                *deadline = (*deadline).min(now + AFTER_SUCCESS);
            }
            _ => {}
        }
    }

    /// Reads a line of the form `name=value` about the flash.
    fn storage_line(&mut self, line: &str) {
        let Some((name, value)) = line.split_once('=') else {
            return;
        };
        let number = value.trim().parse::<u32>().ok();
        let (name, value) = (name.trim(), value.trim());
        let is_plausible = if name.eq_ignore_ascii_case("SECTOR_SIZE_IN_BYTES") {
            // Sectors of flash memory: whole USB packets, at most the largest block.
            let size = number.filter(|size| (512..=1 << 20).contains(size) && size % 512 == 0);
            self.storage.sector_size_bytes = size.unwrap_or(self.storage.sector_size_bytes);
            size.is_some()
        } else if name.eq_ignore_ascii_case("PAGES_IN_BLOCK") {
            let pages = number.filter(|pages| (1..=1 << 16).contains(pages));
            self.storage.pages_per_block = pages.unwrap_or(self.storage.pages_per_block);
            pages.is_some()
        } else {
            true
        };
        if !is_plausible {
            self.out.fail(ProtocolError::Unexpected {
                step: Step::StorageInfo,
                expected: "a plausible size",
                got: format!("{name}={value}"),
            });
        }
    }

    fn responded(&mut self, response: &Response, now: Instant) {
        let nak = Nak {
            log: self.log.drain(..).collect(),
        };
        let is_noise = nak
            .log
            .last()
            .is_some_and(|line| failure::is_zero_block_noise(line));
        // Even one that comes late, behind a stray ACK, is the modem's limit.
        if let (None, Some(bytes)) = (self.geometry, response.max_payload_to_target_bytes) {
            self.storage.max_payload_bytes = bytes.min(Configure::WISH_BYTES);
        }
        match (&mut self.state, &response.verdict) {
            (State::Drain { .. } | State::Finished, _) => {
                self.out
                    .report(Report::Noise(format!("{response} that nothing was asked for")));
            }
            (State::Ping { goal, .. }, Verdict::Ack) => {
                let goal = *goal;
                self.drain(goal, Ping::Done, now);
            }
            (
                State::Ping {
                    again_at, nak: last, ..
                },
                _,
            ) => {
                *again_at = now + QUIET;
                *last = (!is_noise).then_some(nak);
            }
            // NAK with a number is the usual answer: it only corrects the payload.
            (
                State::Asked {
                    goal: Goal::Configure,
                    ..
                },
                Verdict::Ack,
            ) => {
                self.drain(Goal::StorageInfo, Ping::Done, now);
            }
            (
                State::Asked {
                    goal: Goal::Configure,
                    ..
                },
                _,
            ) if response.max_payload_to_target_bytes.is_some() => {
                self.drain(Goal::StorageInfo, Ping::Done, now);
            }
            (
                State::Asked {
                    goal: Goal::StorageInfo,
                    ..
                },
                Verdict::Ack,
            ) => {
                let goal = self.after(None);
                self.drain(goal, Ping::Due, now);
            }
            (
                State::Asked {
                    goal: Goal::Program(image),
                    ..
                },
                Verdict::Ack,
            ) => {
                let image = *image;
                match response.raw_mode {
                    Some(true) => self.start_raw_data(image, now),
                    _ => self
                        .out
                        .report(Report::Noise(format!("{response} before raw mode"))),
                }
            }
            (
                State::Asked {
                    goal: Goal::Reset, ..
                },
                Verdict::Ack,
            ) => self.enter(State::Finished),
            // The request may have been lost with the noise, or be queued behind it.
            (State::Asked { again_at, .. }, Verdict::Nak) if is_noise => *again_at = now + AFTER_NOISE,
            (
                State::Asked {
                    goal: Goal::Reset,
                    naks,
                    again_at,
                    ..
                },
                Verdict::Nak,
            ) if *naks < MOST_RESET_NAKS => {
                *naks += 1;
                *again_at = now + AFTER_NOISE;
            }
            (State::RawData { image, next, .. }, Verdict::Ack) if response.raw_mode == Some(false) => {
                let (image, next) = (*image, *next);
                let is_sent = self.images.get(image).is_some_and(|&size| next >= size)
                    && self.out.left() <= ZERO_BLOCK.into();
                if is_sent {
                    self.accept(image, now);
                } else {
                    self.out.fail(ProtocolError::Unexpected {
                        step: Step::RawData { image },
                        expected: "no verdict before the last byte",
                        got: response.to_string(),
                    });
                }
            }
            (State::Verdict { image, .. }, Verdict::Ack)
                if response.raw_mode == Some(false)
                    || (response.raw_mode.is_none() && self.announced == Announced::Success) =>
            {
                let image = *image;
                if self.announced == Announced::Failure {
                    self.refuse_with(Step::Verdict { image }, nak);
                } else {
                    self.accept(image, now);
                }
            }
            (State::RawData { .. } | State::Verdict { .. }, Verdict::Ack) => {
                self.out
                    .report(Report::Noise(format!("{response} during raw data")));
            }
            // Complaints about the image before that come late, one by one. If they are about this image, the
            // verdict will not come.
            (State::RawData { .. } | State::Verdict { .. }, Verdict::Nak)
                if is_noise && self.complaints < MOST_TRIES =>
            {
                self.complaints += 1;
                self.complaint = Some(nak);
            }
            (_, Verdict::Nak) => {
                let step = self.step();
                self.refuse_with(step, nak);
            }
            (_, Verdict::Other(value)) => {
                let (step, got) = (self.step(), format!("response {value}"));
                self.out.fail(ProtocolError::Unexpected {
                    step,
                    expected: "ACK or NAK",
                    got,
                });
            }
        }
    }

    fn refuse(&mut self, step: Step) {
        let nak = Nak {
            log: self.log.drain(..).collect(),
        };
        self.refuse_with(step, nak);
    }

    fn refuse_with(&mut self, step: Step, nak: Nak) {
        self.out.fail(ProtocolError::Refused {
            step,
            refusal: Refusal::Firehose(nak),
        });
    }

    fn start_raw_data(&mut self, image: usize, now: Instant) {
        self.out.cancel_output();
        let size = self.images.get(image).copied().unwrap_or(0);
        let deadline = now + RAW_DATA + Duration::from_secs(size / RAW_DATA_BYTES_PER_S);
        self.enter(State::RawData {
            image,
            next: 0,
            start: 0,
            since: now,
            deadline,
        });
    }

    fn accept(&mut self, image: usize, now: Instant) {
        self.out.report(Report::ImageAccepted { image });
        let goal = self.after(Some(image));
        self.drain(goal, Ping::Due, now);
    }

    // What time brings.

    fn tick(&mut self, now: Instant) {
        let is_clear = self.out.is_clear();
        match self.state {
            State::Drain {
                goal,
                ping,
                since,
                quiet_until,
                deadline,
            } if is_clear => {
                if now >= quiet_until || (now >= deadline && goal == Goal::Reset) {
                    match ping {
                        Ping::Due => self.ping(goal, now),
                        Ping::Done => self.ask(goal, now),
                    }
                } else if now >= deadline {
                    self.give_up(since, now);
                }
            }
            State::Ping {
                goal,
                tries,
                since,
                again_at,
                deadline,
                ..
            } if is_clear => {
                if now >= deadline || (now >= again_at && tries >= MOST_PINGS) {
                    self.give_up_pinging(goal, since, now);
                } else if now >= again_at {
                    self.ping_again(now);
                }
            }
            State::Asked {
                tries,
                since,
                again_at,
                deadline,
                ..
            } if is_clear => {
                if now >= deadline || (now >= again_at && tries >= MOST_TRIES) {
                    self.give_up(since, now);
                } else if now >= again_at {
                    self.ask_again(now);
                }
            }
            State::RawData {
                image,
                since,
                deadline,
                ..
            } if now >= deadline => {
                self.out.fail(ProtocolError::Stalled {
                    step: Step::RawData { image },
                    left: self.out.left(),
                    waited: now - since,
                });
            }
            State::RawData {
                image,
                next,
                since,
                deadline,
                ..
            } if is_clear => {
                let size = self.images.get(image).copied().unwrap_or(0);
                match self
                    .geometry
                    .and_then(|geometry| geometry.stretch(image, next, size))
                {
                    Some(stretch) => {
                        let (start, next) = (stretch.range.start, stretch.range.end);
                        self.state = State::RawData {
                            image,
                            next,
                            start,
                            since,
                            deadline,
                        };
                        self.out.send_image(stretch);
                    }
                    None => {
                        let deadline = match self.announced {
                            Announced::Success => now + AFTER_SUCCESS,
                            _ => now + VERDICT,
                        };
                        self.out.report(Report::Finalising {
                            image,
                            up_to: VERDICT,
                        });
                        self.enter(State::Verdict {
                            image,
                            since: now,
                            deadline,
                        });
                    }
                }
            }
            State::Verdict {
                image,
                since,
                deadline,
            } if now >= deadline => match self.announced {
                Announced::Success => {
                    let words = "no final ACK came, but the modem logged that the image is processed";
                    self.out.report(Report::Noise(words.to_string()));
                    self.accept(image, now);
                }
                Announced::Failure => self.refuse(Step::Verdict { image }),
                Announced::Nothing => match self.complaint.take() {
                    Some(nak) => self.refuse_with(Step::Verdict { image }, nak),
                    None => self.give_up(since, now),
                },
            },
            _ => {}
        }
    }

    fn ping(&mut self, goal: Goal, now: Instant) {
        let deadline = self.total(goal, PING, now);
        self.enter(State::Ping {
            goal,
            tries: 1,
            since: now,
            again_at: now + PING_AGAIN,
            deadline,
            nak: None,
        });
        self.out.send(Request::Ping.to_bytes());
    }

    fn ping_again(&mut self, now: Instant) {
        if let State::Ping {
            tries, again_at, nak, ..
        } = &mut self.state
        {
            *tries = tries.saturating_add(1);
            *again_at = now + PING_AGAIN;
            let why = nak.as_ref().map_or_else(|| "no ACK".to_string(), Nak::to_string);
            self.out.report(Report::Retrying {
                step: Step::Ping,
                attempt: *tries,
                why,
            });
            self.out.send(Request::Ping.to_bytes());
        }
    }

    fn give_up_pinging(&mut self, goal: Goal, since: Instant, now: Instant) {
        if goal == Goal::Reset {
            // All images are accepted: the reset is worth a try in any case.
            self.out.report(Report::Noise(
                "no ACK to NOP; the reset is asked for all the same".to_string(),
            ));
            self.ask(goal, now);
            return;
        }
        match &self.state {
            State::Ping { nak: Some(nak), .. } => {
                let nak = nak.clone();
                self.refuse_with(Step::Ping, nak);
            }
            _ => self.give_up(since, now),
        }
    }

    /// Sends the request of the goal for the first time.
    fn ask(&mut self, goal: Goal, now: Instant) {
        if self.geometry.is_none() && matches!(goal, Goal::Program(_)) && !self.conclude_storage() {
            return;
        }
        let Some(request) = self.request(goal) else { return };
        let (again_at, deadline) = match goal {
            Goal::Configure | Goal::StorageInfo => (now + ASK_AGAIN, self.start_deadline),
            Goal::Program(_) => (Instant::FAR, now + PROGRAM),
            Goal::Reset => (now + ASK_AGAIN, now + RESET),
        };
        if let Goal::Program(image) = goal {
            self.announced = Announced::Nothing;
            (self.complaints, self.complaint) = (0, None);
            self.out.report(Report::ImageStarted { image, attempt: 1 });
        }
        self.enter(State::Asked {
            goal,
            tries: 1,
            naks: 0,
            since: now,
            again_at,
            deadline,
        });
        self.out.send(request.to_bytes());
    }

    fn ask_again(&mut self, now: Instant) {
        let State::Asked {
            goal,
            tries,
            again_at,
            ..
        } = &mut self.state
        else {
            return;
        };
        let (goal, attempt) = (*goal, tries.saturating_add(1));
        *tries = attempt;
        *again_at = if matches!(goal, Goal::Program(_)) {
            Instant::FAR
        } else {
            now + ASK_AGAIN
        };
        let why = "only noise or nothing came".to_string();
        self.out.report(Report::Retrying {
            step: goal.step(),
            attempt,
            why,
        });
        if let Some(request) = self.request(goal) {
            self.out.send(request.to_bytes());
        }
    }

    fn request(&self, goal: Goal) -> Option<Request> {
        Some(match goal {
            Goal::Configure => Request::Configure(Configure::asking_for(Configure::WISH_BYTES)),
            Goal::StorageInfo => Request::StorageInfo {
                physical_partition: 0,
            },
            Goal::Program(image) => {
                let (geometry, size) = (self.geometry?, self.images.get(image)?);
                Request::Program(Program::image(
                    geometry.sectors(*size),
                    geometry.sector_size_bytes(),
                    geometry.pages_per_block(),
                ))
            }
            Goal::Reset => Request::Power(Power::reset()),
        })
    }

    /// Makes the geometry of what configure and storage info said.
    fn conclude_storage(&mut self) -> bool {
        let Storage {
            max_payload_bytes,
            sector_size_bytes,
            pages_per_block,
        } = self.storage;
        self.geometry = Geometry::new(max_payload_bytes, sector_size_bytes, pages_per_block);
        match self.geometry {
            Some(geometry) => self.out.report(Report::Connected(Connected::Firehose {
                block_size_bytes: geometry.block_size_bytes(),
                sector_size_bytes,
                pages_per_block,
            })),
            None => self.out.fail(ProtocolError::Unexpected {
                step: Step::Configure,
                expected: "a payload of at least one sector",
                got: format!("{max_payload_bytes} bytes, with sectors of {sector_size_bytes}"),
            }),
        }
        self.geometry.is_some()
    }

    /// Ends a step whose answer didn't come.
    fn give_up(&mut self, since: Instant, now: Instant) {
        let (step, waited) = (self.step(), now - since);
        let is_still_talking = now.since(self.heard.last) < Duration::from_secs(1);
        self.out.fail(if self.heard.documents > 0 && is_still_talking {
            ProtocolError::Endless { step, waited }
        } else if self.heard.documents == 0 && self.heard.bytes > 0 {
            ProtocolError::Unexpected {
                step,
                expected: "a Firehose document",
                got: format!("{} bytes of something else", self.heard.bytes),
            }
        } else {
            ProtocolError::Silent { step, waited }
        });
    }

    /// Whether the modem is at a point where the session may be left.
    fn is_at_safe_point(&self) -> bool {
        let goal = match &self.state {
            State::Drain { goal, .. } | State::Ping { goal, .. } => *goal,
            State::Asked {
                goal: goal @ (Goal::Configure | Goal::StorageInfo),
                ..
            } => *goal,
            _ => return false,
        };
        goal != Goal::Reset && self.out.left() == 0
    }

    fn wake_at(&self) -> Instant {
        let stalled = self.out.stall_deadline();
        match (&self.state, stalled) {
            (State::RawData { deadline, .. }, Some(stalled)) => stalled.min(*deadline),
            (_, Some(stalled)) => stalled,
            (
                State::Drain {
                    quiet_until,
                    deadline,
                    ..
                },
                None,
            ) => (*quiet_until).min(*deadline),
            (
                State::Ping {
                    again_at, deadline, ..
                }
                | State::Asked {
                    again_at, deadline, ..
                },
                None,
            ) => (*again_at).min(*deadline),
            (State::RawData { deadline, .. } | State::Verdict { deadline, .. }, None) => *deadline,
            (State::Finished, None) => Instant::FAR,
        }
    }
}

impl Conversation for Session {
    fn receive(&mut self, bytes: &[u8], now: Instant) {
        if self.out.has_failed() || bytes.is_empty() {
            return;
        }
        self.heard.bytes = self.heard.bytes.saturating_add(bytes.len());
        self.heard.last = now;
        match &mut self.state {
            State::Drain { quiet_until, .. } => *quiet_until = now + QUIET,
            State::Ping { again_at, .. } => *again_at = (*again_at).max(now + QUIET),
            _ => {}
        }
        self.splitter.push(bytes);
        while let Some(document) = self.splitter.next_document() {
            self.heard.documents = self.heard.documents.saturating_add(1);
            self.document(&document, now);
            if self.out.has_failed() {
                return;
            }
        }
    }

    fn wrote(&mut self, count: usize, left: u64, now: Instant) {
        self.out.wrote(count, left, now);
        match &mut self.state {
            State::RawData {
                image, next, start, ..
            } => {
                let (image, next, start) = (*image, *next, *start);
                let size = self.images.get(image).copied().unwrap_or(0);
                let padding = match self.geometry {
                    Some(geometry) if next >= size => u64::from(geometry.padding(size)),
                    _ => 0,
                };
                // What is left of image bytes: the padding goes last.
                let taken = next.saturating_sub(left.saturating_sub(padding)).max(start);
                self.out.progressed(image, taken);
            }
            State::Ping {
                goal,
                tries,
                again_at,
                deadline,
                ..
            } if left == 0 => {
                *again_at = now + PING_AGAIN;
                if *tries == 1 && !matches!(goal, Goal::Configure | Goal::StorageInfo) {
                    *deadline = now + PING;
                }
            }
            State::Asked {
                goal,
                tries,
                deadline,
                ..
            } => {
                if *goal == Goal::Reset && count > 0 {
                    self.reset = ResetRequest::Sent;
                }
                if left == 0 && *tries == 1 {
                    match goal {
                        Goal::Program(_) => *deadline = now + PROGRAM,
                        Goal::Reset => {
                            *deadline = now + RESET;
                            self.out.report(Report::ResetSent);
                        }
                        Goal::Configure | Goal::StorageInfo => {}
                    }
                }
            }
            _ => {}
        }
    }

    fn closed(&mut self, _now: Instant) {
        match (&self.state, self.reset) {
            (State::Finished, _) => {}
            (_, ResetRequest::Sent) if !self.out.has_failed() => self.enter(State::Finished),
            _ => {
                let step = self.step();
                self.out.fail(ProtocolError::Left { step });
            }
        }
    }

    fn stop(&mut self) {
        self.stop = Stop::Asked;
    }

    fn poll(&mut self, now: Instant) -> Result<Action, ProtocolError> {
        if let Some(ready) = self.out.next(now) {
            return ready;
        }
        if self.state == State::Finished {
            return Ok(Action::Finished);
        }
        if self.stop == Stop::Asked && self.is_at_safe_point() {
            let step = match &self.state {
                State::Drain { goal, .. } | State::Ping { goal, .. } => goal.step(),
                _ => self.step(),
            };
            self.out.fail(ProtocolError::Stopped { step });
        }
        self.out.check_stall(self.step(), now);
        if !self.out.has_failed() {
            self.tick(now);
        }
        self.out.next(now).unwrap_or_else(|| {
            Ok(Action::Wait {
                until: self.wake_at(),
            })
        })
    }
}
