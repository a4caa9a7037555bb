//! The integration tests of this crate, in one program: it is linked once.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod common;
mod documentation;
mod flash;
mod golden;
mod inspect_json;
mod locks;
mod memory;
mod outputs;
mod questions;
mod readme;
mod reference;
mod terminal;
mod trace;
mod trace_file;
mod verbs;
