//! Platforms: the `SWI…` tokens under which Sierra builds firmware (images.md §5, §7; devices.md).
//!
//! Version texts in headers contain them (`INTERNAL_?_SWI9X30C_02.33.03.00_?_?_?_?`), and so does the revision that a
//! running modem reports (`SWI9X30C_02.33.03.00 r8209 …`). Platforms are compared as text, so this program can tell
//! apart even platforms that it doesn't know.

use alloc::{borrow::ToOwned, string::String};
use core::fmt;

use crate::Family;

/// A platform, in upper case: `SWI9X30C`, `SWIX55C`, `SWI9200X`.
///
/// The letter at the end is the product line: `SWI9X07Y` is WP76xx, `SWI9X07H` is RC76xx, and neither takes the
/// other's firmware.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(into = "String", try_from = "String")
)]
pub struct Platform(String);

/// Platforms without the letter of their product line, and their families (images.md §5, §7).
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
    /// The platform that this token names, in upper or lower case: `SWI`, then a digit, or a letter and a digit, then
    /// any letters and digits. `None` for everything else: `SWISSCOM5G` is a carrier.
    pub fn parse(token: &str) -> Option<Self> {
        let token = token.to_ascii_uppercase();
        let rest = token.strip_prefix("SWI")?.as_bytes();
        let is_token = match rest {
            [first, ..] if first.is_ascii_digit() => true,
            [first, second, ..] => first.is_ascii_alphabetic() && second.is_ascii_digit(),
            _ => false,
        };
        (is_token && rest.iter().all(u8::is_ascii_alphanumeric)).then_some(Self(token))
    }

    /// All platforms in a version text or a file name, in order.
    pub fn all_in(text: &str) -> impl Iterator<Item = Self> {
        tokens(text).filter_map(Self::parse)
    }

    /// The first platform in a version text.
    pub fn first_in(text: &str) -> Option<Self> {
        Self::all_in(text).next()
    }

    /// `SWI9X30C`.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The platform's family; `None` if the platform isn't in the list.
    pub fn family(&self) -> Option<Family> {
        let stem = self.stem();
        let known = FAMILIES.iter().find(|(known, _)| *known == stem);
        known.map(|(_, family)| family.clone())
    }

    /// Whether firmware for one platform is firmware for the other. `None` if that is open: one of them lacks the
    /// letter of its product line, and the family has several lines or isn't in the list.
    ///
    /// 9200 is one line with two letters: the vendor's own `SWI9200M_3.5-Release13-SWI9200X_03.05.29.03.exe` has both
    /// (images.md §7).
    pub fn agrees(&self, other: &Self) -> Option<bool> {
        let has_line = |platform: &Self| platform.0.len() > platform.stem().len();
        if self.stem() != other.stem() {
            return Some(false);
        }
        let family = self.family();
        if has_line(self) && has_line(other) {
            return Some(self == other || family == Some(Family::Swi9200));
        }
        match family {
            Some(family) => (family.lines() <= 1).then_some(true),
            None => (self == other).then_some(true),
        }
    }

    /// Whether firmware for one platform is certainly not for the other.
    pub fn contradicts(&self, other: &Self) -> bool {
        self.agrees(other) == Some(false)
    }

    /// The models that take the platform's firmware, as text for the user: `WP76xx`. `None` if the platform isn't in
    /// the list.
    pub fn models(&self) -> Option<String> {
        let mut rows = MODELS.iter().filter(|(platform, _)| *platform == self.0);
        let names = match rows.next() {
            Some((_, names)) => names.replace(' ', ", "),
            None => self.family()?.models().to_owned(),
        };
        Some(names)
    }

    /// The token without the letter of its product line.
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

/// What firmware is built for: a platform. For Gobi modems only a family, because their files name no platform.
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

/// Platforms and the models that take their firmware (devices.md). An `x` stands for any digit or for the letter x
/// itself. devices.md lists AR755x next to WP85xx, but no version text of an AR755x has been seen, so the letter is
/// left open. EM86xx, EM7595 and MC7444 are left out on purpose, because no package for them has been seen.
const MODELS: [(&str, &str); 13] = [
    ("SWI9200X", "MC7700 MC7710 MC7750 MC7770 EM7700"),
    (
        "SWI9X15C",
        "MC7304 MC7305 MC7330 MC7354 MC7355 MC7804 MC8805 EM7305 EM7355 EM8805 DW5570 DW5570e",
    ),
    ("SWI9X15Y", "WP75xx WP85xx WPx5xx"),
    ("SWI9X15", "AR755x"),
    ("SWI9X30C", "MC7430 MC7455 EM7430 EM7455"),
    ("SWI9X40C", "AR758x AR759x"),
    ("SWI9X50C", "EM7411 EM7421 EM7511 EM7565 MC7411 MC7421"),
    ("SWI9X07Y", "WP76xx"),
    ("SWI9X07H", "RC76xx"),
    ("SWI9X06Y", "WP77xx"),
    ("SWIX12C", "EM7590"),
    ("SWIX55C", "EM7690 EM919x"),
    ("SWIX65C", "EM929x"),
];

