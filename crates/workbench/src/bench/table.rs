//! The rows of the outcome, for people and for programs.

/// Something that was measured.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    /// A short name that stays: `inspect`, `link.qdl`.
    pub(crate) name: &'static str,
    /// What was done, in words.
    pub(crate) what: String,
    /// What came out.
    pub(crate) measured: f64,
    /// The rival in the same run, or what the budget is made from; for people.
    pub(crate) beside: String,
    /// The limit; none: for information.
    pub(crate) budget: Option<Budget>,
    /// What the numbers are.
    pub(crate) unit: Unit,
}

/// A limit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Budget {
    AtMost(f64),
    AtLeast(f64),
}

/// What a number is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unit {
    Milliseconds,
    Percent,
    MebiBytes,
}

/// How a number stands to its budget.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Met,
    Missed,
    ForInformation,
}

impl Unit {
    fn show(self, number: f64) -> String {
        match self {
            Self::Milliseconds => format!("{number:.1} ms"),
            Self::Percent => format!("{number:.1} %"),
            Self::MebiBytes => format!("{number:.2} MiB"),
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Milliseconds => "ms",
            Self::Percent => "percent",
            Self::MebiBytes => "MiB",
        }
    }
}

impl Row {
    /// How it stands to its budget.
    pub(crate) fn verdict(&self) -> Verdict {
        let is_met = match self.budget {
            None => return Verdict::ForInformation,
            Some(Budget::AtMost(limit)) => self.measured <= limit,
            Some(Budget::AtLeast(limit)) => self.measured >= limit,
        };
        if is_met { Verdict::Met } else { Verdict::Missed }
    }

    fn cells(&self) -> [String; 5] {
        let budget = match self.budget {
            None => String::new(),
            Some(Budget::AtMost(limit)) => format!("≤ {}", self.unit.show(limit)),
            Some(Budget::AtLeast(limit)) => format!("≥ {}", self.unit.show(limit)),
        };
        let verdict = match self.verdict() {
            Verdict::Met => "met",
            Verdict::Missed => "MISSED",
            Verdict::ForInformation => "",
        };
        [
            self.what.clone(),
            self.unit.show(self.measured),
            budget,
            verdict.into(),
            self.beside.clone(),
        ]
    }

    /// One object.
    pub(crate) fn json(&self) -> serde_json::Value {
        let (at_most, at_least) = match self.budget {
            None => (None, None),
            Some(Budget::AtMost(limit)) => (Some(limit), None),
            Some(Budget::AtLeast(limit)) => (None, Some(limit)),
        };
        serde_json::json!({
            "name": self.name,
            "what": self.what,
            "measured": self.measured,
            "unit": self.unit.name(),
            "at_most": at_most,
            "at_least": at_least,
            "met": match self.verdict() {
                Verdict::Met => Some(true),
                Verdict::Missed => Some(false),
                Verdict::ForInformation => None,
            },
            "beside": self.beside,
        })
    }
}

/// A table in Markdown, its columns aligned.
pub(crate) fn table(rows: &[Row]) -> String {
    let head = ["what", "measured", "budget", "verdict", "beside it"].map(str::to_owned);
    let mut lines = vec![head];
    lines.extend(rows.iter().map(Row::cells));
    let mut widths = [0_usize; 5];
    for line in &lines {
        for (width, cell) in widths.iter_mut().zip(line) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let mut text = String::new();
    for (place, line) in lines.iter().enumerate() {
        put(&mut text, line, widths);
        if place == 0 {
            put(&mut text, &widths.map(|width| "-".repeat(width)), widths);
        }
    }
    text
}

fn put(text: &mut String, cells: &[String; 5], widths: [usize; 5]) {
    for (cell, width) in cells.iter().zip(widths) {
        text.push_str(&format!("| {cell:width$} "));
    }
    text.push_str("|\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(measured: f64, budget: Option<Budget>) -> Row {
        Row {
            name: "link.qdl",
            what: "sending".into(),
            measured,
            beside: String::new(),
            budget,
            unit: Unit::Percent,
        }
    }

    #[test]
    fn a_number_on_the_limit_meets_it() {
        let verdict = |measured, budget| row(measured, budget).verdict();
        assert_eq!(verdict(95.0, Some(Budget::AtLeast(95.0))), Verdict::Met);
        assert_eq!(verdict(94.9, Some(Budget::AtLeast(95.0))), Verdict::Missed);
        assert_eq!(verdict(8.0, Some(Budget::AtMost(8.0))), Verdict::Met);
        assert_eq!(verdict(8.1, Some(Budget::AtMost(8.0))), Verdict::Missed);
        assert_eq!(verdict(1e9, None), Verdict::ForInformation);
    }

    #[test]
    fn the_table_is_markdown_with_aligned_columns() {
        let text = table(&[row(96.54, Some(Budget::AtLeast(95.0))), row(7.0, None)]);
        let expected = "\
| what    | measured | budget   | verdict | beside it |
| ------- | -------- | -------- | ------- | --------- |
| sending | 96.5 %   | ≥ 95.0 % | met     |           |
| sending | 7.0 %    |          |         |           |
";
        assert_eq!(text, expected);
    }

    #[test]
    fn json_has_the_limit_and_the_verdict() {
        let json = row(90.0, Some(Budget::AtLeast(95.0))).json();
        assert_eq!(json["met"], false);
        assert_eq!(json["at_least"], 95.0);
        assert_eq!(json["at_most"], serde_json::Value::Null);
    }
}
