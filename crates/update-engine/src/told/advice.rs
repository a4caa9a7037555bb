//! What the user can do after a failure.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What the user can do now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Advice {
    /// Run the same command again.
    RunAgain,
    /// Disconnect the modem's power, then run the same command again.
    PowerCycleAndRunAgain,
    /// Disconnect the modem's power for a while.
    PowerCycle,
    /// Get other image files.
    GetOtherImages,
    /// Give files from one package.
    GiveOnePackage,
    /// Copy the files to a local disk, then run again.
    CopyImages,
    /// Check the port's name.
    CheckPortName,
    /// Choose another port.
    ChooseAnotherPort,
    /// Get permission to use the port.
    GetPermission,
    /// Stop the program that uses the port.
    EndOtherProgram,
    /// Wait until the other run has ended.
    WaitForOtherRun,
    /// Name the modem by its place, so that modemflash switches it to download mode.
    EnterDownloadMode,
    /// Ask the vendor: this program can't repair the modem.
    BeyondRepairHere,
    /// Confirm the warnings.
    Confirm,
    /// Try another cable, port or power supply.
    CheckConnection,
    /// Report a bug.
    ReportBug,
    /// Check that the modem is plugged in and has power.
    CheckModem,
    /// Say which modem is meant.
    ChooseModem,
    /// Tell a driver about the modem's USB id.
    BindDriver,
    /// Send the firmware that the boot loader is waiting for.
    GiveFirmware,
    /// Add the missing file.
    AddImage,
    /// Give the versions that the files don't say.
    GiveVersions,
    /// Install the intermediate firmware first.
    HopFirst,
    /// Leave the modem's firmware as it is.
    LeaveFirmware,
    /// Check which modem is plugged in where.
    SeeWhichModem,
    /// Look up what the modem has, and ask for that.
    AskForLess,
    /// Select other stored images first.
    SelectOthers,
    /// Check what the carrier board does with pin 25.
    CheckPin,
    /// Send the images once more, although the modem has them.
    FlashAgain,
    /// Check the versions by hand.
    CheckVersions,
    /// Leave out the option that names a language.
    LeaveLanguage,
}

impl fmt::Display for Advice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::RunAgain => "run the same command again (safe to repeat)",
            Self::PowerCycleAndRunAgain => {
                "disconnect the modem's power for 10 s, then run the same command again (safe to repeat)"
            }
            Self::PowerCycle => "disconnect the modem's power for 10 s, then check whether it connects",
            Self::GetOtherImages => {
                "get a sound package for this modem; `modemflash inspect FILE` shows whether a file is sound and which modems it is for"
            }
            Self::GiveOnePackage => {
                "give files from one package; settings files from device makers often name an older firmware: if \
                 only the versions differ and you mean to use both files, add --force"
            }
            Self::CopyImages => "copy the image files to a local disk, then run again (safe to repeat)",
            Self::CheckPortName => {
                "check the port's name: `modemflash list` shows every modem with its ports, including control ports \
                 (cdc-wdm); `lsusb` shows whether the modem is on the bus at all"
            }
            Self::ChooseAnotherPort => "choose the modem's own port; a modem in download mode has exactly one",
            Self::GetPermission => "run as root, or join the group that owns the port",
            Self::EndOtherProgram => "stop the program that uses the port (it may be ModemManager), then run again",
            Self::WaitForOtherRun => {
                "wait until that process is done, then run again; stopping it in the middle of an update leaves the \
                 modem without firmware"
            }
            Self::EnterDownloadMode => {
                "run again and name the modem by its place (--port, see `modemflash list`): modemflash then \
                 switches a running modem to download mode itself"
            }
            Self::BeyondRepairHere => {
                "this modem has lost Sierra's boot loader and can't be repaired with Sierra's files; ask the vendor"
            }
            Self::Confirm => "read the warnings; if you accept them, run again with --yes",
            Self::CheckConnection => {
                "check the cable, the USB port (prefer USB 2) and the power supply, power-cycle the modem, then run again"
            }
            Self::CheckModem => {
                "check that the modem is plugged in and has power (`lsusb`); `modemflash list` shows the modems on the bus"
            }
            Self::ChooseModem => {
                "say which modem you mean, for example with --port as listed; `modemflash update` also takes --all"
            }
            Self::BindDriver => {
                "tell a driver about the modem's USB id: `modemflash list` shows the commands for each interface"
            }
            Self::GiveFirmware => {
                "the modem is waiting for firmware: run `modemflash update FILE…`, or disconnect its power for 10 s"
            }
            Self::AddImage => "add the missing file from the same package; --force goes on without it",
            Self::GiveVersions => {
                "add the .nvu file from the same package, or give the missing values with --firmware, --config and --carrier"
            }
            Self::LeaveFirmware => "leave the modem's firmware as it is, or ask the vendor; --force goes on anyway",
            Self::SeeWhichModem => "check with `modemflash list` which modem is plugged in where",
            Self::HopFirst => "install that firmware first, then this one; --force skips that step",
            Self::AskForLess => "`modemflash info` and `modemflash slots` show what the modem has",
            Self::SelectOthers => {
                "select another image (`modemflash slots select`), restart the modem (`modemflash reset`), then delete \
                 this one; --force deletes it now (in scripts with --yes), after which the modem may keep its radio off"
            }
            Self::CheckPin => {
                "check whether the carrier board ties pin 25 (DPR) of the M.2 slot to ground or 1.8 V; that pin has to float"
            }
            Self::FlashAgain => {
                "run the same command again with --override-download, which sends all images again; some modems \
                 need the update twice"
            }
            Self::CheckVersions => "give the modem two minutes, then check with `modemflash list`",
            Self::LeaveLanguage => {
                "leave out --qmi, --mbim or --proxy: modemflash then takes the language from the port's driver, and \
                 falls back to AT commands"
            }
            Self::ReportBug => "this is a bug in modemflash: run again with --trace FILE and send the file",
        })
    }
}
