//! Faults during a download: each leads to its error code, its exit code and the true state of the modem.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crate::support::through::{Habit, Through};
use crate::support::{Memory, Run, cwe, firmware, images_for, noise, request, run_in};
use firmware_image::source::ImageSource;
use modem_protocol::ProtocolError;
use modem_protocol::conversation::{Refusal, Step as Asked};
use modem_protocol::firehose::message::Nak;
use modem_world::{Instant, PortError, PortErrorKind, PortHandle, PortId, World};
use modemflash_update_engine::{
    Advice, Cause, Code, Event, EventKind, Firmware, Layer, ModemState, Step, update,
};
use virtual_modem::profile::Profile;
use virtual_modem::quirk::{Noise, RefusedPrograms};
use virtual_modem::simulated::SimulatedWorld;
use virtual_modem::{FaultScript, ImageState, Setup};

fn setup(model: &str, faults: &str) -> Setup {
    let mut setup = Setup::of(Profile::named(model).unwrap());
    setup.faults = faults.parse::<FaultScript>().unwrap();
    setup
}

/// Flashes one image of 3 MiB and one of 20 kB.
fn run_with(model: &str, faults: &str) -> (Run, Vec<Memory>) {
    let setup = setup(model, faults);
    let images = images_for(setup.profile, 5, &[3 << 20, 20_000]);
    (run_in(SimulatedWorld::new(setup), &request(), &images), images)
}

fn assert_fails(run: &Run, code: Code, exit: u8, modem: ModemState) {
    let log = run.log();
    assert_eq!(run.error().code(), code, "{log}");
    assert_eq!(run.error().exit_code(), exit, "{log}");
    assert_eq!(run.error().modem, modem, "{log}");
}

const NONE_OF_TWO: ModemState = ModemState::PartlyWritten { accepted: 0, of: 2 };
const ONE_OF_TWO: ModemState = ModemState::PartlyWritten { accepted: 1, of: 2 };

#[test]
fn a_modem_that_takes_no_more_data_is_partly_written() {
    let (qdl, _) = run_with("MC7455", "stall@1500000");
    assert_fails(&qdl, Code::QdlStalled, 6, NONE_OF_TWO);
    let (firehose, _) = run_with("EM7565", "stall@1500000");
    assert_fails(&firehose, Code::FirehoseStalled, 6, NONE_OF_TWO);
    assert_eq!(firehose.error().next, Advice::CheckConnection);
}

#[test]
fn a_modem_that_pauses_for_a_minute_is_flashed() {
    for model in ["MC7455", "EM7565"] {
        let (run, images) = run_with(model, "stall@1500000:60s");
        run.assert_flashed(&images);
    }
}

#[test]
fn a_modem_that_leaves_in_the_middle_and_comes_back_is_flashed_from_the_start() {
    for model in ["MC7455", "EM7565"] {
        let (run, _) = run_with(model, "drop@1500000");
        assert!(run.result.is_ok(), "{}", run.log());
        assert!(run.told(|kind| *kind
            == EventKind::ModemStateChanged {
                modem: ModemState::Unknown
            }));
        assert!(
            run.told(|kind| matches!(kind, EventKind::Retrying { .. })),
            "{}",
            run.log()
        );
    }
}

#[test]
fn a_modem_that_leaves_twice_is_given_up_in_download_mode() {
    for (model, code) in [("MC7455", Code::QdlLeft), ("EM7565", Code::FirehoseLeft)] {
        let (run, _) = run_with(model, "drop@1500000,drop@2500000");
        assert_fails(&run, code, 6, NONE_OF_TWO);
        let retries = run
            .events
            .iter()
            .filter(|event| matches!(&event.kind, EventKind::Retrying { what, .. } if what == "the download"))
            .count();
        assert_eq!(retries, 1, "{}", run.log());
    }
}

#[test]
fn an_image_that_the_modem_rejects_is_named_with_what_it_said() {
    let (qdl, _) = run_with("MC7455", "reject-image@2");
    assert_fails(&qdl, Code::ImageRejected, 6, ONE_OF_TWO);
    assert_eq!(qdl.error().next, Advice::GetOtherImages);
    let (firehose, _) = run_with("EM7565", "reject-image@2");
    assert_fails(&firehose, Code::ImageRejected, 6, ONE_OF_TWO);
    assert_eq!(firehose.error().next, Advice::GetOtherImages);
    assert_eq!(firehose.error().hint(), qdl.error().hint());
    assert!(
        firehose.error().source.to_string().contains("SWI Error Code"),
        "{}",
        firehose.log()
    );
    assert!(matches!(
        firehose.error().step,
        Step::Finalise { image: 2, of: 2, .. }
    ));
}

