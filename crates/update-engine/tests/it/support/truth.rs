//! Checks whether what an error says about the modem is true.

use modemflash_update_engine::{Cause, Code, ModemState, Radio, UpdateError};
use virtual_modem::quirk::HelloHabit;
use virtual_modem::simulated::SimulatedWorld;
use virtual_modem::{ImageState, Mode, Storage, VirtualModem};

/// Whether a modem has stored the images that its preference names.
pub fn has_what_it_prefers(storage: &Storage) -> bool {
    storage
        .preferred
        .as_ref()
        .is_none_or(|preferred| storage.has_modem(&preferred.firmware) && storage.has_pri(&preferred.pri()))
}

/// Compares the state that an error names, and its exit code, with the modem; `of` is the number of images
/// given. `Err` says what is wrong.
pub fn is_true(modem: &VirtualModem, of: usize, error: &UpdateError) -> Result<(), String> {
    let accepted = modem
        .images()
        .iter()
        .filter(|image| image.state == ImageState::Accepted)
        .count();
    let written = modem.image_bytes();
    let runs = matches!(modem.mode(), Mode::Normal | Mode::Diag | Mode::Echo);
    // The preference may also be the one that was found, or what the modem runs.
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
        // A run that stops at once doesn't learn that the old preference is back.
        ModemState::WrongPreference => {
            let is_current = modem.storage().preferred.as_ref() == Some(&modem.storage().current);
            runs && (!is_content || !is_current || *error.source == Cause::StoppedMidway)
        }
        ModemState::RunsOther => {
            let (was, now) = (&modem.setup().storage, modem.storage());
            // Instead of a download, stored firmware may have been started.
            runs && (accepted > 0 || now.current != was.current)
        }
        // A second pass finds what the first pass has written completely.
        ModemState::InDownloadMode => in_loader && (written == 0 || modem.is_bootable()),
        ModemState::Crashed => matches!(modem.mode(), Mode::RamDump(_)),
        // The acknowledgement of the last image can be lost.
        ModemState::PartlyWritten {
            accepted: said,
            of: of_said,
        } => in_loader && of_said <= of && written > 0 && said <= accepted,
        ModemState::AllWritten => accepted > 0,
        // The modem has left the bus, and may be back already.
        ModemState::Restarting => {
            (accepted > 0 || has_what_it_prefers(modem.storage())) && (runs || !modem.is_on_bus())
        }
        ModemState::Emergency => modem.mode() == Mode::Pbl,
        ModemState::Unknown => {
            !modem.is_on_bus()
                // The modem came back after the run had stopped waiting.
                || error.code() == Code::ResetNoReturn
                // The run was stopped before the first answer.
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
    // A run that wrote nothing leaves no new preference behind, unless the error says so.
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
        // The host lacks a driver, so the run has only asked the modem.
        ModemState::RunsFirmware if error.code() == Code::DownloadNoPort => exit == 4 && written == 0,
        ModemState::RunsFirmware => matches!(exit, 2 | 3 | 5),
        ModemState::WrongPreference => exit == 5,
        ModemState::RunsOther => exit == 7,
        ModemState::Emergency => matches!(exit, 4 | 9),
        ModemState::Unknown | ModemState::Restarting => exit == 9,
        // The images are not for the modem that was found, and none was sent.
        ModemState::InDownloadMode if error.is_as_found => matches!(exit, 3 | 6),
        _ => exit == 6,
    };
    if !fits {
        return Err(format!("exit code {exit}; {facts}"));
    }
    exit_is_true(modem, error).map_err(|why| format!("exit code {exit}: {why}; {facts}"))
}

/// Compares the exit code with what the modem has stored, whatever the words of the error say
/// (docs/errors.md).
fn exit_is_true(modem: &VirtualModem, error: &UpdateError) -> Result<(), String> {
    let runs = matches!(modem.mode(), Mode::Normal | Mode::Diag | Mode::Echo);
    let waits = matches!(modem.mode(), Mode::Download | Mode::RamDump(_));
    let is_online = modem.is_on_bus() && modem.is_online();
    match &error.radio {
        Some(Radio::On) if !is_online => return Err("its radio is said to be on".to_owned()),
        Some(Radio::Off { why }) if is_online => return Err(format!("its radio is said to be off: {why}")),
        _ => {}
    }
    let changed = changes(modem);
    let was = &modem.setup().storage;
    let wrong = match error.exit_code() {
        2..=4 if !changed.is_empty() => {
            format!("called untouched, but it has another {}", changed.join(" and "))
        }
        5 | 7 if !runs || !modem.is_on_bus() => "called running".to_owned(),
        // After a restart the modem may run what it already preferred when it was found.
        5 if modem.storage().current != was.current
            && Some(&modem.storage().current) != was.preferred.as_ref() =>
        {
            format!("its old firmware {} is said to run", was.current)
        }
        // A modem that did not restart in time may leave the bus later.
        6 if !(waits && modem.is_on_bus() || error.code() == Code::ResetStayed) => {
            "said to wait in download mode".to_owned()
        }
        7 if changed.is_empty() => "said to run something else, but nothing was changed".to_owned(),
        0 | 1 | 8 | 10..=129 => "no code for a modem that was there".to_owned(),
        _ => return Ok(()),
    };
    Err(wrong)
}

/// What has changed on the modem since the run began.
fn changes(modem: &VirtualModem) -> Vec<&'static str> {
    // The firmware's first start, before the run, also writes to the modem's memory.
    let found = SimulatedWorld::new(modem.setup().clone());
    let was = found.modem(0).expect("there is a modem").storage();
    let now = modem.storage();
    let all = [
        ("mode", modem.mode() == modem.setup().mode),
        ("image in its memory", modem.image_bytes() == 0),
        ("stored firmware", now.modem_images == was.modem_images),
        ("stored settings", now.pri_images == was.pri_images),
        ("preference", now.preferred == was.preferred),
        ("running firmware", now.current == was.current),
        ("OEM configuration", now.oem == was.oem),
        ("USB settings", now.usb == was.usb),
    ];
    all.into_iter()
        .filter(|(_, is_same)| !is_same)
        .map(|(what, _)| what)
        .collect()
}
