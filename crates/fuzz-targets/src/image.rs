//! Parsers of files.

use firmware_image::cwe::HEADER_SIZE;
use firmware_image::cwe::descriptor::ProductBuffer;
use firmware_image::cwe::{CrcIndicator, Header, ImageType, Options, Signature};
use firmware_image::source::{self, sfx};
use firmware_image::{Inspector, Text, crc, parse_versions};

use crate::pieces;

/// Inspects a whole file: the verdict must be the same in any split.
pub(crate) fn cwe_inspector(bytes: &[u8]) {
    for name in [
        "image.cwe",
        "9999999_SWI9X50C_01.14.02.00_GENERIC_002.007_000.spk",
        "amss.mbn",
    ] {
        let mut first = None;
        for pieces in pieces(bytes) {
            let mut inspector = Inspector::new(name, bytes.len() as u64);
            let mut outcome = Ok(());
            for piece in pieces {
                outcome = outcome.and_then(|()| inspector.push(piece));
            }
            let verdict = outcome.and_then(|()| inspector.finish());
            let shown = format!("{verdict:?}");
            assert_eq!(*first.get_or_insert_with(|| shown.clone()), shown);
            if let Ok(report) = verdict {
                report.worst();
                report.data_size();
                for index in 0..=report.images.len() {
                    report.path(index);
                }
            }
        }
    }
}

/// Parses the 400 bytes in front of each image.
pub(crate) fn cwe_header(bytes: &[u8]) {
    if let Ok(header) = Header::parse(bytes) {
        assert_eq!(Header::parse(&header.encode()).as_ref(), Ok(&header));
    }
}

/// Inspects the settings inside an image.
pub(crate) fn nvup(bytes: &[u8]) {
    let mut image = settings_header(bytes).to_vec();
    image.extend_from_slice(bytes);
    cwe_inspector(&image);
}

/// A header that declares the bytes after it as settings.
fn settings_header(body: &[u8]) -> [u8; HEADER_SIZE] {
    Header {
        product_buffer: ProductBuffer::new([0; 256]),
        product_buffer_crc: crc::checksum(&[0; 256]),
        revision: 3,
        crc_indicator: CrcIndicator::Good,
        image_type: ImageType::NvUpdate,
        product: Text::new("9X50").expect("four letters"),
        body_size: u32::try_from(body.len()).unwrap_or(u32::MAX),
        body_crc: crc::checksum(body),
        version: Text::new("9999999_SWI9X50C_01.14.02.00_GENERIC_002.007_000").expect("a short text"),
        date: Text::new("08/28/19").expect("eight characters"),
        compatibility: 1,
        options: Options(0),
        reserved: [0; 3],
        storage_address: 0,
        program_address: 0,
        entry_point: 0,
        signature: Signature(1),
    }
    .encode()
}

/// Parses the name of a file, or the version text in an image.
pub(crate) fn versions(bytes: &[u8]) {
    if let Ok(text) = std::str::from_utf8(bytes) {
        let _ = format!("{:?}", parse_versions(text));
    }
}

/// Looks for an archive in a program.
pub(crate) fn sfx(bytes: &[u8]) {
    let found = sfx::find(bytes, bytes.len() as u64).expect("reading from memory doesn't fail");
    if let Some(at) = found.seven_zip {
        assert!(at < bytes.len() as u64);
    }
}

/// Checks a file of any kind, perhaps an archive, from the first look to the checked images. The file is
/// written to disk, because archives are read from there.
pub(crate) fn archive(bytes: &[u8]) {
    let folder = tempfile::tempdir().expect("a folder for the file");
    for name in ["update.zip", "update.7z", "update.exe"] {
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).expect("room for the file");
        if let Ok(gathered) = source::gather(&[&path], &source::Options::default()) {
            let inspected =
                source::inspect(gathered, &mut |progress| assert!(progress.done <= progress.size));
            let _ = format!("{inspected:?}");
        }
    }
}
