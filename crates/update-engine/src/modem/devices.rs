//! The device table: USB ids, families, protocols and habits (devices.md).
//!
//! The table is plain Rust: the compiler checks every row, nothing is parsed at build time or at run time,
//! and adding a row is as easy as in any other format. The engine acts on what the modem answers; the table
//! supplies hints, sanity checks and names.

use std::ops::Bound::{self, Excluded, Included, Unbounded};
use std::ops::RangeBounds;

use firmware_image::{Family, Platform, Target};

use super::protocol::Protocol;

/// A peculiarity of a modem that needs care.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Quirk {
    /// The modem answered 0x1F when the host sent something within 2 s of enumeration (sahara-firehose.md
    /// §6.2).
    HoldBack,
    /// An old boot loader fails at the first blocks on a SuperSpeed port (field-reports.md C5).
    BreaksOnUsb3,
    /// Nobody has seen the modem's download id. The id in the table follows from the rule (devices.md).
    DownloadIdByRule,
    /// The modem leaves download mode if M.2 pin 25 (DPR) is tied to ground or 1.8 V (field-reports.md B1).
    DprPin,
}

/// The firmware that the models of a row take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Takes {
    /// No package for these models was seen, so only the modem itself can say.
    Unknown,
    /// Gobi files, which carry no platform.
    Gobi(&'static [Family]),
    /// Packages of these platforms. A platform without the letter of its line stands for all lines.
    Platforms(&'static [&'static str]),
}

/// One row of the device table.
#[derive(Debug, PartialEq, Eq)]
pub struct Device {
    /// Models with these ids.
    pub models: &'static str,
    /// The firmware that these models take.
    pub takes: Takes,
    /// `(vendor, product)` in normal mode.
    pub normal: &'static [(u16, u16)],
    /// `(vendor, product)` in download mode.
    pub download: &'static [(u16, u16)],
    /// The protocol in download mode; none if modems of both protocols share the ids.
    pub protocol: Option<Protocol>,
    /// Peculiarities.
    pub quirks: &'static [Quirk],
}

/// Sierra Wireless.
const SIERRA: u16 = 0x1199;
/// Dell, which sells many other devices too.
const DELL: u16 = 0x413c;
/// HP, which sells many other devices too.
const HP: u16 = 0x03f0;

use Family::{Gobi1000, Gobi2000, Gobi3000};
use Protocol::{Qdl, SaharaFirehose};
use Takes::{Gobi, Platforms, Unknown};

