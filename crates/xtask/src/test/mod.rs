//! `cargo xtask test`: everything that must hold before a change is taken, the same on a laptop and in CI.
//!
//! A step prints one heading and the time that it took; what a command printed is shown only when it failed. All
//! steps run, also after one has failed, and a table at the end says how each went. A step that can't run on this
//! host is skipped loudly on a laptop, and fails where `CI=true`.
//!
//! `--quick` takes a part of the steps, and `--quick -p CRATE` takes those for chosen crates only (`chosen`).

mod chosen;
mod circles;
mod feature_sets;
mod fuzz;
mod licences;
mod msrv;
mod no_std;
mod packages;
mod shell;

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};

use super::workbench;
use chosen::Chosen;
use shell::{cargo, run};

/// Runs all checks.
#[derive(Debug, clap::Args)]
pub(crate) struct Test {
    /// Only what a developer wants between two edits: format, lints, circles, tests.
    #[arg(long)]
    quick: bool,
    /// With --quick: only this crate, by the name of its package or its folder in `crates`, without its slow tests; may be given several times.
    #[arg(short, long = "package", value_name = "CRATE", requires = "quick")]
    packages: Vec<String>,
    /// Only these steps, by name.
    #[arg(long, value_name = "STEP", value_delimiter = ',')]
    only: Vec<String>,
    /// Not these steps, by name. Refused where CI=true.
    #[arg(long, value_name = "STEP", value_delimiter = ',')]
    skip: Vec<String>,
}

/// What the steps need to know.
#[derive(Debug)]
struct Workspace {
    /// Where the root `Cargo.toml` is.
    root: PathBuf,
    /// Where the build output goes.
    target: PathBuf,
    /// Nothing may be skipped.
    is_ci: bool,
    /// Only these crates are checked.
    chosen: Option<Chosen>,
}

/// How a step that didn't fail ended.
#[derive(Debug)]
enum Done {
    /// All is well; a few words for the table.
    Passed(String),
    /// It can't run here, and why.
    Skipped(String),
}

impl Done {
    fn passed() -> Result<Self> {
        Ok(Self::Passed(String::new()))
    }
}

struct Step {
    name: &'static str,
    heading: &'static str,
    is_quick: bool,
    run: fn(&Workspace) -> Result<Done>,
}

const STEPS: &[Step] = &[
    Step {
        name: "format",
        heading: "the format of all sources",
        is_quick: true,
        run: format,
    },
    Step {
        name: "lints",
        heading: "clippy, warnings are errors",
        is_quick: true,
        run: lints,
    },
    Step {
        name: "circles",
        heading: "no files that use each other",
        is_quick: true,
        run: circles::check,
    },
    Step {
        name: "tests",
        heading: "all tests",
        is_quick: true,
        run: tests,
    },
    Step {
        name: "docs",
        heading: "the documentation of all crates",
        is_quick: false,
        run: docs,
    },
    Step {
        name: "licences",
        heading: "the licences of all dependencies",
        is_quick: false,
        run: licences::check,
    },
    Step {
        name: "features",
        heading: "combinations of features",
        is_quick: false,
        run: feature_sets::check,
    },
    Step {
        name: "no_std",
        heading: "the pure crates without std",
        is_quick: false,
        run: no_std::check,
    },
    Step {
        name: "msrv",
        heading: "the oldest supported Rust",
        is_quick: false,
        run: msrv::check,
    },
    Step {
        name: "fuzz",
        heading: "the fuzz targets compile",
        is_quick: false,
        run: fuzz::check,
    },
    Step {
        name: "lab",
        heading: "the kernel lab: real drivers and a foreign judge",
        is_quick: false,
        run: lab,
    },
];

/// How many tests run side by side for each processor. The tests of the command line wait for a modem in real time, as a user would:
/// on two processors they took 115 s two at a time, 44 s eight at a time, and 16 s of processor time either way.
const TESTS_PER_PROCESSOR: usize = 4;

