//! The error a user sees: which modem, what was being done, what is true of the modem now, what to do next.
//!
//! [`UpdateError`] is the error, [`Cause`] the chain below it (in a module of its own); the stable codes and their meaning stand in
//! [`crate::told::codes`].

use serde::Serialize;

use super::advice::Advice;
use super::card::{Card, Subject};
use super::cause::Cause;
use super::codes::Code;
use super::exit;
use super::exit::Standing;
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
    /// What is true of the modem now.
    pub modem: ModemState,
    /// Whether the run has at most asked the modem something.
    pub is_as_found: bool,
    /// What the modem says of its radio, where its firmware runs.
    pub radio: Option<Radio>,
    /// What to do now.
    pub next: Advice,
    /// What happened.
    #[source]
    pub source: Box<Cause>,
}

impl UpdateError {
    /// An error; the advice is the one that belongs to cause and state.
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

    /// The stable code, `E-QDL-SILENT`.
    pub fn code(&self) -> Code {
        self.source.code()
    }

    /// What happened, without the device; with the step where that says something.
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

    /// What is true of the modem, as far as the exit code goes.
    pub fn standing(&self) -> Standing {
        Standing::of(self.modem, self.is_as_found)
    }

    /// What is true of the modem now, in words: of one that runs and has failed to become what was wanted, or keeps its
    /// radio off, with its radio.
    pub fn modem_words(&self) -> String {
        match (&self.radio, self.modem) {
            (Some(radio), ModemState::RunsOther) | (Some(radio @ Radio::Off { .. }), _) => {
                format!("{}; {radio}", self.modem)
            }
            _ => self.modem.to_string(),
        }
    }

    /// What to do now, in words: where the modem itself named a failure that is known, what is known to help.
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
    /// Why.
    pub cause: String,
    /// What was being done.
    pub step: Step,
    /// What is true of the modem now.
    pub modem: ModemState,
    /// Whether the run has at most asked the modem something: it is as it was found.
    pub as_found: bool,
    /// What the modem says of its radio, where its firmware runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub radio: Option<Radio>,
    /// State and radio in words.
    pub modem_words: String,
    /// What to do next, for programs.
    pub next: Advice,
    /// The same in words.
    pub hint: String,
}
