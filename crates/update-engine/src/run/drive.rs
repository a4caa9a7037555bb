//! Drives a conversation of a download, or a session with the running firmware, over a port: the only loop that does that.
//!
//! One output goes out at a time. The driver owns the port, the buffers and the way to the image bytes; every deadline of the protocol
//! is the conversation's. All bytes of a stretch are in memory, and found equal to what was checked, before the first
//! byte of its header goes out. When the conversation fails, the rest of the output is dropped at once.

use std::time::Duration;

use modem_protocol::conversation::{Action, Conversation, ProtocolError, Report, Stretch};
use modem_world::{Instant, Interest, PortError, PortErrorKind, PortHandle, Wake, World};

use super::open_port::Buffers;
use super::parts::Run;
use super::slot::{ImageFeed, NoImages, Slot, load, read_ahead};
use super::stops::{Heed, Stops, Wish};
use super::teller::Teller;
use crate::told::{Cause, EventKind};

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
/// How often a port that takes no message now is tried again.
const WRITE_AGAIN: Duration = Duration::from_millis(20);

/// What the driver drives, as it sees that: a conversation of a download, or a session with the running firmware.
pub(super) trait Driven {
    /// What it has to say to the caller.
    type Said;
    /// How its port takes bytes, and how long that may take.
    const MANNER: Manner;
    /// What it wants next.
    fn poll(&mut self, now: Instant) -> Result<Turn<Self::Said>, ProtocolError>;
    /// Takes what came.
    fn receive(&mut self, bytes: &[u8], now: Instant);
    /// `count` bytes of its output went out; `left` are left.
    fn wrote(&mut self, count: usize, left: u64, now: Instant);
    /// The port has gone.
    fn closed(&mut self, now: Instant);
    /// It is to stop where nothing is half done.
    fn stop(&mut self);
}

/// What a driven thing wants next.
pub(super) enum Turn<S> {
    Send(Vec<u8>),
    SendImage(Stretch),
    Report(Report),
    Said(S),
    Wait { until: Instant },
}

/// How a port takes what is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Manner {
    /// Any number of bytes, while answers are read. The conversation has a deadline for everything.
    Stream,
    /// Any number of bytes, all of which go out before an answer is read, or none any more after this time.
    Bytes(Duration),
    /// A whole message or nothing, else as `Bytes`. Such a port is writable also while a message doesn't fit, so the port is tried again.
    Messages(Duration),
}

impl Manner {
    /// How long a port may take nothing.
    const fn patience(self) -> Option<Duration> {
        match self {
            Self::Stream => None,
            Self::Bytes(limit) | Self::Messages(limit) => Some(limit),
        }
    }
}

/// A conversation of a download.
struct DownloadConversation<'c>(&'c mut dyn Conversation);

impl Driven for DownloadConversation<'_> {
    type Said = ();
    const MANNER: Manner = Manner::Stream;

    fn poll(&mut self, now: Instant) -> Result<Turn<()>, ProtocolError> {
        Ok(match self.0.poll(now)? {
            Action::Send(bytes) => Turn::Send(bytes),
            Action::SendImage(stretch) => Turn::SendImage(stretch),
            Action::Report(report) => Turn::Report(report),
            Action::Wait { until } => Turn::Wait { until },
            Action::Finished => Turn::Said(()),
        })
    }

    fn receive(&mut self, bytes: &[u8], now: Instant) {
        self.0.receive(bytes, now);
    }

    fn wrote(&mut self, count: usize, left: u64, now: Instant) {
        self.0.wrote(count, left, now);
    }

    fn closed(&mut self, now: Instant) {
        self.0.closed(now);
    }

    fn stop(&mut self) {
        self.0.stop();
    }
}

