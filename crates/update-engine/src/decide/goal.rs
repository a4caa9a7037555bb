//! What an update has to reach, what the modem was before, and which images the modem asks for.

use modem_protocol::qmi::dms::{DownloadList, FirmwarePreference, ImageReference, ImageType, UniqueId};
use serde::{Deserialize, Serialize};

use super::boot_id::Agreed;
use super::firmware::Firmware;
use crate::modem::{AskedOver, Facts, Opening, Trio};
use crate::request::Request;
use crate::told::{Cause, ModemState};

/// What an update has to reach. This stays the same from the first stage to the last.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Goal {
    /// The versions that the modem has to run in the end.
    pub(crate) wanted: Trio,
    /// The firmware version that the settings were made for, if it isn't the wanted one (field-reports.md I9).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) settings_for: Option<String>,
    /// What the modem was before the update. `None` if it was found in download mode.
    pub(crate) found: Option<Before>,
    /// Whether the first pass sends the firmware alone (field-reports.md F4).
    pub(crate) firmware_first: bool,
    /// What the user agreed to about reaching the modem in download mode.
    pub(crate) agreed: Agreed,
}

/// What a modem was before modemflash changed it, as far as later stages need to know.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Before {
    /// The versions that the modem ran.
    pub(crate) running: Trio,
    /// The modem's IMEI. Somebody may put a different modem into the socket meanwhile.
    pub(crate) imei: Option<String>,
    /// Over which kind of port, and in which language, the modem was asked.
    pub(crate) over: AskedOver,
    /// Whether the modem supports firmware preferences.
    pub(crate) has_preferences: bool,
    /// Whether the modem stores the requested firmware, so that it may start that firmware without a download.
    pub(crate) stores_wanted: bool,
    /// The preference to restore if the update fails. `None` if the modem reported none.
    pub(crate) preference: Option<OldPreference>,
}

/// The preference that a modem had.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct OldPreference {
    /// The images of the preference, in the modem's order.
    images: Vec<PreferredImage>,
    /// Whether the modem ran what it preferred. Then the modem has these images, whatever its slots say (field-reports.md
    /// D9).
    pub(crate) runs: bool,
}

/// One image of a preference, as the modem reported it (qmi.md §5.1).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct PreferredImage {
    image_type: u8,
    unique_id: [u8; 16],
    build_id: String,
}

impl OldPreference {
    fn of(facts: &Facts) -> Option<Self> {
        let images = facts.preference.as_ref()?.0.iter();
        // If the modem didn't report its settings, assume that they match the preference: modems sometimes refuse that question.
        let runs = facts.preferred.as_ref().is_some_and(|preferred| {
            facts.running.firmware.is_some()
                && (preferred.is_by_sim() || preferred.differences(&facts.running).is_empty())
        });
        Some(Self {
            images: images
                .map(|image| PreferredImage {
                    image_type: image.image_type.into(),
                    unique_id: image.unique_id.0,
                    build_id: image.build_id.clone(),
                })
                .collect(),
            runs,
        })
    }

    /// The preference as a QMI request carries it.
    pub(crate) fn to_wire(&self) -> FirmwarePreference {
        let images = self.images.iter().map(|image| ImageReference {
            image_type: image.image_type.into(),
            unique_id: UniqueId(image.unique_id),
            build_id: image.build_id.clone(),
        });
        FirmwarePreference(images.collect())
    }
}

impl Before {
    /// The same without what belongs to a person.
    pub(crate) fn without_imei(self) -> Self {
        Self { imei: None, ..self }
    }

    /// What `facts` tell of a modem that is to run `wanted`.
    pub(crate) fn of(facts: &Facts, wanted: &Trio) -> Self {
        Self {
            running: facts.running.clone(),
            imei: facts.imei.clone(),
            over: facts.over,
            has_preferences: facts.has_preferences(),
            stores_wanted: facts.stores(ImageType::Modem, wanted),
            preference: OldPreference::of(facts),
        }
    }
}

