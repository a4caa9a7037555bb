//! Shared by the tests of running modems: realistic releases, modems, and checks after a success.

use firmware_image::generate::{Body, Plan, models};
use firmware_image::nvup;
use modem_world::Instant;
use modemflash_update_engine::{EventKind, Outcome, Request, Updated};
use std::time::Duration;
use virtual_modem::layout::Composition;
use virtual_modem::profile::Profile;
use virtual_modem::simulated::SimulatedWorld;
use virtual_modem::{ControlProtocol, FaultScript, Selection, Setup};

use super::{Memory, Run, assert_stored, images_for, noise, run_in};

/// A model with its old firmware running.
pub fn running(model: &str) -> Setup {
    Setup::running(Profile::named(model).unwrap())
}

/// A model with its old firmware running, with these faults.
pub fn faulty(model: &str, faults: &str) -> Setup {
    let mut setup = running(model);
    setup.faults = faults.parse::<FaultScript>().unwrap();
    setup
}

/// A model with its old firmware running, with this control protocol.
pub fn speaking(model: &str, control: ControlProtocol) -> Setup {
    let mut setup = running(model);
    setup.control = control;
    setup
}

/// A modem without any control port.
pub fn at_only(model: &str) -> Setup {
    let mut setup = running(model);
    let composition = setup.storage.usb.composition;
    setup.storage.usb.composition =
        composition - Composition::RMNET0 - Composition::RMNET1 - Composition::MBIM;
    setup
}

/// A request that updates the only modem and confirms all warnings.
pub fn wish() -> Request {
    Request {
        confirmed: true,
        ..Request::default()
    }
}

/// What a modem of this model is to run: a newer release that needs no intermediate release.
pub fn newer(profile: &Profile) -> Selection {
    let (firmware, config) = match profile.family {
        "SWI9200X" => ("03.05.29.03", "000.000_002"),
        "SWI9X15C" => ("05.05.58.01", "005.029_001"),
        "SWI9X30C" => ("02.33.03.00", "002.072_000"),
        "SWI9X50C" => ("01.14.13.00", "002.048_000"),
        "SWI9X07Y" => ("02.37.03.00", "002.095_000"),
        "SWI9X07H" => ("00.08.24.02", "001.110_000"),
        "SWIX55C" => ("03.14.10.00", "030.089_000"),
        "SWIX65C" => ("02.17.08.00", "020.017_000"),
        _ => return Selection::default(),
    };
    Selection::new(firmware, "GENERIC", config)
}

fn product(profile: &Profile) -> &'static str {
    profile.products.first().copied().unwrap_or_default()
}

fn long_version(profile: &Profile, to: &Selection) -> String {
    format!(
        "9999999_9999999_{}_{}_00_{}_{}",
        profile.family, to.firmware, to.carrier, to.config
    )
}

fn system(profile: &Profile, to: &Selection, seed: u64, size: u64) -> Vec<Plan> {
    let version = format!("{}_{}", profile.family, to.firmware);
    let plan = |kind: &str, body| Plan::new(kind, product(profile), &version, body);
    let boot = plan(
        "BOOT",
        Body::Images(vec![plan("SBL1", Body::Noise { seed, size: 1000 })]),
    );
    let seed = seed + 1;
    vec![boot, plan("APPL", Body::Noise { seed, size })]
}

fn settings(profile: &Profile, to: &Selection) -> Plan {
    let plan = |kind: &str, text: &str, body| Plan::new(kind, product(profile), text, body);
    let items = Body::Bytes(nvup::encode_named(models::CARRIER_ITEMS));
    let settings = plan("NVUP", &long_version(profile, to), items);
    let path = format!("/swir/nvdelta/NVUP_{}.010", to.carrier);
    let inner = plan("FILE", &path, Body::Images(vec![settings]));
    plan("FILE", "", Body::Images(vec![inner]))
}

fn made(plan: &Plan, name: String) -> Memory {
    let bytes = plan.build(name.as_str()).unwrap().to_vec();
    Memory { name, bytes }
}

/// The `.cwe` of a release.
pub fn firmware_of(profile: &Profile, to: &Selection, size: u64) -> Memory {
    let version = format!("INTERNAL_?_{}_{}_?_?_?_?", profile.family, to.firmware);
    let body = Body::Images(system(profile, to, 7, size));
    let plan = Plan::new("SPKG", product(profile), &version, body);
    made(&plan, format!("{}_{}.cwe", profile.family, to.firmware))
}

/// The `.nvu` of a release.
pub fn settings_of(profile: &Profile, to: &Selection) -> Memory {
    let body = Body::Images(vec![settings(profile, to)]);
    let plan = Plan::new("SPKG", product(profile), &long_version(profile, to), body);
    let (family, firmware) = (profile.family, &to.firmware);
    made(
        &plan,
        format!("{family}_{firmware}_{}_{}.nvu", to.carrier, to.config),
    )
}

