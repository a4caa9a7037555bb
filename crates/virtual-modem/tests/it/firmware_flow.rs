//! Whole updates of running firmware: preference, download mode, flash, and what runs afterwards (update-flow.md §3).

use std::time::Duration;

use crate::common;
use crate::common::normal::{BOTH, Normal, running, update_for};
use firmware_image::Family;
use modem_protocol::qmi::dms::{
    BootImageDownloadMode, FirmwarePreference, ImageReference, ImageType, OfflineReason, OperatingMode,
    Request, Response, UniqueId,
};
use modemflash_virtual_modem::storage::PriImage;
use modemflash_virtual_modem::{Firmware, Mode, Profile, Selection, Setup};

fn state(normal: &mut Normal) -> (OperatingMode, Option<OfflineReason>) {
    match normal.dms(&Request::GetOperatingMode) {
        Ok(Response::OperatingMode(state)) => (state.mode, state.offline_reason),
        other => panic!("{other:?}"),
    }
}

fn revision(normal: &mut Normal) -> String {
    match normal.dms(&Request::GetRevision) {
        Ok(Response::Revision(revision)) => revision,
        other => panic!("{other:?}"),
    }
}

/// From running firmware to running firmware; the usual files of 9x30.
fn update_9x30(setup: Setup) -> Normal {
    let mut normal = Normal::new(setup);
    assert_eq!(normal.prefer("02.33.03.00", "002.072_000", "GENERIC"), [0, 1]);
    normal.power_cycle();
    normal.flash(&update_for(&Family::Swi9x30));
    normal.allocate();
    normal
}

#[test]
fn a_preference_a_flash_and_a_reset_bring_the_preferred_pair_on_every_family_and_control_protocol() {
    for (model, family, selection) in [
        (
            "MC7354",
            Family::Swi9x15,
            Selection::new("05.05.58.01", "GENERIC", "005.029_001"),
        ),
        (
            "MC7455",
            Family::Swi9x30,
            Selection::new("02.33.03.00", "GENERIC", "002.072_000"),
        ),
        (
            "EM7565",
            Family::Swi9x50,
            Selection::new("01.14.13.00", "GENERIC", "002.048_000"),
        ),
        (
            "WP7607",
            Family::Swi9x07,
            Selection::new("02.37.03.00", "GENERIC", "002.095_000"),
        ),
        (
            "EM9191",
            Family::Sdx55,
            Selection::new("03.14.10.00", "GENERIC", "030.089_000"),
        ),
        (
            "EM9291",
            Family::Sdx65,
            Selection::new("03.14.10.00", "GENERIC", "030.089_000"),
        ),
    ] {
        for control in BOTH {
            let mut setup = running(model);
            setup.control = control;
            let mut normal = Normal::new(setup);
            let missing = normal.prefer(&selection.firmware, &selection.config, &selection.carrier);
            assert_eq!(missing, [0, 1], "{model}");
            normal.power_cycle();
            normal.flash(&update_for(&family));
            normal.allocate();
            assert_eq!(normal.bench.modem.storage().current, selection, "{model}");
            assert_eq!(state(&mut normal), (OperatingMode::Online, None), "{model}");
            assert!(revision(&mut normal).contains(&selection.firmware), "{model}");
            assert!(normal.bench.modem.is_online());
            assert_eq!(normal.bench.kinds(), [""; 0], "{model} {control:?}");
        }
    }
}

#[test]
fn a_stored_pair_is_chosen_without_download_mode() {
    let mut normal = Normal::new(running("MC7455"));
    assert_eq!(normal.prefer("02.24.05.06", "002.026_000", "GENERIC"), [0_u8; 0]);
    normal.power_cycle();
    assert_eq!(normal.bench.modem.mode(), Mode::Normal);
    assert_eq!(normal.bench.seen.len(), 2);
}

#[test]
fn an_override_asks_for_everything() {
    let mut normal = Normal::new(running("MC7455"));
    let request = Request::SetFirmwarePreference {
        preference: FirmwarePreference::new("02.24.05.06", "002.026_000", "GENERIC").unwrap(),
        download_override: true,
        storage_index: None,
    };
    let all = Some(vec![ImageType::Modem, ImageType::Pri]);
    assert_eq!(normal.dms(&request), Ok(Response::FirmwarePreferenceSet(all)));
    normal.power_cycle();
    assert_eq!(normal.bench.modem.mode(), Mode::Download);
}

