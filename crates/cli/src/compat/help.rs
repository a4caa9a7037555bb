//! Help, version and examples. The lines about options have the form of those of `qmi-firmware-update`; the sentences are our own.

use std::fmt::Write;

use super::option_table::{KnownOption, OPTIONS, OptionGroup};

/// The version of `qmi-firmware-update` whose behaviour was observed.
pub(crate) const VERSION: &str = "1.32.2";

/// `--help`.
pub(crate) fn help() -> String {
    let mut text =
        String::from("Usage:\n  qmi-firmware-update [OPTION…] FILE1 FILE2... - bring firmware to a modem\n");
    for (group, head) in [
        (OptionGroup::Selection, "Which modem:"),
        (OptionGroup::Update, "Updating a modem that runs:"),
        (OptionGroup::Reset, "Into download mode:"),
        (OptionGroup::Download, "Updating a modem in download mode:"),
        (OptionGroup::Verify, "Looking at files:"),
        (OptionGroup::Application, "All the rest:"),
    ] {
        let _ = writeln!(text, "\n{head}");
        for known in OPTIONS.iter().filter(|known| known.group == group) {
            let _ = writeln!(text, "  {:<36} {}", names(known), known.help);
        }
    }
    text.push_str(
        "\nThis is modemflash under the name of qmi-firmware-update: FILE may also be a folder or an archive, and\n\
         ModemManager is asked to let go of the modem. docs/compatibility.md tells what else differs;\n\
         `modemflash --help` shows everything that it can do.\n",
    );
    text
}

/// `-f, --firmware-version=[VERSION]`.
pub(crate) fn names(known: &KnownOption) -> String {
    let mut names = match known.short {
        Some(short) => format!("-{short}, --{}", known.long),
        None => format!("--{}", known.long),
    };
    if let Some(value) = known.value {
        let _ = write!(names, "={value}");
    }
    names
}

/// `--version`: the version of `qmi-firmware-update` with the same behaviour, then our own version.
pub(crate) fn version() -> String {
    format!(
        "\nqmi-firmware-update {VERSION}\n\n  modemflash {} under the name of that program; its behaviour is that of \
         version {VERSION}\n  but for what docs/compatibility.md lists. None of its source is in here.\n\n",
        env!("CARGO_PKG_VERSION")
    )
}

/// `--help-examples`.
pub(crate) fn examples() -> &'static str {
    "\n\
     A modem that runs its firmware:\n\
     \x20 qmi-firmware-update -u -d 1199:68c0 SYSTEM.cwe SETTINGS.nvu\n\
     \x20 qmi-firmware-update -u -w /dev/cdc-wdm0 SYSTEM.cwe SETTINGS.nvu\n\
     \x20 qmi-firmware-update -u -t /dev/ttyUSB2 BOTH.spk\n\
     \n\
     Versions that neither the files' headers nor their names tell:\n\
     \x20 qmi-firmware-update -u -d 1199:9071 -f 02.33.03.00 -c 002.072_000 -C GENERIC A.cwe B.nvu\n\
     \n\
     A modem that is in download mode:\n\
     \x20 qmi-firmware-update -U -t /dev/ttyUSB0 SYSTEM.cwe SETTINGS.nvu\n\
     \n\
     Into download mode:\n\
     \x20 qmi-firmware-update -b -d 1199:68a2\n\
     \n\
     What is in files, and is it sound:\n\
     \x20 qmi-firmware-update -z *.cwe *.nvu\n\
     \n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_option_stands_in_the_help() {
        let help = help();
        for known in OPTIONS {
            assert!(help.contains(&format!("  {} ", names(known))), "{}", known.long);
        }
    }

    #[test]
    fn the_version_is_the_second_word_of_the_second_line() {
        let version = version();
        let line = version.lines().nth(1).unwrap();
        assert_eq!(line, "qmi-firmware-update 1.32.2");
    }
}
