//! What the tests of Sahara and Firehose share.
#![allow(dead_code, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

/// The bytes of a vector of sahara-firehose.md, by its name in `vectors/sahara-firehose.txt`.
pub(crate) fn vector(name: &str) -> Vec<u8> {
    let line = include_str!("../vectors/sahara-firehose.txt")
        .lines()
        .find(|line| line.split(' ').nth(1) == Some(name))
        .unwrap_or_else(|| panic!("no vector {name}"));
    hex(line.splitn(3, ' ').nth(2).unwrap())
}

/// Bytes from hex digits, blanks anywhere.
pub(crate) fn hex(digits: &str) -> Vec<u8> {
    let digits: Vec<u32> = digits.chars().filter_map(|c| c.to_digit(16)).collect();
    digits
        .chunks(2)
        .map(|pair| u8::try_from(pair[0] * 16 + pair[1]).unwrap())
        .collect()
}

/// A document of the modem, as EM7565 writes it (trace em7565_sahara-firehose_vendor-sdk_2018).
pub(crate) fn document(element: &str) -> Vec<u8> {
    format!("<?xml version=\"1.0\" encoding=\"UTF-8\" ?>\n<data>\n{element}\n</data>").into_bytes()
}
