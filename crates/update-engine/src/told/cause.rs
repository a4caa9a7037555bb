//! What can go wrong in a run: the cause behind an [`UpdateError`](super::error::UpdateError). Code, headline
//! and advice are on the card of the cause.

use modem_protocol::ProtocolError;
use modem_protocol::control::ControlError;
use modem_world::{DiscoveryError, LockHolder, PortError, UsbDevice};

use super::plan::Warning;
use crate::modem::{Mode, Modem, Protocol, Selector};
use crate::request::ControlChoice;

/// What happened.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Cause {
    /// There is no image to send.
    #[error("none of the files is an image that can be sent")]
    NoImages,
    /// An image can't be read.
    #[error("{file}: {why}")]
    ImageUnreadable {
        /// The file.
        file: String,
        /// Why the file can't be read.
        why: String,
    },
    /// An image is damaged.
    #[error("{file}: {why}")]
    ImageDamaged {
        /// The file.
        file: String,
        /// What is wrong.
        why: String,
        /// Whether the damage isn't certain, so that `--force` sends the file.
        can_be_forced: bool,
    },
    /// An image file has changed since it was checked.
    #[error("{file}: {why}")]
    ImageChanged {
        /// The file.
        file: String,
        /// What has changed.
        why: String,
    },
    /// The images don't belong together.
    #[error("{why}")]
    ImagesDisagree {
        /// In what the files disagree.
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
    /// The port belongs to a device that is not a Sierra Wireless modem.
    #[error("{port} belongs to {what}")]
    NotAModem {
        /// The port.
        port: String,
        /// What the port belongs to.
        what: String,
    },
    /// modemflash can't tell whether the port belongs to a modem in download mode: it isn't the single port
    /// of such a modem.
    #[error("{port}: {why}")]
    UnknownDevice {
        /// The port.
        port: String,
        /// Why modemflash can't tell.
        why: String,
    },
    /// The modem is in normal mode.
    #[error("{evidence}")]
    RunsNormally {
        /// How that is known.
        evidence: String,
    },
    /// Qualcomm's primary boot loader answers: Sierra's boot loader is gone.
    #[error("{evidence}")]
    EmergencyMode {
        /// How that is known.
        evidence: String,
    },
    /// Something answered that is not a known boot loader.
    #[error("the answer to the download probe was {answer}")]
    ForeignAnswer {
        /// The first bytes of the answer: text in quotes, else in hex.
        answer: String,
    },
    /// Nothing has answered on the port.
    #[error("no byte came from the port; tried: {tried}")]
    Mute {
        /// What was tried.
        tried: String,
    },
    /// The modem is in memory-dump mode, and a reset didn't help.
    #[error("the modem offered a memory dump again after it was reset")]
    Crashed,
    /// The boot loader refuses the switch from Sahara to Firehose, and a reset didn't help.
    #[error("the boot loader refused the switch to Firehose ({refusal}) again after it was reset")]
    SpoiledStart {
        /// What the boot loader answered.
        refusal: String,
    },
    /// The modem was reset and didn't come back.
    #[error("not seen on the bus again within {waited_s} s")]
    DidNotReturn {
        /// How long the run waited, in seconds.
        waited_s: u64,
    },
    /// The modem was reset. Its boot loader appeared and left again, but its firmware was not seen.
    #[error(
        "its boot loader appeared {} and left again, and its firmware was not seen within {waited_s} s",
        match times { 1 => "once".to_owned(), times => format!("{times} times") }
    )]
    LoaderPasses {
        /// How often the boot loader appeared.
        times: u32,
        /// How long the run waited, in seconds.
        waited_s: u64,
    },
    /// The modem accepted all images but didn't leave the bus.
    #[error("still on the bus {waited_s} s after the reset request")]
    DidNotLeave {
        /// How long the run waited, in seconds.
        waited_s: u64,
    },
    /// The protocol failed.
    #[error("{error}")]
    Protocol {
        /// Which protocol.
        layer: Layer,
        /// The error of the protocol.
        error: ProtocolError,
    },
    /// No modem fits what the user asked for.
    #[error(
        "{}{}{}",
        none_fits(wanted),
        listed(others, "; there is"),
        listed(
            on_pcie,
            "; on PCIe, where modemflash can't ask or update a modem yet, there is"
        )
    )]
    NoModem {
        /// What the user asked for.
        wanted: Selector,
        /// The modems on the bus, one line each.
        others: Vec<String>,
        /// The modems on PCIe, one line each.
        on_pcie: Vec<String>,
    },
    /// More than one modem fits.
    #[error("{}{}", several_fit(wanted, found.len()), listed(found, ""))]
    SeveralModems {
        /// What the user asked for.
        wanted: Selector,
        /// The modems that fit, one line each.
        found: Vec<String>,
    },
    /// The modem is on the bus, but no driver created a port for it.
    #[error("{id} is on the bus in {mode} mode, but no driver created a port for it")]
    NoPort {
        /// USB id.
        id: String,
        /// The modem's mode.
        mode: Mode,
        /// Which interfaces lack a driver, with the commands that mend it; empty if that isn't known.
        lacks: String,
    },
    /// In download mode the modem would have a USB id that no driver knows.
    #[error(
        "in download mode the modem has the USB id {}, and no driver on this host creates a port for that id",
        crate::modem::ids::words(ids)
    )]
    NoDownloadPort {
        /// The ids, `(vendor, product)`, that the modem may have in download mode.
        ids: Vec<(u16, u16)>,
    },
    /// ModemManager has the modem and can't be asked to let go.
    #[error("ModemManager has the modem: {why}")]
    Held {
        /// Why ModemManager doesn't let go.
        why: String,
        /// What the user can do.
        help: String,
    },
    /// Another process holds the modem's lock. Mostly that process is another run of this program.
    #[error("{holder}{more}")]
    Locked {
        /// The process that holds the lock.
        holder: LockHolder,
        /// The end of the sentence about the holder, if the modem was looked for by its IMEI.
        more: String,
    },
    /// A request over the control port failed.
    #[error("{error}")]
    Control {
        /// The error of the request.
        error: ControlError,
    },
    /// The modem answers on none of its ports.
    #[error("no port of the modem answers: {}", tried.join("; "))]
    Unreachable {
        /// What was tried, each with its result.
        tried: Vec<String>,
    },
    /// No control port of the modem answers in the language that the user requested.
    #[error("no answer over {choice}, the language that was requested: {}", tried.join("; "))]
    NotInLanguage {
        /// The language.
        choice: ControlChoice,
        /// What was tried, each with its result.
        tried: Vec<String>,
    },
    /// The modem asks for something that none of the files contains.
    #[error("the modem asks for {what}, and none of the files contains that")]
    ImagesMissing {
        /// What the modem asks for.
        what: &'static str,
    },
    /// The modem has to be told a version that the files don't say.
    #[error("the files don't say the {}, which the modem has to be told", missing.join(" and the "))]
    VersionsMissing {
        /// What is missing: "firmware version", "config version", "carrier".
        missing: Vec<&'static str>,
    },
    /// The user and the files name different versions.
    #[error("{what}: {given} was requested, but the files are for {found}")]
    VersionsDiffer {
        /// Which version.
        what: &'static str,
        /// The option with which the user says it.
        option: &'static str,
        /// What the user says.
        given: String,
        /// What the files say.
        found: String,
    },
    /// The modem's firmware is too old for the new firmware.
    #[error("{why}")]
    HopNeeded {
        /// The rule, with both versions.
        why: String,
    },
    /// The modem runs pre-production firmware, and released firmware has made such modems unusable.
    #[error("{why}")]
    PreProduction {
        /// The version that the modem runs, and why the update is dangerous.
        why: String,
    },
    /// The modem has no such storage index.
    #[error("storage index {index}: the modem has {}", words_of_slots(*maximum))]
    NoSuchSlot {
        /// What the user asked for.
        index: u8,
        /// How many slots the modem has; none if the modem doesn't say.
        maximum: Option<u8>,
    },
    /// The stored image that is to be deleted is in use.
    #[error("{image}: {in_use}")]
    SlotInUse {
        /// Build id of the image.
        image: String,
        /// What the modem does with it, as a clause.
        in_use: String,
    },
    /// The modem can't do what was asked.
    #[error("{what}")]
    NotSupported {
        /// What the modem can't do.
        what: String,
    },
    /// The modem doesn't run its firmware, and only a modem that does can be asked anything.
    #[error("in {mode} mode it can't be asked anything")]
    NotRunning {
        /// The modem's mode.
        mode: Mode,
        /// The modem's place on the bus.
        place: String,
    },
    /// Nothing that was tried switches the modem to download mode.
    #[error("tried: {}", tried.join("; "))]
    NotEntered {
        /// The ways that were tried, each with its result.
        tried: Vec<String>,
        /// Whether the carrier board may be the reason (field-reports.md B1).
        is_pin: bool,
    },
    /// The modem accepted all images and restarted, but into its boot loader, and did so more than once.
    #[error("the modem accepted all images and restarted, but came back in download mode each time")]
    BackInDownloadMode,
    /// The modem was restarted and came back in its boot loader.
    #[error("the modem came back in download mode")]
    RestartedIntoLoader,
    /// The modem refused an AT command.
    #[error("{}", lines.join(" / "))]
    CommandRefused {
        /// The lines of the modem's answer.
        lines: Vec<String>,
    },
    /// Nothing that was tried restarts the modem.
    #[error("tried: {}", tried.join("; "))]
    NotRestarted {
        /// The ways that were tried, each with its result.
        tried: Vec<String>,
    },
    /// The modem that came back isn't the one that left.
    #[error("the modem that came back has a different IMEI (was {was}, is {is})")]
    OtherModem {
        /// The last digits of the IMEI before.
        was: String,
        /// The last digits now.
        is: String,
    },
    /// The modem doesn't report what was requested.
    #[error("{}{}", differences.join("; "), words_of_lack(*lacks))]
    NotProven {
        /// What differs.
        differences: Vec<String>,
        /// What the modem would ask for if the update was repeated, and none of the files contains.
        lacks: Option<&'static str>,
    },
    /// The modem's firmware runs again, but can't be asked for its versions.
    #[error("the modem came back as {id}, but can't be asked for its versions: {why}")]
    NotReadBack {
        /// USB id.
        id: String,
        /// Why the modem can't be asked.
        why: String,
    },
    /// The user saw the plan and said no.
    #[error("the plan was declined")]
    Declined,
    /// The user stopped the run.
    #[error("{how}")]
    Stopped {
        /// When the run stopped and what that means, in words.
        how: &'static str,
    },
    /// The user asked twice to stop, so the run stopped at once.
    #[error("stopped at once, without waiting for a safe point")]
    StoppedMidway,
    /// Something that can't happen unless modemflash has a bug.
    #[error("{what}")]
    Bug {
        /// What went wrong.
        what: String,
    },
}

