//! The documentation says what the code does: `docs/errors.md` is made from the lists of codes, `docs/events.md` names every
//! event and field. `SNAPSHOTS=overwrite cargo test` writes `docs/errors.md` anew.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use crate::common::{modemflash, names, put_release};
use firmware_image::Family;
use firmware_image::codes as of_images;
use serde_json::Value;
use snapbox::Data;
use update_engine::codes as of_engine;
use update_engine::exit::{self, Class, Standing};
use update_engine::{ALL_REMARKS, RUN_WARNINGS};

/// A row: code, meaning, advice, exit codes.
type Row = (&'static str, &'static str, &'static str, &'static str);

/// Codes that only the program has.
const OF_PROGRAM: &[Row] = &[
    (
        "E-TRACE-WRITE",
        "the file for the trace can't be written, or holds something else than a trace",
        "choose another file, or leave --trace out",
        "2",
    ),
    (
        "E-TRACE-READ",
        "the file is no trace, or can't be read",
        "give a file that was written by `--trace`",
        "2",
    ),
    (
        "E-TRACE-DIFFERS",
        "replayed, the engine does something else than recorded",
        "with another version of modemflash that may be meant; otherwise report it with the trace",
        "1",
    ),
    (
        "E-MODEL-UNKNOWN",
        "there is no virtual modem of this name",
        "choose one of those listed",
        "2",
    ),
    (
        "E-FAULT-UNKNOWN",
        "there is no such fault",
        "`modemflash rehearse --help` lists them",
        "2",
    ),
    (
        "E-SLOT-MISSING",
        "there is no such stored image",
        "choose one of those listed; `modemflash slots` shows them",
        "2",
    ),
    (
        "E-SLOT-AMBIGUOUS",
        "more than one stored image fits",
        "give the slot, the config version or the whole build id",
        "2",
    ),
    (
        "E-OUTPUT-WRITE",
        "standard output can't be written, so that what a program reads there is incomplete",
        "see that there is room where it goes; what was done to a modem is done",
        "1",
    ),
    (
        "E-AT-INVALID",
        "the text is no AT command",
        "give one line of printable characters that begins with AT, in quotes",
        "2",
    ),
    (
        "E-NOT-AGREED",
        "what was asked for can't be undone, and nobody said yes",
        "if it is meant, run again with the option that the message names",
        "2",
    ),
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The exit codes with which an error of this class can end, in words. The table above the codes has all of them.
fn exits_of_class(class: Class) -> &'static str {
    match class {
        Class::Request => "2; 5, 6, 7 or 9 once the modem was changed",
        Class::Image => "3; 5, 6, 7 or 9 once the modem was changed",
        Class::Host | Class::NoModem => "4; 5, 6, 7 or 9 once the modem was changed",
        Class::Running => "5; 6, 7 or 9 once the modem was changed",
        Class::Fault => "1, 5, 6, 7 or 9, by the modem's state",
        Class::Stopped => "130",
    }
}

/// The same for a program: every code there can be.
fn exits_of(code: &str, words: &str) -> BTreeSet<u8> {
    match of_engine::ALL_CODES.iter().find(|known| known.as_str() == code) {
        Some(known) => {
            let codes = Standing::ALL.map(|standing| exit::code(known.class(), standing));
            codes.into_iter().collect()
        }
        None => words
            .split("; ")
            .map(|code| code.parse().expect("a code"))
            .collect(),
    }
}

/// The table of every class of causes and every state of the modem.
fn exits_table() -> String {
    let mut table = String::from("| |");
    for standing in Standing::ALL {
        table.push_str(&format!(" {} |", standing.words()));
    }
    table.push_str(&format!("\n|---|{}\n", "---|".repeat(Standing::ALL.len())));
    for class in Class::ALL {
        let codes = of_engine::ALL_CODES.iter().filter(|code| code.class() == class);
        let codes: Vec<String> = codes.map(|code| format!("`{}`", code.as_str())).collect();
        table.push_str(&format!("| {}: {} |", class.words(), codes.join(" ")));
        for standing in Standing::ALL {
            table.push_str(&format!(" {} |", exit::code(class, standing)));
        }
        table.push('\n');
    }
    table
}

