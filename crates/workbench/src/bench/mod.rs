//! `cargo xtask bench`: what the program takes, against the budgets, each beside its rival in the same run.
//!
//! Nothing here is a test: the exit code is 0 unless `--check` is given. docs/benchmarks.md says how to read the table.

mod data;
mod line;
mod measure;
mod process;
mod script;
mod table;
mod updates;

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context as _, Result, bail};

use kernel_lab::{MEGABYTES, Measuring};
use table::{Row, Verdict};

/// Measures what the program takes, against its budgets.
#[derive(Debug, clap::Args)]
pub(crate) struct Bench {
    /// Only these: inspect, link, memory, start, size, update. Whole updates in the kernel lab are measured only when named.
    #[arg(value_name = "NAME")]
    names: Vec<String>,
    /// How often each is run; the best counts. Usually 5 times, and whole updates once.
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(1..))]
    runs: Option<u32>,
    /// Of the whole updates only those whose name contains one of these: `quick`, `mc7455-mbim`, `real`.
    #[arg(long, value_name = "TEXT", value_delimiter = ',')]
    only: Vec<String>,
    /// Size of the large images of whole updates, in MB. A host that is busy with other things carries 80 MB too slowly.
    #[arg(long, value_name = "NUMBER", default_value_t = MEGABYTES, value_parser = clap::value_parser!(u64).range(4..=90))]
    megabytes: u64,
    /// Our program keeps a log with times of each update (target/lab/last-run/guest-1), which costs it some time.
    #[arg(long)]
    keep_log: bool,
    /// One JSON object per row instead of a table.
    #[arg(long)]
    json: bool,
    /// End with exit code 1 when a budget is missed.
    #[arg(long)]
    check: bool,
    /// Measure this program instead of building one.
    #[arg(long, value_name = "FILE")]
    program: Option<PathBuf>,
}

/// Measures one thing.
type Measure = fn(&Context) -> Result<Vec<Row>>;

/// All that can be measured.
const MEASURES: [(&str, Measure); 5] = [
    ("inspect", measure::inspect),
    ("link", measure::link),
    ("memory", measure::memory),
    ("start", measure::start),
    ("size", measure::size),
];

/// Whole updates in the kernel lab: takes half an hour, so nobody gets it unasked.
const UPDATE: &str = "update";

/// What the measures need.
#[derive(Debug)]
pub(crate) struct Context {
    /// The release build.
    program: PathBuf,
    /// Where the root `Cargo.toml` is.
    root: PathBuf,
    /// Where images and archives are kept from run to run.
    data: PathBuf,
    runs: u32,
}

impl Bench {
    /// Measures and prints.
    pub(crate) fn run(&self) -> Result<ExitCode> {
        for name in &self.names {
            if name != UPDATE && !MEASURES.iter().any(|(known, _)| known == name) {
                let known: Vec<&str> = MEASURES.iter().map(|(name, _)| *name).chain([UPDATE]).collect();
                bail!("{name} can't be measured; there are: {}", known.join(", "));
            }
        }
        if self.names.iter().any(|name| name == UPDATE) {
            let code = self.updates()?;
            if self.names.len() == 1 || code != ExitCode::SUCCESS {
                return Ok(code);
            }
        }
        let root = Path::new(env!("CARGO_MANIFEST_DIR"))
            .ancestors()
            .nth(2)
            .context("the workspace is not where it was")?
            .to_path_buf();
        let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
        let program = match &self.program {
            Some(program) => program.clone(),
            None => {
                eprintln!("building the release");
                build(&root, &["--release"])?;
                target.join("release/modemflash")
            }
        };
        let context = Context {
            program,
            root,
            data: target.join("bench"),
            runs: self.runs.unwrap_or(5),
        };
        std::fs::create_dir_all(&context.data)?;
        let mut rows = Vec::new();
        for (name, measure) in MEASURES {
            if self.names.is_empty() || self.names.iter().any(|wanted| wanted == name) {
                eprintln!("measuring {name}");
                rows.extend(measure(&context).with_context(|| format!("measuring {name}"))?);
            }
        }
        Ok(self.report(&rows))
    }

    /// Measures whole updates and prints; a failure when one of them failed.
    fn updates(&self) -> Result<ExitCode> {
        let updates = updates::run(Measuring {
            only: &self.only,
            runs: self.runs.unwrap_or(1),
            megabytes: self.megabytes,
            keep_log: self.keep_log,
            program: self.program.as_deref(),
        })?;
        if self.json {
            for update in &updates.measured {
                println!("{update}");
            }
        } else {
            println!("{}", updates.tables);
        }
        let code = self.report(&updates.rows);
        Ok(if updates.has_failure {
            ExitCode::FAILURE
        } else {
            code
        })
    }

    /// Prints rows, and tells by the exit code how they stand when that is wanted.
    fn report(&self, rows: &[Row]) -> ExitCode {
        if self.json {
            for row in rows {
                println!("{}", row.json());
            }
        } else {
            print!("{}", table::table(rows));
        }
        let missed = rows.iter().any(|row| row.verdict() == Verdict::Missed);
        if self.check && missed {
            ExitCode::FAILURE
        } else {
            ExitCode::SUCCESS
        }
    }
}

/// Builds the program.
fn build(root: &Path, options: &[&str]) -> Result<()> {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root);
    command
        .args(["build", "--quiet", "--package", "modemflash"])
        .args(options);
    let status = command.status().context("cargo can't be started")?;
    if !status.success() {
        bail!("the build failed");
    }
    Ok(())
}
