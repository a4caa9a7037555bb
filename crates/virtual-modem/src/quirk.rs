//! Habits of particular modems and firmware versions that a host has to cope with.

use std::time::Duration;

/// The habits of one modem. [`Quirks::default`] is a modem that keeps to the specification.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Quirks {
    /// When a Sahara boot loader says hello.
    pub hello: HelloHabit,
    /// What happens to a session if the hello came only because the host had sent bytes.
    pub provoked: Provoked,
    /// Two hellos directly one after the other, instead of one.
    pub hello_twice: bool,
    /// How many hello responses are answered with another hello instead of "command ready"; hosts accept up
    /// to 5 (sahara-firehose.md §3.3).
    pub repeated_hellos: u8,
    /// The lowest compatible version in the hello, if it isn't 1. Above 2 the host must give up.
    pub hello_compatible: Option<u32>,
    /// If the host answers the hello sooner than this after enumeration, the session ends in status 0x1F
    /// (sahara-firehose.md §6.2).
    pub deaf_after_enumeration: Option<Duration>,
    /// The answer to the execute request for Firehose.
    pub execute: ExecuteAnswer,
    /// The answer to the configure request. By default a NAK with the profile's largest payload.
    pub payload: Option<PayloadAnswer>,
    /// What the zero block after a short last transfer block leads to.
    pub noise: Option<Noise>,
    /// How many times the modem refuses `program`, with a log line and a NAK, before it accepts it.
    pub refused_programs: RefusedPrograms,
    /// Firehose log lines that never end: one per period, starting at the greeting.
    pub endless_log: Option<Duration>,
    /// Log lines before the NAK that ends a failed image, instead of the usual ones.
    pub failure_lines: Vec<String>,
    /// Chunk size in the QDL open response, if it isn't the requested one.
    pub chunk_size: Option<u32>,
    /// The image with this number (from 1) isn't required (QDL open status 7).
    pub not_required: Option<u32>,
    /// The text in QDL error reports and in failed session ends.
    pub error_text: Option<String>,
    /// Every answer takes this much longer.
    pub slow: Duration,
    /// How messages are cut into USB transfers.
    pub pieces: Pieces,
    /// How many QMI messages the modem ignores after the port was opened (field-reports.md A7).
    pub ignored_messages: u8,
    /// All client ids are taken by programs that have gone, until a host sends sync.
    pub has_stale_clients: bool,
    /// The control port gives no answer at all.
    pub is_control_silent: bool,
    /// MBIM CLOSE stays unanswered.
    pub mbim_close_is_unanswered: bool,
    /// An MBIM OPEN isn't answered while the session of another program is open (field-reports.md D12).
    pub mbim_is_deaf_while_open: bool,
    /// `AT!BOOTHOLD`.
    pub boot_hold: BootHoldHabit,
    /// The modem asks for images again although it lists them as stored.
    pub asks_for_stored: bool,
    /// The index that the modem reports for the running image, if it is another one (field-reports.md D9).
    pub running_index: Option<u8>,
    /// The NMEA port prints lines without a request (at.md §1).
    pub prints_positions: bool,
    /// When the host configures the modem anew, the modem leaves the bus for a moment and gets a new number.
    /// By default it stays on the bus.
    pub leaves_when_configured: bool,
    /// A boot loader that speaks Firehose goes on with that when the host configures the modem anew. By default it says hello
    /// again. No source tells which of the two is real.
    pub keeps_firehose: bool,
    /// How the boot loader shows itself on the way to firmware that was just flashed.
    pub passing: Option<Passing>,
}

/// The boot loader appears on the bus on the way to firmware that was just flashed, and leaves again whatever the host
/// sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Passing {
    /// How often the boot loader appears before the firmware starts.
    pub times: u8,
    /// How long the boot loader stays each time.
    pub lasting: Duration,
    /// The USB id that the boot loader has then, if it isn't the usual one.
    pub id: Option<(u16, u16)>,
}

impl Passing {
    /// The boot loader with its usual id.
    pub const fn new(times: u8, lasting: Duration) -> Self {
        Self {
            times,
            lasting,
            id: None,
        }
    }
}

/// What `AT!BOOTHOLD` does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum BootHoldHabit {
    /// The modem goes to boot & hold.
    #[default]
    Works,
    /// The modem goes to boot & hold, but only after `AT!ENTERCND`.
    NeedsUnlock,
    /// The modem says OK and does nothing.
    OnlySaysOk,
    /// The modem says "NOT IMPLEMENTED" and then OK, and does nothing, as some EM7455 do.
    NotImplemented,
    /// The modem doesn't know the command (field-reports.md B11).
    Unknown,
}

/// When a Sahara boot loader says hello.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum HelloHabit {
    /// As soon as the host reads, and the profile's time has passed.
    #[default]
    AtOpen,
    /// This long after the host began to read.
    Late(Duration),
    /// This long after the modem came onto the bus, whether the host reads or not. The hello is lost if the
    /// port isn't open yet.
    AfterEnumeration(Duration),
    /// Like [`HelloHabit::AfterEnumeration`] without any delay, and again when the host closes the port and
    /// opens it once more.
    AtReopen,
    /// Only after the host has sent bytes (one reading of the RC7620 log).
    AfterBytes,
    /// Never.
    Never,
}

