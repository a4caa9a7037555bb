//! Cuts messages that are longer than a control transfer into fragments, and reads messages from a stream (mbim.md
//! §5).

use alloc::vec::Vec;
use core::time::Duration;

use super::message::{
    FRAGMENT_HEADER_SIZE, HEADER_SIZE, Message, ProtocolFault, has_fragments, is_known, wrong,
};
use crate::bytes::{Reader, Writer};
use crate::{Instant, ParseError};

/// The longest message that is accepted, in bytes, in one piece or in fragments: a QMI frame of 65,536 bytes with the
/// header before it.
pub const LARGEST_MESSAGE: usize = 0x1_0000 + 48;

/// The smallest size of a control transfer for which messages are cut, in bytes. A smaller size counts as this one.
pub const SMALLEST_TRANSFER: usize = 64;

/// The longest time between two fragments (mbim.md §5).
pub const GAP: Duration = Duration::from_millis(1250);

/// Cuts a message into pieces for control transfers of at most `largest` bytes. Each piece is one write.
///
/// Messages without a fragment header, such as OPEN, stay in one piece, because they are short.
pub fn split(message: &Message, largest: usize) -> Vec<Vec<u8>> {
    let largest = largest.max(SMALLEST_TRANSFER);
    let whole = message.encode();
    if whole.len() <= largest || !has_fragments(message.body.message_type()) {
        return alloc::vec![whole];
    }
    let (_, payload) = whole
        .split_at_checked(FRAGMENT_HEADER_SIZE)
        .unwrap_or((&whole, &[]));
    let payloads = payload.chunks(largest - FRAGMENT_HEADER_SIZE);
    let total = u32::try_from(payloads.len()).unwrap_or(u32::MAX);
    (0..total)
        .zip(payloads)
        .map(|(current, payload)| {
            let mut piece = Vec::with_capacity(FRAGMENT_HEADER_SIZE + payload.len());
            piece.put_u32_le(message.body.message_type());
            piece.put_u32_le(u32::try_from(FRAGMENT_HEADER_SIZE + payload.len()).unwrap_or(u32::MAX));
            piece.put_u32_le(message.transaction);
            piece.put_u32_le(total);
            piece.put_u32_le(current);
            piece.put(payload);
            piece
        })
        .collect()
}

/// Why a message couldn't be put together from its pieces.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FragmentError {
    /// The next fragment came too late or not at all.
    #[error("fragment {current} of {total} of transaction {transaction} didn't come within {} s", GAP.as_secs_f32())]
    Timeout {
        /// Transaction of the message.
        transaction: u32,
        /// The fragment that is missing, from 0.
        current: u32,
        /// Number of fragments.
        total: u32,
    },
    /// The fragment that came isn't the next one.
    #[error("fragment {got} of transaction {transaction} instead of {expected}")]
    OutOfSequence {
        /// Transaction of the message.
        transaction: u32,
        /// The next fragment, from 0.
        expected: u32,
        /// The fragment that came.
        got: u32,
    },
    /// The message is longer than [`LARGEST_MESSAGE`].
    #[error("message of transaction {transaction} in {total} fragments is too long")]
    TooLong {
        /// Transaction of the message.
        transaction: u32,
        /// Number of fragments.
        total: u32,
    },
    /// The received bytes can't be read.
    #[error("{0}")]
    Garbled(ParseError),
}

impl FragmentError {
    /// The transaction and the error with which the host answers. Bytes that can't be read have no transaction and
    /// get no answer.
    pub const fn fault(&self) -> Option<(u32, ProtocolFault)> {
        match self {
            Self::Timeout { transaction, .. } => Some((*transaction, ProtocolFault::FragmentTimeout)),
            Self::OutOfSequence { transaction, .. } => {
                Some((*transaction, ProtocolFault::FragmentOutOfSequence))
            }
            Self::TooLong { transaction, .. } => Some((*transaction, ProtocolFault::MaxTransferExceeded)),
            Self::Garbled(_) => None,
        }
    }
}

/// A message with fragments still missing.
#[derive(Clone, Debug)]
struct Begun {
    message_type: u32,
    transaction: u32,
    total: u32,
    next: u32,
    payload: Vec<u8>,
    deadline: Instant,
}

/// Puts messages together from a stream whose reads may be split or joined anywhere. After bytes that aren't a
/// message it looks for the start of the next one.
///
/// If [`Reassembler::next_message`] is always called until it returns `None`, this holds less than one message and
/// one incomplete piece, each at most [`LARGEST_MESSAGE`] bytes, and the bytes that were pushed last.
#[derive(Clone, Debug, Default)]
pub struct Reassembler {
    bytes: Vec<u8>,
    begun: Option<Begun>,
    /// Whether unreadable bytes are being skipped; they were already reported.
    is_lost: bool,
}

impl Reassembler {
    /// Takes bytes in the order in which they came.
    pub fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// The moment from which the next fragment is late; `None` if no fragment is awaited.
    pub fn deadline(&self) -> Option<Instant> {
        self.begun.as_ref().map(|begun| begun.deadline)
    }

    /// The next message; `None` until all its bytes have come.
    ///
    /// # Errors
    /// A fragment is missing, late or in the wrong place, or the bytes aren't a message. The incomplete message is
    /// dropped, and reading continues after it.
    pub fn next_message(&mut self, now: Instant) -> Option<Result<Message, FragmentError>> {
        loop {
            if let Some(begun) = self.begun.take_if(|begun| now >= begun.deadline) {
                return Some(Err(FragmentError::Timeout {
                    transaction: begun.transaction,
                    current: begun.next,
                    total: begun.total,
                }));
            }
            let piece = match self.next_piece()? {
                Ok(piece) => piece,
                Err(error) => return Some(Err(FragmentError::Garbled(error))),
            };
            if let Some(result) = self.take(&piece, now) {
                return Some(result);
            }
        }
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        *self = Self::default();
    }

