//! The trait that both worlds implement.

use std::time::Duration;

use crate::{
    Attached, ClaimError, DiscoveryError, HostError, Instant, LockHolder, PciModem, PortError, PortId,
    PortInfo, Spot, UsbPath,
};

/// What the engine may ask of the world.
pub trait World {
    /// The present moment. Time never goes backwards, and setting the system's clock doesn't make it jump.
    fn now(&self) -> Instant;

    /// Waits until something of interest happens, or until `deadline`. The only call that waits.
    ///
    /// The call may return early for no reason that the caller can see, so callers check again. A port that
    /// has gone counts as readable and writable; reading or writing then reports that it has gone. If several
    /// things have happened, the first one in `interests` is returned. Each request to cancel is returned
    /// once, even if it came before the call. A bus change is also returned if it happened before the call;
    /// several changes may be returned as one.
    fn wait(&mut self, interests: &[Interest], deadline: Instant) -> Wake;

    /// Opens a port of any kind. A serial port is opened for exclusive use and in raw mode: no echo, no line
    /// editing, no flow control, nothing flushed. An id that starts with `@` is a socket without a file:
    /// `@qmi-proxy`.
    ///
    /// # Errors
    /// [`PortErrorKind::Busy`](crate::PortErrorKind::Busy) names the holder if it can be found out.
    fn open(&mut self, port: &PortId) -> Result<PortHandle, PortError>;

    /// Opens the port of a boot loader that may speak as soon as somebody reads. A tty in its usual settings echoes these bytes to the
    /// modem before anyone can stop it (linux.md, "The tty's echo at the first open"). So where the host lets this program use
    /// the USB interface itself, the tty's driver is set aside until the port is closed. Elsewhere this is
    /// [`open`](Self::open). A name that belongs to another device by now is not opened.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    fn open_loader(&mut self, port: &PortInfo) -> Result<PortHandle, PortError>;

    /// Reads what is there. `Ok(0)` means that there is nothing to read now.
    ///
    /// # Errors
    /// [`PortErrorKind::Gone`](crate::PortErrorKind::Gone) when the port has gone.
    fn try_read(&mut self, port: PortHandle, buffer: &mut [u8]) -> Result<usize, PortError>;

    /// Writes as much as the port takes now, from the start of `bytes`. `Ok(0)` means that the port takes
    /// nothing now.
    ///
    /// # Errors
    /// [`PortErrorKind::Gone`](crate::PortErrorKind::Gone) when the port has gone.
    fn try_write(&mut self, port: PortHandle, bytes: &[u8]) -> Result<usize, PortError>;

    /// The largest number of bytes that one write to this port may have. On a control port a write is a whole
    /// message (`IOCTL_WDM_MAX_COMMAND`, mbim.md §3), which the port takes completely or not at all. A serial
    /// port has no limit: `usize::MAX`.
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

    /// The device at one place, as [`devices`](Self::devices) reports it. This is cheaper than listing all
    /// devices when the caller follows one modem among many.
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

/// Lets a wrapper stand in front of a world that it doesn't own.
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
    fn open_loader(&mut self, port: &PortInfo) -> Result<PortHandle, PortError> {
        (**self).open_loader(port)
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
    /// Locks a modem's spot for this world, so that no other run of this program works on the modem. `verb`
    /// is what the user asked for (`update`). Returns at once. The lock outlasts every enumeration of the
    /// modem, until [`unclaim`](Self::unclaim) or the end of this world, however its process ends. Places
    /// that this world has already locked stay locked. Call it again when the modem is back on the bus.
    ///
    /// # Errors
    /// Another world or process has the spot: then this call locked nothing. Or the host can't lock one of
    /// the places: the locks that the host can give are then held.
    fn claim(&mut self, spot: &Spot, verb: &str) -> Result<(), ClaimError>;

    /// Gives a spot back. A spot that this world hasn't claimed is ignored.
    fn unclaim(&mut self, spot: &Spot);

    /// The run that has the spot, other than this world; `None` if there is no such run or it can't be seen.
    /// Never takes the lock, not even for a moment.
    fn holder_of(&mut self, spot: &Spot) -> Option<LockHolder>;

    /// Makes the host configure a USB device anew, so that its ports go away and come back. The device keeps
    /// its place and number, unless it leaves the bus for a moment by itself.
    ///
    /// # Errors
    /// No permission, or the host can't do it.
    fn re_enumerate(&mut self, device: &UsbPath) -> Result<(), HostError>;

    /// How long a USB device has been connected to this host; `None` if the host doesn't know. A device that is only configured
    /// anew ([`re_enumerate`](Self::re_enumerate)) stays connected.
    fn time_on_bus(&mut self, device: &UsbPath) -> Option<Duration>;

    /// Keeps a USB device from being suspended, until it leaves the bus or the run ends.
    ///
    /// # Errors
    /// No permission, or the host can't do it.
    fn keep_awake(&mut self, device: &UsbPath) -> Result<(), HostError>;

    /// Asks ModemManager to let go of the device at this place, for as long as this world lives or until
    /// [`release`](Self::release). Returns at once. While the answer is [`Inhibition::Pending`], the caller
    /// asks again, with [`World::wait`] in between.
    fn inhibit(&mut self, device: &UsbPath) -> Inhibition;

    /// Gives the device at this place back to ModemManager.
    fn release(&mut self, device: &UsbPath);

    /// Keeps the host from going to sleep or shutting down until this world ends. The host shows `why` to
    /// anyone who tries either.
    ///
    /// # Errors
    /// The host has no service for this, or the service refuses.
    fn stay_awake(&mut self, why: &str) -> Result<(), HostError>;

    /// Whether a driver of this host will make a serial port of a modem that comes in download mode with this
    /// id. The answer comes from the host alone; the device needn't be there.
    fn will_bind(&mut self, vendor: u16, product: u16) -> Binding;

    /// The Sierra Wireless modems on PCIe, in the order of their places. A host without PCIe has none.
    ///
    /// # Errors
    /// The bus can't be read.
    fn pci_modems(&mut self) -> Result<Vec<PciModem>, DiscoveryError> {
        Ok(Vec::new())
    }
}

/// Whether the host will make a serial port of a modem in download mode with a certain USB id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Binding {
    /// A driver of this host takes such a device.
    Binds,
    /// No driver of this host takes such a device: all the driver tables were read, and none has the id.
    WontBind,
    /// The host can't tell.
    Unknown {
        /// Why, in words.
        why: String,
    },
}

/// ModemManager's answer when it is asked to let go of a modem (linux.md §6).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Inhibition {
    /// ModemManager isn't running.
    NotNeeded,
    /// ModemManager runs but doesn't know the device, or doesn't know it yet: it publishes a modem only after
    /// probing it.
    Unknown,
    /// ModemManager was asked and hasn't answered yet.
    Pending,
    /// ModemManager keeps away from the device.
    Granted,
    /// ModemManager can't be asked.
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
    /// A device joined or left the bus, or gained or lost a port. A world notices this within half a second
    /// if the host reports no changes, and within five seconds if the host reports some but misses this one.
    Bus,
}

/// Why [`World::wait`] returned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Wake {
    /// The port has bytes, or has gone.
    Readable(PortHandle),
    /// The port takes bytes, or has gone.
    Writable(PortHandle),
    /// A device joined or left the bus, gained or lost a port, or may have done so.
    BusChanged,
    /// The user asked to stop (Ctrl-C, SIGTERM).
    Cancelled,
    /// The deadline has passed.
    Deadline,
}
