//! ModemManager as a modem and the engine notice it (linux.md §6): it opens the ports of every modem that it
//! wasn't asked to keep away from, and writes to them.

use std::time::Duration;

use modem_world::{Inhibition, Instant, PortId, UsbPath};

/// A ModemManager for [`SimulatedWorld::set_modem_manager`](super::SimulatedWorld::set_modem_manager).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModemManager {
    /// From the appearance of a running modem until ModemManager knows it and can be asked about it.
    pub knows_after: Duration,
    /// From a request to the answer.
    pub answers_after: Duration,
    /// From the appearance of a device until ModemManager opens its ports and writes to them.
    pub probes_after: Duration,
    /// ModemManager's answer to a request.
    pub grants: Grants,
}

impl Default for ModemManager {
    /// Probes at once, answers quickly, and grants every request.
    fn default() -> Self {
        Self {
            // Own choice: a real ModemManager has to probe all ports before it knows the modem.
            knows_after: Duration::from_secs(5),
            answers_after: Duration::from_millis(20),
            probes_after: Duration::ZERO,
            grants: Grants::Always,
        }
    }
}

/// ModemManager's answer to a request to keep away.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Grants {
    /// Yes.
    Always,
    /// No, for this reason.
    Never {
        /// The reason that ModemManager gives.
        why: String,
    },
}

/// ModemManager's part in the world.
#[derive(Debug)]
pub(super) struct Manager {
    settings: ModemManager,
    asked: Vec<(UsbPath, Instant)>,
    /// The places that ModemManager keeps away from, each with the worker that asked for it.
    inhibited: Vec<(UsbPath, usize)>,
    pub(super) probed: Vec<PortId>,
}

impl Manager {
    pub(super) const fn new(settings: ModemManager) -> Self {
        Self {
            settings,
            asked: Vec::new(),
            inhibited: Vec::new(),
            probed: Vec::new(),
        }
    }

    pub(super) const fn probes_after(&self) -> Duration {
        self.settings.probes_after
    }

    pub(super) fn keeps_away_from(&self, device: &UsbPath) -> bool {
        self.inhibited.iter().any(|(path, _)| path == device)
    }

    pub(super) fn inhibited(&self) -> impl Iterator<Item = &UsbPath> {
        self.inhibited.iter().map(|(path, _)| path)
    }

    /// When the next answer is due.
    pub(super) fn next_event(&self, now: Instant) -> Instant {
        let due = self.asked.iter().map(|(_, at)| *at + self.settings.answers_after);
        due.filter(|due| *due > now).fold(Instant::FAR, Instant::min)
    }

    /// Asks ModemManager to keep away from a device. `since` is when its running firmware appeared, or `None`
    /// if no firmware runs there.
    pub(super) fn inhibit(
        &mut self,
        device: &UsbPath,
        since: Option<Instant>,
        worker: usize,
        now: Instant,
    ) -> Inhibition {
        if self.keeps_away_from(device) {
            return Inhibition::Granted;
        }
        if since.is_none_or(|since| now < since + self.settings.knows_after) {
            return Inhibition::Unknown;
        }
        let Some(place) = self.asked.iter().position(|(path, _)| path == device) else {
            self.asked.push((device.clone(), now));
            return Inhibition::Pending;
        };
        match self.asked.get(place) {
            Some((_, at)) if now < *at + self.settings.answers_after => return Inhibition::Pending,
            _ => self.asked.remove(place),
        };
        match &self.settings.grants {
            Grants::Always => {
                self.inhibited.push((device.clone(), worker));
                Inhibition::Granted
            }
            Grants::Never { why } => Inhibition::Impossible {
                why: why.clone(),
                help: "stop ModemManager for the time of the update".to_owned(),
            },
        }
    }

    /// Allows ModemManager to use a device again.
    pub(super) fn release(&mut self, device: &UsbPath) {
        self.inhibited.retain(|(path, _)| path != device);
    }

    /// A worker has ended, and so has its connection to ModemManager.
    pub(super) fn forget(&mut self, worker: usize) {
        self.inhibited.retain(|(_, of)| *of != worker);
    }
}
