//! The exit code and the line about the radio match the real state of the modem.

use std::io::{self, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::support::normal::{
    after, at_only, faulty, newer, release, running, settings_of, speaking, update_in, update_one, wish,
};
use crate::support::{self, Memory, Run, called, run_in};
use firmware_image::source::ImageSource;
use modemflash_update_engine::{
    Cause, Code, DeviceId, Firmware, ModemState, Outcome, Radio, Request, Step, UpdateError, errand, update,
};
use virtual_modem::profile::Profile;
use virtual_modem::simulated::SimulatedWorld;
use virtual_modem::storage::ModemImage;
use virtual_modem::{ControlProtocol, Mode, Selection, Setup};

/// What happens to a file after the check.
#[derive(Clone, Copy, Debug)]
enum Fate {
    Changes,
    Ends,
    Grows,
    IsPulled,
}

/// A file that is correct while it is checked, and then changes.
struct Fickle {
    image: Memory,
    fate: Fate,
    openings: Arc<AtomicUsize>,
}

impl ImageSource for Fickle {
    fn name(&self) -> &str {
        &self.image.name
    }
    fn size(&self) -> u64 {
        self.image.bytes.len() as u64
    }
    fn open(&self) -> io::Result<Box<dyn io::Read + Send + '_>> {
        let bytes = self.image.bytes.as_slice();
        // The first two openings are the check and the reading of the header. The next one is the download.
        if self.openings.fetch_add(1, Ordering::Relaxed) < 2 {
            return Ok(Box::new(bytes));
        }
        match self.fate {
            Fate::Changes => Ok(Box::new([0xAA].chain(&bytes[1..]))),
            Fate::Ends => Ok(Box::new(&bytes[..bytes.len() / 2])),
            Fate::Grows => Ok(Box::new([0].chain(bytes).chain(bytes))),
            Fate::IsPulled => Err(io::Error::from(io::ErrorKind::NotFound)),
        }
    }
}

/// Updates a modem with a file that meets this fate while the modem waits for it.
fn with_fickle_file(setup: Setup, fate: Fate) -> (SimulatedWorld, UpdateError) {
    let profile = setup.profile;
    let mut images = release(profile);
    let image = images.remove(0);
    let fickle = Fickle {
        image,
        fate,
        openings: Arc::default(),
    };
    let mut sources: Vec<Box<dyn ImageSource>> = vec![Box::new(fickle)];
    for image in images {
        sources.push(Box::new(image));
    }
    let firmware = Firmware::check(sources).unwrap();
    let mut world = SimulatedWorld::new(setup);
    let error = update(&mut world, &wish(), &firmware, &mut |_| {}).unwrap_err();
    (world, error)
}

#[test]
fn a_file_that_is_lost_while_the_modem_waits_in_download_mode_does_not_leave_the_modem_untouched() {
    for model in ["MC7455", "EM7565", "WP7607"] {
        let waiting = Setup::of(Profile::named(model).unwrap());
        for setup in [running(model), waiting] {
            for fate in [Fate::Changes, Fate::Ends, Fate::Grows, Fate::IsPulled] {
                let start = setup.mode;
                let (world, error) = with_fickle_file(setup.clone(), fate);
                let what = format!("{model} from {start:?}, {fate:?}: {error}: {}", error.source);
                assert!(
                    matches!(error.code(), Code::ImageChanged | Code::ImageRead),
                    "{what}"
                );
                assert_eq!(error.exit_code(), 6, "{what}");
                assert!(!error.is_as_found && !error.failure().as_found, "{what}");
                assert_eq!(world.modem(0).unwrap().mode(), Mode::Download, "{what}");
            }
        }
    }
}

#[test]
fn images_that_are_refused_before_a_waiting_modem_gets_any_leave_it_as_it_was_found() {
    // A modem with the id 1199:68c0 speaks QDL or Sahara, and this string doesn't say which: only the modem
    // itself shows that.
    for (images, model) in [("MC7354", "RC7620"), ("RC7620", "MC7354")] {
        let setup = called(model, "QUSB__BULK");
        let run = run_in(
            SimulatedWorld::new(setup),
            &wish(),
            &release(Profile::named(images).unwrap()),
        );
        let error = run.error();
        assert_eq!(error.code(), Code::ImageFamily, "{}", run.log());
        assert_eq!(
            (error.exit_code(), error.modem),
            (3, ModemState::InDownloadMode),
            "{}",
            run.log()
        );
        assert!(error.failure().as_found);
    }
}

