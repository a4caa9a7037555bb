//! What a modem remembers without power: images, preference, identity and USB settings; and the rules by
//! which its boot loader chooses what runs (qmi.md §5.1 and §5.2, field-reports.md D).

use std::fmt;

use crate::layout::{Composition, ControlProtocol, Wiring};
use crate::memory::Contents;
use crate::profile::Profile;

/// Everything that outlives a restart. [`Storage::factory`] makes a modem as it leaves the factory; the
/// caller may then change the fields.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Storage {
    /// The IMEI, 15 digits.
    pub imei: String,
    /// The factory serial number (FSN).
    pub serial_number: String,
    /// The slots for modem images, beginning with slot 1; an empty slot is `None`.
    pub modem_images: Vec<Option<ModemImage>>,
    /// The stored PRI images, oldest first.
    pub pri_images: Vec<PriImage>,
    /// What the modem should run; `None` if no host ever set a preference.
    pub preferred: Option<Selection>,
    /// What the modem runs.
    pub current: Selection,
    /// Version of the boot loader.
    pub boot_firmware: String,
    /// The OEM's configuration.
    pub oem: Oem,
    /// How the modem appears on USB.
    pub usb: UsbSettings,
    /// How often the modem has restarted.
    pub resets: u32,
    /// How the last update ended (qmi.md §5.4).
    pub update_result: u32,
    /// The host has changed the preference to something that isn't stored, so the next restart ends in
    /// download mode.
    pub(crate) awaits_download: bool,
    /// The host has asked for boot & hold, so the next restart ends in download mode.
    pub(crate) holds: bool,
    /// The slot that the host has chosen for the next modem image, from 0.
    pub(crate) chosen_slot: Option<usize>,
    /// The host has set the preference since the firmware last ran.
    pub(crate) is_chosen: bool,
    /// What was written since the firmware last ran.
    pub(crate) written: Written,
    /// What ran before the last image was written.
    pub(crate) before: Selection,
    /// The firmware that was written last.
    pub(crate) last_firmware: Option<String>,
}

/// A firmware, and carrier settings for it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selection {
    /// `02.33.03.00`.
    pub firmware: String,
    /// `GENERIC`.
    pub carrier: String,
    /// `002.072_000`.
    pub config: String,
    /// The firmware that the settings were made for, if it is another one.
    pub settings_for: Option<String>,
}

impl Selection {
    /// A firmware, and carrier settings for it.
    pub fn new(firmware: &str, carrier: &str, config: &str) -> Self {
        Self {
            firmware: firmware.to_owned(),
            carrier: carrier.to_owned(),
            config: config.to_owned(),
            settings_for: None,
        }
    }

    /// The same with settings that were made for another firmware.
    pub fn with_settings_for(mut self, firmware: &str) -> Self {
        self.settings_for = (firmware != self.firmware).then(|| firmware.to_owned());
        self
    }

    /// The PRI image with these settings.
    pub fn pri(&self) -> PriImage {
        PriImage {
            config: self.config.clone(),
            build: format!(
                "{}_{}",
                self.settings_for.as_ref().unwrap_or(&self.firmware),
                self.carrier
            ),
        }
    }

    /// The name that `AT!IMPREF?` shows for the settings: `GENERIC_002.072_000`.
    pub fn config_name(&self) -> String {
        format!("{}_{}", self.carrier, self.config)
    }
}

impl fmt::Display for Selection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.firmware, self.carrier, self.config)
    }
}

/// A stored firmware. Its unique id is `?_?`, its build id `<firmware>_?`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModemImage {
    /// `02.33.03.00`.
    pub firmware: String,
    /// How often the firmware failed to boot.
    pub failures: u8,
    /// The larger the number, the more recently the firmware was used.
    pub age: u32,
}

/// Stored carrier settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PriImage {
    /// The unique id: the config version, `002.072_000`.
    pub config: String,
    /// The build id: `<firmware>_<carrier>`.
    pub build: String,
}

impl PriImage {
    /// The firmware that the settings are for.
    pub fn firmware(&self) -> &str {
        self.build
            .split_once('_')
            .map_or(self.build.as_str(), |(firmware, _)| firmware)
    }

    /// The carrier.
    pub fn carrier(&self) -> &str {
        self.build.split_once('_').map_or("", |(_, carrier)| carrier)
    }
}