/// What happens to a session if the hello came only because the host had sent bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Provoked {
    /// The session works if no hello would have come by itself (em7565_sahara-firehose_vendor-sdk trace). If
    /// the host was only too impatient, the session ends in status 0x1F (sahara-firehose.md §6.1).
    #[default]
    WorksIfPatient,
    /// The session works in any case.
    Works,
    /// Execute ends in status 0x1F, and after a restart it does so again.
    Refused,
    /// Execute ends in status 0x1F until the boot loader has restarted. A new enumeration alone doesn't help, unless the boot
    /// loader then says hello by itself.
    RefusedUntilRestart,
}

/// The ways in which the first seconds at the port of an RC7620 or a WP7607 in download mode may go. The log of the RC7620
/// (rc7620_tp1_failed trace) doesn't tell which of them is real, so a host has to manage all of them.
pub const STARTS_OF_9X07: [(&str, HelloHabit, Provoked); 3] = [
    (
        "says hello only after the first bytes, and then works",
        HelloHabit::AfterBytes,
        Provoked::Works,
    ),
    (
        "says hello only after the first bytes, and then refuses until the next restart",
        HelloHabit::AfterBytes,
        Provoked::RefusedUntilRestart,
    ),
    (
        "has said hello before the port was opened, so that nobody heard it",
        HelloHabit::AfterEnumeration(Duration::ZERO),
        Provoked::WorksIfPatient,
    ),
];

/// The answer to the execute request for Firehose.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ExecuteAnswer {
    /// `confirmed`, 9 bytes.
    #[default]
    Confirmed,
    /// Length 0 and no data.
    Empty,
    /// This length, but no data after the go-ahead.
    Announces(u32),
}

/// The answer to configure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PayloadAnswer {
    /// A NAK with this number, then an ACK when the host sends configure again with at most this number.
    Nak(u32),
    /// ACK with this number.
    Ack(u32),
    /// An ACK without a number: the requested number holds.
    AckWithoutNumber,
}

/// How many times in a row the modem refuses `program` (sahara-firehose.md §5.3). It stays in command mode.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RefusedPrograms {
    /// Not at all.
    #[default]
    None,
    /// The first so many requests of each image.
    First(u16),
    /// Every request.
    All,
}

/// What the zero block leads to (sahara-firehose.md §5.3): the log line "XML not formed correctly", one or
/// several times, each with a NAK.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Noise {
    /// When the complaints come.
    pub moment: NoiseMoment,
    /// How many complaints come together.
    pub messages: u16,
    /// What happens to the requests that meet the complaints.
    pub request: NoisyRequest,
    /// The time from one complaint to the next, and from the last one to the answer.
    pub spacing: Duration,
}

/// When the complaints about the zero block come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoiseMoment {
    /// In the same transfer as the final ACK (EM7511).
    WithVerdict,
    /// Around the next request.
    AtNextRequest,
}

/// What happens to a request that meets the complaints about the zero block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoisyRequest {
    /// This many requests are lost, each with a round of complaints.
    Lost(u16),
    /// The request stays queued and is answered after the complaints.
    Queued,
}

impl Noise {
    /// One complaint and a lost request.
    pub const ONCE: Self = Self {
        moment: NoiseMoment::AtNextRequest,
        messages: 1,
        request: NoisyRequest::Lost(1),
        spacing: Duration::from_millis(1),
    };
    /// One complaint, and the request stays queued behind it: a host that sends the request again spoils the
    /// flash.
    pub const QUEUED: Self = Self {
        request: NoisyRequest::Queued,
        ..Self::ONCE
    };
    /// One complaint in the same read as the final ACK (EM7511).
    pub const JOINED: Self = Self {
        moment: NoiseMoment::WithVerdict,
        ..Self::QUEUED
    };
    /// Many complaints, as from a WP76xx; the vendor tool waits for up to 40.
    pub const MANY: Self = Self {
        messages: 20,
        request: NoisyRequest::Lost(2),
        ..Self::ONCE
    };
}

/// How messages are cut into USB transfers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Pieces {
    /// Each message is one transfer.
    #[default]
    Whole,
    /// Each message is cut after this many bytes (modulo its length), and the rest comes a moment later.
    Cut {
        /// Bytes of the first piece.
        at: usize,
        /// The time from the first piece to the second.
        pause: Duration,
    },
    /// Messages that are ready at the same time become one transfer.
    Joined,
}

/// What is behind the port.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// The boot loader, ready for images.
    #[default]
    Download,
    /// The boot loader of a crashed modem that offers its memory (mc7455_9070-after-crash trace).
    RamDump(RamDump),
    /// The firmware, on several interfaces.
    Normal,
    /// A DIAG port of the firmware that looks like a download port: it answers `13 …` (em7455_sdp-0x13
    /// trace).
    Diag,
    /// A port with echo.
    Echo,
    /// Another device altogether.
    Foreign,
    /// Qualcomm's boot loader 05c6:9008, because the modem's own one is gone (mc7750_05c6-9008 trace).
    Pbl,
    /// Nothing answers.
    Dead,
}

/// How a modem with a memory dump answers a host that wants command mode.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RamDump {
    /// The modem offers its memory table (packet 0x09).
    #[default]
    Offers,
    /// The modem answers "command ready", but execute ends in status 0x1F.
    RefusesExecute,
}
