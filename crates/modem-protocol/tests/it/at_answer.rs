//! Answers out of bytes, by the vectors of at.md §2, and commands.

use std::time::Duration;

use modemflash_modem_protocol::at::command::{Consent, Effect, danger, is_dangerous, is_valid_text};
use modemflash_modem_protocol::at::{Answer, Code, Collector, Command, Final, Reply};
use proptest::prelude::*;

fn answer(lines: &[&str], result: Final) -> Answer {
    Answer {
        lines: lines.iter().map(|&line| line.into()).collect(),
        result,
        left_out: 0,
    }
}

fn collect(command: &str, bytes: &[u8], piece: usize) -> Option<Answer> {
    let mut collector = Collector::new(command);
    bytes.chunks(piece).find_map(|piece| collector.push(piece))
}

/// at.md vector 5.
const PREFERENCE: &[u8] = b"AT!IMPREF?\r\r\n!IMPREF:\r\n preferred fw version:    02.33.03.00\r\n \
preferred carrier name:  GENERIC\r\n preferred config name:   GENERIC_002.072_000\r\n \
preferred subpri index:  000\r\n current fw version:      02.33.03.00\r\n current carrier name:    GENERIC\r\n \
current config name:     GENERIC_002.026_000\r\n current subpri index:    000\r\n\r\n config name mismatch\r\n\r\nOK\r\n";

#[test]
fn words_that_refuse_before_an_ok_are_a_refusal() {
    let of = |command: &str, lines: &[&str]| answer(lines, Final::Ok).refusal(command);
    for (command, line) in [
        ("AT!BOOTHOLD", "!BOOTHOLD: NOT IMPLEMENTED"),
        ("at!boothold", "!BOOTHOLD: Not implemented."),
        ("AT!USBCOMP=1,3,10D", "!USBCOMP: COMMAND NOT SUPPORTED"),
        ("AT!ENTERCND=\"A710\";!RESET", "!RESET: NOT SUPPORT"),
        ("AT!RESET", "NOT IMPLEMENTED"),
    ] {
        assert_eq!(
            of(command, &["+CREG: 1", line]),
            Some(line.to_owned()),
            "{command}"
        );
    }
    for (command, line) in [
        // The answer says something about a part of the modem, not about the command.
        ("AT!GSTATUS?", "LTE CA: NOT SUPPORTED"),
        ("AT!BOOTHOLD", "!GSTATUS: NOT IMPLEMENTED"),
        ("AT!BOOTHOLD", "!BOOTHOLD: IMPLEMENTED"),
        ("AT!BOOTHOLD", "CANNOT SUPPORT"),
        ("AT!BOOTHOLD", "NOT SUPPORTED IN THIS MODE WAS REPORTED BEFORE"),
    ] {
        assert_eq!(of(command, &[line]), None, "{line}");
    }
    assert_eq!(answer(&[], Final::Error).refusal("AT"), Some("ERROR".to_owned()));
    assert_eq!(answer(&[], Final::Ok).refusal("AT"), None);
}

#[test]
fn vector_1_a_request_is_its_text_and_a_cr() {
    let bytes = [
        0x41, 0x54, 0x21, 0x42, 0x4F, 0x4F, 0x54, 0x48, 0x4F, 0x4C, 0x44, 0x0D,
    ];
    assert_eq!(Command::BOOT_HOLD.to_bytes(), bytes);
}

#[test]
fn vector_2_echo_and_ok() {
    let bytes = b"AT!BOOTHOLD\r\r\nOK\r\n";
    assert_eq!(collect("AT!BOOTHOLD", bytes, 99), Some(answer(&[], Final::Ok)));
    assert_eq!(Reply::ok(vec![]).to_bytes(Some("AT!BOOTHOLD")), bytes);
}

#[test]
fn vector_3_an_answer_in_three_reads() {
    let mut collector = Collector::new("AT!BOOTHOLD");
    assert_eq!(collector.push(b"AT!BOOT"), None);
    assert_eq!(collector.push(b"HOLD\r\r\n"), None);
    assert_eq!(collector.push(b"OK\r\n"), Some(answer(&[], Final::Ok)));
}