/// What `AT!PRIID?` shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Oem {
    /// Part number.
    pub part_number: String,
    /// Revision.
    pub revision: String,
    /// Customer.
    pub customer: String,
}

/// How the modem appears on USB.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UsbSettings {
    /// `idVendor`.
    pub vendor: u16,
    /// `idProduct` while the firmware runs.
    pub application: u16,
    /// `idProduct` in download mode.
    pub boot: u16,
    /// The type of `AT!USBCOMP`; its meaning depends on the family.
    pub kind: u8,
    /// The USB functions.
    pub composition: Composition,
    /// Whether the modem runs at USB 3 speed while its firmware runs.
    pub is_super_speed: bool,
    /// Product string.
    pub product: String,
}

impl UsbSettings {
    /// Which interface has which number with these settings.
    pub fn wiring(&self, profile: &Profile) -> Wiring {
        let control = self.composition.control();
        match (profile.capabilities.composition_kind, self.kind) {
            (LEGACY_GENERIC, 1) => Wiring::MbimUsbif,
            (LEGACY_GENERIC, 2) => Wiring::PcieUsbif,
            _ => profile.wiring(control.unwrap_or(profile.control())),
        }
    }

    /// Changes the type of the composition. On 9x50 the product ids follow (at.md §3: types 1, 2 and 3 lead
    /// to 90b1, 90c3 and 9091).
    pub(crate) fn choose_kind(&mut self, kind: u8, profile: &Profile) {
        self.kind = kind;
        if profile.capabilities.composition_kind == LEGACY_GENERIC {
            (self.application, self.boot) = match kind {
                1 => (0x90b1, 0x90b0),
                2 => (0x90c3, 0x90c2),
                _ => (profile.normal.product, profile.download.product),
            };
        }
    }

    /// Changes the control protocol. An SDX55 has other product ids with QMI (devices.md).
    pub(crate) fn speak(&mut self, control: ControlProtocol, profile: &Profile) {
        if self.composition.control().is_some() {
            self.composition = self.composition.speaking(control);
        }
        if self.wiring(profile) == Wiring::SdxRmnet && self.application == profile.normal.product {
            (self.application, self.boot) = (0x90d9, 0x90d8);
        }
    }
}

/// The factory's type of composition on 9x50, the family whose types have interfaces and ids of their own.
const LEGACY_GENERIC: u8 = 3;

/// What was written in download mode.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Written {
    pub(crate) firmware: Option<String>,
    pub(crate) pri: Option<PriImage>,
}

/// The kinds of stored images.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ImageKind {
    Modem,
    Pri,
}

impl Storage {
    /// A modem of this model with an older firmware, as it may be found in the field.
    pub fn factory(profile: &Profile) -> Self {
        let capabilities = &profile.capabilities;
        let current = Selection::new(capabilities.old_firmware, "GENERIC", capabilities.old_config);
        let mut modem_images = vec![None; usize::from(capabilities.modem_slots)];
        if let Some(first) = modem_images.first_mut() {
            *first = Some(ModemImage {
                firmware: current.firmware.clone(),
                failures: 0,
                age: 1,
            });
        }
        let identity = &profile.normal;
        Self {
            // The digits of qmi.md vector 10.
            imei: imei(0),
            serial_number: "LQ650551290110".to_owned(),
            modem_images,
            pri_images: if capabilities.preference {
                vec![current.pri()]
            } else {
                Vec::new()
            },
            preferred: capabilities.preference.then(|| current.clone()),
            boot_firmware: current.firmware.clone(),
            before: current.clone(),
            last_firmware: None,
            current,
            oem: Oem {
                // at_em7455 trace.
                part_number: "9904336".to_owned(),
                revision: "001.007".to_owned(),
                customer: "Generic-Laptop".to_owned(),
            },
            usb: UsbSettings {
                vendor: identity.vendor,
                application: identity.product,
                boot: profile.download.product,
                kind: capabilities.composition_kind,
                composition: profile.composition,
                is_super_speed: identity.speed >= 5000,
                product: identity.product_name.to_owned(),
            },
            resets: 0,
            update_result: u32::MAX,
            awaits_download: false,
            holds: false,
            chosen_slot: None,
            is_chosen: false,
            written: Written::default(),
        }
    }

