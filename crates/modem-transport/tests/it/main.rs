//! The integration tests of this crate, in one program: it is linked once.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

#[cfg(feature = "modem-manager")]
mod bus;
mod control_ports;
mod locks;
#[cfg(feature = "modem-manager")]
mod modem_manager;
mod process;
mod questions;
mod signals;
