//! Zip archives: the list of files, and images that are inflated while they are read. Nothing is copied to disk, and
//! each open image needs only a window of 32 KiB and a buffer.
//!
//! Stored and deflated entries can be read, also from archives above 4 GiB (zip64) and from archives at the end of a
//! program (self-extracting).

use std::boxed::Box;
use std::collections::BTreeMap;
use std::io::{self, BufReader, Read, Seek};
use std::string::{String, ToString};
use std::sync::Arc;
use std::vec::Vec;

use zip::ZipArchive;
use zip::result::ZipError;

use super::ImageSource;
use super::checked::{Checked, Label};
use super::content::{Content, HEAD_SIZE};
use super::error::SourceError;
use super::shared::{SharedFile, Window};
use super::zip_end::Part;
use super::zip_layout::{self, Before, Entry};
use super::{limits, names};

/// Methods by number (APPNOTE 4.4.5).
const STORED: u16 = 0;
const DEFLATED: u16 = 8;

/// The method's number in the list of files.
#[allow(
    deprecated,
    reason = "the crate offers no other way to the number of a method it was built without"
)]
fn number_of(method: zip::CompressionMethod) -> u16 {
    method.to_u16()
}

/// The usual name of a method number (APPNOTE 4.4.5).
fn method_name(number: u16) -> String {
    let name = match number {
        1 => "Shrink",
        2..=5 => "Reduce",
        6 => "Implode",
        9 => "Deflate64",
        12 => "BZIP2",
        14 => "LZMA",
        93 => "Zstandard",
        95 => "XZ",
        98 => "PPMd",
        99 => "AES encryption",
        other => return std::format!("method {other}"),
    };
    name.to_string()
}

/// The list of files of a zip archive that begins at or after offset `start` of a file.
pub(crate) struct Zip {
    file: Arc<SharedFile>,
    start: u64,
    archive: ZipArchive<BufReader<Window>>,
}

/// One file of the archive, as its list describes it. Nothing of it has been read yet.
#[derive(Clone, Debug)]
pub(crate) struct Listed {
    index: usize,
    /// The name in the archive, made printable; for messages only.
    pub(crate) name: String,
    pub(crate) is_unsafe: bool,
    pub(crate) is_folder: bool,
    is_encrypted: bool,
    method: u16,
    packed: u64,
    pub(crate) size: u64,
    crc: u32,
}

impl Zip {
    /// Reads the list of files. `None` if there is no end of a zip archive.
    pub(crate) fn open(
        file: Arc<SharedFile>,
        start: u64,
        size: u64,
        before: Before,
    ) -> Result<Option<Self>, SourceError> {
        let part = Part {
            file: &file,
            start,
            size,
        };
        // First of all: this also limits the memory that the crate takes.
        let Some(entries) = zip_layout::read(part, before)? else {
            return Ok(None);
        };
        let window = Window::new(Arc::clone(&file), start, size);
        let archive = ZipArchive::new(BufReader::new(window)).map_err(|e| error_of(&file, e))?;
        if !is_same(&archive, &entries) {
            return Err(part.unclear("its list of files is ambiguous"));
        }
        Ok(Some(Self { file, start, archive }))
    }

    /// Every file and folder in the list, in its order.
    pub(crate) fn list(&mut self) -> Result<Vec<Listed>, SourceError> {
        let mut listed = Vec::new();
        for index in 0..self.archive.len() {
            let entry = self
                .archive
                .by_index_data(index)
                .map_err(|e| error_of(&self.file, e))?;
            let raw = String::from_utf8_lossy(entry.name_raw()).into_owned();
            let name = entry.name().map_or(raw, |name| name.into_owned());
            listed.push(Listed {
                index,
                is_unsafe: names::climbs_out(&name),
                is_folder: entry.is_dir() || name.ends_with('/'),
                is_encrypted: entry.encrypted(),
                method: number_of(entry.compression()),
                packed: entry.compressed_size(),
                size: entry.size(),
                crc: entry.crc32(),
                name: names::printable(&name),
            });
        }
        Ok(listed)
    }

    /// The image in an entry. Checks that it can be read: encryption, method, sizes, and where its bytes are.
    pub(crate) fn image(&mut self, listed: &Listed) -> Result<ZipImage, SourceError> {
        let path = self.file.path().to_path_buf();
        let entry = listed.name.clone();
        if listed.is_encrypted {
            return Err(SourceError::Encrypted { path, entry });
        }
        if !matches!(listed.method, STORED | DEFLATED) {
            return Err(SourceError::Method {
                path,
                entry,
                method: method_name(listed.method),
            });
        }
        limits::check_entry(&path, &entry, listed.packed, listed.size)?;
        let damaged = |what: &str| SourceError::DamagedEntry {
            path: path.clone(),
            entry: listed.name.clone(),
            what: what.to_string(),
        };
        if listed.method == STORED && listed.packed != listed.size {
            return Err(damaged("it is stored unpacked with two different sizes"));
        }
        // Deflate can't pack more than 1032:1 (zlib's technical notes), so a larger ratio in the list is false.
        if listed.size > listed.packed.saturating_mul(1032).saturating_add(1032) {
            return Err(damaged("the stated size is more than its packed bytes can hold"));
        }
        let raw = self
            .archive
            .by_index_raw(listed.index)
            .map_err(|e| error_of(&self.file, e))?;
        let data = raw
            .data_start()
            .ok_or_else(|| damaged("its data can't be found"))?;
        let end = data
            .checked_add(listed.packed)
            .and_then(|end| end.checked_add(self.start));
        if end.is_none_or(|end| end > self.file.size()) {
            return Err(damaged("its data would end after the end of the archive"));
        }
        Ok(ZipImage {
            file: Arc::clone(&self.file),
            name: std::format!("{}/{}", names::printable_path(&path), listed.name),
            label: Label { path, entry },
            data: self.start.saturating_add(data),
            packed: listed.packed,
            size: listed.size,
            crc: listed.crc,
            is_stored: listed.method == STORED,
        })
    }

