//! 7z archives, including those at the end of a program (self-extracting).
//!
//! In a 7z archive several files may be packed as one stream ("solid"). To read one of them, all files before it must
//! be unpacked too. So the inspection walks through the archive: it unpacks each stream once and hands every wanted
//! file to the caller as it comes.
//!
//! Reading an image again later ([`ImageSource::open`]) takes it from a spool file or from memory if the walk kept it
//! there. Otherwise a thread unpacks the stream again, up to that image, and sends the bytes through a channel of
//! limited size. The thread is needed because the decoder calls back with its data, while a reader has to return data
//! when asked. Memory: the dictionary, and 512 KiB.

use std::boxed::Box;
use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::string::{String, ToString};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, OnceLock};
use std::vec::Vec;

use sevenz_rust2::{Archive, BlockDecoder, EncoderMethod, Error, Password};

use super::ImageSource;
use super::error::SourceError;
use super::sevenz_header as header;
use super::shared::{SharedFile, Window};
use super::{limits, names, spool};

/// Bytes per piece that the unpacking thread hands over.
const PIECE: usize = 128 * 1024;

/// The list of files of a 7z archive that begins at `start` of a file.
#[derive(Debug)]
pub(crate) struct SevenZip {
    file: Arc<SharedFile>,
    start: u64,
    archive: Archive,
}

/// One file of the archive, as its list describes it. Nothing of it has been unpacked yet.
#[derive(Clone, Debug)]
pub(crate) struct Listed {
    pub(crate) index: usize,
    /// The name in the archive, made printable; for messages only.
    pub(crate) name: String,
    pub(crate) is_unsafe: bool,
    pub(crate) is_folder: bool,
    pub(crate) size: u64,
}

impl SevenZip {
    /// Reads the list of files.
    pub(crate) fn open(file: Arc<SharedFile>, start: u64) -> Result<Self, SourceError> {
        header::check(&file, start)?;
        let mut window = Window::from(Arc::clone(&file), start);
        match Archive::read(&mut window, &Password::empty()) {
            Ok(archive) => Ok(Self { file, start, archive }),
            Err(e) => Err(error_of(&file, "the list of files", e)),
        }
    }

    /// Refuses a list that is too long, or in which a path is twice.
    pub(crate) fn check_list(&self) -> Result<(), SourceError> {
        let path = self.file.path().to_path_buf();
        let names = self.archive.files.iter().filter(|entry| !entry.is_directory);
        if self.archive.files.len() > limits::ARCHIVE_FILES {
            return Err(SourceError::TooManyFiles {
                path,
                limit: limits::ARCHIVE_FILES,
            });
        }
        match names::twin(names.map(|entry| entry.name.as_str())) {
            Some(name) => Err(SourceError::Unclear {
                path,
                what: std::format!("{} is in it twice", names::printable(&name)),
            }),
            None => Ok(()),
        }
    }

    /// Every file and folder in the list, in its order.
    pub(crate) fn list(&self) -> Vec<Listed> {
        let entries = self.archive.files.iter().enumerate();
        entries
            .map(|(index, entry)| Listed {
                index,
                is_unsafe: names::climbs_out(&entry.name),
                is_folder: entry.is_directory || entry.is_anti_item,
                size: if entry.has_stream { entry.size } else { 0 },
                name: names::printable(&entry.name),
            })
            .collect()
    }

    /// Checks that this program can unpack the wanted files: methods, memory, sizes.
    pub(crate) fn check(&self, wanted: &[&Listed]) -> Result<(), SourceError> {
        let path = self.file.path();
        let mut total = 0_u64;
        let mut checked = BTreeSet::new();
        for listed in wanted {
            total = total.saturating_add(listed.size);
            let Some(block) = self.block_of(listed.index) else {
                continue;
            };
            limits::check_entry(path, &listed.name, self.file.size(), listed.size)?;
            if checked.insert(block) {
                self.check_block(block, &listed.name)?;
            }
        }
        limits::check_total(path, self.file.size(), total)?;
        // Files before a wanted file in the same stream are unpacked too.
        let streams: u64 = checked
            .iter()
            .map(|b| self.unpacked_size(*b))
            .fold(0, u64::saturating_add);
        limits::check_total(path, self.file.size(), streams)
    }

