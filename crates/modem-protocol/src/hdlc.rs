//! HDLC-like framing of DLOAD, QDL and DIAG (qdl.md §2).
//!
//! [`encode`] makes a frame. [`Decoder`] finds frames in a stream whose reads may be split or joined anywhere. Bytes
//! that aren't a frame can still be read: an error contains the bytes it is about, and [`Decoder::unread`] shows the
//! bytes after the last frame. That is needed because a Sahara hello and the raw data of a QDL write have no flags.

use alloc::vec::Vec;

/// Starts and ends every frame.
pub const FLAG: u8 = 0x7e;
/// Precedes an escaped byte.
pub const ESCAPE: u8 = 0x7d;
/// An escaped byte is changed by exclusive or with this.
const ESCAPE_BIT: u8 = 0x20;
/// Bytes of the checksum.
const CHECKSUM: usize = 2;

static CRC: crc::Crc<u16> = crc::Crc::<u16>::new(&crc::CRC_16_IBM_SDLC);

/// CRC-16/X.25 of `bytes` (qdl.md §2, vector 1).
pub fn checksum(bytes: &[u8]) -> u16 {
    CRC.checksum(bytes)
}

/// Bytes in a stream that aren't a frame.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{kind}")]
pub struct FrameError {
    /// What is wrong.
    pub kind: FrameErrorKind,
    /// The bytes as they came, without flags. For a frame without an end, only its beginning.
    pub bytes: Vec<u8>,
}

/// What is wrong with a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FrameErrorKind {
    /// There are fewer bytes between two flags than the smallest frame has.
    #[error("frame of {got} bytes, the smallest has 3")]
    Short {
        /// Bytes after unescaping.
        got: usize,
    },
    /// The last byte before the closing flag is an escape (in HDLC: the sender aborts the frame).
    #[error("frame ends in the middle of an escaped byte")]
    Aborted,
    /// The checksum is wrong.
    #[error("frame checksum {got:#06x}, {computed:#06x} computed")]
    Checksum {
        /// The checksum in the frame.
        got: u16,
        /// The checksum of the payload.
        computed: u16,
    },
    /// No closing flag came after more bytes than the awaited frame has. [`Decoder`] never reports this: it doesn't know
    /// what is awaited.
    #[error("no end of the frame after {got} bytes")]
    Endless {
        /// Bytes on the wire since the last flag.
        got: usize,
    },
    /// The frame is longer than allowed.
    #[error("frame longer than {limit} bytes")]
    Long {
        /// The most bytes allowed: on the wire if no closing flag came, or of payload in a complete frame.
        limit: usize,
    },
}

/// Puts `payload` into a frame: flag, escaped payload, escaped checksum (low byte first), flag.
pub fn encode(payload: &[u8]) -> Vec<u8> {
    // Most payloads have few bytes to escape.
    let mut frame = Vec::with_capacity(payload.len() + CHECKSUM + 4);
    frame.push(FLAG);
    for &byte in payload.iter().chain(&checksum(payload).to_le_bytes()) {
        if byte == FLAG || byte == ESCAPE {
            frame.push(ESCAPE);
            frame.push(byte ^ ESCAPE_BIT);
        } else {
            frame.push(byte);
        }
    }
    frame.push(FLAG);
    frame
}

/// Finds frames in a stream.
///
/// After each [`push`](Self::push), call [`next_frame`](Self::next_frame) until it returns `None`. Then the decoder
/// never keeps more than one unfinished frame. A frame needs no leading flag, and empty frames are skipped.
#[derive(Clone, Debug)]
pub struct Decoder {
    /// The bytes that came and aren't consumed yet.
    bytes: Vec<u8>,
    /// How many of `bytes` are known to hold no flag.
    searched: usize,
    /// The most payload bytes of a frame.
    longest: usize,
    state: DecoderState,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum DecoderState {
    /// The bytes belong to a frame.
    Collecting,
    /// The bytes belong to a frame that is too long; they are dropped up to the next flag.
    Skipping,
}

impl Default for Decoder {
    fn default() -> Self {
        Self::with_longest(Self::LONGEST)
    }
}

impl Decoder {
    /// The usual payload limit: about ten times the largest message, an open request of 413 bytes (qdl.md §4.5).
    pub const LONGEST: usize = 4096;
    /// How many bytes of a frame without an end its error contains.
    const SHOWN: usize = 64;

