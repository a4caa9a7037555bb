//! What the tests of Sahara and Firehose share.

use std::time::Duration;

use modemflash_modem_protocol::conversation::Stretch;
use modemflash_modem_protocol::{Action, Conversation, Instant, ProtocolError, Report};

/// The bytes of a vector of sahara-firehose.md, by its name in `vectors/sahara-firehose.txt`.
pub(crate) fn vector(name: &str) -> Vec<u8> {
    let line = include_str!("../../vectors/sahara-firehose.txt")
        .lines()
        .find(|line| line.split(' ').nth(1) == Some(name))
        .unwrap_or_else(|| panic!("no vector {name}"));
    hex(line.splitn(3, ' ').nth(2).unwrap())
}

/// Bytes from hex digits, blanks anywhere.
pub(crate) fn hex(digits: &str) -> Vec<u8> {
    let digits: Vec<u32> = digits.chars().filter_map(|c| c.to_digit(16)).collect();
    digits
        .chunks(2)
        .map(|pair| u8::try_from(pair[0] * 16 + pair[1]).unwrap())
        .collect()
}

/// A document of the modem, as EM7565 writes it (trace em7565_sahara-firehose_vendor-sdk_2018).
pub(crate) fn document(element: &str) -> Vec<u8> {
    format!("<?xml version=\"1.0\" encoding=\"UTF-8\" ?>\n<data>\n{element}\n</data>").into_bytes()
}

/// The bytes of image number `image`: any pattern that isn't zero.
pub(crate) fn image_byte(image: usize, offset: u64) -> u8 {
    u8::try_from((offset * 7 + u64::try_from(image).unwrap()) % 251 + 1).unwrap()
}

/// The bytes of a whole image.
pub(crate) fn image(image: usize, size: u64) -> Vec<u8> {
    (0..size).map(|offset| image_byte(image, offset)).collect()
}

/// How a poll ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    Waiting(Instant),
    Finished,
    Failed(ProtocolError),
}

/// A driver with a port that takes everything at once, and a clock that is set by hand.
pub(crate) struct Host<C> {
    pub(crate) conversation: C,
    pub(crate) now: Instant,
    /// Bytes on the wire since the last call of `sent`.
    wire: Vec<u8>,
    pub(crate) reports: Vec<Report>,
    /// Output that the port doesn't take; `None` if it takes all.
    pub(crate) held: Option<u64>,
    pub(crate) takes: bool,
}

impl<C: Conversation> Host<C> {
    pub(crate) fn new(conversation: C) -> Self {
        Self {
            conversation,
            now: Instant::START,
            wire: vec![],
            reports: vec![],
            held: None,
            takes: true,
        }
    }

    /// Polls until there is nothing to do.
    pub(crate) fn settle(&mut self) -> Ended {
        for _ in 0..100_000 {
            let bytes = match self.conversation.poll(self.now) {
                Ok(Action::Report(report)) => {
                    self.reports.push(report);
                    continue;
                }
                Ok(Action::Wait { until }) => return Ended::Waiting(until),
                Ok(Action::Finished) => return Ended::Finished,
                Err(error) => {
                    assert_eq!(
                        self.conversation.poll(self.now),
                        Err(error.clone()),
                        "a failure stays"
                    );
                    return Ended::Failed(error);
                }
                Ok(Action::Send(bytes)) => bytes,
                Ok(Action::SendImage(stretch)) => {
                    assert!(stretch.range.end - stretch.range.start <= Stretch::LARGEST);
                    let mut bytes = stretch.header;
                    bytes.extend(stretch.range.map(|offset| image_byte(stretch.image, offset)));
                    bytes.resize(bytes.len() + usize::try_from(stretch.padding).unwrap(), 0);
                    bytes
                }
            };
            assert_eq!(self.held, None, "output while other output is under way");
            if self.takes {
                self.conversation.wrote(bytes.len(), 0, self.now);
            } else {
                self.held = Some(u64::try_from(bytes.len()).unwrap());
            }
            self.wire.extend(bytes);
        }
        panic!("no end of actions");
    }

    /// The modem says something.
    pub(crate) fn hear(&mut self, bytes: &[u8]) -> Ended {
        self.conversation.receive(bytes, self.now);
        self.settle()
    }

    /// The port takes bytes of the output that it held back.
    pub(crate) fn take(&mut self, count: u64) -> Ended {
        let left = self.held.unwrap() - count;
        self.held = (left > 0).then_some(left);
        self.conversation
            .wrote(usize::try_from(count).unwrap(), left, self.now);
        self.settle()
    }

    pub(crate) fn pass(&mut self, span: Duration) -> Ended {
        self.now += span;
        self.settle()
    }

    /// Nothing happens until the conversation wants to go on by itself; so often.
    pub(crate) fn pass_deadlines(&mut self, most: usize) -> Ended {
        let mut ended = self.settle();
        for _ in 0..most {
            match ended {
                Ended::Waiting(until) => self.now = until,
                ended => return ended,
            }
            ended = self.settle();
        }
        ended
    }

    /// What was sent since the last call.
    pub(crate) fn sent(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.wire)
    }
}

impl<C> Host<C> {
    /// How many bytes were sent since the last call of `sent`.
    pub(crate) fn sent_len(&self) -> usize {
        self.wire.len()
    }
}
