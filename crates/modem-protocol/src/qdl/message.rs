//! QDL and DLOAD messages: bytes to types and back, for both sides (qdl.md §3 and §4).
//!
//! This module parses and encodes the payload of a frame; [`crate::hdlc`] makes the frame. The only exception is the
//! head of a write request, [`WriteHeader`], which is sent raw. All numbers are little endian unless a comment says
//! otherwise. Unknown codes are kept.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use crate::ParseError;
use crate::bytes::{Reader, Writer};
use crate::hdlc;

/// Command codes, the first byte of each payload (qdl.md §3).
pub mod command {
    /// Hello, host to modem.
    pub const HELLO_REQUEST: u8 = 0x01;
    /// Hello response, or DLOAD acknowledgement when it is the only byte.
    pub const HELLO_RESPONSE: u8 = 0x02;
    /// DLOAD negative acknowledgement.
    pub const NAK: u8 = 0x03;
    /// DLOAD "nothing".
    pub const DLOAD_NOP: u8 = 0x06;
    /// Streaming "nothing" (captured, MC7750 in 05c6:9008).
    pub const NOP: u8 = 0x0b;
    /// Error report.
    pub const ERROR: u8 = 0x0d;
    /// DIAG "bad command": a modem in normal mode (qdl.md §4.1).
    pub const DIAG_BAD_COMMAND: u8 = 0x13;
    /// Open unframed, host to modem.
    pub const OPEN_REQUEST: u8 = 0x25;
    /// Open unframed response.
    pub const OPEN_RESPONSE: u8 = 0x26;
    /// Write unframed, host to modem, not framed.
    pub const WRITE_REQUEST: u8 = 0x27;
    /// Write unframed response.
    pub const WRITE_RESPONSE: u8 = 0x28;
    /// Session done, host to modem.
    pub const DONE_REQUEST: u8 = 0x29;
    /// Session done response.
    pub const DONE_RESPONSE: u8 = 0x2a;
    /// Back to DLOAD.
    pub const SWITCH_TO_DLOAD: u8 = 0x2b;
    /// Restart of the modem.
    pub const RESET: u8 = 0x2d;
    /// Image preference, host to modem.
    pub const IMAGE_PREFERENCE_REQUEST: u8 = 0x2e;
    /// Image preference response.
    pub const IMAGE_PREFERENCE_RESPONSE: u8 = 0x2f;
    /// DLOAD: switch to streaming.
    pub const SWITCH_TO_STREAMING: u8 = 0x70;
}

/// Feature bits of a hello that every public host sends: generic unframed 0x10 and QDL unframed 0x20
/// (qdl.md §4.2).
pub const FEATURES: u8 = 0x30;

const HOST_MAGIC: [u8; 32] = *b"QCOM high speed protocol hst\0\0\0\0";
const MAGIC: [u8; 24] = *b"QCOM high speed protocol";

/// Defines an enum of known codes with their words, `Other` for the rest, and the conversions from and to numbers.
macro_rules! codes {
    ($(#[$doc:meta])* $name:ident: $number:ty { $($variant:ident = $code:literal $words:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum $name {
            $(#[doc = $words] $variant,)+
            /// A code that isn't in the specification.
            Other($number),
        }
        impl $name {
            /// The meaning in words, if known.
            pub const fn words(self) -> Option<&'static str> {
                match self {
                    $(Self::$variant => Some($words),)+
                    Self::Other(_) => None,
                }
            }
        }
        impl From<$number> for $name {
            fn from(code: $number) -> Self {
                match code {
                    $($code => Self::$variant,)+
                    other => Self::Other(other),
                }
            }
        }
        impl From<$name> for $number {
            fn from(code: $name) -> Self {
                match code {
                    $($name::$variant => $code,)+
                    $name::Other(other) => other,
                }
            }
        }
    };
}

