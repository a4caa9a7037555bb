//! Faults around a running modem: each ends in a proven update, or in an error that names the true state of
//! the modem.

use std::time::Duration;

use modemflash_update_engine::{
    Advice, AskedOver, Code, ControlChoice, Event, EventKind, ModemState, Outcome, Request, Step, update,
};
use virtual_modem::profile::Profile;
use virtual_modem::simulated::SimulatedWorld;
use virtual_modem::{ControlProtocol, Mode, Selection, Setup};

use crate::support::normal::{
    after, at_only, faulty, newer, release, running, settings_of, speaking, update_in, update_one, wish,
};
use crate::support::truth::is_true;
use crate::support::{Run, firmware, run_in};

/// Asserts an error with this code, exit code and state, and that the modem saw no violation.
pub(crate) fn assert_fails(run: &Run, code: Code, exit: u8, modem: ModemState) {
    let log = run.log();
    assert_eq!(run.error().code(), code, "{log}");
    assert_eq!(run.error().exit_code(), exit, "{log}");
    assert_eq!(run.error().modem, modem, "{log}");
    run.assert_clean();
}

/// Asserts that the modem prefers and runs what it had before.
pub(crate) fn assert_as_before(run: &Run) {
    let old = &run.modem().setup().storage;
    let now = run.modem().storage();
    assert_eq!(now.preferred, old.preferred, "{}", run.log());
    assert_eq!(now.current, old.current, "{}", run.log());
    assert_eq!(run.modem().mode(), Mode::Normal, "{}", run.log());
}

pub(crate) fn assert_newer(run: &Run, images: &[crate::support::Memory]) {
    run.assert_updated(&newer(run.modem().setup().profile), images);
}

// The way back to normal mode

#[test]
fn a_modem_that_does_not_come_back_after_the_flash_is_said_to_have_everything() {
    for model in ["MC7455", "EM7565"] {
        let (run, _) = update_one(faulty(model, "return:never"));
        assert_eq!(run.error().code(), Code::ResetNoReturn, "{}", run.log());
        assert_eq!(run.error().exit_code(), 9);
        assert_eq!(run.error().step, Step::Boot);
        run.assert_clean();
    }
}

#[test]
fn a_modem_that_takes_four_minutes_to_boot_is_waited_for() {
    for model in ["MC7455", "EM7565"] {
        let (run, images) = update_one(faulty(model, "return:late=200s"));
        assert_newer(&run, &images);
    }
}

#[test]
fn a_modem_that_restarts_once_more_within_six_seconds_is_proven_only_after_that() {
    for (model, ready_after) in [("MC7455", 0), ("MC7455", 5), ("EM7565", 0), ("EM7565", 5)] {
        for again in [
            "return:again=500ms",
            "return:again=2s",
            "return:again=5s",
            "return:again=5900ms",
        ] {
            let mut setup = faulty(model, again);
            setup.timings.ready_after = Duration::from_secs(ready_after);
            let (run, images) = update_one(setup);
            assert_newer(&run, &images);
            let appeared = run
                .events
                .iter()
                .filter(|event| matches!(event.kind, EventKind::Appeared { .. }))
                .count();
            // The modem appears in download mode, in normal mode, and in normal mode again.
            assert_eq!(appeared, 3, "{again}: {}", run.log());
        }
    }
}

/// When the modem last appeared, and when the run ended.
fn appeared_and_ended(run: &Run) -> (f64, f64) {
    let appeared = run
        .events
        .iter()
        .rfind(|event| matches!(event.kind, EventKind::Appeared { .. }));
    (appeared.unwrap().t, run.events.last().unwrap().t)
}

#[test]
fn a_modem_is_proven_six_seconds_after_it_appeared_or_as_soon_as_it_answers_later() {
    for (ready_after, earliest, latest) in [(0, 6.0, 6.2), (3, 6.0, 6.2), (5, 6.0, 6.8), (9, 9.0, 10.8)] {
        let mut setup = running("MC7455");
        setup.timings.ready_after = Duration::from_secs(ready_after);
        let (run, images) = update_one(setup);
        assert_newer(&run, &images);
        let (appeared, ended) = appeared_and_ended(&run);
        let took = ended - appeared;
        assert!(
            (earliest..latest).contains(&took),
            "{ready_after} s: {took} s\n{}",
            run.log()
        );
    }
}

