//! QDL sessions that go wrong: what passes, what is tried again, what is final, and that everything ends.

use std::time::Duration;

use crate::bench::*;
use modemflash_modem_protocol::conversation::{Peer, Refusal, Step};
use modemflash_modem_protocol::hdlc::FrameErrorKind;
use modemflash_modem_protocol::qdl::message::*;
use modemflash_modem_protocol::qdl::{Download, Start};
use modemflash_modem_protocol::{Action, Conversation, Instant, ParseError, ProtocolError, Report};
use proptest::prelude::*;

const MIB: u64 = 1 << 20;
const HELLO: [u8; 12] = [0x01, 0, 0, 0, 0x30, 0, 0, 0, 2, 0, 0, 0];

fn is_chunk(sent: &Sent, wanted: u16) -> bool {
    matches!(sent, Sent::Chunk(stretch) if sequence(stretch) == wanted)
}

fn retries(outcome: &Outcome) -> Vec<(Step, u8)> {
    let retry = |report: &Report| match report {
        Report::Retrying { step, attempt, .. } => Some((*step, *attempt)),
        _ => None,
    };
    outcome.reports.iter().filter_map(retry).collect()
}

#[test]
fn silence_from_the_start_is_an_error_after_two_tries() {
    let outcome = Bench::new(vec![image(16)]).run(|_, _| Some(vec![]));
    let step = Step::SwitchToStreaming;
    assert_eq!(
        outcome.result,
        Err(ProtocolError::Silent {
            step,
            waited: seconds(5)
        })
    );
    assert_eq!(outcome.took, seconds(10));
    assert_eq!(outcome.sent.len(), 2);
}

#[test]
fn silence_after_the_first_mebibyte_brings_a_new_hello_and_smaller_chunks() {
    // field-reports.md C13.
    let mut chunks = 0;
    let outcome = Bench::new(vec![image(2 * MIB)]).run(|sent, _| {
        chunks += u32::from(matches!(sent, Sent::Chunk(_)));
        (matches!(sent, Sent::Chunk(_)) && chunks == 1).then(Vec::new)
    });
    assert_eq!(outcome.result, Ok(()));
    assert_eq!(
        retries(&outcome),
        [(
            Step::Write {
                image: 0,
                chunk: 0,
                of: 2
            },
            2
        )]
    );
    assert!(
        outcome
            .reports
            .contains(&Report::ImageStarted { image: 0, attempt: 2 })
    );
    let chunks = outcome.chunks();
    assert_eq!(chunks[0].range, 400..400 + MIB);
    assert_eq!(
        chunks[1].range,
        400..400 + MIB / 4,
        "from the start, in smaller pieces"
    );
    assert_eq!(sequence(&chunks[1]), 0);
    assert_eq!(chunks.len(), 1 + 8);
    assert_eq!(outcome.took.as_secs(), 120);
}

#[test]
fn a_modem_that_stays_silent_fails_with_the_first_complaint() {
    let mut is_silent = false;
    let outcome = Bench::new(vec![image(2 * MIB)]).run(|sent, _| {
        is_silent |= matches!(sent, Sent::Chunk(_));
        is_silent.then(Vec::new)
    });
    let step = Step::Write {
        image: 0,
        chunk: 0,
        of: 2,
    };
    assert_eq!(
        outcome.result,
        Err(ProtocolError::Silent {
            step,
            waited: seconds(120)
        })
    );
    assert_eq!(outcome.took.as_secs(), 120 + 5 + 5);
    assert_eq!(outcome.count(&Request::Reset), 0);
}

#[test]
fn an_image_is_tried_three_times_and_no_more() {
    let outcome =
        Bench::new(vec![image(2 * MIB)]).run(|sent, _| matches!(sent, Sent::Chunk(_)).then(Vec::new));
    assert!(matches!(
        outcome.result,
        Err(ProtocolError::Silent {
            step: Step::Write { of: 32, .. },
            ..
        })
    ));
    let sizes: Vec<_> = outcome
        .chunks()
        .iter()
        .map(|chunk| chunk.range.end - 400)
        .collect();
    assert_eq!(sizes, [MIB, MIB / 4, MIB / 16]);
}

