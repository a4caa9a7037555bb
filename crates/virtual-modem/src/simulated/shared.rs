//! One world for several workers, each in a thread of its own, on one virtual clock.
//!
//! One worker runs at a time. A worker needs the turn to call the world, and keeps the turn until it waits.
//! The clock jumps only when every worker waits, to the next thing that happens. If something happens for
//! several workers, the one with the lowest number goes on. So the same setups and the same seed give the
//! same run, whatever the threads do.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use modem_world::{
    Attached, Binding, ClaimError, DiscoveryError, Host, HostError, Inhibition, Instant, Interest,
    LockHolder, PciModem, PortError, PortHandle, PortId, PortInfo, Spot, UsbPath, Wake, World,
};

use super::SimulatedWorld;

/// A world that a fixed number of workers share.
///
/// Every worker must be taken, used, and dropped when it is done; until then the others wait for it. A worker
/// must not wait for another worker in any other way than through the world.
#[derive(Debug)]
pub struct Shared {
    group: Arc<Group>,
}

#[derive(Debug)]
struct Group {
    state: Mutex<SharedState>,
    turned: Condvar,
}

#[derive(Debug)]
struct SharedState {
    world: SimulatedWorld,
    workers: Vec<WorkerState>,
    /// The worker that has the turn; `None` when all have ended.
    turn: Option<usize>,
}

/// What a worker is doing.
#[derive(Debug)]
enum WorkerState {
    /// The worker runs, or will as soon as it has the turn.
    Ready { is_taken: bool },
    /// The worker waits for something.
    Waits {
        interests: Vec<Interest>,
        deadline: Instant,
    },
    /// What the worker waited for has happened.
    Woken(Wake),
    /// The worker has ended.
    Gone,
}

impl Shared {
    /// Shares a world among this many workers. The first one has the turn.
    pub fn new(mut world: SimulatedWorld, workers: usize) -> Self {
        world.share(workers);
        let state = SharedState {
            world,
            workers: (0..workers)
                .map(|_| WorkerState::Ready { is_taken: false })
                .collect(),
            turn: (workers > 0).then_some(0),
        };
        Self {
            group: Arc::new(Group {
                state: Mutex::new(state),
                turned: Condvar::new(),
            }),
        }
    }

    /// The worker with this number, from 0; `None` if there is no such worker, or if it was taken before.
    pub fn worker(&self, number: usize) -> Option<Worker> {
        let mut state = self.group.lock();
        match state.workers.get_mut(number) {
            Some(WorkerState::Ready { is_taken }) if !*is_taken => *is_taken = true,
            _ => return None,
        }
        Some(Worker {
            group: Arc::clone(&self.group),
            number,
        })
    }

    /// Gives access to the world between two steps of the workers, to look at it or to change it.
    pub fn with<R>(&self, look: impl FnOnce(&mut SimulatedWorld) -> R) -> R {
        look(&mut self.group.lock().world)
    }

    /// The world, once all workers have ended.
    pub fn into_world(self) -> Option<SimulatedWorld> {
        let group = Arc::into_inner(self.group)?;
        let state = group.state.into_inner().unwrap_or_else(PoisonError::into_inner);
        Some(state.world)
    }
}

impl Group {
    fn lock(&self) -> MutexGuard<'_, SharedState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for this worker's turn and returns the world.
    fn my_turn(&self, number: usize) -> MutexGuard<'_, SharedState> {
        let state = self.lock();
        let mut state = self
            .turned
            .wait_while(state, |state| state.turn != Some(number))
            .unwrap_or_else(PoisonError::into_inner);
        state.world.worker = number;
        state
    }
}

impl SharedState {
    /// Gives the turn to the next worker that can go on. Lets time pass until there is one.
    fn pass_on(&mut self) {
        loop {
            self.world.pump();
            let mut next = Instant::FAR;
            let mut all_gone = true;
            for (number, place) in self.workers.iter_mut().enumerate() {
                let WorkerState::Waits { interests, deadline } = place else {
                    if !matches!(place, WorkerState::Gone) {
                        self.turn = Some(number);
                        return;
                    }
                    continue;
                };
                all_gone = false;
                self.world.worker = number;
                let wake = self.world.wake(interests);
                let late = (*deadline <= self.world.now).then_some(Wake::Deadline);
                if let Some(wake) = wake.or(late) {
                    *place = WorkerState::Woken(wake);
                    self.turn = Some(number);
                    return;
                }
                next = next.min(*deadline);
            }
            if all_gone {
                self.turn = None;
                return;
            }
            let next = next.min(self.world.next_event());
            debug_assert!(
                next > self.world.now,
                "a modem wants to be polled again at the same moment"
            );
            self.world.jump(next);
        }
    }
}

