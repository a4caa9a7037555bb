//! Whether a running modem can connect: what the modem says about its radio.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What a running modem says about its radio.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum Radio {
    /// The radio is on.
    On,
    /// The radio is off: the modem runs, but doesn't connect.
    Off {
        /// Why, in the modem's own terms: its operating mode and the reasons that it names.
        why: String,
    },
    /// Not known: the modem has not been asked since its firmware started, or doesn't say.
    #[default]
    NotTold,
}

impl Radio {
    /// The value itself if the radio is off, otherwise none.
    pub(crate) fn if_off(self) -> Option<Self> {
        matches!(self, Self::Off { .. }).then_some(self)
    }
}

impl fmt::Display for Radio {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::On => write!(f, "its radio is on"),
            Self::Off { why } => write!(f, "its radio is off ({why}), so it does not connect"),
            Self::NotTold => write!(f, "whether its radio is on is not known"),
        }
    }
}
