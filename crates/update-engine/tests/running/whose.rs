//! Which images are for which modem: what contradicts is refused before the modem is touched, in normal mode and in download
//! mode alike; what can't be told is asked; and each modem takes its own package without a question.

use firmware_image::Platform;
use firmware_image::generate::{Body, Plan};
use modem_world::{UsbDevice, UsbPath, Wake, World};
use modemflash_update_engine::checks::judge_images;
use modemflash_update_engine::fit::{self, Fit, Nature};
use modemflash_update_engine::{Code, ControlChoice, EventKind, ModemState, Outcome, Request, Step};
use virtual_modem::profile::Profile;
use virtual_modem::simulated::SimulatedWorld;
use virtual_modem::{ControlProtocol, Mode, Selection, Setup};

use crate::failures::assert_fails;
use crate::support::normal::{
    after, at_only, newer, package_of, release, release_of, running, settings_of, speaking, wish,
};
use crate::support::{Memory, Run, called, firmware, images_for, run_in};

/// An update that answers no question.
fn unasked() -> Request {
    Request::default()
}

/// A package with this version text and product code, under a name that says nothing.
fn package(version: &str, product: &str) -> Memory {
    let plan = Plan::new("SPKG", product, version, Body::Noise { seed: 4, size: 9000 });
    Memory {
        name: "package.spk".into(),
        bytes: plan.build("package.spk").unwrap().to_vec(),
    }
}

/// Packages of platforms that no virtual modem has, listed or not; with the product code of a modem that isn't theirs, too.
fn strange_packages() -> Vec<Memory> {
    [
        (
            "9999999_9999999_SWIX12C_03.01.02.00_00_GENERIC_004.016_000",
            "????",
        ),
        (
            "9999999_9999999_SWI9X40C_01.00.00.00_00_GENERIC_004.016_000",
            "9X40",
        ),
        (
            "9999999_9999999_SWI1234Q_01.00.00.00_00_GENERIC_004.016_000",
            "????",
        ),
        (
            "9999999_9999999_SWI1234Q_01.00.00.00_00_GENERIC_004.016_000",
            "9X30",
        ),
    ]
    .map(|(version, product)| package(version, product))
    .into()
}

fn models_with_platforms() -> impl Iterator<Item = &'static Profile> {
    Profile::ALL
        .iter()
        .filter(|profile| !profile.image_names.is_empty())
}

fn assert_untouched(run: &Run, before: &Setup) {
    let log = run.log();
    assert_eq!(run.modem().storage().preferred, before.storage.preferred, "{log}");
    assert_eq!(run.modem().storage().current, before.storage.current, "{log}");
    assert_eq!(run.modem().mode(), before.mode, "{log}");
    assert_eq!(run.modem().image_bytes(), 0, "{log}");
    assert_eq!(run.modem().violations(), [], "{log}");
}

fn assert_refused(run: &Run, before: &Setup, what: &str) {
    let log = run.log();
    assert_eq!(run.error().code(), Code::ImageFamily, "{what}\n{log}");
    assert_eq!(run.error().exit_code(), 3, "{what}\n{log}");
    let state = match before.mode {
        Mode::Normal => ModemState::RunsFirmware,
        _ => ModemState::Untouched,
    };
    assert_eq!(run.error().modem, state, "{what}\n{log}");
    assert_untouched(run, before);
}

/// A modem that runs and one of the same model that waits in download mode.
fn both_modes(profile: &'static Profile) -> [Setup; 2] {
    [Setup::running(profile), Setup::of(profile)]
}

#[test]
fn no_modem_gets_a_package_of_another_platform_whatever_it_confirms_or_forces() {
    let forced = Request {
        force: true,
        ..wish()
    };
    for profile in models_with_platforms() {
        let of_others = models_with_platforms().filter(|other| other.family != profile.family);
        let packages = of_others
            .map(|other| package_of(other, &newer(other), 9_000))
            .chain(strange_packages());
        for package in packages {
            for setup in both_modes(profile) {
                for request in [wish(), forced.clone()] {
                    let run = run_in(
                        SimulatedWorld::new(setup.clone()),
                        &request,
                        std::slice::from_ref(&package),
                    );
                    let what = format!("{} to {} in {:?}", package.name, profile.name, setup.mode);
                    assert_refused(&run, &setup, &what);
                }
            }
        }
    }
}

