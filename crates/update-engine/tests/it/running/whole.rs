//! Whole updates from normal mode until the versions are read back.

use modemflash_update_engine::{
    AskedOver, Code, ControlChoice, EventKind, Given, ModemState, Outcome, Request, Step,
};
use virtual_modem::profile::Profile;
use virtual_modem::simulated::SimulatedWorld;
use virtual_modem::{ControlProtocol, Mode, Selection, Setup};

use crate::support::normal::{
    at_only, firmware_of, newer, package_of, release, release_of, running, settings_of, speaking, update_in,
    update_one, wish,
};
use crate::support::run_in;

fn with_versions(profile: &Profile) -> bool {
    !profile.image_names.is_empty()
}

#[test]
fn every_model_is_updated_over_qmi_and_over_mbim() {
    for profile in Profile::ALL.iter().filter(|profile| with_versions(profile)) {
        for control in [ControlProtocol::Qmi, ControlProtocol::Mbim] {
            let (run, images) = update_one(speaking(profile.name, control));
            run.assert_updated(&newer(profile), &images);
            let over = match control {
                ControlProtocol::Qmi => AskedOver::Qmi,
                ControlProtocol::Mbim => AskedOver::Mbim,
            };
            assert!(
                run.told(|kind| matches!(kind, EventKind::ModemRead { facts } if facts.over == over)),
                "{}: {}",
                profile.name,
                run.log()
            );
            assert_eq!(run.updated().passes, 1, "{}", run.log());
        }
    }
}

#[test]
fn a_modem_without_a_control_port_is_updated_through_its_at_port() {
    // A modem without preferences needs nothing else.
    let (run, images) = update_one(at_only("MC7710"));
    run.assert_updated(&newer(run.modem().setup().profile), &images);
    assert!(run.told(|kind| matches!(kind, EventKind::ModemRead { facts } if facts.over == AskedOver::At)));
    assert!(
        run.ways()[0].starts_with("AT!BOOTHOLD on /dev/ttyUSB2"),
        "{:?}",
        run.ways()
    );
}

#[test]
fn a_modem_without_a_control_port_that_needs_a_preference_leads_to_a_warning_and_a_true_error() {
    for model in ["MC7455", "EM7565"] {
        let request = Request {
            confirmed: false,
            ..wish()
        };
        let (run, _) = update_in(SimulatedWorld::new(at_only(model)), &request);
        assert_eq!(run.error().code(), Code::NotConfirmed, "{}", run.log());
        assert!(
            run.error().source.to_string().contains("no control port answers"),
            "{}",
            run.log()
        );
        assert_eq!(run.modem().image_bytes(), 0);
        // With the confirmation all images are written, but in the end the modem doesn't run what it prefers.
        let (run, _) = update_one(at_only(model));
        assert_eq!(run.error().code(), Code::NotProven, "{}", run.log());
        assert_eq!(run.error().exit_code(), 7);
        assert_eq!(run.modem().storage().current, newer(run.modem().setup().profile));
        assert!(!run.modem().is_online());
        run.assert_clean();
    }
}

#[test]
fn gobi_files_name_no_version_so_their_update_is_not_called_proven() {
    let (run, images) = update_one(running("Gobi2000"));
    let Ok(Outcome::Accepted(accepted)) = &run.result else {
        panic!("{}", run.log())
    };
    assert!(!accepted.proven);
    assert_eq!(accepted.accepted, images.len());
    run.assert_flashed(&images);
    assert_eq!(run.modem().mode(), Mode::Normal);
    // The modem was asked anyway.
    let runs = accepted.runs.as_ref().and_then(|runs| runs.firmware.as_deref());
    assert_eq!(runs, Some(run.modem().storage().current.firmware.as_str()));
    let Ok(outcome) = &run.result else { unreachable!() };
    let words = format!("{outcome}; {}", accepted.hint);
    assert!(words.contains("name no firmware version"), "{words}");
    assert!(
        !words.contains("not read back") && !words.contains("two minutes"),
        "{words}"
    );
}

#[test]
fn one_file_with_everything_is_sent_for_either_half() {
    let profile = Profile::named("MC7354").unwrap();
    let images = vec![package_of(profile, &newer(profile), 50_000)];
    let run = run_in(SimulatedWorld::new(running("MC7354")), &wish(), &images);
    run.assert_updated(&newer(profile), &images);
}

