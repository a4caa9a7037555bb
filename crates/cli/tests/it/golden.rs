//! What the program prints, word for word. `SNAPSHOTS=overwrite cargo test` writes the files anew.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use crate::common::{golden, names, put_release, same, transcript};
use firmware_image::Family;
use firmware_image::generate::models::Release;
use tempfile::TempDir;

fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../firmware-image/tests/data")
        .join(name)
}

fn empty() -> TempDir {
    tempfile::tempdir().unwrap()
}

/// Release of an EM7565 for a carrier.
fn release(carrier: &str) -> Release<'_> {
    Release {
        family: Family::Swi9x50,
        firmware: "01.14.13.00",
        config: "002.048_000",
        carrier,
        seed: 3,
    }
}

#[test]
fn help_of_every_verb_fits_80_columns() {
    let folder = empty();
    for (name, arguments) in [
        ("help", &["--help"][..]),
        ("help-short", &["-h"]),
        ("help-list", &["list", "--help"]),
        ("help-info", &["info", "--help"]),
        ("help-inspect", &["inspect", "--help"]),
        ("help-update", &["update", "--help"]),
        ("help-slots", &["slots", "--help"]),
        ("help-slots-list", &["slots", "list", "--help"]),
        ("help-slots-select", &["slots", "select", "--help"]),
        ("help-slots-delete", &["slots", "delete", "--help"]),
        ("help-reset", &["reset", "--help"]),
        ("help-at", &["at", "--help"]),
        ("help-rehearse", &["rehearse", "--help"]),
        ("help-replay", &["replay", "--help"]),
    ] {
        let text = transcript(folder.path(), arguments);
        let long = text.lines().find(|line| line.chars().count() > 80);
        assert_eq!(long, None, "{arguments:?}");
        same(name, text);
    }
}

#[test]
fn the_version_is_one_line() {
    golden(empty().path(), "version", &["--version"]);
}

#[test]
fn a_wrong_command_line_is_explained_with_exit_code_2() {
    let folder = empty();
    golden(folder.path(), "usage-no-verb", &[]);
    golden(folder.path(), "usage-no-file", &["update"]);
    golden(folder.path(), "usage-unknown-verb", &["udpate"]);
    golden(folder.path(), "model-unknown", &["rehearse", "--as", "EM1"]);
    golden(
        folder.path(),
        "fault-unknown",
        &["rehearse", "--fault", "explode"],
    );
}

#[test]
fn a_modem_that_is_named_wrongly_is_explained_before_anything_is_opened() {
    let folder = empty();
    let cases: [(&str, &[&str]); 12] = [
        ("usb-id", &["info", "-d", "1199:90711"]),
        ("bus-number", &["info", "-s", "1:2:3"]),
        ("place-is-a-port", &["info", "--port", "/dev/ttyUSB0"]),
        ("place", &["info", "--port", "usb1"]),
        ("imei-length", &["info", "--imei", "49015420323751"]),
        ("imei-checksum", &["info", "--imei", "490154203237519"]),
        ("several", &["info", "--port", "1-1", "-d", "1199"]),
        ("languages", &["info", "--qmi", "--mbim"]),
        ("all-and-one", &["update", "--all", "--port", "1-1", "a.cwe"]),
        ("trace-of-several", &["update", "--all", "--trace", "t", "a.cwe"]),
        ("slot-0", &["update", "--slot", "0", "a.cwe"]),
        ("virtual", &["--virtual", "MC7455,EM1", "list"]),
    ];
    for (name, arguments) in cases {
        golden(folder.path(), &format!("named-{name}"), arguments);
    }
}

#[test]
fn an_at_command_that_does_harm_needs_a_yes() {
    let folder = empty();
    let cases: [(&str, &[&str]); 4] = [
        ("invalid", &["at", "BT"]),
        ("not-ascii", &["at", "AT+CGMÜ"]),
        ("confirm", &["at", "AT!USBCOMP=1,1,100D"]),
        ("knowledge", &["at", "--yes", "AT!RMARESET=1"]),
    ];
    for (name, arguments) in cases {
        golden(folder.path(), &format!("at-{name}"), arguments);
    }
}

#[test]
fn the_real_files_are_described() {
    for file in ["cp2ls.cwe", "cp_ubi.cwe", "keystore.cwe", "ls.cwe"] {
        golden(&data("cwe"), &format!("inspect-{file}"), &["inspect", file]);
    }
    golden(
        &data("cwe"),
        "inspect-real-together",
        &["inspect", "ls.cwe", "keystore.cwe"],
    );
}

