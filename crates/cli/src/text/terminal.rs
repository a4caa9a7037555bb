//! Text on the user's terminal.

use std::io::IsTerminal;

/// How many columns a line may take: the width of a terminal that nobody has made wider.
pub(crate) const COLUMNS: usize = 80;

/// Adds a paragraph, folded between words. Every line after the first is indented by two more columns. A word that is longer than a
/// line, such as a path, stays whole. The text ends with a line feed.
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

/// The lines of a text. For a terminal they are folded between words; for a pipe each line stays whole, so that `grep` finds it.
/// The text ends with a line feed.
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

/// Whether standard error is a terminal that can move its cursor.
pub(crate) fn is_capable() -> bool {
    std::io::stderr().is_terminal() && std::env::var_os("TERM").is_none_or(|term| term != "dumb")
}

#[cfg(test)]
mod tests {
    use super::*;

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
}
