//! A modem's answers to AT commands.

use std::time::Duration;

use modem_protocol::Instant;
use modem_protocol::at::session::{Session, Step};
use modem_protocol::at::{Answer, Collector, Command, parse, reply};

use crate::pieces;

/// Collects answers from a stream: the result must be the same in any split. What was read from an answer
/// must be read again from the answer that the virtual modem would make of it.
pub(crate) fn answer(bytes: &[u8]) {
    let mut first: Option<(Option<Answer>, Vec<String>)> = None;
    for mut pieces in pieces(bytes) {
        let mut collector = Collector::new("AT!IMPREF?");
        let answer = pieces.find_map(|piece| collector.push(piece));
        // Text after an answer in the same piece is dropped, so only the text of an unfinished answer is the
        // same in any split.
        let unfinished = if answer.is_none() {
            collector.heard()
        } else {
            Vec::new()
        };
        let found = (answer, unfinished);
        assert_eq!(*first.get_or_insert_with(|| found.clone()), found);
    }
    let lines = match first {
        Some((Some(answer), _)) => answer.lines,
        Some((None, unfinished)) => unfinished,
        None => return,
    };
    read(&lines);
}

/// Applies all parsers to the same lines.
fn read(lines: &[String]) {
    let revision = parse::cgmr(lines);
    assert!(revision.is_none_or(|revision| !revision.is_empty()));
    let imei = parse::cgsn(lines);
    assert!(imei.is_none_or(|imei| imei.parse::<u64>().is_ok()));
    if let Some(found) = parse::ati(lines) {
        assert_eq!(parse::ati(&reply::ati(&found)), Some(found));
    }
    if let Some(found) = parse::priid(lines) {
        assert_eq!(parse::priid(&reply::priid(&found)), Some(found));
    }
    if let Some(found) = parse::bsinfo(lines) {
        let _ = (found.flash_chip(), found.bad_blocks());
        assert_eq!(parse::bsinfo(&reply::bsinfo(&found)), Some(found));
    }
    if let Some(found) = parse::impref(lines) {
        let _ = found.current.config_version();
        assert_eq!(parse::impref(&reply::impref(&found, "!IMPREF")), Some(found));
    }
    if let Some(found) = parse::image_list(lines) {
        assert_eq!(parse::image_list(&reply::image(&found)), Some(found));
    }
    if let Some(found) = parse::pcinfo(lines) {
        assert_eq!(parse::pcinfo(&reply::pcinfo(&found)), Some(found));
    }
    if let Some(found) = parse::gstatus(lines) {
        assert_eq!(parse::gstatus(&reply::gstatus(&found)), Some(found));
    }
    if let Some(found) = parse::usbcomp(lines) {
        assert_eq!(parse::usbcomp(&reply::usbcomp(&found)), Some(found));
    }
    if let Some(found) = parse::usbpid(lines) {
        assert_eq!(parse::usbpid(&reply::usbpid(&found)), Some(found));
    }
    if let Some(found) = parse::usbinfo(lines) {
        assert_eq!(parse::usbinfo(&reply::usbinfo(&found)), Some(found));
    }
    if let Some(found) = parse::usbspeed(lines) {
        assert_eq!(parse::usbspeed(&reply::usbspeed(&found)), Some(found));
    }
}

/// Runs a whole session with a port that sends these bytes, one piece after each request, and then nothing. A
/// NUL byte ends a piece, and an empty piece takes the port away. The session must end, whatever the bytes
/// are.
pub(crate) fn session(bytes: &[u8]) {
    let mut pieces = bytes.split(|&byte| byte == 0);
    let mut commands = [
        Command::IDENTITY,
        Command::IMAGES,
        Command::UNLOCK,
        Command::BOOT_HOLD,
    ]
    .into_iter();
    let mut session = Session::new();
    let mut now = Instant::START;
    let mut is_ports_turn = false;
    for _ in 0..100 {
        match session.poll(now) {
            Step::Send(request) => {
                assert!(request.ends_with(b"\r"));
                is_ports_turn = true;
            }
            Step::Ready => match commands.next() {
                Some(command) => session.ask(command),
                None => return,
            },
            Step::Answer(result) => {
                let end = result.is_err().then(|| session.poll(now));
                match end {
                    // The session is over and stays so.
                    Some(Step::Answer(_)) => return,
                    Some(Step::Ready) | None => {}
                    Some(other) => panic!("{other:?} after an error"),
                }
            }
            Step::Wait { until } => {
                assert!(until > now && until < Instant::FAR, "a wait without an end");
                match is_ports_turn.then(|| pieces.next()).flatten() {
                    Some([]) => session.closed(),
                    Some(piece) => {
                        now += Duration::from_millis(1);
                        session.receive(piece, now);
                    }
                    None => now = until,
                }
                is_ports_turn = false;
            }
        }
    }
    panic!("the session doesn't end");
}
