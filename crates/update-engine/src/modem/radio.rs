//! Whether a modem that runs can connect: what it says of its radio.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What a running modem says of its radio.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum Radio {
    /// It is on.
    On,
    /// It is off: the modem runs, but doesn't connect.
    Off {
        /// Why, as the modem says: its operating mode, and what it names as the reason.
        why: String,
    },
    /// The modem wasn't asked since it runs, or doesn't say.
    #[default]
    NotTold,
}

impl Radio {
    /// The same, when it is off.
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
