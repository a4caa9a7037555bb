//! What a user sees when something fails: which modem and step, why, what is true of the modem, what to do.

use std::error::Error;
use std::io::{IsTerminal, Write};

use update_engine::codes::Code;
use update_engine::{Cause, UpdateError};

use crate::words;

/// A failed run: the words and the exit code.
#[derive(Debug)]
pub(crate) struct Failure {
    code: &'static str,
    what: String,
    causes: Vec<String>,
    modem: Option<String>,
    hint: String,
    exit: u8,
}

impl Failure {
    /// A failure outside of the engine, before a modem comes into it.
    pub(crate) fn new(code: Code, exit: u8, what: impl Into<String>) -> Self {
        Self {
            code: code.as_str(),
            what: what.into(),
            causes: Vec::new(),
            modem: None,
            hint: code.advice().into(),
            exit,
        }
    }

    /// A failure whose code comes from a library.
    pub(crate) fn of_code(code: &'static str, exit: u8, what: impl Into<String>) -> Self {
        let hint = "`modemflash inspect FILE` shows what a file is".into();
        Self {
            code,
            what: what.into(),
            causes: Vec::new(),
            modem: None,
            hint,
            exit,
        }
    }

    /// With the error that is behind it, and all that are behind that.
    pub(crate) fn because(mut self, error: &dyn Error) -> Self {
        self.causes = chain(Some(error));
        self
    }

    /// With better advice than the code's own.
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = hint.into();
        self
    }

    /// The exit code.
    pub(crate) fn exit(&self) -> u8 {
        self.exit
    }

    /// Prints it on standard error.
    pub(crate) fn print(&self) {
        let mut text = format!("error[{}]: {}\n", self.code, self.what);
        for cause in &self.causes {
            text.push_str(&format!("  cause: {cause}\n"));
        }
        if let Some(modem) = &self.modem {
            text.push_str(&format!("  modem: {modem}\n"));
        }
        text.push_str(&format!("hint: {}\n", self.hint));
        // Where standard error is closed there is nobody to tell.
        let mut out = std::io::stderr().lock();
        let text = words::folded(&text, out.is_terminal());
        let _ = out.write_all(text.as_bytes());
    }
}

impl From<UpdateError> for Failure {
    fn from(error: UpdateError) -> Self {
        let causes = match &*error.source {
            // They stand above, each on its own line.
            Cause::NotConfirmed { warnings } => {
                let to_confirm = warnings.iter().filter(|warning| warning.confirm).count();
                vec![format!(
                    "{} above, and nobody said yes",
                    words::count(to_confirm, "such warning")
                )]
            }
            _ => chain(error.source()),
        };
        Self {
            code: error.code().as_str(),
            what: error.to_string(),
            causes,
            modem: Some(error.modem.to_string()),
            hint: error.hint(),
            exit: error.exit_code(),
        }
    }
}

/// The messages of an error and those behind it; one that only repeats the one before is left out.
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