#[test]
fn every_modem_gets_its_own_package_without_a_question_in_both_modes() {
    for profile in Profile::ALL {
        for setup in both_modes(profile) {
            let images = release(profile);
            let run = run_in(SimulatedWorld::new(setup), &unasked(), &images);
            assert!(run.result.is_ok(), "{}: {}", profile.name, run.log());
        }
    }
}

// The same files are right or wrong, whatever happened in between.
#[test]
fn an_interrupted_update_repeated_from_download_mode_is_judged_as_before() {
    let mut interrupted = 0;
    for profile in models_with_platforms() {
        let images = release(profile);
        let world = || SimulatedWorld::new(Setup::running(profile));
        let whole = run_in(world(), &unasked(), &images);
        let writing = whole.begun(|step| matches!(step, Step::Write { .. }));
        let mut world = world();
        world.cancel_at(after(writing));
        world.cancel_at(after(writing));
        let mut first = run_in(world, &unasked(), &images);
        // The second wish may have come too late for the first run.
        let now = first.world.now();
        while first.world.wait(&[], now) == Wake::Cancelled {}
        assert_eq!(
            first.error().code(),
            Code::Stopped,
            "{}: {}",
            profile.name,
            first.log()
        );
        interrupted += usize::from(first.modem().mode() == Mode::Download);
        let again = run_in(first.world, &unasked(), &images);
        assert!(again.result.is_ok(), "{}: {}", profile.name, again.log());
    }
    assert_eq!(interrupted, models_with_platforms().count());
}

#[test]
fn what_the_modem_says_counts_and_not_its_id() {
    // An EM9291 whose owner set it to the ids of an EM9191 (devices.md, last section).
    let mut profile = Profile::named("EM9291").unwrap().clone();
    let em9191 = Profile::named("EM9191").unwrap();
    profile.normal = em9191.normal;
    profile.download = em9191.download;
    profile.normal.product_name = "EM92xx";
    profile.download.product_name = "EM92xx";
    let profile: &'static Profile = Box::leak(Box::new(profile));
    let others = vec![package_of(em9191, &newer(em9191), 9_000)];
    let setup = Setup::running(profile);
    let run = run_in(SimulatedWorld::new(setup.clone()), &wish(), &others);
    assert_refused(&run, &setup, "SWIX55C for an EM9291");
    let run = run_in(SimulatedWorld::new(setup), &unasked(), &release(profile));
    assert!(run.result.is_ok(), "{}", run.log());
    // In download mode the id is all there is, and it leaves both open.
    for images in [others, release(profile)] {
        let setup = Setup::of(profile);
        let run = run_in(SimulatedWorld::new(setup.clone()), &unasked(), &images);
        assert_eq!(run.error().code(), Code::NotConfirmed, "{}", run.log());
        assert_untouched(&run, &setup);
    }
    let run = run_in(
        SimulatedWorld::new(Setup::of(profile)),
        &wish(),
        &release(profile),
    );
    assert!(run.result.is_ok(), "{}", run.log());
}

#[test]
fn in_every_language_the_modem_is_asked_for_its_platform() {
    let em7455 = Profile::named("EM7455").unwrap();
    let others = [package("SWIX12C_03.01.02.00", "????")];
    let own = release(em7455);
    for (control, choice) in [
        (ControlProtocol::Qmi, ControlChoice::Qmi),
        (ControlProtocol::Mbim, ControlChoice::Mbim),
    ] {
        let setup = speaking("EM7455", control);
        let request = Request {
            control: choice,
            ..unasked()
        };
        let run = run_in(SimulatedWorld::new(setup.clone()), &request, &others);
        assert_refused(&run, &setup, "SWIX12C");
        let run = run_in(SimulatedWorld::new(setup), &request, &own);
        assert!(run.result.is_ok(), "{}", run.log());
    }
    let setup = at_only("EM7455");
    let run = run_in(SimulatedWorld::new(setup.clone()), &wish(), &others);
    assert_refused(&run, &setup, "SWIX12C over AT");
}