#[test]
fn settings_that_change_the_usb_composition_are_pointed_out() {
    let folder = empty();
    let release = release("VERIZON");
    let name = release.settings_name();
    let image = release.settings(&[("USB_COMP", &[1, 0, 0, 0]), ("LTE_BAND", &[9; 4])]);
    fs::write(
        folder.path().join(&name),
        image.build(name.as_str()).unwrap().to_vec(),
    )
    .unwrap();
    golden(folder.path(), "inspect-usb-composition", &["inspect", &name]);
}

/// A zip with one firmware and the settings of two carriers.
fn two_carriers(folder: &Path) {
    let mut zip = zip::ZipWriter::new(fs::File::create(folder.join("two.zip")).unwrap());
    let options = zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
    let generic = release("GENERIC");
    let mut files = vec![(generic.system_name(), generic.system(5000))];
    for carrier in ["GENERIC", "VERIZON"] {
        let release = release(carrier);
        files.push((
            release.settings_name(),
            release.settings(&[("LTE_BAND", &[1, 2])]),
        ));
    }
    for (name, plan) in files {
        zip.start_file(&*name, options).unwrap();
        zip.write_all(&plan.build(name).unwrap().to_vec()).unwrap();
    }
    zip.finish().unwrap();
}

#[test]
fn an_archive_with_two_carriers_asks_which() {
    let folder = empty();
    two_carriers(folder.path());
    golden(folder.path(), "inspect-two-carriers", &["inspect", "two.zip"]);
    golden(
        folder.path(),
        "rehearse-two-carriers",
        &["rehearse", "--fast", "two.zip"],
    );
    golden(
        folder.path(),
        "rehearse-one-of-two-carriers",
        &["rehearse", "--fast", "two.zip", "--carrier", "VERIZON"],
    );
}

#[test]
fn a_folder_with_firmware_for_two_families_is_settled_by_the_model() {
    let folder = empty();
    for family in [Family::Swi9x30, Family::Swi9x50] {
        put_release(folder.path(), family, 5000);
    }
    golden(
        folder.path(),
        "rehearse-two-families",
        &["rehearse", "--fast", "."],
    );
    golden(
        folder.path(),
        "rehearse-one-of-two-families",
        &["rehearse", "--fast", ".", "--as", "MC7455"],
    );
}

#[test]
fn what_a_shell_makes_of_a_pattern_asks_which_and_takes_an_option() {
    let folder = empty();
    put_release(folder.path(), Family::Swi9x50, 5000);
    let other = release("VERIZON");
    let image = other.settings(&[]).build(other.settings_name()).unwrap();
    fs::write(folder.path().join(other.settings_name()), image.to_vec()).unwrap();
    let files = [
        "SWI9X50C_01.14.13.00.cwe",
        "SWI9X50C_01.14.13.00_GENERIC_002.048_000.nvu",
        "SWI9X50C_01.14.13.00_VERIZON_002.048_000.nvu",
    ];
    let mut arguments = vec!["rehearse", "--fast"];
    arguments.extend(files);
    golden(folder.path(), "rehearse-pattern", &arguments);
    arguments.extend(["--carrier", "verizon"]);
    golden(folder.path(), "rehearse-pattern-one-carrier", &arguments);
    // Where nothing is to be chosen from, what was asked for is a contradiction.
    let mut named = vec!["rehearse", "--fast"];
    named.extend(files.iter().take(2));
    named.extend(["--carrier", "ATT"]);
    golden(folder.path(), "rehearse-other-carrier", &named);
}

#[test]
fn files_that_are_no_sound_image_are_refused() {
    let folder = empty();
    let real = fs::read(data("cwe/ls.cwe")).unwrap();
    let mut damaged = real.clone();
    damaged[60_000] ^= 1;
    fs::write(folder.path().join("damaged.cwe"), damaged).unwrap();
    fs::write(folder.path().join("truncated.cwe"), &real[..1000]).unwrap();
    fs::write(folder.path().join("letter.cwe"), "Dear modem,\nhow are you?\n").unwrap();
    fs::write(folder.path().join("empty.cwe"), "").unwrap();
    for name in ["damaged", "truncated", "letter", "empty", "missing"] {
        let file = format!("{name}.cwe");
        golden(folder.path(), &format!("inspect-{name}"), &["inspect", &file]);
        golden(
            folder.path(),
            &format!("rehearse-{name}"),
            &["rehearse", "--fast", &file],
        );
    }
    fs::copy(data("cwe/ls.cwe"), folder.path().join("sound.cwe")).unwrap();
    golden(
        folder.path(),
        "inspect-one-missing",
        &["inspect", "sound.cwe", "missing.cwe", "empty.cwe"],
    );
}