#[test]
fn a_refused_request_to_take_an_image_is_repeated_twice_and_no_more() {
    // With the zero block's complaint and without, as one and several requests.
    for noise in [
        None,
        Some(Noise::ONCE),
        Some(Noise::QUEUED),
        Some(Noise::JOINED),
        Some(Noise::MANY),
    ] {
        for (habit, retries) in [
            (RefusedPrograms::None, 0),
            (RefusedPrograms::First(1), 1),
            (RefusedPrograms::First(2), 2),
            (RefusedPrograms::First(3), 2),
            (RefusedPrograms::All, 2),
        ] {
            let mut setup = setup("EM7565", "");
            setup.quirks.noise = noise;
            setup.quirks.refused_programs = habit;
            let images = images_for(setup.profile, 5, &[20_000, 9_000]);
            let run = run_in(SimulatedWorld::new(setup), &request(), &images);
            let log = run.log();
            let told = run.events.iter().filter_map(|event| match &event.kind {
                EventKind::Retrying { why, .. } if why.contains("storage device is busy") => Some(event.t),
                _ => None,
            });
            let told = told.count();
            if matches!(habit, RefusedPrograms::First(3) | RefusedPrograms::All) {
                assert_eq!(told, retries, "{log}");
                assert_fails(&run, Code::FirehoseRefused, 6, ModemState::InDownloadMode);
                let why = run.error().source.to_string();
                assert!(why.contains("ERROR: storage device is busy"), "{why}");
                assert_eq!(run.modem().violations(), [], "{log}");
                assert_eq!(run.modem().images().len(), 0, "{log}");
            } else {
                // Each of the two images is refused that often.
                assert_eq!(told, 2 * retries, "{log}");
                run.assert_flashed(&images);
            }
            assert!(run.events.last().unwrap().t < 60.0, "{log}");
        }
    }
}

#[test]
fn a_modules_own_reason_against_a_package_is_in_the_hint() {
    for (line, special) in [
        ("Package not compatible", Some("flash chip")),
        ("could not get FOTA partition name", Some("partition table")),
        ("SWI Error Code 0x17", None),
        ("authentication failed", None),
    ] {
        let mut setup = setup("EM7565", "reject-image@1");
        setup.quirks.failure_lines = vec![line.to_owned()];
        let images = images_for(setup.profile, 5, &[20_000, 9_000]);
        let run = run_in(SimulatedWorld::new(setup), &request(), &images);
        assert_fails(&run, Code::ImageRejected, 6, NONE_OF_TWO);
        let (error, log) = (run.error(), run.log());
        assert_eq!(error.next, Advice::GetOtherImages, "{log}");
        assert!(error.source.to_string().contains(line), "{log}");
        match special {
            Some(word) => assert!(error.hint().contains(word), "{log}"),
            None => assert_eq!(error.hint(), error.next.to_string(), "{log}"),
        }
    }
}

#[test]
fn a_refusal_of_something_else_is_not_called_a_rejected_image() {
    let noise = "XML not formed correctly. Expected < character at loc 0";
    for (step, line, code) in [
        (Asked::Configure, "HANDLE_PROGRAM_FAILURE", Code::FirehoseRefused),
        (
            Asked::Program { image: 0 },
            "SWI Error Code 0x80",
            Code::FirehoseRefused,
        ),
        (Asked::Reset, "no", Code::FirehoseRefused),
        (Asked::RawData { image: 0 }, "no", Code::FirehoseRefused),
        (Asked::Verdict { image: 0 }, noise, Code::FirehoseRefused),
        (Asked::Verdict { image: 0 }, "no", Code::ImageRejected),
        (
            Asked::RawData { image: 0 },
            "HANDLE_PROGRAM_FAILURE",
            Code::ImageRejected,
        ),
    ] {
        let refusal = Refusal::Firehose(Nak {
            log: vec![line.to_owned()],
        });
        let error = ProtocolError::Refused { step, refusal };
        let cause = Cause::Protocol {
            layer: Layer::Firehose,
            error,
        };
        assert_eq!(cause.code(), code, "{step}: {line}");
    }
}

