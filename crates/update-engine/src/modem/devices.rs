//! The device table: USB ids, families, protocols and habits (devices.md).
//!
//! It is a plain Rust table: the compiler checks every row, nothing is parsed at build or run time, and a row
//! is as easy to add as in any other format. Behaviour follows what the modem answers; the table gives hints,
//! sanity checks and words.

use std::ops::Bound::{self, Excluded, Included, Unbounded};
use std::ops::RangeBounds;

use firmware_image::{Family, Platform, Target};
use modem_world::UsbDevice;

use super::protocol::Protocol;

/// A habit that needs care.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Quirk {
    /// Answered 0x1F when it was talked to within 2 s of its enumeration (sahara-firehose.md §6.2).
    HoldBack,
    /// Its old boot loader breaks at the first blocks on a SuperSpeed port (field-reports.md C5).
    BreaksOnUsb3,
    /// Pre-production firmware 00.xx has another partition table: releases bricked some (field-reports.md E6, F6).
    PreProductionBricks,
    /// Nobody has seen its download id: the table has the one that the rule gives (devices.md).
    DownloadIdByRule,
    /// M.2 pin 25 (DPR) tied to ground or 1.8 V makes it leave download mode (field-reports.md B1).
    DprPin,
}

/// What firmware the models of a row take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Takes {
    /// No package for them was seen: only the modem itself can tell.
    Unknown,
    /// Gobi files, which carry no platform.
    Gobi(&'static [Family]),
    /// Packages of these platforms. One without the letter of its line stands for all lines.
    Platforms(&'static [&'static str]),
}

/// One row of the table.
#[derive(Debug, PartialEq, Eq)]
pub struct Device {
    /// Models with these ids.
    pub models: &'static str,
    /// What firmware they take.
    pub takes: Takes,
    /// `(vendor, product)` in normal mode.
    pub normal: &'static [(u16, u16)],
    /// `(vendor, product)` in download mode.
    pub download: &'static [(u16, u16)],
    /// Protocol in download mode; none when the ids are shared by both kinds.
    pub protocol: Option<Protocol>,
    /// Habits.
    pub quirks: &'static [Quirk],
}

/// Vendor numbers under which Sierra Wireless modems are sold and nothing else is: Sierra Wireless, AirPrime,
/// Sierra's early number.
const OWN_VENDORS: [u16; 3] = [SIERRA, 0x0f3d, 0x114f];
/// Sierra Wireless.
const SIERRA: u16 = 0x1199;
/// Dell, who sells much else too.
const DELL: u16 = 0x413c;
/// HP, who sells much else too.
const HP: u16 = 0x03f0;

/// Devices with a Sierra vendor number that hold no Qualcomm chip (devices.md, last row).
const NOT_QUALCOMM: [(u16, u16); 1] = [(SIERRA, 0xa001)];
/// Qualcomm's primary boot loader and its dump mode: Sierra's loader is gone (devices.md, field-reports.md E10).
const EMERGENCY: [(u16, u16); 2] = [(0x05c6, 0x9008), (0x05c6, 0x900e)];

use Family::{Gobi1000, Gobi2000, Gobi3000};
use Protocol::{Qdl, SaharaFirehose};
use Takes::{Gobi, Platforms, Unknown};

