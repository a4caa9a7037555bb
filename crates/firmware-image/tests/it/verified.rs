//! A file that changes between check and send never gets a wrong byte out.

use modemflash_firmware_image::{
    BLOCK_SIZE, Fingerprint, Inspector, VerifiedReader, VerifyError, generate::models,
};
use proptest::prelude::*;
use std::io::{self, ErrorKind, Read};

fn sample() -> Vec<u8> {
    let release = models::Release {
        family: modemflash_firmware_image::Family::Swi9x50,
        firmware: "01.14.02.00",
        config: "002.035_000",
        carrier: "GENERIC",
        seed: 3,
    };
    release
        .system(3 * BLOCK_SIZE as u64 + 1000)
        .build("a.cwe")
        .unwrap()
        .to_vec()
}

fn fingerprint(bytes: &[u8]) -> Fingerprint {
    let mut inspector = Inspector::new("a.cwe", bytes.len() as u64);
    inspector.push(bytes).unwrap();
    inspector.finish().unwrap().fingerprint
}

/// Gives at most `most` bytes at a time, an interruption before each, and fails at `breaks_at`.
struct Shaky<'b> {
    bytes: &'b [u8],
    most: usize,
    breaks_at: Option<usize>,
    given: usize,
    interrupted: bool,
}

impl Read for Shaky<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.interrupted = !self.interrupted;
        if self.interrupted {
            return Err(ErrorKind::Interrupted.into());
        }
        let limit = self.breaks_at.unwrap_or(usize::MAX) - self.given;
        if limit == 0 {
            return Err(ErrorKind::NotConnected.into());
        }
        let count = self.most.min(buffer.len()).min(self.bytes.len()).min(limit);
        buffer[..count].copy_from_slice(&self.bytes[..count]);
        self.bytes = &self.bytes[count..];
        self.given += count;
        Ok(count)
    }
}

/// Reads with buffers of `step` bytes; gives what came and the error.
fn read_all(mut reader: impl Read, step: usize) -> (Vec<u8>, Option<VerifyError>) {
    let mut all = Vec::new();
    let mut buffer = vec![0; step];
    loop {
        match reader.read(&mut buffer) {
            Ok(0) => return (all, None),
            Ok(count) => all.extend(&buffer[..count]),
            Err(error) => {
                let first = *VerifyError::from_io(&error).expect("a verification error");
                let again = reader.read(&mut buffer).unwrap_err();
                assert_eq!(VerifyError::from_io(&again), Some(&first), "the error stays");
                return (all, Some(first));
            }
        }
    }
}

#[test]
fn an_unchanged_file_comes_whole_whatever_the_reads() {
    let bytes = sample();
    let sums = fingerprint(&bytes);
    for (most, step) in [(usize::MAX, 1 << 20), (1000, 777), (65_536, 65_536), (7, 100_000)] {
        let inner = Shaky {
            bytes: &bytes,
            most,
            breaks_at: None,
            given: 0,
            interrupted: false,
        };
        let (read, error) = read_all(VerifiedReader::new(inner, sums.clone()), step);
        assert_eq!(error, None);
        assert!(read == bytes, "reads of {most}, buffer of {step}");
    }
}

#[test]
fn a_file_that_grew_gives_the_bytes_that_were_checked() {
    let bytes = sample();
    let grown = [bytes.as_slice(), b"more"].concat();
    let (read, error) = read_all(VerifiedReader::new(grown.as_slice(), fingerprint(&bytes)), 1000);
    assert_eq!((read.len(), error), (bytes.len(), None));
}

#[test]
fn a_stick_that_is_pulled_is_an_error_that_names_the_offset() {
    let bytes = sample();
    let breaks_at = Some(BLOCK_SIZE + 5);
    let inner = Shaky {
        bytes: &bytes,
        most: 4096,
        breaks_at,
        given: 0,
        interrupted: false,
    };
    let (read, error) = read_all(VerifiedReader::new(inner, fingerprint(&bytes)), 1 << 20);
    assert_eq!(read.len(), BLOCK_SIZE);
    let offset = BLOCK_SIZE as u64;
    assert_eq!(
        error,
        Some(VerifyError::Unreadable {
            offset,
            kind: ErrorKind::NotConnected
        })
    );
}

#[test]
fn a_file_that_was_cut_is_an_error_that_names_both_sizes() {
    let bytes = sample();
    let size = bytes.len() as u64;
    let inner = &bytes[..BLOCK_SIZE + 10];
    let (read, error) = read_all(VerifiedReader::new(inner, fingerprint(&bytes)), 4096);
    assert_eq!(read.len(), BLOCK_SIZE);
    let error = error.unwrap();
    assert_eq!(
        error,
        VerifyError::Shrunk {
            offset: BLOCK_SIZE as u64 + 10,
            size
        }
    );
    assert_eq!(
        error.to_string(),
        format!("the file ends at 65546 but had {size} bytes when it was checked")
    );
}

proptest! {
    #[test]
    fn a_changed_byte_stops_the_reading_before_its_block(place: prop::sample::Index, step in 1usize..200_000) {
        let bytes = sample();
        let sums = fingerprint(&bytes);
        let place = place.index(bytes.len());
        let mut changed = bytes.clone();
        changed[place] ^= 1;
        let (read, error) = read_all(VerifiedReader::new(changed.as_slice(), sums), step);
        let block = place / BLOCK_SIZE * BLOCK_SIZE;
        prop_assert_eq!(read.len(), block);
        prop_assert!(read == bytes[..block]);
        let end = (block + BLOCK_SIZE).min(bytes.len()) as u64;
        prop_assert_eq!(error, Some(VerifyError::Changed { offset: block as u64, end }));
    }
}
