//! `modemflash` asks a running modem what it is and has, chooses among its stored images and deletes some, sends it AT commands,
//! and restarts it. What it prints must be what the modem remembers, and it must end with the exit code that its help names.

use super::bus::{Bound, PORT_TIMEOUT, Socket, node_of};
use super::daemons::Daemons;
use super::expected::{differences, identity, image_lines, modem_line, ports};
use super::images;
use super::modem::Bench;
use super::process::run_logged;
use anyhow::{Context, ensure};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::time::Duration;
use virtual_modem::capabilities::SetFirmwareId;
use virtual_modem::{Appearance, FunctionKind, Setup, Storage};

/// From the start of the program to its end; with ModemManager, which may be probing, and a restart.
const DEADLINE: Duration = Duration::from_secs(120);

/// What is refused because nobody said yes, because the image is in use, or because there is no such image.
const WRONG_USE: i32 = 2;
/// No modem fits.
const NO_MODEM: i32 = 4;
/// The modem refused it, and runs its firmware.
const REFUSED: i32 = 5;

/// Runs our program's verbs on a modem.
#[derive(Debug)]
pub(crate) struct Operator<'a> {
    /// Our program.
    program: &'a Path,
    /// What the modem was made of.
    setup: &'a Setup,
    /// The modem.
    bench: &'a mut Bench,
    /// Where it is plugged in.
    socket: Socket,
    /// Who else may want it.
    daemons: &'a Daemons,
    /// What was said, all of it.
    log: PathBuf,
    /// How it is on the bus now.
    here: Here,
    /// What it has to remember now.
    wanted: Storage,
    /// How often it has left the bus.
    departures: usize,
    wrong: Vec<String>,
    asked: usize,
}

/// A modem on the bus.
#[derive(Clone, Debug)]
pub(crate) struct Here {
    /// What it is there.
    pub(crate) appearance: Appearance,
    /// What the kernel has made of it.
    pub(crate) interfaces: Vec<Bound>,
    /// What `--port` takes.
    pub(crate) place: String,
}

/// What the program has printed.
#[derive(Debug, Default)]
struct Said {
    /// The lines of standard output, as far as they are JSON.
    objects: Vec<Value>,
    errors: String,
}

impl<'a> Operator<'a> {
    /// For the modem in this socket. Everything that is said goes to `log`.
    pub(crate) fn new(
        program: &'a Path,
        setup: &'a Setup,
        bench: &'a mut Bench,
        socket: Socket,
        daemons: &'a Daemons,
        log: PathBuf,
    ) -> anyhow::Result<Self> {
        let here = Here::find(bench, socket, 0)?;
        Ok(Self {
            program,
            setup,
            bench,
            socket,
            daemons,
            log,
            here,
            wanted: setup.storage.clone(),
            departures: 0,
            wrong: Vec::new(),
            asked: 0,
        })
    }

    /// All verbs. At the end the modem runs what it ran before, and what it had stored besides is deleted.
    pub(crate) fn use_all(&mut self) -> anyhow::Result<()> {
        self.look()?;
        self.send_commands()?;
        if self.setup.storage.modem_images.len() > 1 {
            self.change_images()?;
        } else {
            self.keep_images()?;
        }
        self.restart()?;
        self.look()
    }

    /// `list`, `info` and `slots` tell what the modem remembers.
    fn look(&mut self) -> anyhow::Result<()> {
        let modem = modem_line(self.setup, &self.wanted, &self.here);
        let said = self.run(&["list", "--json"], 0)?;
        self.compare("list", &said.objects, std::slice::from_ref(&modem));
        let port = node(&self.here, FunctionKind::is_message_port)?;
        let said = self.run(&["info", "--json", "-w", &port], 0)?;
        self.compare("info", &said.objects, &[modem]);
        self.look_at_images()
    }

    fn look_at_images(&mut self) -> anyhow::Result<()> {
        let place = self.here.place.clone();
        let mut images = image_lines(&self.wanted);
        for fields in images.iter_mut().filter_map(Value::as_object_mut) {
            fields.insert("v".to_owned(), json!(1));
            fields.insert("place".to_owned(), json!(place));
        }
        let said = self.run(&["slots", "--json", "--port", &place], 0)?;
        self.compare("slots", &said.objects, &images);
        Ok(())
    }

    /// AT commands: one that is answered, one that isn't known, one that needs a yes; and a modem that isn't there.
    fn send_commands(&mut self) -> anyhow::Result<()> {
        let port = node(&self.here, |kind| kind == FunctionKind::At)?;
        let said = self.run(&["at", "--json", "-t", &port, "ATI"], 0)?;
        let answer = json!({ "v": 1, "command": "ATI", "lines": identity(self.setup) });
        self.compare("at ATI", &said.objects, &[answer]);
        self.fails(&["at", "-t", &port, "AT!NONSENSE"], REFUSED, "E-AT-REFUSED")?;
        self.fails(&["at", "-t", &port, "AT!RESET"], WRONG_USE, "E-NOT-AGREED")?;
        let imei = self.wanted.imei.clone();
        let modem = modem_line(self.setup, &self.wanted, &self.here);
        let said = self.run(&["info", "--json", "--imei", &imei], 0)?;
        self.compare("info --imei", &said.objects, &[modem]);
        // Not the modem's.
        self.fails(&["info", "--imei", "490154203237518"], NO_MODEM, "E-MODEM-NONE")
    }

