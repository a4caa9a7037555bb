//! The boot loader's side of Sahara (sahara-firehose.md §3 and §6), written from the specification. After the
//! switch it hands everything to [`Firehose`].

use std::time::Duration;

use modem_protocol::sahara::message::{ClientCommand, Hello, Mode as SaharaMode, Packet, Status};
use modem_world::Instant;

use crate::board::{Board, Delivery};
use crate::firehose::Firehose;
use crate::profile::SaharaTraits;
use crate::quirk::{ExecuteAnswer, HelloHabit, Provoked, RamDump};
use crate::violation::Wrong;

/// The highest command number (sahara-firehose.md §3).
const LAST_COMMAND: u8 = 0x13;
/// Packet lengths that the boot loader accepts (sahara-firehose.md §3; the upper limit is in its hello).
const LENGTHS: std::ops::RangeInclusive<usize> = 8..=0x400;
/// The shortest time until a provoked hello. Bytes that arrive in the meantime belong to what provoked it.
const PROVOKED_AFTER: Duration = Duration::from_millis(1);

/// A Sahara boot loader.
#[derive(Debug)]
pub(crate) struct Sahara {
    traits: SaharaTraits,
    dump: Option<RamDump>,
    state: SaharaState,
    /// When the next hello is due.
    hello_at: Option<Instant>,
    /// Execute will be refused (status 0x1F) until the next restart.
    spoiled: bool,
    /// How often the port was opened.
    opens: u32,
    /// How many hellos the host hasn't answered.
    unanswered: u8,
    /// How many hello responses will still be answered with another hello.
    repeats: u8,
    buffer: Vec<u8>,
}

#[derive(Debug)]
enum SaharaState {
    /// The boot loader hasn't said hello.
    Quiet,
    /// The host has sent bytes, and a hello will be the answer.
    Provoked,
    /// The boot loader has said hello. `heard` is true if the port was open then and the script hasn't
    /// spoiled the hello.
    Greeted { heard: bool },
    /// Command mode.
    Command,
    /// Execute was answered; the boot loader waits for the go-ahead.
    Executing,
    /// The boot loader offers its memory.
    MemoryDebug,
    /// The boot loader has refused something, and only a reset helps.
    Failed,
    /// The boot loader has switched to Firehose.
    Firehose(Box<Firehose>),
}

impl Sahara {
    /// The traits of a crashed modem of a QDL family (mc7455_9070-after-crash trace).
    pub(crate) const CRASHED_QDL: SaharaTraits = SaharaTraits {
        version: 2,
        mode: 2,
        sector_size_bytes: 4096,
        pages_per_block: 64,
        max_payload_bytes: 8192,
        tells_sectors: false,
        target_name: "9x30",
        greeting: &[],
        noise: None,
    };

    pub(crate) const fn new(traits: SaharaTraits, dump: Option<RamDump>) -> Self {
        Self {
            traits,
            dump,
            state: SaharaState::Quiet,
            hello_at: None,
            spoiled: false,
            opens: 0,
            unanswered: 0,
            repeats: 0,
            buffer: Vec::new(),
        }
    }

    pub(crate) fn attached(&mut self, board: &Board, now: Instant) {
        self.repeats = board.setup.quirks.repeated_hellos;
        self.hello_at = match board.setup.quirks.hello {
            HelloHabit::AfterEnumeration(after) => Some(now + after),
            HelloHabit::AtReopen => Some(now),
            _ => None,
        };
    }

    pub(crate) fn opened(&mut self, board: &Board, now: Instant) {
        self.opens = self.opens.saturating_add(1);
        let hello = board.setup.timings.hello;
        let said = !matches!(self.state, SaharaState::Quiet);
        match board.setup.quirks.hello {
            HelloHabit::AtOpen if !said => self.hello_at = Some(now + hello),
            HelloHabit::Late(after) if !said => self.hello_at = Some(now + after),
            HelloHabit::AtReopen if self.opens > 1 && matches!(self.state, SaharaState::Greeted { .. }) => {
                self.hello_at = Some(now + hello);
            }
            _ => {}
        }
    }

    pub(crate) fn closed(&mut self, board: &Board) {
        // These habits say hello to a host that reads, so the hello waits until one does.
        if matches!(self.state, SaharaState::Quiet)
            && matches!(board.setup.quirks.hello, HelloHabit::AtOpen | HelloHabit::Late(_))
        {
            self.hello_at = None;
        }
    }

    pub(crate) fn give_up(&mut self, board: &mut Board) {
        if let SaharaState::Firehose(firehose) = &mut self.state {
            firehose.give_up(board);
        }
    }

    pub(crate) const fn speaks_firehose(&self) -> bool {
        matches!(self.state, SaharaState::Firehose(_))
    }

    pub(crate) fn in_data(&self) -> bool {
        matches!(&self.state, SaharaState::Firehose(firehose) if firehose.in_data())
    }

