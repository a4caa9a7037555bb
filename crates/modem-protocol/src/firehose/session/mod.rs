//! The host's side of a Firehose session: ping, configure, storage info, images, reset
//! (sahara-firehose.md §5).
//!
//! Two rules keep images whole. Before each `program` and `power` the line is read until it is silent, and NOP
//! is sent until one ACK comes: that absorbs the complaint about the zero block of the image before. And
//! `program` is never sent again after ACK with rawmode true: it would become image data (§5.3).
//!
//! Raw data go out while answers are read: a NAK or a failure line in the middle ends the session at once.
//! Every step has a total that no log line renews.

mod answers;
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
