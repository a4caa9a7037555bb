//! DLOAD and QDL, the streaming download protocol of Gobi 1000 to SWI9x30 (qdl.md).

pub mod download;
pub mod image;
pub mod message;

pub use download::{Download, Start};
pub use image::{Image, ImageError};
