//! Whole updates in the kernel lab, ours beside qmi-firmware-update: docs/performance.md.

use super::table::{Budget, Row, Unit};
use anyhow::{Result, bail};
use kernel_lab::{Measuring, measure_updates};
use serde_json::Value;

/// What came of it.
#[derive(Debug)]
pub(super) struct Updates {
    /// What happened, in Markdown.
    pub(super) tables: String,
    /// The same, one object per update.
    pub(super) measured: Vec<Value>,
    /// The budgets.
    pub(super) rows: Vec<Row>,
    /// Whether an update did not end as it should.
    pub(super) has_failure: bool,
}

/// design.md §4 allows 5 %; an update shouldn't be felt beside the modem's own time.
const OVERHEAD_PERCENT: f64 = 3.0;
/// design.md §4.
const OF_REFERENCE_PERCENT: f64 = 50.0;
const MEMORY_MIB: f64 = 8.0;
const MEMORY_OF_FURTHER_MIB: f64 = 1.5;
const OF_ONE_PERCENT: f64 = 115.0;
const REACTION_MS: f64 = 20.0;

const OURS: &str = "modemflash";
const REFERENCE: &str = "qmi-firmware-update";

/// Measures them.
pub(super) fn run(measuring: Measuring<'_>) -> Result<Updates> {
    let measured = match measure_updates(measuring)? {
        Ok(measured) => measured,
        Err(reason) => bail!("the kernel lab can't run here: {reason}"),
    };
    let all = summaries(&measured);
    Ok(Updates {
        tables: format!("{}\n{}", overview(&all), steps(&all)),
        rows: rows(&all),
        has_failure: measured.iter().any(|row| row["failure"].is_string()),
        measured,
    })
}

/// All runs of one program in one case.
#[derive(Clone, Debug)]
struct Summary {
    name: String,
    what: String,
    program: String,
    modems: u64,
    is_real: bool,
    is_large: bool,
    outcome: Result<Numbers, String>,
}

/// Numbers of the quickest run; of memory the most of all runs.
#[derive(Clone, Debug, Default, PartialEq)]
struct Numbers {
    wall: f64,
    floor: f64,
    processor: f64,
    peak_mib: f64,
    /// Seconds of the modem, step by step.
    own: Vec<f64>,
    /// Seconds of the update, step by step.
    steps: Vec<f64>,
    reaction: Option<f64>,
    processes: u64,
}

impl Numbers {
    fn of(row: &Value) -> Self {
        let number = |name: &str| row[name].as_f64().unwrap_or_default();
        let list = |name: &str| {
            let list = row[name].as_array().map(Vec::as_slice).unwrap_or_default();
            list.iter().filter_map(Value::as_f64).collect()
        };
        Self {
            wall: number("wall"),
            floor: number("floor"),
            processor: number("processor"),
            peak_mib: number("peak") / 1024.0,
            own: list("own"),
            steps: list("steps"),
            reaction: row["reaction"].as_f64(),
            processes: row["processes"].as_u64().unwrap_or(1),
        }
    }

    /// What it took beyond the modem's own time, in percent of that.
    fn overhead(&self) -> f64 {
        (self.wall / self.floor - 1.0) * 100.0
    }
}

/// Joins the runs of each program in each case, in the order in which they came.
fn summaries(measured: &[Value]) -> Vec<Summary> {
    let mut all: Vec<Summary> = Vec::new();
    for row in measured {
        let word = |name: &str| row[name].as_str().unwrap_or_default().to_owned();
        let (name, program) = (word("name"), word("program"));
        let outcome = match row["failure"].as_str() {
            // A table has no room for several lines, and a bar ends a cell.
            Some(failure) => Err(failure.replace(['\n', '\r', '|', '\x1b'], " ")),
            None => Ok(Numbers::of(row)),
        };
        let before = all
            .iter_mut()
            .find(|summary| summary.name == name && summary.program == program);
        match before {
            Some(before) => before.outcome = joined(before.outcome.clone(), outcome),
            None => all.push(Summary {
                what: word("what"),
                modems: row["modems"].as_u64().unwrap_or(1),
                is_real: row["real"] == true,
                is_large: row["large"] == true,
                name,
                program,
                outcome,
            }),
        }
    }
    all
}

