//! Short jobs: information about a modem, a restart, slots, one AT command.

use modemflash_update_engine::modem::Mode as Seen;
use modemflash_update_engine::{
    AskedOver, Cause, Code, ControlChoice, ImageType, ModemState, Request, Selector, errand,
};
use virtual_modem::profile::Profile;
use virtual_modem::quirk::BootHoldHabit;
use virtual_modem::simulated::{Grants, ModemManager, SimulatedWorld};
use virtual_modem::{ControlProtocol, Mode, Selection, Setup};

use crate::support::normal::{at_only, faulty, newer, running, speaking, update_one};

fn world(setup: Setup) -> SimulatedWorld {
    SimulatedWorld::new(setup)
}

fn any() -> Request {
    Request::default()
}

#[test]
fn every_model_reports_what_it_is_over_whatever_port_it_has() {
    for profile in Profile::ALL {
        for setup in [
            speaking(profile.name, ControlProtocol::Qmi),
            speaking(profile.name, ControlProtocol::Mbim),
            at_only(profile.name),
        ] {
            let storage = setup.storage.clone();
            let mut world = world(setup);
            let mut told = String::new();
            let (modem, facts) = errand::info(&mut world, &any(), &mut |event| {
                told.push_str(&serde_json::to_string(event).unwrap());
            })
            .unwrap_or_else(|error| panic!("{}: {error}: {}", profile.name, error.source));
            let what = format!("{} over {}", profile.name, facts.over);
            assert_eq!(facts.model.as_deref(), Some(profile.name), "{what}");
            assert_eq!(
                facts.running.firmware.as_deref(),
                Some(storage.current.firmware.as_str()),
                "{what}"
            );
            assert_eq!(facts.imei.as_deref(), Some(storage.imei.as_str()), "{what}");
            assert_eq!(facts.masked_imei().as_deref(), Some("…1237"));
            assert!(!told.contains(&storage.imei), "{what}");
            let is_locked =
                facts.over == AskedOver::At && profile.capabilities.locked.contains(&"GOBIIMPREF?");
            if profile.capabilities.preference && !is_locked {
                let preferred = facts.preferred.as_ref().map(ToString::to_string);
                assert_eq!(
                    preferred,
                    storage.preferred.as_ref().map(ToString::to_string),
                    "{what}"
                );
                assert!(
                    facts
                        .images
                        .iter()
                        .any(|image| image.is_running && image.kind == ImageType::Modem),
                    "{what}"
                );
            }
            assert_eq!(modem.mode, Seen::Normal);
            assert_eq!(world.modem(0).unwrap().violations(), [], "{what}");
        }
    }
}

// qmi.md §3: error 52 means "still booting".
#[test]
fn a_modem_that_is_booting_is_waited_for() {
    let mut setup = running("MC7455");
    setup.timings.ready_after = std::time::Duration::from_secs(40);
    let mut world = world(setup);
    let (_, facts) = errand::info(&mut world, &any(), &mut |_| {}).unwrap();
    assert_eq!(facts.model.as_deref(), Some("MC7455"));
}

#[test]
fn a_restart_is_done_when_the_modem_is_back() {
    for profile in Profile::ALL {
        for setup in [running(profile.name), at_only(profile.name)] {
            let is_at_only = setup.storage.usb.composition.control().is_none();
            // Old firmware locks this command until the unlock command has been sent.
            let mut world = world(Setup {
                allowed_commands: vec!["AT!RESET".into()],
                ..setup
            });
            let restarted = errand::reset(&mut world, &any(), &mut |_| {})
                .unwrap_or_else(|error| panic!("{}: {error}: {}", profile.name, error.source));
            assert_eq!(restarted.mode, Seen::Normal);
            let modem = world.modem(0).unwrap();
            assert_eq!(modem.storage().resets, 2, "{}", profile.name);
            assert!(modem.is_on_bus());
            assert_eq!(modem.violations(), [], "{} AT only: {is_at_only}", profile.name);
        }
    }
}

#[test]
fn a_restart_that_the_control_port_refuses_is_done_with_an_at_command() {
    let mut world = world(faulty(
        "MC7455",
        "refuse@0x2e:82,refuse@0x2e:82,refuse@0x2e:82,refuse@0x2e:82",
    ));
    match errand::reset(&mut world, &any(), &mut |_| {}) {
        // AT!RESET has restarted the modem, after the control port had refused.
        Ok(restarted) => assert!(restarted.tried[0].contains("access denied (82)"), "{restarted:?}"),
        Err(error) => panic!("{error}: {}", error.source),
    }
}

