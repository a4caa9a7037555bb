//! What a running modem reports about itself, over whichever port answers.

use std::fmt;

use firmware_image::{Family, parse_versions};
use modem_protocol::qmi::dms::{
    CurrentFirmware, FirmwarePreference, ImageType, OfflineReason, OperatingMode, OperatingState, Response,
    StoredImages,
};
use serde::{Deserialize, Serialize};

use super::image::Image;
use super::ports::Language;
use super::pre_production::is_pre_production;
use super::radio::Radio;
use super::selector;
use super::versions::Trio;

/// Over what a modem was asked what it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum AskedOver {
    /// A control port, in QMI.
    #[serde(rename = "QMI")]
    Qmi,
    /// A control port, in MBIM with QMI inside.
    #[serde(rename = "MBIM")]
    Mbim,
    /// An AT port.
    #[serde(rename = "AT")]
    At,
}

impl From<Language> for AskedOver {
    fn from(language: Language) -> Self {
        match language {
            Language::Qmi => Self::Qmi,
            Language::Mbim => Self::Mbim,
        }
    }
}

impl fmt::Display for AskedOver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Qmi => "QMI",
            Self::Mbim => "MBIM",
            Self::At => "AT",
        })
    }
}

/// What a running modem reports about itself.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Facts {
    /// How the modem was asked. In JSON "QMI", "MBIM" or "AT".
    pub over: AskedOver,
    /// `Sierra Wireless, Incorporated`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub manufacturer: Option<String>,
    /// `MC7455`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// `SWI9X30C_02.33.03.00 r8209 CARMD-EV-FRMWR2 2019/08/28 20:59:30`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub revision: Option<String>,
    /// The IMEI, fifteen digits. Never in events: it identifies a person's device.
    #[serde(skip)]
    pub imei: Option<String>,
    /// The firmware, config and carrier that run.
    pub running: Trio,
    /// Version of the boot loader.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub boot_version: Option<String>,
    /// The SKU of the unit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sku: Option<String>,
    /// The carrier settings that the modem names, for example
    /// `9999999_9904609_SWI9X30C_02.24.05.06_00_GENERIC_002.026_000`. Read over AT only.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub carrier_settings: Vec<String>,
    /// What the modem prefers. `None` if it doesn't support preferences, or doesn't report them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub preferred: Option<Trio>,
    /// Stored images.
    pub images: Vec<Image>,
    /// How many modem images the modem can store.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub modem_slots: Option<u8>,
    /// How many PRI images the modem can store.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pri_slots: Option<u8>,
    /// `online`, `low power`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub operating_mode: Option<String>,
    /// Why the radio is off, if the reason is that the modem's images don't belong together.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mismatch: Option<String>,
    /// Whether the radio is on. `None` if the modem doesn't report it.
    #[serde(skip)]
    pub(crate) is_online: Option<bool>,
    /// What else keeps the radio off, in words, for example a switch or a pin.
    #[serde(skip)]
    pub(crate) radio_voters: Vec<String>,
    /// The preference exactly as the modem reported it, so that it can be restored.
    #[serde(skip)]
    pub(crate) preference: Option<FirmwarePreference>,
    /// Whether the modem is still booting: it answered a question with "not ready".
    #[serde(skip)]
    pub(crate) is_booting: bool,
    /// Whether a question stayed unanswered. Then a missing value proves nothing.
    #[serde(skip)]
    pub(crate) has_gaps: bool,
}

impl Facts {
    /// The facts about a modem that hasn't reported anything yet.
    pub fn unknown(over: AskedOver) -> Self {
        Self {
            over,
            manufacturer: None,
            model: None,
            revision: None,
            imei: None,
            running: Trio::default(),
            boot_version: None,
            sku: None,
            carrier_settings: Vec::new(),
            preferred: None,
            images: Vec::new(),
            modem_slots: None,
            pri_slots: None,
            operating_mode: None,
            mismatch: None,
            is_online: None,
            radio_voters: Vec::new(),
            preference: None,
            is_booting: false,
            has_gaps: false,
        }
    }

    /// The last digits of the IMEI.
    pub fn masked_imei(&self) -> Option<String> {
        self.imei.as_deref().map(selector::masked)
    }

    /// Whether the modem supports firmware preferences.
    pub fn has_preferences(&self) -> bool {
        self.preferred.is_some()
    }

    /// The family of the firmware that runs, by the platform in the modem's revision.
    pub(crate) fn family(&self) -> Option<Family> {
        Family::of_version_text(self.revision.as_deref()?)
    }