    /// One pair of images at most: there is nothing to choose, and what is in use stays.
    fn keep_images(&mut self) -> anyhow::Result<()> {
        let firmware = self.wanted.current.firmware.clone();
        if self.setup.profile.capabilities.preference {
            self.slots(&["select", &firmware], 0)?;
            self.slots_fail(&["delete", "--yes", &firmware], "E-SLOT-IN-USE")?;
        } else {
            self.slots_fail(&["select", &firmware], "E-SLOT-MISSING")?;
            self.slots_fail(&["delete", "--yes", &firmware], "E-SLOT-MISSING")?;
        }
        self.look_at_images()
    }

    /// A second pair is chosen, runs, and is deleted when the first one runs again.
    fn change_images(&mut self) -> anyhow::Result<()> {
        let (first, second) = (self.wanted.current.clone(), images::target());
        self.slots(&["select", &second.firmware], 0)?;
        self.wanted.preferred = Some(second.clone());
        self.look_at_images()?;
        self.slots_fail(&["delete", "--yes", &second.firmware], "E-SLOT-IN-USE")?;
        self.slots_fail(&["delete", "--force", &second.firmware], "E-NOT-AGREED")?;
        self.restart()?;
        self.wanted.current = second.clone();
        self.look()?;
        self.slots(&["select", &first.firmware, "--pri", &first.carrier], 0)?;
        self.wanted.preferred = Some(first.clone());
        self.slots_fail(&["delete", "--yes", &second.firmware], "E-SLOT-IN-USE")?;
        self.restart()?;
        self.wanted.current = first;
        self.slots(&["delete", "--yes", &second.firmware], 0)?;
        for slot in &mut self.wanted.modem_images {
            slot.take_if(|image| image.firmware == second.firmware);
        }
        self.look_at_images()?;
        self.slots(&["delete", "--yes", &second.config], 0)?;
        self.wanted.pri_images.retain(|image| *image != second.pri());
        self.slots_fail(&["select", &second.firmware], "E-SLOT-MISSING")?;
        self.look_at_images()
    }

    /// `reset`: the modem leaves, and runs its firmware again.
    fn restart(&mut self) -> anyhow::Result<()> {
        let id = self.here.appearance.device.id();
        let said = self.run(&["reset", "--json", "-d", &id], 0)?;
        self.come_back()?;
        ensure!(
            self.here.appearance.layout.count() > 1,
            "it is back in download mode"
        );
        self.is_restarted(&said, "normal", 1);
        Ok(())
    }

    /// `reset --download-mode`: the modem leaves, and its boot loader waits for firmware. A second time nothing happens, and
    /// `list` and `info` tell what the bus does. `reset` makes it run its firmware again.
    pub(crate) fn enter_and_leave_download_mode(&mut self) -> anyhow::Result<()> {
        self.enter_download_mode()?;
        let port = node(&self.here, FunctionKind::is_serial)?;
        let said = self.run(&["reset", "--json", "--download-mode", "-t", &port], 0)?;
        self.is_restarted(&said, "download", 0);
        for arguments in [&["list", "--json"] as &[&str], &["info", "--json"]] {
            let said = self.run(arguments, 0)?;
            let modem = json!({
                "place": self.here.place,
                "usb_id": self.here.appearance.device.id(),
                "mode": "download",
                "ports": ports(&self.here),
                "facts": null,
                "problem": null,
                "warnings": [{ "code": "DOWNLOAD-MODE" }],
            });
            self.compare(&arguments.join(" "), &said.objects, &[modem]);
        }
        self.restart()?;
        self.look()
    }

    /// `reset --download-mode` and `reset`.
    pub(crate) fn go_to_and_fro(&mut self) -> anyhow::Result<()> {
        self.enter_download_mode()?;
        self.restart()
    }

    fn enter_download_mode(&mut self) -> anyhow::Result<()> {
        let port = node(&self.here, FunctionKind::is_message_port)?;
        // The guest has no table of its drivers: it can't be told whether they know the boot loader.
        let said = self.run(&["reset", "--json", "--download-mode", "--yes", "-w", &port], 0)?;
        self.come_back()?;
        ensure!(
            self.here.appearance.layout.count() == 1,
            "it came back with its firmware running"
        );
        self.is_restarted(&said, "download", self.refused_ways() + 1);
        Ok(())
    }

