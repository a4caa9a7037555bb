//! What a host can do wrong, as data.

use modem_world::Instant;

/// Something that a real modem would not accept, and when it happened.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{} s: {what}", at.since_start().as_secs_f32())]
pub struct Violation {
    /// When it happened.
    pub at: Instant,
    /// What the host did.
    pub what: Wrong,
}

/// What the host did wrong.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Wrong {
    // HDLC and QDL
    /// Bytes that are neither a frame nor a write request.
    #[error("byte {first:#04x} outside of a frame")]
    OutsideOfFrame {
        /// The first of these bytes.
        first: u8,
    },
    /// A frame that is longer than any request.
    #[error("a frame of more than {limit} bytes")]
    EndlessFrame {
        /// The longest frame that the boot loader takes, in bytes on the wire.
        limit: usize,
    },
    /// The checksum of a frame is wrong, or the frame is too short to have one.
    #[error("frame with a wrong checksum")]
    FrameChecksum,
    /// A request that can be read but not understood.
    #[error("{request}: {why}")]
    Malformed {
        /// The request.
        request: &'static str,
        /// What is wrong with it.
        why: String,
    },
    /// A command that the boot loader doesn't know.
    #[error("unknown command {0:#04x}")]
    UnknownCommand(u32),
    /// A request in the wrong place.
    #[error("{request} {place}")]
    OutOfOrder {
        /// The request.
        request: &'static str,
        /// At which point of the session the request came.
        place: &'static str,
    },
    /// The checksum in the header of a write request is wrong.
    #[error("write request with a wrong header checksum")]
    WriteChecksum,
    /// A write request with the wrong number.
    #[error("write {got} where write {expected} belongs")]
    Sequence {
        /// The number that is due.
        expected: u16,
        /// The number that came.
        got: u16,
    },
    /// An announced size that can't be right.
    #[error("{what}: {got} announced, {expected} expected")]
    Size {
        /// What was announced.
        what: &'static str,
        /// The correct size.
        expected: u64,
        /// The size that the host announced.
        got: u64,
    },
    /// More image bytes than announced.
    #[error("{surplus} bytes more than announced")]
    MoreThanAnnounced {
        /// How many bytes too many.
        surplus: u64,
    },
    /// Fewer image bytes than announced.
    #[error("{missing} bytes fewer than announced")]
    LessThanAnnounced {
        /// How many bytes are missing.
        missing: u64,
    },

    // Sahara
    /// The host wrote before the hello, although the hello would have come by itself (sahara-firehose.md
    /// §6.1).
    #[error("{count} bytes written before the hello")]
    WroteBeforeHello {
        /// How many bytes the host wrote at once.
        count: usize,
    },
    /// The host answered the hello with a mode other than 3.
    #[error("hello answered with mode {0}")]
    WrongMode(u32),
    /// The host answered the hello with a version that doesn't fit.
    #[error("hello answered with version {0}")]
    WrongVersion(u32),

    // Firehose
    /// A document that isn't XML as the server understands it.
    #[error("document not understood: {0}")]
    Document(String),
    /// Bytes between documents that are neither white space nor the rest of a zero block.
    #[error("{0} bytes that belong to no document")]
    OutsideOfDocument(usize),
    /// The host sent a `program` document while image data was expected, so the document's text would be
    /// written into the flash as image data.
    #[error("a document in the place of image data")]
    DocumentAsImageData,
    /// The bytes between the end of the image and the end of its last sector aren't zero.
    #[error("last sector not padded with zeros")]
    Padding,
    /// The zero block after a short last transfer block is missing or isn't zero (sahara-firehose.md §5.2).
    #[error("zero block behind the last transfer block missing")]
    ZeroBlock,
    /// A request with a value that the server doesn't take.
    #[error("{request}: {name} is {got:?} instead of {expected}")]
    Attribute {
        /// The request.
        request: &'static str,
        /// The attribute.
        name: &'static str,
        /// The correct value.
        expected: String,
        /// The value that the host sent.
        got: String,
    },

    // Running firmware
    /// A write to a control port that isn't a message, or is too long.
    #[error("control port: {0}")]
    ControlMessage(String),
    /// A request of a client that wasn't allocated, or is no longer allocated.
    #[error("client {client} of service {service:#04x} isn't allocated")]
    UnallocatedClient {
        /// The QMI service.
        service: u8,
        /// The client id.
        client: u8,
    },
    /// The host closed the port without releasing its clients.
    #[error("{count} clients were not released")]
    ClientsLeft {
        /// How many.
        count: usize,
    },
    /// QMI inside MBIM without an open session.
    #[error("QMI on an MBIM function that isn't open")]
    MbimNotOpened,
    /// The host asked for a reset while the modem wasn't offline (qmi.md §5).
    #[error("reset asked for without going offline")]
    ResetWithoutOffline,
    /// The host asked for a reset while an answer was still to come.
    #[error("reset asked for while an answer was outstanding")]
    ResetWhileBusy,
    /// The preferred images don't belong together (field-reports.md F9).
    #[error("preference for firmware {modem} with settings of {pri}")]
    PreferencePair {
        /// Build id of the modem image.
        modem: String,
        /// Build id of the PRI image.
        pri: String,
    },
    /// An AT command that changes something, although the user didn't ask for it.
    #[error("{0} without being asked to")]
    ForbiddenCommand(String),
    /// An AT command while the previous one wasn't answered yet.
    #[error("{0} while the last command wasn't answered")]
    CommandWhileBusy(String),
    /// Bytes meant for a boot loader, on a port of running firmware.
    #[error("{protocol} bytes on the {port} port")]
    ForeignBytes {
        /// The protocol of the bytes.
        protocol: &'static str,
        /// The port at which they arrived.
        port: &'static str,
    },

    // Images
    /// The image is for another product.
    #[error("image for {found} offered to {model}")]
    ForeignImage {
        /// What the image says it is for.
        found: String,
        /// The model of the modem.
        model: &'static str,
    },
    /// The image is damaged.
    #[error("damaged image: {0}")]
    DamagedImage(String),
}

