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
    /// The port and the device behind it are looked at.
    CheckDevice,
    /// The port is opened.
    OpenPort,
    /// Other programs are asked to let go of the modem.
    Inhibit,
    /// The running firmware is asked what it is and what is stored.
    ReadModem,
    /// The running firmware is told which firmware is to come.
    SetPreference,
    /// The modem is sent into download mode.
    EnterDownloadMode,
    /// It is found out what is behind the port.
    Detect,
    /// The modem was reset and is waited for.
    Return,
    /// The protocol is started.
    Connect,
    /// An image is sent.
    Write {
        /// The image, from 1.
        image: usize,
        /// Number of images.
        of: usize,
        /// Its file.
        file: String,
    },
    /// All bytes of an image are sent; the modem checks it and writes its flash.
    Finalise {
        /// The image, from 1.
        image: usize,
        /// Number of images.
        of: usize,
        /// Its file.
        file: String,
    },
    /// The modem is told to restart.
    Reset,
    /// The modem is seen to leave the bus.
    Leave,
    /// The modem starts its firmware and is waited for.
    Boot,
    /// The running firmware is asked what it is now, and that is compared with what is wanted.
    ReadBack,
}

impl fmt::Display for Step {
    /// The step as the end of a sentence that begins with "while".
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CheckImages => write!(f, "the images were being checked"),
            Self::CheckDevice => write!(f, "the device was being looked at"),
            Self::OpenPort => write!(f, "the port was being opened"),
            Self::Inhibit => write!(f, "other programs were being asked to let go of the modem"),
            Self::ReadModem => write!(f, "the modem was being asked what it has"),
            Self::SetPreference => write!(f, "the modem was being told which firmware is to come"),
            Self::EnterDownloadMode => write!(f, "the modem was being sent into download mode"),
            Self::Detect => write!(f, "the boot loader's protocol was being found out"),
            Self::Return => write!(f, "the modem was to come back from a restart"),
            Self::Connect => write!(f, "the download protocol was being started"),
            Self::Write { image, of, .. } => write!(f, "image {image} of {of} was being written"),
            Self::Finalise { image, of, .. } => {
                write!(f, "image {image} of {of} was being checked and stored")
            }
            Self::Reset => write!(f, "the modem was being restarted"),
            Self::Leave => write!(f, "the modem was to leave the bus"),
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
