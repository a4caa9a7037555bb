//! Checks every row of the device table against the driver tables of a real host.

use std::fs;

use modem_discovery::Sysfs;
use modem_world::Binding;
use modemflash_update_engine::boot_ids;
use modemflash_update_engine::devices::{DEVICES, Quirk};

/// The `modules.alias` of Debian 12 (linux-image 6.1.172-1).
const DEBIAN_12: &str = include_str!("../../../modem-discovery/tests/tables/debian-12-modules.alias");

const SIERRA: u16 = 0x1199;
const DELL: u16 = 0x413c;
const HP: u16 = 0x03f0;

fn debian() -> (tempfile::TempDir, Sysfs) {
    let root = tempfile::tempdir().unwrap();
    let folder = root.path().join("lib/modules/6.1.0-48-amd64");
    fs::create_dir_all(&folder).unwrap();
    fs::create_dir_all(root.path().join("proc/sys/kernel")).unwrap();
    fs::write(root.path().join("proc/sys/kernel/osrelease"), "6.1.0-48-amd64\n").unwrap();
    fs::write(folder.join("modules.alias"), DEBIAN_12).unwrap();
    let sysfs = Sysfs::new(root.path());
    (root, sysfs)
}

/// What happens on Debian 12 to an update of a modem with this normal id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Meets {
    Passes,
    IsAsked,
    IsRefused,
}

fn meets(sysfs: &Sysfs, vendor: u16, product: u16) -> Meets {
    let boot = boot_ids(vendor, product);
    let bindings: Vec<Binding> = boot
        .ids
        .iter()
        .map(|(vendor, product)| sysfs.will_bind(*vendor, *product))
        .collect();
    match boot.is_known {
        _ if bindings.contains(&Binding::Binds) => Meets::Passes,
        true if bindings.iter().all(|binding| *binding == Binding::WontBind) => Meets::IsRefused,
        _ => Meets::IsAsked,
    }
}

// devices.md, "Kernel driver knowledge": the ids that mainline lacks.
#[test]
fn debian_12_refuses_only_modems_whose_download_id_is_known_and_in_no_driver() {
    let (_root, sysfs) = debian();
    let refused = [
        (SIERRA, 0x90b1),
        (SIERRA, 0x90c1),
        (SIERRA, 0x90c3),
        (SIERRA, 0x90d9),
        (SIERRA, 0x90e1),
        (SIERRA, 0x90e3),
        (DELL, 0x9071),
    ];
    for row in DEVICES {
        for &(vendor, product) in row.normal {
            let met = meets(&sysfs, vendor, product);
            let is_refused = refused.contains(&(vendor, product));
            assert_eq!(
                met == Meets::IsRefused,
                is_refused,
                "{vendor:04x}:{product:04x} {met:?}"
            );
            // If the table names no download id, the guessed id may be in no driver.
            let is_told = row.download.iter().any(|(maker, _)| *maker == vendor);
            if is_told && !is_refused && !row.has(Quirk::DownloadIdByRule) {
                assert_eq!(met, Meets::Passes, "{vendor:04x}:{product:04x}");
            }
        }
    }
    for (vendor, product, met) in [
        (SIERRA, 0x9091, Meets::Passes),
        (SIERRA, 0x9071, Meets::Passes),
        (SIERRA, 0x9079, Meets::Passes),
        (SIERRA, 0x68c0, Meets::Passes),
        (SIERRA, 0x68a2, Meets::Passes),
        (0x0f3d, 0x68a2, Meets::Passes),
        (DELL, 0x81b6, Meets::Passes),
        (SIERRA, 0x90d3, Meets::Passes),
        (SIERRA, 0xc081, Meets::Passes),
        (SIERRA, 0x90b1, Meets::IsRefused),
        (SIERRA, 0x90e3, Meets::IsRefused),
        // The guess by the rule is 9074, which no driver knows and nobody has seen.
        (SIERRA, 0x9075, Meets::IsAsked),
        (SIERRA, 0x9077, Meets::IsAsked),
        (SIERRA, 0x68b1, Meets::IsAsked),
        // The id by the rule is 9060, which qcserial knows.
        (SIERRA, 0x9061, Meets::Passes),
        // HP's modem may keep Sierra's download id.
        (HP, 0x4e1d, Meets::Passes),
    ] {
        assert_eq!(meets(&sysfs, vendor, product), met, "{vendor:04x}:{product:04x}");
    }
}

#[test]
fn a_download_id_is_the_normal_id_minus_one_unless_the_table_says_otherwise() {
    for ((vendor, product), ids, is_known) in [
        ((SIERRA, 0x9091), vec![(SIERRA, 0x9090)], true),
        ((SIERRA, 0x90b1), vec![(SIERRA, 0x90b0)], true),
        ((SIERRA, 0x90c3), vec![(SIERRA, 0x90c2)], true),
        ((SIERRA, 0x907b), vec![(SIERRA, 0x907a)], true),
        // The same id in both modes, the higher id, one id for many models.
        ((SIERRA, 0x68c0), vec![(SIERRA, 0x68c0)], true),
        ((0x114f, 0x68a2), vec![(0x114f, 0x68a2)], true),
        ((DELL, 0x8217), vec![(DELL, 0x8218)], true),
        ((SIERRA, 0x9007), vec![(SIERRA, 0x9000)], true),
        ((DELL, 0x81c2), vec![(DELL, 0x81b5)], true),
        // The table names no id, so the id is a guess.
        ((SIERRA, 0x9051), vec![(SIERRA, 0x9050)], false),
        ((HP, 0x4e1d), vec![(HP, 0x4e1c), (SIERRA, 0x901e)], false),
        ((SIERRA, 0x9077), vec![(SIERRA, 0x9076)], false),
        ((SIERRA, 0xabcd), vec![(SIERRA, 0xabcc)], false),
        ((SIERRA, 0x0000), vec![(SIERRA, 0xffff)], false),
    ] {
        let boot = boot_ids(vendor, product);
        assert_eq!(
            (boot.ids, boot.is_known),
            (ids, is_known),
            "{vendor:04x}:{product:04x}"
        );
    }
}

#[test]
fn every_download_id_of_the_table_is_reached_from_some_normal_id_or_stands_alone() {
    for row in DEVICES {
        let reached: Vec<(u16, u16)> = row
            .normal
            .iter()
            .flat_map(|(vendor, product)| boot_ids(*vendor, *product).ids)
            .collect();
        for id in row.download {
            assert!(
                // This id was seen once, after a flash (devices.md).
                row.normal.is_empty() || reached.contains(id) || *id == (SIERRA, 0xc082),
                "{}: {id:04x?}",
                row.models
            );
        }
    }
}
