//! QDL sessions as they should go, and the captured session byte for byte.

use crate::bench::*;
use modemflash_modem_protocol::conversation::{Connected, Step, Stretch};
use modemflash_modem_protocol::hdlc::Decoder;
use modemflash_modem_protocol::qdl::message::*;
use modemflash_modem_protocol::qdl::{Download, Image, Start, download};
use modemflash_modem_protocol::{Action, Conversation, Instant, ProtocolError, Report};
use proptest::prelude::*;

fn hex(text: &str) -> Vec<u8> {
    text.split_whitespace()
        .map_while(|byte| u8::from_str_radix(byte, 16).ok())
        .collect()
}

/// Polls until there is output; gives its bytes without image data, as the trace has them.
fn output(download: &mut Download, reports: &mut Vec<Report>, now: Instant) -> (Vec<u8>, u64) {
    for _ in 0..100 {
        match download.poll(now).unwrap() {
            Action::Report(report) => reports.push(report),
            Action::Send(bytes) => {
                let length = bytes.len() as u64;
                return (bytes, length);
            }
            Action::SendImage(Stretch {
                header,
                range,
                padding: 0,
                ..
            }) => {
                let length = header.len() as u64 + range.end - range.start;
                return (header, length);
            }
            other => panic!("{other:?} instead of output"),
        }
    }
    panic!("reports without end");
}

#[test]
fn the_captured_session_of_a_mc7455_is_repeated_byte_for_byte() {
    let trace = include_str!("../data/mc7455_qdl_session.txt");
    let image = Image::cwe(&[0; 400], 64_432_053).unwrap();
    let mut download = Download::new(vec![image], Start::Fresh);
    let mut reports = vec![];
    let mut now = Instant::START;
    let mut sequence = 0u16;
    let mut is_unanswered = false;
    for line in trace.lines().filter(|line| !line.starts_with('#')) {
        if let Some(expected) = line.strip_prefix(">> ") {
            if is_unanswered {
                // The trace leaves out the answer to write 1.
                download.receive(&write(sequence - 1, WriteStatus::Success).frame(), now);
            }
            let (bytes, length) = output(&mut download, &mut reports, now);
            let expected_bytes = hex(expected);
            if expected.contains("[header]") {
                assert_eq!(bytes[..expected_bytes.len()], expected_bytes);
                assert_eq!(bytes.len(), 417);
            } else {
                assert_eq!(bytes, expected_bytes, "{expected}");
            }
            is_unanswered = expected.contains("[data]");
            sequence += u16::from(is_unanswered);
            download.wrote(usize::try_from(length).unwrap(), 0, now);
        } else if let Some(answer) = line.strip_prefix("<< ") {
            is_unanswered = false;
            if answer.contains("50 s later") {
                now += seconds(50);
            }
            for byte in hex(answer) {
                download.receive(&[byte], now);
            }
        } else {
            assert_eq!(line, "[writes 2 to 60]");
            download.receive(&write(1, WriteStatus::Success).frame(), now);
            for sequence in 2..=60 {
                let (bytes, length) = output(&mut download, &mut reports, now);
                let header = WriteHeader {
                    sequence,
                    address: 0,
                    data_length: 1 << 20,
                };
                assert_eq!(bytes, header.encode());
                download.wrote(usize::try_from(length).unwrap(), 0, now);
                download.receive(&write(sequence, WriteStatus::Success).frame(), now);
            }
            sequence = 61;
            is_unanswered = false;
        }
    }
    download.closed(now);
    while let Action::Report(report) = download.poll(now).unwrap() {
        reports.push(report);
    }
    assert_eq!(download.poll(now), Ok(Action::Finished));
    let last = [
        Report::Finalising {
            image: 0,
            up_to: seconds(180),
        },
        Report::Acknowledged {
            image: 0,
            bytes: 64_432_053,
        },
        Report::ImageAccepted { image: 0 },
        Report::ResetSent,
    ];
    assert_eq!(reports[reports.len() - 4..], last);
    assert_eq!(reports[0], Report::Connected(Connected::Qdl { version: 6 }));
    assert_eq!(reports[1], Report::ImageStarted { image: 0, attempt: 1 });
}

#[test]
fn the_captured_last_write_of_another_image_is_repeated_byte_for_byte() {
    let outcome = Bench::new(vec![image(61 * 1_048_576 + 418_062)]).run(|_, _| None);
    let chunks = outcome.chunks();
    assert_eq!(chunks.len(), 62);
    assert_eq!(chunks[61].header, hex("27 3D 00 00 00 00 00 0E 61 06 00 CE 63"));
    assert_eq!(chunks[61].range.end - chunks[61].range.start + 13, 418_075);
    assert_eq!(outcome.result, Ok(()));
}