#[test]
fn the_last_answer_may_take_almost_three_minutes() {
    let late = |sent: &Sent, answer: Response| {
        Some(vec![Reaction::Bytes(seconds(179), answer.frame())])
            .filter(|_| !matches!(sent, Sent::Framed(Request::Hello(_), _)))
    };
    let outcome = Bench::new(vec![image(MIB + 1)]).run(|sent, _| match sent {
        Sent::Chunk(stretch) if sequence(stretch) == 1 => late(sent, write(1, WriteStatus::Success)),
        Sent::Framed(Request::Done, _) => late(sent, done(DoneStatus::Success)),
        _ => None,
    });
    assert_eq!(outcome.result, Ok(()));
    assert_eq!(outcome.took.as_secs(), 358);
}

#[test]
fn refusals_of_the_image_are_final() {
    type Answer = fn(&Sent) -> Option<Response>;
    let refusals: [(Answer, &str); 6] = [
        (
            |sent| {
                matches!(sent, Sent::Framed(Request::Open(_), _))
                    .then(|| error(ErrorCode::AuthenticationFailed))
            },
            "open of image 1 refused: error 0x1a image authentication error (not signed for this modem, or for another product)",
        ),
        (
            |sent| {
                matches!(sent, Sent::Framed(Request::Open(_), _)).then(|| {
                    Response::Open(OpenResponse {
                        status: OpenStatus::ImageType,
                        window: 1,
                        chunk_size: 0,
                    })
                })
            },
            "open of image 1 refused: open status 2 invalid image type",
        ),
        (
            |sent| is_chunk(sent, 0).then(|| write(0, WriteStatus::ContentFailed)),
            "write 1 of 2 of image 1 refused: write status 2 image content not understood",
        ),
        (
            |sent| is_chunk(sent, 1).then(|| error(ErrorCode::OutOfSpace)),
            "write 2 of 2 of image 1 refused: error 0x12 out of space",
        ),
        (
            |sent| {
                matches!(sent, Sent::Framed(Request::Done, _)).then(|| {
                    Response::Done(DoneResponse {
                        status: DoneStatus::AuthenticationFailed,
                        image_type: ImageType::Cwe,
                        text: "Auth".into(),
                    })
                })
            },
            "end of image 1 refused: end status 1 authentication failure (not signed for this modem, or for another product) \
             (image type 0x80 Sierra CWE image): Auth",
        ),
        (
            |sent| matches!(sent, Sent::Framed(Request::Reset, _)).then(|| error(ErrorCode::NotSupported)),
            "reset refused: error 0x16 command not supported",
        ),
    ];
    for (answer, message) in refusals {
        let outcome = Bench::new(vec![image(MIB + 1)]).run(|sent, _| answer(sent).map(|found| say(&found)));
        assert_eq!(outcome.result.unwrap_err().to_string(), message);
        assert_eq!(
            retries(&Outcome {
                result: Ok(()),
                ..outcome
            }),
            []
        );
    }
}

#[test]
fn refusals_that_may_pass_are_tried_again() {
    let refusals = [
        (Step::Open { image: 0 }, error(ErrorCode::InvalidState)),
        (
            Step::Write {
                image: 0,
                chunk: 0,
                of: 1,
            },
            write(0, WriteStatus::ChecksumFailed),
        ),
        (
            Step::Write {
                image: 0,
                chunk: 0,
                of: 1,
            },
            error(ErrorCode::ReceiveTimeout),
        ),
        (
            Step::Write {
                image: 0,
                chunk: 0,
                of: 1,
            },
            write(7, WriteStatus::Success),
        ),
        (Step::SessionDone { image: 0 }, done(DoneStatus::FlashWriteFailed)),
        (Step::SessionDone { image: 0 }, error(ErrorCode::VerifyFailed)),
    ];
    for (step, refusal) in refusals {
        let mut left = Some(refusal);
        let outcome = Bench::new(vec![image(16)]).run(|sent, _| {
            let is_now = match step {
                Step::Open { .. } => matches!(sent, Sent::Framed(Request::Open(_), _)),
                Step::Write { .. } => matches!(sent, Sent::Chunk(_)),
                _ => matches!(sent, Sent::Framed(Request::Done, _)),
            };
            if is_now {
                left.take().map(|refusal| say(&refusal))
            } else {
                None
            }
        });
        assert_eq!(outcome.result, Ok(()));
        assert_eq!(retries(&outcome), [(step, 2)]);
    }
}

