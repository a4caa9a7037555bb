//! `modemflash`: arguments in, words and exit codes out. What is done is done by `update-engine`.

#![forbid(unsafe_code)]

mod amounts;
mod arguments;
mod ask;
mod at;
mod chosen_world;
mod compat;
mod failure;
mod images;
mod info;
mod inspect;
mod json_events;
mod linux_world;
mod list;
mod logging;
mod modem_view;
mod output;
mod output_file;
#[cfg(feature = "rehearse")]
mod rehearse;
mod replay;
mod reset;
mod running_modem;
mod screen;
mod slots;
mod stderr;
mod table;
mod terminal;
mod trace_file;
mod trace_head;
mod update_one;
mod update_several;
mod update_verb;
#[cfg(feature = "rehearse")]
mod virtual_bus;

use std::io::ErrorKind;
use std::process::ExitCode;

use crate::arguments::{Arguments, Command};
use crate::chosen_world::ChosenWorld;
use crate::failure::{VerbFailure, Verdict};

fn main() -> ExitCode {
    // A small program: where the kernel gives huge pages to everybody, one thread's stack would take 2 MiB. One that can't do this
    // does without.
    let _ = rustix::thread::disable_transparent_huge_pages(true);
    if let Some(words) = compat::called(std::env::args_os()) {
        return compat::run(&words);
    }
    // Exit code 2 for a wrong command line is clap's own.
    let arguments = match Arguments::read() {
        Ok(arguments) => arguments,
        Err(words) => return print(&words),
    };
    logging::start(arguments.verbose);
    match run(&arguments) {
        Ok(code) => ExitCode::from(code),
        Err(failure) => {
            // Here for all verbs: a program that reads the output finds every failure there, once.
            if arguments.command.is_json() && !json_events::is_failure_told() {
                json_events::failed(&failure);
            }
            end(&failure)
        }
    }
}

/// Prints the help that was asked for, or what is wrong with the command line.
fn print(words: &clap::Error) -> ExitCode {
    match words.print() {
        Err(error) if !words.use_stderr() && error.kind() != ErrorKind::BrokenPipe => {
            end(&output::unwritable(&error))
        }
        _ => ExitCode::from(u8::try_from(words.exit_code()).unwrap_or(2)),
    }
}

fn end(failure: &VerbFailure) -> ExitCode {
    failure.print();
    ExitCode::from(failure.exit())
}

fn run(arguments: &Arguments) -> Verdict {
    let verbose = arguments.verbose;
    match &arguments.command {
        Command::List(list) => list::run(list, ChosenWorld::of(arguments)?),
        Command::Info(info) => info::run(info, ChosenWorld::of(arguments)?),
        Command::Inspect(inspect) => inspect::run(inspect),
        Command::Update(update) => update_verb::run(update, arguments),
        Command::Slots(slots) => slots::run(slots, ChosenWorld::of(arguments)?),
        Command::Reset(reset) => reset::run(reset, ChosenWorld::of(arguments)?, verbose),
        Command::At(at) => at::run(at, ChosenWorld::of(arguments)?),
        #[cfg(feature = "rehearse")]
        Command::Rehearse(rehearse) => rehearse::run(rehearse, verbose),
        Command::Replay(replay) => replay::run(replay, verbose),
    }
}
