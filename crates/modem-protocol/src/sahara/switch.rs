//! Brings the modem from its Sahara hello to its Firehose server (sahara-firehose.md §3.3 and §6).
//!
//! The packets are: hello, hello response (mode 3), command ready, execute 0xFF00, execute response, execute data,
//! `confirmed`. The host sends nothing before the hello unless the [`Start`] says so. The mode in the hello decides
//! nothing; the modem's answer to execute does.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::time::Duration;

use super::Framer;
use super::message::{ClientCommand, HEADER_SIZE, Hello, HelloResponse, Mode, Packet, Status};
use crate::conversation::{Action, Connected, Conversation, ProtocolError, Refusal, Report, Step};
use crate::outbox::Outbox;
use crate::{Instant, ParseError};

/// How long an answer of the boot loader may take (sahara-firehose.md §3.3, recommended).
const ANSWER: Duration = Duration::from_secs(5);

/// How long the line has to be silent after a hello before the host answers it. An EM7565 that is answered too early
/// refuses execute with 0x1F (sahara-firehose.md §6 point 2).
pub const QUIET: Duration = Duration::from_millis(300);

/// The longest wait for silence after a hello; then the host answers anyway.
const QUIET_AT_MOST: Duration = Duration::from_secs(3);

/// How many repeated hellos are answered; one more is an error (sahara-firehose.md §3.3).
const MOST_REPEATED_HELLOS: u8 = 5;

/// The most data that is accepted as the answer to execute. EM7565 sends 9 bytes.
const MOST_DATA: u32 = 1024;

/// The highest protocol version that this host speaks.
const VERSION: u32 = 2;

/// Bytes that make an EM7565 send its hello again. The vendor's tool sends them (trace
/// em7565_sahara-firehose_vendor-sdk_2018, line 1).
pub const PROVOCATION: [u8; 24] = *b"UTUVUTUVUTUVUTUVUTUVUTUV";

/// How a [`Switch`] begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Start {
    /// Send nothing and wait for the hello.
    Await {
        /// The longest wait; 20 s are recommended.
        up_to: Duration,
    },
    /// These bytes have already come. They contain the hello, which may be incomplete and may follow bytes that
    /// aren't Sahara. A probe may have caused the modem to send it.
    Heard(Vec<u8>),
    /// Send [`PROVOCATION`] and wait for the hello.
    Provoke {
        /// The longest wait.
        up_to: Duration,
    },
    /// Send a hello response without having seen a hello, because a driver may have swallowed the hello
    /// (sahara-firehose.md §6 point 3 d).
    Unasked,
    /// Ask for command mode and wait for the hello. That is a way out of the memory debug mode of MC74xx and EM74xx
    /// (trace mc7455_9070-after-crash).
    SwitchMode {
        /// The longest wait.
        up_to: Duration,
    },
}

/// The conversation from hello to the confirmation of a client command.
///
/// Nothing is written to the modem's flash, so [`Conversation::stop`] takes effect at once.
///
/// A memory debug packet or a failed end of image transfer is [`ProtocolError::Refused`]. After that the boot loader
/// accepts no further attempt; restart it with [`super::reset::Reset`].
#[derive(Clone, Debug)]
pub struct Switch {
    framer: Framer,
    command: ClientCommand,
    state: SwitchState,
    hello: Option<Hello>,
    hellos: u8,
    strangers: usize,
    stop: Stop,
    out: Outbox,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stop {
    No,
    Asked,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum SwitchState {
    AwaitHello {
        since: Instant,
        until: Instant,
    },
    /// A hello came. The host waits for silence before it answers.
    Quiet {
        ready: Ready,
        until: Instant,
        at_most: Instant,
    },
    /// The hello response is sent.
    AwaitReady {
        ready: Ready,
        since: Instant,
    },
    AwaitExecuteResponse {
        since: Instant,
    },
    AwaitData {
        count: usize,
        since: Instant,
    },
    Finished,
}

/// Whether "command ready" came. It may come even before the hello response is sent (sahara-firehose.md vector 9).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ready {
    No,
    Yes,
}

impl Switch {
    /// Begins the switch to Firehose.
    pub fn to_firehose(start: Start, now: Instant) -> Self {
        Self::executing(ClientCommand::SwitchToFirehose, start, now)
    }

