//! Restarts a modem through Sahara. That is the way out of a memory dump and of a start that went wrong
//! (sahara-firehose.md §3.1).

use core::time::Duration;

use super::Framer;
use super::message::{Packet, Status};
use crate::Instant;
use crate::conversation::{Action, Conversation, ProtocolError, Refusal, Report, Step};
use crate::outbox::Outbox;

/// How long to wait for the reset response or for the modem to leave the bus; the same as for every other answer
/// (sahara-firehose.md §3.3).
const ANSWER: Duration = Duration::from_secs(5);

/// Sends a reset, and waits for its response or for the port to disappear.
///
/// Everything else that the modem still sends is ignored, so a reset can be sent in any state. [`Conversation::stop`]
/// has no effect, because the request goes out at once.
#[derive(Clone, Debug)]
pub struct Reset {
    framer: Framer,
    state: ResetState,
    out: Outbox,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ResetState {
    /// The port has taken no byte of the request yet.
    Asking {
        since: Instant,
    },
    /// The port has taken at least a part of the request.
    Asked {
        since: Instant,
        refused: Option<Status>,
    },
    Finished,
}

impl Reset {
    /// Begins with the request.
    pub fn new(now: Instant) -> Self {
        let mut out = Outbox::default();
        out.send(Packet::Reset.to_bytes());
        Self {
            framer: Framer::default(),
            state: ResetState::Asking { since: now },
            out,
        }
    }
}

impl Conversation for Reset {
    fn receive(&mut self, bytes: &[u8], _now: Instant) {
        self.framer.push(bytes);
        while let Some(packet) = self.framer.next_packet() {
            match (&mut self.state, packet) {
                // The bytes aren't Sahara, or not any more. Drop them, because the framer would keep them for ever.
                (_, Err(_)) => self.framer.clear(),
                (ResetState::Finished, _) => {}
                (_, Ok(Packet::ResetResponse)) => self.state = ResetState::Finished,
                (ResetState::Asked { refused, .. }, Ok(Packet::EndOfImage { status, .. })) => {
                    *refused = Some(status);
                }
                (_, Ok(_)) => {}
            }
        }
    }

    fn wrote(&mut self, count: usize, left: u64, now: Instant) {
        self.out.wrote(count, left, now);
        if left == 0 && self.state != ResetState::Finished {
            self.out.report(Report::ResetSent);
        }
        if count > 0 && matches!(self.state, ResetState::Asking { .. }) {
            self.state = ResetState::Asked {
                since: now,
                refused: None,
            };
        }
    }

    fn closed(&mut self, _now: Instant) {
        match self.state {
            ResetState::Asking { .. } => self.out.fail(ProtocolError::Left { step: Step::Reset }),
            ResetState::Asked { .. } | ResetState::Finished => self.state = ResetState::Finished,
        }
    }

    fn stop(&mut self) {}

    fn poll(&mut self, now: Instant) -> Result<Action, ProtocolError> {
        if let Some(ready) = self.out.next(now) {
            return ready;
        }
        let (since, refused) = match self.state {
            ResetState::Finished => return Ok(Action::Finished),
            ResetState::Asking { since } => (since, None),
            ResetState::Asked { since, refused } => (since, refused),
        };
        let until = since + ANSWER;
        if now >= until {
            self.out.fail(match refused {
                Some(status) => ProtocolError::Refused {
                    step: Step::Reset,
                    refusal: Refusal::Sahara(status),
                },
                None if self.out.left() > 0 => ProtocolError::Stalled {
                    step: Step::Reset,
                    left: self.out.left(),
                    waited: now - since,
                },
                None => ProtocolError::Silent {
                    step: Step::Reset,
                    waited: now - since,
                },
            });
        }
        self.out.next(now).unwrap_or(Ok(Action::Wait { until }))
    }
}
