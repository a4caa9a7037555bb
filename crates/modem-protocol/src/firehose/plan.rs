//! How an image is cut into transfer blocks and stretches (sahara-firehose.md §5.1 and §5.2).

use alloc::vec::Vec;
use core::ops::Range;

use crate::conversation::Stretch;

/// Bytes of the zero block that follows a last block shorter than a transfer block (sahara-firehose.md §5.2).
pub const ZERO_BLOCK: u32 = 512;

/// The sizes that the modem's flash and its answers require.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Geometry {
    sector_size_bytes: u32,
    pages_per_block: u32,
    block_size_bytes: u32,
}

/// The sector size if the modem reports none (sahara-firehose.md §5.1); EM9191 reports none.
pub const DEFAULT_SECTOR_SIZE: u32 = 4096;

/// The pages in a flash block if the modem reports no number (sahara-firehose.md §5.1).
pub const DEFAULT_PAGES_PER_BLOCK: u32 = 64;

impl Geometry {
    /// The geometry for the modem's payload limit; `None` if no sector fits into the limit.
    ///
    /// The transfer block is the limit, rounded down to whole sectors, and at most [`Stretch::LARGEST`].
    pub fn new(max_payload_bytes: u64, sector_size_bytes: u32, pages_per_block: u32) -> Option<Self> {
        let limit = u32::try_from(max_payload_bytes.min(Stretch::LARGEST)).ok()?;
        let sectors = limit.checked_div(sector_size_bytes)?;
        let block_size_bytes = sectors.checked_mul(sector_size_bytes).filter(|&size| size > 0)?;
        Some(Self {
            sector_size_bytes,
            pages_per_block,
            block_size_bytes,
        })
    }

    /// Bytes in a sector.
    pub const fn sector_size_bytes(self) -> u32 {
        self.sector_size_bytes
    }

    /// Pages in a flash block.
    pub const fn pages_per_block(self) -> u32 {
        self.pages_per_block
    }

    /// Bytes in a transfer block: a multiple of the sector, at most [`Stretch::LARGEST`].
    pub const fn block_size_bytes(self) -> u32 {
        self.block_size_bytes
    }

    /// The size of a file in sectors, rounded up.
    pub fn sectors(self, size_bytes: u64) -> u64 {
        size_bytes.div_ceil(self.sector_size_bytes.into())
    }

    /// How many zero bytes follow a file: up to the end of its last sector, and the zero block if the last transfer
    /// block is short.
    pub fn padding(self, size_bytes: u64) -> u32 {
        let past = |unit: u32| u32::try_from(size_bytes % u64::from(unit)).unwrap_or(0);
        let to_sector = match past(self.sector_size_bytes) {
            0 => 0,
            past => self.sector_size_bytes - past,
        };
        let zero_block = if past(self.block_size_bytes) == 0 {
            0
        } else {
            ZERO_BLOCK
        };
        to_sector + zero_block
    }

    /// The stretch of a file that begins at `from`, which must be the start of a transfer block: as many transfer
    /// blocks as fit into [`Stretch::LARGEST`], and the padding after the last one. `None` after the end.
    ///
    /// Many transfer blocks can be one stretch, because a tty doesn't keep the boundaries between writes.
    pub fn stretch(self, image: usize, from: u64, size_bytes: u64) -> Option<Stretch> {
        if from >= size_bytes {
            return None;
        }
        let block = u64::from(self.block_size_bytes);
        let most = Stretch::LARGEST / block * block;
        let range: Range<u64> = from..size_bytes.min(from.saturating_add(most));
        let padding = if range.end == size_bytes {
            self.padding(size_bytes)
        } else {
            0
        };
        Some(Stretch {
            image,
            header: Vec::new(),
            range,
            padding,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn em7565() -> Geometry {
        Geometry::new(8192, 4096, 64).unwrap()
    }

    fn plan(size_bytes: u64) -> (u64, u64, u32) {
        let geometry = em7565();
        (
            geometry.sectors(size_bytes),
            size_bytes.div_ceil(8192),
            geometry.padding(size_bytes),
        )
    }

    #[test]
    fn vector_12_the_genuine_image_of_80241623_bytes() {
        assert_eq!(plan(80_241_623), (19591, 9796, 4096 - 983 + 512));
        assert_eq!(em7565().sectors(80_212_820), 19584);
    }

    #[test]
    fn vector_13_an_image_of_whole_transfer_blocks_has_no_zero_block() {
        assert_eq!(plan(81920), (20, 10, 0));
    }

    #[test]
    fn vector_14_one_short_block_is_padded_to_the_sector_and_followed_by_the_zero_block() {
        assert_eq!(plan(5044), (2, 1, 8192 - 5044 + 512));
    }

    #[test]
    fn vector_15_a_last_block_of_one_whole_sector_is_followed_by_the_zero_block() {
        assert_eq!(plan(12288), (3, 2, 512));
    }

    #[test]
    fn stretches_are_whole_transfer_blocks_and_cover_the_file_once() {
        for (payload, sector) in [(8192, 4096), (1 << 20, 4096), (12288, 4096), (u64::MAX, 3 * 512)] {
            let geometry = Geometry::new(payload, sector, 64).unwrap();
            let size = 5 * Stretch::LARGEST + 4711;
            let mut from = 0;
            while let Some(stretch) = geometry.stretch(0, from, size) {
                assert_eq!(stretch.range.start, from);
                assert_eq!(from % u64::from(geometry.block_size_bytes()), 0);
                assert!(stretch.range.end - from <= Stretch::LARGEST);
                assert_eq!(stretch.padding > 0, stretch.range.end == size);
                from = stretch.range.end;
            }
            assert_eq!(from, size);
        }
    }

    #[test]
    fn a_payload_is_rounded_down_to_sectors_and_one_below_a_sector_is_no_geometry() {
        assert_eq!(Geometry::new(10_000, 4096, 64).unwrap().block_size_bytes(), 8192);
        assert_eq!(
            Geometry::new(u64::MAX, 4096, 64).unwrap().block_size_bytes(),
            1 << 20
        );
        assert_eq!(Geometry::new(4095, 4096, 64), None);
        assert_eq!(Geometry::new(0, 4096, 64), None);
        assert_eq!(Geometry::new(8192, 0, 64), None);
    }
}
