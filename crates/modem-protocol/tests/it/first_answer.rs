//! What the first bytes of a port mean, by the table in traces/README.md.

use crate::common::{hex, vector};
use modemflash_modem_protocol::first_answer::{Classifier, FirstAnswer, PROBE};
use modemflash_modem_protocol::hdlc;
use proptest::prelude::*;

/// First bytes and their meaning.
fn table() -> Vec<(Vec<u8>, FirstAnswer)> {
    vec![
        // em7565_failed-qdl-probe_2018, mc7455_9070-after-crash, rc7620_tp1_failed_seed001_2023
        (vector("hello"), FirstAnswer::SaharaHello { at: 0 }),
        (
            hex("0000 0D0A 01000000 30000000"),
            FirstAnswer::SaharaHello { at: 4 },
        ),
        // em7565_missed-hello_fwdwl-lite_2022
        (vector("end_of_image"), FirstAnswer::SaharaPacket { at: 0 }),
        (vector("command_ready"), FirstAnswer::SaharaPacket { at: 0 }),
        // traces/README.md
        (
            hex("7E 0D 16 00 00 00 00 88 4D 7E"),
            FirstAnswer::QdlError { code: 22 },
        ),
        (hdlc::encode(&[0x02]), FirstAnswer::Qdl),
        (hex("13 70 00 00 6A 9A 7E"), FirstAnswer::Diag),
        (PROBE.to_vec(), FirstAnswer::Echo),
        (hex("70 00 00 14 46"), FirstAnswer::Echo),
        (b"UTUVUTUV".to_vec(), FirstAnswer::Echo),
        // mc7750_05c6-9008_hard-brick_nop
        (
            hex("7E 03 00 06 9E 4C 7E"),
            FirstAnswer::PrimaryBootLoader { reason: 6 },
        ),
        (b"\r\nERROR\r\n".to_vec(), FirstAnswer::Text("ERROR".into())),
        (
            b"login: \x1B[0m\n\r\nlogin:\n".to_vec(),
            FirstAnswer::Text("login:".into()),
        ),
        (
            b"\0<?xml version=\"1.0\"?><data><log".to_vec(),
            FirstAnswer::Firehose { at: 1 },
        ),
        (
            b"<data><response value='NAK'/></data>".to_vec(),
            FirstAnswer::Firehose { at: 0 },
        ),
        (vec![0xA5; Classifier::MOST_BYTES], FirstAnswer::Unknown),
    ]
}

fn classify(bytes: &[u8], piece: usize) -> Classifier {
    let mut classifier = Classifier::default();
    for piece in bytes.chunks(piece.max(1)) {
        classifier.push(piece);
    }
    classifier
}

#[test]
fn every_row_of_the_table_is_recognised() {
    for (bytes, meaning) in table() {
        let classifier = classify(&bytes, usize::MAX);
        assert_eq!(classifier.verdict(), &meaning, "{bytes:02X?}");
        assert_eq!(classifier.at_silence(), Some(meaning));
        assert_eq!(classifier.bytes(), bytes);
    }
}

#[test]
fn a_hello_is_found_behind_a_damaged_frame_and_a_short_text() {
    let mut bytes = hex("7E 13 70 00 00 6A 9B 7E 41 0A");
    bytes.extend(vector("hello"));
    assert_eq!(
        classify(&bytes, 3).verdict(),
        &FirstAnswer::SaharaHello { at: 10 }
    );
}

#[test]
fn too_few_bytes_are_incomplete_until_silence() {
    assert_eq!(Classifier::default().at_silence(), None);
    let cut = |bytes: &[u8]| {
        let classifier = classify(bytes, usize::MAX);
        assert_eq!(classifier.verdict(), &FirstAnswer::Incomplete, "{bytes:02X?}");
        classifier.at_silence().unwrap()
    };
    assert_eq!(cut(&vector("hello")[..7]), FirstAnswer::Unknown);
    assert_eq!(cut(&hex("13 70 00 00 6A 9A")), FirstAnswer::Unknown);
    assert_eq!(cut(&hex("7E")), FirstAnswer::Unknown);
    assert_eq!(cut(b"\r\nlogin: "), FirstAnswer::Text("login:".into()));
}

proptest! {
    #[test]
    fn the_split_does_not_change_the_meaning(row in 0_usize..16, piece in 1_usize..60) {
        let (bytes, meaning) = table().remove(row);
        let classifier = classify(&bytes, piece);
        prop_assert_eq!(classifier.verdict(), &meaning);
    }

    #[test]
    fn the_split_of_any_bytes_does_not_change_the_meaning(
        bytes in prop::collection::vec(prop::sample::select(vec![0x7E, 0x70, 0x00, 0x01, 0x30, 0x0A, b'A', 0x7D]), 0..80),
        piece in 1_usize..20,
    ) {
        let whole = classify(&bytes, usize::MAX);
        let split = classify(&bytes, piece);
        prop_assert_eq!(split.verdict(), whole.verdict());
        prop_assert_eq!(split.bytes(), whole.bytes());
    }
}
