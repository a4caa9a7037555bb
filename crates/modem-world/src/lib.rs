//! The seam between the update engine and the world.
//!
//! The engine sees the world through the one trait [`World`]: the time, one call that waits, the USB devices
//! and their ports, and the few things it may ask of the host. Two worlds implement the trait: Linux
//! (`modem-transport`), and a simulated one with a virtual clock (`virtual-modem`). The wrappers in this
//! crate implement it on top of another world: they record, replay or damage the traffic.
//!
//! Only [`World::wait`] waits; everything else returns at once.
#![forbid(unsafe_code)]

mod bus;
mod claim;
mod damaged;
mod error;
mod holder;
mod mask;
mod pci;
mod recorder;
mod replayer;
pub mod trace;
mod world;

pub use bus::{Attached, Endpoints, PortId, PortInfo, PortKind, UsbDevice, UsbInterface, UsbPath};
pub use claim::{ClaimError, LockHolder, Spot};
pub use damaged::{Damage, Damaged};
pub use error::{DiscoveryError, HostError, PortError, PortErrorKind};
pub use holder::{PortHolder, Program};
pub use modem_protocol::Instant;
pub use pci::{PciModem, WwanPort};
pub use recorder::Recorder;
pub use replayer::{Difference, Replayer};
pub use world::{Binding, Host, Inhibition, Interest, PortHandle, Wake, World};
