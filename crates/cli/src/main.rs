//! `modemflash`: arguments in, words and exit codes out. What is done is done by `update-engine`.

#![forbid(unsafe_code)]

mod arguments;
mod ask;
mod compat;
mod failure;
mod images;
mod output;
mod screen;
mod text;
mod trace;
mod verbs;
mod worlds;

use std::io::ErrorKind;
use std::process::ExitCode;

use crate::arguments::Arguments;
use crate::failure::VerbFailure;
use crate::output::{json_events, logging, stdout};

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
    match verbs::run(&arguments) {
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
            end(&stdout::unwritable(&error))
        }
        _ => ExitCode::from(u8::try_from(words.exit_code()).unwrap_or(2)),
    }
}

fn end(failure: &VerbFailure) -> ExitCode {
    failure.print();
    ExitCode::from(failure.exit())
}