#[test]
fn a_refusal_inside_a_chunk_ends_it_at_once() {
    let mut download = Download::new(vec![image(MIB)], Start::Streaming { unread: vec![] });
    let now = Instant::START;
    let open = OpenResponse {
        status: OpenStatus::Success,
        window: 1,
        chunk_size: 0,
    };
    let hello = Response::Hello(HelloResponse::of_version(6));
    for answer in [hello.clone(), hello, Response::Open(open)] {
        while matches!(download.poll(now), Ok(Action::Report(_))) {}
        download.wrote(1, 0, now);
        download.receive(&answer.frame(), now);
    }
    while matches!(download.poll(now), Ok(Action::Report(_))) {}
    download.wrote(1000, MIB + 13 - 1000, now);
    assert!(matches!(download.poll(now), Ok(Action::Wait { .. })));
    download.receive(&error(ErrorCode::OutOfSpace).frame(), now);
    let refusal = Refusal::QdlError(ErrorReport {
        code: ErrorCode::OutOfSpace,
        text: String::new(),
    });
    let step = Step::Write {
        image: 0,
        chunk: 0,
        of: 1,
    };
    assert_eq!(download.poll(now), Err(ProtocolError::Refused { step, refusal }));
}

#[test]
fn a_sahara_hello_is_recognised_in_every_state() {
    // 0x70, hello, hello, open, write, write, done, reset.
    for at in 0..8 {
        let outcome = Bench::new(vec![image(MIB + 1)]).run(|_, number| (number == at).then(|| bytes(&HELLO)));
        let Err(ProtocolError::OtherProtocol {
            peer: Peer::Sahara, ..
        }) = outcome.result
        else {
            panic!("request {at}: {:?}", outcome.result);
        };
        assert_eq!(outcome.rest, HELLO, "request {at}");
        assert_eq!(outcome.sent.len(), at + 1, "nothing more is written");
    }
}

#[test]
fn a_sahara_hello_is_found_in_pieces_behind_noise_and_before_a_frame() {
    let mut joined = HELLO.to_vec();
    joined.extend(error(ErrorCode::NotSupported).frame());
    let mut noisy = vec![0x55, 0x7e];
    noisy.extend(&joined);
    for (stream, read_size) in [
        (joined.clone(), 1),
        (joined.clone(), 100),
        (noisy.clone(), 1),
        (noisy, 100),
    ] {
        let mut bench = Bench::new(vec![image(16)]);
        bench.read_size = read_size;
        let outcome = bench.run(|_, _| Some(bytes(&stream)));
        let step = Step::SwitchToStreaming;
        assert_eq!(
            outcome.result,
            Err(ProtocolError::OtherProtocol {
                step,
                peer: Peer::Sahara
            })
        );
        assert!(outcome.rest.starts_with(&HELLO[..8]), "{:x?}", outcome.rest);
    }
}

#[test]
fn a_sahara_hello_behind_stray_bytes_is_found_when_nothing_else_comes() {
    let mut stream = vec![0x0d, 0x0a];
    stream.extend(HELLO);
    let outcome = Bench::new(vec![image(16)]).run(|_, _| Some(bytes(&stream)));
    let step = Step::SwitchToStreaming;
    assert_eq!(
        outcome.result,
        Err(ProtocolError::OtherProtocol {
            step,
            peer: Peer::Sahara
        })
    );
    assert_eq!(outcome.rest, HELLO);
}

#[test]
fn a_sahara_hello_that_came_before_the_conversation_is_seen_by_the_first_poll() {
    for start in [
        Start::SwitchSent {
            received: HELLO.to_vec(),
        },
        Start::Streaming {
            unread: HELLO.to_vec(),
        },
    ] {
        let mut download = Download::new(vec![image(16)], start);
        let result = download.poll(Instant::START);
        assert!(
            matches!(
                result,
                Err(ProtocolError::OtherProtocol {
                    peer: Peer::Sahara,
                    ..
                })
            ),
            "{result:?}"
        );
        assert_eq!(download.into_rest(), HELLO);
    }
}

#[test]
fn ports_of_a_modem_in_normal_mode_are_recognised_in_every_state() {
    for at in 0..8 {
        let captured = [0x13, 0x70, 0, 0, 0x6a, 0x9a, 0x7e];
        let outcome =
            Bench::new(vec![image(MIB + 1)]).run(|_, number| (number == at).then(|| bytes(&captured)));
        assert!(matches!(
            outcome.result,
            Err(ProtocolError::OtherProtocol { peer: Peer::Diag, .. })
        ));
        let outcome = Bench::new(vec![image(MIB + 1)]).run(|sent, number| match sent {
            Sent::Framed(_, echo) if number == at => Some(bytes(echo)),
            _ => None,
        });
        // A write isn't a frame, its echo is noise.
        if outcome.result != Ok(()) {
            assert!(matches!(
                outcome.result,
                Err(ProtocolError::OtherProtocol { peer: Peer::Echo, .. })
            ));
        } else {
            assert!([4, 5].contains(&at), "request {at}");
        }
    }
}

