//! QMI on a control port of its own, and the control service (qmi.md §1, §2 and §4).

use modem_protocol::ParseError;
use modem_protocol::qmi::ctl::{self, Indication, Request, Response, ServiceVersion};
use modem_protocol::qmi::{Frame, Kind, QmiError, Service};
use modem_world::Instant;

use super::core::Core;
use super::dms;
use crate::board::Board;
use crate::fault::{Answer, AnswerFault};
use crate::modem::Setup;
use crate::violation::Wrong;

/// The longest message that the function accepts, according to its descriptors (qmi.md §2).
pub(super) const LARGEST: usize = 4096;

/// The services that answer, with plausible versions: CTL, WDS, DMS, NAS, WMS, PDS, UIM, LOC. The versions of
/// the first three are those of vector 4.
const SERVICES: [(u8, u16, u16); 8] = [
    (0x00, 1, 5),
    (0x01, 1, 67),
    (0x02, 1, 14),
    (0x03, 1, 25),
    (0x05, 1, 10),
    (0x06, 1, 18),
    (0x0B, 1, 46),
    (0x10, 2, 0),
];

/// One QMI function.
#[derive(Debug)]
pub(super) struct QmiPort {
    is_terminal_ready: bool,
    /// How many messages will still be ignored.
    ignored: u8,
}

impl QmiPort {
    pub(super) fn new(setup: &Setup) -> Self {
        Self {
            is_terminal_ready: !setup.profile.capabilities.needs_terminal_ready,
            ignored: setup.quirks.ignored_messages,
        }
    }

    pub(super) fn opened(&mut self, setup: &Setup) {
        self.ignored = setup.quirks.ignored_messages;
    }

    pub(super) fn terminal_ready(&mut self, is_ready: bool) {
        self.is_terminal_ready = is_ready;
    }

    pub(super) fn announce(&self, interface: u8, board: &mut Board, now: Instant) {
        if self.is_terminal_ready {
            let _ = board.say_on(interface, Indication::Sync.to_frame().encode(), now);
        }
    }

    pub(super) fn receive(
        &mut self,
        interface: u8,
        bytes: &[u8],
        core: &mut Core,
        board: &mut Board,
        now: Instant,
    ) {
        let Some(frame) = parse(bytes, board, now) else {
            return;
        };
        // Without DTR the modem doesn't answer at all (qmi.md §2).
        if !self.is_terminal_ready || board.setup.quirks.is_control_silent {
            return;
        }
        if let Some(left) = self.ignored.checked_sub(1) {
            self.ignored = left;
            return;
        }
        let owes_an_answer = core.owes_an_answer(now);
        let outcome = handle(interface, &frame, core, board, now);
        if let Some((answer, fate)) = outcome.answer {
            say(interface, answer.encode(), fate, core, board, now);
        }
        if outcome.restarts {
            core.restart(owes_an_answer, board, now);
        }
    }
}

/// The result of a message.
pub(super) struct Outcome {
    /// The answer, and what the fault script does to it.
    pub(super) answer: Option<(Frame, Option<AnswerFault>)>,
    /// Whether the modem restarts.
    pub(super) restarts: bool,
}

/// Sends an answer of a control port.
pub(super) fn say(
    interface: u8,
    bytes: Vec<u8>,
    fate: Option<AnswerFault>,
    core: &mut Core,
    board: &mut Board,
    now: Instant,
) {
    let at = now + board.setup.timings.answer;
    match fate {
        Some(AnswerFault::Lost) => {}
        Some(AnswerFault::Late(lasting)) => board.say_late(interface, bytes, at + lasting),
        Some(AnswerFault::Twice) => {
            let _ = board.say_on(interface, bytes.clone(), at);
            let _ = board.say_on(interface, bytes, at);
        }
        None | Some(AnswerFault::Refused(_)) => {
            let _ = board.say_on(interface, bytes, at);
            core.answers_until(at + board.setup.quirks.slow);
        }
    }
}

