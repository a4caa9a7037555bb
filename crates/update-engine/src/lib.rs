//! What to do with a modem, in which order, and what to say about it.
//!
//! [`prepare()`] looks at the port and the images and makes a [`Plan`]; [`flash()`]
//! carries it out. Both work on a [`modem_world::World`] and know neither Linux nor the simulation. Facts about
//! the run go to the caller as [`Event`]s; the end is an [`Outcome`] or an [`UpdateError`], which says what is
//! true of the modem and what to do.
//!
//! Nothing in here prints, reads arguments or the environment, or waits anywhere but in
//! [`World::wait`](modem_world::World::wait).
#![forbid(unsafe_code)]

pub mod checks;
pub mod codes;
mod detect;
mod device_id;
pub mod devices;
mod download;
mod driver;
mod error;
mod event;
mod firmware;
pub mod flash;
mod link;
mod outcome;
mod plan;
mod run;
mod teller;
mod watch;

pub use checks::{Request, prepare};
pub use codes::{ALL_CODES, Code};
pub use device_id::DeviceId;
pub use error::{Advice, Cause, Failure, Layer, ModemState, UpdateError};
pub use event::{Event, EventKind, SCHEMA_VERSION, Step};
pub use firmware::Firmware;
pub use flash::flash;
pub use outcome::{Accepted, Outcome};
pub use plan::{Plan, PlannedImage, PlannedStep, Protocol, Warning};
