//! Why files could not be turned into images: each error with its message, its code, and advice.

use std::io;
use std::path::PathBuf;
use std::string::{String, ToString};

use super::content::Content;
use super::sfx::Installer;

/// A file, folder or archive that can't be used.
///
/// `Display` states the fact with its numbers, and [`SourceError::hint`] says what to do. [`SourceError::code`] is
/// stable and never reused. The names of archive entries in these errors are already printable.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SourceError {
    /// Nothing exists at this path.
    #[error("{path}: no such file or folder", path = path.display())]
    Missing {
        /// As the user gave it.
        path: PathBuf,
    },
    /// The operating system refused to open or read it.
    #[error("{path}: no permission to read", path = path.display())]
    NoPermission {
        /// As the user gave it.
        path: PathBuf,
    },
    /// Reading failed (a pulled stick, a lost network mount, a bad disk).
    #[error("{path}: {cause}", path = path.display())]
    Unreadable {
        /// As the user gave it.
        path: PathBuf,
        /// What the operating system said.
        cause: io::Error,
    },
    /// A pipe, a socket, a device, or a file of the kernel: these can't be read twice. Or a folder where only a file
    /// will do.
    #[error("{path}: {what}, not a stored file", path = path.display())]
    NotAFile {
        /// As the user gave it.
        path: PathBuf,
        /// What it is, in words.
        what: &'static str,
    },
    /// A link in a folder leads to a file outside of the folder.
    #[error("{path}: a link to {to}, which is not in the folder", path = path.display(), to = super::names::printable_path(to))]
    LinkOut {
        /// The link.
        path: PathBuf,
        /// What it leads to.
        to: PathBuf,
    },
    /// The file has no bytes.
    #[error("{path}: the file is empty", path = path.display())]
    Empty {
        /// As the user gave it.
        path: PathBuf,
    },
    /// The file's length has changed since it was opened.
    #[error("{path}: the file changed from {was} to {is} bytes while it was in use", path = path.display())]
    Changed {
        /// As the user gave it.
        path: PathBuf,
        /// Length in bytes when it was opened.
        was: u64,
        /// Length in bytes now.
        is: u64,
    },
    /// A file named by the user is neither an image nor an archive of images.
    #[error("{path}: {content}, not a firmware image", path = path.display())]
    NotAnImage {
        /// As the user gave it.
        path: PathBuf,
        /// What the file is, according to its first bytes.
        content: Content,
    },
    /// A folder or archive without a single image.
    #[error("{path}: no firmware image in it ({looked_at} other files)", path = path.display())]
    NoImages {
        /// The folder or archive.
        path: PathBuf,
        /// How many files were looked at.
        looked_at: usize,
        /// An archive among these files, which the user could name instead.
        archive: Option<String>,
    },
    /// The folder has more files than a firmware folder could have.
    #[error("{path}: more than {limit} files", path = path.display())]
    TooManyFiles {
        /// The folder.
        path: PathBuf,
        /// The bound.
        limit: usize,
    },
    /// There are more images than one run checks.
    #[error("{path}: more than {limit} images", path = path.display())]
    TooManyImages {
        /// The folder, the archive, or the last of the files.
        path: PathBuf,
        /// The bound.
        limit: usize,
    },
    /// A program in which neither a 7z nor a zip archive was found.
    #[error("{path}: {installer}, with neither a 7z nor a zip archive in it", path = path.display())]
    UnknownInstaller {
        /// The executable.
        path: PathBuf,
        /// Which kind of installer it is, as far as it can be recognised.
        installer: Installer,
    },
    /// This build has no reader for this kind of archive.
    #[error("{path}: {content}, which this build can't open", path = path.display())]
    NotBuiltIn {
        /// The archive.
        path: PathBuf,
        /// What it is.
        content: Content,
    },
    /// An entry needs a password.
    #[error("{path}: {entry} is encrypted", path = path.display())]
    Encrypted {
        /// The archive.
        path: PathBuf,
        /// The entry, or "the list of files".
        entry: String,
    },
    /// An entry is packed in a way this program doesn't read.
    #[error("{path}: {entry} is packed with {method}, which can't be read here", path = path.display())]
    Method {
        /// The archive.
        path: PathBuf,
        /// The entry, or "the list of files".
        entry: String,
        /// The method's usual name or number.
        method: String,
    },
    /// The archive's structure is broken.
    #[error("{path}: damaged archive: {what}", path = path.display())]
    DamagedArchive {
        /// The archive.
        path: PathBuf,
        /// What is wrong.
        what: String,
    },
    /// Other programs may see other files in the archive, so it isn't clear which ones are meant.
    #[error("{path}: the archive can be read in two ways: {what}", path = path.display())]
    Unclear {
        /// The archive.
        path: PathBuf,
        /// What doesn't agree.
        what: String,
    },
    /// One entry of the archive doesn't unpack to what the archive says.
    #[error("{path}: {entry} is damaged: {what}", path = path.display())]
    DamagedEntry {
        /// The archive.
        path: PathBuf,
        /// The entry.
        entry: String,
        /// What is wrong.
        what: String,
    },
    /// An entry is bigger than an image can be.
    #[error("{path}: {entry} would be {size} bytes; an image can't be bigger than {limit}", path = path.display())]
    TooBig {
        /// The archive or file.
        path: PathBuf,
        /// The entry.
        entry: String,
        /// Unpacked size in bytes.
        size: u64,
        /// The bound in bytes.
        limit: u64,
    },
    /// The archive claims to unpack to far more than firmware ever does.
    #[error("{path}: {entry} claims to unpack from {packed} to {unpacked} bytes; no firmware does", path = path.display())]
    Bomb {
        /// The archive.
        path: PathBuf,
        /// The entry, or "the whole archive".
        entry: String,
        /// Packed size in bytes.
        packed: u64,
        /// Unpacked size in bytes.
        unpacked: u64,
    },
    /// The archive's list of files is too long for a firmware archive.
    #[error("{path}: the list of files in it is bigger than {limit} bytes", path = path.display())]
    DirectoryTooBig {
        /// The archive.
        path: PathBuf,
        /// The bound in bytes.
        limit: u64,
    },
    /// Unpacking would take too much memory.
    #[error("{path}: unpacking needs a dictionary of {size} bytes of memory; the limit is {limit}", path = path.display())]
    Dictionary {
        /// The archive.
        path: PathBuf,
        /// Dictionary size in bytes.
        size: u64,
        /// The bound in bytes.
        limit: u64,
    },
    /// This computer doesn't have the memory that unpacking needs.
    #[error("{path}: unpacking needs {size} bytes of memory, which this computer can't give", path = path.display())]
    NoMemory {
        /// The archive.
        path: PathBuf,
        /// Dictionary size in bytes.
        size: u64,
    },
    /// The archive contains another archive that can't be read in place.
    #[error("{path}: {entry} in it is an archive itself ({content})", path = path.display())]
    ArchiveInside {
        /// The outer archive.
        path: PathBuf,
        /// The inner one.
        entry: String,
        /// What the inner one is.
        content: Content,
    },
    /// The folder for unpacked files can't be used.
    #[error("{folder}: can't hold {needed} unpacked bytes: {cause}", folder = folder.display())]
    Spool {
        /// The folder chosen by the user.
        folder: PathBuf,
        /// Bytes to be written there.
        needed: u64,
        /// What the operating system said.
        cause: io::Error,
    },
    /// No thread could be started to unpack.
    #[error("{path}: no thread for unpacking: {cause}", path = path.display())]
    NoThread {
        /// The archive.
        path: PathBuf,
        /// What the operating system said.
        cause: io::Error,
    },
}

