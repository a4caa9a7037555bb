//! Sahara packets against the numbered vectors of sahara-firehose.md.

use crate::common::{hex, vector};
use modemflash_modem_protocol::ParseError;
use modemflash_modem_protocol::sahara::Framer;
use modemflash_modem_protocol::sahara::message::{
    ClientCommand, Hello, HelloResponse, ImageId, LARGEST_PACKET, Mode, Packet, Status,
};
use proptest::prelude::*;

const HELLO: Packet = Packet::Hello(Hello {
    version: 2,
    compatible: 1,
    max_packet_length: 0x400,
    mode: Mode::MemoryDebug,
    reserved: [0; 6],
});

fn packets() -> Vec<(&'static str, Packet)> {
    let vendor = HelloResponse {
        reserved: [1, 2, 3, 4, 5, 6],
        ..HelloResponse::COMMAND_MODE
    };
    let firehose = ClientCommand::SwitchToFirehose;
    vec![
        ("hello", HELLO),
        (
            "hello_response",
            Packet::HelloResponse(HelloResponse::COMMAND_MODE),
        ),
        ("hello_response_of_the_vendor_tool", Packet::HelloResponse(vendor)),
        ("command_ready", Packet::CommandReady),
        ("execute", Packet::Execute { command: firehose }),
        (
            "execute_response",
            Packet::ExecuteResponse {
                command: firehose,
                length: 9,
            },
        ),
        ("execute_data", Packet::ExecuteData { command: firehose }),
        (
            "end_of_image",
            Packet::EndOfImage {
                image: 0,
                status: Status::CommandUnsupported,
            },
        ),
        ("reset", Packet::Reset),
        ("reset_response", Packet::ResetResponse),
        ("done", Packet::Done),
        ("done_response", Packet::DoneResponse { status: 0 }),
        (
            "switch_mode",
            Packet::SwitchMode {
                mode: Mode::ImageTransferPending,
            },
        ),
    ]
}

#[test]
fn vectors_1_to_8_are_read_and_written_byte_for_byte() {
    for (name, packet) in packets() {
        let bytes = vector(name);
        assert_eq!(Packet::parse(&bytes).as_ref(), Ok(&packet), "{name}");
        assert_eq!(packet.to_bytes(), bytes, "{name}");
    }
}

#[test]
fn packets_without_a_vector_have_the_length_and_layout_of_the_table() {
    // sahara-firehose.md §3
    let table = [
        (
            Packet::ReadData {
                image: 1,
                offset: 2,
                length: 3,
            },
            "03000000 14000000 01000000 02000000 03000000",
        ),
        (
            Packet::MemoryDebug {
                address: 1,
                length: 2,
            },
            "09000000 10000000 01000000 02000000",
        ),
        (
            Packet::MemoryRead {
                address: 1,
                length: 2,
            },
            "0A000000 10000000 01000000 02000000",
        ),
        (
            Packet::MemoryDebug64 {
                address: 1,
                length: 2,
            },
            "10000000 18000000 0100000000000000 0200000000000000",
        ),
        (
            Packet::MemoryRead64 {
                address: 1,
                length: 2,
            },
            "11000000 18000000 0100000000000000 0200000000000000",
        ),
        (
            Packet::ReadData64 {
                image: ImageId(1),
                offset: 2,
                length: 3,
            },
            "12000000 20000000 0100000000000000 0200000000000000 0300000000000000",
        ),
        (Packet::ResetStateMachine, "13000000 08000000"),
        (
            Packet::Other {
                command: 0x42,
                body: vec![7],
            },
            "42000000 09000000 07",
        ),
    ];
    for (packet, bytes) in table {
        assert_eq!(packet.to_bytes(), hex(bytes), "{packet}");
        assert_eq!(Packet::parse(&hex(bytes)), Ok(packet));
    }
}

#[test]
fn vector_9_two_packets_in_one_read_are_two_packets() {
    let mut framer = Framer::default();
    framer.push(&vector("hello_and_command_ready"));
    assert_eq!(framer.next_packet(), Some(Ok(HELLO)));
    assert_eq!(framer.next_packet(), Some(Ok(Packet::CommandReady)));
    assert_eq!(framer.next_packet(), None);
}

