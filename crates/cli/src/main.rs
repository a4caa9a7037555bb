//! `modemflash`: reads the arguments, calls a verb, prints the result and ends with an exit code. `update-engine` does the work.

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
    // Keep the program small: where the kernel gives huge pages to every program, the stack of one thread would take 2 MiB. If the
    // call fails, the program only uses more memory.
    let _ = rustix::thread::disable_transparent_huge_pages(true);
    if let Some(words) = compat::called(std::env::args_os()) {
        return compat::run(&words);
    }
    // clap itself gives exit code 2 for a wrong command line.
    let arguments = match Arguments::read() {
        Ok(arguments) => arguments,
        Err(words) => return print(&words),
    };
    logging::start(arguments.verbose);
    match verbs::run(&arguments) {
        Ok(code) => ExitCode::from(code),
        Err(failure) => {
            // Print the failure here for all verbs, so that a program that reads the output finds each failure exactly once.
            if arguments.command.is_json() && !failure.is_told() {
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
