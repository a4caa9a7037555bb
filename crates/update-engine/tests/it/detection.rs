//! Detecting what is behind a port: every outcome of the rule in sahara-firehose.md §6, with error code, exit
//! code and state.

use std::time::Duration;

use crate::support::{Memory, Run, assert_stored, called, cwe, images_for, noise, request, run, run_in};
use modem_world::Instant;
use modemflash_update_engine::{Advice, Code, Event, EventKind, ModemState, Protocol, Request, Selector};
use virtual_modem::profile::Profile;
use virtual_modem::quirk::{HelloHabit, Provoked, RamDump};
use virtual_modem::simulated::SimulatedWorld;
use virtual_modem::{Firmware, Mode, Setup, Wrong};

fn setup(model: &str) -> Setup {
    Setup::of(Profile::named(model).unwrap())
}

fn in_mode(model: &str, mode: Mode) -> Setup {
    Setup { mode, ..setup(model) }
}

fn with_hello(model: &str, hello: HelloHabit, provoked: Provoked) -> Setup {
    let mut setup = setup(model);
    setup.quirks.hello = hello;
    setup.quirks.provoked = provoked;
    setup
}

fn assert_fails(run: &Run, code: Code, exit: u8, modem: ModemState, next: Advice) {
    let log = run.log();
    let error = run.error();
    assert_eq!(error.code(), code, "{log}");
    assert_eq!(error.exit_code(), exit, "{log}");
    assert_eq!(error.modem, modem, "{log}");
    assert_eq!(error.next, next, "{log}");
    assert!(run.told(|kind| matches!(kind, EventKind::Failed { .. })), "{log}");
    assert_eq!(run.modem().image_bytes(), 0, "{log}");
}

/// A request for a bare tty: the host sees no USB device behind the port, so `force` is needed.
fn forced() -> Request {
    Request {
        force: true,
        ..request()
    }
}

#[test]
fn every_kind_of_hello_ends_in_a_flash() {
    let habits = [
        HelloHabit::AtOpen,
        HelloHabit::Late(Duration::from_secs(4)),
        HelloHabit::Late(Duration::from_secs(15)),
        HelloHabit::AfterEnumeration(Duration::ZERO),
        HelloHabit::AfterEnumeration(Duration::from_secs(3)),
        HelloHabit::AtReopen,
        HelloHabit::AfterBytes,
    ];
    for model in ["EM7565", "RC7620", "EM9191"] {
        for habit in habits {
            for provoked in [Provoked::WorksIfPatient, Provoked::Works] {
                let (run, images) = run(with_hello(model, habit, provoked));
                assert!(
                    run.result.is_ok(),
                    "{model} {habit:?} {provoked:?}\n{}",
                    run.log()
                );
                // These modems may wait for a first word, so they get the probe after 5 s. It spoils a later hello, and the modem
                // has to start anew (sahara-firehose.md §6).
                if (model, habit) == ("RC7620", HelloHabit::Late(Duration::from_secs(15))) {
                    assert_stored(run.modem(), &images).unwrap();
                } else {
                    run.assert_flashed(&images);
                }
            }
        }
    }
}

#[test]
fn a_late_hello_of_an_unlisted_modem_ends_in_a_flash() {
    // Nothing is known: the port is a bare tty without an id, and the images name no family.
    for seconds in [0, 3, 7, 18] {
        let setup = with_hello(
            "EM7565",
            HelloHabit::Late(Duration::from_secs(seconds)),
            Provoked::WorksIfPatient,
        );
        let images = images_for(setup.profile, 3, &[9_000]);
        let mut world = SimulatedWorld::new(setup);
        world.hide_device(0);
        let run = run_in(world, &forced(), &images);
        assert!(run.result.is_ok(), "{seconds}\n{}", run.log());
        run.assert_flashed(&images);
    }
}

#[test]
fn a_hello_that_refuses_after_a_provocation_ends_in_a_flash_after_a_reset() {
    let habits = [
        HelloHabit::AfterEnumeration(Duration::from_secs(3)),
        HelloHabit::AtReopen,
        HelloHabit::AtOpen,
    ];
    for habit in habits {
        let (run, images) = run(with_hello("RC7620", habit, Provoked::Refused));
        assert!(run.result.is_ok(), "{habit:?}\n{}", run.log());
        run.assert_flashed(&images);
    }
}

