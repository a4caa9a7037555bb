//! What each cause means to the user: code, headline, what the headline is about, and advice, on one card per cause.
//!
//! The exit code follows from the code's class ([`crate::told::exit`]). A new cause doesn't compile without its card.

use std::borrow::Cow;

use modem_protocol::ProtocolError;
use modem_protocol::control::ControlError;
use modem_protocol::conversation::{Refusal, Step};
use modem_protocol::firehose::failure;
use modem_protocol::qdl::message::{DoneStatus, ErrorCode, OpenStatus, WriteStatus};
use modem_world::{DiscoveryError, PortError, PortErrorKind};

use super::advice::Advice;
use super::cause::{Cause, Layer};
use super::codes::Code;
use super::state::ModemState;
use crate::modem::ids;

/// What a cause means to the user.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Card {
    /// The stable code.
    pub(crate) code: Code,
    /// What happened, as the beginning of a sentence that may go on with "while".
    pub(crate) headline: &'static str,
    /// What the headline is about.
    pub(crate) subject: Subject,
    /// What the user can do now.
    pub(crate) advice: Advice,
    /// Better words for the advice than its own, where this cause has some.
    pub(crate) hint: Option<Cow<'static, str>>,
}

/// What a headline is about: whether the step in which the run failed adds something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Subject {
    /// Something went wrong in a step: "… while the modem was being restarted".
    Step,
    /// A fact that was true before the step as well.
    Fact,
    /// What is behind the port: a fact, unless the run has sent images already.
    Port,
}

use Subject::{Fact, Port, Step as InStep};

fn card(code: Code, headline: &'static str, subject: Subject, advice: Advice) -> Card {
    Card {
        code,
        headline,
        subject,
        advice,
        hint: None,
    }
}

impl Card {
    /// With better words for the advice.
    fn saying(self, hint: impl Into<Cow<'static, str>>) -> Self {
        Self {
            hint: Some(hint.into()),
            ..self
        }
    }
}

impl Cause {
    /// The stable code.
    pub fn code(&self) -> Code {
        // The code is the same in every state of the modem.
        self.card(ModemState::Unknown).code
    }

