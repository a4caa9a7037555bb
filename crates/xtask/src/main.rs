//! Developer commands: `cargo xtask COMMAND`.
#![forbid(unsafe_code)]
#![allow(clippy::print_stdout, clippy::print_stderr)]

mod bench;
mod images;
mod simulate;
mod test;

use clap::{Parser, Subcommand};
use std::process::ExitCode;

/// Developer commands of modemflash.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Checks everything: format, lints, circles, tests, documentation, licences, features, the oldest Rust, fuzz targets, the lab.
    Test(test::Test),
    /// Measures what the program takes, against its budgets.
    Bench(bench::Bench),
    /// Writes images with correct checksums in the shape of real ones, and wrong ones.
    Images(images::Images),
    /// Boots a kernel with the real drivers and lets qmi-firmware-update and modemflash flash virtual modems.
    Lab(kernel_lab::Lab),
    /// Flashes virtual modems with random faults and holds the engine to what is true of them; a table per fault.
    Simulate(simulate::Simulate),
    /// Puts a virtual modem on this machine's USB stack.
    VirtualModem(kernel_lab::Serve),
}

fn main() -> ExitCode {
    let result = match Arguments::parse().command {
        Command::Test(test) => test.run(),
        Command::Bench(bench) => bench.run(),
        Command::Images(images) => images.run(),
        Command::Lab(lab) => lab.run(),
        Command::Simulate(simulate) => simulate.run(),
        Command::VirtualModem(serve) => serve.run(),
    };
    match result {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
