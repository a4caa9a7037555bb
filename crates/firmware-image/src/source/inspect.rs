//! Checks every image that was found, in one pass over each image and with one buffer for all.

use std::boxed::Box;
use std::io::{self, Read};
use std::string::{String, ToString};
use std::vec::Vec;

use super::ImageSource;
use super::content::Content;
use super::error::SourceError;
use super::gather::{Candidate, Gathered, Image, Origin};
use super::names;
use super::note::{Note, Reason};
#[cfg(feature = "sevenz")]
use super::spool::SpoolPolicy;
use crate::{ImageError, Inspector, Report, VerifiedReader};

/// Bytes read at once. This buffer is the only large piece of memory that a check needs.
const BUFFER: usize = 1 << 20;
/// Images of a 7z archive up to this size are kept in memory. Settings have only a few KiB, but unpacking the whole
/// stream again for them would take as long as for the firmware.
#[cfg(feature = "sevenz")]
const REMEMBERED: u64 = 256 << 10;
/// The most bytes of all images that are kept in memory, together.
#[cfg(feature = "sevenz")]
const REMEMBERED_TOTAL: u64 = 1 << 20;

/// A checked image, and where to read it again.
pub struct FirmwareFile {
    source: Box<dyn ImageSource>,
    report: Report,
    origin: Origin,
}

impl FirmwareFile {
    /// The path, or `archive/entry`.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.report.name
    }

    /// What the check found.
    #[must_use]
    pub fn report(&self) -> &Report {
        &self.report
    }

    /// Whether the user named it.
    #[must_use]
    pub fn origin(&self) -> Origin {
        self.origin
    }

    /// What the check found, and the bytes.
    #[must_use]
    pub fn into_parts(self) -> (Report, Box<dyn ImageSource>) {
        (self.report, self.source)
    }

    /// Reads the image again from its beginning. Every block is compared with the check before it is handed out.
    ///
    /// # Errors
    /// The file can't be opened any more, or its length has changed: a [`SourceError`] or the operating system's
    /// error.
    pub fn open(&self) -> io::Result<VerifiedReader<Box<dyn Read + Send + '_>>> {
        Ok(VerifiedReader::new(
            self.source.open()?,
            self.report.fingerprint.clone(),
        ))
    }
}

impl std::fmt::Debug for FirmwareFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FirmwareFile")
            .field("name", &self.name())
            .field("origin", &self.origin)
            .finish_non_exhaustive()
    }
}

/// Why an image was refused.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// The file can't be read.
    #[error("{0}")]
    Source(#[from] SourceError),
    /// The file's bytes aren't an image.
    #[error("{0}")]
    Image(#[from] ImageError),
}

impl FileError {
    /// The stable code.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Source(error) => error.code(),
            Self::Image(error) => error.code(),
        }
    }
}

/// An image that was refused.
#[derive(Debug)]
pub struct Refused {
    /// The path, or `archive/entry`.
    pub name: String,
    /// Whether the user named it.
    pub origin: Origin,
    /// Why.
    pub error: FileError,
}

/// The outcome of all checks.
#[derive(Debug, Default)]
pub struct Inspected {
    /// The images, in the order they were found.
    pub files: Vec<FirmwareFile>,
    /// Files that looked like an image but can't be sent.
    pub refused: Vec<Refused>,
    /// Notes about files that turned out to be something else, in archives that show their content only when
    /// unpacked.
    pub notes: Vec<Note>,
}

/// The progress of the checks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress<'a> {
    /// The image that is being read.
    pub name: &'a str,
    /// Bytes read of it.
    pub done: u64,
    /// Its size in bytes.
    pub size: u64,
}

/// Reads and checks every candidate, and calls `progress` after every piece of at most 1 MiB.
///
/// The images of a 7z archive are unpacked in one go, and kept for the second reading as [`super::Options::spool`] says.
/// If one file fails, the others are still checked; the error is in [`Inspected::refused`].
pub fn inspect(gathered: Gathered, progress: &mut (dyn FnMut(Progress<'_>) + Send)) -> Inspected {
    let mut pass = Pass {
        buffer: std::vec![0; BUFFER],
        progress,
        out: Inspected::default(),
    };
    let mut outcomes: Vec<Option<Result<Report, FileError>>> = Vec::new();
    outcomes.resize_with(gathered.candidates.len(), || None);
    #[cfg(feature = "sevenz")]
    {
        // Unpack in a separate thread, as every later unpacking does: the C library keeps a dictionary's freed memory
        // for the thread that used it. Measured with a dictionary of 16 MiB: a peak of 24 MiB instead of 40.
        let is_packed = gathered
            .candidates
            .iter()
            .any(|candidate| matches!(candidate.image, Image::SevenZip(_)));
        let walk = || pass.walk_archives(&gathered, &mut outcomes);
        if is_packed {
            std::thread::scope(|scope| {
                // If no thread can be started, each image is unpacked by itself below, which reports the missing
                // thread.
                if let Ok(walk) = std::thread::Builder::new().spawn_scoped(scope, walk) {
                    if let Err(panic) = walk.join() {
                        std::panic::resume_unwind(panic);
                    }
                }
            });
        }
    }
    for (candidate, outcome) in gathered.candidates.into_iter().zip(outcomes) {
        let outcome = match outcome {
            Some(outcome) => outcome,
            None => pass.one(candidate.source()),
        };
        pass.sort(candidate, outcome);
    }
    pass.out
}

/// Reads and checks one image that doesn't come from [`super::gather()`], such as a generated one, through a buffer
/// of `buffer` bytes.
///
/// # Errors
/// The image can't be read, or its bytes aren't an image.
pub fn check(source: &dyn ImageSource, buffer: usize) -> Result<Report, FileError> {
    let mut pass = Pass {
        buffer: std::vec![0; buffer.max(1)],
        progress: &mut |_| {},
        out: Inspected::default(),
    };
    pass.one(source)
}

/// Ends a walk through an archive. The error that ended it is kept elsewhere.
#[cfg(feature = "sevenz")]
struct Stop;

#[cfg(feature = "sevenz")]
impl From<SourceError> for Stop {
    fn from(_: SourceError) -> Self {
        Self
    }
}

struct Pass<'a> {
    buffer: Vec<u8>,
    progress: &'a mut (dyn FnMut(Progress<'_>) + Send),
    out: Inspected,
}

