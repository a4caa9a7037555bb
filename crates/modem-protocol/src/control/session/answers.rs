//! Handles what comes from the port.

use core::mem;

use super::super::channel::Heard;
use super::super::{ControlError, Link};
use super::goal::{Aim, Exchange, Goal, What};
use super::{Access, ControlState, FIRST_PATIENCE, MOST_REOPENINGS, Session};
use crate::mbim::{Body, Message, ProtocolFault, Status};
use crate::qmi::{Frame, Kind, QmiError, Service, ctl, dms};
use crate::{Instant, ParseError};

impl Session {
    pub(super) fn listen(&mut self, now: Instant) {
        while let Some(heard) = self.channel.next(now) {
            match heard {
                Heard::Frame(frame) => self.take_frame(&frame, now),
                Heard::Foreign => self.take_stray(now),
                Heard::OpenDone { transaction, status } => self.take_open_done(transaction, status, now),
                Heard::CloseDone { transaction } => self.take_close_done(transaction, now),
                Heard::Refused { transaction, status } => self.take_refused(transaction, status, now),
                Heard::Fault { transaction, fault } => self.take_fault(transaction, fault, now),
                Heard::Unreadable(error) => {
                    self.note(|request| ControlError::Garbled { request, error });
                }
                Heard::Incomplete(error) => {
                    if let Some((transaction, fault)) = error.fault() {
                        let body = Body::HostError(fault);
                        self.out.push_back(Message { transaction, body }.encode());
                    }
                    self.note(|request| ControlError::Fragmented { request, error });
                }
            }
        }
    }

