//! Where images come from: files, folders, archives. Images are read in place, twice: once to check them, once to
//! send them.

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
