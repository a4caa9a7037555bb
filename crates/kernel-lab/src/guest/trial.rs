//! One scenario: the modem appears, a program does its work, and what the modem has then is compared with the files.

use super::advised::Advised;
use super::ask::Asker;
use super::bus::{Bound, Socket, node_of};
use super::busy::Busy;
use super::daemons::Daemons;
use super::images;
use super::killed;
use super::modem::{self, Bench};
use super::process::run;
use super::rivals::{Met, Rivals};
use super::stopped::Stopped;
use super::verbs::Operator;
use super::verdict::{compare, is_as_before, is_updated};
use crate::advice;
use crate::clock::now;
use crate::scenario::{Bus, Files, Program, Scenario, Task};
use anyhow::{Context, ensure};
use std::ffi::OsStr;
use std::fs;
use std::io::BufWriter;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;
use virtual_modem::quirk::Mode;
use virtual_modem::storage::ModemImage;
use virtual_modem::{Appearance, FunctionKind, Profile, Selection, Setup, Storage};

/// One scenario in the guest.
#[derive(Debug)]
pub(crate) struct Trial<'a> {
    /// What is tried.
    pub(crate) scenario: &'a Scenario,
    /// Folder for logs.
    pub(crate) share: &'a Path,
    /// Our program.
    pub(crate) ours: &'a Path,
}

/// The sockets of the modem, of the second modem, and of the foreign port.
const SOCKET: Socket = Socket(0);
const SECOND: Socket = Socket(1);
const FOREIGN: Socket = Socket(2);
/// Until the modem is on the bus, also after a restart: less than a second for the modem.
const BUS_TIMEOUT: Duration = Duration::from_secs(60);

