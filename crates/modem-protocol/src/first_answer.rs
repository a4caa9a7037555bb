//! Recognises what is on an unknown download port by its first bytes (sahara-firehose.md §6, traces/README.md).
//!
//! The probe for an unknown family is the DLOAD command 0x70, which every candidate answers in its own way; see
//! [`PROBE`]. This module sends nothing itself.

use alloc::string::String;
use alloc::vec::Vec;

use crate::{hdlc, sahara};

/// The frame that every candidate answers in its own way: DLOAD "switch to streaming download"
/// (sahara-firehose.md §6).
pub const PROBE: [u8; 7] = [0x7E, 0x70, 0x00, 0x00, 0x14, 0x46, 0x7E];

/// What is on the port.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FirstAnswer {
    /// Too few bytes to recognise anything.
    Incomplete,
    /// A Sahara hello begins at offset `at` of [`Classifier::bytes`]. Hand the bytes from there on to the Sahara
    /// conversation.
    SaharaHello {
        /// Offset of the hello.
        at: usize,
    },
    /// Another Sahara packet of a boot loader begins at offset `at`. Another program has already begun a session.
    SaharaPacket {
        /// Offset of the packet.
        at: usize,
    },
    /// A Firehose server that is already running: XML.
    Firehose {
        /// Offset of the document.
        at: usize,
    },
    /// A QDL boot loader: acknowledgement 0x02 or hello response.
    Qdl,
    /// A QDL boot loader that reports this error; 22 is the usual answer to the probe.
    QdlError {
        /// The error code.
        code: u32,
    },
    /// The DIAG port of a modem in normal mode: 0x13, bad command.
    Diag,
    /// The port echoes the host's own bytes: a port of a modem in normal mode.
    Echo,
    /// The chip's own boot loader (05c6:9008): DLOAD NAK 0x03. No vendor file can be loaded there.
    PrimaryBootLoader {
        /// Reason of the NAK, 6 for "invalid command".
        reason: u16,
    },
    /// Lines of text: an AT port or another kind of device.
    Text(String),
    /// Something else. The bytes are in [`Classifier::bytes`].
    Unknown,
}

/// Collects the first bytes and recognises what they mean.
///
/// The verdict doesn't depend on how the bytes were split. Once it is something other than
/// [`FirstAnswer::Incomplete`], it doesn't change any more.
///
/// ```
/// use modemflash_modem_protocol::first_answer::{Classifier, FirstAnswer};
/// let mut classifier = Classifier::default();
/// classifier.push(&[0x13, 0x70, 0x00, 0x00]);
/// assert_eq!(classifier.verdict(), &FirstAnswer::Incomplete);
/// classifier.push(&[0x6A, 0x9A, 0x7E]);
/// assert_eq!(classifier.verdict(), &FirstAnswer::Diag);
/// ```
#[derive(Clone, Debug)]
pub struct Classifier {
    bytes: Vec<u8>,
    verdict: FirstAnswer,
    /// Where the present HDLC frame or line begins.
    start: usize,
}

impl Default for Classifier {
    fn default() -> Self {
        Self {
            bytes: Vec::new(),
            verdict: FirstAnswer::Incomplete,
            start: 0,
        }
    }
}

impl Classifier {
    /// After this many bytes without a verdict, the verdict is [`FirstAnswer::Unknown`]. No first answer is that
    /// long.
    pub const MOST_BYTES: usize = 4096;

    /// Takes bytes in the order in which they came. All bytes are kept for the protocol that follows, so don't keep
    /// calling this after the verdict.
    pub fn push(&mut self, bytes: &[u8]) {
        for (index, &byte) in bytes.iter().enumerate() {
            if self.verdict != FirstAnswer::Incomplete {
                self.bytes
                    .extend_from_slice(bytes.get(index..).unwrap_or_default());
                return;
            }
            self.bytes.push(byte);
            self.verdict = self.judge(byte);
        }
    }

    /// What the bytes so far mean.
    pub const fn verdict(&self) -> &FirstAnswer {
        &self.verdict
    }

