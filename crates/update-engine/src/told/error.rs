//! The error a user sees: which modem, what was being done, what is true of the modem now, what to do next.
//!
//! [`UpdateError`] is the error, [`Cause`] the chain below it (in a module of its own); the stable codes and their meaning stand in
//! [`crate::told::codes`].

use std::fmt;

use modem_protocol::ProtocolError;
use modem_protocol::conversation::Refusal;
use modem_world::{DiscoveryError, PortErrorKind};
use serde::Serialize;

use super::cause::{Cause, rejects_image};
use super::codes::Code;
use super::event::Step;
use super::exit;
use super::exit::Standing;
use crate::decide::commands;
use crate::modem::{DeviceId, Radio};

/// A run has failed.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{device}: {}", self.what())]
pub struct UpdateError {
    /// Which modem.
    pub device: DeviceId,
    /// What was being done.
    pub step: Step,
    /// What is true of the modem now.
    pub modem: ModemState,
    /// Whether the run has at most asked the modem something.
    pub is_as_found: bool,
    /// What the modem says of its radio, where its firmware runs.
    pub radio: Option<Radio>,
    /// What to do now.
    pub next: Advice,
    /// What happened.
    #[source]
    pub source: Box<Cause>,
}

impl UpdateError {
    /// An error; the advice is the one that belongs to cause and state.
    pub fn new(device: &DeviceId, step: Step, modem: ModemState, cause: Cause) -> Self {
        let next = Advice::for_cause(&cause, modem);
        Self {
            device: device.clone(),
            step,
            modem,
            is_as_found: modem == ModemState::Untouched,
            radio: modem.runs().then(Radio::default),
            next,
            source: Box::new(cause),
        }
    }

    /// The stable code, `E-QDL-SILENT`.
    pub fn code(&self) -> Code {
        self.source.code()
    }

    /// What happened, without the device; with the step where that says something.
    pub fn what(&self) -> String {
        let headline = self.source.headline();
        let is_fact = match self.step {
            Step::CheckImages | Step::CheckDevice | Step::OpenPort => true,
            Step::Detect | Step::Connect => self.source.is_about_the_port(),
            _ => self.source.says_all(),
        };
        if is_fact {
            headline.to_owned()
        } else {
            format!("{headline} while {}", self.step)
        }
    }

    /// The exit code that belongs to this error (docs/errors.md).
    pub fn exit_code(&self) -> u8 {
        exit::code(self.code().class(), self.standing())
    }

    /// What is true of the modem, as far as the exit code goes.
    pub fn standing(&self) -> Standing {
        Standing::of(self.modem, self.is_as_found)
    }

    /// What is true of the modem now, in words: of one that runs and has failed to become what was wanted, or keeps its
    /// radio off, with its radio.
    pub fn modem_words(&self) -> String {
        match (&self.radio, self.modem) {
            (Some(radio), ModemState::RunsOther) | (Some(radio @ Radio::Off { .. }), _) => {
                format!("{}; {radio}", self.modem)
            }
            _ => self.modem.to_string(),
        }
    }

    /// What to do now, in words: where the modem itself named a failure that is known, what is known to help.
    pub fn hint(&self) -> String {
        if matches!(&*self.source, Cause::SpoiledStart { .. }) {
            // Bytes from elsewhere are what spoils it (sahara-firehose.md §6.1).
            return "end programs that write to new ports, such as ModemManager; then take the modem's power away \
                    for 10 s and run the same command again (safe to repeat)"
                .to_owned();
        }
        if matches!(&*self.source, Cause::CommandRefused { .. }) {
            return "some commands need AT!ENTERCND=\"A710\" first, which lasts until the next restart"
                .to_owned();
        }
        if let Cause::NoDownloadPort { ids } = &*self.source {
            return format!(
                "let a driver know that id first, as root: {}; then run the same command again",
                commands(ids)
            );
        }
        let Cause::Protocol { error, .. } = &*self.source else {
            return self.next.to_string();
        };
        let ProtocolError::Refused {
            refusal: Refusal::Firehose(nak),
            ..
        } = error
        else {
            return self.next.to_string();
        };
        let mut known = nak.known_failures().into_iter();
        // Of an image that was rejected, only what is more than "another package" is added to that.
        match known.find(|failure| failure.is_about_module || !rejects_image(error)) {
            Some(failure) => failure.advice.to_owned(),
            None => self.next.to_string(),
        }
    }

    /// The error as plain facts for an event.
    pub fn failure(&self) -> Failure {
        Failure {
            code: self.code().as_str(),
            exit: self.exit_code(),
            error: self.what(),
            cause: self.source.to_string(),
            step: self.step.clone(),
            modem: self.modem,
            as_found: self.standing().is_untouched(),
            radio: self.radio.clone(),
            modem_words: self.modem_words(),
            next: self.next,
            hint: self.hint(),
        }
    }
}

