//! The Linux world: ttys and control ports, `poll(2)`, signals and the clock behind [`modem_world::World`].
//!
//! This is the only place in the program that reads a clock or waits. It looks at the bus through
//! `modem-discovery`; it prints nothing and decides nothing.
//!
//! # Example
//!
//! List the modems of Sierra Wireless on this host:
//!
//! ```
//! use modemflash_modem_transport::LinuxWorld;
//! use modem_world::World;
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
//! # let root = tree.path();
//! let mut world = LinuxWorld::with_root(root)?; // `LinuxWorld::new()` for the real host
//! let mut modems = world.devices()?;
//! modems.retain(|modem| modem.device.vendor == 0x1199);
//! for modem in &modems {
//!     println!("{} at {}", modem.device.id(), modem.device.path);
//! }
//! world.finish()?;
//! # let [modem] = modems.as_slice() else { panic!("{modems:?}") };
//! # assert_eq!((modem.device.id().as_str(), modem.device.path.as_str()), ("1199:9071", "1-1"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![deny(unsafe_code)]

mod bus;
mod cancel;
mod host;
mod lent;
mod lock;
#[cfg(feature = "modem-manager")]
mod logind;
mod modem_manager;
mod port;
mod proxy;
mod question;
mod tty;
mod usbfs;
mod wdm;
mod world;

pub use cancel::Canceller;
pub use question::{Questions, Typed};
pub use world::LinuxWorld;
