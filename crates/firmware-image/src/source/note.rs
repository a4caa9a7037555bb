//! What a user should know about the files that were looked at, in addition to the images themselves.

use std::fmt;
use std::path::PathBuf;
use std::string::String;

use super::content::Content;
use super::spool::SpoolPolicy;

/// Something worth a line on the terminal. None of these stops the run.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Note {
    /// A file that isn't used.
    PassedOver {
        /// Its path, or `archive/entry`; printable.
        name: String,
        /// Why.
        reason: Reason,
    },
    /// Images will be unpacked from a 7z archive. The note is shown before that starts.
    Unpacking {
        /// The archive.
        archive: PathBuf,
        /// Bytes that will be unpacked.
        unpacked: u64,
        /// Bytes of memory that unpacking needs for its dictionary.
        dictionary: u64,
        /// Whether the files in the archive are packed as one stream.
        is_solid: bool,
        /// Whether the images are unpacked twice, or once into a folder.
        policy: SpoolPolicy,
    },
    /// An archive inside another is copied to the folder for unpacked files, so that it can be read.
    CopyingInner {
        /// `archive/entry`; printable.
        name: String,
        /// Bytes that will be copied.
        size: u64,
        /// Where to.
        folder: PathBuf,
    },
}

/// Why a file was passed over.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reason {
    /// A file of the operating system, such as `._*`, `__MACOSX` or `Thumbs.db`.
    SystemFile,
    /// Not an image.
    NotAnImage(Content),
    /// An archive next to images. The user can name it to have it opened.
    Archive(Content),
    /// A sub-folder that is nested too deep to be searched.
    TooDeep,
    /// A link to a folder. Such links can lead in circles.
    FolderLink,
    /// A link to a file outside of the folder, under a name that isn't an image's.
    LinkOut(PathBuf),
    /// A file without an image's name, in a 7z archive that has files with such names. Looking into it would mean
    /// unpacking.
    OtherName,
    /// The entry's name points outside the folder that it is unpacked into.
    UnsafeName,
    /// The file can't be read, and it isn't named like an image.
    Unreadable(String),
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SystemFile => f.write_str("a file of the operating system"),
            Self::NotAnImage(content) => content.fmt(f),
            Self::Archive(content) => write!(f, "{content}; name it to have it opened"),
            Self::TooDeep => f.write_str("a folder too deep down; name it to have it searched"),
            Self::FolderLink => f.write_str("a link to a folder; name the folder itself"),
            Self::LinkOut(to) => {
                let to = super::names::printable_path(to);
                write!(f, "a link to {to}, which is not in the folder")
            }
            Self::OtherName => f.write_str("not named like an image"),
            Self::UnsafeName => f.write_str("its name points outside of the archive"),
            Self::Unreadable(why) => write!(f, "can't be read: {why}"),
        }
    }
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::PassedOver { name, reason } => write!(f, "{name}: passed over ({reason})"),
            Self::Unpacking {
                archive,
                unpacked,
                dictionary,
                policy,
                ..
            } => {
                write!(f, "{}: ", archive.display())?;
                let (unpacked, memory) = (Size(*unpacked), Size(*dictionary));
                match policy {
                    SpoolPolicy::UnpackEachTime => write!(
                        f,
                        "{unpacked} are unpacked twice, once to check and once to send, using {memory} of memory; nothing is written to disk"
                    ),
                    SpoolPolicy::SpoolTo(folder) => {
                        write!(
                            f,
                            "{unpacked} are unpacked into {}, using {memory} of memory",
                            folder.display()
                        )
                    }
                }
            }
            Self::CopyingInner { name, size, folder } => {
                write!(
                    f,
                    "{name}: copied into {} to be opened ({})",
                    folder.display(),
                    Size(*size)
                )
            }
        }
    }
}

/// A number of bytes as a person reads it.
struct Size(u64);

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const MIB: u64 = 1 << 20;
        match self.0 {
            0..=9_999 => write!(f, "{} bytes", self.0),
            10_000..=0xF_FFFF => write!(f, "{} KiB", self.0 >> 10),
            size => write!(f, "{}.{} MiB", size / MIB, size % MIB * 10 / MIB),
        }
    }
}
