//! The session itself.

use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::mem;
use core::time::Duration;

use super::channel::{Channel, Heard};
use super::{Closing, ControlError, Link, Step};
use crate::mbim::{Body, Message, ProtocolFault, Status};
use crate::qmi::dms::OperatingMode;
use crate::qmi::{Frame, Kind, QmiError, Service, ctl, dms};
use crate::{Instant, ParseError};

/// How long the first attempts at something wait. EM7565 ignores the first message after the port was opened
/// (field-reports.md A7); the reference waits as long for each of its attempts (update-flow.md S1).
const FIRST_PATIENCE: Duration = Duration::from_secs(2);

/// How long later attempts at MBIM's open wait (mbim.md §4.1).
const OPEN_PATIENCE: Duration = Duration::from_secs(5);

/// How long later attempts at a client id wait at most (update-flow.md S1).
const ALLOCATE_PATIENCE: Duration = Duration::from_secs(10);

/// How long the modem may take for a polite end; as for MBIM's close (mbim.md §4.1).
const CLOSE_PATIENCE: Duration = Duration::from_secs(2);

/// How often MBIM is closed and opened again for one request. A modem that goes on sending messages of an old session
/// would otherwise keep us doing that.
const MOST_REOPENINGS: u8 = 2;

/// Client ids that may still come from requests that were given up; more are not given back.
const MOST_ABANDONED: usize = 16;

/// The host's side of a control port: opens it and gets a DMS client, then carries one request at a time.
///
/// Indications, answers to requests that were given up and other programs' messages are passed over. A client id that
/// has become invalid is replaced, and the request is repeated once; so is one that is refused with an internal error.
#[derive(Clone, Debug)]
pub struct Session {
    link: Link,
    channel: Channel,
    access: Access,
    state: State,
    out: VecDeque<Vec<u8>>,
    /// The last transaction that was used with the control service.
    control_transaction: u8,
    /// The last transaction that was used with DMS.
    transaction: u16,
    /// Requests for a client id that were given up; what still comes of them is given back.
    abandoned: Vec<u16>,
}

/// How far the way to DMS is built.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Access {
    /// The proxy or the MBIM function has to be opened.
    Shut,
    /// The control service can be spoken to.
    Open,
    /// There is a client id for DMS.
    Client(u8),
    /// The port has gone.
    Gone,
}

#[derive(Clone, Debug)]
enum State {
    Working { goal: Goal, exchange: Exchange },
    Ready,
    Answered(Result<dms::Response, ControlError>),
    Failed(ControlError),
    Closing(Exchange),
    Closed,
}

/// What is to be reached.
#[derive(Clone, Debug)]
struct Goal {
    aim: Aim,
    since: Instant,
    until: Instant,
    /// Attempts at the present part of the way that came to nothing.
    tries: u8,
    /// How often MBIM was closed and opened again.
    reopenings: u8,
    /// Whether the modem has answered a sync on the way.
    is_synced: bool,
    /// What to say instead of "no answer".
    noted: Option<ControlError>,
}

#[derive(Clone, Debug)]
enum Aim {
    Open,
    Ask {
        request: dms::Request,
        /// The client id was replaced once.
        is_client_renewed: bool,
        /// It was repeated after an internal error.
        is_repeated: bool,
    },
}

/// One question that is under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Exchange {
    what: What,
    /// Its QMI transaction, 0 if it isn't QMI.
    transaction: u16,
    /// Its MBIM transaction, 0 if there is no MBIM.
    mbim_transaction: u32,
    deadline: Instant,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum What {
    ProxyOpen,
    MbimOpen,
    /// MBIM's close before another open.
    MbimReset,
    Allocate,
    Sync,
    Ask,
    Release,
    MbimClose,
    /// Nothing: some time passes before another try.
    Pause,
}

