//! The MBIM function of running firmware: the vectors of mbim.md, and what a host may do wrong.

use std::time::Duration;

use crate::common::hex;
use crate::common::normal::{Normal, running};
use modem_protocol::mbim::fragment::split;
use modem_protocol::mbim::{
    Body, CommandKind, Message, ProtocolFault, Reassembler, ServiceId, Status, qmi as carrier,
};
use modem_protocol::qmi::dms::{OperatingMode, Request, Response};
use modemflash_virtual_modem::{ControlProtocol, Mode, Setup};

const PORT: u8 = 12;

fn with_mbim() -> Setup {
    let mut setup = running("MC7455");
    setup.control = ControlProtocol::Mbim;
    setup
}

#[test]
fn sessions_open_and_close_as_in_the_vectors() {
    let mut normal = Normal::bare(with_mbim());
    let open = hex("01 00 00 00 10 00 00 00 01 00 00 00 00 10 00 00");
    let opened = hex("01 00 00 80 10 00 00 00 01 00 00 00 00 00 00 00");
    assert_eq!(normal.ask_on(PORT, &open), [opened]);
    let close = hex("02 00 00 00 0C 00 00 00 09 00 00 00");
    let closed = hex("02 00 00 80 10 00 00 00 09 00 00 00 00 00 00 00");
    assert_eq!(normal.ask_on(PORT, &close), [closed]);
    assert_eq!(normal.bench.kinds(), [""; 0]);
}

#[test]
fn qmi_travels_inside_as_in_vector_three() {
    let mut normal = Normal::bare(with_mbim());
    let sync = hex(
        "03 00 00 00 3C 00 00 00 02 00 00 00 01 00 00 00 00 00 00 00 D1 A3 0B C2 F9 7A 6E 43 BF 65 C7 E2 4F B0 F0 D3 \
         01 00 00 00 01 00 00 00 0C 00 00 00 01 0B 00 00 00 00 00 01 27 00 00 00",
    );
    let done = hex(
        "03 00 00 80 43 00 00 00 02 00 00 00 01 00 00 00 00 00 00 00 D1 A3 0B C2 F9 7A 6E 43 BF 65 C7 E2 4F B0 F0 D3 \
         01 00 00 00 00 00 00 00 13 00 00 00 01 12 00 80 00 00 01 01 27 00 07 00 02 04 00 00 00 00 00",
    );
    assert_eq!(normal.ask_on(PORT, &sync), [done]);
}

#[test]
fn a_function_that_is_not_open_says_so_as_in_vector_six() {
    let mut normal = Normal::bare(with_mbim());
    let _ = normal.ask_on(PORT, &hex("02 00 00 00 0C 00 00 00 09 00 00 00"));
    let command = carrier::command(2, &Request::GetModel.to_frame(1, 1)).encode();
    let error = hex("04 00 00 80 10 00 00 00 02 00 00 00 05 00 00 00");
    assert_eq!(normal.ask_on(PORT, &command), [error]);
    assert_eq!(normal.bench.kinds(), ["MBIM not opened"]);
}

#[test]
fn a_subscription_is_accepted_as_in_vector_seven() {
    let mut normal = Normal::bare(with_mbim());
    let subscribe = hex(
        "03 00 00 00 54 00 00 00 03 00 00 00 01 00 00 00 00 00 00 00 A2 89 CC 33 BC BB 8B 4F B6 B0 13 3E C2 AA E6 DF \
         13 00 00 00 01 00 00 00 24 00 00 00 01 00 00 00 0C 00 00 00 18 00 00 00 D1 A3 0B C2 F9 7A 6E 43 BF 65 C7 E2 \
         4F B0 F0 D3 01 00 00 00 01 00 00 00",
    );
    let answers = normal.ask_on(PORT, &subscribe);
    let Body::CommandDone {
        status, information, ..
    } = Message::parse(&answers[0]).unwrap().body
    else {
        panic!("{answers:?}")
    };
    assert_eq!(
        (status, information.as_slice()),
        (Status::Success, &subscribe[48..])
    );
}

#[test]
fn fragments_are_put_together_and_long_answers_come_in_fragments() {
    let mut normal = Normal::new(with_mbim());
    // A session with the smallest transfer.
    let open = Message {
        transaction: 1,
        body: Body::Open {
            max_control_transfer: 64,
        },
    };
    let _ = normal.ask_on(PORT, &open.encode());
    let request = Request::SetFirmwarePreference {
        preference: modem_protocol::qmi::dms::FirmwarePreference::new(
            "02.33.03.00",
            "002.072_000",
            "GENERIC",
        )
        .unwrap(),
        download_override: false,
        storage_index: None,
    };
    let command = carrier::command(5, &request.to_frame(normal.client, 1));
    // mbim.md vector 9.
    let pieces = split(&command, 64);
    assert_eq!(pieces.iter().map(Vec::len).collect::<Vec<_>>(), [64, 64, 45]);
    for piece in &pieces {
        normal.bench.modem.receive(PORT, piece, normal.bench.now);
    }
    assert!(!normal.hear_on(PORT, Duration::from_secs(1)).is_empty());
    assert!(normal.bench.modem.storage().preferred.as_ref().unwrap().firmware == "02.33.03.00");
    let list = carrier::command(6, &Request::ListStoredImages.to_frame(normal.client, 2));
    let pieces = normal.ask_on(PORT, &list.encode());
    assert!(pieces.len() > 1 && pieces.iter().all(|piece| piece.len() <= 64));
    let mut whole = Reassembler::default();
    whole.push(&pieces.concat());
    let message = whole.next_message(normal.bench.now).unwrap().unwrap();
    let carrier::Content::Frame(frame) = carrier::content(&message).unwrap() else {
        panic!("{message:?}")
    };
    assert!(matches!(
        modem_protocol::qmi::dms::Response::parse(frame.message, &frame.tlvs),
        Ok(Ok(Response::StoredImages(_)))
    ));
    assert_eq!(normal.bench.kinds(), [""; 0]);
}