    /// The same modem without any stored image and without a preference: an update was interrupted and left
    /// it in download mode, or everything was deleted (field-reports.md E12).
    #[must_use]
    pub fn emptied(mut self) -> Self {
        self.modem_images.iter_mut().for_each(|slot| *slot = None);
        self.pri_images.clear();
        self.preferred = None;
        self
    }

    /// Whether this firmware is stored.
    pub fn has_modem(&self, firmware: &str) -> bool {
        self.slot_of(firmware).is_some()
    }

    /// The slot that has this firmware, from 0.
    pub(crate) fn slot_of(&self, firmware: &str) -> Option<usize> {
        let is_it = |slot: &Option<ModemImage>| slot.as_ref().is_some_and(|image| image.firmware == firmware);
        self.modem_images.iter().position(is_it)
    }

    /// Whether these carrier settings are stored.
    pub fn has_pri(&self, pri: &PriImage) -> bool {
        self.pri_images.contains(pri)
    }

    /// Which kinds of images have to be downloaded before this selection can run.
    pub(crate) fn missing(&self, wanted: &Selection) -> Vec<ImageKind> {
        let modem = (!self.has_modem(&wanted.firmware)).then_some(ImageKind::Modem);
        let pri = (!self.has_pri(&wanted.pri())).then_some(ImageKind::Pri);
        modem.into_iter().chain(pri).collect()
    }

    /// Which parts differ between the preference and what runs: firmware, carrier, settings.
    pub fn mismatches(&self) -> [bool; 3] {
        let Some(preferred) = &self.preferred else {
            return [false; 3];
        };
        let current = &self.current;
        [
            preferred.firmware != current.firmware,
            preferred.carrier != current.carrier,
            preferred.config_name() != current.config_name(),
        ]
    }

    /// Whether the modem runs something other than it prefers. Such a modem keeps its radio off.
    pub fn is_mismatched(&self) -> bool {
        self.mismatches().contains(&true)
    }

    /// Stores an image that was accepted in download mode.
    pub(crate) fn write(&mut self, contents: &Contents, profile: &Profile) {
        if let Some(firmware) = &contents.firmware {
            self.store_modem(firmware);
            self.written.firmware = Some(firmware.clone());
            self.last_firmware = Some(firmware.clone());
            self.boot_firmware.clone_from(firmware);
        }
        if let Some(pri) = &contents.pri {
            self.store_pri(pri, usize::from(profile.capabilities.pri_slots));
            self.written.pri = Some(pri.clone());
        }
    }

    /// Stores a firmware: in the slot that has it already, else in the slot that the host has chosen, else in
    /// an empty one, else in place of the least recently used one.
    fn store_modem(&mut self, firmware: &str) {
        let chosen = self.chosen_slot.take();
        let ages = || self.modem_images.iter().flatten().map(|image| image.age);
        let age = ages().max().unwrap_or(0).saturating_add(1);
        let empty = || self.modem_images.iter().position(Option::is_none);
        let oldest = || {
            let slots = self.modem_images.iter().enumerate();
            slots
                .min_by_key(|(_, slot)| slot.as_ref().map_or(0, |image| image.age))
                .map(|(place, _)| place)
        };
        let place = self.slot_of(firmware).or(chosen).or_else(empty).or_else(oldest);
        if let Some(slot) = place.and_then(|place| self.modem_images.get_mut(place)) {
            *slot = Some(ModemImage {
                firmware: firmware.to_owned(),
                failures: 0,
                age,
            });
        }
    }

    fn store_pri(&mut self, pri: &PriImage, most: usize) {
        self.pri_images.retain(|stored| stored != pri);
        self.pri_images.push(pri.clone());
        let surplus = self.pri_images.len().saturating_sub(most);
        self.pri_images.drain(..surplus);
    }

    /// Sets what the host wants to run from the next restart on.
    pub(crate) fn prefer(&mut self, wanted: Selection) {
        self.preferred = Some(wanted);
        self.is_chosen = true;
    }

