//! What a screen does, and what it has to know.

use update_engine::Event;

use crate::failure::VerbFailure;

/// Shows a run.
pub(crate) trait Screen: Send {
    /// Shows one event.
    fn show(&mut self, event: &Event);

    /// Leaves the terminal as it should be, before a question or the last lines.
    fn rest(&mut self);

    /// Goes on after a question.
    fn resume(&mut self) {}

    /// Why a program that reads the events hasn't got all of them.
    fn lost(&mut self) -> Option<VerbFailure> {
        None
    }
}

/// Shows the runs of several modems.
pub(crate) trait Screens: Send {
    /// Shows one event of the modem with this number, counted from 0.
    fn show(&mut self, number: usize, event: &Event);

    /// Leaves the terminal as it should be.
    fn rest(&mut self);

    /// Why a program that reads the events hasn't got all of them.
    fn lost(&mut self) -> Option<VerbFailure> {
        None
    }
}

/// How the time of the run relates to the user's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pace {
    /// A second is a second.
    Real,
    /// Time is played faster than it is; a clock on the screen would be wrong.
    Played,
}
