//! The front end on the kernel's USB stack: the modem as a device behind `vhci_hcd`, where the real drivers bind
//! to it and any program can be pointed at it. For the kernel lab; needs root.
//!
//! [`wire`], [`descriptors`], [`control`], [`port`] and [`device`] are without IO; [`vhci`] owns socket, clock and sysfs.

pub mod control;
pub mod descriptors;
pub mod device;
pub mod port;
pub mod vhci;
pub mod wire;
