//! Data on standard output.

use std::io::{self, ErrorKind, IsTerminal, Write};

use modem_world::Instant;

use crate::failure::VerbFailure;
use crate::text::terminal;

/// Text on standard output, folded on a terminal.
///
/// # Errors
/// It can't be written, as on a full disk. A reader that has seen enough (`| head`) is no error.
pub(crate) fn print(text: &str) -> Result<(), VerbFailure> {
    let is_terminal = io::stdout().is_terminal();
    put(terminal::folded(text, is_terminal).as_bytes()).map_err(|error| unwritable(&error))
}

/// The same for text that has its own line ends.
pub(crate) fn print_as_is(text: &str) -> Result<(), VerbFailure> {
    put(text.as_bytes()).map_err(|error| unwritable(&error))
}

/// An object on standard output, on a line of its own.
pub(crate) fn print_json(value: &impl serde::Serialize) -> Result<(), VerbFailure> {
    put(&json_line(value)).map_err(|error| unwritable(&error))
}

/// An object as a line of JSON.
pub(crate) fn json_line(value: &impl serde::Serialize) -> Vec<u8> {
    let mut line = serde_json::to_vec(value).unwrap_or_else(|_| b"{}".to_vec());
    line.push(b'\n');
    line
}

/// A time as JSON has it: seconds since the start, to the millisecond.
pub(crate) fn seconds(now: Instant) -> f64 {
    (now.since_start().as_secs_f64() * 1000.0).round() / 1000.0
}

/// Bytes on standard output, now. That the reader went away is no error.
fn put(bytes: &[u8]) -> io::Result<()> {
    match write(bytes) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        result => result,
    }
}

/// The same, but that the reader went away is an error.
pub(crate) fn write(bytes: &[u8]) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(bytes).and_then(|()| out.flush())
}

/// A program that reads the data would take a part of them for all: that must not end as if all were well.
pub(crate) fn unwritable(error: &io::Error) -> VerbFailure {
    VerbFailure::of_code("E-OUTPUT-WRITE", 1, "standard output can't be written")
        .because(error)
        .hint("what was printed is incomplete; see that there is room where it goes")
}
