//! Devices as the bus showed them to real users (`tests/data/usb-devices`, in the format of the program `usb-devices`): each report
//! becomes a tree of sysfs, and beside it lies what modemflash must make of it. A new report becomes a test when its file is put there;
//! `SNAPSHOTS=overwrite cargo test` writes what is seen, for the author to check.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use modem_discovery::Sysfs;
use modemflash_update_engine::fit::Nature;
use modemflash_update_engine::modem::{Mode, Modem};
use test_support::build_tree;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/usb-devices")
}

fn reports() -> Vec<PathBuf> {
    let entries = fs::read_dir(folder()).unwrap();
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "txt"));
    paths.sort();
    paths
}

fn modems(reports: &[&str]) -> Vec<Modem> {
    let tree = tempfile::tempdir().unwrap();
    build_tree(tree.path(), reports).unwrap();
    let devices = Sysfs::new(tree.path()).devices().unwrap();
    assert_eq!(devices.len(), reports.len());
    devices.into_iter().filter_map(Modem::of).collect()
}

/// What modemflash makes of a modem, in lines.
fn seen(modem: &Modem) -> String {
    let mut text = format!("{}: {}, {} mode\n", modem.device.id(), modem.name(), modem.mode);
    let candidates = Nature::of_modem(modem).candidates();
    let targets: Vec<String> = candidates.targets.iter().map(ToString::to_string).collect();
    let doubt = if candidates.is_doubtful { ", in doubt" } else { "" };
    let _ = writeln!(
        text,
        "takes: {}{doubt}",
        if targets.is_empty() {
            "?".to_owned()
        } else {
            targets.join(" or ")
        }
    );
    for control in &modem.ports.control {
        let _ = writeln!(
            text,
            "{}: {} (interface {:?})",
            control.language,
            control.port.id,
            control.port.interface.unwrap()
        );
    }
    let ports = &modem.ports;
    let rest = [
        ("DIAG", &ports.diag),
        ("NMEA", &ports.nmea),
        ("download", &ports.download),
    ];
    let at = ports.at.iter().map(|port| ("AT", port));
    for (what, port) in at.chain(
        rest.into_iter()
            .filter_map(|(what, port)| Some((what, port.as_ref()?))),
    ) {
        let _ = writeln!(
            text,
            "{what}: {} (interface {:?})",
            port.id,
            port.interface.unwrap()
        );
    }
    for lack in modem.lacks() {
        let _ = writeln!(text, "{lack}");
    }
    text
}

#[test]
fn every_report_from_the_field_is_read_as_what_it_is() {
    let paths = reports();
    assert!(paths.len() >= 29, "{}", paths.len());
    let mut wrong = Vec::new();
    for path in paths {
        let report = fs::read_to_string(&path).unwrap();
        let modems = modems(&[report.as_str()]);
        let seen: String = match modems.as_slice() {
            [] => "no modem\n".to_owned(),
            modems => modems.iter().map(seen).collect(),
        };
        let beside = path.with_extension("seen");
        if std::env::var("SNAPSHOTS").is_ok_and(|wish| wish == "overwrite") {
            fs::write(&beside, &seen).unwrap();
        }
        let expected = fs::read_to_string(&beside).unwrap_or_default();
        if seen != expected {
            wrong.push(format!(
                "{}\n--- expected\n{expected}--- seen\n{seen}",
                path.display()
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_modem_with_one_interface_is_no_second_modem_that_waits_for_firmware() {
    // The names of the reports say the mode, where it is the point of the report.
    for path in reports() {
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let report = fs::read_to_string(&path).unwrap();
        let modems = modems(&[report.as_str()]);
        let modem = modems.first().unwrap_or_else(|| panic!("{name} is no modem"));
        let boots = [
            "-dl", "-qdl", "81b5", "9090", "c080", "c082", "90e4", "90d2", "90e2", "-boot",
        ];
        let is_boot_loader = boots.iter().any(|word| name.contains(word));
        let expected = if is_boot_loader {
            Mode::Download
        } else {
            Mode::Normal
        };
        assert_eq!(modem.mode, expected, "{name}");
    }
}
