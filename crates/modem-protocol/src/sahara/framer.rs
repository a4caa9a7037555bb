//! Cuts Sahara packets, and the raw data after them, out of a stream whose reads may be split or joined anywhere.

use alloc::vec::Vec;

use super::message::{HEADER_SIZE, LARGEST_PACKET, Packet};
use crate::ParseError;

/// Collects bytes and returns packets.
///
/// If [`Framer::next_packet`] is always called until it returns `None`, this holds at most one incomplete packet
/// (less than [`LARGEST_PACKET`] bytes) and the bytes that were pushed last.
///
/// ```
/// use modemflash_modem_protocol::sahara::{Framer, message::Packet};
/// let mut framer = Framer::default();
/// framer.push(&[0x0B, 0, 0, 0, 8]);
/// assert_eq!(framer.next_packet(), None);
/// framer.push(&[0, 0, 0, b'X']);
/// assert_eq!(framer.next_packet(), Some(Ok(Packet::CommandReady)));
/// assert_eq!(framer.into_rest(), b"X");
/// ```
#[derive(Clone, Debug, Default)]
pub struct Framer {
    bytes: Vec<u8>,
}

impl Framer {
    /// Takes bytes in the order in which they came.
    pub fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// The next packet; `None` until all its bytes have come.
    ///
    /// # Errors
    /// If a length field is below 8 or above [`LARGEST_PACKET`], the stream isn't Sahara. Then nothing is taken out,
    /// and the same error is returned until [`Framer::clear`]. A packet that can't be read is an error too, but is
    /// taken out.
    pub fn next_packet(&mut self) -> Option<Result<Packet, ParseError>> {
        let length_field: [u8; 4] = self.bytes.get(4..HEADER_SIZE)?.try_into().ok()?;
        let declared = u32::from_le_bytes(length_field);
        let length = match usize::try_from(declared) {
            Ok(length) if (HEADER_SIZE..=LARGEST_PACKET).contains(&length) => length,
            _ => {
                return Some(Err(ParseError::Value {
                    field: "length",
                    offset: 4,
                    expected: "8 to 1024",
                    got: declared.into(),
                }));
            }
        };
        let packet = Packet::parse(self.bytes.get(..length)?);
        self.bytes.drain(..length);
        Some(packet)
    }

    /// Takes `count` raw bytes. Until that many have come, takes nothing and returns `None`. For the data that
    /// follows [`Packet::ExecuteData`]; the caller has to limit `count`.
    pub fn take_raw(&mut self, count: usize) -> Option<Vec<u8>> {
        if self.bytes.len() < count {
            return None;
        }
        let rest = self.bytes.split_off(count);
        Some(core::mem::replace(&mut self.bytes, rest))
    }

    /// The bytes that were not taken out yet.
    pub fn buffered(&self) -> &[u8] {
        &self.bytes
    }

    /// Forgets everything that is buffered.
    pub fn clear(&mut self) {
        self.bytes.clear();
    }

    /// The bytes after the last packet, for the protocol that follows.
    pub fn into_rest(self) -> Vec<u8> {
        self.bytes
    }
}
