//! What goes wrong around a running modem: each ends in a proven update, or in an error that tells the true state.

use std::time::Duration;

use modemflash_update_engine::{
    Advice, Code, ControlChoice, Event, EventKind, ModemState, Outcome, Request, Selector, Step, update,
};
use virtual_modem::profile::Profile;
use virtual_modem::quirk::BootHoldHabit;
use virtual_modem::simulated::{SimulatedWorld, SocketKind};
use virtual_modem::{ControlProtocol, Mode, Selection, Setup};

use crate::support::normal::{
    after, at_only, faulty, newer, release, running, settings_of, speaking, update_in, update_one, wish,
};
use crate::support::{Run, firmware, run_in};

/// An error with this code, exit code and state; the host did nothing wrong.
fn assert_fails(run: &Run, code: Code, exit: u8, modem: ModemState) {
    let log = run.log();
    assert_eq!(run.error().code(), code, "{log}");
    assert_eq!(run.error().exit_code(), exit, "{log}");
    assert_eq!(run.error().modem, modem, "{log}");
    run.assert_clean();
}

/// The modem prefers and runs what it had before.
fn assert_as_before(run: &Run) {
    let old = &run.modem().setup().storage;
    let now = run.modem().storage();
    assert_eq!(now.preferred, old.preferred, "{}", run.log());
    assert_eq!(now.current, old.current, "{}", run.log());
    assert_eq!(run.modem().mode(), Mode::Normal, "{}", run.log());
}

fn assert_newer(run: &Run, images: &[crate::support::Memory]) {
    run.assert_updated(&newer(run.modem().setup().profile), images);
}

// On the way into download mode

#[test]
fn a_refused_preference_changes_nothing() {
    for control in [ControlProtocol::Qmi, ControlProtocol::Mbim] {
        let mut setup = faulty("MC7455", "refuse@0x48:48");
        setup.control = control;
        let (run, _) = update_one(setup);
        assert_fails(&run, Code::ControlRefused, 5, ModemState::RunsFirmware);
        assert_as_before(&run);
        assert!(run.modem().is_online());
        assert!(run.error().source.to_string().contains("48"), "{}", run.log());
    }
}

#[test]
fn a_preference_whose_answer_is_lost_is_not_left_behind() {
    for model in ["MC7455", "EM7565"] {
        let (run, images) = update_one(faulty(model, "lose-answer@0x48"));
        // Either it goes on, because the modem says that it has the preference, or the old one is back.
        if run.result.is_ok() {
            assert_newer(&run, &images);
        } else {
            assert_as_before(&run);
            assert_ne!(run.error().modem, ModemState::Untouched);
            run.assert_clean();
        }
    }
}

#[test]
fn a_refused_reset_puts_the_old_preference_back() {
    for control in [ControlProtocol::Qmi, ControlProtocol::Mbim] {
        let mut setup = faulty(
            "MC7455",
            "refuse@0x2e:60,refuse@0x2e:60,refuse@0x2e:60,refuse@0x2e:60",
        );
        setup.control = control;
        let (run, images) = update_one(setup);
        if run.result.is_ok() {
            // By one of the other ways.
            assert_newer(&run, &images);
            continue;
        }
        assert_fails(&run, Code::NotRestarted, 5, ModemState::RunsFirmware);
        assert_as_before(&run);
        assert!(run.error().source.to_string().contains("60"), "{}", run.log());
    }
}

#[test]
fn a_refused_offline_is_no_obstacle() {
    // The reset is then refused too, as long as the modem isn't offline: the second try works.
    let (run, images) = update_one(faulty("MC7455", "refuse@0x2e:26"));
    if run.result.is_ok() {
        run.assert_runs(&newer(run.modem().setup().profile));
        assert_eq!(images.len(), 2);
    } else {
        assert_as_before(&run);
        assert_eq!(run.error().modem, ModemState::RunsFirmware);
    }
}

#[test]
fn a_modem_that_accepts_the_reset_and_stays_gets_its_old_preference_back() {
    let mut setup = running("MC7455");
    // It would leave an hour later.
    setup.timings.leaving = Duration::from_secs(3600);
    let (run, _) = update_one(setup);
    assert_eq!(run.error().code(), Code::NotRestarted, "{}", run.log());
    assert!(
        run.error()
            .source
            .to_string()
            .contains("still on the bus 30 s later"),
        "{}",
        run.log()
    );
}

