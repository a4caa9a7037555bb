//! The host's side of an AT port: finds out whether anything answers, then sends one command after the other and
//! returns each answer (at.md §1 and §2).
//!
//! The session doesn't interpret answers: the caller decides what a refusal means and what to ask next. The caller's
//! loop:
//!
//! 1. Call [`Session::poll`] until it returns [`Step::Ready`] or [`Step::Wait`]. Write each [`Step::Send`] in one write.
//! 2. When the session is ready, call [`Session::ask`] and poll again; the answer comes as [`Step::Answer`].
//! 3. Hand in bytes that come with [`Session::receive`], and the end of the port with [`Session::closed`].
//!
//! Only its place in the stream shows which command an answer belongs to, so a late answer could be mistaken for that
//! of the next command. The session counts the commands that it sent and the answers that came. As long as the
//! numbers differ, it sends AT before the next command and waits until the port is silent.

use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use super::answer::{Answer, Collector, Final};
use super::command::{Command, Effect};
use crate::Instant;

/// How often AT is sent before the session gives up on the port. The first AT may arrive garbled (at.md §2).
const SYNC_TRIES: u8 = 2;

/// After this much silence no late answer is expected any more. A modem that answers late, because it was busy or had
/// just started, sends all its late answers at once, in one USB transfer after the other.
const QUIET: Duration = Duration::from_millis(200);

/// The longest wait for silence. A port that prints NMEA lines may never be silent.
const QUIET_AT_MOST: Duration = Duration::from_secs(2);

/// How many lines are kept of what came instead of an answer.
const MOST_HEARD: usize = 8;

/// What the caller is to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Write these bytes, in one write. Before writing, discard all bytes that came from the port until now.
    Send(Vec<u8>),
    /// The port answers, and no command is under way: call [`Session::ask`].
    Ready,
    /// The outcome of the last command, or why the command or the whole session failed.
    Answer(Result<Outcome, AtError>),
    /// Nothing to do until bytes come, the port disappears, or this moment is reached.
    Wait {
        /// The deadline of the present command.
        until: Instant,
    },
}

/// How a command ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The modem sent a final line, which may be a refusal.
    Answered(Answer),
    /// The port disappeared after a command that restarts the modem, and no final line came before. The modem has
    /// taken the command (at.md §2).
    LeftBus,
}

/// How a session fails.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AtError {
    /// Nothing on the port answered AT with OK. The session is over.
    #[error("no AT port: no OK to AT{}", said(heard))]
    NotAnAtPort {
        /// What came instead, at most a few lines.
        heard: Vec<String>,
    },
    /// No final line came in time. The caller can ask something else.
    #[error("no answer to {command} within {} s{}", waited.as_secs_f32(), said(heard))]
    Silent {
        /// The command.
        command: String,
        /// How long the session waited.
        waited: Duration,
        /// What came instead, at most a few lines.
        heard: Vec<String>,
    },
    /// The port has disappeared. The session is over.
    #[error("the AT port went away{}", after(command.as_deref()))]
    Left {
        /// The last command that was sent.
        command: Option<String>,
    },
}

fn said(heard: &[String]) -> String {
    match heard.last() {
        Some(last) => {
            let start: String = last.chars().take(60).collect();
            alloc::format!("; it says {start:?}")
        }
        None => String::new(),
    }
}

fn after(command: Option<&str>) -> String {
    command.map_or_else(String::new, |command| alloc::format!(" after {command}"))
}

