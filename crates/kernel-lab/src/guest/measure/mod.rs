//! One measured update in the guest.

mod process;
mod timeline;

use super::bus::{Socket, node_of};
use super::daemons::Daemons;
use super::images::{self, File};
use super::modem::{self, Bench};
use super::process::rest;
use super::verdict::{compare, is_updated};
use crate::cases::Case;
use crate::scenario::{Company, Program};
use anyhow::Context;
use process::{Took, run};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;
use timeline::{Listener, Steps, Timeline};
use virtual_modem::{FunctionKind, Keep, Profile};

/// What is needed to measure, kept from one case to the next.
#[derive(Debug)]
pub(crate) struct Stand<'a> {
    /// Our program.
    ours: &'a Path,
    /// Folder for logs.
    share: &'a Path,
    daemons: Daemons,
    /// Whether our program keeps a log with times, which costs it some.
    keeps_log: bool,
    /// Whether our program knows `--all`.
    knows_all: bool,
    /// The files of the last case, and what they were made for.
    files: Option<(&'static str, u64, Vec<File>)>,
}

/// Until the modem is on the bus.
const BUS_TIMEOUT: Duration = Duration::from_secs(60);
/// The largest image whole.
const KEEP: Keep = Keep::Bytes { up_to: 96 << 20 };

impl<'a> Stand<'a> {
    /// Nothing has been measured yet.
    pub(crate) fn new(ours: &'a Path, share: &'a Path, keeps_log: bool) -> Self {
        let help = Command::new(ours).args(["update", "--help"]).output();
        let knows_all = help.is_ok_and(|help| String::from_utf8_lossy(&help.stdout).contains("--all"));
        Self {
            ours,
            share,
            daemons: Daemons::new(share),
            keeps_log,
            knows_all,
            files: None,
        }
    }

    /// Measures an update: seconds of wall and processor, KiB of memory, and the seconds that the modem takes by
    /// itself. Only numbers of an update that ended well, byte for byte and without violation.
    pub(crate) fn measure(&mut self, case: &Case, program: Program, turn: u32) -> Value {
        let outcome = self.make_files(case).and_then(|files| {
            let sizes = sizes(&files);
            let outcome = self.update(case, program, &files, turn);
            self.files = Some((case.model, case.bytes, files));
            outcome.map(|(took, steps)| (took, steps, sizes))
        });
        let mut row = json!({
            "name": case.name(),
            "what": case.what(),
            "program": program.name(),
            "modems": case.modems,
            "real": case.is_real(),
            "large": case.is_large(),
        });
        let more = match outcome {
            Err(error) => json!({ "failure": format!("{error:#}") }),
            Ok((took, steps, sizes)) => json!({
                "wall": (took.end - took.start).as_secs_f64(),
                "processor": took.processor.as_secs_f64(),
                "peak": took.peak,
                "floor": case.floor(&sizes).as_secs_f64(),
                "own": case.own_times(&sizes).iter().map(Duration::as_secs_f64).collect::<Vec<_>>(),
                "steps": steps.map(|steps| steps.seconds()),
                "reaction": steps.and_then(|steps| steps.reaction).map(|span| span.as_secs_f64()),
                "processes": if case.modems > 1 && !self.knows_all { case.modems } else { 1 },
            }),
        };
        if let (Some(row), Value::Object(more)) = (row.as_object_mut(), more) {
            row.extend(more);
        }
        row
    }

    /// The files of this case: those of the last one where they are the same.
    fn make_files(&mut self, case: &Case) -> anyhow::Result<Vec<File>> {
        match self.files.take() {
            Some((model, bytes, files)) if model == case.model && bytes == case.bytes => Ok(files),
            before => {
                // The guest's memory holds them: the old ones first of all go.
                let _ = std::fs::remove_dir_all("/tmp/lab");
                drop(before);
                images::make("bench", profile(case)?, &case.images(), Path::new("/tmp/lab"))
            }
        }
    }

