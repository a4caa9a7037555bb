//! From sysfs and kernel uevents to: this port belongs to this USB device.
//!
//! [`Sysfs`] reads the kernel's description of the bus below a root directory that comes in as an argument, so
//! that tests can build a tree of their own. [`UeventSocket`] hears of changes without libudev, and
//! [`Sysfs::holder`] names the process that has a port open. [`Sysfs::will_bind`] says before a modem is restarted whether a
//! driver will take it. Nothing in here waits, and nothing opens a port.
//!
//! What comes from the bus is hostile: a device chooses its strings, and every file may be missing, because the
//! device may leave between two reads.
#![forbid(unsafe_code)]

mod binding;
mod devices;
mod holder;
mod host;
mod loading;
mod local_rules;
mod lock;
mod module_tables;
mod sysfs;
mod uevent;
mod uevent_socket;

pub use holder::{Holder, process_name};
pub use host::PowerBefore;
pub use lock::{LockKind, LockPoint};
pub use sysfs::{Snapshot, Sysfs};
pub use uevent::{Action, Uevent, UeventError, UsbProduct};
pub use uevent_socket::{Received, UeventSocket};
