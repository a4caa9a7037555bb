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
