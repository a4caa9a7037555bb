//! Checks that a zip archive can be read in one way only, before anything of it is used.
//!
//! A zip archive says everything twice: in the list at its end, and in a header before each file's bytes. Programs
//! believe the one or the other, so a made-up archive can show one file to a virus scanner or to `unzip`, and another
//! one to a program that flashes a modem. Here both must say the same, no byte may belong to two files, no file may be
//! missing from the list, and no path may be there twice. The caller compares the result with the list of the crate
//! `zip`.

use std::string::String;
use std::vec::Vec;

use super::error::SourceError;
use super::fields::{u16_at, u32_at, u64_at};
use super::zip_end::{self, ENTRY, End, Part};
use super::{limits, names};

const LOCAL: &[u8] = b"PK\x03\x04";
const DESCRIPTOR: &[u8] = b"PK\x07\x08";
/// A list may be followed by a signature (APPNOTE 4.3.13).
const SIGNATURE: &[u8] = b"PK\x05\x05";
const ENTRY_SIZE: usize = 46;
const LOCAL_SIZE: usize = 30;
/// Numbers that are too big for 32 bits are in this extra field (APPNOTE 4.5.3).
const EXTRA_64: u16 = 0x0001;
/// The name in Unicode, for programs that wrote the name in another encoding (APPNOTE 4.6.9).
const EXTRA_NAME: u16 = 0x7075;
const IS_ENCRYPTED: u16 = 1;
/// Sizes and sum come after the bytes.
const HAS_DESCRIPTOR: u16 = 1 << 3;
/// The most bytes that belong to no file. Tools that align files leave a few KiB; the block of signatures of an Android
/// package, which is a zip archive too, has a few MiB at most.
const UNUSED: u64 = 16 << 20;

/// One file or folder, as both the list and its own header describe it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    /// As it is in the archive; in Unicode if the archive gives it so.
    pub(crate) name: Vec<u8>,
    pub(crate) method: u16,
    pub(crate) crc: u32,
    pub(crate) packed: u64,
    pub(crate) size: u64,
    pub(crate) is_encrypted: bool,
    /// Where its header begins, from the start of the part.
    pub(crate) header: u64,
}

/// What comes before the archive in its file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Before {
    Nothing,
    /// A self-extracting program.
    Program,
}

/// Reads the list and every header; gives the entries in the list's order. `None` if there is no end of a zip archive.
pub(crate) fn read(part: Part<'_>, before: Before) -> Result<Option<Vec<Entry>>, SourceError> {
    let Some(end) = zip_end::find(part)? else {
        return Ok(None);
    };
    let entries = read_list(part, &end)?;
    check_paths(part, &entries)?;
    let mut stretches = Vec::with_capacity(entries.len());
    for (place, entry) in entries.iter().enumerate() {
        stretches.push((entry.header, check_header(part, entry)?, place));
    }
    stretches.sort_unstable();
    check_stretches(part, &end, &entries, &stretches, before)?;
    Ok(Some(entries))
}

fn shown(name: &[u8]) -> String {
    names::printable(&String::from_utf8_lossy(name))
}

fn read_list(part: Part<'_>, end: &End) -> Result<Vec<Entry>, SourceError> {
    if end.count > limits::ARCHIVE_FILES as u64 {
        return Err(SourceError::TooManyFiles {
            path: part.file.path().to_path_buf(),
            limit: limits::ARCHIVE_FILES,
        });
    }
    let bytes = zip_end::list(part, end)?;
    let mut rest = bytes.as_slice();
    let mut entries = Vec::new();
    while rest.starts_with(ENTRY) {
        if u64::try_from(entries.len()) == Ok(end.count) {
            return Err(part.unclear("its list has more files than its end says"));
        }
        let raw = RawEntry::parse(rest).ok_or_else(|| part.damaged("its list of files is not understood"))?;
        entries.push(raw.entry(end.archive).map_err(|what| part.unclear(what))?);
        rest = rest.get(raw.length..).unwrap_or_default();
    }
    if u64::try_from(entries.len()) != Ok(end.count) {
        return Err(part.unclear("its list has fewer files than its end says"));
    }
    let signature = u16_at(rest, 4).map(|size| usize::from(size).saturating_add(6));
    if rest.is_empty() || (rest.starts_with(SIGNATURE) && signature == Some(rest.len())) {
        return Ok(entries);
    }
    Err(part.unclear("there are other bytes in its list of files"))
}

