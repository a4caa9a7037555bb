//! One open file that several readers read at any offset. Even if the path is renamed or replaced, they read the same
//! bytes.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::error::SourceError;
use super::open::Place;

/// A regular file that stays open. Reads are positional, so any number of [`Window`]s share one descriptor.
#[derive(Debug)]
pub(crate) struct SharedFile {
    file: File,
    path: PathBuf,
    size: u64,
    identity: Option<(u64, u64)>,
}

impl SharedFile {
    /// Opens what was found, if it is a stored file.
    pub(crate) fn open(place: &Place) -> Result<Arc<Self>, SourceError> {
        Self::from_file(place.open()?, place.path().to_path_buf())
    }

    /// Takes a file that is already open; `path` is for messages only.
    pub(crate) fn from_file(file: File, path: PathBuf) -> Result<Arc<Self>, SourceError> {
        let metadata = file
            .metadata()
            .map_err(|e| SourceError::from_io(path.as_path(), e))?;
        let identity = identity(&metadata);
        Ok(Arc::new(Self {
            file,
            path,
            size: metadata.len(),
            identity,
        }))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The file's size in bytes when it was opened.
    pub(crate) fn size(&self) -> u64 {
        self.size
    }

    /// Device and inode, on systems that have them. They are the same for two names of one file.
    pub(crate) fn identity(&self) -> Option<(u64, u64)> {
        self.identity
    }

    /// An error if the file's length has changed since it was opened.
    pub(crate) fn check_size(&self) -> Result<(), SourceError> {
        let is = self
            .file
            .metadata()
            .map_err(|e| SourceError::from_io(self.path.as_path(), e))?
            .len();
        if is == self.size {
            Ok(())
        } else {
            Err(SourceError::Changed {
                path: self.path.clone(),
                was: self.size,
                is,
            })
        }
    }

    /// Reads bytes from offset `start` on until the buffer is full or the file ends; returns how many were read.
    pub(crate) fn head(&self, start: u64, buffer: &mut [u8]) -> Result<usize, SourceError> {
        let mut filled = 0;
        while let Some(rest) = buffer.get_mut(filled..) {
            let at = start.saturating_add(u64::try_from(filled).unwrap_or(u64::MAX));
            match self.read_at(rest, at) {
                Ok(0) => break,
                Ok(n) => filled = filled.saturating_add(n),
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(SourceError::from_io(self.path.as_path(), e)),
            }
        }
        Ok(filled)
    }

    #[cfg(unix)]
    fn read_at(&self, buffer: &mut [u8], position: u64) -> io::Result<usize> {
        std::os::unix::fs::FileExt::read_at(&self.file, buffer, position)
    }

    #[cfg(windows)]
    fn read_at(&self, buffer: &mut [u8], position: u64) -> io::Result<usize> {
        std::os::windows::fs::FileExt::seek_read(&self.file, buffer, position)
    }
}

#[cfg(unix)]
fn identity(metadata: &std::fs::Metadata) -> Option<(u64, u64)> {
    use std::os::unix::fs::MetadataExt;
    Some((metadata.dev(), metadata.ino()))
}

#[cfg(not(unix))]
fn identity(_metadata: &std::fs::Metadata) -> Option<(u64, u64)> {
    None
}

/// A part of a [`SharedFile`] as `Read + Seek` with its own position; position 0 is the start of that part.
#[derive(Clone, Debug)]
pub(crate) struct Window {
    file: Arc<SharedFile>,
    start: u64,
    size: u64,
    position: u64,
}

impl Window {
    /// The `size` bytes from `start` on, cut at the end of the file.
    pub(crate) fn new(file: Arc<SharedFile>, start: u64, size: u64) -> Self {
        let size = size.min(file.size().saturating_sub(start));
        Self {
            file,
            start,
            size,
            position: 0,
        }
    }

    /// Everything from `start` to the end of the file.
    pub(crate) fn from(file: Arc<SharedFile>, start: u64) -> Self {
        Self::new(file, start, u64::MAX)
    }
}

impl Read for Window {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(self.size.saturating_sub(self.position)).unwrap_or(usize::MAX);
        let wanted = left.min(buffer.len());
        let Some(target) = buffer.get_mut(..wanted) else {
            return Ok(0);
        };
        if target.is_empty() {
            return Ok(0);
        }
        let at = self.start.saturating_add(self.position);
        let read = self.file.read_at(target, at)?;
        if read == 0 {
            // The file has become shorter since it was opened.
            self.file.check_size()?;
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.position = self.position.saturating_add(u64::try_from(read).unwrap_or(0));
        Ok(read)
    }
}

impl Seek for Window {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let target = match to {
            SeekFrom::Start(position) => Some(position),
            SeekFrom::End(offset) => self.size.checked_add_signed(offset),
            SeekFrom::Current(offset) => self.position.checked_add_signed(offset),
        };
        match target {
            Some(position) => {
                self.position = position;
                Ok(position)
            }
            None => Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "seek before the start",
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::string::String;

    fn open(path: &Path) -> Result<Arc<SharedFile>, SourceError> {
        SharedFile::open(&Place::find(path)?)
    }

    fn file(content: &[u8]) -> (tempfile::TempDir, PathBuf, Arc<SharedFile>) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.cwe");
        std::fs::write(&path, content).unwrap();
        let shared = open(&path).unwrap();
        (folder, path, shared)
    }

    #[test]
    fn a_window_reads_its_stretch_only_and_seeks_in_it() {
        let (_folder, _path, shared) = file(b"0123456789");
        let mut window = Window::new(shared.clone(), 2, 5);
        let mut text = String::new();
        window.read_to_string(&mut text).unwrap();
        assert_eq!(text, "23456");
        assert_eq!(window.seek(SeekFrom::End(-2)).unwrap(), 3);
        text.clear();
        window.read_to_string(&mut text).unwrap();
        assert_eq!(text, "56");
        assert!(window.seek(SeekFrom::Current(-99)).is_err());
        assert_eq!(Window::new(shared, 8, 100).seek(SeekFrom::End(0)).unwrap(), 2);
    }

    #[test]
    fn a_replaced_path_still_gives_the_bytes_that_were_opened() {
        let (_folder, path, shared) = file(b"old bytes");
        let other = path.with_extension("new");
        std::fs::write(&other, b"different").unwrap();
        std::fs::rename(&other, &path).unwrap();
        let mut text = String::new();
        Window::from(shared, 0).read_to_string(&mut text).unwrap();
        assert_eq!(text, "old bytes");
    }

    #[test]
    fn a_file_cut_while_it_is_read_is_an_error_with_both_sizes() {
        let (_folder, path, shared) = file(&[7; 100]);
        std::fs::OpenOptions::new()
            .write(true)
            .open(&path)
            .unwrap()
            .set_len(40)
            .unwrap();
        let error = std::io::copy(&mut Window::from(shared, 0), &mut std::io::sink()).unwrap_err();
        let error = SourceError::from_io("x", error);
        assert!(
            matches!(error, SourceError::Changed { was: 100, is: 40, .. }),
            "{error:?}"
        );
    }

    #[test]
    fn folders_and_devices_are_not_files_and_missing_ones_are_missing() {
        let folder = tempfile::tempdir().unwrap();
        assert!(matches!(open(folder.path()), Err(SourceError::NotAFile { .. })));
        assert!(matches!(
            open(&folder.path().join("no")),
            Err(SourceError::Missing { .. })
        ));
        #[cfg(unix)]
        assert!(matches!(
            open(Path::new("/dev/null")),
            Err(SourceError::NotAFile { .. })
        ));
    }
}