#[test]
fn only_what_is_missing_is_asked_for() {
    let mut setup = running("MC7455");
    setup.storage.pri_images.push(PriImage {
        config: "002.030_000".to_owned(),
        build: "02.33.03.00_ATT".to_owned(),
    });
    let mut normal = Normal::new(setup);
    assert_eq!(normal.prefer("02.33.03.00", "002.030_000", "ATT"), [0]);
    assert_eq!(normal.prefer("02.24.05.06", "002.021_000", "ATT"), [1]);
}

#[test]
fn the_storage_index_names_the_slot_and_is_checked() {
    let mut normal = Normal::new(running("MC7455"));
    let request = |index| Request::SetFirmwarePreference {
        preference: FirmwarePreference::new("02.33.03.00", "002.072_000", "GENERIC").unwrap(),
        download_override: false,
        storage_index: Some(index),
    };
    assert_eq!(normal.dms(&request(0)), Err(48));
    assert_eq!(normal.dms(&request(5)), Err(48));
    assert!(normal.dms(&request(3)).is_ok());
    normal.power_cycle();
    normal.flash(&update_for(&Family::Swi9x30));
    let slots = &normal.bench.modem.storage().modem_images;
    assert_eq!(slots[2].as_ref().unwrap().firmware, "02.33.03.00");
}

#[test]
fn a_preference_whose_images_never_come_leaves_the_radio_off_until_it_is_set_back() {
    let mut setup = running("MC7455");
    setup.timings.boot_hold = Duration::from_secs(100);
    let mut normal = Normal::new(setup);
    let _ = normal.prefer("02.33.03.00", "002.072_000", "GENERIC");
    normal.power_cycle();
    assert_eq!(normal.bench.modem.mode(), Mode::Download);
    // Nobody comes: it leaves by itself (field-reports.md B9), and D1 is what is found.
    let _ = normal.hear_on(0, Duration::from_secs(101));
    assert_eq!(normal.bench.modem.mode(), Mode::Normal);
    normal.open_all();
    normal.allocate();
    assert_eq!(
        state(&mut normal),
        (
            OperatingMode::LowPower,
            Some(OfflineReason::PRI_VERSION_INCOMPATIBLE)
        )
    );
    let preference = normal.at("AT!IMPREF?");
    assert!(preference.contains(" fw version mismatch"), "{preference}");
    assert!(preference.contains(" config name mismatch"), "{preference}");
    assert!(normal.at("AT!PCINFO?").contains("IMSWITCH:1"));
    assert!(!normal.bench.modem.is_online());
    // It survives a restart, and is cured by the stored pair.
    assert!(normal.at_ok("AT!ENTERCND=\"A710\""));
    assert!(normal.at_ok("AT!IMPREF=\"GENERIC\""));
    let _ = normal.at("AT!RESET");
    normal.wait_for_return();
    normal.open_all();
    normal.allocate();
    assert_eq!(state(&mut normal).0, OperatingMode::Online);
}

#[test]
fn firmware_alone_is_a_config_mismatch_and_its_settings_mend_it() {
    let mut normal = Normal::new(running("MC7455"));
    let _ = normal.prefer("02.33.03.00", "002.072_000", "GENERIC");
    normal.power_cycle();
    let files = update_for(&Family::Swi9x30);
    normal.flash(&files[..1]);
    normal.allocate();
    assert_eq!(state(&mut normal).0, OperatingMode::LowPower);
    assert_eq!(normal.bench.modem.storage().mismatches(), [false, false, true]);
    assert_eq!(normal.prefer("02.33.03.00", "002.072_000", "GENERIC"), [1]);
    normal.power_cycle();
    normal.flash(&files[1..]);
    normal.allocate();
    assert_eq!(state(&mut normal).0, OperatingMode::Online);
}

#[test]
fn boot_and_hold_without_a_preference_ends_in_a_mismatch() {
    let mut normal = Normal::new(running("MC7455"));
    assert!(normal.at_ok("AT!BOOTHOLD"));
    normal.wait_for_return();
    normal.flash(&update_for(&Family::Swi9x30));
    normal.allocate();
    assert_eq!(
        normal.bench.modem.storage().mismatches(),
        [true, false, true],
        "the preference still names the old firmware"
    );
    assert_eq!(state(&mut normal).0, OperatingMode::LowPower);
}

