//! Buses with virtual modems, and what these modems complain about.

use std::time::Duration;

use modem_transport::LinuxWorld;
use modem_world::{Instant, Wake, World};
use update_engine::codes::Code;
use virtual_modem::Setup;
use virtual_modem::profile::Profile;
use virtual_modem::simulated::{self, SimulatedWorld};

use crate::failure::{OwnCode, VerbFailure};
use crate::output::stderr::say;
use crate::worlds::linux_world;

/// The speed for [`pacer`] at which nothing waits. A signal is still noticed.
pub(crate) const AT_ONCE: f64 = f64::INFINITY;

/// Prints what the virtual modems got that a real modem wouldn't have accepted.
pub(crate) fn complaints(world: &SimulatedWorld) {
    let modems = (0..).map_while(|place| world.modem(place));
    for violation in modems.flat_map(virtual_modem::VirtualModem::violations) {
        say(&format!("the virtual modem complains: {violation}"));
    }
}

/// A bus with virtual modems of these models. They run their firmware; `MODEL@download` means a modem that waits in download mode.
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
    let mut world = world.ok_or_else(|| VerbFailure::new(Code::Bug, "no model was named"))?;
    world.set_pacer(pacer(AT_ONCE)?);
    Ok(world)
}

/// Waits in real time at each jump of the virtual clock. If Ctrl-C comes meanwhile, the run is cancelled.
pub(crate) fn pacer(speed: f64) -> Result<simulated::Pacer, VerbFailure> {
    let mut real = linux_world::with_signals()?;
    let (mut virtual_now, begin) = (0.0, real.now());
    Ok(Box::new(move |jump: Duration| {
        // Wait for the sum of all jumps, not for each jump alone: otherwise the time that the program itself takes would add up.
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
        VerbFailure::own(
            OwnCode::ModelUnknown,
            format!("there is no virtual {name}"),
            format!("models: {}", model_names().join(", ")),
        )
    })
}

fn model_names() -> Vec<&'static str> {
    Profile::ALL.iter().map(|profile| profile.name).collect()
}
