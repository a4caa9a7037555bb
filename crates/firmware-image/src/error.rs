//! Why a file isn't an image that can be sent. These errors are found before anything is sent to the modem.

use alloc::string::String;

/// The file isn't an image, or its structure can't be read. Damage inside an image whose structure can be read is a
/// [`Finding`](crate::Finding) in the report instead.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ImageError {
    /// No bytes.
    #[error("the file is empty")]
    EmptyFile,
    /// Shorter than one header.
    #[error("only {size} bytes; an image begins with a header of 400")]
    HeaderIncomplete {
        /// Bytes in the file.
        size: u64,
    },
    /// A text field of the header contains something that isn't text.
    #[error("not a firmware image: the field {field} at offset {offset} is not text")]
    NotAnImage {
        /// Which field.
        field: HeaderField,
        /// Its offset in the file.
        offset: u64,
    },
    /// The file begins like another kind of file.
    #[error("not a firmware image: it looks like {foreign}")]
    Foreign {
        /// Which kind.
        foreign: Foreign,
    },
    /// Neither the header's own checksum nor the size it states fits the file.
    #[error(
        "not a firmware image: its first 256 bytes have checksum {computed:08x}, the field after them says {expected:08x}"
    )]
    NotAHeader {
        /// The checksum in the field at offset 256.
        expected: u32,
        /// The checksum of the bytes before it.
        computed: u32,
    },
    /// The header says that there is no body.
    #[error("the header says that the image has 0 bytes")]
    NoBody,
    /// The file ends too early, most often because a download was interrupted.
    #[error(
        "the file is cut short: {got} data bytes, the header says {expected} ({missing} missing); is the download complete?"
    )]
    Truncated {
        /// Data bytes that the header states.
        expected: u64,
        /// Data bytes in the file.
        got: u64,
        /// The difference.
        missing: u64,
    },
    /// The file continues after the image.
    #[error(
        "the file continues after the image: the image ends at {end}, the file has {size} bytes ({surplus} too many)"
    )]
    Surplus {
        /// The difference.
        surplus: u64,
        /// Where the image ends.
        end: u64,
        /// Bytes in the file.
        size: u64,
    },
    /// More levels of nesting than are followed.
    #[error("images are nested more than {limit} levels deep at offset {offset}")]
    TooDeep {
        /// The limit.
        limit: usize,
        /// Where the image beyond it begins.
        offset: u64,
    },
    /// More images than are followed.
    #[error("more than {limit} images, the next at offset {offset}")]
    TooMany {
        /// The limit.
        limit: usize,
        /// Where the image beyond it begins.
        offset: u64,
    },
    /// Reading the file gave fewer bytes than its size.
    #[error("reading ended at {got} of {size} bytes: the file changed, or its disk or stick was removed")]
    EndedEarly {
        /// The size that was announced.
        size: u64,
        /// Bytes that were read.
        got: u64,
    },
    /// Reading the file gave more bytes than its size.
    #[error("more than the announced {size} bytes were read: the file grew in the meantime")]
    Grew {
        /// The size that was announced.
        size: u64,
    },
    /// Larger than the protocols can send.
    #[error("{size} bytes are more than can be sent to a modem ({limit})")]
    TooLarge {
        /// Bytes in the file.
        size: u64,
        /// The limit.
        limit: u64,
    },
    /// Too small for its kind.
    #[error("only {size} bytes, {name} has more than {limit}")]
    TooSmall {
        /// The file's name.
        name: String,
        /// Bytes in the file.
        size: u64,
        /// The largest size that is too small.
        limit: u64,
    },
}

