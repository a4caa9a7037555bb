//! The QDL boot loader against hosts that are right, and hosts that are wrong on purpose.

use std::time::Duration;

use crate::common::{Bench, cwe, hex, image_for, mini, open_request, qdl_response, quick, write_request};
use modem_protocol::qdl::message::{
    DoneStatus, ErrorCode, HelloRequest, ImageType, OpenRequest, OpenStatus, Request, Response, WriteHeader,
    WriteStatus,
};
use modemflash_virtual_modem::{Firmware, ImageState, Mode, Profile, Quirks, Setup, Wrong};

fn error_code(response: &Response) -> Option<ErrorCode> {
    match response {
        Response::Error(report) => Some(report.code),
        _ => None,
    }
}

fn write_status(response: &Response) -> Option<WriteStatus> {
    match response {
        Response::Write(write) => Some(write.status),
        _ => None,
    }
}

fn done_status(response: &Response) -> Option<DoneStatus> {
    match response {
        Response::Done(done) => Some(done.status),
        _ => None,
    }
}

/// An MC7455 that has answered the hello.
fn greeted() -> Bench {
    let mut bench = Bench::opened(quick("MC7455"));
    assert!(matches!(bench.qdl_hello(), Response::Hello(_)));
    bench
}

/// An MC7455 that waits for the 16 data bytes of the mini image.
fn open() -> Bench {
    let mut bench = greeted();
    assert!(matches!(bench.qdl_open(&mini()), Response::Open(open) if open.status == OpenStatus::Success));
    bench
}

#[test]
fn a_session_on_9x30_gives_the_captured_and_numbered_answers() {
    let mut bench = Bench::opened(quick("MC7455"));
    assert_eq!(bench.hear(), b"", "a QDL boot loader never speaks first");
    assert_eq!(
        bench.ask(&hex("7E 70 00 00 14 46 7E")),
        hex("7E 0D 16 00 00 00 00 88 4D 7E")
    );
    assert!(matches!(
        bench.qdl(&Request::Hello(HelloRequest::of_version(4))),
        Response::Error(_)
    ));
    assert!(matches!(
        bench.qdl(&Request::Hello(HelloRequest::of_version(5))),
        Response::Error(_)
    ));
    // qdl.md vectors 10, 15, 17, 18 and 19.
    let hello = "7E 02 51 43 4F 4D 20 68 69 67 68 20 73 70 65 65 64 20 70 72 6F 74 6F 63 6F 6C 20 74 67 74 30 00 00 \
                 00 06 06 00 00 00 00 00 00 00 00 00 00 00 00 00 30 D9 BC 7E";
    assert_eq!(
        bench.ask(&Request::Hello(HelloRequest::of_version(6)).frame()),
        hex(hello)
    );
    let opened = bench.ask(&Request::Open(open_request(&mini())).frame());
    assert_eq!(opened, hex("7E 26 00 00 01 10 00 00 00 D7 E0 7E"));
    let write = "27 00 00 00 00 00 00 10 00 00 00 19 8E 00 01 02 03 04 05 06 07 08 09 0A 0B 0C 0D 0E 0F";
    assert_eq!(
        bench.ask(&hex(write)),
        hex("7E 28 00 00 00 00 00 00 00 00 14 39 7E")
    );
    assert_eq!(
        bench.ask(&hex("7E 29 BB 4C 7E")),
        hex("7E 2A 00 00 80 00 82 6F 7E")
    );
    assert_eq!(bench.ask(&hex("7E 2D 9F 0A 7E")), b"");
    assert_eq!(
        bench.seen,
        [("1199:9070".to_owned(), 1), ("1199:9071".to_owned(), 5)]
    );
    assert_eq!(bench.modem.mode(), Mode::Normal);
    let image = &bench.modem.images()[0];
    assert_eq!(
        (image.bytes.as_deref(), image.state),
        (Some(&mini()[..]), ImageState::Accepted)
    );
    assert_eq!(bench.modem.violations(), []);
}

