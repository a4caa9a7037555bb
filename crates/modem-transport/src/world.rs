//! [`LinuxWorld`]: the world of a real host.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use modem_discovery::{PowerBefore, Received, Sysfs, UeventSocket};
use modem_world::{
    Attached, Binding, ClaimError, DiscoveryError, Host, HostError, Inhibition, Instant, Interest,
    LockHolder, PciModem, PortError, PortErrorKind, PortHandle, PortHolder, PortId, PortInfo, PortKind, Spot,
    UsbPath, Wake, World,
};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::bus::Bus;
use crate::cancel::{CancelRequests, Canceller};
use crate::lock::Locks;
use crate::modem_manager::{ModemManager, Way};
use crate::port::{Channel, Port};
use crate::proxy::Proxy;
use crate::tty::Tty;
use crate::wdm::Wdm;

/// The world of a real host.
///
/// Make this world before anything that resets a modem, because it notices changes on the bus from then on.
/// [`finish`](Self::finish) restores what was changed on the host. Dropping the world restores it too, but
/// can't report errors.
#[derive(Debug)]
pub struct LinuxWorld {
    root: PathBuf,
    start: std::time::Instant,
    cancel: CancelRequests,
    uevents: Option<UeventSocket>,
    ports: BTreeMap<u32, Port>,
    next_handle: u32,
    bus: Bus,
    host: LinuxHost,
}

/// Sysfs, the services of the host, and what this run has changed or holds there.
#[derive(Debug)]
struct LinuxHost {
    sysfs: Sysfs,
    locks: Locks,
    power: Vec<PowerBefore>,
    modem_manager: ModemManager,
    #[cfg(feature = "modem-manager")]
    bus_address: Option<String>,
    #[cfg(feature = "modem-manager")]
    awake: crate::logind::Lock,
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
            root,
            #[expect(clippy::disallowed_methods, reason = "this is the world that has a clock")]
            start: std::time::Instant::now(),
            cancel: CancelRequests::new()?,
            uevents,
            ports: BTreeMap::new(),
            next_handle: 0,
            bus: Bus::new(seen),
            host: LinuxHost {
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
        for (_, port) in std::mem::take(&mut self.ports) {
            port.close();
        }
    }

    fn node(&self, port: &PortId) -> PathBuf {
        let name = Path::new(port.as_str());
        self.root.join(name.strip_prefix("/").unwrap_or(name))
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
                Some(port) => {
                    descriptors.push(PollFd::new(port, flags));
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
        let node = self.node(port);
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
        }
    }

    fn find(&mut self, name: &str) -> Result<PortInfo, DiscoveryError> {
        self.host.sysfs.find(name)
    }

    fn devices(&mut self) -> Result<Vec<Attached>, DiscoveryError> {
        self.host.sysfs.devices()
    }

    fn device_at(&mut self, place: &UsbPath) -> Result<Option<Attached>, DiscoveryError> {
        self.host.sysfs.device_at(place)
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

impl LinuxHost {
    fn restore(&mut self) -> Result<(), HostError> {
        let mut result = Ok(());
        for before in self.power.drain(..).rev() {
            let restored = self.sysfs.restore_power(&before);
            result = result.and(restored);
        }
        self.locks.give_all_back();
        result
    }
}

impl Host for LinuxHost {
    fn claim(&mut self, spot: &Spot, verb: &str) -> Result<(), ClaimError> {
        self.locks.take(&self.sysfs.lock_points(spot), verb)
    }

    fn unclaim(&mut self, spot: &Spot) {
        self.locks.give_back(&self.sysfs.lock_points(spot));
    }

    fn holder_of(&mut self, spot: &Spot) -> Option<LockHolder> {
        self.locks.holder_of(&self.sysfs.lock_points(spot))
    }

    fn re_enumerate(&mut self, device: &UsbPath) -> Result<(), HostError> {
        self.sysfs.re_enumerate(device)
    }

    fn time_on_bus(&mut self, device: &UsbPath) -> Option<Duration> {
        self.sysfs.time_on_bus(device)
    }

    fn keep_awake(&mut self, device: &UsbPath) -> Result<(), HostError> {
        self.power.extend(self.sysfs.keep_awake(device)?);
        Ok(())
    }

    fn inhibit(&mut self, device: &UsbPath) -> Inhibition {
        self.modem_manager.inhibit(&self.sysfs, device)
    }

    fn release(&mut self, device: &UsbPath) {
        self.modem_manager.release(&self.sysfs, device);
    }

    fn will_bind(&mut self, vendor: u16, product: u16) -> Binding {
        self.sysfs.will_bind(vendor, product)
    }

    fn pci_modems(&mut self) -> Result<Vec<PciModem>, DiscoveryError> {
        self.sysfs.pci_modems()
    }

    #[cfg(feature = "modem-manager")]
    fn stay_awake(&mut self, why: &str) -> Result<(), HostError> {
        self.awake.take(self.bus_address.clone(), why)
    }

    #[cfg(not(feature = "modem-manager"))]
    fn stay_awake(&mut self, _: &str) -> Result<(), HostError> {
        Err(HostError::NoService {
            service: "systemd-logind".to_owned(),
        })
    }
}

/// Opens a port if no other program has it open.
fn open_alone(
    sysfs: &Sysfs,
    port: &PortId,
    open: impl FnOnce() -> Result<Channel, PortErrorKind>,
) -> Result<Channel, PortErrorKind> {
    let own_process = std::process::id();
    let busy = || {
        let holder = sysfs.holder(port, own_process)?;
        Some(PortErrorKind::Busy { holder: Some(holder) })
    };
    // Checked before opening, because root can open a port that another program uses, and such a port mustn't
    // be touched.
    if let Some(busy) = busy() {
        return Err(busy);
    }
    let channel = open()?;
    // Checked again, because another program may have opened the port in between. Nothing has been written
    // yet.
    match busy() {
        Some(busy) => {
            channel.close();
            Err(busy)
        }
        None => Ok(channel),
    }
}

fn not_open(port: PortHandle) -> PortError {
    PortError {
        port: PortId::new(format!("port {} (not open)", port.0)),
        kind: PortErrorKind::Gone,
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

    use super::*;

    #[test]
    fn a_program_that_opened_the_port_at_the_same_time_is_seen_before_the_first_byte() {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
        rustix::io::ioctl_fionbio(&master, true).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        let name = ptsname(&master, Vec::new()).unwrap().into_string().unwrap();
        let port = PortId::new(name.as_str());
        let root = tempfile::tempdir().unwrap();
        let process = root.path().join("proc/812");
        std::fs::create_dir_all(process.join("fd")).unwrap();
        std::fs::write(process.join("comm"), "gpsd\n").unwrap();
        let sysfs = Sysfs::new(root.path());
        let tty = || Tty::open(Path::new(&name)).map(Channel::Tty);
        assert!(open_alone(&sysfs, &port, tty).is_ok());

        let opened = open_alone(&sysfs, &port, || {
            let opened = tty();
            symlink(&name, process.join("fd/7")).unwrap();
            opened
        });
        let holder = Some(PortHolder::parse("gpsd (pid 812)"));
        assert_eq!(opened.unwrap_err(), PortErrorKind::Busy { holder });
        // No one has the port open any more, and nothing was written to it.
        let read = rustix::io::read(&master, &mut [0_u8; 16]);
        assert_eq!(read, Err(rustix::io::Errno::IO));
    }
}