codes! {
    /// Code of an error report (qdl.md §4.4).
    ErrorCode: u32 {
        None = 0x00 "no error",
        InvalidAddress = 0x02 "invalid destination address",
        InvalidLength = 0x03 "invalid length",
        UnexpectedEnd = 0x04 "unexpected end of packet",
        InvalidCommand = 0x05 "invalid command",
        OperationFailed = 0x07 "operation failed",
        InvalidFlashId = 0x08 "invalid flash ID",
        InvalidVoltage = 0x09 "invalid programming voltage",
        VerifyFailed = 0x0a "write verify failed",
        InvalidSecurityCode = 0x0c "invalid security code",
        PowerDownFailed = 0x0d "power-down failed",
        NandNotSupported = 0x0e "NAND flash programming not supported",
        OutOfSequence = 0x0f "command out of sequence",
        CloseFailed = 0x10 "close failed",
        InvalidFeatures = 0x11 "invalid feature bits",
        OutOfSpace = 0x12 "out of space",
        InvalidSecurityMode = 0x13 "invalid security mode",
        MultiImageNandNotSupported = 0x14 "multi-image NAND not supported",
        PowerOffNotSupported = 0x15 "power-off command not supported",
        NotSupported = 0x16 "command not supported",
        InvalidChecksum = 0x17 "invalid CRC",
        InvalidState = 0x18 "command received in invalid state",
        ReceiveTimeout = 0x19 "receive timeout",
        AuthenticationFailed = 0x1a "image authentication error (not signed for this modem, or for another product)",
    }
}

codes! {
    /// Status of an open response (qdl.md §4.6).
    OpenStatus: u16 {
        Success = 0 "success",
        ImageSize = 1 "image size error",
        ImageType = 2 "invalid image type",
        HeaderSize = 3 "image header size error",
        MemoryProtection = 6 "memory protection error",
        NotRequired = 7 "image not required",
    }
}

codes! {
    /// Status of a write response (qdl.md §4.8).
    WriteStatus: u16 {
        Success = 0 "success",
        ChecksumFailed = 1 "CRC failed",
        ContentFailed = 2 "image content not understood",
    }
}

codes! {
    /// Status of a session done response (qdl.md §4.9).
    DoneStatus: u16 {
        Success = 0 "success",
        AuthenticationFailed = 1 "authentication failure (not signed for this modem, or for another product)",
        FlashWriteFailed = 2 "flash write failure",
    }
}

codes! {
    /// Kind of an image (qdl.md §5).
    ImageType: u8 {
        Amss = 0x05 "Gobi modem firmware",
        Apps = 0x06 "Gobi application firmware",
        Uqcn = 0x0d "Gobi 2000 provisioning",
        Dbl = 0x0f "DBL boot loader",
        Osbl = 0x10 "OSBL boot loader",
        Cwe = 0x80 "Sierra CWE image",
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "error {:#04x}", u32::from(*self))?;
        self.words().map_or(Ok(()), |words| write!(f, " {words}"))
    }
}

impl fmt::Display for OpenStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "open status {}", u16::from(*self))?;
        self.words().map_or(Ok(()), |words| write!(f, " {words}"))
    }
}

impl fmt::Display for WriteStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "write status {}", u16::from(*self))?;
        self.words().map_or(Ok(()), |words| write!(f, " {words}"))
    }
}

impl fmt::Display for DoneStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "end status {}", u16::from(*self))?;
        self.words().map_or(Ok(()), |words| write!(f, " {words}"))
    }
}

impl fmt::Display for ImageType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "image type {:#04x}", u8::from(*self))?;
        self.words().map_or(Ok(()), |words| write!(f, " {words}"))
    }
}

/// A message from host to modem, except the write request (see [`WriteHeader`]).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// DLOAD: switch to the streaming download protocol (0x70).
    SwitchToStreaming {
        /// Reserved, 0.
        flags: u16,
    },
    /// DLOAD "nothing" (0x06).
    DloadNop,
    /// Streaming "nothing" (0x0B).
    Nop,
    /// Hello (0x01).
    Hello(HelloRequest),
    /// Open unframed: start of an image (0x25).
    Open(OpenRequest),
    /// Session done: end of an image (0x29).
    Done,
    /// Back to DLOAD (0x2B).
    SwitchToDload,
    /// Restart (0x2D); it has no answer.
    Reset,
    /// Image preference (0x2E).
    ImagePreference,
    /// Another message.
    Other {
        /// First byte.
        command: u8,
        /// The bytes after it.
        body: Vec<u8>,
    },
}

/// Hello request (qdl.md §4.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HelloRequest {
    /// Highest version of the host.
    pub maximum_version: u8,
    /// Lowest version of the host.
    pub minimum_version: u8,
    /// Feature bits.
    pub features: u8,
}