    /// All bytes that came.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The verdict if nothing more comes. Bytes that were too few to recognise are a text or unknown. `None` if no
    /// byte came.
    pub fn at_silence(&self) -> Option<FirstAnswer> {
        match (&self.verdict, self.bytes.is_empty()) {
            (FirstAnswer::Incomplete, true) => None,
            (FirstAnswer::Incomplete, false) => Some(match line(self.present()) {
                Some(text) => text,
                None => FirstAnswer::Unknown,
            }),
            (verdict, _) => Some(verdict.clone()),
        }
    }

    fn present(&self) -> &[u8] {
        self.bytes.get(self.start..).unwrap_or_default()
    }

    /// The verdict after one more byte, the last of `self.bytes`.
    fn judge(&mut self, last: u8) -> FirstAnswer {
        if let Some(found) = self.sahara().or_else(|| self.firehose()) {
            return found;
        }
        let present = self.present();
        let answer = match last {
            hdlc::FLAG => frame(present),
            b'\n' => line(present),
            _ => None,
        };
        if let Some(answer) = answer {
            return answer;
        }
        if present.starts_with(&[PROBE[1], PROBE[2], PROBE[3], PROBE[4]]) || present.starts_with(b"UTUVUTUV")
        {
            return FirstAnswer::Echo;
        }
        if matches!(last, hdlc::FLAG | b'\n') {
            self.start = self.bytes.len();
        }
        if self.bytes.len() >= Self::MOST_BYTES {
            FirstAnswer::Unknown
        } else {
            FirstAnswer::Incomplete
        }
    }

    /// A Sahara packet whose header ends with the last byte.
    fn sahara(&self) -> Option<FirstAnswer> {
        let at = self.bytes.len().checked_sub(sahara::message::HEADER_SIZE)?;
        match <[u8; 8]>::try_from(self.bytes.get(at..)?).ok()? {
            sahara::HELLO_START => Some(FirstAnswer::SaharaHello { at }),
            // End of image transfer, reset response, memory debug, command ready, execute response, memory debug (64
            // bit).
            [4, 0, 0, 0, 0x10, 0, 0, 0]
            | [8, 0, 0, 0, 0x08, 0, 0, 0]
            | [9, 0, 0, 0, 0x10, 0, 0, 0]
            | [0x0B, 0, 0, 0, 0x08, 0, 0, 0]
            | [0x0E, 0, 0, 0, 0x10, 0, 0, 0]
            | [0x10, 0, 0, 0, 0x18, 0, 0, 0] => Some(FirstAnswer::SaharaPacket { at }),
            _ => None,
        }
    }

    /// The beginning of an XML document that ends with the last byte.
    fn firehose(&self) -> Option<FirstAnswer> {
        [&b"<?xml"[..], b"<data>"]
            .iter()
            .find(|start| self.bytes.ends_with(start))
            .map(|start| FirstAnswer::Firehose {
                at: self.bytes.len() - start.len(),
            })
    }
}

/// The meaning of an HDLC frame with its closing flag; `None` if it is empty, damaged or unknown.
fn frame(bytes: &[u8]) -> Option<FirstAnswer> {
    let mut decoder = hdlc::Decoder::default();
    decoder.push(bytes);
    let payload = decoder.next_frame()?.ok()?;
    match payload.as_slice() {
        [0x70, ..] => Some(FirstAnswer::Echo),
        [0x13, ..] => Some(FirstAnswer::Diag),
        [0x03, high, low] => Some(FirstAnswer::PrimaryBootLoader {
            reason: u16::from_be_bytes([*high, *low]),
        }),
        [0x0D, a, b, c, d, ..] => Some(FirstAnswer::QdlError {
            code: u32::from_le_bytes([*a, *b, *c, *d]),
        }),
        [0x02, ..] => Some(FirstAnswer::Qdl),
        _ => None,
    }
}

/// A line of printable text with at least two characters.
fn line(bytes: &[u8]) -> Option<FirstAnswer> {
    let text = core::str::from_utf8(bytes)
        .ok()?
        .trim_matches(|c: char| c == '\0' || c.is_ascii_whitespace());
    let is_text = text.len() >= 2
        && text
            .bytes()
            .all(|byte| matches!(byte, b' '..=b'~' | b'\t' | b'\r'));
    is_text.then(|| FirstAnswer::Text(text.into()))
}
