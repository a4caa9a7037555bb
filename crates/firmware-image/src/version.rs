//! Reads firmware version, config version and carrier from version texts and file names (update-flow.md §5, images.md
//! §5).
//!
//! The rules are those of the established updater, with two improvements: a carrier may contain digits, and in the
//! long form everything between the package number and the config version is the carrier. If a text can be read in
//! more than one way, a [`NameNote`] says so. Texts keep their case, because the modem compares them literally.

use crate::Severity;
use alloc::{
    borrow::ToOwned,
    format,
    string::{String, ToString},
    vec::Vec,
};
use core::fmt;

/// One of the three values that name a firmware.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize), serde(rename_all = "snake_case"))]
pub enum VersionKind {
    /// `02.33.03.00`.
    Firmware,
    /// `002.072_000`.
    Config,
    /// `GENERIC`.
    Carrier,
}

impl fmt::Display for VersionKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Firmware => "firmware version",
            Self::Config => "config version",
            Self::Carrier => "carrier",
        })
    }
}

/// Where a value was found. The sources are consulted in this order (cwe.md §7).
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize),
    serde(tag = "place", rename_all = "snake_case")
)]
pub enum VersionSource {
    /// The version text of the outermost header.
    RootHeader,
    /// The file's base name.
    FileName,
    /// The version text of an inner BOOT (firmware only) or NVUP image.
    InnerImage {
        /// Its place in the tree, `0.1`.
        image: String,
    },
}

impl fmt::Display for VersionSource {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::RootHeader => formatter.write_str("header"),
            Self::FileName => formatter.write_str("file name"),
            Self::InnerImage { image } => write!(formatter, "header of image {image}"),
        }
    }
}

/// A value and where it comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Known {
    /// The value, letter for letter.
    pub text: String,
    /// Where it was found.
    pub source: VersionSource,
}

/// The three values, as far as they are known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Versions {
    /// `02.33.03.00`.
    pub firmware: Option<Known>,
    /// `002.072_000`.
    pub config: Option<Known>,
    /// `GENERIC`.
    pub carrier: Option<Known>,
}

impl Versions {
    /// One of the three.
    pub const fn known(&self, kind: VersionKind) -> Option<&Known> {
        match kind {
            VersionKind::Firmware => self.firmware.as_ref(),
            VersionKind::Config => self.config.as_ref(),
            VersionKind::Carrier => self.carrier.as_ref(),
        }
    }

    pub(crate) fn place(&mut self, kind: VersionKind) -> &mut Option<Known> {
        match kind {
            VersionKind::Firmware => &mut self.firmware,
            VersionKind::Config => &mut self.config,
            VersionKind::Carrier => &mut self.carrier,
        }
    }
}

impl VersionKind {
    /// All three.
    pub const ALL: [Self; 3] = [Self::Firmware, Self::Config, Self::Carrier];
}

/// Whether two firmware versions differ in their last number only: `01.08.16.03` and `01.08.16.02`.
pub(crate) fn is_near(one: &str, other: &str) -> bool {
    match (one.rsplit_once('.'), other.rsplit_once('.')) {
        (Some((one, _)), Some((other, _))) => one == other && one.matches('.').count() == 2,
        _ => false,
    }
}

/// The values found in one text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NameVersions {
    /// The firmware version.
    pub firmware: Option<String>,
    /// The carrier; only together with a config version.
    pub carrier: Option<String>,
    /// The config version; only together with a carrier.
    pub config: Option<String>,
    /// Doubts about the reading.
    pub notes: Vec<NameNote>,
}

impl NameVersions {
    /// One of the three.
    pub fn value(&self, kind: VersionKind) -> Option<&str> {
        match kind {
            VersionKind::Firmware => self.firmware.as_deref(),
            VersionKind::Config => self.config.as_deref(),
            VersionKind::Carrier => self.carrier.as_deref(),
        }
    }
}

/// A doubt about the reading of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize),
    serde(tag = "note", rename_all = "snake_case")
)]
#[non_exhaustive]
pub enum NameNote {
    /// Several different firmware versions; the last counts.
    SeveralFirmwareVersions {
        /// The one that is used.
        used: String,
        /// The others.
        others: Vec<String>,
    },
    /// A number continues after the end of its pattern; the rest was cut off.
    Cut {
        /// Which value.
        kind: VersionKind,
        /// What is used.
        used: String,
        /// The whole number, as written in the text.
        whole: String,
    },
    /// Several different config versions; the last counts.
    SeveralConfigVersions {
        /// The one that is used.
        used: String,
        /// The others.
        others: Vec<String>,
    },
    /// The carrier's name holds an underscore or an unusual character.
    UnusualCarrier {
        /// What is used.
        used: String,
    },
    /// The carrier's name may be longer.
    CarrierMayBeLonger {
        /// What is used.
        used: String,
        /// The longer reading.
        longer: String,
    },
    /// There is a config version, but nothing before it that could be a carrier.
    CarrierUnreadable {
        /// The config version, which is not used either.
        config: String,
    },
    /// A config version without its last three digits; not used.
    ConfigIncomplete {
        /// The incomplete config version.
        found: String,
    },
}

