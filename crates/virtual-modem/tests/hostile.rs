//! Whatever a host sends, the modem neither fails nor talks without end.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod common;

use std::time::Duration;

use common::{Bench, open_request, quick};
use modem_protocol::firehose::message::{Configure, Program, Request as Document};
use modem_protocol::qdl::message::{HelloRequest, Request};
use modem_protocol::sahara::message::{ClientCommand, HelloResponse, Packet};
use modemflash_virtual_modem::quirk::RamDump;
use modemflash_virtual_modem::{FaultScript, Mode, Profile};
use proptest::prelude::*;

/// Messages that lead somewhere, so that chance gets behind the first state.
fn message() -> impl Strategy<Value = Vec<u8>> {
    let command = ClientCommand::SwitchToFirehose;
    prop_oneof![
        Just(Request::SwitchToStreaming { flags: 0 }.frame()),
        Just(Request::Hello(HelloRequest::of_version(6)).frame()),
        Just(Request::Open(open_request(&common::mini())).frame()),
        Just(common::write_request(0, &common::mini()[400..])),
        Just(Request::Done.frame()),
        Just(Request::Reset.frame()),
        Just(Packet::HelloResponse(HelloResponse::COMMAND_MODE).to_bytes()),
        Just(Packet::Execute { command }.to_bytes()),
        Just(Packet::ExecuteData { command }.to_bytes()),
        Just(Packet::Reset.to_bytes()),
        Just(Document::Ping.to_bytes()),
        Just(Document::Configure(Configure::asking_for(8192)).to_bytes()),
        Just(Document::Program(Program::image(2, 4096, 64)).to_bytes()),
        Just(Document::Program(Program::image(u64::MAX, 4096, 64)).to_bytes()),
        Just(vec![0; 9000]),
        proptest::collection::vec(any::<u8>(), 0..600),
    ]
}

fn mode() -> impl Strategy<Value = Mode> {
    prop_oneof![
        5 => Just(Mode::Download),
        1 => Just(Mode::RamDump(RamDump::Offers)),
        1 => Just(Mode::RamDump(RamDump::RefusesExecute)),
        1 => Just(Mode::Diag),
        1 => Just(Mode::Pbl),
        1 => Just(Mode::Normal),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn any_host_is_survived_and_answered_with_a_bounded_amount(
        model in 0..Profile::ALL.len(),
        mode in mode(),
        messages in proptest::collection::vec((message(), any::<bool>()), 0..20),
    ) {
        let mut setup = quick(Profile::ALL[model].name);
        setup.mode = mode;
        let mut bench = Bench::opened(setup);
        for (message, reopen) in messages {
            if bench.modem.is_on_bus() && bench.modem.room(0, bench.now) > 0 {
                bench.send(&message);
            }
            let heard = bench.hear_for(Duration::from_secs(100));
            // The most that one message can bring: two rounds of noise and a few answers.
            prop_assert!(heard.len() < 100_000, "{} bytes", heard.len());
            if reopen {
                bench.modem.port_closed(0, bench.now);
            }
            bench.modem.port_opened(0, bench.now);
        }
    }

    #[test]
    fn any_text_is_a_fault_script_or_an_error_and_a_script_comes_back_from_its_text(text in "[a-z:@=,0-9x ]{0,40}") {
        if let Ok(script) = text.parse::<FaultScript>() {
            prop_assert_eq!(script.to_string().parse::<FaultScript>(), Ok(script));
        }
    }

    #[test]
    fn any_fault_that_is_put_together_comes_back_from_its_text(
        name in prop_oneof![Just("drop"), Just("stall"), Just("lose"), Just("corrupt"), Just("reject-image")],
        place in 1..u32::MAX,
    ) {
        let script: FaultScript = format!("{name}@{place}").parse().unwrap();
        prop_assert_eq!(script.to_string(), format!("{name}@{place}"));
    }
}
