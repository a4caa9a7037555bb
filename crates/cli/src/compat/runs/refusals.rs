//! Runs that are refused before anything is changed on a modem.

use std::time::Duration;

use firmware_image::generate::models::Release;
use modem_world::World;
use virtual_modem::simulated::{Grants, ModemManager, SimulatedWorld};

use super::scene::{BEGIN, EM7565, MC7455, bus, files, run, running, waiting};

#[test]
fn an_update_in_download_mode_leaves_a_running_modem_alone() {
    let files = files(&EM7565);
    let mut world = bus("EM7565");
    let seen = run(
        &mut world,
        &["-U", "-d", "1199:9091", &files.system, &files.settings],
    );
    seen.fails_with("error: No serial device in download mode found to run QDL update operation");
    assert_eq!(seen.out, "");
    assert_eq!(world.now(), BEGIN);
}

// `qmi-firmware-update` would leave such a modem in download mode.
#[test]
fn a_modem_that_no_driver_would_know_in_download_mode_is_not_sent_there() {
    let files = files(&MC7455);
    let update = ["-u", "-d", "1199", &files.system, &files.settings];
    let mut world = bus("MC7455");
    world.forget_id(0x1199, 0x9070);
    let seen = run(&mut world, &update);
    assert!(seen.err.contains("[E-DOWNLOAD-NO-PORT]"), "{}", seen.err);
    assert!(
        seen.err
            .contains("echo 1199 9070 ff > /sys/bus/usb-serial/drivers/option1/new_id"),
        "{}",
        seen.err
    );
    assert!(!seen.is_done && !seen.out.contains("rebooting"), "{}", seen.out);
    let seen = run(&mut world, &["-b", "-d", "1199"]);
    seen.fails_with("error: reseter operation finished: couldn't run reset operation");
    assert!(seen.err.contains("[E-DOWNLOAD-NO-PORT]"), "{}", seen.err);
    world.teach_id(0x1199, 0x9070);
    assert!(run(&mut world, &update).is_done);
    // If the host can't tell whether it has a driver, that is only a warning, because `qmi-firmware-update` never asks.
    for line in [&update[..], &["-b", "-d", "1199"]] {
        let mut world = bus("MC7455");
        world.hide_driver_tables();
        let seen = run(&mut world, line);
        assert!(seen.is_done, "{seen:?}");
        assert!(
            seen.err
                .contains("modemflash can't tell whether a driver on this host"),
            "{}",
            seen.err
        );
    }
}

/// Firmware 01.14.13.00 with settings for this version: refused, and taken with the option. Gives what the refusal says.
fn refused_until_ignored(version_of_settings: &'static str) -> String {
    let system = files(&EM7565);
    let other = Release {
        firmware: version_of_settings,
        ..EM7565
    };
    let settings = files(&other);
    let line = ["-u", "-d", "1199:9091", &system.system, &settings.settings];
    let mut world = bus("EM7565");
    let refused = run(&mut world, &line);
    refused.fails_with(&format!(
        "error: couldn't detect firmware version: firmware version strings don't match on specified images: \
         '01.14.13.00' != '{version_of_settings}'"
    ));
    assert!(
        refused
            .err
            .contains("note: you can ignore this error using --ignore-version-errors")
    );
    let seen = run(&mut world, &[&line[..], &["--ignore-version-errors"]].concat());
    seen.says(&["  firmware version: '01.14.13.00'"]);
    refused.err
}

#[test]
fn versions_that_differ_are_an_error_that_can_be_ignored() {
    refused_until_ignored("01.09.04.00");
}

// `modemflash` asks about such a pair (field-reports.md I9); `qmi-firmware-update` refuses it, and asks nobody.
#[test]
fn versions_that_differ_in_the_last_number_are_an_error_that_can_be_ignored() {
    let said = refused_until_ignored("01.14.13.01");
    assert!(said.contains("[VERSION-MIXED]"), "{said}");
}

#[test]
fn a_version_that_is_given_has_to_be_the_files_own() {
    let files = files(&EM7565);
    let mut world = bus("EM7565");
    let seen = run(
        &mut world,
        &[
            "-u",
            "-d",
            "1199:9091",
            "-C",
            "VERIZON",
            &files.system,
            &files.settings,
        ],
    );
    seen.fails_with(
        "error: error validating carrier: user provided carrier doesn't match the one in the specified images: \
         'VERIZON' != 'GENERIC'",
    );
    assert!(
        seen.err
            .contains("note: you can ignore this error using --ignore-version-errors")
    );
}

#[test]
fn a_system_alone_lacks_versions_unless_they_are_given() {
    let files = files(&EM7565);
    let line = ["-u", "-d", "1199:9091", &files.system];
    let mut world = bus("EM7565");
    let seen = run(&mut world, &line);
    seen.fails_with("error: config version required");
    let given = ["-c", "002.048_000", "-C", "GENERIC"];
    let seen = run(&mut world, &[&line[..], &given].concat());
    seen.says(&[
        "  config version:   '002.048_000'",
        "  carrier:          'GENERIC'",
    ]);
}

#[test]
fn a_slot_that_is_not_there_is_refused() {
    let files = files(&EM7565);
    let mut world = bus("EM7565");
    let line = ["-u", "-d", "1199:9091", &files.system, &files.settings];
    let seen = run(
        &mut world,
        &[&line[..], &["--modem-storage-index", "200"]].concat(),
    );
    assert!(!seen.is_done);
    assert!(
        seen.err
            .starts_with("error: modem storage index out of bounds (200 > "),
        "{}",
        seen.err
    );
    let seen = run(
        &mut world,
        &[&line[..], &["--modem-storage-index", "300"]].concat(),
    );
    seen.fails_with("error: invalid modem storage index");
}