#[test]
fn every_qdl_model_takes_two_images_in_one_session() {
    for profile in Profile::ALL
        .iter()
        .filter(|profile| profile.is_qdl() && !profile.products.is_empty())
    {
        let mut bench = Bench::opened(quick(profile.name));
        bench.qdl(&Request::SwitchToStreaming { flags: 0 });
        let files = [
            image_for(profile.name, &[7; 5000]),
            image_for(profile.name, b"settings"),
        ];
        for file in &files {
            bench.qdl_hello();
            bench.qdl_open(file);
            bench.qdl_write(0, &file[400..]);
            assert_eq!(
                done_status(&bench.qdl(&Request::Done)),
                Some(DoneStatus::Success),
                "{}",
                profile.name
            );
        }
        bench.ask(&Request::Reset.frame());
        let stored: Vec<_> = bench
            .modem
            .images()
            .iter()
            .map(|image| image.bytes.clone().unwrap())
            .collect();
        assert_eq!(stored, files);
        assert_eq!(bench.modem.violations(), []);
        assert!(bench.modem.is_bootable());
    }
}

#[test]
fn a_gobi_2000_acknowledges_the_switch_and_takes_its_own_images_in_version_5() {
    let mut bench = Bench::opened(quick("Gobi2000"));
    assert_eq!(bench.ask(&hex("7E 70 00 00 14 46 7E")), hex("7E 02 6A D3 7E"));
    assert!(matches!(bench.qdl_hello(), Response::Error(_)));
    let Response::Hello(hello) = bench.qdl(&Request::Hello(HelloRequest::of_version(5))) else {
        panic!("no hello");
    };
    assert_eq!((hello.maximum_version, hello.magic_tail), (5, [0; 4]));
    let mut request = OpenRequest {
        image_type: ImageType::Amss,
        image_length: 4,
        window: 1,
        data_length: 4,
        features: 0,
        header: Vec::new(),
    };
    assert!(matches!(
        bench.qdl(&Request::Open(request.clone())),
        Response::Open(_)
    ));
    assert_eq!(
        write_status(&bench.qdl_write(0, b"amss")),
        Some(WriteStatus::Success)
    );
    assert_eq!(done_status(&bench.qdl(&Request::Done)), Some(DoneStatus::Success));
    assert_eq!(bench.modem.images()[0].bytes.as_deref(), Some(&b"amss"[..]));
    assert_eq!(bench.modem.violations(), []);
    request.image_type = ImageType::Cwe;
    assert!(
        matches!(bench.qdl(&Request::Open(request)), Response::Open(o) if o.status == OpenStatus::ImageType)
    );
    assert_eq!(bench.kinds(), ["malformed request"]);
}

#[test]
fn one_session_end_may_finish_several_images() {
    // What the vendor's tool does (qdl.md §7).
    let mut bench = open();
    bench.qdl_write(0, &mini()[400..]);
    bench.qdl_open(&mini());
    bench.qdl_write(0, &mini()[400..]);
    assert_eq!(bench.modem.images()[0].state, ImageState::Complete);
    bench.qdl(&Request::Done);
    let states: Vec<_> = bench.modem.images().iter().map(|image| image.state).collect();
    assert_eq!(states, [ImageState::Accepted; 2]);
    assert_eq!(bench.modem.violations(), []);
}

#[test]
fn bytes_may_be_split_anywhere() {
    let mut session = Request::SwitchToStreaming { flags: 0 }.frame();
    session.extend(Request::Hello(HelloRequest::of_version(6)).frame());
    session.extend(Request::Open(open_request(&mini())).frame());
    session.extend(write_request(0, &mini()[400..]));
    session.extend(Request::Done.frame());
    for cut in 0..session.len() {
        let mut bench = Bench::opened(quick("EM7455"));
        bench.send(&session[..cut]);
        bench.hear_for(Duration::from_millis(1));
        bench.send(&session[cut..]);
        bench.hear();
        assert_eq!(bench.modem.violations(), [], "cut at {cut}");
        assert_eq!(
            bench.modem.images()[0].bytes.as_deref(),
            Some(&mini()[..]),
            "cut at {cut}"
        );
        assert_eq!(
            bench.modem.images()[0].state,
            ImageState::Accepted,
            "cut at {cut}"
        );
    }
}