    /// The card of this cause; `modem` is what is true of the modem now.
    #[rustfmt::skip]
    pub(crate) fn card(&self, modem: ModemState) -> Card {
        use Advice as Do;
        match self {
            Self::NoImages => card(Code::ImageNone, "nothing to send", InStep, Do::GetOtherImages),
            Self::ImageUnreadable { .. } => {
                let advice = if modem == ModemState::Untouched { Do::GetOtherImages } else { Do::CopyImages };
                card(Code::ImageRead, "an image file can't be read", InStep, advice)
            }
            Self::ImageDamaged { .. } => card(Code::ImageDamaged, "an image file is damaged", InStep, Do::GetOtherImages),
            Self::ImageChanged { .. } => card(Code::ImageChanged, "an image file changed", InStep, Do::CopyImages),
            Self::ImagesDisagree { .. } => card(Code::ImageConflict, "the image files don't belong together", InStep, Do::GiveOnePackage),
            Self::ImageOfOtherFamily { .. } => card(Code::ImageFamily, "the image is for other modems", Fact, Do::GetOtherImages),
            Self::NotConfirmed { .. } => card(Code::NotConfirmed, "a warning needs to be confirmed", Fact, Do::Confirm),
            Self::Port(error) => of_port(error),
            Self::Discovery(error) => of_discovery(error),
            Self::NotAModem { .. } => card(Code::DeviceForeign, "this is no Sierra Wireless modem", InStep, Do::ChooseAnotherPort),
            Self::UnknownDevice { .. } => {
                card(Code::DeviceUnknown, "this is not known to be a modem in download mode", InStep, Do::ChooseAnotherPort)
            }
            Self::RunsNormally { .. } => {
                card(Code::ModeNormal, "the modem is in normal mode, not in download mode", Port, Do::EnterDownloadMode)
            }
            Self::EmergencyMode { .. } => {
                card(Code::ModeEmergency, "the modem is in Qualcomm's emergency mode", Port, Do::BeyondRepairHere)
            }
            Self::ForeignAnswer { .. } => card(Code::AnswerForeign, "what answers is no boot loader", Port, Do::ChooseAnotherPort),
            Self::Mute { .. } => card(Code::DetectSilent, "nothing answers", Port, Do::PowerCycleAndRunAgain),
            Self::Crashed => {
                card(Code::ModeDump, "the modem has crashed and stays in memory-dump mode", InStep, Do::PowerCycleAndRunAgain)
            }
            // Bytes from other programs are what spoils the start (sahara-firehose.md §6.1).
            Self::SpoiledStart { .. } => {
                card(Code::SaharaSpoiled, "the boot loader refuses to take firmware", InStep, Do::PowerCycleAndRunAgain).saying(
                    "end programs that write to new ports, such as ModemManager; then take the modem's power away \
                     for 10 s and run the same command again (safe to repeat)",
                )
            }
            Self::DidNotReturn { .. } => card(Code::ResetNoReturn, "the modem did not come back", InStep, Do::PowerCycleAndRunAgain),
            Self::DidNotLeave { .. } => card(Code::ResetStayed, "the modem did not restart", InStep, Do::PowerCycle),
            Self::Protocol { layer, error } => of_protocol(*layer, error, modem),
            Self::NoModem { .. } => card(Code::ModemNone, "no modem was found", Fact, Do::CheckModem),
            Self::SeveralModems { .. } => card(Code::ModemSeveral, "there is more than one modem", Fact, Do::ChooseModem),
            Self::NoPort { .. } => card(Code::ModemNoPort, "the modem has no port", Fact, Do::BindDriver),
            Self::NoDownloadPort { ids } => {
                card(Code::DownloadNoPort, "the modem can't be reached in download mode on this host", Fact, Do::BindDriver).saying(
                    format!("let a driver know that id first, as root: {}; then run the same command again", ids::commands(ids)),
                )
            }
            Self::Held { .. } => card(Code::ModemHeld, "another program has the modem", Fact, Do::EndOtherProgram),
            Self::Locked { .. } => card(Code::ModemLocked, "another process has locked the modem", Fact, Do::WaitForOtherRun),
            Self::Control { error } => of_control(error, modem),
            Self::Unreachable { .. } => card(Code::ModemUnreachable, "the modem can't be asked", Fact, of_silence(modem)),
            Self::NotInLanguage { .. } => card(Code::ModemUnreachable, "the modem can't be asked", Fact, Do::LeaveLanguage),
            Self::ImagesMissing { .. } => card(Code::ImageMissing, "an image file is missing", InStep, Do::AddImage),
            Self::VersionsMissing { .. } => {
                card(Code::VersionsMissing, "something about the firmware is not known", Fact, Do::GiveVersions)
            }
            Self::VersionsDiffer { .. } => card(Code::VersionsDiffer, "the files are not what was asked for", Fact, Do::GiveOnePackage),
            Self::HopNeeded { .. } => card(Code::HopNeeded, "the modem needs another firmware first", Fact, Do::HopFirst),
            Self::PreProduction { .. } => {
                card(Code::PreProduction, "the modem is not meant for released firmware", Fact, Do::LeaveFirmware)
            }
            Self::NoSuchSlot { .. } => card(Code::SlotNone, "there is no such slot", Fact, Do::AskForLess),
            Self::SlotInUse { .. } => card(Code::SlotInUse, "the image is kept", Fact, Do::SelectOthers),
            Self::NotSupported { .. } => card(Code::NotSupported, "the modem can't do that", Fact, Do::AskForLess),
            Self::NotEntered { is_pin, .. } => {
                let advice = if *is_pin { Do::CheckPin } else { Do::PowerCycleAndRunAgain };
                card(Code::DownloadNotEntered, "the modem does not go into download mode", Fact, advice)
            }
            Self::BackInDownloadMode => {
                card(Code::DownloadModeAgain, "the modem does not start its firmware", Fact, Do::GetOtherImages)
            }
            Self::RestartedIntoLoader => {
                card(Code::RestartedIntoLoader, "the modem does not start its firmware", Fact, Do::GiveFirmware)
            }
            Self::CommandRefused { .. } => card(Code::CommandRefused, "the modem refused the command", Fact, Do::AskForLess)
                .saying("some commands need AT!ENTERCND=\"A710\" first, which lasts until the next restart"),
            Self::NotRestarted { .. } => card(Code::NotRestarted, "the modem does not restart", Fact, Do::PowerCycleAndRunAgain),
            Self::OtherModem { .. } => card(Code::ModemOther, "another modem came back", Fact, Do::SeeWhichModem),
            Self::NotProven { lacks, .. } => {
                let advice = if lacks.is_some() { Do::AddImage } else { Do::FlashAgain };
                card(Code::NotProven, "the update is written, but not in force", Fact, advice)
            }
            Self::NotReadBack { .. } => card(Code::NotReadBack, "the update is written, but not proven", Fact, Do::CheckVersions),
            Self::Declined => card(Code::Stopped, "not confirmed", InStep, Do::RunAgain),
            Self::Stopped { .. } => card(Code::Stopped, "stopped by the user", InStep, of_stop(modem)),
            Self::StoppedMidway => {
                // The modem waits for the rest of what was being sent, and takes everything for that.
                let is_half = matches!(modem, ModemState::PartlyWritten { .. });
                let advice = if is_half { Do::PowerCycleAndRunAgain } else { of_stop(modem) };
                card(Code::Stopped, "stopped by the user", InStep, advice)
            }
            Self::Bug { .. } => card(Code::Bug, "modemflash has a bug", InStep, Do::ReportBug),
        }
    }
}

