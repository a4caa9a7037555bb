//! Prints results and progress on standard output, errors and all other lines on standard error.

use std::io::{self, Write};

/// Standard output and standard error. Tests put buffers in their place.
pub(crate) struct Console<'c> {
    out: &'c mut dyn Write,
    err: &'c mut dyn Write,
    /// Whether the user's locale has more characters than ASCII.
    is_unicode: bool,
}

impl<'c> Console<'c> {
    /// A console that writes to these two.
    pub(crate) fn new(out: &'c mut dyn Write, err: &'c mut dyn Write, is_unicode: bool) -> Self {
        Self { out, err, is_unicode }
    }

    /// Prints a line of results. Errors are ignored: if the reader went away, the update must go on.
    pub(crate) fn say(&mut self, line: &str) {
        self.put(&format!("{line}\n"));
    }

    /// Prints a part of a line of results.
    pub(crate) fn put(&mut self, text: &str) {
        let text = self.spelt(text);
        let _ = self.out.write_all(text.as_bytes());
        let _ = self.out.flush();
    }

    /// Prints a line on standard error.
    pub(crate) fn warn(&mut self, line: &str) {
        // Flush, so that lines of both streams appear in the order in which they were printed.
        let _ = self.out.flush();
        let text = self.spelt(&format!("{line}\n"));
        let _ = self.err.write_all(text.as_bytes());
    }

    /// Prints an error in the form of `qmi-firmware-update`.
    pub(crate) fn error(&mut self, what: &str) {
        self.warn(&format!("error: {what}"));
    }

    /// The space between a number and its unit. Lines aren't broken there if the locale has such a space.
    pub(crate) fn blank(&self) -> char {
        if self.is_unicode { '\u{a0}' } else { ' ' }
    }

    /// The text with a question mark for each character that the locale doesn't have.
    fn spelt(&self, text: &str) -> String {
        if self.is_unicode {
            return text.to_owned();
        }
        text.chars()
            .map(|letter| if letter.is_ascii() { letter } else { '?' })
            .collect()
    }
}

/// Bytes with a decimal unit, as `qmi-firmware-update` prints them: `17 bytes`, `2.7 MB`.
pub(crate) fn decimal(bytes: f64, blank: char) -> String {
    const UNITS: [&str; 4] = ["kB", "MB", "GB", "TB"];
    if bytes < 1000.0 {
        return format!("{bytes:.0}{blank}bytes");
    }
    let mut amount = bytes / 1000.0;
    let mut unit = UNITS[0];
    for next in &UNITS[1..] {
        if amount < 1000.0 {
            break;
        }
        amount /= 1000.0;
        unit = next;
    }
    format!("{amount:.1}{blank}{unit}")
}

/// Whether the locale of the environment uses UTF-8. The first variable that is set counts (setlocale).
pub(crate) fn is_unicode() -> bool {
    let set = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().find_map(|name| {
        let value = std::env::var_os(name)?;
        (!value.is_empty()).then_some(value)
    });
    let Some(locale) = set else { return false };
    let locale = locale.to_string_lossy().to_ascii_lowercase();
    locale.ends_with("utf-8") || locale.ends_with("utf8")
}

/// Runs a job with a console on the two streams of the process.
pub(crate) fn with_process<T>(run: impl FnOnce(&mut Console<'_>) -> T) -> T {
    let (mut out, mut err) = (io::stdout(), io::stderr());
    run(&mut Console::new(&mut out, &mut err, is_unicode()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_decimal_units() {
        // 2.7 MB and 1.7 kB were seen in the output of `qmi-firmware-update`; the other texts follow the same rule.
        for (bytes, words) in [
            (5.0, "5 bytes"),
            (999.0, "999 bytes"),
            (1743.0, "1.7 kB"),
            (2_700_000.0, "2.7 MB"),
            (80_241_623.0, "80.2 MB"),
        ] {
            assert_eq!(decimal(bytes, ' '), words);
        }
    }

    #[test]
    fn what_the_locale_cannot_spell_is_a_question_mark() {
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let mut console = Console::new(&mut out, &mut err, false);
        console.error("value “abc”");
        let blank = console.blank();
        assert_eq!(err, b"error: value ?abc?\n");
        assert_eq!(blank, ' ');
    }
}
