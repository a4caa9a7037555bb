//! The host's way from hello to Firehose: captured traces byte for byte, and every odd case.

use std::time::Duration;

use crate::common::{Ended, Host, hex, vector};
use modemflash_modem_protocol::conversation::{Connected, Refusal, Step};
use modemflash_modem_protocol::sahara::message::{ClientCommand, HelloResponse, Packet, Status};
use modemflash_modem_protocol::sahara::reset::Reset;
use modemflash_modem_protocol::sahara::switch::{PROVOCATION, Start, Switch};
use modemflash_modem_protocol::{Conversation, Instant, ParseError, ProtocolError, Report};
use proptest::prelude::*;

const SECOND: Duration = Duration::from_secs(1);
const QUIET: Duration = Duration::from_millis(300);

fn host(start: Start) -> Host<Switch> {
    Host::new(Switch::to_firehose(start, Instant::START))
}

fn awaiting() -> Host<Switch> {
    host(Start::Await { up_to: 20 * SECOND })
}

/// A host that has sent its hello response.
fn answered() -> Host<Switch> {
    let mut host = awaiting();
    host.hear(&vector("hello"));
    host.pass(QUIET);
    assert_eq!(host.sent(), vector("hello_response"));
    host
}

/// A host that has sent execute.
fn executing() -> Host<Switch> {
    let mut host = answered();
    host.hear(&vector("command_ready"));
    assert_eq!(host.sent(), vector("execute"));
    host
}

fn connected(confirmation: &str) -> Report {
    Report::Connected(Connected::Sahara {
        version: 2,
        confirmation: confirmation.into(),
    })
}

/// Goes through the rest of the trace from the hello on, and checks every byte.
fn finish_from_hello(mut host: Host<Switch>) {
    host.pass(QUIET);
    assert_eq!(host.sent(), vector("hello_response"));
    host.hear(&vector("command_ready"));
    assert_eq!(host.sent(), vector("execute"));
    host.hear(&vector("execute_response"));
    assert_eq!(host.sent(), vector("execute_data"));
    assert_eq!(host.hear(b"confirmed<?xml"), Ended::Finished);
    assert_eq!(host.sent(), b"");
    assert_eq!(host.reports.last(), Some(&connected("confirmed")));
    assert_eq!(host.conversation.into_rest(), b"<?xml");
}

#[test]
fn the_trace_of_an_em7565_that_says_hello_by_itself_is_replayed() {
    // em7565_sahara-firehose_libqmi_rules
    let mut host = awaiting();
    host.pass(2 * SECOND);
    assert_eq!(host.sent(), b"", "nothing is sent before the hello");
    host.hear(&vector("hello"));
    finish_from_hello(host);
}

#[test]
fn the_trace_of_the_vendors_tool_that_provokes_the_hello_is_replayed() {
    // em7565_sahara-firehose_vendor-sdk_2018
    let mut host = host(Start::Provoke { up_to: 3 * SECOND });
    host.settle();
    assert_eq!(host.sent(), PROVOCATION);
    assert_eq!(PROVOCATION.to_vec(), hex(&"55 54 55 56 ".repeat(6)));
    host.hear(&vector("hello"));
    finish_from_hello(host);
}

#[test]
fn the_late_hello_of_an_rc7620_that_answers_the_probe_is_the_start_of_the_switch() {
    // rc7620_tp1_failed_seed001_2023: the hello came as the answer to 7E 70 00 00 14 46 7E.
    finish_from_hello(host(Start::Heard(vector("hello"))));
}

#[test]
fn an_answer_of_an_mc7455_after_a_crash_is_carried_on_with_until_it_offers_a_memory_dump() {
    // mc7455_9070-after-crash_sahara-ramdump_2017, and sahara-firehose.md §3.1
    let mut host = host(Start::Heard(vector("hello")));
    host.pass(QUIET);
    assert_eq!(host.sent(), vector("hello_response"));
    let dump = Packet::MemoryDebug {
        address: 0xFE80_0000,
        length: 0x8800,
    };
    let refused = ProtocolError::Refused {
        step: Step::CommandReady,
        refusal: Refusal::MemoryDebug,
    };
    assert_eq!(host.hear(&dump.to_bytes()), Ended::Failed(refused));
    let mut host = executing();
    let dump = Packet::MemoryDebug64 {
        address: 0xFE80_0000,
        length: 0x8800,
    };
    let refused = ProtocolError::Refused {
        step: Step::SwitchToFirehose,
        refusal: Refusal::MemoryDebug,
    };
    assert_eq!(host.hear(&dump.to_bytes()), Ended::Failed(refused));
}