#[test]
fn the_last_acknowledgement_takes_as_long_as_programming_the_flash() {
    let mut bench = Bench::opened(Setup::of(Profile::named("MC7455").unwrap()));
    let file = image_for("MC7455", &vec![0x55; 3 * 1024 * 1024]);
    bench.qdl_hello();
    bench.qdl_open(&file);
    for (sequence, chunk) in file[400..].chunks(1024 * 1024).enumerate() {
        bench.send(&write_request(u16::try_from(sequence).unwrap(), chunk));
        let heard = bench.hear_for(Duration::from_secs(1));
        assert_eq!(heard.is_empty(), sequence == 2, "write {sequence}");
    }
    assert_eq!(
        write_status(&qdl_response(&bench.hear())),
        Some(WriteStatus::Success)
    );
}

#[test]
fn the_host_stands_still_while_the_modem_digests() {
    let mut setup = Setup::of(Profile::named("MC7455").unwrap());
    setup.timings.taking_bytes_per_second = 1024 * 1024;
    setup.timings.buffer_bytes = 64 * 1024;
    let mut bench = Bench::opened(setup);
    let file = image_for("MC7455", &vec![1; 1024 * 1024]);
    bench.qdl_hello();
    bench.qdl_open(&file);
    let begin = bench.now;
    bench.send(&write_request(0, &file[400..]));
    let taken = bench.now.since(begin);
    assert!((900..=1000).contains(&taken.as_millis()), "{taken:?}");
}

#[test]
fn an_unfinished_image_leads_back_to_download_mode() {
    let mut bench = open();
    bench.send(&write_request(0, &mini()[400..])[..20]);
    bench.modem.port_closed(0, bench.now);
    bench.modem.port_opened(0, bench.now);
    // The rest of the chunk goes missing; after a while the boot loader gives up.
    assert_eq!(
        error_code(&qdl_response(&bench.hear_for(Duration::from_secs(70)))),
        Some(ErrorCode::ReceiveTimeout)
    );
    assert_eq!(bench.modem.images()[0].state, ImageState::Partial);
    bench.ask(&Request::Reset.frame());
    assert_eq!(bench.modem.mode(), Mode::Download);
    assert_eq!(bench.seen.len(), 2);
    assert_eq!(bench.kinds(), ["less than announced"]);
}

#[test]
fn sound_firmware_runs_after_a_reset_without_an_image() {
    let mut setup = quick("MC7455");
    setup.firmware = Firmware::Sound;
    let mut bench = Bench::opened(setup);
    bench.ask(&Request::Reset.frame());
    assert_eq!(bench.modem.mode(), Mode::Normal);
}

#[test]
fn after_a_failure_a_hello_begins_again() {
    let mut bench = open();
    assert_eq!(write_status(&bench.qdl_write(1, &mini()[400..])), None);
    assert!(matches!(bench.qdl_hello(), Response::Hello(_)));
    bench.qdl_open(&mini());
    assert_eq!(
        write_status(&bench.qdl_write(0, &mini()[400..])),
        Some(WriteStatus::Success)
    );
    assert_eq!(done_status(&bench.qdl(&Request::Done)), Some(DoneStatus::Success));
    assert_eq!(bench.kinds(), ["write sequence"]);
}

// Habits

#[test]
fn an_image_that_is_not_required_is_said_so() {
    let mut setup = quick("MC7354");
    setup.quirks.not_required = Some(1);
    let mut bench = Bench::opened(setup);
    bench.qdl_hello();
    let file = image_for("MC7354", b"settings");
    assert!(matches!(bench.qdl_open(&file), Response::Open(open) if open.status == OpenStatus::NotRequired));
    assert!(matches!(bench.qdl_open(&file), Response::Open(open) if open.status == OpenStatus::Success));
    assert_eq!(bench.modem.violations(), []);
}