    /// Begins a conversation for any client command; [`Connected::Sahara`] reports the data that the command returns,
    /// which has to be text.
    pub fn executing(command: ClientCommand, start: Start, now: Instant) -> Self {
        let await_hello = |up_to| SwitchState::AwaitHello {
            since: now,
            until: now + up_to,
        };
        let mut out = Outbox::default();
        let mut heard = Vec::new();
        let state = match start {
            Start::Await { up_to } => await_hello(up_to),
            Start::Heard(bytes) => {
                heard = bytes;
                await_hello(ANSWER)
            }
            Start::Provoke { up_to } => {
                out.send(PROVOCATION.to_vec());
                await_hello(up_to)
            }
            Start::Unasked => {
                out.send(Packet::HelloResponse(HelloResponse::COMMAND_MODE).to_bytes());
                SwitchState::AwaitReady {
                    ready: Ready::No,
                    since: now,
                }
            }
            Start::SwitchMode { up_to } => {
                out.send(Packet::SwitchMode { mode: Mode::Command }.to_bytes());
                await_hello(up_to)
            }
        };
        let mut switch = Self {
            framer: Framer::default(),
            command,
            state,
            hello: None,
            hellos: 0,
            strangers: 0,
            stop: Stop::No,
            out,
        };
        switch.receive(&heard, now);
        switch
    }

    /// The last hello of the modem.
    pub const fn hello(&self) -> Option<Hello> {
        self.hello
    }

    /// The bytes after the confirmation, which belong to Firehose.
    pub fn into_rest(self) -> Vec<u8> {
        self.framer.into_rest()
    }

    fn step(&self) -> Step {
        match self.state {
            SwitchState::AwaitHello { .. } => Step::SaharaHello,
            SwitchState::Quiet { .. } | SwitchState::AwaitReady { .. } => Step::CommandReady,
            SwitchState::AwaitExecuteResponse { .. } => Step::SwitchToFirehose,
            SwitchState::AwaitData { .. } | SwitchState::Finished => Step::Confirmation,
        }
    }

    /// Reads the bytes that have come, packet by packet.
    fn read(&mut self, now: Instant) {
        while self.state != SwitchState::Finished && !self.out.has_failed() {
            if let SwitchState::AwaitData { count, .. } = self.state {
                if !looks_like_packet(self.framer.buffered()) {
                    match self.framer.take_raw(count) {
                        Some(data) => self.data(&data),
                        None => return,
                    }
                    continue;
                }
            }
            let is_before_hello = matches!(self.state, SwitchState::AwaitHello { .. });
            if is_before_hello && !begins_like_packet(self.framer.buffered()) {
                self.pass_over_strangers();
                if self.framer.buffered().len() < HEADER_SIZE {
                    return;
                }
            }
            match self.framer.next_packet() {
                Some(Ok(packet)) => self.packet(&packet, now),
                Some(Err(_)) if is_before_hello => self.pass_over_strangers(),
                Some(Err(error)) => {
                    let step = self.step();
                    self.out.fail(ProtocolError::Garbled { step, error });
                }
                // Bytes that aren't Sahara can look like an incomplete packet that contains the hello.
                None if is_before_hello => match super::find_hello(self.framer.buffered()) {
                    Some(at) if at > 0 => self.pass_over(at),
                    _ => return,
                },
                None => return,
            }
        }
    }

    /// Drops bytes up to the hello, but keeps bytes that may be the beginning of a hello.
    fn pass_over_strangers(&mut self) {
        let no_hello = self.framer.buffered().len().saturating_sub(HEADER_SIZE - 1);
        self.pass_over(super::find_hello(self.framer.buffered()).unwrap_or(no_hello));
    }

    fn pass_over(&mut self, count: usize) {
        if let Some(taken) = self.framer.take_raw(count) {
            self.strangers += taken.len();
        }
    }

