//! [`LinuxWorld`]: the world of a real host.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use modem_discovery::{Received, Sysfs, UeventSocket};
use modem_world::{
    Attached, DiscoveryError, Host, HostError, Instant, Interest, PortError, PortErrorKind, PortHandle,
    PortHolder, PortId, PortInfo, PortKind, UsbPath, Wake, World,
};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::bus::Bus;
use crate::cancel::{CancelRequests, Canceller};
use crate::host::LinuxHost;
use crate::lent::Lent;
use crate::lock::Locks;
use crate::modem_manager::{ModemManager, Way};
use crate::port::{Channel, Port, node, open_alone};
use crate::proxy::Proxy;
use crate::tty::Tty;
use crate::usbfs::Usbfs;
use crate::wdm::Wdm;

/// The world of a real host.
///
/// Make this world before anything that resets a modem, because it notices changes on the bus from then on.
/// [`finish`](Self::finish) restores what was changed on the host. Dropping the world restores it too, but
/// can't report errors.
#[derive(Debug)]
pub struct LinuxWorld {
    start: std::time::Instant,
    cancel: CancelRequests,
    uevents: Option<UeventSocket>,
    ports: BTreeMap<u32, Port>,
    next_handle: u32,
    bus: Bus,
    host: LinuxHost,
}

impl LinuxWorld {
    /// The world of this host.
    ///
    /// # Errors
    /// No file descriptors are left.
    pub fn new() -> io::Result<Self> {
        Self::with_root("/")
    }

    /// A world that finds `sys`, `dev` and `proc` below `root`. For tests.
    ///
    /// # Errors
    /// No file descriptors are left.
    pub fn with_root(root: impl Into<PathBuf>) -> io::Result<Self> {
        let root = root.into();
        let sysfs = Sysfs::new(&root);
        // The socket comes before the first look at the bus, so that no change is missed in between. Without
        // the socket the bus is looked at more often.
        let uevents = UeventSocket::open().ok();
        let seen = sysfs.snapshot();
        let locks = Locks::new(&root);
        Ok(Self {
            #[expect(clippy::disallowed_methods, reason = "this is the world that has a clock")]
            start: std::time::Instant::now(),
            cancel: CancelRequests::new()?,
            uevents,
            ports: BTreeMap::new(),
            next_handle: 0,
            bus: Bus::new(seen),
            host: LinuxHost {
                root,
                lent: Lent::default(),
                sysfs,
                locks,
                power: Vec::new(),
                modem_manager: ModemManager::new()?,
                #[cfg(feature = "modem-manager")]
                bus_address: None,
                #[cfg(feature = "modem-manager")]
                awake: crate::logind::Lock::default(),
            },
        })
    }

    /// From now on each SIGINT and SIGTERM becomes one [`Wake::Cancelled`], and SIGHUP and SIGPIPE are
    /// ignored: a closed terminal doesn't stop a flash. This ends with the world.
    ///
    /// # Errors
    /// The system refuses a handler.
    pub fn handle_signals(&mut self) -> io::Result<()> {
        self.cancel.handle_signals()
    }

    /// A handle that asks this world to stop, from any thread.
    ///
    /// # Errors
    /// No file descriptors are left.
    pub fn canceller(&self) -> io::Result<Canceller> {
        self.cancel.canceller()
    }

    /// Looks for ModemManager and logind on the bus at this address instead of the system bus. For tests.
    #[cfg(feature = "modem-manager")]
    pub fn use_bus(&mut self, address: &str) {
        self.host
            .modem_manager
            .set_way(Way::Bus(Some(address.to_owned())));
        self.host.bus_address = Some(address.to_owned());
    }

    /// Asks ModemManager by its command `mmcli`, as a build without D-Bus does. `bus` is the address of the
    /// bus, or `None` for the system bus.
    pub fn use_mmcli(&mut self, bus: Option<&str>) {
        self.host
            .modem_manager
            .set_way(Way::Mmcli(bus.map(str::to_owned)));
    }

    /// Closes all ports and restores what was changed on the host.
    ///
    /// # Errors
    /// A setting can't be restored. All are tried, and the first error is returned.
    pub fn finish(mut self) -> Result<(), HostError> {
        self.close_all();
        self.host.restore()
    }