impl Pass<'_> {
    fn one(&mut self, source: &dyn ImageSource) -> Result<Report, FileError> {
        let mut reader = source
            .open()
            .map_err(|e| SourceError::from_io(source.name(), e))?;
        self.read(source.name(), source.size(), &mut reader)
    }

    fn read(&mut self, name: &str, size: u64, reader: &mut dyn Read) -> Result<Report, FileError> {
        let mut inspector = Inspector::new(name, size);
        let mut done = 0_u64;
        loop {
            let read = match reader.read(&mut self.buffer) {
                Ok(0) => break,
                Ok(read) => read,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
                Err(e) => return Err(SourceError::from_io(name, e).into()),
            };
            inspector.push(self.buffer.get(..read).unwrap_or_default())?;
            done = done.saturating_add(u64::try_from(read).unwrap_or(u64::MAX));
            (self.progress)(Progress { name, done, size });
        }
        Ok(inspector.finish()?)
    }

    fn sort(&mut self, candidate: Candidate, outcome: Result<Report, FileError>) {
        let origin = candidate.origin;
        let name = candidate.source().name().to_string();
        match outcome {
            Ok(report) => {
                self.out.files.push(FirmwareFile {
                    source: candidate.into_source(),
                    report,
                    origin,
                });
            }
            // This file was only tried because no name in its 7z archive looked like an image.
            Err(FileError::Image(ImageError::NotAnImage { .. } | ImageError::HeaderIncomplete { .. }))
                if origin == Origin::Found && !names::is_image_name(&name) =>
            {
                self.out.notes.push(Note::PassedOver {
                    name,
                    reason: Reason::NotAnImage(Content::Unknown),
                });
            }
            Err(error) => self.out.refused.push(Refused { name, origin, error }),
        }
    }

    /// Unpacks every 7z archive once and checks its images on the way. Images without an outcome, because an error
    /// ended the walk, are later checked one by one.
    #[cfg(feature = "sevenz")]
    fn walk_archives(&mut self, gathered: &Gathered, outcomes: &mut [Option<Result<Report, FileError>>]) {
        use super::sevenz::SevenZipImage;
        use std::collections::BTreeMap;
        use std::sync::Arc;
        let mut by_archive: BTreeMap<usize, BTreeMap<usize, (usize, &SevenZipImage)>> = BTreeMap::new();
        for (place, candidate) in gathered.candidates.iter().enumerate() {
            if let Image::SevenZip(image) = &candidate.image {
                let archive = Arc::as_ptr(image.archive()) as usize;
                by_archive
                    .entry(archive)
                    .or_default()
                    .insert(image.index(), (place, image));
            }
        }
        let mut remembered = 0_u64;
        for images in by_archive.values() {
            let Some((_, first)) = images.values().next() else {
                continue;
            };
            let wanted = images.keys().copied().collect();
            // An error ends the walk. It occurs again, and is reported, when the remaining images are checked one by
            // one.
            let _ = first.archive().walk::<Stop>(&wanted, |index, reader| {
                let Some((place, image)) = images.get(&index) else {
                    return Ok(());
                };
                let outcome = self.read_and_keep(image, &gathered.spool, &mut remembered, reader);
                let is_broken = matches!(outcome, Err(FileError::Source(_)));
                if let Some(slot) = outcomes.get_mut(*place) {
                    *slot = Some(outcome);
                }
                if is_broken { Err(Stop) } else { Ok(()) }
            });
        }
    }

    #[cfg(feature = "sevenz")]
    fn read_and_keep(
        &mut self,
        image: &super::sevenz::SevenZipImage,
        spool: &SpoolPolicy,
        remembered: &mut u64,
        reader: &mut dyn Read,
    ) -> Result<Report, FileError> {
        let (name, size) = (image.name(), image.size());
        let total = remembered.saturating_add(size);
        if size <= REMEMBERED && total <= REMEMBERED_TOTAL {
            *remembered = total;
            let mut tee = image.remember(reader);
            let report = self.read(name, size, &mut tee)?;
            image.keep_bytes(tee.keep);
            return Ok(report);
        }
        match spool {
            SpoolPolicy::UnpackEachTime => self.read(name, size, reader),
            SpoolPolicy::SpoolTo(folder) => {
                let mut tee = image.spool(folder, reader)?;
                let report = self.read(name, size, &mut tee)?;
                image.keep_file(tee.keep)?;
                Ok(report)
            }
        }
    }
}
