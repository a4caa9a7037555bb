//! What QDL needs to know about an image: its kind, what goes into the open request, and which bytes of the file are
//! sent raw, in chunks (qdl.md §5 and §6).

use alloc::vec::Vec;
use core::ops::Range;

use super::message::{ImageType, OpenRequest};

/// An image to send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image {
    image_type: ImageType,
    header: Vec<u8>,
    data: Range<u64>,
    image_length: u32,
    data_length: u32,
}

/// Why QDL can't carry an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ImageError {
    /// The header doesn't have the 400 bytes of a CWE header.
    #[error("header of {got} bytes, a CWE header has 400")]
    HeaderLength {
        /// The header's size in bytes.
        got: usize,
    },
    /// The file has no bytes to send as data.
    #[error("no data to send")]
    Empty,
    /// The image is too large for the lengths in the open request, which have 32 bits.
    #[error("{size} bytes are more than the protocol can carry")]
    Large {
        /// Bytes of header and data.
        size: u64,
    },
    /// No update program is known to send images of this kind.
    #[error("{0} isn't sent by update programs")]
    Kind(ImageType),
}

impl Image {
    /// Bytes of a CWE header, which goes into the open request (qdl.md §4.5).
    pub const CWE_HEADER: usize = 400;
    /// `amss.mbn` is sent without its last 8 bytes (qdl.md §5).
    const AMSS_TAIL: u64 = 8;

    /// An image of any kind: `header` goes into the open request, then the bytes `data` of the file are sent.
    ///
    /// # Errors
    /// There is no data, or more than a 32-bit length can state.
    pub fn new(image_type: ImageType, header: Vec<u8>, data: Range<u64>) -> Result<Self, ImageError> {
        let length = data
            .end
            .checked_sub(data.start)
            .filter(|&length| length > 0)
            .ok_or(ImageError::Empty)?;
        let size = u64::try_from(header.len())
            .unwrap_or(u64::MAX)
            .saturating_add(length);
        let (Ok(image_length), Ok(data_length)) = (u32::try_from(size), u32::try_from(length)) else {
            return Err(ImageError::Large { size });
        };
        Ok(Self {
            image_type,
            header,
            data,
            image_length,
            data_length,
        })
    }

    /// A CWE, SPK or NVU file from its first 400 bytes and its size in bytes.
    ///
    /// # Errors
    /// `header` doesn't have 400 bytes, nothing follows it in the file, or there is more than a 32-bit length can
    /// state.
    pub fn cwe(header: &[u8], file_size: u64) -> Result<Self, ImageError> {
        if header.len() != Self::CWE_HEADER {
            return Err(ImageError::HeaderLength { got: header.len() });
        }
        let start = u64::try_from(Self::CWE_HEADER).unwrap_or(u64::MAX);
        Self::new(ImageType::Cwe, header.to_vec(), start..file_size)
    }

    /// A Gobi `.mbn` file from its kind and its size in bytes.
    ///
    /// # Errors
    /// The kind isn't AMSS, APPS or UQCN, there is no data, or more than a 32-bit length can state.
    pub fn gobi(image_type: ImageType, file_size: u64) -> Result<Self, ImageError> {
        let end = match image_type {
            ImageType::Amss => file_size.saturating_sub(Self::AMSS_TAIL),
            ImageType::Apps | ImageType::Uqcn => file_size,
            other => return Err(ImageError::Kind(other)),
        };
        Self::new(image_type, Vec::new(), 0..end)
    }

    /// The bytes that are sent raw, as offsets into the file.
    pub fn data(&self) -> Range<u64> {
        self.data.clone()
    }

    /// The open request.
    pub fn open_request(&self) -> OpenRequest {
        OpenRequest {
            image_type: self.image_type,
            image_length: self.image_length,
            window: 1,
            data_length: self.data_length,
            features: 0,
            header: self.header.clone(),
        }
    }

    /// The number of chunks of `chunk_size` bytes, of which the last may be shorter; `None` for size 0.
    pub const fn chunks(&self, chunk_size: u32) -> Option<u32> {
        if chunk_size == 0 {
            None
        } else {
            Some(self.data_length.div_ceil(chunk_size))
        }
    }

    /// The bytes of chunk `chunk` (from 0) as offsets into the file; empty after the end.
    pub fn chunk(&self, chunk: u32, chunk_size: u32) -> Range<u64> {
        let start = u64::from(chunk)
            .saturating_mul(chunk_size.into())
            .saturating_add(self.data.start);
        let start = start.min(self.data.end);
        start..start.saturating_add(chunk_size.into()).min(self.data.end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    #[test]
    fn vector_20_the_chunk_plan() {
        let plan = |data: u64| {
            let image = Image::new(ImageType::Cwe, vec![], 400..400 + data).unwrap();
            let chunks = image.chunks(1 << 20).unwrap();
            let last = image.chunk(chunks - 1, 1 << 20);
            assert_eq!(last.end, 400 + data);
            (chunks, last.end - last.start)
        };
        assert_eq!(plan(64_431_653), (62, 468_517));
        assert_eq!(plan(1_048_576), (1, 1_048_576));
        assert_eq!(plan(1_048_577), (2, 1));
        assert_eq!(
            Image::new(ImageType::Cwe, vec![], 400..400),
            Err(ImageError::Empty)
        );
    }

    #[test]
    fn a_cwe_image_is_sent_behind_its_header() {
        let image = Image::cwe(&[7; 400], 416).unwrap();
        assert_eq!(image.data(), 400..416);
        let open = image.open_request();
        assert_eq!(
            (open.image_length, open.data_length, open.header.len()),
            (416, 16, 400)
        );
        assert_eq!(
            Image::cwe(&[7; 399], 416),
            Err(ImageError::HeaderLength { got: 399 })
        );
        assert_eq!(Image::cwe(&[7; 400], 400), Err(ImageError::Empty));
        assert_eq!(Image::cwe(&[7; 400], 10), Err(ImageError::Empty));
        assert_eq!(
            Image::cwe(&[7; 400], 1 << 32),
            Err(ImageError::Large { size: 1 << 32 })
        );
    }

    #[test]
    fn gobi_images_have_no_header_and_amss_loses_its_tail() {
        assert_eq!(Image::gobi(ImageType::Amss, 1000).unwrap().data(), 0..992);
        assert_eq!(Image::gobi(ImageType::Apps, 1000).unwrap().data(), 0..1000);
        assert_eq!(Image::gobi(ImageType::Uqcn, 1000).unwrap().data(), 0..1000);
        assert_eq!(Image::gobi(ImageType::Amss, 8), Err(ImageError::Empty));
        assert_eq!(
            Image::gobi(ImageType::Cwe, 1000),
            Err(ImageError::Kind(ImageType::Cwe))
        );
        let open = Image::gobi(ImageType::Amss, 1000).unwrap().open_request();
        assert_eq!((open.image_length, open.data_length), (992, 992));
    }

    #[test]
    fn chunks_of_size_zero_and_behind_the_end_are_harmless() {
        let image = Image::cwe(&[7; 400], 416).unwrap();
        assert_eq!(image.chunks(0), None);
        assert_eq!(image.chunk(u32::MAX, u32::MAX), 416..416);
    }
}
