//! What a running modem reports about itself in its answers to AT commands.
//!
//! Each function takes the lines of an answer. Lines that don't answer the query change nothing.

use modem_protocol::at::parse;
use modem_protocol::qmi::dms::ImageType;

use super::facts::{Facts, version_in};
use super::image::Image;
use super::versions::Trio;

impl Facts {
    /// Notes the answer to ATI.
    pub(crate) fn note_identity_lines(&mut self, lines: &[String]) {
        let Some(identity) = parse::ati(lines) else { return };
        self.manufacturer = identity.manufacturer;
        self.model = identity.model;
        self.imei = identity.imei.map(|imei| imei.chars().take(15).collect());
        self.set_revision(identity.revision);
    }

    /// Notes the answer to AT+CGMR.
    pub(crate) fn note_revision_lines(&mut self, lines: &[String]) {
        self.set_revision(parse::cgmr(lines));
    }

    fn set_revision(&mut self, revision: Option<String>) {
        self.running.firmware = revision.as_deref().and_then(version_in);
        self.revision = revision;
    }

    /// Notes the answer to AT!IMPREF? or AT!GOBIIMPREF?.
    pub(crate) fn note_preference_lines(&mut self, lines: &[String]) {
        let Some(preference) = parse::impref(lines) else {
            return;
        };
        self.preferred = Some(trio(&preference.preferred));
        let current = trio(&preference.current);
        self.running.carrier = current.carrier;
        self.running.config = current.config;
        self.running.firmware = self.running.firmware.take().or(current.firmware);
        if !preference.mismatches.is_empty() {
            let words: Vec<String> = preference.mismatches.iter().map(ToString::to_string).collect();
            self.mismatch = Some(words.join(", "));
        }
    }

    /// Notes the answer to AT!IMAGE?.
    pub(crate) fn note_image_lines(&mut self, lines: &[String]) {
        let Some(list) = parse::image_list(lines) else {
            return;
        };
        let limit = |most: Option<u32>| most.and_then(|most| u8::try_from(most).ok());
        self.modem_slots = limit(list.most_firmware);
        self.pri_slots = limit(list.most_pri);
        let rows = list.firmware.iter().map(|row| (ImageType::Modem, row));
        let rows = rows.chain(list.pri.iter().map(|row| (ImageType::Pri, row)));
        self.images = rows
            .filter_map(|(kind, row)| {
                let (unique_id, build_id) = row.ids.clone()?;
                Some(Image {
                    kind,
                    slot: (row.slot != u8::MAX).then_some(row.slot),
                    unique_id,
                    build_id,
                    is_preferred: false,
                    is_running: false,
                    failures: row.failures.first().and_then(|count| u8::try_from(*count).ok()),
                })
            })
            .collect();
    }

    /// Notes the answer to AT!PCINFO?.
    pub(crate) fn note_power_lines(&mut self, lines: &[String]) {
        let Some(power) = parse::pcinfo(lines) else { return };
        self.operating_mode = Some(power.mode.to_string());
        self.is_online = Some(power.mode == parse::Mode::Online);
        self.radio_voters = power.other_voters().map(str::to_owned).collect();
        if power.is_image_mismatch() {
            self.mismatch
                .get_or_insert_with(|| "the modem keeps its radio off (IMSWITCH)".to_owned());
        }
    }

    /// Notes the answer to AT!PRIID?.
    pub(crate) fn note_pri_lines(&mut self, lines: &[String]) {
        if let Some(pri) = parse::priid(lines) {
            self.carrier_settings = pri.carriers;
        }
    }
}

fn trio(selection: &parse::Selection) -> Trio {
    Trio {
        firmware: selection.firmware.clone(),
        carrier: selection.carrier.clone(),
        config: selection.config_version().map(str::to_owned),
    }
}

/// The answers of real modems are files of modem-protocol.
#[cfg(test)]
mod tests {
    use super::*;
    use crate::modem::{AskedOver, Radio};
    use modem_protocol::at::Collector;

    macro_rules! lines_of {
        ($command:expr, $file:literal) => {{
            let bytes = include_bytes!(concat!("../../../modem-protocol/tests/data/at/", $file));
            Collector::new($command).push(bytes).unwrap().lines
        }};
    }

    fn trio_of(firmware: &str, carrier: Option<&str>, config: Option<&str>) -> Trio {
        Trio {
            firmware: Some(firmware.to_owned()),
            carrier: carrier.map(str::to_owned),
            config: config.map(str::to_owned),
        }
    }