/// A session on one AT port.
///
/// ```
/// use modemflash_modem_protocol::Instant;
/// use modemflash_modem_protocol::at::{Command, session::{Outcome, Session, Step}};
/// let (mut session, now) = (Session::new(), Instant::START);
/// assert_eq!(session.poll(now), Step::Send(b"AT\r".to_vec()));
/// session.receive(b"AT\r\r\nOK\r\n", now);
/// assert_eq!(session.poll(now), Step::Ready);
/// session.ask(Command::IDENTITY);
/// assert_eq!(session.poll(now), Step::Send(b"ATI\r".to_vec()));
/// session.receive(b"ATI\r\r\nModel: MC7455\r\n\r\nOK\r\n", now);
/// assert!(matches!(session.poll(now), Step::Answer(Ok(Outcome::Answered(answer))) if answer.result.is_ok()));
/// ```
#[derive(Clone, Debug)]
pub struct Session {
    state: AtState,
    /// Collects the answer to the last command that was sent.
    collector: Collector,
    /// How many commands were sent and have got no final line yet.
    unanswered: u32,
    /// What came instead of an OK to AT.
    heard: Vec<String>,
    /// The last command that was sent.
    last: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum AtState {
    /// AT is to be sent.
    Sync(Sync),
    AwaitSync {
        sync: Sync,
        until: Instant,
    },
    /// AT was answered, but late answers may still come.
    Settle {
        next: Option<Command>,
        until: Instant,
        at_most: Instant,
    },
    Idle,
    /// The command is to be sent.
    Ask(Command),
    Await {
        command: Command,
        until: Instant,
    },
    /// The command has ended.
    Ended(Result<Outcome, AtError>),
    /// The command has ended, and so has the port.
    EndedAndGone(Outcome),
    Failed(AtError),
}

/// An AT that is to be sent, or that was sent and isn't answered yet.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Sync {
    tries_left: u8,
    port: Port,
    /// The command to send once AT is answered.
    next: Option<Command>,
}

/// What AT is sent to find out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Port {
    /// Whether the port is an AT port.
    New,
    /// Where the next answer begins, after an earlier answer was missing.
    Known,
}

impl Default for Session {
    fn default() -> Self {
        Self::new()
    }
}

impl Session {
    /// Begins with AT, because the port may not be an AT port.
    pub fn new() -> Self {
        Self::beginning(AtState::Sync(Sync {
            tries_left: SYNC_TRIES,
            port: Port::New,
            next: None,
        }))
    }

    /// Begins with the first command. For a port with which another session has just ended well.
    pub fn on_known_port() -> Self {
        Self::beginning(AtState::Idle)
    }

    fn beginning(state: AtState) -> Self {
        Self {
            state,
            collector: Collector::new(""),
            unanswered: 0,
            heard: Vec::new(),
            last: None,
        }
    }

    /// Sends this command as soon as the port is known to answer. There is only one command at a time: if the last
    /// one hasn't ended yet, it is dropped, and so is its answer.
    pub fn ask(&mut self, command: Command) {
        match &mut self.state {
            AtState::Sync(sync) | AtState::AwaitSync { sync, .. } => sync.next = Some(command),
            AtState::Settle { next, .. } => *next = Some(command),
            AtState::Idle | AtState::Ask(_) | AtState::Ended(_) if self.unanswered == 0 => {
                self.state = AtState::Ask(command);
            }
            AtState::Idle | AtState::Ask(_) | AtState::Ended(_) | AtState::Await { .. } => {
                self.state = AtState::Sync(Sync {
                    tries_left: SYNC_TRIES,
                    port: Port::Known,
                    next: Some(command),
                });
            }
            AtState::EndedAndGone(_) => self.state = AtState::Failed(self.left()),
            AtState::Failed(_) => {}
        }
    }

    /// Takes bytes that the port delivered. They may be split and joined anywhere.
    pub fn receive(&mut self, bytes: &[u8], now: Instant) {
        for byte in bytes {
            if let Some(answer) = self.collector.push(core::slice::from_ref(byte)) {
                self.unanswered = self.unanswered.saturating_sub(1);
                self.answered(answer, now);
            }
        }
        if let AtState::Settle { until, at_most, .. } = &mut self.state {
            *until = (now + QUIET).min(*at_most);
        }
    }

    /// Notes that the port has disappeared.
    pub fn closed(&mut self) {
        let left = self.left();
        self.state = match core::mem::replace(&mut self.state, AtState::Idle) {
            AtState::Await { command, .. } if command.effect() == Effect::Restarts => {
                AtState::EndedAndGone(Outcome::LeftBus)
            }
            AtState::Ended(Ok(outcome)) | AtState::EndedAndGone(outcome) => AtState::EndedAndGone(outcome),
            AtState::Failed(error) => AtState::Failed(error),
            _ => AtState::Failed(left),
        };
    }