#[test]
fn a_modem_that_does_not_say_what_it_runs_is_not_said_to_prefer_what_it_has_not_got() {
    // What it runs, and prefers, lies outside its slots (field-reports.md D9), so that it asks for it when it is told again.
    let mut setup = faulty(
        "MC7455",
        "refuse@0x5556:94,refuse@0x2e:60,refuse@0x2e:60,refuse@0x2e:60,refuse@0x2e:60",
    );
    setup.storage.modem_images.fill(None);
    setup.storage.pri_images.clear();
    let (run, _) = update_one(setup);
    assert_fails(&run, Code::NotRestarted, 5, ModemState::RunsFirmware);
    assert_as_before(&run);
}

#[test]
fn a_modem_that_is_slow_to_leave_is_followed_all_the_same() {
    // Longer than the 30 s of a power cycle, and than the 15 s of boot & hold.
    for (model, seconds) in [("MC7455", 45), ("EM7565", 50), ("MC7710", 20)] {
        let mut setup = running(model);
        setup.timings.leaving = Duration::from_secs(seconds);
        let (run, images) = update_one(setup);
        if run.result.is_ok() {
            assert_newer(&run, &images);
        } else {
            // It was flashed, but takes too long to leave its boot loader too.
            let code = run.error().code();
            assert!(
                matches!(code, Code::ResetStayed | Code::FirehoseSilent),
                "{}",
                run.log()
            );
            assert_eq!(run.error().modem, ModemState::AllWritten, "{}", run.log());
            assert_eq!(run.modem().images().len(), images.len());
        }
    }
}

#[test]
fn a_modem_whose_boot_loader_refuses_and_restarts_into_its_firmware_gets_its_preference_back() {
    let mut setup = running("EM9191");
    setup.quirks.hello = virtual_modem::quirk::HelloHabit::AfterBytes;
    setup.quirks.provoked = virtual_modem::quirk::Provoked::Refused;
    let (run, _) = update_one(setup);
    assert_eq!(run.error().code(), Code::ModeNormal, "{}", run.log());
    assert_eq!(run.error().modem, ModemState::RunsFirmware, "{}", run.log());
    assert_eq!(run.error().exit_code(), 5);
    assert_eq!(
        run.modem().storage().preferred,
        run.modem().setup().storage.preferred
    );
}

#[test]
fn a_refusal_in_the_second_download_does_not_forget_what_the_first_has_written() {
    for model in ["MC7455", "EM7565"] {
        let (run, images) = update_one(faulty(model, "drop@30000,error:0x12@chunk:0"));
        let of = images.len();
        assert_eq!(
            run.error().modem,
            ModemState::PartlyWritten { accepted: 0, of },
            "{}",
            run.log()
        );
    }
}

#[test]
fn modem_manager_that_looks_at_a_boot_loader_is_waited_for() {
    let mut world = SimulatedWorld::new(in_download_mode("MC7455"));
    world.set_modem_manager(virtual_modem::simulated::ModemManager::default());
    let (run, _) = update_in(world, &wish());
    assert!(run.updated().proven);
    run.assert_runs(&newer(run.modem().setup().profile));
}

#[test]
fn an_answer_that_is_lost_while_versions_are_read_back_proves_nothing() {
    // Over AT this model can't be told what it shall prefer, so it ends with its radio off; one of its answers says so.
    for message in 1..30 {
        // One that comes twice shifts all that follow.
        for fault in ["lose", "duplicate"] {
            let setup = crate::support::normal::at_only("MC7305");
            let setup = Setup {
                faults: format!("{fault}@{message}").parse().unwrap(),
                ..setup
            };
            let (run, _) = update_one(setup);
            assert!(
                !matches!(run.result, Ok(Outcome::Updated(_))),
                "{fault} {message}: {}",
                run.log()
            );
        }
    }
}

#[test]
fn a_modem_that_never_comes_back_is_not_known_to_be_anywhere() {
    for model in ["MC7455", "EM7565", "MC7710"] {
        let (run, _) = update_one(faulty(model, "enter:never"));
        assert_fails(&run, Code::ResetNoReturn, 9, ModemState::Unknown);
        assert!(!run.modem().is_on_bus());
        assert_eq!(run.error().step, Step::EnterDownloadMode);
    }
}

#[test]
fn a_modem_that_comes_late_into_download_mode_is_waited_for() {
    for model in ["MC7455", "EM7565"] {
        let (run, images) = update_one(faulty(model, "enter:late=100s"));
        assert_newer(&run, &images);
    }
}