/// An entry of the list, as it is there.
struct RawEntry<'a> {
    name: &'a [u8],
    extra: &'a [u8],
    flags: u16,
    method: u16,
    crc: u32,
    packed: u64,
    size: u64,
    header: u64,
    /// Bytes of the entry.
    length: usize,
}

impl<'a> RawEntry<'a> {
    fn parse(bytes: &'a [u8]) -> Option<Self> {
        let length = |offset| u16_at(bytes, offset).map(usize::from);
        let (name_size, extra_size, comment_size) = (length(28)?, length(30)?, length(32)?);
        let extra_at = ENTRY_SIZE.checked_add(name_size)?;
        let comment_at = extra_at.checked_add(extra_size)?;
        let length = comment_at.checked_add(comment_size)?;
        let bytes = bytes.get(..length)?;
        let extra = bytes.get(extra_at..comment_at)?;
        let mut numbers = [u32_at(bytes, 24)?, u32_at(bytes, 20)?, u32_at(bytes, 42)?].map(u64::from);
        fill_64(&mut numbers, extra)?;
        let [size, packed, header] = numbers;
        Some(Self {
            name: bytes.get(ENTRY_SIZE..extra_at)?,
            extra,
            flags: u16_at(bytes, 8)?,
            method: u16_at(bytes, 10)?,
            crc: u32_at(bytes, 16)?,
            packed,
            size,
            header,
            length,
        })
    }

    /// The entry of an archive that begins at `archive`. The error says what is wrong with it.
    fn entry(&self, archive: u64) -> Result<Entry, String> {
        let header = self.header.checked_add(archive);
        Ok(Entry {
            name: name_in_use(self.name, self.extra)?,
            method: self.method,
            crc: self.crc,
            packed: self.packed,
            size: self.size,
            is_encrypted: self.flags & IS_ENCRYPTED != 0,
            header: header.ok_or_else(|| std::format!("{} lies outside of it", shown(self.name)))?,
        })
    }
}

/// The name that counts: the one in Unicode, if there is one and it belongs to the other one.
fn name_in_use(name: &[u8], extra: &[u8]) -> Result<Vec<u8>, String> {
    if name.contains(&0) {
        return Err(std::format!("the name {} has a zero in it", shown(name)));
    }
    let unicode = fields_of(extra)
        .find(|(kind, _)| *kind == EXTRA_NAME)
        .map(|(_, field)| field);
    let belongs =
        |field: &&[u8]| field.first() == Some(&1) && u32_at(field, 1) == Some(crc32fast::hash(name));
    let Some(unicode) = unicode.filter(belongs).and_then(|field| field.get(5..)) else {
        return Ok(name.to_vec());
    };
    // In another encoding only letters outside of ASCII may differ.
    let (plain, other) = (String::from_utf8_lossy(name), String::from_utf8_lossy(unicode));
    let is_same = if name.is_ascii() {
        name == unicode
    } else {
        names::is_image_name(&plain) == names::is_image_name(&other)
            && names::climbs_out(&plain) == names::climbs_out(&other)
            && plain.matches(['/', '\\']).count() == other.matches(['/', '\\']).count()
    };
    if is_same && !unicode.contains(&0) {
        Ok(unicode.to_vec())
    } else {
        Err(std::format!(
            "it names one file {} and {}",
            shown(name),
            shown(unicode)
        ))
    }
}

/// The extra fields: kind and content. What comes after the last whole one is padding.
fn fields_of(mut extra: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    std::iter::from_fn(move || {
        let (kind, size) = (u16_at(extra, 0)?, usize::from(u16_at(extra, 2)?));
        let field = extra.get(4..size.checked_add(4)?)?;
        extra = extra.get(size.checked_add(4)?..)?;
        Some((kind, field))
    })
}

