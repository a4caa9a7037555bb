//! The kernel lab: virtual modems behind the kernel's real USB stack and real drivers, flashed by programs that
//! we did not write, and by ours.

use clap::Args;
use std::process::ExitCode;

/// Boots a kernel with the real drivers and lets qmi-firmware-update and modemflash flash virtual modems.
#[derive(Debug, Args)]
pub(crate) struct Lab {}

impl Lab {
    /// Runs the lab.
    pub(crate) fn run(&self) -> anyhow::Result<ExitCode> {
        anyhow::bail!("the kernel lab isn't there yet")
    }
}

/// The part that runs inside the guest.
#[derive(Debug, Args)]
pub(crate) struct Guest {}

impl Guest {
    /// Runs all scenarios.
    pub(crate) fn run(&self) -> anyhow::Result<ExitCode> {
        anyhow::bail!("the kernel lab isn't there yet")
    }
}
