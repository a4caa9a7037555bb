//! What the host was asked for in a run, and has to be given back.

use modem_world::{Spot, UsbPath};

use crate::request::Verb;

/// What the host was asked for.
#[derive(Debug)]
pub(crate) struct Services {
    verb: Verb,
    claimed: Vec<Spot>,
    is_lock_doubted: bool,
    inhibited: Vec<UsbPath>,
    /// Whether another run had ModemManager keep away, and that ended with it.
    is_inhibition_lost: bool,
}

impl Services {
    /// A run that has this place already.
    pub(super) fn new(verb: Verb, spot: Spot) -> Self {
        Self {
            verb,
            claimed: vec![spot],
            is_lock_doubted: false,
            inhibited: Vec::new(),
            is_inhibition_lost: false,
        }
    }

    /// Another run had ModemManager keep away, and that ended with it.
    pub(super) const fn note_lost_inhibition(&mut self) {
        self.is_inhibition_lost = true;
    }

    /// Whether another run had ModemManager keep away, and that ended with it.
    pub(super) const fn is_inhibition_lost(&self) -> bool {
        self.is_inhibition_lost
    }

    /// What the user asked for, as other runs are told that find the modem locked.
    pub(super) const fn verb(&self) -> Verb {
        self.verb
    }

    /// From now on the run has this place, too.
    pub(super) fn note_claimed(&mut self, spot: &Spot) {
        if !self.claimed.contains(spot) {
            self.claimed.push(spot.clone());
        }
    }

    /// The places that the run has and gives back now.
    pub(super) fn take_claimed(&mut self) -> Vec<Spot> {
        std::mem::take(&mut self.claimed)
    }

    /// The host gives no lock. True the first time, when the user is to be told.
    pub(super) const fn note_doubt(&mut self) -> bool {
        !std::mem::replace(&mut self.is_lock_doubted, true)
    }

    /// ModemManager was asked to keep away from this place.
    pub(super) fn note_inhibited(&mut self, path: &UsbPath) {
        if !self.inhibited.contains(path) {
            self.inhibited.push(path.clone());
        }
    }

    /// The places that ModemManager gets back now.
    pub(super) fn take_inhibited(&mut self) -> Vec<UsbPath> {
        std::mem::take(&mut self.inhibited)
    }
}
