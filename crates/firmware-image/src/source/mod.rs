//! Where images come from: files, folders, archives. Images are read in place, twice: once to check them, once to
//! send them.

mod checked;
pub mod content;
mod error;
pub mod file;
mod folder;
mod gather;
mod limits;
mod names;
mod note;
#[cfg(feature = "sevenz")]
pub mod sevenz;
#[cfg(feature = "sevenz")]
mod sevenz_header;
pub mod sfx;
mod shared;
mod spool;
#[cfg(feature = "zip")]
pub mod zip;

pub use content::Content;
pub use error::SourceError;
pub use gather::{Candidate, Gathered, Options, Origin, gather};
pub use note::{Note, Reason};
pub use spool::SpoolPolicy;

use std::{boxed::Box, io};

/// One image that can be read from its beginning as often as wanted.
pub trait ImageSource: Send {
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