#[test]
fn two_modems_with_the_same_id_are_told_apart_by_their_ports() {
    let files = files(&EM7565);
    let mut world = bus("EM7565");
    world.plug(running("EM7565"));
    let seen = run(
        &mut world,
        &["-u", "-d", "1199:9091", &files.system, &files.settings],
    );
    seen.fails_with(
        "error: couldn't select device:: multiple devices (2) found with matching criteria: vid 0x1199, pid 0x9091",
    );
    let ports = seen
        .err
        .lines()
        .filter(|line| line.starts_with("  ") && line.contains("/dev/"))
        .count();
    assert_eq!(ports, 2, "{}", seen.err);
}

#[test]
fn modes_exclude_each_other_but_in_download_mode() {
    let files = files(&MC7455);
    let modes = ["--device-open-qmi", "--device-open-mbim"];
    let mut world = bus("MC7455");
    let line = ["-u", "-d", "1199", &files.system, &files.settings];
    let seen = run(&mut world, &[&line[..], &modes].concat());
    seen.fails_with("error: cannot specify multiple mode flags to open device");
    let mut world = SimulatedWorld::new(waiting("MC7455"));
    let line = ["-U", "-t", SimulatedWorld::LINK, &files.system, &files.settings];
    assert!(run(&mut world, &[&line[..], &modes].concat()).is_done);
}

#[test]
fn damaged_files_are_refused_before_the_modem_is_touched() {
    let files = files(&EM7565);
    let mut bytes = std::fs::read(&files.system).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    std::fs::write(&files.system, bytes).unwrap();
    let mut world = bus("EM7565");
    let seen = run(
        &mut world,
        &["-u", "-d", "1199:9091", &files.system, &files.settings],
    );
    seen.fails_with("error: unknown firmware image file");
    assert_eq!(world.now(), BEGIN);
}

// `qmi-firmware-update` has no option `--force`, so advice must name the program that has it.
#[test]
fn force_is_named_with_the_program_that_takes_it() {
    let whole = files(&EM7565);
    let old = files(&Release {
        firmware: "01.05.01.00",
        ..EM7565
    });
    let given = ["-c", "002.048_000", "-C", "GENERIC"];
    let cases: [&[&str]; 4] = [
        &[&whole.system, given[0], given[1], given[2], given[3]],
        &[&whole.system, &old.settings],
        &[&whole.system, &whole.settings, "-f", "01.05.01.00"],
        &[&old.settings, "-c", "002.048_000"],
    ];
    for images in cases {
        let mut setup = running("EM7565");
        setup.storage.current.firmware = "01.00.02.00".into();
        for setup in [setup, running("EM7565")] {
            let mut world = SimulatedWorld::new(setup);
            world.wait(&[], BEGIN);
            let seen = run(&mut world, &[&["-u", "-d", "1199"][..], images].concat());
            assert!(!seen.is_done, "{seen:?}");
            let others = seen.err.replace("`modemflash update --force`", "");
            assert!(!others.contains("--force"), "{}", seen.err);
        }
    }
}

#[test]
fn modem_manager_lets_go_or_is_named() {
    let files = files(&MC7455);
    let line = ["-u", "-d", "1199", &files.system, &files.settings];
    let mut world = bus("MC7455");
    world.set_modem_manager(ModemManager::default());
    let seen = run(&mut world, &line);
    assert!(seen.is_done, "{seen:?}");
    assert!(world.inhibited().is_empty());

    let refuses = || {
        let mut world = bus("MC7455");
        world.set_modem_manager(ModemManager {
            grants: Grants::Never { why: "no".into() },
            ..ModemManager::default()
        });
        world
    };
    let seen = run(&mut refuses(), &line);
    seen.fails_like(
        "error: ModemManager is running: cannot perform firmware upgrade operation at the same time",
    );
    assert!(
        seen.err.contains("\n # systemctl stop ModemManager\n"),
        "{}",
        seen.err
    );
    let seen = run(
        &mut refuses(),
        &[&line[..], &["--ignore-mm-runtime-check"]].concat(),
    );
    assert!(seen.is_done, "{seen:?}");
    assert!(seen.err.starts_with("warning: ModemManager "), "{}", seen.err);
}

#[test]
fn a_modem_that_somebody_else_has_could_not_be_opened() {
    let files = files(&EM7565);
    let mut world = bus("EM7565");
    world.hold(0, "other (7)", BEGIN + Duration::from_secs(100_000));
    let seen = run(&mut world, &["-u", "-d", "1199", &files.system, &files.settings]);
    seen.fails_like("error: couldn't open QMI device: ");
    assert!(seen.err.contains("in use by other (7)"), "{}", seen.err);
    let seen = run(&mut world, &["-b", "-d", "1199"]);
    seen.fails_like("error: reseter operation finished: couldn't run reset operation");
}

#[test]
fn a_selection_that_leads_to_nothing_lists_what_there_is() {
    let mut world = bus("EM7565");
    let seen = run(&mut world, &["-b", "-d", "1199:9071"]);
    seen.fails_with(
        "error: couldn't select device:: no device found with matching criteria: vid 0x1199, pid 0x9071",
    );
    assert!(seen.err.contains("  there is: 1-1 "), "{}", seen.err);
    // The user names the control port that the modem had before it fell into download mode.
    let mut world = SimulatedWorld::new(waiting("EM7565"));
    let seen = run(&mut world, &["-b", "-w", "/dev/cdc-wdm0"]);
    seen.fails_with("error: couldn't select device:: device not found");
    assert!(
        seen.err.contains(" in download mode: /dev/ttyUSB0\n"),
        "{}",
        seen.err
    );
}
