//! How a run is shown: a bar on a terminal, plain lines in a pipe, events as JSON.

#[cfg(feature = "progress")]
mod bar;
#[cfg(feature = "progress")]
mod bars;
mod json;
mod lines;
mod narrator;
#[cfg(feature = "progress")]
mod silence;

use std::io::IsTerminal;

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

/// The screen that fits the output: JSON when asked for, a bar on a terminal, lines elsewhere.
pub(crate) fn choose(json: bool, verbose: u8, pace: Pace) -> Box<dyn Screen> {
    if json {
        return Box::new(json::JsonScreen::default());
    }
    #[cfg(feature = "progress")]
    if is_capable() {
        return Box::new(bar::BarScreen::new(verbose, pace));
    }
    let _ = pace;
    Box::new(lines::LineScreen::new(verbose))
}

/// The same for several modems at these places.
pub(crate) fn choose_for_several(
    json: bool,
    verbose: u8,
    pace: Pace,
    places: Vec<String>,
) -> Box<dyn Screens> {
    if json {
        return Box::new(json::JsonScreen::default());
    }
    #[cfg(feature = "progress")]
    if is_capable() {
        return Box::new(bars::BarScreens::new(verbose, pace, &places));
    }
    let _ = pace;
    let lines = places
        .into_iter()
        .map(|place| lines::LineScreen::of(verbose, &place));
    Box::new(lines.collect::<Vec<_>>())
}

/// Whether standard error is a terminal that can move its cursor.
pub(crate) fn is_capable() -> bool {
    std::io::stderr().is_terminal() && std::env::var_os("TERM").is_none_or(|term| term != "dumb")
}
