//! A modem: what the bus shows, what the device table knows, what the firmware reports, and how the user
//! names and chooses a modem.

mod by_at;
mod device_id;
pub mod devices;
mod facts;
pub(crate) mod ids;
mod image;
mod lacks;
mod mode;
mod on_bus;
pub(crate) mod on_pcie;
mod ports;
mod pre_production;
mod protocol;
mod radio;
mod roles;
pub mod selector;
pub mod standing;
mod versions;

pub use device_id::DeviceId;
pub(crate) use devices::{Device, Passage, Quirk, VERSION_RULES, Version};
pub(crate) use facts::version_in;
pub use facts::{AskedOver, Facts};
pub use image::Image;
pub use lacks::Lack;
pub use mode::Mode;
pub use modem_protocol::qmi::dms::ImageType;
pub use on_bus::{Modem, modems};
pub use ports::{ControlPort, Language, Ports};
pub(crate) use pre_production::is_pre_production;
pub(crate) use protocol::Opening;
pub use protocol::Protocol;
pub use radio::Radio;
pub use roles::Role;
pub use selector::Selector;
pub(crate) use selector::{line, masked};
pub use standing::Standing;
pub use versions::{Given, Trio};
