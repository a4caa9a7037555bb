//! Answers of a Firehose server with one damaged byte: each costs seconds, and the image arrives all the same.

use std::time::Duration;

use crate::common::{Ended, Host, document};
use modemflash_modem_protocol::conversation::Step;
use modemflash_modem_protocol::firehose::session::Session;
use modemflash_modem_protocol::{Instant, Report};
use proptest::prelude::*;

use crate::firehose_host::*;

/// The largest image data in a run.
const SIZE: u64 = 5044;

/// How a run with a small modem ended.
struct Ran {
    ended: Ended,
    took: Duration,
    /// How often the whole image arrived in raw mode.
    images: usize,
    /// Whether anything arrived that the modem's mode doesn't allow: a document as image data, or data in command mode.
    is_mistaken: bool,
}

/// What a modem answers to this request of its host.
fn answers(request: &str) -> Vec<&'static str> {
    if request.contains("<NOP") {
        vec![ACK]
    } else if request.contains("<configure") {
        vec![LIMIT]
    } else if request.contains("<getStorageInfo") {
        vec![SECTOR, PAGES, ACK]
    } else if request.contains("<program") {
        vec![ACK_RAW]
    } else {
        vec![ACK]
    }
}

/// Runs a session with one image. `damage` gets each answer, with its number from 0.
fn run(logs_success: bool, mut damage: impl FnMut(usize, &mut Vec<u8>)) -> Ran {
    let mut host: Host<Session> = host(&[SIZE]);
    let wire = padded(0, SIZE, 8192 - 5044 + 512);
    let (mut number, mut images, mut is_raw, mut is_mistaken) = (0, 0, false, false);
    let mut ended = host.settle();
    for _ in 0..10_000 {
        let sent = host.sent();
        let mut answer = if sent.is_empty() {
            Vec::new()
        } else if is_raw {
            let (data, rest) = sent.split_at(wire.len().min(sent.len()));
            is_mistaken |= data != wire || !rest.is_empty();
            images += 1;
            is_raw = false;
            let verdict = if logs_success {
                &[PROCESSED, ACK_DONE][..]
            } else {
                &[ACK_DONE]
            };
            verdict.iter().map(|element| document(element)).collect()
        } else {
            let request = String::from_utf8_lossy(&sent).into_owned();
            is_mistaken |= !request.starts_with("<?xml");
            is_raw = request.contains("<program");
            answers(&request)
                .iter()
                .map(|element| document(element))
                .collect()
        };
        let is_reset = sent.windows(6).any(|window| window == b"<power");
        if let Some(last) = answer.last_mut() {
            damage(number, last);
            number += 1;
            ended = host.hear(&answer.concat());
            if is_reset {
                host.conversation_closed();
                ended = host.settle();
            }
            continue;
        }
        match ended {
            Ended::Waiting(until) => host.now = until,
            _ => break,
        }
        ended = host.settle();
    }
    Ran {
        ended,
        took: host.now - Instant::START,
        images,
        is_mistaken,
    }
}

/// Damages a byte. A digit of a number stays: nothing shows that another number isn't the right one.
fn damage(answer: &mut [u8], place: usize, bits: u8) {
    if !answer[place].is_ascii_digit() {
        answer[place] ^= bits;
    }
}

trait Leave {
    fn conversation_closed(&mut self);
}

impl Leave for Host<Session> {
    fn conversation_closed(&mut self) {
        use modemflash_modem_protocol::Conversation;
        self.conversation.closed(self.now);
    }
}

#[test]
fn an_undamaged_run_takes_a_second() {
    let ran = run(true, |_, _| {});
    assert_eq!(ran.ended, Ended::Finished);
    assert_eq!((ran.images, ran.is_mistaken), (1, false));
    assert!(ran.took < SECOND, "{:?}", ran.took);
}

#[test]
fn every_byte_of_every_answer_may_be_damaged() {
    for logs_success in [true, false] {
        for number in 0..8 {
            let mut place = 0;
            loop {
                let mut is_over = true;
                let ran = run(logs_success, |at, answer| {
                    if at == number && place < answer.len() {
                        is_over = false;
                        damage(answer, place, 0x04);
                    }
                });
                if is_over {
                    break;
                }
                let what = format!("byte {place} of answer {number}, {logs_success}: {:?}", ran.ended);
                assert_eq!(ran.ended, Ended::Finished, "{what}");
                assert!(!ran.is_mistaken, "{what}");
                assert!(ran.images >= 1 && ran.images <= 2, "{what}");
                assert!(ran.images == 1 || !logs_success, "{what}");
                assert!(ran.took < 15 * SECOND, "{what}: {:?}", ran.took);
                place += 1;
            }
        }
    }
}

#[test]
fn a_damaged_nak_to_program_is_a_refusal() {
    let mut host = programming(&[SIZE]);
    let mut nak = document(NAK);
    nak[60] ^= 1;
    host.hear(&[documents(&[r#"<log value="busy" />"#]), nak].concat());
    assert!(matches!(
        host.reports.last(),
        Some(Report::Retrying { step: Step::Program { image: 0 }, attempt: 2, why }) if why.contains("busy")
    ));
    host.asks_after_refusal();
}

#[test]
fn a_document_in_two_pieces_is_no_damage() {
    let mut host = programming(&[SIZE]);
    let raw = document(ACK_RAW);
    let (first, rest) = raw.split_at(raw.len() - 4);
    host.hear(first);
    host.pass(Duration::from_millis(900));
    assert_eq!(host.sent(), b"");
    host.hear(rest);
    assert_eq!(host.sent(), padded(0, SIZE, 8192 - 5044 + 512));
}

#[test]
fn a_damaged_log_line_is_no_answer() {
    let mut host = programming(&[SIZE]);
    let mut log = document(r#"<log value="still here" />"#);
    for place in 0..log.len() {
        log[place] ^= 0x04;
        host.hear(&log);
        log[place] ^= 0x04;
        host.pass(QUIET);
        assert_eq!(host.sent(), b"", "{place}");
    }
    host.says(&[ACK_RAW]);
    assert_eq!(host.sent(), padded(0, SIZE, 8192 - 5044 + 512));
}

proptest! {
    #[test]
    fn one_damaged_byte_costs_seconds_and_not_the_update(
        number in 0usize..8, place: prop::sample::Index, bit in 0u8..8, logs_success: bool,
    ) {
        let ran = run(logs_success, |at, answer| {
            if at == number {
                let place = place.index(answer.len());
                damage(answer, place, 1 << bit);
            }
        });
        prop_assert_eq!(ran.ended, Ended::Finished);
        prop_assert!(!ran.is_mistaken);
        prop_assert!(ran.took < 15 * SECOND, "{:?}", ran.took);
    }
}
