//! Sahara packets: bytes to types and back, for both sides (sahara-firehose.md §3).
//!
//! A packet is a command (u32), its total length in bytes (u32, header included) and the body; everything is
//! little endian. [`Packet::parse`] takes exactly one packet; [`super::Framer`] cuts packets out of a stream.

use alloc::vec::Vec;
use core::fmt;

use crate::ParseError;
use crate::bytes::{Reader, Writer};

/// Bytes of a packet's header: command and length.
pub const HEADER_SIZE: usize = 8;

/// The longest packet that is accepted, in bytes: the limit in the hello of an EM7565 (sahara-firehose.md vector 1).
pub const LARGEST_PACKET: usize = 0x400;

/// Defines an enum of known u32 values with their words, and `Other` for the rest.
macro_rules! numbers {
    ($(#[$meta:meta])* $name:ident { $($(#[$doc:meta])* $variant:ident = $value:literal, $word:literal;)* }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum $name {
            $($(#[$doc])* #[doc = concat!($word, ", ", stringify!($value), ".")] $variant,)*
            /// A value that isn't in the specification. `From<u32>` returns it only for unknown values.
            Other(u32),
        }

        impl $name {
            /// Every value that has a name.
            pub const KNOWN: &'static [Self] = &[$(Self::$variant),*];

            /// The value in words; `None` for [`Self::Other`].
            pub const fn word(self) -> Option<&'static str> {
                match self {
                    $(Self::$variant => Some($word),)*
                    Self::Other(_) => None,
                }
            }
        }

        impl From<u32> for $name {
            fn from(value: u32) -> Self {
                match value {
                    $($value => Self::$variant,)*
                    other => Self::Other(other),
                }
            }
        }

        impl From<$name> for u32 {
            fn from(value: $name) -> Self {
                match value {
                    $($name::$variant => $value,)*
                    $name::Other(other) => other,
                }
            }
        }
    };
}

numbers! {
    /// Status of an end of image transfer or of a hello response (sahara-firehose.md §3.2).
    Status {
        Success = 0x00, "success";
        InvalidCommand = 0x01, "invalid command";
        ProtocolMismatch = 0x02, "protocol mismatch";
        InvalidTargetProtocol = 0x03, "invalid target protocol";
        InvalidHostProtocol = 0x04, "invalid host protocol";
        InvalidPacketSize = 0x05, "invalid packet size";
        UnexpectedImageId = 0x06, "unexpected image id";
        InvalidHeaderSize = 0x07, "invalid header size";
        InvalidDataSize = 0x08, "invalid data size";
        InvalidImageType = 0x09, "invalid image type";
        InvalidTransmitLength = 0x0A, "invalid transmit length";
        InvalidReceiveLength = 0x0B, "invalid receive length";
        GeneralTransferError = 0x0C, "general transfer error";
        ReadDataError = 0x0D, "read data error";
        TooManyProgramHeaders = 0x0E, "too many program headers";
        InvalidProgramHeaderSize = 0x0F, "invalid program header size";
        MultipleSharedSegments = 0x10, "multiple shared segments";
        UninitializedProgramHeader = 0x11, "uninitialized program header location";
        InvalidDestination = 0x12, "invalid destination address";
        InvalidImageHeaderSize = 0x13, "invalid image header size";
        InvalidElfHeader = 0x14, "invalid ELF header";
        UnknownHostError = 0x15, "unknown host error";
        ReceiveTimeout = 0x16, "receive timeout";
        TransmitTimeout = 0x17, "transmit timeout";
        InvalidHostMode = 0x18, "invalid host mode";
        InvalidMemoryRead = 0x19, "invalid memory read";
        InvalidDataSizeRequest = 0x1A, "invalid data size request";
        MemoryDebugNotSupported = 0x1B, "memory debug not supported";
        InvalidModeSwitch = 0x1C, "invalid mode switch";
        ExecutionFailed = 0x1D, "command execution failed";
        InvalidCommandParameter = 0x1E, "invalid command parameter";
        CommandUnsupported = 0x1F, "command unsupported";
        InvalidClientDataResponse = 0x20, "invalid client data response";
        HashTableAuthenticationFailure = 0x21, "hash table authentication failure";
        HashVerificationFailure = 0x22, "hash verification failure";
        HashTableNotFound = 0x23, "hash table not found";
        TargetInitializationFailure = 0x24, "target initialization failure";
        ImageAuthenticationFailure = 0x25, "image authentication failure";
        InvalidHashTableSize = 0x26, "invalid image hash table size";
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = self.word().unwrap_or("unknown status");
        write!(f, "{word} ({:#04x})", u32::from(*self))
    }
}

numbers! {
    /// A mode of the boot loader (sahara-firehose.md §3.1). In a modem's hello it is informative only.
    Mode {
        ImageTransferPending = 0x00, "image transfer pending";
        ImageTransferComplete = 0x01, "image transfer complete";
        MemoryDebug = 0x02, "memory debug";
        Command = 0x03, "command";
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.word() {
            Some(word) => f.write_str(word),
            None => write!(f, "mode {:#x}", u32::from(*self)),
        }
    }
}

numbers! {
    /// A command that the modem can execute in command mode (sahara-firehose.md §3.1; 4 and 5 are from the trace
    /// mc7455_9070-after-crash).
    ClientCommand {
        SerialNumber = 0x01, "read the serial number";
        HardwareId = 0x02, "read the hardware id";
        OemKeyHash = 0x03, "read the OEM key hash";
        SwitchToDload = 0x04, "switch to DLOAD";
        SwitchToStreaming = 0x05, "switch to streaming download";
        ChipId = 0x0A, "read the chip id";
        SwitchToFirehose = 0xFF00, "switch to Firehose";
    }
}

impl fmt::Display for ClientCommand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.word() {
            Some(word) => f.write_str(word),
            None => write!(f, "client command {:#x}", u32::from(*self)),
        }
    }
}