#[test]
fn an_error_in_the_middle_of_the_data_ends_the_sending() {
    for model in ["MC7455", "EM7565"] {
        let (run, images) = run_with(model, "error:0x1a@chunk:1");
        assert_fails(&run, Code::ImageRejected, 6, NONE_OF_TWO);
        assert!(
            run.modem().image_bytes() < images[0].bytes.len() as u64,
            "{}",
            run.log()
        );
    }
}

#[test]
fn an_image_that_the_modem_does_not_want_is_passed_over() {
    let mut setup = setup("MC7455", "");
    setup.quirks.not_required = Some(2);
    let images = images_for(setup.profile, 5, &[20_000, 9_000]);
    let run = run_in(SimulatedWorld::new(setup), &request(), &images);
    assert!(run.result.is_ok(), "{}", run.log());
    assert!(run.told(|kind| matches!(kind, EventKind::ImageNotRequired { image: 2, .. })));
}

#[test]
fn a_modem_that_needs_no_image_at_all_is_not_said_to_have_accepted_any() {
    let mut setup = setup("MC7455", "");
    setup.quirks.not_required = Some(1);
    setup.firmware = virtual_modem::Firmware::Sound;
    let images = images_for(setup.profile, 5, &[20_000]);
    let run = run_in(SimulatedWorld::new(setup), &request(), &images);
    let outcome = run.result.as_ref().unwrap().to_string();
    assert!(
        outcome.starts_with("nothing written: the modem needs none"),
        "{outcome}"
    );
}

/// What happens to the reset request.
#[derive(Clone, Copy, PartialEq, Eq)]
enum AtReset {
    /// The modem leaves the bus by itself when the request is about to be written.
    LeavesFirst,
    /// The port takes the request, but the modem doesn't react.
    Swallows,
}

/// A habit of the world at the reset request.
struct Reset {
    habit: AtReset,
    is_asked: bool,
}

/// A world with one modem and a habit at the reset request.
fn reset_world(model: &str, habit: AtReset) -> (Through<Reset>, Vec<Memory>) {
    let setup = setup(model, "");
    let images = images_for(setup.profile, 5, &[20_000]);
    let world = SimulatedWorld::new(setup);
    let is_asked = false;
    let habit = Reset { habit, is_asked };
    (Through { world, habit }, images)
}

impl Reset {
    fn unless_gone<T>(&self, result: Result<T, PortError>) -> Result<T, PortError> {
        if !self.is_asked || self.habit == AtReset::Swallows {
            return result;
        }
        Err(PortError {
            port: PortId::new("/dev/ttyUSB0"),
            kind: PortErrorKind::Gone,
        })
    }
}

impl Habit for Reset {
    fn try_read(
        &mut self,
        world: &mut SimulatedWorld,
        port: PortHandle,
        buffer: &mut [u8],
    ) -> Result<usize, PortError> {
        let result = world.try_read(port, buffer);
        self.unless_gone(result)
    }
    fn try_write(
        &mut self,
        world: &mut SimulatedWorld,
        port: PortHandle,
        bytes: &[u8],
    ) -> Result<usize, PortError> {
        let is_qdl_reset = bytes == [0x7e, 0x2d, 0x9f, 0x0a, 0x7e];
        if is_qdl_reset || bytes.windows(7).any(|word| word == b"<power ") {
            self.is_asked = true;
            if self.habit == AtReset::LeavesFirst {
                // The modem does by itself what the request would have asked for.
                let _ = world.try_write(port, bytes);
            }
            return self.unless_gone(Ok(bytes.len()));
        }
        let result = world.try_write(port, bytes);
        self.unless_gone(result)
    }
}

#[test]
fn a_modem_that_has_all_images_and_leaves_before_the_reset_is_not_flashed_again() {
    for model in ["MC7455", "EM7565"] {
        let (mut world, images) = reset_world(model, AtReset::LeavesFirst);
        let mut retried = false;
        let outcome = update(&mut world, &request(), &firmware(&images), &mut |event| {
            retried |= matches!(event.kind, EventKind::Retrying { .. });
        });
        assert!(world.habit.is_asked, "{model}");
        assert!(outcome.is_ok(), "{model}: {outcome:?}");
        assert!(!retried, "{model}");
    }
}

