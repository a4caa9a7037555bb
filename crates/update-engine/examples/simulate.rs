//! Runs many seeded flashes with random faults, or one flash with all its events. `cargo xtask simulate`
//! calls this program.
//!
//! Arguments: `--runs N` (100000), `--from SEED` (0), `--threads N` (2), `--outcomes FILE` (one line for each
//! modem of each run), or `--seed SEED` for a single run. With `--cuts` every run with one modem is cut before
//! each of its stages, and a new engine goes on; `--seed SEED --before STAGE` shows one such run.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]
#![allow(clippy::print_stdout, clippy::print_stderr)]

#[path = "../tests/it/simulate/mod.rs"]
mod simulate;
#[path = "../tests/it/support/mod.rs"]
mod support;

use std::fs::File;
use std::io::{BufWriter, Write};
use std::process::ExitCode;

fn main() -> ExitCode {
    let (mut runs, mut from, mut threads, mut one) = (100_000, 0, 2, None);
    let (mut cuts, mut cut_before) = (false, None);
    let mut outcomes = None;
    let mut arguments = std::env::args().skip(1);
    while let Some(name) = arguments.next() {
        if name == "--cuts" {
            cuts = true;
            continue;
        }
        let value = arguments.next();
        if name == "--outcomes" && value.is_some() {
            outcomes = value;
            continue;
        }
        match (name.as_str(), value.and_then(|value| value.parse::<u64>().ok())) {
            ("--runs", Some(value)) => runs = value,
            ("--from", Some(value)) => from = value,
            ("--threads", Some(value)) => threads = value.clamp(1, 64),
            ("--seed", Some(value)) => one = Some(value),
            ("--before", Some(value)) => cut_before = usize::try_from(value).ok(),
            _ => {
                eprintln!(
                    "usage: simulate [--runs N] [--from SEED] [--threads N] [--outcomes FILE | --cuts] | \
                     --seed SEED [--before STAGE]"
                );
                return ExitCode::from(2);
            }
        }
    }
    if let Some(seed) = one {
        return replay(seed, cut_before);
    }
    if cuts {
        return cut(from, runs, threads);
    }
    let share = runs.div_ceil(threads);
    let workers: Vec<_> = (0..threads)
        .map(|worker| {
            let begin = from + (worker * share).min(runs);
            let end = from + ((worker + 1) * share).min(runs);
            let keeps = outcomes.is_some();
            std::thread::spawn(move || {
                let mut lines = Vec::new();
                let table = simulate::run_all(begin, end - begin, &mut |line| {
                    if keeps {
                        lines.push(line);
                    }
                });
                (table, lines)
            })
        })
        .collect();
    let mut table = simulate::Table::default();
    let mut file = outcomes.map(|path| BufWriter::new(File::create(path).expect("a file for the outcomes")));
    for worker in workers {
        let (part, lines) = worker.join().expect("a worker ends");
        table.join(part);
        if let Some(file) = &mut file {
            for line in lines {
                writeln!(file, "{line}").expect("the outcomes can be written");
            }
            file.flush().expect("the outcomes can be written");
        }
    }
    print!("{}", table.markdown());
    println!(
        "\n{} runs, {} not as they must be",
        table.runs(),
        table.wrong.len()
    );
    eprint!("{}", table.complaints());
    ExitCode::from(u8::from(!table.wrong.is_empty()))
}

/// Cuts runs and prints what came of that.
fn cut(from: u64, runs: u64, threads: u64) -> ExitCode {
    let share = runs.div_ceil(threads);
    let workers: Vec<_> = (0..threads)
        .map(|worker| {
            let begin = from + (worker * share).min(runs);
            let end = from + ((worker + 1) * share).min(runs);
            std::thread::spawn(move || simulate::cuts::cut_all(begin, end - begin))
        })
        .collect();
    let mut cuts = simulate::cuts::Cuts::default();
    for worker in workers {
        cuts.join(worker.join().expect("a worker ends"));
    }
    for why in &cuts.worse {
        println!("{why}");
    }
    for (stage, count) in &cuts.by_stage {
        println!("before {stage}: {count}");
    }
    println!(
        "{} cuts: {} ended as the uncut run, {} otherwise and well, {} worse",
        cuts.cuts,
        cuts.equal,
        cuts.other - cuts.worse.len() as u64,
        cuts.worse.len()
    );
    if cuts.worse.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// Prints the events of one run.
fn replay(seed: u64, cut_before: Option<usize>) -> ExitCode {
    let case = simulate::Case::of(seed);
    println!("seed {seed}: {}", case.words());
    let each = &mut |event: &modemflash_update_engine::Event| {
        println!("{}", serde_json::to_string(event).expect("events are JSON"));
    };
    let verdicts = match cut_before {
        None => simulate::run(case, each),
        Some(place) => vec![simulate::cuts::replay(seed, place, each)],
    };
    let mut is_wrong = false;
    for verdict in verdicts {
        match verdict.wrong {
            None => println!("as it must be; flashed: {}", verdict.succeeded),
            Some(why) => {
                is_wrong = true;
                println!("NOT as it must be: {why}");
            }
        }
    }
    ExitCode::from(u8::from(is_wrong))
}
