//! The command line of `qmi-firmware-update`, read as that program reads it.
//!
//! Its habits, seen from outside (version 1.32.2): a value is the next word, or follows `=` behind a long name; short
//! names can be bundled, and one of them may take the next word; a flag ignores `=VALUE`; the last of a repeated option
//! counts; names aren't shortened; `--` ends the options. What is wrong is said at the first wrong word.

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

use super::values;

/// What an option is about; the groups of the help text, in its order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OptionGroup {
    /// Which device.
    Selection,
    /// For a modem that runs its firmware.
    Update,
    /// Into download mode.
    Reset,
    /// For a modem in download mode.
    Download,
    /// Looking at files.
    Verify,
    /// All the rest.
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
    /// What stands for its value in the help text; none: it takes no value.
    pub(crate) value: Option<&'static str>,
    pub(crate) group: OptionGroup,
    pub(crate) help: &'static str,
    /// Names of other versions of that program, and of ours.
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

/// What the command line asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct AskedOptions {
    /// The flags that were given.
    flags: Vec<&'static str>,
    pub(crate) by_number: Option<values::BusNumber>,
    pub(crate) by_id: Option<values::VidPid>,
    pub(crate) control_port: Option<String>,
    pub(crate) tty: Option<String>,
    pub(crate) firmware: Option<String>,
    pub(crate) config: Option<String>,
    pub(crate) carrier: Option<String>,
    pub(crate) storage_index: i32,
    pub(crate) log: Option<PathBuf>,
    pub(crate) files: Vec<PathBuf>,
}

impl AskedOptions {
    /// Whether a flag was given.
    pub(crate) fn has(&self, name: OptionName) -> bool {
        row(name).is_some_and(|known| self.flags.contains(&known.long))
    }

    /// How many of these flags were given.
    pub(crate) fn count(&self, names: &[OptionName]) -> usize {
        names.iter().filter(|name| self.has(**name)).count()
    }

    fn set(&mut self, known: &KnownOption, as_typed: &str, value: Option<&OsStr>) -> Result<(), String> {
        let Some(value) = value else {
            self.flags.push(known.long);
            return Ok(());
        };
        if known.name == OptionName::VerboseLog {
            self.log = Some(value.into());
            return Ok(());
        }
        let text = value
            .to_str()
            .ok_or("Invalid byte sequence in conversion input")?
            .to_owned();
        match known.name {
            OptionName::BusNumber => self.by_number = Some(values::bus_number(&text)?),
            OptionName::VidPid => self.by_id = Some(values::vid_pid(&text)?),
            OptionName::ControlPort => self.control_port = Some(text),
            OptionName::Tty => self.tty = Some(text),
            OptionName::Firmware => self.firmware = Some(text),
            OptionName::Config => self.config = Some(text),
            OptionName::Carrier => self.carrier = Some(text),
            OptionName::StorageIndex => self.storage_index = values::integer(&text, as_typed)?,
            _ => {}
        }
        Ok(())
    }
}

fn row(name: OptionName) -> Option<&'static KnownOption> {
    OPTIONS.iter().find(|known| known.name == name)
}

/// Reads the words behind the program's name.
///
/// # Errors
/// What is wrong with the first wrong word, as that program says it.
pub(crate) fn parse(words: &[OsString]) -> Result<AskedOptions, String> {
    let mut asked = AskedOptions::default();
    let mut words = words.iter();
    while let Some(word) = words.next() {
        let Some(text) = word.to_str() else {
            if word.as_encoded_bytes().starts_with(b"-") {
                return Err(format!("Unknown option {}", word.to_string_lossy()));
            }
            asked.files.push(word.into());
            continue;
        };
        match text.strip_prefix("--") {
            Some("") => {
                asked.files.extend(words.map(PathBuf::from));
                return Ok(asked);
            }
            Some(long) => one_long(&mut asked, text, long, &mut words)?,
            None => match text.strip_prefix('-') {
                None | Some("") => asked.files.push(word.into()),
                Some(bundle) => bundled(&mut asked, text, bundle, &mut words)?,
            },
        }
    }
    Ok(asked)
}

