//! A Sierra Wireless modem in software.
//!
//! [`VirtualModem`] is the modem itself: a state machine without IO. It remembers what was written to it,
//! takes the time that real modems take, and has every habit and fault that its [`Setup`] names. The modem is
//! strict: it refuses what a real boot loader would not accept, and records it as a [`Violation`]. Front ends
//! connect the modem to a host: a simulated bus with a virtual clock, a pseudo-terminal, or the kernel's USB
//! stack.
//!
//! # Example
//!
//! A simulated modem that will stall in the middle of its first image:
//!
//! ```
//! use modem_world::{Instant, Interest, Wake, World};
//! use modemflash_virtual_modem::{Profile, Setup, simulated::SimulatedWorld};
//!
//! let mut setup = Setup::of(Profile::named("EM7565").expect("a known model"));
//! setup.faults = "stall@1048576:30s".parse()?;
//! let mut world = SimulatedWorld::new(setup);
//! let port = world.find(SimulatedWorld::LINK)?;
//! let handle = world.open(&port.id)?;
//! // The clock jumps to the hello of the modem's boot loader.
//! assert_eq!(world.wait(&[Interest::Readable(handle)], Instant::FAR), Wake::Readable(handle));
//! let mut hello = [0; 64];
//! assert_eq!(world.try_read(handle, &mut hello)?, 48);
//! # assert_eq!(hello[..8], [1, 0, 0, 0, 48, 0, 0, 0]);
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
