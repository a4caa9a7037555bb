//! Updates that another run has begun: what a new run refuses to go on with, and where it goes on.

use std::time::Duration;

use modem_world::{LockHolder, Spot, World};
use modemflash_update_engine::update::{Advanced, Checkpoint, Stage, Updating};
use modemflash_update_engine::{Code, Event, EventKind, Firmware, ModemState, UpdateError, update};
use serde_json::Value;
use virtual_modem::simulated::SimulatedWorld;
use virtual_modem::{ControlProtocol, Mode};

use crate::support::firmware;
use crate::support::normal::{newer, release, running, speaking, wish};

const MODEL: &str = "MC7455";

fn images() -> Firmware {
    firmware(&release(running(MODEL).profile))
}

/// An update that is left before the first stage for which `is_meant` holds: the world, and what was written down.
fn left_before(is_meant: impl Fn(&Stage) -> bool) -> (SimulatedWorld, Value) {
    let mut world = SimulatedWorld::new(running(MODEL));
    let firmware = images();
    let mut sink = |_: &Event| {};
    let mut updating = Updating::begin(&mut world, &wish(), &firmware, &mut sink, &mut |_| false).unwrap();
    while !is_meant(updating.checkpoint().stage()) {
        updating = match updating.advance().unwrap() {
            Advanced::Stage(next) => *next,
            Advanced::Ended(outcome) => panic!("{outcome}"),
        };
    }
    let json = serde_json::to_value(updating.checkpoint()).unwrap();
    // A program that is killed closes nothing.
    std::mem::forget(updating);
    world.end_program();
    (world, json)
}

fn resume(
    world: &mut SimulatedWorld,
    json: &Value,
    firmware: &Firmware,
    events: &mut Vec<EventKind>,
) -> Result<modemflash_update_engine::Outcome, UpdateError> {
    let checkpoint: Checkpoint = serde_json::from_value(json.clone()).unwrap();
    let mut sink = |event: &Event| events.push(event.kind.clone());
    Updating::resume(world, checkpoint, firmware, &mut sink)?.finish()
}

/// A run that is refused tells it, touches nothing and keeps no lock.
fn assert_refused(world: &mut SimulatedWorld, json: &Value, firmware: &Firmware, code: Code) {
    let before = world.written(0, 0);
    let mut events = Vec::new();
    let error = resume(world, json, firmware, &mut events).unwrap_err();
    assert_eq!(error.code(), code, "{error}: {}", error.source);
    assert!(
        matches!(events.last(), Some(EventKind::Failed { .. })),
        "{events:?}"
    );
    assert_eq!(world.written(0, 0), before);
    assert!(world.claimed().is_empty());
}

#[test]
fn other_images_are_refused_whatever_their_names_are() {
    let (mut world, json) = left_before(|stage| matches!(stage, Stage::Send(_)));
    let mut others = release(running(MODEL).profile);
    let last = others[0].bytes.len() - 1;
    others[0].bytes[last] ^= 1;
    assert_refused(&mut world, &json, &firmware(&others), Code::ImageChanged);
    let one = firmware(&release(running(MODEL).profile)[..1]);
    assert_refused(&mut world, &json, &one, Code::ImageChanged);
    // The same images under other names are the same images.
    let mut renamed = release(running(MODEL).profile);
    for image in &mut renamed {
        image.name = format!("copy of {}", image.name);
    }
    resume(&mut world, &json, &firmware(&renamed), &mut Vec::new()).unwrap();
    assert_eq!(
        world.modem(0).unwrap().storage().current,
        newer(running(MODEL).profile)
    );
}

#[test]
fn what_another_version_of_the_format_says_is_not_guessed() {
    let (mut world, mut json) = left_before(|stage| matches!(stage, Stage::Restart(_)));
    json["v"] = 2.into();
    assert_refused(&mut world, &json, &images(), Code::NotSupported);
}

#[test]
fn a_modem_that_another_run_has_is_left_to_it() {
    let (mut world, json) = left_before(|stage| matches!(stage, Stage::Restart(_)));
    let device = world.devices().unwrap()[0].device.clone();
    let holder = LockHolder {
        verb: Some("update".to_owned()),
        ..LockHolder::default()
    };
    world.lock(Spot::of_device(&device), holder);
    assert_refused(&mut world, &json, &images(), Code::ModemLocked);
}