#[test]
fn a_modem_in_a_boot_loop_is_never_called_proven() {
    for model in ["MC7455", "EM7565", "RC7620"] {
        for lasting in ["2s", "3s", "5s"] {
            let mut setup = faulty(model, &format!("return:crashes={lasting}"));
            // It answers as soon as it appears, so that it could report the new versions each time.
            setup.timings.ready_after = Duration::ZERO;
            let (run, images) = update_one(setup);
            let log = run.log();
            assert_fails(&run, Code::NotReadBack, 9, ModemState::Unknown);
            is_true(run.modem(), images.len(), run.error()).unwrap_or_else(|why| panic!("{why}\n{log}"));
            let why = run.error().source.to_string();
            assert!(why.contains("restarted again and again"), "{why}");
            let begun = run.begun(|step| *step == Step::ReadBack);
            let (_, ended) = appeared_and_ended(&run);
            assert!((300.0..330.0).contains(&(ended - begun)), "{log}");
        }
    }
}

#[test]
fn a_modem_that_is_not_ready_for_a_long_time_is_asked_again() {
    for model in ["MC7455", "EM9191"] {
        let (run, images) = update_one(faulty(model, "return:not-ready=200s"));
        assert_newer(&run, &images);
    }
    let (run, _) = update_one(faulty("MC7455", "return:not-ready=2000s"));
    assert_eq!(run.error().code(), Code::NotReadBack, "{}", run.log());
    assert_eq!(run.modem().storage().current, newer(run.modem().setup().profile));
}

#[test]
fn a_modem_that_is_still_starting_is_waited_for_before_its_preference_is_set() {
    for model in ["MC7455", "EM7565"] {
        let mut setup = running(model);
        setup.timings.ready_after = Duration::from_secs(50);
        let (run, images) = update_one(setup);
        assert_newer(&run, &images);
    }
    // The run doesn't wait for ever, and doesn't take the modem for one without preferences.
    let mut setup = running("MC7455");
    setup.timings.ready_after = Duration::from_secs(5000);
    let (run, _) = update_one(setup);
    assert_fails(&run, Code::ModemUnreachable, 5, ModemState::RunsFirmware);
    assert_as_before(&run);
}

#[test]
fn another_modem_in_the_socket_is_not_called_updated() {
    for model in ["MC7455", "EM7565", "MC7710"] {
        let (run, _) = update_one(faulty(model, "return:other-modem"));
        assert_eq!(run.error().code(), Code::ModemOther, "{}", run.log());
        assert_eq!(run.error().modem, ModemState::Unknown);
        assert_eq!(run.error().exit_code(), 9);
        run.assert_no_imei();
        let why = run.error().source.to_string();
        assert!(why.contains("…1237") && why.contains("…0775"), "{why}");
    }
}

#[test]
fn an_old_version_that_still_runs_is_switched_by_the_second_pass() {
    for faults in ["return:old-firmware", "return:mismatch"] {
        let (run, _) = update_one(faulty("MC7455", faults));
        assert_eq!(run.updated().passes, 2, "{}", run.log());
        run.assert_runs(&newer(run.modem().setup().profile));
        run.assert_clean();
    }
}

#[test]
fn an_old_version_that_still_runs_after_two_passes_is_a_failure_with_the_difference() {
    let (run, _) = forced("return:old-firmware");
    assert_fails(&run, Code::NotProven, 7, ModemState::RunsOther);
    let why = run.error().source.to_string();
    assert!(
        why.contains("firmware 02.33.03.00 was requested, but the modem runs 02.24.05.06"),
        "{why}"
    );
    assert!(
        run.told(|kind| matches!(kind, EventKind::Retrying { what, attempt: 2, .. } if what == "the update"))
    );
}

// field-reports.md D5, D11, F3
#[test]
fn settings_that_lag_one_flash_are_healed_by_a_second_pass() {
    for model in ["MC7455", "EM7565"] {
        let (run, _) = update_one(faulty(model, "return:pri-lags"));
        assert_eq!(run.updated().passes, 2, "{}", run.log());
        run.assert_runs(&newer(run.modem().setup().profile));
        run.assert_clean();
    }
}

