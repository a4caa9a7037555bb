//! An update from whatever state the modem is in to versions that were read back; of one modem or of several.

pub mod fleet;
mod put_back;
mod read_back;
mod restart;
mod running;
mod whole;

pub use whole::{prepare, update, update_asking};
