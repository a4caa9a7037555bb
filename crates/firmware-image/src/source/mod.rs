//! Reads images from files, folders and archives. Images are read in place, twice: once to check them, once to send
//! them.
//!
//! [`gather()`] turns paths into [`Candidate`]s, without reading whole files. [`inspect()`] reads and checks each
//! candidate once. [`FirmwareSet::choose`] picks the files for one modem. Then [`FirmwareFile::open`] reads a file
//! again and compares every block with the check.
//!
//! ```
//! use modemflash_firmware_image::{generate::models, source};
//! # let folder = tempfile::tempdir()?;
//! # let path = folder.path().join("package.cwe");
//! std::fs::write(&path, models::package().build("package.cwe")?.to_vec())?;
//! let found = source::gather(&[&path], &source::Options::default())?;
//! let checked = source::inspect(found, &mut |_| {});
//! for file in &checked.files {
//!     println!("{}: {:?}", file.name(), file.report().findings);
//! }
//! assert_eq!((checked.files.len(), checked.refused.len()), (1, 0));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

// Without the archive features, the items that only archives use are unused. The build with all features still
// reports items that nothing uses.
#![cfg_attr(
    not(all(feature = "zip", feature = "sevenz")),
    allow(dead_code, unused_imports)
)]

mod checked;
mod choice;
pub mod content;
mod error;
mod fields;
pub mod file;
mod folder;
mod gather;
mod inspect;
mod limits;
mod names;
mod note;
mod open;
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
mod zip_end;
mod zip_layout;

pub use choice::{Choice, ChoiceError, Question, Wanted};
pub use content::Content;
pub use error::SourceError;
pub use gather::{Candidate, Gathered, Options, Origin, gather};
pub use inspect::{FileError, FirmwareFile, Inspected, Progress, Refused, check, inspect};
pub use names::is_firmware_name;
pub use note::{Note, Reason};
pub use open::open;
pub use set::{FirmwareSet, LeftOut, Why};
pub use spool::SpoolPolicy;

use std::{boxed::Box, io};

/// One image that can be read from its beginning as often as wanted.
pub trait ImageSource: Send + Sync {
    /// The file's name, which is shown to the user and may contain versions (update-flow.md §5.3).
    fn name(&self) -> &str;
    /// The size in bytes.
    fn size(&self) -> u64;
    /// Starts reading at the first byte.
    ///
    /// # Errors
    /// The file can't be opened any more.
    fn open(&self) -> io::Result<Box<dyn io::Read + Send + '_>>;
}
