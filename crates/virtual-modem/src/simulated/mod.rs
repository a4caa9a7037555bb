//! A world in memory with a virtual clock.
//!
//! [`SimulatedWorld`] is a bus with modems on it, and the kernel in between as the engine sees it: a port
//! name is given to the next device as soon as a modem has left, bytes are dropped while no one has the port
//! open, writes are short, and reads are split and joined. When the engine waits, the clock jumps to the next
//! thing that happens, so minutes of booting take no time. The same setups and the same seed give the same
//! run.

mod binding;
mod claims;
mod echo;
mod kernel;
mod line;
mod manager;
mod shared;
mod socket;
mod world;

use std::fmt;
use std::time::Duration;

use modem_world::{
    Instant, Interest, LockHolder, PciModem, PortError, PortErrorKind, PortHandle, PortHolder, PortId,
    PortInfo, PortKind, Spot, UsbPath, Wake,
};

use crate::modem::{Setup, VirtualModem};
use crate::profile::Profile;
use crate::quirk::Mode;
use crate::random::Random;
use claims::Claims;
use kernel::Kernel;
use manager::Manager;
use socket::Socket;

pub use manager::{Grants, ModemManager};
pub use shared::{Shared, Worker};

/// The pacer's answer after it has waited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// Go on.
    GoOn,
    /// The user asked to stop in the meantime, so [`Wake::Cancelled`] follows.
    Cancel,
}

/// Called before each jump of the clock with the length of the jump; may wait in real time.
pub type Pacer = Box<dyn FnMut(Duration) -> Pace + Send>;

/// A bus with virtual modems, and a virtual clock.
pub struct SimulatedWorld {
    now: Instant,
    sockets: Vec<Socket>,
    /// Decides on split and joined reads and on short writes. Without it everything arrives in one piece.
    chop: Option<Random>,
    /// One for each worker; only one if the world isn't shared.
    unheard: Vec<Unheard>,
    /// The worker that is calling.
    worker: usize,
    kernel: Kernel,
    manager: Option<Manager>,
    claims: Claims,
    awake_reasons: Vec<String>,
    pacer: Option<Pacer>,
    next_handle: u32,
    can_re_enumerate: bool,
    kept_awake: Vec<UsbPath>,
    on_pci: Vec<PciModem>,
}

/// What kind of socket a modem is in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SocketKind {
    /// High speed only; a faster modem falls back to high speed.
    Usb2,
    /// On two buses, one for each speed; the kernel knows that they are one socket.
    #[default]
    Usb3,
}

/// What a worker hasn't been told yet.
#[derive(Debug, Default)]
struct Unheard {
    bus_changes: u32,
    /// Cancellations that are still to come, in any order.
    cancels: Vec<Instant>,
}

impl SimulatedWorld {
    /// The name by which [`find`](modem_world::World::find) knows the first port of the first modem, whatever
    /// name the kernel gives it.
    pub const LINK: &'static str = "/dev/serial/by-id/virtual-modem";

    /// A world with one modem on the bus. The clock stands at the start of the run.
    pub fn new(setup: Setup) -> Self {
        let mut world = Self {
            now: Instant::START,
            sockets: Vec::new(),
            chop: None,
            unheard: vec![Unheard::default()],
            worker: 0,
            kernel: Kernel::default(),
            manager: None,
            claims: Claims::default(),
            awake_reasons: Vec::new(),
            pacer: None,
            next_handle: 0,
            can_re_enumerate: true,
            kept_awake: Vec::new(),
            on_pci: Vec::new(),
        };
        world.plug(setup);
        world.unheard = vec![Unheard::default()];
        world
    }

    /// Splits and joins reads, and makes writes short, as the seed decides.
    #[must_use]
    pub fn choppy(mut self, seed: u64) -> Self {
        self.chop = Some(Random::new(seed));
        self
    }

