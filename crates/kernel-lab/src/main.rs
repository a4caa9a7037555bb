//! `lab-guest`: the program that the kernel lab runs in its guest.
#![forbid(unsafe_code)]
#![allow(clippy::print_stderr)]

use clap::Parser;
use kernel_lab::Guest;
use std::process::ExitCode;

/// Runs scenarios of the kernel lab, inside its guest.
#[derive(Debug, Parser)]
#[command(name = "lab-guest")]
struct Arguments {
    #[command(flatten)]
    guest: Guest,
}

fn main() -> ExitCode {
    match Arguments::parse().guest.run() {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