#[test]
fn what_would_be_2_3_or_4_ends_with_the_modems_own_code_once_it_was_changed() {
    let causes = || {
        [
            Cause::ImagesMissing { what: "firmware" },
            Cause::HopNeeded { why: String::new() },
            Cause::NotConfirmed { warnings: Vec::new() },
            Cause::VersionsMissing { missing: Vec::new() },
            Cause::NoSuchSlot {
                index: 1,
                maximum: None,
            },
            Cause::NotSupported { what: String::new() },
            Cause::NotRunning {
                mode: modemflash_update_engine::modem::Mode::Download,
                place: String::new(),
            },
            Cause::NoImages,
            Cause::NoModem {
                wanted: modemflash_update_engine::Selector::Only,
                others: Vec::new(),
                on_pcie: Vec::new(),
            },
            Cause::ImageChanged {
                file: String::new(),
                why: String::new(),
            },
            Cause::NotProven {
                differences: Vec::new(),
                lacks: None,
            },
            Cause::NotEntered {
                tried: Vec::new(),
                is_pin: false,
            },
        ]
    };
    for (modem, exit) in [
        (ModemState::RunsFirmware, 5),
        (ModemState::WrongPreference, 5),
        (ModemState::InDownloadMode, 6),
        (ModemState::PartlyWritten { accepted: 1, of: 2 }, 6),
        (ModemState::AllWritten, 6),
        (ModemState::Crashed, 6),
        (ModemState::RunsOther, 7),
        (ModemState::Restarting, 9),
        (ModemState::Unknown, 9),
    ] {
        for cause in causes() {
            let device = DeviceId::from_selection(&modemflash_update_engine::Selector::Only);
            let error = UpdateError::new(&device, Step::CheckDevice, modem, cause);
            assert_eq!(error.exit_code(), exit, "{:?} and {modem:?}", error.source);
        }
        let stopped = Cause::Stopped { how: "stopped" };
        let error = UpdateError::new(
            &DeviceId::from_selection(&modemflash_update_engine::Selector::Only),
            Step::Boot,
            modem,
            stopped,
        );
        assert_eq!(error.exit_code(), 130);
        assert!(error.failure().modem_words.starts_with(&modem.to_string()));
    }
}

#[test]
fn a_second_pass_that_fails_does_not_say_that_the_old_firmware_runs() {
    for model in ["MC7455", "EM7565", "EM9191"] {
        // The user had switched the modem to download mode, so the first pass sets no preference, and the
        // second pass can't enter download mode again. Putting the old preference back doesn't help, because
        // the modem doesn't have that firmware.
        let mut setup = Setup::of(Profile::named(model).unwrap());
        setup.storage = running(model).storage;
        setup.storage.preferred = Some(Selection::new("02.00.00.01", "NOBODY", "009.009_009"));
        setup.faults = "enter:normal,return:mismatch".parse().unwrap();
        let request = Request {
            force: true,
            ..wish()
        };
        let (run, _) = update_in(SimulatedWorld::new(setup), &request);
        let error = run.error();
        assert_eq!(error.code(), Code::DownloadNotEntered, "{model}: {}", run.log());
        assert_eq!(
            (error.exit_code(), error.modem),
            (7, ModemState::RunsOther),
            "{model}: {}",
            run.log()
        );
    }
}

#[test]
fn stored_firmware_that_a_failed_update_has_started_is_not_called_the_old_one() {
    for model in ["EM7565", "EM9191"] {
        let mut setup = faulty(model, "enter:normal");
        let wanted = newer(setup.profile);
        let slots = &mut setup.storage.modem_images;
        *slots.iter_mut().find(|slot| slot.is_none()).unwrap() = Some(ModemImage {
            firmware: wanted.firmware.clone(),
            failures: 0,
            age: 2,
        });
        setup.storage.pri_images.push(wanted.pri());
        // The modem has all images stored, and the user wants them sent anyway.
        let request = Request {
            download_override: true,
            ..wish()
        };
        let (run, _) = update_in(SimulatedWorld::new(setup), &request);
        let (error, log) = (run.error(), run.log());
        assert_eq!(error.code(), Code::DownloadNotEntered, "{log}");
        assert_eq!(run.modem().storage().current, wanted, "{log}");
        assert_eq!(
            (error.exit_code(), error.modem),
            (7, ModemState::RunsOther),
            "{log}"
        );
        assert_eq!(error.radio, Some(Radio::On), "{log}");
    }
}

/// Runs the second pass of a modem that comes back with a mismatch or with its old firmware.
fn returns(setup: Setup, faults: &str) -> Run {
    let mut setup = setup;
    setup.faults = faults.parse().unwrap();
    let request = Request {
        force: true,
        ..wish()
    };
    update_in(SimulatedWorld::new(setup), &request).0
}

