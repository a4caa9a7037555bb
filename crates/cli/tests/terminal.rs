//! The program on a terminal: questions and their answers, bars, folded lines; and what goes on until Ctrl-C.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod common;

use common::{Run, modemflash, names, on_terminal, put_release};
use firmware_image::Family;
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
