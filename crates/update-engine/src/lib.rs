//! What to do with a modem, in which order, and what to say about it.
//!
//! [`prepare()`] looks at the modem and the images and makes a [`Plan`]; [`update()`]
//! carries it out. Both work on a [`modem_world::World`] and know neither Linux nor the simulation. Facts about
//! the run go to the caller as [`Event`]s; the end is an [`Outcome`] or an [`UpdateError`], which says what is
//! true of the modem and what to do.
//!
//! Nothing in here prints, reads arguments or the environment, or waits anywhere but in
//! [`World::wait`](modem_world::World::wait).
#![forbid(unsafe_code)]

mod at_port;
mod boot_id;
mod cause;
pub mod checks;
mod claim;
pub mod codes;
mod control;
mod detect;
mod device_id;
pub mod devices;
mod download;
mod driver;
mod entry;
pub mod errand;
mod error;
mod event;
pub mod exit;
mod facts;
mod firmware;
pub mod fit;
pub mod fleet;
mod follow;
mod goal;
mod host;
mod link;
pub mod modem;
mod outcome;
mod plan;
mod put_back;
mod radio;
mod read_back;
mod run;
mod running;
pub mod selector;
pub mod survey;
mod target;
mod teller;
pub mod update;
mod watch;

pub use boot_id::{BootIds, boot_ids};
pub use cause::{Cause, Layer};
pub use checks::Request;
pub use codes::{ALL_CODES, Code};
pub use control::ControlChoice;
pub use device_id::DeviceId;
pub use error::{Advice, Failure, ModemState, UpdateError};
pub use event::{Event, EventKind, SCHEMA_VERSION, Step};
pub use facts::{Facts, Image};
pub use firmware::Firmware;
pub use modem::Modem;
pub use outcome::{Accepted, Outcome, Unchanged, Updated};
pub use plan::{Plan, PlannedImage, PlannedStep, Protocol, Warning};
pub use radio::Radio;
pub use selector::Selector;
pub use target::{Given, Trio};
pub use update::{prepare, update, update_asking};