#[test]
fn a_smaller_chunk_size_is_insisted_on() {
    let mut setup = quick("MC7455");
    setup.quirks.chunk_size = Some(10);
    let mut bench = Bench::opened(setup);
    bench.qdl_hello();
    assert!(matches!(bench.qdl_open(&mini()), Response::Open(open) if open.chunk_size == 10));
    assert_eq!(
        write_status(&bench.qdl_write(0, &mini()[400..410])),
        Some(WriteStatus::Success)
    );
    assert_eq!(
        write_status(&bench.qdl_write(1, &mini()[410..])),
        Some(WriteStatus::Success)
    );
    assert_eq!(bench.modem.violations(), []);
    bench.qdl(&Request::Done);
    bench.qdl_open(&mini());
    assert_eq!(
        error_code(&bench.qdl_write(0, &mini()[400..])),
        Some(ErrorCode::InvalidLength)
    );
    assert_eq!(bench.kinds(), ["announced size"]);
}

#[test]
fn error_texts_may_be_long() {
    let mut setup = quick("MC7455");
    setup.quirks = Quirks {
        error_text: Some("Open failed: no space in slot 3".to_owned()),
        ..Quirks::default()
    };
    let mut bench = Bench::opened(setup);
    let Response::Error(report) = bench.qdl(&Request::Hello(HelloRequest::of_version(4))) else {
        panic!("no error report");
    };
    assert_eq!(report.text, "Open failed: no space in slot 3");
}

#[test]
fn a_slow_modem_answers_later_by_its_habit() {
    let mut setup = quick("MC7455");
    setup.quirks.slow = Duration::from_secs(4);
    let mut bench = Bench::opened(setup);
    bench.send(&Request::SwitchToStreaming { flags: 0 }.frame());
    assert_eq!(bench.hear_for(Duration::from_millis(3999)), b"");
    assert_ne!(bench.hear_for(Duration::from_millis(1)), b"");
}

// Wrong hosts

#[test]
fn a_wrong_frame_checksum_is_caught() {
    let mut bench = Bench::opened(quick("MC7455"));
    let answer = bench.ask(&hex("7E 70 00 00 14 47 7E"));
    assert_eq!(answer, hex("7E 0D 17 00 00 00 00 CC 46 7E"));
    assert_eq!(bench.kinds(), ["frame checksum"]);
}

#[test]
fn bytes_outside_of_frames_are_caught() {
    let mut bench = Bench::opened(quick("MC7455"));
    bench.send(b"AT\r\n");
    bench.send(&Request::SwitchToStreaming { flags: 0 }.frame());
    assert_ne!(bench.hear(), b"");
    assert_eq!(
        bench.modem.violations()[0].what,
        Wrong::OutsideOfFrame { first: b'A' }
    );
    assert_eq!(bench.modem.violations().len(), 1);
}

#[test]
fn a_frame_without_end_is_caught() {
    let mut bench = Bench::opened(quick("MC7455"));
    let mut endless = vec![0x41; 2000];
    endless[0] = 0x7e;
    bench.ask(&endless);
    assert_eq!(bench.kinds(), ["endless frame"]);
}

#[test]
fn a_request_with_missing_or_surplus_bytes_is_caught() {
    for payload in [&[0x70, 0][..], &[0x29, 0], &[0x01, b'X'], &[0x25, 0x80]] {
        let mut bench = greeted();
        assert!(error_code(&qdl_response(&bench.ask(&modem_protocol::hdlc::encode(payload)))).is_some());
        assert_eq!(bench.kinds(), ["malformed request"], "{payload:02x?}");
    }
}

#[test]
fn an_unknown_command_is_caught() {
    let mut bench = greeted();
    let answer = qdl_response(&bench.ask(&modem_protocol::hdlc::encode(&[0x55])));
    assert_eq!(error_code(&answer), Some(ErrorCode::NotSupported));
    assert_eq!(bench.modem.violations()[0].what, Wrong::UnknownCommand(0x55));
}

#[test]
fn a_hello_with_other_features_is_caught() {
    let mut bench = Bench::opened(quick("MC7455"));
    let hello = HelloRequest {
        features: 0x40,
        ..HelloRequest::of_version(6)
    };
    assert_eq!(
        error_code(&bench.qdl(&Request::Hello(hello))),
        Some(ErrorCode::InvalidFeatures)
    );
    assert_eq!(bench.kinds(), ["malformed request"]);
}

