//! How a run begins and ends: the same way for an update, a short job and a look at one modem.

use modem_world::{PortInfo, World};

use super::claim::{self, Claimed, Patience, Refused, Target};
use super::open_port::OpenPort;
use super::parts::Run;
use super::services::Services;
use super::stops::Stops;
use super::teller::{Teller, TellerState};
use super::whereabouts::{KnownPlace, Whereabouts};
use crate::modem::{DeviceId, Mode, Modem, Selector, Standing};
use crate::request::Verb;
use crate::told::{Cause, Event, Step, UpdateError};

/// A modem that was found, is kept from other runs, and has a port to use.
pub(crate) struct Start {
    target: Target,
    port: PortInfo,
    name: String,
    claimed: Claimed,
}

impl Start {
    /// Finds what is meant, keeps other runs away from it, and chooses its port.
    ///
    /// # Errors
    /// `find`'s; another run has the modem; it can't be helped in its mode, or has no port. With the modem, where one was found.
    pub(crate) fn find(
        world: &mut dyn World,
        verb: Verb,
        select: &Selector,
        patience: &mut Patience<'_>,
        find: impl FnMut(&mut dyn World, &mut Patience<'_>) -> Result<Target, Cause>,
    ) -> Result<Self, Refused> {
        let (target, claimed) = claim::find(world, verb, select, patience, find)?;
        let port = match &target {
            Target::Port(port) | Target::Before(port) => port.clone(),
            Target::Modem(modem) => match usable_port(modem, select) {
                Ok(port) => port,
                Err(cause) => {
                    world.host().unclaim(&claimed.spot);
                    return Err(Box::new((target.device(), cause)));
                }
            },
        };
        let name = match select {
            Selector::Port(name) => name.clone(),
            _ => port.id.to_string(),
        };
        Ok(Self {
            target,
            port,
            name,
            claimed,
        })
    }

    /// The modem as it was found, where it is one.
    pub(crate) fn modem(&self) -> Option<&Modem> {
        match &self.target {
            Target::Modem(modem) => Some(modem),
            Target::Port(_) | Target::Before(_) => None,
        }
    }
}

/// Begins a run on the modem that `find` leads to.
///
/// # Errors
/// As [`Start::find`]; the error is told.
pub(crate) fn begin<'r>(
    world: &'r mut dyn World,
    sink: &'r mut dyn FnMut(&Event),
    verb: Verb,
    select: &Selector,
    find: impl FnMut(&mut dyn World, &mut Patience<'_>) -> Result<Target, Cause>,
) -> Result<Run<'r>, UpdateError> {
    let start = find_telling(world, sink, verb, select, find)?;
    let mut run = Run::new(world, sink, start);
    run.note_bus();
    Ok(run)
}

/// Begins a run that goes on where another one has ended: `known` and `told` are what that one knew. Where the modem is now, the
/// run has still to find out.
///
/// # Errors
/// Another run has the modem; the user stops. The error is told.
pub(crate) fn resume<'r>(
    world: &'r mut dyn World,
    sink: &'r mut dyn FnMut(&Event),
    verb: Verb,
    select: &Selector,
    known: KnownPlace,
    told: TellerState,
) -> Result<Run<'r>, UpdateError> {
    let find = |_: &mut dyn World, _: &mut Patience<'_>| Ok(Target::Before(known.port().clone()));
    let Start { claimed, .. } = find_telling(world, sink, verb, select, find)?;
    let now = world.now();
    let whereabouts = Whereabouts::known(now, known);
    let device = DeviceId::from_port(whereabouts.port(), told.model.as_deref());
    let teller = Teller::resumed(sink, device, now, told);
    let mut run = Run::of_parts(world, teller, whereabouts, claimed);
    run.services.note_lost_inhibition();
    Ok(run)
}