#[test]
fn a_primary_boot_loader_is_recognised() {
    // Captured, MC7750 in 05c6:9008.
    let nak = [0x7e, 0x03, 0x00, 0x06, 0x9e, 0x4c, 0x7e];
    let outcome = Bench::new(vec![image(16)]).run(|_, _| Some(bytes(&nak)));
    let step = Step::SwitchToStreaming;
    assert_eq!(
        outcome.result,
        Err(ProtocolError::OtherProtocol {
            step,
            peer: Peer::Dload { reason: 6 }
        })
    );
}

#[test]
fn another_error_to_the_switch_and_to_all_versions_is_final() {
    let refuse = |code| move |_: &Sent, _| Some(say(&error(code)));
    let outcome = Bench::new(vec![image(16)]).run(refuse(ErrorCode::InvalidCommand));
    assert_eq!(outcome.sent.len(), 1);
    assert!(matches!(
        outcome.result,
        Err(ProtocolError::Refused {
            step: Step::SwitchToStreaming,
            refusal: Refusal::QdlError(_)
        })
    ));
    let outcome = Bench::new(vec![image(16)]).run(refuse(ErrorCode::NotSupported));
    assert_eq!(outcome.versions(), [6, 5, 4]);
    assert!(matches!(
        outcome.result,
        Err(ProtocolError::Refused {
            step: Step::Hello,
            ..
        })
    ));
}

#[test]
fn chatter_does_not_renew_a_deadline_for_ever() {
    // An unknown message every three seconds, for an hour.
    let chatter = Response::Other {
        command: 0x55,
        body: vec![1, 2, 3],
    }
    .frame();
    let outcome = Bench::new(vec![image(16)]).run(|sent, _| {
        matches!(sent, Sent::Framed(Request::Open(_), _))
            .then(|| vec![Reaction::Bytes(seconds(3), chatter.clone()); 1200])
    });
    let step = Step::Open { image: 0 };
    assert_eq!(
        outcome.result,
        Err(ProtocolError::Endless {
            step,
            waited: seconds(90)
        })
    );
    let noise = outcome
        .reports
        .iter()
        .filter(|report| matches!(report, Report::Noise(_)))
        .count();
    assert!((1..=8).contains(&noise), "{noise} reports of noise");
}

#[test]
fn a_port_that_takes_nothing_for_two_minutes_is_an_error() {
    let mut bench = Bench::new(vec![image(MIB)]);
    bench.takes = 600_000;
    bench.back_pressure = seconds(121);
    let outcome = bench.run(|_, _| None);
    let error = outcome.result.unwrap_err();
    assert!(matches!(error, ProtocolError::Stalled { left: 7, .. }), "{error}");
    assert_eq!(outcome.took, seconds(120));
}

#[test]
fn a_port_that_takes_a_byte_a_minute_is_an_error_in_the_end() {
    let mut bench = Bench::with_start(vec![image(MIB)], Start::Streaming { unread: vec![] });
    bench.takes = 500;
    bench.back_pressure = seconds(60);
    let outcome = bench.run(|_, _| None);
    let error = outcome.result.unwrap_err();
    assert!(
        matches!(
            error,
            ProtocolError::Stalled {
                step: Step::Write { .. },
                ..
            }
        ),
        "{error}"
    );
    assert!(outcome.took < seconds(1024 + 300));
}

#[test]
fn a_modem_that_leaves_is_an_error_that_names_the_step() {
    let close = || Some(vec![Reaction::Close(Duration::ZERO)]);
    let outcome = Bench::new(vec![image(MIB + 1)]).run(|sent, _| is_chunk(sent, 1).then(close).flatten());
    let step = Step::Write {
        image: 0,
        chunk: 1,
        of: 2,
    };
    assert_eq!(outcome.result, Err(ProtocolError::Left { step }));
}

