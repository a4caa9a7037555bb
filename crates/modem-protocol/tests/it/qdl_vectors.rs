//! The numbered vectors 7 to 19 of qdl.md (1 to 6 are held in `hdlc.rs`, 20 in `qdl/image.rs`) and properties of the
//! message types.

use modemflash_modem_protocol::ParseError;
use modemflash_modem_protocol::hdlc::{self, Decoder};
use modemflash_modem_protocol::qdl::Image;
use modemflash_modem_protocol::qdl::message::*;
use proptest::prelude::*;

fn hex(text: &str) -> Vec<u8> {
    text.lines()
        .filter(|line| !line.starts_with('#'))
        .flat_map(str::split_whitespace)
        .map(|byte| u8::from_str_radix(byte, 16).unwrap())
        .collect()
}

fn unframe(frame: &[u8]) -> Vec<u8> {
    let mut decoder = Decoder::default();
    decoder.push(frame);
    let payload = decoder.next_frame().unwrap().unwrap();
    assert_eq!(decoder.next_frame(), None);
    payload
}

fn is_request(request: &Request, frame: &str) {
    assert_eq!(request.frame(), hex(frame));
    assert_eq!(Request::parse(&unframe(&hex(frame))).as_ref(), Ok(request));
}

fn is_response(response: &Response, frame: &str) {
    assert_eq!(response.frame(), hex(frame), "{response}");
    assert_eq!(Response::parse(&unframe(&hex(frame))).as_ref(), Ok(response));
}

#[test]
fn vectors_2_and_3_switch_and_acknowledgement() {
    is_request(&Request::SwitchToStreaming { flags: 0 }, "7E 70 00 00 14 46 7E");
    is_response(&Response::DloadAck, "7E 02 6A D3 7E");
}

#[test]
fn vectors_7_to_9_hello_requests() {
    let magic =
        "51 43 4F 4D 20 68 69 67 68 20 73 70 65 65 64 20 70 72 6F 74 6F 63 6F 6C 20 68 73 74 00 00 00 00";
    let hello = |version| Request::Hello(HelloRequest::of_version(version));
    assert_eq!(hello(6).encode(), hex(&format!("01 {magic} 06 06 30")));
    is_request(&hello(6), &format!("7E 01 {magic} 06 06 30 0B 8D 7E"));
    is_request(&hello(5), &format!("7E 01 {magic} 05 05 30 07 48 7E"));
    is_request(&hello(4), &format!("7E 01 {magic} 04 04 30 03 0B 7E"));
}

#[test]
fn vector_10_hello_response_of_an_em7455() {
    let payload = "02 51 43 4F 4D 20 68 69 67 68 20 73 70 65 65 64 20 70 72 6F 74 6F 63 6F 6C 20 74 67 74 30 00 00 00 06 06 \
                   00 00 00 00 00 00 00 00 00 00 00 00 00 30";
    let response = Response::Hello(HelloResponse::of_version(6));
    assert_eq!(response.encode(), hex(payload));
    assert_eq!(response.encode().len(), 49);
    is_response(&response, &format!("7E {payload} D9 BC 7E"));
}

#[test]
fn vectors_11_and_12_error_reports() {
    let error = |code, text: &str| {
        Response::Error(ErrorReport {
            code,
            text: text.into(),
        })
    };
    is_response(
        &error(ErrorCode::NotSupported, ""),
        "7E 0D 16 00 00 00 00 88 4D 7E",
    );
    is_response(
        &error(ErrorCode::OutOfSequence, ""),
        "7E 0D 0F 00 00 00 00 AC A8 7E",
    );
    is_response(
        &error(ErrorCode::InvalidChecksum, ""),
        "7E 0D 17 00 00 00 00 CC 46 7E",
    );
    is_response(
        &error(ErrorCode::AuthenticationFailed, ""),
        "7E 0D 1A 00 00 00 00 B8 3A 7E",
    );
    is_response(
        &error(ErrorCode::OperationFailed, "Open failed"),
        "7E 0D 07 00 00 00 4F 70 65 6E 20 66 61 69 6C 65 64 00 D0 89 7E",
    );
}

