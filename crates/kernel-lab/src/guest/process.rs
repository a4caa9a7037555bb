//! Programs with deadlines, and waiting for what has no event.

use crate::clock::{now, within};
use anyhow::{Context, bail};
use std::fs;
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// How often sysfs and processes are looked at.
const GLANCE: Duration = Duration::from_millis(20);

/// How often a program is started to look: a start takes a tenth of a second of an emulated processor, which what is waited for
/// needs itself.
const QUESTION: Duration = Duration::from_millis(500);

/// Looks again and again until there is something or the time is over.
pub(crate) fn until<T>(timeout: Duration, look: impl FnMut() -> Option<T>) -> Option<T> {
    until_every(GLANCE, timeout, look)
}

/// The same where each look starts a program.
pub(crate) fn until_told<T>(timeout: Duration, ask: impl FnMut() -> Option<T>) -> Option<T> {
    until_every(QUESTION, timeout, ask)
}

fn until_every<T>(pause: Duration, timeout: Duration, mut look: impl FnMut() -> Option<T>) -> Option<T> {
    let deadline = within(timeout);
    loop {
        if let Some(found) = look() {
            return Some(found);
        }
        if now() >= deadline {
            return None;
        }
        rest(pause);
    }
}

/// Waits until the next look.
pub(crate) fn pause() {
    rest(GLANCE);
}

/// Lets time pass.
#[allow(clippy::disallowed_methods, reason = "the guest runs in real time")]
pub(crate) fn rest(time: Duration) {
    std::thread::sleep(time);
}

/// Runs a program with all its output in a file, and kills it at its deadline.
pub(crate) fn run(command: &mut Command, log: &Path, timeout: Duration) -> anyhow::Result<ExitStatus> {
    let output = fs::File::create(log)?;
    run_into(command, output.try_clone()?, output, timeout)
}

/// Runs a program with its standard output and its standard error in two files, and kills it at its deadline.
pub(crate) fn run_into(
    command: &mut Command,
    output: fs::File,
    errors: fs::File,
    timeout: Duration,
) -> anyhow::Result<ExitStatus> {
    command.stdin(Stdio::null()).stdout(output).stderr(errors);
    let program = command.get_program().to_string_lossy().into_owned();
    let mut child = command.spawn().with_context(|| program.clone())?;
    let deadline: Instant = within(timeout);
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(status);
        }
        if now() >= deadline {
            child.kill()?;
            child.wait()?;
            bail!("{program}: killed after {} s", timeout.as_secs());
        }
        pause();
    }
}

/// Runs a program with these arguments. How it ended, and what it printed on standard output and on standard error; all of that is also
/// added to `log`.
pub(crate) fn run_logged(
    program: &Path,
    arguments: &[&str],
    log: &Path,
    timeout: Duration,
) -> anyhow::Result<(ExitStatus, String, String)> {
    let words = arguments.join(" ");
    let (output, errors) = (log.with_extension("output"), log.with_extension("errors"));
    let mut command = Command::new(program);
    command.args(arguments);
    let (out, err) = (fs::File::create(&output)?, fs::File::create(&errors)?);
    let status = run_into(&mut command, out, err, timeout);
    let (printed, errors) = (fs::read_to_string(&output)?, fs::read_to_string(&errors)?);
    super::ask::append(log, &format!("# {words}\n{printed}{errors}"))?;
    Ok((status.context(words)?, printed, errors))
}
