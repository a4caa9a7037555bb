//! The images stored in the modem, and which of them it prefers (qmi.md §5.1 to §5.3).

use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;
use core::fmt;

use super::super::tlv::{counted_text, put_counted_text};
use crate::ParseError;
use crate::bytes::{Reader, Writer};
use crate::numbers::numbers;

numbers! {
    /// What an image is.
    ImageType: u8 {
        Modem = 0, "modem";
        Pri = 1, "PRI";
    }
}

impl fmt::Display for ImageType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.word() {
            Some(word) => f.write_str(word),
            None => write!(f, "image type {}", self.code()),
        }
    }
}

/// The 16 bytes that distinguish images of the same type: [`UniqueId::WILDCARD`] for modem images, the config version
/// for PRI images.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct UniqueId(pub [u8; 16]);

impl UniqueId {
    /// `?_?`, the unique id of every modem image.
    pub const WILDCARD: Self = Self(*b"?_?\0\0\0\0\0\0\0\0\0\0\0\0\0");

    /// The text, padded with NULs; `None` if it has more than 16 bytes.
    pub fn from_text(text: &str) -> Option<Self> {
        let mut bytes = [0; 16];
        bytes.get_mut(..text.len())?.copy_from_slice(text.as_bytes());
        Some(Self(bytes))
    }

    /// The id as text. `None` unless it is at least one ASCII character, followed only by NULs (qmi.md, "Unique id
    /// display").
    pub fn text(&self) -> Option<&str> {
        let end = self.0.iter().position(|&byte| byte == 0).unwrap_or(self.0.len());
        let (text, padding) = self.0.split_at_checked(end)?;
        if text.is_empty() || !text.is_ascii() || padding.iter().any(|&byte| byte != 0) {
            return None;
        }
        core::str::from_utf8(text).ok()
    }
}

impl fmt::Display for UniqueId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.text() {
            Some(text) => f.write_str(text),
            None => self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}")),
        }
    }
}

impl fmt::Debug for UniqueId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "UniqueId({self})")
    }
}

/// Names one image.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ImageReference {
    /// What it is.
    pub image_type: ImageType,
    /// Its unique id.
    pub unique_id: UniqueId,
    /// Its build id: `<firmware version>_?` or `<firmware version>_<carrier>`. At most 255 bytes; a longer one is cut
    /// when it is written.
    pub build_id: String,
}

impl ImageReference {
    pub(super) fn parse(reader: &mut Reader<'_>) -> Result<Self, ParseError> {
        Ok(Self {
            image_type: reader.u8("image type")?.into(),
            unique_id: UniqueId(reader.array("unique id")?),
            build_id: counted_text(reader, "build id")?,
        })
    }

    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        out.put_u8(self.image_type.into());
        out.put(&self.unique_id.0);
        put_counted_text(out, &self.build_id);
    }

    /// One image as the whole value of a field.
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let mut out = vec![];
        self.encode(&mut out);
        out
    }
}

impl fmt::Display for ImageReference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} image {} ({})",
            self.image_type, self.build_id, self.unique_id
        )
    }
}

/// Why a modem can't be asked for these versions.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UnsendablePreference {
    /// The config version doesn't fit into the 16 bytes of a unique id.
    #[error("config version {0} has more than 16 bytes")]
    Config(String),
    /// The versions don't fit into the 255 bytes of a build id.
    #[error("firmware version and carrier together have more than 254 bytes")]
    Build,
}

/// Which images the modem should run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FirmwarePreference(pub Vec<ImageReference>);

impl FirmwarePreference {
    /// The preference for this firmware with this carrier's configuration (qmi.md §5.1).
    ///
    /// # Errors
    /// A text doesn't fit.
    pub fn new(firmware: &str, config: &str, carrier: &str) -> Result<Self, UnsendablePreference> {
        Self::of_pair(firmware, firmware, config, carrier)
    }

