//! The program on a terminal: questions and their answers, bars, folded lines; and what goes on until Ctrl-C.

use std::fs;
use std::time::Duration;

use crate::common::{Run, modemflash, names, on_terminal, put_release, serve, setup};
use firmware_image::Family;
use firmware_image::generate::models::Release;
use rustix::process::Signal;
use virtual_modem::pty::PtyModem;

fn on_dumb_terminal(line: &str, typed: &str) -> (i32, String) {
    let folder = tempfile::tempdir().unwrap();
    let arguments: Vec<&str> = line.split(' ').collect();
    on_terminal(folder.path(), "dumb", &arguments, typed)
}

#[test]
fn a_command_that_changes_something_is_sent_after_a_typed_yes_only() {
    let line = "--virtual MC7455 at AT!RESET";
    let (code, text) = on_dumb_terminal(line, "y\n");
    assert_eq!(code, 0, "{text}");
    assert!(
        text.contains("AT!RESET restarts the modem; the connection is lost\nsend it? [y/N] "),
        "{text}"
    );
    assert!(text.ends_with("OK\n"), "{text}");
    for typed in ["n\n", "\n", "yo\n"] {
        let (code, text) = on_dumb_terminal(line, typed);
        assert_eq!(code, 130, "{text}");
        assert!(text.ends_with("nothing was sent to the modem\n"), "{text}");
    }
}

#[test]
fn a_stored_image_is_deleted_after_a_typed_yes_only() {
    let (code, text) = on_dumb_terminal("--virtual MC7455 slots delete 1 --force", "n\n");
    assert_eq!(code, 130, "{text}");
    assert!(
        text.contains("delete firmware 02.24.05.06 in slot 1 from 1-1 for good? [y/N] "),
        "{text}"
    );
    assert!(text.ends_with("nothing was deleted\n"), "{text}");
}

#[test]
fn what_a_no_cannot_undo_is_not_asked_about() {
    let (code, text) = on_dumb_terminal("--virtual MC7455 at AT!RMARESET=1", "y\n");
    assert_eq!(code, 2, "{text}");
    assert!(text.contains("run again with --i-know"), "{text}");
}

#[test]
fn lines_are_folded_between_words() {
    let (code, text) = on_dumb_terminal("--virtual MC7455@download list", "");
    assert_eq!(code, 0, "{text}");
    assert!(text.contains("\n    "), "{text}");
    assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
}

#[test]
fn a_capable_terminal_gets_a_bar_and_a_dumb_one_gets_lines() {
    let folder = tempfile::tempdir().unwrap();
    let files = names(&put_release(folder.path(), Family::Swi9x30, 3_000_000));
    let mut arguments = vec!["--virtual", "MC7455@download", "update"];
    arguments.extend(files.iter().map(String::as_str));
    let (code, text) = on_terminal(folder.path(), "xterm", &arguments, "");
    assert_eq!(code, 0, "{text}");
    assert!(text.contains("\u{1b}["), "{text}");
    assert!(text.contains("rescued: the modem runs 02.33.03.00"), "{text}");
    let (code, text) = on_terminal(folder.path(), "dumb", &arguments, "");
    assert_eq!(code, 0, "{text}");
    assert!(!text.contains('\u{1b}'), "{text}");
}

#[test]
fn several_modems_get_a_line_each_and_a_table_at_the_end() {
    let folder = tempfile::tempdir().unwrap();
    let files = names(&put_release(folder.path(), Family::Swi9x30, 3_000_000));
    let mut arguments = vec!["--virtual", "MC7455,MC7455@download", "update", "--all"];
    arguments.extend(files.iter().map(String::as_str));
    let (code, text) = on_terminal(folder.path(), "xterm", &arguments, "");
    assert_eq!(code, 0, "{text}");
    for bar in ["1-1 [", "1-2 ["] {
        assert!(text.contains(bar), "{text}");
    }
    let table = text.rsplit("PLACE  EXIT  RESULT\n").next().unwrap();
    assert!(table.starts_with("1-1    0     updated from "), "{table}");
    assert!(table.contains("\n1-2    0     rescued: "), "{table}");
}