#[test]
fn a_stage_names_neither_a_port_handle_nor_a_moment_and_no_image_by_its_path() {
    let (_, json) = left_before(|stage| matches!(stage, Stage::ReadBack(_)));
    let text = json.to_string();
    assert_eq!(json["v"], 1);
    assert_eq!(json["stage"], "read_back");
    assert_eq!(json["images"].as_array().unwrap().len(), 2);
    for word in ["handle", "instant", "came", "until"] {
        assert!(!text.contains(&format!("\"{word}")), "{word} in {text}");
    }
}

#[test]
fn another_modem_in_the_socket_gets_none_of_the_images() {
    let (mut world, json) = left_before(|stage| matches!(stage, Stage::Send(_)));
    let mut elsewhere = SimulatedWorld::new(running("EM9191"));
    let error = resume(&mut elsewhere, &json, &images(), &mut Vec::new()).unwrap_err();
    assert_ne!(error.modem, ModemState::RunsFirmware);
    assert_eq!(
        elsewhere.modem(0).unwrap().image_bytes(),
        0,
        "{error}: {}",
        error.source
    );
    // The right one still waits, and gets them an hour later.
    assert_eq!(world.modem(0).unwrap().mode(), Mode::Download);
    let later = world.now() + Duration::from_secs(3600);
    world.wait(&[], later);
    resume(&mut world, &json, &images(), &mut Vec::new()).unwrap();
}

#[test]
fn another_modem_of_the_same_model_is_told_nothing_and_sent_nothing() {
    for is_meant in [
        (|stage: &Stage| matches!(stage, Stage::Tell(_))) as fn(&Stage) -> bool,
        |stage| matches!(stage, Stage::Restart(_)),
    ] {
        let (_, json) = left_before(is_meant);
        let mut other = running(MODEL);
        other.storage.imei = "359260080110775".to_owned();
        let before = other.storage.preferred.clone();
        let mut world = SimulatedWorld::new(other);
        let error = resume(&mut world, &json, &images(), &mut Vec::new()).unwrap_err();
        assert_eq!(error.code(), Code::ModemOther, "{error}: {}", error.source);
        let modem = world.modem(0).unwrap();
        assert_eq!((modem.image_bytes(), modem.mode()), (0, Mode::Normal));
        assert_eq!(modem.storage().preferred, before);
        assert!(world.claimed().is_empty());
    }
}

#[test]
fn a_modem_that_never_went_into_download_mode_is_told_again_and_not_called_updated() {
    let (_, json) = left_before(|stage| matches!(stage, Stage::Send(_)));
    // It runs what it ran, and prefers that, as after a restart by hand.
    let mut world = SimulatedWorld::new(running(MODEL));
    let mut events = Vec::new();
    let outcome = resume(&mut world, &json, &images(), &mut events).unwrap();
    assert!(outcome.to_string().starts_with("updated"), "{outcome}");
    let modem = world.modem(0).unwrap();
    assert_eq!(modem.storage().current, newer(modem.setup().profile));
    assert!(modem.image_bytes() > 0);
}

#[test]
fn the_number_on_the_bus_is_not_kept_because_it_begins_anew_when_the_host_starts() {
    let (mut world, json) = left_before(|stage| matches!(stage, Stage::Return(_)));
    assert_eq!(json["place"]["port"]["device"]["number"], 0);
    assert_eq!(json["place"]["home"]["number"], 0);
    let later = world.now() + Duration::from_secs(600);
    world.wait(&[], later);
    resume(&mut world, &json, &images(), &mut Vec::new()).unwrap();
}

#[test]
fn an_update_that_is_left_in_the_middle_closes_its_port_and_gives_its_lock_back() {
    for control in [ControlProtocol::Qmi, ControlProtocol::Mbim] {
        let mut world = SimulatedWorld::new(speaking(MODEL, control));
        let firmware = images();
        let mut sink = |_: &Event| {};
        let updating = Updating::begin(&mut world, &wish(), &firmware, &mut sink, &mut |_| false).unwrap();
        assert!(matches!(updating.checkpoint().stage(), Stage::Tell(_)));
        drop(updating);
        assert!(world.claimed().is_empty());
        assert_eq!(world.modem(0).unwrap().violations(), []);
        let again = update(&mut world, &wish(), &firmware, &mut sink).unwrap();
        assert!(again.to_string().starts_with("updated"), "{again}");
    }
}

#[test]
fn a_stage_with_counts_that_can_not_be_is_refused() {
    let (mut world, json) = left_before(|stage| matches!(stage, Stage::Send(_)));
    for (field, count) in [
        ("/course/pass/number", 0),
        ("/course/pass/number", 3),
        ("/course/downloads", 0),
    ] {
        let mut json = json.clone();
        *json.pointer_mut(field).unwrap() = count.into();
        assert_refused(&mut world, &json, &images(), Code::NotSupported);
    }
}
