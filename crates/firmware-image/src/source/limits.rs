//! Bounds on archives, each with its reason.

use std::path::Path;
use std::string::ToString;

use super::error::SourceError;

/// The size field of a CWE header has 32 bits and does not count the header's own 400 bytes (images.md §1).
pub(crate) const IMAGE: u64 = 400 + u32::MAX as u64;
/// All images of one archive together. The largest known image has 89 MB (images.md §7); a bundle of all carriers of a
/// model stays below 1 GiB.
const TOTAL: u64 = 8 << 30;
/// Firmware is compressed or encrypted already and packs at most 10:1; a test image of zeros packs 1000:1. Above both
/// bounds together it is made to fill disks.
const BOMB_SIZE: u64 = 256 << 20;
const BOMB_RATIO: u64 = 200;
/// The list of files of a zip archive: 2 MiB are 20,000 entries; a firmware archive has a handful. The list is held in
/// memory, some 400 bytes per entry.
pub(crate) const ZIP_DIRECTORY: u64 = 2 << 20;
/// The list of files of a 7z archive, packed and unpacked: as above, with shorter entries.
pub(crate) const SEVEN_ZIP_DIRECTORY: u64 = 256 << 10;
/// The memory a 7z archive may ask for: 7-Zip's "ultra" takes 64 MiB, its largest setting on 64-bit computers 1536 MiB.
pub(crate) const DICTIONARY: u64 = 512 << 20;
/// Files looked at in one folder and its sub-folders.
pub(crate) const FOLDER_FILES: usize = 4096;
/// How deep sub-folders are looked into: vendors' archives unpack to one or two.
pub(crate) const FOLDER_DEPTH: usize = 3;

/// Refuses an entry that can't be an image or that is a bomb.
pub(crate) fn check_entry(path: &Path, entry: &str, packed: u64, unpacked: u64) -> Result<(), SourceError> {
    if unpacked > IMAGE {
        return Err(SourceError::TooBig {
            path: path.to_path_buf(),
            entry: entry.to_string(),
            size: unpacked,
            limit: IMAGE,
        });
    }
    if unpacked > BOMB_SIZE && unpacked / packed.max(1) > BOMB_RATIO {
        return Err(SourceError::Bomb {
            path: path.to_path_buf(),
            entry: entry.to_string(),
            packed,
            unpacked,
        });
    }
    Ok(())
}

/// Refuses an archive whose entries together are more than firmware ever is.
pub(crate) fn check_total(path: &Path, packed: u64, unpacked: u64) -> Result<(), SourceError> {
    if unpacked > TOTAL {
        return Err(SourceError::Bomb {
            path: path.to_path_buf(),
            entry: "the whole archive".to_string(),
            packed,
            unpacked,
        });
    }
    Ok(())
}