#[test]
fn vector_4_refusals() {
    for (text, result) in [
        ("ERROR", Final::Error),
        ("+CME ERROR: 3", Final::CmeError(Code::Number(3))),
        (
            "+CME ERROR: operation not allowed",
            Final::CmeError(Code::Text("operation not allowed".into())),
        ),
        ("+CMS ERROR: 500", Final::CmsError(Code::Number(500))),
        ("NO CARRIER", Final::NoCarrier),
        ("COMMAND NOT SUPPORT", Final::NotSupported),
    ] {
        let bytes = format!("\r\n{text}\r\n");
        assert_eq!(
            collect("AT!X", bytes.as_bytes(), 99),
            Some(answer(&[], result.clone())),
            "{text}"
        );
        assert_eq!(result.to_string(), text);
        assert!(!result.is_ok());
        let reply = Reply {
            lines: vec![],
            result,
        };
        assert_eq!(reply.to_bytes(None), bytes.as_bytes());
    }
}

#[test]
fn vector_5_lines_come_without_echo_and_blank_lines() {
    let found = collect("AT!IMPREF?", PREFERENCE, 99_999).unwrap();
    assert_eq!(found.result, Final::Ok);
    assert_eq!(found.lines.len(), 10);
    assert_eq!(found.lines[0], "!IMPREF:");
    assert_eq!(found.lines[1], " preferred fw version:    02.33.03.00");
    assert_eq!(found.lines[9], " config name mismatch");
}

#[test]
fn vector_6_nmea_is_no_answer() {
    let mut collector = Collector::new("AT");
    for _ in 0..2 {
        assert_eq!(collector.push(b"$GPGSV,1,1,00*79\r\n"), None);
    }
    assert_eq!(collector.push(b"$GP"), None);
    assert_eq!(collector.heard(), ["$GPGSV,1,1,00*79", "$GPGSV,1,1,00*79", "$GP"]);
}

#[test]
fn a_value_with_ok_or_error_in_it_ends_nothing() {
    let bytes = b"\r\nNETWORK OK\r\nOK?\r\n+STATE: ERROR\r\nOKAY\r\nok\r\n\r\nOK\r\n";
    let lines = ["NETWORK OK", "OK?", "+STATE: ERROR", "OKAY", "ok"];
    assert_eq!(collect("ATX", bytes, 99), Some(answer(&lines, Final::Ok)));
}

#[test]
fn an_error_after_an_echo_is_an_error_although_the_echo_ends_in_hold() {
    let bytes = b"AT!BOOTHOLD\r\r\nERROR\r\n";
    assert_eq!(collect("AT!BOOTHOLD", bytes, 99), Some(answer(&[], Final::Error)));
}

#[test]
fn only_one_echo_is_taken_out_and_an_echo_alone_is_no_answer() {
    assert_eq!(collect("AT", b"AT\r", 1), None);
    let twice = b"AT\rAT\r\r\nOK\r\n";
    assert_eq!(collect("AT", twice, 99), Some(answer(&["AT"], Final::Ok)));
}

#[test]
fn unasked_lines_come_along_even_before_the_echo() {
    let bytes =
        b"\r\n+CREG: 1\r\nATI\r\r\nModel: MC7455\r\n\r\nRING\r\n\r\n^MODE:5\r\n\r\nOK\r\n\r\n+CREG: 2\r\n";
    let lines = ["+CREG: 1", "Model: MC7455", "RING", "^MODE:5"];
    assert_eq!(collect("ATI", bytes, 99), Some(answer(&lines, Final::Ok)));
}

#[test]
fn bytes_that_are_not_text_are_replaced() {
    let bytes = b"\x13AT\xFF\r\n\0\0\r\n\xC3\r\nOK\0\r\n";
    let lines = ["\u{13}AT\u{FFFD}", "\u{FFFD}"];
    assert_eq!(collect("AT", bytes, 1), Some(answer(&lines, Final::Ok)));
}

#[test]
fn memory_is_bounded_and_the_end_is_still_found() {
    let mut collector = Collector::new("AT");
    let line = [b'x'; 3 * Collector::LONGEST_LINE];
    let kept = Collector::MOST_BYTES / Collector::LONGEST_LINE;
    for _ in 0..kept + 5 {
        assert_eq!(collector.push(&line), None);
        assert_eq!(collector.push(b"\r\n"), None);
    }
    let answer = collector.push(b"OK\r\n").unwrap();
    assert_eq!(answer.lines.len(), kept);
    assert!(
        answer
            .lines
            .iter()
            .all(|line| line.len() == Collector::LONGEST_LINE)
    );
    assert_eq!((answer.left_out, answer.result), (5, Final::Ok));
}