    /// From now on drivers bind one after the other and take time, as the seed decides: a modem's ports come
    /// up to 0.5 s later than the modem, and up to 1.5 s later if a driver has to be loaded first. Without
    /// this call drivers bind at once.
    #[must_use]
    pub fn with_slow_drivers(mut self, seed: u64) -> Self {
        self.kernel.slow_drivers = Some(Random::new(seed));
        self
    }

    /// From now on the kernel echoes as a real one does: a tty sends what a modem says at its first opening back to the modem.
    /// Without this call nothing is echoed, as where the modem speaks late enough. `lends_interfaces`: whether the program may
    /// use USB interfaces without their drivers.
    #[must_use]
    pub fn with_echo(mut self, lends_interfaces: bool) -> Self {
        (self.kernel.echoes, self.kernel.lends_interfaces) = (true, lends_interfaces);
        self
    }

    /// From now on the program may use USB interfaces without their drivers, as root may.
    pub fn lend_interfaces(&mut self) {
        self.kernel.lends_interfaces = true;
    }

    /// Plugs in another modem; returns its place for [`SimulatedWorld::modem`].
    pub fn plug(&mut self, setup: Setup) -> usize {
        self.plug_into(SocketKind::default(), setup)
    }

    /// Plugs another modem into a socket of this kind; returns its place.
    pub fn plug_into(&mut self, kind: SocketKind, setup: Setup) -> usize {
        let place = self.sockets.len();
        self.sockets
            .push(Socket::new(VirtualModem::new(setup), place, kind));
        self.pump();
        place
    }

    /// Puts a modem on PCIe, where the host only names it.
    pub fn put_on_pcie(&mut self, modem: PciModem) {
        self.on_pci.push(modem);
    }

    /// Plugs in a serial adapter of another maker, whose port has the same kind of name as a modem's.
    pub fn plug_foreign(&mut self) -> usize {
        let mut setup = Setup::of(Profile::ANY);
        setup.mode = Mode::Foreign;
        self.plug_into(SocketKind::Usb2, setup)
    }

    /// Makes the kernel's drivers forget this id: a device with it gets no serial and no QMI port.
    pub fn forget_id(&mut self, vendor: u16, product: u16) {
        self.kernel.unknown_ids.push((vendor, product));
        for socket in &mut self.sockets {
            socket.unbind((vendor, product), &mut self.kernel);
        }
    }

    /// Makes the kernel's drivers know only what those of a mainline kernel know. Without this call they know
    /// every id, as those of patched kernels do.
    #[must_use]
    pub fn with_mainline_drivers(mut self) -> Self {
        for (vendor, product) in kernel::NOT_IN_MAINLINE {
            self.forget_id(vendor, product);
        }
        self
    }

    /// Teaches a driver this id, as `new_id` does.
    pub fn teach_id(&mut self, vendor: u16, product: u16) {
        self.kernel.unknown_ids.retain(|id| *id != (vendor, product));
        let mut changes = 0;
        for socket in &mut self.sockets {
            changes += socket.bind_rest((vendor, product), &mut self.kernel, self.now);
        }
        for unheard in &mut self.unheard {
            unheard.bus_changes += changes;
        }
    }

    /// Removes the host's tables of the ids that its drivers know.
    pub fn hide_driver_tables(&mut self) {
        self.kernel.has_no_tables = true;
    }

    /// From now on ModemManager runs.
    pub fn set_modem_manager(&mut self, manager: ModemManager) {
        let at = self.now + manager.probes_after;
        for socket in &mut self.sockets {
            socket.expect_probes(at);
        }
        self.manager = Some(Manager::new(manager));
        self.pump();
    }

    /// The places that ModemManager still keeps away from; empty if all were given back.
    pub fn inhibited(&self) -> Vec<UsbPath> {
        let manager = self.manager.iter();
        manager.flat_map(Manager::inhibited).cloned().collect()
    }

    /// The ports that ModemManager has opened and written to.
    pub fn probed(&self) -> &[PortId] {
        self.manager.as_ref().map_or(&[], |manager| &manager.probed)
    }

    /// The reasons for which the host was asked not to sleep, one for each request.
    pub fn awake_reasons(&self) -> &[String] {
        &self.awake_reasons
    }

