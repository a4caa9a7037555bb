//! Faults between setting the preference and download mode: each ends in a proven update, or in an error that
//! names the true state of the modem.

use std::time::Duration;

use modemflash_update_engine::{Advice, Code, ModemState, Outcome, Request, Selector, Step};
use virtual_modem::quirk::BootHoldHabit;
use virtual_modem::simulated::{SimulatedWorld, SocketKind};
use virtual_modem::{ControlProtocol, Setup};

use super::failures::{assert_as_before, assert_fails, assert_newer, in_download_mode};
use crate::support::normal::{faulty, newer, running, update_in, update_one, wish};

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
        // Either the update goes on, because the modem says that it has the preference, or the old preference
        // is back.
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
            // Another way into download mode has worked.
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
    // The modem also refuses the reset while it isn't offline. The second try works.
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
    // The modem would leave the bus an hour later.
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
    // What the modem runs and prefers is stored outside its slots (field-reports.md D9), so the modem asks
    // for it when the preference is set again.
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
    // The modem takes longer than the 30 s allowed for a power cycle and the 15 s allowed for boot & hold.
    for (model, seconds) in [("MC7455", 45), ("EM7565", 50), ("MC7710", 20)] {
        let mut setup = running(model);
        setup.timings.leaving = Duration::from_secs(seconds);
        let (run, images) = update_one(setup);
        if run.result.is_ok() {
            assert_newer(&run, &images);
        } else {
            // The modem was flashed, but also takes too long to leave its boot loader.
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
    // Over AT commands no preference can be set on this model, so it ends with its radio off. One of its
    // answers says so.
    for message in 1..30 {
        // An answer that comes twice shifts all later answers.
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
                "preference and power cycle: the modem came back in normal mode",
                "set firmware id (DMS 0x003E): \"set firmware id\" refused: missing argument (17)",
                "boot image download mode (DMS 0x0050) and power cycle: \"set boot image download mode\" refused: not supported (94)",
                "AT!BOOTHOLD on /dev/ttyUSB2: OK, but the modem came back in normal mode as 1199:9091",
            ],
            true,
        ),
        (
            "MC7455",
            vec![
                "preference and power cycle: the modem came back in normal mode",
                "set firmware id (DMS 0x003E): accepted, but the modem came back in normal mode as 1199:9071",
                "boot image download mode (DMS 0x0050) and power cycle: accepted, but the modem came back in normal mode as 1199:9071",
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
    for habit in [
        BootHoldHabit::OnlySaysOk,
        BootHoldHabit::NotImplemented,
        BootHoldHabit::Unknown,
    ] {
        let mut setup = faulty("MC7710", "refuse@0x3e:71");
        setup.quirks.boot_hold = habit;
        let (run, _) = update_one(setup);
        assert_fails(&run, Code::DownloadNotEntered, 5, ModemState::RunsFirmware);
        assert_as_before(&run);
        let why = run.error().source.to_string();
        let end = match habit {
            BootHoldHabit::OnlySaysOk => "OK, but the modem was still on the bus 15 s later",
            BootHoldHabit::NotImplemented => "!BOOTHOLD: NOT IMPLEMENTED",
            _ => "ERROR",
        };
        assert!(why.contains(end), "{why}");
        assert!(
            !why.contains("unlock") || habit != BootHoldHabit::NotImplemented,
            "{why}"
        );
    }
}

#[test]
fn a_refusal_before_an_ok_costs_no_wait() {
    let seconds = |habit| {
        let mut setup = faulty("MC7710", "refuse@0x3e:71");
        setup.quirks.boot_hold = habit;
        let (run, _) = update_one(setup);
        run.events.last().unwrap().t
    };
    let refused = seconds(BootHoldHabit::NotImplemented);
    assert!(refused <= seconds(BootHoldHabit::Unknown), "{refused}");
    assert!(refused + 10.0 < seconds(BootHoldHabit::OnlySaysOk), "{refused}");
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
