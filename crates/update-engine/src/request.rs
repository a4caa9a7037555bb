//! What the user asks for.

use std::fmt;

use firmware_image::Platform;
use serde::{Deserialize, Serialize};

use crate::modem::{Given, Selector};

/// Which language to speak on the control port. If the user names a language, modemflash speaks only that one and doesn't
/// fall back to AT.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ControlChoice {
    /// The language that goes with the port's driver. If the driver doesn't settle the language, MBIM is tried as well.
    #[default]
    Auto,
    /// QMI, whatever the driver is.
    Qmi,
    /// MBIM, whatever the driver is.
    Mbim,
    /// QMI through qmi-proxy, the program that shares the port.
    QmiProxy,
}

impl fmt::Display for ControlChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Auto => "any control port",
            Self::Qmi => "QMI",
            Self::Mbim => "MBIM",
            Self::QmiProxy => "qmi-proxy",
        })
    }
}

/// What a run does. The run's lock shows this to other runs as one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Verb {
    /// Says what an update would do.
    Plan,
    /// Updates a modem.
    Update,
    /// Shows all modems.
    List,
    /// Shows everything about one modem.
    Info,
    /// Shows, selects and deletes stored images.
    Slots,
    /// Restarts a modem.
    Reset,
    /// Sends one AT command.
    At,
}

impl Verb {
    /// All verbs.
    pub const ALL: [Self; 7] = [
        Self::Plan,
        Self::Update,
        Self::List,
        Self::Info,
        Self::Slots,
        Self::Reset,
        Self::At,
    ];

    /// Whether such a run only asks the modem and lets go of it within seconds. Every other run works on the modem.
    /// `slots` and `at` don't count, because a change may follow their first questions.
    pub const fn only_asks(self) -> bool {
        match self {
            Self::List | Self::Info => true,
            Self::Plan | Self::Update | Self::Slots | Self::Reset | Self::At => false,
        }
    }

    /// The word that stands for this verb in the lock.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Plan => "plan",
            Self::Update => "update",
            Self::List => "list",
            Self::Info => "info",
            Self::Slots => "slots",
            Self::Reset => "reset",
            Self::At => "at",
        }
    }

    /// The verb that this word in a lock stands for. `None` for any other word: a newer version of modemflash may hold the
    /// lock.
    pub fn of_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|verb| verb.word() == word)
    }
}

/// What the user asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Request {
    /// Which modem.
    pub select: Selector,
    /// Go on where the update would be refused: the port may not be a modem's, a file is probably damaged, versions differ,
    /// or another firmware has to be installed first. Also send all images, even those that the modem already has.
    pub force: bool,
    /// Whether the user confirms all warnings.
    pub confirmed: bool,
    /// The codes of the warnings that the user has seen and confirmed, if `confirmed` is false.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub confirmed_codes: Vec<String>,
    /// Go on although the files name different versions. The versions of the largest file count (update-flow.md §5.4), unless
    /// the user gives versions.
    pub ignore_versions: bool,
    /// Versions that the user gives.
    pub given: Given,
    /// Send all images, even those that the modem already has.
    pub download_override: bool,
    /// Store the modem image in this slot, from 1.
    pub slot: Option<u8>,
    /// Which language to speak on the control port.
    pub control: ControlChoice,
    /// Don't ask the modem for its versions at the end.
    pub skip_read_back: bool,
    /// Go on although ModemManager runs and can't be asked to let go of the modem.
    pub ignore_manager: bool,
    /// The platform that the user vouches for. It replaces what is known about the modem's platform.
    pub as_platform: Option<Platform>,
}

impl Request {
    /// Whether the user has confirmed the warning with this code.
    pub(crate) fn confirms(&self, code: &str) -> bool {
        self.confirmed || self.confirmed_codes.iter().any(|confirmed| confirmed == code)
    }

    /// An update of the modem behind this port.
    pub fn on_port(name: impl Into<String>) -> Self {
        Self {
            select: Selector::Port(name.into()),
            ..Self::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_tells_the_verb_and_other_words_are_no_verb() {
        for verb in Verb::ALL {
            assert_eq!(Verb::of_word(verb.word()), Some(verb));
        }
        for word in ["", "List", "list ", "rehearse"] {
            assert_eq!(Verb::of_word(word), None, "{word:?}");
        }
    }

    // docs/architecture.md, "One modem, one run"
    #[test]
    fn only_list_and_info_leave_the_modem_at_once() {
        let asking: Vec<&str> = Verb::ALL
            .into_iter()
            .filter(|verb| verb.only_asks())
            .map(Verb::word)
            .collect();
        assert_eq!(asking, ["list", "info"]);
    }
}
