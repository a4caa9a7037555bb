//! QMUX frames (qmi.md §1).

use alloc::vec::Vec;
use core::fmt;

use super::tlv::Tlvs;
use crate::ParseError;
use crate::bytes::{Reader, Writer};

/// The longest frame that is accepted, in bytes. The driver's buffers hold 4,096 bytes (qmi.md §2); a list of 50 PRI
/// images with the longest names would have 14,000 bytes.
pub const LARGEST_FRAME: usize = 0x4000;

/// The client id of an indication to all clients.
pub const BROADCAST: u8 = 0xFF;

const MARKER: u8 = 0x01;
const FROM_HOST: u8 = 0x00;
const FROM_MODEM: u8 = 0x80;
/// Bytes of the shortest frame: a control message without fields.
const SHORTEST_FRAME: usize = 12;
/// Bytes of a service's frame before its fields.
const SERVICE_HEADER: usize = 13;

/// The service that a message is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Service {
    /// Control, 0: client ids.
    Ctl,
    /// Wireless data, 1.
    Wds,
    /// Device management, 2.
    Dms,
    /// Network access, 3.
    Nas,
    /// Another service. `From<u8>` returns it only for unknown values.
    Other(u8),
}

impl From<u8> for Service {
    fn from(value: u8) -> Self {
        match value {
            0 => Self::Ctl,
            1 => Self::Wds,
            2 => Self::Dms,
            3 => Self::Nas,
            other => Self::Other(other),
        }
    }
}

impl From<Service> for u8 {
    fn from(service: Service) -> Self {
        match service {
            Service::Ctl => 0,
            Service::Wds => 1,
            Service::Dms => 2,
            Service::Nas => 3,
            Service::Other(other) => other,
        }
    }
}

impl fmt::Display for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ctl => f.write_str("CTL"),
            Self::Wds => f.write_str("WDS"),
            Self::Dms => f.write_str("DMS"),
            Self::Nas => f.write_str("NAS"),
            Self::Other(other) => write!(f, "service {other:#04x}"),
        }
    }
}

/// The kind of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Host to modem.
    Request,
    /// Modem to host.
    Response,
    /// Modem to host, sent unasked.
    Indication,
}

/// One message with its addressing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// The service that receives or sends the message.
    pub service: Service,
    /// The host's client id for that service; 0 for the control service.
    pub client: u8,
    /// Request, response or indication.
    pub kind: Kind,
    /// The number that a response has in common with its request; 0 in indications. For the control service it has
    /// one byte, so of a larger number only the low byte is written.
    pub transaction: u16,
    /// The number of the message; its meaning depends on the service.
    pub message: u16,
    /// Its fields.
    pub tlvs: Tlvs,
}

impl Frame {
    /// Reads exactly one frame.
    ///
    /// # Errors
    /// The marker, a length, the flags or a field is wrong.
    pub fn parse(bytes: &[u8]) -> Result<Self, ParseError> {
        let mut reader = Reader::new(bytes);
        let marker = reader.u8("marker")?;
        if marker != MARKER {
            return Err(wrong("marker", 0, "0x01", marker));
        }
        let length = reader.u16_le("frame length")?;
        if usize::from(length) + 1 != bytes.len() {
            return Err(wrong("frame length", 1, "the length of the frame", length));
        }
        let flags = reader.u8("frame flags")?;
        if flags != FROM_HOST && flags != FROM_MODEM {
            return Err(wrong("frame flags", 3, "0x00 or 0x80", flags));
        }
        let service = Service::from(reader.u8("service")?);
        let client = reader.u8("client id")?;
        let message_flags = reader.u8("message flags")?;
        let kind = match (service, message_flags) {
            (_, 0x00) => Kind::Request,
            (Service::Ctl, 0x01) => Kind::Response,
            (Service::Ctl, 0x02) => Kind::Indication,
            (Service::Ctl, other) => return Err(wrong("message flags", 6, "0x00, 0x01 or 0x02", other)),
            (_, 0x02) => Kind::Response,
            (_, 0x04) => Kind::Indication,
            (_, other) => return Err(wrong("message flags", 6, "0x00, 0x02 or 0x04", other)),
        };
        if kind == Kind::Request && flags != FROM_HOST {
            return Err(wrong("frame flags", 3, "0x00 for a request", flags));
        }
        let transaction = match service {
            Service::Ctl => reader.u8("transaction id")?.into(),
            _ => reader.u16_le("transaction id")?,
        };
        let message = reader.u16_le("message id")?;
        let offset = reader.offset();
        let tlv_length = reader.u16_le("length of the fields")?;
        let fields = reader.rest();
        if usize::from(tlv_length) != fields.len() {
            return Err(wrong(
                "length of the fields",
                offset,
                "the rest of the frame",
                tlv_length,
            ));
        }
        let tlvs = Tlvs::parse(fields)?;
        Ok(Self {
            service,
            client,
            kind,
            transaction,
            message,
            tlvs,
        })
    }

