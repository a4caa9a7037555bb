//! The session with the running firmware: at most one is open. The run owns it, and closes it in order whichever way the run ends:
//! an MBIM port that was left open is deaf to the next program (field-reports.md D12).
//!
//! A wish to stop is noted here and heeded by the caller between two requests: a request is short, and half of one helps nobody.
//! The second wish ends the present request; then the session is still closed in order.

use std::time::Duration;

use modem_protocol::at;
use modem_protocol::control::{self, Closing};
use modem_world::{Instant, Interest, PortHandle, PortInfo};

use super::parts::Run;
use super::session::{AtSaid, AtSession, ControlSaid, ControlSession, Session};
use super::stops::Heed;
use crate::told::Cause;

/// Bytes in one read: the largest control message of Sierra modems and some more (mbim.md §3).
const READ_SIZE: usize = 8192;
/// How often a port that takes no message now is tried again.
const WRITE_AGAIN: Duration = Duration::from_millis(20);

/// What a session wants next.
enum Turn<S> {
    Send(Vec<u8>),
    Said(S),
    Wait { until: Instant },
}

/// How a port takes what is written.
#[derive(Clone, Copy)]
enum Writes {
    /// A whole message or nothing. Such a port is writable also while a message doesn't fit, so the port is tried again.
    Messages,
    /// Any number of bytes; the port tells when there is room for more.
    Bytes,
}

impl Writes {
    /// How long a port may take nothing; then the session's own patience ends the wait. A control port takes a request at once when
    /// the last one is through (qmi.md §2).
    const fn limit(self) -> Duration {
        match self {
            Self::Messages => Duration::from_secs(5),
            Self::Bytes => Duration::from_secs(2),
        }
    }
}

/// A session as [`Run::turn`] drives it.
trait Spoken {
    type Said;
    const WRITES: Writes;
    fn handle(&self) -> PortHandle;
    fn poll(&mut self, now: Instant) -> Turn<Self::Said>;
    fn receive(&mut self, bytes: &[u8], now: Instant);
    fn closed(&mut self, now: Instant);
}

impl Spoken for ControlSession {
    type Said = ControlSaid;
    const WRITES: Writes = Writes::Messages;

    fn handle(&self) -> PortHandle {
        self.handle
    }

    fn poll(&mut self, now: Instant) -> Turn<ControlSaid> {
        match self.session.poll(now) {
            control::Step::Send(message) => Turn::Send(message),
            control::Step::Ready => Turn::Said(ControlSaid::Ready),
            control::Step::Answer(answer) => Turn::Said(ControlSaid::Answer(answer)),
            control::Step::Failed(error) => Turn::Said(ControlSaid::Failed(error)),
            control::Step::Closed => Turn::Said(ControlSaid::Closed),
            control::Step::Wait { until } => Turn::Wait { until },
        }
    }

    fn receive(&mut self, bytes: &[u8], now: Instant) {
        self.session.receive(bytes, now);
    }

    fn closed(&mut self, now: Instant) {
        self.session.closed(now);
    }
}

impl Spoken for AtSession {
    type Said = AtSaid;
    const WRITES: Writes = Writes::Bytes;

    fn handle(&self) -> PortHandle {
        self.handle
    }

    fn poll(&mut self, now: Instant) -> Turn<AtSaid> {
        match self.session.poll(now) {
            at::session::Step::Send(bytes) => Turn::Send(bytes),
            at::session::Step::Ready => Turn::Said(AtSaid::Ready),
            at::session::Step::Answer(outcome) => Turn::Said(AtSaid::Outcome(outcome)),
            at::session::Step::Wait { until } => Turn::Wait { until },
        }
    }

    fn receive(&mut self, bytes: &[u8], now: Instant) {
        self.session.receive(bytes, now);
    }

    fn closed(&mut self, _: Instant) {
        self.session.closed();
    }
}

