//! The host's side of a Firehose session: ping, configure, storage info, images, reset
//! (sahara-firehose.md §5).
//!
//! Two rules keep images intact:
//!
//! * Before each `program` and `power`, the session reads until the line is silent, then sends NOP until one ACK comes. That
//!   absorbs the complaint about the zero block of the image before. The request follows at once if that ACK was the only answer
//!   to the only NOP; otherwise the session reads until the line is silent again.
//! * After an ACK with rawmode true, the session never sends `program` again, because it would become image data (§5.3).
//!   A NAK to `program` leaves the modem in command mode, so the session then reads until the line is silent, sends NOP
//!   until one ACK comes, and asks again, at most [`MOST_PROGRAMS`] times.
//!
//! The session reads answers while raw data goes out, so a NAK or a failure line in the middle ends it at once. Every
//! step has a total time limit that log lines don't extend.

mod answers;
mod garbled;
mod requests;

use alloc::collections::VecDeque;
use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use super::message::{Configure, Nak};
use super::plan::{DEFAULT_PAGES_PER_BLOCK, DEFAULT_SECTOR_SIZE, Geometry};
use super::stream::Splitter;
use crate::Instant;
use crate::conversation::{Action, Conversation, ProtocolError, Report, Step};
use crate::outbox::Outbox;

/// After this much silence the modem has sent everything (sahara-firehose.md §5, about 100 ms).
const QUIET: Duration = Duration::from_millis(100);

/// Time limit for ping, configure and storage info together; EM7565 prints many log lines first (sahara-firehose.md
/// §5.1).
const START: Duration = Duration::from_secs(30);

/// Longest wait for silence before `program` or `power`; the same as for the NOPs.
const DRAIN: Duration = Duration::from_secs(10);

/// Time limit for the NOPs before `program` or `power`, and their largest number (sahara-firehose.md §5.3).
const PING: Duration = Duration::from_secs(10);
const MOST_PINGS: u8 = 40;

/// After this time an unanswered NOP is sent again. Estimate: it allows three more NOPs within [`PING`].
const PING_AGAIN: Duration = Duration::from_secs(3);

/// After this time any other unanswered request is sent again, if it may be sent twice (sahara-firehose.md §5.3: 10 s
/// each).
const ASK_AGAIN: Duration = Duration::from_secs(10);

/// How long the session still waits for the answer to a request after noise came instead (sahara-firehose.md §5.3).
const AFTER_NOISE: Duration = Duration::from_millis(500);

/// How often a request is sent at most if noise comes instead of its answer; WP76xx complains up to 40 times
/// (sahara-firehose.md §5.3).
const MOST_TRIES: u8 = 40;

/// How often `program` is sent for an image if the modem refuses it (sahara-firehose.md §5.3).
pub const MOST_PROGRAMS: u8 = 3;

/// How long the line has to be silent after a refused `program`, before NOP is sent. The refusal may belong to something
/// else, and the ACK to `program` still be on its way; a NOP after that ACK would become image data.
const AFTER_REFUSAL: Duration = Duration::from_millis(500);

/// Time limit for the answer to `program` (sahara-firehose.md §5.2 has three tries of 10 s; the session waits once
/// for as long).
const PROGRAM: Duration = Duration::from_secs(30);

/// Time limit and number of NAKs for `power` (sahara-firehose.md §5.3: ten tries of 10 s).
const RESET: Duration = Duration::from_secs(100);
const MOST_RESET_NAKS: u8 = 10;

/// Time limit for raw data: ten minutes, and one second for each 16 KiB. Estimate: far slower than any speed that was
/// seen.
const RAW_DATA: Duration = Duration::from_secs(600);
const RAW_DATA_BYTES_PER_S: u64 = 16 * 1024;

/// How long the verdict on an image may take (sahara-firehose.md §5.2); 10 to 90 s are typical.
pub const VERDICT: Duration = Duration::from_secs(300);

/// How long the verdict may take after the modem has logged success or failure. Estimate: the modem logs both only at
/// the very end.
const AFTER_SUCCESS: Duration = Duration::from_secs(10);
const AFTER_FAILURE: Duration = Duration::from_secs(1);

/// What an EM7565 logs after it has written an image (sahara-firehose.md §5.2).
const PROCESSED: &str = "SWI CWE image processed OK";

/// A session from the first ping to the reset.
///
/// [`Conversation::stop`] takes effect before the first image and between two images. Once `program` is sent, the
/// boot loader counts bytes, and stopping would leave it in the middle of an image; so a stop then waits for the
/// verdict. After all images are accepted, a stop has no effect, because the reset is the safe end.
#[derive(Clone, Debug)]
pub struct Session {
    /// Sizes of the images in bytes.
    images: Vec<u64>,
    splitter: Splitter,
    state: FirehoseState,
    start_deadline: Instant,
    storage: Storage,
    geometry: Option<Geometry>,
    /// Log lines since the last response.
    log: VecDeque<String>,
    announced: Announced,
    /// How many complaints about the zero block came since `program` was acknowledged, and the last of them.
    complaints: u8,
    complaint: Option<Nak>,
    programs: Programs,
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

/// Whether any byte of the reset request was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ResetRequest {
    NotSent,
    Sent,
}

/// What the modem's log said about the present image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Announced {
    Nothing,
    Success,
    Failure,
}

/// The requests to take the present image.
#[derive(Clone, Debug, Default)]
struct Programs {
    /// How many were refused.
    refused: u8,
    /// How many led to a verdict that couldn't be read.
    unclear: u8,
    /// The last refusal with log lines, or the last one.
    refusal: Option<Nak>,
}

