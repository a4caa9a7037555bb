//! Whatever a host sends, the modem neither fails nor talks without end.

use std::time::Duration;

use crate::common::{self, Bench, open_request, quick};
use modem_protocol::firehose::message::{Configure, FirehoseRequest, Program};
use modem_protocol::mbim;
use modem_protocol::qdl::message::{HelloRequest, Request};
use modem_protocol::qmi::{Service, Tlvs, ctl, dms};
use modem_protocol::sahara::message::{ClientCommand, HelloResponse, Packet};
use modemflash_virtual_modem::profile::Timings;
use modemflash_virtual_modem::quirk::RamDump;
use modemflash_virtual_modem::{ControlProtocol, FaultScript, Mode, Profile, Setup};
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
        Just(FirehoseRequest::Ping.to_bytes()),
        Just(FirehoseRequest::Configure(Configure::asking_for(8192)).to_bytes()),
        Just(FirehoseRequest::Program(Program::image(2, 4096, 64)).to_bytes()),
        Just(FirehoseRequest::Program(Program::image(u64::MAX, 4096, 64)).to_bytes()),
        Just(vec![0; 9000]),
        proptest::collection::vec(any::<u8>(), 0..600),
    ]
}

/// Messages to running firmware that lead somewhere.
fn normal_message() -> impl Strategy<Value = Vec<u8>> {
    let qmi = prop_oneof![
        Just(ctl::Request::Sync.to_frame(1)),
        Just(
            ctl::Request::Allocate {
                service: Service::Dms
            }
            .to_frame(2)
        ),
        Just(
            ctl::Request::Release {
                service: Service::Dms,
                client: 1
            }
            .to_frame(2)
        ),
        (0..0x60_u16, proptest::collection::vec(any::<u8>(), 0..60)).prop_map(|(message, value)| {
            let request = dms::Request::Other {
                message,
                tlvs: Tlvs::new().with(1, value),
            };
            request.to_frame(1, 3)
        }),
        Just(dms::Request::SetOperatingMode(dms::OperatingMode::Offline).to_frame(1, 4)),
        Just(dms::Request::SetOperatingMode(dms::OperatingMode::Reset).to_frame(1, 5)),
        Just(dms::Request::ListStoredImages.to_frame(1, 6)),
    ];
    prop_oneof![
        qmi.clone().prop_map(|frame| frame.encode()),
        qmi.prop_map(|frame| mbim::qmi::command(1, &frame).encode()),
        Just(
            mbim::Message {
                transaction: 1,
                body: mbim::Body::Open {
                    max_control_transfer: 100
                }
            }
            .encode()
        ),
        "AT[!+][A-Z]{1,9}[?=]?[0-9A-Z,\"]{0,20}\r".prop_map(String::into_bytes),
        proptest::sample::select(
            &[
                "AT\r",
                "ATE0\r",
                "AT!ENTERCND=\"A710\"\r",
                "AT!BOOTHOLD\r",
                "AT!RESET\r",
                "AT!IMAGE?\r",
                "AT!USBCOMP=1,1,100D\r",
                "AT!USBCOMP=1,2,0\r",
                "AT!USBPID=0\r",
                "AT!IMAGE=0\r",
                "AT!IMPREF=\"GENERIC\"\r",
            ][..]
        )
        .prop_map(|text| text.as_bytes().to_vec()),
        "\\PC{0,40}\r".prop_map(String::into_bytes),
        proptest::collection::vec(any::<u8>(), 0..300),
        Just(vec![b'A'; 9000]),
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
    fn any_host_of_running_firmware_is_survived_on_every_interface(
        model in 0..Profile::ALL.len(),
        is_mbim in any::<bool>(),
        messages in proptest::collection::vec((0..14_u8, normal_message(), 0..3_u8), 0..30),
    ) {
        let mut setup = Setup::running(&Profile::ALL[model]);
        setup.timings = Timings::INSTANT;
        if is_mbim {
            setup.control = ControlProtocol::Mbim;
        }
        let mut bench = Bench::closed(setup);
        for (interface, message, then) in messages {
            if bench.modem.is_on_bus() {
                let numbers = bench.modem.layout().interfaces.iter().map(|function| function.number);
                let numbers: Vec<u8> = numbers.collect();
                let interface = numbers[usize::from(interface) % numbers.len()];
                bench.modem.terminal_ready(interface, true, bench.now);
                bench.modem.port_opened(interface, bench.now);
                if bench.modem.room(interface, bench.now) >= message.len() {
                    bench.modem.receive(interface, &message, bench.now);
                }
                if then == 0 {
                    bench.modem.port_closed(interface, bench.now);
                }
            }
            let heard = bench.hear_for(Duration::from_secs(u64::from(then)));
            prop_assert!(heard.len() < 200_000, "{} bytes", heard.len());
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