/// Firmware and settings of a release in one `.spk`.
pub fn package_of(profile: &Profile, to: &Selection, size: u64) -> Memory {
    let mut images = system(profile, to, 9, size);
    images.push(settings(profile, to));
    let version = long_version(profile, to);
    let plan = Plan::new("SPKG", product(profile), &version, Body::Images(images));
    made(&plan, format!("{version}.spk"))
}

/// Whether a release for this modem is one file (devices.md).
pub fn is_single(profile: &Profile) -> bool {
    matches!(profile.family, "SWI9200X" | "SWI9X07Y" | "SWI9X07H")
}

/// The usual files of the newer release.
pub fn release(profile: &Profile) -> Vec<Memory> {
    release_of(profile, &newer(profile))
}

/// The usual files of this release.
pub fn release_of(profile: &Profile, to: &Selection) -> Vec<Memory> {
    if profile.image_names.is_empty() {
        return images_for(profile, 3, &[70_000, 9_000, 500]);
    }
    if is_single(profile) {
        return vec![package_of(profile, to, 60_000)];
    }
    vec![firmware_of(profile, to, 60_000), settings_of(profile, to)]
}

/// Updates the only modem of this world to the newer release.
pub fn update_in(world: SimulatedWorld, request: &Request) -> (Run, Vec<Memory>) {
    let profile = world.modem(0).unwrap().setup().profile;
    let images = release(profile);
    (run_in(world, request, &images), images)
}

/// Updates a modem with this setup to the newer release.
pub fn update_one(setup: Setup) -> (Run, Vec<Memory>) {
    update_in(SimulatedWorld::new(setup), &wish())
}

/// The moment this long after the start.
pub fn after(seconds: f64) -> Instant {
    Instant::from_start(Duration::from_secs_f64(seconds))
}

impl Run {
    /// The proven outcome.
    pub fn updated(&self) -> &Updated {
        match &self.result {
            Ok(Outcome::Updated(updated)) => updated,
            other => panic!("{other:?}\n{}", self.log()),
        }
    }

    /// Asserts a proven success: these images are in the modem's memory, the modem runs and prefers `to`, its
    /// radio is on, the host did nothing that a real modem would refuse, and no event contains the IMEI.
    pub fn assert_updated(&self, to: &Selection, images: &[Memory]) {
        let updated = self.updated();
        assert!(updated.proven);
        let log = self.log();
        assert_eq!(updated.accepted, images.len(), "{log}");
        assert_stored(self.modem(), images).unwrap_or_else(|why| panic!("{why}\n{log}"));
        self.assert_runs(to);
        assert_eq!(
            updated.to.firmware.as_deref(),
            Some(to.firmware.as_str()),
            "{log}"
        );
        self.assert_clean();
        let last = self.events.last().map(|event| &event.kind);
        assert!(matches!(last, Some(EventKind::Outcome { .. })), "{log}");
    }

    /// Asserts that the modem runs and prefers `to`.
    pub fn assert_runs(&self, to: &Selection) {
        let (modem, log) = (self.modem(), self.log());
        assert_eq!(modem.storage().current, *to, "{log}");
        if modem.setup().profile.capabilities.preference {
            assert_eq!(modem.storage().preferred.as_ref(), Some(to), "{log}");
        }
        assert!(modem.is_online(), "its radio is off\n{log}");
    }

    /// Asserts that the modem saw no violation and no event contains the IMEI.
    pub fn assert_clean(&self) {
        assert_eq!(self.modem().violations(), [], "{}", self.log());
        self.assert_no_imei();
    }

    /// Asserts that no event contains the IMEI.
    pub fn assert_no_imei(&self) {
        let imei = self.modem().storage().imei.get(..11).unwrap();
        let telling = self
            .events
            .iter()
            .map(|event| serde_json::to_string(event).unwrap())
            .find(|json| json.contains(imei) || json.contains("35926008011"));
        assert_eq!(telling, None);
    }

    /// The ways into download mode that the events name.
    pub fn ways(&self) -> Vec<String> {
        self.events
            .iter()
            .filter_map(|event| match &event.kind {
                EventKind::Tried { way, answer } => Some(format!("{way}: {answer}")),
                _ => None,
            })
            .collect()
    }

    /// The time at which a step began, in seconds.
    pub fn begun(&self, is_it: impl Fn(&modemflash_update_engine::Step) -> bool) -> f64 {
        let mut begun = self.events.iter().filter_map(|event| match &event.kind {
            EventKind::StepStarted { step, .. } if is_it(step) => Some(event.t),
            _ => None,
        });
        begun
            .next()
            .unwrap_or_else(|| panic!("no such step\n{}", self.log()))
    }
}

/// A file of random bytes whose name doesn't matter.
pub fn opaque(seed: u64, count: usize) -> Memory {
    Memory {
        name: format!("{seed}.cwe"),
        bytes: noise(seed, count),
    }
}