/// A forced update, in which both passes download all images.
fn forced(faults: &str) -> (Run, Vec<crate::support::Memory>) {
    let request = Request {
        force: true,
        ..wish()
    };
    update_in(SimulatedWorld::new(faulty("MC7455", faults)), &request)
}

#[test]
fn low_power_because_of_a_mismatch_is_no_success() {
    let (run, _) = forced("return:mismatch");
    assert_fails(&run, Code::NotProven, 7, ModemState::RunsOther);
    let why = run.error().source.to_string();
    assert!(
        why.contains("config 002.072_000 was requested, but the modem runs 002.026_000"),
        "{why}"
    );
    assert!(why.contains("low power"), "{why}");
    assert!(!run.modem().is_online());
}

#[test]
fn a_modem_that_falls_back_into_download_mode_is_flashed_once_more() {
    for model in ["MC7455", "EM7565"] {
        let (run, _) = update_one(faulty(model, "return:download"));
        assert_fails(&run, Code::DownloadModeAgain, 6, ModemState::AllWritten);
        assert_eq!(run.error().next, Advice::GetOtherImages);
        assert_eq!(run.modem().mode(), Mode::Download);
    }
}

// The control port

#[test]
fn a_silent_control_port_leads_to_the_at_port() {
    let mut setup = running("MC7710");
    setup.quirks.is_control_silent = true;
    let (run, _) = update_one(setup);
    assert!(run.updated().proven);
    run.assert_runs(&newer(run.modem().setup().profile));
    assert!(run.told(|kind| matches!(kind, EventKind::ModemRead { facts } if facts.over == AskedOver::At)));
    // A port that speaks QMI according to its driver gets no MBIM message (mbim.md §1).
    assert_eq!(run.modem().violations(), []);
}

#[test]
fn exhausted_client_ids_are_freed_by_a_sync() {
    for control in [ControlProtocol::Qmi, ControlProtocol::Mbim] {
        let mut setup = speaking("MC7455", control);
        setup.quirks.has_stale_clients = true;
        let (run, images) = update_one(setup);
        assert_newer(&run, &images);
    }
}

// field-reports.md A7
#[test]
fn a_modem_that_ignores_its_first_messages_is_asked_again() {
    for ignored in 1..=3 {
        let mut setup = running("MC7455");
        setup.quirks.ignored_messages = ignored;
        let (run, images) = update_one(setup);
        assert_newer(&run, &images);
    }
}

#[test]
fn an_unanswered_mbim_close_costs_time_and_nothing_else() {
    for model in ["EM7565", "EM9191"] {
        let mut setup = speaking(model, ControlProtocol::Mbim);
        setup.quirks.mbim_close_is_unanswered = true;
        let (run, images) = update_one(setup);
        assert_newer(&run, &images);
    }
}

#[test]
fn answers_that_are_lost_late_or_double_are_no_obstacle() {
    let messages = ["ctl:0x22", "0x23", "0x25", "0x47", "0x49", "0x2e", "0x5556"];
    for message in messages {
        for fault in [
            format!("repeat-answer@{message}"),
            format!("late-answer@{message}:3s"),
            format!("lose-answer@{message}"),
        ] {
            for control in [ControlProtocol::Qmi, ControlProtocol::Mbim] {
                let mut setup = faulty("MC7455", &fault);
                setup.control = control;
                setup.timings.ready_after = Duration::ZERO;
                let (run, images) = update_one(setup);
                if run.result.is_ok() {
                    run.assert_runs(&newer(run.modem().setup().profile));
                    assert_eq!(images.len(), 2);
                } else {
                    panic!("{fault} {control:?}\n{}", run.log());
                }
            }
        }
    }
}

#[test]
fn a_late_answer_to_the_preference_is_heard_or_undone() {
    for late in [
        "late-answer@0x48:3s",
        "late-answer@0x48:12s",
        "repeat-answer@0x48",
    ] {
        for control in [ControlProtocol::Qmi, ControlProtocol::Mbim] {
            let mut setup = faulty("MC7455", late);
            setup.control = control;
            setup.timings.ready_after = Duration::ZERO;
            let (run, _) = update_one(setup);
            if run.result.is_ok() {
                run.assert_runs(&newer(run.modem().setup().profile));
            } else {
                assert_as_before(&run);
            }
        }
    }
}

