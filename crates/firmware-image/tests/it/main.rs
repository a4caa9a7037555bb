//! The integration tests of this crate, in one program: it is linked once.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod builder;
mod combining;
mod fixtures;
mod layouts;
mod opening;
mod properties;
mod real_files;
mod real_names;
mod sets;
mod sources;
mod vectors;
mod verified;
mod zips;
