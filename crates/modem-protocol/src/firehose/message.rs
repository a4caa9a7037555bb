//! Firehose documents: bytes to types and back, for both sides.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

/// A NAK with the log lines that came before it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Nak {
    /// The last log lines before the NAK, oldest first, at most 16.
    pub log: Vec<String>,
}

impl fmt::Display for Nak {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NAK")?;
        self.log.iter().try_for_each(|line| write!(f, "; {line}"))
    }
}