#[test]
fn the_way_out_of_memory_debug_by_mode_switch_and_client_command_4_can_be_walked() {
    // mc7455_9070-after-crash_sahara-ramdump_2017, steps 1 to 6
    let start = Start::SwitchMode { up_to: 3 * SECOND };
    let mut host = Host::new(Switch::executing(
        ClientCommand::SwitchToDload,
        start,
        Instant::START,
    ));
    host.settle();
    assert_eq!(host.sent(), hex("0C000000 0C000000 03000000"));
    host.hear(&vector("hello"));
    host.pass(QUIET);
    assert_eq!(host.sent(), vector("hello_response"));
    host.hear(&vector("hello"));
    host.pass(QUIET);
    assert_eq!(host.sent(), vector("hello_response"));
    host.hear(&vector("command_ready"));
    assert_eq!(host.sent(), hex("0D000000 0C000000 04000000"));
    let response = Packet::ExecuteResponse {
        command: ClientCommand::SwitchToDload,
        length: 0,
    };
    assert_eq!(host.hear(&response.to_bytes()), Ended::Finished);
}

#[test]
fn vector_9_hello_and_ready_in_one_read_get_one_hello_response_and_then_execute() {
    let mut host = awaiting();
    host.hear(&vector("hello_and_command_ready"));
    host.pass(QUIET);
    assert_eq!(
        host.sent(),
        [vector("hello_response"), vector("execute")].concat()
    );
    // The ready that answers the response is no surprise.
    host.hear(&vector("command_ready"));
    host.hear(&vector("execute_response"));
    assert_eq!(host.sent(), vector("execute_data"));
}

#[test]
fn a_hello_swallowed_by_a_driver_is_answered_unasked() {
    let mut host = host(Start::Unasked);
    host.settle();
    assert_eq!(host.sent(), vector("hello_response"));
    host.hear(&vector("command_ready"));
    assert_eq!(host.sent(), vector("execute"));
}

#[test]
fn the_hello_is_answered_only_after_300_ms_of_silence() {
    let mut host = awaiting();
    host.pass(SECOND);
    let quiet = host.now + QUIET;
    assert_eq!(host.hear(&vector("hello")), Ended::Waiting(quiet));
    host.pass(QUIET - Duration::from_millis(1));
    assert_eq!(host.sent(), b"");
    host.hear(&vector("hello")[..20]);
    host.pass(QUIET - Duration::from_millis(1));
    assert_eq!(host.sent(), b"", "silence begins again with each byte");
    host.pass(Duration::from_millis(1));
    assert_eq!(host.sent(), vector("hello_response"));
}

#[test]
fn a_line_that_never_falls_silent_does_not_hold_the_hello_response_back_for_ever() {
    let mut host = awaiting();
    host.hear(&vector("hello"));
    for _ in 0..31 {
        host.pass(Duration::from_millis(100));
        host.hear(&vector("command_ready"));
    }
    assert_eq!(host.sent()[..48], vector("hello_response"));
}

#[test]
fn a_second_hello_in_any_place_goes_back_to_the_hello_response() {
    let second = vector("hello");
    let mut waiting_for_data = executing();
    waiting_for_data.hear(&vector("execute_response"));
    waiting_for_data.sent();
    for mut host in [answered(), executing(), waiting_for_data] {
        host.hear(&second);
        let why = "the modem said hello again".to_string();
        assert_eq!(
            host.reports.last(),
            Some(&Report::Retrying {
                step: Step::CommandReady,
                attempt: 2,
                why
            })
        );
        finish_from_hello(host);
    }
}

#[test]
fn five_further_hellos_are_answered_and_the_sixth_is_an_error() {
    let mut host = awaiting();
    for _ in 0..6 {
        host.hear(&vector("hello"));
        host.pass(QUIET);
        assert_eq!(host.sent(), vector("hello_response"));
    }
    let error = ProtocolError::Unexpected {
        step: Step::CommandReady,
        expected: "command ready",
        got: "hello number 7".into(),
    };
    assert_eq!(host.hear(&vector("hello")), Ended::Failed(error));
}

