//! The protocol that a boot loader speaks.

use std::fmt;

use firmware_image::{DownloadProtocol, Family};
use serde::{Deserialize, Serialize};

/// The protocol that a boot loader speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Protocol {
    /// QDL (qdl.md).
    Qdl,
    /// Sahara, then Firehose (sahara-firehose.md).
    SaharaFirehose,
}

impl From<DownloadProtocol> for Protocol {
    fn from(protocol: DownloadProtocol) -> Self {
        match protocol {
            DownloadProtocol::Qdl => Self::Qdl,
            DownloadProtocol::Sahara => Self::SaharaFirehose,
        }
    }
}

/// How the first seconds at the port of a boot loader go: the protocol, and who speaks first (sahara-firehose.md §6).
///
/// In JSON the first two have the names of their protocols.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Opening {
    /// QDL: the host speaks first.
    #[serde(rename = "qdl")]
    Qdl,
    /// Sahara: the boot loader speaks first. A byte that reaches the boot loader before its hello can spoil the session.
    #[serde(rename = "sahara_firehose")]
    Sahara,
    /// Sahara, but some of these boot loaders say hello only after the host's first bytes.
    #[serde(rename = "sahara_firehose_asked")]
    SaharaAsked,
}

impl Opening {
    /// The opening of a family's boot loaders; `None` if it isn't known.
    pub(crate) fn of(family: &Family) -> Option<Self> {
        match (family, family.download_protocol()?) {
            // RC76xx, WP76xx and WP77xx (sahara-firehose.md §6, rule (a), exception).
            (Family::Swi9x07 | Family::Swi9x06, _) => Some(Self::SaharaAsked),
            (_, DownloadProtocol::Qdl) => Some(Self::Qdl),
            (_, DownloadProtocol::Sahara) => Some(Self::Sahara),
        }
    }

    /// The opening that suits the boot loaders of all these families. `None` if there is none, or nothing is known.
    pub(crate) fn common<'f>(families: impl IntoIterator<Item = &'f Family>) -> Option<Self> {
        let mut openings = families.into_iter().map(Self::of);
        let first = openings.next()??;
        openings.try_fold(first, |known, other| match (known, other?) {
            (known, other) if known == other => Some(known),
            // No Sahara boot loader is harmed by a host that waits for the hello.
            (Self::Sahara | Self::SaharaAsked, Self::Sahara | Self::SaharaAsked) => Some(Self::Sahara),
            _ => None,
        })
    }

    /// The protocol.
    pub(crate) const fn protocol(self) -> Protocol {
        match self {
            Self::Qdl => Protocol::Qdl,
            Self::Sahara | Self::SaharaAsked => Protocol::SaharaFirehose,
        }
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Qdl => "QDL",
            Self::SaharaFirehose => "Sahara/Firehose",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_opening_suits_all_families_that_remain_possible() {
        use Family::{Sdx55, Sdx65, Swi9x06, Swi9x07, Swi9x15, Swi9x30, Swi9x50, Unknown};
        let common = |families: &[Family]| Opening::common(families);
        assert_eq!(common(&[Swi9x07]), Some(Opening::SaharaAsked));
        assert_eq!(common(&[Swi9x07, Swi9x06]), Some(Opening::SaharaAsked));
        assert_eq!(common(&[Sdx55, Sdx65]), Some(Opening::Sahara));
        // Of the two openings the patient one harms neither.
        assert_eq!(common(&[Swi9x06, Swi9x50]), Some(Opening::Sahara));
        assert_eq!(common(&[Swi9x30, Swi9x15]), Some(Opening::Qdl));
        // The row of the id 68c0.
        assert_eq!(common(&[Swi9x15, Swi9x07, Swi9x06]), None);
        assert_eq!(common(&[Swi9x07, Unknown("SWI9X99".into())]), None);
        assert_eq!(common(&[]), None);
    }

    #[test]
    fn an_opening_is_saved_under_the_name_of_its_protocol() {
        let saved = |opening: &Opening| serde_json::to_string(opening).unwrap();
        for opening in [Opening::Qdl, Opening::Sahara] {
            assert_eq!(
                saved(&opening),
                serde_json::to_string(&opening.protocol()).unwrap()
            );
        }
        assert_eq!(saved(&Opening::SaharaAsked), "\"sahara_firehose_asked\"");
    }
}
