//! What every screen can do, whatever it looks like.

use update_engine::Event;

use crate::failure::VerbFailure;

/// Shows the run of one modem.
pub(crate) trait Screen: Send {
    /// Shows one event.
    fn show(&mut self, event: &Event);

    /// Removes everything that moves from the terminal, before a question or before the last lines.
    fn rest(&mut self);

    /// Goes on showing the run after a question.
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

    /// Removes everything that moves from the terminal.
    fn rest(&mut self);

    /// Why a program that reads the events hasn't got all of them.
    fn lost(&mut self) -> Option<VerbFailure> {
        None
    }
}

/// How fast the time of a run passes for the user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pace {
    /// A second of the run takes a second.
    Real,
    /// The run is played faster than real time, so a clock on the screen would be wrong.
    Played,
}