impl Run<'_> {
    /// Runs `conversation` on the open port, which is opened where none is, until it finishes or fails. At the first wish to stop
    /// the conversation is asked to stop at its next safe point, at the second one driving ends at once.
    pub(crate) fn drive(
        &mut self,
        conversation: &mut dyn Conversation,
        feed: &mut dyn ImageFeed,
        note: &mut dyn FnMut(&mut Teller<'_>, Instant, Note),
    ) -> Result<(), DriveError> {
        let port = self.handle().map_err(DriveError::Cause)?;
        let teller = &mut self.teller;
        let mut driver = Driver {
            world: self.world,
            port,
            buffers: self.port.buffers(),
            stops: &mut self.stops,
            is_patient: false,
            note: &mut |now, what| note(teller, now, what),
        };
        driver.drive(&mut DownloadConversation(conversation), feed)
    }

    /// Lets a session go on until it has something to say.
    ///
    /// # Errors
    /// The user stops for the second time, and `heed` doesn't put that off.
    pub(super) fn drive_session<D: Driven>(
        &mut self,
        port: PortHandle,
        session: &mut D,
        heed: Heed,
    ) -> Result<D::Said, Cause> {
        let teller = &mut self.teller;
        let mut driver = Driver {
            world: self.world,
            port,
            buffers: self.port.buffers(),
            stops: &mut self.stops,
            is_patient: heed.ends_with().is_none(),
            note: &mut |now, what| {
                if let (Note::StopAsked, Some(when)) = (what, heed.words()) {
                    teller.tell(now, EventKind::Stopping { when });
                }
            },
        };
        driver.drive(session, &mut NoImages).map_err(|error| match error {
            DriveError::StoppedNow => heed.ends_with().unwrap_or(Cause::StoppedMidway),
            DriveError::Cause(cause) => cause,
            DriveError::Protocol(error) => Cause::Bug {
                what: format!("a session failed as a download does: {error}"),
            },
        })
    }
}

/// Drives one thing over one port.
struct Driver<'d> {
    world: &'d mut dyn World,
    port: PortHandle,
    buffers: &'d mut Buffers,
    stops: &'d mut Stops,
    /// A second wish to stop doesn't end it either.
    is_patient: bool,
    note: &'d mut dyn FnMut(Instant, Note),
}

/// What is known of the port while it is driven.
#[derive(Default)]
struct Line {
    slot: Slot,
    /// When a session gives its output up.
    give_up: Option<Instant>,
    /// The port has gone.
    is_closed: bool,
}

/// What came of asking for what is next.
enum Next<S> {
    Said(S),
    /// Until then there is nothing to do but to write and to read.
    Until(Instant),
}