impl Wrong {
    /// A name for the kind of violation, for tables and tests: `write before hello`.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::OutsideOfFrame { .. } => "bytes outside of frames",
            Self::EndlessFrame { .. } => "endless frame",
            Self::FrameChecksum => "frame checksum",
            Self::Malformed { .. } => "malformed request",
            Self::UnknownCommand(_) => "unknown command",
            Self::OutOfOrder { .. } => "request out of order",
            Self::WriteChecksum => "write checksum",
            Self::Sequence { .. } => "write sequence",
            Self::Size { .. } => "announced size",
            Self::MoreThanAnnounced { .. } => "more than announced",
            Self::LessThanAnnounced { .. } => "less than announced",
            Self::WroteBeforeHello { .. } => "write before hello",
            Self::WrongMode(_) => "hello mode",
            Self::WrongVersion(_) => "hello version",
            Self::Document(_) => "document",
            Self::OutsideOfDocument(_) => "bytes outside of documents",
            Self::DocumentAsImageData => "document as image data",
            Self::Padding => "padding",
            Self::ZeroBlock => "zero block",
            Self::Attribute { .. } => "attribute",
            Self::ControlMessage(_) => "control message",
            Self::UnallocatedClient { .. } => "unallocated client",
            Self::ClientsLeft { .. } => "clients left",
            Self::MbimNotOpened => "MBIM not opened",
            Self::ResetWithoutOffline => "reset without offline",
            Self::ResetWhileBusy => "reset while busy",
            Self::PreferencePair { .. } => "preference pair",
            Self::ForbiddenCommand(_) => "forbidden command",
            Self::CommandWhileBusy(_) => "command while busy",
            Self::ForeignBytes { .. } => "foreign bytes",
            Self::ForeignImage { .. } => "foreign image",
            Self::DamagedImage(_) => "damaged image",
        }
    }
}
