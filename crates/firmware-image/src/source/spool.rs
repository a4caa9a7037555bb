//! Makes files for unpacked bytes, in a folder that the user chose.

use std::fs::{File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use super::error::SourceError;

/// How images that can't be read in place (7z) are read the second time.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub enum SpoolPolicy {
    /// Unpack once to check and once more to send. This takes more time, but no disk space.
    #[default]
    UnpackEachTime,
    /// Unpack once, into a file in this folder. The file's name is removed at once, so the file vanishes when the
    /// program ends.
    SpoolTo(PathBuf),
}

/// How many names are tried before giving up. A name is used only if no such file exists.
const TRIES: u32 = 64;

/// Creates a new file in `folder` that only this user can read, and removes its name at once, so that nothing is left
/// behind however the program ends. `needed` is the number of bytes that will be written, for the error message.
pub(crate) fn create(folder: &Path, needed: u64) -> Result<File, SourceError> {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let error = |cause| SourceError::Spool {
        folder: folder.to_path_buf(),
        needed,
        cause,
    };
    let mut last = io::Error::from(io::ErrorKind::AlreadyExists);
    for _ in 0..TRIES {
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = folder.join(std::format!("modemflash-{}-{number}.tmp", std::process::id()));
        let mut options = OpenOptions::new();
        options.read(true).write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        match options.open(&path) {
            Ok(file) => {
                std::fs::remove_file(&path).map_err(error)?;
                return Ok(file);
            }
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => last = e,
            Err(e) => return Err(error(e)),
        }
    }
    Err(error(last))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Seek, Write};
    use std::string::String;

    #[test]
    fn a_spool_file_has_no_name_and_keeps_its_bytes() {
        let folder = tempfile::tempdir().unwrap();
        let mut file = create(folder.path(), 3).unwrap();
        file.write_all(b"abc").unwrap();
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
        file.rewind().unwrap();
        let mut text = String::new();
        file.read_to_string(&mut text).unwrap();
        assert_eq!(text, "abc");
    }

    #[test]
    fn a_missing_folder_is_named_with_the_needed_bytes() {
        let folder = tempfile::tempdir().unwrap();
        let error = create(&folder.path().join("no"), 77).unwrap_err();
        assert!(matches!(error, SourceError::Spool { needed: 77, .. }), "{error}");
    }
}
