//! Which worker has locked which modem, and what other processes have locked.

use modem_world::{ClaimError, Instant, LockHolder, PortId, PortInfo, Spot};

/// All locks of the simulated host.
#[derive(Debug, Default)]
pub(super) struct Claims {
    held: Vec<Held>,
    /// Locks of other processes.
    foreign: Vec<(Spot, LockHolder)>,
    /// Ports that a worker opened without a claim.
    pub(super) opened_without: Vec<PortId>,
}

/// A lock of a worker.
#[derive(Debug)]
struct Held {
    spot: Spot,
    worker: usize,
    verb: String,
    since: Instant,
}

impl Claims {
    pub(super) fn lock(&mut self, spot: Spot, holder: LockHolder) {
        self.foreign.push((spot, holder));
    }

    pub(super) fn unlock(&mut self, spot: &Spot) {
        self.foreign.retain(|(locked, _)| !locked.meets(spot));
    }

    pub(super) fn claimed(&self) -> impl Iterator<Item = &Spot> {
        self.held.iter().map(|held| &held.spot)
    }

    pub(super) fn claim(
        &mut self,
        spot: &Spot,
        verb: &str,
        worker: usize,
        now: Instant,
    ) -> Result<(), ClaimError> {
        if let Some(holder) = self.holder_of(spot, worker, now) {
            return Err(ClaimError::Held(holder));
        }
        if !self.held.iter().any(|held| held.spot == *spot) {
            self.held.push(Held {
                spot: spot.clone(),
                worker,
                verb: verb.to_owned(),
                since: now,
            });
        }
        Ok(())
    }

    pub(super) fn unclaim(&mut self, spot: &Spot, worker: usize) {
        self.held
            .retain(|held| held.worker != worker || !held.spot.meets(spot));
    }

    /// The run that has the spot, other than this worker.
    pub(super) fn holder_of(&self, spot: &Spot, worker: usize, now: Instant) -> Option<LockHolder> {
        let is_others = |held: &&Held| held.worker != worker && held.spot.meets(spot);
        let own = self.held.iter().find(is_others).map(|held| LockHolder {
            verb: Some(held.verb.clone()),
            held_for: Some(now.since(held.since)),
            ..LockHolder::default()
        });
        let foreign = || self.foreign.iter().find(|(locked, _)| locked.meets(spot));
        own.or_else(|| foreign().map(|(_, holder)| holder.clone()))
    }

    /// Notes that a worker opens a port.
    pub(super) fn note_open(&mut self, port: &PortInfo, worker: usize) {
        let spot = Spot::of_port(port);
        let mut own = self.held.iter().filter(|held| held.worker == worker);
        if !own.any(|held| held.spot.meets(&spot)) {
            self.opened_without.push(port.id.clone());
        }
    }

    /// A worker has ended.
    pub(super) fn forget(&mut self, worker: usize) {
        self.held.retain(|held| held.worker != worker);
    }
}
