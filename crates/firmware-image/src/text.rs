//! Fixed fields of printable ASCII, padded with NUL (cwe.md §2, §5.3).

use core::fmt;

/// A text of at most `N` bytes, as CWE headers contain it: printable ASCII, then NUL up to the field's end.
///
/// It needs no heap, so the size of a report doesn't depend on the file's content.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Text<const N: usize> {
    bytes: [u8; N],
    length: u8,
}

impl<const N: usize> Text<N> {
    /// The empty text: all NUL.
    pub const EMPTY: Self = Self {
        bytes: [0; N],
        length: 0,
    };

    /// Reads a whole field; `None` when it is not printable ASCII followed by nothing but NUL, or not `N` bytes.
    pub fn from_field(field: &[u8]) -> Option<Self> {
        let length = field.iter().position(|&byte| byte == 0).unwrap_or(field.len());
        let (text, padding) = field.split_at_checked(length)?;
        let printable = text.iter().all(|byte| (0x20..=0x7E).contains(byte));
        let padded = padding.iter().all(|&byte| byte == 0);
        if !printable || !padded {
            return None;
        }
        Some(Self {
            bytes: field.try_into().ok()?,
            length: u8::try_from(length).ok()?,
        })
    }

    /// Makes a field from a text; `None` when it is longer than `N` bytes or not printable ASCII.
    pub fn new(text: &str) -> Option<Self> {
        let mut bytes = [0; N];
        bytes.get_mut(..text.len())?.copy_from_slice(text.as_bytes());
        Self::from_field(&bytes).filter(|field| field.as_str() == text)
    }

    /// The text without its padding.
    pub fn as_str(&self) -> &str {
        self.bytes
            .get(..usize::from(self.length))
            .and_then(|bytes| core::str::from_utf8(bytes).ok())
            .unwrap_or_default()
    }

    /// The field as it is in the header, padding included.
    pub const fn field(&self) -> &[u8; N] {
        &self.bytes
    }

    /// Whether the field holds no text.
    pub const fn is_empty(&self) -> bool {
        self.length == 0
    }
}

impl<const N: usize> fmt::Display for Text<N> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self.as_str(), formatter)
    }
}

impl<const N: usize> fmt::Debug for Text<N> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), formatter)
    }
}

#[cfg(feature = "serde")]
impl<const N: usize> serde::Serialize for Text<N> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::Text;

    #[test]
    fn a_field_is_printable_ascii_then_only_nul() {
        assert_eq!(Text::<4>::from_field(b"9X30").unwrap().as_str(), "9X30");
        assert_eq!(Text::<4>::from_field(b"9X\0\0").unwrap().as_str(), "9X");
        assert!(Text::<4>::from_field(b"\0\0\0\0").unwrap().is_empty());
        assert_eq!(Text::<4>::from_field(b"9\0X0"), None, "text behind a NUL");
        assert_eq!(Text::<4>::from_field(b"9X3\x80"), None, "not ASCII");
        assert_eq!(Text::<4>::from_field(b"9X3"), None, "field too short");
    }

    #[test]
    fn a_text_that_does_not_fit_is_refused() {
        assert_eq!(Text::<4>::new("SPKG").unwrap().field(), b"SPKG");
        assert_eq!(Text::<4>::new("SPKGS"), None);
        assert_eq!(Text::<4>::new("é"), None);
    }
}
