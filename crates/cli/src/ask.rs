//! Questions to a person at a terminal: the only place that asks. `std::io::stdin` is disallowed (clippy.toml), because whoever
//! reads a line elsewhere takes the next line for an answer after Ctrl-C.

use std::io::{self, IsTerminal, Write};

use modem_transport::{Questions, Typed};
use rustix::stdio::stdin;
use rustix::termios::isatty;
use update_engine::codes::Code;

use crate::failure::{INTERRUPTED, VerbFailure, Verdict};
use crate::output::stderr::say;
use crate::screen::Screen;

/// Asks; made together with the world that a verb works in.
#[derive(Debug)]
pub(crate) struct Asker(Questions);

/// What came of a question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum UserAnswer {
    /// Go on.
    Yes,
    /// Any other line.
    No,
    /// Ctrl-C, SIGTERM, a closed terminal or the end of the input: there is no answer.
    Left,
}

/// The question about warnings that stand above it.
pub(crate) const GO_ON: &str = "go on all the same?";

/// Whether somebody can be asked: both ends are a terminal.
pub(crate) fn is_possible() -> bool {
    isatty(stdin()) && io::stderr().is_terminal()
}

impl Asker {
    /// From now on signals are remembered for the questions to come. To be made after the world that handles them.
    pub(crate) fn new() -> Result<Self, VerbFailure> {
        Questions::new().map(Self).map_err(|error| {
            VerbFailure::new(Code::Bug, 1, "this system gives no signals or file descriptors").because(&error)
        })
    }

    /// Asks a question that is answered with y or anything else, or left.
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

    /// Asks several questions, one after the other, while a screen shows a run. The first one without a yes ends that.
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

    /// Whether Ctrl-C or SIGTERM has come since this was made.
    pub(crate) fn is_stopped(&self) -> bool {
        self.0.is_stopped()
    }
}

impl UserAnswer {
    /// Ends a run that wasn't agreed to; `unchanged` says what wasn't done.
    pub(crate) fn end(self, unchanged: &str) -> Verdict {
        match self {
            Self::Yes | Self::No => say(unchanged),
            Self::Left => say(&format!("stopped without an answer; {unchanged}")),
        }
        Ok(INTERRUPTED)
    }
}
