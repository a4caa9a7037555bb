//! AT commands: the text protocol of a modem in normal mode (at.md).
//!
//! [`Collector`] makes an [`Answer`] from the bytes that a port delivers. [`parse`] reads the answers that the
//! specification shows. [`command`] lists what may be sent and what it does. [`session`] is the host's side of a
//! port, and [`reply`] is the modem's side.

pub mod answer;
pub mod command;
mod line;
pub mod parse;
pub mod reply;
pub mod session;

pub use answer::{Answer, Code, Collector, Final};
pub use command::Command;
pub use reply::Reply;
pub use session::Session;
