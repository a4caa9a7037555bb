//! Whole runs against virtual modems: what a script would see.

use std::path::Path;
use std::time::Duration;

use firmware_image::Family;
use firmware_image::generate::Generated;
use firmware_image::generate::models::{CARRIER_ITEMS, Release};
use firmware_image::source::ImageSource;
use modem_world::{Instant, World};
use tempfile::TempDir;
use virtual_modem::profile::Profile;
use virtual_modem::simulated::{Grants, ModemManager, SimulatedWorld};
use virtual_modem::{FaultScript, Mode, Setup};

use super::console::Console;
use super::{jobs, options};

const EM7565: Release<'_> = Release {
    family: Family::Swi9x50,
    firmware: "01.14.13.00",
    config: "002.048_000",
    carrier: "GENERIC",
    seed: 7,
};

const MC7455: Release<'_> = Release {
    family: Family::Swi9x30,
    firmware: "02.33.03.00",
    config: "002.072_000",
    carrier: "GENERIC",
    seed: 7,
};

/// What a run printed, and whether it went well.
#[derive(Debug)]
struct Seen {
    is_done: bool,
    out: String,
    err: String,
}

impl Seen {
    /// The lines of standard output, with the bar as lines of its own.
    fn lines(&self) -> Vec<&str> {
        self.out
            .split(['\n', '\r'])
            .map(|line| line.trim_end_matches("\x1b[2K"))
            .collect()
    }

    /// All of these stand on standard output, in this order, each as the beginning of a line.
    #[track_caller]
    fn says(&self, expected: &[&str]) {
        let lines = self.lines();
        let mut rest = lines.iter();
        for wanted in expected {
            assert!(
                rest.any(|line| line.starts_with(wanted)),
                "{wanted:?} is missing in its place:\n{}\n--- stderr\n{}",
                self.out,
                self.err
            );
        }
    }

    /// Standard error begins with this line.
    #[track_caller]
    fn fails_with(&self, first: &str) {
        assert!(!self.is_done, "{}", self.out);
        let errors: Vec<&str> = self
            .err
            .lines()
            .filter(|line| line.starts_with("error: "))
            .collect();
        assert_eq!(
            errors.first(),
            Some(&first),
            "{}\n--- stdout\n{}",
            self.err,
            self.out
        );
    }
}

fn put(folder: &Path, name: &str, image: &Generated) -> String {
    let path = folder.join(name);
    let mut file = std::fs::File::create(&path).unwrap();
    std::io::copy(&mut image.open().unwrap(), &mut file).unwrap();
    path.to_str().unwrap().to_owned()
}

/// The system (300 kB) and the settings of a release, in a folder.
struct Files {
    _folder: TempDir,
    system: String,
    settings: String,
}

fn files(release: &Release<'_>) -> Files {
    let folder = tempfile::tempdir().unwrap();
    let (system, settings) = (release.system_name(), release.settings_name());
    let image = release.system(300_000).build(system.as_str()).unwrap();
    let system = put(folder.path(), &system, &image);
    let image = release.settings(CARRIER_ITEMS).build(settings.as_str()).unwrap();
    let settings = put(folder.path(), &settings, &image);
    Files {
        _folder: folder,
        system,
        settings,
    }
}

fn running(model: &str) -> Setup {
    Setup::running(Profile::named(model).unwrap())
}

/// A bus with a modem that has been running for a while.
fn bus(model: &str) -> SimulatedWorld {
    let mut world = SimulatedWorld::new(running(model));
    world.wait(&[], BEGIN);
    world
}

/// When the runs on [`bus`] begin.
const BEGIN: Instant = Instant::from_start(Duration::from_secs(120));

fn waiting(model: &str) -> Setup {
    Setup::of(Profile::named(model).unwrap())
}

fn run(world: &mut SimulatedWorld, line: &[&str]) -> Seen {
    let words: Vec<std::ffi::OsString> = line.iter().map(std::ffi::OsString::from).collect();
    let asked = options::parse(&words).unwrap();
    assert_eq!(super::wrong_action(&asked), None);
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let is_done = jobs::run(&asked, world, &mut Console::new(&mut out, &mut err, true));
    Seen {
        is_done,
        out: String::from_utf8(out).unwrap(),
        err: String::from_utf8(err).unwrap(),
    }
}

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

