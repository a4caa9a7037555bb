//! A world in memory with a virtual clock.
//!
//! [`SimulatedWorld`] is a bus with modems on it, and the kernel in between as the engine sees it: port names that
//! change with each enumeration, bytes that are dropped while nobody has the port open, short writes, reads
//! that are split and joined. When the engine waits, the clock jumps to the next thing that happens, so
//! that minutes of booting take no time; the same setups and the same seed give the same run.

mod line;
mod socket;

use std::fmt;
use std::time::Duration;

use modem_world::{
    Attached, DiscoveryError, Host, HostError, Inhibition, Instant, Interest, PortError, PortErrorKind,
    PortHandle, PortId, PortInfo, UsbPath, Wake, World,
};

use crate::modem::{Setup, VirtualModem};
use crate::random::Random;
use socket::Socket;

/// What the pacer says when it has waited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// Go on.
    GoOn,
    /// The user asked to stop meanwhile: [`Wake::Cancelled`] follows.
    Cancel,
}

/// Is told how far the clock is about to jump; may wait in real time.
pub type Pacer = Box<dyn FnMut(Duration) -> Pace + Send>;

/// A bus with virtual modems, and a virtual clock.
pub struct SimulatedWorld {
    now: Instant,
    sockets: Vec<Socket>,
    /// Splits, joins and short writes; none: everything in one piece.
    chop: Option<Random>,
    /// Cancellations to come, in any order.
    cancels: Vec<Instant>,
    bus_changes: u32,
    pacer: Option<Pacer>,
    names: Names,
    next_handle: u32,
    can_re_enumerate: bool,
    kept_awake: Vec<UsbPath>,
}

/// The numbers that the kernel gives out.
#[derive(Debug, Default)]
struct Names {
    next_tty: u32,
    next_device: u32,
}

impl SimulatedWorld {
    /// The name under which [`World::find`] knows the first port of the first modem, whatever the kernel calls it.
    pub const LINK: &'static str = "/dev/serial/by-id/virtual-modem";

    /// A world with one modem on the bus. The clock stands at the start of the run.
    pub fn new(setup: Setup) -> Self {
        let mut world = Self {
            now: Instant::START,
            sockets: Vec::new(),
            chop: None,
            cancels: Vec::new(),
            bus_changes: 0,
            pacer: None,
            names: Names::default(),
            next_handle: 0,
            can_re_enumerate: true,
            kept_awake: Vec::new(),
        };
        world.plug(setup);
        world.bus_changes = 0;
        world
    }

    /// Splits and joins reads, and makes writes short, by this seed.
    #[must_use]
    pub fn choppy(mut self, seed: u64) -> Self {
        self.chop = Some(Random::new(seed));
        self
    }

    /// Another modem on the same bus; returns its place for [`SimulatedWorld::modem`].
    pub fn plug(&mut self, setup: Setup) -> usize {
        let place = self.sockets.len();
        self.sockets.push(Socket::new(VirtualModem::new(setup), place));
        self.pump();
        place
    }

    /// Lets the port of the modem at `place` look like a pseudo-terminal: no USB device is behind it.
    pub fn hide_device(&mut self, place: usize) {
        if let Some(socket) = self.sockets.get_mut(place) {
            socket.hide_device();
        }
    }

    /// The ports of the modem at `place` are in use by `holder` until this moment.
    pub fn hold(&mut self, place: usize, holder: &str, until: Instant) {
        if let Some(socket) = self.sockets.get_mut(place) {
            let holder = Some(holder.to_owned());
            socket.refuse(PortErrorKind::Busy { holder }, until);
        }
    }

    /// The ports of the modem at `place` may not be opened by this user until this moment.
    pub fn deny(&mut self, place: usize, until: Instant) {
        if let Some(socket) = self.sockets.get_mut(place) {
            socket.refuse(PortErrorKind::PermissionDenied, until);
        }
    }

    /// Whether the host is able to make devices enumerate again; it is at first.
    pub fn set_can_re_enumerate(&mut self, can: bool) {
        self.can_re_enumerate = can;
    }

    /// The user asks to stop at this moment; may be called several times.
    pub fn cancel_at(&mut self, at: Instant) {
        self.cancels.push(at);
    }

    /// Calls `pacer` before each jump of the clock with its length. So a user sees the run at the speed that the
    /// pacer wants; nothing else depends on it.
    pub fn set_pacer(&mut self, pacer: Pacer) {
        self.pacer = Some(pacer);
    }

    /// The modem at `place`, 0 for the first.
    pub fn modem(&self, place: usize) -> Option<&VirtualModem> {
        self.sockets.get(place).map(Socket::modem)
    }

    /// The port of the modem at `place` that the host would use, while it is on the bus.
    pub fn port(&self, place: usize) -> Option<&PortInfo> {
        self.sockets.get(place)?.ports().first()
    }

    /// The devices that the engine wanted to be kept awake.
    pub fn kept_awake(&self) -> &[UsbPath] {
        &self.kept_awake
    }

    /// Lets everything happen that is due.
    fn pump(&mut self) {
        for socket in &mut self.sockets {
            self.bus_changes += socket.pump(self.now, &mut self.names, self.chop.as_mut());
        }
    }

    fn socket_of(&mut self, handle: PortHandle) -> Option<&mut Socket> {
        self.sockets.iter_mut().find(|socket| socket.has(handle))
    }

    fn error(port: &PortId, kind: PortErrorKind) -> PortError {
        PortError {
            port: port.clone(),
            kind,
        }
    }

