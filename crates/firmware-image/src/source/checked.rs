//! Checks unpacked bytes against the size and CRC that the archive states for them.

use std::io::{self, Read};
use std::path::PathBuf;
use std::string::{String, ToString};

use super::error::SourceError;

/// Passes bytes on and compares them with what the archive says. Never more than `size` bytes come out. A wrong CRC,
/// a missing byte or a surplus byte is an error, which comes instead of the last piece.
#[derive(Debug)]
pub(crate) struct Checked<R> {
    inner: R,
    left: u64,
    hasher: crc32fast::Hasher,
    crc: u32,
    label: Label,
}

/// What an error message about an archive entry names.
#[derive(Clone, Debug)]
pub(crate) struct Label {
    pub(crate) path: PathBuf,
    pub(crate) entry: String,
}

impl<R: Read> Checked<R> {
    /// `crc` is zlib's CRC-32 of the unpacked bytes.
    pub(crate) fn new(inner: R, size: u64, crc: u32, label: Label) -> Self {
        Self {
            inner,
            left: size,
            hasher: crc32fast::Hasher::new(),
            crc,
            label,
        }
    }

    fn damaged(&self, what: &str) -> io::Error {
        let Label { path, entry } = self.label.clone();
        SourceError::DamagedEntry {
            path,
            entry,
            what: what.to_string(),
        }
        .into()
    }

    fn read_on(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.inner.read(buffer) {
            Err(e) if e.get_ref().is_some_and(|inner| inner.is::<SourceError>()) => Err(e),
            Err(e) if matches!(e.kind(), io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput) => {
                Err(self.damaged(&e.to_string()))
            }
            Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => {
                Err(self.damaged("the packed data ends too early"))
            }
            other => other,
        }
    }
}

impl<R: Read> Read for Checked<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let wanted = usize::try_from(self.left).unwrap_or(usize::MAX).min(buffer.len());
        let Some(target) = buffer.get_mut(..wanted) else {
            return Ok(0);
        };
        if target.is_empty() {
            return Ok(0);
        }
        let read = self.read_on(target)?;
        if read == 0 {
            return Err(self.damaged("it unpacks to fewer bytes than the archive says"));
        }
        self.hasher.update(target.get(..read).unwrap_or_default());
        self.left = self.left.saturating_sub(u64::try_from(read).unwrap_or(u64::MAX));
        if self.left == 0 {
            if self.hasher.clone().finalize() != self.crc {
                return Err(self.damaged("the CRC of the unpacked bytes is wrong"));
            }
            if self.read_on(&mut [0])? != 0 {
                return Err(self.damaged("it unpacks to more bytes than the archive says"));
            }
        }
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec::Vec;

    fn read(bytes: &[u8], size: u64, crc: u32) -> Result<Vec<u8>, String> {
        let label = Label {
            path: "a.zip".into(),
            entry: "a.cwe".into(),
        };
        let mut out = Vec::new();
        match Checked::new(bytes, size, crc, label).read_to_end(&mut out) {
            Ok(_) => Ok(out),
            Err(e) => Err(e.to_string()),
        }
    }

    #[test]
    fn right_bytes_pass_and_each_lie_is_named() {
        let crc = crc32fast::hash(b"abc");
        assert_eq!(read(b"abc", 3, crc), Ok(b"abc".to_vec()));
        assert!(read(b"abc", 3, crc ^ 1).unwrap_err().contains("CRC"));
        assert!(read(b"ab", 3, crc).unwrap_err().contains("fewer"));
        assert!(read(b"abcd", 3, crc).unwrap_err().contains("more"));
    }
}