/// Replaces the numbers that have no room in 32 bits by those of the extra field, in the field's order. `None` if the
/// field is missing, too short, or there twice.
fn fill_64(numbers: &mut [u64], extra: &[u8]) -> Option<()> {
    let mut fields = fields_of(extra).filter(|(kind, _)| *kind == EXTRA_64);
    let field = fields.next().map(|(_, field)| field);
    if fields.next().is_some() {
        return None;
    }
    let mut at = 0_usize;
    for number in numbers.iter_mut().filter(|number| **number == 0xFFFF_FFFF) {
        *number = u64_at(field?, at)?;
        at = at.checked_add(8)?;
    }
    Some(())
}

/// Refuses two entries of one path. A folder may be listed twice: that changes nothing.
fn check_paths(part: Part<'_>, entries: &[Entry]) -> Result<(), SourceError> {
    let listed = entries.iter().map(|entry| String::from_utf8_lossy(&entry.name));
    match names::twin(listed) {
        Some(name) => Err(part.unclear(std::format!("{} is in it twice", names::printable(&name)))),
        None => Ok(()),
    }
}

/// Compares an entry with the header before its bytes; gives where the entry ends.
fn check_header(part: Part<'_>, entry: &Entry) -> Result<u64, SourceError> {
    let name = || shown(&entry.name);
    let missing = || part.damaged(&std::format!("{} isn't where its list says", name()));
    let mut fixed = [0; LOCAL_SIZE];
    let fixed = part.read(entry.header, &mut fixed)?;
    let length = |offset| u16_at(fixed, offset).map(usize::from);
    let (true, Some(name_size), Some(extra_size)) = (fixed.starts_with(LOCAL), length(26), length(28)) else {
        return Err(missing());
    };
    let mut variable = std::vec![0; name_size.saturating_add(extra_size)];
    let fixed_end = entry.header.saturating_add(LOCAL_SIZE as u64);
    let variable = part.read(fixed_end, &mut variable)?;
    let (Some(own_name), Some(extra)) = (variable.get(..name_size), variable.get(name_size..)) else {
        return Err(missing());
    };
    if extra.len() != extra_size {
        return Err(missing());
    }
    let own_name = name_in_use(own_name, extra).map_err(|what| part.unclear(what))?;
    if own_name != entry.name {
        let what = std::format!("{} is called {} in its own header", name(), shown(&own_name));
        return Err(part.unclear(what));
    }
    let (Some(flags), Some(method), Some(crc)) = (u16_at(fixed, 6), u16_at(fixed, 8), u32_at(fixed, 14))
    else {
        return Err(missing());
    };
    let mut sizes = [u32_at(fixed, 22), u32_at(fixed, 18)].map(|size| size.map_or(0, u64::from));
    fill_64(&mut sizes, extra).ok_or_else(missing)?;
    let is_encrypted = flags & IS_ENCRYPTED != 0;
    let comes_later = flags & HAS_DESCRIPTOR != 0;
    let [size, packed] = sizes;
    let is_told = crc == entry.crc && size == entry.size && packed == entry.packed;
    // Numbers that come later are zero here. In an encrypted entry Info-ZIP's sum is the time instead.
    let is_open = |told: u64, listed: u64| told == listed || (comes_later && (told == 0 || is_encrypted));
    let is_same =
        is_open(crc.into(), entry.crc.into()) && is_open(size, entry.size) && is_open(packed, entry.packed);
    if method != entry.method || is_encrypted != entry.is_encrypted || !is_same {
        let what = std::format!("the list and the header of {} don't agree", name());
        return Err(part.unclear(what));
    }
    let variable_size = u64::try_from(variable.len()).unwrap_or(u64::MAX);
    let end = fixed_end
        .saturating_add(variable_size)
        .saturating_add(entry.packed);
    if !comes_later {
        return Ok(end);
    }
    match descriptor(part, entry, end)? {
        Some(size) => Ok(end.saturating_add(size)),
        None if is_told => Ok(end),
        None => {
            let what = std::format!("the list and the bytes after {} don't agree", name());
            Err(part.unclear(what))
        }
    }
}

