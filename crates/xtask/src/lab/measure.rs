//! What whole updates take in the guest, ours beside qmi-firmware-update: for `cargo xtask bench update`.

use super::super::bench::process::{peak, ticks};
use super::bus::{Socket, node_of};
use super::daemons::Daemons;
use super::images::{self, File};
use super::machine::{now, within};
use super::modem::{self, Bench};
use super::process::pause;
use super::scenario::{Company, Image, Program};
use anyhow::{Context, bail, ensure};
use serde_json::{Value, json};
use std::fs;
use std::io::sink;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;
use virtual_modem::profile::Timings;
use virtual_modem::{ControlProtocol, FunctionKind, Keep, Profile};

/// One thing that is measured.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Case {
    pub(crate) program: Program,
    pub(crate) model: &'static str,
    pub(crate) control: ControlProtocol,
    /// Bytes of the firmware.
    pub(crate) bytes: u64,
    pub(crate) pace: Pace,
    /// How many modems at once.
    pub(crate) modems: u32,
}

/// How long the modem takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pace {
    /// It is back on the bus after 3 s, ready at once, and programs as fast as it takes bytes.
    Quick,
    /// As real ones do.
    Real,
}

const SMALL: u64 = 3 << 20;
/// As much as a real firmware of EM7565.
const LARGE: u64 = 80_241_223;

/// All that is measured, in turns of both programs.
pub(crate) fn cases() -> Vec<Case> {
    use ControlProtocol::{Mbim, Qmi};
    let mut cases = Vec::new();
    for (model, control, bytes, pace) in [
        ("MC7455", Qmi, SMALL, Pace::Quick),
        ("MC7455", Mbim, SMALL, Pace::Quick),
        ("EM7565", Qmi, SMALL, Pace::Quick),
        ("MC7455", Qmi, LARGE, Pace::Quick),
        ("EM7565", Qmi, LARGE, Pace::Quick),
        ("MC7455", Qmi, LARGE, Pace::Real),
        ("EM7565", Qmi, LARGE, Pace::Real),
    ] {
        for program in [Program::Ours, Program::Reference] {
            cases.push(Case {
                program,
                model,
                control,
                bytes,
                pace,
                modems: 1,
            });
        }
    }
    for modems in [1, 4, 8] {
        cases.push(Case {
            program: Program::Ours,
            model: "EM7565",
            control: Qmi,
            bytes: SMALL,
            pace: Pace::Quick,
            modems,
        });
    }
    cases
}

impl Case {
    /// In words, without the program.
    pub(crate) fn what(&self) -> String {
        let megabytes = self.bytes / 1_000_000;
        let pace = match self.pace {
            Pace::Quick => "back after 3 s",
            Pace::Real => "real times",
        };
        let modems = match self.modems {
            1 => String::new(),
            more => format!("{more} × "),
        };
        format!(
            "{modems}{} {:?}, {megabytes} MB, {pace}",
            self.model, self.control
        )
    }

    /// More than any of them takes on a host that is busy with other things.
    pub(crate) fn deadline(&self) -> Duration {
        let times = self.timings();
        (self.floor(times) * 3 + Duration::from_secs(240)) * self.modems.min(2)
    }

    fn timings(&self) -> Timings {
        let real = Profile::named(self.model).map_or(Timings::REAL, |profile| profile.timings);
        match self.pace {
            Pace::Real => real,
            Pace::Quick => Timings {
                booting: Duration::from_secs(3),
                entering: Duration::from_secs(3),
                ready_after: Duration::ZERO,
                programming_bytes_per_second: real.taking_bytes_per_second,
                // Programs read `confirmed` alone from a real modem; under software emulation they need more time for
                // that.
                greeting: Duration::from_millis(300),
                ..real
            },
        }
    }

    fn floor(&self, times: Timings) -> Duration {
        times.leaving * 2
            + times.entering
            + times.booting
            + times.ready_after
            + times.taking(self.bytes)
            + times.programming(self.bytes)
    }

    /// Measures it: seconds of wall and processor, KiB of memory, and the seconds that the modem takes by itself.
    pub(crate) fn measure(&self, ours: &Path, share: &Path) -> Value {
        let outcome = self.try_it(ours, share);
        let failure = outcome.as_ref().err().map(|error| format!("{error:#}"));
        let took = outcome.unwrap_or_default();
        json!({
            "program": self.program.name(),
            "what": self.what(),
            "wall": took.wall.as_secs_f64(),
            "processor": took.processor.as_secs_f64(),
            "peak": took.peak,
            "floor": self.floor(self.timings()).as_secs_f64(),
            "failure": failure,
        })
    }

