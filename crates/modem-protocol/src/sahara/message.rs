//! Sahara packets: bytes to types and back, for both sides.

use core::fmt;

/// Status of an end of image transfer packet (sahara-firehose.md §3.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Status(pub u32);

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "status {:#x}", self.0)
    }
}