/// All known devices (devices.md).
#[rustfmt::skip]
pub const DEVICES: &[Device] = &[
    // devices.md, last section: HP and Dell sold Gobi modems under their own vendor numbers.
    Device { models: "Gobi 1000 modems", takes: Gobi(&[Gobi1000]), protocol: Some(Qdl), quirks: &[],
        normal: &[(HP, 0x1f1d), (DELL, 0x8172)], download: &[(HP, 0x201d), (DELL, 0x8171)] },
    Device { models: "Gobi 2000 modems", takes: Gobi(&[Gobi2000]), protocol: Some(Qdl), quirks: &[],
        normal: &[(SIERRA, 0x9001), (SIERRA, 0x9002), (SIERRA, 0x9003), (SIERRA, 0x9004), (SIERRA, 0x9005),
            (SIERRA, 0x9006), (SIERRA, 0x9007), (SIERRA, 0x9008), (SIERRA, 0x9009), (SIERRA, 0x900a),
            (HP, 0x251d), (DELL, 0x8186)],
        download: &[(SIERRA, 0x9000), (HP, 0x241d), (DELL, 0x8185)] },
    // linux.md §2: the kernel uses its Gobi layout for these ids; the models are not known.
    Device { models: "Gobi 2000/3000 modems", takes: Gobi(&[Gobi2000, Gobi3000]), protocol: Some(Qdl), quirks: &[],
        normal: &[(SIERRA, 0x68a5), (SIERRA, 0x68a9)], download: &[(SIERRA, 0x68a4), (SIERRA, 0x68a8)] },
    Device { models: "MC8305/MC8355", takes: Gobi(&[Gobi3000]), protocol: Some(Qdl), quirks: &[],
        normal: &[(SIERRA, 0x9011), (SIERRA, 0x9013), (SIERRA, 0x9015), (SIERRA, 0x9019), (HP, 0x371d), (DELL, 0x8194)],
        download: &[(SIERRA, 0x9010), (SIERRA, 0x9012), (SIERRA, 0x9014), (SIERRA, 0x9018), (DELL, 0x8193)] },
    // The id is the same in both modes: the number of interfaces tells the mode. 68a3 is the same modem with
    // DirectIP.
    Device { models: "MC7700/MC7710/MC7750", takes: Platforms(&["SWI9200X"]), protocol: Some(Qdl), quirks: &[],
        normal: &[(SIERRA, 0x68a2), (0x0f3d, 0x68a2), (0x114f, 0x68a2), (SIERRA, 0x68a3), (0x0f3d, 0x68a3)],
        download: &[(SIERRA, 0x68a2), (0x0f3d, 0x68a2), (0x114f, 0x68a2)] },
    Device { models: "EM7700/MC7770", takes: Platforms(&["SWI9200X"]), protocol: Some(Qdl), quirks: &[],
        normal: &[(SIERRA, 0x901c), (SIERRA, 0x901b)], download: &[] },
    // MC73xx and WP85xx speak QDL, WP76xx and RC76xx speak Sahara: only the modem itself shows which
    // (sahara-firehose.md §6).
    Device { models: "MC73xx/WP75xx/WP85xx or WP76xx/WP77xx/RC76xx",
        takes: Platforms(&["SWI9X15", "SWI9X07Y", "SWI9X07H", "SWI9X06Y"]), protocol: None, quirks: &[],
        normal: &[(SIERRA, 0x68c0)], download: &[(SIERRA, 0x68c0)] },
    Device { models: "MC7305/MC7355", takes: Platforms(&["SWI9X15C"]), protocol: Some(Qdl), quirks: &[],
        normal: &[(SIERRA, 0x9041)], download: &[(SIERRA, 0x9040)] },
    Device { models: "EM7355", takes: Platforms(&["SWI9X15C"]), protocol: Some(Qdl), quirks: &[],
        normal: &[(SIERRA, 0x901f), (HP, 0x4e1d)], download: &[(SIERRA, 0x901e)] },
    Device { models: "EM7305", takes: Platforms(&["SWI9X15C"]), protocol: Some(Qdl), quirks: &[],
        normal: &[(SIERRA, 0x9063)], download: &[(SIERRA, 0x9062)] },
    // No source names the models or their line.
    Device { models: "9x15 modem", takes: Platforms(&["SWI9X15"]), protocol: Some(Qdl), quirks: &[],
        normal: &[(SIERRA, 0x9061)], download: &[(SIERRA, 0x9060)] },
    Device { models: "AirCard 340U/341U", takes: Platforms(&["SWI9X15"]), protocol: Some(Qdl), quirks: &[],
        normal: &[(SIERRA, 0x9051), (SIERRA, 0x9053), (SIERRA, 0x9054), (SIERRA, 0x9055), (SIERRA, 0x9056), (SIERRA, 0x9057)],
        download: &[] },
    Device { models: "DW5806/DW5808/DW5809", takes: Platforms(&["SWI9X15"]), protocol: Some(Qdl), quirks: &[],
        normal: &[(DELL, 0x81a2), (DELL, 0x81a8), (DELL, 0x81a9), (DELL, 0x81b1), (DELL, 0x81b3)], download: &[] },
    // These modems were long taken for Gobi 3000, but they report SWI9X15C_01.08.16.02.
    Device { models: "DW5570 (MC8805/EM8805)", takes: Platforms(&["SWI9X15C"]), protocol: Some(Qdl), quirks: &[],
        normal: &[(DELL, 0x81a3), (DELL, 0x81a4)], download: &[(DELL, 0x81a6)] },
    Device { models: "MC7455/MC7430/EM7455/EM7430", takes: Platforms(&["SWI9X30C"]), protocol: Some(Qdl),
        quirks: &[], normal: &[(SIERRA, 0x9071)], download: &[(SIERRA, 0x9070)] },
    Device { models: "EM7430", takes: Platforms(&["SWI9X30C"]), protocol: Some(Qdl),
        quirks: &[Quirk::DownloadIdByRule], normal: &[(SIERRA, 0x9077)], download: &[(SIERRA, 0x9076)] },
    // An MC7455 whose USB composition was set to MBIM only (forum 8499).
    Device { models: "MC7455 (MBIM only)", takes: Platforms(&["SWI9X30C"]), protocol: Some(Qdl),
        quirks: &[], normal: &[(SIERRA, 0x68b1)], download: &[] },
    Device { models: "EM7455 (Lenovo)", takes: Platforms(&["SWI9X30C"]), protocol: Some(Qdl), quirks: &[],
        normal: &[(SIERRA, 0x9079), (SIERRA, 0x907b)], download: &[(SIERRA, 0x9078), (SIERRA, 0x907a)] },
    Device { models: "EM7455 (Fujitsu)", takes: Platforms(&["SWI9X30C"]), protocol: Some(Qdl), quirks: &[],
        normal: &[(SIERRA, 0x9075)], download: &[] },
    Device { models: "DW5811e (EM7455)", takes: Platforms(&["SWI9X30C"]), protocol: Some(Qdl), quirks: &[],
        normal: &[(DELL, 0x81b6), (DELL, 0x81c2)], download: &[(DELL, 0x81b5)] },
    // Hybrid ids: the owner had missed AT!USBVID (field-reports.md I5).
    Device { models: "EM7455 (with Dell's number)", takes: Platforms(&["SWI9X30C"]), protocol: Some(Qdl), quirks: &[],
        normal: &[(DELL, 0x9071)], download: &[(DELL, 0x9070)] },
    Device { models: "DW5816e/DW5818/DW5819", takes: Unknown, protocol: None, quirks: &[],
        normal: &[(DELL, 0x81cc), (DELL, 0x81d2), (DELL, 0x81d0)],
        download: &[(DELL, 0x81cb), (DELL, 0x81d1), (DELL, 0x81cf)] },
    // The only pair whose download id is the higher one.
    Device { models: "DW5826e", takes: Unknown, protocol: None, quirks: &[],
        normal: &[(DELL, 0x8217)], download: &[(DELL, 0x8218)] },
    Device { models: "EM7565/EM7511/EM7411/EM7421/MC7411/MC7421", takes: Platforms(&["SWI9X50C"]), protocol: Some(SaharaFirehose),
        quirks: &[Quirk::HoldBack, Quirk::BreaksOnUsb3, Quirk::DprPin],
        normal: &[(SIERRA, 0x9091), (SIERRA, 0x90b1), (SIERRA, 0x90c1), (SIERRA, 0x90c3)],
        download: &[(SIERRA, 0x9090), (SIERRA, 0x90b0), (SIERRA, 0x90c0), (SIERRA, 0x90c2)] },
    // A modem with the id c082 was seen after a flash (forum 35873).
    Device { models: "EM7590", takes: Platforms(&["SWIX12C"]), protocol: Some(SaharaFirehose), quirks: &[Quirk::DprPin],
        normal: &[(SIERRA, 0xc081)], download: &[(SIERRA, 0xc080), (SIERRA, 0xc082)] },
    // Routers give EM929x modems these ids too (devices.md, last section).
    Device { models: "EM9190/EM9191/EM7690 or EM929x", takes: Platforms(&["SWIX55C", "SWIX65C"]), protocol: Some(SaharaFirehose),
        quirks: &[], normal: &[(SIERRA, 0x90d3)], download: &[(SIERRA, 0x90d2)] },
    Device { models: "EM9190/EM9191/EM7690", takes: Platforms(&["SWIX55C"]), protocol: Some(SaharaFirehose), quirks: &[],
        normal: &[(SIERRA, 0x90d9)], download: &[(SIERRA, 0x90d8)] },
    // The only report of SWIX55C firmware on an EM9291 ended in a refusal (forum 32102).
    Device { models: "EM9290/EM9291/EM9293", takes: Platforms(&["SWIX65C"]), protocol: Some(SaharaFirehose), quirks: &[],
        normal: &[(SIERRA, 0x90e3), (SIERRA, 0x90e1)], download: &[(SIERRA, 0x90e2), (SIERRA, 0x90e0)] },
    Device { models: "EM86xx (EM8695)", takes: Unknown, protocol: None, quirks: &[],
        normal: &[(SIERRA, 0x90e5)], download: &[(SIERRA, 0x90e4)] },
];

