//! The developer's log: `tracing` on standard error, off unless asked for.

use std::io::{self, Write};

use tracing::Level;
use tracing_subscriber::fmt::time::uptime;

/// Starts logging: `-vv` shows steps and messages with the seconds since the start, `-vvv` finer ones; the bytes are told by
/// [`overheard`](crate::worlds::chosen_world::overheard). Below that the screens say what is worth saying.
pub(crate) fn start(verbose: u8) {
    let level = match verbose {
        0 | 1 => return,
        2 => Level::DEBUG,
        _ => Level::TRACE,
    };
    let _ = tracing_subscriber::fmt()
        .with_max_level(level)
        .with_writer(|| PatientStderr)
        .log_internal_errors(false)
        .with_ansi(false)
        .with_target(false)
        .with_timer(uptime())
        .try_init();
}

/// Standard error, where nobody may be reading any more: that must not end a flash.
struct PatientStderr;

impl Write for PatientStderr {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let _ = io::stderr().write_all(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