#[test]
fn a_modem_that_has_all_images_and_does_not_leave_is_no_success() {
    for (model, code) in [("MC7455", Code::ResetStayed), ("EM7565", Code::FirehoseSilent)] {
        let (mut world, images) = reset_world(model, AtReset::Swallows);
        let error = update(&mut world, &request(), &firmware(&images), &mut |_| {}).unwrap_err();
        assert_eq!(error.code(), code, "{model}: {error}");
        assert_eq!(error.modem, ModemState::AllWritten, "{model}");
        assert_eq!(error.next, Advice::PowerCycle, "{model}");
        assert_eq!(error.exit_code(), 6, "{model}");
    }
}

#[test]
fn a_stop_while_waiting_for_the_modem_to_leave_says_that_all_is_written() {
    for model in ["MC7455", "EM7565"] {
        let (mut world, images) = reset_world(model, AtReset::Swallows);
        let mut accepted_at = None;
        let mut ask = |event: &Event| {
            if matches!(event.kind, EventKind::ImageAccepted { .. }) {
                accepted_at = Some(event.t);
            }
        };
        update(&mut world, &request(), &firmware(&images), &mut ask).unwrap_err();
        let accepted_at = Duration::from_secs_f64(accepted_at.unwrap());
        // The first wish to stop comes too late, because the reset is the safe end of the run. The second
        // wish ends the wait for the reset.
        let (mut world, images) = reset_world(model, AtReset::Swallows);
        for later in [2, 4] {
            let at = Instant::from_start(accepted_at + Duration::from_secs(later));
            world.world.cancel_at(at);
        }
        let error = update(&mut world, &request(), &firmware(&images), &mut |_| {}).unwrap_err();
        assert_eq!(error.exit_code(), 130, "{model}: {error}");
        assert_eq!(error.modem, ModemState::AllWritten, "{model}: {error}");
        assert_eq!(error.next, Advice::PowerCycle, "{model}: {error}");
    }
}

#[test]
fn silence_is_told_before_it_begins() {
    for model in ["MC7455", "EM7565"] {
        let (run, _) = run_with(model, "");
        let place = |is_it: &dyn Fn(&EventKind) -> bool| {
            run.events
                .iter()
                .position(|event| is_it(&event.kind))
                .expect("it is told")
        };
        let told = place(
            &|kind| matches!(kind, EventKind::SilenceExpected { why, .. } if why.contains("writing it to flash")),
        );
        let accepted = place(&|kind| matches!(kind, EventKind::ImageAccepted { .. }));
        assert!(told < accepted);
        assert!(run.events[accepted].t - run.events[told].t > 0.2, "{}", run.log());
    }
}

#[test]
fn progress_reaches_the_end_and_never_goes_backwards() {
    for (model, faults) in [
        ("MC7455", ""),
        ("EM7565", ""),
        ("MC7455", "drop@1500000"),
        ("EM7565", "drop@9000"),
    ] {
        let (run, _) = run_with(model, faults);
        let mut last = 0.0;
        for event in &run.events {
            let progress = match event.kind {
                EventKind::StepStarted { progress, .. }
                | EventKind::StepFinished { progress, .. }
                | EventKind::Advanced { progress, .. } => progress,
                _ => continue,
            };
            assert!(progress >= last && progress <= 1.0, "{}", run.log());
            last = progress;
        }
        assert!((last - 1.0).abs() < 1e-9, "{last}\n{}", run.log());
    }
}

#[test]
fn the_first_wish_to_stop_ends_between_requests_and_the_second_at_once() {
    for model in ["MC7455", "EM7565"] {
        // The whole run takes some seconds of virtual time. Stop it at many moments.
        for milliseconds in (0..6000).step_by(97) {
            let setup = setup(model, "");
            let images = images_for(setup.profile, 5, &[3 << 20, 20_000]);
            let mut world = SimulatedWorld::new(setup);
            world.cancel_at(Instant::from_start(Duration::from_millis(milliseconds)));
            let run = run_in(world, &request(), &images);
            assert_eq!(run.modem().violations(), [], "{milliseconds}\n{}", run.log());
            if run.result.is_err() {
                assert_eq!(run.error().exit_code(), 130, "{milliseconds}\n{}", run.log());
            }
        }
    }
}