impl NameNote {
    /// How serious the doubt is.
    pub const fn severity(&self) -> Severity {
        match self {
            Self::ConfigIncomplete { .. } => Severity::Note,
            _ => Severity::Warning,
        }
    }
}

impl fmt::Display for NameNote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SeveralFirmwareVersions { used, others } => write!(
                f,
                "several firmware versions; the last, {used}, is used, not {}",
                others.join(", ")
            ),
            Self::Cut { kind, used, whole } => {
                write!(
                    f,
                    "the {kind} is read as {used}, but the number continues: {whole}"
                )
            }
            Self::SeveralConfigVersions { used, others } => {
                write!(
                    f,
                    "several config versions; the last, {used}, is used, not {}",
                    others.join(", ")
                )
            }
            Self::UnusualCarrier { used } => write!(f, "unusual carrier name {used}"),
            Self::CarrierMayBeLonger { used, longer } => {
                write!(f, "the carrier is read as {used}, it may be {longer}")
            }
            Self::CarrierUnreadable { config } => {
                write!(
                    f,
                    "config version {config} has no readable carrier before it; neither is used"
                )
            }
            Self::ConfigIncomplete { found } => {
                write!(
                    f,
                    "the config version {found} lacks its last three digits; it is not used"
                )
            }
        }
    }
}

/// `_` and four groups of two digits.
const FIRMWARE: &[u8] = b"_dd.dd.dd.dd";
/// `_` and three groups of three digits.
const CONFIG: &[u8] = b"_ddd.ddd_ddd";
/// The beginning of a config version, without its last group.
const CONFIG_BEGIN: &[u8] = b"_ddd.ddd";

/// The places in `text` where `pattern` matches (`d` = a digit), each with the matching text minus its leading
/// underscore.
fn occurrences<'t>(text: &'t str, pattern: &[u8]) -> Vec<(usize, &'t str)> {
    let fits = |window: &[u8]| {
        window.iter().zip(pattern).all(|(&byte, &wanted)| match wanted {
            b'd' => byte.is_ascii_digit(),
            exact => byte == exact,
        })
    };
    text.as_bytes()
        .windows(pattern.len())
        .enumerate()
        .filter(|(_, window)| fits(window))
        .filter_map(|(place, _)| Some((place, text.get(place + 1..place + pattern.len())?)))
        .collect()
}

/// The whole number whose underscore is at `place`, as far as its digits and dots reach; `None` if it isn't longer
/// than `used`.
fn longer_number(text: &str, place: usize, used: &str) -> Option<String> {
    let rest = text.get(place + 1..)?;
    let tail = rest.get(used.len()..)?;
    let more = tail
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(tail.len());
    // In "….00.cwe" the last dot belongs to the extension, not to the number.
    let more = tail.get(..more)?.trim_end_matches('.').len();
    (more > 0)
        .then(|| rest.get(..used.len() + more).map(ToOwned::to_owned))
        .flatten()
}

fn others(all: &[(usize, &str)], used: &str) -> Vec<String> {
    let mut others: Vec<String> = Vec::new();
    for (_, value) in all {
        if *value != used && !others.iter().any(|other| other == value) {
            others.push((*value).to_string());
        }
    }
    others
}

/// Reads firmware version, carrier and config version from a version text or a file's base name.
pub fn parse_versions(text: &str) -> NameVersions {
    let mut result = NameVersions::default();
    let firmwares = occurrences(text, FIRMWARE);
    let Some(&(place, firmware)) = firmwares.last() else {
        return result;
    };
    result.firmware = Some(firmware.to_owned());
    let others_found = others(&firmwares, firmware);
    if !others_found.is_empty() {
        let used = firmware.to_owned();
        result.notes.push(NameNote::SeveralFirmwareVersions {
            used,
            others: others_found,
        });
    }
    if let Some(whole) = longer_number(text, place, firmware) {
        let used = firmware.to_owned();
        result.notes.push(NameNote::Cut {
            kind: VersionKind::Firmware,
            used,
            whole,
        });
    }
    let rest = text.get(place + FIRMWARE.len()..).unwrap_or_default();
    read_config(rest, &mut result);
    result
}