proptest! {
    #[test]
    fn the_split_does_not_change_the_answer(piece in 1_usize..200) {
        prop_assert_eq!(collect("AT!IMPREF?", PREFERENCE, piece), collect("AT!IMPREF?", PREFERENCE, 99_999));
    }

    #[test]
    fn any_reply_arrives_as_it_was_sent(
        lines in prop::collection::vec("[!-~][ -~]{0,40}[!-~]", 0..20),
        refused: bool,
        echo: bool,
        piece in 1_usize..50,
    ) {
        prop_assume!(lines.iter().all(|line| Final::parse(line).is_none() && line != "ATX"));
        let reply = Reply { lines, result: if refused { Final::Error } else { Final::Ok } };
        let bytes = reply.to_bytes(echo.then_some("ATX"));
        let answer = collect("ATX", &bytes, piece).unwrap();
        prop_assert_eq!(Reply { lines: answer.lines, result: answer.result }, reply);
    }

    #[test]
    fn any_bytes_are_taken(bytes: Vec<u8>, piece in 1_usize..20) {
        let whole = collect("AT", &bytes, bytes.len().max(1));
        prop_assert_eq!(collect("AT", &bytes, piece), whole);
    }
}

#[test]
fn commands_have_the_patience_and_the_effect_of_what_they_do() {
    for (text, seconds, effect) in [
        ("ATI", 5, Effect::Stays),
        ("at!boothold", 10, Effect::Restarts),
        (" AT!RESET ", 10, Effect::Restarts),
        ("AT!IMPREF=\"GENERIC\"", 10, Effect::Stays),
        ("AT!IMPREF?", 5, Effect::Stays),
        ("AT!RMARESET=1", 30, Effect::Restarts),
        ("AT!IMAGE=0,1,FF", 30, Effect::Stays),
        ("AT+CFUN=1,1", 10, Effect::Restarts),
    ] {
        let command = Command::given(text).expect(text);
        assert_eq!(command.text(), text.trim());
        assert_eq!(command.patience(), Duration::from_secs(seconds), "{text}");
        assert_eq!(command.effect(), effect, "{text}");
    }
    assert_eq!(Command::BOOT_HOLD, Command::given("AT!BOOTHOLD").unwrap());
    assert_eq!(Command::RESET, Command::given("AT!RESET").unwrap());
    assert_eq!(Command::IMAGES, Command::given("AT!IMAGE?").unwrap());
}

#[test]
fn nothing_that_the_tool_sends_by_itself_changes_a_setting() {
    for query in Command::BEFORE_UPDATE {
        assert_eq!(is_dangerous(query.text()), None, "{}", query.text());
        assert!(is_valid_text(query.text()));
    }
    assert_eq!(is_dangerous(Command::UNLOCK.text()), None);
}

#[test]
fn dangerous_commands_are_found_however_they_are_written() {
    for (text, words) in [
        ("AT!IMPREF=\"GENERIC\"", "which firmware and carrier"),
        ("at!gobiimpref = \"GENERIC\"", "which firmware and carrier"),
        ("AT!IMAGE=0", "deletes"),
        ("AT!IMAGE=0,0,3", "deletes"),
        ("AT!USBCOMP=1,1,100D", "interfaces"),
        ("AT!UDUSBCOMP=8", "interfaces"),
        ("AT!USBPID=9071,9070", "product id"),
        ("AT!UDPID=68A2", "product id"),
        ("AT!USBVID=1199", "vendor id"),
        ("AT!USBPRODUCT=\"EM7455\"", "product name"),
        ("AT!USBSPEED=0", "speed"),
        ("AT!PRIID=\"9907763\",\"002.072\",\"Generic-Laptop\"", "identity"),
        ("AT!RESET", "connection is lost"),
        ("AT!BOOTHOLD", "boot loader"),
        ("ATE0;!USBPID=9071", "product id"),
        ("AT!IMPREF=?;!IMPREF=\"X\"", "which firmware and carrier"),
    ] {
        let found = danger(text).expect(text);
        assert!(found.words.contains(words), "{text}: {}", found.words);
        assert_eq!(found.consent, Consent::Confirmation, "{text}");
    }
    for text in [
        "AT!RMARESET=1",
        "AT!NVRESTORE=0",
        "AT!NVRESTORE=0;!RESET",
        "AT!IMAGE=0;!RMARESET=1",
    ] {
        assert_eq!(danger(text).expect(text).consent, Consent::Knowledge, "{text}");
    }
    for text in [
        "AT",
        "AT!IMPREF?",
        "AT!IMPREF=?",
        "AT!IMAGE?",
        "AT!IMAGE=?",
        "AT!IMAGE=1",
        "AT!IMAGE=2,0",
        "AT!USBCOMP=?",
        "AT!NVRESTORE=?",
    ] {
        assert_eq!(is_dangerous(text), None, "{text}");
    }
}

