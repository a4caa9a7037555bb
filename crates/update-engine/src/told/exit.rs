//! The exit code of a failed run: by the class of its cause and by what is true of the modem. `docs/errors.md` has the table.
//!
//! 2, 3 and 4 say that the modem is as it was found, so that the state of the modem comes first: a cause that would lead
//! to one of them leads to the modem's own code when the run has changed something.

use super::state::ModemState;

/// What a cause means for the exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Class {
    /// Something else has to be asked for.
    Request,
    /// The images are refused.
    Image,
    /// The host lacks something that the job needs, or has given the modem to another run.
    Host,
    /// There is no modem that can be used.
    NoModem,
    /// The modem runs its firmware, where one in download mode was meant.
    Running,
    /// The modem, the link to it or this program failed.
    Fault,
    /// The user stopped the run.
    Stopped,
}

impl Class {
    /// All, in the order of the documentation.
    pub const ALL: [Self; 7] = [
        Self::Request,
        Self::Image,
        Self::Host,
        Self::NoModem,
        Self::Running,
        Self::Fault,
        Self::Stopped,
    ];

    /// In words.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Request => "something else has to be asked for",
            Self::Image => "the images are refused",
            Self::Host => "the host can't do it now",
            Self::NoModem => "no modem that can be used",
            Self::Running => "normal mode instead of download mode",
            Self::Fault => "modem, link or program failed",
            Self::Stopped => "stopped by the user",
        }
    }
}

/// What is true of the modem, as far as the exit code goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Standing {
    /// No byte was sent to it.
    Untouched,
    /// It runs its firmware and was only asked.
    Asked,
    /// It runs its firmware, but was restarted, or its preference may be another one.
    RunsOld,
    /// The run has written something, and it runs, but not what was wanted.
    RunsOther,
    /// It waits in download mode as it was found, and was only asked.
    WaitsAsFound,
    /// It waits in download mode, or in memory-dump mode.
    Waits,
    /// It was found in Qualcomm's emergency mode.
    Lost,
    /// Nobody knows what it is like.
    Unknown,
}

impl Standing {
    /// All, in the order of the documentation.
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

    /// That of a modem in this state. `is_as_found`: the run has at most asked it something.
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
            // What became of it during the run can't be told any more.
            (ModemState::Emergency, false) | (ModemState::Restarting | ModemState::Unknown, _) => {
                Self::Unknown
            }
        }
    }

    /// Whether the run has changed nothing on the modem.
    pub const fn is_untouched(self) -> bool {
        match self {
            Self::Untouched | Self::Asked | Self::WaitsAsFound | Self::Lost => true,
            Self::RunsOld | Self::RunsOther | Self::Waits | Self::Unknown => false,
        }
    }

    /// In words.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Untouched => "no byte sent",
            Self::Asked => "runs, only asked",
            Self::RunsOld => "runs its old firmware, restarted or told something",
            Self::RunsOther => "written, runs something else",
            Self::WaitsAsFound => "in download mode as found",
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
                    // That it runs is what is wrong.
                    Class::Running => 5,
                    Class::NoModem => 4,
                    Class::Request | Class::Image | Class::Host | Class::Fault | Class::Stopped => 1,
                },
                Standing::Asked | Standing::RunsOld => 5,
                Standing::RunsOther => 7,
                Standing::WaitsAsFound | Standing::Waits => 6,
                // Nothing here can use it, and nothing was done to it.
                Standing::Lost => 4,
                Standing::Unknown => 9,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // Without a wildcard: a new variant doesn't compile until it has its place in the table.
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
