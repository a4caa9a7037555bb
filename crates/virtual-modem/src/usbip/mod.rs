//! The front end on the kernel's USB stack: the modem is a device behind `vhci_hcd`, so that the real drivers
//! bind to it and any program can use it. For the kernel lab; needs root.
//!
//! [`wire`], [`descriptors`], [`control`], [`port`] and [`device`] do no IO; [`vhci`] has the socket, the
//! clock and sysfs.

pub mod control;
pub mod descriptors;
pub mod device;
pub mod port;
pub mod vhci;
pub mod wire;