impl Test {
    pub(crate) fn run(self) -> Result<ExitCode> {
        let mut workspace = Workspace::find()?;
        for name in self.only.iter().chain(&self.skip) {
            if !STEPS.iter().any(|step| step.name == name) {
                let names: Vec<_> = STEPS.iter().map(|step| step.name).collect();
                bail!("no step {name:?}; there are: {}", names.join(", "));
            }
        }
        let is_partial = self.quick || !self.only.is_empty() || !self.skip.is_empty();
        if workspace.is_ci && is_partial {
            bail!("CI=true: nothing may be left out");
        }
        if !self.packages.is_empty() {
            workspace.chosen = Some(Chosen::find(&workspace, &self.packages)?);
        }

        let mut table = Vec::new();
        let mut left_out = Vec::new();
        for step in STEPS {
            if !self.takes(step) {
                left_out.push(step.name);
                continue;
            }
            match &workspace.chosen {
                Some(chosen) => println!("== {}: {}", step.name, chosen.names()),
                None => println!("== {}: {}", step.name, step.heading),
            }
            let (outcome, time) = timed(|| (step.run)(&workspace));
            let outcome = match outcome {
                Ok(Done::Skipped(reason)) if workspace.is_ci => {
                    Err(anyhow::anyhow!("skipped in CI: {reason}"))
                }
                outcome => outcome,
            };
            match &outcome {
                Ok(Done::Passed(_)) => {}
                Ok(Done::Skipped(reason)) => println!("SKIPPED: {reason}"),
                Err(error) => println!("FAILED: {error:#}"),
            }
            println!("   {}", seconds(time));
            table.push((step.name, outcome, time));
        }
        let code = summary(&table);
        if is_partial {
            println!("not checked; `cargo xtask test` checks all:");
            for line in workspace.chosen.iter().flat_map(Chosen::left_out) {
                println!("  {line}");
            }
            println!("  steps {}", left_out.join(", "));
        }
        Ok(code)
    }

    fn takes(&self, step: &Step) -> bool {
        let named = |list: &[String]| list.iter().any(|name| name == step.name);
        (step.is_quick || !self.quick) && (self.only.is_empty() || named(&self.only)) && !named(&self.skip)
    }
}

fn summary(table: &[(&str, Result<Done>, Duration)]) -> ExitCode {
    println!("== summary");
    for (name, outcome, time) in table {
        let (word, remark) = match outcome {
            Ok(Done::Passed(remark)) => ("ok", remark.clone()),
            Ok(Done::Skipped(reason)) => ("SKIPPED", reason.clone()),
            Err(error) => (
                "FAILED",
                error.to_string().lines().next().unwrap_or_default().to_owned(),
            ),
        };
        println!("{name:<10} {word:<8} {:>9}  {remark}", seconds(*time));
    }
    let failed = table.iter().filter(|(_, outcome, _)| outcome.is_err()).count();
    let skipped = table
        .iter()
        .filter(|(_, outcome, _)| matches!(outcome, Ok(Done::Skipped(_))))
        .count();
    let total: Duration = table.iter().map(|(_, _, time)| *time).sum();
    println!(
        "{} steps in {}: {failed} failed, {skipped} skipped",
        table.len(),
        seconds(total)
    );
    if failed > 0 {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    }
}

impl Workspace {
    fn find() -> Result<Self> {
        // Set by cargo when it builds this program; it is started by `cargo xtask` in the same place.
        let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
        let root = manifest
            .ancestors()
            .nth(2)
            .context("xtask isn't in crates/ any more")?
            .to_path_buf();
        let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
        let is_ci = std::env::var("CI").is_ok_and(|value| value == "true" || value == "1");
        Ok(Self {
            target: root.join(target),
            root,
            is_ci,
            chosen: None,
        })
    }

    /// `cargo` with this command, for the chosen crates or all.
    fn cargo_for_crates(&self, command: &str) -> Command {
        let mut cargo = cargo(self);
        cargo.arg(command);
        match &self.chosen {
            Some(chosen) => chosen.choose(&mut cargo),
            None => {
                cargo.arg("--workspace");
            }
        }
        cargo
    }
}

