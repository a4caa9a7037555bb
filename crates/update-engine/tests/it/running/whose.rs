//! Which images are for which modem. A contradiction is refused before the modem is touched, both in normal
//! mode and in download mode. If modemflash can't tell, the user is asked. Each modem takes its own package
//! without a question.

use firmware_image::Platform;
use firmware_image::generate::{Body, Plan};
use modem_world::{Wake, World};
use modemflash_update_engine::{Code, ControlChoice, EventKind, ModemState, Outcome, Request, Step};
use virtual_modem::profile::Profile;
use virtual_modem::simulated::SimulatedWorld;
use virtual_modem::{ControlProtocol, Mode, Selection, Setup};

use super::failures::assert_fails;
use crate::support::normal::{
    after, at_only, newer, package_of, release, release_of, running, settings_of, speaking, wish,
};
use crate::support::{Memory, Run, called, images_for, run_in};

/// A request that confirms no warning.
fn unasked() -> Request {
    Request::default()
}

/// A package with this version text and product code, and a file name that says nothing.
pub(crate) fn package(version: &str, product: &str) -> Memory {
    let plan = Plan::new("SPKG", product, version, Body::Noise { seed: 4, size: 9000 });
    Memory {
        name: "package.spk".into(),
        bytes: plan.build("package.spk").unwrap().to_vec(),
    }
}

/// Packages of platforms that no virtual modem has. Some of these platforms are in no list, and some packages
/// have another modem's product code.
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

/// A modem that runs its firmware, and one of the same model that waits in download mode.
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

// The verdict on the files is the same before and after the interruption.
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
    // In download mode modemflash knows only the id, which leaves both platforms possible.
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
    // The WP7702 has no profile of its own, but none of the other packages is for it.
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
fn images_that_do_not_say_which_modems_they_are_for_lead_to_a_question() {
    for setup in [running("MC7455"), Setup::of(Profile::named("MC7455").unwrap())] {
        let images = [package(
            "9999999_9999999_?_02.33.03.00_00_GENERIC_002.072_000",
            "????",
        )];
        let run = run_in(SimulatedWorld::new(setup.clone()), &unasked(), &images);
        assert_eq!(run.error().code(), Code::NotConfirmed, "{}", run.log());
        let told = |kind: &EventKind| matches!(kind, EventKind::Warning { warning } if warning.code.as_str() == "MODEM-UNCERTAIN");
        assert!(run.told(told), "{}", run.log());
        assert_untouched(&run, &setup);
    }
}

#[test]
fn a_file_name_for_other_modems_is_no_reason_to_refuse() {
    let em7565 = Profile::named("EM7565").unwrap();
    let mut images = release(em7565);
    images[0].name = "MC7455_SWI9X30C_02.33.03.00.cwe".into();
    let run = run_in(SimulatedWorld::new(running("EM7565")), &unasked(), &images);
    assert!(run.result.is_ok(), "{}", run.log());
    // If only the file name says anything, and names another modem, the user is asked.
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
    // The user vouches that this modem takes firmware of another platform. Here its boot loader does accept
    // that firmware.
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
        let told = |kind: &EventKind| matches!(kind, EventKind::Warning { warning } if warning.code.as_str() == "AS-PLATFORM");
        assert!(asked.told(told), "{}", asked.log());
        assert_untouched(&asked, &setup);
        let run = run_in(world(), &as_platform("SWI9X50C", wish()), &images);
        assert_eq!(run.modem().violations(), [], "{}", run.log());
        assert!(run.modem().image_bytes() > 0, "{}", run.log());
        // The option replaces what is known about the modem, but never what the images say.
        let other = run_in(world(), &as_platform("SWI9X30C", wish()), &images);
        assert_refused(&other, &setup, "not what the option names");
    }
    // If nothing speaks against the option, it is superfluous and leads to no question.
    let run = run_in(
        SimulatedWorld::new(running("EM7565")),
        &as_platform("SWI9X50C", unasked()),
        &release(profile),
    );
    assert!(run.result.is_ok(), "{}", run.log());
}

// devices.md: a preference of firmware 00.00.00.00 and carrier AUTO-SIM means "choose by SIM".
#[test]
fn a_preference_that_leaves_the_choice_to_the_sim_is_always_replaced() {
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
fn a_preference_that_leaves_the_choice_to_the_sim_is_put_back_after_a_failure() {
    let profile = Profile::named("MC7455").unwrap();
    let mut setup = running("MC7455");
    let by_sim = Selection::new("00.00.00.00", "AUTO-SIM", "000.000_000");
    setup.storage.preferred = Some(by_sim.clone());
    // The modem asks for the firmware as well.
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

// This modem is found in download mode with a string that says nothing. Only its running firmware says what
// it takes.
#[test]
fn a_second_pass_is_judged_by_what_the_rescued_modem_says() {
    // The id leaves the platform open, and the boot loader accepts the other platform's package, as real boot
    // loaders do (field-reports.md I6).
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
