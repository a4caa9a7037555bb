//! Whole MBIM messages: bytes to types and back, for both sides (mbim.md §2).
//!
//! Everything is little endian. [`Message::parse`] and [`Message::encode`] work on messages in one piece. Messages
//! that are longer than a control transfer go through [`super::fragment`].

use alloc::vec::Vec;
use core::fmt;

use crate::ParseError;
use crate::bytes::{Reader, Writer};
use crate::numbers::numbers;

/// Bytes of a message's header: type, length, transaction.
pub const HEADER_SIZE: usize = 12;

/// Bytes of the header that every fragment has: the message's header, the number of fragments, and this fragment's
/// number.
pub const FRAGMENT_HEADER_SIZE: usize = 20;

pub(super) const OPEN: u32 = 0x0000_0001;
pub(super) const CLOSE: u32 = 0x0000_0002;
pub(super) const COMMAND: u32 = 0x0000_0003;
pub(super) const HOST_ERROR: u32 = 0x0000_0004;
pub(super) const OPEN_DONE: u32 = 0x8000_0001;
pub(super) const CLOSE_DONE: u32 = 0x8000_0002;
pub(super) const COMMAND_DONE: u32 = 0x8000_0003;
pub(super) const FUNCTION_ERROR: u32 = 0x8000_0004;
pub(super) const INDICATE_STATUS: u32 = 0x8000_0007;

numbers! {
    /// How a command ended.
    Status: u32 {
        Success = 0, "success";
        Busy = 1, "busy";
        Failure = 2, "failure";
        NoDeviceSupport = 9, "no device support";
        NotInitialized = 14, "not initialized";
        InvalidParameters = 21, "invalid parameters";
        OperationNotAllowed = 28, "operation not allowed";
        InvalidDeviceServiceOperation = 34, "invalid device service operation";
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.word().unwrap_or("MBIM status"), self.code())
    }
}

numbers! {
    /// The error that a function or a host reports if it can't read the other side's message.
    ProtocolFault: u32 {
        FragmentTimeout = 1, "fragment timeout";
        FragmentOutOfSequence = 2, "fragment out of sequence";
        LengthMismatch = 3, "length mismatch";
        DuplicatedTransaction = 4, "duplicated transaction id";
        NotOpened = 5, "not opened";
        Unknown = 6, "unknown error";
        Cancel = 7, "cancel";
        MaxTransferExceeded = 8, "max transfer exceeded";
    }
}

impl fmt::Display for ProtocolFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.word().unwrap_or("MBIM error"), self.code())
    }
}

numbers! {
    /// Whether a command asks for something or changes something.
    CommandKind: u32 {
        Query = 0, "query";
        Set = 1, "set";
    }
}

/// A service's UUID, in the order in which it is written.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct ServiceId(pub [u8; 16]);

impl ServiceId {
    /// Basic connect.
    pub const BASIC_CONNECT: Self = Self([
        0xa2, 0x89, 0xcc, 0x33, 0xbc, 0xbb, 0x8b, 0x4f, 0xb6, 0xb0, 0x13, 0x3e, 0xc2, 0xaa, 0xe6, 0xdf,
    ]);
    /// QMI over MBIM.
    pub const QMI: Self = Self([
        0xd1, 0xa3, 0x0b, 0xc2, 0xf9, 0x7a, 0x6e, 0x43, 0xbf, 0x65, 0xc7, 0xe2, 0x4f, 0xb0, 0xf0, 0xd3,
    ]);
    /// The service that mbim-proxy itself provides.
    pub const PROXY_CONTROL: Self = Self([
        0x83, 0x8c, 0xf7, 0xfb, 0x8d, 0x0d, 0x4d, 0x7f, 0x87, 0x1e, 0xd7, 0x1d, 0xbe, 0xfb, 0xb3, 0x9b,
    ]);
    /// Qualcomm device update, which other vendors' modems have.
    pub const QUALCOMM_DEVICE_UPDATE: Self = Self([
        0x64, 0x27, 0x01, 0x5f, 0x57, 0x9d, 0x48, 0xf5, 0x8c, 0x54, 0xf4, 0x3e, 0xd1, 0xe7, 0x6f, 0x83,
    ]);
}

impl fmt::Display for ServiceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, byte) in self.0.iter().enumerate() {
            let dash = if matches!(place, 4 | 6 | 8 | 10) { "-" } else { "" };
            write!(f, "{dash}{byte:02x}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for ServiceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ServiceId({self})")
    }
}

/// A message of either direction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// The number that an answer has in common with its question. The host counts from 1; 0 marks unasked messages.
    pub transaction: u32,
    /// The content.
    pub body: Body,
}

/// The content of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body {
    /// 0x00000001, host to function.
    Open {
        /// The longest control transfer, in bytes.
        max_control_transfer: u32,
    },
    /// 0x00000002, host to function.
    Close,
    /// 0x00000003, host to function.
    Command {
        /// For which service.
        service: ServiceId,
        /// Which command of it.
        cid: u32,
        /// Query or set.
        kind: CommandKind,
        /// The data of the command.
        information: Vec<u8>,
    },
    /// 0x00000004, host to function.
    HostError(ProtocolFault),
    /// 0x80000001, function to host.
    OpenDone(Status),
    /// 0x80000002, function to host.
    CloseDone(Status),
    /// 0x80000003, function to host.
    CommandDone {
        /// Of which service.
        service: ServiceId,
        /// Which command of it.
        cid: u32,
        /// How the command ended.
        status: Status,
        /// The data that the command returned.
        information: Vec<u8>,
    },
    /// 0x80000004, function to host.
    FunctionError(ProtocolFault),
    /// 0x80000007, function to host.
    IndicateStatus {
        /// From which service.
        service: ServiceId,
        /// Which indication of it.
        cid: u32,
        /// The data of the indication.
        information: Vec<u8>,
    },
}