#[test]
fn a_wish_to_stop_while_the_modem_leaves_comes_too_late() {
    for model in ["MC7455", "EM7565"] {
        let setup = setup(model, "");
        let images = images_for(setup.profile, 5, &[20_000]);
        let plain = run_in(SimulatedWorld::new(setup.clone()), &request(), &images);
        let leaves = |event: &&Event| {
            matches!(
                event.kind,
                EventKind::StepStarted {
                    step: Step::Leave,
                    ..
                }
            )
        };
        let from = Duration::from_secs_f64(plain.events.iter().find(leaves).unwrap().t);
        let until = Duration::from_secs_f64(plain.events.last().unwrap().t);
        assert!(until > from + Duration::from_millis(50), "{}", plain.log());
        for later in [1, 20, 50] {
            let mut world = SimulatedWorld::new(setup.clone());
            world.cancel_at(Instant::from_start(from + Duration::from_millis(later)));
            let run = run_in(world, &request(), &images);
            assert!(
                run.told(|kind| matches!(kind, EventKind::Stopping { .. })),
                "{}",
                run.log()
            );
            run.assert_flashed(&images);
        }
    }
}

#[test]
fn a_second_wish_to_stop_ends_in_the_middle_and_says_so() {
    let setup = setup("MC7455", "stall@1500000:60s");
    let images = images_for(setup.profile, 5, &[3 << 20]);
    let mut world = SimulatedWorld::new(setup);
    world.cancel_at(Instant::from_start(Duration::from_secs(10)));
    world.cancel_at(Instant::from_start(Duration::from_secs(11)));
    let run = run_in(world, &request(), &images);
    assert_fails(
        &run,
        Code::Stopped,
        130,
        ModemState::PartlyWritten { accepted: 0, of: 1 },
    );
    // The modem still waits for the rest of the chunk and would take any byte for that.
    assert_eq!(run.error().next, Advice::PowerCycleAndRunAgain);
    assert!(run.told(|kind| matches!(kind, EventKind::Stopping { .. })));
    let last = run.events.last().unwrap();
    assert!((10.9..11.5).contains(&last.t), "{}", run.log());
}

#[test]
fn a_stopped_flash_is_finished_by_the_same_command() {
    for model in ["MC7455", "EM7565"] {
        let setup = setup(model, "");
        let images = images_for(setup.profile, 5, &[3 << 20, 20_000]);
        let mut world = SimulatedWorld::new(setup);
        world.cancel_at(Instant::from_start(Duration::from_millis(2500)));
        let first = run_in(world, &request(), &images);
        let again = run_in(first.world, &request(), &images);
        assert!(again.result.is_ok(), "{model}\n{}", again.log());
    }
}

/// An image whose bytes change after a given number of openings.
struct Changing {
    image: Memory,
    changed: Vec<u8>,
    after: usize,
    openings: Arc<AtomicUsize>,
}

impl ImageSource for Changing {
    fn name(&self) -> &str {
        &self.image.name
    }
    fn size(&self) -> u64 {
        self.image.bytes.len() as u64
    }
    fn open(&self) -> io::Result<Box<dyn io::Read + Send + '_>> {
        let is_changed = self.openings.fetch_add(1, Ordering::Relaxed) >= self.after;
        Ok(Box::new(if is_changed {
            self.changed.as_slice()
        } else {
            self.image.bytes.as_slice()
        }))
    }
}

#[test]
fn a_file_that_changes_stops_the_flash_before_the_chunk_that_differs() {
    for (model, code_state) in [("MC7455", NONE_OF_TWO), ("EM7565", NONE_OF_TWO)] {
        let setup = setup(model, "");
        let images = images_for(setup.profile, 5, &[3 << 20, 20_000]);
        let mut changed = images[0].bytes.clone();
        changed[(2 << 20) + 77] ^= 1;
        // The file is opened for the check, for its header, and to be sent.
        let changing = Changing {
            image: images[0].clone(),
            changed,
            after: 2,
            openings: Arc::default(),
        };
        let firmware = Firmware::check(vec![Box::new(changing), Box::new(images[1].clone())]).unwrap();
        let mut world = SimulatedWorld::new(setup);
        let error = update(&mut world, &request(), &firmware, &mut |_| {}).unwrap_err();
        assert_eq!(error.code(), Code::ImageChanged, "{error} {}", error.source);
        assert_eq!(error.modem, code_state);
        assert_eq!(error.exit_code(), 6);
        assert_eq!(error.next, Advice::CopyImages);
        let modem = world.modem(0).unwrap();
        assert!(modem.image_bytes() <= 2 << 20, "{}", modem.image_bytes());
        assert!(
            modem
                .images()
                .iter()
                .all(|image| image.state != ImageState::Accepted)
        );
    }
}

