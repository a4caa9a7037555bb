//! The integration tests of this crate, in one program: it is linked once.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod common;
mod faults;
mod firehose;
mod firehose_line_feeds;
mod firmware_at;
mod firmware_flow;
mod firmware_mbim;
mod firmware_qmi;
mod hostile;
mod passing;
mod pty;
mod qdl;
mod sahara;
mod simulated;
mod simulated_names;
mod simulated_normal;