    /// What is of interest now.
    fn wake(&mut self, interests: &[Interest]) -> Option<Wake> {
        if let Some(place) = self.cancels.iter().position(|at| *at <= self.now) {
            self.cancels.swap_remove(place);
            return Some(Wake::Cancelled);
        }
        for interest in interests {
            match *interest {
                Interest::Bus if self.bus_changes > 0 => {
                    self.bus_changes -= 1;
                    return Some(Wake::BusChanged);
                }
                Interest::Bus => {}
                Interest::Readable(handle) => {
                    let now = self.now;
                    if self
                        .socket_of(handle)
                        .is_none_or(|socket| socket.is_readable(handle, now))
                    {
                        return Some(Wake::Readable(handle));
                    }
                }
                Interest::Writable(handle) => {
                    if self
                        .socket_of(handle)
                        .is_none_or(|socket| socket.is_writable(handle))
                    {
                        return Some(Wake::Writable(handle));
                    }
                }
            }
        }
        None
    }

    fn jump(&mut self, to: Instant) {
        if let Some(pacer) = &mut self.pacer {
            if pacer(to.since(self.now)) == Pace::Cancel {
                self.cancels.push(self.now);
            }
        }
        self.now = self.now.max(to);
    }
}

impl World for SimulatedWorld {
    fn now(&self) -> Instant {
        self.now
    }

    fn wait(&mut self, interests: &[Interest], deadline: Instant) -> Wake {
        // Early for no reason: the contract allows it, so hosts have to live with it.
        if let Some(random) = &mut self.chop {
            if interests.contains(&Interest::Bus) && random.once_in(64) {
                return Wake::BusChanged;
            }
        }
        loop {
            self.pump();
            if let Some(wake) = self.wake(interests) {
                return wake;
            }
            if deadline <= self.now {
                return Wake::Deadline;
            }
            let events = self.sockets.iter().map(|socket| socket.next_event(self.now));
            let next = events
                .chain(self.cancels.iter().copied())
                .fold(deadline, Instant::min);
            debug_assert!(
                next > self.now,
                "a modem wants to be polled again at the same moment"
            );
            self.jump(next);
        }
    }

    fn open(&mut self, port: &PortId) -> Result<PortHandle, PortError> {
        let now = self.now;
        let handle = PortHandle(self.next_handle);
        let Some(socket) = self.sockets.iter_mut().find(|socket| socket.has_port(port)) else {
            return Err(Self::error(port, PortErrorKind::NotFound));
        };
        socket
            .open(port, handle, now)
            .map_err(|kind| Self::error(port, kind))?;
        self.next_handle = self.next_handle.wrapping_add(1);
        Ok(handle)
    }

    fn try_read(&mut self, port: PortHandle, buffer: &mut [u8]) -> Result<usize, PortError> {
        let (now, mut chop) = (self.now, self.chop.take());
        let read = match self.socket_of(port) {
            Some(socket) => socket.read(port, buffer, now, chop.as_mut()),
            None => Err(Self::error(&PortId::new("closed port"), PortErrorKind::NotFound)),
        };
        self.chop = chop;
        read
    }

    fn try_write(&mut self, port: PortHandle, bytes: &[u8]) -> Result<usize, PortError> {
        let (now, mut chop) = (self.now, self.chop.take());
        let written = match self.socket_of(port) {
            Some(socket) => socket.write(port, bytes, now, chop.as_mut()),
            None => Err(Self::error(&PortId::new("closed port"), PortErrorKind::NotFound)),
        };
        self.chop = chop;
        written
    }

    fn largest_write(&mut self, _: PortHandle) -> usize {
        usize::MAX
    }

    fn close(&mut self, port: PortHandle) {
        let now = self.now;
        if let Some(socket) = self.socket_of(port) {
            socket.close(port, now);
        }
    }

    fn find(&mut self, name: &str) -> Result<PortInfo, DiscoveryError> {
        let first = if name == Self::LINK { self.port(0) } else { None };
        let mut ports = self.sockets.iter().flat_map(Socket::ports);
        let found = first.or_else(|| ports.find(|port| port.id.as_str() == name));
        found.cloned().ok_or_else(|| DiscoveryError::NotFound {
            name: name.to_owned(),
        })
    }

    fn devices(&mut self) -> Result<Vec<Attached>, DiscoveryError> {
        Ok(self.sockets.iter().filter_map(Socket::attached).collect())
    }

    fn host(&mut self) -> &mut dyn Host {
        self
    }
}

impl Host for SimulatedWorld {
    fn re_enumerate(&mut self, device: &UsbPath) -> Result<(), HostError> {
        let now = self.now;
        let unsupported = || HostError::Unsupported {
            device: device.clone(),
        };
        if !self.can_re_enumerate {
            return Err(unsupported());
        }
        let socket = self
            .sockets
            .iter_mut()
            .find(|socket| socket.is_at(device))
            .ok_or_else(unsupported)?;
        socket.re_enumerate(now);
        Ok(())
    }

    fn keep_awake(&mut self, device: &UsbPath) -> Result<(), HostError> {
        self.kept_awake.push(device.clone());
        Ok(())
    }

    fn inhibit(&mut self, _: &UsbPath) -> Inhibition {
        Inhibition::NotNeeded
    }

    fn release(&mut self, _: &UsbPath) {}

    fn stay_awake(&mut self, _: &str) -> Result<(), HostError> {
        Ok(())
    }
}

impl fmt::Debug for SimulatedWorld {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SimulatedWorld")
            .field("now", &self.now)
            .field("sockets", &self.sockets)
            .finish()
    }
}
