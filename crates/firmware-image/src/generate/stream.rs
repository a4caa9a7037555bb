//! A generated image as a stream. Its headers are kept in memory; its content is made anew whenever it is read.

use crate::GobiType;
use alloc::{string::String, vec::Vec};

/// A stretch of a generated file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Piece {
    Bytes(Vec<u8>),
    Noise { seed: u64, size: u64 },
}

impl Piece {
    fn size(&self) -> u64 {
        match self {
            Self::Bytes(bytes) => super::length(bytes),
            Self::Noise { size, .. } => *size,
        }
    }
}

/// A generated file: its name, its size, and its bytes as a stream that can be read as often as wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Generated {
    name: String,
    pieces: Vec<Piece>,
    size: u64,
}

impl Generated {
    pub(super) fn new(name: String, pieces: Vec<Piece>) -> Self {
        let size = pieces.iter().map(Piece::size).fold(0u64, u64::saturating_add);
        Self { name, pieces, size }
    }

    /// A file with exactly these bytes; they don't have to be a valid image.
    pub fn from_bytes(name: impl Into<String>, bytes: Vec<u8>) -> Self {
        Self::new(name.into(), [Piece::Bytes(bytes)].into())
    }

    /// A Gobi file of pseudo-random bytes; such files have no header (qdl.md §5).
    pub fn gobi(kind: GobiType, seed: u64, size: u64) -> Self {
        Self::new(kind.file_name().into(), [Piece::Noise { seed, size }].into())
    }

    /// The same bytes under another name.
    #[must_use]
    pub fn named(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// The same file with more bytes at its end, such as a trailer or a surplus.
    #[must_use]
    pub fn followed_by(mut self, bytes: &[u8]) -> Self {
        self.pieces.push(Piece::Bytes(bytes.to_vec()));
        Self::new(self.name, self.pieces)
    }

    /// The file's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its bytes.
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// A stream over the file's bytes, from the beginning.
    pub const fn reader(&self) -> GeneratedReader<'_> {
        GeneratedReader {
            image: self,
            piece: 0,
            offset: 0,
        }
    }

    /// All bytes at once, for small images.
    pub fn to_vec(&self) -> Vec<u8> {
        let mut bytes = alloc::vec![0; usize::try_from(self.size).unwrap_or(0)];
        self.reader().fill(&mut bytes);
        bytes
    }
}

/// A stream over a generated file.
#[derive(Clone, Debug)]
pub struct GeneratedReader<'g> {
    image: &'g Generated,
    piece: usize,
    /// Offset inside the present piece.
    offset: u64,
}

impl GeneratedReader<'_> {
    /// Fills the buffer and returns how many bytes were written; fewer than the buffer holds only at the end.
    pub fn fill(&mut self, mut buffer: &mut [u8]) -> usize {
        let wanted = buffer.len();
        while !buffer.is_empty() {
            let Some(piece) = self.image.pieces.get(self.piece) else {
                break;
            };
            let left = piece.size().saturating_sub(self.offset);
            let count = usize::try_from(left).unwrap_or(usize::MAX).min(buffer.len());
            let Some((target, rest)) = core::mem::take(&mut buffer).split_at_mut_checked(count) else {
                break;
            };
            match piece {
                Piece::Bytes(bytes) => {
                    let start = usize::try_from(self.offset).unwrap_or(usize::MAX);
                    for (place, byte) in target.iter_mut().zip(bytes.iter().skip(start)) {
                        *place = *byte;
                    }
                }
                Piece::Noise { seed, .. } => noise(*seed, self.offset, target),
            }
            self.offset = self.offset.saturating_add(u64::try_from(count).unwrap_or(0));
            if self.offset >= piece.size() {
                self.piece += 1;
                self.offset = 0;
            }
            buffer = rest;
        }
        wanted - buffer.len()
    }
}

/// The pseudo-random word at a place: splitmix64 of seed and place, so that any part can be made without the parts
/// before.
const fn word(seed: u64, place: u64) -> u64 {
    let mut z = seed.wrapping_add(place.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15));
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// Fills `target` with the pseudo-random bytes that begin at `offset`.
fn noise(seed: u64, offset: u64, target: &mut [u8]) {
    let skip = usize::try_from(offset % 8).unwrap_or(0);
    let mut place = offset / 8;
    let first = (8 - skip).min(target.len());
    let (head, body) = target.split_at_mut_checked(first).unwrap_or((&mut [], &mut []));
    for (byte, value) in head
        .iter_mut()
        .zip(word(seed, place).to_le_bytes().into_iter().skip(skip))
    {
        *byte = value;
    }
    for chunk in body.chunks_mut(8) {
        place = place.wrapping_add(1);
        let bytes = word(seed, place).to_le_bytes();
        for (byte, value) in chunk.iter_mut().zip(bytes) {
            *byte = value;
        }
    }
}

/// Calls `take` with all pseudo-random bytes, piece by piece.
pub(super) fn each_noise(seed: u64, size: u64, mut take: impl FnMut(&[u8])) {
    let mut buffer = [0; 4096];
    let mut offset = 0;
    while offset < size {
        let count = usize::try_from(size - offset)
            .unwrap_or(usize::MAX)
            .min(buffer.len());
        let Some(part) = buffer.get_mut(..count) else {
            return;
        };
        noise(seed, offset, part);
        take(part);
        offset = offset.saturating_add(u64::try_from(count).unwrap_or(u64::MAX));
    }
}

#[cfg(feature = "std")]
impl std::io::Read for GeneratedReader<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        Ok(self.fill(buffer))
    }
}

#[cfg(feature = "std")]
impl crate::source::ImageSource for Generated {
    fn name(&self) -> &str {
        &self.name
    }

    fn size(&self) -> u64 {
        self.size
    }

    fn open(&self) -> std::io::Result<std::boxed::Box<dyn std::io::Read + Send + '_>> {
        Ok(std::boxed::Box::new(self.reader()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_part_of_the_noise_is_the_same_as_in_the_whole() {
        let mut whole = [0; 100];
        noise(7, 0, &mut whole);
        for start in 0..40 {
            for size in [0, 1, 5, 8, 23] {
                let mut part = alloc::vec![0; size];
                noise(7, start as u64, &mut part);
                assert_eq!(part, whole[start..start + size], "{size} bytes from {start}");
            }
        }
    }
}
