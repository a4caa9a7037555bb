//! Many seeded flashes with random faults, or one of them with all its events; `cargo xtask simulate` calls it.
//!
//! Arguments: `--runs N` (100000), `--from SEED` (0), `--threads N` (2), or `--seed SEED` for one run.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]
#![allow(clippy::print_stdout, clippy::print_stderr)]

#[path = "../tests/simulate/mod.rs"]
mod simulate;
#[path = "../tests/support/mod.rs"]
mod support;

use std::process::ExitCode;

fn main() -> ExitCode {
    let (mut runs, mut from, mut threads, mut one) = (100_000, 0, 2, None);
    let mut arguments = std::env::args().skip(1);
    while let Some(name) = arguments.next() {
        let value = arguments.next().and_then(|value| value.parse::<u64>().ok());
        match (name.as_str(), value) {
            ("--runs", Some(value)) => runs = value,
            ("--from", Some(value)) => from = value,
            ("--threads", Some(value)) => threads = value.clamp(1, 64),
            ("--seed", Some(value)) => one = Some(value),
            _ => {
                eprintln!("usage: simulate [--runs N] [--from SEED] [--threads N] | --seed SEED");
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
            std::thread::spawn(move || simulate::run_all(begin, end - begin))
        })
        .collect();
    let mut table = simulate::Table::default();
    for worker in workers {
        table.join(worker.join().expect("a worker ends"));
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