#[test]
fn other_programs_hold_the_ports_for_a_while() {
    // minicom holds the ports for an hour, which is longer than modemflash waits.
    let mut world = SimulatedWorld::new(running("MC7455"));
    world.hold(0, "minicom (7)", after(3600.0));
    let (run, _) = update_in(world, &wish());
    assert_eq!(run.error().code(), Code::ModemUnreachable, "{}", run.log());
    assert_eq!(run.error().modem, ModemState::Untouched);
    assert_eq!(run.error().exit_code(), 4);
    assert!(
        run.error().source.to_string().contains("minicom"),
        "{}",
        run.log()
    );
    assert_as_before(&run);
}

#[test]
fn an_id_without_a_driver_in_download_mode_is_named() {
    // The host knows 9070, but the modem comes back with another id than expected.
    let mut world = SimulatedWorld::new(faulty("MC7455", "enter:id=1199:9fff"));
    world.forget_id(0x1199, 0x9fff);
    let (run, _) = update_in(world, &wish());
    assert_eq!(run.error().code(), Code::ModemNoPort, "{}", run.log());
    assert!(
        run.error().source.to_string().contains("1199:9fff"),
        "{}",
        run.log()
    );
    assert_eq!(run.error().modem, ModemState::InDownloadMode, "{}", run.log());
    assert_eq!(run.error().exit_code(), 6, "{}", run.log());
    assert_eq!(run.error().next, Advice::BindDriver);
}

#[test]
fn an_id_without_a_driver_after_the_flash_is_a_flash_that_is_not_proven() {
    let mut world = SimulatedWorld::new(faulty("MC7455", "return:id=1199:9fff"));
    world.forget_id(0x1199, 0x9fff);
    let (run, _) = update_in(world, &wish());
    assert_eq!(run.error().code(), Code::NotReadBack, "{}", run.log());
    assert!(
        run.error().source.to_string().contains("1199:9fff"),
        "{}",
        run.log()
    );
    assert_eq!(run.modem().storage().current, newer(run.modem().setup().profile));
}

// The download

#[test]
fn a_download_that_fails_leaves_the_new_preference_for_the_next_run_which_finishes_it() {
    for model in ["MC7455", "EM7565"] {
        let (run, images) = update_one(faulty(model, "reject-image@1"));
        assert_eq!(run.error().exit_code(), 6, "{}", run.log());
        let of = images.len();
        assert_eq!(run.error().modem, ModemState::PartlyWritten { accepted: 0, of });
        assert_eq!(run.modem().mode(), Mode::Download);
        // Run the same command again.
        let mut world = run.world;
        let profile = world.modem(0).unwrap().setup().profile;
        let mut events = Vec::new();
        let result = update(&mut world, &wish(), &firmware(&release(profile)), &mut |event| {
            events.push(event.clone());
        });
        let run = Run {
            world,
            events,
            result,
        };
        assert!(matches!(run.result, Ok(Outcome::Updated(_))), "{}", run.log());
        run.assert_runs(&newer(profile));
    }
}

#[test]
fn a_modem_that_leaves_in_the_middle_of_the_data_is_flashed_and_proven() {
    for model in ["MC7455", "EM7565"] {
        let (run, _) = update_one(faulty(model, "drop@30000"));
        assert!(matches!(run.result, Ok(Outcome::Updated(_))), "{}", run.log());
        run.assert_runs(&newer(run.modem().setup().profile));
    }
}

// Rescue

pub(crate) fn in_download_mode(model: &str) -> Setup {
    Setup::of(Profile::named(model).unwrap())
}

#[test]
fn a_modem_found_in_download_mode_is_followed_and_read_back() {
    for profile in Profile::ALL
        .iter()
        .filter(|profile| !profile.image_names.is_empty())
    {
        let (run, images) = update_one(in_download_mode(profile.name));
        assert_newer(&run, &images);
        assert_eq!(run.updated().from, None);
    }
}

#[test]
fn a_rescued_modem_without_the_new_preference_gets_it_in_the_second_pass() {
    for model in ["MC7455", "EM7565", "EM9191"] {
        let mut setup = in_download_mode(model);
        // The user had switched the modem to download mode, so its preference is the old one.
        setup.storage = running(model).storage;
        let (run, _) = update_one(setup);
        assert_eq!(run.updated().passes, 2, "{}", run.log());
        run.assert_runs(&newer(run.modem().setup().profile));
        run.assert_clean();
    }
}