#[test]
fn a_modem_without_preferences_runs_what_was_written_in_boot_and_hold() {
    let mut normal = Normal::new(running("MC7710"));
    assert_eq!(normal.dms(&Request::GetFirmwarePreference), Err(94));
    assert_eq!(normal.dms(&Request::ListStoredImages), Err(94));
    assert_eq!(normal.dms(&Request::SetFirmwareId), Ok(Response::FirmwareIdSet));
    normal.wait_for_return();
    // The id stays the same: one interface tells.
    assert_eq!(normal.bench.seen.last(), Some(&("1199:68a2".to_owned(), 1)));
    normal.flash(&update_for(&Family::Swi9200));
    normal.allocate();
    assert!(revision(&mut normal).contains("03.05.29.03"));
    assert_eq!(state(&mut normal), (OperatingMode::Online, None));
}

#[test]
fn every_family_has_its_own_way_into_boot_and_hold() {
    let set_mode = Request::SetBootImageDownloadMode(BootImageDownloadMode::BootAndRecovery);
    for (model, set_firmware_id, boot_image_mode) in [
        ("MC7710", Ok(Response::FirmwareIdSet), Err(94)),
        ("MC7354", Ok(Response::FirmwareIdSet), Err(94)),
        (
            "MC7455",
            Ok(Response::FirmwareIdSet),
            Ok(Response::BootImageDownloadModeSet),
        ),
        ("EM7565", Err(17), Err(94)),
    ] {
        let mut normal = Normal::new(running(model));
        assert_eq!(normal.dms(&set_mode), boot_image_mode, "{model}");
        assert_eq!(normal.dms(&Request::SetFirmwareId), set_firmware_id, "{model}");
    }
    let mut normal = Normal::new(running("MC7455"));
    assert!(normal.dms(&set_mode).is_ok());
    normal.power_cycle();
    assert_eq!(normal.bench.modem.mode(), Mode::Download);
}

#[test]
fn a_modem_found_in_download_mode_adopts_what_is_written() {
    let mut setup = common::quick("MC7455");
    setup.firmware = Firmware::Missing;
    let mut bench = common::Bench::opened(setup);
    let _ = bench.qdl_hello();
    for file in update_for(&Family::Swi9x30) {
        let _ = bench.qdl_open(&file);
        let _ = bench.qdl_write(0, &file[400..]);
        let _ = bench.qdl(&modem_protocol::qdl::message::Request::Done);
        let _ = bench.qdl_hello();
    }
    bench.send(&modem_protocol::qdl::message::Request::Reset.frame());
    let _ = bench.hear();
    let wanted = Selection::new("02.33.03.00", "GENERIC", "002.072_000");
    assert_eq!(bench.modem.storage().current, wanted);
    assert!(bench.modem.is_online());
}

#[test]
fn images_are_listed_described_and_deleted() {
    let mut normal = update_9x30(running("MC7455"));
    let Ok(Response::StoredImages(images)) = normal.dms(&Request::ListStoredImages) else {
        panic!("no list")
    };
    let modem = images.of_type(ImageType::Modem).unwrap();
    assert_eq!((modem.maximum, modem.running), (4, Some(1)));
    assert_eq!(modem.images[1].storage_index, Some(2));
    assert_eq!(modem.images[1].build_id, "02.33.03.00_?");
    let pri = images.of_type(ImageType::Pri).unwrap();
    assert_eq!((pri.maximum, pri.running, pri.images.len()), (50, Some(1), 2));
    let old = ImageReference {
        image_type: ImageType::Modem,
        unique_id: UniqueId::WILDCARD,
        build_id: "02.24.05.06_?".to_owned(),
    };
    assert!(normal.dms(&Request::GetStoredImageInfo(old.clone())).is_ok());
    assert_eq!(
        normal.dms(&Request::DeleteStoredImage(old.clone())),
        Ok(Response::StoredImageDeleted)
    );
    assert_eq!(normal.dms(&Request::DeleteStoredImage(old.clone())), Err(50));
    assert_eq!(normal.dms(&Request::GetStoredImageInfo(old)), Err(50));
}

