//! An update of one modem or several: it starts from any state that the modem is in, and ends when the versions are read back.
//!
//! An update is a sequence of [`Stage`]s. Each stage is a value: `stages` defines them, `updating` goes from one to the next.
//! What the stages do is in the files `look`, `tell`, `enter`, `send` and `follow`. All of them work on what `work` holds.

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
