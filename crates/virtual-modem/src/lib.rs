//! A Sierra Wireless modem in software.
//!
//! [`VirtualModem`] is the modem itself: a state machine without IO, with a memory of what was written to it,
//! real timings, and every habit and fault that its [`Setup`] names. It is strict: what a real boot
//! loader would not accept is refused and recorded as a [`Violation`]. Front ends connect it to a host: a simulated
//! bus with a virtual clock, a pseudo-terminal, the kernel's USB stack.
//!
//! ```
//! use modem_world::{Instant, Interest, Wake, World};
//! use modemflash_virtual_modem::{Profile, Setup, simulated::SimulatedWorld};
//!
//! let mut setup = Setup::of(Profile::named("EM7565").expect("a known model"));
//! setup.faults = "stall@1048576:30s".parse()?;
//! let mut world = SimulatedWorld::new(setup).choppy(7);
//! let port = world.find(SimulatedWorld::LINK)?;
//! let handle = world.open(&port.id)?;
//! // The clock jumps to the modem's hello.
//! assert_eq!(world.wait(&[Interest::Readable(handle)], Instant::FAR), Wake::Readable(handle));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![forbid(unsafe_code)]

mod board;
pub mod capabilities;
pub mod fault;
mod firehose;
mod firmware;
pub mod layout;
mod loader;
mod memory;
mod modem;
pub mod profile;
#[cfg(feature = "pty")]
pub mod pty;
mod qdl;
pub mod quirk;
pub mod random;
mod sahara;
pub mod simulated;
pub mod storage;
#[cfg(feature = "vhci")]
pub mod usbip;
mod violation;

pub use fault::{Fault, FaultScript};
pub use layout::{Appearance, ControlProtocol, Function, FunctionKind, Layout};
pub use memory::{Contents, ImageState, Keep, StoredImage};
pub use modem::{Firmware, Output, Setup, VirtualModem};
pub use profile::Profile;
pub use quirk::{Mode, Quirks};
pub use storage::{Selection, Storage};
pub use violation::{Violation, Wrong};
