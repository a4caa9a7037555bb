//! CWE, the container of Sierra Wireless firmware: `.cwe`, `.nvu` and `.spk` files (cwe.md, images.md).

mod blocks;
pub mod descriptor;
mod families;
pub mod header;
pub mod inspect;
mod judge;
mod types;

pub use header::{CrcIndicator, Header, HeaderError, Options, Signature};
pub use types::ImageType;

/// Bytes of a header.
pub const HEADER_SIZE: usize = 400;
/// Bytes of a header, as an offset.
pub(crate) const HEADER_SIZE_U64: u64 = 400;
/// The most levels of nesting in one file, the outermost image included; real files have four (images.md §8).
pub const DEPTH_LIMIT: usize = 8;
/// The most images in one file; real files have about thirty (images.md §8).
pub const COUNT_LIMIT: usize = 4096;
/// The four bytes that may follow the outermost image, in either order (cwe.md §5, images.md §1).
pub const TRAILER: [u8; 4] = [0x77, 0x73, 0x57, 0x53];