impl Session {
    /// Begins to open the port; it may take as long as `patience`.
    pub fn new(link: Link, patience: Duration, now: Instant) -> Self {
        let mut session = Self {
            channel: Channel::new(&link),
            access: match link {
                Link::Qmi => Access::Open,
                Link::QmiProxy { .. } | Link::Mbim { .. } => Access::Shut,
            },
            link,
            state: State::Ready,
            out: VecDeque::new(),
            control_transaction: 0,
            transaction: 0,
            abandoned: Vec::new(),
        };
        session.go_on(Goal::new(Aim::Open, patience, now), now);
        session
    }

    /// Makes a request; its answer may take as long as `patience`, a new client id included. A request that is still
    /// under way is given up without an answer. After a failure to open the port that is tried again.
    pub fn ask(&mut self, request: dms::Request, patience: Duration, now: Instant) {
        let name = request.name();
        let is_closed = matches!(self.state, State::Closing(_) | State::Closed);
        if self.access == Access::Gone || is_closed {
            let error = match self.access {
                Access::Gone => ControlError::Gone { request: name },
                _ => ControlError::Closed { request: name },
            };
            self.access = Access::Gone;
            self.state = State::Answered(Err(error));
            return;
        }
        self.abandon_allocation();
        let aim = Aim::Ask {
            request,
            is_client_renewed: false,
            is_repeated: false,
        };
        self.go_on(Goal::new(aim, patience, now), now);
    }

    /// Ends the session; `poll` says [`Step::Closed`] when that is done. It is to be called after a failure too:
    /// an MBIM function stays open otherwise.
    pub fn close(&mut self, closing: Closing, now: Instant) {
        if self.access == Access::Gone || matches!(self.state, State::Closing(_) | State::Closed) {
            return self.state = State::Closed;
        }
        match (closing, self.access) {
            (Closing::Release, Access::Client(_)) => {
                let release = self.start(What::Release, None, now + CLOSE_PATIENCE);
                self.state = State::Closing(release);
            }
            (Closing::Release, _) => self.close_mbim(now),
            (Closing::Abandon, _) => {
                self.start(What::MbimClose, None, now);
                self.state = State::Closed;
            }
        }
    }

    /// Takes bytes that the port delivered. They may be split and joined anywhere.
    pub fn receive(&mut self, bytes: &[u8], now: Instant) {
        self.channel.push(bytes);
        self.listen(now);
    }

    /// Notes that the port has gone. A request that is under way is answered with [`ControlError::Gone`].
    pub fn closed(&mut self, _now: Instant) {
        self.access = Access::Gone;
        self.out.clear();
        self.state = match mem::replace(&mut self.state, State::Closed) {
            State::Working { goal, exchange } => goal.fails_with(match (exchange.what, &self.link) {
                (What::ProxyOpen, Link::QmiProxy { device }) => ControlError::ProxyClosed {
                    device: device.clone(),
                },
                (what, _) => ControlError::Gone {
                    request: goal.name(what),
                },
            }),
            State::Ready | State::Closing(_) => State::Closed,
            other => other,
        };
    }

    /// What to do now.
    pub fn poll(&mut self, now: Instant) -> Step {
        self.listen(now);
        self.expire(now);
        if let Some(bytes) = self.out.pop_front() {
            return Step::Send(bytes);
        }
        let exchange = match &self.state {
            State::Working { exchange, .. } | State::Closing(exchange) => *exchange,
            State::Ready => return Step::Ready,
            State::Failed(error) => return Step::Failed(error.clone()),
            State::Closed => return Step::Closed,
            State::Answered(_) => {
                let next = if self.access == Access::Gone {
                    State::Closed
                } else {
                    State::Ready
                };
                return match mem::replace(&mut self.state, next) {
                    State::Answered(answer) => Step::Answer(answer),
                    _ => Step::Ready,
                };
            }
        };
        let until = self
            .channel
            .deadline()
            .map_or(exchange.deadline, |late| late.min(exchange.deadline));
        Step::Wait { until }
    }

