//! Opening and closing the port, and following the modem over the bus.

use std::time::Duration;

use modem_world::{HostError, Instant, Interest, PortErrorKind, PortHandle, PortInfo, Wake};

use crate::devices::{self, Quirk, Standing};
use crate::run::Run;
use crate::{Cause, DeviceId, ModemState};

/// How long a modem may take to be on the bus again after a reset: the 120 s of update-flow.md §3, S8, and the 70 s
/// of a slow boot (field-reports.md D8) fit in.
pub(crate) const RETURN_LIMIT: Duration = Duration::from_secs(120);
/// How long a modem may take to leave the bus after a reset request (qdl.md §7).
pub(crate) const LEAVE_LIMIT: Duration = Duration::from_secs(10);
/// How long a port that may have just appeared can refuse to be opened, or be missing: udev sets its rights after the
/// kernel has made it (linux.md §4).
const RIGHTS_LIMIT: Duration = Duration::from_secs(2);
/// How long another program may have a port that came back in the middle of a run. Ours: enough for a program that
/// looks at every new port.
pub(crate) const HOLDER_LIMIT: Duration = Duration::from_secs(5);
/// How often the bus is looked at when nobody says that it changed (update-flow.md §9 row 6).
const BUS_POLL: Duration = Duration::from_millis(250);

