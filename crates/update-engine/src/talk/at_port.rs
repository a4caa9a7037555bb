//! An AT port in use: commands to the running firmware, one at a time, and their answers.

use std::time::Duration;

use modem_protocol::at::answer::Answer;
use modem_protocol::at::command::Command;
use modem_protocol::at::session::{AtError, Outcome, Session, Step as Turn};
use modem_world::{Interest, PortHandle, PortInfo};

use crate::modem::Modem;
use crate::run::Run;
use crate::told::Cause;

/// How long a port may refuse to take a command.
const WRITE_LIMIT: Duration = Duration::from_secs(2);

/// An AT port in use.
pub(crate) struct AtPort {
    session: Session,
    handle: PortHandle,
}

impl Run<'_> {
    /// Opens the first port of the modem that answers `AT`.
    ///
    /// # Errors
    /// The user stops; inside: which ports were tried and what came of it.
    pub(crate) fn open_at(&mut self, modem: &Modem) -> Result<Result<AtPort, Vec<String>>, Cause> {
        let mut tried = Vec::new();
        for port in &modem.ports.at {
            match self.open_one_at(port)? {
                Ok(port) => return Ok(Ok(port)),
                Err(why) => tried.push(format!("{}: {why}", port.id)),
            }
        }
        if modem.ports.at.is_empty() {
            tried.push("it has no AT port".to_owned());
        }
        Ok(Err(tried))
    }

    /// Opens this port if it answers `AT`.
    pub(crate) fn open_one_at(&mut self, port: &PortInfo) -> Result<Result<AtPort, String>, Cause> {
        self.close();
        self.port = port.clone();
        let handle = match self.open_patiently(Duration::ZERO) {
            Ok(handle) => handle,
            // One that can't be opened doesn't end the search (at.md §2, weaknesses).
            Err(Cause::Port(error)) => return Ok(Err(error.kind.to_string())),
            Err(other) => return Err(other),
        };
        self.handle = None;
        tracing::info!(port = %port.id, "AT port");
        let mut port = AtPort {
            session: Session::new(),
            handle,
        };
        match self.at_turn(&mut port)? {
            Said::Ready => {
                self.note_asked();
                Ok(Ok(port))
            }
            Said::Outcome(Err(error)) => {
                self.close_at(port);
                Ok(Err(error.to_string()))
            }
            Said::Outcome(Ok(_)) => {
                self.close_at(port);
                Err(Cause::Bug {
                    what: "an AT port answered before it was asked".to_owned(),
                })
            }
        }
    }

    /// Sends one command and waits for its answer.
    ///
    /// # Errors
    /// The user stops for the second time.
    pub(crate) fn at(
        &mut self,
        port: &mut AtPort,
        command: &Command,
    ) -> Result<Result<Outcome, AtError>, Cause> {
        tracing::debug!(command = command.text(), "AT");
        port.session.ask(command.clone());
        match self.at_turn(port)? {
            Said::Outcome(outcome) => Ok(outcome),
            Said::Ready => Err(Cause::Bug {
                what: "an AT port had nothing to say to a command".to_owned(),
            }),
        }
    }

    /// The lines of a query that was answered with OK. One that isn't answered at all is asked once more.
    ///
    /// # Errors
    /// The user stops for the second time.
    pub(crate) fn at_lines(&mut self, port: &mut AtPort, command: &Command) -> Result<Told, Cause> {
        let mut outcome = self.at(port, command)?;
        if outcome.is_err() {
            outcome = self.at(port, command)?;
        }
        Ok(match outcome {
            Ok(Outcome::Answered(Answer { lines, result, .. })) if result.is_ok() => Told::Lines(lines),
            other => {
                tracing::info!(command = command.text(), ?other, "not told");
                if other.is_ok() {
                    Told::Refused
                } else {
                    Told::Unheard
                }
            }
        })
    }

    /// Closes the port.
    pub(crate) fn close_at(&mut self, port: AtPort) {
        self.world.close(port.handle);
    }

    fn at_turn(&mut self, port: &mut AtPort) -> Result<Said, Cause> {
        let mut buffer = [0; 1024];
        loop {
            let until = match port.session.poll(self.world.now()) {
                Turn::Send(bytes) => {
                    self.at_put(port, &bytes)?;
                    continue;
                }
                Turn::Ready => return Ok(Said::Ready),
                Turn::Answer(outcome) => return Ok(Said::Outcome(outcome)),
                Turn::Wait { until } => until,
            };
            match self.world.try_read(port.handle, &mut buffer) {
                Ok(0) => {
                    let wake = self.world.wait(&[Interest::Readable(port.handle)], until);
                    self.heed_later(wake)?;
                }
                Ok(count) => {
                    let bytes = buffer.get(..count).unwrap_or_default();
                    port.session.receive(bytes, self.world.now());
                }
                Err(_) => port.session.closed(),
            }
        }
    }

    fn at_put(&mut self, port: &mut AtPort, bytes: &[u8]) -> Result<(), Cause> {
        let until = self.world.now() + WRITE_LIMIT;
        let mut left = bytes;
        while !left.is_empty() {
            match self.world.try_write(port.handle, left) {
                Ok(0) if self.world.now() >= until => return Ok(()),
                Ok(0) => {
                    let wake = self.world.wait(&[Interest::Writable(port.handle)], until);
                    self.heed_later(wake)?;
                }
                Ok(count) => left = left.get(count..).unwrap_or_default(),
                Err(_) => {
                    port.session.closed();
                    return Ok(());
                }
            }
        }
        Ok(())
    }
}

/// What came of a query.
pub(crate) enum Told {
    /// The lines of its answer.
    Lines(Vec<String>),
    /// The modem doesn't know it, or doesn't want to say.
    Refused,
    /// No answer came.
    Unheard,
}

/// What a session has to say.
enum Said {
    Ready,
    Outcome(Result<Outcome, AtError>),
}