fn format(workspace: &Workspace) -> Result<Done> {
    if let Some(chosen) = &workspace.chosen {
        let mut command = cargo(workspace);
        command.arg("fmt");
        chosen.choose(&mut command);
        run(command.args(["--", "--check"]))?;
        return Done::passed();
    }
    run(cargo(workspace).args(["fmt", "--all", "--", "--check"]))?;
    for outside in ["fuzz", "crates/xtask/no_std"] {
        let manifest = workspace.root.join(outside).join("Cargo.toml");
        run(cargo(workspace)
            .arg("fmt")
            .arg("--manifest-path")
            .arg(manifest)
            .args(["--", "--check"]))?;
    }
    Done::passed()
}

fn lints(workspace: &Workspace) -> Result<Done> {
    run(workspace.cargo_for_crates("clippy").args([
        "--all-targets",
        "--all-features",
        "--locked",
        "--",
        "-D",
        "warnings",
    ]))?;
    Done::passed()
}

fn tests(workspace: &Workspace) -> Result<Done> {
    let mut command = workspace.cargo_for_crates("test");
    command.args(["--all-features", "--locked", "--no-fail-fast"]);
    match &workspace.chosen {
        None => packages::install_missing(),
        Some(chosen) => {
            // Neither documentation nor examples, which are compiled apart.
            command.args(["--tests", "--", "--exact"]);
            for test in chosen.slow_tests() {
                command.args(["--skip", test]);
            }
        }
    }
    if std::env::var_os("RUST_TEST_THREADS").is_none() {
        command.env(
            "RUST_TEST_THREADS",
            (processors() * TESTS_PER_PROCESSOR).to_string(),
        );
    }
    let output = run(&mut command)?;
    let results: Vec<&str> = output
        .lines()
        .filter(|line| line.starts_with("test result:"))
        .collect();
    for line in &results {
        println!("   {line}");
    }
    let count = |word: &str| -> u64 {
        results
            .iter()
            .filter_map(|line| {
                line.split(&[';', '.'][..])
                    .find_map(|part| part.trim().strip_suffix(word)?.trim().parse::<u64>().ok())
            })
            .sum()
    };
    let (passed, ignored) = (count(" passed"), count(" ignored"));
    // A chosen crate may be one without tests.
    if results.is_empty() || (passed == 0 && workspace.chosen.is_none()) {
        bail!("cargo test said nothing of a test that passed");
    }
    Ok(Done::Passed(format!("{passed} passed, {ignored} ignored")))
}

fn processors() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

fn docs(workspace: &Workspace) -> Result<Done> {
    run(cargo(workspace)
        .args(["doc", "--workspace", "--all-features", "--no-deps", "--locked"])
        .env("RUSTDOCFLAGS", "-D warnings"))?;
    Done::passed()
}

fn lab(workspace: &Workspace) -> Result<Done> {
    // A program of its own, so that it may end however it likes; it speaks for itself while it works.
    let mut lab = workbench::program("lab")
        .current_dir(&workspace.root)
        .stdout(Stdio::piped())
        .spawn()
        .context("cargo xtask lab")?;
    let mut skipped = None;
    for line in lab
        .stdout
        .take()
        .map(BufReader::new)
        .into_iter()
        .flat_map(BufRead::lines)
    {
        let line = line.context("what the lab says")?;
        println!("   {line}");
        skipped = skipped.or_else(|| line.strip_prefix("lab: SKIPPED: ").map(str::to_owned));
    }
    let status = lab.wait().context("cargo xtask lab")?;
    if !status.success() {
        bail!("cargo xtask lab: {status}");
    }
    Ok(skipped.map_or_else(|| Done::Passed(String::new()), Done::Skipped))
}

#[expect(
    clippy::disallowed_methods,
    reason = "a developer's command may look at the clock"
)]
fn timed<T>(work: impl FnOnce() -> T) -> (T, Duration) {
    let start = std::time::Instant::now();
    let result = work();
    (result, start.elapsed())
}

fn seconds(time: Duration) -> String {
    format!("{:.1} s", time.as_secs_f64())
}
