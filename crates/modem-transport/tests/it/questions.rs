//! Questions at a terminal. Signals go to all of a process, so this is one test in a process of its own.

use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::process;
use modemflash_modem_transport::{LinuxWorld, Questions, Typed};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::{Mode, OFlags, open};
use rustix::io::write;
use rustix::process::{Signal, getpid, kill_process};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{OptionalActions, tcgetattr, tcsetattr};

/// A terminal: the side of its user, and the side of the program.
fn terminal() -> (OwnedFd, OwnedFd) {
    let user = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
    grantpt(&user).unwrap();
    unlockpt(&user).unwrap();
    let path = ptsname(&user, Vec::new()).unwrap();
    let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
    let program = open(path, flags, Mode::empty()).unwrap();
    (user, program)
}

fn press(user: &OwnedFd, keys: &[u8]) {
    assert_eq!(write(user, keys).unwrap(), keys.len());
}

/// What is typed has come to the program's side.
fn wait_for_input(program: &OwnedFd) {
    poll(&mut [PollFd::new(program, PollFlags::IN)], None).unwrap();
}

fn line(text: &str) -> Typed {
    Typed::Line(text.to_owned())
}

#[test]
fn a_question_is_answered_after_it_was_shown_or_left() {
    let name = "a_question_is_answered_after_it_was_shown_or_left";
    process::alone(module_path!(), name, questions_are_asked);
}

fn questions_are_asked() {
    let mut world = LinuxWorld::new().unwrap();
    world.handle_signals().unwrap();
    let (user, program) = terminal();

    // What was typed before a question, or behind an answer, answers nothing; half a line isn't put before an answer either.
    let questions = Questions::new().unwrap();
    press(&user, b"y\n");
    wait_for_input(&program);
    assert_eq!(questions.ask(&program, || press(&user, b"n\n")), line("n"));
    let two_answers = || press(&user, b"first\ny\n");
    assert_eq!(questions.ask(&program, two_answers), line("first"));
    wait_for_input(&program);
    assert_eq!(questions.ask(&program, || press(&user, b"n\n")), line("n"));
    press(&user, b"y");
    assert_eq!(questions.ask(&program, || press(&user, b"n\n")), line("n"));

    // The end of the input, also behind half a line, is no answer.
    assert_eq!(questions.ask(&program, || press(&user, b"\x04")), Typed::Left);
    let half_a_line = || press(&user, b"y\x04\x04");
    assert_eq!(questions.ask(&program, half_a_line), Typed::Left);
    assert!(!questions.is_stopped());

    // A signal leaves the question, also when the line with the answer is there already; and every later question.
    for (signal, stops) in [(Signal::INT, true), (Signal::TERM, true), (Signal::HUP, false)] {
        for keys in [&b""[..], b"y", b"y\n"] {
            let questions = Questions::new().unwrap();
            let came = Arc::new(AtomicBool::new(false));
            // Called after the handlers of `questions`.
            let witness = signal_hook::flag::register(signal.as_raw(), Arc::clone(&came)).unwrap();
            let asked = questions.ask(&program, || {
                press(&user, keys);
                kill_process(getpid(), signal).unwrap();
                // Another thread may be the one that is interrupted.
                while !came.load(Ordering::SeqCst) {
                    std::thread::yield_now();
                }
            });
            signal_hook::low_level::unregister(witness);
            assert_eq!(asked, Typed::Left, "{signal:?} {keys:?}");
            assert_eq!(questions.is_stopped(), stops, "{signal:?}");
            let not_shown = || panic!("it is shown after {signal:?}");
            assert_eq!(questions.ask(&program, not_shown), Typed::Left);
        }
    }

    // A terminal in raw mode hands on the keys.
    let modes = tcgetattr(&program).unwrap();
    let mut raw = modes.clone();
    raw.make_raw();
    tcsetattr(&program, OptionalActions::Now, &raw).unwrap();
    let questions = Questions::new().unwrap();
    assert_eq!(questions.ask(&program, || press(&user, b"yes\r")), line("yes"));
    assert_eq!(questions.ask(&program, || press(&user, b"y\x03")), Typed::Left);
    // The terminal holds all of it, but gives it to its reader in pieces.
    let endless = || (0..100).for_each(|_| press(&user, &[b'y'; 64]));
    assert_eq!(questions.ask(&program, endless), Typed::Left);
    tcsetattr(&program, OptionalActions::Now, &modes).unwrap();

    // A terminal that is closed meanwhile.
    let mut user = Some(user);
    assert_eq!(questions.ask(&program, || drop(user.take())), Typed::Left);
    assert_eq!(questions.ask(&program, || {}), Typed::Left);
}
