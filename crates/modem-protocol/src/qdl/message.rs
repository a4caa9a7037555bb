//! QDL messages: bytes to types and back, for both sides.

use alloc::string::String;
use core::fmt;

/// Error report 0x0D (qdl.md §4.4).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ErrorReport {
    /// Error code.
    pub code: u32,
    /// Text, often empty.
    pub text: String,
}

impl fmt::Display for ErrorReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "error {:#x} {}", self.code, self.text)
    }
}

/// Status of an open response 0x26 (qdl.md §4.6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpenStatus(pub u16);

impl fmt::Display for OpenStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "status {}", self.0)
    }
}

/// Status of a write response 0x28 (qdl.md §4.8).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WriteStatus(pub u16);

impl fmt::Display for WriteStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "status {}", self.0)
    }
}

/// Session done response 0x2A (qdl.md §4.9).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DoneResponse {
    /// 0 success, 1 authentication failure, 2 flash write failure.
    pub status: u16,
    /// Image type that failed.
    pub image_type: u8,
    /// Error text, often empty.
    pub text: String,
}

impl fmt::Display for DoneResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "status {} {}", self.status, self.text)
    }
}