impl HelloRequest {
    /// A hello that tries exactly one version, as all public hosts do.
    pub const fn of_version(version: u8) -> Self {
        Self {
            maximum_version: version,
            minimum_version: version,
            features: FEATURES,
        }
    }
}

/// Open request (qdl.md §4.5).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenRequest {
    /// Kind of the image.
    pub image_type: ImageType,
    /// Size of header and data in bytes.
    pub image_length: u32,
    /// How many requests may be outstanding, always 1.
    pub window: u8,
    /// Size in bytes of all data that will be sent raw. The protocol calls this field chunk size.
    pub data_length: u32,
    /// Feature flags, 0.
    pub features: u16,
    /// The first 400 bytes of a CWE file; empty for Gobi images.
    pub header: Vec<u8>,
}

/// Head of a write request (qdl.md §4.7): 13 bytes, not framed, which are sent before the raw data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WriteHeader {
    /// Number of the chunk, from 0 per image.
    pub sequence: u16,
    /// Address or reserved, 0.
    pub address: u32,
    /// Data bytes that follow.
    pub data_length: u32,
}

impl WriteHeader {
    /// Bytes on the wire.
    pub const LENGTH: usize = 13;
    /// Bytes that the checksum covers.
    const COVERED: usize = 11;

    /// The bytes on the wire.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(Self::LENGTH);
        bytes.put_u8(command::WRITE_REQUEST);
        bytes.put_u16_le(self.sequence);
        bytes.put_u32_le(self.address);
        bytes.put_u32_le(self.data_length);
        let checksum = hdlc::checksum(&bytes);
        bytes.put_u16_le(checksum);
        bytes
    }

    /// Reads the first 13 of `bytes`.
    ///
    /// # Errors
    /// Too few bytes, another command, or a wrong checksum.
    pub fn parse(bytes: &[u8]) -> Result<Self, ParseError> {
        let mut reader = Reader::new(bytes);
        let covered = reader.clone().take("write request", Self::COVERED)?;
        expect_command(&mut reader, command::WRITE_REQUEST, "a write request (0x27)")?;
        let header = Self {
            sequence: reader.u16_le("write request: sequence")?,
            address: reader.u32_le("write request: address")?,
            data_length: reader.u32_le("write request: data length")?,
        };
        let (got, computed) = (reader.u16_le("write request: checksum")?, hdlc::checksum(covered));
        if got != computed {
            return Err(ParseError::Checksum {
                what: "write request",
                got: got.into(),
                computed: computed.into(),
            });
        }
        Ok(header)
    }
}

impl Request {
    /// The payload of the frame.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        match self {
            Self::SwitchToStreaming { flags } => {
                bytes.put_u8(command::SWITCH_TO_STREAMING);
                bytes.put_u16_le(*flags);
            }
            Self::DloadNop => bytes.put_u8(command::DLOAD_NOP),
            Self::Nop => bytes.put_u8(command::NOP),
            Self::Hello(hello) => {
                bytes.put_u8(command::HELLO_REQUEST);
                bytes.put(&HOST_MAGIC);
                bytes.put(&[hello.maximum_version, hello.minimum_version, hello.features]);
            }
            Self::Open(open) => {
                bytes.put(&[command::OPEN_REQUEST, open.image_type.into()]);
                bytes.put_u32_le(open.image_length);
                bytes.put_u8(open.window);
                bytes.put_u32_le(open.data_length);
                bytes.put_u16_le(open.features);
                bytes.put(&open.header);
            }
            Self::Done => bytes.put_u8(command::DONE_REQUEST),
            Self::SwitchToDload => bytes.put_u8(command::SWITCH_TO_DLOAD),
            Self::Reset => bytes.put_u8(command::RESET),
            Self::ImagePreference => bytes.put_u8(command::IMAGE_PREFERENCE_REQUEST),
            Self::Other { command, body } => {
                bytes.put_u8(*command);
                bytes.put(body);
            }
        }
        bytes
    }

    /// The bytes on the wire, flags included.
    pub fn frame(&self) -> Vec<u8> {
        hdlc::encode(&self.encode())
    }

    /// Reads the payload of a frame.
    ///
    /// # Errors
    /// An empty payload, or a known command that is too short, too long or has a wrong field.
    pub fn parse(payload: &[u8]) -> Result<Self, ParseError> {
        let mut reader = Reader::new(payload);
        let request = match reader.u8("command")? {
            command::SWITCH_TO_STREAMING => Self::SwitchToStreaming {
                flags: reader.u16_le("switch to streaming: flags")?,
            },
            command::DLOAD_NOP => Self::DloadNop,
            command::NOP => Self::Nop,
            command::HELLO_REQUEST => {
                if reader.array::<32>("hello: magic")? != HOST_MAGIC {
                    return Err(ParseError::Text {
                        field: "hello: magic",
                        expected: "QCOM high speed protocol hst",
                    });
                }
                Self::Hello(HelloRequest {
                    maximum_version: reader.u8("hello: maximum version")?,
                    minimum_version: reader.u8("hello: minimum version")?,
                    features: reader.u8("hello: feature bits")?,
                })
            }
            command::OPEN_REQUEST => Self::Open(OpenRequest {
                image_type: reader.u8("open: image type")?.into(),
                image_length: reader.u32_le("open: image length")?,
                window: reader.u8("open: window")?,
                data_length: reader.u32_le("open: chunk size")?,
                features: reader.u16_le("open: feature flags")?,
                header: reader.rest().to_vec(),
            }),
            command::DONE_REQUEST => Self::Done,
            command::SWITCH_TO_DLOAD => Self::SwitchToDload,
            command::RESET => Self::Reset,
            command::IMAGE_PREFERENCE_REQUEST => Self::ImagePreference,
            other => Self::Other {
                command: other,
                body: reader.rest().to_vec(),
            },
        };
        reader.finish("request")?;
        Ok(request)
    }
}

