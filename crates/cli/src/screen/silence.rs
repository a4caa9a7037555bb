//! The time in which a modem is at work and says nothing, on a terminal.

use std::fmt::Write;

use indicatif::{ProgressState, ProgressStyle};
use update_engine::{EventKind, Step};

use crate::text::amounts;

/// A silence that was announced, until it is over.
#[derive(Debug, Default)]
pub(super) struct Silence {
    is_on: bool,
}

/// What an event means for what a line says of the modem's work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SilenceTurn {
    /// A silence begins: the clock starts.
    Begins,
    /// What the line says is over.
    Ends,
    /// It stays as it is.
    Stays,
}

impl Silence {
    /// What this event means.
    pub(super) fn hear(&mut self, kind: &EventKind) -> SilenceTurn {
        match kind {
            EventKind::SilenceExpected { .. } => {
                self.is_on = true;
                SilenceTurn::Begins
            }
            // The silence is announced before the step that it fills, and the image's last acknowledgement comes with the
            // modem's verdict.
            EventKind::StepFinished {
                step: Step::Write { .. },
                ..
            } if self.is_on => SilenceTurn::Stays,
            EventKind::Advanced {
                acknowledged_bytes,
                total_bytes,
                ..
            } if self.is_on && acknowledged_bytes >= total_bytes => SilenceTurn::Stays,
            EventKind::Advanced { .. }
            | EventKind::ImageAccepted { .. }
            | EventKind::Appeared { .. }
            | EventKind::StepFinished { .. } => {
                self.is_on = false;
                SilenceTurn::Ends
            }
            _ => SilenceTurn::Stays,
        }
    }
}

/// A style whose `{since}` is the time since the bar's clock was started.
pub(super) fn style(template: &str) -> Option<ProgressStyle> {
    // A template that doesn't parse would be a mistake in its line; the style before it then stays.
    let style = ProgressStyle::with_template(template).ok()?;
    let since = |state: &ProgressState, text: &mut dyn Write| {
        let _ = text.write_str(&amounts::span(state.elapsed()));
    };
    Some(
        style
            .with_key("since", since)
            .progress_chars("=> ")
            .tick_chars("|/-\\ "),
    )
}

/// Up to what time a silence is normal.
pub(super) fn limit(up_to_s: f64) -> String {
    format!("up to {} is normal", amounts::seconds(up_to_s))
}
