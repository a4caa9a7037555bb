//! The documentation says what the program does.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use std::collections::BTreeSet;
use std::path::Path;

use modemflash_update_engine::ALL_CODES;

fn read(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../docs")
        .join(name);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[test]
fn every_code_stands_in_the_list_of_errors_with_its_meaning_and_advice() {
    let errors = read("errors.md");
    let mut missing = String::new();
    for code in ALL_CODES {
        let line = format!("| `{code}` | {} | {} |", code.meaning(), code.advice());
        if !errors.lines().any(|there| there == line) {
            missing.push_str(&line);
            missing.push('\n');
        }
    }
    assert!(missing.is_empty(), "docs/errors.md lacks these lines:\n{missing}");
}

#[test]
fn no_code_of_the_list_is_unknown_and_none_stands_there_twice() {
    let errors = read("errors.md");
    let section = errors
        .split("\n## ")
        .find(|section| section.starts_with("The modem"))
        .expect("the section");
    let known: BTreeSet<&str> = ALL_CODES.iter().map(|code| code.as_str()).collect();
    let mut seen = BTreeSet::new();
    for line in section.lines().filter(|line| line.starts_with("| `E-")) {
        let code = line.split('`').nth(1).unwrap();
        assert!(
            known.contains(code),
            "{code} is in docs/errors.md, not in the program"
        );
        assert!(seen.insert(code), "{code} stands there twice");
    }
    assert_eq!(seen.len(), known.len());
}

#[test]
fn codes_are_unique_and_have_one_form() {
    let mut seen = BTreeSet::new();
    for code in ALL_CODES {
        let text = code.as_str();
        assert!(seen.insert(text), "{text} twice");
        assert!(text.starts_with("E-"), "{text}");
        assert!(
            text.bytes().all(|byte| byte == b'-' || byte.is_ascii_uppercase()),
            "{text}"
        );
        assert!(!code.meaning().is_empty() && !code.advice().is_empty());
    }
}