#[test]
fn a_hello_with_too_new_a_compatible_version_is_refused_and_a_newer_version_alone_is_not() {
    let mut newer = vector("hello");
    newer[8] = 3;
    let mut host = awaiting();
    host.hear(&newer);
    host.pass(QUIET);
    assert_eq!(host.sent(), vector("hello_response"));
    newer[12] = 3;
    let error = ProtocolError::Unexpected {
        step: Step::SaharaHello,
        expected: "a protocol version of at most 2",
        got: "a hello that is compatible with 3 and later".into(),
    };
    assert_eq!(awaiting().hear(&newer), Ended::Failed(error));
}

#[test]
fn vector_7_an_end_of_image_in_any_place_is_a_refusal_with_its_words() {
    let mut quiet = awaiting();
    quiet.hear(&vector("hello"));
    let mut waiting_for_data = executing();
    waiting_for_data.hear(&vector("execute_response"));
    let places = [
        (awaiting(), Step::SaharaHello),
        (quiet, Step::CommandReady),
        (answered(), Step::CommandReady),
        (executing(), Step::SwitchToFirehose),
        (waiting_for_data, Step::Confirmation),
    ];
    for (mut host, step) in places {
        let refusal = Refusal::Sahara(Status::CommandUnsupported);
        let error = ProtocolError::Refused { step, refusal };
        assert!(error.to_string().contains("command unsupported (0x1f)"));
        assert_eq!(host.hear(&vector("end_of_image")), Ended::Failed(error));
    }
}

#[test]
fn any_other_packet_is_an_error_that_names_it() {
    let error = |got: &str| {
        Ended::Failed(ProtocolError::Unexpected {
            step: Step::SwitchToFirehose,
            expected: "an execute response to this command",
            got: got.into(),
        })
    };
    let read = Packet::ReadData {
        image: 13,
        offset: 0,
        length: 52,
    };
    assert_eq!(executing().hear(&read.to_bytes()), error("read data"));
    let unknown = Packet::Other {
        command: 0x55,
        body: vec![1],
    };
    assert_eq!(
        executing().hear(&unknown.to_bytes()),
        error("unknown packet 0x55 with 1 bytes")
    );
    let other = Packet::ExecuteResponse {
        command: ClientCommand::ChipId,
        length: 4,
    };
    let words = "execute response to \"read the chip id\" with 4 bytes";
    assert_eq!(executing().hear(&other.to_bytes()), error(words));
    let success = Packet::EndOfImage {
        image: 0,
        status: Status::Success,
    };
    assert_eq!(
        executing().hear(&success.to_bytes()),
        error("end of image transfer, success (0x00)")
    );
}

#[test]
fn an_execute_response_without_data_gets_the_go_ahead_and_leads_on() {
    let mut host = executing();
    let response = Packet::ExecuteResponse {
        command: ClientCommand::SwitchToFirehose,
        length: 0,
    };
    assert_eq!(host.hear(&response.to_bytes()), Ended::Finished);
    assert_eq!(host.sent(), vector("execute_data"));
    assert_eq!(host.reports, [connected("")]);
}

#[test]
fn the_end_waits_until_the_port_has_taken_the_go_ahead() {
    let mut host = executing();
    host.takes = false;
    let response = Packet::ExecuteResponse {
        command: ClientCommand::SwitchToFirehose,
        length: 0,
    };
    assert!(matches!(host.hear(&response.to_bytes()), Ended::Waiting(_)));
    host.take(5);
    assert!(matches!(host.settle(), Ended::Waiting(_)));
    assert_eq!(host.take(7), Ended::Finished);
}

#[test]
fn an_execute_response_with_a_huge_length_is_an_error_at_once() {
    for length in [1025, u32::MAX] {
        let mut host = executing();
        let response = Packet::ExecuteResponse {
            command: ClientCommand::SwitchToFirehose,
            length,
        };
        let error = ProtocolError::Unexpected {
            step: Step::SwitchToFirehose,
            expected: "at most 1024 bytes of data",
            got: format!("{length} bytes"),
        };
        assert_eq!(host.hear(&response.to_bytes()), Ended::Failed(error));
    }
}

