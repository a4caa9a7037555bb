//! Limits for images, archives and folders, each with its reason.

use std::path::Path;
use std::string::ToString;

use super::error::SourceError;

/// The largest image: the size field of a CWE header has 32 bits and doesn't count the header's own 400 bytes
/// (images.md §1).
pub(crate) const IMAGE: u64 = 400 + u32::MAX as u64;
/// The most bytes of all images in one archive. The largest known image has 89 MB (images.md §7), and a bundle with
/// all carriers of a model stays below 1 GiB.
const TOTAL: u64 = 8 << 30;
/// An entry above both limits is made to fill disks. Firmware is already compressed or encrypted and packs at most
/// 10:1; a test image of zeros packs 1000:1, but is small.
const BOMB_SIZE: u64 = 256 << 20;
const BOMB_RATIO: u64 = 200;
/// The most files in one archive; a firmware archive has a handful, and an installer with drivers a few hundred. The
/// list of a zip archive is held in memory, with about 800 bytes per file.
pub(crate) const ARCHIVE_FILES: usize = 2048;
/// The most images of one run. A check keeps a few KiB for each, and a bundle with all carriers of all models has a
/// hundred.
const IMAGES: usize = 512;
/// The longest list of files of a zip archive: 256 bytes for each of as many files as allowed.
pub(crate) const ZIP_DIRECTORY: u64 = 512 << 10;
/// The longest list of files of a 7z archive, packed and unpacked. Less than for zip, because the entries are
/// shorter.
pub(crate) const SEVEN_ZIP_DIRECTORY: u64 = 256 << 10;
/// The most memory that a 7z archive may need: 7-Zip's "ultra" takes 64 MiB, its largest setting on 64-bit computers
/// 1536 MiB.
pub(crate) const DICTIONARY: u64 = 512 << 20;
/// The most files in one folder and its sub-folders.
pub(crate) const FOLDER_FILES: usize = 4096;
/// How many levels of folders are searched; vendors' archives unpack to one or two.
pub(crate) const FOLDER_DEPTH: usize = 3;

/// Refuses an entry that is larger than an image can be, or that is a decompression bomb.
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

/// Refuses an archive whose entries are together larger than firmware ever is.
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

/// Refuses more images than one run checks.
pub(crate) fn check_images(path: &Path, count: usize) -> Result<(), SourceError> {
    if count > IMAGES {
        return Err(SourceError::TooManyImages {
            path: path.to_path_buf(),
            limit: IMAGES,
        });
    }
    Ok(())
}
