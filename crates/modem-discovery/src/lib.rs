//! Finds USB devices, their interfaces and their ports from sysfs and kernel uevents.
//!
//! [`Sysfs`] reads the kernel's description of the bus below a root directory. The root comes in as an
//! argument, so that tests can build a tree of their own. [`UeventSocket`] receives changes of the bus
//! without libudev, and [`Sysfs::holder`] names the process that has a port open. [`Sysfs::will_bind`] tells
//! before a modem is restarted whether a driver will take it. Nothing in this crate waits, and nothing opens
//! a port.
//!
//! Data from the bus is hostile: a device chooses its own strings, and any file may be missing, because the
//! device may leave between two reads.
//!
//! # Example
//!
//! List the modems of Sierra Wireless on this host:
//!
//! ```
//! use modemflash_modem_discovery::Sysfs;
//!
//! # // A made-up tree with one modem, so that the example has something to find on every host.
//! # let tree = tempfile::tempdir()?;
//! # let put = |path: &str, text: &str| {
//! #     let path = tree.path().join(path);
//! #     std::fs::create_dir_all(path.parent().unwrap()).and_then(|()| std::fs::write(path, text))
//! # };
//! # put("sys/bus/usb/devices/1-1/idVendor", "1199\n")?;
//! # put("sys/bus/usb/devices/1-1/idProduct", "9071\n")?;
//! # put("sys/bus/usb/devices/1-1/devnum", "4\n")?;
//! # put("sys/bus/usb/devices/1-1/1-1:1.3/bInterfaceClass", "ff\n")?;
//! # put("sys/bus/usb/devices/2-1/idVendor", "0403\n")?;
//! # put("sys/bus/usb/devices/2-1/idProduct", "6001\n")?;
//! # put("sys/bus/usb/devices/2-1/devnum", "2\n")?;
//! # std::fs::create_dir_all(tree.path().join("sys/class/tty"))?;
//! # let link = "../../devices/pci0000:00/usb1/1-1/1-1:1.3/ttyUSB2/tty/ttyUSB2";
//! # std::os::unix::fs::symlink(link, tree.path().join("sys/class/tty/ttyUSB2"))?;
//! # let root = tree.path();
//! let sysfs = Sysfs::new(root); // `Sysfs::default()` reads the real `/sys`
//! let mut modems = sysfs.devices()?;
//! modems.retain(|modem| modem.device.vendor == 0x1199);
//! for modem in &modems {
//!     println!("{} at {}", modem.device.id(), modem.device.path);
//!     for port in &modem.ports {
//!         println!("  {}, interface {:?}", port.id, port.interface);
//!     }
//! }
//! # let [modem] = modems.as_slice() else { panic!("{modems:?}") };
//! # assert_eq!((modem.device.id().as_str(), modem.device.path.as_str()), ("1199:9071", "1-1"));
//! # assert_eq!(modem.ports[0].id.as_str(), "/dev/ttyUSB2");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![forbid(unsafe_code)]

mod binding;
mod devices;
mod holder;
mod host;
mod loading;
mod local_rules;
mod lock;
mod module_tables;
mod pci;
mod sysfs;
mod uevent;
mod uevent_socket;

pub use holder::process_name;
pub use host::PowerBefore;
pub use lock::{LockKind, LockPoint};
pub use sysfs::{Snapshot, Sysfs};
pub use uevent::{Action, Uevent, UeventError, UsbProduct};
pub use uevent_socket::{Received, UeventSocket};
