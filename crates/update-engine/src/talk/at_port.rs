//! Sends commands to the running firmware over an AT port, one at a time, and reads the answers.

use modem_protocol::at;
use modem_protocol::at::command::Command;
use modem_protocol::at::session::{AtError, Outcome};
use modem_protocol::control::Closing;
use modem_world::{PortErrorKind, PortInfo, Program};

use crate::modem::{Modem, Role};
use crate::run::{AtSaid, AtSession, Run, Session};
use crate::told::Cause;

impl Run<'_> {
    /// Opens the modem's first port that answers `AT`. The inner error says which ports were tried, each with its result.
    ///
    /// # Errors
    /// The user stops.
    pub(crate) fn open_at(&mut self) -> Result<Result<(), NoAtPort>, Cause> {
        let mut none = NoAtPort::default();
        let modem = self.whereabouts().modem()?;
        let ports = modem.ports.at.clone();
        let lacking = no_at_port(modem);
        for port in &ports {
            match self.open_one_at(port)? {
                Ok(()) => return Ok(Ok(())),
                Err(why) => {
                    none.is_managers |= why.is_managers();
                    none.tried.push(format!("{}: {why}", port.id));
                }
            }
        }
        if ports.is_empty() {
            none.tried.push(lacking);
        }
        Ok(Err(none))
    }

    /// Opens this port if it answers `AT`. The inner error says why it can't be used.
    pub(crate) fn open_one_at(&mut self, port: &PortInfo) -> Result<Result<(), NoAt>, Cause> {
        let handle = match self.open_for_session(port) {
            Ok(handle) => handle,
            // A port that can't be opened doesn't end the search (at.md §2, weaknesses).
            Err(Cause::Port(error)) => return Ok(Err(NoAt::Port(error.kind))),
            Err(other) => return Err(other),
        };
        tracing::info!(port = %port.id, "AT port");
        self.hold(Session::At(AtSession {
            session: at::session::Session::new(),
            handle,
        }));
        match self.turn_at()? {
            AtSaid::Ready => {
                self.note_asked();
                Ok(Ok(()))
            }
            AtSaid::Outcome(Err(error)) => {
                self.close_session(Closing::Release)?;
                Ok(Err(NoAt::Answer(error)))
            }
            AtSaid::Outcome(Ok(_)) => Err(Cause::Bug {
                what: "an AT port answered before a command was sent".to_owned(),
            }),
        }
    }

    /// Sends one command and waits for the answer.
    ///
    /// # Errors
    /// The user stops for the second time.
    pub(crate) fn at(&mut self, command: &Command) -> Result<Result<Outcome, AtError>, Cause> {
        tracing::debug!(command = command.text(), "AT");
        let Some(port) = self.at_session() else {
            let what = "an AT command was sent without an AT session".to_owned();
            return Err(Cause::Bug { what });
        };
        port.session.ask(command.clone());
        match self.turn_at()? {
            AtSaid::Outcome(outcome) => Ok(outcome),
            AtSaid::Ready => Err(Cause::Bug {
                what: "an AT session gave no answer to a command".to_owned(),
            }),
        }
    }

    /// Sends a query; if no answer comes, sends it once more. Returns the lines of an answer
    /// that isn't a refusal.
    ///
    /// # Errors
    /// The user stops for the second time.
    pub(crate) fn at_lines(&mut self, command: &Command) -> Result<Told, Cause> {
        let mut outcome = self.at(command)?;
        if outcome.is_err() {
            outcome = self.at(command)?;
        }
        Ok(match outcome {
            Ok(Outcome::Answered(answer)) if answer.refusal(command.text()).is_none() => {
                Told::Lines(answer.lines)
            }
            other => {
                tracing::info!(command = command.text(), ?other, "the modem doesn't tell");
                if other.is_ok() {
                    Told::Refused
                } else {
                    Told::Unheard
                }
            }
        })
    }
}