#[test]
fn a_modem_that_already_runs_the_release_is_left_alone() {
    for model in ["MC7455", "EM7565", "EM9191"] {
        let (first, _) = update_one(running(model));
        let mut setup = running(model);
        setup.storage = first.modem().storage().clone();
        // Plugging the modem in counts as a start, too.
        let resets = setup.storage.resets + 1;
        let (run, _) = update_one(setup.clone());
        let Ok(Outcome::Unchanged(unchanged)) = &run.result else {
            panic!("{}", run.log())
        };
        assert!(unchanged.proven);
        assert_eq!(run.modem().storage().resets, resets);
        run.assert_clean();
        // With these options the images are sent anyway.
        for request in [
            Request {
                force: true,
                ..wish()
            },
            Request {
                download_override: true,
                ..wish()
            },
        ] {
            let (run, images) = update_in(SimulatedWorld::new(setup.clone()), &request);
            run.assert_updated(&newer(run.modem().setup().profile), &images);
        }
    }
}

/// A modem that has the newer release stored and runs the old one.
fn with_both_stored(model: &str) -> Setup {
    let (first, _) = update_one(running(model));
    let mut setup = running(model);
    let old = setup.storage.current.clone();
    setup.storage = first.modem().storage().clone();
    setup.storage.current = old.clone();
    setup.storage.preferred = Some(old);
    setup
}

#[test]
fn a_stored_release_is_selected_without_a_download() {
    for model in ["MC7455", "EM7565", "EM9291"] {
        let (run, _) = update_one(with_both_stored(model));
        assert_eq!(run.updated().accepted, 0, "{}", run.log());
        assert_eq!(run.updated().bytes, 0);
        assert_eq!(run.modem().image_bytes(), 0);
        run.assert_runs(&newer(run.modem().setup().profile));
        run.assert_clean();
        assert!(!run.told(|kind| matches!(
            kind,
            EventKind::StepStarted {
                step: Step::Write { .. },
                ..
            }
        )));
    }
}

#[test]
fn a_stored_release_is_downloaded_anyway_if_the_user_wants_that() {
    let request = Request {
        download_override: true,
        ..wish()
    };
    let (run, images) = update_in(SimulatedWorld::new(with_both_stored("MC7455")), &request);
    run.assert_updated(&newer(run.modem().setup().profile), &images);
}

#[test]
fn only_what_the_modem_asks_for_is_sent() {
    for model in ["MC7455", "EM7565"] {
        // The firmware is stored, the settings are not.
        let mut setup = with_both_stored(model);
        let newer = newer(setup.profile);
        setup.storage.pri_images.retain(|pri| *pri != newer.pri());
        let (run, images) = update_one(setup);
        run.assert_updated(&newer, &images[1..]);
        // The other way round.
        let mut setup = with_both_stored(model);
        for slot in &mut setup.storage.modem_images {
            *slot = slot.take().filter(|image| image.firmware != newer.firmware);
        }
        let (run, images) = update_one(setup);
        run.assert_updated(&newer, &images[..1]);
    }
}

#[test]
fn the_chosen_slot_is_used_and_one_that_is_not_there_is_refused() {
    for slot in [2, 4] {
        let request = Request {
            slot: Some(slot),
            ..wish()
        };
        let (run, images) = update_in(SimulatedWorld::new(running("MC7455")), &request);
        let newer = newer(run.modem().setup().profile);
        run.assert_updated(&newer, &images);
        let stored = &run.modem().storage().modem_images[usize::from(slot) - 1];
        assert_eq!(stored.as_ref().unwrap().firmware, newer.firmware);
    }
    for (model, slot) in [("MC7455", 0), ("MC7455", 5), ("EM9291", 4), ("MC7710", 1)] {
        let request = Request {
            slot: Some(slot),
            ..wish()
        };
        let (run, _) = update_in(SimulatedWorld::new(running(model)), &request);
        assert_eq!(
            run.error().code(),
            Code::SlotNone,
            "{model} {slot}: {}",
            run.log()
        );
        assert_eq!(run.error().exit_code(), 2);
        assert_eq!(run.modem().storage().preferred, running(model).storage.preferred);
        run.assert_clean();
    }
}

