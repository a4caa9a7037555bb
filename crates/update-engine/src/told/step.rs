//! The steps of a run.

use std::fmt;

use serde::Serialize;

/// A step of a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "name", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Step {
    /// The image files are read and checked.
    CheckImages,
    /// The port and the device behind it are checked.
    CheckDevice,
    /// The port is opened.
    OpenPort,
    /// Other programs are asked to let go of the modem.
    Inhibit,
    /// The running firmware is asked for its versions and for the stored images.
    ReadModem,
    /// The running firmware is told which firmware to expect.
    SetPreference,
    /// The modem is switched to download mode.
    EnterDownloadMode,
    /// modemflash detects what is behind the port.
    Detect,
    /// The modem was reset, and modemflash waits for it to come back.
    Return,
    /// The download protocol is started.
    Connect,
    /// An image is sent.
    Write {
        /// The image, from 1.
        image: usize,
        /// Number of images.
        of: usize,
        /// The image's file.
        file: String,
    },
    /// All bytes of an image are sent; the modem checks it and writes its flash.
    Finalise {
        /// The image, from 1.
        image: usize,
        /// Number of images.
        of: usize,
        /// The image's file.
        file: String,
    },
    /// The modem is told to restart.
    Reset,
    /// modemflash waits for the modem to leave the bus.
    Leave,
    /// The modem starts its firmware, and modemflash waits for it.
    Boot,
    /// The running firmware is asked for its versions, which are compared with those that were requested.
    ReadBack,
}

impl fmt::Display for Step {
    /// The step as a clause that follows "while".
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CheckImages => write!(f, "the images were being checked"),
            Self::CheckDevice => write!(f, "the device was being checked"),
            Self::OpenPort => write!(f, "the port was being opened"),
            Self::Inhibit => write!(f, "other programs were being asked to let go of the modem"),
            Self::ReadModem => write!(f, "the modem was being asked which firmware it has"),
            Self::SetPreference => write!(f, "the modem was being told which firmware to expect"),
            Self::EnterDownloadMode => write!(f, "the modem was being switched to download mode"),
            Self::Detect => write!(f, "the boot loader's protocol was being detected"),
            Self::Return => write!(f, "the modem was restarting"),
            Self::Connect => write!(f, "the download protocol was being started"),
            Self::Write { image, of, .. } => write!(f, "image {image} of {of} was being written"),
            Self::Finalise { image, of, .. } => {
                write!(f, "image {image} of {of} was being checked and stored")
            }
            Self::Reset => write!(f, "the modem was being told to restart"),
            Self::Leave => write!(f, "modemflash was waiting for the modem to leave the bus"),
            Self::Boot => write!(f, "the modem was starting its firmware"),
            Self::ReadBack => write!(f, "the versions were being read back"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_names_itself_in_json_and_in_words() {
        let step = Step::Write {
            image: 2,
            of: 3,
            file: "a.nvu".into(),
        };
        assert_eq!(
            serde_json::to_string(&step).unwrap(),
            r#"{"name":"write","image":2,"of":3,"file":"a.nvu"}"#
        );
        assert_eq!(step.to_string(), "image 2 of 3 was being written");
    }
}
