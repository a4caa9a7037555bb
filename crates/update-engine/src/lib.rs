//! What to do with a modem, in which order, and what to say about it.
//!
//! [`prepare`](checks::prepare) looks at the port and the images and makes a [`Plan`]; [`flash`](flash::flash)
//! carries it out. Both work on a [`modem_world::World`] and know neither Linux nor the simulation. Facts about
//! the run go to the caller as [`Event`]s; the end is an [`Outcome`] or an [`UpdateError`], which says what is
//! true of the modem and what to do.
//!
//! Nothing in here prints, reads arguments or the environment, or waits anywhere but in
//! [`World::wait`](modem_world::World::wait).
#![forbid(unsafe_code)]

pub mod codes;
mod device_id;
pub mod devices;
mod error;
mod event;
mod outcome;
mod plan;

pub use codes::{ALL_CODES, Code};
pub use device_id::DeviceId;
pub use devices::Family;
pub use error::{Advice, Cause, Failure, Layer, ModemState, UpdateError};
pub use event::{Event, EventKind, SCHEMA_VERSION, Step};
pub use outcome::{Accepted, Outcome};
pub use plan::{Plan, PlannedImage, PlannedStep, Protocol, Warning};