#[test]
fn a_requested_language_without_an_answer_is_not_replaced_by_at_commands() {
    let request = Request {
        control: ControlChoice::Mbim,
        ..any()
    };
    let mut world = world(running("MC7455"));
    let causes = [
        errand::info(&mut world, &request, &mut |_| {}).unwrap_err(),
        errand::reset(&mut world, &request, &mut |_| {}).unwrap_err(),
        errand::enter_download_mode(&mut world, &request, &mut |_| {}).unwrap_err(),
    ];
    for error in causes {
        assert_eq!((error.code(), error.exit_code()), (Code::ModemUnreachable, 4));
        assert!(error.source.to_string().contains("over MBIM"), "{}", error.source);
    }
    let modem = world.modem(0).unwrap();
    assert_eq!(
        modem.storage().resets,
        modem.setup().storage.resets + 1,
        "at its start only"
    );
    assert_eq!(modem.mode(), Mode::Normal);
}

#[test]
fn download_mode_is_reached_in_every_family_and_left_as_it_is_when_it_is_there() {
    for profile in Profile::ALL {
        let mut world = world(running(profile.name));
        let mut tried = Vec::new();
        let reached = errand::enter_download_mode(&mut world, &any(), &mut |event| {
            if let modemflash_update_engine::EventKind::Tried { way, answer } = &event.kind {
                tried.push(format!("{way}: {answer}"));
            }
        })
        .unwrap_or_else(|error| panic!("{}: {error}: {}", profile.name, error.source));
        assert_eq!(reached.mode, Seen::Download, "{}", profile.name);
        assert_eq!(reached.tried, tried, "{}", profile.name);
        assert!(!tried.is_empty());
        let modem = world.modem(0).unwrap();
        assert_eq!(modem.mode(), Mode::Download);
        assert_eq!(modem.violations(), [], "{}: {tried:?}", profile.name);
        assert_eq!(modem.storage().preferred, modem.setup().storage.preferred);
        let resets = modem.storage().resets;
        let again = errand::enter_download_mode(&mut world, &any(), &mut |_| {}).unwrap();
        assert_eq!((again.mode, again.path), (Seen::Download, reached.path));
        assert_eq!(world.modem(0).unwrap().storage().resets, resets);
    }
}

#[test]
fn a_modem_that_waits_in_download_mode_is_restarted_into_the_firmware_that_it_has() {
    for profile in Profile::ALL {
        let mut world = world(running(profile.name));
        errand::enter_download_mode(&mut world, &any(), &mut |_| {}).unwrap();
        let restarted = errand::reset(&mut world, &any(), &mut |_| {})
            .unwrap_or_else(|error| panic!("{}: {error}: {}", profile.name, error.source));
        assert_eq!(restarted.mode, Seen::Normal, "{}", profile.name);
        let modem = world.modem(0).unwrap();
        assert_eq!(modem.mode(), Mode::Normal, "{}", profile.name);
        assert_eq!(modem.violations(), [], "{}", profile.name);
        assert_eq!(modem.image_bytes(), 0, "{}", profile.name);
        assert_eq!(modem.storage().current, modem.setup().storage.current);
    }
}

#[test]
fn a_modem_without_firmware_waits_in_download_mode_again() {
    for model in ["MC7455", "EM7565"] {
        let mut world = world(Setup::of(Profile::named(model).unwrap()));
        let error = errand::reset(&mut world, &any(), &mut |_| {}).unwrap_err();
        let modem = world.modem(0).unwrap();
        assert_eq!(
            error.code(),
            Code::RestartedIntoLoader,
            "{model}: {}",
            error.source
        );
        assert_eq!(error.modem, ModemState::InDownloadMode);
        assert_eq!(error.what(), "the modem does not start its firmware");
        assert_eq!(modem.violations(), []);
    }
}

#[test]
fn every_refusal_on_the_way_into_download_mode_is_reported() {
    let mut setup = running("EM7565");
    setup.quirks.boot_hold = BootHoldHabit::Unknown;
    let mut world = world(setup);
    let error = errand::enter_download_mode(&mut world, &any(), &mut |_| {}).unwrap_err();
    assert_eq!(error.code(), Code::DownloadNotEntered);
    assert_eq!(error.exit_code(), 5);
    assert_eq!(error.modem, ModemState::RunsFirmware);
    let Cause::NotEntered { tried, is_pin } = &*error.source else {
        panic!("{error}")
    };
    assert!(is_pin);
    assert_eq!(tried.len(), 3, "{tried:?}");
    assert!(
        tried[0].contains("0x003E") && tried[0].contains("(17)"),
        "{tried:?}"
    );
    assert!(
        tried[1].contains("0x0050") && tried[1].contains("(94)"),
        "{tried:?}"
    );
    assert!(
        tried[2].contains("AT!BOOTHOLD") && tried[2].contains("ERROR"),
        "{tried:?}"
    );
}

