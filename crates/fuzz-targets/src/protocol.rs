//! What a modem sends in download mode, and what a host sends to the virtual modem.

use std::time::Duration;

use modem_protocol::firehose::message::{Answer, FirehoseRequest};
use modem_protocol::firehose::session::Session;
use modem_protocol::firehose::stream::Splitter;
use modem_protocol::first_answer::{Classifier, FirstAnswer};
use modem_protocol::hdlc;
use modem_protocol::qdl::message::{Request, Response};
use modem_protocol::qdl::{Download, Image, Start};
use modem_protocol::sahara::Framer;
use modem_protocol::sahara::message::Packet;
use modem_protocol::sahara::reset::Reset;
use modem_protocol::sahara::switch::{self, Switch};
use modem_protocol::{Action, Conversation, Instant};

use crate::pieces;

/// Decodes frames from a stream: they must be the same in any split, and a payload that is framed again must
/// be the same payload.
pub(crate) fn hdlc(bytes: &[u8]) {
    let mut first: Option<(Vec<_>, Vec<u8>)> = None;
    for pieces in pieces(bytes) {
        let mut decoder = hdlc::Decoder::default();
        let mut payloads = Vec::new();
        for piece in pieces {
            decoder.push(piece);
            while let Some(frame) = decoder.next_frame() {
                payloads.extend(frame.ok());
            }
        }
        let found = (payloads, decoder.into_unread());
        assert_eq!(*first.get_or_insert_with(|| found.clone()), found);
    }
    for payload in first.map(|(payloads, _)| payloads).unwrap_or_default() {
        let mut decoder = hdlc::Decoder::default();
        decoder.push(&hdlc::encode(&payload));
        assert_eq!(decoder.next_frame(), Some(Ok(payload)));
    }
}

/// Parses a request of a host: if it is written and parsed again, it must be the same.
pub(crate) fn qdl_request(bytes: &[u8]) {
    if let Ok(request) = Request::parse(bytes) {
        assert_eq!(Request::parse(&request.encode()), Ok(request));
    }
}

/// Parses a response of a boot loader: if it is written and parsed again, it must be the same.
pub(crate) fn qdl_response(bytes: &[u8]) {
    if let Ok(response) = Response::parse(bytes) {
        assert_eq!(Response::parse(&response.encode()), Ok(response));
    }
}

/// Runs a whole session with a boot loader that sends these bytes, one piece whenever the host waits, and then
/// nothing. The session must end, whatever the bytes are.
pub(crate) fn qdl_session(bytes: &[u8]) {
    let image = Image::cwe(&[0; Image::CWE_HEADER], 3 * 1024 * 1024).expect("an image that QDL can carry");
    converse(&mut Download::new(vec![image], Start::Fresh), bytes);
}

/// Parses Sahara packets in any split: what can be parsed can be written and parsed again.
pub(crate) fn sahara(bytes: &[u8]) {
    let mut first: Option<(Vec<Packet>, bool)> = None;
    for pieces in pieces(bytes) {
        let mut framer = Framer::default();
        let (mut packets, mut lost) = (Vec::new(), false);
        for piece in pieces {
            framer.push(piece);
            while let Some(packet) = framer.next_packet() {
                match packet {
                    Ok(packet) => packets.push(packet),
                    Err(_) => {
                        // An unreadable packet is removed. After an impossible length the framer stays as it
                        // is until it is cleared.
                        lost = matches!(framer.next_packet(), Some(Err(_)));
                        if lost {
                            break;
                        }
                    }
                }
            }
            if lost {
                break;
            }
        }
        if lost {
            continue;
        }
        let found = (packets, lost);
        assert_eq!(*first.get_or_insert_with(|| found.clone()), found);
    }
    if let Ok(packet) = Packet::parse(bytes) {
        assert_eq!(Packet::parse(&packet.to_bytes()), Ok(packet));
    }
}

/// Splits a stream into the documents of a Firehose server; they must be the same in any split.
pub(crate) fn firehose_answer(bytes: &[u8]) {
    let mut first: Option<Vec<Vec<u8>>> = None;
    for pieces in pieces(bytes) {
        let mut splitter = Splitter::default();
        let mut documents = Vec::new();
        for piece in pieces {
            splitter.push(piece);
            documents.extend(std::iter::from_fn(|| splitter.next_document()));
        }
        assert_eq!(*first.get_or_insert_with(|| documents.clone()), documents);
    }
    for document in first.unwrap_or_default() {
        if let Ok(answers) = Answer::parse(&document) {
            for answer in answers {
                assert_eq!(
                    Answer::parse(&answer.to_bytes()).expect("what we wrote"),
                    [answer]
                );
            }
        }
    }
}

/// Parses a document of a host.
pub(crate) fn firehose_request(bytes: &[u8]) {
    if let Ok(requests) = FirehoseRequest::parse(bytes) {
        for request in requests {
            assert_eq!(
                FirehoseRequest::parse(&request.to_bytes()).expect("what we wrote"),
                [request]
            );
        }
    }
}

/// Runs a whole Firehose session with a server that sends these bytes.
pub(crate) fn firehose_session(bytes: &[u8]) {
    converse(&mut Session::new(&[300_000, 1], &[], Instant::START), bytes);
    converse(&mut Session::new(&[4096], bytes, Instant::START), &[]);
    // A NUL byte ends what the server sends in one turn, so that a corpus can reach the verdict.
    let turns = bytes.split(|&byte| byte == 0);
    converse_in_turns(&mut Session::new(&[5044, 81920], &[], Instant::START), turns);
}

