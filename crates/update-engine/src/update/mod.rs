//! An update from whatever state the modem is in to versions that were read back; of one modem or of several.
//!
//! The way of an update is a sequence of [`Stage`]s, each of which is a value: `stages` has them, `updating` goes from one to the
//! next. What each stage does stands where its name says: `look`, `tell`, `enter`, `send`, `follow`; all work on what `work` holds. A run that goes on from another one begins with `arrive`.

mod arrive;
mod enter;
pub mod fleet;
mod follow;
mod look;
mod put_back;
mod read_back;
mod restart;
mod send;
mod stages;
mod tell;
mod updating;
mod whole;
mod work;

pub use stages::{Checkpoint, Course, Stage};
pub use updating::{Advanced, Updating};
pub use whole::{prepare, update, update_asking};