impl Run<'_> {
    /// Opens a port of the modem for a session, which owns it from then on; whatever else is open is closed.
    ///
    /// # Errors
    /// The port can't be opened; the user stops.
    pub(crate) fn open_for_session(&mut self, port: &PortInfo) -> Result<PortHandle, Cause> {
        self.close_for(port)?;
        let handle = self.open_patiently(Duration::ZERO)?;
        self.port.take_plain();
        Ok(handle)
    }

    /// Closes whatever is open, to use this port of the modem next.
    ///
    /// # Errors
    /// The user stops for the second time while a session is closed.
    pub(crate) fn close_for(&mut self, port: &PortInfo) -> Result<(), Cause> {
        self.close_session(Closing::Release)?;
        self.close();
        self.whereabouts.use_port(port);
        Ok(())
    }

    /// From now on the run owns this session, whose port is open.
    pub(crate) fn hold(&mut self, session: Session) {
        self.port.set_session(session);
    }

    /// Whether a session is open.
    pub(crate) const fn has_session(&mut self) -> bool {
        self.port.session().is_some()
    }

    /// The open control session, if there is one.
    pub(crate) fn control(&mut self) -> Option<&mut ControlSession> {
        match self.port.session() {
            Some(Session::Control(control)) => Some(control),
            _ => None,
        }
    }

    /// The open AT session, if there is one.
    pub(crate) fn at_session(&mut self) -> Option<&mut AtSession> {
        match self.port.session() {
            Some(Session::At(port)) => Some(port),
            _ => None,
        }
    }

    /// Lets the open control session go on until it has something to say.
    ///
    /// # Errors
    /// The user stops for the second time. The session stays open.
    pub(crate) fn turn_control(&mut self) -> Result<ControlSaid, Cause> {
        match self.port.take_session() {
            Some(Session::Control(mut control)) => {
                let said = self.turn(&mut control, Heed::AfterRequest);
                self.port.set_session(Session::Control(control));
                said
            }
            other => self.no_session("control", other),
        }
    }

    /// Lets the open AT session go on until it has something to say.
    ///
    /// # Errors
    /// The user stops for the second time. The session stays open.
    pub(crate) fn turn_at(&mut self) -> Result<AtSaid, Cause> {
        match self.port.take_session() {
            Some(Session::At(mut port)) => {
                let said = self.turn(&mut port, Heed::AfterRequest);
                self.port.set_session(Session::At(port));
                said
            }
            other => self.no_session("AT", other),
        }
    }

    /// Ends the open session, if there is one, and closes its port.
    ///
    /// # Errors
    /// The user stops for the second time meanwhile; the session is closed in order all the same.
    pub(crate) fn close_session(&mut self, how: Closing) -> Result<(), Cause> {
        match self.port.take_session() {
            None => Ok(()),
            Some(Session::At(port)) => {
                self.world.close(port.handle);
                Ok(())
            }
            Some(Session::Control(mut control)) => {
                let before = self.stops.asked();
                control.session.close(how, self.now());
                let turned = self.turn(&mut control, Heed::AfterClose);
                self.world.close(control.handle);
                turned?;
                if self.stops.asked() > before.max(1) {
                    return Err(Cause::StoppedMidway);
                }
                Ok(())
            }
        }
    }

    /// At the end of the run: what is still open is closed in order.
    pub(super) fn close_all(&mut self) {
        if let Err(cause) = self.close_session(Closing::Release) {
            tracing::info!(%cause, "the session wasn't closed in order");
        }
        self.close();
    }

    /// Drives a session until it has something to say.
    fn turn<S: Spoken>(&mut self, session: &mut S, heed: Heed) -> Result<S::Said, Cause> {
        let mut buffer = vec![0; READ_SIZE];
        let handle = session.handle();
        loop {
            let until = match session.poll(self.now()) {
                Turn::Send(bytes) => {
                    self.put(session, &bytes, heed)?;
                    continue;
                }
                Turn::Said(said) => return Ok(said),
                Turn::Wait { until } => until,
            };
            match self.world.try_read(handle, &mut buffer) {
                Ok(0) => {
                    self.wait(&[Interest::Readable(handle)], until, heed)?;
                }
                Ok(count) => {
                    let bytes = buffer.get(..count).unwrap_or_default();
                    session.receive(bytes, self.now());
                }
                Err(error) => {
                    tracing::debug!(%error, "port");
                    session.closed(self.now());
                }
            }
        }
    }

    /// Writes all of `bytes`, as far as the port takes them in time.
    fn put<S: Spoken>(&mut self, session: &mut S, bytes: &[u8], heed: Heed) -> Result<(), Cause> {
        let handle = session.handle();
        let until = self.now() + S::WRITES.limit();
        let mut left = bytes;
        while !left.is_empty() {
            match self.world.try_write(handle, left) {
                Ok(0) => {
                    let now = self.now();
                    if now >= until {
                        tracing::info!(left = left.len(), "the port takes nothing");
                        return Ok(());
                    }
                    match S::WRITES {
                        Writes::Messages => self.wait(&[], now + WRITE_AGAIN, heed)?,
                        Writes::Bytes => self.wait(&[Interest::Writable(handle)], until, heed)?,
                    };
                }
                Ok(count) => left = left.get(count..).unwrap_or_default(),
                Err(error) => {
                    tracing::debug!(%error, "port");
                    session.closed(self.now());
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// A bug: another kind of session is open, or none.
    fn no_session<S>(&mut self, kind: &str, open: Option<Session>) -> Result<S, Cause> {
        if let Some(session) = open {
            self.port.set_session(session);
        }
        let what = format!("no {kind} session is open");
        Err(Cause::Bug { what })
    }
}
