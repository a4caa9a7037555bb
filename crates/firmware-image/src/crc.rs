//! The checksum of CWE images: CRC-32 with the reflected polynomial 0xEDB88320, start value 0xFFFFFFFF and no
//! final inversion ("CRC-32/JAMCRC"), the complement of zlib's CRC-32 (cwe.md §3).

/// The checksum of 256 zero bytes; practically every image has it at offset 0x100 (cwe.md vector 1).
pub const OF_ZERO_BUFFER: u32 = 0xF269_7AA7;

/// The checksum of a stretch of bytes together with its length, so that stretches can be joined.
///
/// Joining computes the checksum of the whole from those of the parts. So every byte of a nested image is summed only
/// once, no matter how many images contain it.
#[derive(Clone, Debug, Default)]
pub struct Sum(crc32fast::Hasher);

impl Sum {
    /// The sum of no bytes.
    pub fn new() -> Self {
        Self::default()
    }

    /// The sum of `bytes`.
    pub fn of(bytes: &[u8]) -> Self {
        let mut sum = Self::new();
        sum.update(bytes);
        sum
    }

    /// Adds bytes at the end.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// Adds bytes at the end, given by their sum.
    pub fn append(&mut self, following: &Self) {
        if self.length() == 0 {
            self.0 = following.0.clone();
        } else if following.length() != 0 {
            self.0.combine(&following.0);
        }
    }

    /// How many bytes were summed.
    pub fn length(&self) -> u64 {
        self.0.total_len()
    }

    /// The checksum as CWE headers state it.
    pub fn value(&self) -> u32 {
        !self.0.clone().finalize()
    }
}

/// The checksum of `bytes` as CWE headers state it.
pub fn checksum(bytes: &[u8]) -> u32 {
    Sum::of(bytes).value()
}

#[cfg(test)]
mod tests {
    use super::{OF_ZERO_BUFFER, Sum, checksum};
    use alloc::vec::Vec;
    use proptest::prelude::*;

    /// cwe.md vector 1.
    #[test]
    fn known_byte_strings_have_their_published_checksums() {
        assert_eq!(checksum(&[0; 256]), OF_ZERO_BUFFER);
        assert_eq!(checksum(&[0; 16]), 0x1344_B4AA);
        assert_eq!(checksum(b"123456789"), 0x340B_C6D9);
        assert_eq!(checksum(&[0x1A, 0x2B, 0x3C, 0x4D, 0x5E]), 0x80CB_FEB1);
        assert_eq!(checksum(&[]), 0xFFFF_FFFF);
    }

    proptest! {
        #[test]
        fn joined_parts_have_the_checksum_of_the_whole(parts: Vec<Vec<u8>>) {
            let mut joined = Sum::new();
            for part in &parts {
                joined.append(&Sum::of(part));
            }
            let whole = parts.concat();
            prop_assert_eq!(joined.value(), checksum(&whole));
            prop_assert_eq!(joined.length(), whole.len() as u64);
        }
    }
}