#[test]
fn vector_13_open_request_of_the_mini_image() {
    let frame = hex(include_str!("../vectors/qdl_open_mini.hex"));
    assert_eq!(frame.len(), 417);
    assert_eq!(frame[411..], hex("00 00 01 F5 A1 7E"));
    let payload = unframe(&frame);
    assert_eq!(payload.len(), 413);
    assert_eq!(hdlc::checksum(&payload), 0xa1f5);
    let request = Request::Open(Image::cwe(&payload[13..], 416).unwrap().open_request());
    assert_eq!(request.frame(), frame);
    assert_eq!(Request::parse(&payload), Ok(request));
}

#[test]
fn vector_14_captured_open_of_a_64_mb_image() {
    let request = Request::Open(Image::cwe(&[0; 400], 64_432_053).unwrap().open_request());
    assert_eq!(
        request.encode()[..13],
        hex("25 80 B5 27 D7 03 01 25 26 D7 03 00 00")
    );
    assert_eq!(request.encode().len(), 413);
    assert_eq!(request.frame().len(), 417);
    let open = OpenResponse {
        status: OpenStatus::Success,
        window: 1,
        chunk_size: 64_431_653,
    };
    is_response(&Response::Open(open), "7E 26 00 00 01 25 26 D7 03 38 37 7E");
}

#[test]
fn vector_15_open_responses() {
    let open = |status| {
        Response::Open(OpenResponse {
            status,
            window: 1,
            chunk_size: 16,
        })
    };
    is_response(
        &open(OpenStatus::NotRequired),
        "7E 26 07 00 01 10 00 00 00 CF 27 7E",
    );
    is_response(&open(OpenStatus::Success), "7E 26 00 00 01 10 00 00 00 D7 E0 7E");
}

#[test]
fn vectors_16_to_18_write_headers() {
    let vectors = [
        (0, 16, "27 00 00 00 00 00 00 10 00 00 00 19 8E"),
        (0, 1 << 20, "27 00 00 00 00 00 00 00 00 10 00 29 D8"),
        (1, 1 << 20, "27 01 00 00 00 00 00 00 00 10 00 0E F4"),
        (61, 468_517, "27 3D 00 00 00 00 00 25 26 07 00 23 BF"),
        (61, 418_062, "27 3D 00 00 00 00 00 0E 61 06 00 CE 63"),
    ];
    for (sequence, data_length, bytes) in vectors {
        let header = WriteHeader {
            sequence,
            address: 0,
            data_length,
        };
        assert_eq!(header.encode(), hex(bytes));
        assert_eq!(WriteHeader::parse(&hex(bytes)), Ok(header));
        let mut damaged = hex(bytes);
        damaged[9] ^= 1;
        assert!(matches!(
            WriteHeader::parse(&damaged),
            Err(ParseError::Checksum { .. })
        ));
        assert!(matches!(
            WriteHeader::parse(&hex(bytes)[..12]),
            Err(ParseError::Truncated { .. })
        ));
    }
}

#[test]
fn vectors_4_to_6_and_18_write_responses() {
    let write = |sequence, status| {
        Response::Write(WriteResponse {
            sequence,
            reserved: 0,
            status,
        })
    };
    is_response(
        &write(126, WriteStatus::Success),
        "7E 28 7D 5E 00 00 00 00 00 00 00 60 81 7E",
    );
    is_response(
        &write(125, WriteStatus::Success),
        "7E 28 7D 5D 00 00 00 00 00 00 00 B0 0B 7E",
    );
    is_response(
        &write(101, WriteStatus::Success),
        "7E 28 65 00 00 00 00 00 00 00 74 7D 5D 7E",
    );
    is_response(
        &write(61, WriteStatus::Success),
        "7E 28 3D 00 00 00 00 00 00 00 41 6E 7E",
    );
    is_response(
        &write(0, WriteStatus::Success),
        "7E 28 00 00 00 00 00 00 00 00 14 39 7E",
    );
    is_response(
        &write(3, WriteStatus::ChecksumFailed),
        "7E 28 03 00 00 00 00 00 01 00 1C AA 7E",
    );
}

