//! Lines for people on standard error.

use std::io::{self, IsTerminal, Write};

use update_engine::{Event, EventKind};

use crate::text::terminal;

/// Prints a line on standard error.
pub(crate) fn say(line: &str) {
    let mut out = io::stderr().lock();
    let text = terminal::folded(line, out.is_terminal());
    let _ = out.write_all(text.as_bytes());
}

/// Prints the warnings of a short job. Its other events aren't printed, because its result shows what happened.
pub(crate) fn say_warnings(event: &Event) {
    if let EventKind::Warning { warning } = &event.kind {
        say(&format!("warning: {}", warning.text));
    }
}
