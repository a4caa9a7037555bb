//! The session on a control port.

mod answers;
mod goal;

use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::mem;
use core::time::Duration;

use self::goal::{Aim, Exchange, Goal, What};
use super::channel::Channel;
use super::{Closing, ControlError, Link, Step};
use crate::Instant;
use crate::mbim::Body;
use crate::qmi::{Frame, Service, ctl, dms};

/// How long the first two attempts at a stage wait. The reference waits this long for each of its attempts
/// (update-flow.md S1).
const FIRST_PATIENCE: Duration = Duration::from_secs(2);

/// How long the first greeting waits; each later greeting waits twice as long as the one before. Estimate: EM7565
/// ignores the first message after the port was opened (field-reports.md A7), and a modem that answers does so within
/// milliseconds.
const GREETING_PATIENCE: Duration = Duration::from_millis(250);

/// After this many greetings without an answer the session asks for a client id anyway, because the modem may not
/// know the greeting.
const MOST_GREETINGS: u8 = 3;

/// How long MBIM's open waits from the third attempt on (mbim.md §4.1).
const OPEN_PATIENCE: Duration = Duration::from_secs(5);

/// The longest wait of later attempts at a client id (update-flow.md S1).
const ALLOCATE_PATIENCE: Duration = Duration::from_secs(10);

/// How long each step of closing may take; the same as for MBIM's close (mbim.md §4.1).
const CLOSE_PATIENCE: Duration = Duration::from_secs(2);

/// How often MBIM is closed and opened again for one request. Without a limit, a modem that keeps sending messages of
/// an old session would make the session reopen MBIM for ever.
const MOST_REOPENINGS: u8 = 2;

/// How many abandoned requests for a client id are remembered, so that their client ids can be given back if they
/// still come.
const MOST_ABANDONED: usize = 16;

/// The host's side of a control port: opens the port and gets a DMS client, then carries one request at a time.
///
/// Indications, answers to abandoned requests and messages for other programs are passed over. If the client id has
/// become invalid, the session gets a new one and repeats the request once. It also repeats a request once that the
/// modem refuses with an internal error.
#[derive(Clone, Debug)]
pub struct Session {
    link: Link,
    channel: Channel,
    access: Access,
    state: ControlState,
    /// Whether the modem has answered a greeting, or needs none.
    is_greeted: bool,
    out: VecDeque<Vec<u8>>,
    /// The last transaction that was used with the control service.
    control_transaction: u8,
    /// The last transaction that was used with DMS.
    transaction: u16,
    /// Transactions of abandoned requests for a client id. If such a client id still comes, it is given back.
    abandoned: Vec<u16>,
}

/// How far the session has got on the way to a DMS client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Access {
    /// The proxy or the MBIM function has to be opened first.
    Shut,
    /// The control service can be used.
    Open,
    /// The session has this client id for DMS.
    Client(u8),
    /// The port has disappeared.
    Gone,
}

#[derive(Clone, Debug)]
enum ControlState {
    Working { goal: Goal, exchange: Exchange },
    Ready,
    Answered(Result<dms::Response, ControlError>),
    Failed(ControlError),
    Closing(Exchange),
    Closed,
}

impl Session {
    /// Begins to open the port, which may take as long as `patience`.
    pub fn new(link: Link, patience: Duration, now: Instant) -> Self {
        let mut session = Self {
            channel: Channel::new(&link),
            access: match link {
                Link::Qmi => Access::Open,
                Link::QmiProxy { .. } | Link::Mbim { .. } => Access::Shut,
            },
            // MBIM needs no greeting, because its open is already a question that the modem answers.
            is_greeted: matches!(link, Link::Mbim { .. }),
            link,
            state: ControlState::Ready,
            out: VecDeque::new(),
            control_transaction: 0,
            transaction: 0,
            abandoned: Vec::new(),
        };
        session.go_on(Goal::new(Aim::Open, patience, now), now);
        session
    }