/// Reads carrier and config version from what follows the firmware version.
fn read_config(rest: &str, result: &mut NameVersions) {
    let configs = occurrences(rest, CONFIG);
    let Some(&(place, config)) = configs.last() else {
        if let Some((_, found)) = occurrences(rest, CONFIG_BEGIN).last() {
            result.notes.push(NameNote::ConfigIncomplete {
                found: (*found).to_owned(),
            });
        }
        return;
    };
    // With several config versions, the carrier of the last one begins after the one before it.
    let previous = configs
        .iter()
        .rev()
        .nth(1)
        .map_or(0, |(place, _)| place + CONFIG.len());
    let between = rest.get(previous..place).unwrap_or_default();
    let (carrier, note) = read_carrier(between);
    let Some(carrier) = carrier else {
        result.notes.push(NameNote::CarrierUnreadable {
            config: config.to_owned(),
        });
        return;
    };
    result.notes.extend(note);
    let others_found = others(&configs, config);
    if !others_found.is_empty() {
        let used = config.to_owned();
        result.notes.push(NameNote::SeveralConfigVersions {
            used,
            others: others_found,
        });
    }
    if let Some(whole) = longer_number(rest, place, config) {
        let used = config.to_owned();
        result.notes.push(NameNote::Cut {
            kind: VersionKind::Config,
            used,
            whole,
        });
    }
    result.carrier = Some(carrier);
    result.config = Some(config.to_owned());
}