#[test]
fn a_boot_loader_is_known_by_its_string_where_the_id_is_shared() {
    // cases/usb-devices: four families under 1199:68c0.
    for (model, name) in [
        ("MC7354", "MC7304"),
        ("WP7607", "Sierra Wireless WP7607"),
        ("RC7620", "Sierra Wireless RC7620"),
    ] {
        let setup = called(model, name);
        for other in ["MC7354", "WP7607", "RC7620"].map(|other| Profile::named(other).unwrap()) {
            let images = [package_of(other, &newer(other), 9_000)];
            let run = run_in(SimulatedWorld::new(setup.clone()), &unasked(), &images);
            if other.name == model {
                assert!(run.result.is_ok(), "{}", run.log());
            } else {
                assert_refused(&run, &setup, &format!("{} to {name}", other.name));
            }
        }
    }
    // WP7702: no profile of its own, but no package of the others is for it.
    let setup = called("WP7607", "Sierra Wireless WP7702");
    let wp7607 = Profile::named("WP7607").unwrap();
    let run = run_in(SimulatedWorld::new(setup.clone()), &wish(), &release(wp7607));
    assert_refused(&run, &setup, "WP76 to WP77");
}

#[test]
fn strings_that_say_little_refuse_nothing_and_ask() {
    for model in ["MC7354", "WP7607", "RC7620"] {
        for name in ["QUSB__BULK", "QUSB_BULK_CID:040A_SN:1234", "EM92xx", ""] {
            let setup = called(model, name);
            let images = release(setup.profile);
            let asked = run_in(SimulatedWorld::new(setup.clone()), &unasked(), &images);
            assert_eq!(
                asked.error().code(),
                Code::NotConfirmed,
                "{model} {name}: {}",
                asked.log()
            );
            assert_untouched(&asked, &setup);
            let run = run_in(SimulatedWorld::new(setup), &wish(), &images);
            assert!(run.result.is_ok(), "{model} {name}: {}", run.log());
        }
    }
}

#[test]
fn no_byte_of_qdl_goes_to_a_sahara_loader_because_the_images_are_for_qdl() {
    let setup = called("RC7620", "QUSB__BULK");
    let mc7354 = Profile::named("MC7354").unwrap();
    let run = run_in(SimulatedWorld::new(setup.clone()), &wish(), &release(mc7354));
    assert_eq!(run.error().code(), Code::ImageFamily, "{}", run.log());
    assert_eq!(run.modem().violations(), [], "{}", run.log());
    assert_eq!(run.modem().image_bytes(), 0);
}

#[test]
fn images_that_do_not_say_whom_they_are_for_are_asked_about() {
    for setup in [running("MC7455"), Setup::of(Profile::named("MC7455").unwrap())] {
        let images = [package(
            "9999999_9999999_?_02.33.03.00_00_GENERIC_002.072_000",
            "????",
        )];
        let run = run_in(SimulatedWorld::new(setup.clone()), &unasked(), &images);
        assert_eq!(run.error().code(), Code::NotConfirmed, "{}", run.log());
        let told = |kind: &EventKind| matches!(kind, EventKind::Warning { warning } if warning.code == "MODEM-UNCERTAIN");
        assert!(run.told(told), "{}", run.log());
        assert_untouched(&run, &setup);
    }
}

