//! Talking to the running firmware: over a control port (QMI, MBIM) or an AT port, and reading what it says of itself.

mod at_port;
mod control;
mod facts;

pub(crate) use at_port::AtPort;
pub use control::ControlChoice;
pub(crate) use control::{Control, OPEN_PATIENCE, PATIENCE};
pub use facts::{Facts, Image};
pub(crate) use facts::{Talk, is_unheard};