    fn insert(&mut self, port: &PortId, channel: Channel) -> PortHandle {
        let handle = PortHandle(self.next_handle);
        self.next_handle = self.next_handle.wrapping_add(1);
        let id = port.clone();
        self.ports.insert(handle.0, Port { id, channel });
        handle
    }

    fn close_all(&mut self) {
        for (handle, port) in std::mem::take(&mut self.ports) {
            port.close();
            self.host.lent.remove(&PortHandle(handle));
        }
    }

    /// Opens the interface behind this port, which its driver can't use until the port is closed.
    fn open_interface(&mut self, port: PortInfo) -> Result<PortHandle, PortErrorKind> {
        let sysfs = &self.host.sysfs;
        let device = port.device.as_ref().ok_or(PortErrorKind::NotASerialPort)?;
        let interface = port.interface.ok_or(PortErrorKind::NotASerialPort)?;
        let node = sysfs.node(device).ok_or(PortErrorKind::NotFound)?;
        let descriptors = sysfs.descriptors(&device.path).ok_or(PortErrorKind::NotFound)?;
        let channel = open_alone(sysfs, &port.id, || {
            Usbfs::open(&node, &descriptors, interface, port.driver.is_some()).map(Channel::Usbfs)
        })?;
        let handle = self.insert(&port.id, channel);
        self.host.lent.insert(handle, port);
        Ok(handle)
    }

    /// Takes all uevents from the socket. Several changes are reported as one, because the caller then looks
    /// at the bus as it is now.
    fn hear_uevents(&mut self, now: Instant) {
        while let Some(socket) = &mut self.uevents {
            match socket.receive() {
                Ok(Received::Event(event)) if event.concerns_ports() => self.bus.heard(),
                Ok(Received::Event(_)) => {}
                Ok(Received::Overrun) => self.bus.changed = true,
                Ok(Received::Nothing) => return,
                Err(_) => {
                    self.uevents = None;
                    self.bus.is_deaf_from(now);
                }
            }
        }
    }

    /// Looks at the bus itself if it is time to.
    fn look_at_bus(&mut self, now: Instant) {
        if now >= self.bus.next_look {
            let seen = self.host.sysfs.snapshot();
            self.bus.looked(seen, self.uevents.is_some(), now);
        }
    }

    /// Calls `poll` once, for at most `patience`. Returns a request to stop, or else the first port of
    /// interest that is ready.
    fn poll_ports(&self, interests: &[Interest], patience: Duration) -> Option<Wake> {
        let mut descriptors = Vec::with_capacity(interests.len() + 2);
        descriptors.push(PollFd::new(&self.cancel, PollFlags::IN));
        if let Some(socket) = &self.uevents {
            if interests.contains(&Interest::Bus) {
                descriptors.push(PollFd::new(socket, PollFlags::IN));
            }
        }
        if interests.contains(&Interest::Bus) {
            descriptors.push(PollFd::new(&self.host.modem_manager, PollFlags::IN));
        }
        let ports_from = descriptors.len();
        let mut wakes = Vec::with_capacity(interests.len());
        for interest in interests {
            let (handle, flags, wake) = match *interest {
                Interest::Readable(handle) => (handle, PollFlags::IN, Wake::Readable(handle)),
                Interest::Writable(handle) => (handle, PollFlags::OUT, Wake::Writable(handle)),
                Interest::Bus => continue,
            };
            match self.ports.get(&handle.0) {
                Some(port) if flags == PollFlags::IN && port.has_rest() => return Some(wake),
                Some(port) if flags == PollFlags::OUT && port.has_room() => return Some(wake),
                Some(port) => {
                    descriptors.push(PollFd::new(port, port.awaited(flags)));
                    wakes.push(wake);
                }
                // A port that isn't open counts as gone: reading or writing will report that.
                None => return Some(wake),
            }
        }
        let timeout = Timespec::try_from(patience).unwrap_or(Timespec {
            tv_sec: i64::from(i32::MAX),
            tv_nsec: 0,
        });
        // An interrupted poll has found nothing; the caller checks the time and calls again.
        if poll(&mut descriptors, Some(&timeout)).is_err() {
            return None;
        }
        let is_ready = |descriptor: &PollFd<'_>| !descriptor.revents().is_empty();
        if descriptors.first().is_some_and(is_ready) {
            return Some(Wake::Cancelled);
        }
        let ready = descriptors.iter().skip(ports_from).map(is_ready);
        wakes
            .iter()
            .zip(ready)
            .find(|(_, ready)| *ready)
            .map(|(wake, _)| *wake)
    }

