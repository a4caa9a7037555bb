//! Whole updates in the kernel lab, ours beside qmi-firmware-update: docs/performance.md.

use crate::lab;
use anyhow::{Result, bail};
use serde_json::Value;

/// Measures them and prints the table.
pub(crate) fn run(as_json: bool) -> Result<()> {
    let measured = match lab::measure_updates()? {
        Ok(measured) => measured,
        Err(reason) => bail!("the kernel lab can't run here: {reason}"),
    };
    if as_json {
        for row in &measured {
            println!("{row}");
        }
    } else {
        print!("{}", table(&measured));
    }
    Ok(())
}

/// The rows as a table in Markdown.
fn table(measured: &[Value]) -> String {
    let mut text = String::from(
        "| update | program | wall | modem's own time | processor | peak memory |\n|---|---|---|---|---|---|\n",
    );
    for row in measured {
        let number = |name: &str| row[name].as_f64().unwrap_or_default();
        let word = |name: &str| row[name].as_str().unwrap_or_default().to_owned();
        let numbers = match row["failure"].as_str() {
            Some(failure) => format!("failed: {failure} | | |"),
            None => format!(
                "{:.1} s | {:.1} s | {:.2} s | {:.1} MiB |",
                number("wall"),
                number("floor"),
                number("processor"),
                number("peak") / 1024.0
            ),
        };
        text += &format!("| {} | {} | {numbers}\n", word("what"), word("program"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_failure_has_no_numbers() {
        let rows = [
            json!({ "what": "A", "program": "b", "wall": 1.25, "floor": 1.0, "processor": 0.5, "peak": 2048, "failure": null }),
            json!({ "what": "A", "program": "c", "wall": 0.0, "floor": 1.0, "processor": 0.0, "peak": 0, "failure": "no" }),
        ];
        let text = table(&rows);
        assert!(
            text.contains("| A | b | 1.2 s | 1.0 s | 0.50 s | 2.0 MiB |\n"),
            "{text}"
        );
        assert!(text.contains("| A | c | failed: no | | |\n"), "{text}");
    }
}