/// That a modem has no AT port, and which interface would be it. The commands for that interface count on those before them.
fn no_at_port(modem: &Modem) -> String {
    let lacks = modem.lacks();
    let place = |role| lacks.iter().position(|lack| lack.is_about(role));
    match place(Role::At).or_else(|| place(Role::Unknown)) {
        Some(last) => {
            let needed = lacks.iter().take(last + 1).map(ToString::to_string);
            format!(
                "the modem has no AT port: {}",
                needed.collect::<Vec<_>>().join("; ")
            )
        }
        None => "the modem has no AT port in its USB composition".to_owned(),
    }
}

/// Why a modem can't be asked over AT.
#[derive(Debug, Default)]
pub(crate) struct NoAtPort {
    /// The ports that were tried, each with its result.
    pub(crate) tried: Vec<String>,
    /// Whether ModemManager has one of these ports.
    pub(crate) is_managers: bool,
}

/// Why a port can't be used for AT commands.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NoAt {
    /// The port can't be opened.
    #[error("{0}")]
    Port(PortErrorKind),
    /// The port is open, but the modem doesn't answer `AT` on it.
    #[error("{0}")]
    Answer(AtError),
}

impl NoAt {
    /// Whether ModemManager has the port.
    fn is_managers(&self) -> bool {
        matches!(self, Self::Port(PortErrorKind::Busy { holder: Some(holder) }) if holder.program() == Program::ModemManager)
    }
}

/// The result of a query.
pub(crate) enum Told {
    /// The lines of the answer.
    Lines(Vec<String>),
    /// The modem doesn't know the query, or refuses to answer it.
    Refused,
    /// No answer came.
    Unheard,
}

#[cfg(test)]
mod tests {
    use super::*;
    use modem_world::{Attached, Endpoints, UsbDevice, UsbInterface, UsbPath};

    fn modem(interfaces: &[(u8, u8, Option<&str>)]) -> Modem {
        let interface = |&(number, count, driver): &(u8, u8, Option<&str>)| UsbInterface {
            number,
            class: 0xff,
            subclass: 0xff,
            protocol: 0xff,
            endpoints: Some(Endpoints { count, bulk: None }),
            driver: driver.map(str::to_owned),
        };
        let device = UsbDevice {
            path: UsbPath::new("1-2"),
            peer: None,
            number: 7,
            vendor: 0x1199,
            product: 0x90b1,
            interfaces: u8::try_from(interfaces.len()).ok(),
            speed: Some(480),
            manufacturer: None,
            product_name: None,
            serial: None,
        };
        Modem::of(Attached {
            device,
            interfaces: interfaces.iter().map(interface).collect(),
            ports: Vec::new(),
        })
        .unwrap()
    }

    #[test]
    fn the_commands_for_the_at_port_come_with_those_that_they_count_on() {
        let said = no_at_port(&modem(&[(0, 2, None), (2, 3, None), (3, 3, None), (8, 3, None)]));
        let place = |text: &str| said.find(text).unwrap_or_else(|| panic!("{text}: {said}"));
        // option must not get QMI's interface, so qmi_wwan takes it before.
        assert!(place("modprobe qmi_wwan") < place("1-2:1.3 > /sys/bus/usb/drivers/qmi_wwan/unbind"));
        assert!(place("qmi_wwan/unbind") < place("modprobe option"));
    }

    #[test]
    fn a_port_that_lacks_only_its_own_driver_needs_no_other_commands() {
        let said = no_at_port(&modem(&[
            (0, 2, None),
            (2, 3, None),
            (3, 3, None),
            (8, 3, Some("qmi_wwan")),
        ]));
        assert!(
            said.contains("modprobe option") && !said.contains("qmi_wwan"),
            "{said}"
        );
        let none = no_at_port(&modem(&[(8, 3, None)]));
        assert_eq!(none, "the modem has no AT port in its USB composition");
    }
}
