//! Boot loaders that only pass by, on the way from a flash to the new firmware.

use std::time::Duration;

use modem_world::{Instant, World};
use modemflash_update_engine::modem::Mode;
use modemflash_update_engine::update::{Advanced, Checkpoint, Stage, Updating};
use modemflash_update_engine::{Code, Event, EventKind, ModemState, Outcome, Request, Step};
use virtual_modem::quirk::Passing;
use virtual_modem::simulated::SimulatedWorld;
use virtual_modem::{ControlProtocol, Setup};

use super::failures::{assert_fails, assert_newer};
use crate::support::normal::{faulty, newer, release, running, speaking, update_in, update_one, wish};
use crate::support::truth::is_true;
use crate::support::{Run, firmware};

const TWO_SECONDS: Duration = Duration::from_secs(2);

fn passing(mut setup: Setup, passing: Passing) -> Setup {
    setup.quirks.passing = Some(passing);
    setup
}

/// When the last boot loader appeared, and how often one did after the reset that followed the flash.
fn passages(run: &Run) -> (f64, usize) {
    let reset = run.begun(|step| *step == Step::Boot);
    let times: Vec<f64> = run
        .events
        .iter()
        .filter(|event| event.t >= reset)
        .filter(|event| {
            matches!(
                event.kind,
                EventKind::Appeared {
                    mode: Mode::Download,
                    ..
                }
            )
        })
        .map(|event| event.t)
        .collect();
    (times.last().copied().unwrap_or_default(), times.len())
}

fn is_sent_again(run: &Run) -> bool {
    run.told(|kind| matches!(kind, EventKind::Retrying { what, .. } if what == "the download"))
}

/// What is said of silences, in words.
fn words(run: &Run) -> Vec<&str> {
    run.events
        .iter()
        .filter_map(|event| match &event.kind {
            EventKind::SilenceExpected { why, .. } => Some(why.as_str()),
            _ => None,
        })
        .collect()
}

#[test]
fn a_boot_loader_that_passes_by_is_sent_nothing_and_the_update_is_proven() {
    let other_id = Some((0x1199, 0x9999));
    for (model, control) in [
        ("MC7455", ControlProtocol::Qmi),
        ("EM7565", ControlProtocol::Qmi),
        ("EM9191", ControlProtocol::Mbim),
        ("MC7710", ControlProtocol::Qmi),
    ] {
        for (times, id) in [(1, None), (3, None), (1, other_id), (3, other_id)] {
            let habit = Passing {
                id,
                ..Passing::new(times, TWO_SECONDS)
            };
            let (run, images) = update_one(passing(speaking(model, control), habit));
            let log = run.log();
            assert_newer(&run, &images);
            assert_eq!(passages(&run).1, usize::from(times), "{log}");
            assert!(!is_sent_again(&run), "{log}");
            assert_eq!(run.modem().images().len(), images.len(), "{log}");
            let words = words(&run);
            let said = |part: &str| words.iter().filter(|why| why.contains(part)).count();
            assert_eq!(said("sends nothing"), usize::from(times), "{words:#?}");
            assert_eq!(said("left again after 2.0 s"), usize::from(times), "{words:#?}");
            assert_eq!(said("(3 times so far)"), usize::from(times == 3), "{words:#?}");
        }
    }
}

#[test]
fn a_passage_of_ten_seconds_is_still_a_passage() {
    for model in ["MC7455", "EM7565"] {
        let habit = Passing::new(1, Duration::from_secs(10));
        let (run, images) = update_one(passing(running(model), habit));
        assert_newer(&run, &images);
        assert!(!is_sent_again(&run), "{}", run.log());
    }
}

#[test]
fn a_boot_loader_that_stays_is_flashed_once_more_after_fifteen_seconds() {
    for model in ["MC7455", "EM7565"] {
        let mut setup = faulty(model, "return:download-once");
        // Without a host, this boot loader leaves after 20 s.
        setup.timings.boot_hold = Duration::from_secs(20);
        let (run, images) = update_one(setup);
        let log = run.log();
        run.assert_runs(&newer(run.modem().setup().profile));
        assert!(run.updated().proven);
        assert!(is_sent_again(&run), "{log}");
        assert_eq!(run.modem().images().len(), 2 * images.len(), "{log}");
        run.assert_clean();
        let reset = run.begun(|step| *step == Step::Boot);
        let appeared = run
            .events
            .iter()
            .find(|event| event.t >= reset && matches!(event.kind, EventKind::Appeared { .. }))
            .map(|event| event.t)
            .unwrap();
        let again = run
            .events
            .iter()
            .find(|event| matches!(event.kind, EventKind::Retrying { .. }))
            .map(|event| event.t)
            .unwrap();
        assert!((15.0..15.5).contains(&(again - appeared)), "{log}");
    }
}

#[test]
fn without_reading_back_the_run_waits_for_the_firmware_too() {
    for times in [1, 3] {
        let setup = passing(running("MC7455"), Passing::new(times, TWO_SECONDS));
        let request = Request {
            skip_read_back: true,
            ..wish()
        };
        let (run, images) = update_in(SimulatedWorld::new(setup), &request);
        let log = run.log();
        match &run.result {
            Ok(Outcome::Accepted(accepted)) => assert_eq!(accepted.accepted, images.len(), "{log}"),
            other => panic!("{other:?}\n{log}"),
        }
        assert_eq!(passages(&run).1, usize::from(times), "{log}");
        assert!(!is_sent_again(&run), "{log}");
        run.assert_runs(&newer(run.modem().setup().profile));
        run.assert_clean();
    }
}

