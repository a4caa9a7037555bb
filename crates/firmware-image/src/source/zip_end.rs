//! Finds the end of a zip archive and the list of files before it (APPNOTE 4.3.14 to 4.3.16).
//!
//! Programs look for the end in different ways, and a made-up archive can show each of them another list. So this
//! accepts only an archive whose end, list and stated places agree. Bytes before the archive (a self-extracting program)
//! and after it (its signature) are fine.

use std::string::ToString;
use std::vec::Vec;

use super::error::SourceError;
use super::fields::{u16_at, u32_at, u64_at};
use super::limits;
use super::shared::SharedFile;

/// The mark of an entry in the list.
pub(crate) const ENTRY: &[u8] = b"PK\x01\x02";
const END: &[u8] = b"PK\x05\x06";
const END_SIZE: usize = 22;
const LOCATOR: &[u8] = b"PK\x06\x07";
const LOCATOR_SIZE: u64 = 20;
const END_64: &[u8] = b"PK\x06\x06";
/// The longest comment after the end, and a little more for other bytes after it.
const COMMENT: usize = 1 << 16;

/// The part of a file in which an archive lies; the offsets of this module count from its start.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Part<'a> {
    pub(crate) file: &'a SharedFile,
    pub(crate) start: u64,
    pub(crate) size: u64,
}

impl Part<'_> {
    /// Reads from `offset` on, up to the end of the part; gives the bytes that were read.
    pub(crate) fn read<'b>(&self, offset: u64, buffer: &'b mut [u8]) -> Result<&'b [u8], SourceError> {
        let left = usize::try_from(self.size.saturating_sub(offset)).unwrap_or(usize::MAX);
        let wanted = left.min(buffer.len());
        let target = buffer.get_mut(..wanted).unwrap_or_default();
        let read = self.file.head(self.start.saturating_add(offset), target)?;
        Ok(target.get(..read).unwrap_or_default())
    }

    pub(crate) fn damaged(&self, what: &str) -> SourceError {
        SourceError::DamagedArchive {
            path: self.file.path().to_path_buf(),
            what: what.to_string(),
        }
    }

    pub(crate) fn unclear(&self, what: impl Into<std::string::String>) -> SourceError {
        SourceError::Unclear {
            path: self.file.path().to_path_buf(),
            what: what.into(),
        }
    }
}

/// Where the list of files is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct End {
    /// Where the archive begins: the offsets in its list count from there.
    pub(crate) archive: u64,
    /// Where the list begins.
    pub(crate) list: u64,
    /// Where the list ends.
    pub(crate) list_end: u64,
    /// How many entries the list has.
    pub(crate) count: u64,
}

/// Finds the end and checks that the list is where the end says. `None` if the part has no end of a zip archive.
///
/// # Errors
/// There is an end, but it doesn't belong to an archive, or it isn't clear which of several ends counts.
pub(crate) fn find(part: Part<'_>) -> Result<Option<End>, SourceError> {
    let reach = u64::try_from(END_SIZE + COMMENT).unwrap_or(u64::MAX);
    let tail_start = part.size.saturating_sub(reach);
    let mut buffer = std::vec![0; END_SIZE + COMMENT];
    let tail = part.read(tail_start, &mut buffer)?;
    // From the last one to the first one: almost every program takes the last one.
    let places = (0..tail.len().saturating_sub(END_SIZE - 1)).rev();
    let mut ends = places.filter(|place| tail.get(*place..).is_some_and(|rest| rest.starts_with(END)));
    let Some(last) = ends.next() else { return Ok(None) };
    let read = |place: usize| {
        let at = tail_start.saturating_add(u64::try_from(place).unwrap_or(u64::MAX));
        End::read(part, at, tail.get(place..).unwrap_or_default())
    };
    let end = read(last)?;
    // The last end may lie in the comment of an earlier one, which some programs prefer.
    let reaches_the_end = |place: &usize| {
        let comment = tail.get(*place..).and_then(|rest| u16_at(rest, 20)).unwrap_or(0);
        place
            .saturating_add(END_SIZE)
            .saturating_add(usize::from(comment))
            == tail.len()
    };
    if ends.filter(reaches_the_end).any(|place| read(place).is_ok()) {
        return Err(part.unclear("it has two lists of files"));
    }
    Ok(Some(end))
}

