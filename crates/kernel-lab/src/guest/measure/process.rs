//! Programs that are watched while they run: time, processor, memory.

use super::super::process::pause;
use crate::clock::{now, within};
use crate::proc_files::{peak, ticks};
use anyhow::{Context, bail, ensure};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// What programs took.
#[derive(Clone, Copy, Debug)]
pub(super) struct Took {
    pub(super) start: Instant,
    /// The end of the last one.
    pub(super) end: Instant,
    /// Processor time of all, the kernel's for them included.
    pub(super) processor: Duration,
    /// The most memory that each had resident, all together, in KiB.
    pub(super) peak: u64,
}

/// A program that runs.
struct Watched {
    child: Child,
    log: PathBuf,
    processor: Duration,
    peak: u64,
    end: Option<Instant>,
}

impl Drop for Watched {
    fn drop(&mut self) {
        if self.end.is_none() {
            // It may have ended by itself.
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

/// Runs them at once, to the end of the last; each must succeed. What they say goes to files of this name.
pub(super) fn run(commands: Vec<Command>, log: &Path, timeout: Duration) -> anyhow::Result<Took> {
    let start = now();
    let deadline = within(timeout);
    let mut all = Vec::new();
    for (mut command, number) in commands.into_iter().zip(1..) {
        let log = if number == 1 {
            log.to_owned()
        } else {
            log.with_extension(format!("{number}.log"))
        };
        let output = fs::File::create(&log)?;
        command.stdin(Stdio::null()).stdout(output.try_clone()?);
        let child = command.stderr(output).spawn();
        all.push(Watched {
            child: child.context("the program can't be started")?,
            log,
            processor: Duration::ZERO,
            peak: 0,
            end: None,
        });
    }
    loop {
        for watched in &mut all {
            watched.look()?;
        }
        let ends: Option<Vec<Instant>> = all.iter().map(|watched| watched.end).collect();
        if let Some(end) = ends.and_then(|ends| ends.into_iter().max()) {
            return Ok(Took {
                start,
                end,
                processor: all.iter().map(|watched| watched.processor).sum(),
                peak: all.iter().map(|watched| watched.peak).sum(),
            });
        }
        if now() >= deadline {
            let late = all.iter().find(|watched| watched.end.is_none());
            let said = late.map(|watched| last_line(&watched.log));
            bail!(
                "killed after {} s: {}",
                timeout.as_secs(),
                said.unwrap_or_default()
            );
        }
        pause();
    }
}

impl Watched {
    /// Memory and processor are looked at all the time: a process that has ended tells its memory no more, its
    /// processor time still until it is waited for. Both only grow, so what is missed is what the last 20 ms add.
    fn look(&mut self) -> anyhow::Result<()> {
        if self.end.is_some() {
            return Ok(());
        }
        let folder = PathBuf::from(format!("/proc/{}", self.child.id()));
        // The kernel lets `spawn` go on a moment before the new program has its own memory: what is told then is ours.
        if is_another_program(&folder) {
            let status = fs::read_to_string(folder.join("status")).unwrap_or_default();
            self.peak = self.peak.max(peak(&status).unwrap_or(0));
        }
        let stat = fs::read_to_string(folder.join("stat")).unwrap_or_default();
        if let Some(ticks) = ticks(&stat) {
            self.processor = Duration::from_millis(ticks.saturating_mul(10));
        }
        if has_ended(&stat) {
            self.end = Some(now());
            let status = self.child.wait()?;
            ensure!(status.success(), "{status}: {}", last_line(&self.log));
        }
        Ok(())
    }
}

/// Whether this process runs another program than we do.
fn is_another_program(folder: &Path) -> bool {
    match (fs::read_link(folder.join("exe")), fs::read_link("/proc/self/exe")) {
        (Ok(its), Ok(ours)) => its != ours,
        _ => false,
    }
}

/// Whether a process is only waiting to be waited for: `Z` behind the name in parentheses.
fn has_ended(stat: &str) -> bool {
    stat.rsplit_once(") ")
        .is_some_and(|(_, rest)| rest.starts_with('Z'))
}

fn last_line(log: &Path) -> String {
    let said = fs::read_to_string(log).unwrap_or_default();
    // A bar is drawn over and over in one line.
    let last = said.split(['\n', '\r']).rfind(|line| !line.trim().is_empty());
    last.unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_runs_at_once_is_added_up_and_the_last_end_counts() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("a.log");
        let command = |script: &str| {
            let mut command = Command::new("sh");
            command.args(["-c", script]);
            command
        };
        let took = run(
            vec![
                command("echo short"),
                command("sort /proc/self/status >/dev/null; echo long"),
            ],
            &log,
            Duration::from_secs(60),
        )
        .unwrap();
        assert!(took.end > took.start);
        assert_eq!(fs::read_to_string(&log).unwrap(), "short\n");
        assert_eq!(
            fs::read_to_string(folder.path().join("a.2.log")).unwrap(),
            "long\n"
        );
        let error = run(vec![command("echo no; exit 3")], &log, Duration::from_secs(60)).unwrap_err();
        assert!(error.to_string().ends_with("3: no"), "{error}");
    }

    #[test]
    fn our_own_memory_is_not_taken_for_that_of_a_program() {
        assert!(!is_another_program(Path::new("/proc/self")));
        assert!(!is_another_program(Path::new("/proc/0")));
        let mut child = Command::new("sleep").arg("60").spawn().unwrap();
        let folder = PathBuf::from(format!("/proc/{}", child.id()));
        let deadline = within(Duration::from_secs(60));
        while !is_another_program(&folder) && now() < deadline {
            pause();
        }
        assert!(is_another_program(&folder));
        child.kill().unwrap();
        child.wait().unwrap();
    }

    #[test]
    fn a_process_that_has_ended_is_told_by_its_state() {
        assert!(has_ended("77 (a) b) Z 1 2"));
        assert!(!has_ended("77 (Z) S 1 2"));
        assert!(!has_ended(""));
    }
}
