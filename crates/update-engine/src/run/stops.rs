//! Wishes to stop, and when they are heeded.

use modem_world::Wake;

use crate::told::Cause;

/// When a first wish to stop is heeded. A second one ends the wait at once, except while a session is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Heed {
    /// At once: nothing is half done.
    AtOnce,
    /// When the modem is back on the bus: until then nobody knows where it is.
    WhenBack,
    /// When the modem has left the bus with all its images: nothing is safer than to let it restart.
    WhenGone,
    /// After the present request: a request is short, and half of one helps nobody.
    AfterRequest,
    /// When the session is closed, within a few seconds, whatever the user asks: half a close leaves an MBIM port deaf to the next
    /// program (field-reports.md D12).
    AfterClose,
}

impl Heed {
    /// When a first wish is heeded, in words for the user; none when that is at once.
    pub(super) fn words(self) -> Option<String> {
        let when = match self {
            Self::AtOnce => return None,
            Self::WhenBack => "when the modem is back on the bus",
            Self::WhenGone => "when the modem has left to restart, within seconds",
            Self::AfterRequest | Self::AfterClose => "after the present request",
        };
        Some(format!("{when}; press Ctrl-C once more to stop now"))
    }

    /// What a wish that isn't put off ends the wait with: a second one, or the first one where that is heeded at once. None where the wait
    /// goes on all the same.
    pub(super) const fn ends_with(self) -> Option<Cause> {
        match self {
            Self::AtOnce | Self::WhenBack | Self::WhenGone => Some(Cause::Stopped {
                how: "stopped at once; nothing was being sent",
            }),
            Self::AfterRequest => Some(Cause::StoppedMidway),
            Self::AfterClose => None,
        }
    }
}

/// A wish to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wish {
    /// There is none.
    None,
    /// The first one.
    First,
    /// Another one.
    Again,
}

/// How often the user has asked to stop.
#[derive(Debug, Default)]
pub(crate) struct Stops {
    asked: u32,
    is_over: bool,
}

impl Stops {
    /// Takes note of a wake-up.
    pub(crate) fn note(&mut self, wake: Wake) -> Wish {
        if wake != Wake::Cancelled || self.is_over {
            return Wish::None;
        }
        self.asked = self.asked.saturating_add(1);
        if self.asked == 1 { Wish::First } else { Wish::Again }
    }

    /// Whether the user has asked at all.
    pub(crate) const fn is_asked(&self) -> bool {
        self.asked > 0
    }

    /// How often the user has asked.
    pub(crate) const fn asked(&self) -> u32 {
        self.asked
    }

    /// The user has left the question about the plan, and the run only closes its session: a wish has nothing left to stop.
    pub(super) const fn are_over(&mut self) {
        self.is_over = true;
    }
}