#[test]
fn vector_19_done_and_reset() {
    is_request(&Request::Done, "7E 29 BB 4C 7E");
    is_request(&Request::Reset, "7E 2D 9F 0A 7E");
    let done = |status, text: &str| {
        Response::Done(DoneResponse {
            status,
            image_type: ImageType::Cwe,
            text: text.into(),
        })
    };
    is_response(&done(DoneStatus::Success, ""), "7E 2A 00 00 80 00 82 6F 7E");
    is_response(
        &done(DoneStatus::AuthenticationFailed, "Auth"),
        "7E 2A 01 00 80 41 75 74 68 00 AB 90 7E",
    );
}

#[test]
fn captured_answers_of_other_ports_have_types_of_their_own() {
    is_request(&Request::Nop, "7E 0B AB 4E 7E");
    is_response(&Response::DloadNak { reason: 6 }, "7E 03 00 06 9E 4C 7E");
    let diag = unframe(&hex("13 70 00 00 6A 9A 7E"));
    assert_eq!(
        Response::parse(&diag),
        Ok(Response::DiagBadCommand {
            echo: vec![0x70, 0, 0]
        })
    );
    let echo = unframe(&hex("7E 70 00 00 14 46 7E"));
    assert_eq!(Response::parse(&echo), Ok(Response::Echo { body: vec![0, 0] }));
}

#[test]
fn answers_without_a_text_byte_and_with_long_texts_are_accepted() {
    let done = DoneResponse {
        status: DoneStatus::Success,
        image_type: ImageType::Cwe,
        text: String::new(),
    };
    assert_eq!(Response::parse(&[0x2a, 0, 0, 0x80]), Ok(Response::Done(done)));
    let error = ErrorReport {
        code: ErrorCode::OperationFailed,
        text: "x".repeat(300),
    };
    let bytes = Response::Error(error.clone()).encode();
    assert_eq!(Response::parse(&bytes), Ok(Response::Error(error)));
    assert_eq!(
        Response::parse(&[0x0d, 0x16, 0, 0, 0]),
        Ok(Response::Error(ErrorReport {
            code: ErrorCode::NotSupported,
            text: String::new()
        }))
    );
}

#[test]
fn codes_are_said_in_words_and_texts_are_made_harmless() {
    let error = ErrorReport {
        code: ErrorCode::from(0x1a),
        text: "a\u{1b}[2Jb".into(),
    };
    assert_eq!(
        error.to_string(),
        "error 0x1a image authentication error (not signed for this modem, or for another product): a\\u{1b}[2Jb"
    );
    assert_eq!(ErrorCode::from(0x99).to_string(), "error 0x99");
    assert_eq!(
        OpenStatus::from(7).to_string(),
        "open status 7 image not required"
    );
    assert_eq!(
        WriteStatus::from(2).to_string(),
        "write status 2 image content not understood"
    );
    let done = DoneResponse {
        status: DoneStatus::from(2),
        image_type: ImageType::from(0x80),
        text: String::new(),
    };
    assert_eq!(
        done.to_string(),
        "end status 2 flash write failure (image type 0x80 Sierra CWE image)"
    );
}

#[test]
fn every_code_survives_the_way_there_and_back() {
    for code in 0..=300u32 {
        assert_eq!(u32::from(ErrorCode::from(code)), code);
    }
    for code in 0..=300u16 {
        assert_eq!(u16::from(OpenStatus::from(code)), code);
        assert_eq!(u16::from(WriteStatus::from(code)), code);
        assert_eq!(u16::from(DoneStatus::from(code)), code);
    }
    for code in 0..=255u8 {
        assert_eq!(u8::from(ImageType::from(code)), code);
    }
}

#[test]
fn cut_and_overlong_messages_are_errors_that_name_the_field() {
    assert_eq!(
        Response::parse(&[]),
        Err(ParseError::Truncated {
            field: "command",
            offset: 0,
            needed: 1,
            got: 0
        })
    );
    assert!(matches!(
        Response::parse(&[0x26, 0, 0, 1]),
        Err(ParseError::Truncated {
            field: "open response: chunk size",
            ..
        })
    ));
    assert!(matches!(
        Response::parse(&[0x28; 10]),
        Err(ParseError::Surplus { surplus: 1, .. })
    ));
    let mut hello = Response::Hello(HelloResponse::of_version(6)).encode();
    hello[3] = b'?';
    assert!(matches!(Response::parse(&hello), Err(ParseError::Text { .. })));
    assert!(matches!(
        Response::parse(&hello[..48]),
        Err(ParseError::Text { .. })
    ));
}

