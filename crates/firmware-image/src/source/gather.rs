//! Finds the images behind the paths that a user gives: files, folders and archives, recognised by their content.
//!
//! Only lists of files and the first bytes of files are unpacked here. If unpacking will take long later, a note says
//! so.

use std::boxed::Box;
use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};
use std::string::{String, ToString};
use std::sync::Arc;
use std::vec::Vec;

use super::ImageSource;
use super::content::{Content, HEAD_SIZE};
use super::error::SourceError;
use super::file::FileImage;
use super::note::{Note, Reason};
use super::open::Place;
use super::shared::{SharedFile, Window};
use super::spool::{self, SpoolPolicy};
use super::zip_end::{self, Part};
use super::zip_layout::Before;
use super::{folder, limits, names, sfx};

/// How to read the files that the user gives.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// What to do with images that can't be read in place.
    pub spool: SpoolPolicy,
}

/// All images that were found, and notes about the other files.
#[derive(Debug, Default)]
pub struct Gathered {
    /// The images, in the order of the given paths; inside a folder sorted by name, inside an archive in the
    /// archive's order.
    pub candidates: Vec<Candidate>,
    /// Notes to show the user before the images are read.
    pub notes: Vec<Note>,
    /// What to do with images that can't be read in place.
    pub(crate) spool: SpoolPolicy,
}

/// A file that looks like an image by its first bytes or its name. It has not been checked yet.
#[derive(Debug)]
pub struct Candidate {
    pub(crate) image: Image,
    /// Whether the user named it.
    pub origin: Origin,
}

/// How a file was chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The user gave the file's path, so this file is meant.
    Named,
    /// The file was found in a folder or archive, so it may be meant.
    Found,
}

/// An image, by the kind of place where its bytes are.
#[derive(Debug)]
pub(crate) enum Image {
    File(FileImage),
    #[cfg(feature = "zip")]
    Zip(super::zip::ZipImage),
    #[cfg(feature = "sevenz")]
    SevenZip(super::sevenz::SevenZipImage),
}

impl Image {
    pub(crate) fn source(&self) -> &dyn ImageSource {
        match self {
            Self::File(image) => image,
            #[cfg(feature = "zip")]
            Self::Zip(image) => image,
            #[cfg(feature = "sevenz")]
            Self::SevenZip(image) => image,
        }
    }

    pub(crate) fn into_source(self) -> Box<dyn ImageSource> {
        match self {
            Self::File(image) => Box::new(image),
            #[cfg(feature = "zip")]
            Self::Zip(image) => Box::new(image),
            #[cfg(feature = "sevenz")]
            Self::SevenZip(image) => Box::new(image),
        }
    }
}

impl Candidate {
    /// The image's bytes, name and size.
    #[must_use]
    pub fn source(&self) -> &dyn ImageSource {
        self.image.source()
    }

    /// Turns the candidate into the source of its bytes.
    #[must_use]
    pub fn into_source(self) -> Box<dyn ImageSource> {
        self.image.into_source()
    }
}

/// Finds the images behind `paths`. Each path is a file, a folder, or a zip, 7z or self-extracting archive.
///
/// If the user names a file that is neither an image nor an archive, that is an error; in folders and archives such
/// files are passed over with a note. An archive inside an archive is opened if it is stored there uncompressed, or
/// if the caller gave a folder for unpacked files.
///
/// # Errors
/// The first path that can't be used, or [`SourceError::NoImages`].
///
/// ```
/// use modemflash_firmware_image::source::{Options, gather};
/// # let folder = tempfile::tempdir()?;
/// # let image = modemflash_firmware_image::generate::models::package().build("package.cwe")?;
/// std::fs::write(folder.path().join("package.cwe"), image.to_vec())?;
/// std::fs::write(folder.path().join("readme.txt"), "Release notes")?;
/// let found = gather(&[folder.path()], &Options::default())?;
/// for candidate in &found.candidates {
///     println!("{}: {} bytes", candidate.source().name(), candidate.source().size());
/// }
/// assert_eq!(found.candidates.len(), 1);
/// assert!(found.notes[0].to_string().ends_with("readme.txt: passed over (a text)"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn gather<P: AsRef<Path>>(paths: &[P], options: &Options) -> Result<Gathered, SourceError> {
    let mut gatherer = Gatherer {
        options,
        seen: BTreeSet::new(),
        out: Gathered::default(),
    };
    gatherer.out.spool = options.spool.clone();
    for path in paths {
        gatherer.path(path.as_ref())?;
    }
    Ok(gatherer.out)
}