    /// Whether pre-production firmware runs.
    pub(crate) fn runs_pre_production(&self) -> bool {
        let version = self.running.firmware.as_deref();
        version.is_some_and(|version| is_pre_production(&self.family(), version))
    }

    /// Whether the radio is on, and if it is off, why.
    pub(crate) fn radio(&self) -> Radio {
        let is_off = self.is_online == Some(false) || (self.is_online.is_none() && self.mismatch.is_some());
        if !is_off {
            return self.is_online.map_or(Radio::NotTold, |_| Radio::On);
        }
        let mut reasons: Vec<&str> = self.mismatch.as_deref().into_iter().collect();
        reasons.extend(self.radio_voters.iter().map(String::as_str));
        let why = match (self.operating_mode.as_deref(), reasons.join(", ")) {
            (None, reasons) => reasons,
            (Some(mode), reasons) if reasons.is_empty() => mode.to_owned(),
            (Some(mode), reasons) => format!("{mode}: {reasons}"),
        };
        Radio::Off { why }
    }

    pub(crate) fn note(&mut self, response: Response) {
        match response {
            Response::Ids(ids) => self.imei = ids.imei,
            Response::Manufacturer(text) => self.manufacturer = Some(text),
            Response::Model(text) => self.model = Some(text),
            Response::Revision(text) => self.revision = Some(text),
            Response::SwiCurrentFirmware(current) => self.note_current(current),
            Response::FirmwarePreference(preference) => {
                self.preferred = Some(preferred(&preference));
                self.preference = Some(preference);
            }
            Response::StoredImages(stored) => self.note_stored(&stored),
            Response::OperatingMode(state) => self.note_mode(state),
            _ => {}
        }
    }

    fn note_current(&mut self, current: CurrentFirmware) {
        self.running.firmware = current.amss_version.as_deref().and_then(version_in);
        self.running.carrier = current.carrier.filter(|text| !text.is_empty());
        self.running.config = current.config_version.filter(|text| !text.is_empty());
        self.boot_version = current.boot_version;
        self.sku = current.sku_id.filter(|text| !text.is_empty());
    }

    fn note_stored(&mut self, stored: &StoredImages) {
        self.modem_slots = stored.of_type(ImageType::Modem).map(|list| list.maximum);
        self.pri_slots = stored.of_type(ImageType::Pri).map(|list| list.maximum);
        self.images = stored
            .iter()
            .map(|(kind, image)| Image {
                kind,
                slot: image.storage_index,
                unique_id: image.unique_id.to_string(),
                build_id: image.build_id.clone(),
                is_preferred: false,
                is_running: false,
                failures: image.failure_count,
            })
            .collect();
    }

    fn note_mode(&mut self, state: OperatingState) {
        self.operating_mode = Some(state.mode.to_string());
        let is_off = state.mode != OperatingMode::Online;
        self.is_online = Some(!is_off);
        if state.is_hardware_restricted == Some(true) {
            self.radio_voters = vec!["a switch or a pin".to_owned()];
        }
        let images = [
            OfflineReason::HOST_IMAGE_MISCONFIGURED,
            OfflineReason::PRI_IMAGE_MISCONFIGURED,
            OfflineReason::PRI_VERSION_INCOMPATIBLE,
            OfflineReason::MEMORY_FULL,
        ];
        if let Some(reason) = state.offline_reason.filter(|_| is_off) {
            if images.into_iter().any(|bit| reason.contains(bit)) {
                self.mismatch = Some(reason.to_string());
            }
        }
    }

    /// Marks the stored images that are preferred and those that run, judged by their versions.
    pub(crate) fn mark_images(&mut self) {
        for image in &mut self.images {
            image.is_preferred = self.preferred.as_ref().is_some_and(|trio| image.fits(trio));
            image.is_running = image.fits(&self.running);
        }
    }

    /// Whether the modem stores the image of this kind that belongs to `trio`.
    pub(crate) fn stores(&self, kind: ImageType, trio: &Trio) -> bool {
        self.images
            .iter()
            .any(|image| image.kind == kind && image.fits(trio))
    }

    /// How often a stored modem image of this version failed to boot. `None` if it never failed, or if that isn't known.
    pub(crate) fn failed_to_boot(&self, firmware: &str) -> Option<u8> {
        self.images
            .iter()
            .filter(|image| image.kind == ImageType::Modem)
            .filter(|image| image.firmware() == firmware)
            .find_map(|image| image.failures.filter(|count| *count > 0))
    }
}

/// The version in a text such as `SWI9X30C_02.33.03.00 r8209 …`.
pub(crate) fn version_in(text: &str) -> Option<String> {
    parse_versions(text).firmware
}

