//! The part that runs on the host: it gets a kernel and builds the programs, boots the guest, and says how each scenario went.

mod initramfs;
mod kernel;
mod machine;
pub(crate) mod report;
mod schedule;
mod session;
pub(crate) mod tools;

use crate::cases::{Case, cases};
use crate::clock::within;
use crate::guest::BEGINS;
use crate::scenario::{Scenario, When, all};
use anyhow::ensure;
use clap::Args;
use report::{report, skipped};
use serde_json::Value;
use session::{Build, SCENARIO_OVERHEAD, Session};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Boots a kernel with the real drivers and lets qmi-firmware-update and modemflash flash virtual modems.
#[derive(Debug, Args)]
pub struct Lab {
    /// Runs only scenarios whose name contains one of these; with --all also those that are tried then only.
    #[arg(long, value_name = "TEXT", value_delimiter = ',')]
    only: Vec<String>,
    /// Runs all scenarios: every combination that exists, and slow ones.
    #[arg(long)]
    all: bool,
    /// Tries this program instead of building one.
    #[arg(long, value_name = "FILE")]
    program: Option<PathBuf>,
    /// Shows the consoles of the guests.
    #[arg(long)]
    console: bool,
    /// So many guests side by side at most, instead of a number that fits the processors.
    #[arg(long, value_name = "NUMBER")]
    guests: Option<usize>,
}

impl Lab {
    /// Runs the lab. Success also where it can't run, but for CI.
    pub fn run(&self) -> anyhow::Result<ExitCode> {
        let session = match Session::open()? {
            Ok(session) => session,
            Err(reason) => return Ok(skipped(&reason)),
        };
        let wanted = |scenario: &Scenario| {
            let is_chosen = self.only.iter().any(|text| scenario.name.contains(text));
            (self.all || scenario.when == When::Always) && (self.only.is_empty() || is_chosen)
        };
        let scenarios: Vec<Scenario> = all().into_iter().filter(wanted).collect();
        ensure!(
            !scenarios.is_empty(),
            "no scenario has one of {:?} in its name",
            self.only
        );
        let guests = schedule::guests(&scenarios, self.guests.unwrap_or_else(schedule::at_once));
        println!(
            "lab: {}, {} scenarios, {guests} guest(s)",
            session.kernel.name,
            scenarios.len()
        );
        let order = schedule::longest_first(&scenarios);
        let names: Vec<&str> = order.iter().map(|scenario| scenario.name.as_str()).collect();
        let heard = |guest, line: &str| {
            let name = line.strip_prefix(BEGINS);
            if self.console || (name.is_none() && line.starts_with("lab: ")) {
                println!("  guest {guest}: {line}");
            }
            let scenario = scenarios
                .iter()
                .find(|scenario| Some(scenario.name.as_str()) == name)?;
            println!("lab: guest {guest}: {}", scenario.name);
            Some(within(scenario.deadline + SCENARIO_OVERHEAD))
        };
        let run = session.boot(
            guests,
            &names.join(" "),
            Build::Tests,
            self.program.as_deref(),
            heard,
        )?;
        Ok(report(&scenarios, &run))
    }
}

/// Which whole updates are measured, and how.
#[derive(Clone, Copy, Debug)]
pub struct Measuring<'a> {
    /// Those whose name contains one of these; none: all.
    pub only: &'a [String],
    /// How often each.
    pub runs: u32,
    /// MB of the large images.
    pub megabytes: u64,
    /// Our program keeps a log.
    pub keep_log: bool,
    /// Stands in for ours.
    pub program: Option<&'a Path>,
}

/// Measures whole updates in one boot of the guest, or says why the lab can't run here. One object per update, in the order
/// of `cases`.
pub fn measure_updates(measuring: Measuring<'_>) -> anyhow::Result<Result<Vec<Value>, String>> {
    let Measuring {
        only,
        runs,
        megabytes,
        keep_log,
        program,
    } = measuring;
    let session = match Session::open()? {
        Ok(session) => session,
        Err(reason) => return Ok(Err(reason)),
    };
    let mut cases = cases(megabytes);
    cases.retain(|case| only.is_empty() || only.iter().any(|text| case.name().contains(text)));
    ensure!(!cases.is_empty(), "no update has one of {only:?} in its name");
    let names: Vec<String> = cases.iter().map(Case::name).collect();
    let keep_log = if keep_log { "--keep-log " } else { "" };
    let words = format!(
        "--measure --runs {runs} --megabytes {megabytes} {keep_log}{}",
        names.join(" ")
    );
    // Alone: what runs beside it would be measured too.
    let run = session.boot(1, &words, Build::Release, program, |_, line| {
        let name = line.strip_prefix(BEGINS)?;
        let case = cases.iter().find(|case| case.name() == name)?;
        eprintln!("measuring {name}");
        Some(within(case.deadline() + SCENARIO_OVERHEAD))
    })?;
    let results: Vec<Value> = run.results().into_iter().map(|(_, result)| result).collect();
    let expected: usize = cases.iter().map(|case| case.programs.len()).sum::<usize>() * runs as usize;
    ensure!(
        results.len() == expected,
        "{} of {expected} measured, then: {:?}; logs: {}",
        results.len(),
        run.ends,
        run.share.folder().display()
    );
    Ok(Ok(results))
}
