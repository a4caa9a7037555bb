//! The functions that the fuzzers call: one for each parser that sees bytes from a device or a file.
//!
//! Each function accepts any bytes and must return soon. It panics if a promise is broken: what can be parsed
//! can be written and parsed again, and a stream may be split anywhere. `fuzz/` has a fuzzer for each
//! function. The test of this crate replays the corpora, so that every vector and every earlier finding is
//! tested even where no fuzzer can run.
#![forbid(unsafe_code)]
#![allow(
    clippy::panic,
    clippy::expect_used,
    reason = "a broken promise is reported by a panic"
)]

mod at;
mod control;
mod discovery;
mod image;
mod protocol;
mod world;

/// A function that the fuzzer calls.
pub type Target = fn(&[u8]);

/// All targets, by the names of their corpora. A new target also needs `fuzz/fuzz_targets/NAME.rs` and its
/// `[[bin]]`.
pub const TARGETS: &[(&str, Target)] = &[
    ("archive", image::archive),
    ("at_answer", at::answer),
    ("at_session", at::session),
    ("control_session", control::control_session),
    ("cwe_inspector", image::cwe_inspector),
    ("cwe_header", image::cwe_header),
    ("firehose_answer", protocol::firehose_answer),
    ("firehose_request", protocol::firehose_request),
    ("firehose_session", protocol::firehose_session),
    ("first_answer", protocol::first_answer),
    ("hdlc", protocol::hdlc),
    ("mbim", control::mbim),
    ("nvup", image::nvup),
    ("qdl_request", protocol::qdl_request),
    ("qdl_response", protocol::qdl_response),
    ("qdl_session", protocol::qdl_session),
    ("qmi_frame", control::qmi_frame),
    ("qmi_message", control::qmi_message),
    ("sahara", protocol::sahara),
    ("sahara_session", protocol::sahara_session),
    ("sfx", image::sfx),
    ("trace", world::trace),
    ("uevent", discovery::uevent),
    ("versions", image::versions),
];

/// Calls the target with this name.
///
/// # Panics
/// There is no such target, or the target found something.
pub fn run(name: &str, bytes: &[u8]) {
    let (_, target) = TARGETS
        .iter()
        .find(|(known, _)| *known == name)
        .expect("a name from TARGETS");
    target(bytes);
}

/// The same bytes cut into pieces of several sizes; the first cut is the whole.
fn pieces(bytes: &[u8]) -> impl Iterator<Item = std::slice::Chunks<'_, u8>> {
    [bytes.len().max(1), 1, 7, 64]
        .into_iter()
        .map(|size| bytes.chunks(size))
}
