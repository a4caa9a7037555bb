//! The host's side of an AT port, on ports that answer, that don't, and that go away.

use std::time::Duration;

use modemflash_modem_protocol::Instant;
use modemflash_modem_protocol::at::session::{AtError, Outcome, Session, Step};
use modemflash_modem_protocol::at::{Answer, Command, Final};
use proptest::prelude::*;

const AT: &[u8] = b"AT\r";

fn at(milliseconds: u64) -> Instant {
    Instant::from_start(Duration::from_millis(milliseconds))
}

fn send(bytes: &[u8]) -> Step {
    Step::Send(bytes.to_vec())
}

fn wait(milliseconds: u64) -> Step {
    Step::Wait {
        until: at(milliseconds),
    }
}

fn answered(lines: &[&str], result: Final) -> Step {
    Step::Answer(Ok(Outcome::Answered(Answer {
        lines: lines.iter().map(|&line| line.into()).collect(),
        result,
        left_out: 0,
    })))
}

/// A session that has asked this.
fn asked(command: Command) -> Session {
    let mut session = Session::new();
    assert_eq!(session.poll(at(0)), send(AT));
    session.receive(b"\r\nOK\r\n", at(0));
    assert_eq!(session.poll(at(0)), Step::Ready);
    assert_eq!(session.poll(at(0)), Step::Ready);
    let request = command.to_bytes();
    session.ask(command);
    assert_eq!(session.poll(at(0)), Step::Send(request));
    session
}

#[test]
fn at_first_then_one_command_after_the_other() {
    let mut session = Session::new();
    assert_eq!(session.poll(at(0)), send(AT));
    assert_eq!(session.poll(at(0)), wait(2000));
    session.receive(b"AT\r\r\nOK\r\n", at(10));
    assert_eq!(session.poll(at(10)), Step::Ready);
    for (command, line) in [
        (Command::IDENTITY, "Model: MC7455"),
        (Command::STATUS, "!GSTATUS:"),
    ] {
        session.ask(command.clone());
        assert_eq!(session.poll(at(20)), Step::Send(command.to_bytes()));
        assert_eq!(session.poll(at(20)), wait(5020));
        session.receive(
            format!("{}\r\r\n{line}\r\n\r\nOK\r\n", command.text()).as_bytes(),
            at(30),
        );
        assert_eq!(session.poll(at(30)), answered(&[line], Final::Ok));
        assert_eq!(session.poll(at(30)), Step::Ready);
    }
}

#[test]
fn a_command_may_be_asked_before_the_port_is_known() {
    let mut session = Session::new();
    session.ask(Command::IDENTITY);
    assert_eq!(session.poll(at(0)), send(AT));
    session.receive(b"\r\nOK\r\n", at(0));
    assert_eq!(session.poll(at(0)), send(b"ATI\r"));
}

#[test]
fn a_known_port_is_asked_at_once() {
    let mut session = Session::on_known_port();
    assert_eq!(session.poll(at(0)), Step::Ready);
    session.ask(Command::RESET);
    assert_eq!(session.poll(at(0)), send(b"AT!RESET\r"));
    assert_eq!(session.poll(at(0)), wait(10_000));
}

#[test]
fn a_refusal_is_an_answer() {
    let mut session = asked(Command::BOOT_HOLD);
    session.receive(b"AT!BOOTHOLD\r\r\nERROR\r\n", at(5));
    assert_eq!(session.poll(at(5)), answered(&[], Final::Error));
    session.ask(Command::UNLOCK);
    assert_eq!(session.poll(at(5)), send(b"AT!ENTERCND=\"A710\"\r"));
}

#[test]
fn an_echo_alone_or_in_pieces_is_waited_out() {
    let mut session = asked(Command::BOOT_HOLD);
    for (time, piece) in [
        (100, &b"AT!B"[..]),
        (200, b"OOTHOLD\r"),
        (300, b"\r\nO"),
        (9999, b"K"),
    ] {
        session.receive(piece, at(time));
        assert_eq!(session.poll(at(time)), wait(10_000));
    }
    session.receive(b"\r\n", at(9999));
    assert_eq!(session.poll(at(9999)), answered(&[], Final::Ok));
}

