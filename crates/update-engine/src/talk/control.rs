//! Sends requests to the running firmware over a control port, one at a time, and reads the answers.
//!
//! The conversation is [`modem_protocol::control::Session`]; the run owns the session and its port.

use std::time::Duration;

use modem_protocol::control::{self, Closing, ControlError, Link};
use modem_protocol::mbim::proxy::Configuration;
use modem_protocol::mbim::{Body, Reassembler, ServiceId, Status};
use modem_protocol::qmi::dms::{Request as Dms, Response};
use modem_world::{Interest, PortErrorKind, PortHandle, PortId, PortInfo, Program};

use crate::modem::Language;
use crate::request::ControlChoice;
use crate::run::{ControlSaid, ControlSession, Heed, Run, Session};
use crate::told::Cause;

/// How long an ordinary request may take (qmi.md §5: 10 s for all DMS requests in the reference).
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);
/// How long opening may take in all: the 20 s of update-flow.md §3, S1, and the time for a first message that some modems
/// ignore.
pub(crate) const OPEN_PATIENCE: Duration = Duration::from_secs(25);
/// How long a modem that has just started may answer "not ready" (qmi.md §3, error 52). Estimate: the longest start that was
/// seen took 70 s (field-reports.md D8), and the modem has already been on the bus for some of that time.
const READY_LIMIT: Duration = Duration::from_secs(60);
/// How long to wait before asking such a modem again.
const READY_POLL: Duration = Duration::from_millis(500);
/// Bytes in one read: more than the largest control message of Sierra modems (mbim.md §3).
const READ_SIZE: usize = 8192;
/// How many reads at most drain old messages before the first request.
const MOST_OLD_ANSWERS: usize = 64;
/// The sockets of the proxies, the programs that share a port among other programs (qmi.md §6, mbim.md §6).
const QMI_PROXY: &str = "@qmi-proxy";
const MBIM_PROXY: &str = "@mbim-proxy";
/// How long mbim-proxy may take to open a port. mbim-proxy is told the same limit.
const PROXY_LIMIT: Duration = Duration::from_secs(20);
/// The longest control transfer through mbim-proxy: the same as on all Sierra modems (mbim.md §3).
const PROXY_TRANSFER: usize = 4096;

/// The result of a request: the modem's answer, or why there is none.
pub(crate) type Answered = Result<Response, ControlError>;