#[test]
fn a_failed_request_for_download_mode_does_not_take_effect_at_a_later_restart() {
    let mut setup = running("MC7455");
    setup.quirks.boot_hold = BootHoldHabit::Unknown;
    // The modem accepts DMS 0x0050 but refuses the power cycle after it.
    setup.faults = "refuse@0x3e:71,refuse@0x2e:71,refuse@0x2e:71".parse().unwrap();
    let mut world = world(setup);
    let error = errand::enter_download_mode(&mut world, &any(), &mut |_| {}).unwrap_err();
    assert_eq!(error.code(), Code::DownloadNotEntered);
    assert_eq!(error.modem, ModemState::RunsFirmware);
    let restarted = errand::reset(&mut world, &any(), &mut |_| {}).unwrap();
    assert_eq!(restarted.mode, Seen::Normal);
    assert_eq!(world.modem(0).unwrap().violations(), []);
}

#[test]
fn a_stored_pair_is_selected_and_runs_after_a_restart() {
    for control in [ControlProtocol::Qmi, ControlProtocol::Mbim] {
        let (first, _) = update_one(running("MC7455"));
        let mut setup = speaking("MC7455", control);
        let old = setup.storage.current.clone();
        let usb = setup.storage.usb.clone();
        setup.storage = first.modem().storage().clone();
        setup.storage.usb = usb;
        let mut world = world(setup);
        let (_, facts) = errand::info(&mut world, &any(), &mut |_| {}).unwrap();
        let find = |kind| {
            let mut images = facts.images.iter();
            images
                .find(|image| image.kind == kind && image.build_id.starts_with(&old.firmware))
                .cloned()
                .unwrap()
        };
        errand::select_images(
            &mut world,
            &any(),
            &find(ImageType::Modem),
            &find(ImageType::Pri),
            &mut |_| {},
        )
        .unwrap();
        assert_eq!(world.modem(0).unwrap().storage().preferred.as_ref(), Some(&old));
        errand::reset(&mut world, &any(), &mut |_| {}).unwrap();
        let modem = world.modem(0).unwrap();
        assert_eq!(modem.storage().current, old);
        assert_eq!(modem.violations(), []);
    }
}

#[test]
fn a_stored_image_is_deleted_and_one_that_is_not_there_is_refused() {
    let (first, _) = update_one(running("MC7455"));
    let mut setup = running("MC7455");
    let old = setup.storage.current.clone();
    setup.storage = first.modem().storage().clone();
    let mut world = world(setup);
    let (_, facts) = errand::info(&mut world, &any(), &mut |_| {}).unwrap();
    for kind in [ImageType::Modem, ImageType::Pri] {
        let mut images = facts.images.iter();
        let image = images
            .find(|image| image.kind == kind && image.build_id.starts_with(&old.firmware))
            .unwrap();
        errand::delete_image(&mut world, &any(), image, false, &mut |_| {}).unwrap();
        let error = errand::delete_image(&mut world, &any(), image, false, &mut |_| {}).unwrap_err();
        assert_eq!(error.code(), Code::ControlRefused, "{error}: {}", error.source);
        assert_eq!(error.exit_code(), 5);
    }
    let storage = world.modem(0).unwrap().storage();
    assert!(!storage.has_modem(&old.firmware) && !storage.has_pri(&old.pri()));
    let newer = newer(Profile::named("MC7455").unwrap());
    assert!(storage.has_modem(&newer.firmware) && storage.has_pri(&newer.pri()));
}

// Another run may select the image between the user's answer and the deletion.
#[test]
fn an_image_that_has_come_into_use_since_the_user_looked_is_not_deleted() {
    let (first, _) = update_one(running("MC7455"));
    let mut setup = running("MC7455");
    let old = setup.storage.current.clone();
    setup.storage = first.modem().storage().clone();
    let mut world = world(setup);
    let (_, facts) = errand::info(&mut world, &any(), &mut |_| {}).unwrap();
    let [firmware, settings] = [ImageType::Modem, ImageType::Pri].map(|kind| {
        let mut images = facts.images.iter();
        images
            .find(|image| image.kind == kind && image.build_id.starts_with(&old.firmware))
            .cloned()
            .unwrap()
    });
    assert_eq!(firmware.uses().count() + settings.uses().count(), 0);
    errand::select_images(&mut world, &any(), &firmware, &settings, &mut |_| {}).unwrap();
    for image in [&firmware, &settings] {
        let error = errand::delete_image(&mut world, &any(), image, false, &mut |_| {}).unwrap_err();
        assert_eq!(error.code(), Code::SlotInUse, "{error}: {}", error.source);
        assert!(error.is_as_found);
        assert_eq!((error.exit_code(), error.modem), (2, ModemState::RunsFirmware));
        let why = error.source.to_string();
        assert!(why.contains(": the modem prefers "), "{why}");
    }
    let storage = world.modem(0).unwrap().storage();
    assert!(storage.has_modem(&old.firmware) && storage.has_pri(&old.pri()));
    // With force the image is deleted.
    errand::delete_image(&mut world, &any(), &settings, true, &mut |_| {}).unwrap();
    assert!(!world.modem(0).unwrap().storage().has_pri(&old.pri()));
}

