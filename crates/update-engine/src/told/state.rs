//! The state that a modem is in.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The state of the modem, as far as the run knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
#[non_exhaustive]
pub enum ModemState {
    /// No byte was sent to the modem.
    Untouched,
    /// The modem runs its firmware; nothing was written.
    RunsFirmware,
    /// The modem runs its old firmware, but its preference names firmware that it doesn't have.
    WrongPreference,
    /// Something was written, or another stored image was selected; the modem runs, but not what was
    /// requested.
    RunsOther,
    /// The modem is in download mode; its flash memory is unchanged.
    InDownloadMode,
    /// The modem is in memory-dump mode after a crash; its flash memory is unchanged.
    Crashed,
    /// The modem is in download mode; some of the new firmware is written, but not all of it.
    PartlyWritten {
        /// Number of images that the modem accepted.
        accepted: usize,
        /// Number of images to send.
        of: usize,
    },
    /// The modem is in download mode and accepted all images, but was not seen to start the new firmware.
    AllWritten,
    /// The modem accepted all images and has left the bus to restart.
    Restarting,
    /// The modem is in Qualcomm's emergency mode: Sierra's boot loader is gone.
    Emergency,
    /// The state is not known.
    Unknown,
}

impl ModemState {
    /// Whether the modem's firmware runs and can be asked.
    pub const fn runs(self) -> bool {
        matches!(self, Self::RunsFirmware | Self::WrongPreference | Self::RunsOther)
    }
}

impl fmt::Display for ModemState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Untouched => write!(f, "untouched; nothing was sent to it"),
            Self::RunsFirmware => write!(f, "in normal mode, running its firmware"),
            Self::WrongPreference => write!(
                f,
                "in normal mode with its old firmware, but its preference names firmware that it doesn't have: its \
                 radio will stay off after the next restart"
            ),
            Self::RunsOther => write!(f, "in normal mode, but not running what was requested"),
            Self::InDownloadMode => {
                write!(
                    f,
                    "in download mode, nothing written; it will connect again after an update or a restart"
                )
            }
            Self::Crashed => write!(f, "in memory-dump mode after a crash, nothing written"),
            Self::PartlyWritten { accepted, of } => write!(
                f,
                "in download mode with {accepted} of {of} images accepted; \
                 it will not connect until the update is finished"
            ),
            Self::AllWritten => write!(
                f,
                "in download mode with all images accepted, but it was not seen to start the new firmware"
            ),
            Self::Restarting => write!(f, "all images accepted, restarting"),
            Self::Emergency => write!(
                f,
                "in Qualcomm's emergency mode: Sierra's boot loader is gone, and the modem accepts no firmware"
            ),
            Self::Unknown => write!(
                f,
                "not known; it left the bus or gives no answer that modemflash can understand"
            ),
        }
    }
}