/// Runs the switch from Sahara to Firehose, and the reset, with a boot loader that sends these bytes.
pub(crate) fn sahara_session(bytes: &[u8]) {
    let up_to = Duration::from_secs(20);
    for start in [
        switch::Start::Await { up_to },
        switch::Start::Provoke { up_to },
        switch::Start::SwitchMode { up_to },
        switch::Start::Unasked,
        switch::Start::Heard(bytes.to_vec()),
    ] {
        converse(&mut Switch::to_firehose(start, Instant::START), bytes);
    }
    converse(&mut Reset::new(Instant::START), bytes);
    let await_hello = switch::Start::Await { up_to };
    let turns = packets(bytes).into_iter();
    converse_in_turns(&mut Switch::to_firehose(await_hello, Instant::START), turns);
}

/// The bytes, cut where Sahara packets end according to their length fields. Bytes that aren't a packet stay
/// in one piece.
fn packets(mut bytes: &[u8]) -> Vec<&[u8]> {
    let mut packets = Vec::new();
    while !bytes.is_empty() {
        let length = match bytes {
            [_, _, _, _, low, high, 0, 0, ..] => usize::from(u16::from_le_bytes([*low, *high])).max(8),
            _ => bytes.len(),
        };
        let (packet, rest) = bytes.split_at(length.min(bytes.len()));
        packets.push(packet);
        bytes = rest;
    }
    packets
}

/// Tells what is behind a port by its first bytes: the verdict must be the same in any split, and mustn't
/// change later.
pub(crate) fn first_answer(bytes: &[u8]) {
    let mut first: Option<FirstAnswer> = None;
    for pieces in pieces(bytes) {
        let mut classifier = Classifier::default();
        let mut verdict = FirstAnswer::Incomplete;
        for piece in pieces {
            classifier.push(piece);
            assert!(verdict == FirstAnswer::Incomplete || verdict == *classifier.verdict());
            verdict = classifier.verdict().clone();
        }
        assert_eq!(classifier.bytes(), bytes);
        assert_eq!(classifier.at_silence().is_none(), bytes.is_empty());
        assert_eq!(*first.get_or_insert_with(|| verdict.clone()), verdict);
    }
}

/// The number of actions within which a conversation must end. It has a time limit for every step.
const MOST_ACTIONS: u32 = 200_000;

/// Drives a conversation with a modem that takes everything and sends `bytes` piece by piece.
fn converse(conversation: &mut impl Conversation, bytes: &[u8]) {
    let mut unsent = bytes.chunks(bytes.len().div_ceil(16).max(1));
    let mut now = Instant::START;
    for _ in 0..MOST_ACTIONS {
        match conversation.poll(now) {
            Ok(Action::Send(request)) => conversation.wrote(request.len(), 0, now),
            Ok(Action::SendImage(stretch)) => {
                let length =
                    usize::try_from(stretch.range.end - stretch.range.start).expect("a stretch is small");
                let padding = usize::try_from(stretch.padding).expect("padding is small");
                conversation.wrote(stretch.header.len() + length + padding, 0, now);
            }
            Ok(Action::Report(_)) => {}
            Ok(Action::Wait { until }) => match unsent.next() {
                Some(piece) => {
                    now += Duration::from_millis(1);
                    conversation.receive(piece, now);
                }
                None => {
                    assert!(until < Instant::FAR, "a wait without a deadline");
                    now = until.max(now + Duration::from_millis(1));
                }
            },
            Ok(Action::Finished) | Err(_) => return,
        }
    }
    panic!("the conversation doesn't end");
}

/// Drives a conversation with a modem that takes everything. The modem sends one piece whenever the host has
/// sent something and waits.
fn converse_in_turns<'a>(conversation: &mut impl Conversation, mut unsaid: impl Iterator<Item = &'a [u8]>) {
    let mut now = Instant::START;
    let mut is_modems_turn = true;
    for _ in 0..MOST_ACTIONS {
        match conversation.poll(now) {
            Ok(Action::Send(request)) => {
                conversation.wrote(request.len(), 0, now);
                is_modems_turn = true;
            }
            Ok(Action::SendImage(stretch)) => {
                let length =
                    usize::try_from(stretch.range.end - stretch.range.start).expect("a small stretch");
                conversation.wrote(stretch.header.len() + length, stretch.padding.into(), now);
                conversation.wrote(usize::try_from(stretch.padding).expect("small padding"), 0, now);
                is_modems_turn = true;
            }
            Ok(Action::Report(_)) => {}
            Ok(Action::Wait { until }) => match is_modems_turn.then(|| unsaid.next()).flatten() {
                Some(piece) => {
                    is_modems_turn = false;
                    now += Duration::from_millis(1);
                    conversation.receive(piece, now);
                }
                None => {
                    assert!(until < Instant::FAR, "a wait without a deadline");
                    assert!(until > now, "a wait for the past");
                    now = until;
                }
            },
            Ok(Action::Finished) | Err(_) => return,
        }
    }
    panic!("the conversation doesn't end");
}