    /// The preference for this firmware with a configuration that was made for the firmware `made_for`. A stored image is
    /// selected by its own ids (qmi.md §5). A DW5570 came with firmware 01.08.16.03 and a PRI image for 01.08.16.02
    /// (libqmi-devel, January 2017, message 001980).
    ///
    /// # Errors
    /// A text doesn't fit.
    pub fn of_pair(
        firmware: &str,
        made_for: &str,
        config: &str,
        carrier: &str,
    ) -> Result<Self, UnsendablePreference> {
        let unique_id =
            UniqueId::from_text(config).ok_or_else(|| UnsendablePreference::Config(config.into()))?;
        let modem_build = alloc::format!("{firmware}_?");
        let build_id = alloc::format!("{made_for}_{carrier}");
        if build_id.len().max(modem_build.len()) > usize::from(u8::MAX) {
            return Err(UnsendablePreference::Build);
        }
        Ok(Self(vec![
            ImageReference {
                image_type: ImageType::Modem,
                unique_id: UniqueId::WILDCARD,
                build_id: modem_build,
            },
            ImageReference {
                image_type: ImageType::Pri,
                unique_id,
                build_id,
            },
        ]))
    }

    /// The preferred image of a type.
    pub fn of_type(&self, image_type: ImageType) -> Option<&ImageReference> {
        self.0.iter().find(|image| image.image_type == image_type)
    }

    pub(super) fn parse(bytes: &[u8]) -> Result<Self, ParseError> {
        let mut reader = Reader::new(bytes);
        let count = reader.u8("number of images")?;
        (0..count)
            .map(|_| ImageReference::parse(&mut reader))
            .collect::<Result<_, _>>()
            .map(Self)
    }

    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let mut out = vec![];
        for image in self
            .0
            .get(..put_count(&mut out, self.0.len()))
            .unwrap_or_default()
        {
            image.encode(&mut out);
        }
        out
    }
}

/// What has to be downloaded for a new preference. `None` if the modem doesn't say; treat that as everything. An
/// empty list if the modem already has all images (qmi.md §5.1).
pub type DownloadList = Option<Vec<ImageType>>;

/// All stored images, type by type.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StoredImages(pub Vec<StoredImageList>);

impl StoredImages {
    /// The list of a type.
    pub fn of_type(&self, image_type: ImageType) -> Option<&StoredImageList> {
        self.0.iter().find(|list| list.image_type == image_type)
    }

    /// All images with their types.
    pub fn iter(&self) -> impl Iterator<Item = (ImageType, &StoredImage)> {
        self.0
            .iter()
            .flat_map(|list| list.images.iter().map(|image| (list.image_type, image)))
    }
}

/// The stored images of one type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredImageList {
    /// The type.
    pub image_type: ImageType,
    /// How many images of this type the modem can store.
    pub maximum: u8,
    /// Index in `images` of the running image; `None` for 255. MC7430, MC7455 and EM7455 report impossible numbers
    /// here, such as 2 with two images (qmi.md §5.2); [`StoredImageList::running_image`] checks it.
    pub running: Option<u8>,
    /// The images, at most 255.
    pub images: Vec<StoredImage>,
}

impl StoredImageList {
    /// The running image; `None` if the modem names none, or one that doesn't exist.
    pub fn running_image(&self) -> Option<&StoredImage> {
        self.images.get(usize::from(self.running?))
    }
}

/// A stored image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredImage {
    /// Its slot; `None` for 255, which PRI images have.
    pub storage_index: Option<u8>,
    /// How often it failed to boot; `None` for 255 (unknown).
    pub failure_count: Option<u8>,
    /// Its unique id.
    pub unique_id: UniqueId,
    /// Its build id.
    pub build_id: String,
}

impl StoredImage {
    /// The reference that names this image in a request.
    pub fn reference(&self, image_type: ImageType) -> ImageReference {
        ImageReference {
            image_type,
            unique_id: self.unique_id,
            build_id: self.build_id.clone(),
        }
    }