#[test]
fn a_name_for_other_modems_refuses_nothing() {
    let em7565 = Profile::named("EM7565").unwrap();
    let mut images = release(em7565);
    images[0].name = "MC7455_SWI9X30C_02.33.03.00.cwe".into();
    let run = run_in(SimulatedWorld::new(running("EM7565")), &unasked(), &images);
    assert!(run.result.is_ok(), "{}", run.log());
    // Where only the name speaks, and for another modem: a question.
    let nameless = package("9999999_9999999_?_01.14.13.00_00_GENERIC_002.048_000", "????");
    let named = Memory {
        name: "MC7455.cwe".into(),
        ..nameless
    };
    let setup = running("EM7565");
    let run = run_in(SimulatedWorld::new(setup.clone()), &unasked(), &[named]);
    assert_eq!(run.error().code(), Code::NotConfirmed, "{}", run.log());
    assert_untouched(&run, &setup);
}

#[test]
fn headers_that_contradict_each_other_are_refused_like_files_that_do() {
    let images = [package("SWI9X50C_01.14.13.00", "9X30")];
    for setup in [running("EM7565"), running("MC7455")] {
        let run = run_in(SimulatedWorld::new(setup.clone()), &wish(), &images);
        assert_fails(&run, Code::ImageConflict, 3, ModemState::Untouched);
        assert_untouched(&run, &setup);
    }
}

#[test]
fn the_users_word_for_a_platform_opens_the_way_and_nothing_else() {
    let profile = Profile::named("EM7565").unwrap();
    let as_platform = |name: &str, request: Request| Request {
        as_platform: Platform::parse(name),
        ..request
    };
    // A modem of a platform that is said to take another one's firmware: here one whose boot loader takes it.
    let images = release(profile);
    for mode in [Mode::Normal, Mode::Download] {
        let mut strange = profile.clone();
        strange.family = "SWI9X59C";
        (strange.download.product_name, strange.download.product) = ("EM7590", 0xc080);
        (strange.normal.product_name, strange.normal.product) = ("EM7590", 0xc081);
        let strange: &'static Profile = Box::leak(Box::new(strange));
        let setup = match mode {
            Mode::Normal => Setup::running(strange),
            _ => Setup::of(strange),
        };
        let world = || SimulatedWorld::new(setup.clone());
        let refused = run_in(world(), &wish(), &images);
        assert_refused(&refused, &setup, "SWI9X50C");
        let asked = run_in(world(), &as_platform("SWI9X50C", unasked()), &images);
        assert_eq!(asked.error().code(), Code::NotConfirmed, "{}", asked.log());
        let told = |kind: &EventKind| matches!(kind, EventKind::Warning { warning } if warning.code == "AS-PLATFORM");
        assert!(asked.told(told), "{}", asked.log());
        assert_untouched(&asked, &setup);
        let run = run_in(world(), &as_platform("SWI9X50C", wish()), &images);
        assert_eq!(run.modem().violations(), [], "{}", run.log());
        assert!(run.modem().image_bytes() > 0, "{}", run.log());
        // It replaces what is known of the modem, never what the images say.
        let other = run_in(world(), &as_platform("SWI9X30C", wish()), &images);
        assert_refused(&other, &setup, "not what the option names");
    }
    // Where nothing speaks against it, it is superfluous and asks nothing.
    let run = run_in(
        SimulatedWorld::new(running("EM7565")),
        &as_platform("SWI9X50C", unasked()),
        &release(profile),
    );
    assert!(run.result.is_ok(), "{}", run.log());
}

// devices.md: a preference of firmware 00.00.00.00 and carrier AUTO-SIM means "choose by SIM".
#[test]
fn a_preference_for_whatever_the_sim_wants_is_replaced_and_never_already_there() {
    let profile = Profile::named("MC7455").unwrap();
    let mut setup = running("MC7455");
    setup.storage.preferred = Some(Selection::new("00.00.00.00", "AUTO-SIM", "000.000_000"));
    let runs = setup.storage.current.clone();
    let images = release_of(profile, &runs);
    let run = run_in(SimulatedWorld::new(setup), &wish(), &images);
    assert!(run.result.is_ok(), "{}", run.log());
    assert_eq!(run.modem().storage().preferred, Some(runs), "{}", run.log());
    let unchanged = matches!(run.result, Ok(Outcome::Unchanged(_)));
    assert!(!unchanged, "{}", run.log());
}

