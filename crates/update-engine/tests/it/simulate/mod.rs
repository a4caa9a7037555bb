//! Seeded complete updates with random faults (docs/architecture.md): one number decides model, state,
//! images, habits, faults, and how the stream is split. What the engine says is compared with the virtual
//! modem's memory.
//!
//! A run without a fault, or with a fault that the specification calls recoverable, must end in a flash, byte
//! for byte. A run with any other fault may end in an error that names the true state of the modem.
#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation
)]

pub mod cuts;
mod faults;
mod judge;
mod loader;
mod table;
mod whole;

use modem_world::Instant;
use modemflash_update_engine::{Event, Outcome, UpdateError};

pub use table::Table;

/// How a run must end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Promise {
    /// A flash, byte for byte.
    Flash,
    /// A flash, or an error that names the modem's true state.
    Truth,
}

/// How well a modem is at the end of a run, by its own memory; the later, the better.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Standing {
    /// It doesn't run and doesn't wait for firmware.
    Lost,
    /// It waits for firmware.
    Waits,
    /// It runs, but prefers something else than what it runs.
    RunsAgainstPreference,
    /// It runs what it prefers.
    Runs,
    /// It runs what was wanted.
    AsWanted,
}

/// What came of a run.
pub struct Verdict {
    /// Where the modem was at the start, and how it could be asked.
    pub start: &'static str,
    pub fault: &'static str,
    pub promise: Promise,
    pub succeeded: bool,
    /// Whether the user wished to stop.
    pub stops: bool,
    /// How the run ended, in facts that don't depend on wording.
    pub end: String,
    /// When all modems of the run were done, in milliseconds of its own clock.
    pub done_ms: u128,
    /// How well the modem is in the end.
    pub standing: Standing,
    /// Why it isn't as it must be.
    pub wrong: Option<String>,
}

impl Verdict {
    /// The run in one line: seed, modem, whether the user wished to stop, the end, the time. These lines
    /// allow two versions of the engine to be compared.
    pub fn line(&self, seed: u64, modem: usize) -> String {
        let wish = if self.stops { "stop" } else { "-" };
        format!("{seed}\t{modem}\t{wish}\t{}\t{}", self.end, self.done_ms)
    }
}

/// How a run ended, in facts that don't depend on wording.
fn end_of(result: &Result<Outcome, UpdateError>) -> String {
    match result {
        Ok(Outcome::Updated(it)) => format!(
            "updated {:?} to {} accepted {} not_required {} bytes {} passes {} radio {:?}",
            it.from, it.to, it.accepted, it.not_required, it.bytes, it.passes, it.radio
        ),
        Ok(Outcome::Unchanged(it)) => format!("unchanged {} radio {:?}", it.runs, it.radio),
        Ok(Outcome::Accepted(it)) => format!(
            "accepted {} not_required {} bytes {} runs {:?}",
            it.accepted, it.not_required, it.bytes, it.runs
        ),
        Ok(other) => format!("{other:?}"),
        Err(error) => format!(
            "{} exit {} step {:?} modem {:?} as_found {}",
            error.code(),
            error.exit_code(),
            error.step,
            error.modem,
            error.is_as_found
        ),
    }
}

fn done_ms(now: Instant) -> u128 {
    now.since_start().as_millis()
}

/// One run, decided by a seed.
pub enum Case {
    /// A modem in download mode.
    Loader(Box<loader::Case>),
    /// Modems in any state, updated until their versions are read back.
    Whole(Box<whole::Case>),
}

impl Case {
    /// The run that belongs to this seed. Every second run is a whole update.
    pub fn of(seed: u64) -> Self {
        if seed % 2 == 0 {
            Self::Loader(Box::new(loader::Case::of(seed)))
        } else {
            Self::Whole(Box::new(whole::Case::of(seed)))
        }
    }

    /// What the run tries, in one line.
    pub fn words(&self) -> String {
        match self {
            Self::Loader(case) => format!("download mode, {} ({:?})", case.fault, case.promise),
            Self::Whole(case) => case.words(),
        }
    }
}

/// Carries out one run and returns a verdict for each modem to be updated. `sink` gets the events.
pub fn run(case: Case, sink: &mut (dyn FnMut(&Event) + Send)) -> Vec<Verdict> {
    match case {
        Case::Loader(case) => vec![loader::run(*case, sink)],
        Case::Whole(case) => whole::run(&case, sink),
    }
}

/// Carries out runs with the seeds `from..from + count`; `each` gets the line of every modem.
pub fn run_all(from: u64, count: u64, each: &mut dyn FnMut(String)) -> Table {
    let mut table = Table::default();
    for seed in from..from.saturating_add(count) {
        for (modem, verdict) in run(Case::of(seed), &mut |_| {}).into_iter().enumerate() {
            each(verdict.line(seed, modem));
            table.add(seed, verdict);
        }
    }
    table
}