// field-reports.md B1 and B8
#[test]
fn a_modem_that_comes_back_in_normal_mode_is_tried_in_every_way_and_gets_its_old_preference_back() {
    for (model, ways, is_pin) in [
        (
            "EM7565",
            vec![
                "preference and power cycle: it came back in normal mode",
                "set firmware id (DMS 0x003E): \"set firmware id\" refused: missing argument (17)",
                "boot image download mode (DMS 0x0050) and power cycle: \"set boot image download mode\" refused: not supported (94)",
                "AT!BOOTHOLD on /dev/ttyUSB2: OK, but it came back in normal mode as 1199:9091",
            ],
            true,
        ),
        (
            "MC7455",
            vec![
                "preference and power cycle: it came back in normal mode",
                "set firmware id (DMS 0x003E): accepted, but it came back in normal mode as 1199:9071",
                "boot image download mode (DMS 0x0050) and power cycle: accepted, but it came back in normal mode as 1199:9071",
                "AT!BOOTHOLD on ",
            ],
            false,
        ),
    ] {
        let (run, _) = update_one(faulty(model, "enter:normal"));
        assert_eq!(run.error().code(), Code::DownloadNotEntered, "{}", run.log());
        assert_eq!(run.error().exit_code(), 5);
        let advice = if is_pin {
            Advice::CheckPin
        } else {
            Advice::PowerCycleAndRunAgain
        };
        assert_eq!(run.error().next, advice);
        let why = run.error().source.to_string();
        for way in ways {
            assert!(why.contains(way), "{way}\n{why}");
        }
        assert_eq!(
            run.modem().storage().preferred,
            run.modem().setup().storage.preferred,
            "{}",
            run.log()
        );
        assert_eq!(run.error().modem, ModemState::RunsFirmware, "{}", run.log());
        assert_eq!(run.modem().image_bytes(), 0);
        run.assert_clean();
    }
}

#[test]
fn a_modem_of_the_first_generation_is_tried_in_every_way() {
    for habit in [BootHoldHabit::Works, BootHoldHabit::NeedsUnlock] {
        let mut setup = faulty("MC7710", "refuse@0x3e:71");
        setup.quirks.boot_hold = habit;
        let (run, images) = update_one(setup);
        assert_newer(&run, &images);
        let ways = run.ways();
        assert_eq!(ways.len(), 3, "{ways:?}");
        assert!(ways[0].starts_with("set firmware id (DMS 0x003E): "), "{ways:?}");
        assert!(ways[1].contains("DMS 0x0050"), "{ways:?}");
        assert!(
            ways[2].starts_with("AT!BOOTHOLD on ") && ways[2].ends_with("OK"),
            "{ways:?}"
        );
    }
    for habit in [BootHoldHabit::OnlySaysOk, BootHoldHabit::Unknown] {
        let mut setup = faulty("MC7710", "refuse@0x3e:71");
        setup.quirks.boot_hold = habit;
        let (run, _) = update_one(setup);
        assert_fails(&run, Code::DownloadNotEntered, 5, ModemState::RunsFirmware);
        assert_as_before(&run);
        let why = run.error().source.to_string();
        let end = match habit {
            BootHoldHabit::OnlySaysOk => "OK, but it was still on the bus 15 s later",
            _ => "ERROR",
        };
        assert!(why.contains(end), "{why}");
    }
}

#[test]
fn another_id_and_the_other_bus_are_followed_in_both_directions() {
    for faults in [
        "return:id=1199:90b1",
        "enter:id=1199:9999",
        "enter:other-bus",
        "return:other-bus",
        "enter:other-bus,return:other-bus",
    ] {
        for model in ["MC7455", "EM7565"] {
            let (run, images) = update_one(faulty(model, faults));
            assert_newer(&run, &images);
        }
    }
}

#[test]
fn the_peer_of_a_usb_3_socket_is_followed_and_a_neighbour_there_is_not_touched() {
    for model in ["EM7455", "EM9191"] {
        let mut world = SimulatedWorld::new(running(model));
        let neighbour = world.plug(running(model));
        let request = Request {
            select: Selector::Place("2-1".into()),
            ..wish()
        };
        let (run, images) = update_in(world, &request);
        assert_newer(&run, &images);
        let neighbour = run.world.modem(neighbour).unwrap();
        assert_eq!(neighbour.violations(), []);
        assert_eq!(neighbour.image_bytes(), 0);
        assert_eq!(neighbour.storage().resets, 1);
    }
}

