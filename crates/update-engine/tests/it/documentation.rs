//! Checks what the documentation relies on: the form of the error codes.

use std::collections::BTreeSet;

use modemflash_update_engine::ALL_CODES;

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