    /// The port to try to write although `poll` doesn't report it as writable, and after how long.
    ///
    /// `poll` reports a tty as writable only when fewer than 256 bytes wait in it (`WAKEUP_CHARS` in the
    /// kernel's `n_tty.c`). A program that waits for that lets the USB driver run dry between two writes.
    /// Trying again after a millisecond keeps the driver's few buffers of 4 KiB full (linux.md §7).
    fn write_retry(&self, interests: &[Interest]) -> Option<(Duration, Wake)> {
        let retries = interests.iter().filter_map(|interest| match *interest {
            Interest::Writable(handle) => {
                Some((self.ports.get(&handle.0)?.write_retry()?, Wake::Writable(handle)))
            }
            Interest::Readable(_) | Interest::Bus => None,
        });
        retries.min_by_key(|(after, _)| *after)
    }
}

impl World for LinuxWorld {
    fn now(&self) -> Instant {
        Instant::from_start(self.start.elapsed())
    }

    fn wait(&mut self, interests: &[Interest], deadline: Instant) -> Wake {
        let watches_bus = interests.contains(&Interest::Bus);
        let mut now = self.now();
        let retry = self
            .write_retry(interests)
            .map(|(after, wake)| (now + after, wake));
        loop {
            if self.cancel.take() {
                return Wake::Cancelled;
            }
            let mut until = deadline;
            if watches_bus {
                self.hear_uevents(now);
                self.look_at_bus(now);
                // An answer of ModemManager counts as a change of the bus: the caller that waits for it waits
                // for the bus.
                self.bus.changed |= self.host.modem_manager.take_news();
                if self.bus.changed {
                    until = now;
                }
                until = until.min(self.bus.next_look);
            }
            if let Some((at, _)) = retry {
                until = until.min(at);
            }
            match self.poll_ports(interests, until.since(now)) {
                Some(Wake::Cancelled) => {
                    self.cancel.hear();
                    continue;
                }
                Some(wake) => return wake,
                None => {}
            }
            if watches_bus && std::mem::take(&mut self.bus.changed) {
                return Wake::BusChanged;
            }
            now = self.now();
            if let Some((at, wake)) = retry {
                if now >= at {
                    if let Wake::Writable(handle) = wake {
                        if let Some(port) = self.ports.get_mut(&handle.0) {
                            port.write_retry_is_over();
                        }
                    }
                    return wake;
                }
            }
            if now >= deadline {
                return Wake::Deadline;
            }
        }
    }

    fn open(&mut self, port: &PortId) -> Result<PortHandle, PortError> {
        let failed = |kind| PortError {
            port: port.clone(),
            kind,
        };
        if let Some(name) = port.as_str().strip_prefix('@') {
            let channel = Proxy::open(name).map(Channel::Proxy).map_err(failed)?;
            return Ok(self.insert(port, channel));
        }
        let known = match self.host.sysfs.find(port.as_str()) {
            Err(DiscoveryError::NotFound { .. }) => return Err(failed(PortErrorKind::NotFound)),
            Err(DiscoveryError::NotASerialPort { .. }) => return Err(failed(PortErrorKind::NotASerialPort)),
            // If the bus can't be read, opening the port shows what it is.
            Err(_) => None,
            Ok(known) => Some(known),
        };
        if self.ports.values().any(|open| open.id == *port) {
            return Err(failed(PortErrorKind::Busy {
                holder: Some(PortHolder::named("this program")),
            }));
        }
        let known = match known {
            Some(known) if known.kind == PortKind::Interface => {
                return self.open_interface(known).map_err(failed);
            }
            other => other,
        };
        let node = node(&self.host.root, port);
        let sysfs = &self.host.sysfs;
        let channel = open_alone(sysfs, port, || match &known {
            Some(known) if known.kind == PortKind::Wdm => {
                let device = known.device.as_ref();
                let descriptors = device.and_then(|device| sysfs.descriptors(&device.path));
                Wdm::open(&node, descriptors.as_deref()).map(Channel::Wdm)
            }
            _ => Tty::open(&node).map(Channel::Tty),
        });
        Ok(self.insert(port, channel.map_err(failed)?))
    }