/// A firmware version in numbers: `01.05.01.00`.
pub type Version = [u8; 4];

/// What an update from one firmware version to another has to respect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Passage {
    /// This version, given in words, has to be installed first: after a direct update the modem may never
    /// leave its boot loader again.
    Through(&'static str),
    /// The settings may only be sent once the new firmware runs: first the firmware alone, then both.
    FirmwareFirst,
    /// There is no safe way back to the older version.
    NoWayBack,
}

/// One rule for updates between firmware versions.
#[derive(Debug)]
pub struct VersionRule {
    /// The platform that the revision of a modem has to contain for this rule to apply.
    pub firmware: &'static str,
    /// The versions that the modem runs before the update.
    pub from: (Bound<Version>, Bound<Version>),
    /// The versions that the modem is to run after the update.
    pub to: (Bound<Version>, Bound<Version>),
    /// What the update has to respect.
    pub passage: Passage,
}

/// Release 9 of SWI9X50C, which introduced signed settings.
const SIGNED_SETTINGS: Version = [1, 5, 1, 0];
/// Release 10 of SWI9X50C, from which there is no safe way back.
const NO_WAY_BACK: Version = [1, 7, 0, 0];

/// All known rules (field-reports.md). Pre-production firmware has a rule of its own, in `pre_production`.
#[rustfmt::skip]
pub const VERSION_RULES: &[VersionRule] = &[
    // F1, F4
    VersionRule { firmware: "SWI9X50C", from: (Unbounded, Excluded(SIGNED_SETTINGS)), to: (Excluded(SIGNED_SETTINGS), Unbounded),
        passage: Passage::Through("01.05.01.00 (GENERIC 001.028_000)") },
    // F4
    VersionRule { firmware: "SWI9X50C", from: (Unbounded, Excluded(SIGNED_SETTINGS)), to: (Unbounded, Included(SIGNED_SETTINGS)),
        passage: Passage::FirmwareFirst },
    // F5
    VersionRule { firmware: "SWI9X50C", from: (Included(NO_WAY_BACK), Unbounded), to: (Unbounded, Excluded(NO_WAY_BACK)),
        passage: Passage::NoWayBack },
];