#[test]
fn given_versions_fill_gaps_and_contradictions_are_refused_with_both_values() {
    let profile = Profile::named("MC7455").unwrap();
    let newer = newer(profile);
    let firmware_only = vec![firmware_of(profile, &newer, 50_000)];
    // No file names the config and the carrier.
    let run = run_in(SimulatedWorld::new(running("MC7455")), &wish(), &firmware_only);
    assert_eq!(run.error().code(), Code::VersionsMissing, "{}", run.log());
    assert_eq!(run.error().exit_code(), 2);
    let why = run.error().source.to_string();
    assert!(
        why.contains("config version") && why.contains("carrier") && !why.contains("firmware version"),
        "{why}"
    );
    assert_eq!(
        run.modem().storage().preferred,
        running("MC7455").storage.preferred
    );
    run.assert_clean();
    // The settings are already stored, and the user names them.
    let mut setup = running("MC7455");
    setup.storage.pri_images.push(newer.pri());
    let request = Request {
        given: Given {
            firmware: None,
            config: Some(newer.config.clone()),
            carrier: Some(newer.carrier.clone()),
        },
        ..wish()
    };
    let run = run_in(SimulatedWorld::new(setup), &request, &firmware_only);
    run.assert_updated(&newer, &firmware_only);
    // The user contradicts the files.
    for (given, what, both) in [
        (
            Given {
                firmware: Some("02.30.01.01".into()),
                ..Given::default()
            },
            "firmware version",
            ["02.30.01.01", "02.33.03.00"],
        ),
        (
            Given {
                config: Some("001.001_000".into()),
                ..Given::default()
            },
            "config version",
            ["001.001_000", "002.072_000"],
        ),
        (
            Given {
                carrier: Some("SPRINT".into()),
                ..Given::default()
            },
            "carrier",
            ["SPRINT", "GENERIC"],
        ),
    ] {
        let request = Request { given, ..wish() };
        let (run, _) = update_in(SimulatedWorld::new(running("MC7455")), &request);
        assert_eq!(run.error().code(), Code::VersionsDiffer, "{}", run.log());
        let why = run.error().source.to_string();
        assert!(
            why.starts_with(what) && both.iter().all(|value| why.contains(value)),
            "{why}"
        );
        assert_eq!(
            run.modem().storage().preferred,
            running("MC7455").storage.preferred
        );
        run.assert_clean();
    }
}

#[test]
fn files_of_two_releases_are_refused_before_the_modem_is_asked() {
    let profile = Profile::named("MC7455").unwrap();
    let newer = newer(profile);
    let other = Selection::new("02.30.01.01", "GENERIC", "002.045_001");
    let images = vec![firmware_of(profile, &newer, 50_000), settings_of(profile, &other)];
    let run = run_in(SimulatedWorld::new(running("MC7455")), &wish(), &images);
    assert_eq!(run.error().code(), Code::ImageConflict, "{}", run.log());
    assert_eq!(run.error().modem, ModemState::Untouched);
    let why = run.error().source.to_string();
    assert!(
        why.contains("02.33.03.00") && why.contains("02.30.01.01"),
        "{why}"
    );
}

#[test]
fn images_of_another_family_are_refused_by_what_the_modem_says_it_is() {
    // MC7354 and WP7607 share their ids: only the firmware's answer tells them apart.
    let profile = Profile::named("WP7607").unwrap();
    let run = run_in(SimulatedWorld::new(running("MC7354")), &wish(), &release(profile));
    assert_eq!(run.error().code(), Code::ImageFamily, "{}", run.log());
    assert_eq!(run.error().exit_code(), 3, "{}", run.log());
    let before = &run.modem().setup().storage;
    assert_eq!(run.modem().storage().preferred, before.preferred);
    assert_eq!(run.modem().storage().current, before.current);
    run.assert_clean();
}

#[test]
fn images_of_another_product_line_are_refused_by_what_the_modem_says_it_is() {
    // Both have the same family and id, but WP76xx takes SWI9X07Y and RC76xx takes SWI9X07H (devices.md).
    for (modem, of) in [("RC7620", "WP7607"), ("WP7607", "RC7620")] {
        let images = release(Profile::named(of).unwrap());
        let run = run_in(SimulatedWorld::new(running(modem)), &wish(), &images);
        assert_eq!(run.error().code(), Code::ImageFamily, "{}", run.log());
        assert_eq!(run.error().modem, ModemState::RunsFirmware);
        let why = run.error().source.to_string();
        assert!(why.contains("SWI9X07Y") && why.contains("SWI9X07H"), "{why}");
        // The error uses the model name that the modem reports, not the names of all models with this id.
        assert!(why.contains(&format!("the modem is {modem} (")), "{why}");
        let before = &run.modem().setup().storage;
        assert_eq!(run.modem().storage().preferred, before.preferred);
        run.assert_clean();
    }
}

pub(crate) fn em7565_with(firmware: &str, config: &str) -> Setup {
    let mut setup = running("EM7565");
    let old = Selection::new(firmware, "GENERIC", config);
    setup.storage.modem_images[0].as_mut().unwrap().firmware = firmware.to_owned();
    setup.storage.pri_images = vec![old.pri()];
    setup.storage.preferred = Some(old.clone());
    setup.storage.current = old;
    setup
}