#[test]
fn a_modem_that_runs_something_else_is_said_to_have_its_radio_on_or_off() {
    for control in [ControlProtocol::Qmi, ControlProtocol::Mbim] {
        let run = returns(speaking("MC7455", control), "return:mismatch");
        let failure = run.error().failure();
        assert_eq!(
            (failure.exit, failure.modem),
            (7, ModemState::RunsOther),
            "{}",
            run.log()
        );
        assert!(!run.modem().is_online());
        assert_eq!(
            failure.modem_words,
            "in normal mode, but not running what was requested; \
             its radio is off (low power: PRI version incompatible), so it does not connect"
        );
        let json = serde_json::to_value(&failure).unwrap();
        assert_eq!(json["radio"]["state"], "off");
        assert_eq!(json["radio"]["why"], "low power: PRI version incompatible");
        let run = returns(speaking("MC7455", control), "return:old-firmware");
        let failure = run.error().failure();
        assert_eq!(failure.exit, 7);
        assert_eq!(failure.radio, Some(Radio::On), "{}", run.log());
        assert!(run.modem().is_online());
        assert!(
            failure.modem_words.ends_with("; its radio is on"),
            "{}",
            failure.modem_words
        );
    }
}

#[test]
fn a_modem_asked_over_at_commands_says_why_its_radio_is_off() {
    let run = returns(at_only("MC7455"), "return:mismatch");
    let failure = run.error().failure();
    assert_eq!(failure.exit, 7, "{}", run.log());
    let Some(Radio::Off { why }) = failure.radio else {
        panic!("{failure:?}")
    };
    assert!(
        why.starts_with("low power: ") && why.contains("mismatch"),
        "{why}"
    );
}

#[test]
fn a_modem_whose_radio_was_off_before_is_not_called_usable_when_it_stays_as_it_was() {
    // An update was left half done (field-reports.md D1), and none of the files can repair that.
    let mut setup = running("MC7455");
    let profile = setup.profile;
    setup.storage.preferred = Some(Selection::new("02.00.00.01", "NOBODY", "009.009_009"));
    let mut world = SimulatedWorld::new(setup);
    assert!(!world.modem(0).unwrap().is_online());
    let firmware = support::firmware(&[settings_of(profile, &newer(profile))]);
    let error = update(&mut world, &wish(), &firmware, &mut |_| {}).unwrap_err();
    assert_eq!(error.code(), Code::ImageMissing, "{error}: {}", error.source);
    let failure = error.failure();
    assert!(matches!(failure.radio, Some(Radio::Off { .. })), "{failure:?}");
    assert!(
        failure.modem_words.contains("its radio is off"),
        "{}",
        failure.modem_words
    );
}

#[test]
fn a_preference_that_was_put_back_leaves_the_modem_as_it_was_found() {
    let setup = running("MC7455");
    let profile = setup.profile;
    let run = run_in(
        SimulatedWorld::new(setup),
        &wish(),
        &[settings_of(profile, &newer(profile))],
    );
    assert_eq!(run.error().code(), Code::ImageMissing, "{}", run.log());
    assert_eq!(run.error().exit_code(), 3, "{}", run.log());
    assert!(run.error().is_as_found);
    assert_eq!(
        run.modem().storage().preferred,
        run.modem().setup().storage.preferred
    );
}

#[test]
fn a_modem_that_runs_what_was_wanted_with_its_radio_switched_off_is_said_to_have_it_off() {
    let (first, _) = update_one(running("MC7455"));
    let mut world = SimulatedWorld::new(Setup {
        storage: first.modem().storage().clone(),
        ..running("MC7455")
    });
    let command = "AT+CFUN=0";
    errand::at_command(&mut world, &Request::default(), command, &mut |_| {}).unwrap();
    let (run, _) = update_in(world, &wish());
    let Ok(Outcome::Unchanged(unchanged)) = &run.result else {
        panic!("{}", run.log())
    };
    assert_eq!(
        unchanged.radio,
        Some(Radio::Off {
            why: "low power".to_owned()
        })
    );
    let words = run.result.as_ref().unwrap().to_string();
    assert!(
        words.ends_with("; its radio is off (low power), so it does not connect"),
        "{words}"
    );
}

#[test]
fn a_modem_that_leaves_while_it_is_asked_is_not_said_to_run() {
    let mut lost = 0;
    for model in ["MC7455", "EM7565"] {
        for millisecond in 1..20_u32 {
            let mut world = SimulatedWorld::new(running(model));
            world.re_enumerate_at(0, after(f64::from(millisecond) / 1000.0));
            let (run, _) = update_in(world, &wish());
            let Err(error) = &run.result else { continue };
            let log = run.log();
            let expected = if run.modem().is_on_bus() {
                (5, ModemState::RunsFirmware)
            } else {
                lost += 1;
                (9, ModemState::Unknown)
            };
            assert_eq!((error.exit_code(), error.modem), expected, "{log}");
        }
    }
    assert!(lost > 0, "{lost}");
}