/// Number of an image in image-transfer mode.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ImageId(pub u64);

/// The modem's hello.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hello {
    /// Protocol version.
    pub version: u32,
    /// Lowest version with which the modem is compatible.
    pub compatible: u32,
    /// Longest packet, in bytes.
    pub max_packet_length: u32,
    /// The mode. It doesn't decide what the modem will do (sahara-firehose.md §3.1).
    pub mode: Mode,
    /// Reserved words, zero in every capture.
    pub reserved: [u32; 6],
}

/// The host's answer to a hello.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HelloResponse {
    /// Protocol version.
    pub version: u32,
    /// Lowest version with which the host is compatible.
    pub compatible: u32,
    /// Success, or why the host refuses the hello.
    pub status: Status,
    /// The mode that the host wants.
    pub mode: Mode,
    /// Reserved words; EM7565 accepts both zeros and 1 to 6 (sahara-firehose.md vector 2).
    pub reserved: [u32; 6],
}

impl HelloResponse {
    /// The answer that asks for command mode: version 2, compatible 2, success, mode 3, reserved words zero.
    pub const COMMAND_MODE: Self = Self {
        version: 2,
        compatible: 2,
        status: Status::Success,
        mode: Mode::Command,
        reserved: [0; 6],
    };
}

/// A Sahara packet of either direction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Packet {
    /// 0x01, modem to host.
    Hello(Hello),
    /// 0x02, host to modem.
    HelloResponse(HelloResponse),
    /// 0x03, modem to host: asks for a part of an image.
    ReadData {
        /// The image.
        image: u32,
        /// Offset in bytes.
        offset: u32,
        /// Length in bytes.
        length: u32,
    },
    /// 0x04, modem to host: end of an image, and also the answer to any request that fails.
    EndOfImage {
        /// The image.
        image: u32,
        /// How it ended.
        status: Status,
    },
    /// 0x05, host to modem.
    Done,
    /// 0x06, modem to host.
    DoneResponse {
        /// Mode or status.
        status: u32,
    },
    /// 0x07, host to modem: restart.
    Reset,
    /// 0x08, modem to host.
    ResetResponse,
    /// 0x09, modem to host: the modem offers a memory dump, 32 bit.
    MemoryDebug {
        /// Address of the memory table.
        address: u32,
        /// Length of the memory table in bytes.
        length: u32,
    },
    /// 0x0A, host to modem: asks for memory, 32 bit.
    MemoryRead {
        /// Address.
        address: u32,
        /// Length in bytes.
        length: u32,
    },
    /// 0x0B, modem to host: the modem has entered command mode.
    CommandReady,
    /// 0x0C, host to modem.
    SwitchMode {
        /// The mode wanted.
        mode: Mode,
    },
    /// 0x0D, host to modem.
    Execute {
        /// What to execute.
        command: ClientCommand,
    },
    /// 0x0E, modem to host.
    ExecuteResponse {
        /// What is executed.
        command: ClientCommand,
        /// How many data bytes the modem sends after [`Packet::ExecuteData`].
        length: u32,
    },
    /// 0x0F, host to modem: go ahead, send the data.
    ExecuteData {
        /// What is executed.
        command: ClientCommand,
    },
    /// 0x10, modem to host: the modem offers a memory dump, 64 bit.
    MemoryDebug64 {
        /// Address of the memory table.
        address: u64,
        /// Length of the memory table in bytes.
        length: u64,
    },
    /// 0x11, host to modem: asks for memory, 64 bit.
    MemoryRead64 {
        /// Address.
        address: u64,
        /// Length in bytes.
        length: u64,
    },
    /// 0x12, modem to host: asks for a part of an image, 64 bit.
    ReadData64 {
        /// The image.
        image: ImageId,
        /// Offset in bytes.
        offset: u64,
        /// Length in bytes.
        length: u64,
    },
    /// 0x13, host to modem, protocol 2.9 and later.
    ResetStateMachine,
    /// A command that isn't in the specification; `parse` returns it only for unknown commands.
    Other {
        /// The command.
        command: u32,
        /// Everything after the header.
        body: Vec<u8>,
    },
}

