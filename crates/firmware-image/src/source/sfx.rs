//! Finds the archive inside a self-extracting program, or recognises which kind of installer the program is.
//!
//! Vendors ship firmware as a Windows program: a small unpacker, followed by a 7z or zip archive. A zip archive is
//! found by its end (`zip` reads it from there). A 7z archive is found by its six-byte signature. The unpacker's own
//! code contains the signature too, so only a signature whose start header has the right CRC counts.

use std::fmt;
use std::io::{self, Read};
use std::vec;

use super::fields::{u16_at, u32_at};

/// The signature at the start of a 7z archive. The start header has 32 bytes: this signature, the version (2 bytes),
/// the CRC-32 of the 20 bytes that follow, and these 20 bytes: offset (8), size (8) and CRC (4) of the list of files.
/// All numbers are little endian (7-Zip's 7zFormat.txt).
const SEVEN_ZIP: &[u8] = b"7z\xBC\xAF\x27\x1C";
const SEVEN_ZIP_HEADER: usize = 32;
/// The mark in the first header of an NSIS installer, 4 bytes after its start (NSIS Source/exehead/fileform.h).
const NSIS: &[u8] = b"\xEF\xBE\xAD\xDENullsoftInst";
/// Names in the resources of other common installers.
const INSTALL_SHIELD: &[u8] = b"InstallShield";
const INNO: &[u8] = b"Inno Setup Setup Data";
const MSI: &[u8] = b"\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1";

/// The mark of a RAR archive (unrar, archive.hpp and the technical notes of RAR 5). Unpackers contain the mark too, so
/// only a mark counts that a header with the right sum follows.
const RAR: &[u8] = b"Rar!\x1a\x07";
/// The longest first header of a RAR archive that is looked for; RAR writes less than 64 bytes.
const RAR_HEADER: usize = 96;

/// At least the length of the longest mark or header above. One byte less than this is carried over from one block to
/// the next.
const OVERLAP: usize = 128;
const BLOCK: usize = 64 * 1024;

/// Which program made an installer that can't be opened here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Installer {
    /// Nullsoft Scriptable Install System.
    Nsis,
    /// InstallShield.
    InstallShield,
    /// Inno Setup.
    InnoSetup,
    /// A Windows Installer package inside a program.
    Msi,
    /// A RAR archive inside a program.
    Rar,
    /// No known mark.
    #[default]
    Other,
}

impl fmt::Display for Installer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Nsis => "an NSIS installer",
            Self::InstallShield => "an InstallShield installer",
            Self::InnoSetup => "an Inno Setup installer",
            Self::Msi => "a program around a Windows Installer package",
            Self::Rar => "a self-extracting RAR archive",
            Self::Other => "a program",
        })
    }
}

/// What a search of a program found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Found {
    /// Where a 7z archive begins, in bytes from the start of the program.
    pub seven_zip: Option<u64>,
    /// Where a RAR archive begins.
    pub rar: Option<u64>,
    /// The first installer mark that was seen.
    pub installer: Installer,
}

/// Reads a program of `size` bytes until a 7z or RAR archive is found or the program ends. Needs 64 KiB of memory for any
/// size.
///
/// A signature counts when its start header's CRC is right and the list of files it points to lies within `size`.
///
/// # Errors
/// Only errors that reading `program` returned. No content of the program is an error.
pub fn find(mut program: impl Read, size: u64) -> io::Result<Found> {
    let mut buffer = vec![0_u8; BLOCK + OVERLAP];
    let mut filled = 0_usize;
    let mut buffer_start = 0_u64;
    let mut found = Found::default();
    loop {
        let read = fill(&mut program, buffer.get_mut(filled..).unwrap_or_default())?;
        let is_end = read == 0;
        filled = filled.saturating_add(read);
        let bytes = buffer.get(..filled).unwrap_or_default();
        // A mark that begins in the last bytes may be incomplete, so search there again together with the next block.
        let searched = if is_end {
            bytes.len()
        } else {
            bytes.len().saturating_sub(OVERLAP - 1)
        };
        let at = |offset: usize| buffer_start.saturating_add(u64::try_from(offset).unwrap_or(u64::MAX));
        let rest = |offset: usize| bytes.get(offset..).unwrap_or_default();
        let seven_zip = positions(bytes, searched, SEVEN_ZIP)
            .find(|offset| is_start_header(rest(*offset), size.saturating_sub(at(*offset))));
        let rar = positions(bytes, searched, RAR).find(|offset| is_rar(rest(*offset)));
        if seven_zip.is_some() || rar.is_some() {
            found.seven_zip = seven_zip.map(at);
            found.rar = rar.map(at);
            if rar.is_some() && seven_zip.is_none_or(|seven_zip| rar < Some(seven_zip)) {
                found.installer = Installer::Rar;
            }
            return Ok(found);
        }
        if found.installer == Installer::Other {
            let marks = [
                (NSIS, Installer::Nsis),
                (INNO, Installer::InnoSetup),
                (INSTALL_SHIELD, Installer::InstallShield),
                (MSI, Installer::Msi),
            ];
            if let Some((_, installer)) = marks
                .iter()
                .find(|(mark, _)| positions(bytes, searched, mark).next().is_some())
            {
                found.installer = *installer;
            }
        }
        if is_end {
            return Ok(found);
        }
        buffer.copy_within(searched..filled, 0);
        filled = filled.saturating_sub(searched);
        buffer_start = buffer_start.saturating_add(u64::try_from(searched).unwrap_or(u64::MAX));
    }
}

