//! What the host's side of every download protocol has in common: how a driver talks to it, what it
//! reports, and how it fails.
//!
//! The driver's loop, which lives in `update-engine`:
//!
//! 1. Call [`Conversation::poll`] until it returns [`Action::Wait`] or [`Action::Finished`]. Pass reports on, and put output
//!    into the driver's output slot.
//! 2. Wait until bytes come, the port takes bytes (while the slot isn't empty), or the deadline passes.
//! 3. Hand in what happened: [`Conversation::receive`], [`Conversation::wrote`], [`Conversation::closed`].
//! 4. Start again from 1. `poll` notices passed deadlines.
//!
//! The driver continues to read while output is pending. If the modem refuses in the middle of raw data, the next
//! `poll` fails, and the driver drops the rest of the output.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::ops::Range;
use core::time::Duration;

use crate::{Instant, ParseError, firehose, qdl, sahara};

/// The host's side of a download protocol, from first byte to last.
pub trait Conversation {
    /// Takes bytes that the port delivered. They may be split and joined anywhere.
    fn receive(&mut self, bytes: &[u8], now: Instant);

    /// Notes that the port took `count` bytes of the last output; `left` bytes of it are still to be written.
    fn wrote(&mut self, count: usize, left: u64, now: Instant);

    /// Notes that the port has disappeared. After a reset request that is success, otherwise the next `poll` fails.
    fn closed(&mut self, now: Instant);

    /// Asks the conversation to stop at the next point at which the modem can still be recovered. The documentation
    /// of each conversation says where these points are. `poll` then fails with [`ProtocolError::Stopped`].
    fn stop(&mut self);

    /// What to do now.
    ///
    /// # Errors
    /// The conversation has failed and is over; every later call fails in the same way.
    fn poll(&mut self, now: Instant) -> Result<Action, ProtocolError>;
}

/// What the driver is to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Write these bytes. No other output follows before the port has taken all of them.
    Send(Vec<u8>),
    /// Write a stretch of an image. No other output follows before the port has taken all of it.
    SendImage(Stretch),
    /// A fact for the user.
    Report(Report),
    /// Nothing to do until bytes come, the port takes bytes, or this moment is reached.
    Wait {
        /// The deadline of the present step.
        until: Instant,
    },
    /// The conversation has reached its goal.
    Finished,
}

/// A stretch of an image on its way to the modem: `header`, then the bytes of `range`, then zeros.
///
/// The driver must have all bytes of `range` in memory and checked before it writes the first byte of `header`,
/// because a header can't be taken back. A stretch has at most [`Stretch::LARGEST`] image bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stretch {
    /// Which image, by its index in the list that the conversation got.
    pub image: usize,
    /// The bytes to send before the image bytes.
    pub header: Vec<u8>,
    /// The image bytes, as offsets into the file.
    pub range: Range<u64>,
    /// How many zero bytes to send after the image bytes.
    pub padding: u32,
}

impl Stretch {
    /// The most image bytes that a stretch can have: one QDL chunk (qdl.md §6).
    pub const LARGEST: u64 = 1024 * 1024;
}

/// A fact that the conversation reports.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Report {
    /// The modem answered in this protocol.
    Connected(Connected),
    /// The conversation offers the image to the modem.
    ImageStarted {
        /// Place in the list of images.
        image: usize,
        /// 1 for the first attempt.
        attempt: u8,
    },
    /// The modem doesn't need this image (QDL open status 7), so it isn't sent.
    ImageNotRequired {
        /// Place in the list of images.
        image: usize,
    },
    /// The modem has taken this many bytes of the file. In QDL the modem acknowledges each chunk. In Firehose it
    /// acknowledges nothing before the end, so the number is what the modem's USB endpoint took.
    Acknowledged {
        /// Place in the list of images.
        image: usize,
        /// Bytes of the file from its start.
        bytes: u64,
    },
    /// All bytes are sent. The modem now checks the image and writes its flash, and may be silent for `up_to`.
    Finalising {
        /// Place in the list of images.
        image: usize,
        /// The longest silence before the conversation gives up.
        up_to: Duration,
    },
    /// The modem has accepted the image.
    ImageAccepted {
        /// Place in the list of images.
        image: usize,
    },
    /// A log line of the modem.
    ModemLog(String),
    /// Something expected and harmless came, such as the complaint about the zero block
    /// (sahara-firehose.md §5.3).
    Noise(String),
    /// The conversation tries a step again.
    Retrying {
        /// The step.
        step: Step,
        /// 2 for the second attempt.
        attempt: u8,
        /// Why.
        why: String,
    },
    /// The reset request was written.
    ResetSent,
}