impl Packet {
    /// The number in the command field.
    pub const fn command(&self) -> u32 {
        match self {
            Self::Hello(_) => 0x01,
            Self::HelloResponse(_) => 0x02,
            Self::ReadData { .. } => 0x03,
            Self::EndOfImage { .. } => 0x04,
            Self::Done => 0x05,
            Self::DoneResponse { .. } => 0x06,
            Self::Reset => 0x07,
            Self::ResetResponse => 0x08,
            Self::MemoryDebug { .. } => 0x09,
            Self::MemoryRead { .. } => 0x0A,
            Self::CommandReady => 0x0B,
            Self::SwitchMode { .. } => 0x0C,
            Self::Execute { .. } => 0x0D,
            Self::ExecuteResponse { .. } => 0x0E,
            Self::ExecuteData { .. } => 0x0F,
            Self::MemoryDebug64 { .. } => 0x10,
            Self::MemoryRead64 { .. } => 0x11,
            Self::ReadData64 { .. } => 0x12,
            Self::ResetStateMachine => 0x13,
            Self::Other { command, .. } => *command,
        }
    }

    /// The packet's name in words.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Hello(_) => "hello",
            Self::HelloResponse(_) => "hello response",
            Self::ReadData { .. } => "read data",
            Self::EndOfImage { .. } => "end of image transfer",
            Self::Done => "done",
            Self::DoneResponse { .. } => "done response",
            Self::Reset => "reset",
            Self::ResetResponse => "reset response",
            Self::MemoryDebug { .. } => "memory debug",
            Self::MemoryRead { .. } => "memory read",
            Self::CommandReady => "command ready",
            Self::SwitchMode { .. } => "switch mode",
            Self::Execute { .. } => "execute",
            Self::ExecuteResponse { .. } => "execute response",
            Self::ExecuteData { .. } => "execute data",
            Self::MemoryDebug64 { .. } => "memory debug (64 bit)",
            Self::MemoryRead64 { .. } => "memory read (64 bit)",
            Self::ReadData64 { .. } => "read data (64 bit)",
            Self::ResetStateMachine => "reset state machine",
            Self::Other { .. } => "unknown packet",
        }
    }

    /// Reads exactly one packet of either direction.
    ///
    /// # Errors
    /// The length field isn't the number of bytes, or isn't the length of this kind of packet.
    pub fn parse(bytes: &[u8]) -> Result<Self, ParseError> {
        let mut reader = Reader::new(bytes);
        let command = reader.u32_le("command")?;
        let length = reader.u32_le("length")?;
        if usize::try_from(length) != Ok(bytes.len()) {
            return Err(ParseError::Value {
                field: "length",
                offset: 4,
                expected: "the number of bytes of the packet",
                got: length.into(),
            });
        }
        let packet = match command {
            0x01 => Self::Hello(Hello {
                version: reader.u32_le("version")?,
                compatible: reader.u32_le("lowest compatible version")?,
                max_packet_length: reader.u32_le("max packet length")?,
                mode: reader.u32_le("mode")?.into(),
                reserved: reserved(&mut reader)?,
            }),
            0x02 => Self::HelloResponse(HelloResponse {
                version: reader.u32_le("version")?,
                compatible: reader.u32_le("lowest compatible version")?,
                status: reader.u32_le("status")?.into(),
                mode: reader.u32_le("mode")?.into(),
                reserved: reserved(&mut reader)?,
            }),
            0x03 => Self::ReadData {
                image: reader.u32_le("image id")?,
                offset: reader.u32_le("offset")?,
                length: reader.u32_le("data length")?,
            },
            0x04 => Self::EndOfImage {
                image: reader.u32_le("image id")?,
                status: reader.u32_le("status")?.into(),
            },
            0x05 => Self::Done,
            0x06 => Self::DoneResponse {
                status: reader.u32_le("status")?,
            },
            0x07 => Self::Reset,
            0x08 => Self::ResetResponse,
            0x09 => Self::MemoryDebug {
                address: reader.u32_le("table address")?,
                length: reader.u32_le("table length")?,
            },
            0x0A => Self::MemoryRead {
                address: reader.u32_le("address")?,
                length: reader.u32_le("data length")?,
            },
            0x0B => Self::CommandReady,
            0x0C => Self::SwitchMode {
                mode: reader.u32_le("mode")?.into(),
            },
            0x0D => Self::Execute {
                command: reader.u32_le("client command")?.into(),
            },
            0x0E => Self::ExecuteResponse {
                command: reader.u32_le("client command")?.into(),
                length: reader.u32_le("data length")?,
            },
            0x0F => Self::ExecuteData {
                command: reader.u32_le("client command")?.into(),
            },
            0x10 => Self::MemoryDebug64 {
                address: reader.u64_le("table address")?,
                length: reader.u64_le("table length")?,
            },
            0x11 => Self::MemoryRead64 {
                address: reader.u64_le("address")?,
                length: reader.u64_le("data length")?,
            },
            0x12 => Self::ReadData64 {
                image: ImageId(reader.u64_le("image id")?),
                offset: reader.u64_le("offset")?,
                length: reader.u64_le("data length")?,
            },
            0x13 => Self::ResetStateMachine,
            command => Self::Other {
                command,
                body: reader.rest().to_vec(),
            },
        };
        reader.finish(packet.name())?;
        Ok(packet)
    }

    /// Appends the packet's bytes.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let start = out.len();
        out.put_u32_le(self.command());
        out.put_u32_le(0);
        match self {
            Self::Hello(hello) => {
                out.put_u32_le(hello.version);
                out.put_u32_le(hello.compatible);
                out.put_u32_le(hello.max_packet_length);
                out.put_u32_le(hello.mode.into());
                hello.reserved.iter().for_each(|&word| out.put_u32_le(word));
            }
            Self::HelloResponse(response) => {
                out.put_u32_le(response.version);
                out.put_u32_le(response.compatible);
                out.put_u32_le(response.status.into());
                out.put_u32_le(response.mode.into());
                response.reserved.iter().for_each(|&word| out.put_u32_le(word));
            }
            Self::ReadData {
                image,
                offset,
                length,
            } => {
                out.put_u32_le(*image);
                out.put_u32_le(*offset);
                out.put_u32_le(*length);
            }
            Self::EndOfImage { image, status } => {
                out.put_u32_le(*image);
                out.put_u32_le((*status).into());
            }
            Self::DoneResponse { status } => out.put_u32_le(*status),
            Self::MemoryDebug { address, length } | Self::MemoryRead { address, length } => {
                out.put_u32_le(*address);
                out.put_u32_le(*length);
            }
            Self::SwitchMode { mode } => out.put_u32_le((*mode).into()),
            Self::Execute { command } | Self::ExecuteData { command } => out.put_u32_le((*command).into()),
            Self::ExecuteResponse { command, length } => {
                out.put_u32_le((*command).into());
                out.put_u32_le(*length);
            }
            Self::MemoryDebug64 { address, length } | Self::MemoryRead64 { address, length } => {
                out.put_u64_le(*address);
                out.put_u64_le(*length);
            }
            Self::ReadData64 {
                image,
                offset,
                length,
            } => {
                out.put_u64_le(image.0);
                out.put_u64_le(*offset);
                out.put_u64_le(*length);
            }
            Self::Other { body, .. } => out.put(body),
            Self::Done | Self::Reset | Self::ResetResponse | Self::CommandReady | Self::ResetStateMachine => {
            }
        }
        let length = u32::try_from(out.len() - start).unwrap_or(u32::MAX);
        if let Some(field) = out.get_mut(start + 4..start + HEADER_SIZE) {
            field.copy_from_slice(&length.to_le_bytes());
        }
    }

    /// The packet's bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        self.encode(&mut bytes);
        bytes
    }
}

impl fmt::Display for Packet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Hello(hello) => write!(
                f,
                "hello, version {}, compatible {}, mode {}",
                hello.version, hello.compatible, hello.mode
            ),
            Self::EndOfImage { status, .. } => write!(f, "end of image transfer, {status}"),
            Self::ExecuteResponse { command, length } => {
                write!(f, "execute response to \"{command}\" with {length} bytes")
            }
            Self::Other { command, body } => {
                write!(f, "unknown packet {command:#x} with {} bytes", body.len())
            }
            other => f.write_str(other.name()),
        }
    }
}

fn reserved(reader: &mut Reader<'_>) -> Result<[u32; 6], ParseError> {
    let mut words = [0; 6];
    for word in &mut words {
        *word = reader.u32_le("reserved words")?;
    }
    Ok(words)
}
