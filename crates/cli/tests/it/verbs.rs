//! What the verbs print for virtual modems, word for word. `SNAPSHOTS=overwrite cargo test` writes the files anew.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use crate::common::{golden, modemflash, names, put_release, transcript};
use firmware_image::Family;
use firmware_image::generate::Plan;
use firmware_image::generate::models::{CARRIER_ITEMS, Release};
use serde_json::Value;
use tempfile::TempDir;

fn empty() -> TempDir {
    tempfile::tempdir().unwrap()
}

/// Arguments from a line.
fn words(line: &str) -> Vec<&str> {
    line.split(' ').collect()
}

fn goldens(cases: &[(&str, &str)]) {
    let folder = empty();
    for (name, line) in cases {
        golden(folder.path(), name, &words(line));
    }
}

#[test]
fn every_kind_of_modem_is_listed_with_all_that_it_says() {
    goldens(&[
        ("list-one", "--virtual MC7455 list"),
        (
            "list-all",
            "--virtual MC7455,EM7565,MC7354,MC7455@download,RC7620,EM9191,Gobi2000 list",
        ),
        ("list-no-ask", "--virtual MC7455,EM7565@download list --no-ask"),
        ("list-watch", "--virtual MC7455 list --watch"),
    ]);
}

#[test]
fn a_list_of_ordinary_modems_fits_80_columns() {
    let text = transcript(empty().path(), &words("--virtual MC7455,EM7565,MC7710 list"));
    let head = text.lines().find(|line| line.starts_with("PLACE")).unwrap();
    assert!(head.ends_with("IMEI"), "{text}");
    let rows: Vec<&str> = text.lines().filter(|line| line.starts_with(['1', '2'])).collect();
    assert_eq!(rows.len(), 3, "{text}");
    assert!(rows.iter().all(|row| row.chars().count() <= 80), "{text}");
}

#[test]
fn one_modem_is_shown_in_full() {
    goldens(&[
        ("info-MC7455", "--virtual MC7455 info"),
        ("info-EM7565", "--virtual EM7565 info"),
        ("info-download", "--virtual MC7455@download info"),
        ("info-place", "--virtual MC7455,EM7565 info --port 2-2"),
    ]);
}

#[test]
fn none_or_several_modems_are_explained_with_what_there_is() {
    goldens(&[
        ("choose-several", "--virtual MC7455,EM7565 info"),
        ("choose-none", "--virtual MC7455 info -d 1199:9091"),
        ("choose-imei", "--virtual MC7455 info --imei 490154203237518"),
        ("choose-tty", "--virtual MC7455 info -t /dev/ttyUSB9"),
        ("choose-bare-name", "--virtual MC7455 info -w cdc-wdm0"),
        ("choose-bare-missing", "--virtual MC7455 info -w cdc-wdm9"),
    ]);
}

#[test]
fn stored_images_are_listed_and_changed_with_care() {
    goldens(&[
        ("slots", "--virtual MC7455 slots"),
        ("slots-none", "--virtual MC7354 slots"),
        ("slots-download", "--virtual MC7455@download slots"),
        ("slots-select-missing", "--virtual MC7455 slots select 4"),
        ("slots-delete-in-use", "--virtual MC7455 slots delete 1"),
        ("slots-delete-no-yes", "--virtual MC7455 slots delete 1 --force"),
        (
            "slots-delete-settings-in-use",
            "--virtual MC7455 slots delete 002.026_000 --yes",
        ),
        (
            "slots-delete-settings",
            "--virtual MC7455 slots delete 002.026_000 --yes --force",
        ),
        (
            "slots-delete-missing",
            "--virtual MC7455 slots delete 002.072_000",
        ),
    ]);
}

#[test]
fn slots_alone_and_slots_list_are_the_same() {
    let folder = empty();
    for more in ["", " --json", " --port 1-1"] {
        let [alone, list] = ["slots", "slots list"].map(|verb| {
            let line = format!("--virtual MC7455 {verb}{more}");
            let text = transcript(folder.path(), &words(&line));
            text.split_once('\n').unwrap().1.to_owned()
        });
        assert_eq!(alone, list);
        assert!(list.ends_with("--- exit 0\n"), "{list}");
    }
}

