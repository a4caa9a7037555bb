//! What the lab prints at the end.

use super::machine::End;
use super::session::results;
use crate::scenario::Scenario;
use std::path::Path;
use std::process::ExitCode;

/// Prints the table and the closing line.
pub(super) fn report(scenarios: &[Scenario], run: &Path, end: End) -> ExitCode {
    let results = results(run);
    println!("\n{:<32} {:<7} {:>6}  detail", "scenario", "result", "s");
    let mut failures = Vec::new();
    for scenario in scenarios {
        let result = results.iter().find(|result| result["name"] == scenario.name);
        let passed = result.is_some_and(|result| result["passed"] == true);
        let seconds = result
            .and_then(|result| result["seconds"].as_f64())
            .unwrap_or(0.0);
        let detail = match (result, end) {
            (Some(result), _) => result["detail"].as_str().unwrap_or_default(),
            (None, End::Deadline) => "the guest was stopped at its deadline",
            (None, End::PoweredOff) => "the guest ended before",
        };
        let word = if passed { "passed" } else { "FAILED" };
        let line = format!("{:<32} {word:<7} {seconds:>6.1}  {detail}", scenario.name);
        println!("{line}");
        if !passed {
            failures.push(line);
        }
    }
    let failed = failures.len();
    if failed > 0 {
        // Again at the end, where a log that is cut still has them.
        println!("\n{}", failures.join("\n"));
        println!(
            "\nlab: console.log, kernel.log and the logs of each scenario: {}",
            run.display()
        );
    }
    println!("\n{} passed, {failed} failed", scenarios.len() - failed);
    if failed == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// Says loudly that nothing was tried; a failure in CI.
pub(super) fn skipped(reason: &str) -> ExitCode {
    let in_ci = std::env::var("CI").is_ok_and(|value| value == "true");
    println!("lab: SKIPPED: {reason}");
    println!("lab: SKIPPED: no foreign program and no real driver has checked this build");
    if in_ci {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    }
}