    /// Makes a request. Its answer may take as long as `patience`, including the time for a new client id. A request
    /// that is still under way is abandoned without an answer. If opening the port has failed before, the session
    /// tries that again.
    pub fn ask(&mut self, request: dms::Request, patience: Duration, now: Instant) {
        let name = request.name();
        let is_closed = matches!(self.state, ControlState::Closing(_) | ControlState::Closed);
        if self.access == Access::Gone || is_closed {
            let error = match self.access {
                Access::Gone => ControlError::Gone { request: name },
                _ => ControlError::Closed { request: name },
            };
            self.access = Access::Gone;
            self.state = ControlState::Answered(Err(error));
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

    /// Ends the session; `poll` returns [`Step::Closed`] when that is done. Call this after a failure too, or an MBIM
    /// function stays open.
    pub fn close(&mut self, closing: Closing, now: Instant) {
        if self.access == Access::Gone
            || matches!(self.state, ControlState::Closing(_) | ControlState::Closed)
        {
            return self.state = ControlState::Closed;
        }
        match (closing, self.access) {
            (Closing::Release, Access::Client(_)) => {
                let release = self.start(What::Release, None, now + CLOSE_PATIENCE);
                self.state = ControlState::Closing(release);
            }
            (Closing::Release, _) => self.close_mbim(now),
            (Closing::Abandon, _) => {
                self.start(What::MbimClose, None, now);
                self.state = ControlState::Closed;
            }
        }
    }

    /// Takes bytes that the port delivered. They may be split and joined anywhere.
    pub fn receive(&mut self, bytes: &[u8], now: Instant) {
        self.channel.push(bytes);
        self.listen(now);
    }

    /// Notes that the port has disappeared. A request that is under way is answered with [`ControlError::Gone`].
    pub fn closed(&mut self, _now: Instant) {
        self.access = Access::Gone;
        self.out.clear();
        self.state = match mem::replace(&mut self.state, ControlState::Closed) {
            ControlState::Working { goal, exchange } => goal.fails_with(match (exchange.what, &self.link) {
                (What::ProxyOpen, Link::QmiProxy { device }) => ControlError::ProxyClosed {
                    device: device.clone(),
                },
                (what, _) => ControlError::Gone {
                    request: goal.name(what),
                },
            }),
            ControlState::Ready | ControlState::Closing(_) => ControlState::Closed,
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
            ControlState::Working { exchange, .. } | ControlState::Closing(exchange) => *exchange,
            ControlState::Ready => return Step::Ready,
            ControlState::Failed(error) => return Step::Failed(error.clone()),
            ControlState::Closed => return Step::Closed,
            ControlState::Answered(_) => {
                let next = if self.access == Access::Gone {
                    ControlState::Closed
                } else {
                    ControlState::Ready
                };
                return match mem::replace(&mut self.state, next) {
                    ControlState::Answered(answer) => Step::Answer(answer),
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

    /// Begins the next stage on the way to a goal.
    fn go_on(&mut self, goal: Goal, now: Instant) {
        let what = match (self.access, &goal.aim) {
            (Access::Shut, _) if matches!(self.link, Link::QmiProxy { .. }) => What::ProxyOpen,
            (Access::Shut, _) => What::MbimOpen,
            (Access::Open, _) if !self.is_greeted && goal.greetings < MOST_GREETINGS => What::Greet,
            (Access::Open, _) => What::Allocate,
            (Access::Client(_), Aim::Ask { .. }) => What::Ask,
            (Access::Client(_) | Access::Gone, _) => return self.state = ControlState::Ready,
        };
        self.try_to(what, goal, now);
    }

    fn try_to(&mut self, what: What, goal: Goal, now: Instant) {
        let patience = match (what, goal.tries) {
            (What::Greet, _) => GREETING_PATIENCE.saturating_mul(1 << u32::from(goal.greetings.min(4))),
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
        self.state = ControlState::Working { goal, exchange };
    }

    /// Puts a question into the output and returns its transaction numbers.
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
            (What::Greet, _) => Some(self.control(&ctl::Request::VersionInfo)),
            (What::Allocate, _) => Some(self.control(&ctl::Request::Allocate {
                service: Service::Dms,
            })),
            (What::Sync, _) => {
                // A sync makes the client ids of earlier requests invalid, and the modem may give the same ids to
                // others. So don't give them back.
                self.abandoned.clear();
                Some(self.control(&ctl::Request::Sync))
            }
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
            Link::Mbim { .. } => {
                ControlState::Closing(self.start(What::MbimClose, None, now + CLOSE_PATIENCE))
            }
            Link::Qmi | Link::QmiProxy { .. } => ControlState::Closed,
        };
    }

    /// Continues after a passed deadline.
    fn expire(&mut self, now: Instant) {
        let is_over = |exchange: &Exchange| now >= exchange.deadline;
        match mem::replace(&mut self.state, ControlState::Closed) {
            ControlState::Working { goal, exchange } if is_over(&exchange) => {
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
            ControlState::Closing(exchange) if is_over(&exchange) => match exchange.what {
                What::Release => self.close_mbim(now),
                _ => self.state = ControlState::Closed,
            },
            other => self.state = other,
        }
    }

    fn try_again(&mut self, what: What, mut goal: Goal, now: Instant) {
        match what {
            // Continue even without an answer.
            What::MbimReset | What::Sync | What::Pause => self.go_on(goal, now),
            What::Greet => {
                goal.greetings = goal.greetings.saturating_add(1);
                self.go_on(goal, now);
            }
            What::Allocate => {
                goal.tries = goal.tries.saturating_add(1);
                // The modem may ignore the first request. So repeat it before a sync, which takes the client ids of
                // all other programs away.
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

    /// Whether a sync is allowed. Through a proxy it would take other programs' clients away (update-flow.md §9, row
    /// 27).
    const fn may_sync(&self) -> bool {
        !matches!(self.link, Link::QmiProxy { .. })
    }

    fn abandon_allocation(&mut self) {
        if let ControlState::Working { exchange, .. } = self.state {
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

    /// Gives back a client id that came too late. The modem's answer to that is passed over.
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
