//! The 400-byte header in front of every CWE image: bytes to fields and back (cwe.md §2, images.md §1).
//!
//! All integers are big endian. Neither of the two checksums covers bytes 256..400, so no checksum protects the
//! header's own fields. The checksum of an image's body covers the headers of its children.

use super::{HEADER_SIZE, ImageType, descriptor::ProductBuffer};
use crate::{HeaderField, Text, crc};

/// A header. `encode` returns exactly the bytes that `parse` was given.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Header {
    /// The first 256 bytes: nearly always zero.
    pub product_buffer: ProductBuffer,
    /// The checksum of the product buffer as the header states it.
    pub product_buffer_crc: u32,
    /// 3 in every known file.
    pub revision: u32,
    /// Whether the header declares the body's checksum valid.
    pub crc_indicator: CrcIndicator,
    /// What the image is for.
    pub image_type: ImageType,
    /// The product code, `9X30`. Settings have it in lower case (`9x30`), so compare without regard to case.
    pub product: Text<4>,
    /// Bytes of the body, which follows the header. Never 0.
    pub body_size: u32,
    /// The checksum of the body as the header states it.
    pub body_crc: u32,
    /// The version text; may be empty, a path or a date.
    pub version: Text<84>,
    /// `MM/DD/YY`, or empty.
    pub date: Text<8>,
    /// 1 in most files; 0 and 0x01000000 have been seen.
    pub compatibility: u32,
    /// How the body is stored.
    pub options: Options,
    /// Zero in known files.
    pub reserved: [u8; 3],
    /// Zero in update files.
    pub storage_address: u32,
    /// Zero in update files.
    pub program_address: u32,
    /// Zero in update files.
    pub entry_point: u32,
    /// The application signature: 1, or `Pars` in settings.
    pub signature: Signature,
}

/// Why 400 bytes aren't a header.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HeaderError {
    /// Fewer than 400 bytes.
    #[error("{got} bytes where a header of 400 is expected")]
    Incomplete {
        /// Bytes that were there.
        got: usize,
    },
    /// A text field contains something that isn't text.
    #[error("the field {field} is not printable text")]
    NotText {
        /// Which one.
        field: HeaderField,
    },
    /// The body has no bytes.
    #[error("the image size is 0")]
    Empty,
}

impl Header {
    /// Reads a header from the first 400 bytes.
    ///
    /// # Errors
    /// Fewer than 400 bytes, a text field that contains something that isn't text, or a body size of 0. The product
    /// buffer's checksum is not checked here, see [`Header::product_buffer_is_sound`].
    pub fn parse(bytes: &[u8]) -> Result<Self, HeaderError> {
        let mut rest = Fields(
            bytes
                .first_chunk::<HEADER_SIZE>()
                .ok_or(HeaderError::Incomplete { got: bytes.len() })?
                .as_slice(),
        );
        let incomplete = HeaderError::Incomplete { got: bytes.len() };
        let product_buffer = rest.take::<256>().ok_or(incomplete)?;
        let product_buffer_crc = rest.u32().ok_or(incomplete)?;
        let revision = rest.u32().ok_or(incomplete)?;
        let crc_indicator = CrcIndicator::from(rest.u32().ok_or(incomplete)?);
        let image_type = ImageType::from_text(rest.text(HeaderField::Type)?);
        let product = rest.text(HeaderField::Product)?;
        let body_size = rest.u32().ok_or(incomplete)?;
        let body_crc = rest.u32().ok_or(incomplete)?;
        let version = rest.text(HeaderField::Version)?;
        let date = rest.text(HeaderField::Date)?;
        let compatibility = rest.u32().ok_or(incomplete)?;
        let [options] = rest.take::<1>().ok_or(incomplete)?;
        let reserved = rest.take::<3>().ok_or(incomplete)?;
        let storage_address = rest.u32().ok_or(incomplete)?;
        let program_address = rest.u32().ok_or(incomplete)?;
        let entry_point = rest.u32().ok_or(incomplete)?;
        let signature = Signature(rest.u32().ok_or(incomplete)?);
        if body_size == 0 {
            return Err(HeaderError::Empty);
        }
        Ok(Self {
            product_buffer: ProductBuffer::new(product_buffer),
            product_buffer_crc,
            revision,
            crc_indicator,
            image_type,
            product,
            body_size,
            body_crc,
            version,
            date,
            compatibility,
            options: Options(options),
            reserved,
            storage_address,
            program_address,
            entry_point,
            signature,
        })
    }

