//! The program on a terminal: questions and their answers, bars, folded lines; and what goes on until Ctrl-C.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod common;

use std::fs;

use common::{Run, modemflash, names, on_terminal, put_release};
use firmware_image::Family;
use firmware_image::generate::models::Release;
use rustix::process::Signal;

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