#[test]
fn strangers_in_a_folder_are_passed_over_with_a_word() {
    let folder = empty();
    let inner = folder.path().join("firmware");
    fs::create_dir(&inner).unwrap();
    put_release(&inner, Family::Swi9x50, 5000);
    fs::write(
        inner.join("._SWI9X50C_01.14.13.00.cwe"),
        b"\x00\x05\x16\x07\x00\x02\x00\x00",
    )
    .unwrap();
    fs::write(inner.join("readme.txt"), "read me\n").unwrap();
    golden(folder.path(), "inspect-folder", &["inspect", "firmware"]);
}

#[test]
fn a_rehearsal_of_every_kind_of_modem_reaches_its_goal() {
    let folder = empty();
    for model in ["EM7565", "MC7455", "RC7620", "Gobi2000", "EM9191"] {
        golden(
            folder.path(),
            &format!("rehearse-{model}"),
            &["rehearse", "--fast", "--as", model],
        );
    }
}

#[test]
fn every_fault_of_the_help_ends_as_it_should() {
    let folder = empty();
    let qdl = names(&put_release(folder.path(), Family::Swi9x30, 5_000_000));
    let firehose = names(&put_release(folder.path(), Family::Swi9x50, 5_000_000));
    for (number, (form, _)) in virtual_modem::fault::FORMS.iter().enumerate() {
        let script = example(form);
        for (kind, files) in [("qdl", &qdl), ("firehose", &firehose)] {
            let mut arguments = vec!["rehearse", "--fast", "--fault", &script];
            arguments.extend(files.iter().map(String::as_str));
            let name = form.split(['@', ':', '[']).next().unwrap();
            golden(
                folder.path(),
                &format!("fault-{number:02}-{name}-{kind}"),
                &arguments,
            );
        }
    }
}

#[test]
fn a_fault_that_does_not_take_place_is_said_not_to() {
    let folder = empty();
    let files = names(&put_release(folder.path(), Family::Swi9x30, 100_000));
    let faults = "reject-image@2,reject-image@9,enter:late=5s";
    let mut arguments = vec!["rehearse", "--fast", "--from", "download", "--fault", faults];
    arguments.extend(files.iter().map(String::as_str));
    let said = transcript(folder.path(), &arguments);
    for unused in ["reject-image@9", "enter:late=5s"] {
        assert!(
            said.contains(&format!("note: the fault {unused} did not take place")),
            "{said}"
        );
    }
    assert!(!said.contains("reject-image@2 did not"), "{said}");
}

#[test]
fn the_help_has_every_fault_that_the_error_names() {
    let folder = empty();
    let help = transcript(folder.path(), &["rehearse", "--help"]);
    let error = transcript(folder.path(), &["rehearse", "--fault", "explode"]);
    let known = error.split_once("known are ").unwrap().1;
    let known = known.split_once('\n').unwrap().0.replace(" and ", ", ");
    let names: Vec<&str> = known.split(", ").collect();
    assert!(names.len() >= 13, "{error}");
    for name in names {
        let is_there = help.lines().any(|line| line.trim_start().starts_with(name));
        assert!(is_there, "{name}: {help}");
    }
}

/// A fault of this form.
fn example(form: &str) -> String {
    [
        ("[@M]", "@4"),
        ("[@I]", "@2"),
        ("BYTES", "2000000"),
        ("=TIME", "=200s"),
        ("TIME", "30s"),
        ("CODE", "0x1a"),
        (":K", ":1"),
        ("VENDOR:PRODUCT", "1199:90b1"),
    ]
    .iter()
    .fold(form.to_owned(), |form, (place, value)| form.replace(place, value))
}

#[test]
fn details_are_shown_with_v() {
    let folder = empty();
    let files = names(&put_release(folder.path(), Family::Swi9x50, 5000));
    let mut arguments = vec!["rehearse", "--fast", "-v"];
    arguments.extend(files.iter().map(String::as_str));
    golden(folder.path(), "rehearse-verbose", &arguments);
}

#[test]
fn ports_that_cannot_be_used_are_refused_untouched() {
    let folder = empty();
    let files = names(&put_release(folder.path(), Family::Swi9x50, 5000));
    for (name, port) in [("missing", "/dev/ttyUSB250"), ("not-serial", "/dev/null")] {
        let mut arguments = vec!["update", "-t", port];
        arguments.extend(files.iter().map(String::as_str));
        golden(folder.path(), &format!("port-{name}"), &arguments);
    }
}

#[test]
fn traces_that_cannot_be_used_are_refused() {
    let folder = empty();
    fs::write(folder.path().join("not.trace"), "hello\n").unwrap();
    golden(folder.path(), "trace-missing", &["replay", "missing.trace"]);
    golden(folder.path(), "trace-foreign", &["replay", "not.trace"]);
    golden(
        folder.path(),
        "trace-nowhere",
        &["rehearse", "--fast", "--trace", "no/such/folder/t"],
    );
}
