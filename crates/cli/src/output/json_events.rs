//! Events as JSON on standard output (docs/events.md): those of the engine, and those that only this program knows.

use std::io;

use modem_world::Instant;
use serde::Serialize;
use update_engine::{Advice, DeviceId, Event, EventKind, ModemState, Radio, SCHEMA_VERSION, Step};

use crate::failure::VerbFailure;
use crate::output::stdout;

/// Prints an event of the engine.
///
/// # Errors
/// Standard output can't be written, or its reader went away.
pub(crate) fn write(event: &Event) -> io::Result<()> {
    stdout::write(&stdout::json_line(&EventLine {
        v: event.v,
        t: event.t,
        device: &event.device,
        kind: EventOrigin::Engine(&event.kind),
    }))
}

/// Prints the event `failed`.
pub(crate) fn failed(failure: &VerbFailure) {
    let engine = failure.engine.as_deref();
    let state = engine.map(|(_, told)| FailedInEngine {
        step: &told.step,
        modem: told.modem,
        as_found: told.as_found,
        radio: told.radio.as_ref(),
        modem_words: &told.modem_words,
        next: told.next,
    });
    let cause = match engine {
        Some((_, told)) => Some(told.cause.clone()),
        None => (!failure.causes.is_empty()).then(|| failure.causes.join(": ")),
    };
    // Ignore an error: standard error gets the same failure.
    let _ = stdout::write(&stdout::json_line(&FailedLine {
        v: SCHEMA_VERSION,
        device: engine.map(|(device, _)| device),
        event: "failed",
        code: failure.code,
        exit: failure.exit(),
        error: engine.map_or(&failure.what, |(_, told)| &told.error),
        cause,
        state,
        hint: &failure.hint,
    }));
}

/// An event as it is printed.
#[derive(Serialize)]
struct EventLine<'a> {
    v: u16,
    t: f64,
    device: &'a DeviceId,
    #[serde(flatten)]
    kind: EventOrigin<'a>,
}

/// What happened.
#[derive(Serialize)]
#[serde(untagged)]
enum EventOrigin<'a> {
    Engine(&'a EventKind),
    Program(ProgramEvent<'a>),
}

/// Events that the engine doesn't have.
#[derive(Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
enum ProgramEvent<'a> {
    /// A modem is left out of an update of several modems.
    LeftOut { why: &'a str },
}

/// The event `failed` (docs/events.md). Fields that aren't known are left out.
#[derive(Serialize)]
struct FailedLine<'a> {
    v: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    device: Option<&'a DeviceId>,
    event: &'static str,
    code: &'static str,
    exit: u8,
    error: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    cause: Option<String>,
    #[serde(flatten)]
    state: Option<FailedInEngine<'a>>,
    hint: &'a str,
}

/// The fields that only a failure of the engine has.
#[derive(Serialize)]
struct FailedInEngine<'a> {
    step: &'a Step,
    modem: ModemState,
    as_found: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    radio: Option<&'a Radio>,
    modem_words: &'a str,
    next: Advice,
}

/// Prints that a modem is left out.
///
/// # Errors
/// Standard output can't be written.
pub(crate) fn left_out(now: Instant, device: &DeviceId, why: &str) -> Result<(), VerbFailure> {
    stdout::print_json(&EventLine {
        v: SCHEMA_VERSION,
        t: stdout::seconds(now),
        device,
        kind: EventOrigin::Program(ProgramEvent::LeftOut { why }),
    })
}