    fn packet(&mut self, packet: &Packet, now: Instant) {
        let step = self.step();
        match (&mut self.state, packet) {
            (_, Packet::Hello(hello)) => self.said_hello(*hello, now),
            (_, Packet::EndOfImage { status, .. }) if *status != Status::Success => {
                self.out.fail(ProtocolError::Refused {
                    step,
                    refusal: Refusal::Sahara(*status),
                });
            }
            (_, Packet::MemoryDebug { .. } | Packet::MemoryDebug64 { .. }) => {
                self.out.fail(ProtocolError::Refused {
                    step,
                    refusal: Refusal::MemoryDebug,
                });
            }
            (
                SwitchState::Quiet { ready, .. } | SwitchState::AwaitReady { ready, .. },
                Packet::CommandReady,
            ) => {
                *ready = Ready::Yes;
            }
            // An earlier "command ready" came before the hello response; this one answers the hello response.
            (SwitchState::AwaitExecuteResponse { .. }, Packet::CommandReady) => {}
            (SwitchState::AwaitExecuteResponse { .. }, Packet::ExecuteResponse { command, length })
                if *command == self.command =>
            {
                self.answered(*length, now);
            }
            (_, got) => {
                self.out.fail(ProtocolError::Unexpected {
                    step,
                    expected: self.expected(),
                    got: got.to_string(),
                });
            }
        }
    }

    fn expected(&self) -> &'static str {
        match self.state {
            SwitchState::AwaitHello { .. } => "a hello",
            SwitchState::Quiet { .. } | SwitchState::AwaitReady { .. } => "command ready",
            SwitchState::AwaitExecuteResponse { .. } => "an execute response to this command",
            SwitchState::AwaitData { .. } | SwitchState::Finished => "the confirmation",
        }
    }

    fn said_hello(&mut self, hello: Hello, now: Instant) {
        self.hellos = self.hellos.saturating_add(1);
        let step = self.step();
        if self.hellos > 1 + MOST_REPEATED_HELLOS {
            self.out.fail(ProtocolError::Unexpected {
                step,
                expected: self.expected(),
                got: format!("hello number {}", self.hellos),
            });
            return;
        }
        if hello.compatible > VERSION {
            self.out.fail(ProtocolError::Unexpected {
                step,
                expected: "a protocol version of at most 2",
                got: format!("a hello that is compatible with {} and later", hello.compatible),
            });
            return;
        }
        if self.strangers > 0 {
            let strangers = core::mem::take(&mut self.strangers);
            self.out.report(Report::Noise(format!(
                "{strangers} bytes before the hello passed over"
            )));
        }
        if self.hellos > 1 {
            let why = "the modem said hello again".to_string();
            self.out.report(Report::Retrying {
                step: Step::CommandReady,
                attempt: self.hellos,
                why,
            });
        }
        self.hello = Some(hello);
        self.out.cancel_output();
        self.state = SwitchState::Quiet {
            ready: Ready::No,
            until: now + QUIET,
            at_most: now + QUIET_AT_MOST,
        };
    }

    fn answered(&mut self, length: u32, now: Instant) {
        match usize::try_from(length) {
            // No data will come, but the modem may wait for the execute data packet. If it doesn't, Firehose
            // complains about that packet, and the ping handles the complaint. The ping also shows whether Firehose
            // runs at all.
            Ok(0) => {
                self.out.send(
                    Packet::ExecuteData {
                        command: self.command,
                    }
                    .to_bytes(),
                );
                self.confirmed(String::new());
            }
            Ok(count) if length <= MOST_DATA => {
                self.out.send(
                    Packet::ExecuteData {
                        command: self.command,
                    }
                    .to_bytes(),
                );
                self.state = SwitchState::AwaitData { count, since: now };
            }
            _ => self.out.fail(ProtocolError::Unexpected {
                step: self.step(),
                expected: "at most 1024 bytes of data",
                got: format!("{length} bytes"),
            }),
        }
    }

    fn data(&mut self, data: &[u8]) {
        let text = core::str::from_utf8(data)
            .unwrap_or_default()
            .trim_matches(is_filler);
        if !text.is_empty() && text.chars().all(|c| c.is_ascii_graphic() || c == ' ') {
            self.confirmed(text.to_string());
        } else {
            let error = ParseError::Text {
                field: "confirmation",
                expected: "printable ASCII",
            };
            self.out.fail(ProtocolError::Garbled {
                step: Step::Confirmation,
                error,
            });
        }
    }

    fn confirmed(&mut self, confirmation: String) {
        let version = self.hello.map_or(VERSION, |hello| hello.version);
        self.out.report(Report::Connected(Connected::Sahara {
            version,
            confirmation,
        }));
        self.state = SwitchState::Finished;
    }

