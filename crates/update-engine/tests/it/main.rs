//! The integration tests of this crate, in one program so that they are linked only once.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod boot_ids;
mod damage;
mod detection;
mod documentation;
mod echo;
mod estimate;
mod exits;
mod faults;
mod field_cases;
mod first_seconds;
mod flash;
mod improvements;
mod running;
mod simulate;
mod simulation;
mod support;
mod words;