#[test]
fn any_printable_confirmation_is_taken_and_any_other_is_not() {
    let confirm = |data: &[u8]| {
        let mut host = executing();
        let length = u32::try_from(data.len()).unwrap();
        let response = Packet::ExecuteResponse {
            command: ClientCommand::SwitchToFirehose,
            length,
        };
        host.hear(&response.to_bytes());
        let ended = host.hear(data);
        (ended, host.reports)
    };
    assert_eq!(confirm(b"OK\0"), (Ended::Finished, vec![connected("OK")]));
    assert_eq!(
        confirm(b"firehose on\r\n"),
        (Ended::Finished, vec![connected("firehose on")])
    );
    let error = ParseError::Text {
        field: "confirmation",
        expected: "printable ASCII",
    };
    let garbled = Ended::Failed(ProtocolError::Garbled {
        step: Step::Confirmation,
        error,
    });
    assert_eq!(confirm(b"\0\0\0"), (garbled.clone(), vec![]));
    assert_eq!(confirm(b"conf\xFFrmed"), (garbled, vec![]));
}

#[test]
fn every_step_has_its_deadline_and_says_what_it_waited_for() {
    let mut waiting_for_data = executing();
    waiting_for_data.hear(&vector("execute_response"));
    waiting_for_data.hear(b"confirme");
    let places = [
        (awaiting(), Step::SaharaHello, 20),
        (answered(), Step::CommandReady, 5),
        (executing(), Step::SwitchToFirehose, 5),
        (waiting_for_data, Step::Confirmation, 5),
    ];
    for (mut host, step, seconds) in places {
        let waited = seconds * SECOND;
        assert!(matches!(host.pass(waited - QUIET - QUIET), Ended::Waiting(_)));
        assert_eq!(
            host.pass_deadlines(1),
            Ended::Failed(ProtocolError::Silent { step, waited })
        );
    }
}

#[test]
fn strangers_before_the_hello_are_passed_over_and_counted() {
    for strangers in [
        "7E 70 00 00 14 46 7E",
        "00",
        "0D 0A 45 52 52 4F 52 0D 0A",
        "42 00 00 00 20 00 00 00 01",
    ] {
        let mut bytes = hex(strangers);
        let count = bytes.len();
        bytes.extend(vector("hello"));
        let mut host = host(Start::Heard(bytes));
        host.settle();
        assert_eq!(
            host.reports,
            [Report::Noise(format!(
                "{count} bytes before the hello passed over"
            ))]
        );
        finish_from_hello(host);
    }
}

#[test]
fn bytes_that_never_become_a_hello_are_named_at_the_deadline() {
    let mut host = awaiting();
    host.hear(b"AT+CGMM?\r\r\nERROR\r\n");
    let error = ProtocolError::Unexpected {
        step: Step::SaharaHello,
        expected: "a hello",
        got: "18 bytes of something else".into(),
    };
    assert_eq!(host.pass(20 * SECOND), Ended::Failed(error));
}

#[test]
fn bytes_that_are_no_packet_are_an_error_once_the_modem_has_said_hello() {
    let mut host = executing();
    let error = ParseError::Value {
        field: "length",
        offset: 4,
        expected: "8 to 1024",
        got: u32::from_le_bytes(*b"l ve").into(),
    };
    assert_eq!(
        host.hear(b"<?xml version"),
        Ended::Failed(ProtocolError::Garbled {
            step: Step::SwitchToFirehose,
            error
        })
    );
}

#[test]
fn a_port_that_goes_away_and_a_stop_name_the_step() {
    let mut host = executing();
    host.conversation.closed(host.now);
    assert_eq!(
        host.settle(),
        Ended::Failed(ProtocolError::Left {
            step: Step::SwitchToFirehose
        })
    );
    let mut host = answered();
    host.conversation.stop();
    assert_eq!(
        host.settle(),
        Ended::Failed(ProtocolError::Stopped {
            step: Step::CommandReady
        })
    );
}

#[test]
fn a_port_that_takes_nothing_is_given_up_and_the_bytes_left_are_named() {
    let mut host = awaiting();
    host.takes = false;
    host.hear(&vector("hello"));
    host.pass(QUIET);
    host.pass(60 * SECOND);
    // A byte now and then doesn't give a request of 48 bytes more time.
    host.take(8);
    let waited = 120 * SECOND;
    assert_eq!(
        host.pass(60 * SECOND),
        Ended::Failed(ProtocolError::Stalled {
            step: Step::CommandReady,
            left: 40,
            waited
        })
    );
}