/// An [`UpdateError`] as plain facts, for events and JSON.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Failure {
    /// Stable code.
    pub code: &'static str,
    /// Exit code of the program.
    pub exit: u8,
    /// What happened, without the device.
    pub error: String,
    /// Why.
    pub cause: String,
    /// What was being done.
    pub step: Step,
    /// What is true of the modem now.
    pub modem: ModemState,
    /// Whether the run has at most asked the modem something: it is as it was found.
    pub as_found: bool,
    /// What the modem says of its radio, where its firmware runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub radio: Option<Radio>,
    /// State and radio in words.
    pub modem_words: String,
    /// What to do next, for programs.
    pub next: Advice,
    /// The same in words.
    pub hint: String,
}

/// What is true of the modem, as far as can be known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(tag = "state", rename_all = "snake_case")]
#[non_exhaustive]
pub enum ModemState {
    /// No byte was sent to it.
    Untouched,
    /// It runs its firmware; nothing was written.
    RunsFirmware,
    /// It runs its old firmware, but its preference names firmware that it doesn't have.
    WrongPreference,
    /// Something was written, or another stored image was chosen, and it runs, but not what was wanted.
    RunsOther,
    /// In download mode, its memory as it was before.
    InDownloadMode,
    /// In memory-dump mode after a crash, its memory as it was before.
    Crashed,
    /// In download mode; some of the new firmware is written, not all of it.
    PartlyWritten {
        /// Images that it accepted.
        accepted: usize,
        /// Images that it was to get.
        of: usize,
    },
    /// In download mode; all images were accepted, it was not seen to restart.
    AllWritten,
    /// It has left the bus to restart, all images accepted.
    Restarting,
    /// In Qualcomm's emergency mode: its own boot loader is gone.
    Emergency,
    /// Nothing is known.
    Unknown,
}

impl ModemState {
    /// Whether its firmware runs and can be asked.
    pub const fn runs(self) -> bool {
        matches!(self, Self::RunsFirmware | Self::WrongPreference | Self::RunsOther)
    }
}

impl fmt::Display for ModemState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Untouched => write!(f, "untouched; nothing was sent to it"),
            Self::RunsFirmware => write!(f, "in normal mode, it runs its firmware"),
            Self::WrongPreference => write!(
                f,
                "in normal mode with its old firmware, but it prefers firmware that it doesn't have: \
                 its radio stays off after the next restart"
            ),
            Self::RunsOther => write!(f, "in normal mode, but it does not run what was wanted"),
            Self::InDownloadMode => {
                write!(
                    f,
                    "in download mode, nothing written; it connects again after an update or a restart"
                )
            }
            Self::Crashed => write!(f, "in memory-dump mode after a crash, nothing written"),
            Self::PartlyWritten { accepted, of } => write!(
                f,
                "in download mode with {accepted} of {of} images accepted; \
                 it will not connect until the update is finished"
            ),
            Self::AllWritten => write!(f, "all images accepted, but it was not seen to start them"),
            Self::Restarting => write!(f, "all images accepted, restarting"),
            Self::Emergency => write!(
                f,
                "in Qualcomm's emergency mode, without Sierra's boot loader; it takes no firmware"
            ),
            Self::Unknown => write!(
                f,
                "not known; it left the bus or gives no answer that can be understood"
            ),
        }
    }
}

/// What the user can do now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Advice {
    /// Run the same command again.
    RunAgain,
    /// Take the modem's power away, then run the same command again.
    PowerCycleAndRunAgain,
    /// Take the modem's power away.
    PowerCycle,
    /// Get other image files.
    GetOtherImages,
    /// Give files that belong together.
    GiveOnePackage,
    /// Copy the files to a place that stays, then run again.
    CopyImages,
    /// Look for the port's name.
    CheckPortName,
    /// Choose another port.
    ChooseAnotherPort,
    /// Get permission.
    GetPermission,
    /// End the other program.
    EndOtherProgram,
    /// Wait until the other run has ended.
    WaitForOtherRun,
    /// Bring the modem into download mode first.
    EnterDownloadMode,
    /// Nothing that this program can do.
    BeyondRepairHere,
    /// Confirm the warnings.
    Confirm,
    /// Try another cable, port or power supply.
    CheckConnection,
    /// Report a bug.
    ReportBug,
    /// See whether the modem is plugged in and powered.
    CheckModem,
    /// Say which modem is meant.
    ChooseModem,
    /// Let a driver know the modem's id.
    BindDriver,
    /// Give the boot loader the firmware that it waits for.
    GiveFirmware,
    /// Add the file that is missing.
    AddImage,
    /// Say what the files don't tell.
    GiveVersions,
    /// Install the firmware in between first.
    HopFirst,
    /// Leave the modem the firmware that it has.
    LeaveFirmware,
    /// See which modem is plugged in where.
    SeeWhichModem,
    /// Ask for something that the modem can do.
    AskForLess,
    /// Select other images first.
    SelectOthers,
    /// See what the carrier board does with pin 25.
    CheckPin,
    /// Send the images once more although the modem has them.
    FlashAgain,
    /// Look at the versions by hand.
    CheckVersions,
    /// Don't say in which language the modem is to be asked.
    LeaveLanguage,
}

