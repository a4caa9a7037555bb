//! Modems that run their firmware: whole updates, what goes wrong in them, short jobs, several at once.
#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation
)]

#[path = "../support/mod.rs"]
mod support;

mod entering;
mod errands;
mod failures;
mod fleets;
mod locks;
mod neighbours;
mod selection;
mod stops;
mod takes;
mod unreachable;
mod whole;
mod whose;
