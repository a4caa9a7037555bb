//! The session itself.

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

/// How long the first attempts at something wait; the reference waits as long for each of its attempts (update-flow.md S1).
const FIRST_PATIENCE: Duration = Duration::from_secs(2);

/// How long the first greeting waits; each later one waits twice as long. EM7565 ignores the first message after the port was
/// opened (field-reports.md A7), and one that answers does so within milliseconds. Ours.
const GREETING_PATIENCE: Duration = Duration::from_millis(250);

/// How many greetings may stay without an answer before a client id is asked for all the same: a modem may not know that question.
const MOST_GREETINGS: u8 = 3;

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
    /// The control service has answered something.
    is_greeted: bool,
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

impl Session {
    /// Begins to open the port; it may take as long as `patience`.
    pub fn new(link: Link, patience: Duration, now: Instant) -> Self {
        let mut session = Self {
            channel: Channel::new(&link),
            access: match link {
                Link::Qmi => Access::Open,
                Link::QmiProxy { .. } | Link::Mbim { .. } => Access::Shut,
            },
            // MBIM's open is a question of its own.
            is_greeted: matches!(link, Link::Mbim { .. }),
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
            (Access::Open, _) if !self.is_greeted && goal.greetings < MOST_GREETINGS => What::Greet,
            (Access::Open, _) => What::Allocate,
            (Access::Client(_), Aim::Ask { .. }) => What::Ask,
            (Access::Client(_) | Access::Gone, _) => return self.state = State::Ready,
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
            (What::Greet, _) => Some(self.control(&ctl::Request::VersionInfo)),
            (What::Allocate, _) => Some(self.control(&ctl::Request::Allocate {
                service: Service::Dms,
            })),
            (What::Sync, _) => {
                // Ids that still come of earlier requests will be void, and may be given out anew.
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
            What::Greet => {
                goal.greetings = goal.greetings.saturating_add(1);
                self.go_on(goal, now);
            }
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
