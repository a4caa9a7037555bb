//! The product specific buffer, the first 256 bytes of a header: descriptors or an `FLE` record. It is read for display
//! only; whether it is valid is decided by its checksum (cwe.md §2, images.md §1).

use crate::{Text, cwe::ImageType};
use alloc::{boxed::Box, vec::Vec};

/// Bytes of the buffer.
pub const SIZE: usize = 256;

/// The buffer as it is in the header.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum ProductBuffer {
    /// All zero, as in most images.
    #[default]
    Zero,
    /// Anything else, 256 bytes.
    Bytes(Box<[u8; SIZE]>),
}

impl ProductBuffer {
    /// Keeps 256 bytes. A buffer of zeros takes no memory.
    pub fn new(bytes: [u8; SIZE]) -> Self {
        if bytes == [0; SIZE] {
            Self::Zero
        } else {
            Self::Bytes(Box::new(bytes))
        }
    }

    /// A buffer with the given descriptors, followed by zeros. At most eight descriptors fit; the rest is left out.
    pub fn with_descriptors(descriptors: &[Descriptor]) -> Self {
        let mut bytes = [0; SIZE];
        for (place, descriptor) in bytes.chunks_exact_mut(Descriptor::SIZE).zip(descriptors) {
            place.copy_from_slice(&descriptor.encode());
        }
        Self::new(bytes)
    }

    /// The 256 bytes.
    pub fn bytes(&self) -> [u8; SIZE] {
        match self {
            Self::Zero => [0; SIZE],
            Self::Bytes(bytes) => **bytes,
        }
    }

    /// What the bytes mean, as far as known.
    pub fn content(&self) -> ProductContent {
        let bytes = match self {
            Self::Zero => return ProductContent::None,
            Self::Bytes(bytes) => bytes.as_slice(),
        };
        if let Some(file) = FileRecord::parse(bytes) {
            return ProductContent::File(file);
        }
        let mut descriptors = Vec::new();
        for entry in bytes.chunks_exact(Descriptor::SIZE) {
            if entry.iter().all(|&byte| byte == 0) {
                continue;
            }
            match Descriptor::parse(entry) {
                Some(descriptor) => descriptors.push(descriptor),
                None => return ProductContent::Unknown,
            }
        }
        ProductContent::Descriptors(descriptors)
    }
}

#[cfg(feature = "serde")]
impl serde::Serialize for ProductBuffer {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.content().serialize(serializer)
    }
}

/// What a product buffer holds.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize), serde(rename_all = "snake_case"))]
pub enum ProductContent {
    /// Nothing.
    None,
    /// One to eight descriptors.
    Descriptors(Vec<Descriptor>),
    /// One `FLE` record.
    File(FileRecord),
    /// Bytes whose meaning is unknown.
    Unknown,
}

/// One descriptor of 32 bytes, big endian. It says what kind of update the image is meant for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Descriptor {
    /// The kind of the described image.
    pub kind: DescriptorKind,
    /// Bit 0: extended; bit 1: reset.
    pub flags: u8,
    /// Kept as found.
    pub reserved: u8,
    /// Where the described bytes begin, counted from the start of the header: 0x190 in known files.
    pub offset: u32,
    /// How many bytes are described.
    pub size: u32,
    /// The version from which the image updates; `FULL` for any version.
    pub source_version: Text<16>,
    /// Kept as found.
    pub reserved_end: u32,
}

impl Descriptor {
    const SIZE: usize = 32;

    /// Reads one descriptor; `None` if the version byte isn't 1 or the version text isn't text.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let ([version, kind, flags, reserved], rest) = bytes.split_first_chunk::<4>()?;
        let (offset, rest) = rest.split_first_chunk::<4>()?;
        let (size, rest) = rest.split_first_chunk::<4>()?;
        let (source_version, rest) = rest.split_first_chunk::<16>()?;
        (*version == 1).then_some(())?;
        Some(Self {
            kind: DescriptorKind::from(*kind),
            flags: *flags,
            reserved: *reserved,
            offset: u32::from_be_bytes(*offset),
            size: u32::from_be_bytes(*size),
            source_version: Text::from_field(source_version)?,
            reserved_end: u32::from_be_bytes(*rest.first_chunk()?),
        })
    }

    /// The 32 bytes.
    pub fn encode(&self) -> [u8; Self::SIZE] {
        let parts: [&[u8]; 5] = [
            &[1, self.kind.into(), self.flags, self.reserved],
            &self.offset.to_be_bytes(),
            &self.size.to_be_bytes(),
            self.source_version.field(),
            &self.reserved_end.to_be_bytes(),
        ];
        let mut encoded = [0; Self::SIZE];
        for (place, byte) in encoded.iter_mut().zip(parts.into_iter().flatten()) {
            *place = *byte;
        }
        encoded
    }
}

