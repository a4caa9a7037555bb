//! Which scenarios come first, and how many guests share them.

use crate::scenario::{Files, Program, Scenario, Task};
use std::time::Duration;

/// Less work than this isn't worth one more boot.
const WORTH_A_GUEST: Duration = Duration::from_secs(60);

/// How many guests this host runs at once: three on two processors, because a guest that runs alone waits for more than half of its
/// time. Measured on two processors that were busy with other things: three guests took 345 s and 392 s of processor time, four 335 s
/// and 464 s.
pub(super) fn at_once() -> usize {
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    processors + processors / 2
}

/// The scenarios in the order in which guests take them: the longest first, so that the guests end together.
pub(super) fn longest_first(scenarios: &[Scenario]) -> Vec<&Scenario> {
    let mut order: Vec<&Scenario> = scenarios.iter().collect();
    order.sort_by_key(|scenario| std::cmp::Reverse(estimate(scenario)));
    order
}

/// How many guests to boot for these scenarios, at most so many.
pub(super) fn guests(scenarios: &[Scenario], at_most: usize) -> usize {
    let work: Duration = scenarios.iter().map(estimate).sum();
    let worth = work.as_secs() / WORTH_A_GUEST.as_secs();
    usize::try_from(worth).unwrap_or(at_most).clamp(1, at_most.max(1))
}

/// An estimate of the time that a scenario takes in a guest that has the host for itself, under software emulation: rounded from a
/// whole run. The order of the scenarios and the number of guests depend on it, and no result does: a wrong estimate costs time and
/// nothing else.
fn estimate(scenario: &Scenario) -> Duration {
    let work = match (scenario.task, scenario.files) {
        (Task::Bind, _) => 1,
        (Task::Ask, _) => 14,
        (Task::Flash(_), _) => 10,
        (Task::Killed, _) => 25,
        (Task::Reset(_), _) => 13,
        (Task::Update(Program::Reference), _) => 20,
        (Task::Update(Program::Ours), Files::Sent(_)) => 12,
        (Task::Update(Program::Ours), Files::Stored(_)) => 6,
        (Task::Verbs, _) => 40,
        (Task::ToAndFro(rounds), _) => 10 * u64::from(rounds),
        (Task::Rivals, _) => 42,
        (Task::Stopped, _) => 15,
        (Task::Advised(_), _) => 27,
    };
    let company = scenario.company;
    // ModemManager probes each modem, and again after each restart.
    let probing = match (company.modem_manager, scenario.task) {
        (false, _) => 0,
        (true, Task::Verbs) => 200,
        (true, _) if company.second_modem => 35,
        (true, _) => 27,
    };
    Duration::from_secs(work + probing)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::{When, all};

    fn always() -> Vec<Scenario> {
        let all = all().into_iter();
        all.filter(|scenario| scenario.when == When::Always).collect()
    }

    #[test]
    fn every_scenario_has_its_turn_and_the_long_ones_come_first() {
        let scenarios = always();
        let order = longest_first(&scenarios);
        assert_eq!(order.len(), scenarios.len());
        assert!(order.is_sorted_by_key(|scenario| std::cmp::Reverse(estimate(scenario))));
        let last = order.last().unwrap();
        assert_eq!(last.task, Task::Bind);
    }

    #[test]
    fn few_scenarios_take_one_guest() {
        let scenarios = always();
        assert_eq!(guests(&scenarios[..3], 4), 1);
        assert_eq!(guests(&scenarios, 4), 4);
        assert_eq!(guests(&scenarios, 0), 1);
        assert_eq!(guests(&[], 4), 1);
    }
}
