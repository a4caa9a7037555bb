//! Cuts Firehose documents out of a stream whose reads may be split or joined anywhere (sahara-firehose.md §5).

use alloc::vec::Vec;

/// The longest document that is accepted, in bytes. The longest known document has 320. Without a limit, a modem that
/// never closes a document could fill the memory.
pub const LARGEST_DOCUMENT: usize = 16 * 1024;

const DECLARATION: &[u8] = b"<?xml";
const OPENING: &[u8] = b"<data";
const CLOSING: &[u8] = b"</data";

/// Collects bytes and returns documents.
///
/// A document begins with an XML declaration or with `<data`, and ends with `</data>`. Bytes between documents (NUL
/// bytes, line ends, anything) are skipped and counted. A document that is cut short by the declaration of the next
/// one, or that is longer than [`LARGEST_DOCUMENT`], is skipped too.
///
/// ```
/// use modemflash_modem_protocol::firehose::stream::Splitter;
/// let mut splitter = Splitter::default();
/// splitter.push(b"\0\0<data><NOP />");
/// assert_eq!(splitter.next_document(), None);
/// splitter.push(b"</data>\n");
/// assert_eq!(splitter.next_document().as_deref(), Some(&b"<data><NOP /></data>"[..]));
/// assert_eq!(splitter.skipped(), 2);
/// ```
#[derive(Clone, Debug, Default)]
pub struct Splitter {
    bytes: Vec<u8>,
    /// How many bytes at the front are known to contain no end of a document.
    searched: usize,
    skipped: u64,
}

impl Splitter {
    /// Takes bytes in the order in which they came.
    pub fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// The next document from its first to its last byte; `None` until it is complete.
    pub fn next_document(&mut self) -> Option<Vec<u8>> {
        loop {
            self.pass_over_strangers();
            if self.bytes.is_empty() {
                return None;
            }
            match self.find_end() {
                End::At(end) => {
                    let rest = self.bytes.split_off(end);
                    self.searched = 0;
                    return Some(core::mem::replace(&mut self.bytes, rest));
                }
                End::CutShort(next) => self.pass_over(next),
                End::TooFar => self.pass_over(LARGEST_DOCUMENT),
                End::NotYet => return None,
            }
        }
    }

    /// Takes `count` raw bytes. Until that many have come, takes nothing and returns `None`. For the side that
    /// receives raw data between documents.
    pub fn take_raw(&mut self, count: usize) -> Option<Vec<u8>> {
        if self.bytes.len() < count {
            return None;
        }
        self.searched = 0;
        let rest = self.bytes.split_off(count);
        Some(core::mem::replace(&mut self.bytes, rest))
    }

    /// How many bytes were skipped so far because they belong to no document.
    pub const fn skipped(&self) -> u64 {
        self.skipped
    }

    /// The bytes that were not taken out yet.
    pub fn buffered(&self) -> &[u8] {
        &self.bytes
    }

    /// Everything that is left.
    pub fn into_rest(self) -> Vec<u8> {
        self.bytes
    }

    fn pass_over(&mut self, count: usize) {
        let count = count.min(self.bytes.len());
        self.bytes.drain(..count);
        self.searched = 0;
        self.skipped += u64::try_from(count).unwrap_or(u64::MAX);
    }

    /// Drops bytes up to the place where a document begins, or may begin once more bytes have come.
    fn pass_over_strangers(&mut self) {
        let start = (0..self.bytes.len()).find(|&at| {
            let tail = self.bytes.get(at..).unwrap_or_default();
            begins(tail, DECLARATION) || (begins(tail, OPENING) && is_name_end(tail.get(OPENING.len())))
        });
        let count = start.unwrap_or(self.bytes.len());
        if count > 0 {
            self.pass_over(count);
        }
    }

    /// Where the document at the front ends. The result doesn't depend on how the stream was split.
    fn find_end(&mut self) -> End {
        let window = self.bytes.get(..LARGEST_DOCUMENT).unwrap_or(&self.bytes);
        // Search again from where a tag may have been incomplete at the last search.
        let mut at = self.searched.saturating_sub(LONGEST_TAG);
        while let Some(found) = window
            .get(at..)
            .and_then(|tail| tail.iter().position(|&byte| byte == b'<'))
        {
            at += found;
            let tail = window.get(at..).unwrap_or_default();
            if at > 0 && tail.starts_with(DECLARATION) {
                return End::CutShort(at);
            }
            if let Some(length) = closed_by(tail, CLOSING, b">").or_else(|| closed_by(tail, OPENING, b"/>")) {
                return End::At(at + length);
            }
            at += 1;
        }
        if window.len() >= LARGEST_DOCUMENT {
            return End::TooFar;
        }
        self.searched = window.len();
        End::NotYet
    }
}

enum End {
    At(usize),
    /// The declaration of another document begins here.
    CutShort(usize),
    NotYet,
    TooFar,
}

/// The largest number of blanks between a tag's name and its end.
const MOST_BLANKS: usize = 16;

/// The longest tag that is recognised, in bytes.
const LONGEST_TAG: usize = CLOSING.len() + MOST_BLANKS + 2;

/// Whether `tail` begins with `word`, or is the beginning of `word`.
fn begins(tail: &[u8], word: &[u8]) -> bool {
    tail.iter().zip(word).all(|(a, b)| a == b)
}

/// Whether an element name ends here. It may also end where the received bytes end.
fn is_name_end(byte: Option<&u8>) -> bool {
    byte.is_none_or(|byte| byte.is_ascii_whitespace() || matches!(byte, b'>' | b'/'))
}

/// Length of `name`, blanks and `end` at the start of `tail`.
fn closed_by(tail: &[u8], name: &[u8], end: &[u8]) -> Option<usize> {
    let rest = tail.strip_prefix(name)?;
    let blanks = rest
        .iter()
        .take(MOST_BLANKS)
        .take_while(|byte| byte.is_ascii_whitespace())
        .count();
    rest.get(blanks..)?
        .starts_with(end)
        .then_some(name.len() + blanks + end.len())
}