/// A message from modem to host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Response {
    /// DLOAD acknowledgement (0x02 alone).
    DloadAck,
    /// DLOAD negative acknowledgement (0x03).
    DloadNak {
        /// The reason, big endian; 6 is an invalid command (captured, MC7750).
        reason: u16,
    },
    /// Hello response (0x02).
    Hello(HelloResponse),
    /// Error report (0x0D).
    Error(ErrorReport),
    /// Open response (0x26).
    Open(OpenResponse),
    /// Write response (0x28).
    Write(WriteResponse),
    /// Session done response (0x2A).
    Done(DoneResponse),
    /// Image preference response (0x2F).
    ImagePreference(Vec<PreferredImage>),
    /// DIAG "bad command" (0x13): a modem in normal mode, not a boot loader (qdl.md §4.1).
    DiagBadCommand {
        /// The request that the modem didn't understand.
        echo: Vec<u8>,
    },
    /// The host's own 0x70 comes back: a port with echo, of a modem in normal mode.
    Echo {
        /// The bytes after 0x70.
        body: Vec<u8>,
    },
    /// Another message.
    Other {
        /// First byte.
        command: u8,
        /// The bytes after it.
        body: Vec<u8>,
    },
}

/// Hello response, 49 bytes (qdl.md §4.3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HelloResponse {
    /// Offset 25: reserved on Gobi, ` tgt` on newer modems.
    pub magic_tail: [u8; 4],
    /// Offset 29: boot major version on Gobi; EM7455 puts an ASCII `0` here.
    pub boot_major: u16,
    /// Offset 31: boot minor version.
    pub boot_minor: u16,
    /// Highest version of the modem.
    pub maximum_version: u8,
    /// Lowest version of the modem.
    pub minimum_version: u8,
    /// Offset 35: reserved.
    pub reserved: [u8; 13],
    /// Feature bits.
    pub features: u8,
}

impl HelloResponse {
    /// The answer of an EM7455 (qdl.md vector 10), but with this version.
    pub const fn of_version(version: u8) -> Self {
        Self {
            magic_tail: *b" tgt",
            boot_major: 0x30,
            boot_minor: 0,
            maximum_version: version,
            minimum_version: version,
            reserved: [0; 13],
            features: FEATURES,
        }
    }
}

/// Error report (qdl.md §4.4).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ErrorReport {
    /// What went wrong.
    pub code: ErrorCode,
    /// Text, often empty; without the zero bytes at its end.
    pub text: String,
}

impl fmt::Display for ErrorReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.code)?;
        write_text(f, &self.text)
    }
}

/// Open response (qdl.md §4.6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpenResponse {
    /// Verdict.
    pub status: OpenStatus,
    /// How many outstanding requests the modem accepts, 1.
    pub window: u8,
    /// Chunk size in bytes that the modem accepts; normally the number from the request.
    pub chunk_size: u32,
}