    /// Makes the port of the modem at `place` look like a pseudo-terminal, with no USB device behind it.
    pub fn hide_device(&mut self, place: usize) {
        if let Some(socket) = self.sockets.get_mut(place) {
            socket.hide_device();
        }
    }

    /// Makes `holder`, such as `ModemManager (pid 812)`, use the ports of the modem at `place` until this moment.
    pub fn hold(&mut self, place: usize, holder: &str, until: Instant) {
        if let Some(socket) = self.sockets.get_mut(place) {
            let holder = Some(PortHolder::parse(holder));
            socket.refuse(PortErrorKind::Busy { holder }, until);
        }
    }

    /// From now on a run in another process has this spot.
    pub fn lock(&mut self, spot: Spot, holder: LockHolder) {
        self.claims.lock(spot, holder);
    }

    /// The run in another process has ended.
    pub fn unlock(&mut self, spot: &Spot) {
        self.claims.unlock(spot);
    }

    /// The spots that workers have now; empty if every run has ended.
    pub fn claimed(&self) -> Vec<Spot> {
        self.claims.claimed().cloned().collect()
    }

    /// The ports that a worker opened without having claimed their spot, one entry for each time.
    pub fn opened_unclaimed(&self) -> &[PortId] {
        &self.claims.opened_without
    }

    /// Denies this user the ports of the modem at `place` until this moment.
    pub fn deny(&mut self, place: usize, until: Instant) {
        if let Some(socket) = self.sockets.get_mut(place) {
            socket.refuse(PortErrorKind::PermissionDenied, until);
        }
    }

    /// The modem at `place` has been on the bus for this long when the world begins. `None`: the host doesn't know how long
    /// this modem is on the bus.
    pub fn set_time_on_bus(&mut self, place: usize, before: Option<Duration>) {
        if let Some(socket) = self.sockets.get_mut(place) {
            socket.before = before;
        }
    }

    /// Makes the modem at `place` enumerate again at this moment, for a reason of its own: it leaves the bus
    /// for a short time. If the modem isn't on the bus then, nothing happens.
    pub fn re_enumerate_at(&mut self, place: usize, at: Instant) {
        if let Some(socket) = self.sockets.get_mut(place) {
            socket.re_enumerate_at(at);
        }
    }

    /// How many bytes this worker has written to ports of the modem at `place`. In a world that isn't shared
    /// the worker is 0.
    pub fn written(&self, worker: usize, place: usize) -> u64 {
        self.sockets
            .get(place)
            .map_or(0, |socket| socket.written_by(worker))
    }

    /// The program ends at once, as when it is killed: the kernel closes its ports, its locks end, and ModemManager may use its
    /// modems again. Nothing is said to the modems.
    ///
    /// Only for a world that isn't shared.
    pub fn end_program(&mut self) {
        for socket in &mut self.sockets {
            for handle in socket.handles() {
                socket.close(handle, &mut self.kernel, self.now);
            }
        }
        self.forget_worker(self.worker);
    }

    /// Sets whether the host can make devices enumerate again. At first it can.
    pub fn set_can_re_enumerate(&mut self, can: bool) {
        self.can_re_enumerate = can;
    }

    /// Makes the user ask to stop at this moment. May be called several times.
    pub fn cancel_at(&mut self, at: Instant) {
        for unheard in &mut self.unheard {
            unheard.cancels.push(at);
        }
    }

    /// Calls `pacer` before each jump of the clock with the length of the jump. A user then sees the run at
    /// the speed that the pacer chooses; nothing else depends on the pacer.
    pub fn set_pacer(&mut self, pacer: Pacer) {
        self.pacer = Some(pacer);
    }

    /// The modem at `place`; the first modem is at 0.
    pub fn modem(&self, place: usize) -> Option<&VirtualModem> {
        self.sockets.get(place).map(Socket::modem)
    }

