//! A question can be left: Ctrl-C, a signal, a closed terminal and the end of the input end the run, and nothing is changed.

use std::fs;
use std::path::Path;

use crate::common::terminal::Terminal;
use crate::common::{self, modemflash, put_release, serve, setup};
use firmware_image::Family;
use firmware_image::generate::models::Release;
use rustix::process::Signal;

/// A firmware for EM7565 that is older than the virtual modem's: there is a question about it. The files' names.
fn put_older(folder: &Path) -> Vec<String> {
    put(folder, "01.05.01.00")
}

fn put(folder: &Path, firmware: &str) -> Vec<String> {
    let release = Release {
        family: Family::Swi9x50,
        firmware,
        config: "001.028_000",
        carrier: "GENERIC",
        seed: 7,
    };
    let plans = [
        (release.system_name(), release.system(100_000)),
        (release.settings_name(), release.settings(&[])),
    ];
    let put = |(name, plan): (String, firmware_image::generate::Plan)| {
        let image = plan.build(name.as_str()).unwrap();
        fs::write(folder.join(&name), image.to_vec()).unwrap();
        name
    };
    plans.into_iter().map(put).collect()
}

/// A verb that asks.
struct Verb {
    /// The command line, with a log of all requests; FILES stands for the older firmware.
    line: &'static str,
    /// What the log shows only when the modem is changed.
    change: &'static str,
    /// What is said when it isn't.
    unchanged: &'static str,
}

const VERBS: [Verb; 5] = [
    Verb {
        line: "-vv --virtual EM7565 update FILES",
        change: "SetFirmwarePreference",
        unchanged: "nothing was changed on the modem",
    },
    Verb {
        line: "-vv --virtual EM7565,EM7565 update --all FILES",
        change: "SetFirmwarePreference",
        unchanged: "nothing was changed on any modem",
    },
    Verb {
        line: "-vv rehearse --as EM7565 --fast FILES",
        change: "SetFirmwarePreference",
        unchanged: "nothing was changed on the modem",
    },
    Verb {
        line: "-vv --virtual MC7455 slots delete 1 --force",
        change: "DeleteStoredImage",
        unchanged: "nothing was deleted",
    },
    Verb {
        line: "-vv --virtual MC7455 at AT!RESET",
        change: "AT command=",
        unchanged: "nothing was sent to the modem",
    },
];

impl Verb {
    fn command(&self, folder: &Path) -> std::process::Command {
        let mut command = modemflash(folder);
        command.env("TERM", "dumb");
        for word in self.line.split(' ') {
            if word == "FILES" {
                command.args(put_older(folder));
            } else {
                command.arg(word);
            }
        }
        command
    }
}