impl Body {
    /// The number of the message's type.
    pub const fn message_type(&self) -> u32 {
        match self {
            Self::Open { .. } => OPEN,
            Self::Close => CLOSE,
            Self::Command { .. } => COMMAND,
            Self::HostError(_) => HOST_ERROR,
            Self::OpenDone(_) => OPEN_DONE,
            Self::CloseDone(_) => CLOSE_DONE,
            Self::CommandDone { .. } => COMMAND_DONE,
            Self::FunctionError(_) => FUNCTION_ERROR,
            Self::IndicateStatus { .. } => INDICATE_STATUS,
        }
    }
}

/// Whether messages of this type have a fragment header.
pub(super) const fn has_fragments(message_type: u32) -> bool {
    matches!(message_type, COMMAND | COMMAND_DONE | INDICATE_STATUS)
}

/// Whether mbim.md §2 lists this type.
pub(super) const fn is_known(message_type: u32) -> bool {
    has_fragments(message_type)
        || matches!(
            message_type,
            OPEN | CLOSE | HOST_ERROR | OPEN_DONE | CLOSE_DONE | FUNCTION_ERROR
        )
}

impl Message {
    /// Reads exactly one message in one piece.
    ///
    /// # Errors
    /// A length or the type is wrong, or the bytes are a fragment.
    pub fn parse(bytes: &[u8]) -> Result<Self, ParseError> {
        let mut reader = Reader::new(bytes);
        let message_type = reader.u32_le("message type")?;
        let length = reader.u32_le("message length")?;
        if usize::try_from(length) != Ok(bytes.len()) {
            return Err(wrong("message length", 4, "the length of the message", length));
        }
        let transaction = reader.u32_le("transaction id")?;
        if has_fragments(message_type) {
            let total = reader.u32_le("number of fragments")?;
            let current = reader.u32_le("fragment")?;
            if (total, current) != (1, 0) {
                return Err(wrong("number of fragments", 12, "1", total));
            }
        }
        let body = match message_type {
            OPEN => Body::Open {
                max_control_transfer: reader.u32_le("max control transfer")?,
            },
            CLOSE => Body::Close,
            COMMAND => Body::Command {
                service: ServiceId(reader.array("service id")?),
                cid: reader.u32_le("command id")?,
                kind: reader.u32_le("command type")?.into(),
                information: information(&mut reader)?,
            },
            HOST_ERROR => Body::HostError(reader.u32_le("error")?.into()),
            OPEN_DONE => Body::OpenDone(reader.u32_le("status")?.into()),
            CLOSE_DONE => Body::CloseDone(reader.u32_le("status")?.into()),
            COMMAND_DONE => Body::CommandDone {
                service: ServiceId(reader.array("service id")?),
                cid: reader.u32_le("command id")?,
                status: reader.u32_le("status")?.into(),
                information: information(&mut reader)?,
            },
            FUNCTION_ERROR => Body::FunctionError(reader.u32_le("error")?.into()),
            INDICATE_STATUS => Body::IndicateStatus {
                service: ServiceId(reader.array("service id")?),
                cid: reader.u32_le("command id")?,
                information: information(&mut reader)?,
            },
            other => return Err(wrong("message type", 0, "a type of MBIM 1.0", other)),
        };
        reader.finish("MBIM message")?;
        Ok(Self { transaction, body })
    }

    /// The message in one piece, of any length.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        let message_type = self.body.message_type();
        out.put_u32_le(message_type);
        out.put_u32_le(0);
        out.put_u32_le(self.transaction);
        if has_fragments(message_type) {
            out.put_u32_le(1);
            out.put_u32_le(0);
        }
        match &self.body {
            Body::Open { max_control_transfer } => out.put_u32_le(*max_control_transfer),
            Body::Close => {}
            Body::Command {
                service,
                cid,
                kind,
                information,
            } => {
                out.put(&service.0);
                out.put_u32_le(*cid);
                out.put_u32_le(kind.code());
                put_information(&mut out, information);
            }
            Body::HostError(fault) | Body::FunctionError(fault) => out.put_u32_le(fault.code()),
            Body::OpenDone(status) | Body::CloseDone(status) => out.put_u32_le(status.code()),
            Body::CommandDone {
                service,
                cid,
                status,
                information,
            } => {
                out.put(&service.0);
                out.put_u32_le(*cid);
                out.put_u32_le(status.code());
                put_information(&mut out, information);
            }
            Body::IndicateStatus {
                service,
                cid,
                information,
            } => {
                out.put(&service.0);
                out.put_u32_le(*cid);
                put_information(&mut out, information);
            }
        }
        let length = u32::try_from(out.len()).unwrap_or(u32::MAX);
        if let Some(field) = out.get_mut(4..8) {
            field.copy_from_slice(&length.to_le_bytes());
        }
        out
    }
}

fn information(reader: &mut Reader<'_>) -> Result<Vec<u8>, ParseError> {
    let offset = reader.offset();
    let length = reader.u32_le("information length")?;
    let information = reader.rest();
    if usize::try_from(length) == Ok(information.len()) {
        Ok(information.to_vec())
    } else {
        Err(wrong(
            "information length",
            offset,
            "the rest of the message",
            length,
        ))
    }
}

fn put_information(out: &mut Vec<u8>, information: &[u8]) {
    out.put_u32_le(u32::try_from(information.len()).unwrap_or(u32::MAX));
    out.put(information);
}

pub(super) fn wrong(field: &'static str, offset: usize, expected: &'static str, got: u32) -> ParseError {
    ParseError::Value {
        field,
        offset,
        expected,
        got: got.into(),
    }
}
