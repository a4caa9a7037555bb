//! Platforms: the `SWI…` tokens under which Sierra builds firmware (images.md §5, §7; devices.md).
//!
//! Version texts in headers carry them (`INTERNAL_?_SWI9X30C_02.33.03.00_?_?_?_?`), and so does what a running modem says
//! of itself (`SWI9X30C_02.33.03.00 r8209 …`). So they are compared as text, and a platform that this program has never
//! heard of is told apart like any other.

use alloc::{borrow::ToOwned, string::String};
use core::fmt;

use crate::Family;

/// A platform, in upper case: `SWI9X30C`, `SWIX55C`, `SWI9200X`.
///
/// The letter at the end is the product line: `SWI9X07Y` is WP76xx, `SWI9X07H` is RC76xx, and neither takes the firmware of
/// the other.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(into = "String", try_from = "String")
)]
pub struct Platform(String);

/// Bytes of the longest token that counts. The longest known one has 8; a version text has 84 in all.
const LONGEST: usize = 12;

/// Platforms without the letter of their line, and their families (images.md §5, §7).
const FAMILIES: [(&str, Family); 10] = [
    ("SWI9200", Family::Swi9200),
    ("SWI9X15", Family::Swi9x15),
    ("SWI9X30", Family::Swi9x30),
    ("SWI9X40", Family::Swi9x40),
    ("SWI9X50", Family::Swi9x50),
    ("SWI9X07", Family::Swi9x07),
    ("SWI9X06", Family::Swi9x06),
    ("SWIX12", Family::Sdx12),
    ("SWIX55", Family::Sdx55),
    ("SWIX65", Family::Sdx65),
];

impl Platform {
    /// The platform that this token names, in any case. `None` for everything that isn't `SWI` with letters and at least
    /// one digit behind it: `SWISSCOM` is a carrier.
    pub fn parse(token: &str) -> Option<Self> {
        let token = token.to_ascii_uppercase();
        let rest = token.strip_prefix("SWI")?;
        let is_token = token.len() <= LONGEST
            && rest.bytes().all(|byte| byte.is_ascii_alphanumeric())
            && rest.bytes().any(|byte| byte.is_ascii_digit());
        is_token.then_some(Self(token))
    }

    /// All platforms that a version text or a file name tells, in their order.
    pub fn all_in(text: &str) -> impl Iterator<Item = Self> {
        tokens(text).filter_map(Self::parse)
    }

    /// The first platform that a version text tells.
    pub fn first_in(text: &str) -> Option<Self> {
        Self::all_in(text).next()
    }

    /// `SWI9X30C`.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Its family, when the platform is in the list.
    pub fn family(&self) -> Option<Family> {
        let stem = self.stem();
        let known = FAMILIES.iter().find(|(known, _)| *known == stem);
        known.map(|(_, family)| family.clone())
    }

    /// Whether firmware for one is firmware for the other.
    ///
    /// A token without the letter of its line doesn't contradict any line. 9200 has one line with two letters: the vendor's
    /// own `SWI9200M_3.5-Release13-SWI9200X_03.05.29.03.exe` carries both (images.md §7).
    pub fn is_same(&self, other: &Self) -> bool {
        let has_line = |platform: &Self| platform.0.len() > platform.stem().len();
        self == other
            || (self.stem() == other.stem()
                && (!has_line(self) || !has_line(other) || self.family() == Some(Family::Swi9200)))
    }

    /// The token without the letter of its line.
    fn stem(&self) -> &str {
        let is_letter = |byte: &u8| byte.is_ascii_alphabetic();
        match self.0.as_bytes() {
            [.., before, last] if is_letter(last) && before.is_ascii_digit() => {
                self.0.get(..self.0.len() - 1).unwrap_or_default()
            }
            _ => &self.0,
        }
    }
}

/// The text isn't a platform.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotAPlatform;

impl fmt::Display for NotAPlatform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a platform is written as in SWI9X30C or SWIX65C")
    }
}

impl core::error::Error for NotAPlatform {}

impl core::str::FromStr for Platform {
    type Err = NotAPlatform;