impl VersionRule {
    /// Whether the rule applies to this update.
    pub fn applies(&self, revision: &str, from: Version, to: Version) -> bool {
        revision.contains(self.firmware) && self.from.contains(&from) && self.to.contains(&to)
    }
}

impl Device {
    /// The firmware that the models of this row take; empty if that isn't known.
    pub fn targets(&self) -> Vec<Target> {
        match self.takes {
            Unknown => Vec::new(),
            Gobi(families) => families
                .iter()
                .map(|family| Target {
                    family: family.clone(),
                    platform: None,
                })
                .collect(),
            Platforms(names) => names
                .iter()
                .filter_map(|name| Platform::parse(name))
                .map(Target::from)
                .collect(),
        }
    }

    /// Whether the device has this peculiarity.
    pub fn has(&self, quirk: Quirk) -> bool {
        self.quirks.contains(&quirk)
    }
}

#[cfg(test)]
mod tests {
    use super::super::Opening;
    use super::*;
    use crate::modem::Standing;

    fn protocol(vendor: u16, product: u16) -> Option<Protocol> {
        match Standing::of_id(vendor, product) {
            Standing::Known(row) => {
                let families: Vec<Family> = row.targets().into_iter().map(|target| target.family).collect();
                Opening::common(&families).map(Opening::protocol)
            }
            _ => None,
        }
    }

