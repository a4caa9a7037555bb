//! The part that runs inside the guest, in the host's root: it runs the scenarios that no other guest has taken, one after the
//! other, and writes down how each went.

mod advised;
mod ask;
pub(crate) mod bus;
mod busy;
mod daemons;
mod expected;
mod images;
mod killed;
mod measure;
pub(crate) mod modem;
mod modules;
mod process;
pub(crate) mod processors;
mod rivals;
mod stopped;
mod trial;
mod verbs;
mod verdict;

use crate::cases::{MEGABYTES, cases};
use crate::clock::now;
use crate::scenario::{Task, all};
use crate::share::Share;
use anyhow::Context;
use clap::Args;
use daemons::Daemons;
use measure::Stand;
use serde_json::json;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use trial::Trial;

/// The first word of lines on the console that the host looks for.
pub(crate) const BEGINS: &str = "lab: begins ";

/// The part that runs inside the guest.
#[derive(Debug, Args)]
pub struct Guest {
    /// The folder that is shared with the host and the other guests.
    #[arg(long)]
    share: PathBuf,
    /// Which of the guests this is.
    #[arg(long)]
    number: usize,
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
    /// Names of the scenarios to run, in this order, or of the cases to measure.
    scenarios: Vec<String>,
}

impl Guest {
    /// Runs the scenarios, one after the other.
    pub fn run(&self) -> anyhow::Result<ExitCode> {
        let share = Share::at(&self.share);
        let folder = share.guest(self.number);
        let results = fs::File::create(share.results(self.number))?;
        let result = if self.measure {
            self.measure_all(&folder, results)
        } else {
            self.run_all(&share, &folder, results)
        };
        // What the kernel has to say, also when something failed.
        let log = Command::new("busybox").arg("dmesg").output().context("dmesg")?;
        fs::write(folder.join("kernel.log"), log.stdout)?;
        result?;
        Ok(ExitCode::SUCCESS)
    }

    fn measure_all(&self, folder: &Path, mut results: fs::File) -> anyhow::Result<()> {
        processors::use_second(true)?;
        let mut stand = Stand::new(&self.ours, folder, self.keep_log);
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

    fn run_all(&self, share: &Share, folder: &Path, mut results: fs::File) -> anyhow::Result<()> {
        let all = all();
        let mut daemons = Daemons::new(folder);
        for name in &self.scenarios {
            let scenario = all.iter().find(|scenario| scenario.name == *name);
            let scenario = scenario.with_context(|| format!("no scenario {name}"))?;
            if !share.claim(name, self.number)? {
                continue;
            }
            println!("{BEGINS}{name}");
            let start = now();
            let trial = Trial {
                scenario,
                share: folder,
                ours: &self.ours,
            };
            let is_parallel = scenario.task == Task::Rivals;
            let verdict = processors::use_second(is_parallel).and_then(|()| trial.run(&mut daemons));
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
