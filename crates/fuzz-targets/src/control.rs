//! What a modem in normal mode sends on its control port, and what a host sends to the virtual modem.

use std::time::Duration;

use modem_protocol::Instant;
use modem_protocol::control::{Closing, Link, Session, Step};
use modem_protocol::mbim::fragment::{self, Reassembler};
use modem_protocol::mbim::message::{Body, Message};
use modem_protocol::mbim::{proxy, qmi, subscribe};
use modem_protocol::qmi::dms::{FirmwarePreference, OperatingMode, Request};
use modem_protocol::qmi::{Frame, Framer, Tlvs, ctl, dms};

use crate::pieces;

/// Parses QMUX frames: they must be the same in any split, and a frame that is written and parsed again must
/// be the same frame.
pub(crate) fn qmi_frame(bytes: &[u8]) {
    let mut first: Option<Vec<Frame>> = None;
    for pieces in pieces(bytes) {
        let mut framer = Framer::default();
        let mut frames = Vec::new();
        for piece in pieces {
            framer.push(piece);
            frames.extend(std::iter::from_fn(|| framer.next_frame()).filter_map(Result::ok));
        }
        assert_eq!(*first.get_or_insert_with(|| frames.clone()), frames);
    }
    for frame in first.unwrap_or_default() {
        assert_eq!(Frame::parse(&frame.encode()), Ok(frame));
    }
}

/// Parses the fields of a message after its number, for every service and both sides: what can be parsed can
/// be written and parsed again.
pub(crate) fn qmi_message(bytes: &[u8]) {
    let Some((number, fields)) = bytes.split_first_chunk() else {
        return;
    };
    let message = u16::from_le_bytes(*number);
    let Ok(tlvs) = Tlvs::parse(fields) else {
        return;
    };
    assert_eq!(tlvs.to_bytes(), fields);
    if let Ok(request) = dms::Request::parse(message, &tlvs) {
        assert_eq!(request.message_id(), message);
        assert_eq!(dms::Request::parse(message, &request.encode()), Ok(request));
    }
    if let Ok(Ok(response)) = dms::Response::parse(message, &tlvs) {
        assert_eq!(response.message_id(), message);
        assert_eq!(
            dms::Response::parse(message, &response.encode()),
            Ok(Ok(response))
        );
    }
    if let Ok(request) = ctl::Request::parse(message, &tlvs) {
        assert_eq!(request.message_id(), message);
        assert_eq!(ctl::Request::parse(message, &request.encode()), Ok(request));
    }
    if let Ok(Ok(response)) = ctl::Response::parse(message, &tlvs) {
        assert_eq!(response.message_id(), message);
        assert_eq!(
            ctl::Response::parse(message, &response.encode()),
            Ok(Ok(response))
        );
    }
}

/// Parses MBIM messages and fragments: they must be the same in any split, and a message that is cut into
/// fragments again must be the same message.
pub(crate) fn mbim(bytes: &[u8]) {
    let mut first: Option<Vec<Message>> = None;
    for pieces in pieces(bytes) {
        let messages = reassemble(pieces);
        assert_eq!(*first.get_or_insert_with(|| messages.clone()), messages);
    }
    for message in first.unwrap_or_default() {
        assert_eq!(Message::parse(&message.encode()).as_ref(), Ok(&message));
        let fragments = fragment::split(&message, fragment::SMALLEST_TRANSFER);
        assert_eq!(
            reassemble(fragments.iter().map(Vec::as_slice)),
            std::slice::from_ref(&message)
        );
        let _ = qmi::content(&message);
        if let Body::Command { information, .. } = &message.body {
            if let Ok(list) = subscribe::parse(information) {
                assert_eq!(subscribe::parse(&subscribe::encode(&list)), Ok(list));
            }
            if let Ok(configuration) = proxy::Configuration::parse(information) {
                assert_eq!(
                    proxy::Configuration::parse(&configuration.encode()),
                    Ok(configuration)
                );
            }
        }
    }
}

fn reassemble<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> Vec<Message> {
    let mut reassembler = Reassembler::default();
    let mut messages = Vec::new();
    for piece in pieces {
        reassembler.push(piece);
        messages
            .extend(std::iter::from_fn(|| reassembler.next_message(Instant::START)).filter_map(Result::ok));
    }
    messages
}

/// Runs a whole session with a modem, a proxy or an MBIM function that sends these bytes. Whatever the bytes
/// are, the session must end within the time that it was given.
pub(crate) fn control_session(bytes: &[u8]) {
    let device = "/dev/cdc-wdm0".to_owned();
    for link in [
        Link::Qmi,
        Link::QmiProxy { device },
        Link::Mbim { largest: 4096 },
        Link::Mbim { largest: 64 },
    ] {
        converse(link.clone(), bytes.chunks(bytes.len().div_ceil(16).max(1)));
        converse(link, messages(bytes).into_iter());
    }
}

/// The bytes, cut where frames or MBIM messages end according to their length fields. Bytes that are neither
/// stay in one piece.
fn messages(mut bytes: &[u8]) -> Vec<&[u8]> {
    let mut messages = Vec::new();
    while !bytes.is_empty() {
        let length = match bytes {
            [_, 0, 0, _, low, high, 0, 0, ..] => usize::from(u16::from_le_bytes([*low, *high])).max(12),
            [1, low, high, ..] => usize::from(u16::from_le_bytes([*low, *high])).max(11) + 1,
            _ => bytes.len(),
        };
        let (message, rest) = bytes.split_at(length.min(bytes.len()));
        messages.push(message);
        bytes = rest;
    }
    messages
}

/// How long each request of a session may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// The number of steps within which a session must end.
const MOST_STEPS: u32 = 5_000;

/// Asks one thing after another, then closes. The peer sends one piece whenever the host waits.
fn converse<'a>(link: Link, mut unsaid: impl Iterator<Item = &'a [u8]>) {
    let mut now = Instant::START;
    let mut session = Session::new(link, PATIENCE, now);
    let mut requests = requests().into_iter();
    let mut since = now;
    for _ in 0..MOST_STEPS {
        match session.poll(now) {
            Step::Send(bytes) => assert!(!bytes.is_empty(), "an empty write"),
            Step::Ready => {
                since = now;
                match requests.next() {
                    Some(request) => session.ask(request, PATIENCE, now),
                    None => session.close(Closing::Release, now),
                }
            }
            Step::Answer(_) => {}
            Step::Failed(_) => session.close(Closing::Abandon, now),
            Step::Closed => return,
            Step::Wait { until } => {
                assert!(until > now, "a wait for the past");
                assert!(until <= since + PATIENCE, "a wait beyond the patience");
                match unsaid.next() {
                    Some(piece) => {
                        now += Duration::from_millis(1);
                        session.receive(piece, now);
                    }
                    None => now = until,
                }
            }
        }
    }
    panic!("the session doesn't end");
}

fn requests() -> Vec<Request> {
    vec![
        Request::GetRevision,
        Request::ListStoredImages,
        Request::SetFirmwarePreference {
            preference: FirmwarePreference::new("02.33.03.00", "002.072_000", "GENERIC")
                .expect("texts that fit"),
            download_override: true,
            storage_index: Some(1),
        },
        Request::SetOperatingMode(OperatingMode::Offline),
        Request::SetOperatingMode(OperatingMode::Reset),
    ]
}