#[test]
fn a_reset_ends_when_the_modem_is_in_download_mode() {
    let mut world = bus("MC7455");
    let seen = run(&mut world, &["-b", "-d", "1199"]);
    assert!(seen.is_done, "{seen:?}");
    assert_eq!(seen.out, "reseter operation finished successfully\n");
    assert!(world.now() > BEGIN + Duration::from_secs(1));
}

// That program would leave it there.
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
            .contains("echo 1199 9070 > /sys/bus/usb-serial/drivers/option1/new_id"),
        "{}",
        seen.err
    );
    assert!(!seen.is_done && !seen.out.contains("rebooting"), "{}", seen.out);
    let seen = run(&mut world, &["-b", "-d", "1199"]);
    seen.fails_with("error: reseter operation finished: couldn't run reset operation");
    assert!(seen.err.contains("[E-DOWNLOAD-NO-PORT]"), "{}", seen.err);
    world.teach_id(0x1199, 0x9070);
    assert!(run(&mut world, &update).is_done);
    // Where it can't be told, that is a warning: that program asks nothing.
    for line in [&update[..], &["-b", "-d", "1199"]] {
        let mut world = bus("MC7455");
        world.hide_driver_tables();
        let seen = run(&mut world, line);
        assert!(seen.is_done, "{seen:?}");
        assert!(
            seen.err
                .contains("it can't be told whether a driver of this host"),
            "{}",
            seen.err
        );
    }
}

