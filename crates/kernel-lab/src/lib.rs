//! The kernel lab: virtual modems behind the kernel's real USB stack and real drivers, flashed by programs that
//! we did not write, and by ours. A reading of the protocol that both our sides share and that is wrong is found
//! here.
//!
//! One boot of Debian's kernel in QEMU, without disk and network: the host's root is the guest's (read-only, with
//! a writable layer), and a second share carries the results back.

#![forbid(unsafe_code)]
#![allow(clippy::print_stdout, clippy::print_stderr)]

mod ask;
mod bus;
mod daemons;
mod expected;
mod guest;
mod images;
mod initramfs;
mod kernel;
mod machine;
mod matrix;
mod measure;
mod modem;
mod pairwise;
mod proc_files;
mod process;
mod rivals;
mod scenario;
mod serve;
mod tools;
mod trial;
mod verbs;
mod verdict;

pub use guest::Guest;
pub use measure::MEGABYTES;
pub use proc_files::{peak, ticks};
pub use serve::Serve;
pub use tools::prepare_tests;

use anyhow::{Context, ensure};
use clap::Args;
use kernel::Kernel;
use machine::{End, Machine, within};
use scenario::{Scenario, When, all};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::Duration;

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
    /// Shows the guest's console.
    #[arg(long)]
    console: bool,
}

/// Until the first scenario begins: 6 s under software emulation on an idle host, more on a busy one.
const BOOT_TIMEOUT: Duration = Duration::from_secs(180);
/// What a scenario may take beside the program: images, appearing, leaving, ModemManager's probing.
const SCENARIO_OVERHEAD: Duration = Duration::from_secs(180);
/// Where the guest sees its share; in a tmpfs of its own.
const SHARE_IN_GUEST: &str = "/run/lab";
/// Where the guest's own copy of the programs is, and the folder of the share that they come from.
const PROGRAMS_IN_GUEST: &str = "/run/programs";
const PROGRAMS: &str = "programs";

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
        println!("lab: {}, {} scenarios", session.kernel.name, scenarios.len());
        let names: Vec<&str> = scenarios.iter().map(|scenario| scenario.name.as_str()).collect();
        let end = session.boot(&names.join(" "), "guest", self.program.as_deref(), |line| {
            let name = line.strip_prefix(guest::BEGINS);
            if self.console || (name.is_none() && line.starts_with("lab: ")) {
                println!("  {line}");
            }
            let scenario = scenarios
                .iter()
                .find(|scenario| Some(scenario.name.as_str()) == name)?;
            println!("lab: {}", scenario.name);
            Some(within(scenario.deadline + SCENARIO_OVERHEAD))
        })?;
        Ok(report(&scenarios, &session.run, end))
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
/// of [`cases`](measure::cases).
pub fn measure_updates(measuring: Measuring<'_>) -> anyhow::Result<Result<Vec<serde_json::Value>, String>> {
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
    let mut cases = measure::cases(megabytes);
    cases.retain(|case| only.is_empty() || only.iter().any(|text| case.name().contains(text)));
    ensure!(!cases.is_empty(), "no update has one of {only:?} in its name");
    let names: Vec<String> = cases.iter().map(measure::Case::name).collect();
    let keep_log = if keep_log { "--keep-log " } else { "" };
    let words = format!(
        "--measure --runs {runs} --megabytes {megabytes} {keep_log}{}",
        names.join(" ")
    );
    let end = session.boot(&words, "release", program, |line| {
        let name = line.strip_prefix(guest::BEGINS)?;
        let case = cases.iter().find(|case| case.name() == name)?;
        eprintln!("measuring {name}");
        Some(within(case.deadline() + SCENARIO_OVERHEAD))
    })?;
    let results = results(&session.run);
    let expected: usize = cases.iter().map(|case| case.programs.len()).sum::<usize>() * runs as usize;
    ensure!(
        results.len() == expected,
        "{} of {expected} measured, then: {end:?}; logs: {}",
        results.len(),
        session.run.display()
    );
    Ok(Ok(results))
}

/// What the guest has written down.
fn results(run: &Path) -> Vec<serde_json::Value> {
    let results = fs::read_to_string(run.join("results.jsonl")).unwrap_or_default();
    results
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok())
        .collect()
}

/// All that a guest needs, held until its end.
#[derive(Debug)]
struct Session {
    kernel: Kernel,
    /// The folder `target`.
    target: PathBuf,
    /// The share for results and logs.
    run: PathBuf,
    /// One guest at a time; the lock goes with the file.
    _lock: fs::File,
}

impl Session {
    /// Gets everything, or says why a guest can't run here.
    fn open() -> anyhow::Result<Result<Self, String>> {
        if let Err(reason) = tools::prepare() {
            return Ok(Err(reason));
        }
        let target = target_folder()?;
        let folder = target.join("lab");
        fs::create_dir_all(&folder)?;
        let lock = fs::File::create(folder.join("lock"))?;
        rustix::fs::flock(&lock, rustix::fs::FlockOperation::LockExclusive).context("target/lab/lock")?;
        let kernel = match Kernel::obtain(&folder.join("kernels")) {
            Ok(kernel) => kernel,
            Err(error) => return Ok(Err(format!("no kernel for the guest: {error:#}"))),
        };
        let run = folder.join("last-run");
        // Left by the run before.
        let _ = fs::remove_dir_all(&run);
        fs::create_dir_all(&run)?;
        Ok(Ok(Self {
            kernel,
            target,
            run,
            _lock: lock,
        }))
    }

