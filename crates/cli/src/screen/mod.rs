//! How a run is shown: a bar on a terminal, plain lines in a pipe, events as JSON.

#[cfg(feature = "progress")]
mod bar;
mod json;
mod lines;
mod narrator;

use std::io::IsTerminal;

use update_engine::Event;

/// Shows a run.
pub(crate) trait Screen {
    /// Shows one event.
    fn show(&mut self, event: &Event);

    /// Leaves the terminal as it should be, before a question or the last lines.
    fn rest(&mut self);
}

/// How the time of the run relates to the user's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pace {
    /// A second is a second.
    Real,
    /// Time is played faster than it is; a clock on the screen would be wrong.
    Played,
}

/// The screen that fits the output: JSON when asked for, a bar on a terminal, lines elsewhere.
pub(crate) fn choose(json: bool, verbose: u8, pace: Pace) -> Box<dyn Screen> {
    if json {
        return Box::new(json::Json::default());
    }
    #[cfg(feature = "progress")]
    if std::io::stderr().is_terminal() && std::env::var_os("TERM").is_none_or(|term| term != "dumb") {
        return Box::new(bar::Bar::new(verbose, pace));
    }
    let _ = (std::io::stderr().is_terminal(), pace);
    Box::new(lines::Lines::new(verbose))
}
