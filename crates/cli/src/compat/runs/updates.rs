//! Runs that reach their goal.

use std::time::Duration;

use firmware_image::Family;
use firmware_image::generate::models::Release;
use modem_world::World;
use virtual_modem::simulated::SimulatedWorld;

use super::scene::{BEGIN, EM7565, MC7455, bus, files, run, running, waiting};

#[test]
fn a_whole_update_prints_the_lines_that_scripts_know() {
    let files = files(&EM7565);
    let mut world = bus("EM7565");
    let seen = run(
        &mut world,
        &["-u", "-d", "1199:9091", &files.settings, &files.system],
    );
    seen.says(&[
        "loading device information before the update...",
        "setting firmware preference:",
        "  firmware version: '01.14.13.00'",
        "  config version:   '002.048_000'",
        "  carrier:          'GENERIC'",
        "rebooting in download mode...",
        "download mode detected",
        "downloading cwe image: SWI9X50C_01.14.13.00.cwe (30",
        "(*-----) ",
        "finalizing download... (may take several minutes, be patient)",
        "successfully downloaded in ",
        "downloading cwe image: SWI9X50C_01.14.13.00_GENERIC_002.048_000.nvu (",
        "finalizing download...",
        "successfully downloaded in ",
        "rebooting in normal mode...",
        "normal mode detected",
        "waiting some time for the device to boot...",
        "loading device information after the update",
        "   original firmware revision was:",
        "      SWI9X50C_",
        "   original running firmware details:",
        "      Model: EM7565",
        "   original firmware preference details:",
        "      image 'modem': ",
        "   new firmware revision is:",
        "      SWI9X50C_01.14.13.00 ",
        "   new running firmware details:",
        "      Config version: 002.048_000",
        "   new firmware preference details:",
        "      image 'pri': unique id '002.048_000', build id '01.14.13.00_GENERIC'",
        "firmware update operation finished successfully",
    ]);
    assert!(seen.is_done);
    assert!(
        seen.out
            .ends_with("firmware update operation finished successfully\n")
    );
    let violations = world.modem(0).unwrap().violations();
    assert!(violations.is_empty(), "{violations:?}");
}

#[test]
fn a_modem_without_preferences_is_sent_into_download_mode_without_them() {
    let release = Release {
        family: Family::Swi9200,
        firmware: "03.05.29.03",
        config: "000.000_001",
        carrier: "generic",
        seed: 7,
    };
    let files = files(&release);
    let mut world = bus("MC7710");
    let seen = run(&mut world, &["--update", "--vid-pid=1199:68a2", &files.system]);
    assert!(seen.is_done, "{seen:?}");
    seen.says(&[
        "loading device information before the update...",
        "rebooting in download mode...",
        "download mode detected",
        "finalizing download... (may take more than one minute, be patient)",
        "normal mode detected",
        "      no preference specified",
        "firmware update operation finished successfully",
    ]);
    assert!(!seen.out.contains("setting firmware preference"));
}

#[test]
fn what_the_modem_has_stored_is_not_downloaded() {
    let files = files(&EM7565);
    let mut world = bus("EM7565");
    let line = ["-u", "-d", "1199:9091", &files.system, &files.settings];
    assert!(run(&mut world, &line).is_done);
    let again = run(&mut world, &line);
    assert!(again.is_done);
    again.says(&[
        "device already contains the given firmware/config version: no download needed",
        "forcing the download may be requested with the --override-download option",
        "firmware update operation finished successfully",
    ]);
    assert!(!again.out.contains("downloading"));
    let forced = run(&mut world, &[&line[..], &["--override-download"]].concat());
    assert!(forced.is_done, "{forced:?}");
    forced.says(&["downloading cwe image: ", "downloading cwe image: "]);
}

#[test]
fn a_modem_in_download_mode_is_updated_under_both_names_of_the_option() {
    for option in ["-U", "--update-download", "--update-qdl"] {
        let files = files(&MC7455);
        let mut world = SimulatedWorld::new(waiting("MC7455"));
        let seen = run(
            &mut world,
            &["-t", SimulatedWorld::LINK, option, &files.system, &files.settings],
        );
        assert!(seen.is_done, "{seen:?}");
        seen.says(&[
            "downloading cwe image: SWI9X30C_02.33.03.00.cwe",
            "finalizing download... (may take more than one minute, be patient)",
            "successfully downloaded in ",
            "rebooting in normal mode...",
            "firmware update operation finished successfully",
        ]);
    }
}

#[test]
fn an_update_from_normal_mode_also_takes_a_modem_in_download_mode() {
    let files = files(&MC7455);
    let mut world = SimulatedWorld::new(waiting("MC7455"));
    let seen = run(
        &mut world,
        &["-u", "-t", SimulatedWorld::LINK, &files.system, &files.settings],
    );
    assert!(seen.is_done, "{seen:?}");
    assert!(seen.err.contains("in download mode already"));
}