    fn check_block(&self, block: usize, entry: &str) -> Result<(), SourceError> {
        let mut dictionary = 0_u64;
        for coder in self
            .archive
            .blocks
            .get(block)
            .map(|b| b.coders.as_slice())
            .unwrap_or_default()
        {
            let (path, entry) = (self.file.path().to_path_buf(), entry.to_string());
            let id = coder.encoder_method_id();
            match EncoderMethod::by_id(id) {
                Some(m) if m == EncoderMethod::AES256_SHA256 => {
                    return Err(SourceError::Encrypted { path, entry });
                }
                Some(m) if !is_supported(&m) => {
                    return Err(SourceError::Method {
                        path,
                        entry,
                        method: usual_name(&m).to_string(),
                    });
                }
                Some(_) => {}
                None => {
                    return Err(SourceError::Method {
                        path,
                        entry,
                        method: std::format!("method {id:02x?}"),
                    });
                }
            }
            dictionary = dictionary.saturating_add(header::dictionary(id, coder.properties()));
        }
        header::check_dictionary(&self.file, dictionary)
    }

    /// Bytes of memory for the dictionaries when unpacking `wanted`: the largest of all streams, because they are
    /// unpacked one after the other.
    pub(crate) fn dictionary(&self, wanted: &[&Listed]) -> u64 {
        let blocks: BTreeSet<usize> = wanted.iter().filter_map(|l| self.block_of(l.index)).collect();
        let of_block = |block: &usize| {
            let coders = self
                .archive
                .blocks
                .get(*block)
                .map(|b| b.coders.as_slice())
                .unwrap_or_default();
            coders
                .iter()
                .map(|c| header::dictionary(c.encoder_method_id(), c.properties()))
                .fold(0, u64::saturating_add)
        };
        blocks.iter().map(of_block).max().unwrap_or(0)
    }

    /// Whether some files are packed together.
    pub(crate) fn is_solid(&self) -> bool {
        self.archive.is_solid
    }

    pub(crate) fn path(&self) -> &std::path::Path {
        self.file.path()
    }

    fn block_of(&self, index: usize) -> Option<usize> {
        self.archive
            .stream_map
            .file_block_index
            .get(index)
            .copied()
            .flatten()
    }

    fn unpacked_size(&self, block: usize) -> u64 {
        self.archive
            .blocks
            .get(block)
            .map_or(0, sevenz_rust2::Block::get_unpack_size)
    }

    /// Unpacks each stream that contains a wanted file once, and calls `each` for every wanted file, in archive
    /// order. Bytes that `each` leaves unread are skipped.
    ///
    /// # Errors
    /// An error of the archive, or the first one that `each` returns; either stops the walk.
    pub(crate) fn walk<E: From<SourceError>>(
        &self,
        wanted: &BTreeSet<usize>,
        mut each: impl FnMut(usize, &mut dyn Read) -> Result<(), E>,
    ) -> Result<(), E> {
        self.file.check_size()?;
        let blocks: BTreeSet<usize> = wanted.iter().filter_map(|index| self.block_of(*index)).collect();
        for block in blocks {
            let mut stopped = None;
            let window = Window::from(Arc::clone(&self.file), self.start);
            self.unpack_block(
                window,
                block,
                wanted,
                &mut |index, reader| match each(index, reader) {
                    Ok(()) => true,
                    Err(e) => {
                        stopped = Some(e);
                        false
                    }
                },
            )
            .or_else(|e| {
                if stopped.is_some() {
                    Ok(())
                } else {
                    Err(E::from(e))
                }
            })?;
            if let Some(e) = stopped {
                return Err(e);
            }
        }
        Ok(())
    }

