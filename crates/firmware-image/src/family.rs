//! Which modems an image is for, judged by product code, version text and file name (cwe.md §7, images.md §4,
//! devices.md).

use alloc::{borrow::ToOwned, string::String, vec::Vec};
use core::fmt;

use crate::platform::{Model, Platform, tokens};

/// A family of modems: one chipset, one download protocol.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize), serde(rename_all = "snake_case"))]
pub enum Family {
    /// Gobi 1000.
    Gobi1000,
    /// Gobi 2000.
    Gobi2000,
    /// Gobi 3000.
    Gobi3000,
    /// `SWI9200X`, `SWI9200M`.
    Swi9200,
    /// `SWI9X15C`, `SWI9X15Y`.
    Swi9x15,
    /// `SWI9X30C`.
    Swi9x30,
    /// `SWI9X40C`; these modules can only be updated by the system that runs on them.
    Swi9x40,
    /// `SWI9X50C`.
    Swi9x50,
    /// `SWI9X07Y`, `SWI9X07H`.
    Swi9x07,
    /// `SWI9X06Y`.
    Swi9x06,
    /// `SWIX12C`.
    Sdx12,
    /// `SWIX55C`.
    Sdx55,
    /// `SWIX65C`.
    Sdx65,
    /// A product or platform that isn't in the list, as the image names it.
    Unknown(String),
}

/// How images reach a modem in download mode.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize), serde(rename_all = "snake_case"))]
pub enum DownloadProtocol {
    /// QDL (qdl.md).
    Qdl,
    /// Sahara, then Firehose (sahara-firehose.md).
    Sahara,
}

impl fmt::Display for DownloadProtocol {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Qdl => "QDL",
            Self::Sahara => "Sahara and Firehose",
        })
    }
}

impl Family {
    /// The families that a header's product code may mean: several if families share the code, none for an empty
    /// code.
    pub fn of_product(product: &str) -> Vec<Self> {
        let code = product.to_ascii_uppercase();
        let known: &[Self] = match code.as_str() {
            "9200" => &[Self::Swi9200],
            // devices.md: Y912 is the application level of WP85xx and WP750x, with inner images 9X15.
            "9X15" | "Y912" => &[Self::Swi9x15],
            "9X30" => &[Self::Swi9x30],
            "9X40" => &[Self::Swi9x40],
            "9X50" => &[Self::Swi9x50],
            // images.md §4, devices.md: both codes are used by the 9x07 and as "WP77 alternative".
            "9X28" | "Y921" => &[Self::Swi9x07, Self::Swi9x06],
            "9X07" => &[Self::Swi9x07],
            "9X06" | "Y931" => &[Self::Swi9x06],
            "" => &[],
            _ => return [Self::Unknown(product.to_owned())].into(),
        };
        known.to_vec()
    }

    /// The family that a version text or file name states: by its platform, by the bare `9200` of the long form, or
    /// by a model's name. `None` if the text states nothing. A platform that isn't in the list becomes
    /// [`Family::Unknown`].
    pub fn of_version_text(text: &str) -> Option<Self> {
        let mut unlisted = None;
        for platform in Platform::all_in(text) {
            match platform.family() {
                Some(family) => return Some(family),
                None => unlisted = unlisted.or(Some(Self::Unknown(platform.as_str().to_owned()))),
            }
        }
        if unlisted.is_some() {
            return unlisted;
        }
        if tokens(text).any(|token| token == "9200") {
            return Some(Self::Swi9200);
        }
        Model::in_text(text)?.target.map(|target| target.family)
    }

    /// How the family's modems are flashed in download mode. `None` for an unknown family, and for 9x40, which can't
    /// be flashed from outside (devices.md).
    pub const fn download_protocol(&self) -> Option<DownloadProtocol> {
        match self {
            Self::Gobi1000
            | Self::Gobi2000
            | Self::Gobi3000
            | Self::Swi9200
            | Self::Swi9x15
            | Self::Swi9x30 => Some(DownloadProtocol::Qdl),
            Self::Swi9x50 | Self::Swi9x07 | Self::Swi9x06 | Self::Sdx12 | Self::Sdx55 | Self::Sdx65 => {
                Some(DownloadProtocol::Sahara)
            }
            Self::Swi9x40 | Self::Unknown(_) => None,
        }
    }

