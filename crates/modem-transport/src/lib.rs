//! The Linux world: ttys and control ports, `poll(2)`, signals and the clock behind [`modem_world::World`].
//!
//! This is the only place of the program that reads a clock or waits. It looks at the bus through
//! `modem-discovery` and neither prints nor decides anything.
#![deny(unsafe_code)]

mod bus;
mod cancel;
mod lock;
#[cfg(feature = "modem-manager")]
mod logind;
mod modem_manager;
mod port;
mod proxy;
mod question;
mod tty;
mod wdm;
mod world;

pub use cancel::Canceller;
pub use question::{Questions, Typed};
pub use world::LinuxWorld;