    fn update(
        &mut self,
        case: &Case,
        program: Program,
        files: &[File],
        turn: u32,
    ) -> anyhow::Result<(Took, Option<Steps>)> {
        let profile = profile(case)?;
        self.daemons.set(Company::default())?;
        let timeline = Timeline::default();
        let mut benches = Vec::new();
        for number in 0..case.modems {
            let mut setup = modem::setup(profile, true);
            setup.control = case.control;
            setup.timings = case.timings();
            setup.quirks.deaf_after_enumeration = case.deaf();
            setup.keep = KEEP;
            setup.storage.imei = format!("{:015}", 35_000_000_000_000_u64 + u64::from(number));
            setup.storage.usb.is_super_speed = false;
            let bench = if number == 0 {
                let timeline = timeline.clone();
                Bench::start_with(setup, number, move |_, happening| timeline.modem(happening))?
            } else {
                Bench::start_with(setup, number, |_, _| ())?
            };
            benches.push((bench, Socket(number)));
        }
        let outcome = self.run(case, program, files, turn, &mut benches, &timeline);
        let mut modems = Vec::new();
        for (bench, socket) in benches {
            modems.push(bench.stop()?);
            // Also after a failure: the next modem's port may have the same name.
            socket.empty()?;
        }
        let took = match (outcome, modems.first()) {
            (Err(error), Some(modem)) => return Err(modem.explain(error)),
            (outcome, _) => outcome?,
        };
        for modem in &modems {
            compare(modem, files)?;
            is_updated(modem, profile)?;
        }
        // Several modems share one timeline only in parts.
        let steps = timeline.steps(&took).filter(|_| case.modems == 1);
        Ok((took, steps))
    }

    /// Runs the program when all modems are there.
    fn run(
        &self,
        case: &Case,
        program: Program,
        files: &[File],
        turn: u32,
        benches: &mut [(Bench, Socket)],
        timeline: &Timeline,
    ) -> anyhow::Result<Took> {
        let mut ports = Vec::new();
        for (bench, socket) in &mut *benches {
            let appearance = bench.appearance(0, BUS_TIMEOUT)?;
            let interfaces = socket.ready(&appearance)?;
            let node = node_of(&appearance, &interfaces, FunctionKind::is_message_port);
            ports.push(node.context("no control port")?);
        }
        self.daemons.settle()?;
        // A modem that has been running for long: what it needs after its start is in the floor once, after the update.
        rest(case.timings().ready_after);
        let commands = if case.modems > 1 && self.knows_all {
            vec![self.command(program, None, files)]
        } else {
            ports
                .iter()
                .map(|port| self.command(program, Some(port), files))
                .collect()
        };
        let log = format!("bench.{}.{}.{turn}.log", case.name(), program.name());
        let listener = Listener::start(timeline.clone())?;
        let took = run(commands, &self.share.join(log), case.deadline());
        drop(listener);
        let took = took?;
        for (bench, _) in benches {
            bench.appearance(2, BUS_TIMEOUT)?;
        }
        Ok(took)
    }

    /// A program on one port; on none: on all modems.
    fn command(&self, program: Program, port: Option<&PathBuf>, files: &[File]) -> Command {
        let mut command = match program {
            Program::Reference => {
                let mut command = Command::new("qmi-firmware-update");
                command.args(["--update", "--ignore-mm-runtime-check"]);
                command
            }
            Program::Ours => {
                let mut command = Command::new(self.ours);
                // The guest has no table of its drivers.
                command.args(["update", "--yes"]);
                if self.keeps_log {
                    command.arg("-vv");
                }
                command
            }
        };
        match port {
            Some(port) => command.arg("-w").arg(port),
            None => command.arg("--all"),
        };
        command.args(files.iter().map(|file| &file.path));
        command
    }
}

/// What is sent to a modem of these files.
fn sizes(files: &[File]) -> Vec<u64> {
    files.iter().map(|file| file.content.len() as u64).collect()
}

fn profile(case: &Case) -> anyhow::Result<&'static Profile> {
    case.profile()
        .with_context(|| format!("no profile {}", case.model))
}
