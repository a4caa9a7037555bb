//! The protocol that a boot loader speaks.

use std::fmt;

use firmware_image::DownloadProtocol;
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

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Qdl => "QDL",
            Self::SaharaFirehose => "Sahara/Firehose",
        })
    }
}
