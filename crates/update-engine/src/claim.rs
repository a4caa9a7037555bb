//! One modem, one run: its place is locked before any of its ports is opened, and stays so to the end.
//!
//! A run finds its modem, claims its place, and looks again: whoever had it until now may have restarted it, so that what was
//! found is no longer true. A modem that comes back at another place has that place claimed too, before its port is opened.

use modem_world::{
    Attached, ClaimError, DiscoveryError, PortError, PortErrorKind, PortId, Spot, UsbPath, World,
};

use crate::run::Run;
use crate::{Cause, DeviceId, Selector};

/// How often what was found may have changed while its place was being claimed.
const LOOKS: u8 = 3;

/// What a selection leads to.
pub(crate) trait Found: Sized {
    /// Where it is.
    fn spot(&self) -> Spot;
    /// What it is called.
    fn device(&self) -> DeviceId;
    /// The same as it is now; none when that is something else, or nothing.
    fn again(&self, world: &mut dyn World) -> Result<Option<Self>, DiscoveryError>;
}

/// Finds what is meant, and keeps other runs away from it.
///
/// # Errors
/// `find`'s; another run has it. With the modem, where one was found.
pub(crate) fn find<T: Found>(
    world: &mut dyn World,
    verb: &str,
    select: &Selector,
    mut find: impl FnMut(&mut dyn World) -> Result<T, Cause>,
) -> Result<(T, Spot), Box<(DeviceId, Cause)>> {
    let refused = |device: DeviceId, cause: Cause| Box::new((device, cause));
    let mut looks = 0_u8;
    loop {
        let found = find(world)
            .map_err(|cause| refused(DeviceId::from_selection(select), away(world, select, cause)))?;
        let (spot, device) = (found.spot(), found.device());
        if let Err(cause) = claim(world, &spot, verb) {
            return Err(refused(device, cause));
        }
        looks = looks.saturating_add(1);
        match found.again(world) {
            Ok(Some(now)) => return Ok((now, spot)),
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

/// Claims one place.
pub(crate) fn claim(world: &mut dyn World, spot: &Spot, verb: &str) -> Result<(), Cause> {
    world.host().claim(spot, verb).map_err(|error| match error {
        ClaimError::Held(holder) => Cause::Locked { holder },
        ClaimError::Io { call, errno } => Cause::Port(PortError {
            port: PortId::new(spot.to_string()),
            kind: PortErrorKind::Io { call, errno },
        }),
    })
}

/// Why the modem that was named by its place isn't there: another run may be restarting it.
fn away(world: &mut dyn World, select: &Selector, cause: Cause) -> Cause {
    let (Cause::NoModem { .. }, Selector::Place(place)) = (&cause, select) else {
        return cause;
    };
    let spot = Spot::Socket {
        place: UsbPath::new(place.as_str()),
        peer: None,
    };
    match world.host().holder_of(&spot) {
        Some(holder) => Cause::Locked { holder },
        None => cause,
    }
}

/// The device as it is now; none when another appearance of it is there, or nothing.
pub(crate) fn same_appearance(
    world: &mut dyn World,
    device: &modem_world::UsbDevice,
) -> Result<Option<Attached>, DiscoveryError> {
    let there = world.device_at(&device.path)?;
    Ok(there.filter(|there| there.device.is_same_appearance(device)))
}

impl Run<'_> {
    /// Has this place, too, as long as the run lasts.
    ///
    /// # Errors
    /// Another run has it.
    pub(crate) fn claim(&mut self, spot: &Spot) -> Result<(), Cause> {
        claim(self.world, spot, self.verb)?;
        if !self.claimed.contains(spot) {
            self.claimed.push(spot.clone());
        }
        Ok(())
    }

    /// Gives back all places; the run is over, and its ports are closed.
    pub(crate) fn unclaim(&mut self) {
        for spot in std::mem::take(&mut self.claimed) {
            self.world.host().unclaim(&spot);
        }
    }
}
