//! How a run is shown: a bar on a terminal, plain lines in a pipe, events as JSON.

#[cfg(feature = "progress")]
mod bar;
#[cfg(feature = "progress")]
mod bars;
mod interface;
mod json;
mod lines;
mod narrator;
#[cfg(feature = "progress")]
mod silence;

pub(crate) use interface::{Pace, Screen, Screens};

#[cfg(feature = "progress")]
use crate::text::terminal;

/// The screen for one modem: JSON if the user asks for it, a bar on a terminal, lines elsewhere.
pub(crate) fn choose(json: bool, verbose: u8, pace: Pace) -> Box<dyn Screen> {
    if json {
        return Box::new(json::JsonScreen::default());
    }
    #[cfg(feature = "progress")]
    if terminal::is_capable() {
        return Box::new(bar::BarScreen::new(verbose, pace));
    }
    let _ = pace;
    Box::new(lines::LineScreen::new(verbose))
}

/// The screen for several modems at these places, chosen in the same way.
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
    if terminal::is_capable() {
        return Box::new(bars::BarScreens::new(verbose, pace, &places));
    }
    let _ = pace;
    let lines = places
        .into_iter()
        .map(|place| lines::LineScreen::of(verbose, &place));
    Box::new(lines.collect::<Vec<_>>())
}
