//! `modemflash rehearse`: updates a virtual modem with the same engine.

use std::time::Duration;

use firmware_image::generate::models;
use firmware_image::generate::sets::{Wishes, usual_files};
use firmware_image::source::ImageSource;
use firmware_image::{Family, Model, Platform};
use modem_world::World;
use update_engine::codes::Code;
use update_engine::{Event, Firmware, Request};
use virtual_modem::profile::Profile;
use virtual_modem::simulated::SimulatedWorld;
use virtual_modem::{Fault, FaultScript, Setup};

use crate::arguments::{RehearsalStart, Rehearse};
use crate::ask::Asker;
use crate::failure::{OwnCode, VerbFailure, Verdict};
use crate::images;
use crate::output::stderr::say;
use crate::screen::Pace;
use crate::trace;
use crate::verbs::update_one::{self, RunDisplay};
use crate::worlds::virtual_bus::{AT_ONCE, complaints, named, pacer};

/// How long a rehearsal takes if the user asks for no other speed.
const SHOWN_IN: Duration = Duration::from_secs(20);

/// The model if neither the user nor the files name one.
const USUAL_MODEL: &str = "EM7565";

/// Updates a virtual modem.
pub(crate) fn run(arguments: &Rehearse, verbose: u8) -> Verdict {
    let trace = trace::file::judged(&arguments.output, &arguments.files)?;
    let asked = arguments.model.as_deref().and_then(Profile::named);
    let target = asked.and_then(|profile| Model::in_text(profile.name)?.target);
    let given = match arguments.files.as_slice() {
        [] => None,
        files => Some(Firmware::from(images::load(files, &arguments.images, target)?)),
    };
    let profile = choose_model(arguments.model.as_deref(), given.as_ref())?;
    let firmware = match given {
        Some(firmware) => firmware,
        None => make_images(profile, arguments.seed)?,
    };
    let mut setup = match arguments.from {
        RehearsalStart::Normal => Setup::running(profile),
        RehearsalStart::Download => Setup::of(profile),
    };
    setup.seed = arguments.seed;
    setup.faults = faults(&arguments.faults)?;
    // The virtual modem needn't keep the images: it checks what it got by sums.
    setup.keep = virtual_modem::Keep::Sums;
    let request = Request {
        force: arguments.force,
        download_override: arguments.override_download,
        confirmed: arguments.yes,
        ignore_versions: arguments.force,
        given: arguments.images.given(),
        ..Request::default()
    };
    say(&format!(
        "rehearsing with a virtual {}; no hardware is touched",
        profile.name
    ));

    let pace = if arguments.real_time {
        Pace::Real
    } else {
        Pace::Played
    };
    let show = RunDisplay {
        output: &arguments.output,
        trace,
        verbose,
        pace,
    };
    let mut world = SimulatedWorld::new(setup.clone());
    let speed = if arguments.fast {
        AT_ONCE
    } else if arguments.real_time {
        1.0
    } else {
        speed(setup, &request, &firmware)
    };
    world.set_pacer(pacer(speed)?);
    let asker = Asker::new()?;
    let verdict = update_one::run(&mut world, &asker, &request, &firmware, show);
    complaints(&world);
    let modem = world.modem(0).into_iter();
    for fault in modem.flat_map(virtual_modem::VirtualModem::unused_faults) {
        say(&format!("note: the fault {fault} did not take place"));
    }
    verdict
}

/// How many times faster than real time the run has to be played. A first run without waiting shows how long it takes.
fn speed(setup: Setup, request: &Request, firmware: &Firmware) -> f64 {
    let mut world = SimulatedWorld::new(setup);
    let request = Request {
        confirmed: true,
        ..request.clone()
    };
    let mut ignore = |_: &Event| {};
    // Ignore how the first run ends: the run that is shown ends in the same way.
    let _ = update_engine::update(&mut world, &request, firmware, &mut ignore);
    (world.now().since_start().as_secs_f64() / SHOWN_IN.as_secs_f64()).max(1.0)
}

/// The model that the user names, or else a model that takes the files, or else the usual model.
fn choose_model(name: Option<&str>, firmware: Option<&Firmware>) -> Result<&'static Profile, VerbFailure> {
    if let Some(name) = name {
        return named(name);
    }
    let takes = |profile: &&Profile| {
        let Some(claims) = firmware.map(Firmware::combination) else {
            return false;
        };
        match Platform::parse(profile.family) {
            Some(own) if !claims.platforms.is_empty() => {
                !claims.platforms.iter().any(|platform| platform.contradicts(&own))
            }
            _ => claims.families.contains(&family(profile)),
        }
    };
    let fitting = Profile::ALL.iter().find(takes);
    fitting
        .or_else(|| Profile::named(USUAL_MODEL))
        .ok_or_else(|| VerbFailure::new(Code::Bug, "no usual model"))
}

/// The family of firmware that a model takes.
fn family(profile: &Profile) -> Family {
    Family::of_version_text(profile.name).unwrap_or(Family::Gobi2000)
}

/// Makes images with the structure and the usual size of real images of the family (images.md §7).
fn make_images(profile: &Profile, seed: u64) -> Result<Firmware, VerbFailure> {
    let bug = |error: &dyn std::error::Error| {
        VerbFailure::new(Code::Bug, "the images can't be made").because(error)
    };
    let files = if profile.name == "RC7620" {
        // Firmware for the RC7620 has its own platform name. This package has the published layout of a real one.
        models::rc76xx_release_9().map(|package| vec![package])
    } else {
        let wishes = Wishes {
            seed,
            ..Wishes::default()
        };
        usual_files(&family(profile), wishes)
    };
    let sources = files
        .map_err(|error| bug(&error))?
        .into_iter()
        .map(|file| Box::new(file) as Box<dyn ImageSource>)
        .collect();
    Firmware::check(sources).map_err(|cause| bug(&cause))
}

fn faults(scripts: &[String]) -> Result<FaultScript, VerbFailure> {
    let mut all: Vec<Fault> = Vec::new();
    for script in scripts {
        let script: FaultScript = script
            .parse()
            .map_err(|error: virtual_modem::fault::FaultError| {
                let hint = "`modemflash rehearse --help` lists the faults";
                VerbFailure::own(OwnCode::FaultUnknown, error.to_string(), hint)
            })?;
        all.extend(script.0);
    }
    Ok(FaultScript(all))
}
