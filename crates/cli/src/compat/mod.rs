//! The program under the name of `qmi-firmware-update`. It has the options, words and exit codes of that program, so that scripts
//! which call it go on working.
//!
//! All of this comes from observing `qmi-firmware-update` from outside. `docs/compatibility.md` lists what is the same and what is
//! better; a test compares its table of options with [`option_table::OPTIONS`].

mod console;
mod help;
mod jobs;
mod log;
mod option_table;
mod options;
mod progress;
mod refusal;
mod report;
mod select;
mod values;
mod verify;

#[cfg(test)]
#[cfg(feature = "rehearse")]
mod runs;

use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::path::Path;
use std::process::ExitCode;

use self::console::Console;
use self::option_table::OptionName;
use self::options::AskedOptions;
use crate::output::file::{OutputFile, Unwritable};
use crate::worlds::chosen_world::ChosenWorld;

/// The name of the program that this one stands in for.
const NAME: &str = "qmi-firmware-update";

/// A call of this program under that name.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct CompatCall {
    /// The arguments behind the name.
    words: Vec<OsString>,
    /// Models of virtual modems to work on instead of those of this host, as for every verb.
    models: Vec<String>,
}

/// The call, if the program was called by that name: through a link of that name, or with the name as first argument. `--virtual
/// MODEL` may stand before the first argument.
pub(crate) fn called(mut words: impl Iterator<Item = OsString>) -> Option<CompatCall> {
    let program = words.next()?;
    let mut models = Vec::new();
    if Path::new(&program).file_name().is_none_or(|name| name != NAME) {
        let mut first = words.next()?;
        if cfg!(feature = "rehearse") && first == "--virtual" {
            let given = words.next()?.into_string().ok()?;
            models.extend(given.split(',').map(str::to_owned));
            first = words.next()?;
        }
        if first != NAME {
            return None;
        }
    }
    Some(CompatCall {
        words: words.collect(),
        models,
    })
}

/// Does what a call asks for. The exit code is 0 or 1, as with `qmi-firmware-update`.
pub(crate) fn run(call: &CompatCall) -> ExitCode {
    let is_done = console::with_process(|console| match options::parse(&call.words) {
        Ok(asked) => act(&asked, &call.models, console),
        Err(why) => {
            console.error(&format!("couldn't parse option context: {why}"));
            false
        }
    });
    if is_done {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// Does what needs no modem; for everything else calls [`jobs`]. Returns whether it succeeded.
fn act(asked: &AskedOptions, models: &[String], console: &mut Console<'_>) -> bool {
    if asked.has(OptionName::Version) {
        console.put(&help::version());
        return true;
    }
    if asked.has(OptionName::Help) {
        console.put(&help::help());
        return true;
    }
    if asked.has(OptionName::Examples) {
        console.put(help::examples());
        return true;
    }
    if asked.has(OptionName::Verbose) && asked.has(OptionName::Silent) {
        console.error("cannot specify --verbose and --silent at the same time");
    }
    let Ok(log_file) = log_file(asked, console) else {
        return false;
    };
    log::start(asked.has(OptionName::Verbose), log_file);
    if let Some(wrong) = wrong_action(asked) {
        console.error(wrong);
        return false;
    }
    if asked.has(OptionName::Verify) {
        return verify::run(&asked.files, console);
    }
    let mut chosen = match ChosenWorld::with(models, 0) {
        Ok(chosen) => chosen,
        Err(failure) => {
            failure.print();
            return false;
        }
    };
    let is_done = jobs::run(asked, chosen.world(), console);
    chosen.finish();
    is_done
}

/// Opens the file of `-L`, empty. If that fails, the error is printed and the job goes on without a file, as with
/// `qmi-firmware-update`.
///
/// # Errors
/// The name is that of firmware: the option has probably taken a file that was meant to be sent. The job must not go on; the error
/// is printed.
fn log_file(asked: &AskedOptions, console: &mut Console<'_>) -> Result<Option<File>, ()> {
    let Some(path) = asked.log.as_deref() else {
        return Ok(None);
    };
    let file = OutputFile {
        path,
        is_older: log::is_begun,
        inputs: &asked.files,
    };
    let why = match file.create() {
        Ok(file) => return Ok(Some(file)),
        Err(why) => why,
    };
    let words = match &why {
        Unwritable::System(error) => plain(error),
        why => why.to_string(),
    };
    console.error(&format!("cannot open verbose log file for writing: {words}"));
    if why.is_firmware() { Err(()) } else { Ok(None) }
}

/// The system's error message without its number.
fn plain(error: &io::Error) -> String {
    let words = error.to_string();
    match words.split_once(" (os error") {
        Some((words, _)) => words.to_owned(),
        None => words,
    }
}

/// What is wrong with the actions that were chosen.
fn wrong_action(asked: &AskedOptions) -> Option<&'static str> {
    let actions = [
        OptionName::Update,
        OptionName::Reset,
        OptionName::UpdateDownload,
        OptionName::Verify,
    ];
    match asked.count(&actions) {
        0 => Some("no actions specified"),
        1 if asked.files.is_empty() && !asked.has(OptionName::Reset) => Some("no firmware images specified"),
        1 => None,
        _ => Some("too many actions specified"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Option<usize> {
        called(line.split(' ').map(OsString::from)).map(|call| call.words.len())
    }

    #[test]
    fn the_name_counts_behind_any_path_and_as_the_first_word() {
        assert_eq!(words("/usr/bin/qmi-firmware-update -z a"), Some(2));
        assert_eq!(words("qmi-firmware-update"), Some(0));
        assert_eq!(words("modemflash qmi-firmware-update -z a"), Some(2));
        assert_eq!(words("modemflash inspect qmi-firmware-update"), None);
        assert_eq!(words("modemflash"), None);
        assert_eq!(
            words("modemflash --virtual EM7565 qmi-firmware-update -z a"),
            Some(2)
        );
        assert_eq!(words("modemflash --virtual EM7565 update"), None);
    }

    #[test]
    fn the_documentation_lists_exactly_the_options_that_there_are() {
        let page = include_str!("../../../../docs/compatibility.md");
        let rows: Vec<&str> = page
            .lines()
            .filter_map(|line| line.strip_prefix("| `-")?.split_once('`'))
            .map(|(names, _)| names)
            .collect();
        let options: Vec<String> = option_table::OPTIONS
            .iter()
            .map(|known| help::names(known).split_off(1))
            .collect();
        // Rows of other tables begin with options as well, but these tables come later.
        assert_eq!(
            rows.get(..options.len()),
            Some(&options.iter().map(String::as_str).collect::<Vec<_>>()[..])
        );
        for name in option_table::OPTIONS.iter().flat_map(|known| known.also) {
            assert!(page.contains(&format!("`--{name}`")), "{name}");
        }
    }
}