fn of_stop(modem: ModemState) -> Advice {
    if modem == ModemState::AllWritten {
        Advice::PowerCycle
    } else {
        Advice::RunAgain
    }
}

/// The advice for a modem that doesn't answer while its firmware runs.
fn of_silence(modem: ModemState) -> Advice {
    match modem {
        ModemState::Untouched | ModemState::RunsFirmware => Advice::PowerCycleAndRunAgain,
        _ => Advice::RunAgain,
    }
}

#[rustfmt::skip]
fn of_port(error: &PortError) -> Card {
    use Advice as Do;
    match error.kind {
        PortErrorKind::NotFound => card(Code::PortMissing, "there is no such port", InStep, Do::CheckPortName),
        PortErrorKind::PermissionDenied => card(Code::PortPermission, "the port may not be used", InStep, Do::GetPermission),
        PortErrorKind::Busy { .. } => card(Code::PortBusy, "the port is in use", InStep, Do::EndOtherProgram),
        PortErrorKind::NotASerialPort => card(Code::PortNotSerial, "this is no serial port", InStep, Do::ChooseAnotherPort),
        PortErrorKind::Gone => card(Code::PortGone, "the modem left the bus", InStep, Do::CheckConnection),
        _ => card(Code::PortFault, "the port failed", InStep, Do::ChooseAnotherPort),
    }
}

#[rustfmt::skip]
fn of_discovery(error: &DiscoveryError) -> Card {
    use Advice as Do;
    match error {
        DiscoveryError::NotFound { .. } => card(Code::PortMissing, "there is no such port", InStep, Do::CheckPortName),
        DiscoveryError::NotASerialPort { .. } => card(Code::PortNotSerial, "this is no serial port", InStep, Do::ChooseAnotherPort),
        _ => card(Code::BusUnreadable, "the port can't be looked at", InStep, Do::ChooseAnotherPort),
    }
}

fn of_control(error: &ControlError, modem: ModemState) -> Card {
    let (code, headline) = match error {
        ControlError::Refused { .. } => (Code::ControlRefused, "the modem refused"),
        ControlError::Gone { .. } => (Code::ControlGone, "the modem left the bus"),
        ControlError::Silent { .. } => (Code::ControlSilent, "the modem does not answer"),
        _ => (Code::ControlGarbled, "the modem's answer can't be understood"),
    };
    card(code, headline, InStep, of_silence(modem))
}

