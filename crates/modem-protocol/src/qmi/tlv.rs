//! The fields of a QMI message: type, length, value (qmi.md §1).

use alloc::string::String;
use alloc::vec::Vec;

use crate::ParseError;
use crate::bytes::{Reader, Writer};

/// One field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tlv {
    /// Its type; the meaning depends on the message.
    pub kind: u8,
    /// Its bytes.
    pub value: Vec<u8>,
}

/// The fields of a message in the order in which they came, unknown ones included.
///
/// ```
/// use modemflash_modem_protocol::qmi::Tlvs;
/// let tlvs = Tlvs::new().with(0x01, [3]);
/// assert_eq!(tlvs.to_bytes(), [0x01, 1, 0, 3]);
/// assert_eq!(tlvs.get(0x01), Some(&[3][..]));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tlvs(Vec<Tlv>);

impl Tlvs {
    /// No fields.
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// These fields and one more. The value has at most 65,535 bytes; a longer one is cut.
    #[must_use]
    pub fn with(mut self, kind: u8, value: impl Into<Vec<u8>>) -> Self {
        let mut value = value.into();
        value.truncate(usize::from(u16::MAX));
        self.0.push(Tlv { kind, value });
        self
    }

    /// These fields and one more, if there is a value.
    #[must_use]
    pub fn with_some(self, kind: u8, value: Option<impl Into<Vec<u8>>>) -> Self {
        match value {
            Some(value) => self.with(kind, value),
            None => self,
        }
    }

    /// These fields and all of `others`.
    #[must_use]
    pub(super) fn and(mut self, others: &Self) -> Self {
        self.0.extend(others.0.iter().cloned());
        self
    }

    /// All fields but the result.
    pub(super) fn without_result(&self) -> Self {
        self.clone().without(super::error::RESULT)
    }

    /// All fields but those of this type.
    pub(super) fn without(mut self, kind: u8) -> Self {
        self.0.retain(|tlv| tlv.kind != kind);
        self
    }

    /// The value of the first field of this type.
    pub fn get(&self, kind: u8) -> Option<&[u8]> {
        let found = self.0.iter().find(|tlv| tlv.kind == kind)?;
        Some(&found.value)
    }

    /// The value of a field that has to be there.
    ///
    /// # Errors
    /// [`ParseError::Missing`].
    pub fn require(&self, kind: u8, field: &'static str) -> Result<&[u8], ParseError> {
        self.get(kind).ok_or(ParseError::Missing { field })
    }

    /// The value of a field that consists of a text only. It has no length byte and usually no NUL; MC7710 sends one
    /// (trace dms_boothold_mc7710_em7565).
    pub fn text(&self, kind: u8) -> Option<String> {
        self.get(kind).map(readable)
    }

    /// All fields in their order.
    pub fn iter(&self) -> core::slice::Iter<'_, Tlv> {
        self.0.iter()
    }

    /// Whether there is no field.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Reads fields up to the end of `bytes`.
    ///
    /// # Errors
    /// A field is longer than what is left.
    pub fn parse(bytes: &[u8]) -> Result<Self, ParseError> {
        let mut reader = Reader::new(bytes);
        let mut tlvs = Vec::new();
        while reader.offset() < bytes.len() {
            let kind = reader.u8("TLV type")?;
            let length = reader.u16_le("TLV length")?;
            let value = reader.take("TLV value", length.into())?.to_vec();
            tlvs.push(Tlv { kind, value });
        }
        Ok(Self(tlvs))
    }

    /// Appends the fields to `out`.
    pub fn encode(&self, out: &mut Vec<u8>) {
        for Tlv { kind, value } in &self.0 {
            out.put_u8(*kind);
            // `with` and `parse` keep values below 65,536 bytes.
            out.put_u16_le(u16::try_from(value.len()).unwrap_or(u16::MAX));
            out.put(value);
        }
    }

    /// The bytes of the fields.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        self.encode(&mut bytes);
        bytes
    }
}

impl<'a> IntoIterator for &'a Tlvs {
    type Item = &'a Tlv;
    type IntoIter = core::slice::Iter<'a, Tlv>;
    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// A text of the modem for the user, without the NULs at its end. If it isn't UTF-8, each byte that isn't ASCII
/// becomes `~`. The result is never longer than the original, so it fits into the same field.
pub(super) fn readable(bytes: &[u8]) -> String {
    let end = bytes
        .iter()
        .rposition(|&byte| byte != 0)
        .map_or(0, |last| last + 1);
    let (bytes, _) = bytes.split_at_checked(end).unwrap_or((bytes, &[]));
    match core::str::from_utf8(bytes) {
        Ok(text) => text.into(),
        Err(_) => bytes
            .iter()
            .map(|&byte| if byte.is_ascii() { char::from(byte) } else { '~' })
            .collect(),
    }
}

/// Appends a text, preceded by one byte with its length; a text longer than 255 bytes is cut.
pub(super) fn put_counted_text(out: &mut Vec<u8>, text: &str) {
    let mut end = text.len().min(usize::from(u8::MAX));
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let cut = text.get(..end).unwrap_or_default();
    out.put_u8(u8::try_from(cut.len()).unwrap_or(u8::MAX));
    out.put(cut.as_bytes());
}

/// Reads a text that is preceded by one byte with its length.
pub(super) fn counted_text(reader: &mut Reader<'_>, field: &'static str) -> Result<String, ParseError> {
    let length = reader.u8(field)?;
    Ok(readable(reader.take(field, length.into())?))
}
