//! One run on a terminal: a progress bar, with the steps above it.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget};
use update_engine::{Event, EventKind};

use super::interface::{Pace, Screen};
use super::narrator::Narrator;
use super::silence::{Silence, SilenceTurn, limit, style};
use crate::text::amounts;
use crate::text::terminal;

/// The bar while bytes are sent.
const SENDING: &str = "{spinner} [{bar:20}] {percent:>3} %  {wide_msg}";
/// The bar while the modem is silent, with the time since the silence began.
const SILENT: &str = "{spinner} [{bar:20}] {percent:>3} %  {since} of silence, {wide_msg}";

/// How often the spinner turns.
const TICK: Duration = Duration::from_millis(125);

/// How many steps a bar has.
pub(super) const LENGTH: u64 = 1000;

/// Shows one run on standard error.
pub(crate) struct BarScreen {
    narrator: Narrator,
    bar: ProgressBar,
    pace: Pace,
    rate: SendRate,
    silence: Silence,
    /// How far the run has come, from 0 to [`LENGTH`].
    position: u64,
}

impl BarScreen {
    /// A screen whose lines above the bar have this much detail.
    pub(crate) fn new(verbose: u8, pace: Pace) -> Self {
        Self {
            narrator: Narrator::new(verbose),
            bar: ProgressBar::hidden(),
            pace,
            rate: SendRate::default(),
            silence: Silence::default(),
            position: 0,
        }
    }

    fn start(&mut self) {
        self.bar = ProgressBar::with_draw_target(Some(LENGTH), ProgressDrawTarget::stderr());
        self.bar.set_position(self.position);
        self.style(SENDING);
        self.bar.enable_steady_tick(TICK);
    }

    fn style(&self, template: &str) {
        if let Some(style) = style(template) {
            self.bar.set_style(style);
        }
    }
}

impl Screen for BarScreen {
    fn show(&mut self, event: &Event) {
        for line in self.narrator.tell(event) {
            let folded = terminal::folded(&line, true);
            let line = folded.trim_end_matches('\n');
            if self.bar.is_hidden() {
                use std::io::Write;
                let _ = writeln!(std::io::stderr(), "{line}");
            } else {
                self.bar.println(line);
            }
        }
        if let Some(position) = position(&event.kind) {
            self.position = position;
            self.bar.set_position(position);
        }
        let turn = self.silence.hear(&event.kind);
        if turn == SilenceTurn::Ends {
            self.style(SENDING);
            self.bar.set_message("");
        }
        match &event.kind {
            EventKind::Planned { .. } => self.start(),
            EventKind::Advanced {
                image,
                acknowledged_bytes,
                total_bytes,
                ..
            } if turn == SilenceTurn::Ends => {
                let message = self
                    .rate
                    .words(event.t, *image, *acknowledged_bytes, *total_bytes);
                self.bar.set_message(message);
            }
            EventKind::SilenceExpected { up_to_s, .. } => {
                if self.pace == Pace::Real {
                    self.bar.reset_elapsed();
                    self.style(SILENT);
                    self.bar.set_message(limit(*up_to_s));
                } else {
                    self.bar.set_message("the modem is at work (sped up)");
                }
            }
            EventKind::Outcome { .. } | EventKind::Failed { .. } => self.rest(),
            _ => {}
        }
    }

    fn rest(&mut self) {
        self.bar.finish_and_clear();
        self.bar = ProgressBar::hidden();
    }

    fn resume(&mut self) {
        self.start();
    }
}

/// How far the whole run has come by this event, from 0 to [`LENGTH`].
pub(super) fn position(kind: &EventKind) -> Option<u64> {
    let (EventKind::Advanced { progress, .. }
    | EventKind::StepStarted { progress, .. }
    | EventKind::StepFinished { progress, .. }) = kind
    else {
        return None;
    };
    // The value is between 0 and 1, and the bar needs no precision.
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss
    )]
    let position = (progress.clamp(0.0, 1.0) * LENGTH as f64) as u64;
    Some(position)
}

/// How fast an image is sent.
#[derive(Debug, Default)]
pub(super) struct SendRate {
    /// The number of the image that is being sent.
    image: usize,
    /// When the first bytes of this image were acknowledged, and how many they were.
    started: Option<(f64, u64)>,
}

impl SendRate {
    /// `3.0 MiB of 60.1 MiB, 2.1 MiB/s, 27 s left`.
    pub(super) fn words(&mut self, t: f64, image: usize, acknowledged: u64, size: u64) -> String {
        if image != self.image {
            self.image = image;
            self.started = None;
        }
        let (since, first) = *self.started.get_or_insert((t, acknowledged));
        // For the eye only.
        #[allow(clippy::cast_precision_loss)]
        let rate = acknowledged.saturating_sub(first) as f64 / (t - since).max(f64::EPSILON);
        let mut message = format!("{} of {}", amounts::bytes(acknowledged), amounts::bytes(size));
        if t - since > 0.5 && rate > 0.0 {
            #[allow(
                clippy::cast_precision_loss,
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss
            )]
            let (left, per_second) = (size.saturating_sub(acknowledged) as f64 / rate, rate as u64);
            message.push_str(&format!(
                ", {}/s, {} left",
                amounts::bytes(per_second),
                amounts::seconds(left)
            ));
        }
        message
    }
}