/// Finds the modem for a run, and tells the error if there is one.
fn find_telling(
    world: &mut dyn World,
    sink: &mut dyn FnMut(&Event),
    verb: Verb,
    select: &Selector,
    find: impl FnMut(&mut dyn World, &mut Patience<'_>) -> Result<Target, Cause>,
) -> Result<Start, UpdateError> {
    let mut patience = Patience::new(world, sink);
    Start::find(world, verb, select, &mut patience, find).map_err(|refused| {
        let (device, cause) = *refused;
        refuse(world, sink, &device, Step::CheckDevice, cause)
    })
}

/// Tells an error of a run that hasn't begun.
pub(crate) fn refuse(
    world: &dyn World,
    sink: &mut dyn FnMut(&Event),
    device: &DeviceId,
    step: Step,
    cause: Cause,
) -> UpdateError {
    let now = world.now();
    let mut teller = Teller::new(sink, device.clone(), now);
    teller.begin(now, step);
    teller.fail(now, cause)
}

impl<'r> Run<'r> {
    /// A run with what was found.
    pub(crate) fn new(world: &'r mut dyn World, sink: &'r mut dyn FnMut(&Event), start: Start) -> Self {
        let Start {
            target,
            port,
            name,
            claimed,
        } = start;
        let now = world.now();
        let device = DeviceId::from_port(&port, target.name().as_deref());
        let whereabouts = Whereabouts::new(now, name, target, port);
        Self::of_parts(world, Teller::new(sink, device, now), whereabouts, claimed)
    }

    fn of_parts(
        world: &'r mut dyn World,
        teller: Teller<'r>,
        whereabouts: Whereabouts,
        claimed: Claimed,
    ) -> Self {
        let mut run = Self {
            world,
            teller,
            whereabouts,
            stops: Stops::default(),
            port: OpenPort::default(),
            services: Services::new(claimed.verb, claimed.spot),
        };
        run.tell_doubt(claimed.doubt);
        run
    }

    /// Ends the run: what is open is closed, and what the host gave is given back. An error is told.
    ///
    /// # Errors
    /// That of `result`, with what is true of the modem.
    pub(crate) fn end<T>(&mut self, result: Result<T, Cause>) -> Result<T, UpdateError> {
        match result {
            Ok(done) => {
                self.give_back();
                self.teller.advance_to_end();
                self.teller.finish(self.world.now());
                Ok(done)
            }
            Err(cause) => Err(self.fail(cause)),
        }
    }

    /// Ends the run with an error, which is told.
    pub(crate) fn fail(&mut self, cause: Cause) -> UpdateError {
        self.give_back();
        self.note_absence();
        self.teller.fail(self.world.now(), cause)
    }

    fn give_back(&mut self) {
        self.close_all();
        self.let_go();
        self.unclaim();
    }
}

impl Drop for Run<'_> {
    /// A run that is left in the middle still closes its session in order and gives everything back.
    fn drop(&mut self) {
        // In a panic nothing is certain any more: whoever owns the world closes its ports.
        if !std::thread::panicking() {
            self.give_back();
        }
    }
}

/// The port through which a modem can be helped in its present mode.
fn usable_port(modem: &Modem, select: &Selector) -> Result<PortInfo, Cause> {
    let id = modem.device.id();
    match modem.mode {
        Mode::Emergency => return Err(Cause::emergency(&id)),
        Mode::NotConfigured => return Err(Cause::not_configured(modem.path().to_string())),
        Mode::Normal | Mode::Download => {}
    }
    let named = match select {
        Selector::Port(name) => modem.all_ports().find(|port| port.id.as_str() == name),
        _ => None,
    };
    let first = match modem.mode {
        Mode::Download => modem.ports.download.as_ref(),
        _ => named.or_else(|| modem.all_ports().next()),
    };
    first
        .cloned()
        .ok_or_else(|| match Standing::of_device(&modem.device) {
            Standing::Foreign | Standing::NotOurs(_) => Cause::foreign(modem.path().as_str(), &modem.device),
            _ => Cause::no_port(modem),
        })
}
