//! MBIM messages of both sides against the numbered vectors of mbim.md.

use std::time::Duration;

use crate::common::hex;
use modemflash_modem_protocol::Instant;
use modemflash_modem_protocol::mbim::fragment::{self, FragmentError, LARGEST_MESSAGE, Reassembler};
use modemflash_modem_protocol::mbim::message::{
    Body, CommandKind, Message, ProtocolFault, ServiceId, Status,
};
use modemflash_modem_protocol::mbim::{proxy, qmi, subscribe};
use modemflash_modem_protocol::qmi::dms::{FirmwarePreference, OperatingMode};
use modemflash_modem_protocol::qmi::{Frame, ctl, dms};
use proptest::prelude::*;

/// The bytes of a vector of mbim.md, by its number and its place in the line.
fn vector(name: &str) -> Vec<u8> {
    let line = include_str!("../vectors/mbim.txt")
        .lines()
        .find(|line| line.split(' ').next() == Some(name))
        .unwrap_or_else(|| panic!("no vector {name}"));
    hex(line.split_once(' ').unwrap().1)
}

fn message(transaction: u32, body: Body) -> Message {
    Message { transaction, body }
}

fn set_preference() -> Frame {
    dms::Request::SetFirmwarePreference {
        preference: FirmwarePreference::new("02.33.03.00", "002.072_000", "GENERIC").unwrap(),
        download_override: false,
        storage_index: None,
    }
    .to_frame(5, 13)
}

fn offline() -> Frame {
    dms::Request::SetOperatingMode(OperatingMode::Offline).to_frame(5, 6)
}

fn messages() -> Vec<(&'static str, Message)> {
    let indications = [subscribe::Subscription {
        service: ServiceId::QMI,
        cids: vec![1],
    }];
    let configuration = proxy::Configuration {
        device: "/dev/cdc-wdm0".into(),
        timeout_seconds: 30,
    };
    vec![
        (
            "1a",
            message(
                1,
                Body::Open {
                    max_control_transfer: 4096,
                },
            ),
        ),
        ("1b", message(1, Body::OpenDone(Status::Success))),
        ("2a", message(9, Body::Close)),
        ("2b", message(9, Body::CloseDone(Status::Success))),
        ("3a", qmi::command(2, &ctl::Request::Sync.to_frame(1))),
        ("3b", qmi::command_done(2, &ctl::Response::Synced.to_frame(1))),
        ("4a", qmi::command(4, &offline())),
        ("5a", qmi::refusal(2, Status::NoDeviceSupport)),
        ("6a", message(2, Body::FunctionError(ProtocolFault::NotOpened))),
        ("6b", message(2, Body::HostError(ProtocolFault::FragmentTimeout))),
        ("7a", subscribe::command(3, &indications)),
        ("8a", qmi::indication(&ctl::Indication::Sync.to_frame())),
        ("10a", configuration.to_message(1)),
    ]
}

#[test]
fn vectors_1_to_8_and_10_are_read_and_written_byte_for_byte() {
    for (name, message) in messages() {
        assert_eq!(message.encode(), vector(name), "{name}");
        assert_eq!(Message::parse(&vector(name)), Ok(message.clone()), "{name}");
        let mut reassembler = Reassembler::default();
        reassembler.push(&vector(name));
        assert_eq!(
            reassembler.next_message(Instant::START),
            Some(Ok(message)),
            "{name}"
        );
    }
}

#[test]
fn vectors_3_4_5_and_8_say_their_qmi_frame_or_refuse_it() {
    let content = |name| qmi::content(&Message::parse(&vector(name)).unwrap());
    let frame = |frame| Ok(qmi::Content::Frame(frame));
    assert_eq!(content("3a"), frame(ctl::Request::Sync.to_frame(1)));
    assert_eq!(content("3b"), frame(ctl::Response::Synced.to_frame(1)));
    assert_eq!(content("4a"), frame(offline()));
    assert_eq!(content("5a"), Ok(qmi::Content::Refused(Status::NoDeviceSupport)));
    assert_eq!(content("8a"), frame(ctl::Indication::Sync.to_frame()));
    assert_eq!(content("7a"), Ok(qmi::Content::Foreign));
    assert_eq!(content("1a"), Ok(qmi::Content::Foreign));
}