/// Parses one whole message. Anything else is recorded as a violation.
fn parse(bytes: &[u8], board: &mut Board, now: Instant) -> Option<Frame> {
    if bytes.len() > LARGEST {
        let why = format!("{} bytes in one message, {LARGEST} at most", bytes.len());
        board.wrong(Wrong::ControlMessage(why), now);
        return None;
    }
    match Frame::parse(bytes) {
        Ok(frame) => Some(frame),
        Err(error) => {
            board.wrong(Wrong::ControlMessage(error.to_string()), now);
            None
        }
    }
}

/// Acts on a message that arrived on this interface, either directly or inside MBIM.
pub(super) fn handle(
    interface: u8,
    frame: &Frame,
    core: &mut Core,
    board: &mut Board,
    now: Instant,
) -> Outcome {
    let mut outcome = Outcome {
        answer: None,
        restarts: false,
    };
    if frame.kind != Kind::Request {
        board.wrong(
            Wrong::ControlMessage(format!("not a request: {:?}", frame.kind)),
            now,
        );
        return outcome;
    }
    let which = match frame.service {
        Service::Ctl => Some(Answer::Ctl(frame.message)),
        Service::Dms => Some(Answer::Dms(frame.message)),
        _ => None,
    };
    let fate = which.and_then(|which| board.answer_fault(which));
    if let Some(AnswerFault::Refused(error)) = fate {
        outcome.answer = Some((refusal(frame, error.into()), None));
        return outcome;
    }
    let answer = match frame.service {
        Service::Ctl => control(interface, frame, core),
        service if !core.clients.has(service.into(), frame.client) => {
            let wrong = Wrong::UnallocatedClient {
                service: service.into(),
                client: frame.client,
            };
            if !core.clients.is_void(service.into(), frame.client) {
                board.wrong(wrong, now);
            }
            refusal(frame, QmiError::InvalidClientId)
        }
        Service::Dms => {
            let (answer, restarts) = dms::handle(frame, core, board, now);
            outcome.restarts = restarts;
            answer
        }
        // Services that have nothing to do with firmware refuse every request, so that no program hangs.
        _ => refusal(frame, QmiError::InvalidCommand),
    };
    outcome.answer = Some((answer, fate));
    outcome
}

fn control(interface: u8, frame: &Frame, core: &mut Core) -> Frame {
    let transaction = frame.transaction.to_le_bytes()[0];
    let request = match Request::parse(frame.message, &frame.tlvs) {
        Ok(request) => request,
        Err(error) => return ctl::refusal(frame.message, transaction, unreadable(&error)),
    };
    let exists = |service: Service| SERVICES.iter().any(|(known, ..)| *known == u8::from(service));
    let answer = match request {
        Request::VersionInfo => {
            let versions = SERVICES.iter().map(|&(service, major, minor)| ServiceVersion {
                service: service.into(),
                major,
                minor,
            });
            Ok(Response::VersionInfo(versions.collect()))
        }
        Request::Allocate { service } if !exists(service) || service == Service::Ctl => {
            Err(QmiError::NotSupported)
        }
        Request::Allocate { service } => match core.clients.allocate(service.into(), interface) {
            Some(client) => Ok(Response::Allocated { service, client }),
            None => Err(QmiError::ClientIdsExhausted),
        },
        Request::Release { service, client } => {
            if core.clients.release(service.into(), client) {
                Ok(Response::Released { service, client })
            } else {
                Err(QmiError::InvalidClientId)
            }
        }
        Request::Sync => {
            core.clients.sync();
            Ok(Response::Synced)
        }
        _ => Err(QmiError::InvalidCommand),
    };
    match answer {
        Ok(response) => response.to_frame(transaction),
        Err(error) => ctl::refusal(frame.message, transaction, error),
    }
}

/// The error that answers an unreadable message.
pub(super) const fn unreadable(error: &ParseError) -> QmiError {
    match error {
        ParseError::Missing { .. } => QmiError::MissingArgument,
        _ => QmiError::Malformed,
    }
}

/// The refusal of any request.
fn refusal(request: &Frame, error: QmiError) -> Frame {
    Frame {
        service: request.service,
        client: request.client,
        kind: Kind::Response,
        transaction: request.transaction,
        message: request.message,
        tlvs: error.to_tlvs(),
    }
}