    /// A decoder that rejects frames with more than `longest` bytes of payload.
    pub const fn with_longest(longest: usize) -> Self {
        Self {
            bytes: Vec::new(),
            searched: 0,
            longest,
            state: DecoderState::Collecting,
        }
    }

    /// Takes bytes of the stream.
    pub fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// The payload of the next complete frame, without its checksum, or why some bytes aren't a frame. `None` if more
    /// bytes are needed.
    pub fn next_frame(&mut self) -> Option<Result<Vec<u8>, FrameError>> {
        // Each round consumes at least one byte or returns.
        loop {
            let unsearched = self.bytes.get(self.searched..).unwrap_or_default();
            let Some(found) = unsearched.iter().position(|&byte| byte == FLAG) else {
                self.searched = self.bytes.len();
                return self.too_long().map(Err);
            };
            let end = self.searched + found;
            let raw: Vec<u8> = self.bytes.drain(..=end).take(end).collect();
            self.searched = 0;
            if core::mem::replace(&mut self.state, DecoderState::Collecting) == DecoderState::Skipping
                || raw.is_empty()
            {
                continue;
            }
            return Some(unframe(raw, self.longest));
        }
    }

    /// The bytes after the last frame, as they came, including escapes: an unfinished frame or something else. They
    /// contain no flag once [`next_frame`](Self::next_frame) has returned `None`.
    pub fn unread(&self) -> &[u8] {
        &self.bytes
    }

    /// Drops the first `count` bytes of [`unread`](Self::unread), or all of them if there are fewer.
    pub fn consume(&mut self, count: usize) {
        self.bytes.drain(..count.min(self.bytes.len()));
        self.searched = self.searched.saturating_sub(count);
    }

    /// Ends the decoding and returns the bytes after the last frame.
    pub fn into_unread(self) -> Vec<u8> {
        self.bytes
    }