#[test]
fn versions_that_differ_are_an_error_that_can_be_ignored() {
    let system = files(&EM7565);
    let older = Release {
        firmware: "01.09.04.00",
        ..EM7565
    };
    let settings = files(&older);
    let line = ["-u", "-d", "1199:9091", &system.system, &settings.settings];
    let mut world = bus("EM7565");
    let seen = run(&mut world, &line);
    seen.fails_with(
        "error: couldn't detect firmware version: firmware version strings don't match on specified images: \
         '01.14.13.00' != '01.09.04.00'",
    );
    assert!(
        seen.err
            .contains("note: you can ignore this error using --ignore-version-errors")
    );
    let seen = run(&mut world, &[&line[..], &["--ignore-version-errors"]].concat());
    seen.says(&["  firmware version: '01.14.13.00'"]);
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

#[test]
fn a_modem_that_breaks_off_is_left_with_advice_that_works() {
    let files = files(&MC7455);
    let mut setup = waiting("MC7455");
    let script: FaultScript = "drop@100000".parse().unwrap();
    setup.faults = script;
    let mut world = SimulatedWorld::new(setup);
    let seen = run(
        &mut world,
        &["-U", "-t", SimulatedWorld::LINK, &files.system, &files.settings],
    );
    if seen.is_done {
        seen.says(&["firmware update operation finished successfully"]);
    } else {
        assert!(
            seen.err.contains("error: error downloading image: couldn't "),
            "{}",
            seen.err
        );
        assert!(seen.err.contains("\n  modem: "), "{}", seen.err);
    }
}

#[test]
fn a_stop_says_so_in_both_languages() {
    let files = files(&EM7565);
    let mut world = bus("EM7565");
    world.cancel_at(BEGIN + Duration::from_millis(1));
    let seen = run(
        &mut world,
        &["-u", "-d", "1199:9091", &files.system, &files.settings],
    );
    assert!(!seen.is_done);
    assert!(
        seen.err.starts_with("cancelling the operation...\n"),
        "{}",
        seen.err
    );
    assert!(
        seen.err.contains("\nerror: operation cancelled\n"),
        "{}",
        seen.err
    );
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
fn a_language_that_gets_no_answer_is_said_with_the_option_that_asked_for_it() {
    let files = files(&MC7455);
    let mut world = bus("MC7455");
    let seen = run(
        &mut world,
        &[
            "-u",
            "-d",
            "1199",
            "--device-open-mbim",
            &files.system,
            &files.settings,
        ],
    );
    seen.fails_like("error: couldn't open QMI device: no answer over MBIM, which was asked for: ");
    assert!(seen.err.contains("[E-MODEM-UNREACHABLE]"), "{}", seen.err);
    assert!(
        seen.err
            .contains("\nhint: leave --device-open-qmi or --device-open-mbim away"),
        "{}",
        seen.err
    );
    assert!(!seen.out.contains("rebooting"), "{}", seen.out);
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
            .contains("\nhint: add the file of the same package that brings it"),
        "{}",
        seen.err
    );
    assert!(!seen.out.contains("''"), "{}", seen.out);
}

// It isn't among the options of that program.
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

impl Seen {
    /// Its first error begins with these words, and the modem's state and some advice are told.
    #[track_caller]
    fn fails_like(&self, first: &str) {
        let mut lines = self.err.lines();
        let error = lines.find(|line| line.starts_with("error: ")).unwrap_or("");
        assert!(
            !self.is_done && error.starts_with(first),
            "{first}:\n{}",
            self.err
        );
        assert!(self.err.contains("\n  modem: "), "{}", self.err);
        assert!(self.err.contains("\nhint: "), "{}", self.err);
        assert!(!self.out.contains("successfully\n"), "{}", self.out);
    }
}

#[test]
fn failures_on_the_way_have_the_words_that_people_search_for() {
    let cases = [
        (
            "enter:never",
            "error: error waiting for serial device in download mode: waiting for device at \
             '/sys/bus/usb/devices/1-1' timed out",
        ),
        (
            "return:never",
            "error: error waiting for cdc-wdm: waiting for device at '/sys/bus/usb/devices/1-1' timed out",
        ),
        ("return:other-modem", "error: 1-1 "),
        ("refuse@0x48:17", "error: couldn't set firmware preference: "),
        (
            "reject-image",
            "error: error downloading image: couldn't close session: ",
        ),
        (
            "stall@100000",
            "error: error downloading image: couldn't write in session: ",
        ),
        ("error:5@chunk:0", "error: error downloading image: couldn't "),
    ];
    for (model, release) in [("MC7455", MC7455), ("EM7565", EM7565)] {
        let files = files(&release);
        for (fault, first) in cases {
            let mut setup = running(model);
            setup.faults = fault.parse().unwrap();
            let mut world = SimulatedWorld::new(setup);
            world.wait(&[], BEGIN);
            let seen = run(&mut world, &["-u", "-d", "1199", &files.system, &files.settings]);
            seen.fails_like(first);
            if seen.out.contains("downloading") && fault.contains('@') {
                // Where it waits now it has another port, and isn't in normal mode.
                assert!(
                    seen.err
                        .contains(" run again with --update-download --tty /dev/ttyUSB"),
                    "{}",
                    seen.err
                );
            }
        }
    }
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
fn what_is_no_boot_loader_speaks_an_unsupported_protocol() {
    let files = files(&MC7455);
    for mode in [Mode::Dead, Mode::Diag, Mode::Echo, Mode::Pbl] {
        let mut setup = waiting("MC7455");
        setup.mode = mode;
        let mut world = SimulatedWorld::new(setup);
        let seen = run(
            &mut world,
            &["-U", "-t", SimulatedWorld::LINK, &files.system, &files.settings],
        );
        seen.fails_like("error: unsupported download protocol");
        assert!(!seen.out.contains("downloading"), "{}", seen.out);
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
    // The control port of before, after the modem fell into download mode.
    let mut world = SimulatedWorld::new(waiting("EM7565"));
    let seen = run(&mut world, &["-b", "-w", "/dev/cdc-wdm0"]);
    seen.fails_with("error: couldn't select device:: device not found");
    assert!(
        seen.err.contains(" in download mode: /dev/ttyUSB0\n"),
        "{}",
        seen.err
    );
}

#[test]
fn a_modem_that_is_still_starting_is_waited_for() {
    let files = files(&EM7565);
    let mut world = SimulatedWorld::new(running("EM7565"));
    let seen = run(&mut world, &["-u", "-d", "1199", &files.system, &files.settings]);
    assert!(seen.is_done, "{seen:?}");
    seen.says(&["setting firmware preference:"]);
}