    #[test]
    fn an_em7690_runs_other_firmware_than_it_prefers() {
        let mut facts = Facts::unknown(AskedOver::At);
        facts.note_preference_lines(&lines_of!("AT!IMPREF?", "em7690-impref.bin"));
        facts.note_image_lines(&lines_of!("AT!IMAGE?", "em7690-image.bin"));
        facts.mark_images();
        let (carrier, config) = (Some("GENERIC"), Some("016.010_000"));
        assert_eq!(facts.preferred, Some(trio_of("01.07.19.00", carrier, config)));
        assert_eq!(facts.running, trio_of("03.04.03.00", carrier, config));
        assert_eq!(facts.mismatch.as_deref(), Some("fw version mismatch"));
        assert!(matches!(facts.radio(), Radio::Off { why } if why == "fw version mismatch"));
        assert_eq!((facts.modem_slots, facts.pri_slots), (Some(3), Some(50)));
        let shown: Vec<_> = facts
            .images
            .iter()
            .map(|image| {
                let marks = (image.is_running, image.is_preferred);
                (
                    image.kind,
                    image.slot,
                    image.build_id.as_str(),
                    image.failures,
                    marks,
                )
            })
            .collect();
        assert_eq!(
            shown,
            [
                (ImageType::Modem, Some(1), "03.04.03.00_?", Some(0), (true, false)),
                (
                    ImageType::Pri,
                    None,
                    "01.07.19.00_GENERIC",
                    Some(0),
                    (false, true)
                ),
            ]
        );
        assert_eq!(facts.failed_to_boot("03.04.03.00"), None);
    }

    #[test]
    fn an_mc7455_runs_firmware_without_carrier_settings() {
        let mut facts = Facts::unknown(AskedOver::At);
        facts.note_preference_lines(&lines_of!("AT!GOBIIMPREF?", "mc7455-gobiimpref.bin"));
        let preferred = trio_of("02.33.03.00", Some("GENERIC"), Some("002.072_000"));
        assert_eq!(facts.preferred, Some(preferred));
        assert_eq!(facts.running, trio_of("02.33.03.00", None, None));
        let mismatch = "carrier name mismatch, config name mismatch";
        assert_eq!(facts.mismatch.as_deref(), Some(mismatch));
    }

    #[test]
    fn a_dw5811e_is_offline_because_of_its_images() {
        let mut facts = Facts::unknown(AskedOver::At);
        facts.note_power_lines(&lines_of!("AT!PCINFO?", "dw5811e-pcinfo-offline.bin"));
        let Radio::Off { why } = facts.radio() else {
            panic!("{facts:?}")
        };
        assert_eq!(why, "offline: the modem keeps its radio off (IMSWITCH)");
    }

    #[test]
    fn an_mc7354_says_what_it_is() {
        let mut facts = Facts::unknown(AskedOver::At);
        facts.note_identity_lines(&lines_of!("ATI", "mc7354-ati.bin"));
        assert_eq!(facts.model.as_deref(), Some("MC7354"));
        assert_eq!(facts.imei.as_deref(), Some("359225050000000"));
        assert_eq!(facts.running, trio_of("05.05.16.03", None, None));
        assert_eq!(
            facts.family().map(|family| family.to_string()).as_deref(),
            Some("9x15")
        );
    }

    #[test]
    fn an_em7565_names_the_settings_of_two_carriers() {
        let mut facts = Facts::unknown(AskedOver::At);
        facts.note_pri_lines(&lines_of!("AT!PRIID?", "em7565-priid-two-carriers.bin"));
        let carriers = ["ATT_002.008_004", "GENERIC_002.019_000"];
        assert_eq!(facts.carrier_settings.len(), 2);
        for (settings, carrier) in facts.carrier_settings.iter().zip(carriers) {
            assert!(settings.ends_with(carrier), "{settings}");
        }
    }

    #[test]
    fn lines_that_answer_something_else_change_nothing() {
        let unknown = Facts::unknown(AskedOver::At);
        let mut facts = unknown.clone();
        let lines = ["+CREG: 1".to_owned(), "RING".to_owned()];
        facts.note_identity_lines(&lines);
        facts.note_preference_lines(&lines);
        facts.note_image_lines(&lines);
        facts.note_power_lines(&lines);
        facts.note_pri_lines(&lines);
        assert_eq!(facts, unknown);
    }
}
