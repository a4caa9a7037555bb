//! Sahara, the protocol of the boot loader of SWI9x07, 9x50 and later (sahara-firehose.md §3).

mod framer;
pub mod message;

pub use framer::Framer;