#[test]
fn a_hello_before_the_switch_is_caught_where_the_switch_is_needed() {
    let mut bench = Bench::opened(quick("MC7710"));
    assert_eq!(bench.qdl_hello(), Response::DloadNak { reason: 6 });
    assert_eq!(bench.kinds(), ["request out of order"]);
}

#[test]
fn an_open_before_the_hello_is_caught() {
    let mut bench = Bench::opened(quick("MC7455"));
    assert_eq!(
        error_code(&bench.qdl_open(&mini())),
        Some(ErrorCode::OutOfSequence)
    );
    assert_eq!(bench.kinds(), ["request out of order"]);
}

#[test]
fn an_open_inside_an_image_is_caught() {
    let mut bench = open();
    assert_eq!(
        error_code(&bench.qdl_open(&mini())),
        Some(ErrorCode::OutOfSequence)
    );
    assert_eq!(bench.kinds(), ["request out of order"]);
}

#[test]
fn wrong_numbers_in_an_open_request_are_caught() {
    type Change = fn(&mut OpenRequest);
    let changes: [(Change, OpenStatus, &str); 6] = [
        (
            |open| open.image_length += 1,
            OpenStatus::ImageSize,
            "announced size",
        ),
        (
            |open| open.data_length = 1024 * 1024,
            OpenStatus::ImageSize,
            "announced size",
        ),
        (|open| open.window = 2, OpenStatus::ImageType, "malformed request"),
        (
            |open| open.features = 1,
            OpenStatus::ImageType,
            "malformed request",
        ),
        (
            |open| open.image_type = ImageType::Amss,
            OpenStatus::ImageType,
            "malformed request",
        ),
        (
            |open| open.header.truncate(399),
            OpenStatus::HeaderSize,
            "malformed request",
        ),
    ];
    for (change, status, kind) in changes {
        let mut bench = greeted();
        let mut request = open_request(&mini());
        change(&mut request);
        assert!(matches!(bench.qdl(&Request::Open(request)), Response::Open(open) if open.status == status));
        assert_eq!(bench.kinds(), [kind]);
    }
}

#[test]
fn an_image_length_that_is_not_that_of_the_header_is_caught() {
    let mut bench = greeted();
    let mut request = open_request(&mini());
    request.image_length += 100;
    request.data_length += 100;
    assert!(
        matches!(bench.qdl(&Request::Open(request)), Response::Open(o) if o.status == OpenStatus::ImageSize)
    );
    assert_eq!(bench.kinds(), ["announced size"]);
}

#[test]
fn a_damaged_header_is_caught_when_it_is_offered() {
    for place in [0, 0x100, 0x107] {
        let mut bench = greeted();
        let mut file = mini();
        file[place] ^= 1;
        assert!(matches!(bench.qdl_open(&file), Response::Open(open) if open.status != OpenStatus::Success));
        assert_eq!(bench.kinds(), ["damaged image"], "byte {place}");
    }
}

#[test]
fn an_image_of_another_product_is_refused_as_not_authentic() {
    let mut bench = greeted();
    assert_eq!(
        error_code(&bench.qdl_open(&image_for("EM7565", b"1"))),
        Some(ErrorCode::AuthenticationFailed)
    );
    assert_eq!(bench.kinds(), ["foreign image"]);
}

#[test]
fn a_damaged_body_is_caught_at_the_end() {
    let mut bench = open();
    let mut data = mini()[400..].to_vec();
    data[3] ^= 0x10;
    assert_eq!(
        write_status(&bench.qdl_write(0, &data)),
        Some(WriteStatus::ContentFailed)
    );
    assert_eq!(bench.kinds(), ["damaged image"]);
    assert!(!bench.modem.is_bootable());
}

#[test]
fn a_damaged_image_inside_an_image_is_caught_at_the_end() {
    let inner = cwe("SWI9X30C_02.33.03.00", "9X30", b"ABCDEFGH");
    for (place, sound) in [(None, true), (Some(405), false), (Some(3), true)] {
        let mut bench = greeted();
        let mut body = inner.clone();
        if let Some(place) = place {
            body[place] ^= 1;
        }
        let file = cwe("INTERNAL_?_SWI9X30C_02.33.03.00_?_?_?_?", "9X30", &body);
        bench.qdl_open(&file);
        let status = write_status(&bench.qdl_write(0, &file[400..]));
        // A child whose header is damaged is opaque data, not an image (cwe.md §5).
        let expected = if sound {
            WriteStatus::Success
        } else {
            WriteStatus::ContentFailed
        };
        assert_eq!(status, Some(expected), "byte {place:?}");
    }
}

