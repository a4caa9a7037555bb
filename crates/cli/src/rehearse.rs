//! `modemflash rehearse`: the same engine against a virtual modem.

use std::time::Duration;

use firmware_image::generate::models;
use firmware_image::generate::sets::{Wishes, usual_files};
use firmware_image::source::ImageSource;
use firmware_image::{Family, Model, Platform};
use modem_transport::LinuxWorld;
use modem_world::{Instant, Wake, World};
use update_engine::codes::Code;
use update_engine::{Event, Firmware, Request};
use virtual_modem::profile::Profile;
use virtual_modem::simulated::{self, SimulatedWorld};
use virtual_modem::{Fault, FaultScript, Setup};

use crate::arguments::{RehearsalStart, Rehearse};
use crate::ask::Asker;
use crate::failure::{VerbFailure, Verdict};
use crate::screen::Pace;
use crate::stderr::say;
use crate::update_one::{self, RunDisplay};
use crate::{images, trace_file};

/// How long a rehearsal takes when nothing else is asked for.
const SHOWN_IN: Duration = Duration::from_secs(20);

/// The speed at which nothing is waited for, but a signal is heard.
const AT_ONCE: f64 = f64::INFINITY;

/// The model when neither files nor the user say which.
const USUAL_MODEL: &str = "EM7565";

/// Plays a flash against a virtual modem.
pub(crate) fn run(arguments: &Rehearse, verbose: u8) -> Verdict {
    let trace = trace_file::judged(&arguments.output, &arguments.files)?;
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
    // A rehearsal shows what happens; what the modem got is checked by its own sums.
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

/// What the virtual modems saw that a real one wouldn't have taken.
pub(crate) fn complaints(world: &SimulatedWorld) {
    let modems = (0..).map_while(|place| world.modem(place));
    for violation in modems.flat_map(virtual_modem::VirtualModem::violations) {
        say(&format!("the virtual modem complains: {violation}"));
    }
}

/// A bus with modems of these models; they run, unless `MODEL@download` says that they wait for firmware.
pub(crate) fn bus(models: &[String]) -> Result<SimulatedWorld, VerbFailure> {
    let mut world: Option<SimulatedWorld> = None;
    for (seed, model) in (1..).zip(models) {
        let mut setup = match model.strip_suffix("@download") {
            Some(model) => Setup::of(named(model)?),
            None => Setup::running(named(model)?),
        };
        setup.seed = seed;
        setup.storage.imei =
            virtual_modem::storage::imei(u32::try_from(seed).unwrap_or_default().saturating_sub(1));
        setup.keep = virtual_modem::Keep::Sums;
        match &mut world {
            None => world = Some(SimulatedWorld::new(setup)),
            Some(world) => {
                world.plug(setup);
            }
        }
    }
    let mut world = world.ok_or_else(|| VerbFailure::new(Code::Bug, 1, "no model was named"))?;
    world.set_pacer(pacer(AT_ONCE)?);
    Ok(world)
}

/// How many times faster than it is the run has to be played: found out by a run without waiting.
fn speed(setup: Setup, request: &Request, firmware: &Firmware) -> f64 {
    let mut world = SimulatedWorld::new(setup);
    let request = Request {
        confirmed: true,
        ..request.clone()
    };
    let mut ignore = |_: &Event| {};
    // How it ends is told when it is played.
    let _ = update_engine::update(&mut world, &request, firmware, &mut ignore);
    (world.now().since_start().as_secs_f64() / SHOWN_IN.as_secs_f64()).max(1.0)
}

/// Waits in real time for each jump of the virtual clock; Ctrl-C is handed on.
fn pacer(speed: f64) -> Result<simulated::Pacer, VerbFailure> {
    let mut real = LinuxWorld::new()
        .and_then(|mut world| world.handle_signals().map(|()| world))
        .map_err(|error| {
            VerbFailure::new(Code::Bug, 1, "this system gives no signals or file descriptors").because(&error)
        })?;
    let (mut virtual_now, begin) = (0.0, real.now());
    Ok(Box::new(move |jump: Duration| {
        // Against the sum of all jumps, so that the time the program takes itself doesn't add up.
        virtual_now += jump.as_secs_f64() / speed;
        let until = begin + Duration::try_from_secs_f64(virtual_now).unwrap_or(Duration::ZERO);
        pause(&mut real, until)
    }))
}

fn pause(real: &mut LinuxWorld, until: Instant) -> simulated::Pace {
    loop {
        if real.wait(&[], until) == Wake::Cancelled {
            return simulated::Pace::Cancel;
        }
        if real.now() >= until {
            return simulated::Pace::GoOn;
        }
    }
}

/// The model asked for; or else one that takes the files; or else the usual one.
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
        .ok_or_else(|| VerbFailure::new(Code::Bug, 1, "no usual model"))
}

fn named(name: &str) -> Result<&'static Profile, VerbFailure> {
    Profile::named(name).ok_or_else(|| {
        VerbFailure::of_code("E-MODEL-UNKNOWN", 2, format!("there is no virtual {name}"))
            .hint(format!("models: {}", model_names().join(", ")))
    })
}

fn model_names() -> Vec<&'static str> {
    Profile::ALL.iter().map(|profile| profile.name).collect()
}

/// The family whose files a model takes.
fn family(profile: &Profile) -> Family {
    Family::of_version_text(profile.name).unwrap_or(Family::Gobi2000)
}

/// Images in the shape of real ones, with a size that is usual for the family (images.md §7).
fn make_images(profile: &Profile, seed: u64) -> Result<Firmware, VerbFailure> {
    let bug = |error: &dyn std::error::Error| {
        VerbFailure::new(Code::Bug, 1, "the images can't be made").because(error)
    };
    let files = if profile.name == "RC7620" {
        // Its firmware has a platform token of its own; this is the published layout of a real package.
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
                VerbFailure::of_code("E-FAULT-UNKNOWN", 2, error.to_string())
                    .hint("`modemflash rehearse --help` lists the faults")
            })?;
        all.extend(script.0);
    }
    Ok(FaultScript(all))
}
