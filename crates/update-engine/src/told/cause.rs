//! What can happen in a run: the chain below an [`UpdateError`](super::error::UpdateError), whose code, headline and advice stand on its card.

use modem_protocol::ProtocolError;
use modem_protocol::control::ControlError;
use modem_world::{DiscoveryError, LockHolder, PortError};

use super::plan::Warning;
use crate::modem::{Mode, Protocol, Selector};
use crate::request::ControlChoice;

/// What happened.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Cause {
    /// There is no image to send.
    #[error("no image file was given that could be sent")]
    NoImages,
    /// An image can't be read.
    #[error("{file}: {why}")]
    ImageUnreadable {
        /// The file.
        file: String,
        /// Why.
        why: String,
    },
    /// An image is damaged.
    #[error("{file}: {why}")]
    ImageDamaged {
        /// The file.
        file: String,
        /// What is wrong.
        why: String,
    },
    /// An image isn't any more what was checked.
    #[error("{file}: {why}")]
    ImageChanged {
        /// The file.
        file: String,
        /// What differs.
        why: String,
    },
    /// The images don't belong together.
    #[error("{why}")]
    ImagesDisagree {
        /// How.
        why: String,
    },
    /// The image is for other modems.
    #[error("{file} is for {image}, the modem is {modem}")]
    ImageOfOtherFamily {
        /// The file.
        file: String,
        /// What the image is for.
        image: String,
        /// What the modem is.
        modem: String,
    },
    /// There are warnings that the user has to confirm.
    #[error("{}", warnings.iter().map(|warning| warning.text.as_str()).collect::<Vec<_>>().join("; "))]
    NotConfirmed {
        /// The warnings.
        warnings: Vec<Warning>,
    },
    /// The port can't be used.
    #[error("{0}")]
    Port(#[from] PortError),
    /// The bus can't be read.
    #[error("{0}")]
    Discovery(#[from] DiscoveryError),
    /// The port belongs to something else.
    #[error("{port} belongs to {what}")]
    NotAModem {
        /// The port.
        port: String,
        /// What it belongs to.
        what: String,
    },
    /// The port isn't the single port of a modem in download mode, and can't be judged.
    #[error("{port}: {why}")]
    UnknownDevice {
        /// The port.
        port: String,
        /// Why it can't be judged.
        why: String,
    },
    /// The modem is in normal mode.
    #[error("{evidence}")]
    RunsNormally {
        /// How that is known.
        evidence: String,
    },
    /// Qualcomm's primary boot loader: Sierra's loader is gone.
    #[error("{evidence}")]
    EmergencyMode {
        /// How that is known.
        evidence: String,
    },
    /// Something answered that is no boot loader.
    #[error("the answer to the download probe was {answer}")]
    ForeignAnswer {
        /// The first bytes of the answer: text in quotes, else in hex.
        answer: String,
    },
    /// Nothing ever answered.
    #[error("no byte came from the port; tried: {tried}")]
    Mute {
        /// What was tried.
        tried: String,
    },
    /// In memory-dump mode, and a reset didn't help.
    #[error("it offers a memory dump again after it was reset")]
    Crashed,
    /// Sahara refuses the switch to Firehose, and a reset didn't help.
    #[error("it refused the switch to Firehose ({refusal}) again after it was reset")]
    SpoiledStart {
        /// What it said.
        refusal: String,
    },
    /// Reset for a new start, it didn't come back.
    #[error("not seen on the bus again within {waited_s} s")]
    DidNotReturn {
        /// How long it was waited for, in seconds.
        waited_s: u64,
    },
    /// All images are accepted, but it didn't leave the bus.
    #[error("still on the bus {waited_s} s after the reset request")]
    DidNotLeave {
        /// How long it was waited for, in seconds.
        waited_s: u64,
    },
    /// The protocol failed.
    #[error("{error}")]
    Protocol {
        /// Which protocol.
        layer: Layer,
        /// How.
        error: ProtocolError,
    },
    /// No modem fits what the user asked for.
    #[error("{}{}", none_fits(wanted), listed(others, "; there is"))]
    NoModem {
        /// What was asked for.
        wanted: Selector,
        /// The modems that there are, a line each.
        others: Vec<String>,
    },
    /// More than one modem fits.
    #[error("{}{}", several_fit(wanted, found.len()), listed(found, ""))]
    SeveralModems {
        /// What was asked for.
        wanted: Selector,
        /// The modems that fit, a line each.
        found: Vec<String>,
    },
    /// The modem is on the bus, but no driver made a port of it.
    #[error("{id} is on the bus in {mode} mode, but no driver made a port of it")]
    NoPort {
        /// USB id.
        id: String,
        /// Its mode.
        mode: Mode,
    },
    /// In download mode the modem would have an id that no driver knows.
    #[error(
        "in download mode it is {}, and no driver of this host makes a port of that",
        crate::modem::ids::words(ids)
    )]
    NoDownloadPort {
        /// `(vendor, product)` that it may have there.
        ids: Vec<(u16, u16)>,
    },
    /// ModemManager has the modem and can't be asked to let go.
    #[error("ModemManager has the modem: {why}")]
    Held {
        /// Why it doesn't let go.
        why: String,
        /// What the user can do.
        help: String,
    },
    /// Another process has the modem's lock, as runs of this program do.
    #[error("{holder}{more}")]
    Locked {
        /// Who has it.
        holder: LockHolder,
        /// The end of that sentence, where the modem was looked for by its IMEI.
        more: String,
    },
    /// A request over the control port failed.
    #[error("{error}")]
    Control {
        /// How.
        error: ControlError,
    },
    /// The modem answers on none of its ports.
    #[error("no port of the modem answers: {}", tried.join("; "))]
    Unreachable {
        /// What was tried and what came of it.
        tried: Vec<String>,
    },
    /// No control port of the modem answers in the language that was asked for.
    #[error("no answer over {choice}, which was asked for: {}", tried.join("; "))]
    NotInLanguage {
        /// The language.
        choice: ControlChoice,
        /// What was tried and what came of it.
        tried: Vec<String>,
    },
    /// The modem asks for something that no file brings.
    #[error("the modem asks for {what}, and no file brings that")]
    ImagesMissing {
        /// What it asks for.
        what: &'static str,
    },
    /// A version that the modem has to be told isn't known.
    #[error("the files don't tell the {} that the modem has to be told", missing.join(" and the "))]
    VersionsMissing {
        /// What is missing: "firmware version", "config version", "carrier".
        missing: Vec<&'static str>,
    },
    /// What the user says and what the files say differs.
    #[error("{what}: {given} was asked for, but the files are for {found}")]
    VersionsDiffer {
        /// Which version.
        what: &'static str,
        /// What the user says.
        given: String,
        /// What the files say.
        found: String,
    },
    /// The modem's firmware is too old for this one.
    #[error("{why}")]
    HopNeeded {
        /// The rule, with both versions.
        why: String,
    },
    /// The modem runs pre-production firmware, and releases have made such modems unusable.
    #[error("{why}")]
    PreProduction {
        /// The version that it runs, and what speaks against it.
        why: String,
    },
    /// The storage index isn't one that the modem has.
    #[error("storage index {index}: the modem has {}", words_of_slots(*maximum))]
    NoSuchSlot {
        /// What was asked for.
        index: u8,
        /// How many the modem has; none: it doesn't tell.
        maximum: Option<u8>,
    },
    /// The stored image that is to be deleted is in use.
    #[error("{image}: {}", uses.join(", "))]
    SlotInUse {
        /// Build id of the image.
        image: String,
        /// What the modem does with it.
        uses: Vec<&'static str>,
    },
    /// What was asked of a modem that can't do it.
    #[error("{what}")]
    NotSupported {
        /// What it can't do.
        what: String,
    },
    /// Nothing brings the modem into download mode.
    #[error("tried: {}", tried.join("; "))]
    NotEntered {
        /// The ways that were tried and what came of each.
        tried: Vec<String>,
        /// Whether its carrier board may be to blame (field-reports.md B1).
        is_pin: bool,
    },
    /// It got everything and restarted, but into its boot loader, more than once.
    #[error("it accepted all images, restarted, and came back in download mode each time")]
    BackInDownloadMode,
    /// It was restarted, but into its boot loader.
    #[error("it came back in download mode")]
    RestartedIntoLoader,
    /// The modem refused an AT command.
    #[error("{}", lines.join(" / "))]
    CommandRefused {
        /// The lines of its answer.
        lines: Vec<String>,
    },
    /// Nothing restarts the modem.
    #[error("tried: {}", tried.join("; "))]
    NotRestarted {
        /// The ways that were tried and what came of each.
        tried: Vec<String>,
    },
    /// The modem that came back isn't the one that left.
    #[error("the modem that came back has another IMEI ({was}, now {is})")]
    OtherModem {
        /// The last digits of the IMEI before.
        was: String,
        /// The last digits now.
        is: String,
    },
    /// What the modem reports isn't what was wanted.
    #[error("{}{}", differences.join("; "), words_of_lack(*lacks))]
    NotProven {
        /// What differs.
        differences: Vec<String>,
        /// What it would ask for if it was told once more, and no file brings.
        lacks: Option<&'static str>,
    },
    /// The modem runs again, but can't be asked what.
    #[error("it came back as {id}, but it can't be asked for its versions: {why}")]
    NotReadBack {
        /// USB id.
        id: String,
        /// Why.
        why: String,
    },
    /// Somebody looked at the plan and said no.
    #[error("the plan was declined")]
    Declined,
    /// The user stopped the run.
    #[error("{how}")]
    Stopped {
        /// How.
        how: &'static str,
    },
    /// The user stopped the run for the second time: at once.
    #[error("stopped at once, without waiting for a safe point")]
    StoppedMidway,
    /// Something that can't be.
    #[error("{what}")]
    Bug {
        /// What.
        what: String,
    },
}