    /// The family's modems, as text for the user (devices.md).
    pub const fn models(&self) -> &'static str {
        match self {
            Self::Gobi1000 => "Gobi 1000 modems (un2400)",
            Self::Gobi2000 => "Gobi 2000 modems (un2420)",
            Self::Gobi3000 => "MC8305, MC8355 and other Gobi 3000 modems",
            Self::Swi9200 => "MC7700, MC7710, MC7750, MC7770, EM7700",
            Self::Swi9x15 => {
                "MC7304, MC7305, MC7330, MC7354, MC7355, EM7305, EM7355, EM8805, MC8805, WP75xx, WP85xx, AR755x"
            }
            Self::Swi9x30 => "MC7455, EM7455, MC7430, EM7430 and their Lenovo and Dell variants",
            Self::Swi9x40 => "AR758x, AR759x",
            Self::Swi9x50 => "EM7565, EM7511, EM7411, EM7421, MC7411, MC7421",
            Self::Swi9x07 => "WP76xx, RC76xx",
            Self::Swi9x06 => "WP77xx",
            Self::Sdx12 => "EM7590",
            Self::Sdx55 => "EM9190, EM9191, EM7690",
            Self::Sdx65 => "EM9290, EM9291, EM9293",
            Self::Unknown(_) => "modems that this program doesn't know",
        }
    }

    /// Whether the family is in the list of known families.
    pub const fn is_known(&self) -> bool {
        !matches!(self, Self::Unknown(_))
    }
}

impl fmt::Display for Family {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Gobi1000 => "Gobi 1000",
            Self::Gobi2000 => "Gobi 2000",
            Self::Gobi3000 => "Gobi 3000",
            Self::Swi9200 => "9200",
            Self::Swi9x15 => "9x15",
            Self::Swi9x30 => "9x30",
            Self::Swi9x40 => "9x40",
            Self::Swi9x50 => "9x50",
            Self::Swi9x07 => "9x07",
            Self::Swi9x06 => "9x06",
            Self::Sdx12 => "SDX12",
            Self::Sdx55 => "SDX55",
            Self::Sdx65 => "SDX65",
            Self::Unknown(text) => return write!(formatter, "unknown ({text})"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn platform_tokens_tell_the_family() {
        let cases = [
            (
                "9999999_9999999_9200_03.05.29.03_00_generic_000.000_001_SPKG_MC",
                Family::Swi9200,
            ),
            ("SWI9200M_3.5-Release13-SWI9200X_03.05.29.03.exe", Family::Swi9200),
            ("INTERNAL_?_SWI9X15C_05.05.63.01_?_?_?_?", Family::Swi9x15),
            ("SWI9X15Y_07.12.09.00", Family::Swi9x15),
            ("SWI9X30C_02.33.03.00.cwe", Family::Swi9x30),
            ("swi9x50c_01.14.13.00_GENERIC_002.048_000.nvu", Family::Swi9x50),
            (
                "9999999_9907152_SWI9X07Y_02.37.03.00_00_GENERIC_002.095_000.spk",
                Family::Swi9x07,
            ),
            ("SWI9X07H_00.08.24.02", Family::Swi9x07),
            ("SWIX55C_03.14.10.00-001_VERIZON_030.089_000.nvu", Family::Sdx55),
            ("SWIX65C_02.17.08.00.cwe", Family::Sdx65),
            (
                "1102662_9905046_EM7455_02.05.07.00_00_Lenovo-Laptop_001.003_000.nvu",
                Family::Swi9x30,
            ),
            ("RC76xx_Release9_GENERIC_GCF_7620.spk", Family::Swi9x07),
        ];
        for (text, family) in cases {
            assert_eq!(Family::of_version_text(text), Some(family), "{text}");
        }
    }

    #[test]
    fn an_unknown_platform_is_kept_as_text_and_never_guessed() {
        assert_eq!(
            Family::of_version_text("SWI6200W_01.00.00.00"),
            Some(Family::Unknown("SWI6200W".into()))
        );
        assert_eq!(Family::of_version_text("spkg_sblz.cwe"), None);
        assert_eq!(Family::of_version_text("GENERIC_002.072_000"), None);
        assert_eq!(Family::of_product("9X99"), [Family::Unknown("9X99".into())]);
        assert_eq!(Family::Unknown("9X99".into()).download_protocol(), None);
    }

    #[test]
    fn product_codes_are_compared_without_regard_to_case() {
        assert_eq!(Family::of_product("9x30"), [Family::Swi9x30]);
        assert_eq!(Family::of_product("Y921"), [Family::Swi9x07, Family::Swi9x06]);
        assert_eq!(Family::of_product("y912"), [Family::Swi9x15]);
        assert_eq!(Family::of_product("9X28"), [Family::Swi9x07, Family::Swi9x06]);
        assert_eq!(Family::of_product(""), []);
    }

    #[test]
    fn protocols_follow_the_generation() {
        assert_eq!(Family::Swi9x30.download_protocol(), Some(DownloadProtocol::Qdl));
        assert_eq!(
            Family::Swi9x50.download_protocol(),
            Some(DownloadProtocol::Sahara)
        );
        assert_eq!(
            Family::Swi9x07.download_protocol(),
            Some(DownloadProtocol::Sahara)
        );
    }
}
