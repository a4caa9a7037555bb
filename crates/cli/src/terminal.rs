//! What is known of the user's terminal.

use std::io::IsTerminal;

/// Whether standard error is a terminal that can move its cursor.
pub(crate) fn is_capable() -> bool {
    std::io::stderr().is_terminal() && std::env::var_os("TERM").is_none_or(|term| term != "dumb")
}