#[test]
fn vector_10_a_hello_split_after_20_bytes_is_joined() {
    let bytes = vector("hello");
    let mut framer = Framer::default();
    framer.push(&bytes[..20]);
    assert_eq!(framer.next_packet(), None);
    framer.push(&bytes[20..]);
    assert_eq!(framer.next_packet(), Some(Ok(HELLO)));
}

#[test]
fn raw_data_behind_execute_data_is_taken_whole_and_the_rest_stays() {
    let mut framer = Framer::default();
    framer.push(b"confi");
    assert_eq!(framer.take_raw(9), None);
    framer.push(b"rmed<?xml");
    assert_eq!(framer.take_raw(9).as_deref(), Some(&b"confirmed"[..]));
    assert_eq!(framer.into_rest(), b"<?xml");
}

#[test]
fn a_length_below_the_header_or_above_the_largest_packet_is_an_error() {
    for length in [0_u32, 7, 1025, u32::MAX] {
        let mut bytes = vec![1, 0, 0, 0];
        bytes.extend_from_slice(&length.to_le_bytes());
        let mut framer = Framer::default();
        framer.push(&bytes);
        let error = ParseError::Value {
            field: "length",
            offset: 4,
            expected: "8 to 1024",
            got: length.into(),
        };
        assert_eq!(framer.next_packet(), Some(Err(error)));
    }
}

#[test]
fn a_known_packet_of_the_wrong_length_is_an_error_and_the_next_one_is_read() {
    let mut framer = Framer::default();
    framer.push(&hex("0B000000 0C000000 00000000"));
    framer.push(&hex("04000000 0C000000 00000000"));
    framer.push(&vector("command_ready"));
    assert_eq!(
        framer.next_packet(),
        Some(Err(ParseError::Surplus {
            message: "command ready",
            surplus: 4
        }))
    );
    assert_eq!(
        framer.next_packet(),
        Some(Err(ParseError::Truncated {
            field: "status",
            offset: 12,
            needed: 4,
            got: 0
        }))
    );
    assert_eq!(framer.next_packet(), Some(Ok(Packet::CommandReady)));
}

#[test]
fn every_status_has_its_number_and_its_words() {
    let numbers: Vec<u32> = Status::KNOWN.iter().map(|&status| status.into()).collect();
    assert_eq!(numbers, (0..=0x26).collect::<Vec<_>>());
    assert_eq!(Status::from(0x1F).to_string(), "command unsupported (0x1f)");
    assert_eq!(Status::from(0x777).to_string(), "unknown status (0x777)");
    assert_eq!(u32::from(Status::from(0x777)), 0x777);
}

proptest! {
    #[test]
    fn packets_survive_any_split(cuts in prop::collection::vec(1_usize..40, 1..60)) {
        let sent: Vec<Packet> = packets().into_iter().map(|(_, packet)| packet).collect();
        let stream: Vec<u8> = sent.iter().flat_map(Packet::to_bytes).collect();
        let mut framer = Framer::default();
        let mut came = vec![];
        let mut rest = &stream[..];
        for cut in cuts.into_iter().cycle() {
            let (now, later) = rest.split_at(cut.min(rest.len()));
            framer.push(now);
            while let Some(packet) = framer.next_packet() {
                came.push(packet.unwrap());
            }
            rest = later;
            if rest.is_empty() {
                break;
            }
        }
        prop_assert_eq!(came, sent);
        prop_assert!(framer.buffered().is_empty());
    }

    #[test]
    fn whatever_is_read_is_written_back_the_same(command in 0_u32..0x20, body in prop::collection::vec(any::<u8>(), 0..60)) {
        let mut bytes = command.to_le_bytes().to_vec();
        bytes.extend_from_slice(&u32::try_from(body.len() + 8).unwrap().to_le_bytes());
        bytes.extend_from_slice(&body);
        if let Ok(packet) = Packet::parse(&bytes) {
            prop_assert_eq!(packet.to_bytes(), bytes);
        }
    }

    #[test]
    fn any_bytes_give_packets_or_an_error_and_bounded_memory(bytes in prop::collection::vec(any::<u8>(), 0..3000)) {
        let mut framer = Framer::default();
        for piece in bytes.chunks(100) {
            framer.push(piece);
            while let Some(packet) = framer.next_packet() {
                if packet.is_err() {
                    framer.clear();
                }
            }
            prop_assert!(framer.buffered().len() < LARGEST_PACKET);
        }
    }
}