/// One failure is enough to have no numbers.
fn joined(first: Result<Numbers, String>, second: Result<Numbers, String>) -> Result<Numbers, String> {
    let (first, second) = (first?, second?);
    let peak_mib = first.peak_mib.max(second.peak_mib);
    let quickest = if second.wall < first.wall { second } else { first };
    Ok(Numbers { peak_mib, ..quickest })
}

/// Time, processor and memory.
fn overview(all: &[Summary]) -> String {
    let mut text = String::from(
        "| update | program | wall | modem's own time | beyond it | of the reference | processor | peak memory |\n\
         |---|---|---|---|---|---|---|---|\n",
    );
    for summary in all {
        let numbers = match &summary.outcome {
            Err(failure) => format!("failed: {failure} | | | | |"),
            Ok(numbers) => format!(
                "{:.1} s | {:.1} s | {:.1} s ({:.0} %) | {} | {:.2} s | {:.1} MiB{} |",
                numbers.wall,
                numbers.floor,
                numbers.wall - numbers.floor,
                numbers.overhead(),
                reference(all, summary)
                    .map(|reference| format!("{:.2}", numbers.wall / reference.wall))
                    .unwrap_or_default(),
                numbers.processor,
                numbers.peak_mib,
                match numbers.processes {
                    1 => String::new(),
                    more => format!(" ({more} processes)"),
                }
            ),
        };
        text += &format!("| {} | {} | {numbers}\n", summary.what, summary.program);
    }
    text
}

/// Where the time goes.
fn steps(all: &[Summary]) -> String {
    let mut text = String::from(
        "| update | | asked and told | off the bus | port opened | download | off the bus | proven |\n\
         |---|---|---|---|---|---|---|---|\n",
    );
    let line = |what: &str, who: &str, steps: &[f64]| {
        let cells: Vec<String> = steps.iter().map(|step| format!("{step:.2} s")).collect();
        format!("| {what} | {who} | {} |\n", cells.join(" | "))
    };
    for summary in all {
        let Ok(numbers) = &summary.outcome else { continue };
        if numbers.steps.is_empty() {
            continue;
        }
        if summary.program == OURS {
            text += &line(&summary.what, "the modem by itself", &numbers.own);
        }
        text += &line(&summary.what, &summary.program, &numbers.steps);
    }
    text
}

/// The same update by qmi-firmware-update.
fn reference<'a>(all: &'a [Summary], ours: &Summary) -> Option<&'a Numbers> {
    let reference = all.iter().find(|summary| {
        summary.name == ours.name && summary.program == REFERENCE && ours.program != REFERENCE
    });
    reference?.outcome.as_ref().ok()
}

/// What there are budgets for.
fn rows(all: &[Summary]) -> Vec<Row> {
    let mut rows = Vec::new();
    for summary in all.iter().filter(|summary| summary.program == OURS) {
        let Ok(numbers) = &summary.outcome else { continue };
        let reference = reference(all, summary);
        let what = |about: &str| format!("{about}: {}", summary.what);
        if summary.is_real {
            rows.push(Row {
                name: "update.overhead",
                what: what("beyond the modem's own time"),
                measured: numbers.overhead(),
                beside: format!("{:.1} s, and {:.1} s of the modem", numbers.wall, numbers.floor),
                budget: Some(Budget::AtMost(OVERHEAD_PERCENT)),
                unit: Unit::Percent,
            });
        } else if let Some(reference) = reference.filter(|_| !summary.is_large) {
            rows.push(Row {
                name: "update.ratio",
                what: what("time, of the reference's"),
                measured: numbers.wall / reference.wall * 100.0,
                beside: format!("{:.1} s, reference {:.1} s", numbers.wall, reference.wall),
                budget: Some(Budget::AtMost(OF_REFERENCE_PERCENT)),
                unit: Unit::Percent,
            });
        }
        if let Some(reference) = reference.filter(|_| summary.is_large) {
            rows.push(Row {
                name: "update.processor",
                what: what("processor time"),
                measured: numbers.processor * 1e3,
                beside: "the reference's is the budget".into(),
                budget: Some(Budget::AtMost(reference.processor * 1e3)),
                unit: Unit::Milliseconds,
            });
        }
        let processes = numbers.processes as f64;
        let further = summary.modems as f64 - processes;
        rows.push(Row {
            name: "update.memory",
            what: what("peak memory"),
            measured: numbers.peak_mib,
            beside: match numbers.processes {
                1 => String::new(),
                more => format!("{more} processes"),
            },
            budget: Some(Budget::AtMost(
                processes * MEMORY_MIB + further * MEMORY_OF_FURTHER_MIB,
            )),
            unit: Unit::MebiBytes,
        });
        rows.extend(at_once(all, summary, numbers));
        if let Some(reaction) = numbers.reaction {
            rows.push(Row {
                name: "update.reaction",
                what: what("from uevent to open port"),
                measured: reaction * 1e3,
                beside: "every instruction emulated".into(),
                budget: Some(Budget::AtMost(REACTION_MS)),
                unit: Unit::Milliseconds,
            });
        }
    }
    rows
}