#[test]
fn a_neighbour_with_the_same_ids_and_the_same_serial_is_not_touched() {
    for faults in [
        "",
        "enter:never",
        "return:never",
        "enter:normal",
        "return:download",
    ] {
        let mut world = SimulatedWorld::new(faulty("EM7565", faults));
        let neighbour = world.plug_into(SocketKind::Usb2, running("EM7565"));
        let request = Request {
            select: Selector::Place("1-1".into()),
            ..wish()
        };
        let (run, _) = update_in(world, &request);
        assert_eq!(run.result.is_ok(), faults.is_empty(), "{}", run.log());
        let neighbour = run.world.modem(neighbour).unwrap();
        assert_eq!(neighbour.violations(), [], "{faults}");
        assert_eq!(neighbour.image_bytes(), 0, "{faults}");
        assert_eq!(neighbour.storage().resets, 1, "{faults}");
        assert_eq!(
            neighbour.storage().preferred,
            neighbour.setup().storage.preferred,
            "{faults}"
        );
    }
}

// On the way back

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
fn a_modem_that_restarts_once_more_within_three_seconds_is_proven_only_after_that() {
    for model in ["MC7455", "EM7565"] {
        for again in ["return:again=500ms", "return:again=2s", "return:again=6s"] {
            let (run, images) = update_one(faulty(model, again));
            assert_newer(&run, &images);
            let appeared = run
                .events
                .iter()
                .filter(|event| matches!(event.kind, EventKind::Appeared { .. }))
                .count();
            // Download mode, normal mode, and normal mode again.
            assert_eq!(appeared, 3, "{again}: {}", run.log());
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
fn a_modem_that_was_just_started_is_waited_for_before_it_is_told_anything() {
    for model in ["MC7455", "EM7565"] {
        let mut setup = running(model);
        setup.timings.ready_after = Duration::from_secs(50);
        let (run, images) = update_one(setup);
        assert_newer(&run, &images);
    }
    // For ever is too long; it isn't taken for one without preferences.
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
        why.contains("firmware 02.33.03.00 was wanted, it runs 02.24.05.06"),
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

/// All images are downloaded in both passes.
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
        why.contains("config 002.072_000 was wanted, it runs 002.026_000"),
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
    assert!(run.told(|kind| matches!(kind, EventKind::ModemRead { facts } if facts.over == "AT")));
    // What speaks QMI by its driver isn't sent MBIM (mbim.md §1).
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
    // A control port that qmi-proxy doesn't own is only waited for when that helps; here an AT port answers later.
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
    let mut world = SimulatedWorld::new(running("MC7455"));
    world.forget_id(0x1199, 0x9070);
    let (run, _) = update_in(world, &wish());
    assert_eq!(run.error().code(), Code::ModemNoPort, "{}", run.log());
    assert!(
        run.error().source.to_string().contains("1199:9070"),
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
        // The same command again.
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

fn in_download_mode(model: &str) -> Setup {
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
fn a_rescued_modem_that_was_never_told_its_new_firmware_is_told_by_the_second_pass() {
    for model in ["MC7455", "EM7565", "EM9191"] {
        let mut setup = in_download_mode(model);
        // It was sent there by hand: its preference is the old one.
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
            cause.starts_with(&format!("firmware {wanted} was wanted, it runs ")),
            "{log}"
        );
        assert!(
            cause.ends_with("it would ask for firmware (.cwe), and no file brings that"),
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
fn settings_alone_for_a_rescued_modem_are_told_when_its_firmware_is_theirs() {
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
fn a_language_that_was_asked_for_and_gets_no_answer_ends_the_run_before_anything_is_changed() {
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
        // Not `assert_fails`: to speak the wrong language is what was asked for.
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
fn an_unplugged_modem_is_told_as_such() {
    let (run, _) = update_one(faulty("MC7455", "enter:never"));
    let told: Vec<&Event> = run
        .events
        .iter()
        .filter(|event| matches!(event.kind, EventKind::SilenceExpected { .. }))
        .collect();
    assert!(!told.is_empty(), "{}", run.log());
    let images = release(run.modem().setup().profile);
    // Nothing is on the bus now.
    let request = wish();
    let again = run_in(run.world, &request, &images);
    assert_eq!(again.error().code(), Code::ModemNone, "{}", again.log());
}