#[test]
fn what_sets_something_is_dangerous_unless_it_is_known_to_be_harmless() {
    for text in [
        "AT+CFUN=4",
        "AT+CFUN=1,1",
        "AT&F",
        "at & f0",
        "ATZ",
        "ATE0Z",
        "ATE1&F&C1",
        "AT&W",
        "AT!CUSTOM=\"FASTENUMEN\",1",
        "AT!PCOFFEN=2",
        "AT!BAND=00",
        "AT!SELRAT=06",
        "AT+CMGD=1,4",
        "AT+CGDCONT=1,\"IP\",\"internet\"",
        "AT+COPS=2",
        "ATS0=1",
        "ATD*99#",
        "ATH",
        "AT+CMEE=1;!BAND=00",
        "ATE0+CFUN=4",
        "ATE0!BAND=00",
        "ATI;!BAND=00",
        "AT!BAND=?;!BAND=00",
        "AT!BAND?00",
        "AT!BAND=?0",
        // A quotation mark without its pair hides nothing.
        "AT!BAND=00;+CSCS=\"",
        "ATI\";!BAND=00",
        "AT+CSCS=\"GSM\";!BAND=00;+CSCS=\"GSM\"",
    ] {
        assert_eq!(danger(text).expect(text).consent, Consent::Confirmation, "{text}");
    }
    for text in [
        "AT",
        "ATI",
        "ATI9",
        "ate0",
        "ATE0V1Q0",
        "AT&C1&D2",
        "AT&V",
        "ATS0?",
        "AT+CMEE=2",
        "AT!ENTERCND=\"A710\"",
        "AT!ENTERCND=\"A;Z=1\"",
        "AT+CGDCONT?",
        "AT+CGDCONT=?",
        "AT+CFUN?",
        "AT+CSQ",
        "AT+CGMR;+CGSN",
        "AT+CREG=2;+CREG?",
        "AT!BAND=?",
        "AT!GSTATUS?",
        "AT!PCINFO?",
    ] {
        assert_eq!(is_dangerous(text), None, "{text}");
    }
}

#[test]
fn a_text_that_is_more_or_less_than_one_command_is_refused() {
    for text in ["ATI", "at!impref?", "AT!IMPREF=\"A B\""] {
        assert!(is_valid_text(text), "{text}");
    }
    let long = format!("AT{}", "x".repeat(400));
    for text in [
        "",
        "A",
        "!IMPREF?",
        "A/",
        "ATI\rAT!RESET",
        "ATI\n",
        "AT\u{1A}",
        "AT\u{7F}",
        "ATé",
        "éAT",
        long.as_str(),
    ] {
        assert!(!is_valid_text(text), "{text:?}");
    }
    assert_eq!(Command::given("ATI\rAT!RESET"), None);
}

#[test]
fn a_line_that_leads_into_download_mode_is_told_from_one_that_only_has_its_name() {
    let leads = |text: &str| Command::given(text).unwrap().leads_into_download_mode();
    for text in [
        "AT!BOOTHOLD",
        "at!boothold",
        "AT !BOOT HOLD",
        "ATE0!BOOTHOLD",
        "AT!ENTERCND=\"A710\";!BOOTHOLD",
        "AT!BOOTHOLD?;!BOOTHOLD",
        "AT!BOOTHOLD=1",
    ] {
        assert!(leads(text), "{text}");
        assert!(is_dangerous(text).is_some(), "{text}");
    }
    for text in [
        "AT!RESET",
        "AT+CFUN=1,1",
        "AT!RMARESET=1",
        "AT!IMPREF=\"GENERIC\"",
        "AT!USBPRODUCT=\"AT!BOOTHOLD\"",
        "AT!BOOTHOLD?",
        "AT!BOOTHOLD=?",
        "ATI",
    ] {
        assert!(!leads(text), "{text}");
    }
    assert!(Command::BOOT_HOLD.leads_into_download_mode());
}
