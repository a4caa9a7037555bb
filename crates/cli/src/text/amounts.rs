//! Numbers as people read them.

use std::time::Duration;

/// Bytes with a binary unit: `76.5 MiB`.
pub(crate) fn bytes(count: u64) -> String {
    const UNITS: [&str; 4] = ["KiB", "MiB", "GiB", "TiB"];
    if count < 1024 {
        return format!("{count} B");
    }
    // Sizes are shown with one decimal, so the precision of f64 is enough.
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
    // The value is rounded, not negative, and far below the largest u64.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    let seconds = seconds.min(1e9) as u64;
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3600 if seconds % 60 == 0 => format!("{} min", seconds / 60),
        60..3600 => format!("{} min {:02} s", seconds / 60, seconds % 60),
        _ => format!("{} h {:02} min", seconds / 3600, seconds % 3600 / 60),
    }
}

/// A span of time that an event gives in seconds.
pub(crate) fn seconds(seconds: f64) -> String {
    span(Duration::try_from_secs_f64(seconds).unwrap_or(Duration::ZERO))
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
