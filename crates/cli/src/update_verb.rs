//! `modemflash update`: firmware for one modem or for several.

use firmware_image::Target;
use modem_world::World;
use update_engine::fit::Nature;
use update_engine::{Firmware, Given, Request, Selector};

use crate::arguments::{self, Arguments, FirmwareOptions, Update};
use crate::chosen_world::ChosenWorld;
use crate::failure::{VerbFailure, Verdict};
use crate::screen::Pace;
use crate::update_one::{self, RunDisplay};
use crate::{images, trace_file, update_several};

/// Checks the files, then updates what is meant.
pub(crate) fn run(arguments: &Update, all: &Arguments) -> Verdict {
    let named = arguments.select.all();
    if arguments.all && !named.is_empty() {
        arguments::wrong("--all means every modem; name modems or give --all");
    }
    if arguments.all || named.len() > 1 {
        return update_several::run(arguments, &named, all);
    }
    let trace = trace_file::judged(&arguments.output, &arguments.files)?;
    let mut chosen = ChosenWorld::of(all)?;
    let select = arguments.select.one();
    let target = match &arguments.as_platform {
        Some(platform) => Some(Target::from(platform.clone())),
        None => target_of(chosen.world(), &select),
    };
    let firmware = Firmware::from(images::load(&arguments.files, &arguments.images, target)?);
    let request = Request {
        select,
        ..request(arguments)
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

/// What is asked for, but for the modem.
pub(crate) fn request(arguments: &Update) -> Request {
    Request {
        force: arguments.force,
        confirmed: arguments.yes,
        ignore_versions: arguments.ignore_versions || arguments.force,
        given: given(&arguments.images),
        download_override: arguments.override_download,
        slot: arguments.slot,
        control: arguments.control.choice(),
        skip_read_back: arguments.no_read_back,
        ignore_manager: arguments.ignore_modem_manager,
        as_platform: arguments.as_platform.clone(),
        ..Request::default()
    }
}

/// The versions on the command line: they fill what the files don't tell, and contradict what they do.
pub(crate) fn given(images: &FirmwareOptions) -> Given {
    Given {
        firmware: images.firmware.clone(),
        config: images.config.clone(),
        carrier: images.carrier.clone(),
    }
}

/// What the modem takes where the bus tells, to choose from a folder with firmware for several. Gobi files don't tell their
/// generation. What is wrong with the selection is said later, by the engine.
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

/// The modem, or why there is none, as the engine says it.
pub(crate) fn find(world: &mut dyn World, request: &Request) -> Result<update_engine::Modem, VerbFailure> {
    use update_engine::{DeviceId, ModemState, Step, UpdateError};
    update_engine::find_one(world, request, "update").map_err(|cause| {
        let device = DeviceId::from_selection(&request.select);
        UpdateError::new(&device, Step::CheckDevice, ModemState::Untouched, cause).into()
    })
}