/// The kind of image that a descriptor describes (images.md §1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize), serde(rename_all = "snake_case"))]
pub enum DescriptorKind {
    /// 1.
    Boot,
    /// 2: for a product; used by carriers' settings.
    Product,
    /// 3: generic; used by makers' settings.
    Generic,
    /// 8 and above: a delta; 0x80 marks the delta that leads back.
    Difference(u8),
    /// Anything else.
    Other(u8),
}

impl From<u8> for DescriptorKind {
    fn from(value: u8) -> Self {
        match value {
            1 => Self::Boot,
            2 => Self::Product,
            3 => Self::Generic,
            8.. => Self::Difference(value),
            0 | 4..=7 => Self::Other(value),
        }
    }
}

impl From<DescriptorKind> for u8 {
    fn from(kind: DescriptorKind) -> Self {
        match kind {
            DescriptorKind::Boot => 1,
            DescriptorKind::Product => 2,
            DescriptorKind::Generic => 3,
            DescriptorKind::Difference(value) | DescriptorKind::Other(value) => value,
        }
    }
}

/// An `FLE` record. Its meaning is unknown (cwe.md, open question 3), so the fields are shown as they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct FileRecord {
    /// Non-zero if the record is valid.
    pub valid: u8,
    /// A code of unknown meaning.
    pub code: u8,
    /// Kept as found.
    pub reserved: u16,
    /// Bytes of a header.
    pub header_size: u32,
    /// Bytes of an image.
    pub image_size: u32,
    /// Its type.
    pub image_type: ImageType,
}

impl FileRecord {
    /// Reads a record from the start of the buffer. It is a record only if its first byte isn't zero, offset 12 has an
    /// image type from the list, and only zeros follow. A descriptor has a version text at that offset.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let ([valid, code], rest) = bytes.split_first_chunk::<2>()?;
        let (reserved, rest) = rest.split_first_chunk::<2>()?;
        let (header_size, rest) = rest.split_first_chunk::<4>()?;
        let (image_size, rest) = rest.split_first_chunk::<4>()?;
        let (image_type, rest) = rest.split_first_chunk::<4>()?;
        let image_type = ImageType::from_text(Text::from_field(image_type)?);
        let is_known = !matches!(image_type, ImageType::Other(_));
        (is_known && *valid != 0 && rest.iter().all(|&byte| byte == 0)).then_some(Self {
            valid: *valid,
            code: *code,
            reserved: u16::from_be_bytes(*reserved),
            header_size: u32::from_be_bytes(*header_size),
            image_size: u32::from_be_bytes(*image_size),
            image_type,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crc;

    fn carrier_descriptor() -> Descriptor {
        Descriptor {
            kind: DescriptorKind::Product,
            flags: 0,
            reserved: 0,
            offset: 0x190,
            size: 11072,
            source_version: Text::new("FULL").unwrap(),
            reserved_end: 0,
        }
    }

    /// images.md §8: the carrier settings of SPRINT state the checksum 0x82D92888 for a buffer with one descriptor.
    #[test]
    fn the_descriptor_of_a_real_carrier_file_has_its_checksum() {
        let buffer = ProductBuffer::with_descriptors(&[carrier_descriptor()]);
        assert_eq!(crc::checksum(&buffer.bytes()), 0x82D9_2888);
        assert_eq!(
            buffer.content(),
            ProductContent::Descriptors([carrier_descriptor()].to_vec())
        );
    }

    #[test]
    fn a_file_record_is_told_from_a_descriptor() {
        let mut bytes = [0; SIZE];
        bytes[..16].copy_from_slice(b"\x01\x02\x00\x00\x00\x00\x01\x90\x00\x00\x10\x00BOOT");
        let ProductContent::File(record) = ProductBuffer::new(bytes).content() else {
            panic!("not taken as a record");
        };
        assert_eq!((record.header_size, record.image_size), (400, 4096));
        assert_eq!(record.image_type, ImageType::Boot);
    }

    #[test]
    fn other_bytes_are_kept_and_called_unknown() {
        let buffer = ProductBuffer::new([0xAB; SIZE]);
        assert_eq!(buffer.content(), ProductContent::Unknown);
        assert_eq!(buffer.bytes(), [0xAB; SIZE]);
        assert_eq!(ProductBuffer::new([0; SIZE]), ProductBuffer::Zero);
    }
}