#[test]
fn a_modem_that_answered_too_soon_after_enumeration_is_flashed_after_a_reset() {
    // modemflash knows this about EM7565 and leaves the modem alone at first. Another modem is left alone
    // once it has refused.
    for (model, retries) in [("EM7565", 0), ("EM9191", 1)] {
        let mut setup = setup(model);
        setup.quirks.deaf_after_enumeration = Some(Duration::from_secs(2));
        let (run, images) = run(setup);
        run.assert_flashed(&images);
        let is_retry = |event: &&Event| matches!(event.kind, EventKind::Retrying { .. });
        assert_eq!(
            run.events.iter().filter(is_retry).count(),
            retries,
            "{model}: {}",
            run.log()
        );
    }
}

#[test]
fn a_modem_that_refuses_each_provoked_hello_is_given_up_with_its_state() {
    let (run, _) = run(with_hello("RC7620", HelloHabit::AfterBytes, Provoked::Refused));
    assert_fails(
        &run,
        Code::SaharaSpoiled,
        6,
        ModemState::InDownloadMode,
        Advice::PowerCycleAndRunAgain,
    );
}

#[test]
fn a_crashed_modem_is_reset_and_flashed() {
    for dump in [RamDump::Offers, RamDump::RefusesExecute] {
        for model in ["MC7455", "EM7565"] {
            let (run, images) = run(in_mode(model, Mode::RamDump(dump)));
            assert!(run.result.is_ok(), "{model} {dump:?}\n{}", run.log());
            // A modem that should speak QDL gets the probe at once. A crashed modem takes the probe for bytes
            // before its hello.
            let is_probe = |wrong: &Wrong| matches!(wrong, Wrong::WroteBeforeHello { .. });
            assert!(
                run.modem()
                    .violations()
                    .iter()
                    .all(|violation| is_probe(&violation.what)),
                "{}",
                run.log()
            );
            assert_stored(run.modem(), &images).unwrap();
        }
    }
}

#[test]
fn a_crashed_modem_whose_firmware_runs_after_the_reset_is_sent_into_download_mode_and_flashed() {
    let setup = Setup {
        firmware: Firmware::Sound,
        ..in_mode("MC7455", Mode::RamDump(RamDump::Offers))
    };
    let (run, images) = run(setup);
    assert!(run.result.is_ok(), "{}", run.log());
    assert_stored(run.modem(), &images).unwrap();
}

#[test]
fn a_modem_in_normal_mode_is_recognised_by_its_diag_answer_or_its_echo() {
    for mode in [Mode::Diag, Mode::Echo] {
        let setup = in_mode("EM7455", mode);
        let images = images_for(setup.profile, 3, &[9_000]);
        let run = run_in(SimulatedWorld::new(setup), &forced(), &images);
        assert_fails(
            &run,
            Code::ModeNormal,
            5,
            ModemState::RunsFirmware,
            Advice::EnterDownloadMode,
        );
    }
}

#[test]
fn another_device_is_refused_by_its_id_and_by_its_answer() {
    let setup = in_mode("MC7455", Mode::Foreign);
    let images = images_for(setup.profile, 3, &[9_000]);
    let by_id = run_in(SimulatedWorld::new(setup.clone()), &request(), &images);
    assert_fails(
        &by_id,
        Code::DeviceForeign,
        4,
        ModemState::Untouched,
        Advice::ChooseAnotherPort,
    );
    let by_answer = run_in(SimulatedWorld::new(setup), &forced(), &images);
    // Nobody knows what the probe did to this device.
    assert_eq!(by_answer.error().exit_code(), 9, "{}", by_answer.log());
    assert_eq!(
        by_answer.error().code(),
        Code::AnswerForeign,
        "{}",
        by_answer.log()
    );
}

