//! Checks the limits of a 7z archive before a decoder is started.
//!
//! The list of files of a 7z archive is usually packed itself, and the decoder would allocate as much memory as the
//! archive asks for. So the few bytes that say how the list is packed are read here first (7-Zip's 7zFormat.txt).

use std::string::ToString;

use super::error::SourceError;
use super::limits;
use super::shared::SharedFile;

const ENCODED_HEADER: u8 = 0x17;
const PACK_INFO: u8 = 0x06;
const UNPACK_INFO: u8 = 0x07;
const SIZE: u8 = 0x09;
const CRC: u8 = 0x0A;
const FOLDER: u8 = 0x0B;
const UNPACK_SIZE: u8 = 0x0C;
const LZMA: &[u8] = &[3, 1, 1];
const LZMA2: &[u8] = &[0x21];
const AES: &[u8] = &[6, 0xF1, 7, 1];

/// Checks the archive that begins at offset `start` of `file`: its start header, the size of its list of files, and
/// the memory that unpacking the list needs.
pub(crate) fn check(file: &SharedFile, start: u64) -> Result<(), SourceError> {
    let path = || file.path().to_path_buf();
    let damaged = |what: &str| SourceError::DamagedArchive {
        path: path(),
        what: what.to_string(),
    };
    let mut head = [0_u8; 32];
    if file.head(start, &mut head)? < head.len() {
        return Err(damaged("it ends within its first 32 bytes"));
    }
    let mut fields = Fields(head.get(12..).unwrap_or_default());
    let (offset, size) = fields.u64_le().zip(fields.u64_le()).unwrap_or_default();
    let sum = head.get(8..12).unwrap_or_default();
    if crc32fast::hash(head.get(12..).unwrap_or_default()).to_le_bytes() != *sum {
        return Err(damaged("the CRC of its first 32 bytes is wrong"));
    }
    if size == 0 {
        return Err(damaged("it holds no files"));
    }
    let begin = start.checked_add(32).and_then(|s| s.checked_add(offset));
    let end = begin.and_then(|b| b.checked_add(size));
    let (Some(begin), true) = (begin, end.is_some_and(|end| end <= file.size())) else {
        return Err(damaged(
            "its list of files would be after its end; was the download interrupted?",
        ));
    };
    let too_big = || SourceError::DirectoryTooBig {
        path: path(),
        limit: limits::SEVEN_ZIP_DIRECTORY,
    };
    if size > limits::SEVEN_ZIP_DIRECTORY {
        return Err(too_big());
    }
    let mut list = std::vec![0; usize::try_from(size).map_err(|_| too_big())?];
    if file.head(begin, &mut list)? < list.len() {
        return Err(damaged("its list of files can't be read"));
    }
    let mut fields = Fields(&list);
    if fields.u8() != Some(ENCODED_HEADER) {
        return Ok(());
    }
    let packing =
        packing_of_list(&mut fields).ok_or_else(|| damaged("its list of files is not understood"))?;
    if packing.is_encrypted {
        return Err(SourceError::Encrypted {
            path: path(),
            entry: "the list of files".to_string(),
        });
    }
    if packing.unpacked > limits::SEVEN_ZIP_DIRECTORY {
        return Err(too_big());
    }
    check_dictionary(file, packing.dictionary)
}

/// An error if a dictionary of `size` bytes is larger than allowed, or larger than this computer's memory allows. In
/// the second case the decoder would abort the whole program.
pub(crate) fn check_dictionary(file: &SharedFile, size: u64) -> Result<(), SourceError> {
    let path = file.path().to_path_buf();
    if size > limits::DICTIONARY {
        return Err(SourceError::Dictionary {
            path,
            size,
            limit: limits::DICTIONARY,
        });
    }
    let is_there =
        usize::try_from(size).is_ok_and(|size| std::vec::Vec::<u8>::new().try_reserve_exact(size).is_ok());
    if is_there {
        Ok(())
    } else {
        Err(SourceError::NoMemory { path, size })
    }
}

/// The size in bytes of the dictionary that a coder with this id and these properties allocates; 0 for filters and
/// copies.
pub(crate) fn dictionary(id: &[u8], properties: &[u8]) -> u64 {
    if id == LZMA {
        let size = properties
            .get(1..5)
            .and_then(|b| b.try_into().ok())
            .map(u32::from_le_bytes);
        return size.map_or(0, u64::from);
    }
    if id == LZMA2 {
        return match properties.first() {
            Some(bits) if *bits < 40 => u64::from(2 | (bits & 1)) << (bits / 2 + 11),
            Some(_) => u64::from(u32::MAX),
            None => 0,
        };
    }
    0
}

#[derive(Debug, PartialEq, Eq)]
struct Packing {
    is_encrypted: bool,
    dictionary: u64,
    unpacked: u64,
}

