//! `modemflash`: arguments in, words and exit codes out. What is done is done by `update-engine`.

#![forbid(unsafe_code)]

mod arguments;
mod failure;
mod head;
mod images;
mod inspect;
mod logging;
mod reference;
#[cfg(feature = "rehearse")]
mod rehearse;
mod replay;
mod run;
mod screen;
mod update;
mod words;

use std::process::ExitCode;

use clap::Parser;

use crate::arguments::{Arguments, Command};
use crate::failure::Failure;

/// What a verb returns: the exit code, or what went wrong.
type Verdict = Result<u8, Failure>;

/// Exit code of a run that the user stopped (docs/errors.md).
const INTERRUPTED: u8 = 130;

fn main() -> ExitCode {
    if let Some(words) = reference::called(std::env::args_os()) {
        return reference::run(&words);
    }
    // Exit code 2 for a wrong command line is clap's own.
    let arguments = Arguments::parse();
    logging::start(arguments.verbose);
    let verdict = match &arguments.command {
        Command::Inspect(inspect) => inspect::run(inspect),
        Command::Update(update) => update::run(update, arguments.verbose),
        #[cfg(feature = "rehearse")]
        Command::Rehearse(rehearse) => rehearse::run(rehearse, arguments.verbose),
        Command::Replay(replay) => replay::run(replay, arguments.verbose),
    };
    ExitCode::from(verdict.unwrap_or_else(|failure| {
        failure.print();
        failure.exit()
    }))
}
