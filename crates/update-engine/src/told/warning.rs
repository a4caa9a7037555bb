//! The stable codes of warnings and remarks, each with its meaning. Tests compare the tables in
//! docs/errors.md and docs/list-json.md with these lists.

use std::fmt;

use serde::{Serialize, Serializer};

macro_rules! codes {
    ($(#[$about:meta])* $kind:ident, $all:ident: $($name:ident = $code:literal, $meaning:literal;)*) => {
        $(#[$about])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum $kind {
            $(#[doc = $meaning] $name,)*
        }

        /// All codes, each with its meaning in one line.
        pub const $all: &[($kind, &str)] = &[$(($kind::$name, $meaning),)*];

        impl $kind {
            /// The code as programs see it.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $code,)* }
            }
        }

        impl fmt::Display for $kind {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl Serialize for $kind {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }
    };
}

codes! {
    /// A warning of a run.
    RunWarning, RUN_WARNINGS:
    Autosuspend = "AUTOSUSPEND", "the host may suspend the modem during the update";
    DeviceForeign = "DEVICE-FOREIGN", "with `--force`: the port belongs to a device that is not a Sierra Wireless modem";
    ModemUncertain = "MODEM-UNCERTAIN", "modemflash can't tell whether the images are for this modem: the modem's id and USB strings leave that open, or the images don't say; needs a confirmation";
    AsPlatform = "AS-PLATFORM", "nothing but `--as-platform` says that the modem takes this platform's firmware; needs a confirmation (two on a terminal)";
    DeviceNotListed = "DEVICE-NOT-LISTED", "the Sierra Wireless device isn't in the list of known modems";
    Downgrade = "DOWNGRADE", "there is no safe way back to such an old version; needs a confirmation";
    DownloadNoPort = "DOWNLOAD-NO-PORT", "with `--force`: in download mode the modem has a USB id that no driver on this host knows";
    DownloadPortUnknown = "DOWNLOAD-PORT-UNKNOWN", "modemflash can't tell whether this host creates a port for the modem in download mode; needs a confirmation";
    Hop = "HOP", "with `--force`: the modem should get an intermediate firmware first; needs a confirmation";
    LockUnknown = "LOCK-UNKNOWN", "this host offers no lock for the modem, so another run of modemflash can't be kept away";
    LockWait = "LOCK-WAIT", "another run is asking the modem for information, or holds a modem that may have the requested IMEI; this run waits for it up to 10 s";
    ModemManager = "MODEM-MANAGER", "ModemManager is running and doesn't let go of the modem";
    NoControlPort = "NO-CONTROL-PORT", "no control port answers, so the modem can't be told which firmware to expect; needs a confirmation";
    DeviceUnknown = "DEVICE-UNKNOWN", "with `--force`: modemflash can't tell whether the port belongs to a modem in download mode";
    ModeNormal = "MODE-NORMAL", "with `--force`: the modem seems to be running its firmware";
    PlaceEmpty = "PLACE-EMPTY", "no modem is at the place that was named, perhaps because the modem is restarting; this run waits for it up to 30 s";
    PreProduction = "PRE-PRODUCTION", "the modem runs pre-production firmware; needs a confirmation";
    Usb3 = "USB3", "an old boot loader on a USB 3 port may stop at the first blocks";
}

codes! {
    /// A remark about a modem, in a list of modems.
    RemarkCode, ALL_REMARKS:
    BootLoop = "BOOT-LOOP", "the modem appeared several times within a minute: its firmware crashes during start-up (`list --watch`)";
    DeviceForeign = "DEVICE-FOREIGN", "the device that was named is not a Sierra Wireless modem, or one that takes no firmware from modemflash";
    DownloadMode = "DOWNLOAD-MODE", "the modem is waiting for firmware";
    DownloadNoPort = "DOWNLOAD-NO-PORT", "an update can't reach the modem: no driver on this host knows the USB id that the modem has in download mode";
    Emergency = "EMERGENCY", "only Qualcomm's boot loader is left: Sierra's is gone";
    ImageMismatch = "IMAGE-MISMATCH", "the radio stays off because firmware and settings don't belong together";
    Locked = "LOCKED", "another process has locked the modem, so the modem wasn't asked; `info` then ends with exit code 4";
    NoControlPort = "NO-CONTROL-PORT", "the modem has no QMI or MBIM port";
    NoDriver = "NO-DRIVER", "no driver created a port for the modem";
    NotAsked = "NOT-ASKED", "the modem couldn't be asked";
    NotConfigured = "NOT-CONFIGURED", "the USB device isn't configured yet, or not authorised";
    Pcie = "PCIE", "the modem is on PCIe, where modemflash can't ask or update it yet; an update needs USB lines in the modem's slot";
    PreProduction = "PRE-PRODUCTION", "the modem runs pre-production firmware";
    UnknownId = "UNKNOWN-ID", "the modem's USB id isn't in the list of known modems";
    Usb3 = "USB3", "the modem is on USB 3, where old boot loaders may stop";
}

/// The stable code of a warning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum WarningCode {
    /// A warning about the run itself.
    Run(RunWarning),
    /// A finding in the images: [`firmware_image::Finding::code`].
    Images(&'static str),
}

impl WarningCode {
    /// The code as programs see it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Run(code) => code.as_str(),
            Self::Images(code) => code,
        }
    }
}

impl From<RunWarning> for WarningCode {
    fn from(code: RunWarning) -> Self {
        Self::Run(code)
    }
}

impl Serialize for WarningCode {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}