/// One pass of an update: modemflash sets the firmware preference and sends images. An update has at most two passes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Pass {
    /// 1 or 2.
    pub(crate) number: u8,
    /// Which images this pass sends.
    pub(crate) which: Which,
    /// What the modem asked for when its firmware preference was set.
    pub(crate) asked: AskedImages,
    /// What the modem was before this pass. If the pass fails, its preference is restored from this.
    pub(crate) before: Option<Before>,
    /// How to open a session with the modem in download mode, if this run knows it.
    #[serde(rename = "protocol")]
    pub(crate) opening: Option<Opening>,
    /// The modem's state as long as nothing of this pass is in effect.
    pub(crate) state_before: ModemState,
    /// Why there is a second pass, in words: how the modem's report differed from what was requested.
    pub(crate) differences: Vec<String>,
}

/// Which images a download sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Which {
    /// The images that the modem asks for.
    Asked,
    /// The firmware without the settings (field-reports.md F4).
    FirmwareOnly,
    /// All images.
    All,
}

/// What the modem asked for when its firmware preference was set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum AskedImages {
    /// Not known: no preference was set, or the modem answered without a list. The modem gets all images.
    #[default]
    NotSaid,
    /// The modem answered with a list.
    List {
        /// Whether the modem asks for firmware.
        firmware: bool,
        /// Whether the modem asks for settings.
        settings: bool,
        /// Whether the modem asks for anything else.
        others: bool,
    },
}

impl From<DownloadList> for AskedImages {
    fn from(list: DownloadList) -> Self {
        let Some(list) = list else { return Self::NotSaid };
        let is_other = |kind: &ImageType| !matches!(kind, ImageType::Modem | ImageType::Pri);
        Self::List {
            firmware: list.contains(&ImageType::Modem),
            settings: list.contains(&ImageType::Pri),
            others: list.iter().any(is_other),
        }
    }
}

impl AskedImages {
    /// Whether the modem asks for no images: it stores them all and only has to select them.
    pub(crate) fn is_nothing(self) -> bool {
        let nothing = Self::List {
            firmware: false,
            settings: false,
            others: false,
        };
        self == nothing
    }

    /// Whether to send images of this kind.
    pub(crate) const fn may_include(self, kind: ImageType) -> bool {
        match (self, kind) {
            (Self::NotSaid, _) => true,
            (Self::List { firmware, .. }, ImageType::Modem) => firmware,
            (Self::List { settings, .. }, ImageType::Pri) => settings,
            (Self::List { others, .. }, _) => others,
        }
    }

    /// What the modem asks for and none of the files contains, in words. Without that the modem would keep its radio off.
    pub(crate) fn not_brought(self, firmware: &Firmware) -> Option<&'static str> {
        let Self::List {
            firmware: wants_firmware,
            settings: wants_settings,
            ..
        } = self
        else {
            return None;
        };
        let (mut has_firmware, mut has_settings) = (false, false);
        firmware.reports().for_each(|report| {
            let unclear = !report.brings_firmware() && !report.brings_settings();
            has_firmware |= report.brings_firmware() || unclear;
            has_settings |= report.brings_settings() || unclear;
        });
        if wants_firmware && !has_firmware {
            return Some("firmware (.cwe)");
        }
        (wants_settings && !has_settings).then_some("the carrier's settings (.nvu)")
    }
}

impl Pass {
    /// Whether the modem was asked over a control port before this pass, so that it could be told.
    pub(crate) fn is_told_over_control(&self) -> bool {
        let before = self.before.as_ref();
        before.is_some_and(|before| before.over != AskedOver::At)
    }

    /// Whether the modem can be told what is to come.
    pub(crate) fn knows_preferences(&self, goal: &Goal) -> bool {
        self.before.as_ref().is_some_and(|before| before.has_preferences) && goal.wanted.is_complete()
    }
}

