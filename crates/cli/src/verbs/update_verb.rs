//! `modemflash update`: updates one modem or several.

use firmware_image::Target;
use modem_world::World;
use update_engine::fit::Nature;
use update_engine::{Firmware, Request, Selector};

use crate::arguments::{Arguments, Update};
use crate::failure::Verdict;
use crate::images;
use crate::screen::Pace;
use crate::trace;
use crate::verbs::update_one::{self, RunDisplay};
use crate::verbs::update_several;
use crate::worlds::chosen_world::ChosenWorld;

/// Checks the files, then updates the selected modems.
pub(crate) fn run(arguments: &Update, all: &Arguments) -> Verdict {
    let named = arguments.select.all();
    if arguments.all || named.len() > 1 {
        return update_several::run(arguments, &named, all);
    }
    let trace = trace::file::judged(&arguments.output, &arguments.files)?;
    let mut chosen = ChosenWorld::of(all)?;
    let select = arguments.select.one();
    let target = match &arguments.as_platform {
        Some(platform) => Some(Target::from(platform.clone())),
        None => target_of(chosen.world(), &select),
    };
    let firmware = Firmware::from(images::load(&arguments.files, &arguments.images, target)?);
    let request = Request {
        select,
        ..arguments.request()
    };
    let show = RunDisplay {
        output: &arguments.output,
        trace,
        verbose: all.verbose,
        pace: if chosen.is_virtual() {
            Pace::Played
        } else {
            Pace::Real
        },
    };
    let (world, asker) = chosen.parts();
    let verdict = update_one::run(world, asker, &request, &firmware, show);
    chosen.finish();
    verdict
}

/// The firmware that the modem takes, if the bus tells it. It is needed to choose from a folder with firmware for several models.
/// Targets without a platform don't count, because Gobi files don't tell their generation. If the selection leads to no modem or to
/// several, the engine reports that later.
fn target_of(world: &mut dyn World, select: &Selector) -> Option<Target> {
    let candidates = select.candidates(world).ok()?;
    let [modem] = candidates.as_slice() else {
        return None;
    };
    let takes = Nature::of_modem(modem).candidates();
    match takes.targets.as_slice() {
        [target] if target.platform.is_some() && !takes.is_doubtful => Some(target.clone()),
        _ => None,
    }
}
