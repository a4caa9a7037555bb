//! `cargo xtask simulate`: the large simulation, in a release build.

use std::process::{Command, ExitCode};

use anyhow::Context;

/// Updates virtual modems with random faults.
#[derive(Debug, clap::Args)]
pub(crate) struct Simulate {
    /// Number of runs, each with a seed of its own.
    #[arg(long, default_value_t = 100_000)]
    runs: u64,
    /// The first seed.
    #[arg(long, default_value_t = 0)]
    from: u64,
    /// Threads.
    #[arg(long, default_value_t = 2)]
    threads: u64,
    /// Writes a line for each modem of each run: seed, modem, wish to stop, end, milliseconds. Two versions of the engine can be
    /// compared by them.
    #[arg(long, value_name = "FILE")]
    outcomes: Option<std::path::PathBuf>,
    /// Cuts each run with one modem before each of its stages, and lets a new engine go on.
    #[arg(long, conflicts_with = "outcomes")]
    cuts: bool,
    /// Only the run with this seed, with all its events.
    #[arg(long)]
    seed: Option<u64>,
    /// Cuts this run before stage number STAGE, from 0.
    #[arg(long, value_name = "STAGE", requires = "seed")]
    before: Option<usize>,
}

impl Simulate {
    /// Builds and calls the simulation, which lies next to the engine's tests.
    pub(crate) fn run(&self) -> anyhow::Result<ExitCode> {
        let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        command.args([
            "run",
            "--quiet",
            "--release",
            "-p",
            "modemflash-update-engine",
            "--example",
            "simulate",
            "--",
        ]);
        match self.seed {
            Some(seed) => command.args(["--seed", &seed.to_string()]),
            None => command
                .args(["--runs", &self.runs.to_string()])
                .args(["--from", &self.from.to_string()])
                .args(["--threads", &self.threads.to_string()]),
        };
        if let Some(file) = &self.outcomes {
            command.arg("--outcomes").arg(file);
        }
        if self.cuts {
            command.arg("--cuts");
        }
        if let Some(stage) = self.before {
            command.args(["--before", &stage.to_string()]);
        }
        let status = command.status().context("cargo can't be started")?;
        Ok(if status.success() {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        })
    }
}
