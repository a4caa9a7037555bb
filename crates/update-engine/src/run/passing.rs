//! A boot loader that only passes by.
//!
//! A modem on the way to its firmware may show its boot loader for a moment, several times. Whatever is sent to it then is
//! lost when the modem leaves in the middle. So after a restart towards the firmware a boot loader counts only once it has
//! stayed.

use std::time::Duration;

use modem_world::Instant;

use super::parts::Run;
use crate::told::{Cause, ModemState};

/// How long a boot loader has to stay on the bus until it is believed to wait for firmware. Estimate: boot loaders that
/// passed by stayed for about 2 s each time, and one that is found to stay has to be flashed once more, which takes minutes.
pub(super) const LOADER_STAYS: Duration = Duration::from_secs(15);

/// What a modem that is off the bus is expected to show. `in_loader` is the state of the modem while its boot loader is on the
/// bus; none: as before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Awaited {
    /// Whatever mode it comes back in counts as soon as it has its ports.
    AnyMode { in_loader: Option<ModemState> },
    /// Its firmware. A boot loader counts once it has stayed for [`LOADER_STAYS`], and nothing is sent to it before.
    Firmware { in_loader: Option<ModemState> },
}

impl Awaited {
    /// Whatever comes back.
    pub(crate) const ANY_MODE: Self = Self::AnyMode { in_loader: None };

    const fn in_loader(self) -> Option<ModemState> {
        match self {
            Self::AnyMode { in_loader } | Self::Firmware { in_loader } => in_loader,
        }
    }

    const fn is_firmware(self) -> bool {
        matches!(self, Self::Firmware { .. })
    }
}

/// The appearances of the boot loader during one wait.
pub(super) struct Passages {
    awaited: Awaited,
    times: u32,
    /// Since when the boot loader is on the bus, and the modem's state before.
    here: Option<(Instant, ModemState)>,
}

impl Passages {
    /// Before the first appearance.
    pub(super) const fn new(awaited: Awaited) -> Self {
        Self {
            awaited,
            times: 0,
            here: None,
        }
    }

    /// Until when a boot loader that is on the bus since then may only be passing by; none when that doesn't matter.
    pub(super) fn until(&self, since: Instant) -> Option<Instant> {
        self.awaited.is_firmware().then(|| since + LOADER_STAYS)
    }

    /// The cause to report for a wait that ended like this.
    pub(super) fn explain(&self, cause: Cause) -> Cause {
        match cause {
            Cause::DidNotReturn { waited_s } if self.times > 0 => Cause::LoaderPasses {
                times: self.times,
                waited_s,
            },
            other => other,
        }
    }
}

impl Run<'_> {
    /// The boot loader is on the bus. `is_new`: it wasn't a moment ago.
    pub(super) fn loader_is_here(&mut self, passages: &mut Passages, is_new: bool) {
        if passages.here.is_none() {
            passages.here = Some((self.now(), self.modem_state()));
            if let Some(state) = passages.awaited.in_loader() {
                self.set_modem(state);
            }
        }
        if is_new && passages.awaited.is_firmware() {
            passages.times = passages.times.saturating_add(1);
            let again = match passages.times {
                1 => String::new(),
                times => format!(" again ({times} times so far)"),
            };
            let why = format!(
                "the modem shows its boot loader{again}, perhaps only on the way to its firmware; modemflash sends nothing \
                 unless the boot loader stays for {} s",
                LOADER_STAYS.as_secs()
            );
            self.silence(LOADER_STAYS, &why);
        }
    }

    /// The boot loader isn't on the bus, or not any more. The wait ends at `until`.
    pub(super) fn loader_is_gone(&mut self, passages: &mut Passages, until: Instant) {
        let Some((since, before)) = passages.here.take() else {
            return;
        };
        self.set_modem(before);
        if !passages.awaited.is_firmware() {
            return;
        }
        let now = self.now();
        let stayed = now.since(since).as_secs_f64();
        let why = format!("the boot loader left again after {stayed:.1} s; waiting for the modem's firmware");
        self.silence(until.since(now), &why);
    }
}
