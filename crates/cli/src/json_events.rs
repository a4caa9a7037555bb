//! Events on standard output, as docs/events.md has them: the engine's, and what only the program knows.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};

use modem_world::Instant;
use serde::Serialize;
use update_engine::{DeviceId, Event, EventKind, SCHEMA_VERSION};

use crate::failure::VerbFailure;
use crate::output;

/// Whether the events that were printed say that this program's run has failed.
static IS_FAILURE_TOLD: AtomicBool = AtomicBool::new(false);

/// Prints an event of the engine.
///
/// # Errors
/// It can't be written, or the reader went away.
pub(crate) fn write(event: &Event) -> io::Result<()> {
    if matches!(event.kind, EventKind::Failed { .. }) {
        IS_FAILURE_TOLD.store(true, Ordering::Relaxed);
    }
    output::write(&output::json_line(&EventLine {
        v: event.v,
        t: event.t,
        device: EventDevice::from(&event.device),
        kind: EventOrigin::Engine(&event.kind),
    }))
}

/// Whether the event `failed` was printed.
pub(crate) fn is_failure_told() -> bool {
    IS_FAILURE_TOLD.load(Ordering::Relaxed)
}

/// The events so far were those of a recorded run, whose failure is none of this one.
pub(crate) fn was_replayed() {
    IS_FAILURE_TOLD.store(false, Ordering::Relaxed);
}

/// An event as it is printed.
#[derive(Serialize)]
struct EventLine<'a> {
    v: u16,
    t: f64,
    device: EventDevice<'a>,
    #[serde(flatten)]
    kind: EventOrigin<'a>,
}

/// Which modem, as far as it is known.
#[derive(Serialize)]
pub(crate) struct EventDevice<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    path: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    port: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    usb_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    model: Option<&'a str>,
}

impl<'a> From<&'a DeviceId> for EventDevice<'a> {
    fn from(device: &'a DeviceId) -> Self {
        // Before a modem is found the engine has the words of the selection there, and of a modem without ports nothing.
        let is_port = |name: &&str| name.contains('/') || name.starts_with('@');
        Self {
            path: device.path(),
            port: Some(device.port()).filter(is_port),
            usb_id: device.usb_id(),
            model: device.model(),
        }
    }
}

/// What happened.
#[derive(Serialize)]
#[serde(untagged)]
enum EventOrigin<'a> {
    Engine(&'a EventKind),
    Program(ProgramEvent<'a>),
}

/// What only the program says.
#[derive(Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
enum ProgramEvent<'a> {
    /// A modem isn't updated, because it isn't one that is meant.
    LeftOut { why: &'a str },
}

/// Says that a modem is left out.
///
/// # Errors
/// It can't be written.
pub(crate) fn left_out(now: Instant, device: &DeviceId, why: &str) -> Result<(), VerbFailure> {
    output::print_json(&EventLine {
        v: SCHEMA_VERSION,
        t: output::seconds(now),
        device: device.into(),
        kind: EventOrigin::Program(ProgramEvent::LeftOut { why }),
    })
}
