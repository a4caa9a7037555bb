//! What whole updates take in the guest, ours beside qmi-firmware-update: for `cargo xtask bench update`.

use crate::scenario::{Image, Program};
use std::time::Duration;
use virtual_modem::profile::{Protocol, Timings};
use virtual_modem::{ControlProtocol, Profile};

/// One thing that is measured, with one or with both programs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Case {
    pub(crate) model: &'static str,
    pub(crate) control: ControlProtocol,
    /// Bytes of the firmware behind its header.
    pub(crate) bytes: u64,
    pub(crate) pace: Pace,
    /// How many modems at once.
    pub(crate) modems: u32,
    /// In turns.
    pub(crate) programs: &'static [Program],
}

/// How long the modem takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pace {
    /// It is back on the bus after 3 s, ready at once, and programs as fast as it takes bytes.
    Quick,
    /// As real ones do, but for a link with 2 MB/s: the guest, which emulates every instruction, carries not much more.
    Real,
    /// Back after 3 s, but so slow on its link that eight of them together aren't too much for the guest.
    SlowLink,
}

const SMALL: u64 = 3 << 20;
/// As much as a real firmware of EM7565 (images.md §7), in MB.
pub const MEGABYTES: u64 = 80;

/// All that is measured, in this order. Large images have so many MB.
pub(crate) fn cases(megabytes: u64) -> Vec<Case> {
    let large = megabytes * 1_000_000;
    use ControlProtocol::{Mbim, Qmi};
    const BOTH: &[Program] = &[Program::Ours, Program::Reference];
    let beside = |model, control, bytes, pace| Case {
        model,
        control,
        bytes,
        pace,
        modems: 1,
        programs: BOTH,
    };
    let at_once = |modems| Case {
        modems,
        programs: &[Program::Ours],
        ..beside("EM7565", Qmi, SMALL, Pace::SlowLink)
    };
    vec![
        beside("MC7455", Qmi, SMALL, Pace::Quick),
        beside("MC7455", Mbim, SMALL, Pace::Quick),
        beside("EM7565", Qmi, SMALL, Pace::Quick),
        beside("MC7455", Qmi, large, Pace::Quick),
        beside("EM7565", Qmi, large, Pace::Quick),
        at_once(1),
        at_once(4),
        at_once(8),
        beside("MC7455", Qmi, large, Pace::Real),
        beside("EM7565", Qmi, large, Pace::Real),
        beside("EM7565", Mbim, large, Pace::Real),
    ]
}

impl Case {
    /// A name that stays, `mc7455-qmi-3mb-quick`.
    pub(crate) fn name(&self) -> String {
        let pace = match self.pace {
            Pace::Quick => "quick",
            Pace::Real => "real",
            Pace::SlowLink => "slow-link",
        };
        let control = format!("{:?}", self.control);
        let name = format!(
            "{}-{control}-{}mb-{pace}-{}",
            self.model,
            self.bytes / 1_000_000,
            self.modems
        );
        name.to_lowercase()
    }

    /// In words, without the program.
    pub(crate) fn what(&self) -> String {
        let megabytes = self.bytes / 1_000_000;
        let pace = match self.pace {
            Pace::Quick => "back after 3 s",
            Pace::Real => "real times",
            Pace::SlowLink => "back after 3 s, slow link",
        };
        let modems = match self.modems {
            1 => String::new(),
            more => format!("{more} × "),
        };
        let control = format!("{:?}", self.control).to_uppercase();
        format!("{modems}{} {control}, {megabytes} MB, {pace}", self.model)
    }

    /// More than any of them takes on a host that is busy with other things.
    pub(crate) fn deadline(&self) -> Duration {
        // What is on the bus at once shares the guest's processors.
        let sharing = if self.modems > 1 { 2 } else { 1 };
        (self.floor(&[self.bytes]) * 3 + Duration::from_secs(240)) * sharing
    }

    /// Whether the modem's part is as long as a real one's.
    pub(crate) fn is_real(&self) -> bool {
        self.pace == Pace::Real
    }

    /// Whether the image is one of the large ones.
    pub(crate) fn is_large(&self) -> bool {
        self.bytes > SMALL
    }

    pub(crate) fn images(&self) -> [Image; 2] {
        [Image::Firmware(self.bytes), Image::Carrier]
    }

    pub(crate) fn profile(&self) -> Option<&'static Profile> {
        Profile::named(self.model)
    }

    pub(crate) fn timings(&self) -> Timings {
        let real = self.profile().map_or(Timings::REAL, |profile| profile.timings);
        let quick = Timings {
            booting: Duration::from_secs(3),
            entering: Duration::from_secs(3),
            ready_after: Duration::ZERO,
            programming_bytes_per_second: real.taking_bytes_per_second,
            // Programs read `confirmed` alone from a real modem; under software emulation they need more time for that.
            greeting: Duration::from_millis(300),
            ..real
        };
        match self.pace {
            Pace::Real => Timings {
                taking_bytes_per_second: 2_000_000,
                greeting: quick.greeting,
                ..real
            },
            Pace::Quick => quick,
            Pace::SlowLink => Timings {
                taking_bytes_per_second: 300_000,
                buffer_bytes: 64 * 1024,
                programming_bytes_per_second: 1_000_000,
                ..quick
            },
        }
    }

    /// How long after its enumeration a modem of this kind can't be answered (sahara-firehose.md §6.2): it is one that
    /// is known to have refused who was too early, and `modemflash` and the reference both leave it alone for so long.
    pub(crate) fn deaf(&self) -> Option<Duration> {
        (self.model == "EM7565").then_some(Duration::from_secs(2))
    }

    /// What the modem takes by itself, step by step, for files of these sizes.
    pub(crate) fn own_times(&self, files: &[u64]) -> Vec<Duration> {
        let times = self.timings();
        let greeting = match self.profile().map(|profile| profile.protocol) {
            // Whoever answers the hello sooner is refused.
            Some(Protocol::Sahara(_)) => times.hello.max(self.deaf().unwrap_or_default()) + times.greeting,
            _ => Duration::ZERO,
        };
        let written = files
            .iter()
            .map(|bytes| times.taking(*bytes) + times.programming(*bytes));
        let download = greeting + written.sum::<Duration>() + times.leaving;
        vec![
            times.leaving,
            times.entering,
            Duration::ZERO,
            download,
            times.booting,
            times.ready_after,
        ]
    }

    /// The sum of what the modem takes by itself.
    pub(crate) fn floor(&self, files: &[u64]) -> Duration {
        self.own_times(files).iter().sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn names_are_distinct_and_models_known() {
        let cases = cases(MEGABYTES);
        let names: BTreeSet<String> = cases.iter().map(Case::name).collect();
        assert_eq!(names.len(), cases.len());
        assert!(cases.iter().all(|case| case.profile().is_some()));
    }

    #[test]
    fn the_floor_is_the_sum_of_what_the_modem_does() {
        let case = Case {
            model: "MC7455",
            control: ControlProtocol::Qmi,
            bytes: 10_000_000,
            pace: Pace::Quick,
            modems: 1,
            programs: &[],
        };
        // 0.3 s and 0.3 s for leaving, 3 s and 3 s for restarting, 1 s for taking and 1 s for programming.
        assert_eq!(case.floor(&[10_000_000]), Duration::from_millis(8600));
        // A second file has to be programmed too.
        assert!(case.floor(&[10_000_000, 1]) > Duration::from_millis(8899));
    }
}
