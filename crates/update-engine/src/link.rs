//! Opening and closing the port, and following the modem over the bus.

use std::time::Duration;

use modem_world::{
    Attached, HostError, Instant, Interest, PortError, PortErrorKind, PortHandle, PortInfo, UsbDevice, Wake,
};

use crate::devices::{self, Quirk};
use crate::modem::{Mode, Modem};
use crate::run::Run;
use crate::{Cause, DeviceId, EventKind, ModemState};

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
/// How long after its appearance the kernel may take to make a modem's ports: 2 s under software emulation
/// (docs/kernel-lab.md), more where a driver has to be loaded from a slow medium first. Ours.
const PORTS_LIMIT: Duration = Duration::from_secs(10);
/// How long after its last new port a modem that may get more ports is waited for. Ours: a driver that is loaded first takes
/// about a second.
const PORTS_QUIET: Duration = Duration::from_secs(2);
/// How often a port that can't be opened yet is tried again.
const OPEN_AGAIN: Duration = Duration::from_millis(250);
/// How often the bus is looked at when nobody says that it changed. The world itself looks twice a second (update-flow.md §9
/// row 6); this is for what it may have missed between two looks.
const BUS_POLL: Duration = Duration::from_secs(2);

/// A device that is on the bus: the drivers need some time to make its ports.
struct Seen {
    device: UsbDevice,
    since: Instant,
    /// How many ports it has, and since when.
    ports: usize,
    changed: Instant,
}

impl Seen {
    fn is(&self, modem: &Modem) -> bool {
        self.device.is_same_appearance(&modem.device)
    }

    /// The modem as it is now; `before`: when it was seen before.
    fn again(before: Option<Self>, modem: &Modem, now: Instant) -> Self {
        let ports = modem.all_ports().count();
        let is_unchanged = |before: &&Self| before.ports == ports;
        Self {
            device: modem.device.clone(),
            since: before.as_ref().map_or(now, |before| before.since),
            ports,
            changed: before
                .as_ref()
                .filter(is_unchanged)
                .map_or(now, |before| before.changed),
        }
    }
}

