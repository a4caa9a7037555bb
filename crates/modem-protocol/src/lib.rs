//! The protocols of Sierra Wireless modems as pure state machines.
//!
//! Time and bytes come in as values, and what to do next comes out as values. The crate uses no files, sockets,
//! threads or clock; `no_std` makes the compiler enforce that. There is one file per layer: the `message` modules
//! turn bytes into types and back, for both sides of the wire, and the conversations next to them are the host's
//! side. The modem's side of the conversations is in the crate `virtual-modem`.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;
#[cfg(test)]
extern crate std;

pub mod at;
pub mod bytes;
pub mod control;
pub mod conversation;
pub mod firehose;
pub mod first_answer;
pub mod hdlc;
pub mod mbim;
mod numbers;
mod outbox;
pub mod qdl;
pub mod qmi;
pub mod sahara;
pub mod time;

pub use bytes::ParseError;
pub use conversation::{Action, Conversation, ProtocolError, Report};
pub use time::Instant;
