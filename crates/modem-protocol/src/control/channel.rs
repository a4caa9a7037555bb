//! Carries QMI frames through the port, bare or inside MBIM.

use alloc::vec;
use alloc::vec::Vec;

use super::Link;
use crate::mbim::{self, Body, FragmentError, Message, ProtocolFault, Reassembler, Status, fragment};
use crate::qmi::{Frame, Framer};
use crate::{Instant, ParseError};

/// What came from the port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Heard {
    /// A QMI frame.
    Frame(Frame),
    /// An MBIM message that carries no QMI.
    Foreign,
    /// The answer to an MBIM open.
    OpenDone { transaction: u32, status: Status },
    /// The answer to an MBIM close.
    CloseDone { transaction: u32 },
    /// The MBIM function refuses a command.
    Refused { transaction: u32, status: Status },
    /// The MBIM function can't read a message of the host.
    Fault { transaction: u32, fault: ProtocolFault },
    /// The received bytes can't be read.
    Unreadable(ParseError),
    /// A message that came in fragments isn't complete.
    Incomplete(FragmentError),
}

/// Writes and reads messages of a port, in both directions.
#[derive(Clone, Debug)]
pub(super) enum Channel {
    Qmux(Framer),
    Mbim(Mbim),
}

#[derive(Clone, Debug)]
pub(super) struct Mbim {
    reassembler: Reassembler,
    largest: usize,
    /// The last transaction number that was used.
    transaction: u32,
}

impl Channel {
    pub(super) fn new(link: &Link) -> Self {
        match link {
            Link::Qmi | Link::QmiProxy { .. } => Self::Qmux(Framer::default()),
            Link::Mbim { largest } => Self::Mbim(Mbim {
                reassembler: Reassembler::default(),
                largest: *largest,
                transaction: 0,
            }),
        }
    }

    pub(super) fn push(&mut self, bytes: &[u8]) {
        match self {
            Self::Qmux(framer) => framer.push(bytes),
            Self::Mbim(mbim) => mbim.reassembler.push(bytes),
        }
    }

    pub(super) fn next(&mut self, now: Instant) -> Option<Heard> {
        match self {
            Self::Qmux(framer) => Some(match framer.next_frame()? {
                Ok(frame) => Heard::Frame(frame),
                Err(error) => Heard::Unreadable(error),
            }),
            Self::Mbim(mbim) => Some(match mbim.reassembler.next_message(now)? {
                Ok(message) => heard(&message),
                Err(FragmentError::Garbled(error)) => Heard::Unreadable(error),
                Err(error) => Heard::Incomplete(error),
            }),
        }
    }

    /// The moment from which the next MBIM fragment is late.
    pub(super) fn deadline(&self) -> Option<Instant> {
        match self {
            Self::Qmux(_) => None,
            Self::Mbim(mbim) => mbim.reassembler.deadline(),
        }
    }

    /// The writes for a QMI request, and its MBIM transaction; 0 without MBIM.
    pub(super) fn request(&mut self, frame: &Frame) -> (Vec<Vec<u8>>, u32) {
        match self {
            Self::Qmux(_) => (vec![frame.encode()], 0),
            Self::Mbim(mbim) => {
                let transaction = mbim.next_transaction();
                let message = mbim::qmi::command(transaction, frame);
                (fragment::split(&message, mbim.largest), transaction)
            }
        }
    }

    /// The writes for an MBIM message, and its transaction; no writes without MBIM.
    pub(super) fn message(&mut self, body: impl FnOnce(u32) -> Body) -> (Vec<Vec<u8>>, u32) {
        match self {
            Self::Qmux(_) => (vec![], 0),
            Self::Mbim(mbim) => {
                let transaction = mbim.next_transaction();
                let body = body(u32::try_from(mbim.largest).unwrap_or(u32::MAX));
                (vec![Message { transaction, body }.encode()], transaction)
            }
        }
    }
}

impl Mbim {
    /// The next transaction number. It counts from 1 and skips 0, which marks unasked messages.
    fn next_transaction(&mut self) -> u32 {
        self.transaction = self.transaction.wrapping_add(1).max(1);
        self.transaction
    }
}

fn heard(message: &Message) -> Heard {
    let transaction = message.transaction;
    match message.body {
        Body::OpenDone(status) => Heard::OpenDone { transaction, status },
        Body::CloseDone(_) => Heard::CloseDone { transaction },
        Body::FunctionError(fault) => Heard::Fault { transaction, fault },
        _ => match mbim::qmi::content(message) {
            Ok(mbim::qmi::Content::Frame(frame)) => Heard::Frame(frame),
            Ok(mbim::qmi::Content::Refused(status)) => Heard::Refused { transaction, status },
            Ok(mbim::qmi::Content::Foreign) => Heard::Foreign,
            Err(error) => Heard::Unreadable(error),
        },
    }
}