impl Run<'_> {
    /// Opens the modem's first control port that answers. The inner error says what was tried, each with its result.
    ///
    /// # Errors
    /// The user stops.
    pub(crate) fn open_control(
        &mut self,
        choice: ControlChoice,
        patience: Duration,
    ) -> Result<Result<(), Vec<String>>, Cause> {
        let mut tried = Vec::new();
        let ports = self.whereabouts().modem()?.ports.control.clone();
        let by_driver = ports.iter().map(|control| {
            let language = match choice {
                ControlChoice::Auto => control.language,
                ControlChoice::Qmi | ControlChoice::QmiProxy => Language::Qmi,
                ControlChoice::Mbim => Language::Mbim,
            };
            (&control.port, language)
        });
        // If the driver doesn't settle the language, try MBIM as well. Never do that with any other driver: a USB function
        // that gets the wrong language may hang (mbim.md §1).
        let unsure = ports.iter().filter(|control| {
            let driver = control.port.driver.as_deref();
            choice == ControlChoice::Auto && !matches!(driver, Some("qmi_wwan" | "cdc_mbim"))
        });
        let others = unsure.map(|control| (&control.port, Language::Mbim));
        for (port, language) in by_driver.chain(others) {
            match self.open_one(port, language, choice, patience)? {
                Ok(()) => return Ok(Ok(())),
                Err(why) => tried.push(format!("{} as {language}: {why}", port.id)),
            }
        }
        Ok(Err(tried))
    }

    fn open_one(
        &mut self,
        port: &PortInfo,
        language: Language,
        choice: ControlChoice,
        patience: Duration,
    ) -> Result<Result<(), String>, Cause> {
        let opened = match choice {
            ControlChoice::QmiProxy => {
                self.close_for(port)?;
                Err(PortErrorKind::Busy { holder: None })
            }
            _ => match self.open_for_session(port) {
                Ok(handle) => Ok(handle),
                Err(Cause::Port(error)) => Err(error.kind),
                Err(other) => return Err(other),
            },
        };
        let (handle, link) = match opened {
            Ok(handle) => {
                self.forget_old_answers(handle);
                let link = match language {
                    Language::Qmi => Link::Qmi,
                    Language::Mbim => Link::Mbim {
                        largest: self.world().largest_write(handle),
                    },
                };
                (handle, link)
            }
            Err(kind) if is_shared(&kind, choice, language) => {
                if let Err(Cause::Port(error)) = self.check_whose(port) {
                    return Ok(Err(error.to_string()));
                }
                let proxy = match language {
                    Language::Qmi => QMI_PROXY,
                    Language::Mbim => MBIM_PROXY,
                };
                let handle = match self.world().open(&PortId::new(proxy)) {
                    Ok(handle) => handle,
                    Err(error) => return Ok(Err(format!("{kind}; {error}"))),
                };
                let device = port.id.to_string();
                match language {
                    Language::Qmi => (handle, Link::QmiProxy { device }),
                    Language::Mbim => {
                        let named = self.name_port(handle, device);
                        if !matches!(named, Ok(Ok(()))) {
                            self.world().close(handle);
                        }
                        if let Err(why) = named? {
                            return Ok(Err(format!("{kind}; {why}")));
                        }
                        let largest = PROXY_TRANSFER;
                        (handle, Link::Mbim { largest })
                    }
                }
            }
            Err(kind) => return Ok(Err(kind.to_string())),
        };
        tracing::info!(port = %port.id, ?link, "control port");
        let now = self.now();
        self.hold(Session::Control(ControlSession {
            session: control::Session::new(link, patience, now),
            handle,
            language,
            ready_by: now + READY_LIMIT,
        }));
        match self.turn_control()? {
            ControlSaid::Ready => {
                self.note_asked();
                Ok(Ok(()))
            }
            ControlSaid::Failed(error) => {
                self.close_session(Closing::Release)?;
                Ok(Err(error.to_string()))
            }
            ControlSaid::Answer(_) | ControlSaid::Closed => {
                let what = "a control port answered before a request was sent".to_owned();
                Err(Cause::Bug { what })
            }
        }
    }

    /// Tells mbim-proxy which port to open, and waits until mbim-proxy has opened it (mbim.md §6). After that the socket
    /// behaves like a port that speaks MBIM. The inner error says why mbim-proxy doesn't have the port.
    ///
    /// # Errors
    /// The user stops for the second time.
    fn name_port(&mut self, handle: PortHandle, device: String) -> Result<Result<(), String>, Cause> {
        let seconds = u32::try_from(PROXY_LIMIT.as_secs()).unwrap_or(u32::MAX);
        let configuration = Configuration {
            device,
            timeout_seconds: seconds,
        };
        let request = configuration.to_message(1).encode();
        match self.world().try_write(handle, &request) {
            Ok(count) if count == request.len() => {}
            Ok(_) => return Ok(Err("mbim-proxy doesn't take the request".to_owned())),
            Err(error) => return Ok(Err(format!("mbim-proxy: {error}"))),
        }
        let until = self.now() + PROXY_LIMIT;
        let mut messages = Reassembler::default();
        let mut buffer = vec![0; READ_SIZE];
        loop {
            match self.world().try_read(handle, &mut buffer) {
                Ok(0) if self.now() >= until => {
                    return Ok(Err(format!("mbim-proxy didn't answer within {seconds} s")));
                }
                Ok(0) => {
                    self.wait(&[Interest::Readable(handle)], until, Heed::AfterRequest)?;
                }
                Ok(count) => messages.push(buffer.get(..count).unwrap_or_default()),
                Err(error) => return Ok(Err(format!("mbim-proxy: {error}"))),
            }
            while let Some(message) = messages.next_message(self.now()) {
                match message.map(|message| message.body) {
                    Ok(Body::CommandDone {
                        service: ServiceId::PROXY_CONTROL,
                        status,
                        ..
                    }) => {
                        let is_open = status == Status::Success;
                        return Ok(is_open
                            .then_some(())
                            .ok_or_else(|| format!("mbim-proxy doesn't open the port: {status}")));
                    }
                    // A message about the session of another program.
                    Ok(_) => {}
                    Err(error) => return Ok(Err(format!("mbim-proxy: {error}"))),
                }
            }
        }
    }

    /// Drains messages that another program left in the port. They may have the same transaction numbers as the requests of
    /// this run, and would be mistaken for answers to them.
    fn forget_old_answers(&mut self, handle: PortHandle) {
        let mut buffer = vec![0; READ_SIZE];
        for _ in 0..MOST_OLD_ANSWERS {
            match self.world().try_read(handle, &mut buffer) {
                Ok(count) if count > 0 => tracing::debug!(count, "old bytes"),
                _ => return,
            }
        }
    }

    /// Sends a request over the open control session and waits for the answer. While the modem says that it isn't ready,
    /// this repeats the request.
    ///
    /// # Errors
    /// The user stops for the second time.
    pub(crate) fn ask(&mut self, request: Dms, patience: Duration) -> Result<Answered, Cause> {
        tracing::debug!(?request, "request");
        loop {
            let now = self.now();
            let Some(control) = self.control() else {
                let what = "a request was sent without a control session".to_owned();
                return Err(Cause::Bug { what });
            };
            control.session.ask(request.clone(), patience, now);
            let ready_by = control.ready_by;
            let answer = match self.turn_control()? {
                ControlSaid::Answer(answer) => answer,
                ControlSaid::Failed(error) => Err(error),
                ControlSaid::Ready | ControlSaid::Closed => {
                    return Err(Cause::Bug {
                        what: "a control session gave no answer to a request".to_owned(),
                    });
                }
            };
            tracing::debug!(?answer, "answer");
            let is_booting = matches!(
                &answer,
                Err(ControlError::Refused { error, .. }) if error.is_not_ready()
            );
            if !is_booting || self.is_stop_asked() || self.now() >= ready_by {
                return Ok(answer);
            }
            self.wait(&[], self.now() + READY_POLL, Heed::AfterRequest)?;
        }
    }
}

/// Whether to go through the proxy: the proxy for this language has the port, or the user asks for qmi-proxy.
fn is_shared(kind: &PortErrorKind, choice: ControlChoice, language: Language) -> bool {
    let proxy = match language {
        Language::Qmi if choice == ControlChoice::QmiProxy => return true,
        Language::Qmi => Program::QmiProxy,
        Language::Mbim => Program::MbimProxy,
    };
    matches!(kind, PortErrorKind::Busy { holder: Some(holder) } if holder.program() == proxy)
}
