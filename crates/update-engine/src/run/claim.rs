//! One modem, one run: its place is locked before any of its ports is opened, and stays so to the end.
//!
//! A run finds its modem, claims its place, and looks again: whoever had it until now may have restarted it, so that what was
//! found is no longer true. A modem that comes back at another place has that place claimed too, before its port is opened.

use std::time::Duration;

use modem_world::{
    ClaimError, DiscoveryError, Instant, LockHolder, PortError, PortErrorKind, PortId, PortInfo, Spot,
    UsbPath, Wake, World,
};

use crate::modem::{DeviceId, Modem, Selector};
use crate::request::Verb;
use crate::told::RunWarning;
use crate::told::{Cause, Event, EventKind, Warning};

/// How often what was found may have changed while its place was being claimed.
const LOOKS: u8 = 3;

/// What the user's selection leads to.
pub(crate) enum Target {
    /// A modem on the bus.
    Modem(Box<Modem>),
    /// A port behind which no modem is known to be: a pseudo-terminal, or a foreign device.
    Port(PortInfo),
    /// A modem that was at this port when another run ended. Where it is now is found out later.
    Before(PortInfo),
}

impl Target {
    /// The place to keep other runs away from.
    fn spot(&self) -> Spot {
        match self {
            Self::Modem(modem) => Spot::of_device(&modem.device),
            Self::Port(port) | Self::Before(port) => Spot::of_port(port),
        }
    }

    /// What it is called.
    pub(super) fn device(&self) -> DeviceId {
        match self {
            Self::Modem(modem) => DeviceId::from_modem(modem),
            Self::Port(port) | Self::Before(port) => DeviceId::from_port(port, None),
        }
    }

    /// The modem's name, where it is one.
    pub(super) fn name(&self) -> Option<String> {
        match self {
            Self::Modem(modem) => Some(modem.name()),
            Self::Port(_) | Self::Before(_) => None,
        }
    }

    /// The same as it is now; none when that is something else, or nothing.
    fn again(&self, world: &mut dyn World) -> Result<Option<Self>, DiscoveryError> {
        match self {
            Self::Modem(modem) => {
                let there = world.device_at(modem.path())?;
                let there = there.filter(|there| there.device.is_same_appearance(&modem.device));
                Ok(there.map(|there| {
                    let now = Modem::of(there.clone()).unwrap_or_else(|| Modem::whatever(there, modem.row));
                    Self::Modem(Box::new(now))
                }))
            }
            Self::Before(port) => Ok(Some(Self::Before(port.clone()))),
            Self::Port(port) => {
                let now = world.find(port.id.as_str())?;
                let device = |port: &PortInfo| {
                    port.device
                        .as_ref()
                        .map(|device| (device.path.clone(), device.number))
                };
                Ok((device(&now) == device(port)).then_some(Self::Port(now)))
            }
        }
    }
}

/// Why a run doesn't begin, with the modem, where one was found.
pub(crate) type Refused = Box<(DeviceId, Cause)>;

/// How long a run that has done nothing yet waits for the lock, and how long another run may have had it to be worth waiting for.
/// Estimate: no modem is asked for longer.
const LOCK_LIMIT: Duration = Duration::from_secs(10);
/// How often a lock that another run has is tried again. Estimate: a loop that asks a modem again and again leaves such gaps, and
/// the holder's name can be asked for 128 times on old kernels.
pub(super) const LOCK_POLL: Duration = Duration::from_millis(100);

/// A place that a run has.
pub(super) struct Claimed {
    pub(super) spot: Spot,
    /// What the user asked for, as other runs are told.
    pub(super) verb: Verb,
    /// That the host gives no lock.
    pub(super) doubt: Option<Warning>,
}

/// How long a run that has done nothing yet still waits for other runs, all modems taken together.
pub(crate) struct Patience<'s> {
    sink: &'s mut dyn FnMut(&Event),
    until: Instant,
    has_told: bool,
    /// Whether whoever has a modem is waited for: it may not be the one that is meant.
    pub(crate) is_for_all: bool,
}

impl<'s> Patience<'s> {
    /// As long as is sensible; `sink` is told once that it waits.
    pub(crate) fn new(world: &dyn World, sink: &'s mut dyn FnMut(&Event)) -> Self {
        Self {
            sink,
            until: world.now() + LOCK_LIMIT,
            has_told: false,
            is_for_all: false,
        }
    }