/// All known devices (devices.md).
#[rustfmt::skip]
pub const DEVICES: &[Device] = &[
    // devices.md, last section: HP and Dell sold Gobi modems under numbers of their own.
    Device { models: "Gobi 1000 modems", takes: Gobi(&[Gobi1000]), protocol: Some(Qdl), quirks: &[],
        normal: &[(HP, 0x1f1d), (DELL, 0x8172)], download: &[(HP, 0x201d), (DELL, 0x8171)] },
    Device { models: "Gobi 2000 modems", takes: Gobi(&[Gobi2000]), protocol: Some(Qdl), quirks: &[],
        normal: &[(SIERRA, 0x9001), (SIERRA, 0x9002), (SIERRA, 0x9003), (SIERRA, 0x9004), (SIERRA, 0x9005),
            (SIERRA, 0x9006), (SIERRA, 0x9007), (SIERRA, 0x9008), (SIERRA, 0x9009), (SIERRA, 0x900a),
            (HP, 0x251d), (DELL, 0x8186)],
        download: &[(SIERRA, 0x9000), (HP, 0x241d), (DELL, 0x8185)] },
    // linux.md §2: the kernel's Gobi layout; which models these are isn't known.
    Device { models: "Gobi 2000/3000 modems", takes: Gobi(&[Gobi2000, Gobi3000]), protocol: Some(Qdl), quirks: &[],
        normal: &[(SIERRA, 0x68a5), (SIERRA, 0x68a9)], download: &[(SIERRA, 0x68a4), (SIERRA, 0x68a8)] },
    Device { models: "MC8305/MC8355", takes: Gobi(&[Gobi3000]), protocol: Some(Qdl), quirks: &[],
        normal: &[(SIERRA, 0x9011), (SIERRA, 0x9013), (SIERRA, 0x9015), (SIERRA, 0x9019), (HP, 0x371d), (DELL, 0x8194)],
        download: &[(SIERRA, 0x9010), (SIERRA, 0x9012), (SIERRA, 0x9014), (SIERRA, 0x9018), (DELL, 0x8193)] },
    // The id doesn't change with the mode: the number of interfaces tells. 68a3 is the same modem with DirectIP.
    Device { models: "MC7700/MC7710/MC7750", takes: Platforms(&["SWI9200X"]), protocol: Some(Qdl), quirks: &[],
        normal: &[(SIERRA, 0x68a2), (0x0f3d, 0x68a2), (0x114f, 0x68a2), (SIERRA, 0x68a3), (0x0f3d, 0x68a3)],
        download: &[(SIERRA, 0x68a2), (0x0f3d, 0x68a2), (0x114f, 0x68a2)] },
    Device { models: "EM7700/MC7770", takes: Platforms(&["SWI9200X"]), protocol: Some(Qdl), quirks: &[],
        normal: &[(SIERRA, 0x901c), (SIERRA, 0x901b)], download: &[] },
    // QDL on MC73xx and WP85xx, Sahara on WP76xx and RC76xx: only the modem can tell (sahara-firehose.md §6).
    Device { models: "MC73xx/WP75xx/WP85xx or WP76xx/WP77xx/RC76xx",
        takes: Platforms(&["SWI9X15", "SWI9X07Y", "SWI9X07H", "SWI9X06Y"]), protocol: None, quirks: &[],
        normal: &[(SIERRA, 0x68c0)], download: &[(SIERRA, 0x68c0)] },
    Device { models: "MC7305/MC7355", takes: Platforms(&["SWI9X15C"]), protocol: Some(Qdl), quirks: &[],
        normal: &[(SIERRA, 0x9041)], download: &[(SIERRA, 0x9040)] },
    Device { models: "EM7355", takes: Platforms(&["SWI9X15C"]), protocol: Some(Qdl), quirks: &[],
        normal: &[(SIERRA, 0x901f), (HP, 0x4e1d)], download: &[(SIERRA, 0x901e)] },
    Device { models: "EM7305", takes: Platforms(&["SWI9X15C"]), protocol: Some(Qdl), quirks: &[],
        normal: &[(SIERRA, 0x9063)], download: &[(SIERRA, 0x9062)] },
    // No source tells the models, nor their line.
    Device { models: "9x15 modem", takes: Platforms(&["SWI9X15"]), protocol: Some(Qdl), quirks: &[],
        normal: &[(SIERRA, 0x9061)], download: &[(SIERRA, 0x9060)] },
    Device { models: "AirCard 340U/341U", takes: Platforms(&["SWI9X15"]), protocol: Some(Qdl), quirks: &[],
        normal: &[(SIERRA, 0x9051), (SIERRA, 0x9053), (SIERRA, 0x9054), (SIERRA, 0x9055), (SIERRA, 0x9056), (SIERRA, 0x9057)],
        download: &[] },
    Device { models: "DW5806/DW5808/DW5809", takes: Platforms(&["SWI9X15"]), protocol: Some(Qdl), quirks: &[],
        normal: &[(DELL, 0x81a2), (DELL, 0x81a8), (DELL, 0x81a9), (DELL, 0x81b1), (DELL, 0x81b3)], download: &[] },
    // Long taken for Gobi 3000; they report SWI9X15C_01.08.16.02.
    Device { models: "DW5570 (MC8805/EM8805)", takes: Platforms(&["SWI9X15C"]), protocol: Some(Qdl), quirks: &[],
        normal: &[(DELL, 0x81a3), (DELL, 0x81a4)], download: &[(DELL, 0x81a6)] },
    Device { models: "MC7455/MC7430/EM7455/EM7430", takes: Platforms(&["SWI9X30C"]), protocol: Some(Qdl),
        quirks: &[Quirk::PreProductionBricks], normal: &[(SIERRA, 0x9071)], download: &[(SIERRA, 0x9070)] },
    Device { models: "EM7430", takes: Platforms(&["SWI9X30C"]), protocol: Some(Qdl),
        quirks: &[Quirk::PreProductionBricks, Quirk::DownloadIdByRule], normal: &[(SIERRA, 0x9077)], download: &[(SIERRA, 0x9076)] },
    // An MC7455 that was left with MBIM only (forum 8499).
    Device { models: "MC7455 (MBIM only)", takes: Platforms(&["SWI9X30C"]), protocol: Some(Qdl),
        quirks: &[Quirk::PreProductionBricks], normal: &[(SIERRA, 0x68b1)], download: &[] },
    Device { models: "EM7455 (Lenovo)", takes: Platforms(&["SWI9X30C"]), protocol: Some(Qdl), quirks: &[],
        normal: &[(SIERRA, 0x9079), (SIERRA, 0x907b)], download: &[(SIERRA, 0x9078), (SIERRA, 0x907a)] },
    Device { models: "EM7455 (Fujitsu)", takes: Platforms(&["SWI9X30C"]), protocol: Some(Qdl), quirks: &[],
        normal: &[(SIERRA, 0x9075)], download: &[] },
    Device { models: "DW5811e (EM7455)", takes: Platforms(&["SWI9X30C"]), protocol: Some(Qdl), quirks: &[],
        normal: &[(DELL, 0x81b6), (DELL, 0x81c2)], download: &[(DELL, 0x81b5)] },
    // Left over where AT!USBVID was forgotten (field-reports.md I5).
    Device { models: "EM7455 (with Dell's number)", takes: Platforms(&["SWI9X30C"]), protocol: Some(Qdl), quirks: &[],
        normal: &[(DELL, 0x9071)], download: &[(DELL, 0x9070)] },
    Device { models: "DW5816e/DW5818/DW5819", takes: Unknown, protocol: None, quirks: &[],
        normal: &[(DELL, 0x81cc), (DELL, 0x81d2), (DELL, 0x81d0)],
        download: &[(DELL, 0x81cb), (DELL, 0x81d1), (DELL, 0x81cf)] },
    // The only pair whose download id is the higher one.
    Device { models: "DW5826e", takes: Unknown, protocol: None, quirks: &[],
        normal: &[(DELL, 0x8217)], download: &[(DELL, 0x8218)] },
    Device { models: "EM7565/EM7511/EM7411/EM7421/MC7411/MC7421", takes: Platforms(&["SWI9X50C"]), protocol: Some(SaharaFirehose),
        quirks: &[Quirk::HoldBack, Quirk::BreaksOnUsb3, Quirk::PreProductionBricks, Quirk::DprPin],
        normal: &[(SIERRA, 0x9091), (SIERRA, 0x90b1), (SIERRA, 0x90c1), (SIERRA, 0x90c3)],
        download: &[(SIERRA, 0x9090), (SIERRA, 0x90b0), (SIERRA, 0x90c0), (SIERRA, 0x90c2)] },
    // c082 was seen after a flash (forum 35873).
    Device { models: "EM7590", takes: Platforms(&["SWIX12C"]), protocol: Some(SaharaFirehose), quirks: &[Quirk::DprPin],
        normal: &[(SIERRA, 0xc081)], download: &[(SIERRA, 0xc080), (SIERRA, 0xc082)] },
    // Routers set EM929x to these ids too (devices.md, last section).
    Device { models: "EM9190/EM9191/EM7690 or EM929x", takes: Platforms(&["SWIX55C", "SWIX65C"]), protocol: Some(SaharaFirehose),
        quirks: &[], normal: &[(SIERRA, 0x90d3)], download: &[(SIERRA, 0x90d2)] },
    Device { models: "EM9190/EM9191/EM7690", takes: Platforms(&["SWIX55C"]), protocol: Some(SaharaFirehose), quirks: &[],
        normal: &[(SIERRA, 0x90d9)], download: &[(SIERRA, 0x90d8)] },
    // The one report of an EM9291 with SWIX55C ended in a refusal (forum 32102).
    Device { models: "EM9290/EM9291/EM9293", takes: Platforms(&["SWIX65C"]), protocol: Some(SaharaFirehose), quirks: &[],
        normal: &[(SIERRA, 0x90e3), (SIERRA, 0x90e1)], download: &[(SIERRA, 0x90e2), (SIERRA, 0x90e0)] },
    Device { models: "EM86xx (EM8695)", takes: Unknown, protocol: None, quirks: &[],
        normal: &[(SIERRA, 0x90e5)], download: &[(SIERRA, 0x90e4)] },
];

