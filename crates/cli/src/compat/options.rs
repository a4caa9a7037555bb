//! Reads the command line in the same way as `qmi-firmware-update`.
//!
//! The rules were observed from outside (version 1.32.2): the value of an option is the next word, or follows `=` behind a long
//! name. Short names can be bundled, and one option of a bundle may take the next word. A flag ignores `=VALUE`. If an option is
//! repeated, the last one counts. Names can't be shortened. `--` ends the options. The first wrong word ends the reading with an
//! error.

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

use super::option_table::{KnownOption, OPTIONS, OptionName, row};
use super::values;

/// What the command line asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct AskedOptions {
    /// The options without a value that were given, by their long names.
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

/// Reads the arguments behind the program's name.
///
/// # Errors
/// What is wrong with the first wrong word, in the words of `qmi-firmware-update`.
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

/// `-bz`, `-bd VALUE`: one option of a bundle may take the next word.
fn bundled(
    asked: &mut AskedOptions,
    word: &str,
    bundle: &str,
    words: &mut WordsLeft<'_>,
) -> Result<(), String> {
    let (mut is_taken, mut is_known) = (false, true);
    for letter in bundle.chars() {
        let Some(known) = OPTIONS.iter().find(|known| known.short == Some(letter)) else {
            // An unknown letter is reported last, so that an error about another letter comes first.
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
        // These command lines come from public reports.
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
}
