//! An image that is a file of its own, not inside an archive.

use std::boxed::Box;
use std::io::{self, Read};
use std::string::String;
use std::sync::Arc;

use super::ImageSource;
use super::names;
use super::shared::{SharedFile, Window};

/// A plain file. It stays open from the first check on, so replacing or deleting its path has no effect. If its
/// length has changed when it is read again, that is an error.
#[derive(Clone, Debug)]
pub struct FileImage {
    file: Arc<SharedFile>,
    name: String,
}

impl FileImage {
    pub(crate) fn new(file: Arc<SharedFile>) -> Self {
        let name = names::printable_path(file.path());
        Self { file, name }
    }

    pub(crate) fn identity(&self) -> Option<(u64, u64)> {
        self.file.identity()
    }
}

impl ImageSource for FileImage {
    fn name(&self) -> &str {
        &self.name
    }

    fn size(&self) -> u64 {
        self.file.size()
    }

    fn open(&self) -> io::Result<Box<dyn Read + Send + '_>> {
        self.file.check_size()?;
        Ok(Box::new(Window::from(Arc::clone(&self.file), 0)))
    }
}
