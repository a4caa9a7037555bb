//! What an update is to reach, what the modem was before, and what it asks for.

use modem_protocol::qmi::dms::{DownloadList, FirmwarePreference, ImageReference, ImageType, UniqueId};
use serde::{Deserialize, Serialize};

use super::boot_id::Agreed;
use super::firmware::Firmware;
use crate::modem::{AskedOver, Facts, Protocol, Trio};
use crate::request::Request;
use crate::told::{Cause, ModemState};

/// What an update is to reach; the same from its first stage to its last.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Goal {
    /// What the modem shall run.
    pub(crate) wanted: Trio,
    /// What the modem was before; none for one that was found in download mode.
    pub(crate) found: Option<Before>,
    /// The first pass brings the firmware alone (field-reports.md F4).
    pub(crate) firmware_first: bool,
    /// What was agreed to about the way into download mode.
    pub(crate) agreed: Agreed,
}

/// What a modem was before it was changed, as far as somebody still asks for that later.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Before {
    /// What it ran.
    pub(crate) running: Trio,
    /// Its IMEI: another modem may be put into the socket meanwhile.
    pub(crate) imei: Option<String>,
    /// How it was asked.
    pub(crate) over: AskedOver,
    /// Whether it knows firmware preferences.
    pub(crate) has_preferences: bool,
    /// Whether it stores the firmware that is wanted, so that it may start it without a download.
    pub(crate) stores_wanted: bool,
    /// What has to be put back if all fails; none where the modem told no preference.
    pub(crate) preference: Option<OldPreference>,
}

/// The preference that a modem had.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct OldPreference {
    /// The images that it names, in their order.
    images: Vec<PreferredImage>,
    /// Whether the modem ran what it preferred. Then it has these images, whatever its slots say (field-reports.md D9).
    pub(crate) runs: bool,
}

/// One image of a preference, as the modem told it (qmi.md §5.1).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct PreferredImage {
    image_type: u8,
    unique_id: [u8; 16],
    build_id: String,
}

impl OldPreference {
    fn of(facts: &Facts) -> Option<Self> {
        let images = facts.preference.as_ref()?.0.iter();
        // If the modem didn't report its settings, assume they match the preference: it refuses that question now and then.
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

    /// As it goes over the wire.
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

/// One of the at most two passes of an update: the modem is told what is to come, and gets images.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Pass {
    /// 1 or 2.
    pub(crate) number: u8,
    /// Which images it sends.
    pub(crate) which: Which,
    /// What the modem asked for when it was told.
    pub(crate) asked: Asked,
    /// What the modem was before this pass: what is put back if the pass fails.
    pub(crate) before: Option<Before>,
    /// How the modem is flashed, as far as this run knows.
    pub(crate) protocol: Option<Protocol>,
    /// What is true of the modem as long as nothing of this pass is in force.
    pub(crate) state_before: ModemState,
    /// Why there is a second pass, in words: in what the modem differed from what was wanted.
    pub(crate) differences: Vec<String>,
}

/// Which images a download sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Which {
    /// Those that the modem asks for.
    Asked,
    /// The firmware without the settings (field-reports.md F4).
    FirmwareOnly,
    /// All.
    All,
}

/// What the modem asked for when it was told what to run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Asked {
    /// Nothing is known: it wasn't told anything, or gave no list. It gets everything.
    #[default]
    NotSaid,
    /// It gave a list.
    List {
        /// Firmware is in it.
        firmware: bool,
        /// Settings are in it.
        settings: bool,
        /// Something else is in it.
        others: bool,
    },
}

impl From<DownloadList> for Asked {
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

impl Asked {
    /// Whether the modem has all images and only has to choose them.
    pub(crate) fn is_nothing(self) -> bool {
        let nothing = Self::List {
            firmware: false,
            settings: false,
            others: false,
        };
        self == nothing
    }

    /// Whether images of this kind are to be sent.
    pub(crate) const fn may_include(self, kind: ImageType) -> bool {
        match (self, kind) {
            (Self::NotSaid, _) => true,
            (Self::List { firmware, .. }, ImageType::Modem) => firmware,
            (Self::List { settings, .. }, ImageType::Pri) => settings,
            (Self::List { others, .. }, _) => others,
        }
    }

    /// What the modem asks for and no file brings, in words: it would keep its radio off without.
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
        before.is_some_and(|before| matches!(before.over, AskedOver::Control(_)))
    }

    /// Whether the modem can be told what is to come.
    pub(crate) fn knows_preferences(&self, goal: &Goal) -> bool {
        self.before.as_ref().is_some_and(|before| before.has_preferences) && goal.wanted.is_complete()
    }
}

impl Goal {
    /// What the modem is told to prefer.
    pub(crate) fn preference(&self) -> Result<FirmwarePreference, Cause> {
        let part = |part: &Option<String>| part.clone().unwrap_or_default();
        let (firmware, config, carrier) = (
            part(&self.wanted.firmware),
            part(&self.wanted.config),
            part(&self.wanted.carrier),
        );
        FirmwarePreference::new(&firmware, &config, &carrier).map_err(|error| Cause::ImagesDisagree {
            why: error.to_string(),
        })
    }

    /// What the modem, told once more what to run, would ask for and no file brings, as far as its own list of images tells.
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
        // What it runs may lie outside its slots (field-reports.md D9).
        let asked = Asked::List {
            firmware: runs.firmware != wanted.firmware && !facts.stores(ImageType::Modem, wanted),
            settings: runs != wanted && !facts.stores(ImageType::Pri, wanted),
            others: false,
        };
        asked.not_brought(firmware)
    }
}

/// Whether the modem runs what is wanted, and is content with it.
pub(crate) fn is_as_wanted(facts: &Facts, wanted: &Trio) -> bool {
    wanted.is_complete()
        && facts.running == *wanted
        && facts
            .preferred
            .as_ref()
            .is_none_or(|preferred| preferred == wanted)
        && facts.mismatch.is_none()
}

/// Whether the modem stores all that it is to run, so that it only has to choose it.
pub(crate) fn has_stored(facts: &Facts, wanted: &Trio, request: &Request) -> bool {
    facts.has_preferences()
        && wanted.is_complete()
        && !request.force
        && !request.download_override
        && request.slot.is_none()
        && facts.stores(ImageType::Modem, wanted)
        && facts.stores(ImageType::Pri, wanted)
}

/// Whether the modem has told enough for a decision. One that isn't ready would be taken for one without preferences, and
/// its old preference would then hold against what was written.
pub(crate) fn check_talkative(facts: &Facts, request: &Request) -> Result<(), Cause> {
    let why = if facts.is_booting {
        "it says that it isn't ready yet"
    } else if facts.revision.is_none() && facts.running.firmware.is_none() && !request.force {
        "it doesn't tell its firmware version"
    } else {
        return Ok(());
    };
    Err(Cause::Unreachable {
        tried: vec![format!("{}: {why}", facts.over)],
    })
}

/// Whether the modem has the slot that is asked for.
pub(crate) fn check_slot(slot: Option<u8>, facts: &Facts) -> Result<(), Cause> {
    let Some(index) = slot else { return Ok(()) };
    let maximum = facts.modem_slots;
    if index == 0 || maximum.is_none_or(|maximum| index > maximum) {
        return Err(Cause::NoSuchSlot { index, maximum });
    }
    Ok(())
}
