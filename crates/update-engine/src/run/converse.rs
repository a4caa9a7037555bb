//! The session with the running firmware: at most one is open. The run owns it, and closes it in order whichever way the run ends:
//! an MBIM port that was left open is deaf to the next program (field-reports.md D12).
//!
//! A wish to stop is noted here and heeded by the caller between two requests: a request is short, and half of one helps nobody.
//! The second wish ends the present request; then the session is still closed in order.

use std::time::Duration;

use modem_protocol::at;
use modem_protocol::control::{self, Closing};
use modem_protocol::conversation::ProtocolError;
use modem_world::{Instant, PortHandle, PortInfo};

use super::drive::{Driven, Manner, Turn};
use super::parts::Run;
use super::session::{AtSaid, AtSession, ControlSaid, ControlSession, Session};
use super::stops::Heed;
use crate::told::Cause;

/// How long a control port may refuse a message before the run gives the message up; then the session's own patience ends the wait. A
/// control port normally takes a request as soon as the last one is through (qmi.md §2).
const MESSAGE_LIMIT: Duration = Duration::from_secs(5);
/// The same for an AT port.
const BYTES_LIMIT: Duration = Duration::from_secs(2);

impl Driven for ControlSession {
    type Said = ControlSaid;
    const MANNER: Manner = Manner::Messages(MESSAGE_LIMIT);

    fn poll(&mut self, now: Instant) -> Result<Turn<ControlSaid>, ProtocolError> {
        Ok(match self.session.poll(now) {
            control::Step::Send(message) => Turn::Send(message),
            control::Step::Ready => Turn::Said(ControlSaid::Ready),
            control::Step::Answer(answer) => Turn::Said(ControlSaid::Answer(answer)),
            control::Step::Failed(error) => Turn::Said(ControlSaid::Failed(error)),
            control::Step::Closed => Turn::Said(ControlSaid::Closed),
            control::Step::Wait { until } => Turn::Wait { until },
        })
    }

    fn receive(&mut self, bytes: &[u8], now: Instant) {
        self.session.receive(bytes, now);
    }

    fn wrote(&mut self, _: usize, _: u64, _: Instant) {}

    fn closed(&mut self, now: Instant) {
        self.session.closed(now);
    }

    fn stop(&mut self) {}
}

impl Driven for AtSession {
    type Said = AtSaid;
    const MANNER: Manner = Manner::Bytes(BYTES_LIMIT);

    fn poll(&mut self, now: Instant) -> Result<Turn<AtSaid>, ProtocolError> {
        Ok(match self.session.poll(now) {
            at::session::Step::Send(bytes) => Turn::Send(bytes),
            at::session::Step::Ready => Turn::Said(AtSaid::Ready),
            at::session::Step::Answer(outcome) => Turn::Said(AtSaid::Outcome(outcome)),
            at::session::Step::Wait { until } => Turn::Wait { until },
        })
    }

    fn receive(&mut self, bytes: &[u8], now: Instant) {
        self.session.receive(bytes, now);
    }

    fn wrote(&mut self, _: usize, _: u64, _: Instant) {}

    fn closed(&mut self, _: Instant) {
        self.session.closed();
    }

    fn stop(&mut self) {}
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
                let said = self.drive_session(control.handle, &mut control, Heed::AfterRequest);
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
                let said = self.drive_session(port.handle, &mut port, Heed::AfterRequest);
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
                let turned = self.drive_session(control.handle, &mut control, Heed::AfterClose);
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

    /// A bug: another kind of session is open, or none.
    fn no_session<S>(&mut self, kind: &str, open: Option<Session>) -> Result<S, Cause> {
        if let Some(session) = open {
            self.port.set_session(session);
        }
        let what = format!("no {kind} session is open");
        Err(Cause::Bug { what })
    }
}