#[test]
fn a_preference_for_whatever_the_sim_wants_is_put_back_after_a_failure() {
    let profile = Profile::named("MC7455").unwrap();
    let mut setup = running("MC7455");
    let by_sim = Selection::new("00.00.00.00", "AUTO-SIM", "000.000_000");
    setup.storage.preferred = Some(by_sim.clone());
    // The modem asks for the firmware, too.
    let settings = [settings_of(profile, &newer(profile))];
    let run = run_in(SimulatedWorld::new(setup), &wish(), &settings);
    assert_fails(&run, Code::ImageMissing, 3, ModemState::RunsFirmware);
    assert_eq!(run.modem().storage().preferred, Some(by_sim), "{}", run.log());
}

#[test]
fn gobi_files_and_platforms_are_told_apart() {
    let gobi = Profile::named("Gobi2000").unwrap();
    let setup = running("MC7455");
    let run = run_in(
        SimulatedWorld::new(setup.clone()),
        &wish(),
        &images_for(gobi, 3, &[9_000]),
    );
    assert_refused(&run, &setup, "Gobi files");
    let setup = Setup::of(gobi);
    let mc7455 = Profile::named("MC7455").unwrap();
    let run = run_in(SimulatedWorld::new(setup.clone()), &wish(), &release(mc7455));
    assert_refused(&run, &setup, "SWI9X30C to a Gobi modem");
}

/// A device in download mode with this id and product string.
fn on_the_bus(vendor: u16, product: u16, name: &str) -> UsbDevice {
    UsbDevice {
        path: UsbPath::new("1-1"),
        peer: None,
        number: 5,
        vendor,
        product,
        interfaces: Some(1),
        speed: Some(480),
        manufacturer: Some("Sierra Wireless, Incorporated".into()),
        product_name: Some(name.into()).filter(|name: &String| !name.is_empty()),
        serial: None,
    }
}

/// What is to come of a package for a device: without a question, after one, or not at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Goes,
    Asks,
    Refused,
}

