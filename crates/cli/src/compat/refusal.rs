//! Prints why a job failed: first in the words of `qmi-firmware-update`, then in our own words.

use firmware_image::{Finding, VersionKind};
use modem_protocol::ProtocolError;
use update_engine::modem::Mode;
use update_engine::{Advice, Cause, Firmware, ModemState, Step, UpdateError};

use super::console::Console;
use super::progress::CompatJob;
use super::select::NO_DOWNLOAD_PORT;
use crate::failure::chain;

/// Follows every error about ModemManager.
const MANAGER_NOTE: &str = "
Note: ModemManager has to let go of the modem during an update, and could not be made to;
please stop it and retry:
 # systemctl stop ModemManager

You can also ignore this (at your own risk) using --ignore-mm-runtime-check.
";

/// Follows every error about versions.
const VERSION_NOTE: &str = "note: you can ignore this error using --ignore-version-errors";

/// Prints why a job failed.
pub(crate) fn print(
    error: &UpdateError,
    job: CompatJob,
    firmware: Option<&Firmware>,
    console: &mut Console<'_>,
) {
    if let Some(words) = words(error, job, firmware) {
        console.error(&words);
    }
    console.error(&format!("{error} [{}]", error.code()));
    for cause in chain(std::error::Error::source(error)) {
        for line in cause.lines() {
            console.warn(&format!("  cause: {}", line.trim()));
        }
    }
    console.warn(&format!("  modem: {}", error.modem_words()));
    match &*error.source {
        Cause::Held { help, .. } => {
            console.warn(&format!("hint: {help}"));
            console.warn(MANAGER_NOTE);
        }
        Cause::ImagesDisagree { .. } if conflict(firmware).is_some() => console.warn(VERSION_NOTE),
        Cause::VersionsDiffer { .. } => console.warn(VERSION_NOTE),
        _ => console.warn(&format!("hint: {}", hint(error))),
    }
}

/// The advice, with the options of this command line instead of those of `modemflash`.
fn hint(error: &UpdateError) -> String {
    let is_waiting = matches!(
        error.modem,
        ModemState::InDownloadMode | ModemState::PartlyWritten { .. }
    );
    match error.next {
        Advice::RunAgain | Advice::CopyImages if is_waiting => again(error),
        Advice::PowerCycleAndRunAgain if is_waiting => {
            format!("disconnect the modem's power for 10 s, then {}", again(error))
        }
        Advice::CheckConnection if is_waiting => format!(
            "check the cable, the USB port (prefer USB 2) and the power supply, power-cycle the modem, then {}",
            again(error)
        ),
        Advice::GetOtherImages if is_waiting => {
            format!("get a sound package for this modem, then {}", again(error))
        }
        Advice::ChooseModem => {
            "say which modem you mean with --cdc-wdm or --tty, or with `modemflash update --port`".to_owned()
        }
        Advice::GiveVersions => "add the .nvu file from the same package, or give the missing values with \
                                 --firmware-version, --config-version and --carrier"
            .to_owned(),
        Advice::LeaveFirmware => {
            "leave the modem's firmware as it is, or ask the vendor; `modemflash update --force` goes on anyway".to_owned()
        }
        Advice::HopFirst => {
            "install that firmware first, then this one; `modemflash update --force` skips that step"
                .to_owned()
        }
        Advice::LeaveLanguage => {
            "leave out --device-open-qmi or --device-open-mbim: modemflash then takes the language from the port's \
             driver, and falls back to AT commands"
                .to_owned()
        }
        Advice::FlashAgain => {
            "run the same command again with --override-download, which sends all images again; some modems need \
             the update twice"
                .to_owned()
        }
        Advice::AddImage => "add the missing file from the same package".to_owned(),
        Advice::GiveOnePackage => {
            "give files from one package; if you mean to use both although their versions differ, `modemflash \
             update --force` takes them"
                .to_owned()
        }
        Advice::ReportBug => {
            "this is a bug in modemflash: run `modemflash update --trace FILE` and send the file".to_owned()
        }
        _ => error.hint(),
    }
}

/// The advice to run again. The modem waits in its boot loader, where it has another USB id and port than before.
fn again(error: &UpdateError) -> String {
    let tty = error.device.port().map(|port| format!(" --tty {port}"));
    format!(
        "run again with --update-download{} (safe to repeat)",
        tty.unwrap_or_default()
    )
}

/// Refuses files whose versions differ in the last number, as `qmi-firmware-update` does. It asks nobody, so here the option
/// that ignores versions is the answer.
pub(crate) fn print_mixed(firmware: &Firmware, console: &mut Console<'_>) -> bool {
    let findings = &firmware.combination().findings;
    let Some(mixed) = findings
        .iter()
        .find(|finding| matches!(finding, Finding::VersionsMixed { .. }))
    else {
        return false;
    };
    if let Finding::VersionsMixed { first, other, .. } = mixed {
        console.error(&strings_differ(VersionKind::Firmware, first, other));
    }
    console.error(&format!("{mixed} [{}]", mixed.code()));
    console.warn(VERSION_NOTE);
    true
}

