//! `inspect --json`: every field that occurs is documented, and the verdict is in it and in the exit code.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use crate::common::{self, modemflash, put_release};
use firmware_image::Family;
use firmware_image::generate::models::Release;
use serde_json::Value;

fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../firmware-image/tests/data/cwe")
        .join(name)
}

/// The lines of a run, and its exit code.
fn inspect(folder: &Path, files: &[&str]) -> (Vec<Value>, i32) {
    let output = modemflash(folder)
        .args(["inspect", "--json"])
        .args(files)
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let lines = text.lines().map(|line| serde_json::from_str(line).unwrap());
    (lines.collect(), output.status.code().unwrap())
}

/// Names of all fields; of a finding those that each has, its facts are its own.
fn fields(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(object) => {
            let is_finding = object.contains_key("finding");
            for (name, inner) in object {
                let is_common = ["severity", "code", "message", "finding"].contains(&name.as_str());
                if !is_finding || is_common {
                    found.insert(name.clone());
                    fields(inner, found);
                }
            }
        }
        Value::Array(list) => list.iter().for_each(|inner| fields(inner, found)),
        _ => {}
    }
}

#[test]
fn every_field_is_in_the_documentation() {
    let folder = tempfile::tempdir().unwrap();
    put_release(folder.path(), Family::Swi9x30, 5000);
    let mut lines = inspect(folder.path(), &["."]).0;
    let release = Release {
        family: Family::Swi9x30,
        firmware: "02.33.03.00",
        config: "002.073_000",
        carrier: "VERIZON",
        seed: 1,
    };
    let items: &[(&str, &[u8])] = &[
        ("USB_COMP", &[1, 0, 0, 0, 0x0D, 0x10, 0, 0]),
        ("USB_PID", &[0xB1, 0x90]),
        ("PRODUCT_SKU", b"1102662"),
    ];
    let settings = release.settings(items).build(release.settings_name()).unwrap();
    fs::write(folder.path().join(release.settings_name()), settings.to_vec()).unwrap();
    lines.extend(inspect(folder.path(), &["."]).0);
    fs::write(folder.path().join("cut.cwe"), &settings.to_vec()[..900]).unwrap();
    lines.extend(inspect(folder.path(), &["cut.cwe"]).0);
    lines.extend(inspect(&data(""), &["cp2ls.cwe", "keystore.cwe"]).0);

    let kinds: BTreeSet<&str> = lines.iter().map(|line| line["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["image", "no_set", "refused", "set"].into());
    let mut found = BTreeSet::new();
    lines.iter().for_each(|line| fields(line, &mut found));
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/inspect-json.md");
    let documentation = fs::read_to_string(path).unwrap();
    let words: BTreeSet<&str> = documentation
        .split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'))
        .collect();
    let missing: Vec<&String> = found
        .iter()
        .filter(|name| !words.contains(name.as_str()))
        .collect();
    assert!(missing.is_empty(), "not in docs/inspect-json.md: {missing:?}");
}

#[test]
fn a_path_that_cannot_be_used_hides_no_other() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let good = common::names(&put_release(folder.path(), Family::Swi9x30, 5000)).remove(0);
    fs::write(at("empty.cwe"), "").unwrap();
    fs::write(at("letter.txt"), "Dear modem,\nhow are you?\n").unwrap();
    fs::create_dir(at("nothing")).unwrap();
    let all = ["missing.cwe", &good, "empty.cwe", "letter.txt", "nothing"];
    let (lines, exit) = inspect(folder.path(), &all);
    assert_eq!(exit, 2);
    let told: Vec<[&str; 2]> = lines
        .iter()
        .map(|line| ["kind", "code"].map(|field| line[field].as_str().unwrap_or_default()))
        .collect();
    assert_eq!(
        told,
        [
            ["image", ""],
            ["refused", "E-SRC-MISSING"],
            ["refused", "E-SRC-EMPTY"],
            ["refused", "E-SRC-NOT-AN-IMAGE"],
            ["refused", "E-SRC-NO-IMAGES"],
            ["no_set", "E-SRC-MISSING"],
        ]
    );
    assert_eq!(lines[0]["report"]["name"], good);
    assert_eq!(lines[1]["name"], "missing.cwe");
    assert!(lines[1]["error"].as_str().unwrap().contains("no such file"));
    // Nothing but such paths; a refused image ends with 3.
    let (lines, exit) = inspect(folder.path(), &["empty.cwe"]);
    assert_eq!(exit, 3);
    let kinds: Vec<&str> = lines.iter().map(|line| line["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["refused", "no_set"]);
}

#[test]
fn the_last_line_says_what_update_says() {
    let folder = tempfile::tempdir().unwrap();
    let real = fs::read(data("ls.cwe")).unwrap();
    let declared = fs::read(&put_release(folder.path(), Family::Swi9x07, 5000)[1]).unwrap();
    // A header that vouches for its checksum, and one that doesn't.
    for (image, wants_force) in [(declared, false), (real, true)] {
        let mut damaged = image;
        let last = damaged.len() - 1;
        damaged[last] ^= 1;
        fs::write(folder.path().join("damaged.cwe"), damaged).unwrap();
        let (lines, exit) = inspect(folder.path(), &["damaged.cwe"]);
        assert_eq!(exit, 3);
        let told = lines.last().unwrap();
        assert_eq!(told["kind"], "no_set");
        assert_eq!(told["code"], "E-IMAGE-DAMAGED");
        let hint = told["hint"].as_str().unwrap();
        assert_eq!(hint.contains("--force"), wants_force, "{hint}");
        let output = modemflash(folder.path())
            .args(["--virtual", "RC7620", "update", "--json", "damaged.cwe"])
            .output()
            .unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let failed: Value = serde_json::from_str(text.lines().last().unwrap()).unwrap();
        assert_eq!(
            [&failed["code"], &failed["cause"], &failed["hint"]],
            [&told["code"], &told["error"], &told["hint"]]
        );
    }
}

#[test]
fn soundness_is_in_the_exit_code_and_a_question_lists_its_answers() {
    let folder = tempfile::tempdir().unwrap();
    let paths = put_release(folder.path(), Family::Swi9x30, 5000);
    let (lines, exit) = inspect(folder.path(), &["."]);
    assert_eq!(exit, 0);
    assert_eq!(lines.last().unwrap()["kind"], "set");
    assert_eq!(lines.last().unwrap()["order"].as_array().unwrap().len(), 2);

    let mut damaged = fs::read(&paths[0]).unwrap();
    let last = damaged.len() - 1;
    damaged[last] ^= 1;
    fs::write(&paths[0], damaged).unwrap();
    let (lines, exit) = inspect(folder.path(), &["."]);
    assert_eq!(exit, 3);
    assert!(lines.iter().any(|line| line["sound"] == false));
    let refused = lines.last().unwrap();
    assert_eq!(refused["kind"], "no_set");
    assert_eq!(refused["code"], "E-IMAGE-DAMAGED");
    assert!(refused["hint"].is_string());

    let other = Release {
        family: Family::Swi9x30,
        firmware: "02.33.03.00",
        config: "002.073_000",
        carrier: "VERIZON",
        seed: 1,
    };
    let settings = other.settings(&[]).build(other.settings_name()).unwrap();
    fs::write(folder.path().join(other.settings_name()), settings.to_vec()).unwrap();
    let (lines, _) = inspect(folder.path(), &["."]);
    let question = lines.last().unwrap();
    assert_eq!(question["code"], "E-SET-AMBIGUOUS");
    assert_eq!(question["choices"].as_array().unwrap().len(), 2);
    assert!(question["hint"].as_str().unwrap().contains("--carrier VERIZON"));
}