// field-reports.md F1
#[test]
fn a_release_that_needs_one_in_between_is_refused_before_the_preference_is_touched() {
    let setup = em7565_with("01.00.02.00", "000.001_000");
    let old = setup.storage.preferred.clone();
    let (run, _) = update_one(setup.clone());
    assert_eq!(run.error().code(), Code::HopNeeded, "{}", run.log());
    assert_eq!(run.error().exit_code(), 3);
    assert_eq!(run.error().modem, ModemState::RunsFirmware);
    assert!(
        run.error().source.to_string().contains("01.05.01.00"),
        "{}",
        run.log()
    );
    assert_eq!(run.modem().storage().preferred, old);
    run.assert_clean();
    let (run, images) = update_in(
        SimulatedWorld::new(setup),
        &Request {
            force: true,
            ..wish()
        },
    );
    run.assert_updated(&newer(run.modem().setup().profile), &images);
    assert!(
        run.told(|kind| matches!(kind, EventKind::Warning { warning } if warning.code.as_str() == "HOP"))
    );
}

// field-reports.md F4
#[test]
fn at_the_first_release_with_signed_settings_the_firmware_goes_alone_first_and_then_both() {
    let setup = em7565_with("01.00.02.00", "000.001_000");
    let profile = setup.profile;
    let between = Selection::new("01.05.01.00", "GENERIC", "001.028_000");
    let images = release_of(profile, &between);
    let run = run_in(SimulatedWorld::new(setup), &wish(), &images);
    run.assert_runs(&between);
    run.assert_clean();
    assert_eq!(run.updated().passes, 2, "{}", run.log());
    assert_eq!(run.updated().accepted, 3, "{}", run.log());
    let lengths: Vec<usize> = run
        .modem()
        .images()
        .iter()
        .map(|image| image.length as usize)
        .collect();
    let sizes = [images[0].bytes.len(), images[1].bytes.len()];
    assert_eq!(lengths, [sizes[0], sizes[0], sizes[1]], "{}", run.log());
}

#[test]
fn the_control_protocol_can_be_chosen_and_is_detected_otherwise() {
    for (control, choice) in [
        (ControlProtocol::Qmi, ControlChoice::Qmi),
        (ControlProtocol::Mbim, ControlChoice::Mbim),
    ] {
        let request = Request {
            control: choice,
            ..wish()
        };
        let (run, images) = update_in(SimulatedWorld::new(speaking("EM7565", control)), &request);
        run.assert_updated(&newer(run.modem().setup().profile), &images);
    }
}

#[test]
fn the_whole_plan_is_known_before_anything_is_changed() {
    let (run, _) = update_one(running("MC7455"));
    let planned = run
        .events
        .iter()
        .position(|event| matches!(event.kind, EventKind::Planned { .. }))
        .unwrap();
    let told = run
        .events
        .iter()
        .position(|event| {
            matches!(
                event.kind,
                EventKind::StepStarted {
                    step: Step::SetPreference,
                    ..
                }
            )
        })
        .unwrap();
    assert!(planned < told);
    let EventKind::Planned { plan } = &run.events[planned].kind else {
        unreachable!()
    };
    let steps: Vec<&Step> = plan.steps.iter().map(|planned| &planned.step).collect();
    assert_eq!(
        steps[..3],
        [&Step::ReadModem, &Step::SetPreference, &Step::EnterDownloadMode]
    );
    assert_eq!(steps[steps.len() - 2..], [&Step::Boot, &Step::ReadBack]);
    assert_eq!(
        plan.from.as_ref().unwrap().to_string(),
        "02.24.05.06 GENERIC 002.026_000"
    );
    assert_eq!(plan.to.to_string(), "02.33.03.00 GENERIC 002.072_000");
}

#[test]
fn progress_never_goes_backwards_and_ends_at_the_end() {
    for model in ["MC7455", "EM7565", "MC7710"] {
        let (run, _) = update_one(running(model));
        let mut last = 0.0;
        for event in &run.events {
            let (EventKind::StepStarted { progress, .. }
            | EventKind::StepFinished { progress, .. }
            | EventKind::Advanced { progress, .. }) = event.kind
            else {
                continue;
            };
            assert!(progress >= last && progress <= 1.0, "{}", run.log());
            last = progress;
        }
        assert!((last - 1.0).abs() < 1e-9, "{last}");
    }
}