#[test]
fn a_write_without_an_open_image_is_caught() {
    let mut bench = greeted();
    assert_eq!(
        error_code(&bench.qdl_write(0, b"data")),
        Some(ErrorCode::OutOfSequence)
    );
    assert_eq!(bench.kinds(), ["request out of order"]);
    // Its data was passed over.
    assert!(matches!(bench.qdl_hello(), Response::Hello(_)));
}

#[test]
fn a_write_header_with_a_wrong_checksum_is_caught() {
    let mut bench = open();
    let mut bytes = write_request(0, &mini()[400..]);
    bytes[12] ^= 1;
    assert_eq!(
        write_status(&qdl_response(&bench.ask(&bytes))),
        Some(WriteStatus::ChecksumFailed)
    );
    assert_eq!(bench.kinds(), ["write checksum"]);
}

#[test]
fn a_write_with_a_wrong_number_is_caught() {
    let mut bench = open();
    assert_eq!(
        error_code(&bench.qdl_write(1, &mini()[400..])),
        Some(ErrorCode::OutOfSequence)
    );
    assert_eq!(
        bench.modem.violations()[0].what,
        Wrong::Sequence { expected: 0, got: 1 }
    );
}

#[test]
fn a_write_of_more_than_announced_is_caught() {
    let mut bench = open();
    assert_eq!(
        error_code(&bench.qdl_write(0, &[0; 17])),
        Some(ErrorCode::InvalidLength)
    );
    assert_eq!(
        bench.modem.violations()[0].what,
        Wrong::MoreThanAnnounced { surplus: 1 }
    );
    let mut bench = open();
    bench.qdl_write(0, &mini()[400..]);
    bench.qdl_write(1, b"more");
    assert_eq!(
        bench.modem.violations()[0].what,
        Wrong::MoreThanAnnounced { surplus: 4 }
    );
}

#[test]
fn an_empty_write_is_caught() {
    let mut bench = open();
    assert_eq!(
        error_code(&bench.qdl_write(0, b"")),
        Some(ErrorCode::InvalidLength)
    );
    assert_eq!(bench.kinds(), ["announced size"]);
}

#[test]
fn a_write_to_an_address_is_caught() {
    let mut bench = open();
    let mut bytes = WriteHeader {
        sequence: 0,
        address: 0x100,
        data_length: 16,
    }
    .encode();
    bytes.extend_from_slice(&mini()[400..]);
    assert_eq!(
        error_code(&qdl_response(&bench.ask(&bytes))),
        Some(ErrorCode::InvalidAddress)
    );
    assert_eq!(bench.kinds(), ["malformed request"]);
}

#[test]
fn a_session_end_before_the_last_write_is_caught() {
    let mut bench = open();
    bench.qdl_write(0, &mini()[400..408]);
    assert_eq!(
        error_code(&bench.qdl(&Request::Done)),
        Some(ErrorCode::OutOfSequence)
    );
    assert_eq!(
        bench.modem.violations()[0].what,
        Wrong::LessThanAnnounced { missing: 8 }
    );
    assert_eq!(bench.modem.images()[0].state, ImageState::Partial);
}

#[test]
fn a_request_while_the_flash_is_programmed_is_caught() {
    let mut bench = Bench::opened(Setup::of(Profile::named("MC7455").unwrap()));
    bench.qdl_hello();
    bench.qdl_open(&mini());
    bench.send(&write_request(0, &mini()[400..]));
    bench.send(&Request::Done.frame());
    bench.hear();
    assert_eq!(bench.kinds(), ["request out of order"]);
}

#[test]
fn a_session_end_without_an_image_is_caught() {
    let mut bench = greeted();
    assert_eq!(
        error_code(&bench.qdl(&Request::Done)),
        Some(ErrorCode::OutOfSequence)
    );
    assert_eq!(bench.kinds(), ["request out of order"]);
}