/// The length of the descriptor at `at`, if it says the same as the list. It has a mark or not, and sizes of 32 or 64
/// bits (APPNOTE 4.3.9).
fn descriptor(part: Part<'_>, entry: &Entry, at: u64) -> Result<Option<u64>, SourceError> {
    let mut buffer = [0; 24];
    let bytes = part.read(at, &mut buffer)?;
    for mark in [DESCRIPTOR, b""] {
        let Some(rest) = bytes.strip_prefix(mark) else {
            continue;
        };
        if u32_at(rest, 0) != Some(entry.crc) {
            continue;
        }
        let size = |size: usize| u64::try_from(mark.len().saturating_add(size)).ok();
        let short = (u32_at(rest, 4).map(u64::from), u32_at(rest, 8).map(u64::from));
        if short == (Some(entry.packed), Some(entry.size)) {
            return Ok(size(12));
        }
        if (u64_at(rest, 4), u64_at(rest, 12)) == (Some(entry.packed), Some(entry.size)) {
            return Ok(size(20));
        }
    }
    Ok(None)
}

/// Checks that no byte belongs to two entries, and that no file lies between the entries that isn't listed.
/// `stretches` has start, end and place of each entry, by their start.
fn check_stretches(
    part: Part<'_>,
    end: &End,
    entries: &[Entry],
    stretches: &[(u64, u64, usize)],
    before: Before,
) -> Result<(), SourceError> {
    let name = |place: usize| {
        entries
            .get(place)
            .map_or_else(String::new, |entry| shown(&entry.name))
    };
    let first = stretches.first().map_or(end.list, |(start, ..)| *start);
    // A program may have anything before its archive. A zip archive begins with its first file, perhaps after the
    // mark of an archive that could have been split (APPNOTE 8.5.4).
    let mut mark = [0; 4];
    let is_mark = first == 4 && matches!(part.read(0, &mut mark)?, b"PK\x07\x08" | b"PK00");
    if before == Before::Nothing && first != 0 && !is_mark {
        return Err(part.unclear("it begins with bytes that its list doesn't name"));
    }
    let mut at = first;
    let mut last = None;
    let mut unused = 0_u64;
    let list = (end.list, end.list, usize::MAX);
    for &(start, stretch_end, place) in stretches.iter().chain([&list]) {
        if start < at {
            let other = last.map_or_else(String::new, name);
            let what = if place == usize::MAX {
                std::format!("{other} reaches into its list of files")
            } else {
                std::format!("{other} and {} share bytes", name(place))
            };
            return Err(part.unclear(what));
        }
        unused = unused.saturating_add(start.saturating_sub(at));
        if unused > UNUSED {
            return Err(part.unclear("it has many bytes that its list doesn't name"));
        }
        if has_header(part, at, start)? {
            return Err(part.unclear("it has a file that its list doesn't name"));
        }
        (at, last) = (stretch_end, Some(place));
    }
    Ok(())
}

/// Whether the mark of a file's header lies between two offsets.
fn has_header(part: Part<'_>, from: u64, to: u64) -> Result<bool, SourceError> {
    let mut at = from;
    let mut buffer =
        std::vec![0; usize::try_from(to.saturating_sub(from)).unwrap_or(usize::MAX).min(64 * 1024)];
    while to.saturating_sub(at) >= LOCAL.len() as u64 {
        let left = usize::try_from(to.saturating_sub(at)).unwrap_or(usize::MAX);
        let size = left.min(buffer.len());
        let bytes = part.read(at, buffer.get_mut(..size).unwrap_or_default())?;
        if bytes.windows(LOCAL.len()).any(|window| window == LOCAL) {
            return Ok(true);
        }
        if bytes.len() < LOCAL.len() {
            break;
        }
        // A mark may lie across two pieces.
        let step = bytes.len().saturating_sub(LOCAL.len() - 1);
        at = at.saturating_add(u64::try_from(step).unwrap_or(u64::MAX));
    }
    Ok(false)
}
