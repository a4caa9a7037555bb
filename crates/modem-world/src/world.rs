//! The trait that both worlds implement.

use crate::{
    Attached, ClaimError, DiscoveryError, HostError, Instant, LockHolder, PortError, PortId, PortInfo, Spot,
    UsbPath,
};

/// What the engine may ask of the world.
pub trait World {
    /// The present moment. It doesn't go backwards and doesn't jump when the system's clock is set.
    fn now(&self) -> Instant;

    /// Waits until something of interest happens, or until `deadline`. The only call that waits.
    ///
    /// It may return early for no reason that the caller can see; callers look again. A port that has gone is
    /// readable and writable: reading or writing it then says so. Of several things that have happened the first one in
    /// `interests` is returned. A cancellation is returned once for each time it
    /// was asked for, also when that was before the call. A bus change is returned also when it happened before the
    /// call; changes that came together may be returned as one.
    fn wait(&mut self, interests: &[Interest], deadline: Instant) -> Wake;

    /// Opens a port of any kind. A serial port is opened for exclusive use, raw: no echo, no line editing, no flow
    /// control, nothing flushed. An id that starts with `@` is a socket without a file: `@qmi-proxy`.
    ///
    /// # Errors
    /// [`PortErrorKind::Busy`](crate::PortErrorKind::Busy) names the holder when that can be found out.
    fn open(&mut self, port: &PortId) -> Result<PortHandle, PortError>;

    /// Reads what is there. `Ok(0)` means that nothing is there now.
    ///
    /// # Errors
    /// [`PortErrorKind::Gone`](crate::PortErrorKind::Gone) when the port has gone.
    fn try_read(&mut self, port: PortHandle, buffer: &mut [u8]) -> Result<usize, PortError>;

    /// Writes as much as the port takes now, from the start of `bytes`. `Ok(0)` means that it takes nothing now.
    ///
    /// # Errors
    /// [`PortErrorKind::Gone`](crate::PortErrorKind::Gone) when the port has gone.
    fn try_write(&mut self, port: PortHandle, bytes: &[u8]) -> Result<usize, PortError>;

    /// The most bytes that one write to this port may have: a whole message on a control port
    /// (`IOCTL_WDM_MAX_COMMAND`, mbim.md §3), `usize::MAX` on a serial port. On a control port a write takes its message as a
    /// whole or not at all.
    fn largest_write(&mut self, port: PortHandle) -> usize;

    /// Closes a port without waiting for unsent bytes. A handle that isn't open is ignored.
    fn close(&mut self, port: PortHandle);

    /// The port that a user means by `name`: a device node or a link to one, such as `/dev/serial/by-id/…`.
    ///
    /// # Errors
    /// Nothing there, not a port of a modem, no permission to look.
    fn find(&mut self, name: &str) -> Result<PortInfo, DiscoveryError>;

    /// All USB devices that are there now, hubs left out, with their ports; in the order of their places.
    ///
    /// # Errors
    /// The bus can't be read.
    fn devices(&mut self) -> Result<Vec<Attached>, DiscoveryError>;

    /// The device at one place, as [`devices`](Self::devices) has it. Cheaper than all, for whoever follows one modem among many.
    ///
    /// # Errors
    /// The bus can't be read.
    fn device_at(&mut self, place: &UsbPath) -> Result<Option<Attached>, DiscoveryError> {
        let mut devices = self.devices()?.into_iter();
        Ok(devices.find(|there| there.device.path == *place))
    }

    /// What else the engine may ask of this host.
    fn host(&mut self) -> &mut dyn Host;
}

/// So that a wrapper can stand before a world that somebody else owns.
impl<W: World + ?Sized> World for &mut W {
    fn now(&self) -> Instant {
        (**self).now()
    }
    fn wait(&mut self, interests: &[Interest], deadline: Instant) -> Wake {
        (**self).wait(interests, deadline)
    }
    fn open(&mut self, port: &PortId) -> Result<PortHandle, PortError> {
        (**self).open(port)
    }
    fn try_read(&mut self, port: PortHandle, buffer: &mut [u8]) -> Result<usize, PortError> {
        (**self).try_read(port, buffer)
    }
    fn try_write(&mut self, port: PortHandle, bytes: &[u8]) -> Result<usize, PortError> {
        (**self).try_write(port, bytes)
    }
    fn largest_write(&mut self, port: PortHandle) -> usize {
        (**self).largest_write(port)
    }
    fn close(&mut self, port: PortHandle) {
        (**self).close(port);
    }
    fn find(&mut self, name: &str) -> Result<PortInfo, DiscoveryError> {
        (**self).find(name)
    }
    fn devices(&mut self) -> Result<Vec<Attached>, DiscoveryError> {
        (**self).devices()
    }
    fn device_at(&mut self, place: &UsbPath) -> Result<Option<Attached>, DiscoveryError> {
        (**self).device_at(place)
    }
    fn host(&mut self) -> &mut dyn Host {
        (**self).host()
    }
}

