//! Runs as plain lines, for pipes and logs.

use std::io::{self, IsTerminal, Write};

use update_engine::{Event, EventKind, Step};

use super::interface::{Screen, Screens};
use super::narrator::Narrator;
use crate::text::amounts;
use crate::text::terminal;

/// Prints plain lines on standard error.
#[derive(Debug)]
pub(crate) struct LineScreen {
    narrator: Narrator,
    /// The beginning of each line.
    prefix: String,
    /// How many tenths of the present image were shown as sent.
    shown: u64,
}

impl LineScreen {
    /// A screen for the only modem, with this much detail.
    pub(crate) fn new(verbose: u8) -> Self {
        Self {
            narrator: Narrator::new(verbose),
            prefix: String::new(),
            shown: 0,
        }
    }

    /// A screen for one of several modems: each line begins with its place.
    pub(crate) fn of(verbose: u8, place: &str) -> Self {
        Self {
            prefix: format!("{place}: "),
            ..Self::new(verbose)
        }
    }
}

impl Screen for LineScreen {
    fn show(&mut self, event: &Event) {
        let mut lines = self.narrator.tell(event);
        if let EventKind::Advanced {
            acknowledged_bytes,
            total_bytes,
            ..
        } = event.kind
        {
            let tenths = acknowledged_bytes
                .saturating_mul(10)
                .checked_div(total_bytes)
                .unwrap_or(10);
            if tenths > self.shown {
                self.shown = tenths;
                let percent = acknowledged_bytes.saturating_mul(100).checked_div(total_bytes);
                lines.push(format!(
                    "  {:3} %  {} of {}",
                    percent.unwrap_or(100),
                    amounts::bytes(acknowledged_bytes),
                    amounts::bytes(total_bytes)
                ));
            }
        }
        match &event.kind {
            EventKind::StepStarted {
                step: Step::Write { .. },
                ..
            } => self.shown = 0,
            // The modem acknowledges the last bytes together with its verdict, and then the line "accepted" is enough.
            EventKind::SilenceExpected { .. } => self.shown = 10,
            _ => {}
        }
        // Ignore errors: if the reader of standard error went away, the update must go on.
        let mut out = io::stderr().lock();
        for line in lines {
            let line = terminal::folded(&format!("{}{line}", self.prefix), out.is_terminal());
            let _ = out.write_all(line.as_bytes());
        }
    }

    fn rest(&mut self) {}
}

impl Screens for Vec<LineScreen> {
    fn show(&mut self, number: usize, event: &Event) {
        if let Some(lines) = self.get_mut(number) {
            lines.show(event);
        }
    }

    fn rest(&mut self) {}
}
