//! Which firmware and carrier settings the modem prefers and which it runs: AT!IMPREF? and AT!GOBIIMPREF?.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use super::text;

/// Answer to AT!IMPREF? or AT!GOBIIMPREF?.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ImagePreference {
    /// What the modem should run.
    pub preferred: Selection,
    /// What the modem runs.
    pub current: Selection,
    /// The differences between them that the modem reports. As long as there is one, the radio is off.
    pub mismatches: Vec<Mismatch>,
}

/// A firmware and its carrier settings. A modem that was never updated has only a firmware version.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selection {
    /// `02.33.03.00`
    pub firmware: Option<String>,
    /// `GENERIC`
    pub carrier: Option<String>,
    /// `GENERIC_002.072_000`: the carrier, and the version that QMI calls the unique id of the PRI.
    pub config: Option<String>,
    /// `000`; reported by SWI9x30 firmware 02.33 and newer.
    pub sub_pri: Option<String>,
}

impl Selection {
    /// The version in [`Selection::config`]: `002.072_000`.
    pub fn config_version(&self) -> Option<&str> {
        let config = self.config.as_deref()?;
        // The version contains an underscore, so it is the last two parts.
        let (rest, _) = config.rsplit_once('_')?;
        let at = rest.rfind('_').map_or(0, |at| at + 1);
        config.get(at..)
    }
}

/// What differs between the preferred and the current selection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mismatch {
    /// `fw version mismatch` or `fw mismatch`
    Firmware,
    /// `carrier name mismatch`
    Carrier,
    /// `config name mismatch`
    Config,
    /// Another line that ends in "mismatch"; the text before that word.
    Other(String),
}

/// The mismatch in the modem's words.
impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Firmware => write!(f, "fw version mismatch"),
            Self::Carrier => write!(f, "carrier name mismatch"),
            Self::Config => write!(f, "config name mismatch"),
            Self::Other(what) => write!(f, "{what} mismatch"),
        }
    }
}

impl Mismatch {
    fn parse(line: &str) -> Option<Self> {
        let what = line.trim().strip_suffix("mismatch")?.trim();
        Some(match what {
            "fw version" | "fw" => Self::Firmware,
            "carrier name" => Self::Carrier,
            "config name" => Self::Config,
            other => Self::Other(other.into()),
        })
    }
}

/// Reads the answer to AT!IMPREF? or AT!GOBIIMPREF?.
pub fn impref(lines: &[String]) -> Option<ImagePreference> {
    let mut found = ImagePreference::default();
    let mut is_answer = false;
    for line in lines {
        if let Some((field, value)) = line.split_once(':').and_then(|(key, value)| {
            let field = field(&mut found, key.trim())?;
            Some((field, value.trim()))
        }) {
            *field = text(value);
            is_answer = true;
        } else if let Some(mismatch) = Mismatch::parse(line) {
            found.mismatches.push(mismatch);
        }
    }
    is_answer.then_some(found)
}

fn field<'a>(found: &'a mut ImagePreference, key: &str) -> Option<&'a mut Option<String>> {
    let (which, what) = key.split_once(' ')?;
    let selection = match which {
        "preferred" => &mut found.preferred,
        "current" => &mut found.current,
        _ => return None,
    };
    Some(match what.trim() {
        "fw version" => &mut selection.firmware,
        "carrier name" => &mut selection.carrier,
        "config name" => &mut selection.config,
        "subpri index" => &mut selection.sub_pri,
        _ => return None,
    })
}
