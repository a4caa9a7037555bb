//! Drives a conversation over a port: one output at a time, reading all the while.
//!
//! The driver owns the port, the buffers and the way to the image bytes; every deadline of the protocol is the
//! conversation's. All bytes of a stretch are in memory, and found equal to what was checked, before the first
//! byte of its header goes out. When the conversation fails, the rest of the output is dropped at once.

use std::ops::Range;

use modem_protocol::conversation::{Action, Conversation, ProtocolError, Report, Stretch};
use modem_world::{Instant, Interest, PortError, PortErrorKind, PortHandle, Wake, World};

use super::open_port::Buffers;
use super::parts::Run;
use super::stops::{Stops, Wish};
use super::teller::Teller;
use crate::told::Cause;

/// Where the bytes of the images come from. They are the bytes that were checked, or an error comes.
pub(crate) trait ImageFeed {
    /// Fills `buffer` with the bytes of `range` of image number `image` (from 0); both have the same length.
    /// Ranges of one image come front to back; one that begins earlier starts the image anew.
    fn fill(&mut self, image: usize, range: Range<u64>, buffer: &mut [u8]) -> Result<(), Cause>;

    /// Bytes of the file of image number `image`; 0 when there is none.
    fn size(&self, image: usize) -> u64;
}

/// What the driver tells while it runs.
pub(crate) enum Note {
    /// A report of the conversation.
    Report(Report),
    /// Bytes of an image were taken by the port: how far from the start of the file.
    Sent { image: usize, bytes: u64 },
    /// The user asked to stop.
    StopAsked,
}

/// How driving ends before the goal.
#[derive(Debug, PartialEq)]
pub(crate) enum DriveError {
    /// The conversation failed.
    Protocol(ProtocolError),
    /// Image bytes can't be had, or something that can't be.
    Cause(Cause),
    /// The user asked twice: now.
    StoppedNow,
}

/// Bytes in one read: more than a tty holds (its buffer is 4 KiB to 64 KiB).
const READ_SIZE: usize = 16 * 1024;
/// Bytes written at most before the input is looked at again.
const WRITE_BEFORE_READ: usize = 64 * 1024;
/// Reads at most before the conversation and its deadlines are looked at again.
const READS_IN_A_ROW: usize = 4;
/// Passed deadlines in a row that a conversation ignores before that is called a bug instead of an endless loop.
const IGNORED_DEADLINES: u32 = 1000;
/// Zeros that go behind image bytes.
static ZEROS: [u8; 4096] = [0; 4096];

/// Output on its way: header, image bytes, zeros.
#[derive(Default)]
struct Slot {
    header: Vec<u8>,
    /// Image, start of the stretch in the file; none for plain bytes.
    image: Option<(usize, u64)>,
    /// Image bytes of the stretch, which stand at the front of the buffer.
    body: usize,
    padding: usize,
    /// Bytes of all three that the port has taken.
    taken: usize,
    /// The port took no more when it was last written to.
    is_refused: bool,
}

impl Slot {
    fn total(&self) -> usize {
        self.header
            .len()
            .saturating_add(self.body)
            .saturating_add(self.padding)
    }

    fn left(&self) -> usize {
        self.total().saturating_sub(self.taken)
    }

