//! The silence of a modem that is at work, as bars show it.

use std::fmt::Write;

use indicatif::{ProgressState, ProgressStyle};
use update_engine::{EventKind, Step};

use crate::text::amounts;

/// Whether the engine has announced a silence that isn't over yet.
#[derive(Debug, Default)]
pub(super) struct Silence {
    is_on: bool,
}

/// What an event means for the message behind a bar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SilenceTurn {
    /// A silence begins: show how long it lasts.
    Begins,
    /// What the message says is over.
    Ends,
    /// The message stays.
    Stays,
}

impl Silence {
    /// Takes an event and tells what it means for the message.
    pub(super) fn hear(&mut self, kind: &EventKind) -> SilenceTurn {
        match kind {
            EventKind::SilenceExpected { .. } => {
                self.is_on = true;
                SilenceTurn::Begins
            }
            // These two events don't end the silence: the engine announces it before the step in which the modem is silent, and the
            // last acknowledgement of an image comes with the modem's verdict.
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

/// The style for a template, in which `{since}` is the time since the clock of the bar was started.
pub(super) fn style(template: &str) -> Option<ProgressStyle> {
    // A template that doesn't parse would be a mistake in this program. The bar then keeps its style.
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

/// How long a silence may normally last, in words.
pub(super) fn limit(up_to_s: f64) -> String {
    format!("up to {} is normal", amounts::seconds(up_to_s))
}
