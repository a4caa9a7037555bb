//! The archives of `tests/data/archives`, and the names of the images in them.

#![cfg(all(feature = "zip", feature = "sevenz"))]

use std::fs;
use std::path::{Path, PathBuf};

pub(crate) const CWE: &str = "SWI9X50C_01.14.02.00.cwe";
pub(crate) const NVU: &str = "SWI9X50C_01.14.02.00_GENERIC_002.035_000.nvu";

/// An archive's path.
pub(crate) fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/data/archives")
        .join(name)
}

/// An archive's bytes.
pub(crate) fn bytes(name: &str) -> Vec<u8> {
    fs::read(data(name)).unwrap()
}