#[test]
fn vectors_7_and_10_are_read_by_the_functions_side() {
    let information = |name| match Message::parse(&vector(name)).unwrap().body {
        Body::Command { information, .. } => information,
        other => panic!("{other:?}"),
    };
    assert_eq!(
        subscribe::parse(&information("7a")),
        Ok(vec![subscribe::Subscription {
            service: ServiceId::QMI,
            cids: vec![1]
        }])
    );
    assert_eq!(
        proxy::Configuration::parse(&information("10a")),
        Ok(proxy::Configuration {
            device: "/dev/cdc-wdm0".into(),
            timeout_seconds: 30
        })
    );
}

#[test]
fn entries_of_a_subscribe_list_that_lie_on_each_other_are_refused() {
    let mut information = hex("02000000 14000000 14000000 14000000 14000000");
    information.extend([0; 20]);
    assert!(
        subscribe::parse(&information).is_ok(),
        "40 bytes for two entries of 20"
    );
    information[0] = 3;
    information.splice(20..20, hex("14000000 1C000000"));
    assert!(subscribe::parse(&information).is_err());
}

#[test]
fn vector_9_a_command_of_133_bytes_goes_in_three_pieces_of_64() {
    let whole = qmi::command(5, &set_preference());
    assert_eq!(whole.encode().len(), 133);
    let pieces = fragment::split(&whole, 64);
    assert_eq!(pieces.iter().map(Vec::len).collect::<Vec<_>>(), [64, 64, 45]);
    assert_eq!(pieces[0], vector("9a"));
    assert_eq!(pieces[2], vector("9b"));
    let mut reassembler = Reassembler::default();
    for piece in &pieces[..2] {
        reassembler.push(piece);
        assert_eq!(reassembler.next_message(Instant::START), None);
    }
    assert_eq!(
        reassembler.deadline(),
        Some(Instant::START + Duration::from_millis(1250))
    );
    reassembler.push(&pieces[2]);
    assert_eq!(reassembler.next_message(Instant::START), Some(Ok(whole)));
    assert_eq!(reassembler.deadline(), None);
}

#[test]
fn what_fits_stays_in_one_piece_and_open_is_never_cut() {
    let whole = qmi::command(5, &set_preference());
    assert_eq!(fragment::split(&whole, 133), [whole.encode()]);
    assert_eq!(fragment::split(&whole, 132).len(), 2);
    let open = message(
        1,
        Body::Open {
            max_control_transfer: 64,
        },
    );
    assert_eq!(fragment::split(&open, 0), [open.encode()]);
    // A maximum that leaves no room for a payload counts as 64.
    assert_eq!(fragment::split(&whole, 0), fragment::split(&whole, 64));
}

#[test]
fn a_fragment_that_does_not_come_is_error_1_after_1250_ms() {
    let pieces = fragment::split(&qmi::command(5, &set_preference()), 64);
    let mut reassembler = Reassembler::default();
    reassembler.push(&pieces[0]);
    assert_eq!(reassembler.next_message(Instant::START), None);
    let deadline = reassembler.deadline().unwrap();
    assert_eq!(
        reassembler.next_message(Instant::START + Duration::from_millis(1249)),
        None
    );
    let error = reassembler.next_message(deadline).unwrap().unwrap_err();
    assert_eq!(error.fault(), Some((5, ProtocolFault::FragmentTimeout)));
    assert_eq!(
        error.to_string(),
        "fragment 1 of 3 of transaction 5 didn't come within 1.25 s"
    );
    assert_eq!(reassembler.deadline(), None);
}

#[test]
fn fragments_in_the_wrong_order_are_error_2_and_the_next_message_is_read() {
    let whole = qmi::command(5, &set_preference());
    let pieces = fragment::split(&whole, 64);
    let mut reassembler = Reassembler::default();
    for (expected, got, order) in [(0, 1, [1, 0]), (1, 2, [0, 2]), (2, 1, [1, 1])] {
        reassembler.clear();
        if expected == 2 {
            reassembler.push(&pieces[0]);
        }
        for piece in order {
            reassembler.push(&pieces[piece]);
        }
        let error = reassembler.next_message(Instant::START).unwrap().unwrap_err();
        assert_eq!(
            error,
            FragmentError::OutOfSequence {
                transaction: 5,
                expected,
                got
            }
        );
        assert_eq!(error.fault(), Some((5, ProtocolFault::FragmentOutOfSequence)));
    }
    reassembler.push(&pieces.concat());
    assert_eq!(reassembler.next_message(Instant::START), Some(Ok(whole)));
}

