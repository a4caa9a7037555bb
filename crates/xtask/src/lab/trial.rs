//! One scenario: the modem appears, a program does its work, and what the modem has then is compared with the files.

use super::bus::{Bound, Socket, node_of};
use super::daemons::Daemons;
use super::images;
use super::machine::now;
use super::modem::{self, Bench};
use super::process::run;
use super::scenario::{Bus, Program, Scenario, Task};
use super::verdict::compare;
use anyhow::{Context, ensure};
use std::fs;
use std::io::BufWriter;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;
use virtual_modem::quirk::Mode;
use virtual_modem::{Appearance, FunctionKind, Profile, Setup};

/// One scenario in the guest.
#[derive(Debug)]
pub(crate) struct Trial<'a> {
    /// What is tried.
    pub(crate) scenario: &'a Scenario,
    /// Folder for logs.
    pub(crate) share: &'a Path,
    /// Our program.
    pub(crate) ours: Option<&'a Path>,
}

/// The sockets of the modem, of the second modem, and of the foreign port.
const SOCKET: Socket = Socket(0);
const SECOND: Socket = Socket(1);
const FOREIGN: Socket = Socket(2);
/// Until the modem is on the bus, also after a restart: less than a second for the modem.
const BUS_TIMEOUT: Duration = Duration::from_secs(30);