impl SourceError {
    /// The stable code of this kind of error.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Missing { .. } => "E-SRC-MISSING",
            Self::NoPermission { .. } => "E-SRC-PERMISSION",
            Self::Unreadable { .. } => "E-SRC-UNREADABLE",
            Self::NotAFile { .. } => "E-SRC-NOT-A-FILE",
            Self::LinkOut { .. } => "E-SRC-LINK-OUT",
            Self::Empty { .. } => "E-SRC-EMPTY",
            Self::Changed { .. } => "E-SRC-CHANGED",
            Self::NotAnImage { .. } => "E-SRC-NOT-AN-IMAGE",
            Self::NoImages { .. } => "E-SRC-NO-IMAGES",
            Self::TooManyFiles { .. } => "E-SRC-TOO-MANY-FILES",
            Self::TooManyImages { .. } => "E-SRC-TOO-MANY-IMAGES",
            Self::UnknownInstaller { .. } => "E-SRC-INSTALLER",
            Self::NotBuiltIn { .. } => "E-SRC-NOT-BUILT-IN",
            Self::Encrypted { .. } => "E-SRC-ENCRYPTED",
            Self::Method { .. } => "E-SRC-METHOD",
            Self::DamagedArchive { .. } => "E-SRC-DAMAGED-ARCHIVE",
            Self::Unclear { .. } => "E-SRC-UNCLEAR",
            Self::DamagedEntry { .. } => "E-SRC-DAMAGED-ENTRY",
            Self::TooBig { .. } => "E-SRC-TOO-BIG",
            Self::Bomb { .. } => "E-SRC-BOMB",
            Self::DirectoryTooBig { .. } => "E-SRC-DIRECTORY-TOO-BIG",
            Self::Dictionary { .. } => "E-SRC-DICTIONARY",
            Self::NoMemory { .. } => "E-SRC-NO-MEMORY",
            Self::ArchiveInside { .. } => "E-SRC-ARCHIVE-INSIDE",
            Self::Spool { .. } => "E-SRC-SPOOL",
            Self::NoThread { .. } => "E-SRC-THREAD",
        }
    }

    /// What to do about it, as one sentence in the imperative; `None` if there is nothing to add.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        let unpack = |path: &PathBuf| {
            std::format!(
                "unpack it with 7-Zip (`7z x {}`) and name the files that come out (.cwe, .spk, .nvu)",
                super::names::quoted(path)
            )
        };
        Some(match self {
            Self::Missing { .. } => {
                "check the spelling, and that the stick or network drive is mounted".to_string()
            }
            Self::NoPermission { .. } => {
                "make the file readable for this user, or run as the user it belongs to".to_string()
            }
            Self::Unreadable { .. } => {
                "check the stick, disk or network mount the file is on, then run again".to_string()
            }
            Self::NotAFile { .. } => "save the firmware as an ordinary file first".to_string(),
            Self::LinkOut { to, .. } => std::format!(
                "if that file is meant, name it: {}; else remove the link from the folder",
                super::names::quoted(to)
            ),
            Self::Empty { .. } => {
                "download it again: an empty file is what a broken download leaves".to_string()
            }
            Self::Changed { .. } => "wait until the download or copy is finished, then run again".to_string(),
            Self::NotAnImage { content, .. } => content.hint().to_string(),
            Self::NoImages {
                archive: Some(archive),
                ..
            } => std::format!("name the archive to have it opened: {archive}"),
            Self::NoImages { archive: None, .. } => {
                "name a folder, archive or file with .cwe, .spk, .nvu or .mbn images".to_string()
            }
            Self::TooManyFiles { .. } => {
                "name the folder the firmware itself lies in, or the files; unpack an archive first".to_string()
            }
            Self::TooManyImages { .. } => "name only the files that are meant".to_string(),
            Self::UnknownInstaller { path, installer } => match installer {
                Installer::Nsis | Installer::Msi | Installer::Rar => unpack(path),
                Installer::InnoSetup => std::format!(
                    "unpack it with innoextract (`innoextract {}`) and name the files that come out (.cwe, .spk, .nvu)",
                    super::names::quoted(path)
                ),
                Installer::InstallShield => {
                    "let it unpack its files on a Windows computer and name them (.cwe, .spk, .nvu)".to_string()
                }
                Installer::Other => Content::Unknown.hint().to_string(),
            },
            Self::NotBuiltIn { path, .. }
            | Self::Method { path, .. }
            | Self::Dictionary { path, .. } => unpack(path),
            Self::Encrypted { path, .. } => std::format!("{}; 7-Zip asks for the password", unpack(path)),
            Self::DamagedArchive { .. } | Self::DamagedEntry { .. } => {
                "download it again and compare its size or checksum with the vendor's page".to_string()
            }
            Self::Unclear { .. } => {
                "get it from the vendor's page; if the vendor's own archive is like this, unpack it, look at the files, and name them"
                    .to_string()
            }
            Self::TooBig { .. } | Self::Bomb { .. } | Self::DirectoryTooBig { .. } => {
                "no vendor ships such a firmware archive: get it from the vendor's page".to_string()
            }
            Self::ArchiveInside { path, entry, .. } => std::format!(
                "unpack the outer archive (`7z x {}`) and name {entry}, or give a folder for unpacked files with --temp-dir",
                super::names::quoted(path)
            ),
            Self::Spool { .. } => {
                "choose another folder with --temp-dir, or leave it out to unpack twice instead".to_string()
            }
            Self::NoMemory { .. } => {
                "unpack it on a larger computer and copy the images here, or read them over a network mount"
                    .to_string()
            }
            Self::NoThread { .. } => {
                "close other programs, or unpack the archive first with 7-Zip".to_string()
            }
        })
    }

    /// Takes the `SourceError` out of an [`io::Error`] that a reader of this module returned. Any other [`io::Error`]
    /// becomes the matching `SourceError` for `path`.
    #[must_use]
    pub fn from_io(path: impl Into<PathBuf>, error: io::Error) -> Self {
        let is_ours = error.get_ref().is_some_and(|inner| inner.is::<Self>());
        let path = path.into();
        if is_ours {
            let (kind, text) = (error.kind(), error.to_string());
            return match error.into_inner().map(|inner| inner.downcast::<Self>()) {
                Some(Ok(ours)) => *ours,
                _ => Self::Unreadable {
                    path,
                    cause: io::Error::new(kind, text),
                },
            };
        }
        match error.kind() {
            io::ErrorKind::NotFound => Self::Missing { path },
            io::ErrorKind::PermissionDenied => Self::NoPermission { path },
            _ => Self::Unreadable { path, cause: error },
        }
    }
}

impl From<SourceError> for io::Error {
    fn from(error: SourceError) -> Self {
        let kind = match &error {
            SourceError::Missing { .. } => io::ErrorKind::NotFound,
            SourceError::NoPermission { .. } => io::ErrorKind::PermissionDenied,
            SourceError::Unreadable { cause, .. } | SourceError::Spool { cause, .. } => cause.kind(),
            _ => io::ErrorKind::InvalidData,
        };
        Self::new(kind, error)
    }
}
