//! Data on standard output.

use std::io::{self, ErrorKind, IsTerminal, Write};

use modem_world::Instant;

use crate::failure::{OwnCode, VerbFailure};
use crate::text::terminal;

/// Prints text on standard output; on a terminal its lines are folded.
///
/// # Errors
/// Standard output can't be written, as on a full disk. It is no error if the reader has seen enough (`| head`).
pub(crate) fn print(text: &str) -> Result<(), VerbFailure> {
    let is_terminal = io::stdout().is_terminal();
    put(terminal::folded(text, is_terminal).as_bytes()).map_err(|error| unwritable(&error))
}

/// Prints text on standard output without folding its lines.
pub(crate) fn print_as_is(text: &str) -> Result<(), VerbFailure> {
    put(text.as_bytes()).map_err(|error| unwritable(&error))
}

/// Prints an object as JSON on standard output, on a line of its own.
pub(crate) fn print_json(value: &impl serde::Serialize) -> Result<(), VerbFailure> {
    put(&json_line(value)).map_err(|error| unwritable(&error))
}

/// An object as a line of JSON.
pub(crate) fn json_line(value: &impl serde::Serialize) -> Vec<u8> {
    let mut line = serde_json::to_vec(value).unwrap_or_else(|_| b"{}".to_vec());
    line.push(b'\n');
    line
}

/// A time for JSON: seconds since the start, rounded to milliseconds.
pub(crate) fn seconds(now: Instant) -> f64 {
    (now.since_start().as_secs_f64() * 1000.0).round() / 1000.0
}

/// Writes bytes to standard output at once. It is no error if the reader went away.
fn put(bytes: &[u8]) -> io::Result<()> {
    match write(bytes) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        result => result,
    }
}

/// Writes bytes to standard output at once. It is an error if the reader went away.
pub(crate) fn write(bytes: &[u8]) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(bytes).and_then(|()| out.flush())
}

/// The failure when standard output can't be written. The exit code must not be 0, or the reading program would take a part of the
/// data for all of it.
pub(crate) fn unwritable(error: &io::Error) -> VerbFailure {
    let hint = "what was printed is incomplete; see that there is room where it goes";
    VerbFailure::own(OwnCode::OutputWrite, "standard output can't be written", hint).because(error)
}