/// What the modem reported about itself at the start.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Connected {
    /// A QDL boot loader.
    Qdl {
        /// Protocol version, 4 to 6.
        version: u8,
    },
    /// A Sahara boot loader that has switched to Firehose.
    Sahara {
        /// Protocol version in the modem's hello.
        version: u32,
        /// The text with which the modem confirmed the switch: `confirmed` on EM7565.
        confirmation: String,
    },
    /// A Firehose server.
    Firehose {
        /// Bytes in one transfer block: the largest payload rounded down to sectors.
        block_size_bytes: u32,
        /// Bytes in a sector.
        sector_size_bytes: u32,
        /// Pages in a flash block.
        pages_per_block: u32,
    },
}

/// What a conversation is doing, for messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Step {
    /// DLOAD: switch to the streaming download protocol (0x70).
    SwitchToStreaming,
    /// QDL hello.
    Hello,
    /// QDL open of an image.
    Open {
        /// Place in the list of images.
        image: usize,
    },
    /// QDL write of a chunk.
    Write {
        /// Place in the list of images.
        image: usize,
        /// Chunk, from 0.
        chunk: u32,
        /// Number of chunks.
        of: u32,
    },
    /// QDL session done: the image is checked.
    SessionDone {
        /// Place in the list of images.
        image: usize,
    },
    /// QDL reset, Firehose power or Sahara reset.
    Reset,
    /// Sahara: waiting for the modem's hello.
    SaharaHello,
    /// Sahara: hello answered, waiting for "command ready".
    CommandReady,
    /// Sahara: client command 0xFF00 asked for.
    SwitchToFirehose,
    /// Sahara: waiting for the data of the client command.
    Confirmation,
    /// Firehose NOP.
    Ping,
    /// Firehose configure.
    Configure,
    /// Firehose getStorageInfo.
    StorageInfo,
    /// Firehose program.
    Program {
        /// Place in the list of images.
        image: usize,
    },
    /// Firehose raw data.
    RawData {
        /// Place in the list of images.
        image: usize,
    },
    /// Firehose: all data sent, waiting for the verdict.
    Verdict {
        /// Place in the list of images.
        image: usize,
    },
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SwitchToStreaming => write!(f, "switch to the streaming download protocol"),
            Self::Hello => write!(f, "hello"),
            Self::Open { image } => write!(f, "open of image {}", image + 1),
            Self::Write { image, chunk, of } => {
                write!(
                    f,
                    "write {} of {of} of image {}",
                    u64::from(*chunk) + 1,
                    image + 1
                )
            }
            Self::SessionDone { image } => write!(f, "end of image {}", image + 1),
            Self::Reset => write!(f, "reset"),
            Self::SaharaHello => write!(f, "Sahara hello"),
            Self::CommandReady => write!(f, "Sahara hello response"),
            Self::SwitchToFirehose => write!(f, "switch to Firehose"),
            Self::Confirmation => write!(f, "confirmation of the switch to Firehose"),
            Self::Ping => write!(f, "Firehose NOP"),
            Self::Configure => write!(f, "Firehose configure"),
            Self::StorageInfo => write!(f, "Firehose getStorageInfo"),
            Self::Program { image } => write!(f, "Firehose program of image {}", image + 1),
            Self::RawData { image } => write!(f, "data of image {}", image + 1),
            Self::Verdict { image } => write!(f, "verdict on image {}", image + 1),
        }
    }
}

