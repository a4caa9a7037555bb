//! Real time.

use std::time::{Duration, Instant};

/// The present moment.
#[allow(clippy::disallowed_methods, reason = "the guest runs in real time")]
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// The moment in so much time.
pub(crate) fn within(span: Duration) -> Instant {
    now() + span
}
