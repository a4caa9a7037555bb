//! The wire trace: everything that a world told the engine and everything that the engine did, as lines of text.
//!
//! [`Recorder`](crate::Recorder) writes it, [`Replayer`](crate::Replayer) is a world made from it. The format is stable
//! and described in `docs/trace-format.md`; a trace comes from strangers, so reading one never panics.

mod text;

use crate::{
    Attached, Binding, DiscoveryError, HostError, Inhibition, Instant, LockHolder, PortErrorKind, PortHandle,
    PortId, PortInfo, UsbPath,
};

/// First line of every trace.
pub const TITLE: &str = "modemflash-trace 1";
/// What the first line of every version begins with.
const NAME: &str = "modemflash-trace ";
/// Writes up to this many bytes are recorded whole; image data is longer, protocol requests are not (an open
/// request has at most 832 bytes, qdl.md §4.5).
pub const WHOLE: usize = 1024;
/// How many bytes of a longer write are recorded at its start: the request in front of image data.
pub const FIRST: usize = 64;
/// How many bytes of a longer write are recorded at its end.
pub const LAST: usize = 16;

/// A trace that was read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trace {
    /// What happened, in order.
    pub entries: Vec<Entry>,
    /// The free text lines, without `# `.
    pub comments: Vec<String>,
}

/// A line of a trace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Number of the line in the file, from 1.
    pub line: usize,
    /// When.
    pub at: Instant,
    /// What.
    pub event: Event,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A port was looked for.
    Find {
        /// What was asked for.
        name: String,
        /// What was found.
        answer: Result<PortInfo, DiscoveryError>,
    },
    /// All devices were listed.
    Devices(Result<Vec<Attached>, DiscoveryError>),
    /// A port was opened, or not.
    Open {
        /// The port.
        port: PortId,
        /// Its handle.
        result: Result<PortHandle, PortErrorKind>,
        /// The most bytes of a write, on a port where that has a limit.
        largest_write: Option<usize>,
    },
    /// A port was closed.
    Close(PortHandle),
    /// A port took bytes.
    Written {
        /// The port.
        port: PortHandle,
        /// The bytes, joined with those that were taken right after them.
        data: Written,
    },
    /// A port gave bytes.
    Read {
        /// The port.
        port: PortHandle,
        /// The bytes.
        bytes: Vec<u8>,
    },
    /// Reading or writing failed.
    Failed {
        /// The port.
        port: PortHandle,
        /// Why.
        kind: PortErrorKind,
    },
    /// A device joined or left the bus.
    BusChanged,
    /// The user asked to stop.
    Cancelled,
    /// A wait came to its deadline; for the reader of the trace.
    Deadline,
    /// A device was made to enumerate again.
    ReEnumerate {
        /// The device.
        device: UsbPath,
        /// Whether the host could.
        result: Result<(), HostError>,
    },
    /// A device was kept from being suspended.
    KeepAwake {
        /// The device.
        device: UsbPath,
        /// Whether the host could.
        result: Result<(), HostError>,
    },
    /// ModemManager was asked to let go of a device.
    Inhibit {
        /// The device.
        device: UsbPath,
        /// What it said.
        answer: Inhibition,
    },
    /// A device was given back to ModemManager.
    Release(UsbPath),
    /// A spot was asked for, and another run has it. One that was given has no line.
    Locked {
        /// The spot's name.
        spot: String,
        /// Who has it.
        holder: LockHolder,
    },
    /// The host was kept from sleeping.
    StayAwake(Result<(), HostError>),
    /// It was asked whether a driver will take a modem in download mode.
    WillBind {
        /// `idVendor` that it has there.
        vendor: u16,
        /// `idProduct` that it has there.
        product: u16,
        /// What the host said.
        answer: Binding,
    },
    /// The recording ended in order; without it the program was killed or the disk was full.
    End,
}

/// Bytes that a port took.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Written {
    /// All of them.
    Whole(Vec<u8>),
    /// Enough to know them again.
    Digest {
        /// How many.
        length: u64,
        /// CRC-32 (as in zip) of all of them.
        crc32: u32,
        /// The first, at most [`FIRST`].
        first: Vec<u8>,
        /// The last, at most [`LAST`].
        last: Vec<u8>,
    },
}

impl Written {
    /// How many bytes.
    pub fn length(&self) -> u64 {
        match self {
            Self::Whole(bytes) => u64::try_from(bytes.len()).unwrap_or(u64::MAX),
            Self::Digest { length, .. } => *length,
        }
    }
}

/// Whether a file that begins with these bytes is a trace, of whatever version. Its first line has to be there.
#[must_use]
pub fn is_begun(head: &[u8]) -> bool {
    let version = head.strip_prefix(NAME.as_bytes()).unwrap_or_default();
    let digits = version.iter().take_while(|byte| byte.is_ascii_digit()).count();
    digits > 0 && matches!(version.get(digits), Some(b'\n' | b'\r'))
}

/// A text that isn't a trace.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TraceError {
    /// It doesn't begin as a trace.
    #[error("not a trace: the first line is not \"{TITLE}\"")]
    Title,
    /// A line can't be read.
    #[error("line {line}: {expected} expected")]
    Line {
        /// Its number, from 1.
        line: usize,
        /// What would be right.
        expected: &'static str,
    },
}

impl Trace {
    /// Reads a trace. A last line without its line end was torn when the program was killed, and is left out.
    ///
    /// # Errors
    /// Another first line; a line that isn't in the format; times that go backwards.
    pub fn parse(text: &str) -> Result<Self, TraceError> {
        let mut lines = text.split_inclusive('\n').enumerate();
        if lines.next().map(|(_, line)| line.trim_end()) != Some(TITLE) {
            return Err(TraceError::Title);
        }
        let mut trace = Self::default();
        let mut latest = Instant::START;
        for (number, whole) in lines {
            let Some(line) = whole.strip_suffix('\n') else {
                break;
            };
            let line = line.strip_suffix('\r').unwrap_or(line);
            if let Some(comment) = line.strip_prefix('#') {
                trace
                    .comments
                    .push(comment.strip_prefix(' ').unwrap_or(comment).to_owned());
                continue;
            }
            if line.trim().is_empty() {
                continue;
            }
            let error = |expected| TraceError::Line {
                line: number + 1,
                expected,
            };
            let (at, event) = text::parse(line).map_err(error)?;
            if at < latest {
                return Err(error("a time that is not before the line above"));
            }
            latest = at;
            trace.entries.push(Entry {
                line: number + 1,
                at,
                event,
            });
        }
        Ok(trace)
    }

    /// Whether the recording ended in order.
    pub fn is_complete(&self) -> bool {
        self.entries.last().is_some_and(|entry| entry.event == Event::End)
    }

    /// The name with which the user chose a port, if any.
    pub fn port_name(&self) -> Option<&str> {
        self.entries.iter().find_map(|entry| match &entry.event {
            Event::Find { name, .. } => Some(name.as_str()),
            _ => None,
        })
    }
}

impl Event {
    /// The line for the event, without line end.
    pub fn line(&self, at: Instant) -> String {
        text::line(self, at)
    }
}

/// `7E 70 00`.
pub fn hex(bytes: &[u8]) -> String {
    text::hex(bytes)
}
