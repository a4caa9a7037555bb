//! A progress bar with the steps above it, for a terminal.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use update_engine::{Event, EventKind};

use super::narrator::Narrator;
use super::{Pace, Screen};
use crate::words;

/// The line while bytes go out.
const SENDING: &str = "{spinner} [{bar:20}] {percent:>3} %  {wide_msg}";
/// The line while the modem is silent, with how long it has been.
const SILENT: &str = "{spinner} [{bar:20}] {percent:>3} %  {elapsed} {wide_msg}";

/// How often the spinner turns.
const TICK: Duration = Duration::from_millis(125);

/// Draws on standard error.
pub(crate) struct Bar {
    narrator: Narrator,
    bar: ProgressBar,
    pace: Pace,
    /// Bytes of images that are done, and of all of them.
    done: u64,
    total: u64,
    /// The image under way: its number, its size, when its first bytes went, and how many of them.
    image: usize,
    size: u64,
    started: Option<(f64, u64)>,
}

impl Bar {
    /// A bar with this much detail above it.
    pub(crate) fn new(verbose: u8, pace: Pace) -> Self {
        Self {
            narrator: Narrator::new(verbose),
            bar: ProgressBar::hidden(),
            pace,
            done: 0,
            total: 0,
            image: 0,
            size: 0,
            started: None,
        }
    }

    fn start(&mut self, total: u64) {
        self.total = total;
        self.bar = ProgressBar::with_draw_target(Some(total), ProgressDrawTarget::stderr());
        self.style(SENDING);
        self.bar.enable_steady_tick(TICK);
    }

    fn style(&self, template: &str) {
        // A template that doesn't parse would be a mistake in its line; the style before it then stays.
        if let Ok(style) = ProgressStyle::with_template(template) {
            self.bar
                .set_style(style.progress_chars("=> ").tick_chars("|/-\\ "));
        }
    }

    fn advance(&mut self, t: f64, image: usize, acknowledged: u64, size: u64) {
        if image != self.image {
            self.image = image;
            self.started = None;
        }
        self.size = size;
        let (since, first) = *self.started.get_or_insert((t, acknowledged));
        self.bar.set_position(self.done.saturating_add(acknowledged));
        // For the eye only.
        #[allow(clippy::cast_precision_loss)]
        let rate = acknowledged.saturating_sub(first) as f64 / (t - since).max(f64::EPSILON);
        let mut message = format!("{} of {}", words::bytes(acknowledged), words::bytes(size));
        if t - since > 0.5 && rate > 0.0 {
            #[allow(
                clippy::cast_precision_loss,
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss
            )]
            let (left, per_second) = (size.saturating_sub(acknowledged) as f64 / rate, rate as u64);
            message.push_str(&format!(
                ", {}/s, {} left",
                words::bytes(per_second),
                words::seconds(left)
            ));
        }
        self.bar.set_message(message);
    }
}

impl Screen for Bar {
    fn show(&mut self, event: &Event) {
        for line in self.narrator.tell(event) {
            let folded = words::folded(&line, true);
            let line = folded.trim_end_matches('\n');
            if self.bar.is_hidden() {
                use std::io::Write;
                let _ = writeln!(std::io::stderr(), "{line}");
            } else {
                self.bar.println(line);
            }
        }
        match &event.kind {
            EventKind::Planned { plan } => self.start(plan.total_bytes),
            EventKind::Advanced {
                image,
                acknowledged_bytes,
                total_bytes,
                ..
            } => {
                self.style(SENDING);
                self.advance(event.t, *image, *acknowledged_bytes, *total_bytes);
            }
            EventKind::SilenceExpected { .. } => {
                if self.pace == Pace::Real {
                    self.bar.reset_elapsed();
                    self.style(SILENT);
                    self.bar.set_message("the modem is at work");
                } else {
                    self.bar.set_message("the modem is at work (sped up)");
                }
            }
            EventKind::ImageAccepted { .. } => {
                self.done = self.done.saturating_add(self.size);
                self.bar.set_position(self.done);
                self.style(SENDING);
                self.bar.set_message("");
            }
            EventKind::Outcome { .. } | EventKind::Failed { .. } => self.rest(),
            _ => {}
        }
    }

    fn rest(&mut self) {
        self.bar.finish_and_clear();
        self.bar = ProgressBar::hidden();
    }
}