/// Reads an encoded header, from the byte after its mark to the unpacked sizes. `None` for anything that 7-Zip
/// wouldn't write.
fn packing_of_list(fields: &mut Fields<'_>) -> Option<Packing> {
    fields.expect(PACK_INFO)?;
    fields.number()?;
    let streams = fields.number().filter(|n| *n <= 4)?;
    fields.expect(SIZE)?;
    for _ in 0..streams {
        fields.number()?;
    }
    match fields.u8()? {
        0 => {}
        CRC => {
            let all_defined = fields.u8()?;
            if all_defined != 1 {
                return None;
            }
            for _ in 0..streams {
                fields.take(4)?;
            }
            fields.expect(0)?;
        }
        _ => return None,
    }
    fields.expect(UNPACK_INFO)?;
    fields.expect(FOLDER)?;
    if fields.number()? != 1 {
        return None;
    }
    fields.expect(0)?;
    let coders = fields.number().filter(|n| (1..=4).contains(n))?;
    let mut packing = Packing {
        is_encrypted: false,
        dictionary: 0,
        unpacked: 0,
    };
    let (mut ins, mut outs) = (0_u64, 0_u64);
    for _ in 0..coders {
        let flags = fields.u8()?;
        let id = fields.take(usize::from(flags & 0x0F))?;
        let (coder_ins, coder_outs) = if flags & 0x10 == 0 {
            (1, 1)
        } else {
            (fields.number()?, fields.number()?)
        };
        if coder_ins > 8 || coder_outs > 8 {
            return None;
        }
        ins = ins.saturating_add(coder_ins);
        outs = outs.saturating_add(coder_outs);
        let properties = if flags & 0x20 == 0 {
            &[][..]
        } else {
            let length = usize::try_from(fields.number()?).ok()?;
            fields.take(length)?
        };
        packing.is_encrypted |= id == AES;
        packing.dictionary = packing.dictionary.saturating_add(dictionary(id, properties));
    }
    let bonds = outs.checked_sub(1)?;
    for _ in 0..bonds {
        fields.number()?;
        fields.number()?;
    }
    let packed_streams = ins.checked_sub(bonds)?;
    if packed_streams > 1 {
        for _ in 0..packed_streams {
            fields.number()?;
        }
    }
    fields.expect(UNPACK_SIZE)?;
    for _ in 0..outs {
        packing.unpacked = packing.unpacked.max(fields.number()?);
    }
    Some(packing)
}

/// A cursor over header bytes.
struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    fn u8(&mut self) -> Option<u8> {
        self.take(1)?.first().copied()
    }

    fn u64_le(&mut self) -> Option<u64> {
        self.take(8)?.try_into().ok().map(u64::from_le_bytes)
    }

    fn expect(&mut self, mark: u8) -> Option<()> {
        (self.u8()? == mark).then_some(())
    }

    /// A number of 1 to 9 bytes: the leading ones of the first byte say how many follow, little endian; the rest of the
    /// first byte is the highest part.
    fn number(&mut self) -> Option<u64> {
        let first = self.u8()?;
        let more = first.leading_ones();
        let mut value = 0_u64;
        for place in 0..more {
            value |= u64::from(self.u8()?) << (8 * place);
        }
        if more < 7 {
            let mask = 0x7F_u8 >> more;
            value |= u64::from(first & mask) << (8 * more);
        }
        Some(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::vec::Vec;

    #[test]
    fn numbers_of_every_length_are_read() {
        let number = |bytes: &[u8]| Fields(bytes).number();
        assert_eq!(number(&[0x7F]), Some(0x7F));
        assert_eq!(number(&[0x80, 0x90]), Some(0x90));
        assert_eq!(number(&[0x81, 0x02]), Some(0x102));
        assert_eq!(number(&[0xC0, 1, 2]), Some(0x201));
        assert_eq!(number(&[0xFE, 1, 2, 3, 4, 5, 6, 7]), Some(0x0007_0605_0403_0201));
        assert_eq!(
            number(&[0xFF, 1, 2, 3, 4, 5, 6, 7, 8]),
            Some(0x0807_0605_0403_0201)
        );
        assert_eq!(number(&[0xFF, 1]), None);
    }

    #[test]
    fn dictionaries_are_told_from_the_properties() {
        assert_eq!(dictionary(LZMA, &[0x5D, 0, 0, 0, 4]), 64 << 20);
        assert_eq!(dictionary(LZMA2, &[24]), 16 << 20);
        assert_eq!(dictionary(LZMA2, &[40]), u64::from(u32::MAX));
        assert_eq!(dictionary(&[0], &[]), 0);
    }

    #[test]
    fn a_packed_list_tells_its_memory_and_size() {
        // As written by 7-Zip 16.02: pack info, one LZMA coder with a 4 KiB dictionary, 110 bytes unpacked.
        let bytes = [
            6, 0x10, 1, 9, 0x5A, 0, 7, 0x0B, 1, 0, 1, 0x23, 3, 1, 1, 5, 0x5D, 0, 0x10, 0, 0, 0x0C, 0x6E, 0,
        ];
        let expected = Packing {
            is_encrypted: false,
            dictionary: 4096,
            unpacked: 110,
        };
        assert_eq!(packing_of_list(&mut Fields(&bytes)), Some(expected));
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_panic(bytes: Vec<u8>) {
            if let Some(packing) = packing_of_list(&mut Fields(&bytes)) {
                prop_assert!(bytes.len() > 10, "{packing:?}");
            }
        }
    }
}