#[test]
fn a_reset_ends_when_the_modem_is_in_download_mode() {
    let mut world = bus("MC7455");
    let seen = run(&mut world, &["-b", "-d", "1199"]);
    assert!(seen.is_done, "{seen:?}");
    assert_eq!(seen.out, "reseter operation finished successfully\n");
    assert!(world.now() > BEGIN + Duration::from_secs(1));
}

#[test]
fn without_validation_success_is_said_and_what_it_does_not_mean() {
    let files = files(&EM7565);
    let mut world = bus("EM7565");
    let seen = run(
        &mut world,
        &[
            "-u",
            "-d",
            "1199:9091",
            "--skip-validation",
            &files.system,
            &files.settings,
        ],
    );
    assert!(seen.is_done, "{seen:?}");
    assert!(!seen.out.contains("new firmware revision"));
    assert!(seen.err.contains("was not read back"), "{}", seen.err);
    seen.says(&[
        "normal mode detected",
        "firmware update operation finished successfully",
    ]);
}

#[test]
fn a_rescued_modem_that_is_told_afterwards_has_no_empty_versions() {
    let files = files(&MC7455);
    let rescue = |images: &[&str]| {
        let mut setup = waiting("MC7455");
        setup.storage = running("MC7455").storage;
        let mut world = SimulatedWorld::new(setup);
        run(
            &mut world,
            &[&["-U", "-t", SimulatedWorld::LINK][..], images].concat(),
        )
    };
    let seen = rescue(&[&files.system, &files.settings]);
    assert!(seen.is_done, "{seen:?}");
    assert!(
        seen.err.contains("note: trying the update again (attempt 2)"),
        "{}",
        seen.err
    );
    assert!(!seen.out.contains("''"), "{}", seen.out);
    let seen = rescue(&[&files.settings]);
    assert!(!seen.is_done, "{seen:?}");
    assert!(seen.err.contains("[E-NOT-PROVEN]"), "{}", seen.err);
    assert!(
        seen.err
            .contains("\nhint: add the missing file from the same package"),
        "{}",
        seen.err
    );
    assert!(!seen.out.contains("''"), "{}", seen.out);
}

#[test]
fn what_can_not_be_compared_is_told_and_said_to_be_that() {
    let folder = tempfile::tempdir().unwrap();
    let files: Vec<String> = [("amss.mbn", 70_000), ("apps.mbn", 9_000), ("uqcn.mbn", 500)]
        .into_iter()
        .map(|(name, size)| {
            let path = folder.path().join(name);
            std::fs::write(&path, vec![0x5a; size]).unwrap();
            path.to_str().unwrap().to_owned()
        })
        .collect();
    let mut world = bus("Gobi2000");
    let seen = run(&mut world, &["-u", "-d", "1199", &files[0], &files[1], &files[2]]);
    assert!(seen.is_done, "{seen:?}");
    seen.says(&[
        "   new running firmware details:",
        "firmware update operation finished successfully",
    ]);
    assert!(
        seen.err
            .contains("note: the files name no firmware version to compare that with"),
        "{}",
        seen.err
    );
    assert!(!seen.err.contains("not read back"), "{}", seen.err);
}

#[test]
fn in_verbose_mode_there_is_no_bar() {
    let files = files(&EM7565);
    let mut world = bus("EM7565");
    let seen = run(
        &mut world,
        &["-uv", "-d", "1199:9091", &files.system, &files.settings],
    );
    assert!(seen.is_done, "{seen:?}");
    assert!(
        !seen.out.contains('\x1b') && !seen.out.contains("finalizing"),
        "{}",
        seen.out
    );
    seen.says(&["successfully downloaded in "]);
}

#[test]
fn what_has_to_be_done_twice_is_done_twice() {
    let files = files(&MC7455);
    for fault in [
        "return:old-firmware",
        "return:mismatch",
        "return:pri-lags",
        "lose-answer@0x48",
    ] {
        let mut setup = running("MC7455");
        setup.faults = fault.parse().unwrap();
        let mut world = SimulatedWorld::new(setup);
        world.wait(&[], BEGIN);
        let seen = run(&mut world, &["-u", "-d", "1199", &files.system, &files.settings]);
        assert!(seen.is_done, "{fault}: {}", seen.err);
    }
}

#[test]
fn a_modem_that_is_still_starting_is_waited_for() {
    let files = files(&EM7565);
    let mut world = SimulatedWorld::new(running("EM7565"));
    let seen = run(&mut world, &["-u", "-d", "1199", &files.system, &files.settings]);
    assert!(seen.is_done, "{seen:?}");
    seen.says(&["setting firmware preference:"]);
}