/// Reads until the buffer is full or the reader ends.
fn fill(reader: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0_usize;
    while let Some(rest) = buffer.get_mut(filled..) {
        if rest.is_empty() {
            break;
        }
        match reader.read(rest) {
            Ok(0) => break,
            Ok(n) => filled = filled.saturating_add(n),
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    Ok(filled)
}

/// Where `mark` begins in `bytes`, among the first `searched` offsets.
fn positions<'a>(bytes: &'a [u8], searched: usize, mark: &'a [u8]) -> impl Iterator<Item = usize> + 'a {
    let first = mark.first().copied().unwrap_or_default();
    let places = bytes.get(..searched).unwrap_or(bytes);
    places
        .iter()
        .enumerate()
        .filter(move |(_, b)| **b == first)
        .map(|(place, _)| place)
        .filter(move |place| bytes.get(*place..).is_some_and(|rest| rest.starts_with(mark)))
}

/// Whether `bytes` begin with a 7z start header whose CRC is right and whose list of files ends within `available` bytes.
fn is_start_header(bytes: &[u8], available: u64) -> bool {
    let Some(header) = bytes.get(..SEVEN_ZIP_HEADER) else {
        return false;
    };
    let (Some(sum), Some(body)) = (header.get(8..12), header.get(12..32)) else {
        return false;
    };
    let number = |range: std::ops::Range<usize>| {
        body.get(range)
            .and_then(|b| b.try_into().ok())
            .map(u64::from_le_bytes)
    };
    let (Some(offset), Some(size)) = (number(0..8), number(8..16)) else {
        return false;
    };
    let end = u64::try_from(SEVEN_ZIP_HEADER)
        .unwrap_or(u64::MAX)
        .checked_add(offset)
        .and_then(|o| o.checked_add(size));
    crc32fast::hash(body).to_le_bytes() == *sum && size > 0 && end.is_some_and(|end| end <= available)
}

/// Whether `bytes` begin with the mark of a RAR archive and a first header whose sum is right.
fn is_rar(bytes: &[u8]) -> bool {
    match bytes.get(RAR.len()..) {
        Some([0, header @ ..]) => is_rar_4(header).unwrap_or(false),
        Some([1, 0, header @ ..]) => is_rar_5(header).unwrap_or(false),
        _ => false,
    }
}

/// RAR 1.5 to 4: sum (2 bytes, the low half of a CRC-32), type 0x73, flags (2), size of the header (2).
fn is_rar_4(header: &[u8]) -> Option<bool> {
    let size = usize::from(u16_at(header, 5)?);
    let summed = header.get(2..size).filter(|_| size <= RAR_HEADER)?;
    let sum = crc32fast::hash(summed) & 0xFFFF;
    Some(*header.get(2)? == 0x73 && sum == u32::from(u16_at(header, 0)?))
}

/// RAR 5: sum (4 bytes), size of what follows and type, both in groups of 7 bits, the lowest first. Type 1 is the
/// archive's header, type 4 that of an encrypted archive.
fn is_rar_5(header: &[u8]) -> Option<bool> {
    let sum = u32_at(header, 0)?;
    // A header of less than 128 bytes: its size takes one byte.
    let size = usize::from(*header.get(4)?);
    let end = size
        .checked_add(5)
        .filter(|end| size < 128 && *end <= RAR_HEADER)?;
    let is_first = matches!(header.get(5)?, 1 | 4);
    Some(is_first && crc32fast::hash(header.get(4..end)?) == sum)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::vec::Vec;

    fn start_header(offset: u64, size: u64) -> Vec<u8> {
        let mut body = offset.to_le_bytes().to_vec();
        body.extend(size.to_le_bytes());
        body.extend([1, 2, 3, 4]);
        let mut header = SEVEN_ZIP.to_vec();
        header.extend([0, 4]);
        header.extend(crc32fast::hash(&body).to_le_bytes());
        header.extend(body);
        header
    }

    fn program(before: usize, header: &[u8], after: usize) -> Vec<u8> {
        let mut bytes = b"MZ".to_vec();
        bytes.resize(before, 0x37);
        bytes.extend(header);
        bytes.resize(bytes.len() + after, 0);
        bytes
    }

    fn find_in(bytes: &[u8]) -> Found {
        find(bytes, bytes.len() as u64).unwrap()
    }

    #[test]
    fn the_archive_is_found_wherever_it_lies_across_block_edges() {
        for before in [
            2,
            100,
            BLOCK - 40,
            BLOCK - 3,
            BLOCK,
            BLOCK + 1,
            BLOCK + 31,
            BLOCK + 32,
            2 * BLOCK - 7,
            200_000,
        ] {
            let bytes = program(before, &start_header(10, 20), 30);
            assert_eq!(find_in(&bytes).seven_zip, Some(before as u64), "at {before}");
        }
    }

    #[test]
    fn a_signature_in_the_unpackers_code_is_passed_over() {
        let mut decoy = start_header(0, 1);
        decoy[9] ^= 1;
        let mut bytes = program(50, &decoy, 0);
        bytes.extend(SEVEN_ZIP);
        let real = bytes.len() as u64;
        bytes.extend(start_header(0, 8));
        bytes.extend([0; 8]);
        assert_eq!(find_in(&bytes).seven_zip, Some(real));
    }

    #[test]
    fn a_header_that_points_outside_the_file_is_no_archive() {
        assert_eq!(find_in(&program(50, &start_header(10, 21), 30)).seven_zip, None);
        assert_eq!(
            find_in(&program(50, &start_header(u64::MAX, u64::MAX), 30)).seven_zip,
            None
        );
        assert_eq!(find_in(&program(50, &start_header(0, 0), 30)).seven_zip, None);
    }

    #[test]
    fn installers_are_told_apart() {
        assert_eq!(find_in(&program(50, NSIS, 10)).installer, Installer::Nsis);
        assert_eq!(
            find_in(&program(BLOCK - 4, INNO, 0)).installer,
            Installer::InnoSetup
        );
        assert_eq!(
            find_in(&program(50, INSTALL_SHIELD, 10)).installer,
            Installer::InstallShield
        );
        assert_eq!(find_in(&program(50, b"", 10)), Found::default());
    }

    /// The first bytes of archives that RAR 4.20 and 6.02 wrote.
    const RAR_4: &[u8] = b"Rar!\x1a\x07\x00\xcf\x90\x73\x00\x00\x0d\x00\x00\x00\x00\x00\x00\x00";
    const RAR_5: &[u8] = b"Rar!\x1a\x07\x01\x00\x33\x92\xb5\xe5\x0a\x01\x05\x06\x00\x05\x01\x01\x80\x80\x00";

    #[test]
    fn a_rar_archive_is_found_by_its_first_header_and_not_by_its_mark() {
        for (name, rar) in [("4", RAR_4), ("5", RAR_5)] {
            for before in [50, BLOCK - 3, BLOCK, BLOCK + 60, 200_000] {
                let mut bytes = program(before, b"Rar!\x1a\x07\x01\x00 code", 0);
                bytes.extend(INSTALL_SHIELD);
                let at = bytes.len() as u64;
                bytes.extend(rar);
                bytes.extend([0; 300]);
                let found = find_in(&bytes);
                assert_eq!(
                    (found.rar, found.installer),
                    (Some(at), Installer::Rar),
                    "{name} {before}"
                );
            }
            let mut damaged = rar.to_vec();
            damaged[9] ^= 1;
            assert_eq!(find_in(&program(50, &damaged, 100)), Found::default(), "{name}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_searched_without_panic(bytes: Vec<u8>, size: u64) {
            prop_assert_eq!(find(&bytes[..], size).unwrap().seven_zip, None);
        }

        #[test]
        fn a_damaged_start_header_is_never_taken(place in 0_usize..32, flip in 1_u8..) {
            let mut header = start_header(0, 8);
            header[place] ^= flip;
            let bytes = program(40, &header, 8);
            // The CRC doesn't cover the version bytes.
            prop_assert_eq!(find_in(&bytes).seven_zip.is_some(), place == 6 || place == 7);
        }
    }
}