impl Run<'_> {
    /// The open port; opens it when it isn't.
    pub(crate) fn handle(&mut self) -> Result<PortHandle, Cause> {
        match self.handle {
            Some(handle) => Ok(handle),
            None => {
                let handle = self.world.open(&self.port.id)?;
                self.handle = Some(handle);
                Ok(handle)
            }
        }
    }

    /// Opens a port that may have just appeared: its rights may not be set yet, and for `holder_limit` another
    /// program may have it.
    pub(crate) fn open_patiently(&mut self, holder_limit: Duration) -> Result<PortHandle, Cause> {
        let begun = self.world.now();
        loop {
            let error = match self.handle() {
                Err(Cause::Port(error)) => error,
                other => return other,
            };
            let limit = match error.kind {
                PortErrorKind::PermissionDenied | PortErrorKind::NotFound => RIGHTS_LIMIT,
                PortErrorKind::Busy { .. } => holder_limit,
                _ => Duration::ZERO,
            };
            let until = begun + limit;
            if self.world.now() >= until {
                return Err(Cause::Port(error));
            }
            let next = until.min(self.world.now() + BUS_POLL);
            let wake = self.world.wait(&[Interest::Bus], next);
            self.heed(wake)?;
        }
    }

    /// Closes the port.
    pub(crate) fn close(&mut self) {
        if let Some(handle) = self.handle.take() {
            self.world.close(handle);
        }
    }

    /// Asks the host not to suspend the device; a warning when it can't.
    pub(crate) fn keep_awake(&mut self) {
        let Some(device) = &self.port.device else { return };
        let path = device.path.clone();
        match self.world.host().keep_awake(&path) {
            Ok(()) | Err(HostError::Unsupported { .. }) => {}
            Err(error) => {
                let text = format!("the host may suspend the modem during the update: {error}");
                let warning = crate::Warning {
                    code: "AUTOSUSPEND",
                    text,
                    confirm: false,
                };
                self.teller.warn(self.world.now(), warning);
            }
        }
    }

    /// Asks the host to make the device enumerate again. False when the host can't.
    pub(crate) fn re_enumerate(&mut self) -> bool {
        let Some(device) = &self.port.device else {
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

    /// Waits until the device has left the bus. False when it is still there at the end of `limit`.
    pub(crate) fn wait_leave(&mut self, limit: Duration) -> Result<bool, Cause> {
        let until = self.world.now() + limit;
        let mut scratch = [0; 1024];
        loop {
            match self.handle {
                // A port that has gone says so when it is read.
                Some(handle) => loop {
                    match self.world.try_read(handle, &mut scratch) {
                        Err(_) => {
                            self.close();
                            return Ok(true);
                        }
                        Ok(count) if count == 0 || self.world.now() >= until => break,
                        Ok(_) => {}
                    }
                },
                None => {
                    if !self.is_there() {
                        return Ok(true);
                    }
                }
            }
            if self.world.now() >= until {
                return Ok(false);
            }
            let next = until.min(self.world.now() + BUS_POLL);
            let wake = match self.handle {
                Some(handle) => self
                    .world
                    .wait(&[Interest::Readable(handle), Interest::Bus], until),
                None => self.world.wait(&[Interest::Bus], next),
            };
            self.heed(wake)?;
        }
    }

    /// Whether the device is on the bus as it was last seen.
    fn is_there(&mut self) -> bool {
        let Some(device) = self.port.device.clone() else {
            return self.world.find(&self.port_name).is_ok();
        };
        self.world.devices().is_ok_and(|devices| {
            devices
                .iter()
                .any(|there| there.device.path == device.path && there.device.number == device.number)
        })
    }

    /// Waits until the modem, which has left, is back in download mode, at the same place or at its peer, and opens
    /// its port. `left` is its number on the bus from before.
    pub(crate) fn wait_return(&mut self, limit: Duration) -> Result<(), Cause> {
        self.close();
        let left = self.port.device.as_ref().map(|device| device.number);
        let until = self.world.now() + limit;
        loop {
            if let Some(port) = self.look_for_return(left)? {
                self.came = self.world.now();
                if self.port.id != port.id || self.port.device != port.device {
                    let model = self.teller.device.model().map(str::to_owned);
                    self.teller.device = DeviceId::from_port(&port, model.as_deref());
                }
                self.port = port;
                match self.open_patiently(HOLDER_LIMIT) {
                    Ok(_) => {
                        self.keep_awake();
                        return Ok(());
                    }
                    // It left again while it was being opened; look on.
                    Err(Cause::Port(error))
                        if matches!(error.kind, PortErrorKind::Gone | PortErrorKind::NotFound) => {}
                    Err(other) => return Err(other),
                }
            }
            if self.world.now() >= until {
                return Err(Cause::DidNotReturn {
                    waited_s: limit.as_secs(),
                });
            }
            let next: Instant = until.min(self.world.now() + BUS_POLL);
            let wake = self.world.wait(&[Interest::Bus], next);
            self.heed(wake)?;
        }
    }

    /// The modem's port when it is back, judged by the device behind it.
    fn look_for_return(&mut self, left: Option<u32>) -> Result<Option<PortInfo>, Cause> {
        let Some(home) = self.home.clone() else {
            // A pseudo-terminal: back when its name can be found again.
            return Ok(self.world.find(&self.port_name).ok());
        };
        let Ok(devices) = self.world.devices() else {
            return Ok(None);
        };
        let ports = devices.into_iter().flat_map(|attached| attached.ports);
        let back = ports.into_iter().find(|port| {
            port.device.as_ref().is_some_and(|device| {
                let is_place = device.path == home.path
                    || home.peer.as_ref() == Some(&device.path)
                    || device.peer.as_ref() == Some(&home.path);
                is_place && Some(device.number) != left
            })
        });
        let Some(port) = back else { return Ok(None) };
        let Some(device) = &port.device else {
            return Ok(None);
        };
        match (
            devices::standing(device.vendor, device.product),
            device.interfaces,
        ) {
            (Standing::Emergency, _) => {
                self.set_modem(ModemState::Emergency);
                Err(Cause::EmergencyMode {
                    evidence: format!("it came back as {}", device.id()),
                })
            }
            // Somebody else's device in the same socket gets no bytes.
            (Standing::Foreign | Standing::NotQualcomm, _) if device.vendor != home.vendor => Ok(None),
            (_, Some(1)) => Ok(Some(port)),
            (_, Some(count)) => {
                let mut evidence = format!("it came back as {} with {count} interfaces", device.id());
                if devices::lookup(&home).is_some_and(|row| row.has(Quirk::DprPin)) {
                    evidence.push_str(
                        "; if it can't be kept in download mode at all, see whether the carrier board ties pin 25 (DPR) of the \
                         M.2 slot to ground or 1.8 V",
                    );
                }
                self.set_modem(ModemState::RunsFirmware);
                Err(Cause::RunsNormally { evidence })
            }
            (_, None) => Ok(None),
        }
    }

    /// Waits for bytes or for `until`. True when the port may have something to say.
    pub(crate) fn wait_bytes(&mut self, handle: PortHandle, until: Instant) -> Result<bool, Cause> {
        let wake = self.world.wait(&[Interest::Readable(handle)], until);
        self.heed(wake)?;
        Ok(!matches!(wake, Wake::Deadline))
    }
}
