//! Makes names of files and archive entries printable, and judges them.

use std::collections::BTreeMap;
use std::path::Path;
use std::string::String;

/// The longest entry name that is shown, in characters.
const SHOWN: usize = 200;

/// A name from an archive, made safe for a terminal: control characters are replaced, and a long name is cut.
pub(crate) fn printable(name: &str) -> String {
    let mut shown: String = name.chars().take(SHOWN).map(visible).collect();
    if name.chars().nth(SHOWN).is_some() {
        shown.push('…');
    }
    shown
}

/// A path, made safe for a terminal. It isn't cut, because versions are read from its end.
pub(crate) fn printable_path(path: &Path) -> String {
    path.to_string_lossy().chars().map(visible).collect()
}

fn visible(c: char) -> char {
    if c.is_control() || is_direction_mark(c) {
        '\u{fffd}'
    } else {
        c
    }
}

/// Whether the character changes the reading direction, which can make `exe.cwe` look like something else.
fn is_direction_mark(c: char) -> bool {
    matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// The last part of an entry's name, after the last slash or backslash (Windows tools write either).
pub(crate) fn base(name: &str) -> &str {
    name.rsplit(['/', '\\']).next().unwrap_or(name)
}

/// Whether an entry's name points outside the folder it is unpacked into. Such a name is never used, not even its
/// last part.
pub(crate) fn climbs_out(name: &str) -> bool {
    let drive = name.as_bytes().get(1) == Some(&b':');
    drive
        || name.starts_with(['/', '\\'])
        || name.contains('\0')
        || name.split(['/', '\\']).any(|part| part == "..")
}

/// The first name that is there twice. Names are the same if they lead to the same path: with slashes or backslashes,
/// with `./` or without. A folder may be there twice.
pub(crate) fn twin<N: AsRef<str>>(all: impl IntoIterator<Item = N>) -> Option<String> {
    let mut seen: BTreeMap<String, bool> = BTreeMap::new();
    for name in all {
        let name = name.as_ref();
        let mut path = String::with_capacity(name.len());
        for part in name.split(['/', '\\']).filter(|part| !matches!(*part, "" | ".")) {
            path.push('/');
            path.push_str(part);
        }
        let is_folder = name.ends_with(['/', '\\']);
        match seen.insert(path, is_folder) {
            Some(was_folder) if !(was_folder && is_folder) => return Some(name.into()),
            _ => {}
        }
    }
    None
}

/// Whether this is a file that macOS and Windows leave next to others: `._*`, `.DS_Store`, `__MACOSX/…`, `Thumbs.db`,
/// `desktop.ini`.
pub(crate) fn is_system_litter(name: &str) -> bool {
    let last = base(name);
    last.starts_with("._")
        || matches!(last, ".DS_Store" | "Thumbs.db" | "desktop.ini")
        || name.split(['/', '\\']).any(|part| part == "__MACOSX")
}

/// Whether the name has the extension of an image: `.cwe`, `.spk`, `.nvu`, `.mbn` (images.md §7, cwe.md), in any
/// case.
pub(crate) fn is_image_name(name: &str) -> bool {
    has_extension(name, &["cwe", "spk", "nvu", "mbn"])
}

/// Whether the name has the extension of an archive that this program can open.
pub(crate) fn is_archive_name(name: &str) -> bool {
    has_extension(name, &["zip", "7z", "exe"])
}

/// Whether the name is that of a packed tar archive: `.tar.gz`, `.tgz` and the like.
pub(crate) fn is_packed_tar_name(name: &str) -> bool {
    let stem = base(name).rsplit_once('.').map_or("", |(stem, _)| stem);
    has_extension(name, &["tgz", "txz", "tbz", "tbz2", "tzst"]) || has_extension(stem, &["tar"])
}

/// Whether the name has the extension of firmware or of an archive, including archives that this program can't open.
/// The program should not write its own files under such a name.
#[must_use]
pub fn is_firmware_name(name: &str) -> bool {
    let packed = ["rar", "tar", "tgz", "gz", "xz"];
    is_image_name(name) || is_archive_name(name) || has_extension(name, &packed)
}

fn has_extension(name: &str, known: &[&str]) -> bool {
    let last = base(name);
    last.rsplit_once('.').is_some_and(|(stem, extension)| {
        !stem.is_empty() && known.iter().any(|k| k.eq_ignore_ascii_case(extension))
    })
}

/// A path, quoted for a shell.
pub(crate) fn quoted(path: &Path) -> String {
    let text = printable(&path.to_string_lossy());
    let is_plain = text
        .chars()
        .all(|c| c.is_ascii_alphanumeric() || matches!(c, '/' | '.' | '_' | '-' | '+' | ','));
    if is_plain {
        text
    } else {
        std::format!("'{}'", text.replace('\'', "'\\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_leave_the_folder_are_recognised() {
        for name in [
            "../a.cwe",
            "a/../../b.cwe",
            "/etc/a.cwe",
            "\\a.cwe",
            "C:\\a.cwe",
            "c:a.cwe",
            "a\\..\\b",
            "a\0b",
        ] {
            assert!(climbs_out(name), "{name:?}");
        }
        for name in ["a.cwe", "folder/a.cwe", "a..b/c.cwe", "..a.cwe"] {
            assert!(!climbs_out(name), "{name:?}");
        }
    }

    #[test]
    fn two_names_of_one_path_are_found_and_other_names_are_not() {
        for names in [
            ["a.cwe", "a.cwe"],
            ["a/b.cwe", "a\\b.cwe"],
            ["a.cwe", "./a.cwe"],
            ["a//b.cwe", "a/./b.cwe"],
            ["a.cwe", "a.cwe/"],
        ] {
            assert_eq!(twin(names).as_deref(), Some(names[1]));
        }
        assert_eq!(twin(["a.cwe", "b/a.cwe", "A.cwe", "a.cwe.nvu", "b/", "b/"]), None);
    }

    #[test]
    fn names_are_shown_without_control_characters_and_shortened() {
        assert_eq!(printable("a\x1b[31mb\n"), "a\u{fffd}[31mb\u{fffd}");
        assert_eq!(printable(&"x".repeat(300)).chars().count(), 201);
        let long = std::format!("/{}/\x1b[2J.cwe", "x".repeat(300));
        let shown = printable_path(Path::new(&long));
        assert!(shown.ends_with("x/\u{fffd}[2J.cwe"), "{shown}");
    }

    #[test]
    fn image_names_are_told_by_their_ending_in_any_case() {
        assert!(is_image_name("SWI9X50C_01.14.02.00.CWE"));
        assert!(is_image_name("sub\\a.nvu"));
        assert!(!is_image_name("readme.txt"));
        assert!(!is_image_name(".cwe"));
        assert!(is_packed_tar_name("a.tar.xz") && is_packed_tar_name("/x/a.TGZ"));
        assert!(!is_packed_tar_name("a.cwe.xz") && !is_packed_tar_name("/x.tar/a.gz"));
    }

    #[test]
    fn paths_with_spaces_are_quoted_for_the_shell() {
        assert_eq!(quoted(Path::new("a b.exe")), "'a b.exe'");
        assert_eq!(quoted(Path::new("/x/a.exe")), "/x/a.exe");
        assert_eq!(quoted(Path::new("it's.exe")), "'it'\\''s.exe'");
    }
}
