//! Reads a file a second time, and hands out only bytes that are the same as in the first reading.

use crate::fingerprint::{BLOCK_SIZE, Fingerprint};
use std::{
    boxed::Box,
    io::{self, Read},
    vec,
};

/// Hands out a file's bytes only after comparing the block they are in with the fingerprint that the check made.
///
/// A difference is an [`io::Error`] whose inner error is a [`VerifyError`] with the offset. A block is read directly
/// into the caller's buffer if it fits, otherwise through a buffer of 64 KiB. After an error every further read
/// returns the same error. When a read fails, the caller's buffer may contain unverified bytes; they don't count as
/// read.
pub struct VerifiedReader<R> {
    inner: R,
    fingerprint: Fingerprint,
    /// The index of the next block to read.
    next: usize,
    block: Box<[u8]>,
    /// The verified part of `block` that wasn't handed out yet.
    ready: core::ops::Range<usize>,
    failed: Option<VerifyError>,
}

/// The file isn't the one that was checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VerifyError {
    /// Other bytes than at the time of the check.
    #[error("the file changed after it was checked: different bytes between offset {offset} and {end}")]
    Changed {
        /// Where the block begins.
        offset: u64,
        /// Where it ends.
        end: u64,
    },
    /// Fewer bytes than at the time of the check.
    #[error("the file ends at {offset} but had {size} bytes when it was checked")]
    Shrunk {
        /// Where it ends now.
        offset: u64,
        /// Its size at the check.
        size: u64,
    },
    /// The file can no longer be read.
    #[error("the file can't be read any more at offset {offset}: {kind}")]
    Unreadable {
        /// Where the unreadable block begins.
        offset: u64,
        /// The kind of error that the operating system reported.
        kind: io::ErrorKind,
    },
}

impl VerifyError {
    /// Where the difference is: the start of the block that differs or can't be read, or the file's new end.
    pub const fn offset(&self) -> u64 {
        match self {
            Self::Changed { offset, .. } | Self::Shrunk { offset, .. } | Self::Unreadable { offset, .. } => {
                *offset
            }
        }
    }

    /// The verification error inside an [`io::Error`] that a [`VerifiedReader`] returned.
    pub fn from_io(error: &io::Error) -> Option<&Self> {
        error.get_ref()?.downcast_ref()
    }
}

impl<R: Read> VerifiedReader<R> {
    /// A reader over `inner`, which must be at its beginning. It yields exactly as many bytes as the fingerprint
    /// covers.
    pub fn new(inner: R, fingerprint: Fingerprint) -> Self {
        let block = vec![0; BLOCK_SIZE].into_boxed_slice();
        Self {
            inner,
            fingerprint,
            next: 0,
            block,
            ready: 0..0,
            failed: None,
        }
    }

    fn fail(&mut self, error: VerifyError) -> io::Error {
        self.failed = Some(error);
        let kind = match error {
            VerifyError::Changed { .. } => io::ErrorKind::InvalidData,
            VerifyError::Shrunk { .. } => io::ErrorKind::UnexpectedEof,
            VerifyError::Unreadable { kind, .. } => kind,
        };
        io::Error::new(kind, error)
    }
}

/// Fills `target` from `inner`; returns how many bytes came before the end.
fn fill(inner: &mut impl Read, target: &mut [u8]) -> Result<usize, io::Error> {
    let mut filled = 0;
    while let Some(rest) = target.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match inner.read(rest) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

impl<R: Read> Read for VerifiedReader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if let Some(error) = self.failed {
            return Err(self.fail(error));
        }
        if buffer.is_empty() {
            return Ok(0);
        }
        if self.ready.is_empty() {
            let length = self.fingerprint.block_length(self.next);
            if length == 0 {
                return Ok(0);
            }
            let offset = u64::try_from(self.next)
                .unwrap_or(u64::MAX)
                .saturating_mul(BLOCK_SIZE as u64);
            let is_direct = buffer.len() >= length;
            let whole = if is_direct { &mut *buffer } else { &mut *self.block };
            let target = whole.get_mut(..length).unwrap_or_default();
            let outcome = fill(&mut self.inner, target);
            let is_match = self.fingerprint.matches(self.next, target);
            match outcome {
                Err(error) => {
                    return Err(self.fail(VerifyError::Unreadable {
                        offset,
                        kind: error.kind(),
                    }));
                }
                Ok(filled) if filled < length => {
                    let offset = offset.saturating_add(u64::try_from(filled).unwrap_or(0));
                    return Err(self.fail(VerifyError::Shrunk {
                        offset,
                        size: self.fingerprint.size(),
                    }));
                }
                Ok(_) if !is_match => {
                    let end = offset.saturating_add(u64::try_from(length).unwrap_or(0));
                    return Err(self.fail(VerifyError::Changed { offset, end }));
                }
                Ok(_) => self.next += 1,
            }
            if is_direct {
                return Ok(length);
            }
            self.ready = 0..length;
        }
        let ready = self.block.get(self.ready.clone()).unwrap_or_default();
        let count = ready.len().min(buffer.len());
        for (place, byte) in buffer.iter_mut().zip(ready) {
            *place = *byte;
        }
        self.ready.start += count;
        Ok(count)
    }
}
