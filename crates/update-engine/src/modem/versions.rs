//! Versions of firmware and settings, and the carrier: what a modem runs, what it prefers, what the user asks
//! for.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Versions that the user gives, for what the files don't say.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Given {
    /// Firmware version, `02.33.03.00`.
    pub firmware: Option<String>,
    /// Config version, `002.072_000`.
    pub config: Option<String>,
    /// Carrier, `GENERIC`.
    pub carrier: Option<String>,
}

/// Firmware with its settings and carrier. A value that isn't known is `None`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trio {
    /// Firmware version, `02.33.03.00`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub firmware: Option<String>,
    /// Config version, `002.072_000`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub config: Option<String>,
    /// Carrier, `GENERIC`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub carrier: Option<String>,
}

impl fmt::Display for Trio {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words = [&self.firmware, &self.carrier, &self.config];
        let known: Vec<&str> = words.into_iter().flatten().map(String::as_str).collect();
        match known.as_slice() {
            [] => f.write_str("unknown"),
            known => f.write_str(&known.join(" ")),
        }
    }
}

impl Trio {
    /// The differences from `found`, each as name, wanted value and found value. Only values that both sides
    /// know are compared.
    pub fn differences<'t>(&'t self, found: &'t Self) -> Vec<(&'static str, &'t str, &'t str)> {
        let pairs = [
            ("firmware", &self.firmware, &found.firmware),
            ("carrier", &self.carrier, &found.carrier),
            ("config", &self.config, &found.config),
        ];
        pairs
            .into_iter()
            .filter_map(|(what, wanted, found)| Some((what, wanted.as_deref()?, found.as_deref()?)))
            .filter(|(_, wanted, found)| wanted != found)
            .collect()
    }

    /// Whether this names no firmware but leaves the choice to the SIM: `00.00.00.00` or `AUTO-SIM`
    /// (devices.md).
    pub fn is_by_sim(&self) -> bool {
        let is_auto = |carrier: &str| carrier.eq_ignore_ascii_case("AUTO-SIM");
        self.carrier.as_deref().is_some_and(is_auto) || self.firmware.as_deref() == Some("00.00.00.00")
    }

    /// Whether all three values are known.
    pub fn is_complete(&self) -> bool {
        self.firmware.is_some() && self.config.is_some() && self.carrier.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_both_know_can_differ() {
        let wanted = Trio {
            firmware: Some("1".into()),
            config: Some("2".into()),
            carrier: None,
        };
        let found = Trio {
            firmware: Some("3".into()),
            config: None,
            carrier: Some("X".into()),
        };
        assert_eq!(wanted.differences(&found), [("firmware", "1", "3")]);
    }
}