/// A firmware version in numbers: `01.05.01.00`.
pub type Version = [u8; 4];

/// What has to be minded on the way from one firmware version to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Passage {
    /// Another version, told in words, has to be installed first: a direct way can end in the boot loader for good.
    Through(&'static str),
    /// The settings may only be sent when the new firmware runs: first the firmware alone, then both.
    FirmwareFirst,
    /// There is no safe way back.
    NoWayBack,
    /// Pre-production firmware, with another partition table.
    FromPreProduction,
}

/// One rule for ways between firmware versions.
#[derive(Debug)]
pub struct VersionRule {
    /// How the revision of a modem begins that it is for.
    pub firmware: &'static str,
    /// Versions that the modem runs.
    pub from: (Bound<Version>, Bound<Version>),
    /// Versions that it shall run.
    pub to: (Bound<Version>, Bound<Version>),
    /// What has to be minded.
    pub passage: Passage,
}

/// Release 9 of SWI9X50C: the signature of settings came with it.
const SIGNED_SETTINGS: Version = [1, 5, 1, 0];
/// Release 10 of SWI9X50C.
const NO_WAY_BACK: Version = [1, 7, 0, 0];
/// The first release: 00.xx is pre-production.
const RELEASED: Version = [1, 0, 0, 0];

/// All known rules (field-reports.md).
#[rustfmt::skip]
pub const VERSION_RULES: &[VersionRule] = &[
    // E6, F6
    VersionRule { firmware: "SWI9X50C", from: (Unbounded, Excluded(RELEASED)), to: (Included(RELEASED), Unbounded),
        passage: Passage::FromPreProduction },
    VersionRule { firmware: "SWI9X30C", from: (Unbounded, Excluded(RELEASED)), to: (Included(RELEASED), Unbounded),
        passage: Passage::FromPreProduction },
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
    /// Whether it is about this way.
    pub fn applies(&self, revision: &str, from: Version, to: Version) -> bool {
        revision.contains(self.firmware) && self.from.contains(&from) && self.to.contains(&to)
    }
}

