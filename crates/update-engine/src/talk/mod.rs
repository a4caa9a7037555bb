//! Talks to the running firmware, over a control port (QMI, MBIM) or an AT port, and reads what the firmware reports about
//! the modem.

mod at_port;
mod control;
mod find;
mod reading;

pub(crate) use control::{OPEN_PATIENCE, PATIENCE};
pub use find::find_one;
pub(crate) use find::{Look, find_patiently, look_at, look_at_all};
pub(crate) use reading::is_unheard;