    /// Takes the next part of the way to a goal.
    fn go_on(&mut self, goal: Goal, now: Instant) {
        let what = match (self.access, &goal.aim) {
            (Access::Shut, _) if matches!(self.link, Link::QmiProxy { .. }) => What::ProxyOpen,
            (Access::Shut, _) => What::MbimOpen,
            (Access::Open, _) => What::Allocate,
            (Access::Client(_), Aim::Ask { .. }) => What::Ask,
            (Access::Client(_) | Access::Gone, _) => return self.state = State::Ready,
        };
        self.try_to(what, goal, now);
    }

    fn try_to(&mut self, what: What, goal: Goal, now: Instant) {
        let patience = match (what, goal.tries) {
            (What::ProxyOpen | What::Ask, _) => Duration::MAX,
            (What::MbimReset | What::Sync, _) => FIRST_PATIENCE,
            (_, 0 | 1) => FIRST_PATIENCE,
            (What::MbimOpen, _) => OPEN_PATIENCE,
            (_, tries) => FIRST_PATIENCE
                .saturating_mul(1 << u32::from(tries - 1).min(4))
                .min(ALLOCATE_PATIENCE),
        };
        let deadline = (now + patience).min(goal.until);
        let request = match &goal.aim {
            Aim::Ask { request, .. } => Some(request),
            Aim::Open => None,
        };
        let exchange = self.start(what, request, deadline);
        self.state = State::Working { goal, exchange };
    }

    /// Puts a question into the output.
    fn start(&mut self, what: What, request: Option<&dms::Request>, deadline: Instant) -> Exchange {
        let client = match self.access {
            Access::Client(client) => client,
            _ => 0,
        };
        let frame = match (what, request) {
            (What::ProxyOpen, _) => {
                let device = match &self.link {
                    Link::QmiProxy { device } => device.clone(),
                    _ => Default::default(),
                };
                Some(self.control(&ctl::Request::ProxyOpen { device }))
            }
            (What::Allocate, _) => Some(self.control(&ctl::Request::Allocate {
                service: Service::Dms,
            })),
            (What::Sync, _) => Some(self.control(&ctl::Request::Sync)),
            (What::Release, _) => Some(self.control(&ctl::Request::Release {
                service: Service::Dms,
                client,
            })),
            (What::Ask, Some(request)) => {
                self.transaction = self.transaction.wrapping_add(1).max(1);
                Some(request.to_frame(client, self.transaction))
            }
            (What::Ask | What::MbimOpen | What::MbimReset | What::MbimClose | What::Pause, _) => None,
        };
        let (writes, mbim_transaction) = match (&frame, what) {
            (Some(frame), _) => self.channel.request(frame),
            (None, What::MbimOpen) => self
                .channel
                .message(|max_control_transfer| Body::Open { max_control_transfer }),
            (None, _) => self.channel.message(|_| Body::Close),
        };
        self.out.extend(writes);
        Exchange {
            what,
            transaction: frame.map_or(0, |frame| frame.transaction),
            mbim_transaction,
            deadline,
        }
    }

    fn control(&mut self, request: &ctl::Request) -> Frame {
        self.control_transaction = self.control_transaction.wrapping_add(1).max(1);
        let reused = u16::from(self.control_transaction);
        self.abandoned.retain(|&transaction| transaction != reused);
        request.to_frame(self.control_transaction)
    }

    fn close_mbim(&mut self, now: Instant) {
        self.state = match self.link {
            Link::Mbim { .. } => State::Closing(self.start(What::MbimClose, None, now + CLOSE_PATIENCE)),
            Link::Qmi | Link::QmiProxy { .. } => State::Closed,
        };
    }

    /// Goes on after a deadline.
    fn expire(&mut self, now: Instant) {
        let is_over = |exchange: &Exchange| now >= exchange.deadline;
        match mem::replace(&mut self.state, State::Closed) {
            State::Working { goal, exchange } if is_over(&exchange) => {
                if exchange.what == What::Allocate {
                    self.note_abandoned(exchange.transaction);
                }
                if now >= goal.until {
                    let silent = ControlError::Silent {
                        request: goal.name(exchange.what),
                        waited: now - goal.since,
                    };
                    let error = goal.noted.clone().unwrap_or(silent);
                    self.state = goal.fails_with(error);
                } else {
                    self.try_again(exchange.what, goal, now);
                }
            }
            State::Closing(exchange) if is_over(&exchange) => match exchange.what {
                What::Release => self.close_mbim(now),
                _ => self.state = State::Closed,
            },
            other => self.state = other,
        }
    }

