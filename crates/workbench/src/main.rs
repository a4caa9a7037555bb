//! The developer commands that use the other crates. `cargo xtask` builds and starts this program.
#![forbid(unsafe_code)]
#![allow(clippy::print_stdout, clippy::print_stderr)]

mod bench;
mod images;

use clap::{Parser, Subcommand};
use std::process::ExitCode;

/// Developer commands of modemflash.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Measures what the program takes, against its budgets.
    Bench(bench::Bench),
    /// Writes images with correct checksums in the shape of real ones, and wrong ones.
    Images(images::Images),
    /// Boots a kernel with the real drivers and lets qmi-firmware-update and modemflash flash virtual modems.
    Lab(kernel_lab::Lab),
    /// Puts a virtual modem on this machine's USB stack.
    VirtualModem(kernel_lab::Serve),
}

fn main() -> ExitCode {
    let result = match Arguments::parse().command {
        Command::Bench(bench) => bench.run(),
        Command::Images(images) => images.run(),
        Command::Lab(lab) => lab.run(),
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
