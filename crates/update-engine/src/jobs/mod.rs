//! Jobs other than the update: information, restart, slots, one AT command; and all modems at a glance.

pub mod boot_loop;
pub mod errand;
mod left_out;
pub mod on_pcie;
pub mod survey;

pub use left_out::{LeftOut, left_out};
