//! `--trace` and `replay`: a recorded run comes to the same end, a doctored one is told.

use std::fs;
use std::path::Path;

use crate::common::{modemflash, names, put_release, transcript};
use firmware_image::Family;

/// Rehearses with a trace; the words of the end, and the exit code.
fn record(folder: &Path, options: &[&str], files: &[String]) -> (String, i32) {
    let output = modemflash(folder)
        .args(["rehearse", "--fast", "--trace", "run.trace"])
        .args(options)
        .args(files)
        .output()
        .unwrap();
    let words = String::from_utf8(output.stderr).unwrap();
    (words, output.status.code().unwrap())
}

/// The line in which a run ends: what was reached, or the error without its code's place.
fn end_of(words: &str) -> String {
    words
        .lines()
        .find_map(|line| {
            line.strip_prefix("the run ends as: ").or_else(|| {
                let is_end = |line: &&str| {
                    ["error[", "updated from ", "rescued: "]
                        .iter()
                        .any(|word| line.starts_with(word))
                };
                Some(line).filter(is_end)
            })
        })
        .unwrap_or_else(|| panic!("no end in {words}"))
        .to_owned()
}

#[test]
fn a_replayed_trace_comes_to_the_same_end() {
    let cases: [(&str, Family, &[&str]); 11] = [
        ("MC7455", Family::Swi9x30, &["--from", "download"]),
        ("EM7565", Family::Swi9x50, &["--from", "download"]),
        ("MC7455", Family::Swi9x30, &[]),
        ("MC7354", Family::Swi9x15, &[]),
        ("EM7565", Family::Swi9x50, &[]),
        ("EM9191", Family::Sdx55, &[]),
        ("MC7455", Family::Swi9x30, &["--fault", "stall@2000000"]),
        ("MC7455", Family::Swi9x30, &["--fault", "corrupt@4"]),
        ("MC7455", Family::Swi9x30, &["--fault", "drop@2000000"]),
        ("EM7565", Family::Swi9x50, &["--fault", "error:0x1a@chunk:1"]),
        ("EM7565", Family::Swi9x50, &["--fault", "drop@2000000"]),
    ];
    for (model, family, faults) in cases {
        let folder = tempfile::tempdir().unwrap();
        let files = names(&put_release(folder.path(), family, 3_000_000));
        let mut options = vec!["--as", model];
        options.extend(faults);
        let (recorded, _) = record(folder.path(), &options, &files);
        let mut with_images = vec!["replay", "run.trace"];
        with_images.extend(files.iter().map(String::as_str));
        for arguments in [&["replay", "run.trace"][..], &with_images] {
            let replayed = transcript(folder.path(), arguments);
            let what = format!("{model} {faults:?} {arguments:?}:\n{replayed}");
            assert!(replayed.ends_with("--- exit 0\n"), "{what}");
            assert!(replayed.contains("replayed to its end"), "{what}");
            assert_eq!(end_of(&replayed), end_of(&recorded), "{what}");
        }
    }
}

/// A trace in which the first line that `is_it` accepts is changed; its number, from 1.
fn doctor(folder: &Path, is_it: impl Fn(&str) -> bool, change: impl Fn(&str) -> String) -> usize {
    let path = folder.join("run.trace");
    let text = fs::read_to_string(&path).unwrap();
    let place = text.lines().position(is_it).expect("such a line");
    let lines: Vec<String> = text
        .lines()
        .enumerate()
        .map(|(number, line)| {
            if number == place {
                change(line)
            } else {
                line.to_owned()
            }
        })
        .collect();
    fs::write(path, lines.join("\n") + "\n").unwrap();
    place + 1
}

#[test]
fn a_trace_stays_where_no_modem_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let files = names(&put_release(folder.path(), Family::Swi9x30, 5000));
    let path = folder.path().join("run.trace");
    for select in [
        &["--port", "9-9"][..],
        &["-d", "1199:9091"],
        &["-t", "/dev/ttyUSB99"],
        &["--imei", "490154203237518"],
    ] {
        fs::write(&path, "modemflash-trace 1\n# precious\n").unwrap();
        let mut arguments = vec!["--virtual", "MC7455", "update", "--trace", "run.trace"];
        arguments.extend(select);
        arguments.extend(files.iter().map(String::as_str));
        let text = transcript(folder.path(), &arguments);
        assert!(text.ends_with("--- exit 4\n"), "{text}");
        let kept = fs::read_to_string(&path).unwrap();
        assert_eq!(kept, "modemflash-trace 1\n# precious\n", "{text}");
    }
    // One that is found is recorded anew.
    let mut arguments = vec!["--virtual", "MC7455", "update", "--trace", "run.trace"];
    arguments.extend(files.iter().map(String::as_str));
    let text = transcript(folder.path(), &arguments);
    assert!(text.ends_with("--- exit 0\n"), "{text}");
    assert!(!fs::read_to_string(&path).unwrap().contains("precious"));
}

#[test]
fn a_doctored_trace_is_told_with_its_line() {
    let folder = tempfile::tempdir().unwrap();
    let files = names(&put_release(folder.path(), Family::Swi9x30, 5000));
    let (_, code) = record(folder.path(), &[], &files);
    assert_eq!(code, 0);
    // The last byte of what the program sent first.
    let is_sent = |line: &str| line.split(' ').nth(1) == Some(">>");
    let line = doctor(folder.path(), is_sent, |line| {
        let (rest, last) = line.split_at(line.len() - 1);
        format!("{rest}{}", if last == "0" { "1" } else { "0" })
    });
    let replayed = transcript(folder.path(), &["replay", "run.trace"]);
    assert!(replayed.contains("error[E-TRACE-DIFFERS]"), "{replayed}");
    assert!(
        replayed.contains(&format!("line {line}")),
        "line {line}: {replayed}"
    );
    assert!(replayed.ends_with("--- exit 1\n"), "{replayed}");
}

#[test]
fn other_images_than_the_recorded_ones_are_told() {
    let folder = tempfile::tempdir().unwrap();
    let files = names(&put_release(folder.path(), Family::Swi9x30, 3_000_000));
    record(folder.path(), &[], &files);
    let others = names(&put_release(folder.path(), Family::Swi9x30, 3_000_001));
    let mut arguments = vec!["replay", "run.trace"];
    arguments.extend(others.iter().map(String::as_str));
    let replayed = transcript(folder.path(), &arguments);
    assert!(replayed.contains("error[E-TRACE-DIFFERS]"), "{replayed}");
    assert!(replayed.ends_with("--- exit 1\n"), "{replayed}");
}

#[test]
fn a_trace_that_was_cut_off_is_replayed_as_far_as_it_goes() {
    let folder = tempfile::tempdir().unwrap();
    let files = names(&put_release(folder.path(), Family::Swi9x30, 3_000_000));
    record(folder.path(), &[], &files);
    let path = folder.path().join("run.trace");
    let text = fs::read_to_string(&path).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    fs::write(&path, lines[..lines.len() / 2].join("\n") + "\n").unwrap();
    let replayed = transcript(folder.path(), &["replay", "run.trace"]);
    assert!(replayed.contains("it was cut off"), "{replayed}");
    assert!(replayed.ends_with("--- exit 0\n"), "{replayed}");
}