    /// Sends the next packet if the session was only waiting for a moment, or for the port to take the last output.
    fn advance(&mut self, now: Instant) {
        match self.state {
            SwitchState::Quiet {
                ready,
                until,
                at_most,
            } if now >= until.min(at_most) && self.out.is_clear() => {
                self.out
                    .send(Packet::HelloResponse(HelloResponse::COMMAND_MODE).to_bytes());
                self.state = SwitchState::AwaitReady { ready, since: now };
            }
            SwitchState::AwaitReady {
                ready: Ready::Yes, ..
            } if self.out.is_clear() => {
                self.out.send(
                    Packet::Execute {
                        command: self.command,
                    }
                    .to_bytes(),
                );
                self.state = SwitchState::AwaitExecuteResponse { since: now };
            }
            _ => {}
        }
    }

    /// When the present step began to wait, and how long it may wait.
    fn span(&self) -> (Instant, Instant) {
        match self.state {
            SwitchState::AwaitHello { since, until } => (since, until),
            SwitchState::Quiet { until, at_most, .. } => (until, until.min(at_most)),
            SwitchState::AwaitReady { since, .. }
            | SwitchState::AwaitExecuteResponse { since }
            | SwitchState::AwaitData { since, .. } => (since, since + ANSWER),
            SwitchState::Finished => (Instant::FAR, Instant::FAR),
        }
    }

    fn silence(&self, waited: Duration) -> ProtocolError {
        let step = self.step();
        let strangers = self.strangers + self.framer.buffered().len();
        match self.state {
            SwitchState::AwaitHello { .. } if strangers > 0 => ProtocolError::Unexpected {
                step,
                expected: self.expected(),
                got: format!("{strangers} bytes of something else"),
            },
            _ => ProtocolError::Silent { step, waited },
        }
    }
}

impl Conversation for Switch {
    fn receive(&mut self, bytes: &[u8], now: Instant) {
        if self.out.has_failed() || bytes.is_empty() {
            return;
        }
        if let SwitchState::Quiet { until, .. } = &mut self.state {
            *until = now + QUIET;
        }
        self.framer.push(bytes);
        self.read(now);
    }

    fn wrote(&mut self, count: usize, left: u64, now: Instant) {
        self.out.wrote(count, left, now);
        if left == 0 {
            match &mut self.state {
                SwitchState::AwaitReady { since, .. }
                | SwitchState::AwaitExecuteResponse { since }
                | SwitchState::AwaitData { since, .. } => *since = now,
                SwitchState::AwaitHello { .. } | SwitchState::Quiet { .. } | SwitchState::Finished => {}
            }
        }
    }

    fn closed(&mut self, _now: Instant) {
        if self.state != SwitchState::Finished {
            let step = self.step();
            self.out.fail(ProtocolError::Left { step });
        }
    }

    fn stop(&mut self) {
        self.stop = Stop::Asked;
    }

    fn poll(&mut self, now: Instant) -> Result<Action, ProtocolError> {
        if let Some(ready) = self.out.next(now) {
            return ready;
        }
        if self.state == SwitchState::Finished && self.out.is_clear() {
            return Ok(Action::Finished);
        }
        if self.stop == Stop::Asked {
            let step = self.step();
            self.out.fail(ProtocolError::Stopped { step });
        }
        self.advance(now);
        let (since, until) = self.span();
        match self.out.stall_deadline() {
            Some(stalled) => {
                self.out.check_stall(self.step(), now);
                self.out.next(now).unwrap_or(Ok(Action::Wait { until: stalled }))
            }
            None => {
                if now >= until && !matches!(self.state, SwitchState::Quiet { .. }) {
                    let error = self.silence(now - since);
                    self.out.fail(error);
                }
                self.out.next(now).unwrap_or(Ok(Action::Wait { until }))
            }
        }
    }
}

/// Whether the buffer begins with a packet, as opposed to printable text.
fn looks_like_packet(buffered: &[u8]) -> bool {
    matches!(buffered, [0x01..=0x13, 0, ..])
}

/// Whether these bytes begin with a known command, or may once more bytes have come.
fn begins_like_packet(buffered: &[u8]) -> bool {
    let (command, zeros) = match buffered.split_first() {
        Some((command, rest)) => (*command, rest.get(..3).unwrap_or(rest)),
        None => return true,
    };
    (0x01..=0x13).contains(&command) && zeros.iter().all(|&byte| byte == 0)
}

/// Whether this character may surround the text of a confirmation.
fn is_filler(c: char) -> bool {
    matches!(c, '\0' | '\r' | '\n' | '\t' | ' ')
}
