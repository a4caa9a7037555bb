//! The user stops a run once or twice, at every moment of a whole update.

use std::time::Duration;

use modem_protocol::mbim::{Body, Message, Reassembler, Status};
use modem_world::trace::{Event as Traced, Trace};
use modem_world::{Instant, Interest, Recorder, World};
use modemflash_update_engine::modem::{Mode, modems};
use modemflash_update_engine::{Code, EventKind, ModemState, Outcome, Step, errand, update};
use virtual_modem::quirk::Passing;
use virtual_modem::simulated::SimulatedWorld;
use virtual_modem::{ControlProtocol, Setup};

use crate::support::normal::{faulty, newer, release, running, speaking, update_in, update_one, wish};
use crate::support::truth::is_true;
use crate::support::{Run, firmware};

/// The modems whose updates are stopped: QDL and Firehose, QMI and MBIM, with and without a preference; one whose boot loader
/// passes by after the flash.
fn setups() -> Vec<Setup> {
    let mut passes_by = running("EM7565");
    passes_by.quirks.passing = Some(Passing::new(2, Duration::from_secs(2)));
    vec![
        passes_by,
        running("MC7455"),
        running("MC7710"),
        running("EM7565"),
        speaking("EM9191", ControlProtocol::Mbim),
    ]
}

fn stopped_at(setup: &Setup, moments: &[Instant]) -> (Run, usize) {
    let mut world = SimulatedWorld::new(setup.clone());
    for moment in moments {
        world.cancel_at(*moment);
    }
    let (run, images) = update_in(world, &wish());
    (run, images.len())
}

/// The moments just before, at and just after every event of a run that nobody stops.
fn moments(setup: &Setup) -> Vec<Instant> {
    let (run, _) = update_one(setup.clone());
    assert!(run.result.is_ok(), "{}", run.log());
    let mut moments: Vec<u64> = run
        .events
        .iter()
        .flat_map(|event| {
            let at = (event.t * 1000.0) as u64;
            [at.saturating_sub(1), at, at + 1, at + 150]
        })
        .collect();
    moments.sort_unstable();
    moments.dedup();
    moments
        .into_iter()
        .map(|at| Instant::from_start(Duration::from_millis(at)))
        .collect()
}

fn judge(run: &Run, of: usize, what: &str) {
    match &run.result {
        Ok(Outcome::Updated(updated)) => {
            assert!(updated.proven);
            run.assert_runs(&newer(run.modem().setup().profile));
        }
        Ok(other) => panic!("{what}: {other:?}"),
        Err(error) => {
            assert_eq!(error.exit_code(), 130, "{what}: {}", run.log());
            assert_eq!(error.code(), Code::Stopped, "{what}: {}", run.log());
            is_true(run.modem(), of, error).unwrap_or_else(|why| panic!("{what}: {why}\n{}", run.log()));
            // After a single wish to stop, the run knows where the modem is, unless the modem is starting.
            assert_ne!(error.modem, ModemState::Unknown, "{what}: {}", run.log());
        }
    }
    assert_eq!(run.modem().violations(), [], "{what}: {}", run.log());
    run.assert_no_imei();
}

#[test]
fn a_wish_to_stop_at_any_moment_ends_in_the_update_or_in_the_truth() {
    let mut stopped = 0;
    for setup in setups() {
        for moment in moments(&setup) {
            let (run, of) = stopped_at(&setup, &[moment]);
            stopped += usize::from(run.result.is_err());
            judge(&run, of, &format!("{} {moment:?}", setup.profile.name));
        }
    }
    assert!(stopped > 100, "{stopped}");
}

#[test]
fn a_second_wish_to_stop_ends_at_once_and_in_the_truth() {
    for setup in setups() {
        for moment in moments(&setup) {
            let (run, of) = stopped_at(&setup, &[moment, moment + Duration::from_millis(3)]);
            let what = format!("{} twice {moment:?}", setup.profile.name);
            if let Err(error) = &run.result {
                assert_eq!(error.exit_code(), 130, "{what}: {}", run.log());
                is_true(run.modem(), of, error).unwrap_or_else(|why| panic!("{what}: {why}\n{}", run.log()));
            }
        }
    }
}

#[test]
fn a_stop_after_the_preference_was_set_puts_the_old_one_back() {
    let setup = running("MC7455");
    let (whole, _) = update_one(setup.clone());
    let told = whole.begun(|step| *step == Step::SetPreference);
    let moment = Instant::from_start(Duration::from_secs_f64(told) + Duration::from_micros(500));
    let (run, _) = stopped_at(&setup, &[moment]);
    assert_eq!(run.error().exit_code(), 130, "{}", run.log());
    assert_eq!(run.modem().storage().preferred, setup.storage.preferred);
    assert_eq!(run.modem().image_bytes(), 0);
    assert!(run.modem().is_online(), "{}", run.log());
    assert!(run.told(|kind| matches!(
        kind,
        EventKind::StepStarted {
            step: Step::SetPreference,
            ..
        }
    )));
    assert!(run.told(|kind| matches!(kind, EventKind::Stopping { .. })));
}

// The modem has the new preference, but its answer hasn't arrived yet.
#[test]
fn a_second_wish_before_the_answer_to_the_preference_says_that_it_may_be_set() {
    let setup = faulty("RC7620", "late-answer@0x48:2s");
    let (whole, _) = update_one(setup.clone());
    let told = whole.begun(|step| *step == Step::SetPreference);
    let moment = Instant::from_start(Duration::from_secs_f64(told) + Duration::from_millis(500));
    let (run, of) = stopped_at(&setup, &[moment, moment + Duration::from_millis(70)]);
    let error = run.error();
    assert_eq!(
        (error.exit_code(), error.modem),
        (130, ModemState::WrongPreference),
        "{}",
        run.log()
    );
    is_true(run.modem(), of, error).unwrap_or_else(|why| panic!("{why}\n{}", run.log()));
}

