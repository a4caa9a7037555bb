//! The program under the name of `qmi-firmware-update`: its options, its words and its exit codes, so that scripts which
//! call it go on.
//!
//! All of it comes from looking at that program from outside. `docs/compatibility.md` lists what is the same and what is
//! better; a test holds its table of options to [`options::OPTIONS`].

mod console;
mod help;
mod log;
mod options;
mod progress;
mod refusal;
mod report;
mod select;
mod update;
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

use modem_transport::LinuxWorld;

use self::console::Console;
use self::options::{Asked, Name};

/// The name that is stood in for.
const NAME: &str = "qmi-firmware-update";

/// The words behind that name, when the program was called by it: through a link, or as the first argument.
pub(crate) fn called(mut words: impl Iterator<Item = OsString>) -> Option<Vec<OsString>> {
    let program = words.next()?;
    if Path::new(&program).file_name().is_some_and(|name| name == NAME) {
        return Some(words.collect());
    }
    (words.next()? == NAME).then(|| words.collect())
}

/// Does what the words ask for. The exit code is 0 or 1, as that program's is.
pub(crate) fn run(words: &[OsString]) -> ExitCode {
    let is_done = console::with_process(|console| match options::parse(words) {
        Ok(asked) => act(&asked, console),
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

/// What needs no modem is done here.
fn act(asked: &Asked, console: &mut Console<'_>) -> bool {
    if asked.has(Name::Version) {
        console.put(&help::version());
        return true;
    }
    if asked.has(Name::Help) {
        console.put(&help::help());
        return true;
    }
    if asked.has(Name::Examples) {
        console.put(help::examples());
        return true;
    }
    if asked.has(Name::Verbose) && asked.has(Name::Silent) {
        console.error("cannot specify --verbose and --silent at the same time");
    }
    log::start(asked.has(Name::Verbose), log_file(asked, console));
    if let Some(wrong) = wrong_action(asked) {
        console.error(wrong);
        return false;
    }
    if asked.has(Name::Verify) {
        return verify::run(&asked.files, console);
    }
    let world = LinuxWorld::new().and_then(|mut world| world.handle_signals().map(|()| world));
    let mut world = match world {
        Ok(world) => world,
        Err(error) => {
            console.error(&format!(
                "this system gives no signals or file descriptors: {error}"
            ));
            return false;
        }
    };
    let is_done = update::run(asked, &mut world, console);
    if let Err(error) = world.finish() {
        console.warn(&format!(
            "warning: a setting of this host wasn't put back: {error}"
        ));
    }
    is_done
}

/// The file of `-L`, made anew. That program goes on when it can't be made.
fn log_file(asked: &Asked, console: &mut Console<'_>) -> Option<File> {
    match File::create(asked.log.as_ref()?) {
        Ok(file) => Some(file),
        Err(error) => {
            let why = plain(&error);
            console.error(&format!("cannot open verbose log file for writing: {why}"));
            None
        }
    }
}

/// The system's words without the number.
fn plain(error: &io::Error) -> String {
    let words = error.to_string();
    match words.split_once(" (os error") {
        Some((words, _)) => words.to_owned(),
        None => words,
    }
}

/// What is wrong with the choice of the action.
fn wrong_action(asked: &Asked) -> Option<&'static str> {
    let actions = [Name::Update, Name::Reset, Name::UpdateDownload, Name::Verify];
    match asked.count(&actions) {
        0 => Some("no actions specified"),
        1 if asked.files.is_empty() && !asked.has(Name::Reset) => Some("no firmware images specified"),
        1 => None,
        _ => Some("too many actions specified"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Option<usize> {
        called(line.split(' ').map(OsString::from)).map(|words| words.len())
    }

    #[test]
    fn the_name_counts_behind_any_path_and_as_the_first_word() {
        assert_eq!(words("/usr/bin/qmi-firmware-update -z a"), Some(2));
        assert_eq!(words("qmi-firmware-update"), Some(0));
        assert_eq!(words("modemflash qmi-firmware-update -z a"), Some(2));
        assert_eq!(words("modemflash inspect qmi-firmware-update"), None);
        assert_eq!(words("modemflash"), None);
    }

    #[test]
    fn the_documentation_lists_exactly_the_options_that_there_are() {
        let page = include_str!("../../../../docs/compatibility.md");
        let rows: Vec<&str> = page
            .lines()
            .filter_map(|line| line.strip_prefix("| `-")?.split_once('`'))
            .map(|(names, _)| names)
            .collect();
        let options: Vec<String> = options::OPTIONS
            .iter()
            .map(|known| help::names(known).split_off(1))
            .collect();
        // Rows of other tables begin with options, too: they come later.
        assert_eq!(
            rows.get(..options.len()),
            Some(&options.iter().map(String::as_str).collect::<Vec<_>>()[..])
        );
        for name in options::OPTIONS.iter().flat_map(|known| known.also) {
            assert!(page.contains(&format!("`--{name}`")), "{name}");
        }
    }
}
