//! Where images come from: files, folders, archives. Images are read in place, twice: once to check them, once to
//! send them.
//!
//! [`gather()`] turns paths into [`Candidate`]s, cheaply; [`inspect()`] reads and checks each once; [`FirmwareSet::choose`]
//! picks what is sent to one modem. Then [`FirmwareFile::open`] reads again, comparing every block with the check.

// Without the archive features, what only archives use is unused; the build with all features keeps the list honest.
#![cfg_attr(
    not(all(feature = "zip", feature = "sevenz")),
    allow(dead_code, unused_imports)
)]

mod checked;
mod choice;
pub mod content;
mod error;
pub mod file;
mod folder;
mod gather;
mod inspect;
mod limits;
mod names;
mod note;
mod set;
#[cfg(feature = "sevenz")]
pub mod sevenz;
#[cfg(feature = "sevenz")]
mod sevenz_header;
pub mod sfx;
mod shared;
mod spool;
#[cfg(feature = "zip")]
pub mod zip;

pub use choice::{Choice, ChoiceError, Question, Wanted};
pub use content::Content;
pub use error::SourceError;
pub use gather::{Candidate, Gathered, Options, Origin, gather};
pub use inspect::{FileError, FirmwareFile, Inspected, Progress, Refused, check, inspect};
pub use names::is_firmware_name;
pub use note::{Note, Reason};
pub use set::{FirmwareSet, LeftOut, Why};
pub use spool::SpoolPolicy;

use std::{boxed::Box, io};

/// One image that can be read from its beginning as often as wanted.
pub trait ImageSource: Send + Sync {
    /// The file's name, for the user and for the version rules (update-flow.md §5.3).
    fn name(&self) -> &str;
    /// Its bytes.
    fn size(&self) -> u64;
    /// Starts reading at the first byte.
    ///
    /// # Errors
    /// The file can't be opened any more.
    fn open(&self) -> io::Result<Box<dyn io::Read + Send + '_>>;
}