impl Advice {
    /// The advice for a cause in a state.
    fn for_cause(cause: &Cause, modem: ModemState) -> Self {
        match cause {
            Cause::NoImages | Cause::ImageUnreadable { .. } if modem == ModemState::Untouched => {
                Self::GetOtherImages
            }
            Cause::ImageUnreadable { .. } | Cause::ImageChanged { .. } => Self::CopyImages,
            Cause::NoImages | Cause::ImageDamaged { .. } | Cause::ImageOfOtherFamily { .. } => {
                Self::GetOtherImages
            }
            Cause::ImagesDisagree { .. } => Self::GiveOnePackage,
            Cause::Protocol {
                error: ProtocolError::Unsendable { .. },
                ..
            } => Self::GetOtherImages,
            Cause::Protocol { error, .. } if rejects_image(error) => Self::GetOtherImages,
            Cause::NotConfirmed { .. } => Self::Confirm,
            Cause::Port(error) => match error.kind {
                PortErrorKind::PermissionDenied => Self::GetPermission,
                PortErrorKind::Busy { .. } => Self::EndOtherProgram,
                PortErrorKind::NotFound => Self::CheckPortName,
                PortErrorKind::Gone => Self::CheckConnection,
                _ => Self::ChooseAnotherPort,
            },
            Cause::Discovery(DiscoveryError::NotFound { .. }) => Self::CheckPortName,
            Cause::Discovery(_)
            | Cause::NotAModem { .. }
            | Cause::UnknownDevice { .. }
            | Cause::ForeignAnswer { .. } => Self::ChooseAnotherPort,
            Cause::RunsNormally { .. } => Self::EnterDownloadMode,
            Cause::EmergencyMode { .. } => Self::BeyondRepairHere,
            Cause::Mute { .. } | Cause::Crashed | Cause::SpoiledStart { .. } | Cause::DidNotReturn { .. } => {
                Self::PowerCycleAndRunAgain
            }
            Cause::DidNotLeave { .. } => Self::PowerCycle,
            Cause::Stopped { .. } | Cause::StoppedMidway if modem == ModemState::AllWritten => {
                Self::PowerCycle
            }
            // It waits for the rest of what was being sent, and takes everything for that.
            Cause::StoppedMidway if matches!(modem, ModemState::PartlyWritten { .. }) => {
                Self::PowerCycleAndRunAgain
            }
            Cause::Stopped { .. } | Cause::StoppedMidway => Self::RunAgain,
            Cause::Bug { .. } => Self::ReportBug,
            Cause::NoModem { .. } => Self::CheckModem,
            Cause::SeveralModems { .. } => Self::ChooseModem,
            Cause::NoPort { .. } | Cause::NoDownloadPort { .. } => Self::BindDriver,
            Cause::Held { .. } => Self::EndOtherProgram,
            Cause::Locked { .. } => Self::WaitForOtherRun,
            Cause::ImagesMissing { .. } | Cause::NotProven { lacks: Some(_), .. } => Self::AddImage,
            Cause::VersionsMissing { .. } => Self::GiveVersions,
            Cause::VersionsDiffer { .. } => Self::GiveOnePackage,
            Cause::HopNeeded { .. } => Self::HopFirst,
            Cause::PreProduction { .. } => Self::LeaveFirmware,
            Cause::NoSuchSlot { .. } | Cause::NotSupported { .. } => Self::AskForLess,
            Cause::SlotInUse { .. } => Self::SelectOthers,
            Cause::NotEntered { is_pin: true, .. } => Self::CheckPin,
            Cause::BackInDownloadMode => Self::GetOtherImages,
            Cause::RestartedIntoLoader => Self::GiveFirmware,
            Cause::CommandRefused { .. } => Self::AskForLess,
            Cause::NotEntered { .. } | Cause::NotRestarted { .. } => Self::PowerCycleAndRunAgain,
            Cause::OtherModem { .. } => Self::SeeWhichModem,
            Cause::NotProven { .. } => Self::FlashAgain,
            Cause::NotReadBack { .. } => Self::CheckVersions,
            Cause::Declined => Self::RunAgain,
            Cause::NotInLanguage { .. } => Self::LeaveLanguage,
            Cause::Control { .. } | Cause::Unreachable { .. } => match modem {
                ModemState::Untouched | ModemState::RunsFirmware => Self::PowerCycleAndRunAgain,
                _ => Self::RunAgain,
            },
            Cause::Protocol { error, .. } => match error {
                ProtocolError::Stopped { .. } => Self::RunAgain,
                ProtocolError::Left { .. } | ProtocolError::Stalled { .. } => Self::CheckConnection,
                _ if modem == ModemState::AllWritten => Self::PowerCycle,
                ProtocolError::Garbled { .. } => Self::RunAgain,
                _ => Self::PowerCycleAndRunAgain,
            },
        }
    }
}