#[test]
fn one_question_is_asked_about_all_modems_before_anything_is_changed() {
    let folder = tempfile::tempdir().unwrap();
    let release = Release {
        family: Family::Swi9x50,
        firmware: "01.05.01.00",
        config: "001.028_000",
        carrier: "GENERIC",
        seed: 7,
    };
    let plans = [
        (release.system_name(), release.system(100_000)),
        (release.settings_name(), release.settings(&[])),
    ];
    let mut arguments = vec!["--virtual", "EM7565,EM7565", "update", "--all"];
    for (name, plan) in &plans {
        let image = plan.clone().build(name.as_str()).unwrap();
        fs::write(folder.path().join(name), image.to_vec()).unwrap();
        arguments.push(name);
    }
    let (code, text) = on_terminal(folder.path(), "dumb", &arguments, "n\n");
    assert_eq!(code, 130, "{text}");
    assert_eq!(text.matches("there is no safe way back").count(), 2, "{text}");
    assert_eq!(text.matches("go on all the same? [y/N] ").count(), 1, "{text}");
    // What is asked about stands before the question, one modem after the other.
    let before = text.split_once("go on all").unwrap().0.replace("\n  ", " ");
    let mut rest = before.as_str();
    let plan = "runs 01.07.02.00 GENERIC 002.004_000, to become 01.05.01.00 GENERIC 001.028_000, 2 images";
    for line in [
        "asking 2 modems what they run",
        &format!("1-1: {plan}"),
        "warning: ",
        &format!("1-2: {plan}"),
        "warning: ",
    ] {
        rest = rest
            .split_once(line)
            .unwrap_or_else(|| panic!("{line}: {text}"))
            .1;
    }
    assert!(text.ends_with("nothing was changed on any modem\n"), "{text}");
    arguments.retain(|word| *word != "--all");
    arguments[1] = "EM7565";
    let (code, text) = on_terminal(folder.path(), "dumb", &arguments, "n\n");
    assert_eq!(code, 130, "{text}");
    assert!(text.ends_with("nothing was changed on the modem\n"), "{text}");
    let (code, text) = on_terminal(folder.path(), "dumb", &arguments, "y\n");
    assert_eq!(code, 0, "{text}");
    assert!(
        text.replace("\n  ", " ")
            .contains("to 01.05.01.00 GENERIC 001.028_000"),
        "{text}"
    );
}

/// A modem that is silent for a while after each image.
fn quiet() -> (PtyModem, String) {
    let mut quiet = setup("MC7455", 10 << 20);
    quiet.timings.programming_floor = Duration::from_millis(2600);
    serve(quiet)
}

#[test]
fn an_announced_silence_shows_how_long_it_lasts_and_what_is_normal() {
    let folder = tempfile::tempdir().unwrap();
    let files = names(&put_release(folder.path(), Family::Swi9x30, 3_000_000));
    let (_one, one_port) = quiet();
    let (_other, other_port) = quiet();
    let alone = vec!["update", "-t", &one_port];
    let (_third, third_port) = quiet();
    let together = vec!["update", "-t", &other_port, "-t", &third_port];
    for (mut arguments, place) in [(alone, None), (together, Some(&other_port))] {
        arguments.extend(files.iter().map(String::as_str));
        let (code, mut text) = on_terminal(folder.path(), "xterm", &arguments, "");
        assert_eq!(code, 0, "{text}");
        if let Some(place) = place {
            // One modem's line, as it is drawn again and again: the other may be ahead of it or behind. The shorter of two
            // names is followed by more than one space.
            let drawn = text.split(place.as_str()).skip(1);
            let drawn = drawn.filter(|rest| rest.trim_start_matches(' ').starts_with('['));
            let lines = drawn.map(|rest| rest.chars().take(78 - place.len()).collect::<String>());
            text = lines.collect::<Vec<_>>().join("\n");
        }
        // The first image's silence: from its announcement to the verdict.
        let Some((_, silence)) = text.split_once(" of silence, up to 3 min is normal") else {
            panic!("no silence is shown: {text}");
        };
        // A line that is drawn over and over may skip the words of a moment, here the verdict.
        let ends = ["image 1 of 2 accepted", "image 2 of 2"].map(|words| silence.find(words));
        let silence = &silence[..ends.into_iter().flatten().min().unwrap()];
        for seconds in [1, 2] {
            let words = format!("%  {seconds} s of silence, up to 3 min is normal");
            assert!(silence.contains(&words), "{text}");
        }
        assert!(!silence.contains("MiB of "), "{text}");
    }
}

#[test]
fn watching_ends_with_ctrl_c_and_exit_code_0() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = modemflash(folder.path());
    command.args(["list", "--watch"]);
    let mut run = Run::start(command);
    // The table, or the word that no modem is here: signals are handled by then.
    run.wait_for_words("");
    run.signal(Signal::INT);
    let (code, seen) = run.finish();
    assert_eq!(code, 0, "{seen}");
}

#[test]
fn an_interrupt_stops_virtual_modems_as_it_stops_real_ones() {
    let folder = tempfile::tempdir().unwrap();
    let files = names(&put_release(folder.path(), Family::Swi9x30, 60_000_000));
    let mut command = modemflash(folder.path());
    command.args(["--virtual", "MC7455,MC7455", "update", "--all", "--json"]);
    command.args(&files);
    let mut run = Run::start(command);
    run.wait_for_words("\"partly_written\"");
    run.signal(Signal::INT);
    let (code, seen) = run.finish();
    assert_eq!(code, 130, "{seen}");
    assert_eq!(seen.matches("\"failed\"").count(), 2, "{seen}");
}
