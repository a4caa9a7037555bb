//! The part that runs inside the guest, in the host's root: it runs the scenarios one after the other and writes down
//! how each went.

mod ask;
pub(crate) mod bus;
mod daemons;
mod expected;
mod images;
mod measure;
pub(crate) mod modem;
mod process;
mod rivals;
mod trial;
mod verbs;
mod verdict;

use crate::cases::{MEGABYTES, cases};
use crate::clock::now;
use crate::scenario::all;
use anyhow::Context;
use clap::Args;
use daemons::Daemons;
use measure::Stand;
use serde_json::json;
use std::fs;
use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, ExitCode};
use trial::Trial;

/// The first word of lines on the console that the host looks for.
pub(crate) const BEGINS: &str = "lab: begins ";

/// The part that runs inside the guest.
#[derive(Debug, Args)]
pub struct Guest {
    /// Folder for results and logs, shared with the host.
    #[arg(long)]
    share: PathBuf,
    /// Our program.
    #[arg(long)]
    ours: PathBuf,
    /// Measures instead of running scenarios.
    #[arg(long)]
    measure: bool,
    /// How often each case is measured.
    #[arg(long, default_value_t = 1)]
    runs: u32,
    /// Size of the large images in MB.
    #[arg(long, default_value_t = MEGABYTES)]
    megabytes: u64,
    /// Our program keeps a log with times while it is measured.
    #[arg(long)]
    keep_log: bool,
    /// Names of the scenarios to run, or of the cases to measure.
    scenarios: Vec<String>,
}

impl Guest {
    /// Runs the scenarios, one after the other.
    pub fn run(&self) -> anyhow::Result<ExitCode> {
        let result = if self.measure {
            self.measure_all()
        } else {
            self.run_all()
        };
        // What the kernel has to say, also when something failed.
        let log = Command::new("busybox").arg("dmesg").output().context("dmesg")?;
        fs::write(self.share.join("kernel.log"), log.stdout)?;
        result?;
        Ok(ExitCode::SUCCESS)
    }

    fn measure_all(&self) -> anyhow::Result<()> {
        let mut results = fs::File::create(self.share.join("results.jsonl"))?;
        let mut stand = Stand::new(&self.ours, &self.share, self.keep_log);
        for case in cases(self.megabytes)
            .iter()
            .filter(|case| self.scenarios.contains(&case.name()))
        {
            for turn in 1..=self.runs {
                for program in case.programs {
                    println!("{BEGINS}{}", case.name());
                    writeln!(results, "{}", stand.measure(case, *program, turn))?;
                }
            }
        }
        Ok(())
    }

    fn run_all(&self) -> anyhow::Result<()> {
        let mut results = fs::File::create(self.share.join("results.jsonl"))?;
        let mut daemons = Daemons::new(&self.share);
        for scenario in all()
            .iter()
            .filter(|scenario| self.scenarios.contains(&scenario.name))
        {
            println!("{BEGINS}{}", scenario.name);
            let start = now();
            let trial = Trial {
                scenario,
                share: &self.share,
                ours: &self.ours,
            };
            let verdict = trial.run(&mut daemons);
            let seconds = start.elapsed().as_secs_f64();
            let (passed, detail) = match verdict {
                Ok(detail) => (true, detail),
                Err(error) => (false, format!("{error:#}")),
            };
            let line =
                json!({ "name": scenario.name, "passed": passed, "seconds": seconds, "detail": detail });
            writeln!(results, "{line}")?;
        }
        Ok(())
    }
}
