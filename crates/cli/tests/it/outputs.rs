//! Output for programs and pipes: JSON line by line, readers that go away, terminals that can do nothing.

use std::fs::{self, OpenOptions};
use std::path::Path;
use std::process::Stdio;

use crate::common::{modemflash, names, put_release};
use firmware_image::Family;
use serde_json::{Value, json};

fn lines_of_json(folder: &Path, arguments: &[&str], files: &[String]) -> Vec<Value> {
    let output = modemflash(folder).args(arguments).args(files).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{arguments:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines()
        .map(|line| serde_json::from_str(line).expect(line))
        .collect()
}

#[test]
fn inspect_prints_one_object_per_file_and_one_for_the_set() {
    let folder = tempfile::tempdir().unwrap();
    let files = names(&put_release(folder.path(), Family::Swi9x50, 5000));
    let lines = lines_of_json(folder.path(), &["inspect", "--json"], &files);
    let kinds: Vec<_> = lines.iter().map(|line| line["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["image", "image", "set"]);
    assert!(lines.iter().all(|line| line["v"] == 1));
    assert_eq!(lines[0]["sound"], true);
    assert_eq!(lines[0]["report"]["versions"]["firmware"]["text"], "01.14.13.00");
    assert_eq!(lines[2]["order"][0], files[0]);
}

#[test]
fn a_rehearsal_prints_events_from_the_plan_to_the_outcome() {
    let folder = tempfile::tempdir().unwrap();
    let files = names(&put_release(folder.path(), Family::Swi9x50, 5000));
    let lines = lines_of_json(folder.path(), &["rehearse", "--fast", "--json"], &files);
    let named = |name: &str| lines.iter().filter(|line| line["event"] == name).count();
    assert_eq!(named("planned"), 1);
    let last = lines.last().unwrap();
    assert_eq!(last["event"], "outcome");
    assert_eq!(last["outcome"], "updated");
    assert_eq!(last["proven"], true);
}

#[test]
fn a_reader_that_goes_away_is_no_panic() {
    let folder = tempfile::tempdir().unwrap();
    let files = names(&put_release(folder.path(), Family::Swi9x50, 5000));
    for arguments in [
        &["--help"][..],
        &["inspect"],
        &["inspect", "--json"],
        &["rehearse", "--fast"],
        &["rehearse", "--fast", "--json", "-vvv"],
    ] {
        let mut command = modemflash(folder.path());
        command.args(arguments);
        if arguments != ["--help"] {
            command.args(&files);
        }
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        drop(child.stdout.take());
        drop(child.stderr.take());
        let status = child.wait().unwrap();
        assert_eq!(status.code(), Some(0), "{arguments:?}: {status}");
    }
}

#[test]
fn a_full_disk_is_an_error_of_every_verb_that_prints_data() {
    let folder = tempfile::tempdir().unwrap();
    let files = names(&put_release(folder.path(), Family::Swi9x30, 5000));
    let lines = [
        "--help",
        "--version",
        "--virtual MC7455 list",
        "--virtual MC7455 list --json",
        "--virtual MC7455 list --watch",
        "--virtual MC7455 list --watch --json",
        "--virtual MC7455 info",
        "--virtual MC7455 info --json",
        "--virtual MC7455 slots",
        "--virtual MC7455 slots --json",
        "--virtual MC7455 at ATI",
        "--virtual MC7455 at ATI --json",
        "--virtual MC7455 reset --json",
        "inspect FILES",
        "inspect --json FILES",
        "--virtual MC7455 update --json FILES",
        "--virtual MC7455,MC7455 update --all --json FILES",
        "rehearse --fast --json --as MC7455 FILES",
    ];
    for line in lines {
        let mut command = modemflash(folder.path());
        for word in line.split(' ') {
            match word {
                "FILES" => command.args(&files),
                word => command.arg(word),
            };
        }
        let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
        let output = command.stdout(full).output().unwrap();
        let errors = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{line}: {errors}");
        assert!(errors.contains("error[E-OUTPUT-WRITE]: "), "{line}: {errors}");
        if line.contains(" update ") {
            // What was begun on a modem is done all the same.
            assert!(errors.contains("updated from "), "{line}: {errors}");
        }
    }
}

#[test]
fn every_failure_with_json_is_one_event_on_standard_output() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let sound = names(&put_release(folder.path(), Family::Swi9x30, 5000)).join(" ");
    fs::write(at("empty.cwe"), "").unwrap();
    fs::write(at("letter.txt"), "Dear modem,\nhow are you?\n").unwrap();
    fs::write(at("letter.cwe"), "Dear modem,\n".repeat(100)).unwrap();
    fs::write(at("not.trace"), "Dear modem\n").unwrap();
    rustix::fs::mknodat(
        rustix::fs::CWD,
        at("pipe.cwe"),
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::RUSR,
        0,
    )
    .unwrap();
    fs::create_dir(at("nothing")).unwrap();
    fs::create_dir(at("two")).unwrap();
    put_release(&at("two"), Family::Swi9x30, 5000);
    put_release(&at("two"), Family::Swi9x50, 5000);
    let cases = [
        ("--virtual MC7455 update --json missing.cwe", "E-SRC-MISSING", 2),
        ("--virtual MC7455 update --json empty.cwe", "E-SRC-EMPTY", 3),
        ("--virtual MC7455 update --json /dev/null", "E-SRC-NOT-A-FILE", 3),
        ("--virtual MC7455 update --json nothing", "E-SRC-NO-IMAGES", 3),
        (
            "--virtual MC7455 update --json letter.txt",
            "E-SRC-NOT-AN-IMAGE",
            3,
        ),
        ("--virtual MC7455 update --json letter.cwe", "E-IMAGE-FOREIGN", 3),
        ("rehearse --fast --json two", "E-SET-AMBIGUOUS", 3),
        (
            "--virtual MC7455 update --json two --carrier X",
            "E-SET-NO-FIT",
            3,
        ),
        (
            "--virtual MC7455 update --json --trace no/t FILES",
            "E-TRACE-WRITE",
            2,
        ),
        ("--virtual EM7565 update --json --all FILES", "E-MODEM-NONE", 4),
        (
            "--virtual MC7455 update --json --port 1-1 --port 9-9 FILES",
            "E-MODEM-NONE",
            4,
        ),
        (
            "--virtual MC7455 update --json --port 9-9 FILES",
            "E-MODEM-NONE",
            4,
        ),
        ("--virtual EM7565 update --json FILES", "E-IMAGE-FAMILY", 3),
        ("rehearse --fast --json missing.cwe", "E-SRC-MISSING", 2),
        ("rehearse --fast --json --as Nothing", "E-MODEL-UNKNOWN", 2),
        ("rehearse --fast --json --fault nothing", "E-FAULT-UNKNOWN", 2),
        ("rehearse --fast --json --trace no/t FILES", "E-TRACE-WRITE", 2),
        (
            "rehearse --fast --json --fault reject-image@1 FILES",
            "E-IMAGE-REJECTED",
            6,
        ),
        ("--virtual MC7455 reset --json --port 9-9", "E-MODEM-NONE", 4),
        ("--virtual MC7455,MC7455 reset --json", "E-MODEM-SEVERAL", 4),
        ("--virtual MC7455 info --json --port 9-9", "E-MODEM-NONE", 4),
        ("--virtual MC7455 slots --json --port 9-9", "E-MODEM-NONE", 4),
        ("--virtual MC7455 slots select 4 --json", "E-SLOT-MISSING", 2),
        ("--virtual MC7455 slots delete 1 --json", "E-SLOT-IN-USE", 2),
        (
            "--virtual MC7455@download slots list --json",
            "E-NOT-SUPPORTED",
            2,
        ),
        ("--virtual MC7455 at --json ATI --port 9-9", "E-MODEM-NONE", 4),
        ("--virtual MC7455 at --json AT!NONSENSE", "E-AT-REFUSED", 5),
        ("--virtual MC7455 at --json AT!RESET", "E-NOT-AGREED", 2),
        ("--virtual MC7455 at --json nonsense", "E-AT-INVALID", 2),
        ("--virtual Nothing list --json", "E-MODEL-UNKNOWN", 2),
        ("replay --json not.trace", "E-TRACE-READ", 2),
        ("replay --json pipe.cwe", "E-TRACE-READ", 2),
        ("replay --json /proc/kmsg", "E-TRACE-READ", 2),
        ("--virtual MC7455 update --json pipe.cwe", "E-SRC-NOT-A-FILE", 3),
        ("--virtual MC7455 update --json /proc/kmsg", "E-SRC-NOT-A-FILE", 3),
    ];
    for (line, code, exit) in cases {
        let line = line.replace("FILES", &sound);
        let output = modemflash(folder.path()).args(line.split(' ')).output().unwrap();
        assert_eq!(output.status.code(), Some(exit), "{line}");
        let text = String::from_utf8(output.stdout).unwrap();
        let events: Vec<Value> = text
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        let failed: Vec<&Value> = events.iter().filter(|event| event["event"] == "failed").collect();
        let [failed] = failed.as_slice() else {
            panic!("{line}: {text}");
        };
        assert_eq!(events.last(), Some(*failed), "{line}");
        assert_eq!(failed["v"], 1, "{line}");
        assert_eq!(failed["code"], code, "{line}");
        assert_eq!(failed["exit"], exit, "{line}");
        assert!(
            failed["error"].is_string() && failed["hint"].is_string(),
            "{line}"
        );
        // Standard error says the same.
        let errors = String::from_utf8(output.stderr).unwrap();
        assert!(errors.contains(&format!("error[{code}]: ")), "{line}: {errors}");
    }
}

#[test]
fn a_port_in_an_event_is_a_port() {
    let folder = tempfile::tempdir().unwrap();
    let files = names(&put_release(folder.path(), Family::Swi9x30, 5000)).join(" ");
    for (line, device) in [
        ("--virtual MC7455,MC7455 update --json FILES", json!({})),
        ("--virtual MC7455 update --json --port 9-9 FILES", json!({})),
        ("--virtual MC7455 info --json -d 1199:9091", json!({})),
        (
            "--virtual MC7455 update --json -t ttyUSB9 FILES",
            json!({"port": "/dev/ttyUSB9"}),
        ),
    ] {
        let line = line.replace("FILES", &files);
        let output = modemflash(folder.path()).args(line.split(' ')).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(!text.is_empty(), "{line}");
        for event in text.lines() {
            let event: Value = serde_json::from_str(event).unwrap();
            assert_eq!(event["device"], device, "{line}: {event}");
        }
    }
}

#[test]
fn what_to_do_next_is_a_word_and_a_sentence() {
    let folder = tempfile::tempdir().unwrap();
    let ends = [
        "rehearse --fast --json --as Gobi2000",
        "rehearse --fast --json --fault reject-image@1",
    ]
    .map(|line| {
        let output = modemflash(folder.path()).args(line.split(' ')).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let end: Value = serde_json::from_str(text.lines().last().unwrap()).unwrap();
        assert!(end["hint"].as_str().unwrap().contains(' '), "{end}");
        assert!(!end["next"].as_str().unwrap().contains(' '), "{end}");
        end["event"].as_str().unwrap().to_owned()
    });
    assert_eq!(ends, ["outcome", "failed"]);
}

#[test]
fn pipes_get_no_escape_sequences() {
    let folder = tempfile::tempdir().unwrap();
    let files = names(&put_release(folder.path(), Family::Swi9x50, 5000));
    for (name, value) in [
        ("TERM", "xterm-256color"),
        ("TERM", "dumb"),
        ("NO_COLOR", "1"),
        ("CLICOLOR_FORCE", "1"),
    ] {
        let output = modemflash(folder.path())
            .env(name, value)
            .args(["rehearse", "--fast", "-vv"])
            .args(&files)
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(0));
        assert!(!output.stderr.is_empty());
        assert!(!output.stderr.contains(&0x1b), "{name}={value}");
    }
}
