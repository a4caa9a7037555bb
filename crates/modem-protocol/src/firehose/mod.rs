//! Firehose: XML requests and raw data (sahara-firehose.md §4 and §5).

pub mod failure;
pub mod message;
pub mod plan;
pub mod session;
pub mod stream;
mod xml;
