//! All that guests need: their kernel, their first root, the programs, and the folder that they write to.

use super::initramfs;
use super::kernel::{self, Kernel};
use super::machine::{End, Machine};
use super::tools;
use crate::clock::within;
use crate::share::{PROGRAMS, Share};
use anyhow::{Context, anyhow, ensure};
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

/// Until the first scenario begins: 6 s under software emulation on an idle host, more on a busy one.
const BOOT_TIMEOUT: Duration = Duration::from_secs(180);
/// What a scenario may take beside the program: images, appearing, leaving, ModemManager's probing. More than the timeouts of
/// all that together, so that a scenario fails by itself and the guest goes on.
pub(super) const SCENARIO_OVERHEAD: Duration = Duration::from_secs(400);
/// Where the guest sees its share; in a tmpfs of its own.
const SHARE_IN_GUEST: &str = "/run/lab";
/// Where the guest's own copy of the programs is.
const PROGRAMS_IN_GUEST: &str = "/run/programs";
/// The program of this crate that runs in the guest.
const AGENT: &str = "lab-guest";

/// How the programs are built.
#[derive(Clone, Copy, Debug)]
pub(super) enum Build {
    /// As for the tests, which have compiled everything by then.
    Tests,
    /// As for users: what is measured.
    Release,
}

/// All that guests need, held until their end.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) kernel: Kernel,
    /// The folder `target`.
    target: PathBuf,
    /// One run at a time; the lock goes with the file.
    _lock: fs::File,
}

/// Guests that have ended.
#[derive(Debug)]
pub(super) struct Run {
    /// What they have left.
    pub(super) share: Share,
    /// How each came to its end.
    pub(super) ends: Vec<End>,
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
        Ok(Ok(Self {
            kernel,
            target,
            _lock: lock,
        }))
    }

    /// Builds the programs, and boots the guests, where the agent gets these words. `program` stands in for ours. Each line of a console goes to `line` with the number of its guest, and may give that guest a new deadline.
    pub(super) fn boot(
        &self,
        guests: usize,
        words: &str,
        build: Build,
        program: Option<&Path>,
        line: impl Fn(usize, &str) -> Option<Instant> + Sync,
    ) -> anyhow::Result<Run> {
        let [agent, ours] = build.programs(&self.target)?;
        let share = Share::create(&self.target.join("lab/last-run"), guests)?;
        // Copies, because the guest doesn't see all of the host's root: /tmp, /run and other file systems are its own.
        let programs = share.programs();
        copy_stripped(&agent, &programs.join(AGENT))?;
        copy_stripped(program.unwrap_or(&ours), &programs.join("modemflash"))?;
        let line = &line;
        let boot = |number| self.boot_one(&share, number, words, move |text| line(number, text));
        let boot = &boot;
        let ends: Vec<anyhow::Result<End>> = std::thread::scope(|scope| {
            let running: Vec<_> = (1..=guests)
                .map(|number| scope.spawn(move || boot(number)))
                .collect();
            let ended = running.into_iter().map(|thread| thread.join());
            ended
                .map(|end| end.unwrap_or_else(|_| Err(anyhow!("the thread of a guest has panicked"))))
                .collect()
        });
        fs::remove_dir_all(&programs)?;
        let ends = ends.into_iter().collect::<anyhow::Result<_>>()?;
        Ok(Run { share, ends })
    }

    /// Boots the guest with this number, to its end.
    fn boot_one(
        &self,
        share: &Share,
        number: usize,
        words: &str,
        line: impl FnMut(&str) -> Option<Instant>,
    ) -> anyhow::Result<End> {
        let agent = format!(
            "{PROGRAMS_IN_GUEST}/{AGENT} --share {SHARE_IN_GUEST} --number {number} --ours {PROGRAMS_IN_GUEST}/modemflash {words}"
        );
        let folder = share.guest(number);
        let initramfs = folder.join("initramfs.cpio");
        fs::write(&initramfs, pack(&self.kernel, &agent)?)?;
        let machine = Machine {
            kernel: &self.kernel.image,
            initramfs: &initramfs,
            share: share.folder(),
            console: folder.join("console.log"),
        };
        machine.run(within(BOOT_TIMEOUT), line)
    }
}

impl Run {
    /// What all guests have written down, with their numbers.
    pub(super) fn results(&self) -> Vec<(usize, Value)> {
        let guests = 1..=self.ends.len();
        let results = guests.flat_map(|guest| {
            let text = fs::read_to_string(self.share.results(guest)).unwrap_or_default();
            let results = text.lines().filter_map(|line| serde_json::from_str(line).ok());
            results.map(|result| (guest, result)).collect::<Vec<_>>()
        });
        results.collect()
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

impl Build {
    /// Builds what runs in the guest, and tells where it is: the agent, and our program.
    fn programs(self, target: &Path) -> anyhow::Result<[PathBuf; 2]> {
        let (folder, words): (_, &[&str]) = match self {
            // With other packages or features, cargo would compile most crates once more.
            Self::Tests => ("debug", &["--workspace", "--all-features", "--bins"]),
            Self::Release => {
                let words = &["--release", "--package", "kernel-lab", "--package", "modemflash"];
                ("release", words)
            }
        };
        let mut build = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        let status = build.args(["build", "--quiet"]).args(words).status()?;
        ensure!(status.success(), "cargo build {}: {status}", words.join(" "));
        let programs = [AGENT, "modemflash"].map(|name| target.join(folder).join(name));
        for program in &programs {
            ensure!(program.exists(), "{}: not built", program.display());
        }
        Ok(programs)
    }
}

/// Copies a program without what only a debugger reads, which is most of it: the guest copies it once more, and that costs an emulated
/// processor time. If it can't be stripped, it is copied whole.
fn copy_stripped(program: &Path, copy: &Path) -> anyhow::Result<()> {
    let mut strip = Command::new("strip");
    strip.arg("--strip-debug").arg("-o").arg(copy).arg(program);
    if !strip.output().is_ok_and(|output| output.status.success()) {
        fs::copy(program, copy).with_context(|| program.display().to_string())?;
    }
    Ok(())
}

/// The folder `target` that this program was built into.
fn target_folder() -> anyhow::Result<PathBuf> {
    let program = std::env::current_exe()?;
    // target/debug/workbench
    let folder = program
        .parent()
        .and_then(Path::parent)
        .context("not built by cargo")?;
    Ok(folder.to_owned())
}