    /// The frame's bytes. A frame with more than 65,536 bytes can't be written; its length fields saturate.
    pub fn encode(&self) -> Vec<u8> {
        let fields = self.tlvs.to_bytes();
        let is_ctl = self.service == Service::Ctl;
        let header = if is_ctl { SHORTEST_FRAME } else { SERVICE_HEADER };
        let mut out = Vec::with_capacity(header + fields.len());
        let (flags, message_flags) = match (self.kind, is_ctl) {
            (Kind::Request, _) => (FROM_HOST, 0x00),
            (Kind::Response, true) => (FROM_MODEM, 0x01),
            (Kind::Indication, true) => (FROM_MODEM, 0x02),
            (Kind::Response, false) => (FROM_MODEM, 0x02),
            (Kind::Indication, false) => (FROM_MODEM, 0x04),
        };
        out.put_u8(MARKER);
        out.put_u16_le(u16::try_from(header + fields.len() - 1).unwrap_or(u16::MAX));
        out.put_u8(flags);
        out.put_u8(self.service.into());
        out.put_u8(self.client);
        out.put_u8(message_flags);
        if is_ctl {
            let [low, _] = self.transaction.to_le_bytes();
            out.put_u8(low);
        } else {
            out.put_u16_le(self.transaction);
        }
        out.put_u16_le(self.message);
        out.put_u16_le(u16::try_from(fields.len()).unwrap_or(u16::MAX));
        out.put(&fields);
        out
    }
}

fn wrong(field: &'static str, offset: usize, expected: &'static str, got: impl Into<u64>) -> ParseError {
    ParseError::Value {
        field,
        offset,
        expected,
        got: got.into(),
    }
}

/// Cuts frames out of a stream whose reads may be split or joined anywhere. After bytes that aren't a frame it looks
/// for the start of the next one.
///
/// If [`Framer::next_frame`] is always called until it returns `None`, this holds at most one incomplete frame (less
/// than [`LARGEST_FRAME`] bytes) and the bytes that were pushed last.
///
/// ```
/// use modemflash_modem_protocol::qmi::Framer;
/// let mut framer = Framer::default();
/// framer.push(&[0xFF, 0x01, 11, 0, 0x80, 0, 0, 2, 0]);
/// assert!(framer.next_frame().unwrap().is_err(), "one byte is no frame");
/// assert_eq!(framer.next_frame(), None);
/// framer.push(&[0x27, 0, 0, 0]);
/// assert_eq!(framer.next_frame().unwrap().unwrap().message, 0x27);
/// ```
#[derive(Clone, Debug, Default)]
pub struct Framer {
    bytes: Vec<u8>,
    /// Whether unreadable bytes are being skipped; they were already reported.
    is_lost: bool,
}

impl Framer {
    /// Takes bytes in the order in which they came.
    pub fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// The next frame; `None` until all its bytes have come.
    ///
    /// # Errors
    /// The bytes aren't a frame. They are skipped up to where a frame may begin, and reported once.
    pub fn next_frame(&mut self) -> Option<Result<Frame, ParseError>> {
        let mut rubbish = 0;
        let mut error = None;
        let mut length = None;
        while let Some(candidate) = self.bytes.get(rubbish..).filter(|rest| !rest.is_empty()) {
            match begins(candidate) {
                Ok(found) => {
                    length = found;
                    break;
                }
                Err(why) => {
                    error.get_or_insert(why);
                    rubbish += 1;
                }
            }
        }
        self.bytes.drain(..rubbish);
        if let Some(error) = error {
            if !core::mem::replace(&mut self.is_lost, true) {
                return Some(Err(error));
            }
        }
        let frame = Frame::parse(self.bytes.get(..length?)?);
        self.bytes.drain(..length?);
        self.is_lost = false;
        Some(frame)
    }

    /// Forgets everything that is buffered.
    pub fn clear(&mut self) {
        *self = Self::default();
    }
}

/// The length of the frame that begins here; `None` until enough bytes have come to know. Both length fields and the
/// flags have to match, so that hardly anything but a frame is accepted.
fn begins(bytes: &[u8]) -> Result<Option<usize>, ParseError> {
    match read_header(bytes) {
        Ok(length) => Ok(Some(length)),
        Err(ParseError::Truncated { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

fn read_header(bytes: &[u8]) -> Result<usize, ParseError> {
    let mut reader = Reader::new(bytes);
    let marker = reader.u8("marker")?;
    if marker != MARKER {
        return Err(wrong("marker", 0, "0x01", marker));
    }
    let length = reader.u16_le("frame length")?;
    let total = usize::from(length) + 1;
    if !(SHORTEST_FRAME..=LARGEST_FRAME).contains(&total) {
        return Err(wrong("frame length", 1, "11 to 16,383", length));
    }
    let flags = reader.u8("frame flags")?;
    if flags != FROM_HOST && flags != FROM_MODEM {
        return Err(wrong("frame flags", 3, "0x00 or 0x80", flags));
    }
    let service = Service::from(reader.u8("service")?);
    let header = if service == Service::Ctl {
        SHORTEST_FRAME
    } else {
        SERVICE_HEADER
    };
    reader.take("header", header - 7)?;
    let offset = reader.offset();
    let tlv_length = reader.u16_le("length of the fields")?;
    if usize::from(tlv_length) + header != total {
        return Err(wrong(
            "length of the fields",
            offset,
            "the rest of the frame",
            tlv_length,
        ));
    }
    Ok(total)
}