    /// What to do now. After the end of the session this is always the same error.
    pub fn poll(&mut self, now: Instant) -> Step {
        loop {
            match core::mem::replace(&mut self.state, AtState::Idle) {
                AtState::Sync(mut sync) => {
                    let Some(tries_left) = sync.tries_left.checked_sub(1) else {
                        self.state = self.without_sync(sync.port);
                        continue;
                    };
                    sync.tries_left = tries_left;
                    let until = now + Command::SYNC.patience();
                    self.state = AtState::AwaitSync { sync, until };
                    return self.send(&Command::SYNC);
                }
                AtState::AwaitSync { sync, until } if now >= until => {
                    let heard = self.collector.heard();
                    self.hear(heard);
                    self.state = AtState::Sync(sync);
                }
                AtState::Settle { next, until, .. } if now >= until => {
                    self.unanswered = 0;
                    self.state = next.map_or(AtState::Idle, AtState::Ask);
                }
                AtState::Idle => return Step::Ready,
                AtState::Ask(command) => {
                    let step = self.send(&command);
                    let until = now + command.patience();
                    self.state = AtState::Await { command, until };
                    return step;
                }
                AtState::Await { command, until } if now >= until => {
                    let mut heard = self.collector.heard();
                    heard.truncate(MOST_HEARD);
                    return Step::Answer(Err(AtError::Silent {
                        command: command.text().into(),
                        waited: command.patience(),
                        heard,
                    }));
                }
                AtState::Ended(result) => return Step::Answer(result),
                AtState::EndedAndGone(outcome) => {
                    self.state = AtState::Failed(self.left());
                    return Step::Answer(Ok(outcome));
                }
                AtState::Failed(error) => {
                    self.state = AtState::Failed(error.clone());
                    return Step::Answer(Err(error));
                }
                // Merging these three arms would need a newer Rust than the supported minimum.
                AtState::AwaitSync { sync, until } => {
                    self.state = AtState::AwaitSync { sync, until };
                    return Step::Wait { until };
                }
                AtState::Settle { next, until, at_most } => {
                    self.state = AtState::Settle { next, until, at_most };
                    return Step::Wait { until };
                }
                AtState::Await { command, until } => {
                    self.state = AtState::Await { command, until };
                    return Step::Wait { until };
                }
            }
        }
    }

    fn send(&mut self, command: &Command) -> Step {
        self.collector = Collector::new(command.text());
        self.unanswered = self.unanswered.saturating_add(1);
        self.last = Some(command.text().into());
        Step::Send(command.to_bytes())
    }

    /// A final line came.
    fn answered(&mut self, answer: Answer, now: Instant) {
        self.state = match core::mem::replace(&mut self.state, AtState::Idle) {
            AtState::AwaitSync { sync, .. } if answer.result == Final::Ok => {
                self.heard.clear();
                match (self.unanswered, sync.next) {
                    (0, None) => AtState::Idle,
                    (0, Some(command)) => AtState::Ask(command),
                    (_, next) => AtState::Settle {
                        next,
                        until: now + QUIET,
                        at_most: now + QUIET_AT_MOST,
                    },
                }
            }
            AtState::AwaitSync { sync, .. } => {
                self.hear(answer.lines);
                self.hear([alloc::format!("{}", answer.result)]);
                AtState::Sync(sync)
            }
            AtState::Settle { next, .. } if self.unanswered == 0 => next.map_or(AtState::Idle, AtState::Ask),
            AtState::Await { .. } => AtState::Ended(Ok(Outcome::Answered(answer))),
            // A late answer; it was already subtracted from `unanswered`.
            state => state,
        };
    }

    /// The state after the last AT stayed without an OK.
    fn without_sync(&mut self, port: Port) -> AtState {
        let heard = core::mem::take(&mut self.heard);
        match port {
            Port::New => AtState::Failed(AtError::NotAnAtPort { heard }),
            Port::Known => AtState::Ended(Err(AtError::Silent {
                command: Command::SYNC.text().into(),
                waited: Command::SYNC.patience() * u32::from(SYNC_TRIES),
                heard,
            })),
        }
    }

    fn hear(&mut self, lines: impl IntoIterator<Item = String>) {
        let room = MOST_HEARD.saturating_sub(self.heard.len());
        self.heard.extend(lines.into_iter().take(room));
    }

    fn left(&self) -> AtError {
        AtError::Left {
            command: self.last.clone(),
        }
    }
}