#[test]
fn what_goes_wrong_on_the_way_back_is_as_the_script_says() {
    let with = |script: &str| {
        let mut setup = running("MC7455");
        setup.faults = script.parse().unwrap();
        update_9x30(setup)
    };
    let normal = with("return:old-firmware");
    assert_eq!(normal.bench.modem.storage().current.firmware, "02.24.05.06");
    assert!(normal.bench.modem.is_online());

    let normal = with("return:mismatch");
    assert_eq!(normal.bench.modem.storage().mismatches(), [false, false, true]);
    assert!(!normal.bench.modem.is_online());

    let normal = with("return:other-modem");
    assert_eq!(normal.bench.modem.storage().imei, "359260080110775");

    let normal = with("return:id=1199:90b1");
    assert_eq!(normal.bench.seen.last().unwrap().0, "1199:90b1");

    let mut setup = running("MC7455");
    setup.faults = "enter:id=1199:90b0,return:again=1s".parse().unwrap();
    let normal = update_9x30(setup);
    let ids: Vec<_> = normal.bench.seen.iter().map(|(id, _)| id.as_str()).collect();
    assert_eq!(ids, ["1199:9071", "1199:90b0", "1199:9071", "1199:9071"]);
}

#[test]
fn a_return_without_download_mode_goes_wrong_by_the_same_script() {
    let mut setup = running("MC7455");
    setup.faults = "return:late=50s,return:id=1199:9079,return:not-ready=40s"
        .parse()
        .unwrap();
    let mut normal = Normal::new(setup);
    let before = normal.bench.now;
    normal.power_cycle();
    assert!(normal.bench.now.since(before) >= Duration::from_secs(50));
    assert_eq!(normal.bench.seen.last(), Some(&("1199:9079".to_owned(), 5)));
    normal.open_all();
    let _ = normal.hear_on(0, Duration::from_secs(50));
    normal.allocate();
    assert!(normal.dms(&Request::GetModel).is_ok());
}

#[test]
fn settings_that_lag_one_flash_need_a_second() {
    let mut setup = running("MC7455");
    setup.faults = "return:pri-lags".parse().unwrap();
    let mut normal = update_9x30(setup);
    // D5: the new firmware, and everything else as before.
    let storage = normal.bench.modem.storage();
    assert_eq!(storage.current.firmware, "02.33.03.00");
    assert_eq!(storage.current.config, "002.026_000");
    assert_eq!(storage.mismatches(), [true, false, false]);
    assert_eq!(state(&mut normal).0, OperatingMode::LowPower);
    assert_eq!(normal.prefer("02.33.03.00", "002.072_000", "GENERIC"), [1]);
    normal.power_cycle();
    normal.flash(&update_for(&Family::Swi9x30));
    normal.allocate();
    assert_eq!(state(&mut normal).0, OperatingMode::Online);
}

#[test]
fn a_pin_of_the_socket_brings_it_back_in_normal_mode() {
    let mut setup = running("EM7565");
    setup.faults = "enter:normal".parse().unwrap();
    let mut normal = Normal::new(setup);
    assert!(normal.at_ok("AT!BOOTHOLD"));
    normal.wait_for_return();
    assert_eq!(normal.bench.modem.mode(), Mode::Normal);
}

#[test]
fn a_patient_host_does_nothing_wrong_with_a_modem_that_takes_its_real_times() {
    for (model, family) in [("MC7455", Family::Swi9x30), ("EM9191", Family::Sdx55)] {
        for control in BOTH {
            let mut setup = Setup::running(Profile::named(model).unwrap());
            setup.control = control;
            let mut normal = Normal::new(setup);
            let wanted = match model {
                "MC7455" => Selection::new("02.33.03.00", "GENERIC", "002.072_000"),
                _ => Selection::new("03.14.10.00", "GENERIC", "030.089_000"),
            };
            let _ = normal.prefer(&wanted.firmware, &wanted.config, &wanted.carrier);
            normal.power_cycle();
            normal.flash(&update_for(&family));
            assert_eq!(normal.bench.modem.storage().current, wanted);
            assert_eq!(normal.bench.kinds(), [""; 0], "{model} {control:?}");
        }
    }
}

#[test]
fn booting_takes_its_time() {
    let profile = Profile::named("MC7455").unwrap();
    let mut normal = Normal::bare(Setup::running(profile));
    normal.allocate();
    let _ = normal.prefer("02.33.03.00", "002.072_000", "GENERIC");
    let before = normal.bench.now;
    normal.power_cycle();
    let took = normal.bench.now.since(before);
    assert!(took >= profile.timings.entering, "{took:?}");
}