/// What the ids of a USB device say about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// A row of the table.
    Known(&'static Device),
    /// A vendor who sells nothing but such modems, an unknown product.
    UnknownModem,
    /// Qualcomm's primary boot loader.
    Emergency,
    /// Sierra's vendor number, but an Intel chip.
    NotQualcomm,
    /// Some other device.
    Foreign,
}

/// What the ids of a USB device say about it.
pub fn standing(vendor: u16, product: u16) -> Standing {
    let id = (vendor, product);
    if EMERGENCY.contains(&id) {
        return Standing::Emergency;
    }
    if NOT_QUALCOMM.contains(&id) {
        return Standing::NotQualcomm;
    }
    match DEVICES
        .iter()
        .find(|row| row.download.contains(&id) || row.normal.contains(&id))
    {
        Some(row) => Standing::Known(row),
        None if OWN_VENDORS.contains(&vendor) => Standing::UnknownModem,
        None => Standing::Foreign,
    }
}

/// The row of the table for a USB device.
pub fn lookup(device: &UsbDevice) -> Option<&'static Device> {
    match standing(device.vendor, device.product) {
        Standing::Known(row) => Some(row),
        _ => None,
    }
}

impl Device {
    /// What firmware the models of this row take; empty when that isn't known.
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

    /// Whether the device has this habit.
    pub fn has(&self, quirk: Quirk) -> bool {
        self.quirks.contains(&quirk)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn protocol(vendor: u16, product: u16) -> Option<Protocol> {
        match standing(vendor, product) {
            Standing::Known(row) => {
                let families: Vec<Family> = row.targets().into_iter().map(|target| target.family).collect();
                crate::decide::fit::common_protocol(&families)
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

    // devices.md: rows that were wrong once.
    #[test]
    fn ids_lead_to_what_the_field_has_seen() {
        let takes = |vendor, product| match standing(vendor, product) {
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
    fn an_id_shared_by_both_protocols_settles_nothing() {
        assert_eq!(protocol(SIERRA, 0x68c0), None);
    }

    #[test]
    fn what_is_no_sierra_modem_is_told_apart() {
        assert_eq!(standing(0x05c6, 0x9008), Standing::Emergency);
        assert_eq!(standing(SIERRA, 0xa001), Standing::NotQualcomm);
        assert_eq!(standing(DELL, 0x2003), Standing::Foreign);
        assert_eq!(standing(0x0403, 0x6001), Standing::Foreign);
        assert_eq!(standing(SIERRA, 0xffff), Standing::UnknownModem);
    }

    #[test]
    fn no_id_stands_in_two_rows() {
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