#[test]
fn an_emergency_boot_loader_is_known_by_its_id_and_by_its_answer() {
    let setup = in_mode("MC7455", Mode::Pbl);
    let images = images_for(setup.profile, 3, &[9_000]);
    let by_id = run_in(SimulatedWorld::new(setup.clone()), &request(), &images);
    assert_fails(
        &by_id,
        Code::ModeEmergency,
        4,
        ModemState::Untouched,
        Advice::BeyondRepairHere,
    );
    let mut world = SimulatedWorld::new(setup);
    world.hide_device(0);
    let by_answer = run_in(world, &forced(), &images);
    assert_fails(
        &by_answer,
        Code::ModeEmergency,
        4,
        ModemState::Emergency,
        Advice::BeyondRepairHere,
    );
}

#[test]
fn a_dead_port_is_given_up_after_everything_was_tried() {
    for model in ["MC7455", "EM7565", "WP7607"] {
        let (run, _) = run(in_mode(model, Mode::Dead));
        assert_fails(
            &run,
            Code::DetectSilent,
            9,
            ModemState::Unknown,
            Advice::PowerCycleAndRunAgain,
        );
        assert!(run.events.last().unwrap().t < 300.0, "{}", run.log());
    }
}

#[test]
fn images_of_another_family_are_refused_with_nothing_sent() {
    let images = images_for(Profile::named("EM7565").unwrap(), 3, &[9_000]);
    let run = run_in(SimulatedWorld::new(setup("MC7455")), &request(), &images);
    assert_fails(
        &run,
        Code::ImageFamily,
        3,
        ModemState::Untouched,
        Advice::GetOtherImages,
    );
}

#[test]
fn images_of_a_family_that_can_not_have_this_id_are_refused_with_nothing_sent() {
    // The id 1199:68c0 stands for several families, but for none of these.
    for modem in ["MC7354", "RC7620", "WP7607"] {
        for images in ["MC7455", "EM7565", "MC7710", "EM9191"] {
            let images = images_for(Profile::named(images).unwrap(), 3, &[9_000]);
            let run = run_in(SimulatedWorld::new(setup(modem)), &request(), &images);
            assert_fails(
                &run,
                Code::ImageFamily,
                3,
                ModemState::Untouched,
                Advice::GetOtherImages,
            );
        }
    }
}

#[test]
fn images_of_another_family_are_refused_by_the_protocol_when_the_id_says_nothing() {
    // A modem with the id 1199:68c0 speaks QDL or Sahara, and this string doesn't say which: only the modem
    // itself shows that.
    for (images, modem) in [("MC7354", "RC7620"), ("RC7620", "MC7354")] {
        let images = images_for(Profile::named(images).unwrap(), 3, &[9_000]);
        let run = run_in(
            SimulatedWorld::new(called(modem, "QUSB__BULK")),
            &request(),
            &images,
        );
        assert_fails(
            &run,
            Code::ImageFamily,
            3,
            ModemState::InDownloadMode,
            Advice::GetOtherImages,
        );
    }
}

#[test]
fn a_port_that_another_program_holds_is_named_with_its_holder() {
    let setup = setup("EM7565");
    let images = images_for(setup.profile, 3, &[9_000]);
    let mut world = SimulatedWorld::new(setup);
    world.hold(0, "ModemManager (pid 812)", Instant::FAR);
    let run = run_in(world, &request(), &images);
    assert_fails(
        &run,
        Code::PortBusy,
        4,
        ModemState::Untouched,
        Advice::EndOtherProgram,
    );
    assert!(
        run.error().source.to_string().contains("ModemManager (pid 812)"),
        "{}",
        run.log()
    );
}

#[test]
fn a_port_whose_rights_are_not_set_yet_is_opened_within_2_s() {
    for model in ["MC7455", "EM7565"] {
        let setup = setup(model);
        let images = images_for(setup.profile, 3, &[9_000]);
        let mut world = SimulatedWorld::new(setup);
        world.deny(0, Instant::from_start(Duration::from_millis(1900)));
        let run = run_in(world, &request(), &images);
        run.assert_flashed(&images);
    }
}

#[test]
fn a_port_that_may_not_be_opened_is_said_so_after_2_s() {
    let setup = setup("EM7565");
    let images = images_for(setup.profile, 3, &[9_000]);
    let mut world = SimulatedWorld::new(setup);
    world.deny(0, Instant::FAR);
    let run = run_in(world, &request(), &images);
    assert_fails(
        &run,
        Code::PortPermission,
        4,
        ModemState::Untouched,
        Advice::GetPermission,
    );
    assert_eq!(run.events.last().unwrap().t, 2.0, "{}", run.log());
}