#[test]
fn the_mini_image_goes_out_as_in_vectors_13_and_17() {
    let text = include_str!("../vectors/qdl_open_mini.hex");
    let frame: Vec<u8> = text
        .lines()
        .filter(|line| !line.starts_with('#'))
        .flat_map(hex)
        .collect();
    let mut decoder = Decoder::default();
    decoder.push(&frame);
    let payload = decoder.next_frame().unwrap().unwrap();
    let outcome = Bench::new(vec![Image::cwe(&payload[13..], 416).unwrap()]).run(|_, _| None);
    assert_eq!(outcome.result, Ok(()));
    assert!(
        outcome
            .sent
            .iter()
            .any(|sent| matches!(sent, Sent::Framed(_, bytes) if *bytes == frame))
    );
    let stretch = Stretch {
        image: 0,
        header: hex("27 00 00 00 00 00 00 10 00 00 00 19 8E"),
        range: 400..416,
        padding: 0,
    };
    assert_eq!(outcome.chunks(), [stretch]);
}

#[test]
fn two_images_go_in_one_session_with_a_hello_each_and_one_reset() {
    let outcome = Bench::new(vec![image(1_048_577), image(16)]).run(|_, _| None);
    assert_eq!(outcome.result, Ok(()));
    assert_eq!(
        outcome.versions(),
        [6, 6, 6],
        "one to find the version, one for each image"
    );
    let sequences: Vec<_> = outcome
        .chunks()
        .iter()
        .map(|chunk| (chunk.image, sequence(chunk)))
        .collect();
    assert_eq!(sequences, [(0, 0), (0, 1), (1, 0)]);
    assert_eq!(outcome.count(&Request::Done), 2);
    assert_eq!(outcome.count(&Request::Reset), 1);
    assert_eq!(
        outcome.reports,
        [
            Report::Connected(Connected::Qdl { version: 6 }),
            Report::ImageStarted { image: 0, attempt: 1 },
            Report::Acknowledged {
                image: 0,
                bytes: 1_048_976
            },
            Report::Finalising {
                image: 0,
                up_to: seconds(180)
            },
            Report::Acknowledged {
                image: 0,
                bytes: 1_048_977
            },
            Report::ImageAccepted { image: 0 },
            Report::ImageStarted { image: 1, attempt: 1 },
            Report::Finalising {
                image: 1,
                up_to: seconds(180)
            },
            Report::Acknowledged { image: 1, bytes: 416 },
            Report::ImageAccepted { image: 1 },
            Report::ResetSent,
        ]
    );
}

#[test]
fn a_gobi_2000_acknowledges_the_switch_and_takes_version_5() {
    let images = vec![
        Image::gobi(ImageType::Amss, 1000).unwrap(),
        Image::gobi(ImageType::Apps, 500).unwrap(),
    ];
    let outcome = Bench::new(images).run(|sent, _| match sent {
        Sent::Framed(Request::SwitchToStreaming { .. }, _) => Some(say(&Response::DloadAck)),
        Sent::Framed(Request::Hello(hello), _) if hello.maximum_version == 5 => {
            Some(say(&Response::Hello(HelloResponse::of_version(5))))
        }
        Sent::Framed(Request::Hello(_), _) => Some(say(&error(ErrorCode::InvalidCommand))),
        _ => None,
    });
    assert_eq!(outcome.result, Ok(()));
    assert_eq!(outcome.versions(), [6, 5, 5, 5]);
    assert_eq!(
        outcome.reports[0],
        Report::Connected(Connected::Qdl { version: 5 })
    );
    assert_eq!(outcome.chunks()[0].range, 0..992);
    assert_eq!(outcome.chunks()[1].range, 0..500);
}

#[test]
fn a_version_that_is_not_answered_at_all_does_not_end_the_probing() {
    let outcome = Bench::new(vec![image(16)]).run(|sent, _| match sent {
        Sent::Framed(Request::Hello(hello), _) if hello.maximum_version == 4 => {
            Some(say(&Response::Hello(HelloResponse::of_version(4))))
        }
        Sent::Framed(Request::Hello(_), _) => Some(vec![]),
        _ => None,
    });
    assert_eq!(outcome.result, Ok(()));
    assert_eq!(outcome.versions(), [6, 5, 4, 4]);
}

