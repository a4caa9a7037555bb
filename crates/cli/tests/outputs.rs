//! Output for programs and pipes: JSON line by line, readers that go away, terminals that can do nothing.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod common;

use std::fs::OpenOptions;
use std::path::Path;
use std::process::Stdio;

use common::{modemflash, names, put_release};
use firmware_image::Family;
use serde_json::Value;

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