    fn open_loader(&mut self, port: &PortInfo) -> Result<PortHandle, PortError> {
        let failed = |kind| PortError {
            port: port.id.clone(),
            kind,
        };
        let known = self.host.sysfs.find(port.id.as_str()).ok();
        let known = known.filter(|known| known.kind == PortKind::Serial && gives_bytes_as_they_are(known));
        if let Some(known) = known {
            // The name may have gone to another modem, whose driver must be left alone.
            let is_same = match (&known.device, &port.device) {
                (Some(now), Some(before)) => now.is_same_appearance(before),
                _ => false,
            };
            if !is_same {
                return Err(failed(PortErrorKind::Gone));
            }
            match self.open_interface(known) {
                Ok(handle) => return Ok(handle),
                Err(kind @ PortErrorKind::Busy { .. }) => return Err(failed(kind)),
                // The host doesn't let this program use the interface.
                Err(_) => {}
            }
        }
        self.open(&port.id)
    }

    fn try_read(&mut self, port: PortHandle, buffer: &mut [u8]) -> Result<usize, PortError> {
        let open = self.ports.get_mut(&port.0).ok_or_else(|| not_open(port))?;
        open.read(buffer).map_err(|kind| PortError {
            port: open.id.clone(),
            kind,
        })
    }

    fn try_write(&mut self, port: PortHandle, bytes: &[u8]) -> Result<usize, PortError> {
        let open = self.ports.get_mut(&port.0).ok_or_else(|| not_open(port))?;
        open.write(bytes).map_err(|kind| PortError {
            port: open.id.clone(),
            kind,
        })
    }

    fn largest_write(&mut self, port: PortHandle) -> usize {
        self.ports.get(&port.0).map_or(usize::MAX, Port::largest_write)
    }

    fn close(&mut self, port: PortHandle) {
        if let Some(open) = self.ports.remove(&port.0) {
            open.close();
            self.host.lent.remove(&port);
        }
    }

    fn find(&mut self, name: &str) -> Result<PortInfo, DiscoveryError> {
        self.host.sysfs.find(name).or_else(|error| {
            let lent = self.host.lent.find(name, &self.host.sysfs);
            lent.ok_or(error)
        })
    }

    fn devices(&mut self) -> Result<Vec<Attached>, DiscoveryError> {
        let mut devices = self.host.sysfs.devices()?;
        devices.iter_mut().for_each(|there| self.host.lent.add_to(there));
        Ok(devices)
    }

    fn device_at(&mut self, place: &UsbPath) -> Result<Option<Attached>, DiscoveryError> {
        let mut there = self.host.sysfs.device_at(place)?;
        there.iter_mut().for_each(|there| self.host.lent.add_to(there));
        Ok(there)
    }

    fn host(&mut self) -> &mut dyn Host {
        &mut self.host
    }
}

impl Drop for LinuxWorld {
    fn drop(&mut self) {
        self.close_all();
        // The last resort of a run that ended without `finish`: an unreported error is better than a host
        // that stays changed.
        let _ = self.host.restore();
    }
}

/// Whether the driver of a serial port passes the bytes of the interface on as they are. Others put their own bytes in between.
fn gives_bytes_as_they_are(port: &PortInfo) -> bool {
    let drivers = [
        "qcserial",
        "option",
        "option1",
        "sierra",
        "usbserial_generic",
        "qcaux",
    ];
    let own = port.driver.as_deref();
    own.is_some_and(|own| drivers.contains(&own))
}

fn not_open(port: PortHandle) -> PortError {
    PortError {
        port: PortId::new(format!("port {} (not open)", port.0)),
        kind: PortErrorKind::Gone,
    }
}
