//! Virtual modems: on a bus for verbs that work on them, and what they complain about.

use std::time::Duration;

use modem_transport::LinuxWorld;
use modem_world::{Instant, Wake, World};
use update_engine::codes::Code;
use virtual_modem::Setup;
use virtual_modem::profile::Profile;
use virtual_modem::simulated::{self, SimulatedWorld};

use crate::failure::VerbFailure;
use crate::output::stderr::say;
use crate::worlds::linux_world;

/// The speed at which nothing is waited for, but a signal is heard.
pub(crate) const AT_ONCE: f64 = f64::INFINITY;

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

/// Waits in real time for each jump of the virtual clock; Ctrl-C is handed on.
pub(crate) fn pacer(speed: f64) -> Result<simulated::Pacer, VerbFailure> {
    let mut real = linux_world::with_signals()?;
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

/// The virtual modem of this name.
pub(crate) fn named(name: &str) -> Result<&'static Profile, VerbFailure> {
    Profile::named(name).ok_or_else(|| {
        VerbFailure::of_code("E-MODEL-UNKNOWN", 2, format!("there is no virtual {name}"))
            .hint(format!("models: {}", model_names().join(", ")))
    })
}

fn model_names() -> Vec<&'static str> {
    Profile::ALL.iter().map(|profile| profile.name).collect()
}
