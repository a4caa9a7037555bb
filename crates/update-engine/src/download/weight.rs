//! How long the parts of a run take, in seconds. All values are estimates. They weigh the progress of a download and make up
//! the estimate of a plan.

use firmware_image::Family;

use crate::modem::{Opening, Protocol};

/// Detection and the start of the protocol, as the progress of a download counts them.
pub(crate) const START: f64 = 3.0;
/// The reset and leaving the bus (sahara-firehose.md §5.4: within a second or so).
pub(crate) const RESET: f64 = 2.0;
/// Asking a modem, or telling it something.
pub(crate) const TALK: f64 = 1.0;
/// From the request until the boot loader's port is there: 5 to 25 s (linux.md §5).
pub(crate) const ENTER: f64 = 10.0;
/// Reading the versions back: the modem has to stay on the bus for 3 s, and answers "not ready" for some seconds.
pub(crate) const READ_BACK: f64 = 5.0;
/// The bytes that a modem takes per second. No source tells it; with finalising, a 64 MB image for an MC7710 or EM7455 comes to
/// about a minute (update-flow.md §3.1).
const BYTES_PER_S: f64 = 10_000_000.0;
/// Finalising a large image: 50 s for 64 MB in QDL (qdl.md §8, vector 18), 10 to 90 s for 80 MB in Firehose
/// (sahara-firehose.md §5.2). Small images take a proportionally smaller part of that.
const FINALISED_BYTES_PER_S: f64 = 1_400_000.0;
/// Opening an image, and the silence around its end.
const EACH_IMAGE: f64 = 0.5;

/// The weights of writing and of finalising an image.
pub(crate) fn of_image(_: Protocol, bytes: u64) -> (f64, f64) {
    // The conversion loses bits only above 2^53, and a weight doesn't need them.
    let bytes = bytes as f64;
    (bytes / BYTES_PER_S, EACH_IMAGE + bytes / FINALISED_BYTES_PER_S)
}

/// Detecting the boot loader: a hello that comes by itself comes within a second, and one of two boot loaders that may have to
/// be asked needs 5 s (sahara-firehose.md §6; how many of them need it isn't known).
pub(crate) const fn of_detection(opening: Option<Opening>) -> f64 {
    match opening {
        Some(Opening::Qdl | Opening::Sahara) => 0.5,
        Some(Opening::SaharaAsked) | None => 2.5,
    }
}

/// The start of the protocol.
pub(crate) const fn of_start(opening: Option<Opening>) -> f64 {
    match opening {
        Some(Opening::Qdl) => 0.5,
        // The silences that Sahara and Firehose need, and up to 2 s after enumeration.
        Some(Opening::Sahara | Opening::SaharaAsked) | None => 2.0,
    }
}

/// How long the modem's firmware needs to be on the bus again. Only the 70 s of 9x30 come from a source (field-reports.md D8);
/// linux.md §5 gives 30 to 180 s for all.
pub(crate) fn of_boot(families: &[Family]) -> f64 {
    let of = |family: &Family| match family {
        Family::Swi9x30 => 70.0,
        Family::Swi9x50 | Family::Sdx12 | Family::Sdx55 | Family::Sdx65 => 35.0,
        _ => 25.0,
    };
    families.iter().map(of).fold(25.0, f64::max)
}

/// How long a modem that doesn't run what was requested is asked again before it is told once more (update-flow.md §8).
pub(crate) const MISMATCH: f64 = 60.0;

/// Whether modems of all these families take a firmware preference (update-flow.md §2).
pub(crate) fn has_preferences(families: &[Family]) -> bool {
    let takes = |family: &Family| {
        !matches!(
            family,
            Family::Gobi1000
                | Family::Gobi2000
                | Family::Gobi3000
                | Family::Swi9200
                | Family::Swi9x40
                | Family::Unknown(_)
        )
    };
    !families.is_empty() && families.iter().all(takes)
}
