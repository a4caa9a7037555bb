//! The stable error codes, each with its meaning and advice. `docs/errors.md` is generated from this table.

use std::fmt;

use super::exit::Class;

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident: $class:ident = $code:literal, $meaning:literal, $advice:literal;)*) => {
        /// A stable error code. A code is never renamed and never reused for something else.
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
            /// What the code means, in one line.
            pub const fn meaning(self) -> &'static str {
                match self { $(Self::$name => $meaning,)* }
            }
            /// What the user can do, in one line.
            pub const fn advice(self) -> &'static str {
                match self { $(Self::$name => $advice,)* }
            }
            /// The class of the cause, which decides the exit code together with the state of the modem.
            pub const fn class(self) -> Class {
                match self { $(Self::$name => Class::$class,)* }
            }
        }

        /// All codes, in the order of the documentation.
        pub const ALL_CODES: &[Code] = &[$(Code::$name,)*];
    };
}

codes! {
    ImageNone: Request = "E-IMAGE-NONE", "none of the files is an image that can be sent", "give the .cwe and .nvu (or .spk) files, their folder or archive";
    ImageRead: Image = "E-IMAGE-READ", "an image file can't be read", "check the path and the medium; copy the file to a local disk";
    ImageDamaged: Image = "E-IMAGE-DAMAGED", "a checksum or a size inside an image is wrong", "get the file again";
    ImageChanged: Image = "E-IMAGE-CHANGED", "an image file has changed since it was checked at the start", "copy the file to a local disk and run again";
    ImageConflict: Image = "E-IMAGE-CONFLICT", "the files don't belong together: their versions differ, or one was given twice", "give files from one package";
    ImageFamily: Image = "E-IMAGE-FAMILY", "the image is for other modems",
        "get the package for this modem; --force doesn't override this, and --as-platform is only for cases where modemflash is wrong";
    ImageUnsendable: Image = "E-IMAGE-UNSENDABLE", "the modem's protocol can't carry this image", "get the package for this modem";
    ImageRejected: Fault = "E-IMAGE-REJECTED", "the modem rejected an image: it is for another product, not signed for this one, or of a size that the modem doesn't accept", "get the package for exactly this modem and run again";
    NotConfirmed: Request = "E-NOT-CONFIRMED", "there are warnings that nobody confirmed", "read the warnings; if you accept them, run again with --yes";
    PortMissing: NoModem = "E-PORT-MISSING", "there is no such port", "check the name; `modemflash list` shows the ports";
    PortPermission: NoModem = "E-PORT-PERMISSION", "the user has no permission to open the port", "run as root, or join the port's group";
    PortBusy: NoModem = "E-PORT-BUSY", "another program has the port open", "stop that program; ModemManager opens new ports within seconds";
    PortNotSerial: NoModem = "E-PORT-NOT-SERIAL", "the file is not a serial port", "give one of the modem's own ports; `modemflash list` shows them";
    PortGone: NoModem = "E-PORT-GONE", "the port left the bus before anything was sent", "check the cable and the power supply";
    PortFault: NoModem = "E-PORT-FAULT", "the operating system reports an error on the port", "check the cable and the power supply, and see the system log";
    BusUnreadable: NoModem = "E-BUS-UNREADABLE", "sysfs can't be read", "run where /sys is mounted";
    DeviceForeign: NoModem = "E-DEVICE-FOREIGN", "the port belongs to a device that is not a Sierra Wireless modem", "choose the modem's port; --force goes on anyway";
    DeviceUnknown: NoModem = "E-DEVICE-UNKNOWN", "modemflash can't tell whether the port belongs to a modem in download mode", "`modemflash list` shows what is behind the port; --force goes on anyway";
    ModeNormal: Running = "E-MODE-NORMAL", "the modem runs its firmware; this port is not its download port", "name the modem by its place (--port): modemflash then switches it to download mode";
    ModeEmergency: NoModem = "E-MODE-EMERGENCY", "the USB id is 05c6:9008 or 05c6:900e: Sierra's boot loader is gone", "the modem can't be repaired with Sierra's files; ask the vendor";
    ModeDump: Fault = "E-MODE-DUMP", "the modem crashed and offers a memory dump, and a reset didn't help", "power-cycle the modem, then run again";
    AnswerForeign: NoModem = "E-ANSWER-FOREIGN", "something answered, but not a known boot loader", "choose the modem's port";
    DetectSilent: Fault = "E-DETECT-SILENT", "nothing answers on the port, whatever was tried", "power-cycle the modem, then run again as soon as its port is back";
    SaharaSpoiled: Fault = "E-SAHARA-SPOILED", "the boot loader refuses the switch to Firehose, even after a reset", "stop other programs that write to the port, such as ModemManager, power-cycle the modem, then run again";
    ResetNoReturn: Fault = "E-RESET-NO-RETURN", "the modem was reset and didn't come back", "power-cycle the modem, then run again";
    LoaderPasses: Fault = "E-LOADER-PASSES", "the modem was reset; its boot loader appeared and left again, once or several times, but its firmware did not start within the time limit", "power-cycle the modem, then check whether it connects";
    ResetStayed: Fault = "E-RESET-STAYED", "all images were accepted, but the modem didn't restart", "power-cycle the modem";
    QdlSilent: Fault = "E-QDL-SILENT", "QDL: the modem stopped answering", "power-cycle the modem, then run again";
    QdlEndless: Fault = "E-QDL-ENDLESS", "QDL: the modem keeps sending data but no answer", "power-cycle the modem, then run again";
    QdlStalled: Fault = "E-QDL-STALLED", "QDL: the modem stopped taking data", "check the cable and the power supply, then run again";
    QdlLeft: Fault = "E-QDL-LEFT", "QDL: the modem left the bus", "check the cable and the power supply, then run again";
    QdlGarbled: Fault = "E-QDL-GARBLED", "QDL: the modem sent an answer that can't be understood or doesn't belong here", "run again; if it happens again, run with --trace FILE and send the file";
    QdlRefused: Fault = "E-QDL-REFUSED", "QDL: the modem refused a request", "power-cycle the modem, then run again";
    SaharaSilent: Fault = "E-SAHARA-SILENT", "Sahara: the modem stopped answering", "power-cycle the modem, then run again";
    SaharaEndless: Fault = "E-SAHARA-ENDLESS", "Sahara: the modem keeps sending data but no answer", "power-cycle the modem, then run again";
    SaharaStalled: Fault = "E-SAHARA-STALLED", "Sahara: the modem stopped taking data", "check the cable and the power supply, then run again";
    SaharaLeft: Fault = "E-SAHARA-LEFT", "Sahara: the modem left the bus", "check the cable and the power supply, then run again";
    SaharaGarbled: Fault = "E-SAHARA-GARBLED", "Sahara: the modem sent an answer that can't be understood or doesn't belong here", "run again; if it happens again, run with --trace FILE and send the file";
    SaharaRefused: Fault = "E-SAHARA-REFUSED", "Sahara: the modem refused a request", "power-cycle the modem, then run again";
    FirehoseSilent: Fault = "E-FIREHOSE-SILENT", "Firehose: the modem stopped answering", "power-cycle the modem, then run again";
    FirehoseEndless: Fault = "E-FIREHOSE-ENDLESS", "Firehose: the modem keeps sending data but no answer", "power-cycle the modem, then run again";
    FirehoseStalled: Fault = "E-FIREHOSE-STALLED", "Firehose: the modem stopped taking data", "check the cable and the power supply, prefer a USB 2 port, then run again";
    FirehoseLeft: Fault = "E-FIREHOSE-LEFT", "Firehose: the modem left the bus", "check the cable and the power supply, then run again";
    FirehoseGarbled: Fault = "E-FIREHOSE-GARBLED", "Firehose: the modem sent an answer that can't be understood or doesn't belong here", "run again; if it happens again, run with --trace FILE and send the file";
    FirehoseRefused: Fault = "E-FIREHOSE-REFUSED", "Firehose: the modem refused a request; its log lines say why", "power-cycle the modem, then run again";
    ModemNone: NoModem = "E-MODEM-NONE", "no modem matches what was asked for", "check the cable and the power supply; `modemflash list` shows the modems on the bus";
    ModemSeveral: NoModem = "E-MODEM-SEVERAL", "more than one modem matches what was asked for", "say which modem with --port; `modemflash update` also takes --all";
    ModemNoPort: NoModem = "E-MODEM-NO-PORT", "the modem is on the bus, but no kernel driver knows its id", "tell the driver `option` about the id (new_id)";
    ModemHeld: NoModem = "E-MODEM-HELD", "ModemManager uses the modem and can't be asked to let go of it", "do as the message says; stopping ModemManager always helps";
    ModemLocked: Host = "E-MODEM-LOCKED", "another process is working on the modem and has locked it; the message names that process", "wait until that process is done, then run again; stopping it in the middle of an update leaves the modem without firmware";
    ModemUnreachable: NoModem = "E-MODEM-UNREACHABLE", "the modem runs its firmware but answers on none of its ports, or not in the language that was asked for", "power-cycle the modem, then run again; leave out --qmi, --mbim or --proxy";
    ModemOther: Fault = "E-MODEM-OTHER", "a different modem came back on this USB position", "check which modem is plugged in where";
    ControlSilent: NoModem = "E-CONTROL-SILENT", "the modem doesn't answer on its control port", "power-cycle the modem, then run again";
    ControlRefused: NoModem = "E-CONTROL-REFUSED", "the modem refused a request", "look at the modem's answer; power-cycle the modem, then run again";
    ControlGone: NoModem = "E-CONTROL-GONE", "the modem left the bus during a request", "run again";
    ControlGarbled: NoModem = "E-CONTROL-GARBLED", "the modem's answer on the control port can't be understood", "run again with --trace FILE and send the file";
    ImageMissing: Image = "E-IMAGE-MISSING", "the modem asks for firmware or settings that none of the files contains", "add the other file from the package (.cwe, .nvu)";
    VersionsMissing: Request = "E-VERSION-MISSING", "the files don't say a version that the modem has to be told", "add the .nvu, or give --firmware, --config, --carrier";
    VersionsDiffer: Request = "E-VERSION-DIFFERS", "the files have another version than the one that was requested", "leave out the option, or give the files of that version; --force takes the files as they are";
    PreProduction: Image = "E-PRE-PRODUCTION", "the modem runs pre-production firmware, and released firmware has made such modems unusable", "leave the modem's firmware as it is, or ask the vendor; --force goes on anyway";
    HopNeeded: Image = "E-HOP-NEEDED", "the modem needs an intermediate firmware first", "install that firmware first";
    SlotNone: Request = "E-SLOT-NONE", "the modem has no slot of this number, or no such stored image", "`modemflash slots` lists the slots and the images";
    SlotInUse: Request = "E-SLOT-IN-USE", "the stored image runs or is preferred, so it was not deleted", "select another image, restart the modem, then delete this one; --force deletes it now";
    NotSupported: Request = "E-NOT-SUPPORTED", "the modem can't do what was asked", "`modemflash info` shows what the modem can do";
    DownloadNotEntered: Fault = "E-DOWNLOAD-NOT-ENTERED", "nothing that was tried switches the modem to download mode", "power-cycle the modem; on M.2 boards check pin 25 (DPR)";
    DownloadNoPort: Host = "E-DOWNLOAD-NO-PORT", "in download mode the modem has another USB id, which no driver on this host knows, so the modem was not switched to download mode", "tell the driver `option` about that id (new_id; the message has the commands), then run again";
    DownloadModeAgain: Fault = "E-DOWNLOAD-MODE-AGAIN", "all images were accepted, but the modem's boot loader doesn't start them", "check that the package is for exactly this modem; power-cycle the modem and run again";
    RestartedIntoLoader: Fault = "E-RESTART-LOADER", "the modem was restarted and came back in download mode", "send firmware with `modemflash update`, or disconnect the modem's power for 10 s";
    CommandRefused: Fault = "E-AT-REFUSED", "the modem answered an AT command with an error", "some commands need AT!ENTERCND first";
    NotRestarted: Fault = "E-RESTART-REFUSED", "nothing that was tried makes the modem restart", "power-cycle the modem";
    NotProven: Fault = "E-NOT-PROVEN", "all images were accepted, but the modem doesn't report what was requested", "if the message names a missing file, add it; otherwise run again with --override-download: some modems need the update twice";
    NotReadBack: Fault = "E-NOT-READ-BACK", "all images were accepted and the modem runs, but it can't be asked for its versions", "check with `modemflash list` after two minutes";
    Stopped: Stopped = "E-STOPPED", "the user stopped the run", "run again (safe to repeat)";
    Bug: Fault = "E-BUG", "there is a bug in modemflash", "run again with --trace FILE and send the file";
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