#[test]
fn a_garbled_first_answer_is_forgiven() {
    for garbage in [&b"\xF8\x00AT\r\r\nERROR\r\n"[..], b"+CME ERROR: 100\r\n"] {
        let mut session = Session::new();
        assert_eq!(session.poll(at(0)), send(AT));
        session.receive(garbage, at(50));
        assert_eq!(session.poll(at(50)), send(AT));
        session.receive(b"AT\r\r\nOK\r\n", at(60));
        assert_eq!(session.poll(at(60)), Step::Ready);
    }
    let mut session = Session::new();
    assert_eq!(session.poll(at(0)), send(AT));
    session.receive(b"\r\nO\xFF\r\n", at(50));
    assert_eq!(session.poll(at(50)), wait(2000));
    assert_eq!(session.poll(at(2000)), send(AT));
}

#[test]
fn vector_6_a_port_with_nmea_lines_is_no_at_port() {
    let mut session = Session::new();
    session.ask(Command::BOOT_HOLD);
    assert_eq!(session.poll(at(0)), send(AT));
    session.receive(b"$GPGSV,1,1,00*79\r\n$GPGSV,1,1,00*79\r\n", at(700));
    assert_eq!(session.poll(at(700)), wait(2000));
    assert_eq!(session.poll(at(2000)), send(AT));
    assert_eq!(session.poll(at(2000)), wait(4000));
    let error = AtError::NotAnAtPort {
        heard: vec!["$GPGSV,1,1,00*79".into(), "$GPGSV,1,1,00*79".into()],
    };
    assert_eq!(session.poll(at(4000)), Step::Answer(Err(error.clone())));
    assert_eq!(
        error.to_string(),
        "no AT port: no OK to AT; it says \"$GPGSV,1,1,00*79\""
    );
    session.ask(Command::BOOT_HOLD);
    session.receive(b"\r\nOK\r\n", at(4001));
    assert_eq!(session.poll(at(5000)), Step::Answer(Err(error)));
}

#[test]
fn a_port_that_prints_nmea_lines_and_answers_is_an_at_port() {
    let mut session = Session::new();
    assert_eq!(session.poll(at(0)), send(AT));
    session.receive(b"$GPGSV,1,1,00*79\r\nAT\r\r\nOK\r\n$GPGSV", at(10));
    assert_eq!(session.poll(at(10)), Step::Ready);
    session.receive(b",1,1,00*79\r\n", at(20));
    session.ask(Command::REVISION);
    assert_eq!(session.poll(at(30)), send(b"AT+CGMR\r"));
    session.receive(b"AT+CGMR\r\r\n1.2\r\n\r\n$GPVTG*1\r\nOK\r\n", at(40));
    assert_eq!(session.poll(at(40)), answered(&["1.2", "$GPVTG*1"], Final::Ok));
}

#[test]
fn a_diag_port_is_no_at_port() {
    let mut session = Session::new();
    assert_eq!(session.poll(at(0)), send(AT));
    session.receive(&[0x13, b'A', b'T', 0x0D, 0x6A, 0x9A, 0x7E], at(1));
    assert_eq!(session.poll(at(2000)), send(AT));
    let Step::Answer(Err(AtError::NotAnAtPort { heard })) = session.poll(at(4000)) else {
        panic!("an answer");
    };
    assert_eq!(heard, ["\u{13}AT", "j\u{FFFD}~"]);
}

#[test]
fn a_silent_port_is_no_at_port() {
    let mut session = Session::new();
    assert_eq!(session.poll(at(0)), send(AT));
    assert_eq!(session.poll(at(1999)), wait(2000));
    assert_eq!(session.poll(at(2000)), send(AT));
    let error = AtError::NotAnAtPort { heard: vec![] };
    assert_eq!(error.to_string(), "no AT port: no OK to AT");
    assert_eq!(session.poll(at(4000)), Step::Answer(Err(error)));
}

#[test]
fn a_port_that_refuses_at_is_no_at_port() {
    let mut session = Session::new();
    for _ in 0..2 {
        assert_eq!(session.poll(at(0)), send(AT));
        session.receive(b"\r\nERROR\r\n", at(0));
    }
    let heard = vec!["ERROR".into(), "ERROR".into()];
    assert_eq!(
        session.poll(at(0)),
        Step::Answer(Err(AtError::NotAnAtPort { heard }))
    );
}