impl Trial<'_> {
    /// Runs it. What is to be said about it, in a few words.
    ///
    /// # Errors
    /// Why it failed.
    pub(crate) fn run(&self, daemons: &mut Daemons) -> anyhow::Result<String> {
        let scenario = self.scenario;
        let profile = self.profile()?;
        let files = images::make(&scenario.name, profile, scenario.images, Path::new("/tmp/lab"))?;
        daemons.set(scenario.company)?;
        let company = self.invite(profile)?;
        let bench = self.start(self.setup(profile)?, SOCKET, "modem")?;
        let mut held = Some(bench);
        let outcome = held
            .as_mut()
            .context("no modem")
            .and_then(|bench| self.work(bench, &files, daemons));
        let flashed = held.take().context("no modem")?.stop()?;
        // Also after a failure: the next modem's port may have the same name.
        SOCKET.empty()?;
        for (bench, socket) in company {
            let other = bench.stop()?;
            socket.empty()?;
            ensure!(
                other.violations.is_empty() && other.images.is_empty() && other.failure.is_none(),
                "a device that was none of its business was touched: {}",
                other.violations.join("; ")
            );
        }
        let detail = outcome.map_err(|error| flashed.explain(error))?;
        if scenario.failure.is_none() {
            compare(&flashed, &files)?;
        }
        Ok(detail)
    }

    /// Puts the other devices on the bus.
    fn invite(&self, profile: &'static Profile) -> anyhow::Result<Vec<(Bench, Socket)>> {
        let company = self.scenario.company;
        let mut guests = Vec::new();
        if company.second_modem {
            guests.push((
                Setup {
                    mode: Mode::Normal,
                    ..self.setup(profile)?
                },
                SECOND,
                "second",
            ));
        }
        if company.foreign_port {
            guests.push((
                Setup {
                    mode: Mode::Foreign,
                    ..Setup::of(profile)
                },
                FOREIGN,
                "foreign",
            ));
        }
        let mut invited = Vec::new();
        for (setup, socket, name) in guests {
            let mut bench = self.start(setup, socket, name)?;
            let appearance = bench.appearance(0, BUS_TIMEOUT)?;
            socket.ready(&appearance)?;
            invited.push((bench, socket));
        }
        Ok(invited)
    }

    fn profile(&self) -> anyhow::Result<&'static Profile> {
        let modem = self.scenario.modem;
        let profile = Profile::named(modem.model).with_context(|| format!("no profile {}", modem.model))?;
        Ok(match modem.bus {
            Bus::Usual => profile,
            Bus::Super => {
                let mut profile = profile.clone();
                profile.normal.speed = 5000;
                // As long-lived as the others are; there are few.
                Box::leak(Box::new(profile))
            }
        })
    }

    fn setup(&self, profile: &'static Profile) -> anyhow::Result<Setup> {
        let modem = self.scenario.modem;
        let mut setup = modem::setup(profile, self.scenario.task.begins_running());
        setup.control = modem.control.unwrap_or(setup.control);
        (modem.habit)(&mut setup.quirks);
        setup.faults = modem.fault.parse()?;
        Ok(setup)
    }

    fn start(&self, setup: Setup, socket: Socket, name: &str) -> anyhow::Result<Bench> {
        let log = BufWriter::new(fs::File::create(self.log(name))?);
        Bench::start(setup, socket.0, log)
    }

    fn log(&self, what: &str) -> PathBuf {
        self.share.join(format!("{}.{what}.log", self.scenario.name))
    }

    /// What is done with the modem, until it is back where it should be.
    fn work(&self, bench: &mut Bench, files: &[images::File], daemons: &Daemons) -> anyhow::Result<String> {
        let appearance = bench.appearance(0, BUS_TIMEOUT)?;
        let interfaces = SOCKET.ready(&appearance)?;
        daemons.settle()?;
        match self.scenario.task {
            Task::Bind => Ok(told(&appearance, &interfaces)),
            Task::Ask => Ok(String::new()),
            Task::Flash(program) => {
                let port = node_of(&appearance, &interfaces, FunctionKind::is_serial);
                let port = port.context("no serial port")?;
                let mut command = self.command(program)?;
                match program {
                    Program::Reference => command.args(["--update-download", "--ignore-mm-runtime-check"]),
                    Program::Ours => &mut command,
                };
                command.arg("-t").arg(port);
                self.finish(command, bench, files)
            }
            Task::Update(program) => {
                let port = node_of(&appearance, &interfaces, FunctionKind::is_message_port);
                let port = port.context("no control port")?;
                let mut command = self.command(program)?;
                match program {
                    Program::Reference => command.args(["--update", "--ignore-mm-runtime-check"]),
                    Program::Ours => &mut command,
                };
                command.arg("-w").arg(port);
                self.finish(command, bench, files)
            }
            Task::Reset(_) => Ok(String::new()),
        }
    }

    /// Runs a program that flashes, and waits until the modem is back with its firmware running.
    fn finish(
        &self,
        mut command: Command,
        bench: &mut Bench,
        files: &[images::File],
    ) -> anyhow::Result<String> {
        let scenario = self.scenario;
        command.args(files.iter().map(|file| &file.path));
        let start = now();
        let status = run(&mut command, &self.log("program"), scenario.deadline)?;
        let seconds = start.elapsed().as_secs_f64();
        if let Some(words) = scenario.failure {
            let said = fs::read_to_string(self.log("program"))?;
            ensure!(!status.success(), "it should have failed");
            ensure!(said.contains(words), "it failed, but didn't say {words:?}");
            return Ok(format!("fails as it should, after {seconds:.1} s: {words}"));
        }
        ensure!(status.success(), "{}: {status}", scenario.task.program());
        // Once to restart with the new firmware; before that to download mode; and once in the middle.
        let departures = 1
            + usize::from(scenario.task.begins_running() && !files.is_empty())
            + usize::from(!scenario.modem.fault.is_empty());
        let appearance = bench.appearance(departures, BUS_TIMEOUT)?;
        ensure!(
            appearance.layout.count() > 1,
            "it came back with {} interface(s)",
            appearance.layout.count()
        );
        SOCKET.ready(&appearance)?;
        let bytes: u64 = files.iter().map(|file| file.content.len() as u64).sum();
        Ok(format!(
            "{} file(s), {bytes} bytes, byte for byte, in {seconds:.1} s",
            files.len()
        ))
    }

    fn command(&self, program: Program) -> anyhow::Result<Command> {
        Ok(match program {
            Program::Reference => {
                let mut command = Command::new("qmi-firmware-update");
                command.arg("--verbose");
                command
            }
            Program::Ours => {
                let mut command = Command::new(self.ours.context("no modemflash in this run")?);
                command.args(["update", "-vv"]);
                command
            }
        })
    }
}

/// The drivers of all interfaces, in words.
fn told(appearance: &Appearance, interfaces: &[Bound]) -> String {
    let drivers: Vec<String> = interfaces
        .iter()
        .map(|bound| format!("{} {}", bound.number, bound.driver.as_deref().unwrap_or("none")))
        .collect();
    let bus = SOCKET.device().and_then(|device| {
        let peer = fs::canonicalize(device.join("port/peer")).ok();
        let name = |path: &Path| Some(path.file_name()?.to_str()?.to_owned());
        Some(format!(
            "at {}, peer {}",
            name(&device)?,
            peer.as_deref().and_then(name).unwrap_or_else(|| "unknown".into())
        ))
    });
    format!(
        "{} {}: {}",
        appearance.device.id(),
        bus.unwrap_or_default(),
        drivers.join(", ")
    )
}