/// Whether the present archive is inside another archive.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Level {
    Outer,
    Inner,
}

/// A file, or a part of a file, and what it is.
struct Stretch {
    file: Arc<SharedFile>,
    start: u64,
    size: u64,
    content: Content,
}

/// The entries of an archive, sorted.
#[derive(Default)]
struct Sorted {
    images: Vec<Image>,
    inner: Vec<Inner>,
    looked_at: usize,
    /// Why the first unreadable entry couldn't be read. If there are no images, this error says more than "no
    /// images".
    first_error: Option<SourceError>,
}

/// An archive inside an archive.
struct Inner {
    content: Content,
    image: Image,
    /// Start and size in the outer file, if the inner archive is stored there uncompressed.
    in_place: Option<(u64, u64)>,
}

struct Gatherer<'a> {
    options: &'a Options,
    /// Files taken already, by device and inode. A file that is named and also found in a folder counts once.
    seen: BTreeSet<(u64, u64)>,
    out: Gathered,
}

impl Gatherer<'_> {
    fn path(&mut self, path: &Path) -> Result<(), SourceError> {
        let place = Place::find(path)?;
        if place.is_folder() {
            return self.folder(path, &place);
        }
        let file = SharedFile::open(&place)?;
        let content = content_of(&file, 0)?.under_name(&path.to_string_lossy());
        let content = inside(&file, content);
        let size = file.size();
        match content {
            Content::Empty => Err(SourceError::Empty {
                path: path.to_path_buf(),
            }),
            content if content.is_archive() => self.archive(
                Stretch {
                    file,
                    start: 0,
                    size,
                    content,
                },
                Level::Outer,
            ),
            Content::Image => self.take_file(file, Origin::Named),
            content if is_clearly_foreign(content) || !names::is_image_name(&path.to_string_lossy()) => {
                Err(SourceError::NotAnImage {
                    path: path.to_path_buf(),
                    content,
                })
            }
            _ => self.take_file(file, Origin::Named),
        }
    }

    fn take_file(&mut self, file: Arc<SharedFile>, origin: Origin) -> Result<(), SourceError> {
        if let Some(identity) = file.identity() {
            let is_new = self.seen.insert(identity);
            // A file that is both named and found is taken once, as named. A file that is named twice is taken twice:
            // the check then reports the same image twice.
            if !is_new && origin == Origin::Found {
                return Ok(());
            }
            if !is_new {
                let same = |c: &Candidate| match &c.image {
                    Image::File(image) => c.origin == Origin::Found && image.identity() == Some(identity),
                    #[cfg(any(feature = "zip", feature = "sevenz"))]
                    _ => false,
                };
                self.out.candidates.retain(|c| !same(c));
            }
        }
        let size = file.size();
        if size > limits::IMAGE {
            let path = file.path().to_path_buf();
            let entry = "the image".to_string();
            return Err(SourceError::TooBig {
                path,
                entry,
                size,
                limit: limits::IMAGE,
            });
        }
        let path = file.path().to_path_buf();
        self.out.candidates.push(Candidate {
            image: Image::File(FileImage::new(file)),
            origin,
        });
        limits::check_images(&path, self.out.candidates.len())
    }

    fn pass_over(&mut self, name: impl Into<String>, reason: Reason) {
        self.out.notes.push(Note::PassedOver {
            name: name.into(),
            reason,
        });
    }

    fn folder(&mut self, path: &Path, place: &Place) -> Result<(), SourceError> {
        let mut has_images = false;
        let mut link_out = None;
        let listing = folder::list(path)?;
        self.out.notes.extend(listing.notes);
        let mut archives: Vec<Stretch> = Vec::new();
        for file_path in &listing.files {
            let name = names::printable(&file_path.to_string_lossy());
            let opened = open_inside(file_path, place)
                .and_then(|file| content_of(&file, 0).map(|content| (file, content)));
            let (file, content) = match opened {
                Ok(opened) => opened,
                Err(SourceError::LinkOut { path, to }) if !names::is_image_name(&name) => {
                    self.pass_over(name, Reason::LinkOut(to.clone()));
                    link_out.get_or_insert(SourceError::LinkOut { path, to });
                    continue;
                }
                // The file is named like an image, so continuing without it could choose a wrong set.
                Err(e) if names::is_image_name(&name) => return Err(e),
                Err(e) => {
                    self.pass_over(name, Reason::Unreadable(e.to_string()));
                    continue;
                }
            };
            let size = file.size();
            match content.under_name(&name) {
                Content::Image => {
                    has_images = true;
                    self.take_file(file, Origin::Found)?;
                }
                Content::Empty => self.pass_over(name, Reason::NotAnImage(content)),
                content if content.is_archive() => archives.push(Stretch {
                    file,
                    start: 0,
                    size,
                    content,
                }),
                content if names::is_image_name(&name) && !is_clearly_foreign(content) => {
                    has_images = true;
                    self.take_file(file, Origin::Found)?;
                }
                content => self.pass_over(name, Reason::NotAnImage(content)),
            }
        }
        // A download folder may contain many archives. Guessing which one is meant could be wrong, and unpacking all
        // is slow.
        if !has_images && archives.len() == 1 {
            if let Some(archive) = archives.pop() {
                return self.archive(archive, Level::Outer);
            }
        }
        let first = archives.first().map(|a| names::quoted(a.file.path()));
        for archive in archives {
            self.pass_over(
                names::printable(&archive.file.path().to_string_lossy()),
                Reason::Archive(archive.content),
            );
        }
        if has_images {
            return Ok(());
        }
        // The image or archive may be what the link leads to.
        if let (None, Some(link_out)) = (&first, link_out) {
            return Err(link_out);
        }
        Err(SourceError::NoImages {
            path: path.to_path_buf(),
            looked_at: listing.files.len(),
            archive: first,
        })
    }

    fn archive(&mut self, stretch: Stretch, level: Level) -> Result<(), SourceError> {
        match stretch.content {
            Content::Zip => self.zip(stretch, Before::Nothing, level),
            Content::SevenZip => self.seven_zip(stretch, level),
            _ => self.program(stretch, level),
        }
    }

    fn program(&mut self, program: Stretch, level: Level) -> Result<(), SourceError> {
        let Stretch {
            file, start, size, ..
        } = program;
        let path = file.path().to_path_buf();
        let window = Window::new(Arc::clone(&file), start, size);
        let found = sfx::find(window, size).map_err(|e| SourceError::from_io(path.as_path(), e))?;
        let place = |offset: Option<u64>| offset.and_then(|offset| start.checked_add(offset));
        let (seven_zip, rar) = (place(found.seven_zip), place(found.rar));
        let zip = zip_offset(&file, start, size);
        let is_first =
            |one: Option<u64>| one.is_some() && [seven_zip, rar, zip].into_iter().flatten().min() == one;
        // One archive may be stored inside another; then the outer one begins first.
        if is_first(zip) {
            return self.zip(
                Stretch {
                    file,
                    start,
                    size,
                    content: Content::Zip,
                },
                Before::Program,
                level,
            );
        }
        match seven_zip {
            Some(seven_zip) if is_first(Some(seven_zip)) => {
                let rest = size.saturating_sub(seven_zip.saturating_sub(start));
                self.seven_zip(
                    Stretch {
                        file,
                        start: seven_zip,
                        size: rest,
                        content: Content::SevenZip,
                    },
                    level,
                )
            }
            _ => Err(SourceError::UnknownInstaller {
                path,
                installer: found.installer,
            }),
        }
    }

    #[cfg(not(feature = "zip"))]
    fn zip(&mut self, zip: Stretch, _before: Before, _level: Level) -> Result<(), SourceError> {
        Err(SourceError::NotBuiltIn {
            path: zip.file.path().to_path_buf(),
            content: Content::Zip,
        })
    }

    #[cfg(feature = "zip")]
    fn zip(&mut self, zip: Stretch, before: Before, level: Level) -> Result<(), SourceError> {
        let opened = super::zip::Zip::open(Arc::clone(&zip.file), zip.start, zip.size, before)?;
        let mut archive = opened.ok_or_else(|| SourceError::DamagedArchive {
            path: zip.file.path().to_path_buf(),
            what: "it has no end; was the download interrupted?".to_string(),
        })?;
        let mut sorted = Sorted::default();
        let mut total = 0_u64;
        for listed in archive.list()? {
            let name = std::format!("{}/{}", names::printable_path(zip.file.path()), listed.name);
            if let Some(reason) =
                reason_by_name(&listed.name, listed.is_folder, listed.is_unsafe, listed.size)
            {
                self.pass_over_unless_folder(name, reason);
                continue;
            }
            sorted.looked_at = sorted.looked_at.saturating_add(1);
            let is_named_so = names::is_image_name(&listed.name);
            let image = match archive.image(&listed) {
                Ok(image) => image,
                Err(e) if is_named_so => return Err(e),
                Err(e) => {
                    self.pass_over(name, Reason::Unreadable(e.to_string()));
                    sorted.first_error.get_or_insert(e);
                    continue;
                }
            };
            let content = match image.content() {
                Ok(content) => content,
                Err(e) if is_named_so => return Err(e),
                Err(e) => {
                    self.pass_over(name, Reason::Unreadable(e.to_string()));
                    sorted.first_error.get_or_insert(e);
                    continue;
                }
            };
            let content = content.under_name(&listed.name);
            let is_image = content == Content::Image || (is_named_so && !is_clearly_foreign(content));
            if content.is_archive() {
                let in_place = image.in_place();
                sorted.inner.push(Inner {
                    content,
                    image: Image::Zip(image),
                    in_place,
                });
            } else if is_image {
                total = total.saturating_add(listed.size);
                limits::check_total(zip.file.path(), archive.packed_size(), total)?;
                sorted.images.push(Image::Zip(image));
                limits::check_images(zip.file.path(), sorted.images.len())?;
            } else {
                self.pass_over(name, Reason::NotAnImage(content));
            }
        }
        self.take_sorted(&zip.file, sorted, level)
    }

    #[cfg(not(feature = "sevenz"))]
    fn seven_zip(&mut self, archive: Stretch, _level: Level) -> Result<(), SourceError> {
        Err(SourceError::NotBuiltIn {
            path: archive.file.path().to_path_buf(),
            content: Content::SevenZip,
        })
    }

    #[cfg(feature = "sevenz")]
    fn seven_zip(&mut self, stretch: Stretch, level: Level) -> Result<(), SourceError> {
        use super::sevenz::{SevenZip, SevenZipImage};
        let archive = Arc::new(SevenZip::open(Arc::clone(&stretch.file), stretch.start)?);
        archive.check_list()?;
        let listed = archive.list();
        let mut usable = Vec::new();
        for file in &listed {
            match reason_by_name(&file.name, file.is_folder, file.is_unsafe, file.size) {
                Some(reason) => {
                    self.pass_over_unless_folder(
                        std::format!("{}/{}", names::printable_path(archive.path()), file.name),
                        reason,
                    );
                }
                None => usable.push(file),
            }
        }
        // To read a file's first bytes, everything before it has to be unpacked. So names decide here, and content
        // only if no name looks like an image or an archive.
        let mut sorted = Sorted {
            looked_at: usable.len(),
            ..Sorted::default()
        };
        let mut wanted: Vec<_> = usable
            .iter()
            .copied()
            .filter(|f| names::is_image_name(&f.name))
            .collect();
        if wanted.is_empty() {
            let inner: Vec<_> = usable
                .iter()
                .copied()
                .filter(|f| names::is_archive_name(&f.name))
                .collect();
            archive.check(&inner)?;
            for file in inner {
                let content = if file.name.to_ascii_lowercase().ends_with(".exe") {
                    Content::WindowsProgram
                } else if file.name.to_ascii_lowercase().ends_with(".zip") {
                    Content::Zip
                } else {
                    Content::SevenZip
                };
                let image = Image::SevenZip(SevenZipImage::new(Arc::clone(&archive), file));
                sorted.inner.push(Inner {
                    content,
                    image,
                    in_place: None,
                });
            }
            if sorted.inner.is_empty() {
                wanted.clone_from(&usable);
            }
        } else {
            for file in usable.iter().filter(|f| !names::is_image_name(&f.name)) {
                let name = std::format!("{}/{}", names::printable_path(archive.path()), file.name);
                self.pass_over(name, Reason::OtherName);
            }
        }
        archive.check(&wanted)?;
        if !wanted.is_empty() {
            self.out.notes.push(Note::Unpacking {
                archive: archive.path().to_path_buf(),
                unpacked: wanted.iter().map(|f| f.size).fold(0, u64::saturating_add),
                dictionary: archive.dictionary(&wanted),
                is_solid: archive.is_solid(),
                policy: self.options.spool.clone(),
            });
        }
        limits::check_images(archive.path(), wanted.len())?;
        for file in wanted {
            sorted
                .images
                .push(Image::SevenZip(SevenZipImage::new(Arc::clone(&archive), file)));
        }
        self.take_sorted(&stretch.file, sorted, level)
    }

    #[cfg(any(feature = "zip", feature = "sevenz"))]
    fn pass_over_unless_folder(&mut self, name: String, reason: Option<Reason>) {
        if let Some(reason) = reason {
            self.pass_over(name, reason);
        }
    }

    #[cfg(any(feature = "zip", feature = "sevenz"))]
    fn take_sorted(
        &mut self,
        file: &Arc<SharedFile>,
        sorted: Sorted,
        level: Level,
    ) -> Result<(), SourceError> {
        let path = file.path().to_path_buf();
        if !sorted.images.is_empty() {
            for Inner { content, image, .. } in sorted.inner {
                let name = image.source().name().to_string();
                self.pass_over(name, Reason::Archive(content));
            }
            let found = sorted.images.into_iter().map(|image| Candidate {
                image,
                origin: Origin::Found,
            });
            self.out.candidates.extend(found);
            return limits::check_images(&path, self.out.candidates.len());
        }
        if sorted.inner.is_empty() || level == Level::Inner {
            let no_images = SourceError::NoImages {
                path,
                looked_at: sorted.looked_at,
                archive: None,
            };
            return Err(sorted.first_error.unwrap_or(no_images));
        }
        for Inner {
            content,
            image,
            in_place,
        } in sorted.inner
        {
            let inner = match (in_place, &self.options.spool) {
                (Some((start, size)), _) => Stretch {
                    file: Arc::clone(file),
                    start,
                    size,
                    content,
                },
                (None, SpoolPolicy::SpoolTo(folder)) => {
                    let source = image.source();
                    let (name, size) = (source.name().to_string(), source.size());
                    let folder = folder.clone();
                    self.out.notes.push(Note::CopyingInner {
                        name,
                        size,
                        folder: folder.clone(),
                    });
                    let file = copy_to_spool(&folder, source)?;
                    let content = content_of(&file, 0)?;
                    Stretch {
                        file,
                        start: 0,
                        size,
                        content,
                    }
                }
                (None, SpoolPolicy::UnpackEachTime) => {
                    let entry = names::base(image.source().name()).to_string();
                    return Err(SourceError::ArchiveInside { path, entry, content });
                }
            };
            self.archive(inner, Level::Inner)?;
        }
        Ok(())
    }
}