    /// The firmware starts: decides what runs. That is the preferred pair, if it was chosen since the
    /// firmware last ran and both images are stored; otherwise what was written; otherwise what ran before.
    /// So a mismatch outlives a restart, and images that no host chose run with the radio off
    /// (field-reports.md D1 to D5).
    pub(crate) fn boot(&mut self, profile: &Profile) {
        self.resets = self.resets.saturating_add(1);
        (self.awaits_download, self.holds, self.chosen_slot) = (false, false, None);
        let is_chosen = std::mem::take(&mut self.is_chosen);
        let written = std::mem::take(&mut self.written);
        if written != Written::default() {
            self.before = self.current.clone();
            self.update_result = 1;
        }
        let preferred = self.preferred.clone().filter(|_| profile.capabilities.preference);
        match preferred.filter(|preferred| is_chosen && self.missing(preferred).is_empty()) {
            Some(preferred) => self.current = preferred,
            None => {
                if let Some(firmware) = written.firmware {
                    self.current.firmware = firmware;
                }
                if let Some(pri) = written.pri.filter(|pri| pri.firmware() == self.current.firmware) {
                    self.adopt(&pri);
                }
            }
        }
        if profile.capabilities.preference && self.preferred.is_none() {
            self.preferred = Some(self.current.clone());
        }
        if let Some(slot) = self.slot_of(&self.current.firmware) {
            let ages = self.modem_images.iter().flatten().map(|image| image.age);
            let age = ages.max().unwrap_or(0).saturating_add(1);
            if let Some(Some(image)) = self.modem_images.get_mut(slot) {
                image.age = age;
            }
        }
    }

    fn adopt(&mut self, pri: &PriImage) {
        pri.carrier().clone_into(&mut self.current.carrier);
        self.current.config.clone_from(&pri.config);
    }

    /// The newest stored settings for this carrier whose firmware is stored too.
    pub(crate) fn stored_pair(&self, carrier: &str) -> Option<Selection> {
        let pris = self.pri_images.iter().rev();
        pris.filter(|pri| pri.carrier() == carrier)
            .find(|pri| self.has_modem(pri.firmware()))
            .map(|pri| Selection::new(pri.firmware(), pri.carrier(), &pri.config))
    }
}