    fn try_again(&mut self, what: What, mut goal: Goal, now: Instant) {
        match what {
            // Whatever came of them.
            What::MbimReset | What::Sync | What::Pause => self.go_on(goal, now),
            What::Allocate => {
                goal.tries = goal.tries.saturating_add(1);
                // The first request may be ignored, so it is repeated before the modem's other clients are lost.
                if goal.tries > 1 && self.may_sync() {
                    self.try_to(What::Sync, goal, now);
                } else {
                    self.go_on(goal, now);
                }
            }
            _ => {
                goal.tries = goal.tries.saturating_add(1);
                self.go_on(goal, now);
            }
        }
    }

    /// A sync through a proxy would take other programs' clients away (update-flow.md §9, row 27).
    const fn may_sync(&self) -> bool {
        !matches!(self.link, Link::QmiProxy { .. })
    }

    fn listen(&mut self, now: Instant) {
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

    /// Remembers what to say if the answer doesn't come.
    fn note(&mut self, error: impl FnOnce(&'static str) -> ControlError) {
        if let State::Working { goal, exchange } = &mut self.state {
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
        match mem::replace(&mut self.state, State::Closed) {
            State::Working { goal, exchange } if self.is_answered_by(&goal, &exchange, frame) => {
                match exchange.what {
                    What::Ask => self.take_answer(frame, goal, now),
                    what => self.take_control_answer(what, frame, goal, now),
                }
            }
            State::Closing(exchange)
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
                self.abandoned.clear();
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
            // `is_answered_by` has compared the message.
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

    /// A part of the way is behind us.
    fn arrive(&mut self, access: Access, mut goal: Goal, now: Instant) {
        self.access = access;
        goal.tries = 0;
        goal.noted = None;
        self.go_on(goal, now);
    }

    /// Lets some time pass before the same is tried again.
    fn pause(&mut self, goal: Goal, now: Instant) {
        let exchange = Exchange {
            what: What::Pause,
            transaction: 0,
            mbim_transaction: 0,
            deadline: (now + FIRST_PATIENCE).min(goal.until),
        };
        self.state = State::Working { goal, exchange };
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
        self.state = State::Answered(answer);
    }

    /// The modem says that it has started, so the client id is void.
    fn modem_restarted(&mut self, now: Instant) {
        if !matches!(self.access, Access::Client(_)) {
            return;
        }
        self.access = Access::Open;
        match mem::replace(&mut self.state, State::Closed) {
            State::Working { mut goal, exchange } if exchange.what == What::Ask => {
                let request = goal.name(What::Ask);
                if goal.aim.restarts_the_modem() {
                    // To repeat it would restart the modem again.
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
        match mem::replace(&mut self.state, State::Closed) {
            State::Working { mut goal, exchange }
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
        match mem::replace(&mut self.state, State::Closed) {
            State::Working { goal, exchange }
                if exchange.what == What::MbimReset && exchange.mbim_transaction == transaction =>
            {
                self.go_on(goal, now);
            }
            State::Closing(exchange)
                if exchange.what == What::MbimClose && exchange.mbim_transaction == transaction => {}
            other => self.state = other,
        }
    }

    /// A message of an old session while MBIM is being opened (mbim.md §4.1).
    fn take_stray(&mut self, now: Instant) {
        if let State::Working { goal, exchange } = &self.state {
            if exchange.what == What::MbimOpen {
                let goal = goal.clone();
                self.reopen(goal, now);
            }
        }
    }

    /// Closes MBIM and opens it again; says whether it may still do so.
    fn reopen(&mut self, mut goal: Goal, now: Instant) -> bool {
        if goal.reopenings >= MOST_REOPENINGS {
            return false;
        }
        goal.reopenings += 1;
        self.access = Access::Shut;
        self.channel.clear();
        self.try_to(What::MbimReset, goal, now);
        true
    }

    fn take_refused(&mut self, transaction: u32, status: Status, now: Instant) {
        let State::Working { goal, exchange } = &self.state else {
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
            // A modem that is still booting.
            (What::Allocate | What::Sync, Status::Busy | Status::Failure | Status::NotInitialized) => {
                goal.noted = Some(error);
                self.pause(goal, now);
            }
            _ => self.state = goal.fails_with(error),
        }
    }

    fn take_fault(&mut self, transaction: u32, fault: ProtocolFault, now: Instant) {
        if let State::Closing(exchange) = self.state {
            if exchange.mbim_transaction == transaction {
                match exchange.what {
                    What::Release => self.close_mbim(now),
                    _ => self.state = State::Closed,
                }
            }
            return;
        }
        let State::Working { goal, exchange } = &self.state else {
            return;
        };
        let is_about_this = exchange.what != What::Pause && exchange.mbim_transaction == transaction;
        match (exchange.what, fault) {
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

    fn abandon_allocation(&mut self) {
        if let State::Working { exchange, .. } = self.state {
            if exchange.what == What::Allocate {
                self.note_abandoned(exchange.transaction);
            }
        }
    }

    fn note_abandoned(&mut self, transaction: u16) {
        if self.abandoned.len() < MOST_ABANDONED {
            self.abandoned.push(transaction);
        }
    }

    /// Gives back a client id that came too late; the answer to that is passed over.
    fn give_back(&mut self, frame: &Frame) {
        self.abandoned
            .retain(|&transaction| transaction != frame.transaction);
        if let Ok(Ok(ctl::Response::Allocated { service, client })) =
            ctl::Response::parse(frame.message, &frame.tlvs)
        {
            let release = self.control(&ctl::Request::Release { service, client });
            let (writes, _) = self.channel.request(&release);
            self.out.extend(writes);
        }
    }
}

impl Aim {
    /// Whether the client id may be replaced; it may once.
    const fn renew_client(&mut self) -> bool {
        match self {
            Self::Ask {
                is_client_renewed, ..
            } => !mem::replace(is_client_renewed, true),
            Self::Open => false,
        }
    }

    /// Whether the request may be repeated; it may once.
    const fn repeat(&mut self) -> bool {
        match self {
            Self::Ask { is_repeated, .. } => !mem::replace(is_repeated, true),
            Self::Open => false,
        }
    }

    /// Whether a modem that does this starts anew.
    const fn restarts_the_modem(&self) -> bool {
        use dms::Request;
        matches!(
            self,
            Self::Ask {
                request: Request::SetOperatingMode(OperatingMode::Reset | OperatingMode::ShuttingDown)
                    | Request::SetFirmwareId
                    | Request::SwiResetToDownloadMode,
                ..
            }
        )
    }
}

impl Goal {
    fn new(aim: Aim, patience: Duration, now: Instant) -> Self {
        Self {
            aim,
            since: now,
            until: now + patience,
            tries: 0,
            reopenings: 0,
            is_synced: false,
            noted: None,
        }
    }

    const fn name(&self, what: What) -> &'static str {
        match (what, &self.aim) {
            (What::Ask, Aim::Ask { request, .. }) => request.name(),
            (What::Ask | What::Pause, _) => "open",
            (What::ProxyOpen, _) => "open through qmi-proxy",
            (What::MbimOpen, _) => "MBIM open",
            (What::MbimReset | What::MbimClose, _) => "MBIM close",
            (What::Allocate, _) => "allocate client id",
            (What::Sync, _) => "sync",
            (What::Release, _) => "release client id",
        }
    }

    /// The goal isn't reached.
    fn fails_with(&self, error: ControlError) -> State {
        match self.aim {
            Aim::Open => State::Failed(error),
            Aim::Ask { .. } => State::Answered(Err(error)),
        }
    }
}