    pub(crate) fn timer(&self, board: &Board) -> Instant {
        match &self.state {
            SaharaState::Firehose(firehose) => firehose.timer(board),
            _ => self.hello_at.unwrap_or(Instant::FAR),
        }
    }

    pub(crate) fn tick(&mut self, board: &mut Board, now: Instant) {
        if let SaharaState::Firehose(firehose) = &mut self.state {
            return firehose.tick(board, now);
        }
        if self.hello_at.take().is_some() {
            self.hello(board, now);
        }
    }

    fn hello(&mut self, board: &mut Board, now: Instant) {
        let hello = Packet::Hello(Hello {
            version: self.traits.version,
            compatible: board.setup.quirks.hello_compatible.unwrap_or(1),
            max_packet_length: 0x400,
            mode: self.traits.mode.into(),
            reserved: [0; 6],
        });
        self.buffer.clear();
        let count = if board.setup.quirks.hello_twice { 2 } else { 1 };
        self.unanswered = count;
        let mut heard = false;
        for _ in 0..count {
            heard |= board.say(hello.to_bytes(), now) == Delivery::Sound && board.opened;
        }
        self.state = SaharaState::Greeted { heard };
    }

    pub(crate) fn receive(&mut self, bytes: &[u8], board: &mut Board, now: Instant) {
        if bytes.is_empty() {
            return;
        }
        match &mut self.state {
            SaharaState::Firehose(firehose) => return firehose.receive(bytes, board, now),
            SaharaState::Provoked => return,
            SaharaState::Quiet => return self.too_early(bytes.len(), board, now),
            SaharaState::Greeted { .. }
            | SaharaState::Command
            | SaharaState::Executing
            | SaharaState::MemoryDebug
            | SaharaState::Failed => {}
        }
        self.buffer.extend_from_slice(bytes);
        while !self.buffer.is_empty() && !board.is_leaving() {
            match self.next_packet() {
                Next::Packet(packet) => self.packet(packet, board, now),
                Next::More => break,
                Next::Garbage => {
                    self.garbage(board, now);
                    break;
                }
                Next::Malformed(why) => {
                    self.buffer.clear();
                    board.wrong(
                        Wrong::Malformed {
                            request: "Sahara packet",
                            why,
                        },
                        now,
                    );
                    self.refuse(Status::InvalidPacketSize, board, now);
                    break;
                }
            }
            if let SaharaState::Firehose(firehose) = &mut self.state {
                let rest = std::mem::take(&mut self.buffer);
                if !rest.is_empty() {
                    firehose.receive(&rest, board, now);
                }
            }
        }
    }

    /// Bytes came before the hello (sahara-firehose.md §6): the answer to anything is a hello.
    fn too_early(&mut self, count: usize, board: &mut Board, now: Instant) {
        let comes_by_itself = self.hello_at.is_some();
        match board.setup.quirks.hello {
            HelloHabit::Never => return,
            _ if comes_by_itself => board.wrong(Wrong::WroteBeforeHello { count }, now),
            _ => {}
        }
        self.provoke(comes_by_itself, board, now);
    }

    /// Bytes that aren't a packet came after the hello.
    fn garbage(&mut self, board: &mut Board, now: Instant) {
        let heard = !matches!(self.state, SaharaState::Greeted { heard: false });
        if heard {
            let first = self.buffer.first().copied().unwrap_or_default();
            board.wrong(
                Wrong::Malformed {
                    request: "Sahara packet",
                    why: format!("first byte {first:#04x}"),
                },
                now,
            );
        }
        self.buffer.clear();
        match self.state {
            SaharaState::Greeted { .. } => self.provoke(heard, board, now),
            _ => self.refuse(Status::InvalidCommand, board, now),
        }
    }

    fn provoke(&mut self, impatient: bool, board: &Board, now: Instant) {
        self.spoiled |= match board.setup.quirks.provoked {
            Provoked::WorksIfPatient => impatient,
            Provoked::Works => false,
            Provoked::Refused => true,
            Provoked::RefusedUntilRestart => !board.has_restarted(),
        };
        self.state = SaharaState::Provoked;
        self.hello_at = Some(now + board.setup.timings.answer.max(PROVOKED_AFTER));
    }

    fn next_packet(&mut self) -> Next {
        let plausible = match self.buffer.as_slice() {
            [] => return Next::More,
            [command, rest @ ..] => {
                (1..=LAST_COMMAND).contains(command) && rest.iter().take(3).all(|&byte| byte == 0)
            }
        };
        if !plausible {
            return Next::Garbage;
        }
        let Some(declared) = self.buffer.get(4..).and_then(<[u8]>::first_chunk).copied() else {
            return Next::More;
        };
        let length = usize::try_from(u32::from_le_bytes(declared)).unwrap_or(usize::MAX);
        if !LENGTHS.contains(&length) {
            return Next::Malformed(format!("length {length}"));
        }
        let Some(bytes) = self.buffer.get(..length) else {
            return Next::More;
        };
        let parsed = Packet::parse(bytes);
        self.buffer.drain(..length);
        match parsed {
            Ok(packet) => Next::Packet(packet),
            Err(error) => Next::Malformed(error.to_string()),
        }
    }