    /// The next bytes to write, in one piece.
    fn piece<'a>(&'a self, stretch: &'a [u8]) -> &'a [u8] {
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
    fn sent(&self) -> Option<(usize, u64)> {
        let (image, start) = self.image?;
        let body = self.taken.saturating_sub(self.header.len()).min(self.body);
        Some((
            image,
            start.saturating_add(u64::try_from(body).unwrap_or(u64::MAX)),
        ))
    }
}

impl Run<'_> {
    /// Runs `conversation` on the open port, which is opened where none is, until it finishes or fails.
    pub(crate) fn drive(
        &mut self,
        conversation: &mut dyn Conversation,
        feed: &mut dyn ImageFeed,
        note: &mut dyn FnMut(&mut Teller<'_>, Instant, Note),
    ) -> Result<(), DriveError> {
        let handle = self.handle().map_err(DriveError::Cause)?;
        let teller = &mut self.teller;
        drive(
            self.world,
            handle,
            conversation,
            feed,
            self.port.buffers(),
            &mut self.stops,
            &mut |now, what| note(teller, now, what),
        )
    }
}

/// Runs `conversation` on `port` until it finishes or fails.
///
/// At the first wish to stop the conversation is asked to stop at its next safe point, at the second one driving ends at once.
fn drive(
    world: &mut dyn World,
    port: PortHandle,
    conversation: &mut dyn Conversation,
    feed: &mut dyn ImageFeed,
    buffers: &mut Buffers,
    stops: &mut Stops,
    note: &mut dyn FnMut(Instant, Note),
) -> Result<(), DriveError> {
    let mut slot = Slot::default();
    let mut closed = false;
    let mut ignored = 0;
    // A wait that ended because the port takes bytes found none to read.
    let mut may_read = true;
    buffers.input.resize(READ_SIZE, 0);
    if stops.is_asked() {
        conversation.stop();
    }
    loop {
        // One look at the clock for a turn: on some hosts it costs as much as writing.
        let mut now = world.now();
        let Some(mut until) = ask(world, &mut now, conversation, feed, buffers, &mut slot, note)? else {
            return Ok(());
        };
        let mut moved = false;
        if slot.left() > 0 && !closed {
            moved |= write(
                world,
                port,
                now,
                conversation,
                &mut slot,
                buffers,
                &mut closed,
                note,
            );
        }
        if !closed && may_read {
            moved |= read(world, port, now, conversation, buffers, &mut closed);
        }
        if moved {
            // What came or went can change what is to be done.
            match ask(world, &mut now, conversation, feed, buffers, &mut slot, note)? {
                Some(changed) => until = changed,
                None => return Ok(()),
            }
            if slot.left() == 0 && !closed {
                read_ahead(feed, buffers, &mut slot);
            }
            // A port that took all it was offered is offered more at once; one that refused has to be waited for.
            if slot.left() > 0 && !slot.is_refused {
                until = now;
            }
        }
        let readable = [Interest::Readable(port), Interest::Writable(port)];
        let interests = match (closed, slot.left() > 0) {
            (true, _) => readable.get(..0),
            (false, false) => readable.get(..1),
            (false, true) => readable.get(..2),
        };
        let wake = world.wait(interests.unwrap_or_default(), until);
        may_read = !matches!(wake, Wake::Writable(_));
        match stops.note(wake) {
            Wish::None => {}
            Wish::First => {
                note(world.now(), Note::StopAsked);
                conversation.stop();
            }
            Wish::Again => return Err(DriveError::StoppedNow),
        }
        match wake {
            Wake::Cancelled => {}
            Wake::Deadline if !moved => ignored += 1,
            _ => ignored = 0,
        }
        if moved {
            ignored = 0;
        }
        if ignored > IGNORED_DEADLINES {
            let what = "a conversation ignores its own deadline".to_owned();
            return Err(DriveError::Cause(Cause::Bug { what }));
        }
    }
}

/// Asks the conversation until it has nothing to say: output goes to the slot, reports go on. Gives the moment until
/// which there is something to wait for; none when it has finished.
fn ask(
    world: &dyn World,
    now: &mut Instant,
    conversation: &mut dyn Conversation,
    feed: &mut dyn ImageFeed,
    buffers: &mut Buffers,
    slot: &mut Slot,
    note: &mut dyn FnMut(Instant, Note),
) -> Result<Option<Instant>, DriveError> {
    loop {
        match conversation.poll(*now).map_err(DriveError::Protocol)? {
            Action::Send(bytes) => {
                debug_assert_eq!(slot.left(), 0, "output asked for while output is pending");
                *slot = Slot {
                    header: bytes,
                    ..Slot::default()
                };
            }
            Action::SendImage(stretch) => {
                debug_assert_eq!(slot.left(), 0, "output asked for while output is pending");
                *slot = load(stretch, feed, buffers)?;
                // A stick may be slow.
                *now = world.now();
            }
            Action::Report(report) => note(*now, Note::Report(report)),
            Action::Wait { until } => return Ok(Some(until)),
            Action::Finished => return Ok(None),
        }
    }
}

/// Reads all bytes of a stretch into the buffer and makes it the output.
fn load(stretch: Stretch, feed: &mut dyn ImageFeed, buffers: &mut Buffers) -> Result<Slot, DriveError> {
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
        return Err(DriveError::Cause(Cause::Bug { what }));
    };
    if buffers.stretch.len() < body {
        buffers.stretch.resize(body, 0);
    }
    let start = range.start;
    let is_there = buffers.ahead.take().is_some_and(|(image_ahead, ahead)| {
        image_ahead == image && ahead.start == range.start && range.end <= ahead.end
    });
    if let Some(buffer) = buffers.stretch.get_mut(..body).filter(|_| !is_there) {
        feed.fill(image, range, buffer).map_err(DriveError::Cause)?;
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
fn read_ahead(feed: &mut dyn ImageFeed, buffers: &mut Buffers, slot: &mut Slot) {
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

/// Writes what the port takes now. Says whether anything happened.
#[expect(clippy::too_many_arguments, reason = "all that a turn has")]
fn write(
    world: &mut dyn World,
    port: PortHandle,
    now: Instant,
    conversation: &mut dyn Conversation,
    slot: &mut Slot,
    buffers: &Buffers,
    closed: &mut bool,
    note: &mut dyn FnMut(Instant, Note),
) -> bool {
    let mut written = 0;
    slot.is_refused = false;
    while slot.left() > 0 && written < WRITE_BEFORE_READ {
        let piece = slot.piece(&buffers.stretch);
        let piece = piece.get(..WRITE_BEFORE_READ).unwrap_or(piece);
        let offered = piece.len();
        match world.try_write(port, piece) {
            Ok(0) => {
                slot.is_refused = true;
                break;
            }
            Ok(count) => {
                slot.taken = slot.taken.saturating_add(count);
                written = written.saturating_add(count);
                // It would refuse the rest.
                if count < offered {
                    slot.is_refused = true;
                    break;
                }
            }
            Err(_gone) => {
                *closed = true;
                break;
            }
        }
    }
    if written > 0 {
        conversation.wrote(written, u64::try_from(slot.left()).unwrap_or(u64::MAX), now);
        if let Some((image, bytes)) = slot.sent() {
            note(now, Note::Sent { image, bytes });
        }
    }
    if *closed {
        // What the modem said last is still worth reading: the caller's read comes before this is told.
        drain_last(world, port, conversation, now);
    }
    written > 0 || *closed
}

/// Hands in what can still be read from a port that has gone, then says so.
fn drain_last(world: &mut dyn World, port: PortHandle, conversation: &mut dyn Conversation, now: Instant) {
    let mut last = [0; 512];
    for _ in 0..READS_IN_A_ROW {
        match world.try_read(port, &mut last) {
            Ok(count) if count > 0 => conversation.receive(last.get(..count).unwrap_or_default(), now),
            _ => break,
        }
    }
    conversation.closed(now);
}

/// Reads what is there, but not for ever. Says whether anything happened.
fn read(
    world: &mut dyn World,
    port: PortHandle,
    now: Instant,
    conversation: &mut dyn Conversation,
    buffers: &mut Buffers,
    closed: &mut bool,
) -> bool {
    let mut moved = false;
    for _ in 0..READS_IN_A_ROW {
        match world.try_read(port, &mut buffers.input) {
            Ok(0) => break,
            Ok(count) => {
                moved = true;
                conversation.receive(buffers.input.get(..count).unwrap_or_default(), now);
            }
            Err(error) => {
                trace_loss(&error);
                *closed = true;
                conversation.closed(now);
                return true;
            }
        }
    }
    moved
}

fn trace_loss(error: &PortError) {
    match error.kind {
        PortErrorKind::Gone => tracing::debug!(port = %error.port, "port has gone"),
        _ => tracing::warn!(%error, "port failed"),
    }
}

#[cfg(test)]
mod tests;
