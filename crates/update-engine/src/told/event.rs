//! What happens during a run, as facts for programs and people.
//!
//! Every event is one line of JSON in `--json` output. Fields are added, never renamed or removed; a change that
//! breaks a reader raises [`SCHEMA_VERSION`]. `docs/events.md` describes them.

use std::fmt;
use std::time::Duration;

use modem_world::Instant;
use serde::Serialize;

use super::error::{Failure, ModemState};
use super::outcome::Outcome;
use super::plan::{Plan, Protocol, Warning};
use crate::modem::{DeviceId, Mode};
use crate::talk::Facts;

/// Version of the event schema.
pub const SCHEMA_VERSION: u16 = 1;

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Event {
    /// Schema version.
    pub v: u16,
    /// Seconds since the start of the run.
    pub t: f64,
    /// Which modem.
    pub device: DeviceId,
    /// What happened.
    #[serde(flatten)]
    pub kind: EventKind,
}

impl Event {
    /// An event of the present schema.
    pub fn new(now: Instant, device: &DeviceId, kind: EventKind) -> Self {
        Self {
            v: SCHEMA_VERSION,
            t: seconds(now.since_start()),
            device: device.clone(),
            kind,
        }
    }
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
#[non_exhaustive]
pub enum EventKind {
    /// Everything was checked; this is what is going to be done.
    Planned {
        /// The plan.
        plan: Plan,
    },
    /// A step begins.
    StepStarted {
        /// The step.
        step: Step,
        /// Share of the whole run that is done, 0 to 1; never goes backwards.
        progress: f64,
    },
    /// Bytes went to the modem, or it acknowledged some.
    Advanced {
        /// The image, from 1.
        image: usize,
        /// Bytes of the file that were written to the port.
        sent_bytes: u64,
        /// Bytes of the file that the modem has taken. An image that is sent again starts again at 0.
        acknowledged_bytes: u64,
        /// Size of the file in bytes.
        total_bytes: u64,
        /// Share of the whole run that is done, 0 to 1; never goes backwards.
        progress: f64,
    },
    /// The modem is going to be silent; that is no fault.
    SilenceExpected {
        /// The longest silence, in seconds, before it counts as a fault.
        up_to_s: f64,
        /// Why, in words.
        why: String,
    },
    /// A step is done.
    StepFinished {
        /// The step.
        step: Step,
        /// How long it took, in seconds.
        took_s: f64,
        /// Share of the whole run that is done, 0 to 1; never goes backwards.
        progress: f64,
    },
    /// The modem's boot loader was recognised.
    Detected {
        /// The protocol.
        protocol: Protocol,
        /// How it was recognised, in words.
        how: String,
    },
    /// What the boot loader said about itself.
    Connected {
        /// In words: protocol version, block size.
        what: String,
    },
    /// What the running firmware says of itself.
    ModemRead {
        /// What it says.
        facts: Facts,
    },
    /// The modem came onto the bus.
    Appeared {
        /// USB id, `1199:9090`.
        usb_id: String,
        /// The mode that the bus tells.
        mode: Mode,
    },
    /// A way into download mode was tried.
    Tried {
        /// The way, in words.
        way: String,
        /// What came of it, in words.
        answer: String,
    },
    /// The modem doesn't want this image; it is passed over.
    ImageNotRequired {
        /// The image, from 1.
        image: usize,
        /// Its file.
        file: String,
    },
    /// The modem has accepted an image.
    ImageAccepted {
        /// The image, from 1.
        image: usize,
        /// Number of images.
        of: usize,
        /// Its file.
        file: String,
    },
    /// A log line of the modem.
    ModemLog {
        /// The line.
        line: String,
    },
    /// Something expected and harmless came from the modem.
    Noise {
        /// What.
        what: String,
    },
    /// Something is tried again.
    Retrying {
        /// What is tried again, in words.
        what: String,
        /// 2 for the second time.
        attempt: u8,
        /// Why.
        why: String,
    },
    /// What is true of the modem has changed.
    ModemStateChanged {
        /// What is true now.
        modem: ModemState,
    },
    /// Something the user should know.
    Warning {
        /// The warning.
        #[serde(flatten)]
        warning: Warning,
    },
    /// The user asked to stop; this is when it happens.
    Stopping {
        /// When, and what it means, in words.
        when: String,
    },
    /// The run has reached its goal.
    Outcome {
        /// What was reached.
        #[serde(flatten)]
        outcome: Outcome,
    },
    /// The run has failed.
    Failed {
        /// The error in its four parts.
        #[serde(flatten)]
        failure: Failure,
    },
}

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

/// A span of time in seconds, to the millisecond.
pub(crate) fn seconds(span: Duration) -> f64 {
    (span.as_secs_f64() * 1000.0).round() / 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_one_flat_json_object() {
        let device = DeviceId::from_port_name("/dev/ttyUSB0");
        let now = Instant::from_start(Duration::from_micros(1_234_567));
        let kind = EventKind::Advanced {
            image: 1,
            sent_bytes: 20,
            acknowledged_bytes: 10,
            total_bytes: 30,
            progress: 0.25,
        };
        assert_eq!(
            serde_json::to_string(&Event::new(now, &device, kind)).unwrap(),
            r#"{"v":1,"t":1.235,"device":{"port":"/dev/ttyUSB0"},"event":"advanced","image":1,"sent_bytes":20,"acknowledged_bytes":10,"total_bytes":30,"progress":0.25}"#
        );
    }

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