/// Write response (qdl.md §4.8).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WriteResponse {
    /// Number of the chunk.
    pub sequence: u16,
    /// Reserved.
    pub reserved: u32,
    /// Verdict.
    pub status: WriteStatus,
}

/// Session done response (qdl.md §4.9).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DoneResponse {
    /// Verdict.
    pub status: DoneStatus,
    /// Kind of the image that failed.
    pub image_type: ImageType,
    /// Text, often empty; without the zero bytes at its end.
    pub text: String,
}

impl fmt::Display for DoneResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.status, self.image_type)?;
        write_text(f, &self.text)
    }
}

/// An entry of an image preference response (qdl.md §4.11).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PreferredImage {
    /// Kind of the image.
    pub image_type: ImageType,
    /// Its id.
    pub id: [u8; 16],
}

impl Response {
    /// The payload of the frame. One zero byte is appended to a text, as in captured answers.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        match self {
            Self::DloadAck => bytes.put_u8(command::HELLO_RESPONSE),
            Self::DloadNak { reason } => {
                bytes.put_u8(command::NAK);
                bytes.put(&reason.to_be_bytes());
            }
            Self::Hello(hello) => {
                bytes.put_u8(command::HELLO_RESPONSE);
                bytes.put(&MAGIC);
                bytes.put(&hello.magic_tail);
                bytes.put_u16_le(hello.boot_major);
                bytes.put_u16_le(hello.boot_minor);
                bytes.put(&[hello.maximum_version, hello.minimum_version]);
                bytes.put(&hello.reserved);
                bytes.put_u8(hello.features);
            }
            Self::Error(error) => {
                bytes.put_u8(command::ERROR);
                bytes.put_u32_le(error.code.into());
                put_text(&mut bytes, &error.text);
            }
            Self::Open(open) => {
                bytes.put_u8(command::OPEN_RESPONSE);
                bytes.put_u16_le(open.status.into());
                bytes.put_u8(open.window);
                bytes.put_u32_le(open.chunk_size);
            }
            Self::Write(write) => {
                bytes.put_u8(command::WRITE_RESPONSE);
                bytes.put_u16_le(write.sequence);
                bytes.put_u32_le(write.reserved);
                bytes.put_u16_le(write.status.into());
            }
            Self::Done(done) => {
                bytes.put_u8(command::DONE_RESPONSE);
                bytes.put_u16_le(done.status.into());
                bytes.put_u8(done.image_type.into());
                put_text(&mut bytes, &done.text);
            }
            Self::ImagePreference(images) => {
                bytes.put_u8(command::IMAGE_PREFERENCE_RESPONSE);
                // The count has one byte, so at most 255 images are written.
                let images = images.get(..usize::from(u8::MAX)).unwrap_or(images);
                bytes.put_u8(u8::try_from(images.len()).unwrap_or(u8::MAX));
                for image in images {
                    bytes.put_u8(image.image_type.into());
                    bytes.put(&image.id);
                }
            }
            Self::DiagBadCommand { echo } => {
                bytes.put_u8(command::DIAG_BAD_COMMAND);
                bytes.put(echo);
            }
            Self::Echo { body } => {
                bytes.put_u8(command::SWITCH_TO_STREAMING);
                bytes.put(body);
            }
            Self::Other { command, body } => {
                bytes.put_u8(*command);
                bytes.put(body);
            }
        }
        bytes
    }

    /// The bytes on the wire, flags included.
    pub fn frame(&self) -> Vec<u8> {
        hdlc::encode(&self.encode())
    }

    /// Reads the payload of a frame. Texts may have any length.
    ///
    /// # Errors
    /// An empty payload, or a known command that is too short, too long or has a wrong field.
    pub fn parse(payload: &[u8]) -> Result<Self, ParseError> {
        let mut reader = Reader::new(payload);
        let response = match reader.u8("command")? {
            command::HELLO_RESPONSE if payload.len() == 1 => Self::DloadAck,
            command::HELLO_RESPONSE => {
                if reader.array::<24>("hello response: magic")? != MAGIC {
                    return Err(ParseError::Text {
                        field: "hello response: magic",
                        expected: "QCOM high speed protocol",
                    });
                }
                Self::Hello(HelloResponse {
                    magic_tail: reader.array("hello response: end of magic")?,
                    boot_major: reader.u16_le("hello response: boot major version")?,
                    boot_minor: reader.u16_le("hello response: boot minor version")?,
                    maximum_version: reader.u8("hello response: maximum version")?,
                    minimum_version: reader.u8("hello response: minimum version")?,
                    reserved: reader.array("hello response: reserved")?,
                    features: reader.u8("hello response: feature bits")?,
                })
            }
            command::NAK => Self::DloadNak {
                reason: u16::from_be_bytes(reader.array("negative answer: reason")?),
            },
            command::ERROR => Self::Error(ErrorReport {
                code: reader.u32_le("error report: code")?.into(),
                text: text(reader.rest()),
            }),
            command::OPEN_RESPONSE => Self::Open(OpenResponse {
                status: reader.u16_le("open response: status")?.into(),
                window: reader.u8("open response: window")?,
                chunk_size: reader.u32_le("open response: chunk size")?,
            }),
            command::WRITE_RESPONSE => Self::Write(WriteResponse {
                sequence: reader.u16_le("write response: sequence")?,
                reserved: reader.u32_le("write response: reserved")?,
                status: reader.u16_le("write response: status")?.into(),
            }),
            command::DONE_RESPONSE => Self::Done(DoneResponse {
                status: reader.u16_le("session done response: status")?.into(),
                image_type: reader.u8("session done response: image type")?.into(),
                text: text(reader.rest()),
            }),
            command::IMAGE_PREFERENCE_RESPONSE => {
                let count = reader.u8("image preference: count")?;
                let images = (0..count).map(|_| {
                    Ok(PreferredImage {
                        image_type: reader.u8("image preference: image type")?.into(),
                        id: reader.array("image preference: image id")?,
                    })
                });
                Self::ImagePreference(images.collect::<Result<_, ParseError>>()?)
            }
            command::DIAG_BAD_COMMAND => Self::DiagBadCommand {
                echo: reader.rest().to_vec(),
            },
            command::SWITCH_TO_STREAMING => Self::Echo {
                body: reader.rest().to_vec(),
            },
            other => Self::Other {
                command: other,
                body: reader.rest().to_vec(),
            },
        };
        reader.finish("response")?;
        Ok(response)
    }
}