fn any_response() -> impl Strategy<Value = Response> {
    let text = "[^\u{0}]{0,40}";
    let id = (any::<u8>(), any::<[u8; 16]>()).prop_map(|(image_type, id)| PreferredImage {
        image_type: image_type.into(),
        id,
    });
    prop_oneof![
        Just(Response::DloadAck),
        any::<u16>().prop_map(|reason| Response::DloadNak { reason }),
        (
            any::<[u8; 4]>(),
            any::<(u16, u16, u8, u8)>(),
            any::<[u8; 13]>(),
            any::<u8>()
        )
            .prop_map(
                |(
                    magic_tail,
                    (boot_major, boot_minor, maximum_version, minimum_version),
                    reserved,
                    features,
                )| {
                    Response::Hello(HelloResponse {
                        magic_tail,
                        boot_major,
                        boot_minor,
                        maximum_version,
                        minimum_version,
                        reserved,
                        features,
                    })
                }
            ),
        (any::<u32>(), text).prop_map(|(code, text)| Response::Error(ErrorReport {
            code: code.into(),
            text
        })),
        (any::<u16>(), any::<u8>(), any::<u32>()).prop_map(|(status, window, chunk_size)| Response::Open(
            OpenResponse {
                status: status.into(),
                window,
                chunk_size
            }
        )),
        (any::<u16>(), any::<u32>(), any::<u16>()).prop_map(|(sequence, reserved, status)| Response::Write(
            WriteResponse {
                sequence,
                reserved,
                status: status.into()
            }
        )),
        (any::<u16>(), any::<u8>(), text).prop_map(|(status, image_type, text)| Response::Done(
            DoneResponse {
                status: status.into(),
                image_type: image_type.into(),
                text
            }
        )),
        prop::collection::vec(id, 0..5).prop_map(Response::ImagePreference),
    ]
}

fn any_request() -> impl Strategy<Value = Request> {
    prop_oneof![
        any::<u16>().prop_map(|flags| Request::SwitchToStreaming { flags }),
        any::<(u8, u8, u8)>().prop_map(|(maximum_version, minimum_version, features)| Request::Hello(
            HelloRequest {
                maximum_version,
                minimum_version,
                features
            }
        )),
        (
            any::<(u8, u32, u8, u32, u16)>(),
            prop::collection::vec(any::<u8>(), 0..420)
        )
            .prop_map(
                |((image_type, image_length, window, data_length, features), header)| {
                    let image_type = image_type.into();
                    Request::Open(OpenRequest {
                        image_type,
                        image_length,
                        window,
                        data_length,
                        features,
                        header,
                    })
                }
            ),
        prop::sample::select(vec![
            Request::DloadNop,
            Request::Nop,
            Request::Done,
            Request::SwitchToDload,
            Request::Reset,
            Request::ImagePreference,
        ]),
    ]
}

proptest! {
    #[test]
    fn any_response_is_read_as_it_was_written(response in any_response()) {
        prop_assert_eq!(Response::parse(&unframe(&response.frame())), Ok(response));
    }

    #[test]
    fn any_request_is_read_as_it_was_written(request in any_request()) {
        prop_assert_eq!(Request::parse(&unframe(&request.frame())), Ok(request));
    }

    #[test]
    fn any_write_header_is_read_as_it_was_written(sequence: u16, address: u32, data_length: u32) {
        let header = WriteHeader { sequence, address, data_length };
        prop_assert_eq!(WriteHeader::parse(&header.encode()), Ok(header));
    }

    #[test]
    fn what_is_parsed_from_noise_is_written_and_read_the_same(
        command in prop::sample::select(vec![0x01, 0x02, 0x03, 0x06, 0x0b, 0x0d, 0x13, 0x25, 0x26, 0x28, 0x2a, 0x2f, 0x70, 0xff]),
        body in prop::collection::vec(any::<u8>(), 0..60),
    ) {
        let mut payload = vec![command];
        payload.extend(body);
        if let Ok(response) = Response::parse(&payload) {
            prop_assert_eq!(Response::parse(&response.encode()), Ok(response));
        }
        if let Ok(request) = Request::parse(&payload) {
            prop_assert_eq!(Request::parse(&request.encode()), Ok(request));
        }
    }
}
