//! Tests with modems that run their firmware: whole updates and their faults, short jobs, several modems at
//! once.
#![allow(clippy::cast_possible_truncation)]

mod entering;
mod errands;
mod failures;
mod fleets;
mod locks;
mod neighbours;
mod on_pcie;
mod passing;
mod resume;
mod selection;
mod stops;
mod takes;
mod unreachable;
mod whole;
mod whose;
