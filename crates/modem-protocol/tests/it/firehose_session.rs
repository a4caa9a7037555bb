//! The host's side of a Firehose session: captured traces byte for byte, and every odd case.

use std::time::Duration;

use crate::common::{self, Ended, Host, document, image};
use modemflash_modem_protocol::conversation::{Connected, Step};
use modemflash_modem_protocol::firehose::message::{Answer, FirehoseRequest, Response, Verdict};
use modemflash_modem_protocol::firehose::session::{Session, VERDICT};
use modemflash_modem_protocol::{Conversation, Instant, ParseError, ProtocolError, Report};
use proptest::prelude::*;

use crate::firehose_host::*;

#[test]
fn the_trace_of_an_em7565_is_replayed_byte_for_byte_from_first_ping_to_reset() {
    // em7565_sahara-firehose_libqmi_rules; image of vector 14
    let mut host = Host::new(Session::new(&[5044], &documents(&[BUILD_DATE]), Instant::START));
    host.asks(FirehoseRequest::Ping);
    host.says(&[ACK]);
    host.asks(configure());
    host.says(&[LIMIT]);
    host.asks(STORAGE_INFO);
    host.says(&[SECTOR, PAGES, ACK]);
    host.asks(FirehoseRequest::Ping);
    host.says(&[ACK]);
    host.asks(program(2));
    host.says(&[ACK_RAW]);
    assert_eq!(host.sent(), padded(0, 5044, 8192 - 5044 + 512));
    host.pass(40 * SECOND);
    host.says(&[PROCESSED, ACK_DONE]);
    host.asks(FirehoseRequest::Ping);
    host.says(&[COMPLAINT, NAK, ACK]);
    host.asks(power());
    assert_eq!(host.says(&[ACK]), Ended::Finished);
    assert_eq!(
        host.reports,
        [
            Report::ModemLog("Binary build date: Sep 29 2017 @ 10:00:00".into()),
            Report::ModemLog("SECTOR_SIZE_IN_BYTES=4096".into()),
            Report::ModemLog("PAGES_IN_BLOCK=64".into()),
            Report::Connected(Connected::Firehose {
                block_size_bytes: 8192,
                sector_size_bytes: 4096,
                pages_per_block: 64
            }),
            Report::ImageStarted { image: 0, attempt: 1 },
            Report::Acknowledged {
                image: 0,
                bytes: 5044
            },
            Report::Finalising {
                image: 0,
                up_to: VERDICT
            },
            Report::ModemLog("SWI CWE image processed OK".into()),
            Report::ImageAccepted { image: 0 },
            Report::Noise("ERROR: XML not formed correctly. Expected a < character at loc 0".into()),
            Report::ResetSent,
        ]
    );
}

