//! The start of a Firehose session: payload, storage, and the noise around requests.

use std::time::Duration;

use crate::common::{Ended, Host};
use modemflash_modem_protocol::conversation::{Connected, Refusal, Step};
use modemflash_modem_protocol::firehose::message::{FirehoseRequest, Nak, Program};
use modemflash_modem_protocol::firehose::session::Session;
use modemflash_modem_protocol::{ParseError, ProtocolError, Report};

use crate::firehose_host::*;

// Negotiation.

/// What a session makes of this answer to configure: the block size, or the failure.
fn negotiate(answers: &[&str]) -> Result<u32, ProtocolError> {
    let mut host = host(&[10 * MIB]);
    host.asks(FirehoseRequest::Ping);
    host.says(&[ACK]);
    host.asks(configure());
    if let Ended::Failed(error) = host.says(answers) {
        return Err(error);
    }
    host.asks(STORAGE_INFO);
    host.says(&[SECTOR, PAGES, ACK]);
    host.asks(FirehoseRequest::Ping);
    host.says(&[ACK]);
    if let Ended::Failed(error) = host.pass(QUIET) {
        return Err(error);
    }
    host.reports
        .iter()
        .find_map(|report| match report {
            Report::Connected(Connected::Firehose { block_size_bytes, .. }) => Some(*block_size_bytes),
            _ => None,
        })
        .ok_or_else(|| panic!("no geometry"))
}

