//! One run on one modem.
//!
//! A [`Run`] is made of parts (`parts`), each of which guards its own fields. What a run does with them stands in the other files, by
//! subject.

mod claim;
mod confirm;
mod converse;
mod drive;
mod follow;
mod host;
mod open_port;
mod parts;
mod passing;
mod port;
mod services;
mod session;
mod set_up;
mod side_by_side;
mod slot;
mod stops;
mod teller;
mod truth;
mod whereabouts;

pub(crate) use claim::{Patience, Target};
pub(crate) use drive::{DriveError, Note};
pub(crate) use follow::{LEAVE_LIMIT, RETURN_LIMIT};
pub(crate) use parts::Run;
pub(crate) use passing::Awaited;
pub(crate) use port::HOLDER_LIMIT;
pub(crate) use session::{AtSaid, AtSession, ControlSaid, ControlSession, Session};
pub(crate) use set_up::{Start, begin, refuse, resume};
pub(crate) use side_by_side::side_by_side;
pub(crate) use slot::{ImageFeed, NoImages};
pub(crate) use stops::Heed;
pub(crate) use teller::{Deed, Teller, TellerState};
pub(crate) use whereabouts::KnownPlace;