#[test]
fn a_foreign_device_in_the_modems_place_gets_no_byte() {
    let mut setup = in_mode("EM7565", Mode::RamDump(RamDump::Offers));
    setup.faults = "return:id=0403:6001,return:download".parse().unwrap();
    let (run, _) = run(setup);
    assert_fails(
        &run,
        Code::ResetNoReturn,
        9,
        ModemState::Unknown,
        Advice::PowerCycleAndRunAgain,
    );
}

#[test]
fn a_modem_that_comes_back_in_emergency_mode_is_not_called_a_wrong_port() {
    let mut setup = in_mode("EM7565", Mode::RamDump(RamDump::Offers));
    setup.faults = "return:id=05c6:9008,return:download".parse().unwrap();
    let (run, _) = run(setup);
    assert_fails(
        &run,
        Code::ModeEmergency,
        9,
        ModemState::Emergency,
        Advice::BeyondRepairHere,
    );
}

#[test]
fn a_port_that_is_not_there_is_said_to_be_missing() {
    let setup = setup("EM7565");
    let images = images_for(setup.profile, 3, &[9_000]);
    let request = Request {
        select: Selector::Port("/dev/ttyUSB9".into()),
        ..request()
    };
    let run = run_in(SimulatedWorld::new(setup), &request, &images);
    assert_fails(
        &run,
        Code::PortMissing,
        4,
        ModemState::Untouched,
        Advice::CheckPortName,
    );
}

#[test]
fn a_wish_to_stop_during_detection_stops_at_once() {
    let setup = in_mode("EM7565", Mode::Dead);
    let images = images_for(setup.profile, 3, &[9_000]);
    let mut world = SimulatedWorld::new(setup);
    world.cancel_at(Instant::from_start(Duration::from_secs(3)));
    let run = run_in(world, &request(), &images);
    assert_fails(&run, Code::Stopped, 130, ModemState::Untouched, Advice::RunAgain);
    assert!(run.events.last().unwrap().t < 3.1, "{}", run.log());
}

/// traces/rc7620_tp1_failed_seed001_2023.txt: the port is opened, nothing comes, the modem says hello after
/// the probe, and other programs throw the hello away. Neither the id nor the images say which protocol the
/// modem speaks.
#[test]
fn the_trace_rc7620_tp1_failed_seed001_2023_ends_in_a_flash() {
    for habit in [
        HelloHabit::AfterEnumeration(Duration::ZERO),
        HelloHabit::AfterBytes,
    ] {
        let setup = with_hello("RC7620", habit, Provoked::WorksIfPatient);
        let images = [Memory {
            name: "carrier.spk".into(),
            bytes: cwe("APPS", "ZZZZ", "", &noise(29872, 30_000)),
        }];
        let mut world = SimulatedWorld::new(setup);
        world.hide_device(0);
        let run = run_in(world, &forced(), &images);
        run.assert_flashed(&images);
        let detected = run
            .events
            .iter()
            .find(|event| matches!(event.kind, EventKind::Detected { .. }))
            .expect("it is detected");
        // The modem is silent for 5 s, then modemflash sends the probe.
        assert!((5.0..5.5).contains(&detected.t), "{}", run.log());
        let how = "it said hello after bytes were sent".to_owned();
        let protocol = Protocol::SaharaFirehose;
        assert_eq!(detected.kind, EventKind::Detected { protocol, how });
    }
}

#[test]
fn a_modem_left_in_firehose_by_an_interrupted_run_is_flashed() {
    let images = images_for(Profile::named("EM7565").unwrap(), 3, &[9_000]);
    // The images are for another family, so modemflash ends the session after the switch to Firehose.
    let others = images_for(Profile::named("MC7354").unwrap(), 3, &[9_000]);
    let mut world = SimulatedWorld::new(setup("EM7565"));
    world.hide_device(0);
    world.set_can_re_enumerate(false);
    let refused = run_in(world, &forced(), &others);
    assert_eq!(refused.error().code(), Code::ImageFamily, "{}", refused.log());
    let again = run_in(refused.world, &forced(), &images);
    assert!(again.result.is_ok(), "{}", again.log());
}
