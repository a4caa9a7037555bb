//! The developer's log: `tracing` on standard error. It is off unless the user asks for it.

use std::io::{self, Write};

use tracing::Level;
use tracing_subscriber::fmt::time::uptime;

/// Starts the log. `-vv` shows steps and messages with the seconds since the start, `-vvv` also finer messages. The bytes on the
/// wire are printed by [`overheard`](crate::worlds::chosen_world::overheard). With less than `-vv` there is no log; the screens
/// print what matters.
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

/// Standard error that ignores errors: if its reader went away, the update must go on.
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