    /// The next piece, as long as its length field says.
    fn next_piece(&mut self) -> Option<Result<Vec<u8>, ParseError>> {
        let mut rubbish = 0;
        let mut error = None;
        let mut length = None;
        while let Some(candidate) = self.bytes.get(rubbish..).filter(|rest| !rest.is_empty()) {
            match piece_length(candidate) {
                Ok(found) => {
                    length = Some(found);
                    break;
                }
                Err(ParseError::Truncated { .. }) => break,
                Err(why) => {
                    error.get_or_insert(why);
                    rubbish += 1;
                }
            }
        }
        self.bytes.drain(..rubbish);
        if let Some(error) = error {
            if !core::mem::replace(&mut self.is_lost, true) {
                return Some(Err(error));
            }
        }
        let length = length.filter(|length| *length <= self.bytes.len())?;
        let rest = self.bytes.split_off(length);
        self.is_lost = false;
        Some(Ok(core::mem::replace(&mut self.bytes, rest)))
    }

    /// Takes one piece, and returns the message or the error that it completes, if any.
    fn take(&mut self, piece: &[u8], now: Instant) -> Option<Result<Message, FragmentError>> {
        match Fragment::parse(piece) {
            Ok(Some(fragment)) => self.take_fragment(&fragment, now),
            Ok(None) => Some(Message::parse(piece).map_err(FragmentError::Garbled)),
            Err(error) => Some(Err(FragmentError::Garbled(error))),
        }
    }

    fn take_fragment(
        &mut self,
        fragment: &Fragment<'_>,
        now: Instant,
    ) -> Option<Result<Message, FragmentError>> {
        let begun = match self.begun.take() {
            Some(begun) if begun.continues_with(fragment) => begun,
            // A first fragment always begins a new message, because the peer has given up the one before.
            _ if fragment.current == 0 => Begun::new(fragment),
            other => {
                let is_same = other
                    .as_ref()
                    .is_some_and(|begun| begun.transaction == fragment.transaction);
                return Some(Err(FragmentError::OutOfSequence {
                    transaction: fragment.transaction,
                    expected: other.filter(|_| is_same).map_or(0, |begun| begun.next),
                    got: fragment.current,
                }));
            }
        };
        let mut begun = begun;
        begun.payload.put(fragment.payload);
        begun.next = begun.next.saturating_add(1);
        begun.deadline = now + GAP;
        if begun.payload.len() + FRAGMENT_HEADER_SIZE > LARGEST_MESSAGE {
            return Some(Err(FragmentError::TooLong {
                transaction: begun.transaction,
                total: begun.total,
            }));
        }
        if begun.next < begun.total {
            self.begun = Some(begun);
            return None;
        }
        Some(Message::parse(&begun.into_whole()).map_err(FragmentError::Garbled))
    }
}

impl Begun {
    fn new(fragment: &Fragment<'_>) -> Self {
        Self {
            message_type: fragment.message_type,
            transaction: fragment.transaction,
            total: fragment.total,
            next: 0,
            payload: Vec::new(),
            deadline: Instant::FAR,
        }
    }

    fn continues_with(&self, fragment: &Fragment<'_>) -> bool {
        (self.message_type, self.transaction, self.total, self.next)
            == (
                fragment.message_type,
                fragment.transaction,
                fragment.total,
                fragment.current,
            )
    }

    /// The message as if it had come in one piece.
    fn into_whole(self) -> Vec<u8> {
        let length = FRAGMENT_HEADER_SIZE + self.payload.len();
        let mut whole = Vec::with_capacity(length);
        whole.put_u32_le(self.message_type);
        whole.put_u32_le(u32::try_from(length).unwrap_or(u32::MAX));
        whole.put_u32_le(self.transaction);
        whole.put_u32_le(1);
        whole.put_u32_le(0);
        whole.put(&self.payload);
        whole
    }
}

/// One of several pieces of a message.
struct Fragment<'a> {
    message_type: u32,
    transaction: u32,
    total: u32,
    current: u32,
    payload: &'a [u8],
}

impl<'a> Fragment<'a> {
    /// `None` for a message in one piece.
    fn parse(piece: &'a [u8]) -> Result<Option<Self>, ParseError> {
        let mut reader = Reader::new(piece);
        let message_type = reader.u32_le("message type")?;
        reader.u32_le("message length")?;
        let transaction = reader.u32_le("transaction id")?;
        if !has_fragments(message_type) {
            return Ok(None);
        }
        let total = reader.u32_le("number of fragments")?;
        let current = reader.u32_le("fragment")?;
        if (total, current) == (1, 0) {
            return Ok(None);
        }
        if current >= total {
            return Err(wrong(
                "fragment",
                16,
                "less than the number of fragments",
                current,
            ));
        }
        Ok(Some(Self {
            message_type,
            transaction,
            total,
            current,
            payload: reader.rest(),
        }))
    }
}

/// The length of the piece that begins here, from its first eight bytes.
fn piece_length(bytes: &[u8]) -> Result<usize, ParseError> {
    let mut reader = Reader::new(bytes);
    let message_type = reader.u32_le("message type")?;
    if !is_known(message_type) {
        return Err(wrong("message type", 0, "a type of MBIM 1.0", message_type));
    }
    let smallest = if has_fragments(message_type) {
        FRAGMENT_HEADER_SIZE
    } else {
        HEADER_SIZE
    };
    let length = reader.u32_le("message length")?;
    usize::try_from(length)
        .ok()
        .filter(|length| (smallest..=LARGEST_MESSAGE).contains(length))
        .ok_or_else(|| wrong("message length", 4, "12 to 65,584", length))
}
