//! Time as a value.

use core::ops::{Add, AddAssign, Sub};
use core::time::Duration;

/// A moment: the time since the start of the run.
///
/// This crate never reads a clock: the caller hands in the time, so that it can be virtual. Nothing panics: additions
/// saturate at [`Instant::FAR`], and the difference of two moments is zero if the second is later.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Instant(Duration);

impl Instant {
    /// The start of the run.
    pub const START: Self = Self(Duration::ZERO);
    /// Later than everything.
    pub const FAR: Self = Self(Duration::MAX);

    /// The moment `since_start` after the start of the run.
    pub const fn from_start(since_start: Duration) -> Self {
        Self(since_start)
    }

    /// The time since the start of the run.
    pub const fn since_start(self) -> Duration {
        self.0
    }

    /// The time from `earlier` to this moment; zero if `earlier` is later.
    pub const fn since(self, earlier: Self) -> Duration {
        self.0.saturating_sub(earlier.0)
    }
}

impl Add<Duration> for Instant {
    type Output = Self;
    fn add(self, span: Duration) -> Self {
        Self(self.0.saturating_add(span))
    }
}

impl AddAssign<Duration> for Instant {
    fn add_assign(&mut self, span: Duration) {
        *self = *self + span;
    }
}

impl Sub for Instant {
    type Output = Duration;
    fn sub(self, earlier: Self) -> Duration {
        self.since(earlier)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn additions_and_differences_saturate() {
        assert_eq!(Instant::FAR + Duration::from_secs(1), Instant::FAR);
        assert_eq!(Instant::START - Instant::FAR, Duration::ZERO);
        assert_eq!(
            Instant::START + Duration::from_secs(2),
            Instant::from_start(Duration::from_secs(2))
        );
    }
}