fn of_protocol(layer: Layer, error: &ProtocolError, modem: ModemState) -> Card {
    use Advice as Do;
    let by_layer = |qdl, sahara, firehose| match layer {
        Layer::Qdl => qdl,
        Layer::Sahara => sahara,
        Layer::Firehose => firehose,
    };
    // Once all images are accepted, only the start of the firmware is left.
    let again = |advice| match modem {
        ModemState::AllWritten => Do::PowerCycle,
        _ => advice,
    };
    let (code, headline, advice) = match error {
        ProtocolError::Stopped { .. } => (Code::Stopped, "stopped by the user", Do::RunAgain),
        ProtocolError::Unsendable { .. } => (
            Code::ImageUnsendable,
            "the image can't be sent",
            Do::GetOtherImages,
        ),
        error if rejects_image(error) => (
            Code::ImageRejected,
            "the modem rejected the image",
            Do::GetOtherImages,
        ),
        ProtocolError::Silent { .. } => (
            by_layer(Code::QdlSilent, Code::SaharaSilent, Code::FirehoseSilent),
            "the modem stopped answering",
            again(Do::PowerCycleAndRunAgain),
        ),
        ProtocolError::Endless { .. } => (
            by_layer(Code::QdlEndless, Code::SaharaEndless, Code::FirehoseEndless),
            "the modem talked without an end",
            again(Do::PowerCycleAndRunAgain),
        ),
        ProtocolError::Stalled { .. } => (
            by_layer(Code::QdlStalled, Code::SaharaStalled, Code::FirehoseStalled),
            "the modem stopped taking data",
            Do::CheckConnection,
        ),
        ProtocolError::Left { .. } => (
            by_layer(Code::QdlLeft, Code::SaharaLeft, Code::FirehoseLeft),
            "the modem left the bus",
            Do::CheckConnection,
        ),
        ProtocolError::Refused { .. } => (
            by_layer(Code::QdlRefused, Code::SaharaRefused, Code::FirehoseRefused),
            "the modem refused",
            again(Do::PowerCycleAndRunAgain),
        ),
        ProtocolError::Garbled { .. } => (
            by_layer(Code::QdlGarbled, Code::SaharaGarbled, Code::FirehoseGarbled),
            "the modem's answer can't be understood",
            again(Do::RunAgain),
        ),
        _ => (
            by_layer(Code::QdlGarbled, Code::SaharaGarbled, Code::FirehoseGarbled),
            "the modem's answer can't be understood",
            again(Do::PowerCycleAndRunAgain),
        ),
    };
    let card = card(code, headline, InStep, advice);
    match known_failure(error) {
        Some(advice) => card.saying(advice),
        None => card,
    }
}

/// What is known to help, where the modem itself named a failure that is known.
fn known_failure(error: &ProtocolError) -> Option<&'static str> {
    let ProtocolError::Refused {
        refusal: Refusal::Firehose(nak),
        ..
    } = error
    else {
        return None;
    };
    let mut known = nak.known_failures().into_iter();
    // For an image that the modem rejected, only a failure that needs more than another package is worth naming.
    let failure = known.find(|failure| failure.is_about_module || !rejects_image(error))?;
    Some(failure.advice)
}

/// Whether this is the verdict on an image: wrong product, not signed, contents that can't be.
fn rejects_image(error: &ProtocolError) -> bool {
    let ProtocolError::Refused { step, refusal } = error else {
        return false;
    };
    match refusal {
        Refusal::QdlError(report) => report.code == ErrorCode::AuthenticationFailed,
        Refusal::QdlDone(done) => done.status == DoneStatus::AuthenticationFailed,
        Refusal::QdlWrite(status) => *status == WriteStatus::ContentFailed,
        Refusal::QdlOpen(status) => {
            matches!(
                status,
                OpenStatus::ImageSize | OpenStatus::ImageType | OpenStatus::HeaderSize
            )
        }
        // A NAK has no number; what was asked and the log before it tell what it is about (sahara-firehose.md §5.2).
        Refusal::Firehose(nak) => {
            let is_announced = nak.log.iter().any(|line| failure::is_failure(line));
            match step {
                Step::Verdict { .. } => is_announced || !nak.is_noise(),
                Step::RawData { .. } => is_announced,
                _ => false,
            }
        }
        _ => false,
    }
}
