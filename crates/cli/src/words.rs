//! Numbers as people read them.

use std::time::Duration;

/// Bytes with a binary unit: `76.5 MiB`.
pub(crate) fn bytes(count: u64) -> String {
    const UNITS: [&str; 4] = ["KiB", "MiB", "GiB", "TiB"];
    if count < 1024 {
        return format!("{count} B");
    }
    // Sizes are shown with one decimal; what f64 can't hold exactly doesn't show.
    #[allow(clippy::cast_precision_loss)]
    let mut amount = count as f64 / 1024.0;
    let mut unit = UNITS[0];
    for next in &UNITS[1..] {
        if amount < 1023.95 {
            break;
        }
        amount /= 1024.0;
        unit = next;
    }
    format!("{amount:.1} {unit}")
}

/// A span of time: `8 s`, `2 min 05 s`, `1 h 10 min`.
pub(crate) fn span(span: Duration) -> String {
    let seconds = span.as_secs_f64().round();
    // Rounded, not negative, and capped far below what u64 holds.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    let seconds = seconds.min(1e9) as u64;
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3600 if seconds % 60 == 0 => format!("{} min", seconds / 60),
        60..3600 => format!("{} min {:02} s", seconds / 60, seconds % 60),
        _ => format!("{} h {:02} min", seconds / 3600, seconds % 3600 / 60),
    }
}

/// The same for seconds out of an event.
pub(crate) fn seconds(seconds: f64) -> String {
    span(Duration::try_from_secs_f64(seconds).unwrap_or(Duration::ZERO))
}

/// Columns of a terminal that nobody made wider.
const COLUMNS: usize = 80;

/// A paragraph, folded between words; lines after the first stand two columns further in. Ends with a line feed. A word
/// that is longer than a line (a path) stays whole.
pub(crate) fn wrap(text: &mut String, indent: &str, paragraph: &str) {
    text.push_str(indent);
    let mut column = indent.chars().count();
    let mut is_first = true;
    for word in paragraph.split(' ') {
        let length = word.chars().count();
        if !is_first && column.saturating_add(1).saturating_add(length) > COLUMNS {
            text.push('\n');
            text.push_str(indent);
            text.push_str("  ");
            column = indent.chars().count().saturating_add(2);
        } else if !is_first {
            text.push(' ');
            column = column.saturating_add(1);
        }
        text.push_str(word);
        column = column.saturating_add(length);
        is_first = false;
    }
    text.push('\n');
}

/// The lines of a text, folded between words where it goes to a terminal; what stands in a pipe stays on one line, for
/// `grep`. Ends with a line feed.
pub(crate) fn folded(text: &str, is_terminal: bool) -> String {
    let mut folded = String::new();
    for line in text.lines() {
        if is_terminal {
            let words = line.trim_start_matches(' ');
            let indent = line.strip_suffix(words).unwrap_or("");
            wrap(&mut folded, indent, words);
        } else {
            folded.push_str(line);
            folded.push('\n');
        }
    }
    folded
}

/// `1 image`, `2 images`.
pub(crate) fn count(number: usize, noun: &str) -> String {
    if number == 1 {
        format!("1 {noun}")
    } else {
        format!("{number} {noun}s")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_get_the_unit_that_fits() {
        let cases = [
            (0, "0 B"),
            (1023, "1023 B"),
            (1024, "1.0 KiB"),
            (80_241_623, "76.5 MiB"),
            (1024 * 1024 - 1, "1.0 MiB"),
        ];
        for (number, words) in cases {
            assert_eq!(bytes(number), words);
        }
    }

    #[test]
    fn paragraphs_are_folded_between_words_and_long_words_stay_whole() {
        let mut text = String::new();
        wrap(&mut text, "  ", &["word"; 20].join(" "));
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 2);
        assert!(lines.iter().all(|line| line.chars().count() <= COLUMNS));
        assert!(lines[1].starts_with("    word"));
        let mut text = String::new();
        wrap(&mut text, "", &"x".repeat(100));
        assert_eq!(text, format!("{}\n", "x".repeat(100)));
    }

    #[test]
    fn a_terminal_gets_folded_lines_and_a_pipe_whole_ones() {
        let text = format!("  next: {}\nend\n", ["word"; 20].join(" "));
        assert_eq!(folded(&text, false), text);
        let folded = folded(&text, true);
        assert!(folded.lines().all(|line| line.chars().count() <= COLUMNS));
        assert!(folded.starts_with("  next: word") && folded.contains("\n    word"));
        assert!(folded.ends_with("\nend\n"));
    }

    #[test]
    fn spans_get_the_unit_that_fits() {
        let cases = [
            (8, "8 s"),
            (120, "2 min"),
            (125, "2 min 05 s"),
            (4200, "1 h 10 min"),
        ];
        for (number, words) in cases {
            assert_eq!(span(Duration::from_secs(number)), words);
        }
    }

    #[test]
    fn nonsense_seconds_are_no_panic() {
        assert_eq!(seconds(f64::NAN), "0 s");
        assert_eq!(seconds(-1.0), "0 s");
    }
}
