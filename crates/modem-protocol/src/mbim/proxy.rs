//! The first message to mbim-proxy, which says which port to open (mbim.md §6).

use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use super::message::{Body, CommandKind, Message, ServiceId};
use crate::ParseError;
use crate::bytes::{Reader, Writer};

/// The command's number.
pub const CID: u32 = 1;

/// Bytes before the path.
const FIXED: u32 = 12;

/// Which port the proxy should open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Configuration {
    /// Path of the port.
    pub device: String,
    /// How long opening it may take, in seconds.
    pub timeout_seconds: u32,
}

impl Configuration {
    /// The whole message.
    pub fn to_message(&self, transaction: u32) -> Message {
        Message {
            transaction,
            body: Body::Command {
                service: ServiceId::PROXY_CONTROL,
                cid: CID,
                kind: CommandKind::Set,
                information: self.encode(),
            },
        }
    }

    /// The command's data.
    pub fn encode(&self) -> Vec<u8> {
        let path: Vec<u8> = self.device.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let mut out = vec![];
        out.put_u32_le(FIXED);
        out.put_u32_le(u32::try_from(path.len()).unwrap_or(u32::MAX));
        out.put_u32_le(self.timeout_seconds);
        out.put(&path);
        out.resize(out.len().next_multiple_of(4), 0);
        out
    }

    /// Reads a command's data.
    ///
    /// # Errors
    /// The path isn't inside the data, or isn't UTF-16.
    pub fn parse(information: &[u8]) -> Result<Self, ParseError> {
        let mut reader = Reader::new(information);
        let path = pointed_at(information, &mut reader, "device path")?;
        let timeout_seconds = reader.u32_le("timeout")?;
        let units = path.chunks(2).map(|unit| match unit {
            [low, high] => u16::from_le_bytes([*low, *high]),
            // Half a unit: replace it by a code unit that is invalid in every text.
            _ => 0xD800,
        });
        let device = char::decode_utf16(units)
            .collect::<Result<String, _>>()
            .map_err(|_| ParseError::Text {
                field: "device path",
                expected: "UTF-16",
            })?;
        Ok(Self {
            device,
            timeout_seconds,
        })
    }
}

/// The part of `information` at the offset and with the length that are read from `places`.
pub(super) fn pointed_at<'a>(
    information: &'a [u8],
    places: &mut Reader<'_>,
    field: &'static str,
) -> Result<&'a [u8], ParseError> {
    let offset = usize::try_from(places.u32_le(field)?).unwrap_or(usize::MAX);
    let length = usize::try_from(places.u32_le(field)?).unwrap_or(usize::MAX);
    let mut reader = Reader::new(information);
    reader.take(field, offset)?;
    reader.take(field, length)
}
