//! Output on its way to a port: plain bytes, or a stretch of an image whose bytes are all in memory before the first one goes out.

use std::ops::Range;

use modem_protocol::conversation::Stretch;

use super::open_port::Buffers;
use crate::told::Cause;

/// Where the bytes of the images come from. They are the bytes that were checked, or an error comes.
pub(crate) trait ImageFeed {
    /// Fills `buffer` with the bytes of `range` of image number `image` (from 0); both have the same length.
    /// Ranges of one image come front to back; one that begins earlier starts the image anew.
    fn fill(&mut self, image: usize, range: Range<u64>, buffer: &mut [u8]) -> Result<(), Cause>;

    /// Bytes of the file of image number `image`; 0 when there is none.
    fn size(&self, image: usize) -> u64;
}

/// Where no image belongs: in a session, a reset, or the switch before a download.
pub(crate) struct NoImages;

impl ImageFeed for NoImages {
    fn size(&self, _: usize) -> u64 {
        0
    }

    fn fill(&mut self, _: usize, _: Range<u64>, _: &mut [u8]) -> Result<(), Cause> {
        Err(Cause::Bug {
            what: "an image was asked for where none belongs".to_owned(),
        })
    }
}

/// Zeros that go behind image bytes.
static ZEROS: [u8; 4096] = [0; 4096];

/// Output on its way: header, image bytes, zeros.
#[derive(Default)]
pub(super) struct Slot {
    pub(super) header: Vec<u8>,
    /// Image, start of the stretch in the file; none for plain bytes.
    pub(super) image: Option<(usize, u64)>,
    /// Image bytes of the stretch, which stand at the front of the buffer.
    pub(super) body: usize,
    pub(super) padding: usize,
    /// Bytes of all three that the port has taken.
    pub(super) taken: usize,
    /// The port took no more when it was last written to.
    pub(super) is_refused: bool,
}

impl Slot {
    pub(super) fn total(&self) -> usize {
        self.header
            .len()
            .saturating_add(self.body)
            .saturating_add(self.padding)
    }

    pub(super) fn left(&self) -> usize {
        self.total().saturating_sub(self.taken)
    }

    /// The next bytes to write, in one piece.
    pub(super) fn piece<'a>(&'a self, stretch: &'a [u8]) -> &'a [u8] {
        let header = self.header.get(self.taken..).unwrap_or_default();
        if !header.is_empty() {
            return header;
        }
        let into_body = self.taken.saturating_sub(self.header.len());
        let body = stretch.get(into_body..self.body).unwrap_or_default();
        if !body.is_empty() {
            return body;
        }
        ZEROS.get(..self.left().min(ZEROS.len())).unwrap_or_default()
    }

    /// How far into the file the port has taken the image.
    pub(super) fn sent(&self) -> Option<(usize, u64)> {
        let (image, start) = self.image?;
        let body = self.taken.saturating_sub(self.header.len()).min(self.body);
        Some((
            image,
            start.saturating_add(u64::try_from(body).unwrap_or(u64::MAX)),
        ))
    }
}

/// Reads all bytes of a stretch into the buffer and makes it the output.
pub(super) fn load(stretch: Stretch, feed: &mut dyn ImageFeed, buffers: &mut Buffers) -> Result<Slot, Cause> {
    let Stretch {
        image,
        header,
        range,
        padding,
    } = stretch;
    let length = range
        .end
        .checked_sub(range.start)
        .filter(|length| *length <= Stretch::LARGEST);
    let Some(body) = length.and_then(|length| usize::try_from(length).ok()) else {
        let what = format!("a conversation asked for the bytes {range:?} at once");
        return Err(Cause::Bug { what });
    };
    if buffers.stretch.len() < body {
        buffers.stretch.resize(body, 0);
    }
    let start = range.start;
    let is_there = buffers.ahead.take().is_some_and(|(image_ahead, ahead)| {
        image_ahead == image && ahead.start == range.start && range.end <= ahead.end
    });
    if let Some(buffer) = buffers.stretch.get_mut(..body).filter(|_| !is_there) {
        feed.fill(image, range, buffer)?;
    }
    let padding = usize::try_from(padding).unwrap_or(usize::MAX);
    Ok(Slot {
        header,
        image: Some((image, start)),
        body,
        padding,
        taken: 0,
        is_refused: false,
    })
}

/// While the answer to a stretch is awaited: reads the one that probably follows, as long as the one before it. In QDL the modem waits
/// for every chunk, and a slow stick would make it wait twice. What can't be read now is tried, and told, when it is asked for.
pub(super) fn read_ahead(feed: &mut dyn ImageFeed, buffers: &mut Buffers, slot: &mut Slot) {
    let Some((image, start)) = slot.image.take() else {
        return;
    };
    let body = u64::try_from(slot.body).unwrap_or(u64::MAX);
    let next = start.saturating_add(body);
    let end = next.saturating_add(body).min(feed.size(image));
    let count = usize::try_from(end.saturating_sub(next)).unwrap_or(usize::MAX);
    let Some(buffer) = buffers
        .stretch
        .get_mut(..count)
        .filter(|buffer| !buffer.is_empty())
    else {
        return;
    };
    if feed.fill(image, next..end, buffer).is_ok() {
        buffers.ahead = Some((image, next..end));
    }
}