#[test]
fn slots_need_a_control_port() {
    let mut world = world(at_only("MC7455"));
    let (_, facts) = errand::info(&mut world, &any(), &mut |_| {}).unwrap();
    let error = errand::delete_image(&mut world, &any(), &facts.images[0], true, &mut |_| {}).unwrap_err();
    assert_eq!(error.code(), Code::NotSupported);
    assert_eq!(error.exit_code(), 2);
    let kept = Selection::new("02.24.05.06", "GENERIC", "002.026_000");
    assert!(world.modem(0).unwrap().storage().has_modem(&kept.firmware));
}

#[test]
fn one_at_command_is_answered_with_its_lines() {
    for profile in Profile::ALL {
        let mut world = world(running(profile.name));
        let lines = errand::at_command(&mut world, &any(), "AT+CGMR", &mut |_| {}).unwrap();
        assert_eq!(lines.last().map(String::as_str), Some("OK"), "{lines:?}");
        assert!(
            lines[0].contains(&world.modem(0).unwrap().storage().current.firmware),
            "{lines:?}"
        );
        let error = errand::at_command(&mut world, &any(), "AT!NOSUCH", &mut |_| {}).unwrap_err();
        assert_eq!(error.code(), Code::CommandRefused, "{}", error.source);
        assert_eq!(error.exit_code(), 5);
        for command in ["", "ls", "AT\rAT!BOOTHOLD", "AT\u{e9}"] {
            let error = errand::at_command(&mut world, &any(), command, &mut |_| {}).unwrap_err();
            assert_eq!(error.exit_code(), 2, "{command:?}: {}", error.source);
        }
        assert_eq!(world.modem(0).unwrap().violations(), []);
    }
}

#[test]
fn jobs_that_change_something_have_modem_manager_let_go_and_give_the_modem_back() {
    let mut world = world(running("MC7455"));
    world.set_modem_manager(ModemManager::default());
    errand::reset(&mut world, &any(), &mut |_| {}).unwrap();
    assert_eq!(world.inhibited(), []);
    assert_eq!(world.modem(0).unwrap().violations(), []);

    let mut world = self::world(running("MC7455"));
    world.set_modem_manager(ModemManager {
        grants: Grants::Never {
            why: "not authorised".into(),
        },
        ..ModemManager::default()
    });
    let error = errand::reset(&mut world, &any(), &mut |_| {}).unwrap_err();
    assert_eq!(error.code(), Code::ModemHeld);
    assert_eq!(error.exit_code(), 4);
    assert!(
        error.source.to_string().contains("not authorised"),
        "{}",
        error.source
    );
    assert_eq!(world.modem(0).unwrap().storage().resets, 1);
}

#[test]
fn a_modem_in_download_mode_cannot_be_asked_and_says_so() {
    let mut world = world(Setup::of(Profile::named("MC7455").unwrap()));
    let error = errand::info(&mut world, &any(), &mut |_| {}).unwrap_err();
    assert_eq!(error.code(), Code::NotSupported);
    assert!(
        error.source.to_string().contains("download mode"),
        "{}",
        error.source
    );
    assert_eq!(world.modem(0).unwrap().violations(), []);
    let request = Request {
        select: Selector::Place("7-7".into()),
        ..any()
    };
    let error = errand::info(&mut world, &request, &mut |_| {}).unwrap_err();
    assert_eq!((error.code(), error.exit_code()), (Code::ModemNone, 4));
}

#[test]
fn a_command_that_the_modem_refuses_before_an_ok_is_refused() {
    let mut setup = running("EM7565");
    setup.quirks.boot_hold = BootHoldHabit::NotImplemented;
    let mut world = world(setup);
    let error = errand::at_command(&mut world, &any(), "at!boothold", &mut |_| {}).unwrap_err();
    assert_eq!(error.code(), Code::CommandRefused, "{}", error.source);
    assert!(
        error.source.to_string().contains("NOT IMPLEMENTED"),
        "{}",
        error.source
    );
}

#[test]
fn the_carrier_settings_are_read_over_at() {
    let mut world = world(at_only("MC7455"));
    let (_, facts) = errand::info(&mut world, &any(), &mut |_| {}).unwrap();
    let named = ["9999999_9904609_SWI9X30C_02.24.05.06_00_GENERIC_002.026_000"];
    assert_eq!(facts.carrier_settings, named);
    assert_eq!(world.modem(0).unwrap().violations(), []);
}