#[test]
fn the_second_pass_waits_for_passages_as_well() {
    let setup = passing(faulty("MC7455", "return:pri-lags"), Passing::new(2, TWO_SECONDS));
    let (run, _) = update_one(setup);
    assert!(run.updated().proven);
    assert_eq!(run.updated().passes, 2);
    run.assert_runs(&newer(run.modem().setup().profile));
    run.assert_clean();
}

#[test]
fn a_modem_that_passes_by_for_ever_ends_the_run_after_300_s() {
    for setup in [running("MC7455"), running("EM7565")] {
        let (run, images) = update_one(passing(setup, Passing::new(u8::MAX, TWO_SECONDS)));
        let log = run.log();
        assert_fails(&run, Code::LoaderPasses, 9, ModemState::Restarting);
        is_true(run.modem(), images.len(), run.error()).unwrap_or_else(|why| panic!("{why}\n{log}"));
        let (last, times) = passages(&run);
        let why = run.error().source.to_string();
        assert!(
            why.contains(&format!("{times} times")) && why.contains("within 300 s"),
            "{why}"
        );
        let reset = run.begun(|step| *step == Step::Boot);
        let end = run.events.last().unwrap().t;
        assert!((300.0..303.0).contains(&(end - reset)), "{end}\n{log}");
        assert!(last < end);
        assert!(!is_sent_again(&run), "{log}");
    }
    // One passage, and nothing after that.
    let setup = passing(faulty("MC7455", "return:never"), Passing::new(1, TWO_SECONDS));
    let (run, _) = update_one(setup);
    assert_fails(&run, Code::LoaderPasses, 9, ModemState::Restarting);
    assert!(run.error().source.to_string().contains("appeared once"));
}

#[test]
fn a_wish_to_stop_during_a_passage_ends_the_run_at_once_and_in_the_truth() {
    let setup = passing(running("MC7455"), Passing::new(3, TWO_SECONDS));
    let (whole, _) = update_one(setup.clone());
    let (last, _) = passages(&whole);
    // While the boot loader is on the bus, and after it has left again.
    for (later, state) in [(1.0, ModemState::AllWritten), (3.0, ModemState::Restarting)] {
        let moment = Instant::from_start(Duration::from_secs_f64(last + later));
        let mut world = SimulatedWorld::new(setup.clone());
        world.cancel_at(moment);
        let (run, images) = update_in(world, &wish());
        let log = run.log();
        assert_fails(&run, Code::Stopped, 130, state);
        is_true(run.modem(), images.len(), run.error()).unwrap_or_else(|why| panic!("{why}\n{log}"));
        let end = run.events.last().unwrap().t;
        assert!((end - last - later).abs() < 0.1, "{log}");
    }
}

/// An update that is left after its download, with what was written down before and after the download. The modem
/// shows its boot loader now, and for one second more.
fn left_in_a_passage() -> (SimulatedWorld, [serde_json::Value; 2]) {
    let setup = passing(running("MC7455"), Passing::new(2, TWO_SECONDS));
    let firmware = firmware(&release(setup.profile));
    let mut world = SimulatedWorld::new(setup);
    let mut sink = |_: &Event| {};
    let mut updating = Updating::begin(&mut world, &wish(), &firmware, &mut sink, &mut |_| false).unwrap();
    let mut before = None;
    loop {
        let checkpoint = updating.checkpoint();
        let json = serde_json::to_value(&checkpoint).unwrap();
        match checkpoint.stage() {
            Stage::Send(_) => before = Some(json),
            Stage::Start(_) => {
                std::mem::forget(updating);
                world.end_program();
                let attached = |world: &SimulatedWorld| world.modem(0).unwrap().is_on_bus();
                while !attached(&world) {
                    let next = world.now() + Duration::from_millis(100);
                    world.wait(&[], next);
                }
                let next = world.now() + Duration::from_secs(1);
                world.wait(&[], next);
                assert_eq!(world.modem(0).unwrap().mode(), virtual_modem::Mode::Download);
                return (world, [before.unwrap(), json]);
            }
            _ => {}
        }
        updating = match updating.advance().unwrap() {
            Advanced::Stage(next) => *next,
            Advanced::Ended(outcome) => panic!("{outcome}"),
        };
    }
}

#[test]
fn a_resumed_run_waits_anew_whether_it_knows_of_the_download_or_not() {
    for which in [0, 1] {
        let (mut world, written_down) = left_in_a_passage();
        let profile = world.modem(0).unwrap().setup().profile;
        let images = release(profile);
        let firmware = firmware(&images);
        let checkpoint: Checkpoint = serde_json::from_value(written_down[which].clone()).unwrap();
        let mut events = Vec::new();
        let mut sink = |event: &Event| events.push(event.kind.clone());
        let outcome = Updating::resume(&mut world, checkpoint, &firmware, &mut sink)
            .and_then(Updating::finish)
            .unwrap_or_else(|error| panic!("{error}: {}", error.source));
        // A run that doesn't know of the download finds the firmware in place, and counts no image.
        let words = ["switched to", "updated"][which];
        assert!(outcome.to_string().starts_with(words), "{outcome}");
        let modem = world.modem(0).unwrap();
        assert_eq!(modem.storage().current, newer(profile));
        assert_eq!(modem.images().len(), images.len(), "{events:#?}");
        assert_eq!(modem.violations(), []);
    }
}
