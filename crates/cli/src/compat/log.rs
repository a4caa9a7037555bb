//! The detailed log of `-v` and `-L`, with lines such as `[Debug] …`.

use std::fmt;
use std::fs::File;
use std::io::{self, Write};
use std::sync::{Arc, Mutex};

use tracing::{Event, Level, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

/// Starts the log if `-v` or `-L` is given.
pub(crate) fn start(is_verbose: bool, file: Option<File>) {
    if !is_verbose && file.is_none() {
        return;
    }
    let sinks = Arc::new(Mutex::new(LogSinks { is_verbose, file }));
    let _ = tracing_subscriber::fmt()
        .with_max_level(Level::DEBUG)
        .with_writer(move || SharedSinks(Arc::clone(&sinks)))
        .log_internal_errors(false)
        .event_format(LogShape)
        .try_init();
}

/// Whether a file that begins with these bytes is a log of this program or of `qmi-firmware-update`, which begins its lines with
/// the date.
pub(crate) fn is_begun(head: &[u8]) -> bool {
    let head = String::from_utf8_lossy(head);
    let line = head.lines().next().unwrap_or_default();
    let line = match line.split_once("] ") {
        Some((date, rest)) if date.starts_with('[') && rest.starts_with(['[', '-']) => rest,
        _ => line,
    };
    WORDS.iter().any(|word| line.starts_with(&format!("{word} ")))
}

/// How the lines of a log begin.
const WORDS: [&str; 4] = ["-Error **", "-Warning **", "[Info]", "[Debug]"];

/// Where the lines of the log go.
struct LogSinks {
    is_verbose: bool,
    file: Option<File>,
}

struct SharedSinks(Arc<Mutex<LogSinks>>);

impl Write for SharedSinks {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // Ignore errors: on a full disk or a closed pipe, the update must go on.
        if let Ok(mut sinks) = self.0.lock() {
            if sinks.is_verbose {
                let _ = io::stdout().write_all(bytes);
            }
            if let Some(file) = &mut sinks.file {
                let _ = file.write_all(bytes);
            }
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Writes a line in the form of `qmi-firmware-update`, without the date.
struct LogShape;

impl<S, N> FormatEvent<S, N> for LogShape
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let word = match *event.metadata().level() {
            Level::ERROR => "-Error **",
            Level::WARN => "-Warning **",
            Level::INFO => "[Info]",
            _ => "[Debug]",
        };
        write!(writer, "{word} ")?;
        context.field_format().format_fields(writer.by_ref(), event)?;
        writeln!(writer)
    }
}