/// The words of `qmi-firmware-update` for two versions that differ.
fn strings_differ(kind: VersionKind, first: &str, other: &str) -> String {
    format!("couldn't detect {kind}: {kind} strings don't match on specified images: '{first}' != '{other}'")
}

/// The first version in which two files differ.
fn conflict(firmware: Option<&Firmware>) -> Option<(VersionKind, &str, &str)> {
    let findings = &firmware?.combination().findings;
    findings.iter().find_map(|finding| match finding {
        Finding::VersionConflict {
            kind, first, other, ..
        } => Some((*kind, first.as_str(), other.as_str())),
        _ => None,
    })
}

/// The words of `qmi-firmware-update` for the same failure. None if it has no such failure.
fn words(error: &UpdateError, job: CompatJob, firmware: Option<&Firmware>) -> Option<String> {
    let cause = &*error.source;
    let words = match cause {
        Cause::Stopped { .. }
        | Cause::StoppedMidway
        | Cause::Declined
        | Cause::Protocol {
            error: ProtocolError::Stopped { .. },
            ..
        } => "operation cancelled".to_owned(),
        Cause::Held { .. } => {
            "ModemManager is running: cannot perform firmware upgrade operation at the same time".to_owned()
        }
        Cause::NoModem { .. } => "couldn't select device:: device not found".to_owned(),
        Cause::NoImages | Cause::ImageUnreadable { .. } | Cause::ImageDamaged { .. }
            if error.step == Step::CheckImages =>
        {
            "unknown firmware image file".to_owned()
        }
        Cause::ImagesDisagree { .. } => {
            let (kind, first, other) = conflict(firmware)?;
            strings_differ(kind, first, other)
        }
        Cause::VersionsDiffer {
            what, given, found, ..
        } => format!(
            "error validating {what}: user provided {what} doesn't match the one in the specified images: \
             '{given}' != '{found}'"
        ),
        Cause::VersionsMissing { missing } => format!("{} required", missing.first()?),
        Cause::NoSuchSlot { index, maximum } => format!(
            "modem storage index out of bounds ({index} > {})",
            maximum.unwrap_or(0)
        ),
        _ if job == CompatJob::Reset => reset_words(cause).to_owned(),
        Cause::NotEntered { .. } => {
            "boothold reseter operation failed: couldn't run reset operation".to_owned()
        }
        Cause::NotRestarted { tried } => format!(
            "QMI operation failed: couldn't set operating mode: {}",
            tried.join("; ")
        ),
        Cause::NoPort {
            mode: Mode::Download, ..
        } => timed_out(error, DOWNLOAD_PORT),
        Cause::NoPort { .. } => "No cdc-wdm device found to run update operation".to_owned(),
        Cause::RunsNormally { .. } if error.step == Step::CheckDevice => NO_DOWNLOAD_PORT.to_owned(),
        Cause::RunsNormally { .. }
        | Cause::Mute { .. }
        | Cause::ForeignAnswer { .. }
        | Cause::SpoiledStart { .. }
        | Cause::Crashed
        | Cause::EmergencyMode { .. } => "unsupported download protocol".to_owned(),
        Cause::DidNotReturn { .. } | Cause::LoaderPasses { .. } => match error.step {
            Step::Boot | Step::ReadBack | Step::ReadModem => timed_out(error, CONTROL_PORT),
            _ => timed_out(error, DOWNLOAD_PORT),
        },
        Cause::Control { .. }
        | Cause::Unreachable { .. }
        | Cause::NotInLanguage { .. }
        | Cause::Port(_)
        | Cause::Protocol { .. } => by_step(&error.step, cause)?,
        Cause::ImageUnreadable { .. } | Cause::ImageChanged { .. } => by_step(&error.step, cause)?,
        _ => return None,
    };
    Some(words)
}

const DOWNLOAD_PORT: &str = "serial device in download mode";
const CONTROL_PORT: &str = "cdc-wdm";

fn timed_out(error: &UpdateError, what: &str) -> String {
    let place = error.device.path().unwrap_or("?");
    format!("error waiting for {what}: waiting for device at '/sys/bus/usb/devices/{place}' timed out")
}

fn reset_words(cause: &Cause) -> &'static str {
    match cause {
        Cause::NoPort { .. } => "reseter operation finished: No devices found to run reset operation",
        _ => "reseter operation finished: couldn't run reset operation",
    }
}

/// The words of `qmi-firmware-update` for a failure in this step.
fn by_step(step: &Step, cause: &Cause) -> Option<String> {
    let part = match step {
        Step::ReadModem | Step::CheckDevice | Step::Inhibit => "couldn't open QMI device",
        Step::SetPreference => "couldn't set firmware preference",
        Step::EnterDownloadMode => "QMI operation failed: couldn't set operating mode",
        Step::OpenPort => "error opening serial device",
        Step::Detect => return Some("unsupported download protocol".to_owned()),
        Step::Connect => "error downloading image: couldn't prepare download",
        Step::Write { .. } => "error downloading image: couldn't write in session",
        Step::Finalise { .. } => "error downloading image: couldn't close session",
        _ => return None,
    };
    Some(format!("{part}: {cause}"))
}