// The strings are those of real devices, the version texts those of real packages (images.md §7, devices.md).
#[test]
fn real_devices_take_real_packages() {
    use Verdict::{Asks, Goes, Refused};
    let devices = [
        (
            0x1199,
            0x9090,
            "Sierra Wireless EM7421 Qualcomm® Snapdragonâ\u{84}¢",
            "SWI9X50C",
        ),
        (0x1199, 0x9090, "QUSB__BULK", "SWI9X50C"),
        (0x1199, 0x90d2, "Sierra Wireless EM9191", "SWIX55C"),
        (0x1199, 0x90e2, "EM92xx", "SWIX65C"),
        (0x1199, 0xc080, "Sierra Wireless EM7590", "SWIX12C"),
        (0x1199, 0xc082, "Sierra Wireless EM7590", "SWIX12C"),
        (0x1199, 0x68c0, "MC7304", "SWI9X15C"),
        (0x1199, 0x68c0, "Sierra Wireless RC7620", "SWI9X07H"),
        (0x1199, 0x68c0, "Sierra Wireless WP7607", "SWI9X07Y"),
        (0x1199, 0x68c0, "Sierra Wireless WP7702", "SWI9X06Y"),
        (0x1199, 0x68c0, "WP8548", "SWI9X15Y"),
        (0x1199, 0x68a2, "MC7710", "SWI9200X"),
        (0x1199, 0x9040, "MC7305", "SWI9X15C"),
        (0x1199, 0x9062, "EM7305", "SWI9X15C"),
        (0x1199, 0x9070, "QDLoader", "SWI9X30C"),
        (0x1199, 0x9078, "EM7455", "SWI9X30C"),
        (0x413c, 0x81a6, "", "SWI9X15C"),
        (0x413c, 0x81b5, "", "SWI9X30C"),
        (0x413c, 0x9070, "QDLoader", "SWI9X30C"),
    ];
    let packages = [
        (
            "9999999_9999999_9200_03.05.29.03_00_generic_000.000_001_SPKG_MC",
            "9200",
            "SWI9200X",
        ),
        ("SWI9200M_03.05.29.03", "9200", "SWI9200X"),
        (
            "1102016_9903211_SWI9X15C_05.05.16.02_00_Generic_005.004_000",
            "9X15",
            "SWI9X15C",
        ),
        (
            "1101798_9902617_SWI9X15C_01.08.16.02_00_Dell_001.005_000",
            "9X15",
            "SWI9X15C",
        ),
        ("SWI9X15Y_07.13.07.00", "Y912", "SWI9X15Y"),
        (
            "1102662_9905046_EM7455_02.05.07.00_00_Lenovo-Laptop_001.003_000",
            "9X30",
            "SWI9X30C",
        ),
        ("INTERNAL_?_SWI9X30C_02.08.02.00_?_?_?_?", "9X30", "SWI9X30C"),
        (
            "9999999_9907259_SWI9X50C_00.06.02.00_00_GENERIC_001.004_000",
            "9X50",
            "SWI9X50C",
        ),
        (
            "9999999_9907152_SWI9X07Y_02.37.03.00_00_GENERIC_002.095_000",
            "Y921",
            "SWI9X07Y",
        ),
        (
            "9999999_9909667_SWI9X07H_00.08.24.02_00_GENERIC_001.110_000",
            "Y921",
            "SWI9X07H",
        ),
        ("SWI9X06Y_02.32.02.00", "Y931", "SWI9X06Y"),
        ("SWIX55C_03.14.10.00", "", "SWIX55C"),
        ("SWIX65C_02.17.08.00", "", "SWIX65C"),
        ("SWIX12C_03.01.02.00", "", "SWIX12C"),
    ];
    for (version, product, platform) in packages {
        let firmware = firmware(&[package(version, product)]);
        for (vendor, id, name, takes) in devices {
            let device = on_the_bus(vendor, id, name);
            let verdict = verdict(&device, &firmware);
            let expected = if takes == platform { Goes } else { Refused };
            assert_eq!(verdict, expected, "{version} for {name} {vendor:04x}:{id:04x}");
        }
        // What leaves it open: shared ids whose string says little, models of which no package was seen.
        let open = [
            (
                0x1199,
                0x68c0,
                "QUSB__BULK",
                ["SWI9X15C", "SWI9X15Y", "SWI9X07Y", "SWI9X07H", "SWI9X06Y"].as_slice(),
            ),
            (0x1199, 0x90d2, "EM92xx", &["SWIX55C", "SWIX65C"]),
        ];
        for (vendor, id, name, may_take) in open {
            let verdict = verdict(&on_the_bus(vendor, id, name), &firmware);
            let expected = if may_take.contains(&platform) {
                Asks
            } else {
                Refused
            };
            assert_eq!(verdict, expected, "{version} for {name}");
        }
        for (vendor, id, name) in [
            (0x1199, 0x90e4, "Semtech EM8695 Mobile Broadband Adapter"),
            (0x413c, 0x81cb, ""),
            (0x1199, 0xabcd, ""),
        ] {
            assert_eq!(
                verdict(&on_the_bus(vendor, id, name), &firmware),
                Asks,
                "{version} for {name}"
            );
        }
    }
}

fn verdict(device: &UsbDevice, firmware: &modemflash_update_engine::Firmware) -> Verdict {
    match fit::judge(Nature::of_device(device), firmware, None) {
        Ok(Fit { doubt: None, .. }) => Verdict::Goes,
        Ok(_) => Verdict::Asks,
        Err(_) => Verdict::Refused,
    }
}

