//! What a user asks for.

use std::fmt;

use firmware_image::Platform;
use serde::{Deserialize, Serialize};

use crate::modem::{Given, Selector};

/// Which language to speak on the control port. One that is asked for is the only one: AT doesn't stand in for it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ControlChoice {
    /// The one that the port's driver tells; then the other.
    #[default]
    Auto,
    /// QMI, whatever the driver is.
    Qmi,
    /// MBIM, whatever the driver is.
    Mbim,
    /// QMI through the program that shares the port.
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

/// What the user asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Request {
    /// Which modem.
    pub select: Selector,
    /// Go on where it would be refused: a port that isn't known to be a modem's, a file that is probably damaged, versions that
    /// differ, another firmware that has to come first; and send everything although the modem has it.
    pub force: bool,
    /// The warnings are confirmed.
    pub confirmed: bool,
    /// Codes of the warnings that somebody was shown and has confirmed, where `confirmed` isn't for all.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub confirmed_codes: Vec<String>,
    /// Go on although the files name different versions; the largest file's count (update-flow.md §5.4), or the user's.
    pub ignore_versions: bool,
    /// Versions that the user gives.
    pub given: Given,
    /// Send everything although the modem has it.
    pub download_override: bool,
    /// Store the modem image in this slot, from 1.
    pub slot: Option<u8>,
    /// Which language to speak on the control port.
    pub control: ControlChoice,
    /// Don't ask the modem for its versions at the end.
    pub skip_read_back: bool,
    /// Go on although ModemManager runs and can't be asked to let go.
    pub ignore_manager: bool,
    /// The platform that the user says the modem takes, against what is known of it.
    pub as_platform: Option<Platform>,
}

impl Request {
    /// Whether somebody has confirmed the warning with this code.
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
