//! Several runs on a terminal: a progress bar for each modem.

use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget};
use update_engine::{Event, EventKind};

use super::bar::{LENGTH, SendRate, position};
use super::interface::{Pace, Screens};
use super::narrator::Narrator;
use super::silence::{self, Silence, SilenceTurn, limit};
use crate::text::terminal;

/// The line of one modem.
const LINE: &str = "{spinner} {prefix} [{bar:12}] {percent:>3} %  {wide_msg}";
/// The line while the modem is silent, with the time since the silence began.
const SILENT: &str = "{spinner} {prefix} [{bar:12}] {percent:>3} %  {since} of silence, {wide_msg}";
/// The line when the modem's run is over.
const OVER: &str = "  {prefix} [{bar:12}] {percent:>3} %  {wide_msg}";

/// How often the spinners turn.
const TICK: Duration = Duration::from_millis(125);

/// Shows several runs on standard error.
pub(crate) struct BarScreens {
    all: MultiProgress,
    each: Vec<ModemBar>,
    pace: Pace,
}

/// What is shown of one modem.
struct ModemBar {
    place: String,
    narrator: Narrator,
    bar: ProgressBar,
    rate: SendRate,
    silence: Silence,
}

impl BarScreens {
    /// A line for each of these places.
    pub(crate) fn new(verbose: u8, pace: Pace, places: &[String]) -> Self {
        let all = MultiProgress::with_draw_target(ProgressDrawTarget::stderr());
        let width = places
            .iter()
            .map(|place| place.chars().count())
            .max()
            .unwrap_or(0);
        let each = places
            .iter()
            .map(|place| {
                let bar = all.add(ProgressBar::new(LENGTH));
                style(&bar, LINE);
                bar.set_prefix(format!("{place:width$}"));
                bar.enable_steady_tick(TICK);
                ModemBar {
                    place: place.clone(),
                    narrator: Narrator::new(verbose),
                    bar,
                    rate: SendRate::default(),
                    silence: Silence::default(),
                }
            })
            .collect();
        Self { all, each, pace }
    }
}

fn style(bar: &ProgressBar, template: &str) {
    if let Some(style) = silence::style(template) {
        bar.set_style(style);
    }
}

impl Screens for BarScreens {
    fn show(&mut self, number: usize, event: &Event) {
        let Some(one) = self.each.get_mut(number) else {
            return;
        };
        // The line of the modem shows the latest step. What the user should read is printed above all lines.
        let lines = one.narrator.tell(event);
        if matches!(
            event.kind,
            EventKind::Warning { .. } | EventKind::Retrying { .. } | EventKind::Stopping { .. }
        ) {
            for line in &lines {
                let folded = terminal::folded(&format!("{}: {line}", one.place), true);
                let _ = self.all.println(folded.trim_end_matches('\n'));
            }
        } else if let Some(line) = lines.iter().rfind(|line| !line.starts_with(' ')) {
            one.bar.set_message(line.clone());
        }
        if let Some(position) = position(&event.kind) {
            one.bar.set_position(position);
        }
        let turn = one.silence.hear(&event.kind);
        if turn == SilenceTurn::Ends {
            style(&one.bar, LINE);
        }
        match &event.kind {
            EventKind::Advanced {
                image,
                acknowledged_bytes,
                total_bytes,
                ..
            } if turn == SilenceTurn::Ends => {
                let message = one.rate.words(event.t, *image, *acknowledged_bytes, *total_bytes);
                one.bar.set_message(message);
            }
            EventKind::SilenceExpected { up_to_s, why } if self.pace == Pace::Real => {
                one.bar.reset_elapsed();
                style(&one.bar, SILENT);
                one.bar.set_message(format!("{}: {why}", limit(*up_to_s)));
            }
            EventKind::Outcome { .. } => over(&one.bar, "done"),
            EventKind::Failed { .. } => over(&one.bar, "failed"),
            _ => {}
        }
    }

    fn rest(&mut self) {
        let _ = self.all.clear();
        self.each.clear();
    }
}

fn over(bar: &ProgressBar, word: &'static str) {
    style(bar, OVER);
    bar.abandon_with_message(word);
}