    /// Unpacks one stream and calls `each` for the wanted files in it, until `each` returns `false` or no wanted file
    /// is left.
    fn unpack_block(
        &self,
        mut source: impl Read + Seek,
        block: usize,
        wanted: &BTreeSet<usize>,
        each: &mut dyn FnMut(usize, &mut dyn Read) -> bool,
    ) -> Result<(), SourceError> {
        let Some(first) = self.archive.stream_map.block_first_file_index.get(block).copied() else {
            return Ok(());
        };
        let mut left = wanted
            .iter()
            .filter(|index| self.block_of(**index) == Some(block))
            .count();
        let mut index = first;
        let mut current = "its files".to_string();
        let password = Password::empty();
        let decoder = BlockDecoder::new(1, block, &self.archive, &password, &mut source);
        let outcome = decoder.for_each_entries(&mut |entry, reader| {
            let this = index;
            index = index.saturating_add(1);
            current = names::printable(&entry.name);
            if !wanted.contains(&this) || self.block_of(this) != Some(block) {
                return Ok(true);
            }
            left = left.saturating_sub(1);
            let goes_on = each(
                this,
                &mut Translated {
                    inner: reader,
                    file: &self.file,
                    entry: &current,
                },
            );
            Ok(goes_on && left > 0)
        });
        outcome.map(|_| ()).map_err(|e| error_of(&self.file, &current, e))
    }
}

/// Whether the decoder was built with this method: LZMA, LZMA2, plain copies, and filters. The other methods (PPMd,
/// BZip2, Deflate, Zstandard, …) would cost more than they are worth, because the vendor's archives use LZMA.
fn is_supported(method: &EncoderMethod) -> bool {
    [
        EncoderMethod::COPY,
        EncoderMethod::LZMA,
        EncoderMethod::LZMA2,
        EncoderMethod::BCJ_X86_FILTER,
        EncoderMethod::BCJ_PPC_FILTER,
        EncoderMethod::BCJ_IA64_FILTER,
        EncoderMethod::BCJ_ARM_FILTER,
        EncoderMethod::BCJ_ARM64_FILTER,
        EncoderMethod::BCJ_ARM_THUMB_FILTER,
        EncoderMethod::BCJ_SPARC_FILTER,
        EncoderMethod::BCJ_RISCV_FILTER,
        EncoderMethod::DELTA_FILTER,
        EncoderMethod::BCJ2_FILTER,
    ]
    .contains(method)
}

fn usual_name(method: &EncoderMethod) -> &'static str {
    match method.name() {
        "PPMD" => "PPMd",
        "BZIP2" => "BZip2",
        "DEFLATE" => "Deflate",
        "DEFLATE64" => "Deflate64",
        "ZSTD" => "Zstandard",
        other => other,
    }
}

/// Turns the decoder's errors into [`SourceError`]s.
struct Translated<'a> {
    inner: &'a mut dyn Read,
    file: &'a SharedFile,
    entry: &'a str,
}

impl Read for Translated<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.inner.read(buffer) {
            Err(e) if e.kind() == io::ErrorKind::Interrupted => Err(e),
            Err(e) => Err(error_of(self.file, self.entry, Error::Io(e, "".into())).into()),
            read => read,
        }
    }
}

/// An image in a 7z archive.
#[derive(Clone, Debug)]
pub struct SevenZipImage {
    archive: Arc<SevenZip>,
    index: usize,
    name: String,
    entry: String,
    size: u64,
    kept: Arc<OnceLock<Kept>>,
}

/// What was kept of an image when its archive was walked.
#[derive(Debug)]
enum Kept {
    Memory(Vec<u8>),
    Disk(Arc<SharedFile>),
}

impl SevenZipImage {
    pub(crate) fn new(archive: Arc<SevenZip>, listed: &Listed) -> Self {
        let name = std::format!("{}/{}", names::printable_path(archive.path()), listed.name);
        let (index, entry, size) = (listed.index, listed.name.clone(), listed.size);
        Self {
            archive,
            index,
            name,
            entry,
            size,
            kept: Arc::default(),
        }
    }

    pub(crate) fn archive(&self) -> &Arc<SevenZip> {
        &self.archive
    }

    pub(crate) fn index(&self) -> usize {
        self.index
    }

