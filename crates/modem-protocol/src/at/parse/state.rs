//! Whether the radio is off, and why: AT!PCINFO? and AT!GSTATUS?.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use super::{text, value};

/// What the modem is doing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mode {
    /// The radio is on.
    Online,
    /// The radio is off.
    LowPower,
    /// The radio is off until the next restart.
    Offline,
    /// Another word.
    Other(String),
}

impl Mode {
    /// Reads a mode. The two commands write low power in three ways: `Low Power Mode`, `LowPowerMode`, `LOW POWER
    /// MODE`.
    fn parse(words: &str) -> Self {
        let letters: String = words.chars().filter(|letter| !letter.is_whitespace()).collect();
        if letters.eq_ignore_ascii_case("ONLINE") {
            Self::Online
        } else if letters.eq_ignore_ascii_case("LOWPOWERMODE") {
            Self::LowPower
        } else if letters.eq_ignore_ascii_case("OFFLINE") {
            Self::Offline
        } else {
            Self::Other(words.into())
        }
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Online => write!(f, "online"),
            Self::LowPower => write!(f, "low power"),
            Self::Offline => write!(f, "offline"),
            Self::Other(words) => write!(f, "{words}"),
        }
    }
}

/// Answer to AT!PCINFO?.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PowerState {
    /// Whether the radio is on.
    pub mode: Mode,
    /// The parts of the modem that can keep the radio off, and whether they do.
    pub voters: Vec<Voter>,
    /// The rest of the answer, which depends on the modem's family.
    pub details: PowerDetails,
}

/// A part of the modem that can keep the radio off.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Voter {
    /// `W_DISABLE`, `IMSWITCH`
    pub name: String,
    /// Not 0 if this part keeps the radio off.
    pub vote: u32,
}

/// The part of [`PowerState`] that depends on the family.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PowerDetails {
    /// SWI9x30 and later: "LPM voters".
    Voters {
        /// The setting that lasts over a restart; "None" becomes `None`.
        persistence: Option<String>,
    },
    /// MC73xx: "LPM force flags".
    ForceFlags {
        /// State of the pin W_DISABLE.
        w_disable: Option<u32>,
        /// `Poweroff mode`
        power_off_mode: Option<u32>,
        /// `LPM Persistent`
        persistent: Option<u32>,
    },
}

impl PowerState {
    /// Whether the radio is off because firmware and carrier settings don't match each other or the preference. The
    /// voter is then IMSWITCH, or GOBIIM in the older layout (trace at_em7455_mc7455_dell).
    pub fn is_image_mismatch(&self) -> bool {
        self.voters
            .iter()
            .any(|voter| voter.is_image_switch() && voter.vote != 0)
    }

    /// The names of all other voters that keep the radio off.
    pub fn other_voters(&self) -> impl Iterator<Item = &str> {
        self.voters
            .iter()
            .filter(|voter| !voter.is_image_switch() && voter.vote != 0)
            .map(|voter| voter.name.as_str())
    }
}

impl Voter {
    fn is_image_switch(&self) -> bool {
        matches!(self.name.as_str(), "IMSWITCH" | "GOBIIM")
    }

    fn list(votes: &str) -> Vec<Self> {
        votes
            .split(',')
            .filter_map(|pair| pair.split_once(':'))
            .filter_map(|(name, vote)| {
                Some(Self {
                    name: text(name.trim())?,
                    vote: vote.trim().parse().ok()?,
                })
            })
            .collect()
    }
}

/// The text after `key` and a dash.
fn behind_dash<'a>(line: &'a str, key: &str) -> Option<&'a str> {
    Some(
        line.trim()
            .strip_prefix(key)?
            .trim_start()
            .strip_prefix('-')?
            .trim(),
    )
}

/// Reads the answer to AT!PCINFO?, in both layouts.
pub fn pcinfo(lines: &[String]) -> Option<PowerState> {
    let mut mode = None;
    let mut voters = Vec::new();
    let mut persistence = None;
    let (mut w_disable, mut power_off_mode, mut persistent) = (None, None, None);
    let mut has_flags = false;
    for line in lines {
        if let Some(votes) = behind_dash(line, "LPM voters") {
            voters = Voter::list(votes);
        } else if let Some(votes) = behind_dash(line, "LPM force flags") {
            voters = Voter::list(votes);
            has_flags = true;
        } else if let Some(words) = behind_dash(line, "LPM persistence") {
            persistence = text(words).filter(|words| words != "None");
        } else if let Some(words) = value(line, "State") {
            mode = text(words).map(|words| Mode::parse(&words));
        } else if let Some(pin) = value(line, "W_DISABLE") {
            w_disable = pin.parse().ok();
        } else if let Some(number) = value(line, "Poweroff mode") {
            power_off_mode = number.parse().ok();
        } else if let Some(number) = value(line, "LPM Persistent") {
            persistent = number.parse().ok();
        }
    }
    let details = if has_flags {
        PowerDetails::ForceFlags {
            w_disable,
            power_off_mode,
            persistent,
        }
    } else {
        PowerDetails::Voters { persistence }
    };
    Some(PowerState {
        mode: mode?,
        voters,
        details,
    })
}

/// Answer to AT!GSTATUS?, as far as it is needed here.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GeneralStatus {
    /// Seconds since the start.
    pub seconds: Option<u32>,
    /// Degrees Celsius.
    pub temperature: Option<i32>,
    /// How often the modem has restarted.
    pub resets: Option<u32>,
    /// Whether the radio is on.
    pub mode: Option<Mode>,
}

/// Reads the answer to AT!GSTATUS?.
pub fn gstatus(lines: &[String]) -> Option<GeneralStatus> {
    let mut found = GeneralStatus::default();
    for line in lines {
        for (key, value) in columns(line) {
            match key {
                "Current Time" => found.seconds = value.parse().ok(),
                "Temperature" => found.temperature = value.parse().ok(),
                "Reset Counter" => found.resets = value.parse().ok(),
                "Mode" => found.mode = text(value).map(|words| Mode::parse(&words)),
                _ => {}
            }
        }
    }
    (found != GeneralStatus::default()).then_some(found)
}

/// The pairs of a line with several columns: `Current Time:  434  Temperature: 29`. Columns are separated by two
/// blanks or a tab, and a key and its value may be separated in the same way.
fn columns(line: &str) -> impl Iterator<Item = (&str, &str)> {
    let mut cells = line
        .split('\t')
        .flat_map(|part| part.split("  "))
        .map(str::trim)
        .filter(|cell| !cell.is_empty())
        .peekable();
    core::iter::from_fn(move || {
        loop {
            let Some((key, value)) = cells.next()?.split_once(':') else {
                continue;
            };
            let value = match value.trim() {
                "" => cells.next_if(|cell| !cell.contains(':')).unwrap_or_default(),
                value if value.contains(':') => continue,
                value => value,
            };
            return Some((key.trim(), value));
        }
    })
}
