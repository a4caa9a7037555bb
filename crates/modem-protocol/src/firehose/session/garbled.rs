//! Handles answers that came damaged. The modem has answered and says nothing more, so the session doesn't wait for the
//! answer, and goes on with what the undamaged bytes prove.
//!
//! | damaged answer to | what follows |
//! |---|---|
//! | NOP, configure, storage info | the request is sent again: none of them changes anything |
//! | `program` | a NAK is a refusal. Otherwise the answer is taken for the ACK to raw data: `program` must not be sent again after that ACK, and a modem in command mode answers the data with a NAK, which ends the session |
//! | the data (verdict) | a NAK is a refusal. If the modem has logged success, the image is accepted; otherwise the modem is in command mode again, and the image is sent once more |
//! | reset | the modem leaves, or the request is sent again after its time limit |

use alloc::format;
use alloc::string::ToString;
use alloc::vec::Vec;
use core::time::Duration;

use super::{Announced, FirehoseState, Goal, MOST_PROGRAMS, MOST_TRIES, Ping, QUIET, Session};
use crate::conversation::{ProtocolError, Report, Step};
use crate::firehose::message::{Answer, Nak, Response, Verdict};
use crate::{Instant, ParseError};

/// After this much silence, a document that has begun but not ended counts as damaged. Estimate: long enough for a document
/// that a slow port delivers in pieces.
pub(super) const UNFINISHED: Duration = Duration::from_secs(1);

/// How many damaged answers to configure or storage info are accepted in a row.
const MOST_GARBLED: u8 = 3;

/// What a document is that isn't known to be undamaged.
pub(super) enum Doubtful {
    /// Its response is undamaged.
    Response(Response),
    /// It is a response, but can't be read.
    Garbled,
    /// It isn't a response.
    Noise,
}

/// Looks for a response in a document that isn't well-formed.
pub(super) fn doubtful(document: &[u8]) -> Doubtful {
    if !resembles_response(document) {
        return Doubtful::Noise;
    }
    let element = find(document, b"<response").and_then(|start| {
        let tail = document.get(start..)?;
        tail.get(..=tail.iter().position(|&byte| byte == b'>')?)
    });
    match element.map(Answer::parse) {
        Some(Ok(answers)) => match answers.into_iter().next() {
            Some(Answer::Response(response)) if !is_garbled(&response, document) => {
                Doubtful::Response(response)
            }
            _ => Doubtful::Garbled,
        },
        _ => Doubtful::Garbled,
    }
}

/// Whether a document is probably a response. One damaged byte leaves the name of the element or its value.
pub(super) fn resembles_response(document: &[u8]) -> bool {
    [&b"<response"[..], b"\"ACK\"", b"\"NAK\""]
        .iter()
        .any(|word| find(document, word).is_some())
}

/// Whether a response that can be read is damaged all the same: its value is neither ACK nor NAK; the raw mode is
/// mentioned, but not in a known form; or an attribute of a NAK has an unknown name. A NAK with a payload size is the usual answer to
/// configure, and boot loaders may tell more in it than is known.
pub(super) fn is_garbled(response: &Response, document: &[u8]) -> bool {
    match response.verdict {
        Verdict::Ack => response.raw_mode.is_none() && mentions_raw_mode(document),
        Verdict::Nak => response.max_payload_to_target_bytes.is_none() && !response.others.is_empty(),
        Verdict::Other(_) => true,
    }
}

/// Whether the raw mode is mentioned. One damaged byte leaves its name or its value.
fn mentions_raw_mode(document: &[u8]) -> bool {
    [&b"rawmode"[..], b"\"true\"", b"\"false\""]
        .iter()
        .any(|word| find(document, word).is_some())
}

fn find(bytes: &[u8], word: &[u8]) -> Option<usize> {
    bytes.windows(word.len()).position(|window| window == word)
}

