//! Sums each byte once and uses the sum twice: for its block in the fingerprint, and for the image that contains it.

use crate::{
    crc::Sum,
    fingerprint::{BLOCK_SIZE, Fingerprint},
};
use alloc::vec::Vec;

#[derive(Debug, Default)]
pub(crate) struct Blocks {
    finished: Vec<u32>,
    current: Sum,
    total: u64,
}

impl Blocks {
    /// Sums the next bytes of the file once, and adds them to `image` as well.
    pub(crate) fn absorb(&mut self, mut bytes: &[u8], image: &mut Sum) {
        while !bytes.is_empty() {
            let filled = usize::try_from(self.current.length()).unwrap_or(BLOCK_SIZE);
            let room = BLOCK_SIZE.saturating_sub(filled).min(bytes.len());
            let (piece, rest) = bytes.split_at_checked(room).unwrap_or((bytes, &[]));
            let sum = Sum::of(piece);
            image.append(&sum);
            self.current.append(&sum);
            self.total = self.total.saturating_add(sum.length());
            if self.current.length() >= BLOCK_SIZE as u64 {
                self.finished.push(self.current.value());
                self.current = Sum::new();
            }
            bytes = rest;
        }
    }

    pub(crate) const fn total(&self) -> u64 {
        self.total
    }

    pub(crate) fn finish(mut self) -> Fingerprint {
        if self.current.length() > 0 {
            self.finished.push(self.current.value());
        }
        Fingerprint {
            blocks: self.finished,
            size: self.total,
        }
    }
}