/// The world of one worker. Dropping it ends the worker: its locks end, and ModemManager may use its modems
/// again.
#[derive(Debug)]
pub struct Worker {
    group: Arc<Group>,
    number: usize,
}

impl Worker {
    /// The worker's number.
    pub const fn number(&self) -> usize {
        self.number
    }

    fn call<R>(&self, call: impl FnOnce(&mut SimulatedWorld) -> R) -> R {
        call(&mut self.group.my_turn(self.number).world)
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        let mut state = self.group.my_turn(self.number);
        state.world.forget_worker(self.number);
        if let Some(place) = state.workers.get_mut(self.number) {
            *place = WorkerState::Gone;
        }
        state.pass_on();
        drop(state);
        self.group.turned.notify_all();
    }
}

impl World for Worker {
    fn now(&self) -> Instant {
        self.call(|world| world.now())
    }

    fn wait(&mut self, interests: &[Interest], deadline: Instant) -> Wake {
        let mut state = self.group.my_turn(self.number);
        if state.world.wakes_early(interests) {
            return Wake::BusChanged;
        }
        if let Some(place) = state.workers.get_mut(self.number) {
            *place = WorkerState::Waits {
                interests: interests.to_vec(),
                deadline,
            };
        }
        state.pass_on();
        drop(state);
        self.group.turned.notify_all();
        let mut state = self.group.my_turn(self.number);
        let place = state.workers.get_mut(self.number);
        let ready = WorkerState::Ready { is_taken: true };
        match place.map(|place| std::mem::replace(place, ready)) {
            Some(WorkerState::Woken(wake)) => wake,
            _ => Wake::Deadline,
        }
    }

    fn open(&mut self, port: &PortId) -> Result<PortHandle, PortError> {
        self.call(|world| world.open(port))
    }

    fn open_loader(&mut self, port: &PortInfo) -> Result<PortHandle, PortError> {
        self.call(|world| world.open_loader(port))
    }

    fn try_read(&mut self, port: PortHandle, buffer: &mut [u8]) -> Result<usize, PortError> {
        self.call(|world| world.try_read(port, buffer))
    }

    fn try_write(&mut self, port: PortHandle, bytes: &[u8]) -> Result<usize, PortError> {
        self.call(|world| world.try_write(port, bytes))
    }

    fn largest_write(&mut self, port: PortHandle) -> usize {
        self.call(|world| world.largest_write(port))
    }

    fn close(&mut self, port: PortHandle) {
        self.call(|world| world.close(port));
    }

    fn find(&mut self, name: &str) -> Result<PortInfo, DiscoveryError> {
        self.call(|world| world.find(name))
    }

    fn devices(&mut self) -> Result<Vec<Attached>, DiscoveryError> {
        self.call(SimulatedWorld::devices)
    }

    fn host(&mut self) -> &mut dyn Host {
        self
    }
}

impl Host for Worker {
    fn claim(&mut self, spot: &Spot, verb: &str) -> Result<(), ClaimError> {
        self.call(|world| world.claim(spot, verb))
    }

    fn unclaim(&mut self, spot: &Spot) {
        self.call(|world| world.unclaim(spot));
    }

    fn holder_of(&mut self, spot: &Spot) -> Option<LockHolder> {
        self.call(|world| world.holder_of(spot))
    }

    fn re_enumerate(&mut self, device: &UsbPath) -> Result<(), HostError> {
        self.call(|world| world.re_enumerate(device))
    }

    fn time_on_bus(&mut self, device: &UsbPath) -> Option<Duration> {
        self.call(|world| world.time_on_bus(device))
    }

    fn keep_awake(&mut self, device: &UsbPath) -> Result<(), HostError> {
        self.call(|world| world.keep_awake(device))
    }

    fn inhibit(&mut self, device: &UsbPath) -> Inhibition {
        self.call(|world| world.inhibit(device))
    }

    fn release(&mut self, device: &UsbPath) {
        self.call(|world| world.release(device));
    }

    fn stay_awake(&mut self, why: &str) -> Result<(), HostError> {
        self.call(|world| world.stay_awake(why))
    }

    fn will_bind(&mut self, vendor: u16, product: u16) -> Binding {
        self.call(|world| world.will_bind(vendor, product))
    }

    fn pci_modems(&mut self) -> Result<Vec<PciModem>, DiscoveryError> {
        self.call(Host::pci_modems)
    }
}
