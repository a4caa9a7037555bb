//! Rows in columns.

/// Spaces between two columns.
const GAP: usize = 2;

/// Rows in columns. Each column is as wide as its widest cell.
#[derive(Debug, Default)]
pub(crate) struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table with this head.
    pub(crate) fn with_head(head: &[&str]) -> Self {
        Self {
            rows: vec![head.iter().map(|word| (*word).to_owned()).collect()],
        }
    }

    /// Adds a row.
    pub(crate) fn push(&mut self, row: Vec<String>) {
        self.rows.push(row);
    }

    /// How many columns of a terminal the table takes.
    pub(crate) fn width(&self) -> usize {
        let widths = self.widths();
        let gaps = widths.len().saturating_sub(1).saturating_mul(GAP);
        widths.iter().sum::<usize>().saturating_add(gaps)
    }

    /// The lines of the table, beginning with the head, without spaces at their ends.
    pub(crate) fn lines(&self) -> Vec<String> {
        let widths = self.widths();
        self.rows
            .iter()
            .map(|row| {
                let mut line = String::new();
                for (cell, width) in row.iter().zip(&widths) {
                    line.push_str(cell);
                    let missing = width.saturating_sub(cell.chars().count());
                    line.push_str(&" ".repeat(missing.saturating_add(GAP)));
                }
                line.trim_end().to_owned()
            })
            .collect()
    }

    fn widths(&self) -> Vec<usize> {
        let mut widths: Vec<usize> = Vec::new();
        for row in &self.rows {
            widths.resize(widths.len().max(row.len()), 0);
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = (*width).max(cell.chars().count());
            }
        }
        widths
    }
}

/// The word, or a hyphen if there is none.
pub(crate) fn or_hyphen(word: Option<&str>) -> String {
    word.unwrap_or("-").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let mut table = Table::with_head(&["A", "LONG"]);
        table.push(vec!["wide…".into(), "b".into()]);
        assert_eq!(table.lines(), ["A      LONG", "wide…  b"]);
        assert_eq!(table.width(), 11);
    }
}