impl Programs {
    /// How many requests are over.
    fn tries(&self) -> u8 {
        self.refused.saturating_add(self.unclear)
    }
}

/// What the modem reported about its flash.
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
    /// How many answers came that can't be read, to a request that may be repeated.
    garbled: u8,
    /// How many answers to NOP were no ACK.
    naks: u8,
    last: Instant,
}

/// The request that is under way, or the next one.
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
enum FirehoseState {
    /// The session reads until the line is silent.
    Drain {
        goal: Goal,
        ping: Ping,
        since: Instant,
        quiet_until: Instant,
        deadline: Instant,
    },
    /// The session sends NOP until one ACK comes.
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
    /// Image bytes go out; the bytes before `next` have been handed to the driver.
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
    /// The reset is acknowledged, or the modem has left the bus after it.
    Finished,
}

/// Whether a NOP comes before the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ping {
    Due,
    Done,
}

impl Session {
    /// A session for images of these sizes in bytes, sent in this order. `leftovers` are the bytes that came after
    /// the confirmation of the switch to Firehose.
    pub fn new(images: &[u64], leftovers: &[u8], now: Instant) -> Self {
        let start_deadline = now + START;
        let mut session = Self {
            images: images.to_vec(),
            splitter: Splitter::default(),
            state: FirehoseState::Drain {
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
            programs: Programs::default(),
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
            FirehoseState::Drain {
                goal: Goal::Configure,
                ping: Ping::Due,
                ..
            }
            | FirehoseState::Ping { .. } => Step::Ping,
            FirehoseState::Drain { goal, .. } | FirehoseState::Asked { goal, .. } => goal.step(),
            FirehoseState::RawData { image, .. } => Step::RawData { image: *image },
            FirehoseState::Verdict { image, .. } => Step::Verdict { image: *image },
            FirehoseState::Finished => Step::Reset,
        }
    }

    fn enter(&mut self, state: FirehoseState) {
        self.heard.bytes = 0;
        self.heard.documents = 0;
        self.heard.garbled = 0;
        self.heard.naks = 0;
        self.state = state;
    }

    fn drain(&mut self, goal: Goal, ping: Ping, now: Instant) {
        let deadline = self.total(goal, DRAIN, now);
        self.enter(FirehoseState::Drain {
            goal,
            ping,
            since: now,
            quiet_until: now + QUIET,
            deadline,
        });
    }

    /// Asks for `goal` next, at once unless more is there to be read.
    fn go_on(&mut self, goal: Goal, now: Instant) {
        self.drain(goal, Ping::Done, now);
        if let FirehoseState::Drain { quiet_until, .. } = &mut self.state {
            *quiet_until = now;
        }
    }

    /// The deadline of a step on the way to `goal`. All steps of the start share one deadline; the others get `span`.
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

    /// Whether the session may stop now.
    fn is_at_safe_point(&self) -> bool {
        let goal = match &self.state {
            FirehoseState::Drain { goal, .. } | FirehoseState::Ping { goal, .. } => *goal,
            FirehoseState::Asked {
                goal: goal @ (Goal::Configure | Goal::StorageInfo),
                ..
            } => *goal,
            _ => return false,
        };
        goal != Goal::Reset && self.out.left() == 0
    }

    fn wake_at(&self) -> Instant {
        let stalled = self.out.stall_deadline();
        let of_state = match (&self.state, stalled) {
            (FirehoseState::RawData { deadline, .. }, Some(stalled)) => stalled.min(*deadline),
            (_, Some(stalled)) => stalled,
            (
                FirehoseState::Drain {
                    quiet_until,
                    deadline,
                    ..
                },
                None,
            ) => (*quiet_until).min(*deadline),
            (
                FirehoseState::Ping {
                    again_at, deadline, ..
                }
                | FirehoseState::Asked {
                    again_at, deadline, ..
                },
                None,
            ) => (*again_at).min(*deadline),
            (FirehoseState::RawData { deadline, .. } | FirehoseState::Verdict { deadline, .. }, None) => {
                *deadline
            }
            (FirehoseState::Finished, None) => Instant::FAR,
        };
        of_state.min(self.unfinished_until())
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
            FirehoseState::Drain { quiet_until, .. } => *quiet_until = (*quiet_until).max(now + QUIET),
            FirehoseState::Ping { again_at, .. } => *again_at = (*again_at).max(now + QUIET),
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
            FirehoseState::RawData {
                image, next, start, ..
            } => {
                let (image, next, start) = (*image, *next, *start);
                let size = self.images.get(image).copied().unwrap_or(0);
                let padding = match self.geometry {
                    Some(geometry) if next >= size => u64::from(geometry.padding(size)),
                    _ => 0,
                };
                // The padding goes last, so the image bytes that are left are `left` minus the padding.
                let taken = next.saturating_sub(left.saturating_sub(padding)).max(start);
                self.out.progressed(image, taken);
            }
            FirehoseState::Ping {
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
            FirehoseState::Asked {
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
            (FirehoseState::Finished, _) => {}
            (_, ResetRequest::Sent) if !self.out.has_failed() => self.enter(FirehoseState::Finished),
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
        if self.state == FirehoseState::Finished {
            return Ok(Action::Finished);
        }
        if self.stop == Stop::Asked && self.is_at_safe_point() {
            let step = match &self.state {
                FirehoseState::Drain { goal, .. } | FirehoseState::Ping { goal, .. } => goal.step(),
                _ => self.step(),
            };
            self.out.fail(ProtocolError::Stopped { step });
        }
        self.out.check_stall(self.step(), now);
        if !self.out.has_failed() {
            self.doubt_unfinished(now);
        }
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