fn exits_of_images(code: &str) -> &'static str {
    if code == "E-SRC-MISSING" { "2" } else { "3" }
}

fn all_errors() -> Vec<(&'static str, Vec<Row>)> {
    let engine = of_engine::ALL_CODES.iter();
    let engine = engine.map(|code| {
        let exits = exits_of_class(code.class());
        (code.as_str(), code.meaning(), code.advice(), exits)
    });
    let images = of_images::ALL_CODES.iter();
    let images = images.map(|code| (code.code, code.meaning, code.advice, exits_of_images(code.code)));
    vec![
        ("While a modem is updated", engine.collect()),
        ("Files", images.collect()),
        ("The program", OF_PROGRAM.to_vec()),
    ]
}

const HEAD: &str = "\
# Errors

<!-- Made from the lists of codes by crates/cli/tests/it/documentation.rs; don't edit. -->

An error tells four things: what happened (to which modem, while what was done), why, what is true of the modem now, and
what to do next:

    error[E-QDL-STALLED]: 1-1.4 (MC7455): the modem stopped taking data while image 1 of 2 was being written
      cause: the modem took no data for 120 s during write 2 of 5 of image 1; 93056 bytes left
      modem: in download mode with 0 of 2 images accepted; it will not connect until the update is finished
    hint: check the cable, the USB port (prefer USB 2) and the power supply, power-cycle the modem, then run again

The code in brackets is stable: it is never renamed, and never used again for something else. With `--json` it is `code` of
the event `failed` ([events.md](events.md)), with `inspect --json` of the line about the file ([inspect-json.md](inspect-json.md)).

## Exit codes

| exit | meaning | modem |
|---|---|---|
| 0 | done, or nothing to do | as requested |
| 1 | unexpected failure | see the message |
| 2 | wrong command line, or a request that can't be met | untouched |
| 3 | images refused | untouched |
| 4 | no modem that can be used, or the host can't do it: more than one modem, port busy, no permission, no driver for download mode | untouched |
| 5 | failed; the modem runs the firmware that it had | usable as before |
| 6 | failed; the modem is in download mode or memory-dump mode | not usable now; the same command may be run again |
| 7 | failed; the modem was changed and runs, but not what was requested | usable if its radio is on |
| 8 | several modems, which ended differently | each has its own code in its last event and in the table at the end |
| 9 | failed; the modem's state is not known | it left the bus, or gives no answer that modemflash understands |
| 130 | stopped by the user | see the message |

*Untouched* means that the modem is as it was found: the run has at most asked it something. If the modem was in download mode at the
start, it still is. Once a run has changed the modem, it doesn't end with 2, 3 or 4 any more, but with the code for the modem's state: 5,
6, 7 or 9. Example: the stick with the files is pulled out while the modem waits in download mode; the exit code is 6.

