//! What is true of a modem.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What is true of the modem, as far as can be known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
#[non_exhaustive]
pub enum ModemState {
    /// No byte was sent to it.
    Untouched,
    /// It runs its firmware; nothing was written.
    RunsFirmware,
    /// It runs its old firmware, but its preference names firmware that it doesn't have.
    WrongPreference,
    /// Something was written, or another stored image was chosen, and it runs, but not what was wanted.
    RunsOther,
    /// In download mode, its memory as it was before.
    InDownloadMode,
    /// In memory-dump mode after a crash, its memory as it was before.
    Crashed,
    /// In download mode; some of the new firmware is written, not all of it.
    PartlyWritten {
        /// Images that it accepted.
        accepted: usize,
        /// Images that it was to get.
        of: usize,
    },
    /// In download mode; all images were accepted, it was not seen to restart.
    AllWritten,
    /// It has left the bus to restart, all images accepted.
    Restarting,
    /// In Qualcomm's emergency mode: its own boot loader is gone.
    Emergency,
    /// Nothing is known.
    Unknown,
}

impl ModemState {
    /// Whether its firmware runs and can be asked.
    pub const fn runs(self) -> bool {
        matches!(self, Self::RunsFirmware | Self::WrongPreference | Self::RunsOther)
    }
}

impl fmt::Display for ModemState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Untouched => write!(f, "untouched; nothing was sent to it"),
            Self::RunsFirmware => write!(f, "in normal mode, it runs its firmware"),
            Self::WrongPreference => write!(
                f,
                "in normal mode with its old firmware, but it prefers firmware that it doesn't have: \
                 its radio stays off after the next restart"
            ),
            Self::RunsOther => write!(f, "in normal mode, but it does not run what was wanted"),
            Self::InDownloadMode => {
                write!(
                    f,
                    "in download mode, nothing written; it connects again after an update or a restart"
                )
            }
            Self::Crashed => write!(f, "in memory-dump mode after a crash, nothing written"),
            Self::PartlyWritten { accepted, of } => write!(
                f,
                "in download mode with {accepted} of {of} images accepted; \
                 it will not connect until the update is finished"
            ),
            Self::AllWritten => write!(f, "all images accepted, but it was not seen to start them"),
            Self::Restarting => write!(f, "all images accepted, restarting"),
            Self::Emergency => write!(
                f,
                "in Qualcomm's emergency mode, without Sierra's boot loader; it takes no firmware"
            ),
            Self::Unknown => write!(
                f,
                "not known; it left the bus or gives no answer that can be understood"
            ),
        }
    }
}