/// The IMEI of a virtual modem: 15 digits, the last of which is the check digit (3GPP TS 23.003, annex B).
/// Numbers up to 99,999 give different IMEIs. The IMEI of number 0 is the example in qmi.md except for its
/// check digit.
pub fn imei(number: u32) -> String {
    let body = format!("01234567{:06}", (890_123 + u64::from(number)) % 1_000_000);
    let sum: u32 = body
        .bytes()
        .enumerate()
        .map(|(place, digit)| {
            let digit = u32::from(digit.saturating_sub(b'0'));
            // Every second digit counts twice, digit by digit.
            match place % 2 {
                0 => digit,
                _ => digit * 2 / 10 + digit * 2 % 10,
            }
        })
        .sum();
    format!("{body}{}", (10 - sum % 10) % 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn imeis_differ_and_end_in_their_check_digit() {
        assert_eq!(imei(0), "012345678901237");
        // The example of 3GPP TS 23.003 has another body. This check digit was calculated by hand:
        // 0+2+2+6+4+1+6+5+8+9+0+2+2+8 = 55.
        assert_eq!(imei(1), "012345678901245");
        assert!((0..200_u32).all(|number| imei(number).len() == 15));
    }

    fn modem() -> (&'static Profile, Storage) {
        let profile = Profile::named("MC7455").unwrap();
        (profile, Storage::factory(profile))
    }

    fn firmware(version: &str) -> Contents {
        Contents {
            firmware: Some(version.to_owned()),
            pri: None,
        }
    }

    fn settings(config: &str, build: &str) -> Contents {
        Contents {
            firmware: None,
            pri: Some(PriImage {
                config: config.to_owned(),
                build: build.to_owned(),
            }),
        }
    }

    fn wanted() -> Selection {
        Selection::new("02.33.03.00", "GENERIC", "002.072_000")
    }

    #[test]
    fn a_preferred_pair_that_was_written_runs() {
        let (profile, mut storage) = modem();
        storage.prefer(wanted());
        assert_eq!(storage.missing(&wanted()), [ImageKind::Modem, ImageKind::Pri]);
        storage.write(&firmware("02.33.03.00"), profile);
        storage.write(&settings("002.072_000", "02.33.03.00_GENERIC"), profile);
        storage.boot(profile);
        assert_eq!(storage.current, wanted());
        assert!(!storage.is_mismatched());
        assert_eq!(storage.slot_of("02.33.03.00"), Some(1));
        assert_eq!(storage.missing(&wanted()), []);
    }

    #[test]
    fn a_preference_without_its_images_leaves_the_old_firmware_with_the_radio_off() {
        let (profile, mut storage) = modem();
        let old = storage.current.clone();
        storage.prefer(wanted());
        storage.boot(profile);
        assert_eq!(storage.current, old);
        assert_eq!(storage.mismatches(), [true, false, true]);
    }

    #[test]
    fn firmware_without_its_settings_is_a_config_mismatch() {
        let (profile, mut storage) = modem();
        storage.prefer(wanted());
        storage.write(&firmware("02.33.03.00"), profile);
        storage.boot(profile);
        assert_eq!(storage.current.firmware, "02.33.03.00");
        assert_eq!(storage.mismatches(), [false, false, true]);
        assert_eq!(storage.missing(&wanted()), [ImageKind::Pri]);
    }

    #[test]
    fn images_that_the_preference_does_not_name_run_with_the_radio_off() {
        let (profile, mut storage) = modem();
        storage.write(&firmware("02.33.03.00"), profile);
        storage.write(&settings("002.072_000", "02.33.03.00_GENERIC"), profile);
        storage.prefer(Selection::new("02.08.02.00", "GENERIC", "002.000_000"));
        storage.boot(profile);
        assert_eq!(storage.current, wanted());
        assert_eq!(storage.mismatches(), [true, false, true]);
    }

    #[test]
    fn a_modem_without_a_preference_adopts_what_was_written() {
        let (profile, storage) = modem();
        let mut storage = storage.emptied();
        storage.write(&firmware("02.33.03.00"), profile);
        storage.write(&settings("002.072_000", "02.33.03.00_GENERIC"), profile);
        storage.boot(profile);
        assert_eq!(storage.preferred, Some(wanted()));
        assert_eq!(storage.current, wanted());
    }

    #[test]
    fn a_full_memory_loses_the_firmware_that_was_not_used_for_the_longest_time() {
        let (profile, mut storage) = modem();
        for version in ["02.30.01.01", "02.32.08.00", "02.32.11.00"] {
            storage.write(&firmware(version), profile);
        }
        storage.prefer(storage.preferred.clone().unwrap());
        storage.boot(profile);
        // The first slot has the running firmware, so the second slot is the oldest.
        storage.write(&firmware("02.33.03.00"), profile);
        let versions: Vec<_> = storage
            .modem_images
            .iter()
            .flatten()
            .map(|image| image.firmware.as_str())
            .collect();
        assert_eq!(
            versions,
            ["02.24.05.06", "02.33.03.00", "02.32.08.00", "02.32.11.00"]
        );
    }

    #[test]
    fn the_host_chooses_the_slot() {
        let (profile, mut storage) = modem();
        storage.chosen_slot = Some(3);
        storage.write(&firmware("02.33.03.00"), profile);
        assert_eq!(storage.slot_of("02.33.03.00"), Some(3));
        assert_eq!(storage.slot_of("02.24.05.06"), Some(0));
    }

    #[test]
    fn a_modem_with_one_slot_keeps_only_the_new_firmware() {
        let profile = Profile::named("MC7354").unwrap();
        let mut storage = Storage::factory(profile);
        storage.write(&firmware("05.05.58.01"), profile);
        storage.write(&settings("005.029_001", "05.05.58.01_GENERIC"), profile);
        assert_eq!(storage.modem_images.len(), 1);
        assert!(storage.has_modem("05.05.58.01"));
        assert_eq!(storage.pri_images.len(), 1);
    }

    #[test]
    fn a_modem_without_preferences_runs_what_was_written() {
        let profile = Profile::named("MC7710").unwrap();
        let mut storage = Storage::factory(profile);
        let both = Contents {
            firmware: Some("03.05.29.03".to_owned()),
            pri: Some(PriImage {
                config: "000.000_001".to_owned(),
                build: "03.05.29.03_generic".to_owned(),
            }),
        };
        storage.write(&both, profile);
        storage.boot(profile);
        assert_eq!(
            storage.current,
            Selection::new("03.05.29.03", "generic", "000.000_001")
        );
        assert!(!storage.is_mismatched());
    }
}