impl ImageError {
    /// A stable code for programs and the documentation.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::EmptyFile => "E-IMAGE-EMPTY",
            Self::HeaderIncomplete { .. } => "E-IMAGE-HEADER-INCOMPLETE",
            Self::NotAnImage { .. } | Self::Foreign { .. } | Self::NotAHeader { .. } => "E-IMAGE-FOREIGN",
            Self::NoBody => "E-IMAGE-NO-BODY",
            Self::Truncated { .. } => "E-IMAGE-TRUNCATED",
            Self::Surplus { .. } => "E-IMAGE-SURPLUS",
            Self::TooDeep { .. } => "E-IMAGE-TOO-DEEP",
            Self::TooMany { .. } => "E-IMAGE-TOO-MANY",
            Self::EndedEarly { .. } => "E-IMAGE-ENDED-EARLY",
            Self::Grew { .. } => "E-IMAGE-GREW",
            Self::TooLarge { .. } => "E-IMAGE-TOO-LARGE",
            Self::TooSmall { .. } => "E-IMAGE-TOO-SMALL",
        }
    }
}

/// A text field of the header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize), serde(rename_all = "snake_case"))]
pub enum HeaderField {
    /// Four letters at 268.
    Type,
    /// Four letters at 272.
    Product,
    /// 84 characters at 284.
    Version,
    /// Eight characters at 368.
    Date,
}

impl HeaderField {
    /// Its offset in the header.
    pub const fn offset(self) -> u64 {
        match self {
            Self::Type => 268,
            Self::Product => 272,
            Self::Version => 284,
            Self::Date => 368,
        }
    }
}

impl core::fmt::Display for HeaderField {
    fn fmt(&self, formatter: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        formatter.write_str(match self {
            Self::Type => "type",
            Self::Product => "product",
            Self::Version => "version",
            Self::Date => "date",
        })
    }
}

/// What a file that isn't an image looks like, by its first bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize), serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Foreign {
    /// `PK`.
    Zip,
    /// `7z`.
    SevenZip,
    /// A Windows program (`MZ`), such as the vendor's self-extracting archives.
    WindowsProgram,
    /// An ELF file.
    Elf,
    /// HTML.
    WebPage,
    /// gzip.
    Gzip,
    /// RAR.
    Rar,
    /// AppleDouble.
    MacResource,
}

impl Foreign {
    /// Recognises the first bytes of a file.
    pub fn recognise(start: &[u8]) -> Option<Self> {
        const SIGNATURES: [(&[u8], Foreign); 9] = [
            (b"PK\x03\x04", Foreign::Zip),
            (b"PK\x05\x06", Foreign::Zip),
            (b"7z\xBC\xAF\x27\x1C", Foreign::SevenZip),
            (b"MZ", Foreign::WindowsProgram),
            (b"\x7FELF", Foreign::Elf),
            (b"\x1F\x8B", Foreign::Gzip),
            (b"Rar!\x1A\x07", Foreign::Rar),
            (b"\x00\x05\x16\x07", Foreign::MacResource),
            (b"\xEF\xBB\xBF<", Foreign::WebPage),
        ];
        let by_signature = SIGNATURES
            .iter()
            .find(|(signature, _)| start.starts_with(signature));
        by_signature.map(|(_, foreign)| *foreign).or_else(|| {
            let text = start.trim_ascii_start();
            let is_page = [b"<!doc".as_slice(), b"<html"].iter().any(|tag| {
                text.get(..tag.len())
                    .is_some_and(|begin| begin.eq_ignore_ascii_case(tag))
            });
            is_page.then_some(Self::WebPage)
        })
    }
}

impl core::fmt::Display for Foreign {
    fn fmt(&self, formatter: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        formatter.write_str(match self {
            Self::Zip => "a zip archive",
            Self::SevenZip => "a 7z archive",
            Self::WindowsProgram => "a Windows program",
            Self::Elf => "an ELF file (a programmer for another tool?)",
            Self::WebPage => "a web page (was the download a login page?)",
            Self::Gzip => "a gzip file",
            Self::Rar => "a RAR archive",
            Self::MacResource => "a macOS resource file (._name)",
        })
    }
}