    fn try_it(&self, ours: &Path, share: &Path) -> anyhow::Result<Took> {
        let profile = Profile::named(self.model).with_context(|| format!("no profile {}", self.model))?;
        let files = images::make(
            "bench",
            profile,
            &[Image::Firmware(self.bytes), Image::Carrier],
            Path::new("/tmp/lab"),
        )?;
        let mut daemons = Daemons::new(share);
        daemons.set(Company::default())?;
        let mut benches = Vec::new();
        for number in 0..self.modems {
            let mut setup = modem::setup(profile, true);
            setup.control = self.control;
            setup.timings = self.timings();
            // Comparing is the lab's task; checksums tell enough here.
            setup.keep = Keep::Sums;
            setup.storage.imei = format!("{:015}", 35_000_000_000_000_u64 + u64::from(number));
            setup.storage.usb.is_super_speed = false;
            benches.push((Bench::start(setup, number, sink())?, Socket(number)));
        }
        let mut port = PathBuf::new();
        for (bench, socket) in &mut benches {
            let appearance = bench.appearance(0, Duration::from_secs(60))?;
            let interfaces = socket.ready(&appearance)?;
            let node = node_of(&appearance, &interfaces, FunctionKind::is_message_port);
            port = node.context("no control port")?;
        }
        daemons.settle()?;
        let mut command = self.command(ours, &port, &files);
        let log = share.join(format!("bench.{}.log", self.program.name()));
        let took = run(&mut command, &log, self.deadline());
        for (bench, socket) in benches {
            let modem = bench.stop()?;
            socket.empty()?;
            if took.is_ok() {
                let flashed = modem.images.iter().map(|image| image.length);
                let wanted = files.iter().map(|file| file.content.len() as u64);
                ensure!(flashed.eq(wanted), "the modem doesn't have what was sent");
                ensure!(modem.violations.is_empty(), "{}", modem.violations.join("; "));
            }
        }
        daemons.set(Company {
            without_udev: true,
            ..Company::default()
        })?;
        took
    }

    fn command(&self, ours: &Path, port: &Path, files: &[File]) -> Command {
        let mut command = match self.program {
            Program::Reference => {
                let mut command = Command::new("qmi-firmware-update");
                command
                    .args(["--update", "--ignore-mm-runtime-check", "-w"])
                    .arg(port);
                command
            }
            Program::Ours => {
                let mut command = Command::new(ours);
                command.arg("update");
                if self.modems == 1 {
                    command.arg("-w").arg(port);
                } else {
                    command.arg("--all");
                }
                command
            }
        };
        command.args(files.iter().map(|file| &file.path));
        command
    }
}

/// What a program took.
#[derive(Clone, Copy, Debug, Default)]
struct Took {
    wall: Duration,
    processor: Duration,
    peak: u64,
}

/// Runs it to its end. Memory and processor are looked at every few milliseconds: a process that has ended tells
/// them no more, its processor time still until it is waited for.
fn run(command: &mut Command, log: &Path, timeout: Duration) -> anyhow::Result<Took> {
    let output = fs::File::create(log)?;
    command
        .stdin(Stdio::null())
        .stdout(output.try_clone()?)
        .stderr(output);
    let start = now();
    let deadline = within(timeout);
    let mut child = command.spawn().context("the program can't be started")?;
    let mut took = Took::default();
    loop {
        let folder = PathBuf::from(format!("/proc/{}", child.id()));
        let status = fs::read_to_string(folder.join("status")).unwrap_or_default();
        took.peak = took.peak.max(peak(&status).unwrap_or(0));
        let stat = fs::read_to_string(folder.join("stat")).unwrap_or_default();
        if let Some(ticks) = ticks(&stat) {
            took.processor = Duration::from_millis(ticks.saturating_mul(10));
        }
        // `Z`: it has ended, and the numbers are its last.
        let has_ended = stat
            .rsplit_once(") ")
            .is_some_and(|(_, rest)| rest.starts_with('Z'));
        if has_ended {
            took.wall = start.elapsed();
            let status = child.wait()?;
            ensure!(status.success(), "{status}: {}", last_line(log));
            return Ok(took);
        }
        if now() >= deadline {
            child.kill()?;
            child.wait()?;
            bail!("killed after {} s: {}", timeout.as_secs(), last_line(log));
        }
        pause();
    }
}

fn last_line(log: &Path) -> String {
    let said = fs::read_to_string(log).unwrap_or_default();
    said.lines().last().unwrap_or_default().to_owned()
}
