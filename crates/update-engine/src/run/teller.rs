//! Tells the run's events and keeps what they have in common: device, step, progress, what is true of the modem.

use std::time::Duration;

use modem_world::Instant;
use serde::{Deserialize, Serialize};

use crate::modem::{DeviceId, Facts, Radio};
use crate::told::{Cause, Event, EventKind, ModemState, Step, UpdateError, Warning, seconds};

/// What a run has done to the modem. Each one includes those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Deed {
    /// The run has at most asked the modem something.
    Asked,
    /// The run may have changed the firmware preference, and nothing else.
    Preference,
    /// The run has restarted the modem, sent it something in download mode, or told it to do something.
    Changed,
    /// The modem has accepted an image, or was started with another preference: it no longer runs what it ran before.
    Written,
}

/// Tells events to the caller.
pub(crate) struct Teller<'r> {
    sink: &'r mut dyn FnMut(&Event),
    device: DeviceId,
    step: Step,
    step_since: Instant,
    is_step_open: bool,
    modem: ModemState,
    deed: Deed,
    radio: Radio,
    progress: f64,
    /// The part of the whole run that the present stage is: where it begins, and how long it is.
    stage: (f64, f64),
}

/// What another run needs to go on telling: what is true of the modem, what was done to it, and how far the whole has come.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct TellerState {
    /// What the modem calls itself.
    pub(super) model: Option<String>,
    modem: ModemState,
    deed: Deed,
    radio: Radio,
    progress: f64,
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
            deed: Deed::Asked,
            radio: Radio::NotTold,
            progress: 0.0,
            stage: (0.0, 1.0),
        }
    }

    /// A teller that goes on where another one has ended.
    pub(super) fn resumed(
        sink: &'r mut dyn FnMut(&Event),
        device: DeviceId,
        now: Instant,
        told: TellerState,
    ) -> Self {
        Self {
            modem: told.modem,
            deed: told.deed,
            radio: told.radio,
            progress: told.progress.clamp(0.0, 1.0),
            ..Self::new(sink, device, now)
        }
    }

    /// What another run needs to go on telling.
    pub(crate) fn to_told(&self) -> TellerState {
        TellerState {
            model: self.device.model().map(str::to_owned),
            modem: self.modem,
            deed: self.deed,
            radio: self.radio.clone(),
            progress: self.progress,
        }
    }

    /// The modem as the events name it.
    pub(crate) const fn device(&self) -> &DeviceId {
        &self.device
    }

    /// The events name it so from now on.
    pub(crate) fn set_device(&mut self, device: DeviceId) {
        self.device = device;
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
            // What the modem said about its radio before it left is no longer true.
            if !modem.runs() {
                self.radio = Radio::NotTold;
            }
            self.modem = modem;
            self.tell(now, EventKind::ModemStateChanged { modem });
        }
    }

    /// What was done to the modem.
    pub(crate) fn deed(&self) -> Deed {
        self.deed
    }

    /// Notes what is done to the modem.
    pub(crate) fn note_deed(&mut self, deed: Deed) {
        self.deed = self.deed.max(deed);
    }

    /// Notes that the old preference is restored. If nothing else was changed, the modem is as it was found.
    pub(crate) fn note_put_back(&mut self) {
        if self.deed == Deed::Preference {
            self.deed = Deed::Asked;
        }
    }

    /// Notes what is true of the radio; gives what was true before.
    pub(crate) fn set_radio(&mut self, radio: Radio) -> Radio {
        std::mem::replace(&mut self.radio, radio)
    }

    /// Tells what the running firmware says of itself.
    pub(crate) fn read(&mut self, now: Instant, facts: &Facts) {
        self.radio = facts.radio();
        let facts = facts.clone();
        self.tell(now, EventKind::ModemRead { facts });
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
        let mut error = UpdateError::new(&self.device, self.step.clone(), self.modem, cause);
        error.is_as_found = self.deed == Deed::Asked;
        error.radio = self.modem.runs().then(|| self.radio.clone());
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