/// Why an archive's entry is passed over, judged by its listing alone. `None`: it isn't passed over. `Some(None)`: it
/// is a folder, which is passed over without a note.
#[cfg(any(feature = "zip", feature = "sevenz"))]
fn reason_by_name(name: &str, is_folder: bool, is_unsafe: bool, size: u64) -> Option<Option<Reason>> {
    if is_unsafe {
        Some(Some(Reason::UnsafeName))
    } else if is_folder {
        Some(None)
    } else if names::is_system_litter(name) {
        Some(Some(Reason::SystemFile))
    } else if size == 0 {
        Some(Some(Reason::NotAnImage(Content::Empty)))
    } else {
        None
    }
}

/// Where the zip archive in a program begins, if the program contains one that isn't empty.
fn zip_offset(file: &Arc<SharedFile>, start: u64, size: u64) -> Option<u64> {
    let part = Part { file, start, size };
    // A program may contain the marks of a zip archive without being one, so an error means that it isn't one.
    let end = zip_end::find(part).ok()??;
    (end.count > 0).then(|| start.saturating_add(end.archive))
}

/// Whether no image can have this content, whatever the file's name is.
fn is_clearly_foreign(content: Content) -> bool {
    !matches!(
        content,
        Content::Image | Content::Unknown | Content::Text | Content::LinuxProgram
    )
}

