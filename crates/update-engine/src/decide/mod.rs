//! Decisions before anything is changed: images against modem, versions and the ways between them, the plan, what is sent.

mod boot_id;
pub mod checks;
mod firmware;
pub mod fit;
mod goal;
mod shipment;
pub(crate) mod target;

pub(crate) use boot_id::{Agreed, Reach, reach};
pub use boot_id::{BootIds, boot_ids};
pub use firmware::Firmware;
pub(crate) use firmware::ImageName;
pub(crate) use fit::Nature;
pub(crate) use goal::{
    AskedImages, Before, Goal, Pass, Which, check_slot, check_talkative, has_stored, is_as_wanted,
};
pub(crate) use shipment::Shipment;