type WordsLeft<'w> = std::slice::Iter<'w, OsString>;

/// `--name`, `--name VALUE`, `--name=VALUE`.
fn one_long(
    asked: &mut AskedOptions,
    word: &str,
    long: &str,
    words: &mut WordsLeft<'_>,
) -> Result<(), String> {
    let (name, glued) = match long.split_once('=') {
        Some((name, value)) => (name, Some(OsStr::new(value))),
        None => (long, None),
    };
    let known = OPTIONS
        .iter()
        .find(|known| known.long == name || known.also.contains(&name))
        .ok_or_else(|| format!("Unknown option {word}"))?;
    let as_typed = format!("--{name}");
    let value = match (known.value, glued) {
        (None, _) => None,
        (Some(_), Some(value)) => Some(value),
        (Some(_), None) => {
            let next = words.next().map(OsString::as_os_str);
            Some(next.ok_or_else(|| format!("Missing argument for {as_typed}"))?)
        }
    };
    asked.set(known, &as_typed, value)
}

/// `-bz`, `-bd VALUE`: one of a bundle may take the next word.
fn bundled(
    asked: &mut AskedOptions,
    word: &str,
    bundle: &str,
    words: &mut WordsLeft<'_>,
) -> Result<(), String> {
    let (mut is_taken, mut is_known) = (false, true);
    for letter in bundle.chars() {
        let Some(known) = OPTIONS.iter().find(|known| known.short == Some(letter)) else {
            // Said only when the others were understood.
            is_known = false;
            continue;
        };
        let as_typed = format!("-{letter}");
        let value = match known.value {
            None => None,
            Some(_) if is_taken => return Err(format!("Error parsing option {as_typed}")),
            Some(_) => {
                is_taken = true;
                let next = words.next().map(OsString::as_os_str);
                Some(next.ok_or_else(|| format!("Missing argument for {as_typed}"))?)
            }
        };
        asked.set(known, &as_typed, value)?;
    }
    if is_known {
        Ok(())
    } else {
        Err(format!("Unknown option {word}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Result<AskedOptions, String> {
        let words: Vec<OsString> = line.split_whitespace().map(OsString::from).collect();
        parse(&words)
    }

    #[test]
    fn files_and_options_come_in_any_order() {
        // Command lines from public reports.
        for line in [
            "--update --cdc-wdm /dev/cdc-wdm0 a.cwe b.nvu",
            "a.cwe -u -w /dev/cdc-wdm0 b.nvu",
            "-uw /dev/cdc-wdm0 a.cwe b.nvu",
            "--cdc-wdm=/dev/cdc-wdm0 -u -- a.cwe b.nvu",
            "-w /dev/cdc-wdm7 -w /dev/cdc-wdm0 -u a.cwe b.nvu --",
        ] {
            let asked = parsed(line).unwrap();
            assert!(asked.has(OptionName::Update), "{line}");
            assert_eq!(asked.control_port.as_deref(), Some("/dev/cdc-wdm0"), "{line}");
            assert_eq!(
                asked.files,
                [PathBuf::from("a.cwe"), PathBuf::from("b.nvu")],
                "{line}"
            );
        }
    }

    #[test]
    fn names_of_older_versions_are_taken() {
        assert!(parsed("--update-qdl a").unwrap().has(OptionName::UpdateDownload));
        assert!(parsed("--help-all").unwrap().has(OptionName::Help));
    }

    #[test]
    fn behind_two_hyphens_everything_is_a_file() {
        let asked = parsed("-z -- -v - --update").unwrap();
        assert_eq!(asked.count(&[OptionName::Verbose, OptionName::Update]), 0);
        assert_eq!(asked.files.len(), 3);
        assert_eq!(parsed("-z -").unwrap().files, [PathBuf::from("-")]);
    }

    #[test]
    fn a_file_name_needs_no_text() {
        use std::os::unix::ffi::OsStringExt;
        let name = OsString::from_vec(vec![b'a', 0xff]);
        let asked = parse(&["-z".into(), name.clone()]).unwrap();
        assert_eq!(asked.files, [PathBuf::from(name.clone())]);
        assert!(parse(&["-d".into(), name]).is_err());
    }

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