impl fmt::Display for Advice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::RunAgain => "run the same command again (safe to repeat)",
            Self::PowerCycleAndRunAgain => {
                "take the modem's power away for 10 s, then run the same command again (safe to repeat)"
            }
            Self::PowerCycle => "take the modem's power away for 10 s, then look whether it connects",
            Self::GetOtherImages => {
                "get the package for this modem again; `modemflash inspect FILE` shows what a file is"
            }
            Self::GiveOnePackage => {
                "give the files of one package; makers' settings often name an older firmware: \
                 if just the versions differ and both files are meant, add --force"
            }
            Self::CopyImages => "copy the image files to a local disk, then run again (safe to repeat)",
            Self::CheckPortName => {
                "check the port's name: `modemflash list` shows every modem with its ports, control ports (cdc-wdm) among \
                 them; `lsusb` shows whether the modem is on the bus at all"
            }
            Self::ChooseAnotherPort => "choose the modem's own port; a modem in download mode has exactly one",
            Self::GetPermission => "run as root, or join the group that owns the port",
            Self::EndOtherProgram => "end the program that uses the port (ModemManager among them), then run again",
            Self::WaitForOtherRun => {
                "wait until it is done, then run again; ending it in the middle of an update leaves the modem without firmware"
            }
            Self::EnterDownloadMode => {
                "run the same command again; it brings a running modem into download mode by itself when it is named by its \
                 place (--port, see `modemflash list`)"
            }
            Self::BeyondRepairHere => {
                "this modem lost its own boot loader and can't be helped with Sierra's files; ask the vendor"
            }
            Self::Confirm => "read the warnings; when they are no obstacle, run again with --yes",
            Self::CheckConnection => {
                "check cable, USB port (better USB 2) and power supply, power-cycle the modem, then run again"
            }
            Self::CheckModem => {
                "see whether the modem is plugged in and has power (`lsusb`); `modemflash list` shows what is there"
            }
            Self::ChooseModem => "say which one is meant, for example with --port as listed; `modemflash update` can also take --all",
            Self::BindDriver => {
                "let a serial driver know the id: `modprobe option`, then \
                 `echo VENDOR PRODUCT > /sys/bus/usb-serial/drivers/option1/new_id`"
            }
            Self::GiveFirmware => {
                "it waits for firmware: `modemflash update FILE…`, or take its power away for 10 s"
            }
            Self::AddImage => "add the file of the same package that brings it; --force goes on without",
            Self::GiveVersions => {
                "add the .nvu file of the same package, or say what is missing with --firmware, --config and --carrier"
            }
            Self::LeaveFirmware => "leave it as it is, or ask the vendor; --force goes on",
            Self::SeeWhichModem => "see with `modemflash list` which modem is plugged in where",
            Self::HopFirst => "install that firmware first, then this one; --force goes on without",
            Self::AskForLess => "`modemflash info` and `modemflash slots` show what the modem has",
            Self::SelectOthers => {
                "select other images first, or add --force: the modem may keep its radio off then"
            }
            Self::CheckPin => {
                "see whether the carrier board ties pin 25 (DPR) of the M.2 slot to ground or 1.8 V; it has to float"
            }
            Self::FlashAgain => {
                "run the same command again with --override-download, which sends all images anew; some modems need it twice"
            }
            Self::CheckVersions => "give the modem two minutes, then look with `modemflash list`",
            Self::LeaveLanguage => {
                "leave --qmi, --mbim or --proxy away: the port's driver tells the language, and AT is tried behind it"
            }
            Self::ReportBug => "this is a bug of modemflash: run again with --trace FILE and send the file",
        })
    }
}