/// How a conversation fails.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ProtocolError {
    /// Nothing came.
    #[error("no answer to {step} within {} s", waited.as_secs_f32())]
    Silent {
        /// What was asked for.
        step: Step,
        /// How long the conversation waited.
        waited: Duration,
    },
    /// The modem sent something again and again, but never the answer.
    #[error("the modem kept sending during {step}, but not the answer; given up after {} s", waited.as_secs_f32())]
    Endless {
        /// What was asked for.
        step: Step,
        /// How long the conversation waited.
        waited: Duration,
    },
    /// The port took no more bytes.
    #[error("the modem took no data for {} s during {step}; {left} bytes left", waited.as_secs_f32())]
    Stalled {
        /// What was being written.
        step: Step,
        /// Bytes of the output that were not taken.
        left: u64,
        /// How long the conversation waited.
        waited: Duration,
    },
    /// The port has disappeared.
    #[error("the modem left the bus during {step}")]
    Left {
        /// What was being done.
        step: Step,
    },
    /// An answer can't be read.
    #[error("answer to {step} not understood: {error}")]
    Garbled {
        /// What was asked for.
        step: Step,
        /// What is wrong with it.
        error: ParseError,
    },
    /// An answer can be read but doesn't belong here.
    #[error("{step}: {expected} expected, {got} came")]
    Unexpected {
        /// What was asked for.
        step: Step,
        /// What would be right.
        expected: &'static str,
        /// What came, in words.
        got: String,
    },
    /// The port speaks another protocol. If it sent a Sahara hello, the conversation's `into_rest` returns the hello,
    /// so that a Sahara conversation can begin with it.
    #[error("{step}: {peer} answers")]
    OtherProtocol {
        /// What was asked for.
        step: Step,
        /// What answers.
        peer: Peer,
    },
    /// The port is still there although the modem was asked to restart.
    #[error("the modem is still there {} s after it was asked to restart", waited.as_secs_f32())]
    Stayed {
        /// How long the conversation waited.
        waited: Duration,
    },
    /// The modem refused.
    #[error("{step} refused: {refusal}")]
    Refused {
        /// What was asked for.
        step: Step,
        /// What the modem said.
        refusal: Refusal,
    },
    /// The protocol can't carry this image.
    #[error("image {} can't be sent: {why}", image + 1)]
    Unsendable {
        /// Place in the list of images.
        image: usize,
        /// Why.
        why: &'static str,
    },
    /// Stopped on request at a safe point.
    #[error("stopped on request before {step}")]
    Stopped {
        /// What would have come next.
        step: Step,
    },
}

/// What answers instead of the expected boot loader (traces, first-answer table).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum Peer {
    /// A Sahara boot loader says hello (`01 00 00 00 30 00 00 00`).
    #[error("a Sahara boot loader")]
    Sahara,
    /// A DIAG port of a modem in normal mode (0x13, "bad command").
    #[error("the DIAG port of a modem in normal mode")]
    Diag,
    /// A port that sends back what it is sent, such as an AT port of a modem in normal mode.
    #[error("a port with echo, such as the AT port of a modem in normal mode,")]
    Echo,
    /// A boot loader that knows DLOAD but not the streaming download protocol, such as 05c6:9008.
    #[error("a boot loader without streaming download (refusal, reason {reason})")]
    Dload {
        /// Why it refuses; 6 is an invalid command.
        reason: u16,
    },
}

/// What a modem says when it refuses.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// A QDL error report.
    #[error("{0}")]
    QdlError(qdl::message::ErrorReport),
    /// A QDL open response with a status other than success.
    #[error("{0}")]
    QdlOpen(qdl::message::OpenStatus),
    /// A QDL write response with a status other than success.
    #[error("{0}")]
    QdlWrite(qdl::message::WriteStatus),
    /// A QDL session done response with a status other than success.
    #[error("{0}")]
    QdlDone(qdl::message::DoneResponse),
    /// A Sahara end of image transfer.
    #[error("{0}")]
    Sahara(sahara::message::Status),
    /// A crashed modem in memory-debug mode.
    #[error("the modem offers a memory dump")]
    MemoryDebug,
    /// A Firehose NAK with the log lines that came before it.
    #[error("{0}")]
    Firehose(firehose::message::Nak),
}