// The level of applications tells the chip only: 9x07 or 9x06.
#[test]
fn the_real_files_are_for_open_modules_and_for_nothing_else() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../firmware-image/tests/data/cwe");
    for name in ["ls.cwe", "cp_ubi.cwe", "cp2ls.cwe", "keystore.cwe"] {
        let bytes = std::fs::read(format!("{folder}/{name}")).unwrap();
        let firmware = firmware(&[Memory {
            name: name.into(),
            bytes,
        }]);
        // 9x07 has two product lines, and nothing in these files tells which is meant.
        for (own, expected) in [
            ("Sierra Wireless WP7607", Verdict::Asks),
            ("Sierra Wireless RC7620", Verdict::Asks),
            ("Sierra Wireless WP7702", Verdict::Goes),
        ] {
            let verdict = verdict(&on_the_bus(0x1199, 0x68c0, own), &firmware);
            assert_eq!(verdict, expected, "{name} for {own}");
        }
        for (id, other) in [(0x68c0, "MC7304"), (0x9090, "EM7565"), (0x9070, "QDLoader")] {
            let verdict = verdict(&on_the_bus(0x1199, id, other), &firmware);
            assert_eq!(verdict, Verdict::Refused, "{name} for {other}");
        }
    }
}

/// What comes of these packages for a device in download mode.
fn verdict_of(vendor: u16, id: u16, name: &str, packages: &[Memory]) -> Verdict {
    verdict(&on_the_bus(vendor, id, name), &firmware(packages))
}

#[test]
fn a_product_line_that_nothing_tells_is_asked_about() {
    use Verdict::{Asks, Goes, Refused};
    let token = |text: &str| [package(text, "????")];
    // Images that tell the family only, and ids or models that do.
    for (name, product) in [
        ("RC7620", "Y921"),
        ("WP7607", "9X28"),
        ("MC7304", "9X15"),
        ("WP8548", "Y912"),
    ] {
        assert_eq!(
            verdict_of(0x1199, 0x68c0, name, &[package("", product)]),
            Asks,
            "{name} {product}"
        );
    }
    for platform in [
        "SWI9X15C_05.05.58.01",
        "SWI9X15Y_07.13.07.00",
        "SWI9X15_01.00.00.00",
    ] {
        assert_eq!(
            verdict_of(0x1199, 0x9060, "", &token(platform)),
            Asks,
            "{platform}"
        );
        assert_eq!(
            verdict_of(0x1199, 0x68c0, "AR7554", &token(platform)),
            Asks,
            "{platform}"
        );
    }
    assert_eq!(
        verdict_of(0x1199, 0x68c0, "MC7304", &token("SWI9X15_01.00.00.00")),
        Asks
    );
    assert_eq!(
        verdict_of(0x1199, 0x9062, "EM7305", &token("SWI9X15C_05.05.58.01")),
        Goes
    );
    // A model's name in a header tells the line.
    let model = [package(
        "1102662_9905046_RC7620_00.08.24.02_00_GENERIC_001.110_000",
        "Y921",
    )];
    assert_eq!(verdict_of(0x1199, 0x68c0, "WP7607", &model), Refused);
    assert_eq!(verdict_of(0x1199, 0x68c0, "RC7620", &model), Goes);
    // A name that contradicts the modem, beside headers that leave it open: a question, not more.
    let named = Memory {
        name: "RC76xx_Release9_GENERIC_GCF_7620.spk".into(),
        ..package("", "Y921")
    };
    assert_eq!(verdict_of(0x1199, 0x68c0, "WP7607", &[named]), Asks);
}