#[test]
fn options_of_slots_may_stand_before_the_action() {
    let folder = empty();
    for (before, behind) in [
        ("slots --json select 1", "slots select 1 --json"),
        ("slots --json list", "slots list --json"),
        ("slots --port 1-2 list", "slots list --port 1-2"),
        (
            "slots --json --port 1-2 delete 1 --yes --force",
            "slots delete 1 --yes --force --port 1-2 --json",
        ),
        ("slots -v --mbim list", "slots list --mbim -v"),
    ] {
        let models = if before.contains("1-2") {
            "MC7455,MC7455"
        } else {
            "MC7455"
        };
        let [one, other] = [before, behind].map(|verb| {
            let text = transcript(folder.path(), &words(&format!("--virtual {models} {verb}")));
            text.split_once('\n').unwrap().1.to_owned()
        });
        assert_eq!(one, other);
        assert!(
            before.contains("--mbim") || one.ends_with("--- exit 0\n"),
            "{one}"
        );
    }
    let line = "--virtual MC7455,MC7455 slots --port 1-1 delete 1 --yes --port 1-2";
    let text = transcript(folder.path(), &words(line));
    assert!(
        text.contains("several were named: --port 1-1, --port 1-2"),
        "{text}"
    );
}

#[test]
fn what_was_selected_or_deleted_is_data() {
    let folder = empty();
    let selected = &json(folder.path(), "--virtual MC7455 slots select 1 --json")[0];
    assert_eq!(selected["place"], "1-1");
    assert_eq!(selected["selected"][0]["build_id"], "02.24.05.06_?");
    assert_eq!(selected["selected"][1]["build_id"], "02.24.05.06_GENERIC");
    assert_eq!(selected["selected"][1]["is_preferred"], true);
    let line = "--virtual MC7455 slots delete 1 --force --yes --json";
    let deleted = &json(folder.path(), line)[0];
    assert_eq!(deleted["place"], "1-1");
    assert_eq!(deleted["deleted"]["slot"], 1);
}

#[test]
fn a_restart_is_followed_to_its_end() {
    goldens(&[
        ("reset", "--virtual MC7455 reset"),
        ("reset-download", "--virtual EM7565 reset --download-mode"),
        ("reset-stays", "--virtual MC7455@download reset --download-mode"),
    ]);
}

#[test]
fn an_at_command_is_answered() {
    goldens(&[
        ("at-ATI", "--virtual MC7455 at ATI"),
        ("at-preference", "--virtual EM7565 at AT!IMPREF?"),
        ("at-error", "--virtual MC7455 at AT!NONSENSE"),
        ("at-reset", "--virtual MC7455 at --yes AT!RESET"),
        ("at-download", "--virtual MC7455@download at ATI"),
    ]);
}

#[test]
fn an_update_is_proven_or_not_needed() {
    let folder = empty();
    let files = names(&put_release(folder.path(), Family::Swi9x30, 3_000_000));
    for (name, line) in [
        ("update-MC7455", "--virtual MC7455 update"),
        ("update-rescue", "--virtual MC7455@download update"),
        ("update-other-family", "--virtual EM7565 update"),
        ("update-no-read-back", "--virtual MC7455 update --no-read-back"),
        ("update-one-of-two", "--virtual MC7455,EM7565 update --port 1-1"),
    ] {
        let mut arguments = words(line);
        arguments.extend(files.iter().map(String::as_str));
        golden(folder.path(), name, &arguments);
    }
    // Without settings the modem can't be told what is to come; the user's word fills the gap.
    let system = files[0].as_str();
    for (name, line) in [
        ("update-no-settings", "--virtual MC7455 update --yes"),
        (
            "update-given",
            "--virtual MC7455 update --yes --carrier GENERIC --config 002.026_000",
        ),
    ] {
        let mut arguments = words(line);
        arguments.push(system);
        golden(folder.path(), name, &arguments);
    }
}

