//! Starts the crate `workbench`, which has the commands that use the other crates.

use std::ffi::OsString;
use std::os::unix::process::CommandExt as _;
use std::process::{Command, ExitCode};

use anyhow::{Context as _, Result};

/// The words behind the name of a command, which the workbench reads.
#[derive(Debug, clap::Args)]
pub(crate) struct Words {
    /// `--help` shows them.
    #[arg(value_name = "OPTIONS", allow_hyphen_values = true, trailing_var_arg = true)]
    words: Vec<OsString>,
}

impl Words {
    /// Becomes the workbench. It comes back only when there is no cargo.
    pub(crate) fn start(&self, command: &str) -> Result<ExitCode> {
        // Not a child: signals and the exit code are the workbench's.
        let error = program(command).args(&self.words).exec();
        Err(error).context("cargo can't be started")
    }

    #[cfg(test)]
    pub(crate) fn as_slice(&self) -> &[OsString] {
        &self.words
    }
}

/// Builds the workbench and runs a command of it.
pub(crate) fn program(command: &str) -> Command {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.args(["run", "--quiet", "--package", "workbench", "--", command]);
    cargo
}