#[test]
fn an_id_that_belongs_to_one_model_and_a_string_that_names_another_are_asked_about() {
    let (em7565, mc7455) = ("SWI9X50C_01.14.13.00", "SWI9X30C_02.33.03.00");
    for version in [em7565, mc7455] {
        assert_eq!(
            verdict_of(0x1199, 0x9090, "MC7455", &[package(version, "????")]),
            Verdict::Asks
        );
    }
    let third = [package("SWIX55C_03.14.10.00", "????")];
    assert_eq!(verdict_of(0x1199, 0x9090, "MC7455", &third), Verdict::Refused);
    // devices.md: no package for EM7595 was seen, whatever its id.
    let em7590 = [package("SWIX12C_03.01.02.00", "????")];
    assert_eq!(
        verdict_of(0x1199, 0xc080, "Sierra Wireless EM7595", &em7590),
        Verdict::Asks
    );
    // Nor does such a device get the first bytes of either protocol unasked.
    let device = on_the_bus(0x1199, 0x9090, "MC7455");
    assert_eq!(Nature::of_device(&device).protocol(), None);
}

#[test]
fn a_file_that_tells_nothing_is_asked_about_also_beside_one_that_does() {
    let telling = package("SWI9X30C_02.33.03.00", "9X30");
    let silent = Memory {
        name: "other.nvu".into(),
        ..package("", "????")
    };
    assert_eq!(
        verdict_of(0x1199, 0x9070, "QDLoader", std::slice::from_ref(&telling)),
        Verdict::Goes
    );
    assert_eq!(
        verdict_of(0x1199, 0x9070, "QDLoader", &[telling, silent]),
        Verdict::Asks
    );
}

#[test]
fn what_the_user_vouches_for_is_one_product_line_and_no_other_file() {
    let judge = |name: &str, platform: &str, packages: &[Memory]| {
        let device = on_the_bus(0x1199, 0x68c0, name);
        let platform = Platform::parse(platform);
        fit::judge(Nature::of_device(&device), &firmware(packages), platform.as_ref())
    };
    // Without the letter it names no product line: nothing is vouched for.
    let wp76 = [package("SWI9X07Y_02.37.03.00", "Y921")];
    assert!(judge("RC7620", "SWI9X07", &wp76).is_err());
    assert!(judge("RC7620", "SWI9X07H", &wp76).is_err());
    let fit = judge("RC7620", "SWI9X07Y", &wp76).unwrap();
    assert_eq!(fit.doubt.unwrap().code, "AS-PLATFORM");
    // Two files for two platforms stay a contradiction; one that contradicts itself takes the user's word, and two answers.
    let request = Request {
        as_platform: Platform::parse("SWI9X30C"),
        ..Request::default()
    };
    let two = [package("SWI9X30C_02.33.03.00", "9X30"), {
        let other = package("SWI9X50C_01.14.13.00", "9X50");
        Memory {
            name: "other.cwe".into(),
            ..other
        }
    }];
    let refused = judge_images(&request, &firmware(&two)).unwrap_err();
    assert_eq!(refused.code(), Code::ImageConflict);
    let one = [package("SWI9X30C_02.33.03.00", "9X50")];
    let warnings = judge_images(&request, &firmware(&one)).unwrap();
    assert!(
        warnings
            .iter()
            .any(|warning| warning.code == "AS-PLATFORM" && warning.confirm)
    );
}

// Found in download mode with a string that says nothing: only when it runs does it say what it takes.
#[test]
fn a_second_pass_is_judged_by_what_the_rescued_modem_says() {
    // An id that leaves open which platform it is, and a boot loader that takes the package of the other one, as real ones do
    // (field-reports.md I6).
    let em9191 = Profile::named("EM9191").unwrap();
    let mut profile = em9191.clone();
    profile.download.product_name = "EM92xx";
    profile.normal.product_name = "EM92xx";
    profile.family = "SWIX65C";
    let profile: &'static Profile = Box::leak(Box::new(profile));
    let setup = Setup {
        mode: Mode::Download,
        ..Setup::running(profile)
    };
    let run = run_in(SimulatedWorld::new(setup), &wish(), &release(em9191));
    assert_fails(&run, Code::ImageFamily, 7, ModemState::RunsOther);
    assert_eq!(run.modem().images().len(), 2, "{}", run.log());
}