    fn from_str(text: &str) -> Result<Self, NotAPlatform> {
        Self::parse(text).ok_or(NotAPlatform)
    }
}

impl TryFrom<String> for Platform {
    type Error = NotAPlatform;

    fn try_from(text: String) -> Result<Self, NotAPlatform> {
        text.parse()
    }
}

impl From<Platform> for String {
    fn from(platform: Platform) -> Self {
        platform.0
    }
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What firmware is built for: a platform, or for Gobi modems, whose files carry no platform, a family alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// The family; [`Family::Unknown`] for a platform that isn't in the list.
    pub family: Family,
    /// The platform; none for Gobi modems.
    pub platform: Option<Platform>,
}

impl From<Platform> for Target {
    fn from(platform: Platform) -> Self {
        let family = platform.family();
        Self {
            family: family.unwrap_or_else(|| Family::Unknown(platform.as_str().to_owned())),
            platform: Some(platform),
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.platform {
            Some(platform) => fmt::Display::fmt(platform, f),
            None => fmt::Display::fmt(&self.family, f),
        }
    }
}

/// Names of models and what firmware they take (devices.md). AR755x have no letter: no source says which one.
/// EM86xx, EM7595 and MC7444 are missing on purpose: no package for them was seen.
const MODELS: [(&str, &str); 10] = [
    ("MC7700 MC7710 MC7750 MC7770 EM7700", "SWI9200X"),
    (
        "MC7304 MC7354 MC7330 MC7804 MC7305 MC7355 MC8805 EM7305 EM7355 EM8805 DW5570 DW5570e",
        "SWI9X15C",
    ),
    ("WP8548 WP85xx WPx5xx WP75xx WP750x WP7502 WP7504", "SWI9X15Y"),
    ("AR755x", "SWI9X15"),
    ("MC7455 EM7455 MC7430 EM7430", "SWI9X30C"),
    ("EM7565 EM7511 EM7411 EM7421 MC7411 MC7421", "SWI9X50C"),
    (
        "WP76xx WP7600 WP7601 WP7603 WP7605 WP7607 WP7608 WP7609 WP7610 WP7611",
        "SWI9X07Y",
    ),
    ("RC76xx RC7611 RC7612 RC7620", "SWI9X07H"),
    ("WP77xx WP770x WP7700 WP7702", "SWI9X06Y"),
    ("AR758x AR759x", "SWI9X40C"),
];

/// The same for modems of the fifth generation and their relatives.
const NEWER_MODELS: [(&str, &str); 3] = [
    ("EM7590", "SWIX12C"),
    ("EM9190 EM9191 EM919x EM7690", "SWIX55C"),
    ("EM9290 EM9291 EM9293 EM929x", "SWIX65C"),
];

/// Gobi modems (devices.md).
const GOBI_MODELS: &str = "MC8305 MC8355";

impl Target {
    /// What the model takes that is named in a text: a version text, a file name, the product string of a USB device, a
    /// model's name. `None` where no model of the list is named: `EM92xx` and `QUSB__BULK` say nothing.
    pub fn of_model(text: &str) -> Option<Self> {
        tokens(text).find_map(|token| {
            let is_named = |names: &str| {
                let mut names = names.split(' ');
                names.any(|name| name.eq_ignore_ascii_case(token))
            };
            if is_named(GOBI_MODELS) {
                return Some(Self {
                    family: Family::Gobi3000,
                    platform: None,
                });
            }
            let mut rows = MODELS.iter().chain(&NEWER_MODELS);
            let (_, platform) = rows.find(|(names, _)| is_named(names))?;
            Platform::parse(platform).map(Self::from)
        })
    }
}

/// The words of a version text, a file name or a product string.
pub(crate) fn tokens(text: &str) -> impl Iterator<Item = &str> {
    text.split(|letter: char| !letter.is_ascii_alphanumeric())
        .filter(|token| !token.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    fn platform(token: &str) -> Platform {
        Platform::parse(token).unwrap()
    }

    #[test]
    fn a_version_text_tells_its_platform_listed_or_not() {
        let of = |text| Platform::first_in(text).map(|platform| platform.0);
        let cases = [
            ("SWI9X07H_00.08.07.00 000000 jenkins", "SWI9X07H"),
            ("INTERNAL_?_SWI9X30C_02.33.03.00_?_?_?_?", "SWI9X30C"),
            ("swix55c_03.10.07.00.cwe", "SWIX55C"),
            ("SWIX12C_03.01.02.00", "SWIX12C"),
            ("SWI1234Q_01.00.00.00", "SWI1234Q"),
            ("SWI9200_1", "SWI9200"),
        ];
        for (text, expected) in cases {
            assert_eq!(of(text).as_deref(), Some(expected), "{text}");
        }
        for silent in [
            "9999999_9907152_9200_01.00",
            "WP76xx_Release16.0.1_GENERIC.spk",
            "SWISSCOM_002.035_000",
            "SWI",
            "SWI9X30CSWI9X30CSWI9X30C",
            "",
        ] {
            assert_eq!(of(silent), None, "{silent}");
        }
    }

    #[test]
    fn product_lines_differ_and_a_token_without_one_contradicts_none() {
        let is_same = |one: &str, other: &str| {
            let result = platform(one).is_same(&platform(other));
            assert_eq!(platform(other).is_same(&platform(one)), result);
            result
        };
        assert!(is_same("SWI9X07Y", "swi9x07y"));
        assert!(is_same("SWI9X07", "SWI9X07H"));
        // images.md §7: the vendor's own file name has both.
        assert!(is_same("SWI9200M", "SWI9200X"));
        for (one, other) in [
            ("SWI9X07Y", "SWI9X07H"),
            ("SWI9X15C", "SWI9X15Y"),
            ("SWIX12C", "SWI9X50C"),
            ("SWIX55C", "SWIX65C"),
            ("SWI1234Q", "SWI1234R"),
            ("SWI1234", "SWI5678"),
        ] {
            assert!(!is_same(one, other), "{one} {other}");
        }
    }

    #[test]
    fn one_vendors_name_has_two_platforms() {
        let both: Vec<Platform> =
            Platform::all_in("SWI9200M_3.5-Release13-SWI9200X_03.05.29.03.exe").collect();
        assert_eq!(both, [platform("SWI9200M"), platform("SWI9200X")]);
        assert_eq!(both[0].family(), Some(Family::Swi9200));
    }

    #[test]
    fn product_strings_of_real_devices_name_their_platform_or_nothing() {
        let of = |text| Target::of_model(text).map(|target| target.platform.unwrap().0);
        let cases = [
            ("Sierra Wireless EM7421 Qualcomm® Snapdragonâ\u{84}¢", "SWI9X50C"),
            ("Sierra Wireless WP7607", "SWI9X07Y"),
            ("Sierra Wireless RC7620", "SWI9X07H"),
            ("Sierra Wireless WP7702", "SWI9X06Y"),
            ("MC7304", "SWI9X15C"),
            ("Sierra Wireless EM7590", "SWIX12C"),
            ("Sierra Wireless EM9191", "SWIX55C"),
        ];
        for (text, expected) in cases {
            assert_eq!(of(text).as_deref(), Some(expected), "{text}");
        }
        for silent in [
            "EM92xx",
            "QUSB__BULK",
            "QUSB_BULK_CID:040A_SN:1234",
            "QDLoader",
            "",
        ] {
            assert_eq!(Target::of_model(silent), None, "{silent}");
        }
        // devices.md: no package was seen for these.
        for unknown in ["Semtech EM8695 Mobile Broadband Adapter", "EM7595"] {
            assert_eq!(Target::of_model(unknown), None, "{unknown}");
        }
        assert_eq!(Target::of_model("MC8305").unwrap().family, Family::Gobi3000);
    }

    #[test]
    fn every_row_of_the_tables_is_well_formed() {
        let mut seen: Vec<&str> = Vec::new();
        for (names, platform) in MODELS.iter().chain(&NEWER_MODELS) {
            assert!(
                Platform::parse(platform).unwrap().family().is_some(),
                "{platform}"
            );
            for name in names.split(' ') {
                assert!(!name.is_empty() && !seen.contains(&name), "{name}");
                seen.push(name);
            }
        }
    }
}
