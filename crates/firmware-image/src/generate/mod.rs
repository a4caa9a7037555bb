//! Makes images with correct checksums and the structure of real ones, for tests, rehearsals and benchmarks.
//!
//! A [`Plan`] describes a tree. [`Plan::build`] computes all checksums in one pass over the content, joining those of
//! the children, and returns a [`Generated`] image. That image is read as a stream, so 80 MB of content don't need 80
//! MB of memory. [`models`] has ready plans: the vectors of cwe.md, the layouts of images.md §8, and small sets for any
//! family. [`sets`] has whole updates.

pub mod models;
pub mod sets;
mod stream;

pub use stream::{Generated, GeneratedReader};

use crate::{
    Header, Text,
    crc::Sum,
    cwe::{CrcIndicator, HEADER_SIZE_U64, ImageType, Options, Signature, descriptor::ProductBuffer},
};
use alloc::{string::String, vec::Vec};
use stream::Piece;

/// An image to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// The four-letter type.
    pub image_type: ImageType,
    /// The product code.
    pub product: Text<4>,
    /// The version text.
    pub version: Text<84>,
    /// `MM/DD/YY` or empty.
    pub date: Text<8>,
    /// Whether the header declares its body checksum valid.
    pub crc_indicator: CrcIndicator,
    /// 1 in most files.
    pub compatibility: u32,
    /// How the body is stored.
    pub options: Options,
    /// 1 in most files.
    pub signature: Signature,
    /// The first 256 bytes.
    pub product_buffer: ProductBuffer,
    /// What follows the header.
    pub body: Body,
}

/// What follows a header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body {
    /// These bytes.
    Bytes(Vec<u8>),
    /// Pseudo-random bytes; the same seed gives the same bytes.
    Noise {
        /// Chooses the bytes.
        seed: u64,
        /// How many bytes.
        size: u64,
    },
    /// Inner images.
    Images(Vec<Plan>),
    /// Inner images, followed by bytes that belong to none of them.
    ImagesAndRest(Vec<Plan>, Vec<u8>),
}

/// A plan that can't be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// A body of 0 bytes, which a header can't state.
    #[error("image {image_type} would have no body")]
    Empty {
        /// Its type.
        image_type: ImageType,
    },
    /// More bytes than a header can state.
    #[error("image {image_type} would have {size} bytes, but a header can state at most {limit}", limit = u32::MAX)]
    TooLarge {
        /// Its type.
        image_type: ImageType,
        /// The size of its body in bytes.
        size: u64,
    },
}

impl Plan {
    /// A plan with the values of most files: empty product buffer, unset CRC indicator, compatibility and signature 1,
    /// no date. Texts that are too long for their field are cut; a text that isn't printable ASCII becomes empty.
    pub fn new(image_type: &str, product: &str, version: &str, body: Body) -> Self {
        Self {
            image_type: ImageType::from_text(cut(image_type)),
            product: cut(product),
            version: cut(version),
            date: Text::EMPTY,
            crc_indicator: CrcIndicator::Unset,
            compatibility: 1,
            options: Options(0),
            signature: Signature::DEFAULT,
            product_buffer: ProductBuffer::Zero,
            body,
        }
    }

    /// Sets the date of this image and of all images inside it.
    #[must_use]
    pub fn dated(mut self, date: &str) -> Self {
        self.date = cut(date);
        if let Body::Images(images) | Body::ImagesAndRest(images, _) = &mut self.body {
            *images = core::mem::take(images)
                .into_iter()
                .map(|image| image.dated(date))
                .collect();
        }
        self
    }

    /// Bytes of the body.
    pub fn body_size(&self) -> u64 {
        let of_images = |images: &[Self]| {
            let sizes = images
                .iter()
                .map(|image| image.body_size().saturating_add(HEADER_SIZE_U64));
            sizes.fold(0u64, u64::saturating_add)
        };
        match &self.body {
            Body::Bytes(bytes) => length(bytes),
            Body::Noise { size, .. } => *size,
            Body::Images(images) => of_images(images),
            Body::ImagesAndRest(images, rest) => of_images(images).saturating_add(length(rest)),
        }
    }

    /// Makes the image, with correct checksums.
    ///
    /// # Errors
    /// An image without a body, or with more bytes than a header can state.
    pub fn build(&self, name: impl Into<String>) -> Result<Generated, PlanError> {
        let mut pieces = Vec::new();
        self.emit(&mut pieces)?;
        Ok(Generated::new(name.into(), pieces))
    }

    /// Appends this image's pieces and returns the sum of header and body.
    fn emit(&self, pieces: &mut Vec<Piece>) -> Result<Sum, PlanError> {
        let size = self.body_size();
        let image_type = self.image_type;
        let body_size = u32::try_from(size).map_err(|_| PlanError::TooLarge { image_type, size })?;
        if body_size == 0 {
            return Err(PlanError::Empty { image_type });
        }
        // The header comes before the body, but contains a checksum that is known only after the body. So reserve its
        // place.
        let place = pieces.len();
        pieces.push(Piece::Bytes(Vec::new()));
        let mut body = Sum::new();
        match &self.body {
            Body::Bytes(bytes) => emit_bytes(bytes, &mut body, pieces),
            Body::Noise { seed, size } => {
                stream::each_noise(*seed, *size, |bytes| body.update(bytes));
                pieces.push(Piece::Noise {
                    seed: *seed,
                    size: *size,
                });
            }
            Body::Images(images) => emit_images(images, &mut body, pieces)?,
            Body::ImagesAndRest(images, rest) => {
                emit_images(images, &mut body, pieces)?;
                emit_bytes(rest, &mut body, pieces);
            }
        }
        let buffer = self.product_buffer.bytes();
        let header = Header {
            product_buffer: self.product_buffer.clone(),
            product_buffer_crc: crate::crc::checksum(&buffer),
            revision: 3,
            crc_indicator: self.crc_indicator,
            image_type,
            product: self.product,
            body_size,
            body_crc: body.value(),
            version: self.version,
            date: self.date,
            compatibility: self.compatibility,
            options: self.options,
            reserved: [0; 3],
            storage_address: 0,
            program_address: 0,
            entry_point: 0,
            signature: self.signature,
        };
        let header = header.encode();
        let mut sum = Sum::of(&header);
        sum.append(&body);
        if let Some(first) = pieces.get_mut(place) {
            *first = Piece::Bytes(header.to_vec());
        }
        Ok(sum)
    }
}

fn emit_bytes(bytes: &[u8], body: &mut Sum, pieces: &mut Vec<Piece>) {
    body.update(bytes);
    pieces.push(Piece::Bytes(bytes.to_vec()));
}

fn emit_images(images: &[Plan], body: &mut Sum, pieces: &mut Vec<Piece>) -> Result<(), PlanError> {
    for image in images {
        body.append(&image.emit(pieces)?);
    }
    Ok(())
}

/// As much of a text as fits into the field.
fn cut<const N: usize>(text: &str) -> Text<N> {
    let fitting = text
        .char_indices()
        .map(|(place, _)| place)
        .take_while(|place| *place <= N)
        .last()
        .unwrap_or(0);
    let whole = if text.len() <= N {
        text
    } else {
        text.get(..fitting).unwrap_or_default()
    };
    Text::new(whole).unwrap_or(Text::EMPTY)
}

fn length(bytes: &[u8]) -> u64 {
    u64::try_from(bytes.len()).unwrap_or(u64::MAX)
}
