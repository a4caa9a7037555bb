//! A cursor over received bytes, whose errors name the offset and the field.

use alloc::vec::Vec;

/// Received bytes that are not the message they should be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ParseError {
    /// The message ends inside a field.
    #[error("{field}: {needed} bytes needed at offset {offset}, {got} there")]
    Truncated {
        /// The field that is cut off.
        field: &'static str,
        /// Offset of the field in the message, in bytes.
        offset: usize,
        /// Bytes that the field needs.
        needed: usize,
        /// Bytes that are there.
        got: usize,
    },
    /// The message has bytes after its last field.
    #[error("{message}: {surplus} bytes too many")]
    Surplus {
        /// The message.
        message: &'static str,
        /// Bytes after the last field.
        surplus: usize,
    },
    /// A field has a value that it can't have.
    #[error("{field} at offset {offset}: {got:#x} instead of {expected}")]
    Value {
        /// The field.
        field: &'static str,
        /// Offset of the field in the message, in bytes.
        offset: usize,
        /// What would be right.
        expected: &'static str,
        /// What is there.
        got: u64,
    },
    /// A field that has to be there isn't.
    #[error("{field} is missing")]
    Missing {
        /// The field.
        field: &'static str,
    },
    /// A text field isn't what it should be.
    #[error("{field}: {expected} expected")]
    Text {
        /// The field.
        field: &'static str,
        /// What would be right.
        expected: &'static str,
    },
    /// A checksum is wrong.
    #[error("{what}: checksum {got:#x}, {computed:#x} computed")]
    Checksum {
        /// What the checksum covers.
        what: &'static str,
        /// The checksum in the message.
        got: u32,
        /// The checksum of the bytes.
        computed: u32,
    },
    /// The received bytes aren't a frame.
    #[error("{0}")]
    Frame(crate::hdlc::FrameErrorKind),
}

/// Reads fields from received bytes, front to back.
#[derive(Clone, Debug)]
pub struct Reader<'a> {
    bytes: &'a [u8],
    offset: usize,
}

impl<'a> Reader<'a> {
    /// A reader at the start of `bytes`.
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, offset: 0 }
    }

    /// The next `count` bytes.
    pub fn take(&mut self, field: &'static str, count: usize) -> Result<&'a [u8], ParseError> {
        match self.bytes.split_at_checked(count) {
            Some((taken, rest)) => {
                self.bytes = rest;
                self.offset += count;
                Ok(taken)
            }
            None => Err(ParseError::Truncated {
                field,
                offset: self.offset,
                needed: count,
                got: self.bytes.len(),
            }),
        }
    }

    /// The next `N` bytes as an array.
    pub fn array<const N: usize>(&mut self, field: &'static str) -> Result<[u8; N], ParseError> {
        let mut array = [0; N];
        array.copy_from_slice(self.take(field, N)?);
        Ok(array)
    }

    /// One byte.
    pub fn u8(&mut self, field: &'static str) -> Result<u8, ParseError> {
        Ok(u8::from_le_bytes(self.array(field)?))
    }

    /// Two bytes, little endian.
    pub fn u16_le(&mut self, field: &'static str) -> Result<u16, ParseError> {
        Ok(u16::from_le_bytes(self.array(field)?))
    }

    /// Four bytes, little endian.
    pub fn u32_le(&mut self, field: &'static str) -> Result<u32, ParseError> {
        Ok(u32::from_le_bytes(self.array(field)?))
    }

    /// Eight bytes, little endian.
    pub fn u64_le(&mut self, field: &'static str) -> Result<u64, ParseError> {
        Ok(u64::from_le_bytes(self.array(field)?))
    }

    /// Everything that is left.
    pub fn rest(&mut self) -> &'a [u8] {
        let rest = core::mem::take(&mut self.bytes);
        self.offset += rest.len();
        rest
    }

    /// Where the next field starts, in bytes from the start of the message.
    pub const fn offset(&self) -> usize {
        self.offset
    }

    /// An error unless everything was read.
    pub fn finish(self, message: &'static str) -> Result<(), ParseError> {
        if self.bytes.is_empty() {
            Ok(())
        } else {
            Err(ParseError::Surplus {
                message,
                surplus: self.bytes.len(),
            })
        }
    }
}

/// Appends fields to a message.
pub trait Writer {
    /// One byte.
    fn put_u8(&mut self, value: u8);
    /// Two bytes, little endian.
    fn put_u16_le(&mut self, value: u16);
    /// Four bytes, little endian.
    fn put_u32_le(&mut self, value: u32);
    /// Eight bytes, little endian.
    fn put_u64_le(&mut self, value: u64);
    /// `bytes` as they are.
    fn put(&mut self, bytes: &[u8]);
}

impl Writer for Vec<u8> {
    fn put_u8(&mut self, value: u8) {
        self.push(value);
    }
    fn put_u16_le(&mut self, value: u16) {
        self.extend_from_slice(&value.to_le_bytes());
    }
    fn put_u32_le(&mut self, value: u32) {
        self.extend_from_slice(&value.to_le_bytes());
    }
    fn put_u64_le(&mut self, value: u64) {
        self.extend_from_slice(&value.to_le_bytes());
    }
    fn put(&mut self, bytes: &[u8]) {
        self.extend_from_slice(bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    #[test]
    fn a_cut_field_is_named_with_its_offset() {
        let mut reader = Reader::new(&[1, 2, 3]);
        assert_eq!(reader.u16_le("first"), Ok(0x0201));
        assert_eq!(
            reader.u32_le("second"),
            Err(ParseError::Truncated {
                field: "second",
                offset: 2,
                needed: 4,
                got: 1
            })
        );
    }

    #[test]
    fn surplus_bytes_are_counted() {
        let reader = Reader::new(&[1, 2, 3]);
        assert_eq!(
            reader.finish("hello"),
            Err(ParseError::Surplus {
                message: "hello",
                surplus: 3
            })
        );
    }

    #[test]
    fn fields_come_back_as_they_were_written() {
        let mut bytes = vec![];
        bytes.put_u8(1);
        bytes.put_u16_le(2);
        bytes.put_u32_le(3);
        bytes.put_u64_le(4);
        bytes.put(b"end");
        let mut reader = Reader::new(&bytes);
        assert_eq!(reader.u8("a"), Ok(1));
        assert_eq!(reader.u16_le("b"), Ok(2));
        assert_eq!(reader.u32_le("c"), Ok(3));
        assert_eq!(reader.u64_le("d"), Ok(4));
        assert_eq!(reader.rest(), b"end");
        assert_eq!(reader.offset(), 18);
        assert_eq!(reader.finish("message"), Ok(()));
    }
}
