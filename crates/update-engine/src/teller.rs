//! Tells the run's events and keeps what they have in common: device, step, progress, what is true of the modem.

use std::time::Duration;

use modem_world::Instant;

use crate::event::seconds;
use crate::{Cause, DeviceId, Event, EventKind, ModemState, Step, UpdateError, Warning};

/// Tells events to the caller.
pub(crate) struct Teller<'r> {
    sink: &'r mut dyn FnMut(&Event),
    pub(crate) device: DeviceId,
    step: Step,
    step_since: Instant,
    is_step_open: bool,
    modem: ModemState,
    progress: f64,
    /// The part of the whole run that the present stage is: where it begins, and how long it is.
    stage: (f64, f64),
}

impl<'r> Teller<'r> {
    pub(crate) fn new(sink: &'r mut dyn FnMut(&Event), device: DeviceId, now: Instant) -> Self {
        Self {
            sink,
            device,
            step: Step::CheckDevice,
            step_since: now,
            is_step_open: false,
            modem: ModemState::Untouched,
            progress: 0.0,
            stage: (0.0, 1.0),
        }
    }

    /// What [`advance`](Self::advance) tells from now on is the progress of a stage, from `from` to `to` of the whole run.
    pub(crate) fn set_stage(&mut self, from: f64, to: f64) {
        self.stage = (from, to - from);
    }

    /// Tells an event.
    pub(crate) fn tell(&mut self, now: Instant, kind: EventKind) {
        let event = Event::new(now, &self.device, kind);
        (self.sink)(&event);
    }

    /// Begins a step; the one before it ends.
    pub(crate) fn begin(&mut self, now: Instant, step: Step) {
        self.finish(now);
        tracing::info!(device = %self.device, ?step, "step");
        self.step_since = now;
        self.step = step.clone();
        self.is_step_open = true;
        let progress = self.progress;
        self.tell(now, EventKind::StepStarted { step, progress });
    }

    /// Ends the present step, when one is under way.
    pub(crate) fn finish(&mut self, now: Instant) {
        if std::mem::take(&mut self.is_step_open) {
            let took_s = seconds(now.since(self.step_since));
            let (step, progress) = (self.step.clone(), self.progress);
            self.tell(
                now,
                EventKind::StepFinished {
                    step,
                    took_s,
                    progress,
                },
            );
        }
    }

    /// Notes how far the present stage has come, 0 to 1, and gives how far the whole run has; never backwards.
    pub(crate) fn advance(&mut self, progress: f64) -> f64 {
        let (from, length) = self.stage;
        let whole = from + progress.clamp(0.0, 1.0) * length;
        if whole.is_finite() {
            self.progress = self.progress.max(whole.clamp(0.0, 1.0));
        }
        self.progress
    }

    /// Nothing is left to do.
    pub(crate) fn advance_to_end(&mut self) {
        self.progress = 1.0;
    }

    /// What is true of the modem.
    pub(crate) fn modem(&self) -> ModemState {
        self.modem
    }

    /// Notes what is true of the modem now.
    pub(crate) fn set_modem(&mut self, now: Instant, modem: ModemState) {
        if self.modem != modem {
            self.modem = modem;
            self.tell(now, EventKind::ModemStateChanged { modem });
        }
    }

    /// Says that the modem is going to be silent, and why.
    pub(crate) fn silence(&mut self, now: Instant, up_to: Duration, why: &str) {
        self.tell(
            now,
            EventKind::SilenceExpected {
                up_to_s: seconds(up_to),
                why: why.to_owned(),
            },
        );
    }

    /// Says that something is tried again, and why.
    pub(crate) fn retry(&mut self, now: Instant, what: &str, attempt: u8, why: &str) {
        tracing::warn!(device = %self.device, what, attempt, why, "again");
        self.tell(
            now,
            EventKind::Retrying {
                what: what.to_owned(),
                attempt,
                why: why.to_owned(),
            },
        );
    }

    /// Tells a warning.
    pub(crate) fn warn(&mut self, now: Instant, warning: Warning) {
        tracing::warn!(device = %self.device, "{}", warning.text);
        self.tell(now, EventKind::Warning { warning });
    }

    /// An error in the present step and state; told as the last event.
    pub(crate) fn fail(&mut self, now: Instant, cause: Cause) -> UpdateError {
        let error = UpdateError::new(&self.device, self.step.clone(), self.modem, cause);
        tracing::error!(%error, cause = %error.source, code = %error.code());
        self.tell(
            now,
            EventKind::Failed {
                failure: error.failure(),
            },
        );
        error
    }
}
