//! `modemflash` is stopped twice while it waits for an answer over MBIM. The modem takes no second session while one is open, so the
//! next program gets in at once only if `modemflash` has closed its session.

use super::ask::{Asker, append};
use super::modem::Bench;
use super::process::{rest, run, until};
use crate::clock::now;
use anyhow::{Context, ensure};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// For the start of the program, and for its end. With emulation it takes a second or two to start.
const DEADLINE: Duration = Duration::from_secs(60);
/// If nothing came to the modem for so long, the program waits for the answer that is lost.
const SILENCE: Duration = Duration::from_millis(1500);
/// Between the two signals.
const BETWEEN: Duration = Duration::from_millis(300);
/// Exit code of a run that the user stopped.
const STOPPED: i32 = 130;

/// A run that is stopped, and the programs that come after it.
#[derive(Debug)]
pub(crate) struct Stopped<'a> {
    /// Our program.
    pub(crate) program: &'a Path,
    /// The control port.
    pub(crate) port: &'a Path,
    /// The modem, which loses one answer.
    pub(crate) bench: &'a Bench,
    /// What was said, all of it.
    pub(crate) log: PathBuf,
}

impl Stopped<'_> {
    /// Stops a run in the middle, and lets mbimcli and another run ask.
    pub(crate) fn try_all(&self, mut asker: Asker<'_>) -> anyhow::Result<String> {
        let seconds = self.stop_twice()?;
        // Each asks twice. A program that has to open the port a second time sends more than one that gets in at once.
        let first = self.bytes(|| asker.device_caps(&[]))?;
        let second = self.bytes(|| asker.device_caps(&[]))?;
        asker.verdict()?;
        ensure!(
            first == second,
            "mbimcli sent {first} bytes after the stop, and {second} later"
        );
        let first = self.bytes(|| self.info())?;
        let second = self.bytes(|| self.info())?;
        ensure!(
            first == second,
            "modemflash sent {first} bytes after the stop, and {second} later"
        );
        Ok(format!(
            "ended {seconds:.1} s after the second signal; mbimcli and modemflash got in at once"
        ))
    }

    /// How long the program took to end after the second signal, in seconds.
    fn stop_twice(&self) -> anyhow::Result<f64> {
        let output = self.log.with_extension("stopped");
        let file = fs::File::create(&output)?;
        let mut child = self.start(file)?;
        let ended = self.stop(&mut child);
        if ended.is_err() {
            // It may have ended.
            let _ = child.kill();
            child.wait()?;
        }
        append(&self.log, &fs::read_to_string(&output)?)?;
        ended
    }

    fn start(&self, output: fs::File) -> anyhow::Result<Child> {
        let mut command = Command::new(self.program);
        command.args(["info", "-w"]).arg(self.port).stdin(Stdio::null());
        let child = command.stdout(output.try_clone()?).stderr(output).spawn();
        child.context("no process")
    }

    fn stop(&self, child: &mut Child) -> anyhow::Result<f64> {
        let before = self.bench.received();
        until(DEADLINE, || (self.bench.received() > before).then_some(())).context("it asks nothing")?;
        let mut heard = before;
        while self.bench.received() > heard {
            heard = self.bench.received();
            rest(SILENCE);
        }
        self.interrupt(child, "it doesn't wait for the lost answer")?;
        rest(BETWEEN);
        self.interrupt(
            child,
            "the first signal has ended it: nothing was to be seen of the second",
        )?;
        let start = now();
        let status =
            until(DEADLINE, || child.try_wait().transpose()).context("two signals don't end it")??;
        ensure!(status.code() == Some(STOPPED), "stopped twice: {status}");
        Ok(start.elapsed().as_secs_f64())
    }

    /// Sends Ctrl-C's signal to a program that must be running.
    fn interrupt(&self, child: &mut Child, otherwise: &'static str) -> anyhow::Result<()> {
        ensure!(child.try_wait()?.is_none(), otherwise);
        let status = Command::new("kill")
            .args(["-INT", &child.id().to_string()])
            .status()?;
        ensure!(status.success(), "kill: {status}");
        Ok(())
    }

    fn info(&self) -> anyhow::Result<()> {
        let output = self.log.with_extension("info");
        let mut command = Command::new(self.program);
        command.args(["info", "-w"]).arg(self.port);
        let status = run(&mut command, &output, DEADLINE)?;
        append(&self.log, &fs::read_to_string(&output)?)?;
        ensure!(status.success(), "modemflash info: {status}");
        Ok(())
    }

    /// How many bytes come to the modem meanwhile.
    fn bytes(&self, work: impl FnOnce() -> anyhow::Result<()>) -> anyhow::Result<usize> {
        let before = self.bench.received();
        work()?;
        Ok(self.bench.received() - before)
    }
}