impl Session {
    /// Handles an answer that can't be read. `error` is the failure to report if the session can't go on.
    pub(super) fn garbled(&mut self, document: &[u8], error: ProtocolError, now: Instant) {
        self.out
            .report(Report::Noise(format!("answer not understood: {error}")));
        let is_nak = find(document, b"\"NAK\"").is_some();
        let is_complaint = is_nak
            && Nak {
                log: self.log.iter().cloned().collect(),
            }
            .is_noise();
        if is_complaint && matches!(self.state, FirehoseState::Verdict { .. }) && self.complaints < MOST_TRIES
        {
            // One of the complaints about the zero block, which may come dozens of times.
            self.complaints += 1;
            self.complaint = Some(self.nak());
            return;
        }
        match &mut self.state {
            FirehoseState::Drain { .. } | FirehoseState::Finished => {}
            FirehoseState::Ping { again_at, .. } => *again_at = now + QUIET,
            FirehoseState::Asked {
                goal: Goal::Configure | Goal::StorageInfo,
                again_at,
                ..
            } if self.heard.garbled < MOST_GARBLED - 1 => {
                self.heard.garbled += 1;
                *again_at = now + QUIET;
            }
            FirehoseState::Asked {
                goal: Goal::Reset, ..
            } => {}
            FirehoseState::Asked {
                goal: Goal::Program(image),
                ..
            } => {
                let image = *image;
                let is_ack =
                    find(document, b"\"ACK\"").is_some() || find(document, b"rawmode=\"true\"").is_some();
                if is_nak {
                    let nak = self.nak();
                    self.refused_program(image, nak, now);
                } else if is_ack && mentions_raw_mode(document) {
                    self.start_raw_data(image, now);
                } else {
                    self.out.fail(error);
                }
            }
            FirehoseState::Verdict { image, deadline, .. } => {
                let step = Step::Verdict { image: *image };
                match self.announced {
                    _ if is_nak => self.refuse(step),
                    Announced::Success => *deadline = now,
                    Announced::Failure => self.refuse(step),
                    Announced::Nothing => {
                        let image = *image;
                        self.send_image_again(image, error, now);
                    }
                }
            }
            FirehoseState::Asked { goal, .. } if is_nak => {
                let step = goal.step();
                self.refuse(step);
            }
            FirehoseState::RawData { .. } | FirehoseState::Asked { .. } => self.out.fail(error),
        }
    }

    /// Takes a document for damaged that has begun but doesn't go on. Nothing happens in states in which the modem owes no
    /// answer.
    pub(super) fn doubt_unfinished(&mut self, now: Instant) {
        if now < self.unfinished_until() {
            return;
        }
        let count = self.splitter.buffered().len();
        let Some(document) = self.splitter.take_raw(count) else {
            return;
        };
        self.heard.documents = self.heard.documents.saturating_add(1);
        self.doubt(
            &document,
            ParseError::Text {
                field: "document",
                expected: "an end",
            },
            now,
        );
    }

    /// When a document that has begun will count as damaged.
    pub(super) fn unfinished_until(&self) -> Instant {
        let is_awaited = matches!(
            self.state,
            FirehoseState::Ping { .. } | FirehoseState::Asked { .. } | FirehoseState::Verdict { .. }
        );
        if is_awaited && self.heard.bytes > 0 && !self.splitter.buffered().is_empty() {
            self.heard.last + UNFINISHED
        } else {
            Instant::FAR
        }
    }

    /// Handles a document that isn't well-formed.
    pub(super) fn doubt(&mut self, document: &[u8], error: ParseError, now: Instant) {
        match doubtful(document) {
            Doubtful::Response(response) => self.responded(&response, now),
            Doubtful::Garbled => {
                let step = self.step();
                self.garbled(document, ProtocolError::Garbled { step, error }, now);
            }
            Doubtful::Noise => {
                self.out
                    .report(Report::Noise(format!("document not understood: {error}")));
            }
        }
    }

    /// The verdict on the image isn't known, and the modem is in command mode again: sends the image once more.
    fn send_image_again(&mut self, image: usize, error: ProtocolError, now: Instant) {
        self.programs.unclear += 1;
        let tries = self.programs.tries();
        if tries >= MOST_PROGRAMS {
            return self.out.fail(error);
        }
        self.out.report(Report::Retrying {
            step: Step::Verdict { image },
            attempt: tries + 1,
            why: error.to_string(),
        });
        self.log.clear();
        self.drain(Goal::Program(image), Ping::Due, now);
    }

    /// A NAK with the log lines since the last response.
    pub(super) fn nak(&mut self) -> Nak {
        Nak {
            log: self.log.drain(..).collect::<Vec<_>>(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // sahara-firehose.md, vector 18, with an attribute that nobody has described.
    #[test]
    fn the_usual_nak_to_configure_is_not_damaged_because_it_tells_more() {
        let document = br#"<response value="NAK" MaxPayloadSizeToTargetInBytes="8192" Version="1" />"#;
        let response = match Answer::parse(document).unwrap().remove(0) {
            Answer::Response(response) => response,
            other => panic!("{other:?}"),
        };
        assert_eq!(response.max_payload_to_target_bytes, Some(8192));
        assert!(!response.others.is_empty(), "{response:?}");
        assert!(!is_garbled(&response, document));
        // Without the size, which is what the host needs, it may be a damaged one.
        let damaged = br#"<response value="NAK" MaxPayloadSizeToTargetInBytez="8192" />"#;
        assert!(matches!(doubtful(damaged), Doubtful::Garbled));
    }
}
