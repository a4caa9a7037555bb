//! One run on one modem: the world, the modem's place, its port, the host's services, and who tells the events.

pub(crate) mod claim;
mod confirm;
mod converse;
mod drive;
mod follow;
mod host;
mod parts;
mod port;
mod session;
mod teller;

pub(crate) use claim::{Found, Patience};
pub(crate) use drive::{DriveError, ImageFeed, Note, drive};
pub(crate) use follow::{LEAVE_LIMIT, RETURN_LIMIT};
pub(crate) use parts::Run;
pub(crate) use port::HOLDER_LIMIT;
pub(crate) use session::{AtSaid, AtSession, ControlSaid, ControlSession, Session};
pub(crate) use teller::{Deed, Teller};