impl Trial<'_> {
    /// Runs it. What is to be said about it, in a few words.
    ///
    /// # Errors
    /// Why it failed.
    pub(crate) fn run(&self, daemons: &mut Daemons) -> anyhow::Result<String> {
        let scenario = self.scenario;
        let profile = self.profile()?;
        let (Files::Sent(images) | Files::Stored(images)) = scenario.files;
        let files = images::make(&scenario.name, profile, images, Path::new("/tmp/lab"))?;
        daemons.set(scenario.company)?;
        let _busy = scenario.company.busy.then(Busy::start);
        let company = self.invite(profile)?;
        let setup = self.setup(profile)?;
        let mut bench = self.start(setup.clone(), SOCKET, "modem")?;
        let outcome = self.work(&setup, &mut bench, &files, daemons);
        let flashed = bench.stop()?;
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
            let sent = match scenario.files {
                Files::Sent(_) => files.as_slice(),
                Files::Stored(_) => &[],
            };
            compare(&flashed, sent)?;
            match scenario.task {
                Task::Update(_) | Task::Rivals => is_updated(&flashed, profile)?,
                Task::Verbs
                | Task::ToAndFro(_)
                | Task::Stopped
                | Task::Advised(_)
                | Task::Reset(Program::Ours) => {
                    is_as_before(&flashed, profile)?;
                }
                _ => {}
            }
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
        let model = self.scenario.modem.model;
        Profile::named(model).with_context(|| format!("no profile {model}"))
    }

    fn setup(&self, profile: &'static Profile) -> anyhow::Result<Setup> {
        let modem = self.scenario.modem;
        let mut setup = modem::setup(profile, self.scenario.task.begins_running());
        setup.control = modem.control.unwrap_or(setup.control);
        match modem.bus {
            Bus::Usual => {}
            Bus::High => setup.storage.usb.is_super_speed = false,
            Bus::Super => setup.storage.usb.is_super_speed = true,
        }
        if matches!(self.scenario.files, Files::Stored(_)) {
            store(&mut setup.storage, &images::target());
        }
        if matches!(self.scenario.task, Task::Advised(_)) {
            advice::without_driver(&mut setup);
        }
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
    fn work(
        &self,
        setup: &Setup,
        bench: &mut Bench,
        files: &[images::File],
        daemons: &Daemons,
    ) -> anyhow::Result<String> {
        let appearance = bench.appearance(0, BUS_TIMEOUT)?;
        let interfaces = SOCKET.ready(&appearance)?;
        daemons.settle()?;
        if !self.scenario.company.still_probing {
            daemons.manages(&SOCKET.device().context("no device")?)?;
        }
        match self.scenario.task {
            Task::Bind => Ok(told(&appearance, &interfaces)),
            Task::Ask => self.ask(setup, bench, &appearance, &interfaces),
            Task::Flash(program) => {
                let port = node_of(&appearance, &interfaces, FunctionKind::is_serial);
                let port = port.context("no serial port")?;
                let mut command = self.command(program);
                match program {
                    Program::Reference => command.args(["--update-download", "--ignore-mm-runtime-check"]),
                    Program::Ours => command.args(["update", "--yes", "-vv"]),
                };
                command.arg("-t").arg(port);
                self.finish(command, setup, bench, files)
            }
            Task::Update(program) => {
                let port = node_of(&appearance, &interfaces, FunctionKind::is_message_port);
                let port = port.context("no control port")?;
                let mut command = self.command(program);
                match program {
                    Program::Reference => command.args(["--update", "--ignore-mm-runtime-check"]),
                    Program::Ours => command.args(["update", "--yes", "-vv"]),
                };
                command.arg("-w").arg(port);
                self.finish(command, setup, bench, files)
            }
            Task::Reset(Program::Reference) => {
                let port = node_of(&appearance, &interfaces, FunctionKind::is_message_port);
                let mut command = self.command(Program::Reference);
                command.args(["--reset", "--ignore-mm-runtime-check"]);
                command.arg("-w").arg(port.context("no control port")?);
                let status = run(&mut command, &self.log("program"), self.scenario.deadline)?;
                ensure!(status.success(), "{}: {status}", self.scenario.task.program());
                let appearance = bench.appearance(1, BUS_TIMEOUT)?;
                ensure!(
                    appearance.layout.count() == 1,
                    "it came back with its firmware running"
                );
                SOCKET.ready(&appearance)?;
                Ok("in download mode".into())
            }
            Task::Reset(Program::Ours) => {
                let mut operator = self.operator(setup, bench, daemons)?;
                let end = operator.enter_and_leave_download_mode();
                operator.verdict(end)
            }
            Task::ToAndFro(rounds) => {
                let mut operator = self.operator(setup, bench, daemons)?;
                let end = (0..rounds).try_for_each(|_| operator.go_to_and_fro());
                operator.verdict(end)
            }
            Task::Killed => {
                let port = node_of(&appearance, &interfaces, FunctionKind::is_serial);
                let port = port.context("no serial port")?;
                let mut update = vec![OsStr::new("-t"), port.as_os_str()];
                update.extend(files.iter().map(|file| file.path.as_os_str()));
                killed::kill(self.ours, &update, &self.log("killed"))?;
                let place = killed::place_without_driver(self.ours)?;
                let mut command = self.command(Program::Ours);
                command.args(["update", "--yes", "-vv", "--port"]).arg(place);
                self.finish(command, setup, bench, files)
            }
            Task::Rivals => {
                let port = node_of(&appearance, &interfaces, FunctionKind::is_message_port);
                let port = port.context("no control port")?;
                let rivals = Rivals {
                    program: self.ours,
                    log: self.log("program"),
                };
                rivals.ask(Path::new(&port), bench)?;
                // The guest has no table of its drivers, so that the program asks whether to go on.
                let mut update: Vec<&OsStr> = ["update", "--yes", "-w"].map(OsStr::new).into();
                update.push(OsStr::new(&port));
                update.extend(files.iter().map(|file| file.path.as_os_str()));
                ensure!(
                    rivals.meet(&update)? == Met::Yes,
                    "the second update began when the first had ended"
                );
                let appearance = bench.appearance(2, BUS_TIMEOUT)?;
                SOCKET.ready(&appearance)?;
                Ok("of two that started together one got in, 50 times".into())
            }
            Task::Stopped => {
                let port = node_of(&appearance, &interfaces, FunctionKind::is_message_port);
                let port = port.context("no control port")?;
                let asker = Asker {
                    port: port.clone(),
                    setup,
                    log: self.log("program"),
                    wrong: Vec::new(),
                    asked: 0,
                };
                let stopped = Stopped {
                    program: self.ours,
                    port: &port,
                    bench,
                    log: self.log("program"),
                };
                stopped.try_all(asker)
            }
            Task::Advised(start) => {
                let mut advised = Advised {
                    program: self.ours,
                    bench,
                    socket: SOCKET,
                    daemons,
                    log: self.log("program"),
                };
                advised.run(start)
            }
            Task::Verbs => {
                let mut operator = self.operator(setup, bench, daemons)?;
                let end = operator.use_all();
                operator.verdict(end)
            }
        }
    }

    fn operator<'a>(
        &'a self,
        setup: &'a Setup,
        bench: &'a mut Bench,
        daemons: &'a Daemons,
    ) -> anyhow::Result<Operator<'a>> {
        Operator::new(self.ours, setup, bench, SOCKET, daemons, self.log("program"))
    }

    /// Lets qmicli and mbimcli ask; restarts the modem at the end, and asks it again.
    fn ask(
        &self,
        setup: &Setup,
        bench: &mut Bench,
        appearance: &Appearance,
        interfaces: &[Bound],
    ) -> anyhow::Result<String> {
        let port = node_of(appearance, interfaces, FunctionKind::is_message_port);
        let mut asker = Asker {
            port: port.context("no control port")?,
            setup,
            log: self.log("program"),
            wrong: Vec::new(),
            asked: 0,
        };
        asker.ask_all()?;
        asker.restart()?;
        let appearance = bench.appearance(1, BUS_TIMEOUT)?;
        let interfaces = SOCKET.ready(&appearance)?;
        let port = node_of(&appearance, &interfaces, FunctionKind::is_message_port);
        asker.port = port.context("no control port")?;
        // At the end: a proxy keeps the port, and takes the answers of programs that do without it.
        asker.ask_through_proxy()?;
        asker.verdict()
    }

    /// Runs a program that flashes, and waits until the modem is back with its firmware running.
    fn finish(
        &self,
        mut command: Command,
        setup: &Setup,
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
        // Once to restart with the new firmware; before that to download mode; and once in the middle. A modem that
        // runs the stored firmware already needn't restart at all.
        let restarts = match scenario.files {
            Files::Sent(_) => 1 + usize::from(scenario.task.begins_running()),
            Files::Stored(_) if setup.storage.current == images::target() => 0,
            Files::Stored(_) => 1,
        };
        let departures = restarts + usize::from(!scenario.modem.fault.is_empty());
        let appearance = bench.appearance(departures, BUS_TIMEOUT)?;
        ensure!(
            appearance.layout.count() > 1,
            "it came back with {} interface(s)",
            appearance.layout.count()
        );
        SOCKET.ready(&appearance)?;
        let bytes: u64 = files.iter().map(|file| file.content.len() as u64).sum();
        let what = match scenario.files {
            Files::Sent(_) => format!("{} file(s), {bytes} bytes, byte for byte", files.len()),
            Files::Stored(_) => "stored already".into(),
        };
        Ok(format!("{what}, in {seconds:.1} s"))
    }

    fn command(&self, program: Program) -> Command {
        match program {
            Program::Reference => {
                let mut command = Command::new("qmi-firmware-update");
                command.arg("--verbose");
                command
            }
            Program::Ours => Command::new(self.ours),
        }
    }
}

/// Puts images into the slots of a modem. One that has a single slot runs them, then.
fn store(storage: &mut Storage, wanted: &Selection) {
    let image = ModemImage {
        firmware: wanted.firmware.clone(),
        failures: 0,
        age: 0,
    };
    let empty = storage.modem_images.iter_mut().find(|slot| slot.is_none());
    match empty {
        Some(slot) => {
            *slot = Some(image);
            storage.pri_images.push(wanted.pri());
        }
        None => {
            storage.modem_images = vec![Some(image)];
            storage.pri_images = vec![wanted.pri()];
            storage.preferred = Some(wanted.clone());
            storage.current = wanted.clone();
        }
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
