//! One modem, one run: the run locks the modem's place before it opens a port, and keeps the lock to the end.
//!
//! A run finds its modem, locks the place, and then looks at the bus again: the run that had the lock until now may have restarted the
//! modem. If the modem comes back at another place, the run locks that place too before it opens a port there.

use std::time::Duration;

use modem_world::{
    ClaimError, DiscoveryError, Instant, Interest, LockHolder, PortError, PortErrorKind, PortId, PortInfo,
    Spot, UsbPath, Wake, World,
};

use crate::modem::{DeviceId, Mode, Modem, Selector, on_pcie};
use crate::request::Verb;
use crate::told::RunWarning;
use crate::told::{Cause, Event, EventKind, Warning};

/// How often the modem may have changed while the run was locking its place.
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

    /// The same target as it is now; none if something else is there now, or nothing.
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

/// Why a run doesn't begin, and for which modem.
pub(crate) type Refused = Box<(DeviceId, Cause)>;

/// How long a run that has done nothing yet waits for the lock. If the other run has had the lock for longer than this already, the run
/// doesn't wait at all. Estimate: asking a modem takes no longer.
const LOCK_LIMIT: Duration = Duration::from_secs(10);
/// How often the run tries again to get the lock. Estimate: a script that asks a modem in a loop leaves gaps of this length, and old
/// kernels let the holder's name be asked for only 128 times.
pub(super) const LOCK_POLL: Duration = Duration::from_millis(100);

/// How long a run waits for a modem at a place that the user named. Estimate: modems take 5 to 25 s to restart into download mode, and
/// one in a boot loop appears every 10 to 15 s (linux.md §5, field-reports.md E5).
const ARRIVAL_LIMIT: Duration = Duration::from_secs(30);

/// How long after its appearance the kernel may take to make a modem's ports: 2 s under software emulation
/// (docs/kernel-lab.md), more where a driver has to be loaded from a slow medium first. Estimate.
pub(super) const PORTS_LIMIT: Duration = Duration::from_secs(10);

/// A place that a run has locked.
pub(super) struct Claimed {
    pub(super) spot: Spot,
    /// What the user asked for. Other runs read it in the lock.
    pub(super) verb: Verb,
    /// A warning that the host gives no lock.
    pub(super) doubt: Option<Warning>,
}

/// How much longer a run that has done nothing yet waits for other runs, for all modems together.
pub(crate) struct Patience<'s> {
    sink: &'s mut dyn FnMut(&Event),
    until: Instant,
    has_told: bool,
    /// Whether to wait for any other run, whatever it does: the user may mean another modem.
    pub(crate) is_for_all: bool,
    /// Until when a modem may come to the place that the user named; none: the place wasn't seen empty.
    arrival: Option<Instant>,
    /// Until when a modem that has come so may get its ports.
    ports: Option<Instant>,
}

impl<'s> Patience<'s> {
    /// The usual patience. `sink` is told once that the run waits.
    pub(crate) fn new(world: &dyn World, sink: &'s mut dyn FnMut(&Event)) -> Self {
        Self {
            sink,
            until: world.now() + LOCK_LIMIT,
            has_told: false,
            is_for_all: false,
            arrival: None,
            ports: None,
        }
    }

    /// No patience: the caller only wants to know which run has the modem.
    pub(crate) fn none(sink: &'s mut dyn FnMut(&Event)) -> Self {
        Self {
            sink,
            until: Instant::START,
            has_told: false,
            is_for_all: false,
            arrival: None,
            ports: None,
        }
    }

    /// Waits a moment for the run that has `device`.
    ///
    /// # Errors
    /// The patience is used up, or the other run will keep the modem; the user stopped.
    fn wait(&mut self, world: &mut dyn World, device: &DeviceId, holder: LockHolder) -> Result<(), Cause> {
        let now = world.now();
        let is_long = holder.held_for.is_some_and(|held| held >= LOCK_LIMIT);
        // What the other run says about itself decides only whether to wait.
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
        wait_once(world, &[], self.until.min(now + LOCK_POLL))
    }

