//! The Linux world: ttys, `poll(2)`, signals and the clock behind [`modem_world::World`].
//!
//! This is the only place of the program that reads a clock or waits. It looks at the bus through
//! `modem-discovery` and neither prints nor decides anything.
#![forbid(unsafe_code)]

mod cancel;
mod tty;
mod world;

pub use cancel::Canceller;
pub use world::LinuxWorld;
