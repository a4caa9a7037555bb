//! The stable codes of warnings and remarks, with what each means: the tables in docs/errors.md and docs/list-json.md are held to
//! these lists.

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

        /// All of them, with their meaning in a line.
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
    DeviceForeign = "DEVICE-FOREIGN", "with `--force`: the port belongs to a device that is no Sierra Wireless modem";
    ModemUncertain = "MODEM-UNCERTAIN", "nothing tells whether the images are for this modem: its id and its USB strings leave that open, or the images say nothing; needs a confirmation";
    AsPlatform = "AS-PLATFORM", "only `--as-platform` says that the modem takes this platform's firmware; needs a confirmation, on a terminal twice";
    DeviceNotListed = "DEVICE-NOT-LISTED", "a Sierra Wireless device that isn't in the list of known modems";
    Downgrade = "DOWNGRADE", "there is no safe way back to so old a version; needs a confirmation";
    DownloadNoPort = "DOWNLOAD-NO-PORT", "with `--force`: in download mode the modem has an id that no driver of this host knows";
    DownloadPortUnknown = "DOWNLOAD-PORT-UNKNOWN", "it can't be told whether this host makes a port of the modem in download mode; needs a confirmation";
    Hop = "HOP", "with `--force`: the modem should get a firmware in between first; needs a confirmation";
    LockUnknown = "LOCK-UNKNOWN", "this host gives no lock for the modem, so another run isn't kept away from it";
    LockWait = "LOCK-WAIT", "another run asks the modem, or has one that may be the one with the IMEI; it is waited for, up to 10 s";
    ModemManager = "MODEM-MANAGER", "ModemManager runs and doesn't let go of the modem";
    NoControlPort = "NO-CONTROL-PORT", "no control port answers, so the modem can't be told what is to come; needs a confirmation";
    DeviceUnknown = "DEVICE-UNKNOWN", "with `--force`: it can't be told whether the port is a modem in download mode";
    ModeNormal = "MODE-NORMAL", "with `--force`: the modem looks as if it ran its firmware";
    PreProduction = "PRE-PRODUCTION", "pre-production firmware; needs a confirmation";
    Usb3 = "USB3", "an old boot loader on a USB 3 port may stop at the first blocks";
}

codes! {
    /// A remark about a modem, in a list of modems.
    RemarkCode, ALL_REMARKS:
    BootLoop = "BOOT-LOOP", "it came several times within a minute: its firmware crashes as it starts (`list --watch`)";
    DownloadMode = "DOWNLOAD-MODE", "it waits for firmware";
    DownloadNoPort = "DOWNLOAD-NO-PORT", "an update can't reach it: no driver of this host knows the USB id that it has in download mode";
    Emergency = "EMERGENCY", "Qualcomm's boot loader: Sierra's own is gone";
    ImageMismatch = "IMAGE-MISMATCH", "its radio stays off because firmware and settings don't belong together";
    Locked = "LOCKED", "another process has locked it, so it wasn't asked; `info` ends with exit code 4 then";
    NoControlPort = "NO-CONTROL-PORT", "it has no QMI or MBIM port";
    NoDriver = "NO-DRIVER", "no driver made a port of it";
    NotAsked = "NOT-ASKED", "it couldn't be asked";
    NotConfigured = "NOT-CONFIGURED", "it isn't configured yet, or not authorised";
    PreProduction = "PRE-PRODUCTION", "it runs pre-production firmware";
    UnknownId = "UNKNOWN-ID", "its id isn't in the list of known modems";
    Usb3 = "USB3", "it is on USB 3, where old boot loaders stop";
}

/// The stable code of a warning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum WarningCode {
    /// Of the run itself.
    Run(RunWarning),
    /// Of a finding about the images: [`firmware_image::Finding::code`].
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
