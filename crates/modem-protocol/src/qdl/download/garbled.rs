//! Tells a damaged answer from noise.
//!
//! A modem that has answered says nothing more, so waiting for the answer is in vain: the request has to be repeated.
//! After noise, the answer may still come, and the modem may be busy with the flash meanwhile. So a frame that can't be
//! read counts as the answer only if it resembles the answer: it begins with the command of the answer, or has its
//! length. One damaged byte leaves at least one of the two, as long as it isn't taken for the end of the frame.

use super::Asked;
use crate::qdl::message::command;

/// Bytes of the checksum of a frame.
const CHECKSUM: usize = 2;

/// An answer to a request: its command, and the smallest and largest number of bytes without checksum (qdl.md §4).
#[derive(Clone, Copy, Debug)]
struct Form {
    command: u8,
    least: usize,
    most: usize,
}

impl Form {
    const fn exactly(command: u8, length: usize) -> Self {
        Self {
            command,
            least: length,
            most: length,
        }
    }

    /// Whether these bytes, between two flags, may be such an answer with a damaged byte. A damaged leading flag adds a
    /// byte in front; a byte that was taken for an escape is missing.
    fn resembles(self, bytes: &[u8]) -> bool {
        let body = (self.least + CHECKSUM - 1)..=(self.most + CHECKSUM + 1);
        let begins = bytes.iter().take(2).any(|&byte| byte == self.command);
        begins || (self.least > 1 && body.contains(&bytes.len()))
    }

    /// Whether these bytes, after a flag and without a flag behind them, are more than such an answer. Then its closing
    /// flag is damaged.
    fn is_exceeded_by(self, bytes: &[u8]) -> bool {
        let begins = bytes.first() == Some(&self.command);
        begins && bytes.len() > self.most.min(self.least + 1) + CHECKSUM
    }
}

/// The right answer to this request, and a report of an error.
fn forms(asked: Asked) -> Option<[Form; 2]> {
    // The text of an error report has one byte as far as is known, but may be longer.
    let error = Form {
        command: command::ERROR,
        least: 6,
        most: 6,
    };
    let answer = match asked {
        Asked::Switch { .. } => Form::exactly(command::HELLO_RESPONSE, 1),
        Asked::Probe { .. } | Asked::Hello { .. } => Form::exactly(command::HELLO_RESPONSE, 49),
        Asked::Open => Form::exactly(command::OPEN_RESPONSE, 8),
        Asked::Write { .. } => Form::exactly(command::WRITE_RESPONSE, 9),
        Asked::Done => Form {
            command: command::DONE_RESPONSE,
            least: 4,
            most: 4 + 256,
        },
        Asked::Reset => return None,
    };
    Some([answer, error])
}

/// Whether a frame that can't be read was probably the answer to this request. `bytes` are those between the flags.
pub(super) fn is_probably_answer(asked: Asked, bytes: &[u8]) -> bool {
    forms(asked).is_some_and(|forms| forms.iter().any(|form| form.resembles(bytes)))
}

/// Whether the bytes after the last flag are probably the answer to this request without its closing flag.
pub(super) fn is_probably_endless(asked: Asked, unread: &[u8]) -> bool {
    forms(asked).is_some_and(|forms| forms.iter().any(|form| form.is_exceeded_by(unread)))
}