impl End {
    fn read(part: Part<'_>, at: u64, bytes: &[u8]) -> Result<Self, SourceError> {
        let cut = || part.damaged("its end is cut off; was the download interrupted?");
        let elsewhere = || part.damaged("its list of files isn't where its end says");
        let short = |offset| u16_at(bytes, offset).map(u64::from);
        let long = |offset| u32_at(bytes, offset).map(u64::from);
        let (Some(disk), Some(list_disk), Some(here), Some(count)) =
            (short(4), short(6), short(8), short(10))
        else {
            return Err(cut());
        };
        let (Some(size), Some(offset), Some(comment)) = (long(12), long(16), short(20)) else {
            return Err(cut());
        };
        if comment > part.size.saturating_sub(at).saturating_sub(END_SIZE as u64) {
            return Err(cut());
        }
        let stated = Stated {
            disk,
            list_disk,
            here,
            count,
            size,
            offset,
        };
        let (stated, list_end) = stated.or_64(part, at)?;
        if stated.disk != 0 || stated.list_disk != 0 || stated.here != stated.count {
            return Err(part.damaged("it is split into several files"));
        }
        let list = list_end.checked_sub(stated.size).ok_or_else(elsewhere)?;
        let archive = list.checked_sub(stated.offset).ok_or_else(elsewhere)?;
        let mut mark = [0; 4];
        if stated.count > 0 && part.read(list, &mut mark)? != ENTRY {
            return Err(elsewhere());
        }
        Ok(Self {
            archive,
            list,
            list_end,
            count: stated.count,
        })
    }
}

/// What an end states. The names follow APPNOTE 4.3.16.
#[derive(Clone, Copy)]
struct Stated {
    disk: u64,
    list_disk: u64,
    here: u64,
    count: u64,
    size: u64,
    offset: u64,
}

impl Stated {
    /// What counts, and where the list ends. The numbers of the end at `at` may be too small for the archive; then
    /// there are longer ones before it (zip64).
    fn or_64(self, part: Part<'_>, at: u64) -> Result<(Self, u64), SourceError> {
        let Some(locator_at) = at.checked_sub(LOCATOR_SIZE) else {
            return Ok((self, at));
        };
        let mut buffer = [0; 20];
        let locator = part.read(locator_at, &mut buffer)?;
        if !locator.starts_with(LOCATOR) {
            return Ok((self, at));
        }
        let wrong = || part.damaged("its two ends don't agree");
        let (Some(disk), Some(stated_at), Some(disks)) =
            (u32_at(locator, 4), u64_at(locator, 8), u32_at(locator, 16))
        else {
            return Err(wrong());
        };
        // Only the record knows its length, so look for it where it is without extensions, then where it is said to be.
        let usual = locator_at.checked_sub(56);
        let mut found = None;
        for place in [usual, Some(stated_at)].into_iter().flatten() {
            let mut record = std::vec![0; 56];
            let read = part.read(place, &mut record)?.len();
            record.truncate(read);
            let size = u64_at(&record, 4).and_then(|size| size.checked_add(12));
            let is_it = record.starts_with(END_64)
                && size.and_then(|size| size.checked_add(place)) == Some(locator_at);
            if is_it {
                found = Some((place, record));
                break;
            }
        }
        let Some((place, record)) = found else {
            return Err(wrong());
        };
        let stated = Self::of_64(&record).ok_or_else(wrong)?;
        let agrees = |short: u64, limit: u64, long: u64| short == limit || short == long;
        let is_one = disk == 0
            && disks <= 1
            && agrees(self.disk, 0xFFFF, stated.disk)
            && agrees(self.list_disk, 0xFFFF, stated.list_disk)
            && agrees(self.here, 0xFFFF, stated.here)
            && agrees(self.count, 0xFFFF, stated.count)
            && agrees(self.size, 0xFFFF_FFFF, stated.size)
            && agrees(self.offset, 0xFFFF_FFFF, stated.offset);
        let archive = place.checked_sub(stated_at);
        let of_list = place
            .checked_sub(stated.size)
            .and_then(|list| list.checked_sub(stated.offset));
        if !is_one || archive.is_none() || archive != of_list {
            return Err(wrong());
        }
        Ok((stated, place))
    }

    fn of_64(record: &[u8]) -> Option<Self> {
        Some(Self {
            disk: u32_at(record, 16)?.into(),
            list_disk: u32_at(record, 20)?.into(),
            here: u64_at(record, 24)?,
            count: u64_at(record, 32)?,
            size: u64_at(record, 40)?,
            offset: u64_at(record, 48)?,
        })
    }
}

/// The whole list of files.
pub(crate) fn list(part: Part<'_>, end: &End) -> Result<Vec<u8>, SourceError> {
    let size = end.list_end.saturating_sub(end.list);
    if size > limits::ZIP_DIRECTORY {
        return Err(SourceError::DirectoryTooBig {
            path: part.file.path().to_path_buf(),
            limit: limits::ZIP_DIRECTORY,
        });
    }
    let size = usize::try_from(size).unwrap_or(usize::MAX);
    let mut bytes = std::vec![0; size];
    let read = part.read(end.list, &mut bytes)?.len();
    if read < size {
        return Err(part.damaged("it ends too early; was the download interrupted?"));
    }
    Ok(bytes)
}
