//! Opening and closing the port.

use std::time::Duration;

use modem_world::{
    HostError, Instant, Interest, PortError, PortErrorKind, PortHandle, PortInfo, PortKind, Program, Wake,
};

use super::parts::Run;
use super::stops::Heed;
use crate::decide::fit;
use crate::modem::Opening;
use crate::told::{Cause, RunWarning, Warning};

/// How long a port that may have just appeared can refuse to be opened, or be missing: udev sets its rights after the
/// kernel has made it (linux.md §4).
const RIGHTS_LIMIT: Duration = Duration::from_secs(2);
/// How long another program may have a port that came back in the middle of a run. Estimate: long enough for a program that
/// looks at every new port.
pub(crate) const HOLDER_LIMIT: Duration = Duration::from_secs(5);
/// How often a port that can't be opened yet is tried again.
const OPEN_AGAIN: Duration = Duration::from_millis(250);

impl Run<'_> {
    /// Whether a port is open without a session.
    pub(crate) const fn has_open_port(&self) -> bool {
        self.port.plain().is_some()
    }

    /// The open port; opens it when it isn't.
    pub(crate) fn handle(&mut self) -> Result<PortHandle, Cause> {
        if let Some(handle) = self.port.plain() {
            return Ok(handle);
        }
        let port = self.whereabouts.port().clone();
        // A boot loader that speaks QDL waits for the host to speak.
        let may_speak_first = fit::opening_of(&port) != Some(Opening::Qdl);
        let handle = if self.whereabouts.is_in_loader() && may_speak_first {
            self.world.open_loader(&port)?
        } else {
            self.world.open(&port.id)?
        };
        if let Err(error) = self.check_whose(&port) {
            self.world.close(handle);
            return Err(error);
        }
        self.port.set_plain(handle);
        Ok(handle)
    }

    /// Checks that the port's name still belongs to the same device: as soon as a modem has left, the kernel may give its names to another
    /// one.
    pub(crate) fn check_whose(&mut self, port: &PortInfo) -> Result<(), Cause> {
        let Some(device) = &port.device else { return Ok(()) };
        let now = self
            .world
            .find(port.id.as_str())
            .ok()
            .and_then(|port| port.device);
        let is_same = now.is_some_and(|now| now.is_same_appearance(device));
        if is_same {
            return Ok(());
        }
        Err(Cause::Port(PortError {
            port: port.id.clone(),
            kind: PortErrorKind::Gone,
        }))
    }

    /// Opens a port that may have just appeared: its rights may not be set yet, and for `holder_limit` another
    /// program may have it.
    pub(crate) fn open_patiently(&mut self, holder_limit: Duration) -> Result<PortHandle, Cause> {
        let begun = self.now();
        loop {
            let error = match self.handle() {
                Err(Cause::Port(error)) => error,
                other => return other,
            };
            let limit = match &error.kind {
                PortErrorKind::PermissionDenied | PortErrorKind::NotFound => RIGHTS_LIMIT,
                // ModemManager looks at every new port, for some seconds.
                PortErrorKind::Busy { holder: Some(holder) } if holder.program() == Program::ModemManager => {
                    holder_limit.max(HOLDER_LIMIT)
                }
                PortErrorKind::Busy { .. } => holder_limit,
                _ => Duration::ZERO,
            };
            let until = begun + limit;
            if self.now() >= until {
                return Err(self.refused(error));
            }
            let next = until.min(self.now() + OPEN_AGAIN);
            self.wait(&[Interest::Bus], next, Heed::AtOnce)?;
        }
    }

    /// Why the port can't be opened. An interface without a driver is no port for a user who may not use it.
    fn refused(&self, error: PortError) -> Cause {
        let is_interface = self.whereabouts.port().kind == PortKind::Interface;
        match self.whereabouts.known_modem() {
            Some(modem) if is_interface && error.kind == PortErrorKind::PermissionDenied => {
                Cause::no_port(modem)
            }
            _ => Cause::Port(error),
        }
    }

    /// Closes the port.
    pub(crate) fn close(&mut self) {
        if let Some(handle) = self.port.take_plain() {
            self.world.close(handle);
        }
    }

    /// Closes a port that failed, and passes its error on.
    pub(crate) fn lost(&mut self, error: PortError) -> Cause {
        self.close();
        Cause::Port(error)
    }

    /// Asks the host not to suspend the device; a warning when it can't.
    pub(crate) fn keep_awake(&mut self) {
        let Some(device) = self.whereabouts.device() else {
            return;
        };
        let path = device.path.clone();
        match self.world.host().keep_awake(&path) {
            Ok(()) | Err(HostError::Unsupported { .. }) => {}
            Err(error) => {
                let text = format!("the host may suspend the modem during the update: {error}");
                self.warn(Warning {
                    code: RunWarning::Autosuspend.into(),
                    text,
                    confirm: false,
                });
            }
        }
    }

    /// For how long the modem has been on the bus at least, without having been seen to come there; `None` if this run saw it
    /// come.
    pub(crate) fn waited_on_bus(&mut self) -> Option<Duration> {
        if self.whereabouts.was_seen_to_come() {
            return None;
        }
        let seen = self.now().since(self.whereabouts.came());
        let place = self.whereabouts.device().map(|device| device.path.clone());
        let told = place.and_then(|place| self.world.host().time_on_bus(&place));
        // In whole milliseconds, as traces have it.
        let told = told.map_or(0, |told| u64::try_from(told.as_millis()).unwrap_or(u64::MAX));
        Some(seen.max(Duration::from_millis(told)))
    }

    /// Asks the host to configure the device anew. False when the host can't. The port is closed before, so that the kernel gives
    /// the new one the same name.
    pub(crate) fn re_enumerate(&mut self) -> bool {
        self.close();
        let Some(device) = self.whereabouts.device() else {
            return false;
        };
        let path = device.path.clone();
        match self.world.host().re_enumerate(&path) {
            Ok(()) => true,
            Err(error) => {
                tracing::info!(%error, "no re-enumeration");
                false
            }
        }
    }

    /// Waits for bytes or for `until`. True when the port may have something to say.
    pub(crate) fn wait_bytes(&mut self, handle: PortHandle, until: Instant) -> Result<bool, Cause> {
        let wake = self.wait(&[Interest::Readable(handle)], until, Heed::AtOnce)?;
        Ok(!matches!(wake, Wake::Deadline))
    }
}