#[test]
fn several_modems_are_updated_at_once_and_one_that_fails_stops_no_other() {
    let folder = empty();
    let files = names(&put_release(folder.path(), Family::Swi9x30, 100_000));
    for (name, line) in [
        // RC7620 and MC7354 share an id, and are none that these files are for, also where they can't be asked.
        (
            "fleet-left-out",
            "--virtual MC7455,EM7565,MC7455@download,RC7620,MC7354@download update --all",
        ),
        (
            "fleet-mixed",
            "--virtual MC7455,EM7565 update --port 1-1 --port 1-2",
        ),
        (
            "fleet-named",
            "--virtual MC7455,MC7455,MC7455 update --port 1-1 --port 1-3 --port 2-3",
        ),
        ("fleet-none", "--virtual EM7565,EM9191 update --all"),
        (
            "fleet-missing",
            "--virtual MC7455,MC7455 update --port 1-1 --port 1-7",
        ),
    ] {
        let mut arguments = words(line);
        arguments.extend(files.iter().map(String::as_str));
        golden(folder.path(), name, &arguments);
    }
}

#[test]
fn events_of_several_modems_say_which_one_they_are_about() {
    let folder = empty();
    let files = names(&put_release(folder.path(), Family::Swi9x30, 100_000));
    let line = format!("--virtual MC7455,MC7455 update --all --json {}", files.join(" "));
    let mut ends = BTreeSet::new();
    for event in json(folder.path(), &line) {
        if event["event"] == "outcome" {
            assert_eq!(event["outcome"], "updated");
            assert!(ends.insert(event["device"]["path"].as_str().unwrap().to_owned()));
        }
    }
    assert_eq!(ends.into_iter().collect::<Vec<_>>(), ["1-1", "1-2"]);
}

#[test]
fn a_modem_that_is_left_out_is_an_event() {
    let folder = empty();
    let files = names(&put_release(folder.path(), Family::Swi9x30, 100_000)).join(" ");
    let line = format!("--virtual MC7455,EM7565 update --all --json {files}");
    let events = json(folder.path(), &line);
    let left_out: Vec<&Value> = events
        .iter()
        .filter(|event| event["event"] == "left_out")
        .collect();
    let [event] = left_out.as_slice() else {
        panic!("{events:?}");
    };
    assert_eq!(event["v"], 1);
    assert!(event["t"].is_number());
    assert_eq!(event["device"]["path"], "1-2");
    assert_eq!(event["device"]["usb_id"], "1199:9091");
    assert!(event["why"].as_str().unwrap().starts_with("the images are for "));
    assert_eq!(events.last().unwrap()["outcome"], "updated");
    // Where none is left, that is the failure.
    let output = modemflash(folder.path())
        .args(words(&format!("--virtual EM7565 update --all --json {files}")))
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let events: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let names: Vec<&Value> = events.iter().map(|event| &event["event"]).collect();
    assert_eq!(names, ["left_out", "failed"]);
}

/// Objects on standard output, one per line.
fn json(folder: &Path, line: &str) -> Vec<Value> {
    let output = modemflash(folder).args(words(line)).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{line}");
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines()
        .map(|line| serde_json::from_str(line).expect(line))
        .collect()
}

/// All keys of an object and of those in it.
fn keys(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields) => {
            for (key, value) in fields {
                found.insert(key.clone());
                keys(value, found);
            }
        }
        Value::Array(values) => values.iter().for_each(|value| keys(value, found)),
        _ => {}
    }
}

#[test]
fn every_field_of_the_data_is_described() {
    let page = |name: &str| {
        let path = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../../docs")
            .join(name);
        fs::read_to_string(path).unwrap()
    };
    let pages = page("list-json.md") + &page("events.md");
    let described: BTreeSet<&str> = pages.split('`').skip(1).step_by(2).collect();
    let folder = empty();
    for line in [
        "--virtual MC7455,EM7565@download list --json",
        "--virtual EM7565 list --watch --json",
        "--virtual MC7455 info --json",
        "--virtual MC7455 slots --json",
        "--virtual MC7455 slots list --json",
        "--virtual MC7455 slots select 1 --json",
        "--virtual MC7455 slots delete 1 --force --yes --json",
        "--virtual MC7455 reset --json",
        "--virtual MC7455 at ATI --json",
    ] {
        let objects = json(folder.path(), line);
        assert!(!objects.is_empty(), "{line}");
        for object in objects {
            assert_eq!(object["v"], 1, "{line}");
            let mut found = BTreeSet::new();
            keys(&object, &mut found);
            for key in found {
                assert!(
                    described.contains(key.as_str()),
                    "{key} in {line} isn't described"
                );
            }
        }
    }
}

