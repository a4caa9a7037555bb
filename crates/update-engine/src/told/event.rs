//! What happens during a run, as facts for programs and people.
//!
//! Every event is one line of JSON in `--json` output. Fields are added, never renamed or removed; a change that
//! breaks a reader raises [`SCHEMA_VERSION`]. `docs/events.md` describes them.

use std::time::Duration;

use modem_world::Instant;
use serde::Serialize;

use super::error::Failure;
use super::outcome::Outcome;
use super::plan::{Plan, Warning};
use super::state::ModemState;
use super::step::Step;
use crate::modem::{DeviceId, Facts, Mode, Protocol};

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
    /// A step has started.
    StepStarted {
        /// The step.
        step: Step,
        /// Share of the whole run that is done, from 0 to 1. The share never decreases.
        progress: f64,
    },
    /// Bytes were sent to the modem, or the modem acknowledged some.
    Advanced {
        /// The image, from 1.
        image: usize,
        /// Bytes of the file that were written to the port.
        sent_bytes: u64,
        /// Bytes of the file that the modem has acknowledged. An image that is sent again starts again at 0.
        acknowledged_bytes: u64,
        /// Size of the file in bytes.
        total_bytes: u64,
        /// Share of the whole run that is done, from 0 to 1. The share never decreases.
        progress: f64,
    },
    /// The modem is going to be silent, which is not a fault.
    SilenceExpected {
        /// The longest silence, in seconds, that doesn't count as a fault.
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
        /// Share of the whole run that is done, from 0 to 1. The share never decreases.
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
        /// The protocol version and the block size, in words.
        what: String,
    },
    /// What the running firmware reports about itself.
    ModemRead {
        /// What the firmware reports.
        facts: Facts,
    },
    /// The modem came onto the bus.
    Appeared {
        /// USB id, `1199:9090`.
        usb_id: String,
        /// The mode, judged by what the bus shows.
        mode: Mode,
    },
    /// A way into download mode was tried.
    Tried {
        /// The way, in words.
        way: String,
        /// The result, in words.
        answer: String,
    },
    /// The modem doesn't need this image, so the image is skipped.
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
    /// The modem sent a log line.
    ModemLog {
        /// The line.
        line: String,
    },
    /// Something expected and harmless came from the modem.
    Noise {
        /// What.
        what: String,
    },
    /// The run tries something again.
    Retrying {
        /// What is tried again, in words.
        what: String,
        /// 2 for the second time.
        attempt: u8,
        /// Why the run tries again.
        why: String,
    },
    /// The state of the modem has changed.
    ModemStateChanged {
        /// The new state.
        modem: ModemState,
    },
    /// Something the user should know.
    Warning {
        /// The warning.
        #[serde(flatten)]
        warning: Warning,
    },
    /// The user asked to stop, and the run says when it will stop.
    Stopping {
        /// When the run will stop and what that means, in words.
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
        /// The error with its four parts.
        #[serde(flatten)]
        failure: Failure,
    },
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
}
