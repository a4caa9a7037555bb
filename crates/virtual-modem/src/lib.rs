//! A Sierra Wireless modem in software.
//!
//! [`VirtualModem`] is the modem itself: a state machine without IO, with a memory of what was written to it,
//! real timings, and every habit and fault that its profile and its script name. It is strict: what a real boot
//! loader would not accept is refused and recorded as a [`Violation`]. Front ends connect it to a host: a simulated
//! bus with a virtual clock, a pseudo-terminal, the kernel's USB stack.
#![forbid(unsafe_code)]

mod modem;
#[cfg(feature = "vhci")]
pub mod usbip;

pub use modem::{Output, Violation, VirtualModem};
