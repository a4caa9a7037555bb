//! What an update is to reach, and which images it takes from where the modem is.

use modem_protocol::qmi::dms::{DownloadList, FirmwarePreference, ImageType};

use super::boot_id::Agreed;
use super::firmware::Firmware;
use crate::modem::{Facts, Protocol, Trio};
use crate::request::Request;
use crate::told::{Cause, ModemState};

/// What a run is to reach.
pub(crate) struct Goal<'g> {
    /// What the modem shall run.
    pub(crate) wanted: Trio,
    pub(crate) request: &'g Request,
    pub(crate) firmware: &'g Firmware,
    /// What it ran before; none for one that was found in download mode.
    pub(crate) before: Option<Facts>,
    /// How it is flashed, as far as this run knows.
    pub(crate) protocol: Option<Protocol>,
    /// What is true of the modem as long as nothing of this pass is in force.
    pub(crate) state_before: ModemState,
    /// The first pass brings the firmware alone (field-reports.md F4).
    pub(crate) firmware_first: bool,
    /// What was agreed to about the way into download mode.
    pub(crate) agreed: Agreed,
}

/// Which images a pass sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Which {
    /// Those that the modem asks for.
    Asked,
    /// The firmware without the settings (field-reports.md F4).
    FirmwareOnly,
    /// All.
    All,
}

impl Goal<'_> {
    pub(crate) fn knows_preferences(&self) -> bool {
        self.before.as_ref().is_some_and(Facts::has_preferences) && self.wanted.is_complete()
    }

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

    /// What the modem asks for and no file brings, in words: it would keep its radio off without.
    pub(crate) fn not_brought(&self, list: &DownloadList) -> Option<&'static str> {
        let list = list.as_ref()?;
        let mut reports = self.firmware.reports();
        let (mut firmware, mut settings) = (false, false);
        reports.by_ref().for_each(|report| {
            let unclear = !report.brings_firmware() && !report.brings_settings();
            firmware |= report.brings_firmware() || unclear;
            settings |= report.brings_settings() || unclear;
        });
        if list.contains(&ImageType::Modem) && !firmware {
            return Some("firmware (.cwe)");
        }
        (list.contains(&ImageType::Pri) && !settings).then_some("the carrier's settings (.nvu)")
    }

    /// What the modem, told once more what to run, would ask for and no file brings, as far as its own list of images tells.
    pub(crate) fn would_lack(&self, facts: &Facts) -> Option<&'static str> {
        if facts.images.is_empty() || !self.wanted.is_complete() || self.request.force {
            return None;
        }
        let (wanted, runs) = (&self.wanted, &facts.running);
        let mut list = Vec::new();
        // What it runs may lie outside its slots (field-reports.md D9).
        if runs.firmware != wanted.firmware && !facts.stores(ImageType::Modem, wanted) {
            list.push(ImageType::Modem);
        }
        if runs != wanted && !facts.stores(ImageType::Pri, wanted) {
            list.push(ImageType::Pri);
        }
        self.not_brought(&Some(list))
    }

    /// The images to send, as places in the firmware's list.
    pub(crate) fn places(&self, which: Which, list: &DownloadList) -> Vec<usize> {
        let all = || (0..self.firmware.reports().len()).collect::<Vec<usize>>();
        let is_wanted = |kind: ImageType| match (which, list) {
            (Which::FirmwareOnly, _) => kind == ImageType::Modem,
            (Which::Asked, Some(list)) => list.contains(&kind),
            (Which::Asked, None) | (Which::All, _) => true,
        };
        let places: Vec<usize> = self
            .firmware
            .reports()
            .enumerate()
            .filter(|(_, report)| {
                let (firmware, settings) = (report.brings_firmware(), report.brings_settings());
                // What is neither is for the modem to judge.
                (!firmware && !settings && which != Which::FirmwareOnly)
                    || (firmware && is_wanted(ImageType::Modem))
                    || (settings && is_wanted(ImageType::Pri))
            })
            .map(|(place, _)| place)
            .collect();
        if places.is_empty() { all() } else { places }
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