    /// Remembers the error to report if the answer doesn't come.
    fn note(&mut self, error: impl FnOnce(&'static str) -> ControlError) {
        if let ControlState::Working { goal, exchange } = &mut self.state {
            goal.noted = Some(error(goal.name(exchange.what)));
        }
    }

    fn take_frame(&mut self, frame: &Frame, now: Instant) {
        match (frame.service, frame.kind) {
            (Service::Ctl, Kind::Indication) => {
                if ctl::Indication::from_message(frame.message) == ctl::Indication::Sync {
                    self.modem_restarted(now);
                }
            }
            (_, Kind::Response) => self.take_response(frame, now),
            (_, Kind::Request | Kind::Indication) => {}
        }
        self.take_stray(now);
    }

    fn take_response(&mut self, frame: &Frame, now: Instant) {
        if frame.service == Service::Ctl && self.abandoned.contains(&frame.transaction) {
            return self.give_back(frame);
        }
        match mem::replace(&mut self.state, ControlState::Closed) {
            ControlState::Working { goal, exchange } if self.is_answered_by(&goal, &exchange, frame) => {
                match exchange.what {
                    What::Ask => self.take_answer(frame, goal, now),
                    what => self.take_control_answer(what, frame, goal, now),
                }
            }
            ControlState::Closing(exchange)
                if exchange.what == What::Release
                    && (frame.service, frame.transaction) == (Service::Ctl, exchange.transaction) =>
            {
                self.close_mbim(now);
            }
            other => self.state = other,
        }
    }

    fn is_answered_by(&self, goal: &Goal, exchange: &Exchange, frame: &Frame) -> bool {
        let (service, client) = match (exchange.what, self.access) {
            (What::Ask, Access::Client(client)) => (Service::Dms, client),
            (What::Ask, _) => return false,
            _ => (Service::Ctl, 0),
        };
        let message = match (exchange.what, &goal.aim) {
            (What::Ask, Aim::Ask { request, .. }) => request.message_id(),
            (What::ProxyOpen, _) => ctl::Response::ProxyOpened.message_id(),
            (What::Greet, _) => ctl::Request::VersionInfo.message_id(),
            (What::Allocate, _) => ctl::Request::Allocate {
                service: Service::Dms,
            }
            .message_id(),
            (What::Sync, _) => ctl::Request::Sync.message_id(),
            _ => return false,
        };
        (frame.service, frame.client, frame.transaction, frame.message)
            == (service, client, exchange.transaction, message)
    }

    fn take_control_answer(&mut self, what: What, frame: &Frame, mut goal: Goal, now: Instant) {
        if what == What::Greet {
            // Any answer shows that the modem listens, even a refusal.
            self.is_greeted = true;
            return self.go_on(goal, now);
        }
        let request = goal.name(what);
        let answer = match ctl::Response::parse(frame.message, &frame.tlvs) {
            Ok(answer) => answer,
            Err(error) => {
                self.state = goal.fails_with(ControlError::Garbled { request, error });
                return;
            }
        };
        match (what, answer) {
            (What::ProxyOpen, Ok(_)) => self.arrive(Access::Open, goal, now),
            (What::ProxyOpen, Err(error)) => {
                let device = match &self.link {
                    Link::QmiProxy { device } => device.clone(),
                    _ => Default::default(),
                };
                self.state = goal.fails_with(ControlError::ProxyRefused { device, error });
            }
            (What::Sync, _) => {
                goal.is_synced = true;
                self.go_on(goal, now);
            }
            (_, Ok(ctl::Response::Allocated { service, client })) => {
                if service == Service::Dms {
                    return self.arrive(Access::Client(client), goal, now);
                }
                let error = ParseError::Value {
                    field: "service",
                    offset: 0,
                    expected: "DMS",
                    got: u8::from(service).into(),
                };
                self.state = goal.fails_with(ControlError::Garbled { request, error });
            }
            // Can't happen: `is_answered_by` has already compared the message.
            (_, Ok(_)) => self.go_on(goal, now),
            (_, Err(QmiError::ClientIdsExhausted)) if self.may_sync() && !goal.is_synced => {
                self.try_to(What::Sync, goal, now);
            }
            (_, Err(error @ (QmiError::NotReady | QmiError::Internal))) => {
                goal.noted = Some(ControlError::Refused { request, error });
                self.pause(goal, now);
            }
            (_, Err(error)) => self.state = goal.fails_with(ControlError::Refused { request, error }),
        }
    }

    /// One stage of opening is done: notes the new access and continues.
    fn arrive(&mut self, access: Access, mut goal: Goal, now: Instant) {
        self.access = access;
        goal.tries = 0;
        goal.noted = None;
        self.go_on(goal, now);
    }

    /// Waits a while before the same stage is tried again.
    fn pause(&mut self, goal: Goal, now: Instant) {
        let exchange = Exchange {
            what: What::Pause,
            transaction: 0,
            mbim_transaction: 0,
            deadline: (now + FIRST_PATIENCE).min(goal.until),
        };
        self.state = ControlState::Working { goal, exchange };
    }

    fn take_answer(&mut self, frame: &Frame, mut goal: Goal, now: Instant) {
        let request = goal.name(What::Ask);
        let answer = match dms::Response::parse(frame.message, &frame.tlvs) {
            Ok(Ok(response)) => Ok(response),
            Ok(Err(error)) => {
                let repeats = match error {
                    QmiError::InvalidClientId => goal.aim.renew_client(),
                    QmiError::Internal => goal.aim.repeat(),
                    _ => false,
                };
                if repeats && error == QmiError::InvalidClientId {
                    self.access = Access::Open;
                }
                if repeats {
                    return self.go_on(goal, now);
                }
                Err(ControlError::Refused { request, error })
            }
            Err(error) => Err(ControlError::Garbled { request, error }),
        };
        self.state = ControlState::Answered(answer);
    }

    /// The modem reports that it has started, so the client id is no longer valid.
    fn modem_restarted(&mut self, now: Instant) {
        if !matches!(self.access, Access::Client(_)) {
            return;
        }
        self.access = Access::Open;
        match mem::replace(&mut self.state, ControlState::Closed) {
            ControlState::Working { mut goal, exchange } if exchange.what == What::Ask => {
                let request = goal.name(What::Ask);
                if goal.aim.restarts_the_modem() {
                    // Repeating the request would restart the modem again.
                    self.state = goal.fails_with(ControlError::Gone { request });
                } else if goal.aim.renew_client() {
                    self.go_on(goal, now);
                } else {
                    let error = QmiError::InvalidClientId;
                    self.state = goal.fails_with(ControlError::Refused { request, error });
                }
            }
            other => self.state = other,
        }
    }

    fn take_open_done(&mut self, transaction: u32, status: Status, now: Instant) {
        match mem::replace(&mut self.state, ControlState::Closed) {
            ControlState::Working { mut goal, exchange }
                if exchange.what == What::MbimOpen && exchange.mbim_transaction == transaction =>
            {
                if status == Status::Success {
                    return self.arrive(Access::Open, goal, now);
                }
                let request = goal.name(What::MbimOpen);
                goal.noted = Some(ControlError::MbimRefused { request, status });
                if !self.reopen(goal.clone(), now) {
                    self.pause(goal, now);
                }
            }
            other => self.state = other,
        }
    }

    fn take_close_done(&mut self, transaction: u32, now: Instant) {
        match mem::replace(&mut self.state, ControlState::Closed) {
            ControlState::Working { goal, exchange }
                if exchange.what == What::MbimReset && exchange.mbim_transaction == transaction =>
            {
                self.go_on(goal, now);
            }
            ControlState::Closing(exchange)
                if exchange.what == What::MbimClose && exchange.mbim_transaction == transaction => {}
            other => self.state = other,
        }
    }

    /// If MBIM is being opened, a stray message belongs to an old session: closes MBIM and opens it again (mbim.md
    /// §4.1).
    fn take_stray(&mut self, now: Instant) {
        if let ControlState::Working { goal, exchange } = &self.state {
            if exchange.what == What::MbimOpen {
                let goal = goal.clone();
                self.reopen(goal, now);
            }
        }
    }

    /// Closes MBIM and opens it again. Returns `false`, and does nothing, if that was done too often already.
    fn reopen(&mut self, mut goal: Goal, now: Instant) -> bool {
        if goal.reopenings >= MOST_REOPENINGS {
            return false;
        }
        goal.reopenings += 1;
        self.access = Access::Shut;
        self.try_to(What::MbimReset, goal, now);
        true
    }

    fn take_refused(&mut self, transaction: u32, status: Status, now: Instant) {
        let ControlState::Working { goal, exchange } = &self.state else {
            return;
        };
        if exchange.what == What::MbimOpen {
            return self.take_stray(now);
        }
        if exchange.what == What::Pause || exchange.mbim_transaction != transaction {
            return;
        }
        let (mut goal, what) = (goal.clone(), exchange.what);
        let request = goal.name(what);
        let error = ControlError::MbimRefused { request, status };
        match (what, status) {
            // The modem is still booting.
            (What::Allocate | What::Sync, Status::Busy | Status::Failure | Status::NotInitialized) => {
                goal.noted = Some(error);
                self.pause(goal, now);
            }
            _ => self.state = goal.fails_with(error),
        }
    }

    fn take_fault(&mut self, transaction: u32, fault: ProtocolFault, now: Instant) {
        if let ControlState::Closing(exchange) = self.state {
            if exchange.mbim_transaction == transaction {
                match exchange.what {
                    What::Release => self.close_mbim(now),
                    _ => self.state = ControlState::Closed,
                }
            }
            return;
        }
        let ControlState::Working { goal, exchange } = &self.state else {
            return;
        };
        let is_about_this = exchange.what != What::Pause && exchange.mbim_transaction == transaction;
        match (exchange.what, fault) {
            // The function says that nothing is open, so nothing needs closing.
            (What::MbimReset, _) if is_about_this => {
                let goal = goal.clone();
                self.go_on(goal, now);
            }
            (What::MbimReset, _) => {}
            (What::MbimOpen, ProtocolFault::NotOpened) => self.take_stray(now),
            (What::MbimOpen, _) => self.note(|request| ControlError::MbimFault { request, fault }),
            _ if !is_about_this => {}
            (what, _) => {
                let goal = goal.clone();
                let request = goal.name(what);
                if fault != ProtocolFault::NotOpened || !self.reopen(goal.clone(), now) {
                    self.state = goal.fails_with(ControlError::MbimFault { request, fault });
                }
            }
        }
    }
}
