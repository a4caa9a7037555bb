//! A modem: what the bus shows, what the device table knows, and how a user names and chooses it.

mod device_id;
pub mod devices;
mod on_bus;
mod radio;
pub mod selector;

pub use device_id::DeviceId;
pub(crate) use devices::{Device, Passage, Quirk, Standing, VERSION_RULES, Version};
pub use on_bus::{ControlPort, Language, Mode, Modem, Ports, modems};
pub use radio::Radio;
pub use selector::Selector;
pub(crate) use selector::{line, masked};