    #[test]
    fn the_download_ids_of_the_rule_lead_to_their_protocols() {
        // sahara-firehose.md §6, rule (a).
        for product in [0x9070, 0x9078, 0x907a, 0x9040, 0x9062] {
            assert_eq!(protocol(SIERRA, product), Some(Qdl), "{product:04x}");
        }
        assert_eq!(protocol(DELL, 0x81b5), Some(Qdl));
        for product in [0x9090, 0x90b0, 0x90d2, 0x90e2, 0xc080] {
            assert_eq!(protocol(SIERRA, product), Some(SaharaFirehose), "{product:04x}");
        }
    }

    #[test]
    fn every_platform_of_the_table_is_one_of_the_list() {
        for row in DEVICES {
            let Platforms(names) = row.takes else { continue };
            let targets = row.targets();
            assert_eq!(targets.len(), names.len(), "{}", row.models);
            assert!(
                targets.iter().all(|target| target.family.is_known()),
                "{}",
                row.models
            );
        }
    }

    // devices.md: these rows were wrong in the past.
    #[test]
    fn ids_lead_to_the_firmware_that_the_field_has_seen() {
        let takes = |vendor, product| match Standing::of_id(vendor, product) {
            Standing::Known(row) => row.takes,
            other => panic!("{vendor:04x}:{product:04x}: {other:?}"),
        };
        assert_eq!(takes(SIERRA, 0xc081), Platforms(&["SWIX12C"]));
        assert_eq!(takes(SIERRA, 0xc082), Platforms(&["SWIX12C"]));
        assert_eq!(takes(SIERRA, 0x90e3), Platforms(&["SWIX65C"]));
        assert_eq!(takes(SIERRA, 0x90d2), Platforms(&["SWIX55C", "SWIX65C"]));
        for product in [0x81a3, 0x81a4, 0x81a6] {
            assert_eq!(takes(DELL, product), Platforms(&["SWI9X15C"]));
        }
        assert_eq!(takes(DELL, 0x9071), Platforms(&["SWI9X30C"]));
        assert_eq!(takes(SIERRA, 0x90e4), Unknown);
    }

    #[test]
    fn an_id_shared_by_both_protocols_leads_to_no_protocol() {
        assert_eq!(protocol(SIERRA, 0x68c0), None);
    }

    #[test]
    fn no_id_is_in_two_rows() {
        for (at, row) in DEVICES.iter().enumerate() {
            for other in DEVICES.iter().skip(at + 1) {
                for id in row.download.iter().chain(row.normal) {
                    assert!(
                        !other.download.contains(id) && !other.normal.contains(id),
                        "{id:04x?}"
                    );
                }
            }
        }
    }

    #[test]
    fn a_family_has_the_protocol_of_its_row() {
        for row in DEVICES {
            let Some(protocol) = row.protocol else { continue };
            assert!(!row.targets().is_empty(), "{}", row.models);
            for target in row.targets() {
                assert_eq!(
                    target.family.download_protocol().map(Protocol::from),
                    Some(protocol),
                    "{}",
                    row.models
                );
            }
        }
    }
}