#[test]
fn what_a_host_does_wrong_is_answered_and_noted() {
    let fault = |normal: &mut Normal, bytes: &[u8]| {
        let answers = normal.ask_on(PORT, bytes);
        match Message::parse(&answers[0]).unwrap().body {
            Body::FunctionError(fault) => fault,
            other => panic!("{other:?}"),
        }
    };
    let mut normal = Normal::new(with_mbim());
    let command = carrier::command(5, &Request::GetModel.to_frame(normal.client, 1)).encode();
    assert_eq!(
        fault(&mut normal, &command[..command.len() - 1]),
        ProtocolFault::LengthMismatch
    );
    let mut long = command.clone();
    long.resize(5000, 0);
    assert_eq!(fault(&mut normal, &long), ProtocolFault::MaxTransferExceeded);
    let mut second = command;
    second[12] = 2;
    second[16] = 1;
    assert_eq!(fault(&mut normal, &second), ProtocolFault::FragmentOutOfSequence);
    assert_eq!(normal.bench.kinds(), ["control message"; 3]);
}

/// Status and information of the answer to a command of basic connect.
fn basic_connect(normal: &mut Normal, cid: u32, kind: CommandKind, information: &[u8]) -> (Status, Vec<u8>) {
    let message = Message {
        transaction: 3,
        body: Body::Command {
            service: ServiceId::BASIC_CONNECT,
            cid,
            kind,
            information: information.to_vec(),
        },
    };
    let answers = normal.ask_on(PORT, &message.encode());
    match Message::parse(&answers[0]).unwrap().body {
        Body::CommandDone {
            status, information, ..
        } => (status, information),
        other => panic!("{other:?}"),
    }
}

/// MBIM 1.0 §10.5.3: the states of the hardware switch and of the software switch.
#[test]
fn the_radio_is_switched_by_mbim_as_by_dms() {
    const RADIO_STATE: u32 = 3;
    let on = hex("01 00 00 00 01 00 00 00");
    let off = hex("01 00 00 00 00 00 00 00");
    let mut normal = Normal::new(with_mbim());
    let set =
        |normal: &mut Normal, wanted: &[u8]| basic_connect(normal, RADIO_STATE, CommandKind::Set, wanted);
    let asked = |normal: &mut Normal| basic_connect(normal, RADIO_STATE, CommandKind::Query, &[]);
    let mode = |normal: &mut Normal| match normal.dms(&Request::GetOperatingMode) {
        Ok(Response::OperatingMode(state)) => state.mode,
        other => panic!("{other:?}"),
    };
    assert_eq!(asked(&mut normal), (Status::Success, on.clone()));
    assert_eq!(
        set(&mut normal, &hex("00 00 00 00")),
        (Status::Success, off.clone())
    );
    assert_eq!(asked(&mut normal), (Status::Success, off));
    assert_eq!(mode(&mut normal), OperatingMode::LowPower);
    assert_eq!(set(&mut normal, &hex("01 00 00 00")), (Status::Success, on));
    assert_eq!(mode(&mut normal), OperatingMode::Online);
    for wrong in ["", "01", "02 00 00 00", "00 00 00 00 00 00 00 00"] {
        assert_eq!(set(&mut normal, &hex(wrong)).0, Status::InvalidParameters);
    }
    assert_eq!(mode(&mut normal), OperatingMode::Online);
    assert!(
        normal
            .dms(&Request::SetOperatingMode(OperatingMode::Offline))
            .is_ok()
    );
    assert_eq!(
        set(&mut normal, &hex("01 00 00 00")).0,
        Status::OperationNotAllowed
    );
    assert_eq!(mode(&mut normal), OperatingMode::Offline);
}

#[test]
fn programs_find_a_device_without_a_sim_and_the_qmi_service() {
    let mut normal = Normal::bare(with_mbim());
    let mut query = |cid| basic_connect(&mut normal, cid, CommandKind::Query, &[]);
    let (status, caps) = query(1);
    assert_eq!(status, Status::Success);
    let utf16: Vec<u8> = "012345678901237"
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect();
    assert!(caps.windows(utf16.len()).any(|window| window == utf16));
    assert_eq!(query(2).0, Status::Success);
    let (status, services) = query(16);
    assert_eq!(status, Status::Success);
    assert!(services.windows(16).any(|window| window == ServiceId::QMI.0));
    assert_eq!(query(12).0, Status::NoDeviceSupport);
}

#[test]
fn a_close_may_stay_unanswered() {
    let mut setup = with_mbim();
    setup.quirks.mbim_close_is_unanswered = true;
    let mut normal = Normal::bare(setup);
    assert!(
        normal
            .ask_on(PORT, &hex("02 00 00 00 0C 00 00 00 09 00 00 00"))
            .is_empty()
    );
}

#[test]
fn a_reset_inside_mbim_leads_out_of_the_bus() {
    let mut setup = with_mbim();
    setup.timings.leaving = Duration::from_millis(300);
    let mut normal = Normal::new(setup);
    assert!(
        normal
            .dms(&Request::SetOperatingMode(OperatingMode::Offline))
            .is_ok()
    );
    assert!(
        normal
            .dms(&Request::SetOperatingMode(OperatingMode::Reset))
            .is_ok()
    );
    assert_eq!(normal.bench.detached, 1);
    assert_eq!(normal.bench.modem.mode(), Mode::Normal);
}