A modem that runs may still keep its radio off, for example while firmware, settings and preference don't belong together. With exit code 7
the line `modem:` says whether the radio is on, off (and why, in the modem's words), or not known; with 5 it says so if the radio is off.
With `--json` the same stands in `radio` of the event `failed`.

Two things decide the exit code: what happened (the row) and what is true of the modem (the column). Look for the error code in the first
column. The lists below repeat the possible exit codes in their last column:

";

fn errors_page() -> String {
    let mut page = HEAD.to_owned();
    page.push_str(&exits_table());
    for (title, rows) in all_errors() {
        page.push_str(&format!(
            "\n## {title}\n\n| code | meaning | what to do | exit |\n|---|---|---|---|\n"
        ));
        for (code, meaning, advice, exits) in rows {
            page.push_str(&format!("| `{code}` | {meaning} | {advice} | {exits} |\n"));
        }
    }
    page.push_str(
        "\n## Findings in images\n\n`inspect` shows them; in events they are the `code` of a `warning`. \
         Only those that mean damage or a contradiction make a file refused.\n\n\
         | code | meaning | what to do |\n|---|---|---|\n",
    );
    for code in of_images::ALL_FINDINGS {
        page.push_str(&format!(
            "| `{}` | {} | {} |\n",
            code.code, code.meaning, code.advice
        ));
    }
    page.push_str("\n## Other warnings\n\n| code | meaning |\n|---|---|\n");
    for (code, meaning) in RUN_WARNINGS {
        page.push_str(&format!("| `{code}` | {meaning} |\n"));
    }
    page
}

#[test]
fn the_page_of_errors_is_what_the_lists_of_codes_say() {
    let expected = Data::read_from(&root().join("docs/errors.md"), None).raw();
    snapbox::Assert::new()
        .action_env("SNAPSHOTS")
        .eq(Data::text(errors_page()).raw(), expected);
}

#[test]
fn the_column_of_exit_codes_says_what_the_table_says() {
    for code in of_engine::ALL_CODES {
        let class = code.class();
        let words = exits_of_class(class);
        let usual = exit::code(class, Standing::Untouched);
        let numbers = exits_of(code.as_str(), words);
        let is_said = words.split([' ', ';', ',']).any(|word| word == usual.to_string());
        assert!(is_said || class == Class::Fault, "{code}: {words}");
        assert_eq!(words.contains("the modem"), numbers.len() > 1, "{code}: {words}");
    }
}

/// The exit codes and their meanings, from the first table with numbers in the first column.
fn meanings_in_table(page: &str) -> BTreeMap<u8, String> {
    page.lines()
        .map(|line| line.split('|').map(str::trim).collect::<Vec<_>>())
        .filter_map(|row| Some((row.get(1)?.parse().ok()?, (*row.get(2)?).to_owned())))
        .collect()
}

/// The exit codes and their meanings, from the end of the help text.
fn meanings_in_help() -> BTreeMap<u8, String> {
    let help = modemflash(&root()).arg("--help").output().unwrap();
    let help = String::from_utf8(help.stdout).unwrap();
    let lines = help.lines().skip_while(|line| *line != "Exit codes:").skip(1);
    let mut meanings = BTreeMap::new();
    let mut last = None;
    for line in lines.take_while(|line| line.starts_with(' ')) {
        let (first, rest) = line.trim().split_once(' ').unwrap();
        if let Ok(code) = first.parse::<u8>() {
            meanings.insert(code, rest.trim().to_owned());
            last = Some(code);
        } else {
            let meaning: &mut String = meanings.get_mut(&last.unwrap()).unwrap();
            meaning.push_str(&format!(" {}", line.trim()));
        }
    }
    meanings
}

#[test]
fn all_pages_give_an_exit_code_the_same_meaning() {
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    let meanings = meanings_in_table(HEAD);
    assert_eq!(meanings.len(), 11);
    assert_eq!(meanings, meanings_in_table(&readme));
    assert_eq!(meanings, meanings_in_help());
}

#[test]
fn every_code_stands_for_one_error() {
    let mut seen = BTreeSet::new();
    for (_, rows) in all_errors() {
        for (code, meaning, advice, _) in rows {
            assert!(seen.insert(code), "{code} twice");
            assert!(!meaning.is_empty() && !advice.is_empty(), "{code}");
        }
    }
    for code in of_images::ALL_FINDINGS {
        assert!(seen.insert(code.code), "{} twice", code.code);
    }
}

/// All source files of a crate.
fn sources(of: &str) -> String {
    fn collect(folder: &Path, text: &mut String) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                collect(&path, text);
            } else {
                text.push_str(&fs::read_to_string(path).unwrap());
            }
        }
    }
    let mut text = String::new();
    collect(&root().join("crates").join(of).join("src"), &mut text);
    text
}

