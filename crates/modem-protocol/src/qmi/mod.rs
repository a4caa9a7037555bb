//! QMI, the control protocol of a modem in normal mode: frames, the control service and the part of the device
//! management service that concerns firmware (qmi.md). Messages of both sides are covered.

pub mod ctl;
pub mod dms;
pub mod error;
pub mod frame;
pub mod tlv;

pub use error::QmiError;
pub use frame::{Frame, Framer, Kind, Service};
pub use tlv::Tlvs;