#[test]
fn a_modem_that_leaves_while_the_reset_is_written_has_restarted() {
    let mut download = Download::new(vec![], Start::Streaming { unread: vec![] });
    let now = Instant::START;
    assert_eq!(download.poll(now), Ok(Action::Send(Request::Reset.frame())));
    download.closed(now);
    assert_eq!(download.poll(now), Ok(Action::Report(Report::ResetSent)));
    assert_eq!(download.poll(now), Ok(Action::Finished));
}

#[test]
fn a_modem_that_does_not_restart_is_an_outcome_of_its_own() {
    let reset = |sent: &Sent| matches!(sent, Sent::Framed(Request::Reset, _));
    let outcome = Bench::new(vec![image(16)]).run(|sent, _| reset(sent).then(Vec::new));
    assert_eq!(outcome.result, Err(ProtocolError::Stayed { waited: seconds(10) }));
    assert!(
        outcome
            .reports
            .ends_with(&[Report::ImageAccepted { image: 0 }, Report::ResetSent])
    );
}

#[test]
fn a_repeated_acknowledgement_is_only_noise() {
    let outcome = Bench::new(vec![image(2 * MIB + 1)]).run(|sent, _| match sent {
        Sent::Chunk(stretch) => {
            let frame = write(sequence(stretch), WriteStatus::Success).frame();
            Some(bytes(&[frame.clone(), frame].concat()))
        }
        _ => None,
    });
    assert_eq!(outcome.result, Ok(()));
    assert_eq!(retries(&outcome), []);
    assert_eq!(
        outcome
            .reports
            .iter()
            .filter(|report| matches!(report, Report::Noise(_)))
            .count(),
        3
    );
}

#[test]
fn a_damaged_frame_before_the_answer_is_survived() {
    let outcome = Bench::new(vec![image(16)]).run(|sent, _| match sent {
        Sent::Chunk(_) => {
            let good = write(0, WriteStatus::Success).frame();
            let mut bad = good.clone();
            bad[3] ^= 0x40;
            Some(bytes(&[bad, good].concat()))
        }
        _ => None,
    });
    assert_eq!(outcome.result, Ok(()));
    assert_eq!(retries(&outcome), []);
}

#[test]
fn a_damaged_answer_and_nothing_else_is_said_to_be_damaged() {
    let mut bad = Response::Hello(HelloResponse::of_version(6)).frame();
    bad[30] ^= 1;
    let outcome = Bench::new(vec![image(16)]).run(|sent, _| match sent {
        Sent::Framed(Request::Hello(_), _) => Some(bytes(&bad)),
        _ => None,
    });
    assert!(outcome.took < seconds(8), "{:?}", outcome.took);
    let Err(ProtocolError::Garbled {
        step: Step::Hello,
        ref error,
    }) = outcome.result
    else {
        panic!("{:?}", outcome.result);
    };
    assert!(matches!(
        error,
        ParseError::Frame(FrameErrorKind::Checksum { .. })
    ));
    assert_eq!(outcome.versions(), [6, 5, 4, 6, 5, 4]);
}

#[test]
fn a_damaged_answer_to_a_chunk_or_to_done_begins_the_image_anew_at_once() {
    for (request, reply) in [
        (1, write(1, WriteStatus::Success)),
        (2, done(DoneStatus::Success)),
    ] {
        for place in [0, 1, 5, 10, reply.frame().len() - 1] {
            let mut bad = reply.frame();
            let place = place % bad.len();
            bad[place] ^= 0x10;
            let mut requests = 0;
            let outcome = Bench::new(vec![image(MIB + 1)]).run(|sent, _| {
                if !matches!(sent, Sent::Chunk(_) | Sent::Framed(Request::Done, _)) {
                    return None;
                }
                requests += 1;
                (requests == request + 1).then(|| bytes(&bad))
            });
            assert_eq!(outcome.result, Ok(()), "{request} {place}");
            assert_eq!(retries(&outcome).len(), 1, "{request} {place}");
            assert!(outcome.took < seconds(3), "{request} {place}: {:?}", outcome.took);
        }
    }
}

#[test]
fn answers_that_are_always_damaged_end_after_three_attempts() {
    let mut bad = write(0, WriteStatus::Success).frame();
    bad[4] ^= 1;
    let outcome =
        Bench::new(vec![image(MIB)]).run(|sent, _| matches!(sent, Sent::Chunk(_)).then(|| bytes(&bad)));
    let Err(ProtocolError::Garbled { step, .. }) = outcome.result else {
        panic!("{:?}", outcome.result);
    };
    assert!(matches!(
        step,
        Step::Write {
            image: 0,
            chunk: 0,
            ..
        }
    ));
    assert_eq!(outcome.chunks().len(), 3);
    assert!(outcome.took < seconds(5), "{:?}", outcome.took);
}

