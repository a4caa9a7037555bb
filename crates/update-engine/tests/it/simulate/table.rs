//! The results of many runs.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::{Promise, Verdict};

/// The start of every run of [`super::loader`].
pub const LOADER: &str = "download mode";

/// Runs, successes and failures.
#[derive(Default)]
pub struct Table {
    /// By kind of run, promise and fault.
    faults: BTreeMap<(bool, bool, &'static str), Row>,
    /// Of whole updates, by where the modem was.
    starts: BTreeMap<&'static str, Row>,
    /// The seeds of the runs that didn't end as they must, each with the reason.
    pub wrong: Vec<(u64, &'static str, String)>,
}

#[derive(Clone, Copy, Default)]
struct Row {
    runs: u64,
    flashed: u64,
    wrong: u64,
}

impl Row {
    fn join(&mut self, other: Self) {
        self.runs += other.runs;
        self.flashed += other.flashed;
        self.wrong += other.wrong;
    }

    fn cells(&self) -> String {
        let told = (self.runs - self.flashed).saturating_sub(self.wrong);
        format!("{} | {} | {told} | {}", self.runs, self.flashed, self.wrong)
    }
}

impl Table {
    /// Adds a run.
    pub fn add(&mut self, seed: u64, verdict: Verdict) {
        let row = Row {
            runs: 1,
            flashed: u64::from(verdict.succeeded),
            wrong: u64::from(verdict.wrong.is_some()),
        };
        let (is_whole, may_fail) = (verdict.start != LOADER, verdict.promise == Promise::Truth);
        let key = (is_whole, may_fail, verdict.fault);
        self.faults.entry(key).or_default().join(row);
        if is_whole {
            self.starts.entry(verdict.start).or_default().join(row);
        }
        if let Some(why) = verdict.wrong.filter(|_| self.wrong.len() < 1000) {
            self.wrong.push((seed, verdict.fault, why));
        }
    }

    /// Adds another table.
    pub fn join(&mut self, other: Self) {
        for (key, row) in other.faults {
            self.faults.entry(key).or_default().join(row);
        }
        for (key, row) in other.starts {
            self.starts.entry(key).or_default().join(row);
        }
        self.wrong.extend(other.wrong);
    }

    /// Number of updates: one for each modem.
    pub fn runs(&self) -> u64 {
        self.faults.values().map(|row| row.runs).sum()
    }

    /// The tables as Markdown.
    pub fn markdown(&self) -> String {
        const HEAD: &str = "runs | flashed | error with the true state | wrong |\n";
        let mut text = String::new();
        for (is_whole, title) in [(true, "Whole updates"), (false, "Flashes in download mode")] {
            let _ = write!(
                text,
                "### {title}\n\n| fault | must | {HEAD}|---|---|---:|---:|---:|---:|\n"
            );
            for ((_, may_fail, fault), row) in
                self.faults.iter().filter(|((whole, ..), _)| *whole == is_whole)
            {
                let must = if *may_fail { "flash or truth" } else { "flash" };
                let _ = writeln!(text, "| {fault} | {must} | {} |", row.cells());
            }
            text.push('\n');
        }
        let _ = write!(
            text,
            "### Whole updates by start\n\n| start | {HEAD}|---|---:|---:|---:|---:|\n"
        );
        for (start, row) in &self.starts {
            let _ = writeln!(text, "| {start} | {} |", row.cells());
        }
        text
    }

    /// The runs that didn't end as they must, each with the line that replays it.
    pub fn complaints(&self) -> String {
        let mut text = String::new();
        for (seed, fault, why) in self.wrong.iter().take(40) {
            let _ = writeln!(
                text,
                "{fault}: {why}\n  replay: cargo xtask simulate --seed {seed}"
            );
        }
        text
    }
}