#[test]
fn a_message_in_one_piece_may_come_between_fragments() {
    let whole = qmi::command(5, &set_preference());
    let pieces = fragment::split(&whole, 64);
    let other = qmi::indication(&ctl::Indication::Sync.to_frame());
    let mut reassembler = Reassembler::default();
    reassembler.push(
        &[&pieces[0], &other.encode(), &pieces[1], &pieces[2]]
            .map(|bytes| &bytes[..])
            .concat(),
    );
    assert_eq!(reassembler.next_message(Instant::START), Some(Ok(other)));
    assert_eq!(reassembler.next_message(Instant::START), Some(Ok(whole)));
}

#[test]
fn a_first_fragment_begins_anew_and_impossible_numbers_are_refused() {
    let whole = qmi::command(5, &set_preference());
    let pieces = fragment::split(&whole, 64);
    let mut reassembler = Reassembler::default();
    reassembler.push(&[&pieces[0][..], &pieces.concat()].concat());
    assert_eq!(reassembler.next_message(Instant::START), Some(Ok(whole)));
    for (total, current) in [(0, 0), (2, 2)] {
        let mut piece = pieces[0].clone();
        piece[12] = total;
        piece[16] = current;
        reassembler.push(&piece);
        assert!(matches!(
            reassembler.next_message(Instant::START),
            Some(Err(FragmentError::Garbled(_)))
        ));
    }
}

#[test]
fn fragments_without_end_stop_at_the_largest_message() {
    let mut first = fragment::split(&qmi::command(5, &set_preference()), 64).remove(0);
    first[12..16].copy_from_slice(&u32::MAX.to_le_bytes());
    first.resize(4096, 0xAA);
    first[4..8].copy_from_slice(&4096_u32.to_le_bytes());
    let mut reassembler = Reassembler::default();
    for current in 0_u32.. {
        first[16..20].copy_from_slice(&current.to_le_bytes());
        reassembler.push(&first);
        match reassembler.next_message(Instant::START) {
            None => assert!(
                usize::try_from(current).unwrap() < LARGEST_MESSAGE / 4000,
                "no bound"
            ),
            Some(error) => {
                let error = error.unwrap_err();
                assert_eq!(error.fault(), Some((5, ProtocolFault::MaxTransferExceeded)));
                break;
            }
        }
    }
}

#[test]
fn rubbish_is_reported_once_and_what_follows_is_read() {
    let good = vector("3b");
    let mut reassembler = Reassembler::default();
    reassembler.push(
        &[
            hex("00 00 07 01 0B 00 80"),
            good.clone(),
            hex("FF FF"),
            good.clone(),
        ]
        .concat(),
    );
    let results: Vec<_> = std::iter::from_fn(|| reassembler.next_message(Instant::START)).collect();
    assert_eq!(
        results.iter().map(Result::is_ok).collect::<Vec<_>>(),
        [false, true, false, true]
    );
    assert_eq!(results[3], Ok(Message::parse(&good).unwrap()));
}

#[test]
fn numbers_have_their_words() {
    assert_eq!(Status::NoDeviceSupport.to_string(), "no device support (9)");
    assert_eq!(Status::from(77).to_string(), "MBIM status (77)");
    assert_eq!(ProtocolFault::NotOpened.to_string(), "not opened (5)");
    // mbim.md §2
    assert_eq!(ServiceId::QMI.to_string(), "d1a30bc2-f97a-6e43-bf65-c7e24fb0f0d3");
    assert_eq!(
        ServiceId::QUALCOMM_DEVICE_UPDATE.to_string(),
        "6427015f-579d-48f5-8c54-f43ed1e76f83"
    );
    assert_eq!(
        ServiceId::BASIC_CONNECT.to_string(),
        "a289cc33-bcbb-8b4f-b6b0-133ec2aae6df"
    );
    assert_eq!(
        ServiceId::PROXY_CONTROL.to_string(),
        "838cf7fb-8d0d-4d7f-871e-d71dbefbb39b"
    );
}