/// Opens a file that was listed in a folder. A link to a file elsewhere isn't followed: who put it there isn't known.
/// This judges what was opened, so it doesn't matter if a link takes the file's place meanwhile.
fn open_inside(path: &Path, folder: &Place) -> Result<Arc<SharedFile>, SourceError> {
    let place = Place::find(path)?;
    let file = SharedFile::open(&place)?;
    match (place.real_path(), folder.real_path()) {
        (Some(real), Some(folder)) if real.starts_with(&folder) => Ok(file),
        (real, _) => Err(SourceError::LinkOut {
            path: path.to_path_buf(),
            to: real.unwrap_or_else(|| path.to_path_buf()),
        }),
    }
}

fn content_of(file: &SharedFile, start: u64) -> Result<Content, SourceError> {
    let mut head = [0_u8; HEAD_SIZE];
    let read = file.head(start, &mut head)?;
    Ok(Content::of(head.get(..read).unwrap_or_default()))
}

/// Tells a packed tar archive from another packed file, by what is packed if this can be unpacked here, else by the
/// file's name.
fn inside(file: &Arc<SharedFile>, content: Content) -> Content {
    let is_tar = match content {
        #[cfg(feature = "zip")]
        Content::Gzip => {
            let packed = io::BufReader::with_capacity(4096, Window::from(Arc::clone(file), 0));
            let mut head = Vec::with_capacity(HEAD_SIZE);
            let limit = u64::try_from(HEAD_SIZE).unwrap_or(u64::MAX);
            let unpacked = io::Read::take(flate2::bufread::GzDecoder::new(packed), limit);
            // What can't be unpacked is no tar archive.
            let _ = io::Read::read_to_end(&mut { unpacked }, &mut head);
            Content::of(&head) == Content::Tar
        }
        #[cfg(not(feature = "zip"))]
        Content::Gzip => names::is_packed_tar_name(&file.path().to_string_lossy()),
        Content::Xz | Content::Bzip2 | Content::Zstandard => {
            names::is_packed_tar_name(&file.path().to_string_lossy())
        }
        _ => false,
    };
    if is_tar { Content::PackedTar } else { content }
}

#[cfg(any(feature = "zip", feature = "sevenz"))]
fn copy_to_spool(folder: &Path, source: &dyn ImageSource) -> Result<Arc<SharedFile>, SourceError> {
    let label = PathBuf::from(source.name());
    let mut to = spool::create(folder, source.size())?;
    let mut from = source
        .open()
        .map_err(|e| SourceError::from_io(label.as_path(), e))?;
    let mut buffer = std::vec![0_u8; 256 * 1024];
    loop {
        let read = match from.read(&mut buffer) {
            Ok(0) => break,
            Ok(read) => read,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
            Err(e) => return Err(SourceError::from_io(label.as_path(), e)),
        };
        let written = io::Write::write_all(&mut to, buffer.get(..read).unwrap_or_default());
        written.map_err(|cause| SourceError::Spool {
            folder: folder.to_path_buf(),
            needed: source.size(),
            cause,
        })?;
    }
    SharedFile::from_file(to, label)
}