impl Driver<'_> {
    /// Drives until there is something to say.
    fn drive<D: Driven>(&mut self, driven: &mut D, feed: &mut dyn ImageFeed) -> Result<D::Said, DriveError> {
        let mut line = Line::default();
        let mut ignored = 0;
        // A wait that ended because the port takes bytes found none to read.
        let mut may_read = true;
        self.buffers.input.resize(READ_SIZE, 0);
        if self.stops.is_asked() {
            driven.stop();
        }
        loop {
            // One look at the clock for a turn: on some hosts it costs as much as writing.
            let mut now = self.world.now();
            let mut until = match self.ask(&mut now, driven, feed, &mut line)? {
                Next::Said(said) => return Ok(said),
                Next::Until(until) => until,
            };
            let mut moved = false;
            if line.slot.left() > 0 && !line.is_closed {
                moved |= self.write(now, driven, &mut line);
            }
            let is_one_way = D::MANNER != Manner::Stream;
            let may_read_now = if is_one_way {
                !moved && line.slot.left() == 0
            } else {
                may_read
            };
            if !line.is_closed && may_read_now {
                moved |= self.read(now, driven, &mut line);
            }
            // A session is asked after every message that came or went.
            if moved && is_one_way {
                ignored = 0;
                continue;
            }
            if moved {
                // What came or went can change what is to be done.
                until = match self.ask(&mut now, driven, feed, &mut line)? {
                    Next::Said(said) => return Ok(said),
                    Next::Until(until) => until,
                };
                if line.slot.left() == 0 && !line.is_closed {
                    read_ahead(feed, self.buffers, &mut line.slot);
                }
                // A port that took all it was offered is offered more at once; one that refused has to be waited for.
                if line.slot.left() > 0 && !line.slot.is_refused {
                    until = now;
                }
            }
            let wake = self.wait(D::MANNER, &line, until);
            may_read = !matches!(wake, Wake::Writable(_));
            match self.stops.note(wake) {
                Wish::None => {}
                Wish::First => {
                    (self.note)(self.world.now(), Note::StopAsked);
                    driven.stop();
                }
                Wish::Again if self.is_patient => {}
                Wish::Again => return Err(DriveError::StoppedNow),
            }
            match wake {
                Wake::Deadline if !moved => ignored += 1,
                Wake::Cancelled => {}
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

    /// Waits for what can go on, at most until `until`.
    fn wait(&mut self, manner: Manner, line: &Line, until: Instant) -> Wake {
        let port = self.port;
        let is_pending = line.slot.left() > 0;
        let both = [Interest::Readable(port), Interest::Writable(port)];
        let interests = match (line.is_closed, is_pending, manner) {
            (true, ..) => both.get(..0),
            (false, false, _) => both.get(..1),
            (false, true, Manner::Stream) => both.get(..2),
            (false, true, Manner::Bytes(_)) => both.get(1..),
            (false, true, Manner::Messages(_)) => {
                let again = self.world.now() + WRITE_AGAIN;
                return self.world.wait(&[], until.min(again));
            }
        };
        self.world.wait(interests.unwrap_or_default(), until)
    }

    /// Asks until there is nothing to say: output goes to the slot, reports go on.
    fn ask<D: Driven>(
        &mut self,
        now: &mut Instant,
        driven: &mut D,
        feed: &mut dyn ImageFeed,
        line: &mut Line,
    ) -> Result<Next<D::Said>, DriveError> {
        loop {
            // A session says nothing more before its output is out, or was given up.
            if let Some(give_up) = line.give_up.filter(|_| line.slot.left() > 0 && !line.is_closed) {
                return Ok(Next::Until(give_up));
            }
            match driven.poll(*now).map_err(DriveError::Protocol)? {
                Turn::Send(bytes) => {
                    debug_assert_eq!(line.slot.left(), 0, "output asked for while output is pending");
                    line.give_up = D::MANNER.patience().map(|patience| *now + patience);
                    line.slot = Slot {
                        header: bytes,
                        ..Slot::default()
                    };
                }
                Turn::SendImage(stretch) => {
                    debug_assert_eq!(line.slot.left(), 0, "output asked for while output is pending");
                    line.slot = load(stretch, feed, self.buffers).map_err(DriveError::Cause)?;
                    // A stick may be slow.
                    *now = self.world.now();
                }
                Turn::Report(report) => (self.note)(*now, Note::Report(report)),
                Turn::Wait { until } => return Ok(Next::Until(until)),
                Turn::Said(said) => return Ok(Next::Said(said)),
            }
        }
    }

    /// Writes what the port takes now. Says whether anything happened.
    fn write<D: Driven>(&mut self, now: Instant, driven: &mut D, line: &mut Line) -> bool {
        let mut written = 0;
        let slot = &mut line.slot;
        slot.is_refused = false;
        while slot.left() > 0 && written < WRITE_BEFORE_READ {
            let piece = slot.piece(&self.buffers.stretch);
            let piece = piece.get(..WRITE_BEFORE_READ).unwrap_or(piece);
            let offered = piece.len();
            match self.world.try_write(self.port, piece) {
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
                Err(error) => {
                    tracing::debug!(%error, "port");
                    line.is_closed = true;
                    break;
                }
            }
        }
        if written > 0 {
            driven.wrote(written, u64::try_from(slot.left()).unwrap_or(u64::MAX), now);
            if let Some((image, bytes)) = slot.sent() {
                (self.note)(now, Note::Sent { image, bytes });
            }
        }
        match (line.is_closed, D::MANNER) {
            (false, _) => {}
            // What the modem said last is still worth reading: the caller's read comes before this is told.
            (true, Manner::Stream) => self.drain_last(now, driven),
            (true, _) => {
                driven.closed(now);
                line.slot = Slot::default();
                return true;
            }
        }
        let is_given_up = slot.is_refused && line.give_up.is_some_and(|give_up| now >= give_up);
        if is_given_up {
            tracing::info!(left = slot.left(), "the port takes nothing");
            line.slot = Slot::default();
        }
        written > 0 || line.is_closed || is_given_up
    }

    /// Hands in what can still be read from a port that has gone, then says so.
    fn drain_last<D: Driven>(&mut self, now: Instant, driven: &mut D) {
        let mut last = [0; 512];
        for _ in 0..READS_IN_A_ROW {
            match self.world.try_read(self.port, &mut last) {
                Ok(count) if count > 0 => driven.receive(last.get(..count).unwrap_or_default(), now),
                _ => break,
            }
        }
        driven.closed(now);
    }

    /// Reads what is there, but not for ever. Says whether anything happened.
    fn read<D: Driven>(&mut self, now: Instant, driven: &mut D, line: &mut Line) -> bool {
        let mut moved = false;
        // A session is asked after each message.
        let reads = if D::MANNER == Manner::Stream {
            READS_IN_A_ROW
        } else {
            1
        };
        for _ in 0..reads {
            match self.world.try_read(self.port, &mut self.buffers.input) {
                Ok(0) => break,
                Ok(count) => {
                    moved = true;
                    driven.receive(self.buffers.input.get(..count).unwrap_or_default(), now);
                }
                Err(error) => {
                    trace_loss(&error);
                    line.is_closed = true;
                    driven.closed(now);
                    return true;
                }
            }
        }
        moved
    }
}

fn trace_loss(error: &PortError) {
    match error.kind {
        PortErrorKind::Gone => tracing::debug!(port = %error.port, "port has gone"),
        _ => tracing::warn!(%error, "port failed"),
    }
}

#[cfg(test)]
mod tests;
