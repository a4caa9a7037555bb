//! The error that the user sees: which modem, what was being done, what state the modem is in now, what to do
//! next.
//!
//! [`UpdateError`] is the error and [`Cause`] is what lies behind it. The stable codes and their meanings are in
//! [`crate::told::codes`].

use serde::Serialize;

use super::advice::Advice;
use super::card::{Card, Subject};
use super::cause::Cause;
use super::codes::Code;
use super::exit;
use super::exit::{Class, Standing};
use super::state::ModemState;
use super::step::Step;
use crate::modem::{DeviceId, Radio};

/// A run has failed.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{device}: {}", self.what())]
pub struct UpdateError {
    /// Which modem.
    pub device: DeviceId,
    /// What was being done.
    pub step: Step,
    /// The state of the modem now.
    pub modem: ModemState,
    /// Whether the run has done nothing to the modem but ask it.
    pub is_as_found: bool,
    /// What the modem says about its radio; none unless its firmware runs.
    pub radio: Option<Radio>,
    /// What to do now.
    pub next: Advice,
    /// What happened.
    #[source]
    pub source: Box<Cause>,
}

impl UpdateError {
    /// An error, with the advice that belongs to the cause and the state.
    pub fn new(device: &DeviceId, step: Step, modem: ModemState, cause: Cause) -> Self {
        let next = cause.card(modem).advice;
        Self {
            device: device.clone(),
            step,
            modem,
            is_as_found: modem == ModemState::Untouched,
            radio: modem.runs().then(Radio::default),
            next,
            source: Box::new(cause),
        }
    }

    /// An error of a run that ends before it has sent a byte to the modem.
    pub(crate) fn untouched(device: &DeviceId, step: Step, cause: Cause) -> Self {
        Self::new(device, step, ModemState::Untouched, cause)
    }

    /// The stable code, `E-QDL-SILENT`.
    pub fn code(&self) -> Code {
        self.source.code()
    }

    /// What happened, without the device. The step is named where that adds information.
    pub fn what(&self) -> String {
        let Card {
            headline, subject, ..
        } = self.source.card(self.modem);
        let is_fact = match self.step {
            Step::CheckImages | Step::CheckDevice | Step::OpenPort => true,
            Step::Detect | Step::Connect => subject == Subject::Port,
            _ => subject == Subject::Fact,
        };
        if is_fact {
            headline.to_owned()
        } else {
            format!("{headline} while {}", self.step)
        }
    }

    /// The exit code that belongs to this error (docs/errors.md).
    pub fn exit_code(&self) -> u8 {
        exit::code(self.code().class(), self.standing())
    }

    /// Whether the user stopped the run.
    pub fn is_stopped(&self) -> bool {
        self.code().class() == Class::Stopped
    }

    /// The state of the modem as the exit code sees it.
    pub fn standing(&self) -> Standing {
        Standing::of(self.modem, self.is_as_found)
    }

    /// The state of the modem now, in words. The radio is mentioned if it is off, or if the modem runs but
    /// not what was requested.
    pub fn modem_words(&self) -> String {
        match (&self.radio, self.modem) {
            (Some(radio), ModemState::RunsOther) | (Some(radio @ Radio::Off { .. }), _) => {
                format!("{}; {radio}", self.modem)
            }
            _ => self.modem.to_string(),
        }
    }

    /// What to do now, in words. If the modem itself named a known failure, this is what is known to help
    /// against that failure.
    pub fn hint(&self) -> String {
        match self.source.card(self.modem).hint {
            Some(words) => words.into_owned(),
            None => self.next.to_string(),
        }
    }

    /// The error as plain facts for an event.
    pub fn failure(&self) -> Failure {
        Failure {
            code: self.code().as_str(),
            exit: self.exit_code(),
            error: self.what(),
            cause: self.source.to_string(),
            step: self.step.clone(),
            modem: self.modem,
            as_found: self.standing().is_untouched(),
            radio: self.radio.clone(),
            modem_words: self.modem_words(),
            next: self.next,
            hint: self.hint(),
        }
    }
}

/// An [`UpdateError`] as plain facts, for events and JSON.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Failure {
    /// Stable code.
    pub code: &'static str,
    /// Exit code of the program.
    pub exit: u8,
    /// What happened, without the device.
    pub error: String,
    /// The cause.
    pub cause: String,
    /// What was being done.
    pub step: Step,
    /// The state of the modem now.
    pub modem: ModemState,
    /// Whether the modem is as it was found: the run has done nothing to it but ask.
    pub as_found: bool,
    /// What the modem says about its radio; none unless its firmware runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub radio: Option<Radio>,
    /// The state and the radio in words.
    pub modem_words: String,
    /// What to do next, for programs.
    pub next: Advice,
    /// What to do next, in words.
    pub hint: String,
}
