//! All that a guest needs: its kernel, its first root, the programs, and the folder that it writes to.

use super::initramfs;
use super::kernel::{self, Kernel};
use super::machine::{End, Machine};
use super::tools;
use crate::clock::within;
use anyhow::{Context, ensure};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// Until the first scenario begins: 6 s under software emulation on an idle host, more on a busy one.
const BOOT_TIMEOUT: Duration = Duration::from_secs(180);
/// What a scenario may take beside the program: images, appearing, leaving, ModemManager's probing.
pub(super) const SCENARIO_OVERHEAD: Duration = Duration::from_secs(180);
/// Where the guest sees its share; in a tmpfs of its own.
const SHARE_IN_GUEST: &str = "/run/lab";
/// Where the guest's own copy of the programs is, and the folder of the share that they come from.
const PROGRAMS_IN_GUEST: &str = "/run/programs";
const PROGRAMS: &str = "programs";
/// The program of this crate that runs in the guest.
const AGENT: &str = "lab-guest";

/// What the guest has written down.
pub(super) fn results(run: &Path) -> Vec<serde_json::Value> {
    let results = fs::read_to_string(run.join("results.jsonl")).unwrap_or_default();
    results
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok())
        .collect()
}

/// All that a guest needs, held until its end.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) kernel: Kernel,
    /// The folder `target`.
    target: PathBuf,
    /// The share for results and logs.
    pub(super) run: PathBuf,
    /// One guest at a time; the lock goes with the file.
    _lock: fs::File,
}

impl Session {
    /// Gets everything, or says why a guest can't run here.
    pub(super) fn open() -> anyhow::Result<Result<Self, String>> {
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

    /// Builds the programs with this profile of cargo, and boots the guest, where the agent gets these
    /// words. `program` stands in for ours. Each line of the console goes to `line`, which may give a new deadline.
    pub(super) fn boot(
        &self,
        words: &str,
        profile: &str,
        program: Option<&Path>,
        line: impl FnMut(&str) -> Option<std::time::Instant>,
    ) -> anyhow::Result<End> {
        let [agent, ours] = build(&self.target, profile)?;
        // Copies, because the guest doesn't see all of the host's root: /tmp, /run and other file systems are its own.
        let programs = self.run.join(PROGRAMS);
        fs::create_dir(&programs)?;
        fs::copy(agent, programs.join(AGENT))?;
        fs::copy(program.unwrap_or(&ours), programs.join("modemflash"))?;
        let agent = format!(
            "{PROGRAMS_IN_GUEST}/{AGENT} --share {SHARE_IN_GUEST} --ours {PROGRAMS_IN_GUEST}/modemflash {words}"
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

/// Builds what runs in the guest, and tells where it is: the agent, and our program.
///
/// With some optimization: the guest emulates every instruction, and checksums take seconds without.
fn build(target: &Path, profile: &str) -> anyhow::Result<[PathBuf; 2]> {
    let mut build = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    build.args(["build", "--quiet", "--profile", profile]);
    build.args(["--package", "kernel-lab", "--package", "modemflash"]);
    let status = build.status()?;
    ensure!(status.success(), "cargo build --profile {profile}: {status}");
    let programs = [AGENT, "modemflash"].map(|name| target.join(profile).join(name));
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