    /// Copies the bytes of a walk into a spool file in `folder` as they pass. [`Self::keep_file`] then makes the
    /// image read from that file.
    pub(crate) fn spool<'a>(
        &'a self,
        folder: &std::path::Path,
        reader: &'a mut dyn Read,
    ) -> Result<Tee<'a, File>, SourceError> {
        let file = spool::create(folder, self.size)?;
        Ok(Tee {
            reader,
            keep: file,
            spooled: Some((folder.to_path_buf(), self.size)),
        })
    }

    /// Copies the bytes of a walk into memory as they pass.
    pub(crate) fn remember<'a>(&'a self, reader: &'a mut dyn Read) -> Tee<'a, Vec<u8>> {
        Tee {
            reader,
            keep: Vec::new(),
            spooled: None,
        }
    }

    /// Reads the image from this spool file from now on, if the file is complete.
    pub(crate) fn keep_file(&self, file: File) -> Result<(), SourceError> {
        let shared = SharedFile::from_file(file, self.name.clone().into())?;
        if shared.size() == self.size {
            let _ = self.kept.set(Kept::Disk(shared));
        }
        Ok(())
    }

    /// Reads the image from these bytes from now on, if they are complete.
    pub(crate) fn keep_bytes(&self, bytes: Vec<u8>) {
        if u64::try_from(bytes.len()) == Ok(self.size) {
            let _ = self.kept.set(Kept::Memory(bytes));
        }
    }

    fn unpack(&self) -> Result<Pieces, SourceError> {
        self.archive.file.check_size()?;
        let (to_reader, from_thread) = sync_channel(2);
        let stop = Arc::new(AtomicBool::new(false));
        let (archive, index, stopped) = (Arc::clone(&self.archive), self.index, Arc::clone(&stop));
        let thread = std::thread::Builder::new()
            .name("unpack-7z".to_string())
            .spawn(move || unpack_one(&archive, index, stopped, &to_reader))
            .map_err(|cause| SourceError::NoThread {
                path: self.archive.path().to_path_buf(),
                cause,
            })?;
        let (path, entry) = (self.archive.path().to_path_buf(), self.entry.clone());
        Ok(Pieces {
            from_thread: Some(from_thread),
            thread: Some(thread),
            stop,
            left: self.size,
            piece: Vec::new(),
            position: 0,
            path,
            entry,
        })
    }
}

impl ImageSource for SevenZipImage {
    fn name(&self) -> &str {
        &self.name
    }

    fn size(&self) -> u64 {
        self.size
    }

    fn open(&self) -> io::Result<Box<dyn Read + Send + '_>> {
        Ok(match self.kept.get() {
            Some(Kept::Memory(bytes)) => Box::new(bytes.as_slice()),
            Some(Kept::Disk(file)) => {
                file.check_size()?;
                Box::new(Window::from(Arc::clone(file), 0))
            }
            None => Box::new(self.unpack()?),
        })
    }
}

/// Passes bytes through and writes a copy of them to `keep`.
pub(crate) struct Tee<'a, W> {
    reader: &'a mut dyn Read,
    pub(crate) keep: W,
    spooled: Option<(std::path::PathBuf, u64)>,
}

impl<W: Write> Read for Tee<'_, W> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.reader.read(buffer)?;
        if let Err(cause) = self.keep.write_all(buffer.get(..read).unwrap_or_default()) {
            return Err(match self.spooled.clone() {
                Some((folder, needed)) => SourceError::Spool {
                    folder,
                    needed,
                    cause,
                }
                .into(),
                None => cause,
            });
        }
        Ok(read)
    }
}

/// What the thread does: unpacks the stream up to one file, and sends the pieces of that file until the reader is
/// gone.
fn unpack_one(archive: &SevenZip, index: usize, stop: Arc<AtomicBool>, to_reader: &SyncSender<Piece>) {
    let Some(block) = archive.block_of(index) else {
        return;
    };
    let window = Window::from(Arc::clone(&archive.file), archive.start);
    let source = Stoppable { inner: window, stop };
    let outcome = archive.unpack_block(source, block, &BTreeSet::from([index]), &mut |_, reader| {
        loop {
            let mut piece = Vec::with_capacity(PIECE);
            let limit = u64::try_from(PIECE).unwrap_or(u64::MAX);
            let outcome = (&mut *reader).take(limit).read_to_end(&mut piece);
            let (is_last, message) = match outcome {
                Ok(0) => return false,
                Ok(_) => (false, Ok(piece)),
                Err(e) => (true, Err(e)),
            };
            if to_reader.send(message).is_err() || is_last {
                return false;
            }
        }
    });
    if let Err(e) = outcome {
        // If the reader is gone, nobody needs the error.
        let _ = to_reader.send(Err(e.into()));
    }
}

