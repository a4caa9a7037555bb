//! What a user sees when something fails: the modem and the step, the cause, the state of the modem, and what to do next.

use std::error::Error;
use std::io::{IsTerminal, Write};

use modem_world::DiscoveryError;
use update_engine::codes::Code;
use update_engine::exit::{self, Class, Standing};
use update_engine::{Cause, DeviceId, UpdateError};

use crate::text::amounts;
use crate::text::terminal;

/// What a verb returns: the exit code, or what went wrong.
pub(crate) type Verdict = Result<u8, VerbFailure>;

/// Exit code of a run that the user stopped (docs/errors.md).
pub(crate) const INTERRUPTED: u8 = untouched(Class::Stopped);

/// The exit code of a failure of this class, if no modem was changed.
pub(crate) const fn untouched(class: Class) -> u8 {
    exit::code(class, Standing::Untouched)
}

/// The codes that only the command line has (docs/errors.md); no modem was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OwnCode {
    AtInvalid,
    #[cfg(feature = "rehearse")]
    FaultUnknown,
    #[cfg(feature = "rehearse")]
    ModelUnknown,
    NotAgreed,
    OutputWrite,
    SlotAmbiguous,
    SlotMissing,
    TraceDiffers,
    TraceRead,
    TraceWrite,
}

impl OwnCode {
    const fn as_str(self) -> &'static str {
        match self {
            Self::AtInvalid => "E-AT-INVALID",
            #[cfg(feature = "rehearse")]
            Self::FaultUnknown => "E-FAULT-UNKNOWN",
            #[cfg(feature = "rehearse")]
            Self::ModelUnknown => "E-MODEL-UNKNOWN",
            Self::NotAgreed => "E-NOT-AGREED",
            Self::OutputWrite => "E-OUTPUT-WRITE",
            Self::SlotAmbiguous => "E-SLOT-AMBIGUOUS",
            Self::SlotMissing => "E-SLOT-MISSING",
            Self::TraceDiffers => "E-TRACE-DIFFERS",
            Self::TraceRead => "E-TRACE-READ",
            Self::TraceWrite => "E-TRACE-WRITE",
        }
    }

    const fn class(self) -> Class {
        match self {
            Self::OutputWrite | Self::TraceDiffers => Class::Fault,
            Self::AtInvalid
            | Self::NotAgreed
            | Self::SlotAmbiguous
            | Self::SlotMissing
            | Self::TraceRead
            | Self::TraceWrite => Class::Request,
            #[cfg(feature = "rehearse")]
            Self::FaultUnknown | Self::ModelUnknown => Class::Request,
        }
    }
}

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
    /// Whether a screen has shown the event of this failure.
    is_told: bool,
}

impl VerbFailure {
    /// A failure that the engine didn't report; no modem is involved.
    pub(crate) fn new(code: Code, what: impl Into<String>) -> Self {
        Self::of(code.as_str(), code.class(), what.into(), code.advice().into())
    }

    /// A failure with a code that only the command line has, and what to do.
    pub(crate) fn own(code: OwnCode, what: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::of(code.as_str(), code.class(), what.into(), hint.into())
    }

    /// Files can't be used as they are. `class` says whether the user should name other files or the images are refused.
    pub(crate) fn of_files(code: &'static str, class: Class, what: String, hint: Option<String>) -> Self {
        let hint = hint.unwrap_or_else(|| "`modemflash inspect FILE` shows what a file is".to_owned());
        Self::of(code, class, what, hint)
    }

    fn of(code: &'static str, class: Class, what: String, hint: String) -> Self {
        Self {
            code,
            what,
            causes: Vec::new(),
            hint,
            exit: untouched(class),
            engine: None,
            is_told: false,
        }
    }

    /// The modems of this host can't be listed.
    pub(crate) fn unreadable_bus(error: &DiscoveryError) -> Self {
        Self::new(Code::BusUnreadable, "the modems of this host can't be listed").because(error)
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

    /// A failure of a run whose events a screen has shown, the failure among them.
    pub(crate) fn of_shown_run(error: UpdateError) -> Self {
        Self {
            is_told: true,
            ..Self::from(error)
        }
    }

    /// Whether a screen has shown the event of this failure. If so, it must not be printed again.
    pub(crate) fn is_told(&self) -> bool {
        self.is_told
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
            is_told: false,
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
