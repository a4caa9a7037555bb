//! A virtual modem on this machine's own USB stack, for trying things by hand.

use crate::guest::modem::Bench;
use anyhow::Context;
use clap::{Args, ValueEnum};
use serde_json::json;
use std::fs;
use std::io::{Read, sink, stderr};
use std::path::PathBuf;
use std::process::ExitCode;
use virtual_modem::profile::Timings;
use virtual_modem::{FaultScript, Keep, Profile, Setup};

/// Puts a virtual modem in download mode on this machine's USB stack (root, `modprobe vhci-hcd`). It stays until
/// its standard input ends; then it prints what the modem has, as one JSON object.
#[derive(Debug, Args)]
pub struct Serve {
    /// The model.
    #[arg(long = "as", value_name = "MODEL")]
    model: String,
    /// Folder for the images that were written to the modem: `1.bin`, `2.bin`, …
    #[arg(long, value_name = "DIR")]
    memory_out: Option<PathBuf>,
    /// What goes wrong, in the words of `modemflash rehearse --fault`.
    #[arg(long, default_value = "")]
    fault: String,
    /// How long things take.
    #[arg(long, default_value = "real")]
    speed: Speed,
    /// Port of the virtual host controller.
    #[arg(long, default_value_t = 0)]
    port: u32,
    /// Shows what happens, and the bytes.
    #[arg(short, long)]
    verbose: bool,
}

/// How long things take.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Speed {
    /// As with the real modem.
    Real,
    /// No time at all.
    Fast,
}

impl Serve {
    /// Serves until standard input ends.
    pub fn run(&self) -> anyhow::Result<ExitCode> {
        let known = || {
            Profile::ALL
                .iter()
                .map(|profile| profile.name)
                .collect::<Vec<_>>()
                .join(", ")
        };
        let profile = Profile::named(&self.model)
            .with_context(|| format!("no model {}; there are {}", self.model, known()))?;
        let mut setup = Setup::of(profile);
        setup.keep = Keep::Bytes { up_to: 256 << 20 };
        if !self.fault.is_empty() {
            setup.faults = self.fault.parse::<FaultScript>().context("--fault")?;
        }
        if matches!(self.speed, Speed::Fast) {
            setup.timings = Timings::INSTANT;
        }
        let bench = if self.verbose {
            Bench::start(setup, self.port, stderr())?
        } else {
            Bench::start(setup, self.port, sink())?
        };
        #[expect(
            clippy::disallowed_methods,
            reason = "nobody is asked: the lab closes the pipe"
        )]
        let modem = bench.stop_after(|| {
            // Its end, or a failure to read it: both are the end.
            let _ = std::io::stdin().read_to_end(&mut Vec::new());
        })?;
        if let Some(folder) = &self.memory_out {
            fs::create_dir_all(folder)?;
            for (image, number) in modem.images.iter().zip(1..) {
                fs::write(
                    folder.join(format!("{number}.bin")),
                    image.bytes.as_deref().unwrap_or_default(),
                )?;
            }
        }
        let images = modem.images.iter().map(|image| {
            let state = format!("{:?}", image.state).to_lowercase();
            json!({ "length": image.length, "crc32": image.crc, "state": state, "version": image.version })
        });
        let images: Vec<_> = images.collect();
        println!(
            "{}",
            json!({ "images": images, "violations": modem.violations, "failure": modem.failure })
        );
        let as_it_should_be = modem.violations.is_empty() && modem.failure.is_none();
        Ok(if as_it_should_be {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        })
    }
}
