//! The wire trace: everything that a world reported to the engine and everything that the engine did, as
//! lines of text.
//!
//! [`Recorder`](crate::Recorder) writes a trace, and [`Replayer`](crate::Replayer) makes a world from one.
//! The format is stable and described in `docs/trace-format.md`. Traces come from strangers, so reading one
//! never panics.

mod text;

use std::time::Duration;

use crate::{
    Attached, Binding, DiscoveryError, HostError, Inhibition, Instant, LockHolder, PciModem, PortErrorKind,
    PortHandle, PortId, PortInfo, UsbPath,
};

/// First line of every trace.
pub const TITLE: &str = "modemflash-trace 1";
/// The start of the first line in every version of the format.
const NAME: &str = "modemflash-trace ";
/// Writes up to this many bytes are recorded whole. Image data is longer; protocol requests are shorter (an
/// open request has at most 832 bytes, qdl.md §4.5).
pub const WHOLE: usize = 1024;
/// How many bytes are recorded from the start of a longer write: they hold the request in front of image
/// data.
pub const FIRST: usize = 64;
/// How many bytes are recorded from the end of a longer write.
pub const LAST: usize = 16;

/// A trace that has been read.
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
    /// A port was opened, or couldn't be.
    Open {
        /// The port.
        port: PortId,
        /// Its handle.
        result: Result<PortHandle, PortErrorKind>,
        /// The largest number of bytes that one write may have, if the port has such a limit.
        largest_write: Option<usize>,
    },
    /// A port was closed.
    Close(PortHandle),
    /// A port took bytes from the host.
    Written {
        /// The port.
        port: PortHandle,
        /// The bytes, joined with those of the writes right after.
        data: Written,
    },
    /// A port delivered bytes of the modem.
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
    /// A wait reached its deadline. The replay ignores this; it is for people who read the trace.
    Deadline,
    /// A device was made to enumerate again.
    ReEnumerate {
        /// The device.
        device: UsbPath,
        /// Whether the host could do it.
        result: Result<(), HostError>,
    },
    /// A device was kept from being suspended.
    KeepAwake {
        /// The device.
        device: UsbPath,
        /// Whether the host could do it.
        result: Result<(), HostError>,
    },
    /// ModemManager was asked to let go of a device.
    Inhibit {
        /// The device.
        device: UsbPath,
        /// What ModemManager said.
        answer: Inhibition,
    },
    /// A device was given back to ModemManager.
    Release(UsbPath),
    /// The engine claimed a spot, and another run has it. A successful claim has no line.
    Locked {
        /// The spot's name.
        spot: String,
        /// Who has it.
        holder: LockHolder,
    },
    /// The host was kept from sleeping.
    StayAwake(Result<(), HostError>),
    /// The engine asked how long a device has been connected.
    OnBus {
        /// The device.
        device: UsbPath,
        /// What the host said, in whole milliseconds.
        answer: Option<Duration>,
    },
    /// The engine asked whether a driver will take a modem in download mode.
    WillBind {
        /// `idVendor` of the modem in download mode.
        vendor: u16,
        /// `idProduct` of the modem in download mode.
        product: u16,
        /// What the host said.
        answer: Binding,
    },
    /// The engine asked which modems are on PCIe.
    PciModems(Result<Vec<PciModem>, DiscoveryError>),
    /// The recording ended in order. A trace without this event was cut off: the program was killed, or the
    /// disk was full.
    End,
}

/// Bytes that a port took in one or several writes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Written {
    /// All of the bytes.
    Whole(Vec<u8>),
    /// Enough to recognise the bytes.
    Digest {
        /// How many.
        length: u64,
        /// CRC-32 (as in zip) of all of them.
        crc32: u32,
        /// The first bytes, at most [`FIRST`].
        first: Vec<u8>,
        /// The last bytes, at most [`LAST`].
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

/// Whether a file that begins with these bytes is a trace of any version. `head` must hold the whole first
/// line.
#[must_use]
pub fn is_begun(head: &[u8]) -> bool {
    let version = head.strip_prefix(NAME.as_bytes()).unwrap_or_default();
    let digits = version.iter().take_while(|byte| byte.is_ascii_digit()).count();
    digits > 0 && matches!(version.get(digits), Some(b'\n' | b'\r'))
}

/// Why a text isn't a valid trace.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TraceError {
    /// The text doesn't begin like a trace.
    #[error("not a trace: the first line is not \"{TITLE}\"")]
    Title,
    /// A line can't be read.
    #[error("line {line}: {expected} expected")]
    Line {
        /// Its number, from 1.
        line: usize,
        /// What should be there.
        expected: &'static str,
    },
}

impl Trace {
    /// Reads a trace. A last line without a line end is left out: it was torn when the program was killed.
    ///
    /// # Errors
    /// The first line isn't that of a trace; a line doesn't follow the format; times go backwards.
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

    /// The name by which the user chose a port, if any.
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
