//! The developer's log: `tracing` on standard error, off unless asked for.

use std::io;

use tracing::Level;

/// Starts logging: `-vv` shows steps and messages, `-vvv` bytes, too. Below that the screens say what is worth saying.
pub(crate) fn start(verbose: u8) {
    let level = match verbose {
        0 | 1 => return,
        2 => Level::DEBUG,
        _ => Level::TRACE,
    };
    let _ = tracing_subscriber::fmt()
        .with_max_level(level)
        .with_writer(io::stderr)
        .with_ansi(false)
        .with_target(false)
        .without_time()
        .try_init();
}