    /// The 400 bytes of this header.
    pub fn encode(&self) -> [u8; HEADER_SIZE] {
        let product_buffer = self.product_buffer.bytes();
        let image_type = self.image_type.text();
        let [reserved0, reserved1, reserved2] = self.reserved;
        let parts: [&[u8]; 16] = [
            &product_buffer,
            &self.product_buffer_crc.to_be_bytes(),
            &self.revision.to_be_bytes(),
            &u32::from(self.crc_indicator).to_be_bytes(),
            image_type.field().as_slice(),
            self.product.field().as_slice(),
            &self.body_size.to_be_bytes(),
            &self.body_crc.to_be_bytes(),
            self.version.field().as_slice(),
            self.date.field().as_slice(),
            &self.compatibility.to_be_bytes(),
            &[self.options.0, reserved0, reserved1, reserved2],
            &self.storage_address.to_be_bytes(),
            &self.program_address.to_be_bytes(),
            &self.entry_point.to_be_bytes(),
            &self.signature.0.to_be_bytes(),
        ];
        let mut encoded = [0; HEADER_SIZE];
        for (place, byte) in encoded.iter_mut().zip(parts.into_iter().flatten()) {
            *place = *byte;
        }
        encoded
    }

    /// Whether the product buffer has the checksum that the header states.
    pub fn product_buffer_is_sound(&self) -> bool {
        crc::checksum(&self.product_buffer.bytes()) == self.product_buffer_crc
    }

    /// Bytes of header and body.
    pub fn total_size(&self) -> u64 {
        u64::from(self.body_size) + super::HEADER_SIZE_U64
    }
}

/// The part of a header that is still to be read.
struct Fields<'a>(&'a [u8]);

impl Fields<'_> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (field, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*field)
    }

    fn u32(&mut self) -> Option<u32> {
        self.take().map(u32::from_be_bytes)
    }

    fn text<const N: usize>(&mut self, field: HeaderField) -> Result<Text<N>, HeaderError> {
        self.take::<N>()
            .and_then(|bytes| Text::from_field(&bytes))
            .ok_or(HeaderError::NotText { field })
    }
}

/// Whether the header declares its body checksum valid. In genuine files the checksum is right either way (cwe.md §2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize), serde(rename_all = "snake_case"))]
pub enum CrcIndicator {
    /// `GOOD`.
    Good,
    /// 0xFFFFFFFF.
    Unset,
    /// Anything else.
    Other(u32),
}

impl From<u32> for CrcIndicator {
    fn from(value: u32) -> Self {
        match value {
            0x474F_4F44 => Self::Good,
            0xFFFF_FFFF => Self::Unset,
            other => Self::Other(other),
        }
    }
}

impl From<CrcIndicator> for u32 {
    fn from(indicator: CrcIndicator) -> Self {
        match indicator {
            CrcIndicator::Good => 0x474F_4F44,
            CrcIndicator::Unset => 0xFFFF_FFFF,
            CrcIndicator::Other(other) => other,
        }
    }
}

/// How the body is stored, as bits; unknown bits are kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize), serde(transparent))]
pub struct Options(pub u8);

impl Options {
    /// Bit 0.
    pub const fn is_compressed(self) -> bool {
        self.0 & 1 != 0
    }

    /// Bit 1.
    pub const fn is_encrypted(self) -> bool {
        self.0 & 2 != 0
    }

    /// Bit 2.
    pub const fn is_signed(self) -> bool {
        self.0 & 4 != 0
    }

    /// Bit 3: the body is a delta, the differences from an older image.
    pub const fn is_delta(self) -> bool {
        self.0 & 8 != 0
    }
}

/// The application signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize), serde(transparent))]
pub struct Signature(pub u32);

impl Signature {
    /// The value in nearly all images.
    pub const DEFAULT: Self = Self(1);
    /// ASCII `Pars`, in settings.
    pub const SETTINGS: Self = Self(0x5061_7273);
}