impl Cause {
    /// The USB id is that of Qualcomm's own boot loader.
    pub(crate) fn emergency(id: &impl std::fmt::Display) -> Self {
        Self::EmergencyMode {
            evidence: format!("{id} is Qualcomm's primary boot loader: Sierra's own boot loader is gone"),
        }
    }

    /// The host hasn't configured the USB device behind a port or at a place.
    pub(crate) fn not_configured(port: impl Into<String>) -> Self {
        Self::UnknownDevice {
            port: port.into(),
            why: "the host has not configured the USB device yet, or does not authorise it".to_owned(),
        }
    }

    /// What is asked for needs a modem that runs its firmware, and this modem doesn't.
    pub(crate) fn not_running(modem: &Modem) -> Self {
        Self::NotRunning {
            mode: modem.mode,
            place: modem.path().to_string(),
        }
    }

    /// Behind this port or at this place is a device of another maker.
    pub(crate) fn foreign(name: &str, device: &UsbDevice) -> Self {
        let product = device.product_name.as_deref().unwrap_or("no name");
        Self::NotAModem {
            port: name.to_owned(),
            what: format!(
                "{} ({product}), which is not a Sierra Wireless modem",
                device.id()
            ),
        }
    }

    /// The modem is on the bus without a port.
    pub(crate) fn no_port(modem: &Modem) -> Self {
        let lacks: Vec<String> = modem.lacks().iter().map(ToString::to_string).collect();
        let mut lacks = lacks.join("; ");
        if let Some(taken) = modem.taken_by_a_program() {
            lacks = taken;
        }
        if modem.ports.download.is_some() && !lacks.is_empty() {
            lacks = format!("run the same command as root, which needs no driver here; or else: {lacks}");
        }
        Self::NoPort {
            id: modem.device.id(),
            mode: modem.mode,
            lacks,
        }
    }

    /// Another process holds the modem's lock.
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

/// Lines that follow a headline.
fn listed(lines: &[String], before: &str) -> String {
    if lines.is_empty() {
        return String::new();
    }
    let lines: String = lines.iter().map(|line| format!("\n    {line}")).collect();
    format!("{before}:{lines}")
}

fn words_of_lack(lacks: Option<&'static str>) -> String {
    lacks.map_or_else(String::new, |what| {
        format!("; the modem would ask for {what}, and none of the files contains that")
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