/// Gobi modems (devices.md).
const GOBI_MODELS: &str = "MC8305 MC8355";

/// How Sierra's own model names begin; four digits follow.
const OWN_NAMES: [&str; 5] = ["EM", "MC", "WP", "RC", "AR"];

/// A model that a text names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Model<'t> {
    /// The model's name, as written in the text.
    pub name: &'t str,
    /// Which firmware the model takes; `None` if that isn't known.
    pub target: Option<Target>,
}

impl<'t> Model<'t> {
    /// The first model named in a text: a version text, a file name, the product string of a USB device, or a model's
    /// own name. `None` if the text names no model, as `EM92xx` and `QUSB__BULK` don't.
    pub fn in_text(text: &'t str) -> Option<Self> {
        tokens(text).find_map(|name| {
            let target = target_of_model(name);
            (target.is_some() || is_own_name(name)).then_some(Self { name, target })
        })
    }
}

fn target_of_model(name: &str) -> Option<Target> {
    let is_in = |names: &str| names.split(' ').any(|pattern| is_named(pattern, name));
    if is_in(GOBI_MODELS) {
        return Some(Target {
            family: Family::Gobi3000,
            platform: None,
        });
    }
    let (platform, _) = MODELS.iter().find(|(_, names)| is_in(names))?;
    Platform::parse(platform).map(Target::from)
}

/// Whether a name fits a pattern in which `x` stands for a digit.
fn is_named(pattern: &str, name: &str) -> bool {
    let fits = |(pattern, letter): (u8, u8)| {
        pattern.eq_ignore_ascii_case(&letter) || (pattern == b'x' && letter.is_ascii_digit())
    };
    pattern.len() == name.len() && pattern.bytes().zip(name.bytes()).all(fits)
}

/// Whether a word looks like the name of a Sierra model.
fn is_own_name(name: &str) -> bool {
    let is_number = |number: &str| number.len() == 4 && number.bytes().all(|digit| digit.is_ascii_digit());
    let begins = |prefix: &str| name.strip_prefix(prefix).is_some_and(is_number);
    OWN_NAMES.into_iter().any(begins)
}

impl Family {
    /// How many platforms the family's modems have. If there are several, the family alone doesn't say which one is
    /// meant.
    fn lines(&self) -> usize {
        let platforms = MODELS
            .iter()
            .filter_map(|(platform, _)| Platform::parse(platform));
        platforms
            .filter(|platform| platform.family().as_ref() == Some(self))
            .count()
    }

