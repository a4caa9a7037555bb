//! Plain lines, for pipes and logs.

use std::io::{self, Write};

use update_engine::{Event, EventKind};

use super::Screen;
use super::narrator::Narrator;
use crate::words;

/// Prints plain lines on standard error.
#[derive(Debug)]
pub(crate) struct Lines {
    narrator: Narrator,
    /// The image that progress was printed for last, and how many tenths of it.
    shown: (usize, u64),
}

impl Lines {
    /// Lines with this much detail.
    pub(crate) fn new(verbose: u8) -> Self {
        Self {
            narrator: Narrator::new(verbose),
            shown: (0, 0),
        }
    }
}

impl Screen for Lines {
    fn show(&mut self, event: &Event) {
        let mut lines = self.narrator.tell(event);
        if let EventKind::Advanced {
            image,
            acknowledged_bytes,
            total_bytes,
            ..
        } = event.kind
        {
            let tenths = acknowledged_bytes
                .saturating_mul(10)
                .checked_div(total_bytes)
                .unwrap_or(10);
            if self.shown.0 != image || tenths < self.shown.1 {
                self.shown = (image, 0);
            }
            if tenths > self.shown.1 {
                self.shown.1 = tenths;
                lines.push(format!(
                    "  {:3} %  {} of {}",
                    tenths * 10,
                    words::bytes(acknowledged_bytes),
                    words::bytes(total_bytes)
                ));
            }
        }
        // Nobody may be reading any more: no reason to stop a flash.
        let mut out = io::stderr().lock();
        for line in lines {
            let _ = writeln!(out, "{line}");
        }
    }

    fn rest(&mut self) {}
}