#[test]
fn two_late_answers_to_at_are_not_taken_for_the_answer_to_the_command() {
    let mut session = Session::new();
    session.ask(Command::BOOT_HOLD);
    assert_eq!(session.poll(at(0)), send(AT));
    assert_eq!(session.poll(at(2000)), send(AT));
    session.receive(b"AT\r\r\nOK\r\n", at(2100));
    assert_eq!(session.poll(at(2100)), wait(2300));
    session.receive(b"AT\r\r\nO", at(2299));
    assert_eq!(session.poll(at(2300)), wait(2499));
    session.receive(b"K\r\n", at(2310));
    assert_eq!(session.poll(at(2310)), send(b"AT!BOOTHOLD\r"));
    session.receive(b"\r\nERROR\r\n", at(2400));
    assert_eq!(session.poll(at(2400)), answered(&[], Final::Error));
}

#[test]
fn an_answer_that_is_lost_delays_the_next_command_and_nothing_more() {
    let mut session = Session::new();
    assert_eq!(session.poll(at(0)), send(AT));
    assert_eq!(session.poll(at(2000)), send(AT));
    session.receive(b"\r\nOK\r\n", at(2000));
    assert_eq!(session.poll(at(2000)), wait(2200));
    assert_eq!(session.poll(at(2200)), Step::Ready);
    session.ask(Command::IDENTITY);
    assert_eq!(session.poll(at(2200)), send(b"ATI\r"));
    // A port that is never silent.
    let mut session = Session::new();
    assert_eq!(session.poll(at(0)), send(AT));
    assert_eq!(session.poll(at(2000)), send(AT));
    session.receive(b"\r\nOK\r\n", at(2000));
    for time in (2000..4000).step_by(100) {
        session.receive(b"$GPGSV,1,1,00*79\r\n", at(time));
        assert!(
            matches!(session.poll(at(time)), Step::Wait { until } if until <= at(4000)),
            "{time}"
        );
    }
    assert_eq!(session.poll(at(4000)), Step::Ready);
}

#[test]
fn silence_fails_the_command_and_the_next_one_is_kept_apart_from_a_late_answer() {
    let mut session = asked(Command::IMAGES);
    session.receive(b"AT!IMAGE?\r\r\nTYPE SLOT", at(10));
    assert_eq!(session.poll(at(4999)), wait(5000));
    let error = AtError::Silent {
        command: "AT!IMAGE?".into(),
        waited: Duration::from_secs(5),
        heard: vec!["TYPE SLOT".into()],
    };
    assert_eq!(
        error.to_string(),
        "no answer to AT!IMAGE? within 5 s; it says \"TYPE SLOT\""
    );
    assert_eq!(session.poll(at(5000)), Step::Answer(Err(error)));
    assert_eq!(session.poll(at(5000)), Step::Ready);
    session.ask(Command::BOOT_HOLD);
    assert_eq!(session.poll(at(6000)), send(AT));
    session.receive(b" STATUS\r\n\r\nOK\r\n", at(6010));
    assert_eq!(session.poll(at(6010)), wait(6210));
    session.receive(b"AT\r\r\nOK\r\n", at(6020));
    assert_eq!(session.poll(at(6020)), send(b"AT!BOOTHOLD\r"));
}

#[test]
fn a_late_answer_that_comes_while_nothing_is_asked_leaves_nothing_to_wait_for() {
    let mut session = asked(Command::IMAGES);
    assert!(matches!(session.poll(at(5000)), Step::Answer(Err(_))));
    session.receive(b"AT!IMAGE?\r\r\n\r\nOK\r\n", at(5500));
    assert_eq!(session.poll(at(5500)), Step::Ready);
    session.ask(Command::PRI);
    assert_eq!(session.poll(at(5500)), send(b"AT!PRIID?\r"));
}

