//! What each verb does with its arguments.

mod at;
mod info;
mod inspect;
mod list;
mod modem_view;
mod pcie_view;
#[cfg(feature = "rehearse")]
mod rehearse;
mod replay;
mod reset;
mod slots;
mod update_one;
mod update_several;
mod update_verb;

use crate::arguments::{Arguments, Command};
use crate::failure::Verdict;
use crate::worlds::chosen_world::ChosenWorld;

/// Does what the command line asks for.
pub(crate) fn run(arguments: &Arguments) -> Verdict {
    let verbose = arguments.verbose;
    match &arguments.command {
        Command::List(list) => list::run(list, ChosenWorld::of(arguments)?),
        Command::Info(info) => info::run(info, ChosenWorld::of(arguments)?),
        Command::Inspect(inspect) => inspect::run(inspect),
        Command::Update(update) => update_verb::run(update, arguments),
        Command::Slots(slots) => slots::run(slots, ChosenWorld::of(arguments)?),
        Command::Reset(reset) => reset::run(reset, ChosenWorld::of(arguments)?, verbose),
        Command::At(at) => at::run(at, ChosenWorld::of(arguments)?),
        #[cfg(feature = "rehearse")]
        Command::Rehearse(rehearse) => rehearse::run(rehearse, verbose),
        Command::Replay(replay) => replay::run(replay, verbose),
    }
}
