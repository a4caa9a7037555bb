//! The exit code of a failed run, which follows from the class of the cause and the state of the modem.
//! `docs/errors.md` has the table.
//!
//! The codes 2, 3 and 4 promise that the modem is as it was found. So the state of the modem comes first: if
//! the run has changed something, the state decides the code, and a cause that usually leads to 2, 3 or 4
//! doesn't.

use super::state::ModemState;

/// The class of a cause: what the cause means for the exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Class {
    /// The user has to ask for something else.
    Request,
    /// The images are refused.
    Image,
    /// The host lacks something that the job needs, or another run holds the modem.
    Host,
    /// There is no modem that can be used.
    NoModem,
    /// The modem runs its firmware, but the job needs a modem in download mode.
    Running,
    /// The modem, the link to it or this program failed.
    Fault,
    /// The user stopped the run.
    Stopped,
}

impl Class {
    /// All values, in the order of the documentation.
    pub const ALL: [Self; 7] = [
        Self::Request,
        Self::Image,
        Self::Host,
        Self::NoModem,
        Self::Running,
        Self::Fault,
        Self::Stopped,
    ];

    /// The class in words.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Request => "the request can't be met",
            Self::Image => "the images are refused",
            Self::Host => "the host can't do the job now",
            Self::NoModem => "no usable modem",
            Self::Running => "normal mode instead of download mode",
            Self::Fault => "the modem, the link or the program failed",
            Self::Stopped => "stopped by the user",
        }
    }
}

/// The state of the modem as the exit code sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Standing {
    /// No byte was sent to the modem.
    Untouched,
    /// The modem runs its firmware, and the run has only asked it.
    Asked,
    /// The modem runs its old firmware, but was restarted, or its preference may have changed.
    RunsOld,
    /// The run has written something; the modem runs, but not what was requested.
    RunsOther,
    /// The modem waits in download mode as it was found, and the run has only asked it.
    WaitsAsFound,
    /// The modem waits in download mode or in memory-dump mode.
    Waits,
    /// The modem was found in Qualcomm's emergency mode.
    Lost,
    /// The state of the modem is not known.
    Unknown,
}

impl Standing {
    /// All values, in the order of the documentation.
    pub const ALL: [Self; 8] = [
        Self::Untouched,
        Self::Asked,
        Self::RunsOld,
        Self::RunsOther,
        Self::WaitsAsFound,
        Self::Waits,
        Self::Lost,
        Self::Unknown,
    ];

    /// The standing of a modem in this state. `is_as_found`: the run has done nothing to the modem but ask
    /// it.
    pub const fn of(modem: ModemState, is_as_found: bool) -> Self {
        match (modem, is_as_found) {
            (ModemState::Untouched, _) => Self::Untouched,
            (ModemState::RunsFirmware, true) => Self::Asked,
            (ModemState::RunsFirmware, false) | (ModemState::WrongPreference, _) => Self::RunsOld,
            (ModemState::RunsOther, _) => Self::RunsOther,
            (ModemState::InDownloadMode, true) => Self::WaitsAsFound,
            (
                ModemState::InDownloadMode
                | ModemState::Crashed
                | ModemState::PartlyWritten { .. }
                | ModemState::AllWritten,
                _,
            ) => Self::Waits,
            (ModemState::Emergency, true) => Self::Lost,
            // The modem got into this state during the run, so nobody can tell what happened to it.
            (ModemState::Emergency, false) | (ModemState::Restarting | ModemState::Unknown, _) => {
                Self::Unknown
            }
        }
    }

    /// Whether the run has left the modem as it was found.
    pub const fn is_untouched(self) -> bool {
        match self {
            Self::Untouched | Self::Asked | Self::WaitsAsFound | Self::Lost => true,
            Self::RunsOld | Self::RunsOther | Self::Waits | Self::Unknown => false,
        }
    }