    /// Bytes of the archive file.
    pub(crate) fn packed_size(&self) -> u64 {
        self.file.size()
    }
}

/// An image in a zip archive; every [`ImageSource::open`] inflates it from its beginning.
#[derive(Clone, Debug)]
pub struct ZipImage {
    file: Arc<SharedFile>,
    name: String,
    label: Label,
    data: u64,
    packed: u64,
    size: u64,
    crc: u32,
    is_stored: bool,
}

impl ZipImage {
    fn reader(&self) -> Result<Box<dyn Read + Send>, SourceError> {
        self.file.check_size()?;
        let packed = Window::new(Arc::clone(&self.file), self.data, self.packed);
        Ok(if self.is_stored {
            Box::new(Checked::new(packed, self.size, self.crc, self.label.clone()))
        } else {
            let packed = BufReader::with_capacity(64 * 1024, packed);
            let inflated = Inflated {
                decoder: flate2::bufread::DeflateDecoder::new(packed),
                packed: self.packed,
            };
            Box::new(Checked::new(inflated, self.size, self.crc, self.label.clone()))
        })
    }

    /// What the entry is, according to its first bytes.
    pub(crate) fn content(&self) -> Result<Content, SourceError> {
        let mut head = Vec::with_capacity(HEAD_SIZE);
        let limit = u64::try_from(HEAD_SIZE).unwrap_or(u64::MAX);
        let outcome = self.reader()?.take(limit).read_to_end(&mut head);
        outcome.map_err(|e| SourceError::from_io(self.file.path(), e))?;
        Ok(Content::of(&head))
    }

    /// Start and size of the entry's bytes in the archive file, if they are stored there uncompressed.
    pub(crate) fn in_place(&self) -> Option<(u64, u64)> {
        self.is_stored.then_some((self.data, self.size))
    }
}

impl ImageSource for ZipImage {
    fn name(&self) -> &str {
        &self.name
    }

    fn size(&self) -> u64 {
        self.size
    }

    fn open(&self) -> io::Result<Box<dyn Read + Send + '_>> {
        Ok(self.reader()?)
    }
}

/// Inflates all packed bytes. If bytes are left over, that is an error: a program that doesn't look at the list would
/// take them for something else.
struct Inflated<R> {
    decoder: flate2::bufread::DeflateDecoder<R>,
    packed: u64,
}

impl<R: io::BufRead> Read for Inflated<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.decoder.read(buffer)?;
        if read == 0 && !buffer.is_empty() && self.decoder.total_in() != self.packed {
            let what = "its packed bytes end later than their content";
            return Err(io::Error::new(io::ErrorKind::InvalidData, what));
        }
        Ok(read)
    }
}

/// Whether the crate sees the same files as the check of the archive.
fn is_same<R: Read + Seek>(archive: &ZipArchive<R>, entries: &[Entry]) -> bool {
    let is_entry = |(index, entry): (usize, &Entry)| {
        archive.by_index_data(index).is_ok_and(|seen| {
            seen.name_raw() == entry.name
                && number_of(seen.compression()) == entry.method
                && seen.crc32() == entry.crc
                && seen.compressed_size() == entry.packed
                && seen.size() == entry.size
                && seen.encrypted() == entry.is_encrypted
                && seen.header_start() == entry.header
        })
    };
    // The crate keeps one entry of a folder that is listed twice: the last one, in the place of the first one.
    let mut places: BTreeMap<&[u8], usize> = BTreeMap::new();
    let mut kept: Vec<&Entry> = Vec::new();
    for entry in entries {
        match places
            .get(entry.name.as_slice())
            .and_then(|place| kept.get_mut(*place))
        {
            Some(earlier) => *earlier = entry,
            None => {
                places.insert(&entry.name, kept.len());
                kept.push(entry);
            }
        }
    }
    archive.len() == kept.len() && kept.into_iter().enumerate().all(is_entry)
}

fn error_of(file: &SharedFile, error: ZipError) -> SourceError {
    let path = file.path().to_path_buf();
    match error {
        ZipError::Io(e) if e.kind() == io::ErrorKind::UnexpectedEof => SourceError::DamagedArchive {
            path,
            what: "it ends too early; was the download interrupted?".to_string(),
        },
        ZipError::Io(e) => SourceError::from_io(path, e),
        other => SourceError::DamagedArchive {
            path,
            what: other.to_string(),
        },
    }
}
