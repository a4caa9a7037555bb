//! Whether what an error says of the modem is true of the modem.

use modemflash_update_engine::{Cause, Code, ModemState, UpdateError};
use virtual_modem::quirk::HelloHabit;
use virtual_modem::{ImageState, Mode, Storage, VirtualModem};

/// Whether a modem has the images that it prefers.
pub fn has_what_it_prefers(storage: &Storage) -> bool {
    storage
        .preferred
        .as_ref()
        .is_none_or(|preferred| storage.has_modem(&preferred.firmware) && storage.has_pri(&preferred.pri()))
}

/// Holds the state that an error names, and its exit code, against the modem; `of` images were given. `Err` says what is
/// wrong.
pub fn is_true(modem: &VirtualModem, of: usize, error: &UpdateError) -> Result<(), String> {
    let accepted = modem
        .images()
        .iter()
        .filter(|image| image.state == ImageState::Accepted)
        .count();
    let written = modem.image_bytes();
    let runs = matches!(modem.mode(), Mode::Normal | Mode::Diag | Mode::Echo);
    // Or as it was found, or what the modem has chosen by itself.
    let is_content = has_what_it_prefers(modem.storage())
        || modem.storage().preferred == modem.setup().storage.preferred
        || modem.storage().preferred.as_ref() == Some(&modem.storage().current);
    let exit = error.exit_code();
    let facts = format!(
        "said {:?}, is {:?}, on the bus: {}, {written} bytes written, {accepted} images accepted, \
         prefers {:?} and has it: {is_content}, runs {}, as before: {}",
        error.modem,
        modem.mode(),
        modem.is_on_bus(),
        modem.storage().preferred.as_ref().map(ToString::to_string),
        modem.storage().current,
        modem.storage().current == modem.setup().storage.current,
    );
    let in_loader = modem.mode() == Mode::Download && modem.is_on_bus();
    let is_true = match error.modem {
        ModemState::Untouched => written == 0 && is_content,
        ModemState::RunsFirmware => runs && is_content,
        // Whoever stops at once doesn't hear that the old one is back.
        ModemState::WrongPreference => {
            let is_current = modem.storage().preferred.as_ref() == Some(&modem.storage().current);
            runs && (!is_content || !is_current || *error.source == Cause::StoppedMidway)
        }
        ModemState::RunsOther => runs && accepted > 0,
        // A second pass finds what the first one has written, whole.
        ModemState::InDownloadMode => in_loader && (written == 0 || modem.is_bootable()),
        ModemState::Crashed => matches!(modem.mode(), Mode::RamDump(_)),
        // The acknowledgement of the last image can be lost.
        ModemState::PartlyWritten {
            accepted: said,
            of: of_said,
        } => in_loader && of_said <= of && written > 0 && said <= accepted,
        ModemState::AllWritten => accepted > 0,
        // It has left, and may be back already.
        ModemState::Restarting => {
            (accepted > 0 || has_what_it_prefers(modem.storage())) && (runs || !modem.is_on_bus())
        }
        ModemState::Emergency => modem.mode() == Mode::Pbl,
        ModemState::Unknown => {
            !modem.is_on_bus()
                // It came when nobody waited any more.
                || error.code() == Code::ResetNoReturn
                // Stopped before the first answer.
                || (exit == 130 && written == 0)
                || matches!(modem.mode(), Mode::Dead | Mode::Foreign | Mode::Pbl | Mode::RamDump(_))
                || modem.setup().quirks.hello == HelloHabit::Never
                // Another modem came back.
                || modem.storage().imei != modem.setup().storage.imei
        }
        _ => false,
    };
    if !is_true {
        return Err(facts);
    }
    // A run that wrote nothing leaves no preference behind unless it says so.
    let is_midway =
        *error.source == Cause::StoppedMidway || error.modem == ModemState::Unknown && exit == 130;
    if runs
        && modem.is_on_bus()
        && !is_content
        && written == 0
        && !is_midway
        && error.modem != ModemState::WrongPreference
    {
        return Err(format!("a preference was left behind; {facts}"));
    }
    let fits = match error.modem {
        _ if exit == 130 => error.code().as_str() == "E-STOPPED",
        ModemState::Untouched => matches!(exit, 2..=5),
        // What is missing is missing on the host: the modem was asked at most.
        ModemState::RunsFirmware if error.code() == Code::DownloadNoPort => exit == 4 && written == 0,
        ModemState::RunsFirmware => matches!(exit, 2 | 3 | 5),
        ModemState::WrongPreference => exit == 5,
        ModemState::RunsOther => exit == 7,
        ModemState::Unknown | ModemState::Restarting | ModemState::Emergency => matches!(exit, 4 | 9),
        _ => exit == 6,
    };
    if fits {
        Ok(())
    } else {
        Err(format!("exit code {exit}; {facts}"))
    }
}