/// A way to leave a question.
type Way = (&'static str, fn(&mut Terminal));

const WAYS: [Way; 8] = [
    ("Ctrl-C", |terminal| terminal.press("\x03")),
    ("Ctrl-C twice", |terminal| terminal.press("\x03\x03")),
    ("half an answer, then Ctrl-C", |terminal| {
        terminal.press("y\x03");
    }),
    ("SIGINT", |terminal| terminal.signal(Signal::INT)),
    ("SIGTERM", |terminal| terminal.signal(Signal::TERM)),
    ("SIGHUP", |terminal| terminal.signal(Signal::HUP)),
    ("a closed terminal", |terminal| terminal.hang_up()),
    ("Ctrl-D", |terminal| terminal.press("\x04")),
];

#[test]
fn each_question_can_be_left_in_each_way_and_nothing_is_changed() {
    let folder = tempfile::tempdir().unwrap();
    for verb in VERBS {
        for (way, leave) in WAYS {
            let mut terminal = Terminal::start(verb.command(folder.path()));
            terminal.wait_for_question();
            leave(&mut terminal);
            let (code, text) = terminal.finish();
            let what = format!("{} left by {way}:\n{text}", verb.line);
            assert_eq!(code, 130, "{what}");
            let end = format!("\nstopped without an answer; {}\n", verb.unchanged);
            assert!(text.ends_with(&end), "{what}");
            assert!(!text.contains(verb.change), "{what}");
            // The session with the modem ends as after a no, and nothing more is to be stopped.
            assert!(!text.contains("stopping: "), "{what}");
        }
        // The log would show it.
        let mut terminal = Terminal::start(verb.command(folder.path()));
        terminal.wait_for_question();
        terminal.press("y\n");
        let (code, text) = terminal.finish();
        assert_eq!(code, 0, "{text}");
        assert!(text.contains(verb.change), "{text}");
    }
}

#[test]
fn what_was_typed_before_a_question_answers_nothing() {
    let folder = tempfile::tempdir().unwrap();
    for verb in VERBS {
        let mut terminal = Terminal::with_keys(verb.command(folder.path()), "y\ny\n");
        terminal.wait_for_question();
        terminal.press("n\n");
        let (code, text) = terminal.finish();
        assert_eq!(code, 130, "{}:\n{text}", verb.line);
        assert!(text.ends_with(&format!("{}\n", verb.unchanged)), "{text}");
        assert!(!text.contains("without an answer"), "{text}");
        assert!(!text.contains(verb.change), "{text}");
    }
}

#[test]
fn the_end_of_a_session_after_a_left_question_is_that_after_a_no() {
    let folder = tempfile::tempdir().unwrap();
    let files = put_older(folder.path());
    let mut sent = Vec::new();
    for keys in ["n\n", "\x03\x03"] {
        let mut command = modemflash(folder.path());
        command.env("TERM", "dumb");
        command
            .args(["-vvv", "--virtual", "EM7565", "update"])
            .args(&files);
        let mut terminal = Terminal::start(command);
        terminal.wait_for_question();
        terminal.press(keys);
        let (code, text) = terminal.finish();
        assert_eq!(code, 130, "{text}");
        let after = text.split_once(common::terminal::QUESTION).unwrap().1;
        let lines = after.lines().filter_map(|line| line.split_once(" >> "));
        let messages: Vec<String> = lines.map(|(_, bytes)| bytes.to_owned()).collect();
        assert!(!messages.is_empty(), "{text}");
        sent.push(messages);
    }
    assert_eq!(sent[0], sent[1]);
}

#[test]
fn a_modem_in_download_mode_gets_no_byte_when_the_question_is_left() {
    let folder = tempfile::tempdir().unwrap();
    // Pre-production firmware.
    let files = put(folder.path(), "00.05.01.00");
    for (way, leave) in WAYS {
        let (served, port) = serve(setup("EM7565", 10 << 20));
        let mut command = modemflash(folder.path());
        command.env("TERM", "dumb");
        command.args(["-vvv", "update", "-t", &port]).args(&files);
        let mut terminal = Terminal::start(command);
        terminal.wait_for_question();
        leave(&mut terminal);
        let (code, text) = terminal.finish();
        assert_eq!(code, 130, "{way}:\n{text}");
        assert!(!text.contains(" open "), "{way}:\n{text}");
        let modem = served.stop().unwrap();
        assert!(modem.images().is_empty(), "{way}");
        assert_eq!(modem.violations(), [], "{way}");
    }
}

#[test]
fn a_signal_before_the_workers_begin_reaches_them_though_nobody_is_asked() {
    let folder = tempfile::tempdir().unwrap();
    // Large enough to be seen while it is checked.
    let files = put_release(folder.path(), Family::Swi9x30, 60_000_000);
    let (one, one_port) = serve(setup("MC7455", 10 << 20));
    let (other, other_port) = serve(setup("MC7455", 10 << 20));
    let mut command = modemflash(folder.path());
    command.env("TERM", "xterm");
    command.args(["update", "--yes", "-t", &one_port, "-t", &other_port]);
    command.args(&files);
    let mut terminal = Terminal::start(command);
    assert!(terminal.comes_to("checking "), "{}", terminal.text());
    terminal.signal(Signal::TERM);
    let (code, text) = terminal.finish();
    assert_eq!(code, 130, "{text}");
    assert!(
        text.contains("[E-STOPPED]: stopped; nothing was changed on any modem\n"),
        "{text}"
    );
    for served in [one, other] {
        let modem = served.stop().unwrap();
        assert!(modem.images().is_empty());
        assert_eq!(modem.violations(), []);
    }
}

// The first of two modems is held by another run while the plans are shown: nobody has seen its warning.
#[test]
fn yes_to_the_warnings_of_some_modems_confirms_none_that_was_not_shown() {
    let folder = tempfile::tempdir().unwrap();
    // Pre-production firmware.
    let files = put(folder.path(), "00.05.01.00");
    let (one, one_port) = serve(setup("EM7565", 10 << 20));
    let (other, other_port) = serve(setup("EM7565", 10 << 20));
    let update = |ports: &[&str]| {
        let mut command = modemflash(folder.path());
        command.env("TERM", "dumb").arg("update");
        for port in ports {
            command.args(["-t", port]);
        }
        command.args(&files);
        let mut terminal = Terminal::start(command);
        terminal.wait_for_question();
        terminal
    };
    let mut holder = update(&[&one_port]);
    let mut fleet = update(&[&one_port, &other_port]);
    let shown = fleet.text();
    assert!(
        shown.contains(&format!("{one_port}: another process has locked the modem")),
        "{shown}"
    );
    assert!(
        shown.contains("warning: the files contain pre-production firmware"),
        "{shown}"
    );
    holder.press("n\n");
    assert_eq!(holder.finish().0, 130);
    fleet.press("y\n");
    let (code, text) = fleet.finish();
    assert_eq!(code, 8, "{text}");
    assert_eq!(text.matches("error[E-NOT-CONFIRMED]: ").count(), 1, "{text}");
    let one = one.stop().unwrap();
    assert!(one.images().is_empty());
    assert_eq!(one.violations(), []);
    assert_eq!(other.stop().unwrap().images().len(), files.len(), "{text}");
}

// Firmware for another platform can cost the modem: one keystroke isn't enough.
#[test]
fn a_platform_against_what_is_known_of_the_modem_is_asked_for_twice() {
    let folder = tempfile::tempdir().unwrap();
    let files: Vec<String> = common::names(&put_release(folder.path(), Family::Sdx12, 5000));
    let command = |words: &[&str]| {
        let mut command = modemflash(folder.path());
        command
            .env("TERM", "dumb")
            .args(["-vv", "--virtual", "EM7565", "update"]);
        command.args(words).args(&files);
        command
    };
    let second = "are you sure that this modem takes SWIX12C firmware? [y/N] ";
    for (answers, goes_on) in [
        (["y\n", "n\n"], false),
        (["y\n", "\x03"], false),
        (["y\n", "y\n"], true),
    ] {
        let mut terminal = Terminal::start(command(&["--as-platform", "swix12c"]));
        assert!(
            terminal.comes_to("go on all the same? [y/N] "),
            "{}",
            terminal.text()
        );
        terminal.press(answers[0]);
        assert!(terminal.comes_to(second), "{}", terminal.text());
        terminal.press(answers[1]);
        let (code, text) = terminal.finish();
        assert_eq!(text.contains("SetFirmwarePreference"), goes_on, "{text}");
        // Its boot loader knows better.
        assert_eq!(code, if goes_on { 6 } else { 130 }, "{text}");
    }
    // Nobody can be asked: --yes answers, and --force doesn't.
    for (words, code) in [
        (["--as-platform", "SWIX12C"].as_slice(), 2),
        (&["--as-platform", "SWIX12C", "--force"], 2),
        (&["--as-platform", "SWIX12C", "--yes"], 6),
        (&["--as-platform", "SWIX65C", "--yes"], 3),
        (&["--force", "--yes"], 3),
    ] {
        let output = command(words).output().unwrap();
        let text = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{words:?}: {text}");
    }
}
