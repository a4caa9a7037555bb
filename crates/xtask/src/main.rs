//! Developer commands: `cargo xtask COMMAND`.
//!
//! This program uses none of the other crates, so that an edit of one of them needn't build this one again. The commands that use
//! other crates are in the crate `workbench`.
#![forbid(unsafe_code)]
#![allow(clippy::print_stdout, clippy::print_stderr)]

mod simulate;
mod test;
mod workbench;

use clap::{Parser, Subcommand};
use std::process::ExitCode;
use workbench::Words;

/// Developer commands of modemflash.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Checks everything: format, lints, circles, tests, documentation, licences, features, the oldest Rust, fuzz targets, the lab.
    Test(test::Test),
    /// Flashes virtual modems with random faults and holds the engine to what is true of them; a table per fault.
    Simulate(simulate::Simulate),
    /// Measures what the program takes, against its budgets.
    #[command(disable_help_flag = true)]
    Bench(Words),
    /// Writes images with correct checksums in the shape of real ones, and wrong ones.
    #[command(disable_help_flag = true)]
    Images(Words),
    /// Boots a kernel with the real drivers and lets qmi-firmware-update and modemflash flash virtual modems.
    #[command(disable_help_flag = true)]
    Lab(Words),
    /// Puts a virtual modem on this machine's USB stack.
    #[command(disable_help_flag = true)]
    VirtualModem(Words),
}

fn main() -> ExitCode {
    let result = match Arguments::parse().command {
        Command::Test(test) => test.run(),
        Command::Simulate(simulate) => simulate.run(),
        Command::Bench(words) => words.start("bench"),
        Command::Images(words) => words.start("images"),
        Command::Lab(words) => words.start("lab"),
        Command::VirtualModem(words) => words.start("virtual-modem"),
    };
    match result {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_of_a_command_of_the_workbench_are_handed_on_as_they_are() {
        let parsed = Arguments::try_parse_from(["xtask", "lab", "--only", "bind", "--help", "-x"]).unwrap();
        let Command::Lab(words) = parsed.command else {
            panic!("{parsed:?}")
        };
        assert_eq!(words.as_slice(), ["--only", "bind", "--help", "-x"]);
    }

    #[test]
    fn chosen_crates_are_for_the_quick_run() {
        let parse = |words: &[&str]| Arguments::try_parse_from([&["xtask", "test"], words].concat());
        for words in [
            &["--quick", "-p", "cli", "-p", "modem-world"] as &[&str],
            &["--quick", "--package=cli"],
        ] {
            assert!(parse(words).is_ok(), "{words:?}");
        }
        for words in [
            &["-p", "cli"] as &[&str],
            &["--only", "tests", "-p", "cli"],
            &["--quick", "-p"],
        ] {
            assert!(parse(words).is_err(), "{words:?}");
        }
    }
}
