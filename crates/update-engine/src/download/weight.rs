//! What the parts of a download weigh, in seconds that they roughly take.

use crate::modem::Protocol;

/// Detection and start of the protocol.
pub(crate) const START: f64 = 3.0;
/// Reset and leaving the bus (sahara-firehose.md §5.4: within a second or so).
pub(crate) const RESET: f64 = 2.0;
/// Bytes that a modem writes in a second: a 64 MB image of an MC7710 or EM7455 takes about a minute
/// (update-flow.md §3.1).
const BYTES_PER_S: f64 = 1_000_000.0;
/// The longest finalising seen, for the largest images: 50 s in QDL (qdl.md §8, vector 18), 90 s in Firehose
/// (sahara-firehose.md §5.2). Small images take a small part of it.
const QDL_FINALISE: f64 = 50.0;
const FIREHOSE_FINALISE: f64 = 90.0;
/// Size of those images in bytes.
const LARGE: f64 = 64_000_000.0;

/// Writing and finalising of an image.
pub(crate) fn of_image(protocol: Protocol, bytes: u64) -> (f64, f64) {
    // A size above 2^53 loses bits that a weight doesn't need.
    let bytes = bytes as f64;
    let longest = match protocol {
        Protocol::Qdl => QDL_FINALISE,
        Protocol::SaharaFirehose => FIREHOSE_FINALISE,
    };
    (bytes / BYTES_PER_S, 1.0 + longest * (bytes / LARGE).min(1.0))
}