#[test]
fn the_imei_is_in_the_data_and_in_no_event() {
    let folder = empty();
    let files = names(&put_release(folder.path(), Family::Swi9x30, 100_000));
    let listed = json(folder.path(), "--virtual MC7455 list --json");
    let imei = listed[0]["imei"].as_str().unwrap().to_owned();
    assert_eq!(imei.len(), 15);
    for line in [
        "update --json",
        "update -v",
        "reset -v",
        "reset --download-mode --json",
    ] {
        let mut command = modemflash(folder.path());
        command.args(["--virtual", "MC7455"]).args(words(line));
        if line.starts_with("update") {
            command.args(&files);
        }
        let output = command.output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{line}");
        let all = [output.stdout, output.stderr].concat();
        let all = String::from_utf8(all).unwrap();
        assert!(!all.contains(&imei), "{line}: {all}");
    }
}

#[test]
fn at_the_third_v_the_bytes_on_the_wire_are_told_and_no_secret() {
    let folder = tempfile::tempdir().unwrap();
    let told = |line: &str| {
        let mut command = modemflash(folder.path());
        let output = command
            .args(["--virtual", "MC7455"])
            .args(words(line))
            .output()
            .unwrap();
        String::from_utf8(output.stderr).unwrap()
    };
    let setup = virtual_modem::Setup::running(virtual_modem::Profile::named("MC7455").unwrap());
    let imei = setup.storage.imei;
    let digits: String = imei.bytes().map(|digit| format!("{digit:02x}")).collect();
    // Get model of DMS; the command itself.
    let model = "0C 00 00 02";
    for (line, request) in [
        ("info", model),
        ("reset", model),
        ("slots", model),
        ("list", model),
        ("at ATI", "41 54 49 0D"),
    ] {
        let without = told(&format!("{line} -vv"));
        let with = told(&format!("{line} -vvv"));
        let has = |text: &str| {
            text.lines()
                .any(|line| line.contains(">>") && line.contains(request))
        };
        assert!(!has(&without) && has(&with), "{line}: {with}");
        assert!(!with.replace(' ', "").contains(&digits), "{with}");
        assert!(!with.contains(&imei), "{with}");
    }
}

// field-reports.md I9: a package with spkgz.cwe 01.08.16.03 and carrier_pri.nvu 01.08.16.02.
#[test]
fn a_package_that_mixes_versions_is_a_question_that_yes_answers() {
    let folder = empty();
    let release = |firmware| Release {
        family: Family::Swi9x15,
        firmware,
        config: "001.005_000",
        carrier: "Dell",
        seed: 9,
    };
    let package = folder.path().join("package");
    fs::create_dir(&package).unwrap();
    let put =
        |name: &str, plan: Plan| fs::write(package.join(name), plan.build(name).unwrap().to_vec()).unwrap();
    put("spkgz.cwe", release("01.08.16.03").system(300_000));
    put("carrier_pri.nvu", release("01.08.16.02").settings(CARRIER_ITEMS));
    let text = transcript(folder.path(), &words("--virtual MC7354 update package"));
    assert!(
        text.contains("warning: package/spkgz.cwe is firmware version 01.08.16.03, but"),
        "{text}"
    );
    assert!(text.contains("error[E-NOT-CONFIRMED]"), "{text}");
    assert!(text.ends_with("--- exit 2\n"), "{text}");
    let text = transcript(folder.path(), &words("--virtual MC7354 update --yes package"));
    assert!(
        text.contains("updated from ") && text.ends_with("--- exit 0\n"),
        "{text}"
    );
    let text = transcript(folder.path(), &words("inspect package"));
    assert!(text.contains("settings for 01.08.16.02"), "{text}");
}
