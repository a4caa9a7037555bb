//! The checksums of a file's blocks. They are made while the file is checked and compared while it is sent. If the
//! file changes in between, or the user pulls the USB stick, flashing stops before a wrong byte goes out.

use alloc::vec::Vec;

/// Bytes of a block; the last one may be shorter.
pub const BLOCK_SIZE: usize = 64 * 1024;

/// The checksum of every block of 64 KiB of a file: 4 bytes per block, 6.4 kB for 100 MB.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fingerprint {
    pub(crate) blocks: Vec<u32>,
    pub(crate) size: u64,
}

impl Fingerprint {
    /// Bytes of the file.
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// How many blocks there are.
    pub fn block_count(&self) -> usize {
        self.blocks.len()
    }

    /// The checksum (JAMCRC) of block `index`, which begins at `index` × [`BLOCK_SIZE`].
    pub fn block(&self, index: usize) -> Option<u32> {
        self.blocks.get(index).copied()
    }

    /// How many bytes block `index` has; 0 after the end.
    pub fn block_length(&self, index: usize) -> usize {
        let start = u64::try_from(index)
            .unwrap_or(u64::MAX)
            .saturating_mul(BLOCK_SIZE as u64);
        let rest = self.size.saturating_sub(start);
        usize::try_from(rest).unwrap_or(usize::MAX).min(BLOCK_SIZE)
    }

    /// A checksum (JAMCRC) over the block checksums. The same bytes always give the same number.
    pub fn sum(&self) -> u32 {
        let mut sum = crate::crc::Sum::new();
        for block in &self.blocks {
            sum.update(&block.to_be_bytes());
        }
        sum.value()
    }

    /// Whether `bytes` are the bytes of block `index`.
    pub fn matches(&self, index: usize, bytes: &[u8]) -> bool {
        bytes.len() == self.block_length(index) && self.block(index) == Some(crate::crc::checksum(bytes))
    }
}

#[cfg(feature = "serde")]
impl serde::Serialize for Fingerprint {
    /// Serialises as one number: [`Fingerprint::sum`].
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u32(self.sum())
    }
}