fn any_message() -> impl Strategy<Value = Message> {
    let information = || prop::collection::vec(any::<u8>(), 0..400);
    let service = || any::<[u8; 16]>().prop_map(ServiceId);
    let body = prop_oneof![
        any::<u32>().prop_map(|max_control_transfer| Body::Open { max_control_transfer }),
        Just(Body::Close),
        (service(), any::<u32>(), any::<u32>(), information()).prop_map(
            |(service, cid, kind, information)| Body::Command {
                service,
                cid,
                kind: CommandKind::from(kind),
                information
            }
        ),
        any::<u32>().prop_map(|fault| Body::HostError(fault.into())),
        any::<u32>().prop_map(|status| Body::OpenDone(status.into())),
        any::<u32>().prop_map(|status| Body::CloseDone(status.into())),
        (service(), any::<u32>(), any::<u32>(), information()).prop_map(
            |(service, cid, status, information)| Body::CommandDone {
                service,
                cid,
                status: status.into(),
                information
            }
        ),
        any::<u32>().prop_map(|fault| Body::FunctionError(fault.into())),
        (service(), any::<u32>(), information()).prop_map(|(service, cid, information)| {
            Body::IndicateStatus {
                service,
                cid,
                information,
            }
        }),
    ];
    (any::<u32>(), body).prop_map(|(transaction, body)| Message { transaction, body })
}

proptest! {
    #[test]
    fn what_was_written_is_read(message in any_message()) {
        prop_assert_eq!(Message::parse(&message.encode()), Ok(message));
    }

    #[test]
    fn messages_come_out_of_any_fragments_in_any_split(
        messages in prop::collection::vec(any_message(), 1..4),
        largest in 64..300_usize,
        sizes in prop::collection::vec(1..90_usize, 1..8),
    ) {
        let bytes: Vec<u8> = messages
            .iter()
            .flat_map(|message| fragment::split(message, largest).concat())
            .collect();
        let mut reassembler = Reassembler::default();
        let mut found = vec![];
        let (mut rest, mut sizes) = (&bytes[..], sizes.into_iter().cycle());
        while !rest.is_empty() {
            let (piece, next) = rest.split_at(sizes.next().unwrap().min(rest.len()));
            reassembler.push(piece);
            found.extend(
                std::iter::from_fn(|| reassembler.next_message(Instant::START)).map(Result::unwrap),
            );
            rest = next;
        }
        prop_assert_eq!(found, messages);
    }

    #[test]
    fn no_piece_is_longer_than_the_largest_transfer(message in any_message(), largest in 64..300_usize) {
        let pieces = fragment::split(&message, largest);
        let (last, others) = pieces.split_last().unwrap();
        prop_assert!(last.len() <= largest);
        prop_assert!(others.iter().all(|piece| piece.len() == largest));
    }

    #[test]
    fn a_damaged_byte_gives_a_message_or_an_error(
        message in any_message(),
        at: prop::sample::Index,
        flip in 1..=255_u8,
    ) {
        let mut bytes = message.encode();
        let at = at.index(bytes.len());
        bytes[at] ^= flip;
        if let Ok(message) = Message::parse(&bytes) {
            let _ = qmi::content(&message);
            if let Body::Command { information, .. } = &message.body {
                let _ = subscribe::parse(information);
                let _ = proxy::Configuration::parse(information);
            }
        }
        let mut reassembler = Reassembler::default();
        reassembler.push(&bytes);
        while reassembler.next_message(Instant::START).is_some() {}
    }

    #[test]
    fn lists_and_paths_come_back_as_they_were_written(
        services in prop::collection::vec((any::<[u8; 16]>(), prop::collection::vec(any::<u32>(), 0..5)), 0..5),
        device in "[ -~ä€]{0,30}",
        timeout_seconds: u32,
    ) {
        let list: Vec<_> = services
            .into_iter()
            .map(|(service, cids)| subscribe::Subscription { service: ServiceId(service), cids })
            .collect();
        prop_assert_eq!(subscribe::parse(&subscribe::encode(&list)), Ok(list));
        let configuration = proxy::Configuration { device, timeout_seconds };
        prop_assert_eq!(proxy::Configuration::parse(&configuration.encode()), Ok(configuration));
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes: Vec<u8>) {
        let _ = Message::parse(&bytes);
        let _ = subscribe::parse(&bytes);
        let _ = proxy::Configuration::parse(&bytes);
        let mut reassembler = Reassembler::default();
        reassembler.push(&bytes);
        while reassembler.next_message(Instant::START).is_some() {}
    }
}