#[test]
fn a_late_answer_to_the_first_version_is_understood() {
    let late = Response::Hello(HelloResponse::of_version(6)).frame();
    let outcome = Bench::new(vec![image(16)]).run(|sent, number| match sent {
        Sent::Framed(Request::Hello(_), _) if number == 1 => Some(vec![Reaction::Bytes(
            download::ANSWER_SILENCE + seconds(1),
            late.clone(),
        )]),
        Sent::Framed(Request::Hello(hello), _) if hello.maximum_version == 5 => Some(vec![Reaction::Bytes(
            seconds(2),
            error(ErrorCode::InvalidCommand).frame(),
        )]),
        _ => None,
    });
    assert_eq!(outcome.result, Ok(()));
    assert_eq!(
        outcome.reports[0],
        Report::Connected(Connected::Qdl { version: 6 })
    );
}

#[test]
fn no_image_means_only_a_restart() {
    let outcome = Bench::new(vec![]).run(|_, _| None);
    assert_eq!(outcome.result, Ok(()));
    let requests = [Request::SwitchToStreaming { flags: 0 }, Request::Reset];
    let sent: Vec<_> = outcome
        .sent
        .iter()
        .map(|sent| matches!(sent, Sent::Framed(..)))
        .collect();
    assert_eq!(sent, [true, true]);
    assert!(requests.iter().all(|request| outcome.count(request) == 1));
}

#[test]
fn a_switch_that_somebody_else_sent_is_not_sent_again() {
    let refused = error(ErrorCode::NotSupported).frame();
    let starts = [
        Start::SwitchSent {
            received: refused.clone(),
        },
        Start::SwitchSent {
            received: Response::DloadAck.frame(),
        },
        Start::Streaming { unread: vec![] },
        Start::Streaming { unread: vec![0x7e] },
    ];
    for start in starts {
        let outcome = Bench::with_start(vec![image(16)], start).run(|_, _| None);
        assert_eq!(outcome.result, Ok(()));
        assert_eq!(outcome.count(&Request::SwitchToStreaming { flags: 0 }), 0);
    }
}

#[test]
fn half_an_answer_to_somebody_elses_switch_is_completed() {
    let refused = error(ErrorCode::NotSupported).frame();
    let (first, second) = refused.split_at(4);
    let mut download = Download::new(
        vec![image(16)],
        Start::SwitchSent {
            received: first.to_vec(),
        },
    );
    let now = Instant::START + seconds(100);
    assert_eq!(
        download.poll(now),
        Ok(Action::Wait {
            until: now + download::ANSWER_SILENCE
        })
    );
    download.receive(second, now);
    let hello = Request::Hello(HelloRequest::of_version(6)).frame();
    assert_eq!(download.poll(now), Ok(Action::Send(hello)));
}

#[test]
fn a_switch_of_somebody_else_without_answer_is_repeated_once() {
    let start = Start::SwitchSent { received: vec![] };
    let outcome = Bench::with_start(vec![image(16)], start).run(|_, _| None);
    assert_eq!(outcome.result, Ok(()));
    assert_eq!(outcome.count(&Request::SwitchToStreaming { flags: 0 }), 1);
}

#[test]
fn short_writes_and_a_minute_of_back_pressure_are_normal() {
    let mut bench = Bench::new(vec![image(3_000_000)]);
    bench.takes = 400_000;
    bench.back_pressure = seconds(60);
    let outcome = bench.run(|_, _| None);
    assert_eq!(outcome.result, Ok(()));
    assert_eq!(outcome.chunks().len(), 3);
}

#[test]
fn a_request_of_512_bytes_gets_one_more_flag() {
    // 95 bytes to escape make the frame 417 + 95 = 512 bytes long (the checksum has none).
    let mut header = [0; 400];
    header[..95].fill(0x7e);
    let request = Request::Open(Image::cwe(&header, 416).unwrap().open_request());
    assert_eq!(request.frame().len(), 512);
    let outcome = Bench::new(vec![Image::cwe(&header, 416).unwrap()]).run(|_, _| None);
    assert_eq!(outcome.result, Ok(()));
    let bytes = outcome.sent.iter().find_map(|sent| match sent {
        Sent::Framed(Request::Open(_), bytes) => Some(bytes),
        _ => None,
    });
    assert_eq!(bytes.unwrap().len(), 513);
    assert_eq!(bytes.unwrap()[..3], [0x7e, 0x7e, 0x25]);
}

