//! The options of `qmi-firmware-update`: their names, values and help.

/// What an option is about: the groups of the help text, in their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OptionGroup {
    /// Selects the modem.
    Selection,
    /// Updates a modem that runs its firmware.
    Update,
    /// Sends a modem into download mode.
    Reset,
    /// Updates a modem in download mode.
    Download,
    /// Checks files.
    Verify,
    /// Everything else.
    Application,
}

/// The options by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OptionName {
    BusNumber,
    VidPid,
    ControlPort,
    Tty,
    Update,
    Firmware,
    Config,
    Carrier,
    IgnoreVersions,
    Override,
    StorageIndex,
    SkipValidation,
    Reset,
    UpdateDownload,
    Verify,
    OpenProxy,
    OpenQmi,
    OpenMbim,
    OpenAuto,
    IgnoreManager,
    Verbose,
    Silent,
    VerboseLog,
    Version,
    Help,
    Examples,
}

/// An option.
#[derive(Clone, Copy, Debug)]
pub(crate) struct KnownOption {
    pub(crate) name: OptionName,
    pub(crate) short: Option<char>,
    pub(crate) long: &'static str,
    /// What stands for the value in the help text. None: the option takes no value.
    pub(crate) value: Option<&'static str>,
    pub(crate) group: OptionGroup,
    pub(crate) help: &'static str,
    /// Other names for the option: those of other versions of `qmi-firmware-update`, and our own.
    pub(crate) also: &'static [&'static str],
}

const fn known(
    name: OptionName,
    group: OptionGroup,
    short: Option<char>,
    long: &'static str,
    value: Option<&'static str>,
    help: &'static str,
) -> KnownOption {
    KnownOption {
        name,
        short,
        long,
        value,
        group,
        help,
        also: &[],
    }
}

/// All options, in the order of the help text.
pub(crate) const OPTIONS: &[KnownOption] = &[
    known(
        OptionName::BusNumber,
        OptionGroup::Selection,
        Some('s'),
        "busnum-devnum",
        Some("[BUS:]DEV"),
        "the modem with this number on the bus, in decimal",
    ),
    known(
        OptionName::VidPid,
        OptionGroup::Selection,
        Some('d'),
        "vid-pid",
        Some("VID[:PID]"),
        "the modem with this USB id, in hexadecimal",
    ),
    known(
        OptionName::ControlPort,
        OptionGroup::Selection,
        Some('w'),
        "cdc-wdm",
        Some("[PATH]"),
        "the modem of this control port (/dev/cdc-wdm0)",
    ),
    known(
        OptionName::Tty,
        OptionGroup::Selection,
        Some('t'),
        "tty",
        Some("[PATH]"),
        "the modem of this serial port (/dev/ttyUSB2)",
    ),
    known(
        OptionName::Update,
        OptionGroup::Update,
        Some('u'),
        "update",
        None,
        "update the modem and prove it",
    ),
    known(
        OptionName::Firmware,
        OptionGroup::Update,
        Some('f'),
        "firmware-version",
        Some("[VERSION]"),
        "firmware version, where the files don't tell it",
    ),
    known(
        OptionName::Config,
        OptionGroup::Update,
        Some('c'),
        "config-version",
        Some("[VERSION]"),
        "config version, where the files don't tell it",
    ),
    known(
        OptionName::Carrier,
        OptionGroup::Update,
        Some('C'),
        "carrier",
        Some("[CARRIER]"),
        "carrier, where the files don't tell it",
    ),
    known(
        OptionName::IgnoreVersions,
        OptionGroup::Update,
        None,
        "ignore-version-errors",
        None,
        "go on although versions differ",
    ),
    known(
        OptionName::Override,
        OptionGroup::Update,
        None,
        "override-download",
        None,
        "send the files although the modem has them",
    ),
    known(
        OptionName::StorageIndex,
        OptionGroup::Update,
        None,
        "modem-storage-index",
        Some("[INDEX]"),
        "the slot for the modem image",
    ),
    known(
        OptionName::SkipValidation,
        OptionGroup::Update,
        None,
        "skip-validation",
        None,
        "don't read back what the modem runs",
    ),
    known(
        OptionName::Reset,
        OptionGroup::Reset,
        Some('b'),
        "reset",
        None,
        "send the modem into download mode",
    ),
    KnownOption {
        name: OptionName::UpdateDownload,
        short: Some('U'),
        long: "update-download",
        value: None,
        group: OptionGroup::Download,
        help: "update a modem that is in download mode",
        also: &["update-qdl"],
    },
    known(
        OptionName::Verify,
        OptionGroup::Verify,
        Some('z'),
        "verify",
        None,
        "check the files and show what is in them",
    ),
    known(
        OptionName::OpenProxy,
        OptionGroup::Application,
        Some('p'),
        "device-open-proxy",
        None,
        "through qmi-proxy, where that has the port",
    ),
    known(
        OptionName::OpenQmi,
        OptionGroup::Application,
        None,
        "device-open-qmi",
        None,
        "speak QMI on the control port",
    ),
    known(
        OptionName::OpenMbim,
        OptionGroup::Application,
        None,
        "device-open-mbim",
        None,
        "speak MBIM on the control port",
    ),
    known(
        OptionName::OpenAuto,
        OptionGroup::Application,
        None,
        "device-open-auto",
        None,
        "find out what the port speaks (default)",
    ),
    known(
        OptionName::IgnoreManager,
        OptionGroup::Application,
        None,
        "ignore-mm-runtime-check",
        None,
        "go on although ModemManager keeps the modem",
    ),
    known(
        OptionName::Verbose,
        OptionGroup::Application,
        Some('v'),
        "verbose",
        None,
        "show what happens in detail",
    ),
    known(
        OptionName::Silent,
        OptionGroup::Application,
        Some('S'),
        "silent",
        None,
        "no effect, as in that program",
    ),
    known(
        OptionName::VerboseLog,
        OptionGroup::Application,
        Some('L'),
        "verbose-log",
        Some("[PATH]"),
        "write the details into this file",
    ),
    known(
        OptionName::Version,
        OptionGroup::Application,
        Some('V'),
        "version",
        None,
        "show the version",
    ),
    KnownOption {
        name: OptionName::Help,
        short: Some('h'),
        long: "help",
        value: None,
        group: OptionGroup::Application,
        help: "show this help",
        also: &["help-all"],
    },
    known(
        OptionName::Examples,
        OptionGroup::Application,
        Some('H'),
        "help-examples",
        None,
        "show examples",
    ),
];

/// The row of an option.
pub(crate) fn row(name: OptionName) -> Option<&'static KnownOption> {
    OPTIONS.iter().find(|known| known.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_option_has_its_own_names() {
        for (place, known) in OPTIONS.iter().enumerate() {
            for other in OPTIONS.iter().skip(place + 1) {
                assert_ne!(known.long, other.long);
                assert_ne!(known.name, other.name);
                assert!(known.short.is_none() || known.short != other.short);
            }
        }
        assert_eq!(OPTIONS.len(), 26);
    }
}