/// Several modems beside one of the same kind.
fn at_once(all: &[Summary], summary: &Summary, numbers: &Numbers) -> Option<Row> {
    if summary.modems == 1 {
        return None;
    }
    let alone = summary.name.strip_suffix(&format!("-{}", summary.modems))?;
    let alone = all
        .iter()
        .find(|other| other.program == OURS && other.modems == 1 && other.name == format!("{alone}-1"))?;
    let alone = alone.outcome.as_ref().ok()?;
    Some(Row {
        name: "update.at-once",
        what: format!("time, of one modem's: {}", summary.what),
        measured: numbers.wall / alone.wall * 100.0,
        beside: format!("{:.1} s, one {:.1} s", numbers.wall, alone.wall),
        budget: (summary.modems == 8).then_some(Budget::AtMost(OF_ONE_PERCENT)),
        unit: Unit::Percent,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::table::Verdict;
    use serde_json::json;

    const QUICK: &str = "mc7455-qmi-3mb-quick-1";

    fn row(name: &str, program: &str, wall: f64, peak: u32) -> Value {
        let modems = if name.ends_with("-8") { 8 } else { 1 };
        json!({
            "modems": modems, "name": name, "what": "A", "program": program, "wall": wall, "floor": 7.0, "processor": 0.5, "peak": peak,
            "own": [0.3, 3.0], "steps": [0.5, 3.1], "reaction": 0.03, "processes": 1,
        })
    }

    #[test]
    fn the_quickest_run_counts_and_the_most_memory() {
        let all = summaries(&[
            row(QUICK, OURS, 9.0, 4096),
            row(QUICK, REFERENCE, 20.0, 8192),
            row(QUICK, OURS, 8.0, 2048),
        ]);
        let text = overview(&all);
        assert!(
            text.contains("| A | modemflash | 8.0 s | 7.0 s | 1.0 s (14 %) | 0.40 | 0.50 s | 4.0 MiB |\n"),
            "{text}"
        );
        let rows = rows(&all);
        let verdicts: Vec<_> = rows.iter().map(|row| (row.name, row.verdict())).collect();
        assert_eq!(
            verdicts,
            [
                ("update.ratio", Verdict::Met),
                ("update.memory", Verdict::Met),
                ("update.reaction", Verdict::Missed)
            ]
        );
    }

    #[test]
    fn one_failure_is_enough_to_have_no_numbers() {
        let failure = json!({ "name": QUICK, "what": "A", "program": OURS, "failure": "no | such\nluck" });
        for order in [
            [row(QUICK, OURS, 9.0, 4096), failure.clone()],
            [failure, row(QUICK, OURS, 9.0, 4096)],
        ] {
            let all = summaries(&order);
            let text = overview(&all);
            assert!(
                text.contains("| A | modemflash | failed: no   such luck | | | | |\n"),
                "{text}"
            );
            assert!(rows(&all).is_empty());
        }
    }

    #[test]
    fn eight_modems_stand_beside_one() {
        let all = summaries(&[
            row("em7565-qmi-3mb-slow-link-1", OURS, 10.0, 1),
            row("em7565-qmi-3mb-slow-link-8", OURS, 12.0, 1),
        ]);
        let rows = rows(&all);
        let row = rows.iter().find(|row| row.name == "update.at-once").unwrap();
        assert!((row.measured - 120.0).abs() < 0.001);
        assert_eq!(row.verdict(), Verdict::Missed);
    }
}