/// The few things that the engine may ask of the host.
pub trait Host {
    /// Takes a modem's spot for this world, so that no other run of this program works on it; `verb` is what the user asked for
    /// (`update`). Returns at once. The lock stays over every enumeration of the modem, until [`unclaim`](Self::unclaim) or the end
    /// of this world, however its process ends. What this world has already it keeps; ask again when the modem is back on the bus.
    ///
    /// # Errors
    /// Another world or process has it: nothing was taken by this call. Or the host gives no lock for one of its places: what it does
    /// give is taken.
    fn claim(&mut self, spot: &Spot, verb: &str) -> Result<(), ClaimError>;

    /// Gives a spot back. One that this world doesn't have is ignored.
    fn unclaim(&mut self, spot: &Spot);

    /// Who has the spot, this world left out; none where nobody has it or nobody can be seen. Takes nothing, not even for a moment.
    fn holder_of(&mut self, spot: &Spot) -> Option<LockHolder>;

    /// Has the host configure a USB device anew: its ports have gone then, and come again. The device keeps its place and
    /// number, unless it leaves the bus for a moment by itself.
    ///
    /// # Errors
    /// No permission, or the host can't do it.
    fn re_enumerate(&mut self, device: &UsbPath) -> Result<(), HostError>;

    /// Keeps a USB device from being suspended, until it leaves the bus or the run ends.
    ///
    /// # Errors
    /// No permission, or the host can't do it.
    fn keep_awake(&mut self, device: &UsbPath) -> Result<(), HostError>;

    /// Asks ModemManager to let go of the device at this place, for as long as this world lives or until
    /// [`release`](Self::release). Returns at once; ask again while it is [`Inhibition::Pending`], with
    /// [`World::wait`] in between.
    fn inhibit(&mut self, device: &UsbPath) -> Inhibition;

    /// Gives the device at this place back to ModemManager.
    fn release(&mut self, device: &UsbPath);

    /// Keeps the host from going to sleep or shutting down until this world ends; `why` is shown to who asks for it.
    ///
    /// # Errors
    /// Nothing on this host can do it, or it refuses.
    fn stay_awake(&mut self, why: &str) -> Result<(), HostError>;

    /// Whether a driver of this host will make a serial port of a modem that comes in download mode with this id. Looks at
    /// the host alone; no such device need be there.
    fn will_bind(&mut self, vendor: u16, product: u16) -> Binding;
}

/// Whether the host will make a serial port of a modem in download mode with a certain USB id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Binding {
    /// A driver of this host takes such a device.
    Binds,
    /// No driver of this host takes such a device: all its tables were read, and the id is in none.
    WontBind,
    /// It can't be told.
    Unknown {
        /// Why, in words.
        why: String,
    },
}

/// What ModemManager says when it is asked to let go of a modem (linux.md §6).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Inhibition {
    /// Nothing like it runs.
    NotNeeded,
    /// It runs but doesn't know the device, or not yet: it tells of a modem only when it has probed it.
    Unknown,
    /// It was asked and hasn't answered yet.
    Pending,
    /// It keeps away from the device.
    Granted,
    /// It can't be asked.
    Impossible {
        /// Why.
        why: String,
        /// What the user can do, as a sentence.
        help: String,
    },
}

/// An open port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PortHandle(pub u32);

/// Something to wait for. Cancellation is always waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Interest {
    /// The port has bytes, or has gone.
    Readable(PortHandle),
    /// The port takes bytes, or has gone.
    Writable(PortHandle),
    /// A device joined or left the bus, or got or lost a port. A world sees that within half a second also where the host
    /// tells of no changes; within five where it tells of some.
    Bus,
}

/// Why [`World::wait`] returned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Wake {
    /// The port has bytes, or has gone.
    Readable(PortHandle),
    /// The port takes bytes, or has gone.
    Writable(PortHandle),
    /// A device joined or left the bus, got or lost a port, or may have done so.
    BusChanged,
    /// The user asked to stop (Ctrl-C, SIGTERM).
    Cancelled,
    /// The deadline has passed.
    Deadline,
}