#[test]
fn the_same_command_finishes_a_stopped_update() {
    for setup in setups() {
        let all = moments(&setup);
        for moment in all.iter().step_by(17) {
            let (run, _) = stopped_at(&setup, &[*moment]);
            if run.result.is_ok() {
                continue;
            }
            let mut world = run.world;
            // The modem may be off the bus at this moment.
            let settled = modem_world::World::now(&world) + Duration::from_secs(200);
            let _ = modem_world::World::wait(&mut world, &[], settled);
            let (run, _) = update_in(world, &wish());
            match &run.result {
                Ok(Outcome::Updated(_) | Outcome::Unchanged(_)) => {}
                other => panic!("{} {moment:?}: {other:?}\n{}", setup.profile.name, run.log()),
            }
            run.assert_runs(&newer(setup.profile));
        }
    }
}

/// Whether a run has reached its goal.
type Job = fn(&mut dyn World, &Setup) -> bool;

/// Runs that ask a modem something.
const JOBS: [(&str, Job); 4] = [
    ("update", |world, setup| {
        let images = release(setup.profile);
        update(world, &wish(), &firmware(&images), &mut |_| {}).is_ok()
    }),
    ("info", |world, _| {
        errand::info(world, &wish(), &mut |_| {}).is_ok()
    }),
    ("reset", |world, _| {
        errand::reset(world, &wish(), &mut |_| {}).is_ok()
    }),
    ("reset --download-mode", |world, _| {
        errand::enter_download_mode(world, &wish(), &mut |_| {}).is_ok()
    }),
];

/// Runs a job over MBIM, with a modem that ignores the next program while a session is open, and records
/// everything that is written.
fn recorded(job: Job, setup: &Setup, cancels: &[Instant]) -> (SimulatedWorld, bool, Trace) {
    let mut world = SimulatedWorld::new(setup.clone());
    for moment in cancels {
        world.cancel_at(*moment);
    }
    let mut text = Vec::new();
    let mut recorder = Recorder::new(world, &mut text, |error| panic!("{error}"));
    let has_succeeded = job(&mut recorder, setup);
    let world = recorder.finish();
    let trace = Trace::parse(&String::from_utf8(text).unwrap()).unwrap();
    (world, has_succeeded, trace)
}

/// Opens the control port like another program that doesn't know about earlier sessions: it sends one OPEN
/// and expects the answer within 2 s. None while the modem restarts.
fn opens_at_once(world: &mut SimulatedWorld) -> Option<bool> {
    let modem = modems(world).unwrap().pop()?;
    let port = modem
        .ports
        .control
        .first()
        .filter(|_| modem.mode == Mode::Normal)?;
    let handle = world.open(&port.port.id).ok()?;
    let open = Message {
        transaction: 1,
        body: Body::Open {
            max_control_transfer: 4096,
        },
    };
    let open = open.encode();
    if world.try_write(handle, &open).ok()? == 0 {
        // A modem that has accepted a restart takes no more messages and leaves the bus.
        let until = world.now() + Duration::from_secs(60);
        while world.now() < until {
            world.try_read(handle, &mut [0; 16]).ok()?;
            let _ = world.wait(&[Interest::Readable(handle), Interest::Bus], until);
        }
        return Some(false);
    }
    let until = world.now() + Duration::from_secs(2);
    let (mut messages, mut buffer) = (Reassembler::default(), [0; 4096]);
    loop {
        // A modem that leaves now had already begun to restart.
        let count = world.try_read(handle, &mut buffer).ok()?;
        messages.push(&buffer[..count]);
        if let Some(message) = messages.next_message(world.now()) {
            // The first message is the answer to the OPEN: no message from another program's session is left
            // in the port.
            return Some(message.unwrap().body == Body::OpenDone(Status::Success));
        }
        if world.now() >= until {
            return Some(false);
        }
        let _ = world.wait(&[Interest::Readable(handle)], until);
    }
}

// field-reports.md D12
#[test]
fn two_wishes_to_stop_at_any_question_leave_the_mbim_port_ready_for_the_next_program() {
    for (name, job) in JOBS {
        let (mut stopped, mut opened) = (0, 0);
        for model in ["EM9191", "EM7565", "MC7455"] {
            let mut setup = speaking(model, ControlProtocol::Mbim);
            setup.quirks.mbim_is_deaf_while_open = true;
            let (_, has_succeeded, whole) = recorded(job, &setup, &[]);
            assert!(has_succeeded, "{name}: {model}");
            let questions: Vec<Instant> = whole
                .entries
                .iter()
                .filter(|entry| matches!(entry.event, Traced::Written { .. }))
                .map(|entry| entry.at)
                .collect();
            for at in questions {
                let (mut world, has_succeeded, trace) = recorded(job, &setup, &[at, at]);
                stopped += usize::from(!has_succeeded);
                if let Some(is_open) = opens_at_once(&mut world) {
                    assert!(is_open, "{name}: {model}: stopped twice at {at:?}: {trace:?}");
                    opened += 1;
                }
            }
        }
        assert!(
            stopped > 20 && opened > 20,
            "{name}: {stopped} stopped, {opened} opened"
        );
    }
}