/// Texts in quotes that look like a code.
fn quoted_codes(source: &str) -> BTreeSet<&str> {
    let is_code = |text: &&str| {
        text.len() > 2
            && text.bytes().any(|byte| byte.is_ascii_uppercase())
            && text
                .bytes()
                .all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'-')
    };
    source.split('"').filter(is_code).collect()
}

#[test]
fn the_programs_own_codes_are_all_listed() {
    let source = sources("cli");
    let used: BTreeSet<_> = quoted_codes(&source)
        .into_iter()
        .filter(|code| code.starts_with("E-"))
        .collect();
    let listed: BTreeSet<_> = OF_PROGRAM.iter().map(|row| row.0).collect();
    assert_eq!(used, listed);
}

#[test]
fn every_remark_of_a_list_is_described_in_its_words() {
    let page = fs::read_to_string(root().join("docs/list-json.md")).unwrap();
    let rows = page.split("| `code` of a warning |").nth(1).unwrap().lines();
    let listed: BTreeMap<_, _> = rows
        .filter_map(|row| row.strip_prefix("| `")?.strip_suffix(" |")?.split_once("` | "))
        .collect();
    let remarks: BTreeMap<_, _> = ALL_REMARKS
        .iter()
        .map(|(code, meaning)| (code.as_str(), *meaning))
        .collect();
    assert_eq!(listed, remarks);
}

#[test]
fn errors_end_with_the_exit_code_that_the_page_says() {
    let exits: BTreeMap<_, _> = all_errors()
        .into_iter()
        .flat_map(|(_, rows)| rows)
        .map(|(code, _, _, exits)| (code, exits))
        .collect();
    let mut checked = 0;
    for entry in fs::read_dir(root().join("crates/cli/tests/golden")).unwrap() {
        let text = fs::read_to_string(entry.unwrap().path()).unwrap();
        let Some((_, rest)) = text.split_once("error[") else {
            continue;
        };
        let code = rest.split(']').next().unwrap();
        let exit = text.rsplit("--- exit ").next().unwrap().trim();
        // Several modems that ended differently.
        if exit == "8" {
            continue;
        }
        let said = exits.get(code).unwrap_or_else(|| panic!("{code} isn't listed"));
        let numbers = exits_of(code, said);
        assert!(
            numbers.contains(&exit.parse().unwrap()),
            "{code} ended with {exit}, the page says {said}"
        );
        checked += 1;
    }
    assert!(checked > 10, "{checked}");
}

/// What docs/events.md says: each event with the words in backticks of its row, and all words of the page.
fn events_page() -> (BTreeMap<String, BTreeSet<String>>, BTreeSet<String>) {
    let page = fs::read_to_string(root().join("docs/events.md")).unwrap();
    let words = |text: &str| -> Vec<String> {
        let parts = text.split('`').skip(1).step_by(2);
        parts.map(str::to_owned).collect()
    };
    let table = page
        .split("| `event` | fields | meaning |")
        .nth(1)
        .expect("the table");
    let rows = table.lines().filter(|line| line.starts_with("| `"));
    let events = rows.map(|row| {
        let words = words(row);
        (words[0].clone(), words.into_iter().skip(1).collect())
    });
    (events.collect(), words(&page).into_iter().collect())
}

/// `ImageAccepted` as JSON has it.
fn snake(name: &str) -> String {
    let mut text = String::new();
    for letter in name.chars() {
        if letter.is_uppercase() && !text.is_empty() {
            text.push('_');
        }
        text.push(letter.to_ascii_lowercase());
    }
    text
}

/// The names of the variants of `pub enum EventKind`.
fn kinds() -> BTreeSet<String> {
    variants("told/event.rs", "EventKind")
}

