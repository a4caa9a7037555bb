//! Running a program and seeing what it took: time, processor, memory.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use kernel_lab::{peak, ticks};
use rustix::process::{Pid, WaitId, WaitIdOptions, waitid};

/// The present moment.
#[allow(clippy::disallowed_methods, reason = "what is measured here is real time")]
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// What a program took.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Took {
    /// From its start to its end.
    pub(crate) wall: Duration,
    /// Processor time, its own and the kernel's for it.
    pub(crate) processor: Duration,
}

/// Runs it to its end, its output thrown away. It must succeed.
pub(crate) fn time(command: &mut Command) -> Result<Took> {
    let begin = now();
    let child = start(command)?;
    end(child, begin, command)
}

/// Starts it with its output thrown away, but for what it says to standard error.
pub(crate) fn start(command: &mut Command) -> Result<Child> {
    command.stdin(Stdio::null()).stdout(Stdio::null());
    command.stderr(Stdio::piped());
    command
        .spawn()
        .with_context(|| format!("{} can't be started", command.get_program().to_string_lossy()))
}

/// Waits for its end.
pub(crate) fn end(mut child: Child, begin: Instant, command: &Command) -> Result<Took> {
    // It says a few lines only: less than a pipe holds.
    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    let pid = pid.context("a process without a number")?;
    // What it took can be read as long as nobody has asked how it ended.
    waitid(WaitId::Pid(pid), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT)?;
    let wall = now().duration_since(begin);
    let processor = processor_time(child.id())?;
    let status = child.wait()?;
    if !status.success() {
        let mut said = String::new();
        if let Some(mut stderr) = child.stderr.take() {
            std::io::Read::read_to_string(&mut stderr, &mut said)?;
        }
        bail!(
            "{} ended with {status}: {said}",
            command.get_program().to_string_lossy()
        );
    }
    Ok(Took { wall, processor })
}

/// Processor time of a process that has ended and wasn't waited for: by the scheduler in nanoseconds, where the kernel
/// counts so; else in ticks.
fn processor_time(process: u32) -> Result<Duration> {
    let nanoseconds = fs::read_to_string(format!("/proc/{process}/schedstat"))
        .ok()
        .and_then(|text| text.split_whitespace().next()?.parse().ok())
        .filter(|nanoseconds: &u64| *nanoseconds > 0);
    if let Some(nanoseconds) = nanoseconds {
        return Ok(Duration::from_nanos(nanoseconds));
    }
    let stat = fs::read_to_string(format!("/proc/{process}/stat"))?;
    ticks(&stat)
        .map(|ticks| Duration::from_millis(ticks.saturating_mul(10)))
        .context("/proc/…/stat can't be read")
}

/// The most memory that a running process has had resident so far, in KiB (`VmHWM`).
pub(crate) fn peak_memory(process: u32) -> Option<u64> {
    peak(&fs::read_to_string(format!("/proc/{process}/status")).ok()?)
}

/// Whether a program can be found.
pub(crate) fn is_installed(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| is_program(&folder.join(program)))
}

fn is_program(path: &Path) -> bool {
    path.is_file()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_that_fails_is_an_error_with_its_words() {
        assert!(time(&mut Command::new("true")).is_ok());
        let mut failing = Command::new("sh");
        failing.args(["-c", "echo no such luck >&2; exit 3"]);
        assert!(
            time(&mut failing)
                .unwrap_err()
                .to_string()
                .contains("no such luck")
        );
    }
}