#[test]
fn a_modem_that_answers_nothing_any_more_is_silent_and_can_be_asked_again() {
    let mut session = asked(Command::IDENTITY);
    assert!(matches!(session.poll(at(5000)), Step::Answer(Err(_))));
    session.ask(Command::PRI);
    assert_eq!(session.poll(at(5000)), send(AT));
    assert_eq!(session.poll(at(7000)), send(AT));
    let Step::Answer(Err(AtError::Silent { command, waited, .. })) = session.poll(at(9000)) else {
        panic!("an answer");
    };
    assert_eq!((command.as_str(), waited), ("AT", Duration::from_secs(4)));
    assert_eq!(session.poll(at(9000)), Step::Ready);
    session.ask(Command::PRI);
    assert_eq!(session.poll(at(9000)), send(AT));
    session.receive(b"\r\nOK\r\n\r\nOK\r\n\r\nOK\r\n\r\nOK\r\n", at(9001));
    assert_eq!(session.poll(at(9001)), send(b"AT!PRIID?\r"));
}

#[test]
fn a_command_that_replaces_another_does_not_get_its_answer() {
    let mut session = asked(Command::IMAGES);
    session.ask(Command::BOOT_HOLD);
    assert_eq!(session.poll(at(10)), send(AT));
    session.receive(b"AT!IMAGE?\r\r\n\r\nOK\r\nAT\r\r\nOK\r\n", at(20));
    assert_eq!(session.poll(at(20)), send(b"AT!BOOTHOLD\r"));
}

#[test]
fn a_port_that_goes_instead_of_answering_a_restart_is_success() {
    for before in [&b""[..], b"AT!BOOTHOLD\r", b"AT!BOOTHOLD\r\r\nO"] {
        let mut session = asked(Command::BOOT_HOLD);
        session.receive(before, at(10));
        session.closed();
        assert_eq!(session.poll(at(20)), Step::Answer(Ok(Outcome::LeftBus)));
        let left = AtError::Left {
            command: Some("AT!BOOTHOLD".into()),
        };
        assert_eq!(left.to_string(), "the AT port went away after AT!BOOTHOLD");
        assert_eq!(session.poll(at(20)), Step::Answer(Err(left.clone())));
        session.ask(Command::IDENTITY);
        assert_eq!(session.poll(at(30)), Step::Answer(Err(left)));
    }
}

#[test]
fn an_answer_that_came_before_the_port_went_counts() {
    for (bytes, result) in [(&b"\r\nOK\r\n"[..], Final::Ok), (b"\r\nERROR\r\n", Final::Error)] {
        let mut session = asked(Command::RESET);
        session.receive(bytes, at(10));
        session.closed();
        assert_eq!(session.poll(at(20)), answered(&[], result));
        assert!(matches!(
            session.poll(at(20)),
            Step::Answer(Err(AtError::Left { .. }))
        ));
    }
}

#[test]
fn a_port_that_goes_in_any_other_moment_is_a_failure() {
    let left = |command: &str| {
        Step::Answer(Err(AtError::Left {
            command: Some(command.into()),
        }))
    };
    let mut session = asked(Command::IDENTITY);
    session.closed();
    session.closed();
    assert_eq!(session.poll(at(0)), left("ATI"));
    let mut session = Session::new();
    assert_eq!(session.poll(at(0)), send(AT));
    session.closed();
    assert_eq!(session.poll(at(0)), left("AT"));
    let mut session = Session::on_known_port();
    session.closed();
    session.ask(Command::BOOT_HOLD);
    let left = AtError::Left { command: None };
    assert_eq!(left.to_string(), "the AT port went away");
    assert_eq!(session.poll(at(0)), Step::Answer(Err(left)));
}

proptest! {
    #[test]
    fn a_session_does_not_depend_on_the_split(piece in 1_usize..40) {
        let mut session = Session::new();
        prop_assert_eq!(session.poll(at(0)), send(AT));
        for piece in b"\r\n+CREG: 1\r\nAT\r\r\nOK\r\n".chunks(piece) {
            session.receive(piece, at(1));
        }
        prop_assert_eq!(session.poll(at(1)), Step::Ready);
        session.ask(Command::USB_PIDS);
        prop_assert_eq!(session.poll(at(1)), send(b"AT!USBPID?\r"));
        for piece in b"AT!USBPID?\r\r\n!USBPID:\r\nAPP : 90B1\r\nBOOT: 90B0\r\n\r\nOK\r\n".chunks(piece) {
            session.receive(piece, at(2));
        }
        prop_assert_eq!(session.poll(at(2)), answered(&["!USBPID:", "APP : 90B1", "BOOT: 90B0"], Final::Ok));
    }
}
