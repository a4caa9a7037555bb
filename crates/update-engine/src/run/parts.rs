//! The parts of a run: the world, where the modem is ([`Whereabouts`]), wishes to stop ([`Stops`]), the open port ([`OpenPort`]), what
//! the host was asked for ([`Services`]), and what is told ([`Teller`]).

use std::time::Duration;

use modem_world::{Instant, Interest, Wake, World};

use super::open_port::OpenPort;
use super::services::Services;
use super::stops::{Heed, Stops, Wish};
use super::teller::{Teller, TellerState};
use super::whereabouts::Whereabouts;
use crate::modem::{DeviceId, Facts};
use crate::told::{Cause, EventKind, Step, Warning};

/// A run on one modem.
pub(crate) struct Run<'r> {
    pub(super) world: &'r mut dyn World,
    pub(super) teller: Teller<'r>,
    pub(super) whereabouts: Whereabouts,
    pub(super) stops: Stops,
    pub(super) port: OpenPort,
    pub(super) services: Services,
}

impl<'r> Run<'r> {
    /// Time since the start of the run.
    pub(crate) fn now(&self) -> Instant {
        self.world.now()
    }

    /// The world, for what only asks or looks.
    pub(crate) fn world(&mut self) -> &mut dyn World {
        self.world
    }

    /// Where the modem is.
    pub(crate) fn whereabouts(&self) -> &Whereabouts {
        &self.whereabouts
    }

    /// The same, to be changed.
    pub(crate) fn whereabouts_mut(&mut self) -> &mut Whereabouts {
        &mut self.whereabouts
    }

    /// The modem as the events name it.
    pub(crate) fn device(&self) -> &DeviceId {
        self.teller.device()
    }

    /// What another run needs to go on telling.
    pub(crate) fn told(&self) -> TellerState {
        self.teller.to_told()
    }

    /// Who tells the events.
    pub(crate) fn teller(&mut self) -> &mut Teller<'r> {
        &mut self.teller
    }

    /// Begins a step.
    pub(crate) fn begin(&mut self, step: Step) {
        self.teller.begin(self.world.now(), step);
    }

    /// Tells an event.
    pub(crate) fn tell(&mut self, kind: EventKind) {
        self.teller.tell(self.world.now(), kind);
    }

    /// Tells a warning.
    pub(crate) fn warn(&mut self, warning: Warning) {
        self.teller.warn(self.world.now(), warning);
    }

    /// Says that the modem is going to be silent, and why.
    pub(crate) fn silence(&mut self, up_to: Duration, why: &str) {
        self.teller.silence(self.world.now(), up_to, why);
    }

    /// Says that something is tried again, and why.
    pub(crate) fn retry(&mut self, what: &str, attempt: u8, why: &str) {
        self.teller.retry(self.world.now(), what, attempt, why);
    }

    /// Tells what the running firmware says of itself.
    pub(crate) fn read(&mut self, facts: &Facts) {
        self.teller.read(self.world.now(), facts);
    }

    /// Whether the user has asked to stop.
    pub(crate) fn is_stop_asked(&self) -> bool {
        self.stops.is_asked()
    }

    /// Waits, and heeds a wish to stop that ends the wait.
    ///
    /// # Errors
    /// The user stops, and `heed` doesn't put that off.
    pub(crate) fn wait(&mut self, interests: &[Interest], until: Instant, heed: Heed) -> Result<Wake, Cause> {
        let wake = self.world.wait(interests, until);
        self.heed(wake, heed)?;
        Ok(wake)
    }

    /// Looks whether a wake-up is a wish to stop.
    ///
    /// # Errors
    /// It is, and `heed` doesn't put it off.
    fn heed(&mut self, wake: Wake, heed: Heed) -> Result<(), Cause> {
        match (self.stops.note(wake), heed.words()) {
            (Wish::None, _) => Ok(()),
            (Wish::First, Some(when)) => {
                self.tell(EventKind::Stopping { when });
                Ok(())
            }
            _ => heed.ends_with().map_or(Ok(()), Err),
        }
    }

    /// The place where a wish to stop that was put off is heeded: nothing is half done here.
    ///
    /// # Errors
    /// The user has asked to stop.
    pub(crate) fn stop_if_asked(&self, how: &'static str) -> Result<(), Cause> {
        if self.stops.is_asked() {
            return Err(Cause::Stopped { how });
        }
        Ok(())
    }
}