/// Finds the carrier in the text between firmware and config version: `_00_AT_T`, `_GENERIC`, `-005_ATT`.
fn read_carrier(between: &str) -> (Option<String>, Option<NameNote>) {
    let is_usual = |text: &str| {
        text.bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    let is_name = |text: &str| text.bytes().any(|byte| byte.is_ascii_alphabetic());
    // A suffix directly after the firmware version (`-005`) belongs to that version (images.md §7).
    let Some((_, tokens)) = between.split_once('_') else {
        return (None, None);
    };
    let is_package = |token: &str| token.len() == 2 && token.bytes().all(|byte| byte.is_ascii_digit());
    if let Some((package, carrier)) = tokens.split_once('_') {
        if is_package(package) {
            // The long form: everything after the package number is the carrier.
            if !is_name(carrier) {
                return (None, None);
            }
            let note = (!is_usual(carrier)).then(|| NameNote::UnusualCarrier {
                used: carrier.to_owned(),
            });
            return (Some(carrier.to_owned()), note);
        }
    }
    let (before, last) = tokens.rsplit_once('_').unwrap_or(("", tokens));
    if !is_usual(last) || !is_name(last) {
        return (None, None);
    }
    let note = is_name(before).then(|| NameNote::CarrierMayBeLonger {
        used: last.to_owned(),
        longer: format!("{before}_{last}"),
    });
    (Some(last.to_owned()), note)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(
        text: &str,
        firmware: Option<&str>,
        carrier: Option<&str>,
        config: Option<&str>,
    ) -> Vec<NameNote> {
        let found = parse_versions(text);
        assert_eq!(found.firmware.as_deref(), firmware, "firmware of {text}");
        assert_eq!(found.carrier.as_deref(), carrier, "carrier of {text}");
        assert_eq!(found.config.as_deref(), config, "config of {text}");
        found.notes
    }

    /// update-flow.md §5.2, vectors 1 to 10, 12 to 16 and 20 to 21: none of them leaves a doubt.
    #[test]
    fn plain_texts_are_read_without_a_note() {
        type Row = (
            &'static str,
            Option<&'static str>,
            Option<&'static str>,
            Option<&'static str>,
        );
        #[rustfmt::skip]
        let rows: [Row; 17] = [
            ("9999999_9999999_9200_03.05.29.03_00_generic_000.000_001_SPKG_MC", Some("03.05.29.03"), Some("generic"), Some("000.000_001")),
            ("INTERNAL_?_SWI9X15C_05.05.63.01_?_?_?_?", Some("05.05.63.01"), None, None),
            ("9999999_9902350_SWI9X15C_05.05.63.01_00_SPRINT_005.037_000", Some("05.05.63.01"), Some("SPRINT"), Some("005.037_000")),
            ("9999999_9902574_SWI9X15C_05.05.66.00_00_GENNA-UMTS_005.028_000", Some("05.05.66.00"), Some("GENNA-UMTS"), Some("005.028_000")),
            ("SWI9X50C_01.14.13.00_GENERIC_002.048_000.nvu", Some("01.14.13.00"), Some("GENERIC"), Some("002.048_000")),
            ("SWI9X30C_02.33.03.00.cwe", Some("02.33.03.00"), None, None),
            ("1102662_9905046_EM7455_02.05.07.00_00_Lenovo-Laptop_001.003_000.nvu", Some("02.05.07.00"), Some("Lenovo-Laptop"), Some("001.003_000")),
            ("9999999_9901234_SWI9X30C_02.05.03.00_00_DisableB5_1_000", Some("02.05.03.00"), None, None),
            ("SWI9X30C_02.08.02.00", Some("02.08.02.00"), None, None),
            ("SWIX55C_01.09.04.00.cwe", Some("01.09.04.00"), None, None),
            ("spkg_sblz.cwe", None, None, None),
            ("02.33.03.00.cwe", None, None, None),
            ("FW-02.24.05.06.cwe", None, None, None),
            ("SWI9X30C_2.24.5.6.cwe", None, None, None),
            ("GENERIC_002.072_000", None, None, None),
            ("SWIX55C_03.14.10.00-001_VERIZON_030.089_000.nvu", Some("03.14.10.00"), Some("VERIZON"), Some("030.089_000")),
            ("WP76xx_Release13.1_GENERIC_GCF.spk", None, None, None),
        ];
        for (text, firmware, carrier, config) in rows {
            assert_eq!(check(text, firmware, carrier, config), [], "{text}");
        }
    }

    /// update-flow.md §5.2, vector 11.
    #[test]
    fn of_several_firmware_versions_the_last_counts_and_the_others_are_named() {
        let text = "SWI6200W_01.00.00.00_02.00.00.00_X_001.001_001";
        assert_eq!(
            check(text, Some("02.00.00.00"), Some("X"), Some("001.001_001")),
            [NameNote::SeveralFirmwareVersions {
                used: "02.00.00.00".into(),
                others: ["01.00.00.00".into()].into()
            }]
        );
    }

    /// update-flow.md §5.2, vector 17.
    #[test]
    fn an_incomplete_config_version_is_not_used_and_said() {
        assert_eq!(
            check(
                "SWI9X30C_02.33.03.00_GENERIC_002.072.nvu",
                Some("02.33.03.00"),
                None,
                None
            ),
            [NameNote::ConfigIncomplete {
                found: "002.072".into()
            }]
        );
    }

    /// update-flow.md §5.2, vector 18, with the improvement asked for there.
    #[test]
    fn a_carrier_may_hold_digits() {
        let text = "SWI9X50C_01.08.04.00_VF2_001.020_000.nvu";
        assert_eq!(
            check(text, Some("01.08.04.00"), Some("VF2"), Some("001.020_000")),
            []
        );
    }

    /// update-flow.md §5.2, vector 19, with the improvement asked for there.
    #[test]
    fn in_the_long_form_a_carrier_with_an_underscore_is_whole_and_doubted() {
        let text = "9999999_1_SWI9X30C_02.33.03.00_00_AT_T_002.072_000.nvu";
        assert_eq!(
            check(text, Some("02.33.03.00"), Some("AT_T"), Some("002.072_000")),
            [NameNote::UnusualCarrier { used: "AT_T".into() }]
        );
    }

    #[test]
    fn in_the_short_form_a_longer_reading_of_the_carrier_is_said() {
        let text = "SWI9X30C_02.33.03.00_AT_T_002.072_000.nvu";
        assert_eq!(
            check(text, Some("02.33.03.00"), Some("T"), Some("002.072_000")),
            [NameNote::CarrierMayBeLonger {
                used: "T".into(),
                longer: "AT_T".into()
            }]
        );
    }

    #[test]
    fn a_number_that_goes_on_is_cut_and_said() {
        assert_eq!(
            check("X_01.02.03.045.cwe", Some("01.02.03.04"), None, None),
            [NameNote::Cut {
                kind: VersionKind::Firmware,
                used: "01.02.03.04".into(),
                whole: "01.02.03.045".into()
            }]
        );
        assert_eq!(
            check(
                "X_01.02.03.04_A_001.002_0034",
                Some("01.02.03.04"),
                Some("A"),
                Some("001.002_003")
            ),
            [NameNote::Cut {
                kind: VersionKind::Config,
                used: "001.002_003".into(),
                whole: "001.002_0034".into()
            }]
        );
    }

    #[test]
    fn a_config_version_without_a_carrier_is_not_used_and_said() {
        for text in [
            "X_01.02.03.04_001.002_000",
            "X_01.02.03.04_00_001.002_000",
            "X_01.02.03.04_00_?_001.002_000",
        ] {
            assert_eq!(
                check(text, Some("01.02.03.04"), None, None),
                [NameNote::CarrierUnreadable {
                    config: "001.002_000".into()
                }],
                "{text}"
            );
        }
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_read_without_a_panic(text: String, tail in "[_.0-9A-Z-]{0,60}") {
            let found = parse_versions(&format!("{text}{tail}"));
            proptest::prop_assert_eq!(found.carrier.is_some(), found.config.is_some());
        }
    }
}
