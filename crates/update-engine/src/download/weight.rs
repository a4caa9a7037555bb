//! The weights of the parts of a download: estimates of the time that each takes, in seconds.

use crate::modem::Protocol;

/// Estimate for detection and the start of the protocol.
pub(crate) const START: f64 = 3.0;
/// Estimate for the reset and leaving the bus (sahara-firehose.md §5.4: within a second or so).
pub(crate) const RESET: f64 = 2.0;
/// Estimate of the bytes that a modem writes per second: a 64 MB image for an MC7710 or EM7455 takes about a
/// minute (update-flow.md §3.1).
const BYTES_PER_S: f64 = 1_000_000.0;
/// The longest finalising seen, with the largest images: 50 s in QDL (qdl.md §8, vector 18), 90 s in Firehose
/// (sahara-firehose.md §5.2). Estimate: small images take a proportionally smaller part of that.
const QDL_FINALISE: f64 = 50.0;
const FIREHOSE_FINALISE: f64 = 90.0;
/// The size of those largest images, in bytes.
const LARGE: f64 = 64_000_000.0;

/// The weights of writing and of finalising an image.
pub(crate) fn of_image(protocol: Protocol, bytes: u64) -> (f64, f64) {
    // The conversion loses bits only above 2^53, and a weight doesn't need them.
    let bytes = bytes as f64;
    let longest = match protocol {
        Protocol::Qdl => QDL_FINALISE,
        Protocol::SaharaFirehose => FIREHOSE_FINALISE,
    };
    (bytes / BYTES_PER_S, 1.0 + longest * (bytes / LARGE).min(1.0))
}
