//! One card per cause, with what the cause means to the user: code, headline, subject of the headline, and
//! advice.
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
use crate::modem::{Mode, ids};

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
    /// Words for this cause that are better than the general words of the advice.
    pub(crate) hint: Option<Cow<'static, str>>,
}

/// What a headline is about. This decides whether the step in which the run failed is named as well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Subject {
    /// Something went wrong in a step: "… while the modem was being told to restart".
    Step,
    /// A fact that was already true before the step.
    Fact,
    /// What is behind the port: a fact, unless the run has already sent images.
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
    /// The same card with better words for the advice.
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
        // The code doesn't depend on the state of the modem.
        self.card(ModemState::Unknown).code
    }

    /// The card of this cause; `modem` is the state of the modem now.
    #[rustfmt::skip]
    pub(crate) fn card(&self, modem: ModemState) -> Card {
        use Advice as Do;
        match self {
            Self::NoImages => card(Code::ImageNone, "nothing to send", InStep, Do::GetOtherImages),
            Self::ImageUnreadable { .. } => {
                let advice = if modem == ModemState::Untouched { Do::GetOtherImages } else { Do::CopyImages };
                card(Code::ImageRead, "an image file can't be read", InStep, advice)
            }
            Self::ImageDamaged { can_be_forced, .. } => {
                let card = card(Code::ImageDamaged, "an image file is damaged", InStep, Do::GetOtherImages);
                if *can_be_forced {
                    card.saying(format!("{}; --force sends this file anyway", Do::GetOtherImages))
                } else {
                    card
                }
            }
            Self::ImageChanged { .. } => card(Code::ImageChanged, "an image file changed", InStep, Do::CopyImages),
            Self::ImagesDisagree { .. } => card(Code::ImageConflict, "the image files don't belong together", InStep, Do::GiveOnePackage),
            Self::ImageOfOtherFamily { .. } => card(Code::ImageFamily, "the image is for other modems", Fact, Do::GetOtherImages),
            Self::NotConfirmed { .. } => card(Code::NotConfirmed, "a warning needs to be confirmed", Fact, Do::Confirm),
            Self::Port(error) => of_port(error),
            Self::Discovery(error) => of_discovery(error),
            Self::NotAModem { .. } => card(Code::DeviceForeign, "this is not a Sierra Wireless modem", InStep, Do::ChooseAnotherPort),
            Self::UnknownDevice { .. } => {
                card(Code::DeviceUnknown, "this may not be a modem in download mode", InStep, Do::ChooseAnotherPort)
            }
            Self::RunsNormally { .. } => {
                card(Code::ModeNormal, "the modem is in normal mode, not in download mode", Port, Do::EnterDownloadMode)
            }
            Self::EmergencyMode { .. } => {
                card(Code::ModeEmergency, "the modem is in Qualcomm's emergency mode", Port, Do::BeyondRepairHere)
            }
            Self::ForeignAnswer { .. } => card(Code::AnswerForeign, "the answer is not from a known boot loader", Port, Do::ChooseAnotherPort),
            Self::Mute { .. } => card(Code::DetectSilent, "nothing answers on the port", Port, Do::PowerCycleAndRunAgain),
            Self::Crashed => {
                card(Code::ModeDump, "the modem has crashed and stays in memory-dump mode", InStep, Do::PowerCycleAndRunAgain)
            }
            // Bytes that other programs write to the port spoil the start (sahara-firehose.md §6.1).
            Self::SpoiledStart { .. } => {
                card(Code::SaharaSpoiled, "the boot loader refuses to accept firmware", InStep, Do::PowerCycleAndRunAgain).saying(
                    "stop programs that write to new ports, such as ModemManager; then disconnect the modem's power \
                     for 10 s and run the same command again (safe to repeat)",
                )
            }
            Self::DidNotReturn { .. } => card(Code::ResetNoReturn, "the modem did not come back", Fact, Do::PowerCycleAndRunAgain),
            Self::LoaderPasses { .. } => card(Code::LoaderPasses, "the modem does not start its firmware", Fact, Do::PowerCycle),
            Self::DidNotLeave { .. } => card(Code::ResetStayed, "the modem did not restart", InStep, Do::PowerCycle),
            Self::Protocol { layer, error } => of_protocol(*layer, error, modem),
            Self::NoModem { on_pcie, .. } if !on_pcie.is_empty() => {
                card(Code::ModemNone, "no modem was found on USB", Fact, Do::CheckModem).saying(
                    "`modemflash list` shows what the host knows of the modem on PCIe; an update needs a slot with USB lines, \
                     where the modem's boot loader appears in download mode",
                )
            }
            Self::NoModem { .. } => card(Code::ModemNone, "no modem was found", Fact, Do::CheckModem),
            Self::SeveralModems { .. } => card(Code::ModemSeveral, "there is more than one modem", Fact, Do::ChooseModem),
            Self::NoPort { lacks, .. } => {
                let card = card(Code::ModemNoPort, "the modem has no port", Fact, Do::BindDriver);
                if lacks.is_empty() { card } else { card.saying(lacks.clone()) }
            }
            Self::NoDownloadPort { ids } => {
                card(Code::DownloadNoPort, "the modem can't be reached in download mode on this host", Fact, Do::BindDriver).saying(
                    format!("first tell a driver about that id, as root: {}; then run the same command again", ids::commands(ids)),
                )
            }
            Self::Held { .. } => card(Code::ModemHeld, "another program is using the modem", Fact, Do::EndOtherProgram),
            Self::Locked { .. } => card(Code::ModemLocked, "another process has locked the modem", Fact, Do::WaitForOtherRun),
            Self::Control { error } => of_control(error, modem),
            Self::Unreachable { .. } => card(Code::ModemUnreachable, "the modem can't be queried", Fact, of_silence(modem)),
            Self::NotInLanguage { .. } => card(Code::ModemUnreachable, "the modem can't be queried", Fact, Do::LeaveLanguage),
            Self::ImagesMissing { .. } => card(Code::ImageMissing, "an image file is missing", Fact, Do::AddImage),
            Self::VersionsMissing { .. } => {
                card(Code::VersionsMissing, "a version of the firmware is not known", Fact, Do::GiveVersions)
            }
            Self::VersionsDiffer { option, given, .. } => {
                card(Code::VersionsDiffer, "the files are not what was requested", Fact, Do::GiveOnePackage).saying(format!(
                    "leave out {option} {given}, or give the files for {given}; --force takes the files as they are"
                ))
            }
            Self::HopNeeded { .. } => card(Code::HopNeeded, "the modem needs an intermediate firmware first", Fact, Do::HopFirst),
            Self::PreProduction { .. } => {
                card(Code::PreProduction, "the modem runs pre-production firmware", Fact, Do::LeaveFirmware)
            }
            Self::NoSuchSlot { .. } => card(Code::SlotNone, "there is no such slot", Fact, Do::AskForLess),
            Self::SlotInUse { .. } => card(Code::SlotInUse, "the image is in use and was not deleted", Fact, Do::SelectOthers),
            Self::NotSupported { .. } => card(Code::NotSupported, "the modem can't do that", Fact, Do::AskForLess),
            Self::NotRunning { mode, place } => {
                let card = card(Code::NotSupported, "the modem can't do that", Fact, Do::AskForLess);
                match mode {
                    Mode::Download => card.saying(format!(
                        "`modemflash reset --port {place}` starts the firmware that it has, \
                         `modemflash update --port {place} FILE…` gives it some"
                    )),
                    _ => card,
                }
            }
            Self::NotEntered { is_pin, .. } => {
                let advice = if *is_pin { Do::CheckPin } else { Do::PowerCycleAndRunAgain };
                card(Code::DownloadNotEntered, "the modem does not enter download mode", Fact, advice)
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
            Self::OtherModem { .. } => card(Code::ModemOther, "a different modem came back", Fact, Do::SeeWhichModem),
            Self::NotProven { lacks, .. } => {
                let advice = if lacks.is_some() { Do::AddImage } else { Do::FlashAgain };
                card(Code::NotProven, "the update is written, but not in effect", Fact, advice)
            }
            Self::NotReadBack { .. } => card(Code::NotReadBack, "the update is written, but could not be verified", Fact, Do::CheckVersions),
            Self::Declined => card(Code::Stopped, "not confirmed", InStep, Do::RunAgain),
            Self::Stopped { .. } => card(Code::Stopped, "stopped by the user", InStep, of_stop(modem)),
            Self::StoppedMidway => {
                // The modem still waits for the rest of the image and would take any byte for that.
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

/// The advice for a modem whose firmware runs but doesn't answer.
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
        PortErrorKind::PermissionDenied => card(Code::PortPermission, "there is no permission to use the port", InStep, Do::GetPermission),
        PortErrorKind::Busy { .. } => card(Code::PortBusy, "the port is in use", InStep, Do::EndOtherProgram),
        PortErrorKind::NotASerialPort => card(Code::PortNotSerial, "this is not a serial port", InStep, Do::ChooseAnotherPort),
        PortErrorKind::Gone => card(Code::PortGone, "the modem left the bus", InStep, Do::CheckConnection),
        _ => card(Code::PortFault, "the port failed", InStep, Do::ChooseAnotherPort),
    }
}

#[rustfmt::skip]
fn of_discovery(error: &DiscoveryError) -> Card {
    use Advice as Do;
    match error {
        DiscoveryError::NotFound { .. } => card(Code::PortMissing, "there is no such port", InStep, Do::CheckPortName),
        DiscoveryError::NotASerialPort { .. } => card(Code::PortNotSerial, "this is not a serial port", InStep, Do::ChooseAnotherPort),
        _ => card(Code::BusUnreadable, "the host's list of devices can't be read", InStep, Do::ChooseAnotherPort),
    }
}

fn of_control(error: &ControlError, modem: ModemState) -> Card {
    let (code, headline) = match error {
        ControlError::Refused { .. } => (Code::ControlRefused, "the modem refused a request"),
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
    // Once all images are accepted, the modem only has to start its firmware.
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
            "the modem kept sending data but no answer",
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
            "the modem refused a request",
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

/// What is known to help, if the modem itself named a known failure.
fn known_failure(error: &ProtocolError) -> Option<&'static str> {
    let ProtocolError::Refused {
        refusal: Refusal::Firehose(nak),
        ..
    } = error
    else {
        return None;
    };
    let mut known = nak.known_failures().into_iter();
    // A rejected image already leads to the advice to get another package. Replace that advice only for a
    // failure of the module itself.
    let failure = known.find(|failure| failure.is_about_module || !rejects_image(error))?;
    Some(failure.advice)
}

/// Whether the modem rejected the image itself: wrong product, not signed, or impossible contents.
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
        // A NAK carries no error number. The request and the log lines before the NAK show what it is about
        // (sahara-firehose.md §5.2).
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
