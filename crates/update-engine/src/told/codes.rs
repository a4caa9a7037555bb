//! The stable error codes with their meaning: the table that `docs/errors.md` is held to.

use std::fmt;

use super::exit::Class;

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident: $class:ident = $code:literal, $meaning:literal, $advice:literal;)*) => {
        /// A stable error code. Codes are never renamed and never used again for something else.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum Code {
            $(#[doc = $meaning] $name,)*
        }

        impl Code {
            /// `E-QDL-SILENT`.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $code,)* }
            }
            /// What it means, in one line.
            pub const fn meaning(self) -> &'static str {
                match self { $(Self::$name => $meaning,)* }
            }
            /// What to do, in one line.
            pub const fn advice(self) -> &'static str {
                match self { $(Self::$name => $advice,)* }
            }
            /// What it means for the exit code.
            pub const fn class(self) -> Class {
                match self { $(Self::$name => Class::$class,)* }
            }
        }

        /// All codes, in the order of the documentation.
        pub const ALL_CODES: &[Code] = &[$(Code::$name,)*];
    };
}

codes! {
    ImageNone: Request = "E-IMAGE-NONE", "no image that could be sent was given", "give the .cwe and .nvu (or .spk) files, their folder or archive";
    ImageRead: Image = "E-IMAGE-READ", "an image file can't be read", "check the path and the medium; copy the file to a local disk";
    ImageDamaged: Image = "E-IMAGE-DAMAGED", "a checksum or a size inside an image is wrong", "get the file again";
    ImageChanged: Image = "E-IMAGE-CHANGED", "an image file differs from what was checked at the start", "copy the file to a local disk and run again";
    ImageConflict: Image = "E-IMAGE-CONFLICT", "the files don't belong together: versions differ, or one is there twice", "give the files of one package";
    ImageFamily: Image = "E-IMAGE-FAMILY", "the image is for other modems",
        "get the package for this modem; --force doesn't send it, and --as-platform is for mistakes of modemflash only";
    ImageUnsendable: Image = "E-IMAGE-UNSENDABLE", "the modem's protocol can't carry this image", "get the package for this modem";
    ImageRejected: Fault = "E-IMAGE-REJECTED", "the modem rejected an image: other product, not signed for it, or a size it doesn't accept", "get the package for exactly this modem and run again";
    NotConfirmed: Request = "E-NOT-CONFIRMED", "there are warnings, and nobody confirmed them", "read them; run again with --yes";
    PortMissing: NoModem = "E-PORT-MISSING", "there is no such port", "check the name; `modemflash list` shows the ports";
    PortPermission: NoModem = "E-PORT-PERMISSION", "the user may not open the port", "run as root, or join the port's group";
    PortBusy: NoModem = "E-PORT-BUSY", "another program has the port", "end it; ModemManager takes new ports within seconds";
    PortNotSerial: NoModem = "E-PORT-NOT-SERIAL", "the file is no serial port", "give one of the modem's own ports; `modemflash list` shows them";
    PortGone: NoModem = "E-PORT-GONE", "the port left the bus before anything was sent", "check cable and power";
    PortFault: NoModem = "E-PORT-FAULT", "the operating system reports an error on the port", "check cable and power, see the system log";
    BusUnreadable: NoModem = "E-BUS-UNREADABLE", "sysfs can't be read", "run where /sys is mounted";
    DeviceForeign: NoModem = "E-DEVICE-FOREIGN", "the port belongs to a device that is no Sierra Wireless modem", "choose the modem's port; --force goes on";
    DeviceUnknown: NoModem = "E-DEVICE-UNKNOWN", "it can't be told whether the port is a modem in download mode", "check by hand; --force goes on";
    ModeNormal: Running = "E-MODE-NORMAL", "the modem runs its firmware; this port is not its download port", "name the modem by its place (--port): it is brought into download mode then";
    ModeEmergency: NoModem = "E-MODE-EMERGENCY", "05c6:9008 or 900e: Sierra's boot loader is gone", "not recoverable with Sierra's files; ask the vendor";
    ModeDump: Fault = "E-MODE-DUMP", "the modem crashed and offers a memory dump; a reset didn't end that", "power-cycle the modem, run again";
    AnswerForeign: NoModem = "E-ANSWER-FOREIGN", "something answered that is no known boot loader", "choose the modem's port";
    DetectSilent: Fault = "E-DETECT-SILENT", "nothing answers, whatever was tried", "power-cycle the modem, run again as soon as its port is there";
    SaharaSpoiled: Fault = "E-SAHARA-SPOILED", "the boot loader refuses the switch to Firehose, also after a reset", "stop other programs (ModemManager) that write to the port, power-cycle, run again";
    ResetNoReturn: Fault = "E-RESET-NO-RETURN", "the modem was reset for a new start and didn't come back", "power-cycle the modem, run again";
    ResetStayed: Fault = "E-RESET-STAYED", "all images accepted, but the modem didn't restart", "power-cycle the modem";
    QdlSilent: Fault = "E-QDL-SILENT", "QDL: the modem stopped answering", "power-cycle the modem, run again";
    QdlEndless: Fault = "E-QDL-ENDLESS", "QDL: the modem sends without an end, but no answer", "power-cycle the modem, run again";
    QdlStalled: Fault = "E-QDL-STALLED", "QDL: the modem stopped taking data", "check cable and power, run again";
    QdlLeft: Fault = "E-QDL-LEFT", "QDL: the modem left the bus", "check cable and power, run again";
    QdlGarbled: Fault = "E-QDL-GARBLED", "QDL: an answer that can't be understood or doesn't belong there", "run again; send a trace when it happens again";
    QdlRefused: Fault = "E-QDL-REFUSED", "QDL: the modem refused a request", "power-cycle the modem, run again";
    SaharaSilent: Fault = "E-SAHARA-SILENT", "Sahara: the modem stopped answering", "power-cycle the modem, run again";
    SaharaEndless: Fault = "E-SAHARA-ENDLESS", "Sahara: the modem sends without an end, but no answer", "power-cycle the modem, run again";
    SaharaStalled: Fault = "E-SAHARA-STALLED", "Sahara: the modem stopped taking data", "check cable and power, run again";
    SaharaLeft: Fault = "E-SAHARA-LEFT", "Sahara: the modem left the bus", "check cable and power, run again";
    SaharaGarbled: Fault = "E-SAHARA-GARBLED", "Sahara: an answer that can't be understood or doesn't belong there", "run again; send a trace when it happens again";
    SaharaRefused: Fault = "E-SAHARA-REFUSED", "Sahara: the modem refused a request", "power-cycle the modem, run again";
    FirehoseSilent: Fault = "E-FIREHOSE-SILENT", "Firehose: the modem stopped answering", "power-cycle the modem, run again";
    FirehoseEndless: Fault = "E-FIREHOSE-ENDLESS", "Firehose: the modem sends without an end, but no answer", "power-cycle the modem, run again";
    FirehoseStalled: Fault = "E-FIREHOSE-STALLED", "Firehose: the modem stopped taking data", "check cable and power (better USB 2), run again";
    FirehoseLeft: Fault = "E-FIREHOSE-LEFT", "Firehose: the modem left the bus", "check cable and power, run again";
    FirehoseGarbled: Fault = "E-FIREHOSE-GARBLED", "Firehose: an answer that can't be understood or doesn't belong there", "run again; send a trace when it happens again";
    FirehoseRefused: Fault = "E-FIREHOSE-REFUSED", "Firehose: the modem refused a request; its log lines say why", "power-cycle the modem, run again";
    ModemNone: NoModem = "E-MODEM-NONE", "no modem fits what was asked for", "check cable and power; `modemflash list` shows what is there";
    ModemSeveral: NoModem = "E-MODEM-SEVERAL", "more than one modem fits what was asked for", "say which with --port, or let `modemflash update` take --all";
    ModemNoPort: NoModem = "E-MODEM-NO-PORT", "the modem is on the bus, but no driver of the kernel knows its id", "let `option` know the id (new_id)";
    ModemHeld: NoModem = "E-MODEM-HELD", "ModemManager has the modem and can't be asked to let go", "do as the message says; stopping ModemManager always helps";
    ModemLocked: Host = "E-MODEM-LOCKED", "another process works on the modem and has locked it; the message names it", "wait until it is done, then run again; ending it in the middle of an update leaves the modem without firmware";
    ModemUnreachable: NoModem = "E-MODEM-UNREACHABLE", "the modem runs its firmware but answers on none of its ports, or not in the language that was asked for", "power-cycle the modem, run again; leave --qmi, --mbim or --proxy away";
    ModemOther: Fault = "E-MODEM-OTHER", "the modem that came back on this USB position is another one", "look which modem is plugged in where";
    ControlSilent: NoModem = "E-CONTROL-SILENT", "the modem doesn't answer on its control port", "power-cycle the modem, run again";
    ControlRefused: NoModem = "E-CONTROL-REFUSED", "the modem refused a request", "look at its answer; power-cycle the modem, run again";
    ControlGone: NoModem = "E-CONTROL-GONE", "the modem left the bus during a request", "run again";
    ControlGarbled: NoModem = "E-CONTROL-GARBLED", "the modem's answer on the control port can't be understood", "run again with --trace FILE and send the file";
    ImageMissing: Image = "E-IMAGE-MISSING", "the modem asks for firmware or settings that no file brings", "add the other file of the package (.cwe, .nvu)";
    VersionsMissing: Request = "E-VERSION-MISSING", "the modem has to be told a version that the files don't tell", "add the .nvu, or give --firmware, --config, --carrier";
    VersionsDiffer: Request = "E-VERSION-DIFFERS", "a version that was asked for isn't that of the files", "leave the option out, or give the files that belong to it; --force takes the files as they are";
    PreProduction: Image = "E-PRE-PRODUCTION", "the modem runs pre-production firmware, and releases have made such modems unusable", "leave it as it is, or ask the vendor; --force goes on";
    HopNeeded: Image = "E-HOP-NEEDED", "the modem needs a firmware in between first", "install that one first";
    SlotNone: Request = "E-SLOT-NONE", "there is no slot of this number, or no such stored image", "`modemflash slots` lists them";
    SlotInUse: Request = "E-SLOT-IN-USE", "a stored image that runs or is preferred isn't deleted", "select other images first, or add --force";
    NotSupported: Request = "E-NOT-SUPPORTED", "the modem can't do what was asked", "see what it can do with `modemflash info`";
    DownloadNotEntered: Fault = "E-DOWNLOAD-NOT-ENTERED", "no way brings the modem into download mode", "power-cycle the modem; on M.2 boards check pin 25 (DPR)";
    DownloadNoPort: Host = "E-DOWNLOAD-NO-PORT", "in download mode the modem has another USB id, and no driver of this host knows it: it was not sent there", "let `option` know that id (new_id, the message has the commands), run again";
    DownloadModeAgain: Fault = "E-DOWNLOAD-MODE-AGAIN", "all images were accepted, but the modem's boot loader doesn't start them", "check that the package is for exactly this modem; power-cycle it and run again";
    RestartedIntoLoader: Fault = "E-RESTART-LOADER", "the modem was restarted and came back in download mode", "give it firmware with `modemflash update`, or take its power away for 10 s";
    CommandRefused: Fault = "E-AT-REFUSED", "the modem answered an AT command with an error", "some commands need AT!ENTERCND first";
    NotRestarted: Fault = "E-RESTART-REFUSED", "no way makes the modem restart", "power-cycle the modem";
    NotProven: Fault = "E-NOT-PROVEN", "all images were accepted, but what the modem reports isn't what was wanted", "add the file that is missing, if one is named; else run again with --override-download: some modems need it twice";
    NotReadBack: Fault = "E-NOT-READ-BACK", "all images were accepted and the modem runs, but it can't be asked for its versions", "look with `modemflash list` after two minutes";
    Stopped: Stopped = "E-STOPPED", "the user stopped the run", "run again (safe to repeat)";
    Bug: Fault = "E-BUG", "modemflash has a bug", "run again with --trace FILE and send the file";
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