fn payload(value: &str, bytes: impl std::fmt::Display) -> String {
    format!(r#"<response value="{value}" MaxPayloadSizeToTargetInBytes="{bytes}" />"#)
}

#[test]
fn a_nak_or_an_ack_with_a_number_is_the_payload() {
    assert_eq!(negotiate(&[LIMIT]), Ok(8192));
    assert_eq!(negotiate(&[&payload("ACK", 16384)]), Ok(16384));
    assert_eq!(negotiate(&[&payload("ACK", 1_048_576)]), Ok(1_048_576));
}

#[test]
fn an_ack_without_a_number_keeps_the_payload_asked_for() {
    assert_eq!(negotiate(&[ACK]), Ok(1_048_576));
}

#[test]
fn a_stray_ack_before_the_limit_does_not_hide_the_limit() {
    assert_eq!(negotiate(&[ACK, LIMIT]), Ok(8192));
}

#[test]
fn a_payload_larger_than_asked_for_is_cut_to_what_was_asked_for() {
    assert_eq!(negotiate(&[&payload("ACK", 1_u64 << 40)]), Ok(1_048_576));
}

#[test]
fn a_payload_that_is_no_multiple_of_the_sector_is_rounded_down() {
    assert_eq!(negotiate(&[&payload("NAK", 10_000)]), Ok(8192));
}

#[test]
fn a_payload_of_zero_or_below_a_sector_is_an_error_before_anything_is_written() {
    for bytes in [0, 4095] {
        let error = ProtocolError::Unexpected {
            step: Step::Configure,
            expected: "a payload of at least one sector",
            got: format!("{bytes} bytes, with sectors of 4096"),
        };
        assert_eq!(negotiate(&[&payload("NAK", bytes)]), Err(error));
    }
}

#[test]
fn a_payload_that_is_no_number_is_an_error() {
    let error = ParseError::Text {
        field: "MaxPayloadSizeToTargetInBytes",
        expected: "a number in range",
    };
    let garbled = ProtocolError::Garbled {
        step: Step::Configure,
        error,
    };
    let mut host = host(&[10 * MIB]);
    host.asks(FirehoseRequest::Ping);
    host.says(&[ACK]);
    for _ in 0..2 {
        host.asks(configure());
        assert!(matches!(host.says(&[&payload("ACK", "many")]), Ended::Waiting(_)));
    }
    host.asks(configure());
    assert_eq!(host.says(&[&payload("ACK", "many")]), Ended::Failed(garbled));
}

#[test]
fn a_nak_to_configure_without_a_number_is_a_refusal_with_the_log() {
    let log = r#"<log value="ERROR: unsupported MemoryName" />"#;
    let nak = Nak {
        log: vec!["ERROR: unsupported MemoryName".into()],
    };
    let error = ProtocolError::Refused {
        step: Step::Configure,
        refusal: Refusal::Firehose(nak),
    };
    assert_eq!(negotiate(&[log, NAK]), Err(error));
}

// Storage info.

/// What a session makes of these answers to getStorageInfo: its program request or its failure.
fn storage(answers: &[&str]) -> Result<Program, ProtocolError> {
    let mut host = host(&[81920]);
    host.asks(FirehoseRequest::Ping);
    host.says(&[ACK]);
    host.asks(configure());
    host.says(&[LIMIT]);
    host.asks(STORAGE_INFO);
    if let Ended::Failed(error) = host.says(answers) {
        return Err(error);
    }
    host.asks(FirehoseRequest::Ping);
    host.says(&[ACK]);
    host.pass(QUIET);
    match &FirehoseRequest::parse(&host.sent()).unwrap()[..] {
        [FirehoseRequest::Program(program)] => Ok(program.clone()),
        other => panic!("{other:?}"),
    }
}

#[test]
fn vector_20_storage_lines_are_taken_from_the_log() {
    assert_eq!(storage(&[SECTOR, PAGES, ACK]), Ok(Program::image(20, 4096, 64)));
    let sector = r#"<log value=" sector_size_in_bytes = 2048 " />"#;
    let pages = r#"<log value="Pages_In_Block=128" />"#;
    assert_eq!(storage(&[pages, ACK, sector]), Ok(Program::image(40, 2048, 128)));
}

#[test]
fn missing_storage_lines_mean_the_defaults() {
    // EM9191 sends none.
    assert_eq!(storage(&[ACK]), Ok(Program::image(20, 4096, 64)));
}

#[test]
fn absurd_storage_values_are_an_error_before_anything_is_written() {
    for line in [
        "SECTOR_SIZE_IN_BYTES=0",
        "SECTOR_SIZE_IN_BYTES=-1",
        "SECTOR_SIZE_IN_BYTES=1000",
        "SECTOR_SIZE_IN_BYTES=4294967295",
        "SECTOR_SIZE_IN_BYTES=",
        "PAGES_IN_BLOCK=0",
        "PAGES_IN_BLOCK=99999999999",
    ] {
        let log = format!(r#"<log value="{line}" />"#);
        let error = ProtocolError::Unexpected {
            step: Step::StorageInfo,
            expected: "a plausible size",
            got: line.into(),
        };
        assert_eq!(storage(&[&log, ACK]), Err(error));
    }
}

// Program and its noise.

#[test]
fn a_request_lost_with_the_noise_is_sent_again_after_500_ms() {
    let mut host = programming(&[5044]);
    host.says(&[COMPLAINT, NAK]);
    host.pass(Duration::from_millis(499));
    assert_eq!(host.sent(), b"");
    host.pass(Duration::from_millis(1));
    assert_eq!(host.sent(), program(2).to_bytes());
    host.says(&[ACK_RAW]);
    assert_eq!(host.sent().len(), 8192 + 512);
}

#[test]
fn a_request_queued_behind_the_noise_is_not_sent_again() {
    let mut host = programming(&[5044]);
    host.says(&[COMPLAINT, NAK]);
    host.pass(Duration::from_millis(400));
    host.says(&[ACK_RAW]);
    assert_eq!(host.sent(), padded(0, 5044, 8192 - 5044 + 512));
    host.pass(299 * SECOND);
    assert_eq!(host.sent(), b"", "never again after ACK with rawmode true");
}

#[test]
fn noise_that_repeats_many_times_is_outlasted() {
    // WP76xx (sahara-firehose.md §5.3)
    let mut host = finalising(5044);
    host.says(&[ACK_DONE]);
    host.asks(FirehoseRequest::Ping);
    for _ in 0..38 {
        host.says(&[COMPLAINT, NAK]);
        host.asks(FirehoseRequest::Ping);
    }
    host.says(&[ACK]);
    host.asks(power());
}

#[test]
fn noise_without_end_is_given_up() {
    let mut host = programming(&[8192, 8192]);
    host.says(&[ACK_RAW]);
    host.says(&[ACK_DONE]);
    host.sent();
    host.asks(FirehoseRequest::Ping);
    let mut ended = host.settle();
    while matches!(ended, Ended::Waiting(_)) {
        host.says(&[COMPLAINT, NAK]);
        ended = host.pass(QUIET);
    }
    assert!(matches!(
        failed_at(ended),
        ProtocolError::Endless { step: Step::Ping, waited } if waited <= 10 * SECOND
    ));
}

// How long the session waits between its requests.

/// What the host has sent without any time passing.
fn at_once(host: &mut Host<Session>) -> String {
    String::from_utf8_lossy(&host.sent()).into_owned()
}

fn text(request: &FirehoseRequest) -> String {
    String::from_utf8_lossy(&request.to_bytes()).into_owned()
}

#[test]
fn a_clear_answer_is_followed_by_the_next_request_at_once() {
    let mut host = host(&[8192]);
    assert_eq!(at_once(&mut host), "", "log lines may be on their way");
    host.asks(FirehoseRequest::Ping);
    host.says(&[BUILD_DATE, ACK, FUNCTIONS]);
    assert_eq!(at_once(&mut host), text(&configure()));
    host.says(&[LIMIT]);
    assert_eq!(at_once(&mut host), text(&STORAGE_INFO));
    host.says(&[SECTOR, PAGES, ACK]);
    assert_eq!(at_once(&mut host), "", "a silence comes before each image");
    host.asks(FirehoseRequest::Ping);
    host.says(&[ACK]);
    assert_eq!(at_once(&mut host), text(&program(2)));
}

#[test]
fn an_unclear_answer_is_followed_by_a_silence() {
    // A NAK came first, so the ACK may not be the last answer.
    let mut host = host(&[8192]);
    host.asks(FirehoseRequest::Ping);
    host.says(&[COMPLAINT, NAK]);
    host.says(&[ACK]);
    assert_eq!(at_once(&mut host), "");
    host.asks(configure());

    // There were two NOPs, and only one of them is answered yet.
    let mut host = self::host(&[8192]);
    host.asks(FirehoseRequest::Ping);
    host.pass(SECOND * 3);
    assert_eq!(at_once(&mut host), text(&FirehoseRequest::Ping));
    host.says(&[ACK]);
    assert_eq!(at_once(&mut host), "");
    host.says(&[ACK]);
    assert_eq!(at_once(&mut host), "");
    host.asks(configure());

    // An ACK to configure without a number may belong to something else.
    host.says(&[ACK]);
    assert_eq!(at_once(&mut host), "");
    host.says(&[LIMIT]);
    host.asks(STORAGE_INFO);
}