    /// Whether a modem that takes firmware for `target` takes this family's firmware. `None` if that is open: the
    /// family has several product lines, or isn't in the list.
    pub fn agrees(&self, target: &Target) -> Option<bool> {
        let is_gobi = |family: &Self| matches!(family, Self::Gobi1000 | Self::Gobi2000 | Self::Gobi3000);
        if !self.is_known() || !target.family.is_known() {
            return None;
        }
        // The Gobi generations share ids and file names (update-flow.md §2), so they can't be told apart here.
        if is_gobi(self) && is_gobi(&target.family) {
            return Some(true);
        }
        if *self != target.family {
            return Some(false);
        }
        (self.lines() <= 1).then_some(true)
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
            "/swir/nvdelta/SWISSCOM5G.010",
            "SWI",
            "SWIX",
            "",
        ] {
            assert_eq!(of(silent), None, "{silent}");
        }
        // A token in the form of a platform is an unknown platform, not the known one that it begins with.
        assert_eq!(of("SWI9X50CABCDEFGHIJ_1").as_deref(), Some("SWI9X50CABCDEFGHIJ"));
    }

    #[test]
    fn product_lines_differ_and_a_token_without_one_leaves_it_open() {
        let agrees = |one: &str, other: &str| {
            let result = platform(one).agrees(&platform(other));
            assert_eq!(platform(other).agrees(&platform(one)), result);
            result
        };
        assert_eq!(agrees("SWI9X07Y", "swi9x07y"), Some(true));
        for open in ["SWI9X07", "SWI9X07H"] {
            assert_eq!(agrees("SWI9X07", open), None);
        }
        assert_eq!(agrees("SWI9X30", "SWI9X30C"), Some(true));
        assert_eq!(agrees("SWI1234", "SWI1234"), Some(true));
        assert_eq!(agrees("SWI1234", "SWI1234Q"), None);
        // images.md §7: the vendor's own file name has both.
        assert_eq!(agrees("SWI9200M", "SWI9200X"), Some(true));
        assert_eq!(agrees("SWI9200", "SWI9200X"), Some(true));
        for (one, other) in [
            ("SWI9X07Y", "SWI9X07H"),
            ("SWI9X15C", "SWI9X15Y"),
            ("SWIX12C", "SWI9X50C"),
            ("SWIX55C", "SWIX65C"),
            ("SWI1234Q", "SWI1234R"),
            ("SWI1234", "SWI5678"),
        ] {
            assert_eq!(agrees(one, other), Some(false), "{one} {other}");
        }
    }

    #[test]
    fn a_family_with_several_lines_leaves_open_which_is_meant() {
        let target = |name: &str| Target::from(platform(name));
        assert_eq!(Family::Swi9x30.agrees(&target("SWI9X30C")), Some(true));
        assert_eq!(Family::Swi9x30.agrees(&target("SWI9X50C")), Some(false));
        for line in ["SWI9X07Y", "SWI9X07H"] {
            assert_eq!(Family::Swi9x07.agrees(&target(line)), None);
        }
        assert_eq!(Family::Swi9x15.agrees(&target("SWI9X15Y")), None);
        assert_eq!(Family::Swi9x30.agrees(&target("SWI1234Q")), None);
        let gobi = Target {
            family: Family::Gobi2000,
            platform: None,
        };
        assert_eq!(Family::Gobi3000.agrees(&gobi), Some(true));
        assert_eq!(Family::Swi9x30.agrees(&gobi), Some(false));
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
        let of = |text| Model::in_text(text).map(|model| model.target.unwrap().platform.unwrap().0);
        let cases = [
            ("Sierra Wireless EM7421 Qualcomm® Snapdragonâ\u{84}¢", "SWI9X50C"),
            ("Sierra Wireless WP7607", "SWI9X07Y"),
            ("Sierra Wireless RC7620", "SWI9X07H"),
            ("Sierra Wireless WP7702", "SWI9X06Y"),
            ("WP8548", "SWI9X15Y"),
            ("AR7554", "SWI9X15"),
            ("AR7588", "SWI9X40C"),
            ("MC7304", "SWI9X15C"),
            ("Sierra Wireless EM7590", "SWIX12C"),
            ("Sierra Wireless EM9191", "SWIX55C"),
            ("WPx5xx_Release14_GENERIC_SPK.spk", "SWI9X15Y"),
        ];
        for (text, expected) in cases {
            assert_eq!(of(text).as_deref(), Some(expected), "{text}");
        }
        for silent in [
            "EM92xx",
            "QUSB__BULK",
            "QUSB_BULK_CID:040A_SN:1234",
            "QDLoader",
            "DW5811e",
            "",
        ] {
            assert_eq!(Model::in_text(silent), None, "{silent}");
        }
        // devices.md: no package has been seen for these.
        for (text, name) in [
            ("Semtech EM8695 Mobile Broadband Adapter", "EM8695"),
            ("EM7595", "EM7595"),
        ] {
            assert_eq!(Model::in_text(text), Some(Model { name, target: None }));
        }
        assert_eq!(
            Model::in_text("MC8305").unwrap().target.unwrap().family,
            Family::Gobi3000
        );
    }

    #[test]
    fn a_platform_is_described_by_its_own_models() {
        assert_eq!(platform("SWI9X07H").models().as_deref(), Some("RC76xx"));
        assert_eq!(platform("SWI9X07Y").models().as_deref(), Some("WP76xx"));
        assert_eq!(
            platform("SWI9X07").models().as_deref(),
            Some(Family::Swi9x07.models())
        );
        assert_eq!(platform("SWI1234Q").models(), None);
    }

    #[test]
    fn every_row_of_the_tables_is_well_formed() {
        let mut seen: Vec<&str> = Vec::new();
        for (platform, names) in MODELS {
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