impl Run<'_> {
    /// The open port; opens it when it isn't.
    pub(crate) fn handle(&mut self) -> Result<PortHandle, Cause> {
        match self.handle {
            Some(handle) => Ok(handle),
            None => {
                let handle = self.world.open(&self.port.id)?;
                if let Err(error) = self.check_whose(&self.port.clone()) {
                    self.world.close(handle);
                    return Err(error);
                }
                self.handle = Some(handle);
                Ok(handle)
            }
        }
    }

    /// Whether a name still belongs to the device that it belonged to when it was found: the kernel gives names away again, to
    /// a neighbour, as soon as a modem has left.
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
        let begun = self.world.now();
        loop {
            let error = match self.handle() {
                Err(Cause::Port(error)) => error,
                other => return other,
            };
            let limit = match &error.kind {
                PortErrorKind::PermissionDenied | PortErrorKind::NotFound => RIGHTS_LIMIT,
                // It looks at every new port, for some seconds.
                PortErrorKind::Busy { holder: Some(holder) } if holder.starts_with("ModemManager") => {
                    holder_limit.max(HOLDER_LIMIT)
                }
                PortErrorKind::Busy { .. } => holder_limit,
                _ => Duration::ZERO,
            };
            let until = begun + limit;
            if self.world.now() >= until {
                return Err(Cause::Port(error));
            }
            let next = until.min(self.world.now() + OPEN_AGAIN);
            let wake = self.world.wait(&[Interest::Bus], next);
            self.heed(wake)?;
        }
    }

    /// The same for a modem in download mode: one that left the bus before its port was open is waited for, and its port is
    /// opened where it is then.
    pub(crate) fn open_following(&mut self, holder_limit: Duration) -> Result<(), Cause> {
        match self.open_patiently(holder_limit) {
            Err(Cause::Port(error))
                if matches!(error.kind, PortErrorKind::Gone | PortErrorKind::NotFound)
                    && !self.is_there() =>
            {
                self.wait_return(RETURN_LIMIT)
                    .inspect_err(|cause| self.note_lost(cause))
            }
            other => other.map(|_| ()),
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
        // A bus that can't be read now says nothing.
        self.world.devices().map_or(true, |devices| {
            devices
                .iter()
                .any(|there| there.device.is_same_appearance(&device))
        })
    }

    /// Waits until the modem, which has left, is back in download mode, at the same place or at its peer, and opens
    /// its port.
    pub(crate) fn wait_return(&mut self, limit: Duration) -> Result<(), Cause> {
        let before = self.teller.modem();
        // Off the bus; where it comes back to, is seen then.
        if before == ModemState::InDownloadMode {
            self.set_modem(ModemState::Unknown);
        }
        self.wait_return_as(before, limit)
    }

    fn wait_return_as(&mut self, before: ModemState, limit: Duration) -> Result<(), Cause> {
        self.close();
        let until = self.world.now() + limit;
        loop {
            let back = self
                .wait_port_back(until, limit)
                .inspect_err(|cause| match cause {
                    Cause::NoPort { mode, .. } if *mode == Mode::Normal.to_string() => {
                        self.set_modem(ModemState::RunsFirmware);
                    }
                    Cause::NoPort { .. } => self.set_modem(before),
                    _ => {}
                });
            match back? {
                Some(modem) if modem.mode == Mode::Normal => {
                    let count = modem.device.interfaces.unwrap_or_default();
                    let mut evidence =
                        format!("it came back as {} with {count} interfaces", modem.device.id());
                    if self.may_be_pinned() {
                        evidence.push_str(
                            "; if it can't be kept in download mode at all, see whether the carrier board ties pin 25 (DPR) of the \
                             M.2 slot to ground or 1.8 V",
                        );
                    }
                    self.set_modem(ModemState::RunsFirmware);
                    return Err(Cause::RunsNormally { evidence });
                }
                _ => {}
            }
            match self.open_patiently(HOLDER_LIMIT) {
                Ok(_) => {
                    self.keep_awake();
                    self.set_modem(before);
                    return Ok(());
                }
                // It left again while it was being opened; look on.
                Err(Cause::Port(error))
                    if matches!(error.kind, PortErrorKind::Gone | PortErrorKind::NotFound) => {}
                Err(other) => return Err(other),
            }
        }
    }

    /// Whether a carrier board may keep this modem from staying in download mode (field-reports.md B1).
    pub(crate) fn may_be_pinned(&self) -> bool {
        let home = self.home.as_ref().and_then(devices::lookup);
        home.is_some_and(|row| row.has(Quirk::DprPin))
    }

    /// The modem when it is back; none for a pseudo-terminal whose name can be found again.
    fn wait_port_back(&mut self, until: Instant, limit: Duration) -> Result<Option<Modem>, Cause> {
        if self.home.is_some() {
            return self.wait_back_until(until, limit).map(Some);
        }
        loop {
            if let Ok(port) = self.world.find(&self.port_name) {
                self.came = self.world.now();
                self.port = port;
                return Ok(None);
            }
            self.wait_bus(until, limit)?;
        }
    }

    /// Waits until the modem, which has left, is on the bus again with its ports, in whatever mode, at the same place or
    /// at its peer. The port in use is then its download port, or the first one through which it can be asked.
    ///
    /// # Errors
    /// It isn't back within `limit`; it is in emergency mode; it is back, but no driver made a port of it.
    pub(crate) fn wait_back(&mut self, limit: Duration) -> Result<Modem, Cause> {
        self.close();
        let until = self.world.now() + limit;
        self.wait_back_until(until, limit)
    }

    fn wait_back_until(&mut self, until: Instant, limit: Duration) -> Result<Modem, Cause> {
        let left = self.port.device.clone();
        let mut seen: Option<Seen> = None;
        loop {
            if let Some(modem) = self.look_for_return(left.as_ref())? {
                let now = self.world.now();
                let is_same = |seen: &Seen| seen.is(&modem);
                let before = seen.take().filter(is_same);
                if before.is_none() {
                    self.appeared(&modem);
                }
                let seen = seen.insert(Seen::again(before, &modem, now));
                let since = seen.since;
                let is_late = now >= since + PORTS_LIMIT;
                let is_quiet = now >= seen.changed + PORTS_QUIET;
                if self.has_its_ports(&modem, is_quiet, is_late) {
                    self.settle_at(&modem);
                    return Ok(modem);
                }
                if is_late {
                    self.settle_at(&modem);
                    return Err(Cause::NoPort {
                        id: modem.device.id(),
                        mode: modem.mode.to_string(),
                    });
                }
                let next = until.max(since + PORTS_LIMIT);
                self.wait_bus(next, limit)?;
                continue;
            }
            self.wait_bus(until, limit)?;
        }
    }

    /// Whether the ports are there that this modem can be expected to have; `is_quiet`: no more seem to come; `is_late`: any
    /// port will do.
    fn has_its_ports(&self, modem: &Modem, is_quiet: bool, is_late: bool) -> bool {
        match modem.mode {
            Mode::Download => modem.ports.download.is_some(),
            Mode::Normal if is_late => modem.can_be_reached(),
            Mode::Normal if !is_quiet && !modem.is_complete() => false,
            Mode::Normal if self.had_control => !modem.ports.control.is_empty(),
            Mode::Normal => modem.can_be_reached(),
            Mode::Emergency | Mode::NotConfigured => false,
        }
    }

    /// Tells that the modem came onto the bus.
    fn appeared(&mut self, modem: &Modem) {
        let now = self.world.now();
        self.came = now;
        let kind = EventKind::Appeared {
            usb_id: modem.device.id(),
            mode: modem.mode,
        };
        self.teller.tell(now, kind);
    }

    /// From now on this is where the modem is.
    pub(crate) fn settle_at(&mut self, modem: &Modem) {
        let model = self.teller.device.model().map(str::to_owned);
        let port = match modem.all_ports().next() {
            Some(port) => port.clone(),
            None => PortInfo {
                device: Some(modem.device.clone()),
                ..self.port.clone()
            },
        };
        if self.port != port {
            self.teller.device = DeviceId::from_port(&port, model.as_deref());
        }
        self.port = port;
        if !self.places.contains(modem.path()) {
            self.places.push(modem.path().clone());
        }
    }

    /// Waits for a change of the bus, or for the next look at it.
    fn wait_bus(&mut self, until: Instant, limit: Duration) -> Result<(), Cause> {
        if self.world.now() >= until {
            return Err(Cause::DidNotReturn {
                waited_s: limit.as_secs(),
            });
        }
        let next: Instant = until.min(self.world.now() + BUS_POLL);
        let wake = self.world.wait(&[Interest::Bus], next);
        self.heed(wake)
    }

    /// The modem when it is back, judged by its place, or else by its serial string.
    fn look_for_return(&mut self, left: Option<&UsbDevice>) -> Result<Option<Modem>, Cause> {
        let (Some(home), Ok(devices)) = (self.home.clone(), self.world.devices()) else {
            return Ok(None);
        };
        let is_place = |device: &UsbDevice| {
            device.path == home.path
                || home.peer.as_ref() == Some(&device.path)
                || device.peer.as_ref() == Some(&home.path)
        };
        let is_old = |device: &UsbDevice| left.is_some_and(|left| left.is_same_appearance(device));
        let at_home = devices
            .iter()
            .find(|there| is_place(&there.device) && !is_old(&there.device));
        let Some(there) = at_home.or_else(|| self.by_serial(&home, &devices)) else {
            return Ok(None);
        };
        // Somebody else's device in the same socket gets no bytes.
        let is_same_vendor = there.device.vendor == home.vendor;
        let modem = match Modem::of(there.clone()) {
            Some(modem) => modem,
            None if is_same_vendor => Modem::insisted(there.clone()),
            None => return Ok(None),
        };
        match modem.mode {
            Mode::Emergency => {
                self.set_modem(ModemState::Emergency);
                let id = modem.device.id();
                Err(Cause::EmergencyMode {
                    evidence: format!("it came back as {id}"),
                })
            }
            Mode::NotConfigured => Ok(None),
            Mode::Normal | Mode::Download => Ok(Some(modem)),
        }
    }

    /// Where a host doesn't know which port of the other speed is the same socket (linux.md §3): the only modem with this
    /// serial string, when no other one with it was ever seen. Others may be off the bus just now, for modems are updated
    /// side by side.
    fn by_serial<'d>(&self, home: &UsbDevice, devices: &'d [Attached]) -> Option<&'d Attached> {
        if home.peer.is_some() || home.serial.is_none() {
            return None;
        }
        let fits = |device: &UsbDevice| device.serial == home.serial;
        let others = |seen: &&UsbDevice| fits(seen) && !self.places.contains(&seen.path);
        if self.seen.iter().any(|seen| others(&seen)) {
            return None;
        }
        let last = self.port.device.as_ref();
        let mut fitting = devices.iter().filter(|there| fits(&there.device));
        let first = fitting.next()?;
        let device = &first.device;
        let was_there = last.is_some_and(|last| last.is_same_appearance(device));
        let is_new = fitting.next().is_none() && !was_there && device.vendor == home.vendor;
        is_new.then_some(first)
    }

    /// Notes what is on the bus before the modem leaves it.
    pub(crate) fn note_bus(&mut self) {
        for there in self.world.devices().unwrap_or_default() {
            let is_known = |seen: &UsbDevice| {
                seen.path == there.device.path
                    && (seen.number == there.device.number || seen.serial == there.device.serial)
            };
            if !self.seen.iter().any(is_known) {
                self.seen.push(there.device);
            }
        }
    }

    /// Waits for bytes or for `until`. True when the port may have something to say.
    pub(crate) fn wait_bytes(&mut self, handle: PortHandle, until: Instant) -> Result<bool, Cause> {
        let wake = self.world.wait(&[Interest::Readable(handle)], until);
        self.heed(wake)?;
        Ok(!matches!(wake, Wake::Deadline))
    }
}