    fn parse(reader: &mut Reader<'_>) -> Result<Self, ParseError> {
        Ok(Self {
            storage_index: unless_255(reader.u8("storage index")?),
            failure_count: unless_255(reader.u8("failure count")?),
            unique_id: UniqueId(reader.array("unique id")?),
            build_id: counted_text(reader, "build id")?,
        })
    }

    fn encode(&self, out: &mut Vec<u8>) {
        out.put_u8(self.storage_index.unwrap_or(u8::MAX));
        out.put_u8(self.failure_count.unwrap_or(u8::MAX));
        out.put(&self.unique_id.0);
        put_counted_text(out, &self.build_id);
    }
}

/// Message 0x557A as seen on EM7565: the layout of 0x0049, with four more bytes after each image (qmi.md §5.3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SwiStoredImages {
    /// The message has that layout.
    Read {
        /// The images.
        images: StoredImages,
        /// The four bytes after each image, in the order of [`StoredImages::iter`]. The first byte may be a status, 3
        /// for good. When the message is written, missing entries become zeros.
        states: Vec<[u8; 4]>,
    },
    /// The message has another layout.
    Unread(Vec<u8>),
}

impl SwiStoredImages {
    pub(super) fn parse(bytes: &[u8]) -> Self {
        let mut states = vec![];
        let images = read_lists(bytes, |reader| {
            states.push(reader.array("state of the image")?);
            Ok(())
        });
        match images {
            Ok(images) => Self::Read { images, states },
            Err(_) => Self::Unread(bytes.to_vec()),
        }
    }

    pub(super) fn to_bytes(&self) -> Vec<u8> {
        match self {
            Self::Read { images, states } => {
                let mut states = states.iter().copied();
                write_lists(images, |out| out.put(&states.next().unwrap_or_default()))
            }
            Self::Unread(bytes) => bytes.clone(),
        }
    }
}

impl StoredImages {
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, ParseError> {
        read_lists(bytes, |_| Ok(()))
    }

    pub(super) fn to_bytes(&self) -> Vec<u8> {
        write_lists(self, |_| {})
    }
}

/// Reads the lists of 0x0049 and 0x557A; `read_state` reads the bytes after each image.
fn read_lists(
    bytes: &[u8],
    mut read_state: impl FnMut(&mut Reader<'_>) -> Result<(), ParseError>,
) -> Result<StoredImages, ParseError> {
    let mut reader = Reader::new(bytes);
    let mut lists = vec![];
    for _ in 0..reader.u8("number of image types")? {
        let mut list = StoredImageList {
            image_type: reader.u8("image type")?.into(),
            maximum: reader.u8("maximum number of images")?,
            running: unless_255(reader.u8("running image")?),
            images: vec![],
        };
        for _ in 0..reader.u8("number of images")? {
            list.images.push(StoredImage::parse(&mut reader)?);
            read_state(&mut reader)?;
        }
        lists.push(list);
    }
    reader.finish("list of stored images")?;
    Ok(StoredImages(lists))
}

fn write_lists(images: &StoredImages, mut write_state: impl FnMut(&mut Vec<u8>)) -> Vec<u8> {
    let mut out = vec![];
    let types = put_count(&mut out, images.0.len());
    for list in images.0.iter().take(types) {
        out.put_u8(list.image_type.into());
        out.put_u8(list.maximum);
        out.put_u8(list.running.unwrap_or(u8::MAX));
        let count = put_count(&mut out, list.images.len());
        for image in list.images.iter().take(count) {
            image.encode(&mut out);
            write_state(&mut out);
        }
    }
    out
}

/// Writes how many elements follow, at most 255, and returns that number.
pub(super) fn put_count(out: &mut Vec<u8>, count: usize) -> usize {
    let count = u8::try_from(count).unwrap_or(u8::MAX);
    out.put_u8(count);
    count.into()
}

/// 255 stands for "not applicable".
fn unless_255(value: u8) -> Option<u8> {
    (value != u8::MAX).then_some(value)
}