type Piece = io::Result<Vec<u8>>;

/// The reader: takes pieces from the thread. Dropping the reader ends the thread and waits for its end, so that there
/// is never more than one dictionary in memory.
#[derive(Debug)]
struct Pieces {
    /// `None` only while the reader is being dropped.
    from_thread: Option<Receiver<Piece>>,
    thread: Option<std::thread::JoinHandle<()>>,
    stop: Arc<AtomicBool>,
    left: u64,
    piece: Vec<u8>,
    position: usize,
    path: std::path::PathBuf,
    entry: String,
}

impl Read for Pieces {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        if self.position >= self.piece.len() {
            if self.left == 0 {
                return Ok(0);
            }
            self.position = 0;
            self.piece = match self.from_thread.as_ref().and_then(|pieces| pieces.recv().ok()) {
                Some(piece) => piece?,
                // The thread has ended before all bytes came.
                None => {
                    let (path, entry) = (self.path.clone(), self.entry.clone());
                    let what = "it unpacks to fewer bytes than the archive says".to_string();
                    return Err(SourceError::DamagedEntry { path, entry, what }.into());
                }
            };
            self.left = self
                .left
                .saturating_sub(u64::try_from(self.piece.len()).unwrap_or(u64::MAX));
        }
        let ready = self.piece.get(self.position..).unwrap_or_default();
        let count = ready.len().min(buffer.len());
        if let (Some(to), Some(from)) = (buffer.get_mut(..count), ready.get(..count)) {
            to.copy_from_slice(from);
        }
        self.position = self.position.saturating_add(count);
        Ok(count)
    }
}

impl Drop for Pieces {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        // Make the thread end: if it is waiting to send a piece, sending now fails; if it is unpacking, reading the
        // archive now fails.
        drop(self.from_thread.take());
        if let Some(thread) = self.thread.take() {
            // The thread shouldn't panic; if it did, nobody reads its bytes any more.
            let _ = thread.join();
        }
    }
}

/// Makes reading fail once `stop` is set. So the thread stops unpacking, even if it hasn't reached the wanted file
/// yet.
struct Stoppable {
    inner: Window,
    stop: Arc<AtomicBool>,
}

impl Read for Stoppable {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.stop.load(Ordering::Relaxed) {
            return Err(io::Error::other("no longer needed"));
        }
        self.inner.read(buffer)
    }
}

impl Seek for Stoppable {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.inner.seek(to)
    }
}

fn error_of(file: &SharedFile, entry: &str, error: Error) -> SourceError {
    let path = file.path().to_path_buf();
    let entry = entry.to_string();
    match error {
        Error::PasswordRequired | Error::MaybeBadPassword(_) => SourceError::Encrypted { path, entry },
        Error::UnsupportedCompressionMethod(method) if method.starts_with("AES") => {
            SourceError::Encrypted { path, entry }
        }
        Error::UnsupportedCompressionMethod(method) => SourceError::Method { path, entry, method },
        Error::Unsupported(method) => SourceError::Method {
            path,
            entry,
            method: method.to_string(),
        },
        Error::ExternalUnsupported => SourceError::Method {
            path,
            entry,
            method: "an external list".to_string(),
        },
        Error::Io(e, _) if e.get_ref().is_some_and(|inner| inner.is::<SourceError>()) => {
            SourceError::from_io(path, e)
        }
        Error::Io(e, _) if e.get_ref().is_some_and(|inner| inner.is::<Error>()) => {
            let what = "the CRC of the unpacked bytes is wrong".to_string();
            SourceError::DamagedEntry { path, entry, what }
        }
        Error::Io(e, _) if e.raw_os_error().is_some() => SourceError::from_io(path, e),
        Error::Io(e, _) => SourceError::DamagedEntry {
            path,
            entry,
            what: e.to_string(),
        },
        Error::ChecksumVerificationFailed | Error::NextHeaderCrcMismatch => SourceError::DamagedArchive {
            path,
            what: "a CRC is wrong".to_string(),
        },
        Error::Other(what) => SourceError::DamagedArchive {
            path,
            what: what.to_string(),
        },
        other => SourceError::DamagedArchive {
            path,
            what: other.to_string(),
        },
    }
}