#[test]
fn a_smaller_chunk_size_of_the_modem_is_kept_to() {
    for (accepted, expected) in [
        (65_536, vec![65_536, 34_464]),
        (0, vec![100_000]),
        (u32::MAX, vec![100_000]),
    ] {
        let outcome = Bench::new(vec![image(100_000)]).run(|sent, _| match sent {
            Sent::Framed(Request::Open(_), _) => Some(say(&Response::Open(OpenResponse {
                status: OpenStatus::Success,
                window: 1,
                chunk_size: accepted,
            }))),
            _ => None,
        });
        let sizes: Vec<_> = outcome
            .chunks()
            .iter()
            .map(|chunk| chunk.range.end - chunk.range.start)
            .collect();
        assert_eq!(sizes, expected);
        assert_eq!(outcome.result, Ok(()));
    }
}

#[test]
fn chunks_too_small_to_be_counted_are_an_error_and_nothing_is_written() {
    let open = |chunk_size| {
        Response::Open(OpenResponse {
            status: OpenStatus::Success,
            window: 1,
            chunk_size,
        })
    };
    let run = |data, chunk_size| {
        Bench::new(vec![image(data)]).run(move |sent, _| match sent {
            Sent::Framed(Request::Open(_), _) => Some(say(&open(chunk_size))),
            _ => None,
        })
    };
    let outcome = run(65_537, 1);
    assert!(matches!(
        outcome.result,
        Err(ProtocolError::Unsendable { image: 0, .. })
    ));
    assert!(outcome.chunks().is_empty());
    let outcome = run(65_536 / 64, 1);
    assert_eq!(outcome.result, Ok(()));
    assert_eq!(outcome.chunks().len(), 1024);
}

#[test]
fn an_image_that_the_modem_does_not_want_is_passed_over() {
    let outcome = Bench::new(vec![image(64), image(16)]).run(|sent, number| match sent {
        Sent::Framed(Request::Open(_), _) if number == 3 => {
            Some(bytes(&hex("7E 26 07 00 01 10 00 00 00 CF 27 7E")))
        }
        _ => None,
    });
    assert_eq!(outcome.result, Ok(()));
    assert!(outcome.reports.contains(&Report::ImageNotRequired { image: 0 }));
    assert!(!outcome.reports.contains(&Report::ImageAccepted { image: 0 }));
    assert!(outcome.reports.contains(&Report::ImageAccepted { image: 1 }));
    assert_eq!(outcome.chunks().len(), 1);
}

#[test]
fn a_stop_waits_for_the_end_of_the_chunk() {
    let mut bench = Bench::new(vec![image(3 << 20)]);
    bench.stop_after = Some(5);
    let outcome = bench.run(|_, _| None);
    let step = Step::Write {
        image: 0,
        chunk: 1,
        of: 3,
    };
    assert_eq!(outcome.result, Err(ProtocolError::Stopped { step }));
    assert_eq!(outcome.chunks().len(), 1, "chunk 0 went out and was acknowledged");
    assert!(outcome.reports.contains(&Report::Acknowledged {
        image: 0,
        bytes: 400 + (1 << 20)
    }));
}

#[test]
fn a_stop_in_the_last_chunk_lets_the_image_be_finished() {
    let mut bench = Bench::new(vec![image(16), image(16)]);
    bench.stop_after = Some(5);
    let outcome = bench.run(|_, _| None);
    assert_eq!(outcome.result, Err(ProtocolError::Stopped { step: Step::Hello }));
    assert!(outcome.reports.contains(&Report::ImageAccepted { image: 0 }));
}

#[test]
fn a_stop_in_the_last_image_comes_too_late_and_the_modem_is_restarted() {
    let mut bench = Bench::new(vec![image(16)]);
    bench.stop_after = Some(5);
    let outcome = bench.run(|_, _| None);
    assert_eq!(outcome.result, Ok(()));
    assert_eq!(outcome.count(&Request::Reset), 1);
}

#[test]
fn a_stop_before_anything_was_sent_sends_nothing() {
    let mut download = Download::new(vec![image(16)], Start::Fresh);
    download.stop();
    let step = Step::SwitchToStreaming;
    assert_eq!(
        download.poll(Instant::START),
        Err(ProtocolError::Stopped { step })
    );
}

proptest! {
    #[test]
    fn any_split_of_the_answers_gives_the_same_session(
        read_size in 1usize..40,
        takes in 1000u64..2_000_000,
        sizes in prop::collection::vec(1u64..3_000_000, 1..3),
    ) {
        let images: Vec<_> = sizes.iter().map(|&size| image(size)).collect();
        let whole = Bench::new(images.clone()).run(|_, _| None);
        let mut bench = Bench::new(images);
        (bench.read_size, bench.takes) = (read_size, takes);
        let split = bench.run(|_, _| None);
        prop_assert_eq!(split.result, Ok(()));
        prop_assert_eq!(split.sent, whole.sent);
        prop_assert_eq!(split.reports, whole.reports);
    }
}