    /// None: who has the modem is what is to be known.
    pub(crate) fn none(sink: &'s mut dyn FnMut(&Event)) -> Self {
        Self {
            sink,
            until: Instant::START,
            has_told: false,
            is_for_all: false,
        }
    }

    /// Waits a moment for who has `device`.
    ///
    /// # Errors
    /// It has waited long enough, or it isn't worth it; the user stopped.
    fn wait(&mut self, world: &mut dyn World, device: &DeviceId, holder: LockHolder) -> Result<(), Cause> {
        let now = world.now();
        let is_long = holder.held_for.is_some_and(|held| held >= LOCK_LIMIT);
        // What the holder says of itself decides nothing but this wait.
        let verb = holder.verb.as_deref().and_then(Verb::of_word);
        let is_asking = verb.is_some_and(Verb::only_asks);
        if is_long || now >= self.until || !(is_asking || self.is_for_all) {
            return Err(Cause::locked(holder));
        }
        if !std::mem::replace(&mut self.has_told, true) {
            let warning = Warning {
                code: RunWarning::LockWait.into(),
                text: format!("waits up to {} s for the modem: {holder}", LOCK_LIMIT.as_secs()),
                confirm: false,
            };
            (self.sink)(&Event::new(now, device, EventKind::Warning { warning }));
        }
        match world.wait(&[], self.until.min(now + LOCK_POLL)) {
            Wake::Cancelled => Err(Cause::Stopped {
                how: "stopped; it was still waiting for the modem",
            }),
            _ => Ok(()),
        }
    }
}

/// Finds what is meant, and keeps other runs away from it. What another run has only for a moment is waited for.
///
/// # Errors
/// `find`'s; another run has it. With the modem, where one was found.
pub(super) fn find(
    world: &mut dyn World,
    verb: Verb,
    select: &Selector,
    patience: &mut Patience<'_>,
    mut find: impl FnMut(&mut dyn World, &mut Patience<'_>) -> Result<Target, Cause>,
) -> Result<(Target, Claimed), Refused> {
    let refused = |device: DeviceId, cause: Cause| Box::new((device, cause));
    let mut looks = 0_u8;
    loop {
        let found = match find(world, patience) {
            Ok(found) => found,
            Err(cause) => {
                let device = DeviceId::from_selection(select);
                let Some(holder) = away(world, select, &cause) else {
                    return Err(refused(device, cause));
                };
                patience
                    .wait(world, &device, holder)
                    .map_err(|cause| refused(device, cause))?;
                continue;
            }
        };
        let (spot, device) = (found.spot(), found.device());
        let doubt = loop {
            match claim(world, &spot, verb) {
                Ok(doubt) => break doubt,
                Err(holder) => patience
                    .wait(world, &device, holder)
                    .map_err(|cause| refused(device.clone(), cause))?,
            }
        };
        looks = looks.saturating_add(1);
        match found.again(world) {
            Ok(Some(now)) => return Ok((now, Claimed { spot, verb, doubt })),
            Ok(None) => world.host().unclaim(&spot),
            Err(error) => {
                world.host().unclaim(&spot);
                return Err(refused(device, error.into()));
            }
        }
        if looks >= LOOKS {
            let port = PortId::new(spot.to_string());
            let kind = PortErrorKind::Gone;
            return Err(refused(device, Cause::Port(PortError { port, kind })));
        }
    }
}

/// Claims one place. Where the host gives no lock that is said, and the modem can be used all the same: no other run is known to have
/// it.
pub(super) fn claim(world: &mut dyn World, spot: &Spot, verb: Verb) -> Result<Option<Warning>, LockHolder> {
    match world.host().claim(spot, verb.word()) {
        Ok(()) => Ok(None),
        Err(ClaimError::Held(holder)) => Err(holder),
        Err(ClaimError::Io { call, errno }) => Ok(Some(Warning {
            code: RunWarning::LockUnknown.into(),
            text: format!(
                "this host gives no lock for {spot} ({call}: error {errno}), so another run of modemflash isn't kept away from it; start none \
                 meanwhile"
            ),
            confirm: false,
        })),
    }
}

/// Who has the modem that was named by its place and isn't there: another run may be restarting it.
fn away(world: &mut dyn World, select: &Selector, cause: &Cause) -> Option<LockHolder> {
    let (Cause::NoModem { .. }, Selector::Place(place)) = (cause, select) else {
        return None;
    };
    world.host().holder_of(&Spot::Socket {
        place: UsbPath::new(place.as_str()),
        peer: None,
    })
}
