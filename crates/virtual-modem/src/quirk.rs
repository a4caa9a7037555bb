//! Habits of single modems and firmware versions that a host has to cope with.

use std::time::Duration;

/// The habits of one modem. [`Quirks::default`] is a modem that keeps to the specification.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Quirks {
    /// When a Sahara boot loader says hello.
    pub hello: HelloHabit,
    /// What becomes of a session whose hello was brought out by bytes of the host.
    pub provoked: Provoked,
    /// Two hellos directly one after the other, instead of one.
    pub hello_twice: bool,
    /// So many hello responses are answered with another hello instead of "command ready"; hosts take up to 5
    /// (sahara-firehose.md §3.3).
    pub repeated_hellos: u8,
    /// Lowest compatible version in the hello, when it isn't 1; above 2 the host must give up.
    pub hello_compatible: Option<u32>,
    /// A hello that is answered sooner than this after enumeration ends in status 0x1F (sahara-firehose.md §6.2).
    pub deaf_after_enumeration: Option<Duration>,
    /// The answer to the execute request for Firehose.
    pub execute: ExecuteAnswer,
    /// The answer to configure; without it the profile's largest payload in a NAK.
    pub payload: Option<PayloadAnswer>,
    /// What the zero block behind a short last transfer block leads to.
    pub noise: Option<Noise>,
    /// Firehose log lines that never end: one after each of these times, from the greeting on.
    pub endless_log: Option<Duration>,
    /// Failure log lines before the NAK that ends an image, instead of the usual ones.
    pub failure_lines: Vec<String>,
    /// Chunk size in the QDL open response, when it isn't the one asked for.
    pub chunk_size: Option<u32>,
    /// The image with this number (from 1) isn't required (QDL open status 7).
    pub not_required: Option<u32>,
    /// Text of QDL error reports and failed session ends.
    pub error_text: Option<String>,
    /// Every answer takes so much longer.
    pub slow: Duration,
    /// How messages are cut into USB transfers.
    pub pieces: Pieces,
    /// So many QMI messages stay unanswered after the port was opened (field-reports.md A7).
    pub ignored_messages: u8,
    /// Every client id is taken by a program that has gone, until somebody syncs.
    pub has_stale_clients: bool,
    /// The control port gives no answer at all.
    pub is_control_silent: bool,
    /// MBIM CLOSE stays unanswered.
    pub mbim_close_is_unanswered: bool,
    /// `AT!BOOTHOLD`.
    pub boot_hold: BootHoldHabit,
    /// It wants images to be sent again that it lists as stored.
    pub asks_for_stored: bool,
    /// The index of the running image that it tells (field-reports.md D9).
    pub running_index: Option<u8>,
    /// The NMEA port prints lines without being asked (at.md §1).
    pub prints_positions: bool,
    /// It leaves the bus for a moment when the host configures it anew, and gets a new number there. Others stay.
    pub leaves_when_configured: bool,
}

/// What `AT!BOOTHOLD` does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum BootHoldHabit {
    /// It leads to boot & hold.
    #[default]
    Works,
    /// It does after `AT!ENTERCND`.
    NeedsUnlock,
    /// It says OK and stays where it is.
    OnlySaysOk,
    /// It isn't known (field-reports.md B11).
    Unknown,
}

/// When a Sahara boot loader says hello.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum HelloHabit {
    /// As soon as the host reads, after the profile's time.
    #[default]
    AtOpen,
    /// So long after the host began to read.
    Late(Duration),
    /// So long after it came onto the bus, whether the host reads or not: lost when the port isn't open yet.
    AfterEnumeration(Duration),
    /// As [`HelloHabit::AfterEnumeration`] with no time at all; and again when the port is closed and opened once
    /// more.
    AtReopen,
    /// Only after the first bytes of the host (one reading of the RC7620 log).
    AfterBytes,
    /// Never.
    Never,
}

/// What becomes of a session whose hello was brought out by bytes of the host.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Provoked {
    /// It works when no hello would have come by itself (em7565_sahara-firehose_vendor-sdk trace), and ends in status
    /// 0x1F when the host was too impatient (sahara-firehose.md §6.1).
    #[default]
    WorksIfPatient,
    /// It works in any case.
    Works,
    /// Execute ends in status 0x1F until the next restart.
    Refused,
}

/// The answer to the execute request for Firehose.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ExecuteAnswer {
    /// `confirmed`, 9 bytes.
    #[default]
    Confirmed,
    /// Length 0 and no data.
    Empty,
    /// This length, and no data behind the go-ahead.
    Announces(u32),
}

/// The answer to configure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PayloadAnswer {
    /// NAK with this number, ACK when configure is sent again with no more than that.
    Nak(u32),
    /// ACK with this number.
    Ack(u32),
    /// ACK without a number: the number asked for holds.
    AckWithoutNumber,
}

/// What the zero block leads to (sahara-firehose.md §5.3): log lines "XML not formed correctly", each with a NAK.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Noise {
    /// When it comes.
    pub moment: NoiseMoment,
    /// Complaints at once.
    pub messages: u16,
    /// What becomes of the requests that meet it.
    pub request: NoisyRequest,
    /// From a complaint to the next, and to the answer behind them.
    pub spacing: Duration,
}

/// When the complaint about the zero block comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoiseMoment {
    /// In the same transfer as the final ACK (EM7511).
    WithVerdict,
    /// Around the next request.
    AtNextRequest,
}

/// What becomes of a request that meets the complaint about the zero block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoisyRequest {
    /// So many requests are lost, each with a round of complaints.
    Lost(u16),
    /// It is still queued behind the complaints.
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
    /// One complaint, and the request still queued behind it: who sends the request again spoils the flash.
    pub const QUEUED: Self = Self {
        request: NoisyRequest::Queued,
        ..Self::ONCE
    };
    /// In the same read as the final ACK (EM7511).
    pub const JOINED: Self = Self {
        moment: NoiseMoment::WithVerdict,
        ..Self::QUEUED
    };
    /// Many complaints, as of a WP76xx; the vendor tool waits for up to 40.
    pub const MANY: Self = Self {
        messages: 20,
        request: NoisyRequest::Lost(2),
        ..Self::ONCE
    };
}

/// How messages are cut into USB transfers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Pieces {
    /// Each message is a transfer.
    #[default]
    Whole,
    /// Each message is cut behind this many bytes (taken modulo its length), the rest comes a moment later.
    Cut {
        /// Bytes of the first piece.
        at: usize,
        /// From the first piece to the second.
        pause: Duration,
    },
    /// Messages that are ready at the same time are one transfer.
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
    /// The firmware's DIAG port that looks like a download port: answers `13 …` (em7455_sdp-0x13 trace).
    Diag,
    /// A port with echo.
    Echo,
    /// Another device altogether.
    Foreign,
    /// Qualcomm's boot loader 05c6:9008, the modem's own is gone (mc7750_05c6-9008 trace).
    Pbl,
    /// Nothing answers.
    Dead,
}

/// What a modem with a memory dump says to a host that wants command mode.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RamDump {
    /// It offers its memory table (packet 0x09).
    #[default]
    Offers,
    /// "Command ready", but execute ends in status 0x1F.
    RefusesExecute,
}