impl Cause {
    /// Another run has the modem.
    pub(crate) const fn locked(holder: LockHolder) -> Self {
        Self::Locked {
            holder,
            more: String::new(),
        }
    }
}

fn none_fits(wanted: &Selector) -> String {
    match wanted {
        Selector::Only => "there is no Sierra Wireless modem".to_owned(),
        other => format!("no modem fits {other}"),
    }
}

fn several_fit(wanted: &Selector, count: usize) -> String {
    match wanted {
        Selector::Only => format!("there are {count} modems"),
        other => format!("{count} modems fit {other}"),
    }
}

/// Lines behind a headline.
fn listed(lines: &[String], before: &str) -> String {
    if lines.is_empty() {
        return String::new();
    }
    let lines: String = lines.iter().map(|line| format!("\n    {line}")).collect();
    format!("{before}:{lines}")
}

fn words_of_lack(lacks: Option<&'static str>) -> String {
    lacks.map_or_else(String::new, |what| {
        format!("; it would ask for {what}, and no file brings that")
    })
}

fn words_of_slots(maximum: Option<u8>) -> String {
    match maximum {
        Some(0) | None => "no slots to choose from".to_owned(),
        Some(1) => "one slot".to_owned(),
        Some(maximum) => format!("slots 1 to {maximum}"),
    }
}

/// Which protocol failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Layer {
    /// DLOAD and QDL.
    Qdl,
    /// Sahara.
    Sahara,
    /// Firehose.
    Firehose,
}

impl Layer {
    /// The layer in which a modem of this protocol takes its images.
    pub fn of(protocol: Protocol) -> Self {
        match protocol {
            Protocol::Qdl => Self::Qdl,
            Protocol::SaharaFirehose => Self::Firehose,
        }
    }
}