impl Goal {
    /// The firmware preference for the requested versions.
    pub(crate) fn preference(&self) -> Result<FirmwarePreference, Cause> {
        let part = |part: &Option<String>| part.clone().unwrap_or_default();
        let (firmware, config, carrier) = (
            part(&self.wanted.firmware),
            part(&self.wanted.config),
            part(&self.wanted.carrier),
        );
        let made_for = self.settings_for.as_ref().unwrap_or(&firmware);
        FirmwarePreference::of_pair(&firmware, made_for, &config, &carrier).map_err(|error| {
            Cause::ImagesDisagree {
                why: error.to_string(),
            }
        })
    }

    /// What the modem would ask for in a second pass and none of the files contains, judged by the modem's own list of images.
    pub(crate) fn would_lack(
        &self,
        facts: &Facts,
        request: &Request,
        firmware: &Firmware,
    ) -> Option<&'static str> {
        if facts.images.is_empty() || !self.wanted.is_complete() || request.force {
            return None;
        }
        let (wanted, runs) = (&self.wanted, &facts.running);
        // The running firmware may lie outside the modem's slots (field-reports.md D9).
        let asked = AskedImages::List {
            firmware: runs.firmware != wanted.firmware && !facts.stores(ImageType::Modem, wanted),
            settings: runs != wanted && !stores_settings(facts, wanted, self.settings_for.as_deref()),
            others: false,
        };
        asked.not_brought(firmware)
    }
}

/// Whether the modem runs and prefers what is requested, and reports no mismatch.
pub(crate) fn is_as_wanted(facts: &Facts, wanted: &Trio) -> bool {
    wanted.is_complete()
        && facts.running == *wanted
        && facts
            .preferred
            .as_ref()
            .is_none_or(|preferred| preferred == wanted)
        && facts.mismatch.is_none()
}

/// Whether the modem stores all images that it has to run, so that it only has to select them.
pub(crate) fn has_stored(
    facts: &Facts,
    wanted: &Trio,
    settings_for: Option<&str>,
    request: &Request,
) -> bool {
    facts.has_preferences()
        && wanted.is_complete()
        && !request.force
        && !request.download_override
        && request.slot.is_none()
        && facts.stores(ImageType::Modem, wanted)
        && stores_settings(facts, wanted, settings_for)
}

/// Whether the modem stores the wanted settings, which may have been made for another firmware version than the wanted one.
fn stores_settings(facts: &Facts, wanted: &Trio, settings_for: Option<&str>) -> bool {
    match settings_for {
        None => facts.stores(ImageType::Pri, wanted),
        Some(version) => {
            let firmware = Some(version.to_owned());
            let wanted = Trio {
                firmware,
                ..wanted.clone()
            };
            facts.stores(ImageType::Pri, &wanted)
        }
    }
}

/// Checks that the modem has reported enough for a decision. A modem that isn't ready would be mistaken for a modem without
/// preferences. Its old preference would then stay in effect against the firmware that was written.
pub(crate) fn check_talkative(facts: &Facts, request: &Request) -> Result<(), Cause> {
    let why = if facts.is_booting {
        "the modem says that it isn't ready yet"
    } else if facts.revision.is_none() && facts.running.firmware.is_none() && !request.force {
        "the modem doesn't report its firmware version"
    } else {
        return Ok(());
    };
    Err(Cause::Unreachable {
        tried: vec![format!("{}: {why}", facts.over)],
    })
}

/// Checks that the modem has the slot that the user asks for.
pub(crate) fn check_slot(slot: Option<u8>, facts: &Facts) -> Result<(), Cause> {
    let Some(index) = slot else { return Ok(()) };
    let maximum = facts.modem_slots;
    if index == 0 || maximum.is_none_or(|maximum| index > maximum) {
        return Err(Cause::NoSuchSlot { index, maximum });
    }
    Ok(())
}
