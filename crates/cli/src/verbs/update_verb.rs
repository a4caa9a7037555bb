//! `modemflash update`: updates one modem or several.

use firmware_image::Target;
use update_engine::{Firmware, Request, fit};

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
        // Needed to choose from a folder with firmware for several models.
        None => select.single(chosen.world()).as_ref().and_then(fit::sure_target),
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