#[test]
fn noise_before_a_slow_answer_is_waited_out() {
    // Bytes outside of frames, a frame of another kind, one with a wrong sum, and half an answer.
    let answer = write(0, WriteStatus::Success).frame();
    let strange = [0x7e, 0x55, 0x66, 0x77, 0x88, 0x99, 0x7e];
    let log = modemflash_modem_protocol::hdlc::encode(&[0x0e, b'h', b'i']);
    for noise in [&b"busy\r\n"[..], &strange, &log, &answer[..6]] {
        let noise = noise.to_vec();
        let outcome = Bench::new(vec![image(16)]).run(|sent, _| match sent {
            Sent::Chunk(_) => Some(vec![
                Reaction::Bytes(SOON, noise.clone()),
                Reaction::Bytes(
                    seconds(50),
                    if noise == answer[..6] {
                        answer[6..].to_vec()
                    } else {
                        answer.clone()
                    },
                ),
            ]),
            _ => None,
        });
        assert_eq!(outcome.result, Ok(()), "{noise:02x?}");
        assert_eq!(retries(&outcome), [], "{noise:02x?}");
        assert_eq!(outcome.took.as_secs(), 50);
    }
}

proptest! {
    #[test]
    fn damage_ends_in_success_or_an_error_but_always_ends(
        at in 0usize..12,
        noise in prop::collection::vec(prop_oneof![Just(0x7e), Just(0x7d), any::<u8>()], 0..80),
        keeps_answer: bool,
        read_size in 1usize..30,
    ) {
        let mut bench = Bench::new(vec![image(MIB + 1), image(16)]);
        bench.read_size = read_size;
        let outcome = bench.run(|sent, number| (number == at).then(|| {
            let mut reactions = bytes(&noise);
            if keeps_answer {
                reactions.extend(healthy(sent));
            }
            reactions
        }));
        prop_assert!(outcome.took <= seconds(3 * 540));
        if outcome.result.is_ok() {
            let accepted = outcome.reports.iter().filter(|report| matches!(report, Report::ImageAccepted { .. }));
            prop_assert_eq!(accepted.count(), 2);
        }
    }

    #[test]
    fn a_babbling_modem_never_brings_success(
        babble in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 1..20),
    ) {
        let outcome = Bench::new(vec![image(16)]).run(|_, number| {
            Some(bytes(&modemflash_modem_protocol::hdlc::encode(babble.get(number % babble.len()).unwrap())))
        });
        prop_assert!(outcome.result.is_err());
    }

    #[test]
    fn one_lost_answer_costs_time_but_not_the_update(at in 0usize..7) {
        let outcome = Bench::new(vec![image(MIB + 1)]).run(|_, number| (number == at).then(Vec::new));
        prop_assert_eq!(outcome.result, Ok(()));
    }

    #[test]
    fn one_damaged_answer_costs_seconds_and_not_the_update(
        at in 0usize..7,
        place: prop::sample::Index,
        bit in 0u8..8,
    ) {
        let outcome = Bench::new(vec![image(MIB + 1)]).run(|sent, number| (number == at).then(|| {
            let mut reactions = healthy(sent);
            if let Some(Reaction::Bytes(_, frame)) = reactions.first_mut() {
                let place = place.index(frame.len());
                frame[place] ^= 1 << bit;
            }
            reactions
        }));
        prop_assert_eq!(outcome.result, Ok(()));
        prop_assert!(outcome.took < seconds(20), "{:?}", outcome.took);
    }

    #[test]
    fn answers_that_come_twice_cost_nothing(which: [bool; 7], later in 0u64..100) {
        let twice = |sent: &Sent, number: usize| which.get(number).copied().unwrap_or(false).then(|| {
            let first = healthy(sent);
            let again = first.iter().map(|reaction| match reaction {
                Reaction::Bytes(_, bytes) => Reaction::Bytes(Duration::from_millis(later), bytes.clone()),
                other => other.clone(),
            });
            first.iter().cloned().chain(again).collect()
        });
        let outcome = Bench::new(vec![image(MIB + 1)]).run(twice);
        prop_assert_eq!(retries(&outcome), []);
        prop_assert_eq!(outcome.result, Ok(()));
    }
}