#[test]
fn a_damaged_image_is_refused_with_nothing_sent() {
    let setup = setup("MC7455", "");
    let mut images = images_for(setup.profile, 5, &[9_000]);
    images[0].bytes[5_000] ^= 1;
    let run = run_in(SimulatedWorld::new(setup), &request(), &images);
    assert_fails(&run, Code::ImageDamaged, 3, ModemState::Untouched);
    assert_eq!(run.modem().image_bytes(), 0);
}

#[test]
fn images_of_different_versions_are_refused_unless_the_user_wants_them() {
    let setup = setup("MC7455", "");
    let version = |number: &str| format!("9999999_9901234_SWI9X30C_{number}_00_GENERIC_002.072_000");
    let images = ["02.33.03.00", "02.30.01.01"].map(|number| Memory {
        name: format!("SWI9X30C_{number}.cwe"),
        bytes: cwe("AMSS", "9X30", &version(number), &noise(3, 5_000)),
    });
    let refused = run_in(SimulatedWorld::new(setup.clone()), &request(), &images);
    assert_fails(&refused, Code::ImageConflict, 3, ModemState::Untouched);
    let wanted = modemflash_update_engine::Request {
        ignore_versions: true,
        ..request()
    };
    let run = run_in(SimulatedWorld::new(setup), &wanted, &images);
    assert!(run.result.is_ok(), "{}", run.log());
}

#[test]
fn a_warning_that_is_not_confirmed_stops_before_the_port_is_opened() {
    let setup = setup("MC7455", "");
    let version = "9999999_9901234_SWI9X30C_00.08.02.00_00_GENERIC_000.001_000";
    let images = [Memory {
        name: "SWI9X30C_00.08.02.00.cwe".into(),
        bytes: cwe("AMSS", "9X30", version, &noise(3, 5_000)),
    }];
    let unconfirmed = modemflash_update_engine::Request {
        confirmed: false,
        ..request()
    };
    let run = run_in(SimulatedWorld::new(setup.clone()), &unconfirmed, &images);
    assert_fails(&run, Code::NotConfirmed, 2, ModemState::Untouched);
    assert!(run.told(
        |kind| matches!(kind, EventKind::Warning { warning } if warning.code.as_str() == "PRE-PRODUCTION")
    ));
    let run = run_in(SimulatedWorld::new(setup.clone()), &request(), &images);
    assert!(run.result.is_ok(), "{}", run.log());
    // A confirmation of one kind of warning doesn't confirm another kind.
    for (code, is_enough) in [("DOWNGRADE", false), ("PRE-PRODUCTION", true)] {
        let confirmed = modemflash_update_engine::Request {
            confirmed_codes: vec![code.into()],
            ..unconfirmed.clone()
        };
        let run = run_in(SimulatedWorld::new(setup.clone()), &confirmed, &images);
        assert_eq!(run.result.is_ok(), is_enough, "{code}: {}", run.log());
    }
}

#[test]
fn the_device_is_kept_awake() {
    let (run, _) = run_with("EM7565", "");
    assert!(!run.world.kept_awake().is_empty());
}

#[test]
fn a_plan_is_made_without_touching_the_modem() {
    let setup = setup("EM7565", "");
    let images = images_for(setup.profile, 5, &[100_000, 20_000]);
    let mut world = SimulatedWorld::new(setup);
    let plan = modemflash_update_engine::prepare(&mut world, &request(), &firmware(&images)).unwrap();
    assert_eq!(plan.images.len(), 2);
    assert!(plan.images[0].bytes > plan.images[1].bytes);
    assert_eq!(plan.total_bytes, 120_800);
    assert!(plan.estimate_s > 0);
    assert_eq!(world.modem(0).unwrap().image_bytes(), 0);
}