    fn packet(&mut self, packet: Packet, board: &mut Board, now: Instant) {
        match (&self.state, packet) {
            (_, Packet::Reset) => {
                board.answer(Packet::ResetResponse.to_bytes(), now);
                board.restart(now);
            }
            (SaharaState::Greeted { .. }, Packet::HelloResponse(response)) => {
                self.unanswered = self.unanswered.saturating_sub(1);
                if response.version == 0 || response.compatible > self.traits.version {
                    board.wrong(Wrong::WrongVersion(response.version), now);
                    return self.refuse(Status::ProtocolMismatch, board, now);
                }
                if response.status != Status::Success || response.mode != SaharaMode::Command {
                    board.wrong(Wrong::WrongMode(response.mode.into()), now);
                    return self.refuse(Status::InvalidHostMode, board, now);
                }
                if self.repeats > 0 {
                    self.repeats -= 1;
                    return self.hello(board, now);
                }
                if let Some(deaf) = board.setup.quirks.deaf_after_enumeration {
                    self.spoiled |= now < board.attached_at + deaf;
                }
                if self.dump == Some(RamDump::Offers) {
                    self.state = SaharaState::MemoryDebug;
                    // Address and length are our own choices; the first region of a real dump is at
                    // 0xFE800000.
                    let table = Packet::MemoryDebug {
                        address: 0x0800_6AE0,
                        length: 0x3A8,
                    };
                    return board.answer(table.to_bytes(), now);
                }
                self.state = SaharaState::Command;
                board.answer(Packet::CommandReady.to_bytes(), now);
            }
            // More hellos were said than the host has answered: this is the answer to another hello.
            (
                SaharaState::Command | SaharaState::Executing | SaharaState::MemoryDebug,
                Packet::HelloResponse(_),
            ) if self.unanswered > 0 => {
                self.unanswered -= 1;
            }
            (SaharaState::Command | SaharaState::MemoryDebug, Packet::SwitchMode { .. }) => {
                self.hello(board, now)
            }
            (
                SaharaState::Command,
                Packet::Execute {
                    command: ClientCommand::SwitchToFirehose,
                },
            ) => {
                if self.spoiled || self.dump.is_some() {
                    return self.refuse(Status::CommandUnsupported, board, now);
                }
                let length = match board.setup.quirks.execute {
                    ExecuteAnswer::Confirmed => 9,
                    ExecuteAnswer::Empty => 0,
                    ExecuteAnswer::Announces(length) => length,
                };
                self.state = SaharaState::Executing;
                let command = ClientCommand::SwitchToFirehose;
                board.answer(Packet::ExecuteResponse { command, length }.to_bytes(), now);
            }
            // Only the private command is known to work; no host needs the others (sahara-firehose.md §3.1).
            (SaharaState::Command, Packet::Execute { .. }) => {
                self.refuse(Status::CommandUnsupported, board, now)
            }
            (
                SaharaState::Executing,
                Packet::ExecuteData {
                    command: ClientCommand::SwitchToFirehose,
                },
            ) => {
                if board.setup.quirks.execute == ExecuteAnswer::Confirmed {
                    board.answer(b"confirmed".to_vec(), now);
                }
                let mut firehose = Firehose::new(self.traits);
                firehose.start(board, now);
                self.state = SaharaState::Firehose(Box::new(firehose));
            }
            (SaharaState::MemoryDebug, Packet::MemoryRead { .. } | Packet::MemoryRead64 { .. }) => {
                self.refuse(Status::InvalidMemoryRead, board, now);
            }
            (_, packet @ Packet::Other { .. }) => {
                board.wrong(Wrong::UnknownCommand(packet.command()), now);
                self.refuse(Status::InvalidCommand, board, now);
            }
            (state, packet) => {
                let place = match state {
                    SaharaState::Greeted { .. } => "before the hello response",
                    SaharaState::Command => "in command mode",
                    SaharaState::Executing => "instead of the go-ahead",
                    SaharaState::Failed => "after a refusal",
                    _ => "in memory debug mode",
                };
                board.wrong(
                    Wrong::OutOfOrder {
                        request: packet.name(),
                        place,
                    },
                    now,
                );
                self.refuse(Status::InvalidCommand, board, now);
            }
        }
    }

    /// Answers with an error: end of image transfer.
    fn refuse(&mut self, status: Status, board: &mut Board, now: Instant) {
        self.state = SaharaState::Failed;
        board.answer(Packet::EndOfImage { image: 0, status }.to_bytes(), now);
    }
}

enum Next {
    Packet(Packet),
    More,
    Garbage,
    Malformed(String),
}
