//! The MBIM function: its session, its fragments, and QMI inside it (mbim.md).

use modem_protocol::mbim::fragment::split;
use modem_protocol::mbim::{Body, CommandKind, Message, ProtocolFault, Reassembler, ServiceId, Status};
use modem_protocol::mbim::{qmi as carrier, subscribe};
use modem_protocol::qmi::Frame;
use modem_protocol::qmi::ctl::Indication;
use modem_world::Instant;

use super::basic_connect;
use super::core::Core;
use super::qmi;
use crate::board::Board;
use crate::fault::AnswerFault;
use crate::violation::Wrong;

/// wMaxControlMessage of Sierra modems (mbim.md §3).
const LARGEST: usize = 4096;
/// The smallest control transfer that a host may ask for (MBIM 1.0 §9.3.1).
const SMALLEST: usize = 64;

/// One MBIM function.
#[derive(Debug, Default)]
pub(super) struct MbimPort {
    /// The longest control transfer of the open session, in bytes; `None` without a session.
    session: Option<usize>,
    messages: Reassembler,
    /// Whether the host wants QMI indications.
    is_subscribed: bool,
}

impl MbimPort {
    /// The host has closed the port. The session stays open, as in a real function.
    pub(super) fn closed(&mut self) {
        self.messages.clear();
    }

    pub(super) fn announce(&self, interface: u8, board: &mut Board, now: Instant) {
        if let (Some(largest), true) = (self.session, self.is_subscribed) {
            for piece in split(&carrier::indication(&Indication::Sync.to_frame()), largest) {
                let _ = board.say_on(interface, piece, now);
            }
        }
    }

    /// Takes one control transfer: a message or a fragment of one.
    pub(super) fn receive(
        &mut self,
        interface: u8,
        bytes: &[u8],
        core: &mut Core,
        board: &mut Board,
        now: Instant,
    ) {
        let Some([length, transaction]) = length_and_transaction(bytes) else {
            return wrong("no MBIM message", board, now);
        };
        let mut fault = None;
        if bytes.len() > self.session.unwrap_or(LARGEST) {
            fault = Some(ProtocolFault::MaxTransferExceeded);
        } else if usize::try_from(length) != Ok(bytes.len()) {
            fault = Some(ProtocolFault::LengthMismatch);
        }
        if board.setup.quirks.is_control_silent {
            return;
        }
        if let Some(fault) = fault {
            wrong(&format!("{} bytes: {fault}", bytes.len()), board, now);
            return self.fail(interface, transaction, fault, core, board, now);
        }
        self.messages.push(bytes);
        while let Some(message) = self.messages.next_message(now) {
            match message {
                Ok(message) => self.handle(interface, &message, core, board, now),
                Err(error) => {
                    wrong(&error.to_string(), board, now);
                    let (transaction, fault) = error.fault().unwrap_or((transaction, ProtocolFault::Unknown));
                    self.fail(interface, transaction, fault, core, board, now);
                }
            }
        }
    }

    fn handle(&mut self, interface: u8, message: &Message, core: &mut Core, board: &mut Board, now: Instant) {
        let transaction = message.transaction;
        let owes_an_answer = core.owes_an_answer(now);
        let mut fate = None;
        let mut restarts = false;
        let body = match &message.body {
            Body::Open { .. } if self.session.is_some() && board.setup.quirks.mbim_is_deaf_while_open => {
                return;
            }
            Body::Open { max_control_transfer } => {
                let wanted = usize::try_from(*max_control_transfer).unwrap_or(usize::MAX);
                self.session = Some(wanted.clamp(SMALLEST, LARGEST));
                self.is_subscribed = false;
                self.messages.clear();
                Body::OpenDone(Status::Success)
            }
            // Not a violation: a host that starts closes an old session first, and can't know whether there
            // is one (mbim.md §4).
            Body::Close if self.session.is_none() => Body::FunctionError(ProtocolFault::NotOpened),
            Body::Close => {
                self.session = None;
                if board.setup.quirks.mbim_close_is_unanswered {
                    return;
                }
                Body::CloseDone(Status::Success)
            }
            Body::Command { service, .. } if self.session.is_none() => {
                if *service == ServiceId::QMI {
                    board.wrong(Wrong::MbimNotOpened, now);
                }
                Body::FunctionError(ProtocolFault::NotOpened)
            }
            Body::Command {
                service: ServiceId::QMI,
                cid: carrier::CID,
                kind: CommandKind::Set,
                information,
            } => match Frame::parse(information) {
                Ok(frame) => {
                    let outcome = qmi::handle(interface, &frame, core, board, now);
                    restarts = outcome.restarts;
                    let Some((answer, what)) = outcome.answer else {
                        return;
                    };
                    fate = what;
                    carrier::command_done(transaction, &answer).body
                }
                Err(error) => {
                    wrong(&error.to_string(), board, now);
                    carrier::refusal(transaction, Status::InvalidParameters).body
                }
            },
            Body::Command {
                service,
                cid,
                kind,
                information,
            } => self.command(*service, *cid, *kind, information, core, board),
            Body::HostError(_) => return,
            _ => return wrong("a message of the function's side", board, now),
        };
        self.say(interface, &Message { transaction, body }, fate, core, board, now);
        if restarts {
            core.restart(owes_an_answer, board, now);
        }
    }

    fn command(
        &mut self,
        service: ServiceId,
        cid: u32,
        kind: CommandKind,
        information: &[u8],
        core: &mut Core,
        board: &Board,
    ) -> Body {
        let answer = match (service, cid) {
            (ServiceId::QMI, _) => Err(Status::InvalidDeviceServiceOperation),
            (ServiceId::BASIC_CONNECT, subscribe::CID) => match subscribe::parse(information) {
                Ok(list) => {
                    self.is_subscribed = list.iter().any(|entry| entry.service == ServiceId::QMI);
                    Ok(information.to_vec())
                }
                Err(_) => Err(Status::InvalidParameters),
            },
            (ServiceId::BASIC_CONNECT, _) => basic_connect::answer(cid, kind, information, core, board),
            _ => Err(Status::NoDeviceSupport),
        };
        let (status, information) = match answer {
            Ok(information) => (Status::Success, information),
            Err(status) => (status, Vec::new()),
        };
        Body::CommandDone {
            service,
            cid,
            status,
            information,
        }
    }

    fn fail(
        &mut self,
        interface: u8,
        transaction: u32,
        fault: ProtocolFault,
        core: &mut Core,
        board: &mut Board,
        now: Instant,
    ) {
        let message = Message {
            transaction,
            body: Body::FunctionError(fault),
        };
        self.say(interface, &message, None, core, board, now);
    }

    fn say(
        &self,
        interface: u8,
        message: &Message,
        fate: Option<AnswerFault>,
        core: &mut Core,
        board: &mut Board,
        now: Instant,
    ) {
        for piece in split(message, self.session.unwrap_or(LARGEST)) {
            qmi::say(interface, piece, fate, core, board, now);
        }
    }
}

fn wrong(what: &str, board: &mut Board, now: Instant) {
    board.wrong(Wrong::ControlMessage(what.to_owned()), now);
}

/// Length and transaction id of a message's header.
fn length_and_transaction(bytes: &[u8]) -> Option<[u32; 2]> {
    let field = |at: usize| bytes.get(at..)?.first_chunk().copied().map(u32::from_le_bytes);
    Some([field(4)?, field(8)?])
}