    /// Gives up on a frame if more bytes came without a flag than the longest frame can have on the wire.
    fn too_long(&mut self) -> Option<FrameError> {
        let limit = self.longest.saturating_add(CHECKSUM).saturating_mul(2);
        if self.bytes.len() <= limit && self.state == DecoderState::Collecting {
            return None;
        }
        let mut bytes = core::mem::take(&mut self.bytes);
        self.searched = 0;
        if core::mem::replace(&mut self.state, DecoderState::Skipping) == DecoderState::Skipping {
            return None;
        }
        bytes.truncate(Self::SHOWN);
        Some(FrameError {
            kind: FrameErrorKind::Long { limit },
            bytes,
        })
    }
}

/// Unescapes and checks the bytes between two flags.
fn unframe(raw: Vec<u8>, longest: usize) -> Result<Vec<u8>, FrameError> {
    let mut payload = Vec::with_capacity(raw.len());
    let mut wire = raw.iter();
    while let Some(&byte) = wire.next() {
        if byte != ESCAPE {
            payload.push(byte);
        } else if let Some(&escaped) = wire.next() {
            payload.push(escaped ^ ESCAPE_BIT);
        } else {
            return Err(FrameError {
                kind: FrameErrorKind::Aborted,
                bytes: raw,
            });
        }
    }
    let got = payload.len();
    let Some((_, &tail)) = payload
        .split_last_chunk::<CHECKSUM>()
        .filter(|(message, _)| !message.is_empty())
    else {
        return Err(FrameError {
            kind: FrameErrorKind::Short { got },
            bytes: raw,
        });
    };
    payload.truncate(got - CHECKSUM);
    if payload.len() > longest {
        return Err(FrameError {
            kind: FrameErrorKind::Long { limit: longest },
            bytes: raw,
        });
    }
    let (got, computed) = (u16::from_le_bytes(tail), checksum(&payload));
    if got != computed {
        return Err(FrameError {
            kind: FrameErrorKind::Checksum { got, computed },
            bytes: raw,
        });
    }
    Ok(payload)
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;
    use proptest::prelude::*;

    fn all(decoder: &mut Decoder) -> Vec<Result<Vec<u8>, FrameError>> {
        core::iter::from_fn(|| decoder.next_frame()).collect()
    }

    fn decode(stream: &[u8]) -> Vec<Result<Vec<u8>, FrameError>> {
        let mut decoder = Decoder::default();
        decoder.push(stream);
        all(&mut decoder)
    }

    #[test]
    fn vector_1_the_checksum_is_crc_16_x25() {
        assert_eq!(checksum(b"123456789"), 0x906e);
    }

    #[test]
    fn vectors_2_to_6_are_framed_and_unframed() {
        let vectors: [(&[u8], &[u8]); 5] = [
            (&[0x70, 0, 0], &[0x7e, 0x70, 0, 0, 0x14, 0x46, 0x7e]),
            (&[0x02], &[0x7e, 0x02, 0x6a, 0xd3, 0x7e]),
            (
                &[0x28, 0x7e, 0, 0, 0, 0, 0, 0, 0],
                &[0x7e, 0x28, 0x7d, 0x5e, 0, 0, 0, 0, 0, 0, 0, 0x60, 0x81, 0x7e],
            ),
            (
                &[0x28, 0x7d, 0, 0, 0, 0, 0, 0, 0],
                &[0x7e, 0x28, 0x7d, 0x5d, 0, 0, 0, 0, 0, 0, 0, 0xb0, 0x0b, 0x7e],
            ),
            (
                &[0x28, 101, 0, 0, 0, 0, 0, 0, 0],
                &[0x7e, 0x28, 0x65, 0, 0, 0, 0, 0, 0, 0, 0x74, 0x7d, 0x5d, 0x7e],
            ),
        ];
        for (payload, frame) in vectors {
            assert_eq!(encode(payload), frame);
            assert_eq!(decode(frame), vec![Ok(payload.to_vec())]);
        }
    }

    #[test]
    fn captured_diag_answer_without_a_leading_flag_is_a_frame() {
        assert_eq!(
            decode(&[0x13, 0x70, 0, 0, 0x6a, 0x9a, 0x7e]),
            vec![Ok(vec![0x13, 0x70, 0, 0])]
        );
    }

    #[test]
    fn captured_streaming_nop_and_nak_are_frames() {
        assert_eq!(encode(&[0x0b]), [0x7e, 0x0b, 0xab, 0x4e, 0x7e]);
        assert_eq!(
            encode(&[0x03, 0x00, 0x06]),
            [0x7e, 0x03, 0x00, 0x06, 0x9e, 0x4c, 0x7e]
        );
    }

    #[test]
    fn several_flags_in_a_row_are_passed_over() {
        assert_eq!(
            decode(&[0x7e, 0x7e, 0x7e, 0x02, 0x6a, 0xd3, 0x7e, 0x7e]),
            vec![Ok(vec![0x02])]
        );
    }

    #[test]
    fn two_frames_in_one_read_are_both_found() {
        let mut stream = encode(&[0x02]);
        stream.extend(encode(&[0x28, 0x7e]));
        assert_eq!(decode(&stream), vec![Ok(vec![0x02]), Ok(vec![0x28, 0x7e])]);
    }

    #[test]
    fn one_shared_flag_between_two_frames_is_enough() {
        let stream = [0x7e, 0x02, 0x6a, 0xd3, 0x7e, 0x02, 0x6a, 0xd3, 0x7e];
        assert_eq!(decode(&stream), vec![Ok(vec![0x02]), Ok(vec![0x02])]);
    }

    #[test]
    fn a_sahara_hello_stays_readable_behind_a_frame() {
        let hello = [1, 0, 0, 0, 0x30, 0, 0, 0, 2];
        let mut decoder = Decoder::default();
        decoder.push(&encode(&[0x02]));
        decoder.push(&hello);
        assert_eq!(all(&mut decoder), vec![Ok(vec![0x02])]);
        assert_eq!(decoder.unread(), hello);
        decoder.consume(4);
        assert_eq!(decoder.unread(), &hello[4..]);
        assert_eq!(decoder.into_unread(), &hello[4..]);
    }

    #[test]
    fn bytes_before_a_frame_come_with_their_error_and_the_frame_after_them() {
        let mut stream = vec![1, 0, 0, 0, 0x30, 0, 0, 0];
        stream.extend(encode(&[0x02]));
        let frames = decode(&stream);
        assert_eq!(frames.len(), 2);
        assert_eq!(frames[0].as_ref().unwrap_err().bytes, [1, 0, 0, 0, 0x30, 0, 0, 0]);
        assert_eq!(frames[1], Ok(vec![0x02]));
    }

    #[test]
    fn a_wrong_checksum_is_an_error_with_both_numbers() {
        let frames = decode(&[0x7e, 0x02, 0x6a, 0xd4, 0x7e]);
        let kind = FrameErrorKind::Checksum {
            got: 0xd46a,
            computed: 0xd36a,
        };
        assert_eq!(
            frames,
            vec![Err(FrameError {
                kind,
                bytes: vec![0x02, 0x6a, 0xd4]
            })]
        );
    }

    #[test]
    fn short_and_aborted_frames_are_errors() {
        let frames = decode(&[0x7e, 0x01, 0x02, 0x7e, 0x01, 0x02, 0x03, 0x7d, 0x7e]);
        let kinds: Vec<_> = frames.into_iter().map(|frame| frame.unwrap_err().kind).collect();
        assert_eq!(kinds, [FrameErrorKind::Short { got: 2 }, FrameErrorKind::Aborted]);
    }

    #[test]
    fn a_frame_without_end_is_given_up_once_and_the_next_frame_is_found() {
        let mut decoder = Decoder::with_longest(16);
        let mut found = vec![];
        for _ in 0..1000 {
            decoder.push(&[0x55; 10]);
            found.extend(all(&mut decoder));
            assert!(decoder.unread().len() <= 46, "memory stays bounded");
        }
        assert_eq!(found.len(), 1);
        let error = found.remove(0).unwrap_err();
        assert_eq!(error.kind, FrameErrorKind::Long { limit: 36 });
        assert_eq!(error.bytes, [0x55; 40]);
        decoder.push(&encode(&[0x02]));
        assert_eq!(all(&mut decoder), vec![Ok(vec![0x02])]);
    }

    #[test]
    fn a_finished_frame_with_too_long_a_payload_is_an_error() {
        let mut decoder = Decoder::with_longest(4);
        decoder.push(&encode(&[1, 2, 3, 4, 5]));
        assert!(matches!(
            decoder.next_frame(),
            Some(Err(FrameError {
                kind: FrameErrorKind::Long { limit: 4 },
                ..
            }))
        ));
        decoder.push(&encode(&[1, 2, 3, 4]));
        assert_eq!(decoder.next_frame(), Some(Ok(vec![1, 2, 3, 4])));
    }

    proptest! {
        #[test]
        fn any_payloads_survive_any_split(
            payloads in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..80), 1..6),
            size in 1usize..20,
        ) {
            let stream: Vec<u8> = payloads.iter().flat_map(|payload| encode(payload)).collect();
            let mut decoder = Decoder::default();
            let mut found = vec![];
            for piece in stream.chunks(size) {
                decoder.push(piece);
                found.extend(all(&mut decoder));
            }
            prop_assert_eq!(found, payloads.into_iter().map(Ok).collect::<Vec<_>>());
            prop_assert!(decoder.unread().is_empty());
        }

        #[test]
        fn the_split_never_changes_what_is_found_in_noise(
            noise in prop::collection::vec(prop_oneof![Just(FLAG), Just(ESCAPE), any::<u8>()], 0..300),
            size in 1usize..20,
        ) {
            // The noise stays below the length limit, because where the decoder gives up on a long frame depends on
            // the split.
            let whole = decode(&noise);
            let mut decoder = Decoder::default();
            let mut found = vec![];
            for piece in noise.chunks(size) {
                decoder.push(piece);
                found.extend(all(&mut decoder));
            }
            prop_assert_eq!(found, whole);
        }

        #[test]
        fn one_flipped_bit_never_gives_the_payload_back(
            payload in prop::collection::vec(any::<u8>(), 1..60),
            place: prop::sample::Index,
            bit in 0u8..8,
        ) {
            let mut frame = encode(&payload);
            let inside = frame.len() - 2;
            frame[1 + place.index(inside)] ^= 1 << bit;
            prop_assert!(!decode(&frame).contains(&Ok(payload)));
        }
    }
}