    /// The first serial port of the modem at `place` while it is on the bus; a control port if it has no
    /// serial port.
    pub fn port(&self, place: usize) -> Option<&PortInfo> {
        let ports = self.sockets.get(place)?.ports();
        let serial = ports.iter().find(|port| port.kind == PortKind::Serial);
        serial.or_else(|| ports.first())
    }

    /// The devices that the engine asked the host to keep awake.
    pub fn kept_awake(&self) -> &[UsbPath] {
        &self.kept_awake
    }

    /// Lets everything happen that is due.
    fn pump(&mut self) {
        let mut changes = 0;
        for socket in &mut self.sockets {
            changes += socket.pump(
                self.now,
                &mut self.kernel,
                self.manager.as_mut(),
                self.chop.as_mut(),
            );
        }
        for unheard in &mut self.unheard {
            unheard.bus_changes += changes;
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

    /// What the calling worker has to be woken for now, if anything.
    fn wake(&mut self, interests: &[Interest]) -> Option<Wake> {
        let now = self.now;
        let unheard = self.unheard.get_mut(self.worker)?;
        if let Some(place) = unheard.cancels.iter().position(|at| *at <= now) {
            unheard.cancels.swap_remove(place);
            return Some(Wake::Cancelled);
        }
        for interest in interests {
            match *interest {
                Interest::Bus => {
                    let unheard = self.unheard.get_mut(self.worker)?;
                    if let Some(left) = unheard.bus_changes.checked_sub(1) {
                        unheard.bus_changes = left;
                        return Some(Wake::BusChanged);
                    }
                }
                Interest::Readable(handle) => {
                    if self
                        .socket_of(handle)
                        .is_none_or(|socket| socket.is_readable(handle, now))
                    {
                        return Some(Wake::Readable(handle));
                    }
                }
                Interest::Writable(handle) => {
                    let now = self.now;
                    if self
                        .socket_of(handle)
                        .is_none_or(|socket| socket.is_writable(handle, now))
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
                let now = self.now;
                for unheard in &mut self.unheard {
                    unheard.cancels.push(now);
                }
            }
        }
        self.now = self.now.max(to);
    }

    /// When the next thing happens by itself.
    fn next_event(&self) -> Instant {
        let sockets = self.sockets.iter().map(|socket| socket.next_event(self.now));
        let answers = self.manager.iter().map(|manager| manager.next_event(self.now));
        let cancels = self.unheard.iter().flat_map(|unheard| &unheard.cancels);
        let later = cancels.copied().filter(|at| *at > self.now);
        sockets
            .chain(answers)
            .chain(later)
            .fold(Instant::FAR, Instant::min)
    }

    /// Wakes the worker early without a reason. The contract of `wait` allows that, so the engine has to cope
    /// with it.
    fn wakes_early(&mut self, interests: &[Interest]) -> bool {
        let random = self.chop.as_mut();
        interests.contains(&Interest::Bus) && random.is_some_and(|random| random.once_in(64))
    }

    /// From now on this many workers use the world.
    fn share(&mut self, workers: usize) {
        let cancels = self
            .unheard
            .first()
            .map_or(&[][..], |unheard| unheard.cancels.as_slice());
        let unheard = |_| Unheard {
            bus_changes: 0,
            cancels: cancels.to_vec(),
        };
        self.unheard = (0..workers).map(unheard).collect();
    }

    /// A worker has ended: its locks end, and ModemManager may use its modems again.
    fn forget_worker(&mut self, worker: usize) {
        self.claims.forget(worker);
        let Some(manager) = &mut self.manager else { return };
        let before: Vec<UsbPath> = manager.inhibited().cloned().collect();
        manager.forget(worker);
        for path in before {
            self.resume_probes(&path);
        }
    }

    /// Lets ModemManager probe a device again that it was kept away from.
    fn resume_probes(&mut self, device: &UsbPath) {
        let Some(manager) = &self.manager else { return };
        if manager.keeps_away_from(device) {
            return;
        }
        let at = self.now + manager.probes_after();
        for socket in self.sockets.iter_mut().filter(|socket| socket.is_at(device)) {
            socket.expect_probes(at);
        }
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
