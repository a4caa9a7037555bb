//! What all these tests use: files, a bus with a modem, a run, and what the run printed.

use std::path::Path;
use std::time::Duration;

use firmware_image::Family;
use firmware_image::generate::Generated;
use firmware_image::generate::models::{CARRIER_ITEMS, Release};
use firmware_image::source::ImageSource;
use modem_world::{Instant, World};
use tempfile::TempDir;
use virtual_modem::Setup;
use virtual_modem::profile::Profile;
use virtual_modem::simulated::SimulatedWorld;

use crate::compat::console::Console;
use crate::compat::{jobs, options};

pub(super) const EM7565: Release<'_> = Release {
    family: Family::Swi9x50,
    firmware: "01.14.13.00",
    config: "002.048_000",
    carrier: "GENERIC",
    seed: 7,
};

pub(super) const MC7455: Release<'_> = Release {
    family: Family::Swi9x30,
    firmware: "02.33.03.00",
    config: "002.072_000",
    carrier: "GENERIC",
    seed: 7,
};

/// What a run printed, and whether it succeeded.
#[derive(Debug)]
pub(super) struct Seen {
    pub(super) is_done: bool,
    pub(super) out: String,
    pub(super) err: String,
}

impl Seen {
    /// The lines of standard output. Each state of the bar counts as a line.
    fn lines(&self) -> Vec<&str> {
        self.out
            .split(['\n', '\r'])
            .map(|line| line.trim_end_matches("\x1b[2K"))
            .collect()
    }

    /// Asserts that standard output has lines with these beginnings, in this order.
    #[track_caller]
    pub(super) fn says(&self, expected: &[&str]) {
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

    /// Asserts that the run failed and that this is its first error.
    #[track_caller]
    pub(super) fn fails_with(&self, first: &str) {
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

    /// Asserts that the first error begins with these words, and that the state of the modem and a hint are printed.
    #[track_caller]
    pub(super) fn fails_like(&self, first: &str) {
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

fn put(folder: &Path, name: &str, image: &Generated) -> String {
    let path = folder.join(name);
    let mut file = std::fs::File::create(&path).unwrap();
    std::io::copy(&mut image.open().unwrap(), &mut file).unwrap();
    path.to_str().unwrap().to_owned()
}

/// The system image (300 kB) and the settings of a release, in a folder.
pub(super) struct Files {
    _folder: TempDir,
    pub(super) system: String,
    pub(super) settings: String,
}

pub(super) fn files(release: &Release<'_>) -> Files {
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

pub(super) fn running(model: &str) -> Setup {
    Setup::running(Profile::named(model).unwrap())
}

/// A bus with a modem that has been running for a while.
pub(super) fn bus(model: &str) -> SimulatedWorld {
    let mut world = SimulatedWorld::new(running(model));
    world.wait(&[], BEGIN);
    world
}

/// When the runs on [`bus`] begin.
pub(super) const BEGIN: Instant = Instant::from_start(Duration::from_secs(120));

pub(super) fn waiting(model: &str) -> Setup {
    Setup::of(Profile::named(model).unwrap())
}

pub(super) fn run(world: &mut SimulatedWorld, line: &[&str]) -> Seen {
    let words: Vec<std::ffi::OsString> = line.iter().map(std::ffi::OsString::from).collect();
    let asked = options::parse(&words).unwrap();
    assert_eq!(crate::compat::wrong_action(&asked), None);
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let is_done = jobs::run(&asked, world, &mut Console::new(&mut out, &mut err, true));
    Seen {
        is_done,
        out: String::from_utf8(out).unwrap(),
        err: String::from_utf8(err).unwrap(),
    }
}