#[test]
fn settings_alone_for_a_rescued_modem_are_not_sent_twice_when_its_firmware_is_another() {
    for model in ["MC7455", "EM7565", "EM9191"] {
        let mut setup = in_download_mode(model);
        setup.storage = running(model).storage;
        let profile = setup.profile;
        let images = [settings_of(profile, &newer(profile))];
        let run = run_in(SimulatedWorld::new(setup), &wish(), &images);
        assert_fails(&run, Code::NotProven, 7, ModemState::RunsOther);
        let (error, log) = (run.error(), run.log());
        assert_eq!(error.next, Advice::AddImage, "{log}");
        let cause = error.source.to_string();
        let wanted = newer(profile).firmware;
        assert!(
            cause.starts_with(&format!("firmware {wanted} was requested, but the modem runs ")),
            "{log}"
        );
        assert!(
            cause.ends_with("the modem would ask for firmware (.cwe), and none of the files contains that"),
            "{log}"
        );
        assert!(
            !run.told(|kind| matches!(
                kind,
                EventKind::StepStarted {
                    step: Step::SetPreference,
                    ..
                }
            )),
            "{log}"
        );
        assert!(
            !run.told(|kind| matches!(kind, EventKind::Retrying { .. })),
            "{log}"
        );
    }
}

#[test]
fn settings_alone_for_a_rescued_modem_become_its_preference_when_they_match_its_firmware() {
    for model in ["MC7455", "EM7565", "EM9191"] {
        let mut setup = in_download_mode(model);
        setup.storage = running(model).storage;
        let profile = setup.profile;
        let to = Selection {
            config: newer(profile).config,
            ..setup.storage.current.clone()
        };
        let run = run_in(SimulatedWorld::new(setup), &wish(), &[settings_of(profile, &to)]);
        assert_eq!(run.updated().passes, 2, "{}", run.log());
        run.assert_runs(&to);
        run.assert_clean();
    }
}

#[test]
fn a_modem_that_is_left_out_of_read_back_is_not_called_proven() {
    let request = Request {
        skip_read_back: true,
        ..wish()
    };
    for model in ["MC7455", "EM7565"] {
        let (run, _) = update_in(SimulatedWorld::new(running(model)), &request);
        let Ok(Outcome::Accepted(accepted)) = &run.result else {
            panic!("{}", run.log())
        };
        assert!(!accepted.proven);
        run.assert_clean();
    }
}

#[test]
fn a_requested_language_without_an_answer_ends_the_run_before_anything_is_changed() {
    for (setup, choice) in [
        (speaking("MC7455", ControlProtocol::Qmi), ControlChoice::Mbim),
        (speaking("EM7565", ControlProtocol::Mbim), ControlChoice::Qmi),
        (running("MC7455"), ControlChoice::QmiProxy),
        (at_only("MC7455"), ControlChoice::Qmi),
    ] {
        let request = Request {
            control: choice,
            ..wish()
        };
        let (run, _) = update_in(SimulatedWorld::new(setup), &request);
        // `assert_fails` would see violations here, because the request asks for the wrong language.
        let (error, log) = (run.error(), run.log());
        assert_eq!(
            (error.code(), error.exit_code()),
            (Code::ModemUnreachable, 4),
            "{log}"
        );
        assert_eq!(error.modem, ModemState::Untouched, "{log}");
        assert_eq!(error.next, Advice::LeaveLanguage, "{log}");
        assert_eq!(run.ways(), [] as [String; 0]);
        assert_as_before(&run);
    }
}

#[test]
fn an_unplugged_modem_is_reported_as_unplugged() {
    let (run, _) = update_one(faulty("MC7455", "enter:never"));
    let told: Vec<&Event> = run
        .events
        .iter()
        .filter(|event| matches!(event.kind, EventKind::SilenceExpected { .. }))
        .collect();
    assert!(!told.is_empty(), "{}", run.log());
    let images = release(run.modem().setup().profile);
    // No modem is on the bus now.
    let request = wish();
    let again = run_in(run.world, &request, &images);
    assert_eq!(again.error().code(), Code::ModemNone, "{}", again.log());
}
