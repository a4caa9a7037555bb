//! Reads, checks, describes and makes the firmware images of Sierra Wireless modems.
//!
//! [`Inspector`] takes a file's bytes, in pieces of any size, and returns a [`Report`]: the tree of images with a
//! verdict on every checksum, the versions, the modem families the file is for, and what its settings would change.
//! Checking takes one pass and constant memory, and sums each byte once. [`combine()`] judges several files together;
//! [`generate`] makes images.
//!
//! The parsing part uses no files, no clock and no threads; `no_std` makes the compiler enforce that. The parts that
//! read files ([`source`], `VerifiedReader`) need the feature `std`.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;
#[cfg(any(feature = "std", test))]
extern crate std;

pub mod codes;
pub mod combine;
pub mod crc;
pub mod cwe;
mod error;
mod family;
mod finding;
mod fingerprint;
pub mod generate;
mod gobi;
pub mod nvup;
mod platform;
mod report;
#[cfg(feature = "serde")]
mod serialize;
#[cfg(feature = "std")]
pub mod source;
mod text;
#[cfg(feature = "std")]
mod verified;
mod version;

pub use combine::{Combination, combine};
pub use cwe::header::Header;
pub use cwe::inspect::Inspector;
pub use error::{Foreign, HeaderField, ImageError};
pub use family::{DownloadProtocol, Family};
pub use finding::{Finding, Severity};
pub use fingerprint::{BLOCK_SIZE, Fingerprint};
pub use gobi::GobiType;
pub use platform::{Model, NotAPlatform, Platform, Target};
pub use report::{CrcVerdict, FamilySource, FileKind, ImageNode, Report, Trailer};
pub use text::Text;
#[cfg(feature = "std")]
pub use verified::{VerifiedReader, VerifyError};
pub use version::{Known, NameNote, NameVersions, VersionKind, VersionSource, Versions, parse_versions};