#[test]
fn the_two_images_of_the_vendor_tools_trace_go_out_one_after_the_other() {
    // em7565_sahara-firehose_vendor-sdk_2018: complaint and NAK come in reads of their own.
    let mut host = programming(&[3 * MIB, 12288]);
    host.says(&[ACK_RAW]);
    assert_eq!(host.sent(), image(0, 3 * MIB), "vector 13: no zero block");
    host.says(&[PROCESSED]);
    host.says(&[ACK_DONE]);
    host.asks(FirehoseRequest::Ping);
    host.says(&[COMPLAINT]);
    host.says(&[NAK]);
    host.asks(FirehoseRequest::Ping);
    host.says(&[ACK]);
    host.asks(program(3));
    host.says(&[ACK_RAW]);
    assert_eq!(host.sent(), padded(1, 12288, 512), "vector 15");
    host.says(&[PROCESSED, ACK_DONE]);
    assert_eq!(host.reports.last(), Some(&Report::ImageAccepted { image: 1 }));
    host.asks(FirehoseRequest::Ping);
    host.says(&[ACK]);
    host.asks(power());
    host.says(&[r#"<log value="Requested POWER_RESET" />"#]);
    host.conversation.closed(host.now);
    assert_eq!(host.settle(), Ended::Finished);
}

#[test]
fn vector_22_the_first_verdict_wins_over_the_noise_in_the_same_read() {
    let mut host = finalising(5044);
    host.says(&[ACK_DONE, COMPLAINT, NAK]);
    assert!(host.reports.contains(&Report::ImageAccepted { image: 0 }));
    host.asks(FirehoseRequest::Ping);
}

#[test]
fn vector_23_a_nak_to_the_reset_request_and_then_an_ack_is_success() {
    let mut host = resetting();
    host.says(&[NAK]);
    host.pass(Duration::from_millis(500));
    assert_eq!(host.sent(), power().to_bytes());
    assert_eq!(host.says(&[ACK]), Ended::Finished);
}

#[test]
fn the_reset_request_is_sent_again_when_nothing_answers_and_has_an_end() {
    let mut host = resetting();
    host.pass(10 * SECOND);
    assert_eq!(host.sent(), power().to_bytes());
    let (step, waited) = (Step::Reset, 100 * SECOND);
    assert_eq!(
        host.pass_deadlines(20),
        Ended::Failed(ProtocolError::Silent { step, waited })
    );
    assert_eq!(host.sent(), power().to_bytes().repeat(8));
    let mut host = resetting();
    for _ in 0..10 {
        host.says(&[NAK]);
        host.pass(Duration::from_millis(500));
    }
    assert_eq!(host.says(&[NAK]), refused(Step::Reset, &[]));
}

#[test]
fn a_port_that_goes_away_is_success_only_once_the_reset_request_is_on_its_way() {
    let mut host = resetting();
    host.conversation.closed(host.now);
    assert_eq!(host.settle(), Ended::Finished);
    let mut host = finalising(8192);
    host.says(&[ACK_DONE]);
    host.conversation.closed(host.now);
    assert_eq!(
        host.settle(),
        Ended::Failed(ProtocolError::Left { step: Step::Reset })
    );
    let mut host = finalising(8192);
    host.conversation.closed(host.now);
    assert_eq!(
        host.settle(),
        Ended::Failed(ProtocolError::Left {
            step: Step::Verdict { image: 0 }
        })
    );
}

#[test]
fn a_modem_that_answers_no_nop_after_the_last_image_is_still_asked_to_reset() {
    let mut host = finalising(8192);
    host.says(&[ACK_DONE]);
    host.asks(FirehoseRequest::Ping);
    while host.sent() != power().to_bytes() {
        assert!(matches!(host.pass_deadlines(1), Ended::Waiting(_)));
    }
    assert_eq!(host.says(&[ACK]), Ended::Finished);
}
#[test]
fn the_third_nak_to_program_is_final_and_tells_the_log_in_words() {
    // field-reports.md C14
    let mut host = programming(&[5044]);
    let log = r#"<log value="Package not compatible" />"#;
    for _ in 0..2 {
        host.says(&[log, NAK]);
        host.asks_after_refusal();
    }
    // The lines of the NAK before are better than none.
    let ended = host.says(&[NAK]);
    assert_eq!(
        ended,
        refused(Step::Program { image: 0 }, &["Package not compatible"])
    );
    assert!(failed_at(ended).to_string().contains("newer flash chip"));
    assert_eq!(host.sent(), b"");
}

#[test]
fn a_modem_that_refuses_program_once_or_twice_gets_its_image() {
    let busy = r#"<log value="ERROR: storage device is busy" />"#;
    for refusals in 1..=2 {
        let mut host = programming(&[5044]);
        for _ in 0..refusals {
            host.says(&[busy, NAK]);
            host.asks_after_refusal();
        }
        host.says(&[ACK_RAW]);
        assert_eq!(host.sent(), padded(0, 5044, 8192 - 5044 + 512));
        let mut told = host.reports.iter().filter_map(|report| match report {
            Report::Retrying { step, attempt, why } => Some((*step, *attempt, why.as_str())),
            _ => None,
        });
        for attempt in 2..2 + refusals {
            let why = "NAK; ERROR: storage device is busy";
            assert_eq!(told.next(), Some((Step::Program { image: 0 }, attempt, why)));
        }
        assert_eq!(told.next(), None);
        host.says(&[ACK_DONE]);
        assert_eq!(host.reports.last(), Some(&Report::ImageAccepted { image: 0 }));
    }
}

#[test]
fn an_ack_behind_a_nak_begins_the_image_and_program_is_not_sent_again() {
    // In the same read, and as late as the host waits.
    let mut same_read = programming(&[5044]);
    same_read.says(&[NAK, ACK_RAW]);
    let mut later = programming(&[5044]);
    later.says(&[NAK]);
    later.pass(4 * QUIET);
    assert_eq!(later.sent(), b"");
    later.says(&[ACK_RAW]);
    for mut host in [same_read, later] {
        assert_eq!(host.sent(), padded(0, 5044, 8192 - 5044 + 512));
        host.says(&[ACK_DONE]);
        assert_eq!(host.reports.last(), Some(&Report::ImageAccepted { image: 0 }));
    }
    // After a NOP, the image is spoiled.
    let mut host = programming(&[5044]);
    host.says(&[NAK]);
    host.pass(5 * QUIET);
    assert_eq!(host.sent(), FirehoseRequest::Ping.to_bytes());
    let error = failed_at(host.says(&[ACK_RAW]));
    assert!(matches!(error, ProtocolError::Unexpected { .. }), "{error}");
    assert_eq!(host.sent(), b"");
}

#[test]
fn a_modem_that_falls_silent_after_a_refusal_is_reported_with_its_refusal() {
    let busy = r#"<log value="ERROR: storage device is busy" />"#;
    let step = Step::Program { image: 0 };
    let expected = refused(step, &["ERROR: storage device is busy"]);
    let mut host = programming(&[5044]);
    host.says(&[busy, NAK]);
    assert_eq!(host.pass_deadlines(100), expected);
    // The NOP is answered, the second request isn't.
    let mut host = programming(&[5044]);
    host.says(&[busy, NAK]);
    host.asks_after_refusal();
    assert_eq!(host.pass_deadlines(100), expected);
}

#[test]
fn an_ack_without_raw_mode_does_not_start_the_data() {
    let mut host = programming(&[5044]);
    host.says(&[ACK]);
    host.says(&[ACK_DONE]);
    assert_eq!(host.sent(), b"");
    let (step, waited) = (Step::Program { image: 0 }, 30 * SECOND);
    assert_eq!(
        host.pass_deadlines(3),
        Ended::Failed(ProtocolError::Silent { step, waited })
    );
    assert_eq!(host.sent(), b"", "program is sent once");
}

// Raw data.

#[test]
fn a_nak_in_the_middle_of_raw_data_stops_at_once() {
    let mut host = programming(&[5 * MIB]);
    host.takes = false;
    host.says(&[ACK_RAW]);
    host.take(8192);
    let log = r#"<log value="ERROR: write failed at page 7" />"#;
    assert_eq!(
        host.says(&[log, NAK]),
        refused(Step::RawData { image: 0 }, &["ERROR: write failed at page 7"])
    );
    assert_eq!(
        host.sent_len(),
        usize::try_from(MIB).unwrap(),
        "no second stretch"
    );
}

#[test]
fn a_failure_line_in_the_middle_of_raw_data_stops_at_once() {
    // field-reports.md C7
    let mut host = programming(&[5 * MIB]);
    host.takes = false;
    host.says(&[ACK_RAW]);
    let log = r#"<log value="SWI Error Code: 0x0000001A" />"#;
    assert_eq!(
        host.says(&[log]),
        refused(Step::RawData { image: 0 }, &["SWI Error Code: 0x0000001A"])
    );
    let mut host = programming(&[5 * MIB]);
    host.takes = false;
    host.says(&[ACK_RAW]);
    let harmless = r#"<log value="SWI Error Code: 0x0" />"#;
    assert!(matches!(host.says(&[harmless]), Ended::Waiting(_)));
}

#[test]
fn a_verdict_before_the_last_byte_is_an_error_and_one_before_the_last_zero_is_not() {
    let mut host = programming(&[5044]);
    host.takes = false;
    host.says(&[ACK_RAW]);
    host.take(5044);
    assert!(matches!(
        failed_at(host.says(&[ACK_DONE])),
        ProtocolError::Unexpected { .. }
    ));

    let mut host = programming(&[5044]);
    host.takes = false;
    host.says(&[ACK_RAW]);
    host.take(8192);
    host.says(&[ACK_DONE]);
    assert!(host.reports.contains(&Report::ImageAccepted { image: 0 }));
    host.sent();
    host.pass(SECOND);
    assert_eq!(host.sent(), b"", "the zero block goes out first");
    host.take(512);
    host.asks(FirehoseRequest::Ping);
}

#[test]
fn progress_is_what_the_port_took_of_the_file() {
    let mut host = programming(&[MIB + 5044]);
    host.takes = false;
    host.says(&[ACK_RAW]);
    host.reports.clear();
    host.take(1000);
    host.take(MIB - 1000);
    host.take(5000);
    host.take(3192);
    host.take(512);
    let progress = |bytes| Report::Acknowledged { image: 0, bytes };
    assert_eq!(
        host.reports,
        [
            progress(1000),
            progress(MIB),
            progress(MIB + 5000),
            progress(MIB + 5044),
            progress(MIB + 5044),
            Report::Finalising {
                image: 0,
                up_to: VERDICT
            }
        ]
    );
}

#[test]
fn a_port_that_takes_nothing_for_60_s_is_fine_and_for_120_s_is_not() {
    // field-reports.md C10
    let mut host = programming(&[5 * MIB]);
    host.takes = false;
    host.says(&[ACK_RAW]);
    host.take(4096);
    assert!(matches!(host.pass(60 * SECOND), Ended::Waiting(_)));
    host.take(4096);
    assert!(matches!(host.pass(119 * SECOND), Ended::Waiting(_)));
    let (step, left) = (Step::RawData { image: 0 }, MIB - 8192);
    let waited = 120 * SECOND;
    assert_eq!(
        host.pass(SECOND),
        Ended::Failed(ProtocolError::Stalled { step, left, waited })
    );
}

#[test]
fn a_port_that_takes_a_byte_now_and_then_does_not_go_on_for_ever() {
    let mut host = programming(&[MIB]);
    host.takes = false;
    let mut ended = host.says(&[ACK_RAW]);
    let begin = host.now;
    while matches!(ended, Ended::Waiting(_)) {
        host.take(1);
        ended = host.pass(100 * SECOND);
    }
    assert!(matches!(failed_at(ended), ProtocolError::Stalled { .. }));
    assert!(host.now - begin <= 800 * SECOND);
}

#[test]
fn a_port_that_takes_a_request_byte_by_byte_has_120_s_for_all_of_it() {
    let mut host = host(&[MIB]);
    host.takes = false;
    let begin = host.now;
    let mut ended = host.pass(SECOND);
    while matches!(ended, Ended::Waiting(_)) {
        host.take(1);
        ended = host.pass(50 * SECOND);
    }
    assert!(matches!(failed_at(ended), ProtocolError::Stalled { .. }));
    assert!(host.now - begin <= 200 * SECOND);
}

#[test]
fn silence_after_the_first_mebibyte_ends_with_the_bytes_that_are_left() {
    // field-reports.md C13
    let mut host = programming(&[3 * MIB]);
    host.takes = false;
    host.says(&[ACK_RAW]);
    host.take(MIB);
    assert!(
        host.reports
            .contains(&Report::Acknowledged { image: 0, bytes: MIB })
    );
    let (step, waited) = (Step::RawData { image: 0 }, 120 * SECOND);
    assert_eq!(
        host.pass_deadlines(1),
        Ended::Failed(ProtocolError::Stalled {
            step,
            left: MIB,
            waited
        })
    );
}

#[test]
fn late_complaints_about_the_image_before_do_not_stop_this_one() {
    let mut host = programming(&[5 * MIB]);
    host.takes = false;
    host.says(&[ACK_RAW]);
    host.says(&[COMPLAINT, NAK]);
    for _ in 0..5 {
        host.take(MIB);
    }
    host.says(&[COMPLAINT, NAK]);
    host.says(&[ACK_DONE]);
    assert!(host.reports.contains(&Report::ImageAccepted { image: 0 }));
}

#[test]
fn complaints_that_go_on_during_raw_data_or_take_the_place_of_the_verdict_are_a_refusal() {
    let line = "ERROR: XML not formed correctly. Expected a < character at loc 0";
    let mut host = programming(&[5 * MIB]);
    host.takes = false;
    host.says(&[ACK_RAW]);
    for _ in 0..40 {
        assert!(matches!(host.says(&[COMPLAINT, NAK]), Ended::Waiting(_)));
    }
    assert_eq!(
        host.says(&[COMPLAINT, NAK]),
        refused(Step::RawData { image: 0 }, &[line])
    );
    let mut host = finalising(5044);
    host.says(&[COMPLAINT, NAK]);
    assert_eq!(host.pass(VERDICT), refused(Step::Verdict { image: 0 }, &[line]));
}

// The verdict.

#[test]
fn the_verdict_may_take_300_s_and_log_lines_do_not_make_it_longer() {
    let mut host = finalising(5044);
    assert!(matches!(host.pass(299 * SECOND), Ended::Waiting(_)));
    host.says(&[ACK_DONE]);
    assert!(host.reports.contains(&Report::ImageAccepted { image: 0 }));

    let mut host = finalising(5044);
    let begin = host.now;
    let mut ended = host.settle();
    while matches!(ended, Ended::Waiting(_)) {
        host.says(&[BUILD_DATE]);
        ended = host.pass(SECOND / 2);
    }
    let (step, waited) = (Step::Verdict { image: 0 }, VERDICT);
    assert_eq!(ended, Ended::Failed(ProtocolError::Endless { step, waited }));
    assert_eq!(host.now - begin, VERDICT);

    let (step, waited) = (Step::Verdict { image: 0 }, VERDICT);
    assert_eq!(
        finalising(5044).pass_deadlines(1),
        Ended::Failed(ProtocolError::Silent { step, waited })
    );
}

#[test]
fn a_nak_as_verdict_is_final_with_its_log_lines() {
    let mut host = finalising(5044);
    host.says(&[r#"<log value="HANDLE_PROGRAM_FAILURE" />"#]);
    let ended = host.says(&[r#"<log value="SWI Error Code 0x17" />"#, NAK]);
    assert_eq!(
        ended,
        refused(
            Step::Verdict { image: 0 },
            &["HANDLE_PROGRAM_FAILURE", "SWI Error Code 0x17"]
        )
    );
}

#[test]
fn a_failure_line_as_verdict_needs_no_nak_and_no_ack_outvotes_it() {
    let line = r#"<log value="HANDLE_PROGRAM_FAILURE" />"#;
    let mut host = finalising(5044);
    host.says(&[line]);
    let expected = refused(Step::Verdict { image: 0 }, &["HANDLE_PROGRAM_FAILURE"]);
    assert_eq!(host.pass(SECOND), expected);
    assert_eq!(finalising(5044).says(&[line, ACK_DONE]), expected);
}

#[test]
fn a_lost_verdict_is_made_up_for_by_the_line_that_announced_it() {
    let mut host = finalising(5044);
    host.says(&[PROCESSED]);
    host.pass(10 * SECOND);
    assert!(host.reports.contains(&Report::ImageAccepted { image: 0 }));
    let mut host = finalising(5044);
    host.says(&[PROCESSED, COMPLAINT, NAK, ACK_DONE]);
    assert!(host.reports.contains(&Report::ImageAccepted { image: 0 }));
}

#[test]
fn a_verdict_that_cannot_be_read_is_no_success() {
    let broken = r#"<response value="ACK rawmode="false" />"#;
    let error = ParseError::Text {
        field: "document",
        expected: "well-formed XML",
    };
    let step = Step::Verdict { image: 0 };
    let mut host = finalising(5044);
    for attempt in 2..=3 {
        host.says(&[broken]);
        host.asks(FirehoseRequest::Ping);
        assert_eq!(
            host.reports.last(),
            Some(&Report::Retrying {
                step,
                attempt,
                why: "answer to verdict on image 1 not understood: document: well-formed XML expected".into()
            })
        );
        host.says(&[ACK]);
        host.asks(program(2));
        host.says(&[ACK_RAW]);
        assert_eq!(host.sent(), padded(0, 5044, 8192 - 5044 + 512));
    }
    assert_eq!(
        host.says(&[broken]),
        Ended::Failed(ProtocolError::Garbled { step, error })
    );
    let broken_log = r#"<log value="a "quoted" word" />"#;
    let mut host = finalising(5044);
    host.says(&[broken_log, ACK_DONE]);
    assert!(host.reports.contains(&Report::ImageAccepted { image: 0 }));
}

// Totals, stops, and what isn't Firehose.

#[test]
fn a_modem_whose_log_lines_never_end_does_not_renew_the_total_of_the_start() {
    let mut host = host(&[5044]);
    let mut ended = host.settle();
    while matches!(ended, Ended::Waiting(_)) {
        host.says(&[BUILD_DATE]);
        ended = host.pass(QUIET / 2);
    }
    let (step, waited) = (Step::Ping, 30 * SECOND);
    assert_eq!(ended, Ended::Failed(ProtocolError::Endless { step, waited }));
    assert_eq!(host.sent(), b"");
}

#[test]
fn a_modem_whose_log_lines_never_end_after_the_last_image_is_reset_all_the_same() {
    let mut host = finalising(8192);
    host.says(&[ACK_DONE]);
    while !host.sent().ends_with(&power().to_bytes()) {
        host.says(&[BUILD_DATE]);
        assert!(matches!(host.pass(QUIET / 2), Ended::Waiting(_)));
    }
    host.conversation.closed(host.now);
    assert_eq!(host.settle(), Ended::Finished);
}

#[test]
fn silence_ends_each_step_of_the_start_after_30_s_and_nop_is_tried_again() {
    let mut host = host(&[5044]);
    let (step, waited) = (Step::Ping, 30 * SECOND - QUIET);
    assert_eq!(
        host.pass_deadlines(20),
        Ended::Failed(ProtocolError::Silent { step, waited })
    );
    assert_eq!(host.sent(), FirehoseRequest::Ping.to_bytes().repeat(10));
}

#[test]
fn bytes_that_are_no_firehose_are_named() {
    let mut host = host(&[5044]);
    host.asks(FirehoseRequest::Ping);
    host.hear(&common::vector("hello"));
    let error = ProtocolError::Unexpected {
        step: Step::Ping,
        expected: "a Firehose document",
        got: "48 bytes of something else".into(),
    };
    assert_eq!(host.pass_deadlines(20), Ended::Failed(error));
}

#[test]
fn an_answer_that_is_neither_ack_nor_nak_is_an_error() {
    let error = ProtocolError::Unexpected {
        step: Step::Program { image: 0 },
        expected: "ACK or NAK",
        got: "response MAYBE".into(),
    };
    let mut host = programming(&[5044]);
    assert_eq!(
        host.says(&[r#"<response value="MAYBE" />"#]),
        Ended::Failed(error)
    );
}

#[test]
fn an_empty_image_cannot_be_sent() {
    let error = ProtocolError::Unsendable {
        image: 1,
        why: "it is empty",
    };
    assert_eq!(host(&[5044, 0]).settle(), Ended::Failed(error));
}

#[test]
fn without_images_the_modem_is_only_reset() {
    let mut host = host(&[]);
    host.asks(FirehoseRequest::Ping);
    host.says(&[ACK]);
    host.asks(configure());
    host.says(&[LIMIT]);
    host.asks(STORAGE_INFO);
    host.says(&[ACK]);
    host.asks(FirehoseRequest::Ping);
    host.says(&[ACK]);
    host.asks(power());
    assert_eq!(host.says(&[ACK]), Ended::Finished);
}

#[test]
fn a_stop_takes_effect_before_the_first_image_and_between_images_only() {
    let stopped = |image| {
        Ended::Failed(ProtocolError::Stopped {
            step: Step::Program { image },
        })
    };
    let mut host = programming(&[5044, 5044]);
    host.conversation.stop();
    assert!(
        matches!(host.settle(), Ended::Waiting(_)),
        "program is on its way"
    );
    host.says(&[ACK_RAW]);
    assert_eq!(host.sent().len(), 8192 + 512, "the image is finished");
    assert_eq!(host.says(&[ACK_DONE]), stopped(1));

    let mut host = Host::new(Session::new(&[5044], b"", Instant::START));
    host.conversation.stop();
    let step = Step::Configure;
    assert_eq!(host.settle(), Ended::Failed(ProtocolError::Stopped { step }));
    assert_eq!(host.sent(), b"");
}

#[test]
fn a_stop_after_the_last_image_does_not_keep_the_modem_from_its_reset() {
    let mut host = finalising(8192);
    host.conversation.stop();
    host.says(&[ACK_DONE]);
    host.asks(FirehoseRequest::Ping);
    host.says(&[ACK]);
    host.asks(power());
    assert_eq!(host.says(&[ACK]), Ended::Finished);
}

/// A modem for whole sessions: it answers each request, complains about zero blocks in one of two habits, and
/// what it says is cut into pieces.
struct Modem {
    inbox: Vec<u8>,
    raw_left: usize,
    written: Vec<Vec<u8>>,
    zeros: bool,
    habit: Habit,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Habit {
    LosesTheRequest,
    AnswersItAfterTheNoise,
}

impl Modem {
    /// What it says to these bytes.
    fn hears(&mut self, bytes: &[u8]) -> Vec<u8> {
        self.inbox.extend_from_slice(bytes);
        let mut says = vec![];
        loop {
            if self.raw_left > 0 {
                let count = self.raw_left.min(self.inbox.len());
                let written = self.written.last_mut().unwrap();
                written.extend(self.inbox.drain(..count));
                self.raw_left -= count;
                if self.raw_left > 0 {
                    return says;
                }
                says.extend(documents(&[PROCESSED, ACK_DONE]));
            }
            let zeros = self.inbox.iter().take_while(|&&byte| byte == 0).count();
            self.zeros |= zeros > 0;
            self.inbox.drain(..zeros);
            let end = self.inbox.windows(9).position(|window| window == b"</data>\n\n");
            let Some(end) = end else { return says };
            let request = self.inbox.drain(..end + 9).collect::<Vec<u8>>();
            if std::mem::take(&mut self.zeros) {
                says.extend(documents(&[COMPLAINT, NAK]));
                if self.habit == Habit::LosesTheRequest {
                    continue;
                }
            }
            match &FirehoseRequest::parse(&request).unwrap()[..] {
                [FirehoseRequest::Configure(_)] => says.extend(documents(&[LIMIT])),
                [FirehoseRequest::StorageInfo { .. }] => says.extend(documents(&[SECTOR, PAGES, ACK])),
                [FirehoseRequest::Program(program)] => {
                    self.raw_left = usize::try_from(program.sectors).unwrap() * 4096;
                    self.written.push(vec![]);
                    says.extend(documents(&[ACK_RAW]));
                }
                _ => says.extend(documents(&[ACK])),
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn whole_sessions_survive_any_split_with_either_habit(
        sizes in prop::collection::vec(1_u64..40_000, 1..4),
        pieces in prop::collection::vec(1_usize..400, 1..10),
        habit in prop::sample::select(vec![Habit::LosesTheRequest, Habit::AnswersItAfterTheNoise]),
    ) {
        let mut host = host(&sizes);
        let mut modem = Modem { inbox: vec![], raw_left: 0, written: vec![], zeros: false, habit };
        let mut pieces = pieces.into_iter().cycle();
        let mut ended = host.settle();
        for _ in 0..2000 {
            let says = modem.hears(&host.sent());
            if says.is_empty() {
                match ended {
                    Ended::Waiting(until) => host.now = until,
                    _ => break,
                }
                ended = host.settle();
                continue;
            }
            let mut rest = &says[..];
            while !rest.is_empty() {
                let (now, later) = rest.split_at(pieces.next().unwrap().min(rest.len()));
                ended = host.hear(now);
                rest = later;
            }
        }
        prop_assert_eq!(ended, Ended::Finished);
        prop_assert_eq!(modem.written.len(), sizes.len());
        for (number, (written, &size)) in modem.written.iter().zip(&sizes).enumerate() {
            let sectors = usize::try_from(size.div_ceil(4096)).unwrap();
            prop_assert_eq!(written, &padded(number, size, sectors * 4096 - usize::try_from(size).unwrap()));
        }
    }

    #[test]
    fn damage_never_panics_or_waits_for_ever(
        said in prop::collection::vec(prop::sample::select(vec![
            ACK, NAK, ACK_RAW, ACK_DONE, LIMIT, SECTOR, PAGES, PROCESSED, COMPLAINT, BUILD_DATE,
        ]), 0..30),
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
        piece in 1_usize..700,
        pass in 0_u64..300,
    ) {
        let mut bytes = documents(&said);
        for (at, byte) in damage {
            if !bytes.is_empty() {
                let at = at.index(bytes.len());
                bytes[at] = byte;
            }
        }
        let mut host = host(&[5044, 9000]);
        host.pass(QUIET);
        for piece in bytes.chunks(piece) {
            host.hear(piece);
            host.pass(Duration::from_millis(pass));
        }
        let ended = host.pass_deadlines(200);
        prop_assert!(!matches!(ended, Ended::Waiting(_)), "{:?}", ended);
    }
}

#[test]
fn the_modems_side_of_the_messages_says_what_the_captures_say() {
    let written = |answer: Answer| String::from_utf8(answer.to_bytes()).unwrap();
    let captured = |element| String::from_utf8(document(element)).unwrap();
    assert_eq!(
        written(Answer::Response(Response::payload_limit(Verdict::Nak, 8192))),
        captured(LIMIT)
    );
    assert_eq!(
        written(Answer::Response(Response::ack_raw(false))),
        captured(ACK_DONE)
    );
    assert_eq!(written(Answer::Log("PAGES_IN_BLOCK=64".into())), captured(PAGES));
}
