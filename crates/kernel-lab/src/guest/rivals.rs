//! Two `modemflash` start at the same moment on one modem, again and again: one does its work, the other ends at once and names the
//! first, and the modem gets the bytes of one alone.

use super::ask::append;
use super::modem::Bench;
use super::process::pause;
use crate::clock::{now, within};
use anyhow::{Context, bail, ensure};
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

/// How often two runs have to meet at the modem.
const MEETINGS: usize = 49;
/// How many pairs are started at most for that: on a busy host the second run may start only when the first has ended.
const ROUNDS: usize = 4 * MEETINGS;
/// From the start of the two to the end of both.
const DEADLINE: Duration = Duration::from_secs(120);
/// Another run has the modem.
const LOCKED: i32 = 4;

/// Two runs of our program.
#[derive(Debug)]
pub(crate) struct Rivals<'a> {
    /// Our program.
    pub(crate) program: &'a Path,
    /// What was said, all of it.
    pub(crate) log: PathBuf,
}

/// How one of them ended.
struct End {
    status: ExitStatus,
    said: String,
}

/// Whether two runs were at the modem at the same time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Met {
    Yes,
    OneAfterTheOther,
}

impl Rivals<'_> {
    /// Many times over the modem's control port.
    pub(crate) fn ask(&self, port: &Path, bench: &Bench) -> anyhow::Result<()> {
        let arguments = ["slots", "--json", "-w"].map(OsStr::new);
        let arguments = [&arguments[..], &[port.as_os_str()]].concat();
        let before = bench.received();
        let alone = self.wait(vec![self.start(&arguments, 0)?])?;
        ensure!(
            alone.iter().all(|end| end.status.success()),
            "alone: {}",
            said(&alone)
        );
        let of_one = bench.received() - before;
        let mut meetings = 0;
        for round in 0..ROUNDS {
            let before = bench.received();
            let met = self.meet(&arguments).with_context(|| format!("round {round}"))?;
            let bytes = bench.received() - before;
            let expected = match met {
                Met::Yes => of_one,
                Met::OneAfterTheOther => 2 * of_one,
            };
            ensure!(
                bytes == expected,
                "round {round} ({met:?}): {bytes} bytes came to the modem, of one program alone {of_one}"
            );
            meetings += usize::from(met == Met::Yes);
            if meetings >= MEETINGS {
                return Ok(());
            }
        }
        bail!("of {ROUNDS} pairs only {meetings} met at the modem")
    }

    /// Both start at the same moment: one alone gets the modem, or the second one starts so late that the first has ended.
    pub(crate) fn meet(&self, arguments: &[&OsStr]) -> anyhow::Result<Met> {
        let both = vec![self.start(arguments, 0)?, self.start(arguments, 1)?];
        let pids: Vec<u32> = both.iter().map(Child::id).collect();
        let ends = self.wait(both)?;
        if ends.iter().all(|end| end.status.success()) {
            return Ok(Met::OneAfterTheOther);
        }
        let winner = ends.iter().position(|end| end.status.success());
        let winner = winner.with_context(|| format!("nobody got in: {}", said(&ends)))?;
        let (Some(loser), Some(pid)) = (ends.get(1 - winner), pids.get(winner)) else {
            bail!("there were not two")
        };
        ensure!(
            loser.status.code() == Some(LOCKED) && loser.said.contains("E-MODEM-LOCKED"),
            "the other one: {}",
            said(&ends)
        );
        ensure!(
            loser.said.contains(&format!("(pid {pid})")),
            "the other one doesn't name pid {pid}: {}",
            loser.said
        );
        Ok(Met::Yes)
    }

    fn output(&self, number: usize) -> PathBuf {
        self.log.with_extension(format!("output-{number}"))
    }

    fn start(&self, arguments: &[&OsStr], number: usize) -> anyhow::Result<Child> {
        let output = fs::File::create(self.output(number))?;
        let mut command = Command::new(self.program);
        command.args(arguments).stdin(Stdio::null());
        let child = command.stdout(output.try_clone()?).stderr(output).spawn();
        child.context("no process")
    }

    fn wait(&self, mut children: Vec<Child>) -> anyhow::Result<Vec<End>> {
        let deadline = within(DEADLINE);
        let mut ends = Vec::new();
        for (number, child) in children.iter_mut().enumerate() {
            let status = loop {
                if let Some(status) = child.try_wait()? {
                    break status;
                }
                if now() >= deadline {
                    child.kill()?;
                    child.wait()?;
                    bail!("killed after {} s", DEADLINE.as_secs());
                }
                pause();
            };
            let said = fs::read_to_string(self.output(number))?;
            append(&self.log, &format!("# {number}: {status}\n{said}"))?;
            ends.push(End { status, said });
        }
        Ok(ends)
    }
}

/// What all of them said.
fn said(ends: &[End]) -> String {
    let words: Vec<String> = ends
        .iter()
        .map(|end| format!("{}: {}", end.status, end.said.trim()))
        .collect();
    words.join("; ")
}