#[test]
fn a_reset_is_finished_by_its_response_or_by_the_port_going_away() {
    let mut host = Host::new(Reset::new(Instant::START));
    host.settle();
    assert_eq!(host.sent(), vector("reset"));
    assert_eq!(host.reports, [Report::ResetSent]);
    host.hear(&vector("hello"));
    assert_eq!(host.hear(&vector("reset_response")), Ended::Finished);

    let mut host = Host::new(Reset::new(Instant::START));
    host.settle();
    host.conversation.closed(host.now);
    assert_eq!(host.settle(), Ended::Finished);
}

#[test]
fn a_reset_fails_when_the_port_goes_before_it_or_nothing_answers_or_the_modem_says_no() {
    let mut host = Host::new(Reset::new(Instant::START));
    host.conversation.closed(host.now);
    assert_eq!(
        host.settle(),
        Ended::Failed(ProtocolError::Left { step: Step::Reset })
    );

    let mut host = Host::new(Reset::new(Instant::START));
    host.settle();
    let (step, waited) = (Step::Reset, 5 * SECOND);
    assert_eq!(
        host.pass(waited),
        Ended::Failed(ProtocolError::Silent { step, waited })
    );

    let mut host = Host::new(Reset::new(Instant::START));
    host.settle();
    host.hear(b"rubbish\n");
    host.hear(&vector("end_of_image"));
    let refusal = Refusal::Sahara(Status::CommandUnsupported);
    assert_eq!(
        host.pass(waited),
        Ended::Failed(ProtocolError::Refused { step, refusal })
    );

    let mut host = Host::new(Reset::new(Instant::START));
    host.takes = false;
    host.settle();
    assert_eq!(
        host.pass(waited),
        Ended::Failed(ProtocolError::Stalled {
            step,
            left: 8,
            waited
        })
    );
}

#[test]
fn rubbish_behind_the_reset_response_is_passed_over() {
    let mut host = Host::new(Reset::new(Instant::START));
    host.settle();
    let mut bytes = vector("reset_response");
    bytes.extend(b"rubbish that is no packet");
    assert_eq!(host.hear(&bytes), Ended::Finished);
    assert_eq!(host.hear(b"and more of it"), Ended::Finished);
}

/// The whole handshake with the modem's bytes cut into pieces; what the host sent.
fn handshake(pieces: &[usize]) -> (Ended, Vec<u8>, Vec<u8>) {
    let mut host = awaiting();
    let mut pieces = pieces.iter().copied().cycle();
    let mut ended = host.settle();
    let mut sent = vec![];
    for said in ["hello", "command_ready", "execute_response", "confirmed"] {
        let said = vector(said);
        let mut rest = &said[..];
        while !rest.is_empty() {
            let (now, later) = rest.split_at(pieces.next().unwrap().min(rest.len()));
            ended = host.hear(now);
            rest = later;
        }
        if matches!(ended, Ended::Waiting(_)) && host.sent_len() == 0 {
            ended = host.pass(QUIET);
        }
        sent.extend(host.sent());
    }
    host.hear(b"tail");
    (ended, sent, host.conversation.into_rest())
}

proptest! {
    #[test]
    fn the_handshake_survives_any_split(pieces in prop::collection::vec(1_usize..50, 1..20)) {
        let all = ["hello_response", "execute", "execute_data"].map(vector).concat();
        prop_assert_eq!(handshake(&pieces), (Ended::Finished, all, b"tail".to_vec()));
    }

    #[test]
    fn damage_never_panics_or_waits_for_ever(
        said in prop::collection::vec(prop::sample::select(vec![
            "hello", "command_ready", "execute_response", "confirmed", "end_of_image", "reset_response",
        ]), 0..12),
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
        piece in 1_usize..60,
    ) {
        let mut bytes: Vec<u8> = said.iter().flat_map(|name| vector(name)).collect();
        for (at, byte) in damage {
            if !bytes.is_empty() {
                let at = at.index(bytes.len());
                bytes[at] = byte;
            }
        }
        let mut host = awaiting();
        for piece in bytes.chunks(piece) {
            host.hear(piece);
            host.pass(QUIET);
        }
        let ended = host.pass_deadlines(20);
        prop_assert!(!matches!(ended, Ended::Waiting(_)), "{:?}", ended);
    }

    #[test]
    fn whatever_hello_response_is_read_is_what_was_sent(status: u32, mode: u32, reserved: [u32; 6]) {
        let response = Packet::HelloResponse(HelloResponse {
            status: status.into(), mode: mode.into(), reserved, ..HelloResponse::COMMAND_MODE
        });
        prop_assert_eq!(Packet::parse(&response.to_bytes()), Ok(response));
    }
}
