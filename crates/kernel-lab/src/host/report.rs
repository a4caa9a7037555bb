//! What the lab prints at the end.

use super::machine::End;
use super::session::Run;
use crate::scenario::Scenario;
use serde_json::Value;
use std::process::ExitCode;

/// How a scenario went, as far as is known.
#[derive(Clone, Copy, Debug)]
enum Outcome<'a> {
    /// The guest has written it down.
    Told(usize, &'a Value),
    /// The guest has begun it and came to its end, this one.
    Begun(usize, End),
    /// No guest has begun it.
    Left,
}

impl Outcome<'_> {
    fn has_passed(self) -> bool {
        matches!(self, Self::Told(_, result) if result["passed"] == true)
    }

    /// A line of the table.
    fn line(self, name: &str) -> String {
        let (guest, seconds, detail) = match self {
            Self::Told(guest, result) => (
                guest.to_string(),
                result["seconds"].as_f64().unwrap_or(0.0),
                result["detail"].as_str().unwrap_or_default(),
            ),
            Self::Begun(guest, End::Deadline) => {
                (guest.to_string(), 0.0, "the guest was stopped at its deadline")
            }
            Self::Begun(guest, End::PoweredOff) => (guest.to_string(), 0.0, "the guest ended in the middle"),
            Self::Left => ("-".to_owned(), 0.0, "no guest was left to try it"),
        };
        let word = if self.has_passed() { "passed" } else { "FAILED" };
        format!("{name:<NAME$} {word:<7} {guest:>5} {seconds:>6.1}  {detail}")
    }
}

/// The longest names that are tried in every run have 51 characters.
const NAME: usize = 51;

/// Prints the table and the closing line.
pub(super) fn report(scenarios: &[Scenario], run: &Run) -> ExitCode {
    let results = run.results();
    println!(
        "\n{:<NAME$} {:<7} {:>5} {:>6}  detail",
        "scenario", "result", "guest", "s"
    );
    let mut failures = Vec::new();
    for scenario in scenarios {
        let told = results.iter().find(|(_, result)| result["name"] == scenario.name);
        let begun = || {
            let guest = run.share.claimed_by(&scenario.name)?;
            Some((guest, *run.ends.get(guest.checked_sub(1)?)?))
        };
        let outcome = match (told, begun()) {
            (Some((guest, result)), _) => Outcome::Told(*guest, result),
            (None, Some((guest, end))) => Outcome::Begun(guest, end),
            (None, None) => Outcome::Left,
        };
        let line = outcome.line(&scenario.name);
        println!("{line}");
        if !outcome.has_passed() {
            failures.push(line);
        }
    }
    let failed = failures.len();
    if failed > 0 {
        // Again at the end, where a log that is cut still has them.
        println!();
        for line in &failures {
            println!("{FAILED}{line}");
        }
        println!(
            "\nlab: console.log, kernel.log and the logs of each scenario are in the folder of its guest: {}",
            run.share.folder().display()
        );
    }
    println!("\n{} passed, {failed} failed", scenarios.len() - failed);
    if failed == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// What stands before a scenario that has failed, at the end of the output; and before the reason why nothing was tried.
pub const FAILED: &str = "lab: FAILED: ";
/// See [`FAILED`].
pub const SKIPPED: &str = "lab: SKIPPED: ";

/// Says loudly that nothing was tried; a failure in CI.
pub(super) fn skipped(reason: &str) -> ExitCode {
    let in_ci = std::env::var("CI").is_ok_and(|value| value == "true");
    println!("{SKIPPED}{reason}");
    println!("{SKIPPED}no foreign program and no real driver has checked this build");
    if in_ci {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_scenario_without_a_result_has_failed_and_the_line_says_why() {
        let passed = json!({ "passed": true, "seconds": 1.25, "detail": "fine" });
        let failed = json!({ "passed": false, "seconds": 2.0, "detail": "not fine" });
        for (outcome, words) in [
            (Outcome::Told(1, &passed), "passed 1 1.2 fine"),
            (Outcome::Told(2, &failed), "FAILED 2 2.0 not fine"),
            (
                Outcome::Begun(3, End::Deadline),
                "FAILED 3 0.0 the guest was stopped at its deadline",
            ),
            (
                Outcome::Begun(3, End::PoweredOff),
                "FAILED 3 0.0 the guest ended in the middle",
            ),
            (Outcome::Left, "FAILED - 0.0 no guest was left to try it"),
        ] {
            let line = outcome.line("bind");
            let line: Vec<&str> = line.split_whitespace().collect();
            assert_eq!(line.join(" "), format!("bind {words}"));
        }
    }
}
