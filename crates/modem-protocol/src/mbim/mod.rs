//! MBIM, the control channel of modems in MBIM composition, as far as it carries QMI (mbim.md). Messages of both
//! sides are covered.

pub mod fragment;
pub mod message;
pub mod proxy;
pub mod qmi;
pub mod subscribe;

pub use fragment::{FragmentError, Reassembler};
pub use message::{Body, CommandKind, Message, ProtocolFault, ServiceId, Status};
