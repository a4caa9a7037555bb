//! Questions to the user at a terminal. Only this file asks. `std::io::stdin` is disallowed elsewhere (clippy.toml): after Ctrl-C,
//! such code would take the next line that the user types for an answer.

use std::io::{self, IsTerminal, Write};

use modem_transport::{Questions, Typed};
use rustix::stdio::stdin;
use rustix::termios::isatty;
use update_engine::codes::Code;

use crate::failure::{INTERRUPTED, VerbFailure, Verdict};
use crate::output::stderr::say;
use crate::screen::Screen;

/// Asks the user. It is made together with the world that a verb works in.
#[derive(Debug)]
pub(crate) struct Asker(Questions);

/// The user's answer to a question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum UserAnswer {
    /// The user typed yes.
    Yes,
    /// The user typed something else.
    No,
    /// The user gave no answer: Ctrl-C, SIGTERM, a closed terminal or the end of the input.
    Left,
}

/// The question after warnings, which are printed above it.
pub(crate) const GO_ON: &str = "go on all the same?";

/// Whether the user can be asked: standard input and standard error are both a terminal.
pub(crate) fn is_possible() -> bool {
    isatty(stdin()) && io::stderr().is_terminal()
}

impl Asker {
    /// Remembers signals from now on, for the questions to come. Call this after making the world that handles signals.
    pub(crate) fn new() -> Result<Self, VerbFailure> {
        Questions::new().map(Self).map_err(|error| {
            VerbFailure::new(Code::Bug, "this system gives no signals or file descriptors").because(&error)
        })
    }

    /// Asks a question to which y means yes.
    pub(crate) fn ask(&self, question: &str) -> UserAnswer {
        let mut is_shown = false;
        let typed = self.0.ask(stdin(), || {
            is_shown = true;
            let _ = write!(io::stderr(), "{question} [y/N] ");
        });
        match typed {
            Typed::Line(line) if matches!(line.trim(), "y" | "Y" | "yes" | "Yes") => UserAnswer::Yes,
            Typed::Line(_) => UserAnswer::No,
            Typed::Left => {
                if is_shown {
                    let _ = writeln!(io::stderr());
                }
                UserAnswer::Left
            }
        }
    }

    /// Asks several questions, one after the other, while a screen shows a run. Stops at the first answer that isn't yes.
    pub(crate) fn ask_over(&self, screen: &mut dyn Screen, questions: &[String]) -> UserAnswer {
        screen.rest();
        for question in questions {
            let answer = self.ask(question);
            if answer != UserAnswer::Yes {
                return answer;
            }
        }
        screen.resume();
        UserAnswer::Yes
    }

    /// Whether Ctrl-C or SIGTERM has come since this value was made.
    pub(crate) fn is_stopped(&self) -> bool {
        self.0.is_stopped()
    }
}

impl UserAnswer {
    /// Ends a run to which the user didn't say yes; `unchanged` says what was left as it was.
    pub(crate) fn end(self, unchanged: &str) -> Verdict {
        match self {
            Self::Yes | Self::No => say(unchanged),
            Self::Left => say(&format!("stopped without an answer; {unchanged}")),
        }
        Ok(INTERRUPTED)
    }
}