/// The names of the variants of an enum in a file of the engine, as JSON has them.
fn variants(file: &str, name: &str) -> BTreeSet<String> {
    let source = fs::read_to_string(root().join("crates/update-engine/src").join(file)).unwrap();
    let begin = source.split(&format!("pub enum {name} {{")).nth(1).unwrap();
    let body = begin.split("\n}\n").next().unwrap();
    let variants = body.lines().filter_map(|line| {
        let name = line.strip_prefix("    ")?;
        let name = name.trim_end_matches([' ', '{', ',']);
        let is_variant =
            name.starts_with(|c: char| c.is_ascii_uppercase()) && name.chars().all(char::is_alphanumeric);
        is_variant.then(|| snake(name))
    });
    variants.collect()
}

#[test]
fn the_page_of_events_names_exactly_the_events_there_are() {
    let named: BTreeSet<String> = events_page().0.into_keys().collect();
    let mut kinds = kinds();
    // The program's own, in crates/cli/src/output/json_events.rs.
    assert!(kinds.insert("left_out".to_owned()));
    assert_eq!(named, kinds);
}

#[test]
fn the_page_of_events_names_exactly_the_advice_there_is() {
    let page = fs::read_to_string(root().join("docs/events.md")).unwrap();
    let list = page.split("`next` is one of ").nth(1).unwrap();
    let list = list.split("\n\n").next().unwrap();
    let named: BTreeSet<String> = list.split('`').skip(1).step_by(2).map(str::to_owned).collect();
    assert_eq!(named, variants("told/advice.rs", "Advice"));
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
fn every_event_and_field_that_occurs_is_described() {
    let folder = tempfile::tempdir().unwrap();
    let qdl = names(&put_release(folder.path(), Family::Swi9x30, 3_000_000));
    let firehose = names(&put_release(folder.path(), Family::Swi9x50, 3_000_000));
    let runs: [(&[String], &[&str]); 8] = [
        (&qdl, &[]),
        (&firehose, &[]),
        (&qdl, &["--from", "download"]),
        (&firehose, &["--from", "download"]),
        (&firehose, &["--fault", "drop@2000000"]),
        (&qdl, &["--fault", "reject-image@2"]),
        (
            &firehose[..1],
            &["--from", "download", "--fault", "stall@2000000"],
        ),
        (&[], &["--as", "MC7710", "--yes"]),
    ];
    let (described, all_words) = events_page();
    let mut seen = BTreeSet::new();
    for (files, options) in runs {
        let output = modemflash(folder.path())
            .args(["rehearse", "--fast", "--json"])
            .args(options)
            .args(files)
            .output()
            .unwrap();
        for line in String::from_utf8(output.stdout).unwrap().lines() {
            let event: Value = serde_json::from_str(line).expect("one object per line");
            let name = event["event"].as_str().unwrap();
            let fields = described
                .get(name)
                .unwrap_or_else(|| panic!("{name} isn't described"));
            seen.insert(name.to_owned());
            for (key, value) in event.as_object().unwrap() {
                if !["v", "t", "device", "event"].contains(&key.as_str()) {
                    assert!(fields.contains(key), "{key} of {name} isn't described");
                }
                let mut inner = BTreeSet::new();
                keys(value, &mut inner);
                for key in inner {
                    assert!(all_words.contains(&key), "{key} in {name} isn't described");
                }
                for (of, name) in [("step", "name"), ("modem", "state")] {
                    if key == of {
                        let word = value[name].as_str().unwrap();
                        assert!(all_words.contains(word), "{of} {word} isn't described");
                    }
                }
            }
        }
    }
    for expected in [
        "planned",
        "advanced",
        "image_accepted",
        "retrying",
        "noise",
        "modem_log",
        "modem_read",
        "appeared",
        "warning",
        "outcome",
        "failed",
    ] {
        assert!(
            seen.contains(expected),
            "no {expected} came; the runs show too little"
        );
    }
}
