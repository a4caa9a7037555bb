//! Splits a command line into its commands (V.250 §5), as far as needed to tell commands that only ask from those
//! that change something.

use alloc::string::String;

/// Commands whose set form changes nothing permanent and nothing that a user notices: access to protected commands,
/// the format of answers, and queries with a parameter (3GPP TS 27.007, TS 27.005, at.md §3).
const HARMLESS_SETS: &[&str] = &[
    "!ENTERCND",
    "+CMEE",
    "+CMGF",
    "+CSCS",
    "+CREG",
    "+CGREG",
    "+CEREG",
    "+CGPADDR",
    "+CGCONTRDP",
];

/// Basic commands that only ask, or that change only the behaviour of the AT port until it is closed (V.250 §6.2,
/// §6.3).
const HARMLESS_BASIC: &[&str] = &["E", "I", "L", "M", "Q", "V", "X", "&C", "&D", "&V"];

/// The words for a set form that isn't known to be harmless.
const SETS: &str = "sets something in the modem that isn't known to be harmless";
/// The words for &F and Z.
const RESTORES: &str = "restores settings of the AT port; settings for its connections may be lost";
/// The words for other basic commands.
const ACTS: &str = "may dial, hang up, answer or store settings";

/// What a command line may change, unless it is known to be harmless; as the end of a sentence that begins with the
/// line.
pub(super) fn unknown_change(text: &str) -> Option<&'static str> {
    let line = unquoted(text);
    let commands = line.strip_prefix("AT").unwrap_or(&line);
    commands.split(';').find_map(of_one)
}

/// The text in capitals, without blanks, and without the contents of quotation marks, which aren't commands. If the
/// number of marks is odd, nothing counts as quoted.
pub(super) fn unquoted(text: &str) -> String {
    let is_paired = text.matches('"').count() % 2 == 0;
    let mut is_quoted = false;
    text.chars()
        .filter(|&character| {
            if character == '"' {
                is_quoted = is_paired && !is_quoted;
                return true;
            }
            !is_quoted && !character.is_whitespace()
        })
        .map(|character| character.to_ascii_uppercase())
        .collect()
}

/// Like [`unknown_change`], for one piece between semicolons: basic commands, which need no separator, then at most
/// one extended command.
fn of_one(mut piece: &str) -> Option<&'static str> {
    loop {
        let mut characters = piece.chars();
        let name_length = match characters.next()? {
            '&' => characters.next().map_or(1, |letter| letter.len_utf8() + 1),
            letter if letter.is_ascii_alphabetic() => 1,
            _ => return of_extended(piece),
        };
        let (name, rest) = piece.split_at_checked(name_length)?;
        let rest = rest.trim_start_matches(|digit: char| digit.is_ascii_digit());
        match name {
            "Z" | "&F" => return Some(RESTORES),
            // This only asks for a register.
            "S" if rest == "?" => return None,
            "S" if rest.starts_with('=') => return Some(SETS),
            name if HARMLESS_BASIC.contains(&name) => {}
            _ => return Some(ACTS),
        }
        piece = rest;
    }
}

fn of_extended(command: &str) -> Option<&'static str> {
    let end = command.find(['=', '?'])?;
    let (name, form) = command.split_at_checked(end)?;
    let is_harmless = match form {
        "?" | "=?" => true,
        // Operations 1 and 2 only list images (trace at_em7565_images-and-mismatch).
        _ if name == "!IMAGE" => form.starts_with("=1") || form.starts_with("=2"),
        // No modem is known to answer a query that is followed by more text, so that isn't harmless.
        _ => form.starts_with('=') && HARMLESS_SETS.contains(&name),
    };
    (!is_harmless).then_some(SETS)
}
