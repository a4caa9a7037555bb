//! Many seeded flashes with random faults, or one of them with all its events; `cargo xtask simulate` calls it.
//!
//! Arguments: `--runs N` (100000), `--from SEED` (0), `--threads N` (2), `--outcomes FILE` (a line for each modem of each run),
//! or `--seed SEED` for one run.
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
    let mut outcomes = None;
    let mut arguments = std::env::args().skip(1);
    while let Some(name) = arguments.next() {
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
            _ => {
                eprintln!(
                    "usage: simulate [--runs N] [--from SEED] [--threads N] [--outcomes FILE] | --seed SEED"
                );
                return ExitCode::from(2);
            }
        }
    }
    if let Some(seed) = one {
        return replay(seed);
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

/// One run with all its events.
fn replay(seed: u64) -> ExitCode {
    let case = simulate::Case::of(seed);
    println!("seed {seed}: {}", case.words());
    let verdicts = simulate::run(case, &mut |event| {
        println!("{}", serde_json::to_string(event).expect("events are JSON"));
    });
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
