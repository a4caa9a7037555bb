//! The integration tests of this crate, in one program: it is linked once.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod at_answer;
mod at_field;
mod at_parse;
mod at_session;
mod bench;
mod common;
mod control_session;
mod firehose_garbled;
mod firehose_host;
mod firehose_messages;
mod firehose_session;
mod firehose_start;
mod first_answer;
mod mbim_vectors;
mod qdl_faults;
mod qdl_session;
mod qdl_vectors;
mod qmi;
mod sahara_messages;
mod sahara_switch;