/// The versions that a preference names (qmi.md §5.1). For the modem image, some modems report `02.33.03.00_?`, others
/// `01.02.01.00_GENERIC`.
pub(crate) fn preferred(preference: &FirmwarePreference) -> Trio {
    let build = |kind| {
        let image = preference.of_type(kind)?;
        let (firmware, rest) = image.build_id.split_once('_')?;
        Some((firmware.to_owned(), rest.to_owned(), image.unique_id.to_string()))
    };
    let pri = build(ImageType::Pri);
    let modem = build(ImageType::Modem);
    Trio {
        firmware: modem
            .map(|(firmware, _, _)| firmware)
            .or_else(|| pri.as_ref().map(|(firmware, _, _)| firmware.clone())),
        carrier: pri.as_ref().map(|(_, carrier, _)| carrier.clone()),
        config: pri.map(|(_, _, config)| config),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use modem_protocol::qmi::dms::{StoredImage, StoredImageList, UniqueId};

    #[test]
    fn a_preference_says_what_it_is_for_in_both_forms() {
        let preference = FirmwarePreference::new("02.33.03.00", "002.072_000", "GENERIC").unwrap();
        let wanted = preferred(&preference);
        assert_eq!(wanted.to_string(), "02.33.03.00 GENERIC 002.072_000");
        // trace dms_firmware-preference_em7565_windows_2018
        let mut windows = FirmwarePreference::new("01.02.01.00", "001.015_000", "GENERIC").unwrap();
        windows.0[0].build_id = "01.02.01.00_GENERIC".into();
        windows.0[0].unique_id = UniqueId::from_text("001.015_000").unwrap();
        assert_eq!(preferred(&windows).firmware.as_deref(), Some("01.02.01.00"));
    }

    // field-reports.md D9
    #[test]
    fn the_running_image_is_found_by_its_version_and_not_by_the_modems_index() {
        let image = |build: &str, slot| StoredImage {
            storage_index: Some(slot),
            failure_count: Some(0),
            unique_id: UniqueId::WILDCARD,
            build_id: build.into(),
        };
        let mut facts = Facts::unknown(AskedOver::At);
        facts.running.firmware = Some("02.24.05.06".into());
        facts.note(Response::StoredImages(StoredImages(vec![StoredImageList {
            image_type: ImageType::Modem,
            maximum: 4,
            running: Some(2),
            images: vec![image("02.08.02.00_?", 1), image("02.24.05.06_?", 2)],
        }])));
        facts.mark_images();
        let running: Vec<bool> = facts.images.iter().map(|image| image.is_running).collect();
        assert_eq!(running, [false, true]);
        assert_eq!(facts.modem_slots, Some(4));
    }

    #[test]
    fn low_power_counts_only_when_images_are_the_reason() {
        let mut facts = Facts::unknown(AskedOver::At);
        facts.note(Response::OperatingMode(OperatingState {
            mode: OperatingMode::LowPower,
            offline_reason: None,
            is_hardware_restricted: Some(true),
        }));
        assert_eq!(facts.mismatch, None);
        facts.note(Response::OperatingMode(OperatingState {
            mode: OperatingMode::Offline,
            offline_reason: Some(OfflineReason::PRI_VERSION_INCOMPATIBLE),
            is_hardware_restricted: None,
        }));
        assert_eq!(facts.mismatch.as_deref(), Some("PRI version incompatible"));
    }

    // docs/events.md
    #[test]
    fn programs_read_the_same_words_as_people() {
        let image = |kind| Image {
            kind,
            slot: None,
            unique_id: String::new(),
            build_id: String::new(),
            is_preferred: false,
            is_running: false,
            failures: None,
        };
        let kinds = [
            (ImageType::Modem, "modem"),
            (ImageType::Pri, "PRI"),
            (ImageType::Other(7), "image type 7"),
        ];
        for (kind, word) in kinds {
            assert_eq!(serde_json::to_value(image(kind)).unwrap()["kind"], word);
        }
        let ways = [
            (AskedOver::Qmi, "QMI"),
            (AskedOver::Mbim, "MBIM"),
            (AskedOver::At, "AT"),
        ];
        for (over, word) in ways {
            assert_eq!(serde_json::to_value(Facts::unknown(over)).unwrap()["over"], word);
            assert_eq!(over.to_string(), word);
        }
    }

    #[test]
    fn the_imei_is_in_no_event() {
        let facts = Facts {
            imei: Some("359260080110775".into()),
            ..Facts::unknown(AskedOver::At)
        };
        let json = serde_json::to_string(&facts).unwrap();
        assert!(!json.contains("3592600"), "{json}");
    }
}
