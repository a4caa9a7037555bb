//! What a user sees when something fails: the modem and the step, the cause, the state of the modem, and what to do next.

use std::error::Error;
use std::io::{IsTerminal, Write};

use modem_world::DiscoveryError;
use update_engine::codes::Code;
use update_engine::{Cause, DeviceId, UpdateError};

use crate::text::amounts;
use crate::text::terminal;

/// What a verb returns: the exit code, or what went wrong.
pub(crate) type Verdict = Result<u8, VerbFailure>;

/// Exit code of a run that the user stopped (docs/errors.md).
pub(crate) const INTERRUPTED: u8 = 130;

/// Why a verb failed: the words and the exit code.
#[derive(Debug)]
pub(crate) struct VerbFailure {
    pub(crate) code: &'static str,
    pub(crate) what: String,
    pub(crate) causes: Vec<String>,
    pub(crate) hint: String,
    exit: u8,
    /// The modem, and the engine's description of the failure. Only failures of the engine have this.
    pub(crate) engine: Option<Box<(DeviceId, update_engine::Failure)>>,
}

impl VerbFailure {
    /// A failure that the engine didn't report; no modem is involved.
    pub(crate) fn new(code: Code, exit: u8, what: impl Into<String>) -> Self {
        Self {
            code: code.as_str(),
            what: what.into(),
            causes: Vec::new(),
            hint: code.advice().into(),
            exit,
            engine: None,
        }
    }

    /// A failure with a code that isn't one of the engine's.
    pub(crate) fn of_code(code: &'static str, exit: u8, what: impl Into<String>) -> Self {
        let hint = "`modemflash inspect FILE` shows what a file is".into();
        Self {
            code,
            what: what.into(),
            causes: Vec::new(),
            hint,
            exit,
            engine: None,
        }
    }

    /// The modems of this host can't be listed.
    pub(crate) fn unreadable_bus(error: &DiscoveryError) -> Self {
        Self::new(Code::BusUnreadable, 4, "the modems of this host can't be listed").because(error)
    }

    /// Adds the error that caused the failure, and all errors that caused that error.
    pub(crate) fn because(mut self, error: &dyn Error) -> Self {
        self.causes = chain(Some(error));
        self
    }

    /// Replaces the usual advice for this code with better advice.
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = hint.into();
        self
    }

    /// The exit code.
    pub(crate) fn exit(&self) -> u8 {
        self.exit
    }

    /// Prints the failure on standard error.
    pub(crate) fn print(&self) {
        let mut text = format!("error[{}]: {}\n", self.code, self.what);
        for cause in &self.causes {
            text.push_str(&format!("  cause: {cause}\n"));
        }
        if let Some((_, failure)) = self.engine.as_deref() {
            text.push_str(&format!("  modem: {}\n", failure.modem_words));
        }
        text.push_str(&format!("hint: {}\n", self.hint));
        // If standard error is closed, nobody reads it: ignore the error.
        let mut out = std::io::stderr().lock();
        let text = terminal::folded(&text, out.is_terminal());
        let _ = out.write_all(text.as_bytes());
    }
}

impl From<UpdateError> for VerbFailure {
    fn from(error: UpdateError) -> Self {
        let causes = match &*error.source {
            // The warnings were printed before, each on a line of its own.
            Cause::NotConfirmed { warnings } => {
                let to_confirm = warnings.iter().filter(|warning| warning.confirm).count();
                vec![format!(
                    "{} above, and nobody said yes",
                    amounts::count(to_confirm, "such warning")
                )]
            }
            _ => chain(error.source()),
        };
        Self {
            code: error.code().as_str(),
            what: error.to_string(),
            causes,
            hint: error.hint(),
            exit: error.exit_code(),
            engine: Some(Box::new((error.device.clone(), error.failure()))),
        }
    }
}

/// The messages of an error and of the errors that caused it. A message that only repeats the message before it is left out.
pub(crate) fn chain(mut error: Option<&dyn Error>) -> Vec<String> {
    let mut messages: Vec<String> = Vec::new();
    while let Some(this) = error {
        let message = this.to_string();
        if !messages.last().is_some_and(|last| last.contains(&message)) {
            messages.push(message);
        }
        error = this.source();
    }
    messages
}