    /// The standing in words.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Untouched => "no byte sent",
            Self::Asked => "runs, was only asked",
            Self::RunsOld => "runs its old firmware, but was restarted or may have another preference",
            Self::RunsOther => "was written, but runs something else",
            Self::WaitsAsFound => "in download mode, as found",
            Self::Waits => "in download or dump mode",
            Self::Lost => "found in emergency mode",
            Self::Unknown => "not known",
        }
    }
}

/// The exit code of a run that failed.
pub const fn code(class: Class, standing: Standing) -> u8 {
    match class {
        Class::Stopped => 130,
        Class::Request if standing.is_untouched() => 2,
        Class::Image if standing.is_untouched() => 3,
        Class::Host if standing.is_untouched() => 4,
        Class::Request | Class::Image | Class::Host | Class::NoModem | Class::Running | Class::Fault => {
            match standing {
                Standing::Untouched => match class {
                    // The job needs a modem in download mode, and this modem runs its firmware: 5 says that.
                    Class::Running => 5,
                    Class::NoModem => 4,
                    Class::Request | Class::Image | Class::Host | Class::Fault | Class::Stopped => 1,
                },
                Standing::Asked | Standing::RunsOld => 5,
                Standing::RunsOther => 7,
                Standing::WaitsAsFound | Standing::Waits => 6,
                // modemflash can't use such a modem and has done nothing to it.
                Standing::Lost => 4,
                Standing::Unknown => 9,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // The matches have no wildcard, so a new variant doesn't compile until it has its place in the table.
    #[test]
    fn every_class_and_every_standing_is_in_the_table() {
        for (place, class) in Class::ALL.into_iter().enumerate() {
            let expected = match class {
                Class::Request => 0,
                Class::Image => 1,
                Class::Host => 2,
                Class::NoModem => 3,
                Class::Running => 4,
                Class::Fault => 5,
                Class::Stopped => 6,
            };
            assert_eq!(place, expected);
        }
        for (place, standing) in Standing::ALL.into_iter().enumerate() {
            let expected = match standing {
                Standing::Untouched => 0,
                Standing::Asked => 1,
                Standing::RunsOld => 2,
                Standing::RunsOther => 3,
                Standing::WaitsAsFound => 4,
                Standing::Waits => 5,
                Standing::Lost => 6,
                Standing::Unknown => 7,
            };
            assert_eq!(place, expected);
        }
    }

    #[test]
    fn no_exit_code_says_what_is_not_true_of_the_modem() {
        for class in Class::ALL {
            for standing in Standing::ALL {
                let code = code(class, standing);
                let is_true = match code {
                    1 => standing == Standing::Untouched,
                    2..=4 => standing.is_untouched(),
                    5 => {
                        matches!(standing, Standing::Asked | Standing::RunsOld)
                            || (class, standing) == (Class::Running, Standing::Untouched)
                    }
                    6 => matches!(standing, Standing::WaitsAsFound | Standing::Waits),
                    7 => standing == Standing::RunsOther,
                    9 => standing == Standing::Unknown,
                    130 => class == Class::Stopped,
                    _ => false,
                };
                assert!(is_true, "{class:?} and {standing:?} end with {code}");
            }
        }
    }

    #[test]
    fn a_modem_that_was_changed_in_any_state_is_never_called_untouched() {
        for (modem, can_be_as_found) in [
            (ModemState::RunsFirmware, true),
            (ModemState::WrongPreference, false),
            (ModemState::RunsOther, false),
            (ModemState::InDownloadMode, true),
            (ModemState::Crashed, false),
            (ModemState::PartlyWritten { accepted: 0, of: 1 }, false),
            (ModemState::AllWritten, false),
            (ModemState::Restarting, false),
            (ModemState::Emergency, true),
            (ModemState::Unknown, false),
        ] {
            assert!(!Standing::of(modem, false).is_untouched(), "{modem:?}");
            assert_eq!(
                Standing::of(modem, true).is_untouched(),
                can_be_as_found,
                "{modem:?}"
            );
        }
    }
}
