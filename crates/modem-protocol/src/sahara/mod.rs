//! Sahara, the protocol of the boot loader of SWI9x07, 9x50 and later (sahara-firehose.md §3).

mod framer;
pub mod message;
pub mod reset;
pub mod switch;

pub use framer::Framer;

/// The first bytes of every hello: command 1 and its length.
pub const HELLO_START: [u8; message::HEADER_SIZE] = [1, 0, 0, 0, 0x30, 0, 0, 0];

/// The offset at which a hello begins in these bytes.
pub fn find_hello(bytes: &[u8]) -> Option<usize> {
    bytes
        .windows(HELLO_START.len())
        .position(|window| window == HELLO_START)
}