impl fmt::Display for Response {
    /// Describes the response, for messages.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::DloadAck => write!(f, "a DLOAD acknowledgement"),
            Self::DloadNak { reason } => write!(f, "a DLOAD refusal, reason {reason}"),
            Self::Hello(hello) => write!(f, "a hello response of version {}", hello.maximum_version),
            Self::Error(error) => write!(f, "{error}"),
            Self::Open(open) => write!(f, "an open response, {}", open.status),
            Self::Write(write) => write!(f, "an answer to write {}, {}", write.sequence, write.status),
            Self::Done(done) => write!(f, "a session done response, {done}"),
            Self::ImagePreference(_) => write!(f, "an image preference response"),
            Self::DiagBadCommand { .. } => {
                write!(f, "a DIAG answer of a modem in normal mode")
            }
            Self::Echo { .. } => write!(f, "an echo of the request"),
            Self::Other { command, body } => {
                write!(f, "unknown message {command:#04x} with {} bytes", body.len())
            }
        }
    }
}

fn expect_command(reader: &mut Reader<'_>, command: u8, expected: &'static str) -> Result<(), ParseError> {
    let (offset, got) = (reader.offset(), reader.u8("command")?);
    if got == command {
        Ok(())
    } else {
        Err(ParseError::Value {
            field: "command",
            offset,
            expected,
            got: got.into(),
        })
    }
}

/// The text in an answer: bytes that aren't UTF-8 are replaced, zero bytes at the end are dropped.
fn text(bytes: &[u8]) -> String {
    String::from(String::from_utf8_lossy(bytes).trim_end_matches('\0'))
}

fn put_text(bytes: &mut Vec<u8>, text: &str) {
    bytes.put(text.as_bytes());
    bytes.put_u8(0);
}

/// Writes a modem's text for the user. Control characters are escaped, so that they have no effect on a terminal.
fn write_text(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    if text.is_empty() {
        return Ok(());
    }
    write!(f, ": ")?;
    text.chars().try_for_each(|letter| {
        if letter.is_control() {
            write!(f, "{}", letter.escape_default())
        } else {
            write!(f, "{letter}")
        }
    })
}
