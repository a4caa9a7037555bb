//! What tests of several crates need. A dev-dependency only: nothing of it is in a released program.
#![deny(unsafe_code)]

mod heap;
mod one_port;
mod usb_devices;

pub use heap::{Alone, CountingAllocator};
pub use one_port::{Behind, OnePort, PORT};
pub use usb_devices::build_tree;