    /// Waits a moment for a modem to come to the place that the user named: a modem that restarts leaves the place empty for a while.
    ///
    /// # Errors
    /// `cause`, if the user didn't name a place or the patience is used up; the user stopped.
    pub(crate) fn wait_for_modem(
        &mut self,
        world: &mut dyn World,
        device: &DeviceId,
        select: &Selector,
        cause: Cause,
    ) -> Result<(), Cause> {
        let (Cause::NoModem { .. }, Selector::Place(place)) = (&cause, select) else {
            return Err(cause);
        };
        // The place of a modem on PCIe never gets a modem on USB.
        if on_pcie::is_address(place) {
            return Err(cause);
        }
        let now = world.now();
        let is_first = self.arrival.is_none();
        let until = *self.arrival.get_or_insert(now + ARRIVAL_LIMIT);
        if self.until == Instant::START || now >= until {
            return Err(cause);
        }
        if is_first {
            let warning = Warning {
                code: RunWarning::PlaceEmpty.into(),
                text: format!(
                    "no modem is at {place} now; waiting up to {} s, in case the modem is restarting",
                    ARRIVAL_LIMIT.as_secs()
                ),
                confirm: false,
            };
            (self.sink)(&Event::new(now, device, EventKind::Warning { warning }));
        }
        wait_once(world, &[Interest::Bus], until)
    }

    /// Whether a modem that was waited for, or that has just come to the place that the user named, may still get its ports.
    fn has_time_for_ports(&mut self, world: &mut dyn World, found: &Target, select: &Selector) -> bool {
        let now = world.now();
        if self.until == Instant::START {
            return false;
        }
        if self.arrival.is_none() && self.ports.is_none() {
            let (Target::Modem(modem), Selector::Place(_)) = (found, select) else {
                return false;
            };
            let on_bus = world.host().time_on_bus(modem.path());
            if on_bus.is_none_or(|on_bus| on_bus >= PORTS_LIMIT) {
                return false;
            }
        }
        now < *self.ports.get_or_insert(now + PORTS_LIMIT)
    }

    /// Waits until something changes on the bus.
    fn wait_for_bus(&mut self, world: &mut dyn World) -> Result<(), Cause> {
        let until = self.ports.unwrap_or_else(|| world.now());
        wait_once(world, &[Interest::Bus], until)
    }
}

fn wait_once(world: &mut dyn World, interests: &[Interest], until: Instant) -> Result<(), Cause> {
    match world.wait(interests, until) {
        Wake::Cancelled => Err(Cause::Stopped {
            how: "stopped; it was still waiting for the modem",
        }),
        _ => Ok(()),
    }
}

/// Whether the modem is on the bus, but may still get the port through which it can be helped.
fn is_coming(target: &Target) -> bool {
    match target {
        Target::Modem(modem) => match modem.mode {
            Mode::Normal => !modem.is_complete(),
            Mode::Download => !modem.ports.has_download_driver(),
            Mode::NotConfigured => true,
            Mode::Emergency => false,
        },
        Target::Port(_) | Target::Before(_) => false,
    }
}

/// Finds the modem that the user means, and locks it. If another run only asks the modem, waits for that run to end.
///
/// # Errors
/// Those of `find`; another run has the modem. They come with the modem, if one was found.
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
            // A modem that has just come gets its ports one after the other.
            Ok(found) if is_coming(&found) && patience.has_time_for_ports(world, &found, select) => {
                patience
                    .wait_for_bus(world)
                    .map_err(|cause| refused(found.device(), cause))?;
                continue;
            }
            Ok(found) => found,
            Err(cause) => {
                let device = DeviceId::from_selection(select);
                let waited = match away(world, select, &cause) {
                    Some(holder) => patience.wait(world, &device, holder),
                    None => patience.wait_for_modem(world, &device, select, cause),
                };
                waited.map_err(|cause| refused(device, cause))?;
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

/// Locks one place. If the host gives no lock, returns a warning: the modem can still be used, because no other run is known to have
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

/// Which run has the modem that the user named by its place and that isn't there: that run may be restarting the modem.
fn away(world: &mut dyn World, select: &Selector, cause: &Cause) -> Option<LockHolder> {
    let (Cause::NoModem { .. }, Selector::Place(place)) = (cause, select) else {
        return None;
    };
    world.host().holder_of(&Spot::Socket {
        place: UsbPath::new(place.as_str()),
        peer: None,
    })
}