    /// How it went, when it has come to this end.
    pub(crate) fn verdict(mut self, end: anyhow::Result<()>) -> anyhow::Result<String> {
        self.wrong.extend(end.err().map(|error| format!("{error:#}")));
        ensure!(self.wrong.is_empty(), "{}", self.wrong.join("; "));
        Ok(format!("{} runs, {} restart(s)", self.asked, self.departures))
    }

    fn come_back(&mut self) -> anyhow::Result<()> {
        self.departures += 1;
        self.here = Here::find(self.bench, self.socket, self.departures)?;
        Ok(())
    }

    /// The ways into download mode that the modem refuses before one works.
    fn refused_ways(&self) -> usize {
        let capabilities = &self.setup.profile.capabilities;
        match (
            capabilities.set_firmware_id,
            capabilities.boot_image_download_mode,
        ) {
            (SetFirmwareId::Works, _) => 0,
            (_, true) => 1,
            // AT!BOOTHOLD works.
            (_, false) => 2,
        }
    }

    /// The last line tells where the modem is, and this many ways that were tried.
    fn is_restarted(&mut self, said: &Said, mode: &str, ways: usize) {
        let end = json!({
            "v": 1,
            "restarted": {
                "path": self.here.place,
                "usb_id": self.here.appearance.device.id(),
                "mode": mode,
            },
        });
        let last = said.objects.last().cloned();
        let tried = last.as_ref().and_then(|end| end.pointer("/restarted/tried"));
        if tried.and_then(Value::as_array).map(Vec::len) != Some(ways) {
            self.wrong
                .push(format!("reset: wanted {ways} way(s), got {tried:?}"));
        }
        self.compare("reset", last.as_slice(), &[end]);
    }

    fn compare(&mut self, what: &str, said: &[Value], wanted: &[Value]) {
        if said.len() != wanted.len() {
            self.wrong
                .push(format!("{what}: {} object(s), not {}", said.len(), wanted.len()));
        }
        for (said, wanted) in said.iter().zip(wanted) {
            differences(what, said, wanted, &mut self.wrong);
        }
    }

    fn slots(&mut self, arguments: &[&str], code: i32) -> anyhow::Result<Said> {
        let place = self.here.place.clone();
        let (action, rest) = arguments.split_first().context("no action")?;
        self.run(&[&["slots", action, "--port", &place], rest].concat(), code)
    }

    fn slots_fail(&mut self, arguments: &[&str], words: &str) -> anyhow::Result<()> {
        let said = self.slots(arguments, WRONG_USE)?;
        self.is_told(arguments, &said, words);
        Ok(())
    }

    fn fails(&mut self, arguments: &[&str], code: i32, words: &str) -> anyhow::Result<()> {
        let said = self.run(arguments, code)?;
        self.is_told(arguments, &said, words);
        Ok(())
    }

    fn is_told(&mut self, arguments: &[&str], said: &Said, words: &str) {
        if !said.errors.contains(words) {
            let first = said.errors.lines().next().unwrap_or_default();
            self.wrong
                .push(format!("{}: wanted {words}, got {first:?}", arguments.join(" ")));
        }
    }

    /// Runs the program, which must end with this exit code; with `--json` all that it prints is JSON.
    fn run(&mut self, arguments: &[&str], code: i32) -> anyhow::Result<Said> {
        // What is about to be probed can't be asked.
        if self.here.appearance.layout.count() > 1 {
            self.daemons
                .manages(&self.socket.device().context("no device")?)?;
        }
        self.asked += 1;
        let words = arguments.join(" ");
        let (status, printed, errors) = run_logged(self.program, arguments, &self.log, DEADLINE)?;
        if status.code() != Some(code) {
            let first = errors.lines().find(|line| line.starts_with("error"));
            self.wrong.push(format!(
                "{words}: wanted exit code {code}, got {status}: {}",
                first.unwrap_or_default()
            ));
        }
        let mut said = Said {
            errors,
            ..Said::default()
        };
        if arguments.contains(&"--json") {
            for line in printed.lines() {
                match serde_json::from_str(line) {
                    Ok(object) => said.objects.push(object),
                    Err(error) => self.wrong.push(format!("{words}: {error}: {line}")),
                }
            }
        }
        Ok(said)
    }
}

impl Here {
    /// The modem that has left the bus so often, and is back.
    fn find(bench: &mut Bench, socket: Socket, departures: usize) -> anyhow::Result<Self> {
        let appearance = bench.appearance(departures, PORT_TIMEOUT)?;
        let interfaces = socket.ready(&appearance)?;
        let device = socket.device().context("no device")?;
        let place = device.file_name().unwrap_or_default();
        Ok(Self {
            appearance,
            interfaces,
            place: place.to_string_lossy().into_owned(),
        })
    }
}

fn node(here: &Here, wanted: impl Fn(FunctionKind) -> bool) -> anyhow::Result<String> {
    let node = node_of(&here.appearance, &here.interfaces, wanted).context("no such port")?;
    Ok(node.display().to_string())
}