    /// Builds the programs with this profile of cargo, and boots the guest, where `cargo xtask lab-guest` gets these
    /// words. `program` stands in for ours. Each line of the console goes to `line`, which may give a new deadline.
    fn boot(
        &self,
        words: &str,
        profile: &str,
        program: Option<&Path>,
        line: impl FnMut(&str) -> Option<std::time::Instant>,
    ) -> anyhow::Result<End> {
        let [this, ours] = build(&self.target, profile)?;
        // Copies, because the guest doesn't see all of the host's root: /tmp, /run and other file systems are its own.
        let programs = self.run.join(PROGRAMS);
        fs::create_dir(&programs)?;
        fs::copy(this, programs.join("xtask"))?;
        fs::copy(program.unwrap_or(&ours), programs.join("modemflash"))?;
        let agent = format!(
            "{PROGRAMS_IN_GUEST}/xtask lab-guest --share {SHARE_IN_GUEST} --ours {PROGRAMS_IN_GUEST}/modemflash {words}"
        );
        let initramfs = self.run.join("initramfs.cpio");
        fs::write(&initramfs, pack(&self.kernel, &agent)?)?;
        let machine = Machine {
            kernel: &self.kernel.image,
            initramfs: &initramfs,
            share: &self.run,
            console: self.run.join("console.log"),
        };
        let end = machine.run(within(BOOT_TIMEOUT), line)?;
        fs::remove_dir_all(&programs)?;
        Ok(end)
    }
}

/// Prints the table and the closing line.
fn report(scenarios: &[Scenario], run: &Path, end: End) -> ExitCode {
    let results = results(run);
    println!("\n{:<32} {:<7} {:>6}  detail", "scenario", "result", "s");
    let mut failures = Vec::new();
    for scenario in scenarios {
        let result = results.iter().find(|result| result["name"] == scenario.name);
        let passed = result.is_some_and(|result| result["passed"] == true);
        let seconds = result
            .and_then(|result| result["seconds"].as_f64())
            .unwrap_or(0.0);
        let detail = match (result, end) {
            (Some(result), _) => result["detail"].as_str().unwrap_or_default(),
            (None, End::Deadline) => "the guest was stopped at its deadline",
            (None, End::PoweredOff) => "the guest ended before",
        };
        let word = if passed { "passed" } else { "FAILED" };
        let line = format!("{:<32} {word:<7} {seconds:>6.1}  {detail}", scenario.name);
        println!("{line}");
        if !passed {
            failures.push(line);
        }
    }
    let failed = failures.len();
    if failed > 0 {
        // Again at the end, where a log that is cut still has them.
        println!("\n{}", failures.join("\n"));
        println!(
            "\nlab: console.log, kernel.log and the logs of each scenario: {}",
            run.display()
        );
    }
    println!("\n{} passed, {failed} failed", scenarios.len() - failed);
    if failed == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// Says loudly that nothing was tried; a failure in CI.
fn skipped(reason: &str) -> ExitCode {
    let in_ci = std::env::var("CI").is_ok_and(|value| value == "true");
    println!("lab: SKIPPED: {reason}");
    println!("lab: SKIPPED: no foreign program and no real driver has checked this build");
    if in_ci {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    }
}

/// The first root of the guest.
fn pack(kernel: &Kernel, agent: &str) -> anyhow::Result<Vec<u8>> {
    let busybox = tools::find("busybox-static").context("no busybox")?;
    let mut archive = initramfs::Archive::default();
    for folder in ["bin", "dev", "proc", "sys", "modules"] {
        archive.folder(folder);
    }
    archive.program("bin/busybox", &fs::read(busybox)?);
    let modules = kernel.modules(&kernel::MODULES)?;
    let order: Vec<&str> = modules.iter().map(|(name, _)| name.as_str()).collect();
    archive.file("modules/order", order.join("\n").as_bytes());
    for (name, content) in &modules {
        archive.file(&format!("modules/{name}"), content);
    }
    archive.program(
        "init",
        initramfs::script(agent, SHARE_IN_GUEST, PROGRAMS, PROGRAMS_IN_GUEST).as_bytes(),
    );
    Ok(archive.finish())
}

/// Builds what runs in the guest, and tells where it is: this program, and ours.
///
/// With some optimization: the guest emulates every instruction, and checksums take seconds without.
fn build(target: &Path, profile: &str) -> anyhow::Result<[PathBuf; 2]> {
    let mut build = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    build.args(["build", "--quiet", "--profile", profile]);
    build.args(["--package", "xtask", "--package", "modemflash"]);
    let status = build.status()?;
    ensure!(status.success(), "cargo build --profile {profile}: {status}");
    let programs = ["xtask", "modemflash"].map(|name| target.join(profile).join(name));
    for program in &programs {
        ensure!(program.exists(), "{}: not built", program.display());
    }
    Ok(programs)
}

/// The folder `target` that this program was built into.
fn target_folder() -> anyhow::Result<PathBuf> {
    let program = std::env::current_exe()?;
    // target/debug/xtask
    let folder = program
        .parent()
        .and_then(Path::parent)
        .context("not built by cargo")?;
    Ok(folder.to_owned())
}
