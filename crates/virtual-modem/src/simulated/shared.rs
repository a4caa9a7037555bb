//! One world for several workers, each in a thread of its own, on one virtual clock.
//!
//! One worker runs at a time: whoever calls the world has to have the turn, and keeps it until it waits. The clock
//! jumps only when every worker waits, to the next thing that happens; of several workers that something happens for, the
//! one with the lowest number goes on. So the same setups and the same seed give the same run, whatever the threads do.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use modem_world::{
    Attached, Binding, ClaimError, DiscoveryError, Host, HostError, Inhibition, Instant, Interest,
    LockHolder, PortError, PortHandle, PortId, PortInfo, Spot, UsbPath, Wake, World,
};

use super::SimulatedWorld;

/// A world that is shared by a fixed number of workers.
///
/// Every worker has to be taken, used, and dropped when it is done: until then the others wait for it. A worker must
/// not wait for another but through the world.
#[derive(Debug)]
pub struct Shared {
    group: Arc<Group>,
}

#[derive(Debug)]
struct Group {
    state: Mutex<State>,
    turned: Condvar,
}

#[derive(Debug)]
struct State {
    world: SimulatedWorld,
    workers: Vec<Place>,
    /// Whose turn it is; nobody's when all have gone.
    turn: Option<usize>,
}

/// Where a worker is.
#[derive(Debug)]
enum Place {
    /// It runs, or will when it has the turn.
    Ready { is_taken: bool },
    /// It waits for something.
    Waits {
        interests: Vec<Interest>,
        deadline: Instant,
    },
    /// What it waited for has happened.
    Woken(Wake),
    /// It has ended.
    Gone,
}

impl Shared {
    /// Shares a world among so many workers. The first has the turn.
    pub fn new(mut world: SimulatedWorld, workers: usize) -> Self {
        world.share(workers);
        let state = State {
            world,
            workers: (0..workers).map(|_| Place::Ready { is_taken: false }).collect(),
            turn: (workers > 0).then_some(0),
        };
        Self {
            group: Arc::new(Group {
                state: Mutex::new(state),
                turned: Condvar::new(),
            }),
        }
    }

    /// The worker with this number, from 0; none when there is no such one or it was taken before.
    pub fn worker(&self, number: usize) -> Option<Worker> {
        let mut state = self.group.lock();
        match state.workers.get_mut(number) {
            Some(Place::Ready { is_taken }) if !*is_taken => *is_taken = true,
            _ => return None,
        }
        Some(Worker {
            group: Arc::clone(&self.group),
            number,
        })
    }

    /// Looks at the world, or changes it, between two steps of the workers.
    pub fn with<R>(&self, look: impl FnOnce(&mut SimulatedWorld) -> R) -> R {
        look(&mut self.group.lock().world)
    }

    /// The world, when all workers have ended.
    pub fn into_world(self) -> Option<SimulatedWorld> {
        let group = Arc::into_inner(self.group)?;
        let state = group.state.into_inner().unwrap_or_else(PoisonError::into_inner);
        Some(state.world)
    }
}

impl Group {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The world, when it is this worker's turn.
    fn my_turn(&self, number: usize) -> MutexGuard<'_, State> {
        let state = self.lock();
        let mut state = self
            .turned
            .wait_while(state, |state| state.turn != Some(number))
            .unwrap_or_else(PoisonError::into_inner);
        state.world.worker = number;
        state
    }
}

impl State {
    /// Gives the turn to who goes on next, and lets time pass until there is one.
    fn pass_on(&mut self) {
        loop {
            self.world.pump();
            let mut next = Instant::FAR;
            let mut all_gone = true;
            for (number, place) in self.workers.iter_mut().enumerate() {
                let Place::Waits { interests, deadline } = place else {
                    if !matches!(place, Place::Gone) {
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
                    *place = Place::Woken(wake);
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

/// One worker's world. Dropping it ends the worker; its locks and what ModemManager did for it end too.
#[derive(Debug)]
pub struct Worker {
    group: Arc<Group>,
    number: usize,
}

impl Worker {
    /// Its number.
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
            *place = Place::Gone;
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
            *place = Place::Waits {
                interests: interests.to_vec(),
                deadline,
            };
        }
        state.pass_on();
        drop(state);
        self.group.turned.notify_all();
        let mut state = self.group.my_turn(self.number);
        let place = state.workers.get_mut(self.number);
        let ready = Place::Ready { is_taken: true };
        match place.map(|place| std::mem::replace(place, ready)) {
            Some(Place::Woken(wake)) => wake,
            _ => Wake::Deadline,
        }
    }

    fn open(&mut self, port: &PortId) -> Result<PortHandle, PortError> {
        self.call(|world| world.open(port))
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
}
