//! Follows the modem over the bus: the modem leaves, and comes back at the same place, at the peer of that place, or elsewhere.

use std::iter;
use std::time::Duration;

use modem_world::{Attached, DiscoveryError, Instant, Interest, PortErrorKind, Spot, UsbDevice};

use super::claim::PORTS_LIMIT;
use super::parts::Run;
use super::passing::{Awaited, Passages};
use super::port::HOLDER_LIMIT;
use super::stops::Heed;
use crate::modem::{DeviceId, Mode, Modem};
use crate::told::{Cause, EventKind, ModemState};

/// How long a modem may take to be on the bus again after a reset: the 120 s of update-flow.md §3, S8, and the 70 s
/// of a slow boot (field-reports.md D8) fit in.
pub(crate) const RETURN_LIMIT: Duration = Duration::from_secs(120);
/// How long a modem may take to leave the bus after a reset request (qdl.md §7).
pub(crate) const LEAVE_LIMIT: Duration = Duration::from_secs(10);
/// How often a modem may appear anew after the time for its return is over.
const LATE_APPEARANCES: u8 = 3;
/// How long the run waits for further ports after the last new one. Estimate: loading a driver takes about a second.
const PORTS_QUIET: Duration = Duration::from_secs(2);
/// How long a modem may take to leave the bus after the host has configured it anew. Estimate: the kernel notices within half a second
/// that a device has gone.
const SETTLING: Duration = Duration::from_secs(1);
/// How often the run looks at the modem's place if no bus event comes, in case one was missed; and how often it looks at the whole bus, if
/// the kernel doesn't know the peer of the place.
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
    /// Waits until the modem has left the bus. False if the modem is still there at the end of `limit`.
    pub(crate) fn wait_leave(&mut self, limit: Duration, heed: Heed) -> Result<bool, Cause> {
        let until = self.now() + limit;
        let mut scratch = [0; 1024];
        loop {
            match self.port.plain() {
                // Reading from a port that has gone fails.
                Some(handle) => loop {
                    match self.world.try_read(handle, &mut scratch) {
                        Err(_) => {
                            self.close();
                            return Ok(true);
                        }
                        Ok(count) if count == 0 || self.now() >= until => break,
                        Ok(_) => {}
                    }
                },
                None => {
                    if !self.is_there() {
                        return Ok(true);
                    }
                }
            }
            if self.now() >= until {
                return Ok(false);
            }
            let next = until.min(self.now() + BUS_POLL);
            match self.port.plain() {
                Some(handle) => self.wait(&[Interest::Readable(handle), Interest::Bus], until, heed)?,
                None => self.wait(&[Interest::Bus], next, heed)?,
            };
        }
    }

    /// Whether the device is on the bus as it was last seen.
    pub(crate) fn is_there(&mut self) -> bool {
        let Some(device) = self.whereabouts.device().cloned() else {
            return self.world.find(self.whereabouts.name()).is_ok();
        };
        // A bus that can't be read now says nothing.
        self.world.device_at(&device.path).map_or(true, |there| {
            there.is_some_and(|there| there.device.is_same_appearance(&device))
        })
    }

    /// Follows a modem that the host has configured anew until its port is open again.
    pub(crate) fn follow_re_enumeration(&mut self) -> Result<(), Cause> {
        // The device keeps its number, unless it leaves the bus by itself now.
        let before = self.modem_state();
        let until = self.now() + SETTLING;
        while self.now() < until {
            if !self.is_there() {
                return self.wait_return(RETURN_LIMIT);
            }
            self.wait(&[Interest::Bus], until, Heed::AtOnce)?;
        }
        self.wait_return_as(before, None, RETURN_LIMIT)
    }

    /// Waits until the modem, which has left, is back in download mode, at the same place or at its peer, and opens
    /// its port.
    pub(crate) fn wait_return(&mut self, limit: Duration) -> Result<(), Cause> {
        let before = self.modem_state();
        // The modem is off the bus, and nobody knows in which mode it will come back.
        if before == ModemState::InDownloadMode {
            self.set_modem(ModemState::Unknown);
        }
        let left = self.whereabouts.device().cloned();
        self.wait_return_as(before, left, limit)
    }

    /// `left` is the device that has left the bus. It isn't mistaken for the device that comes back.
    fn wait_return_as(
        &mut self,
        before: ModemState,
        mut left: Option<UsbDevice>,
        limit: Duration,
    ) -> Result<(), Cause> {
        self.close();
        let until = self.now() + limit;
        loop {
            let back = self.wait_port_back(left.as_ref(), until, limit, Awaited::ANY_MODE);
            let mode = back.inspect_err(|cause| match cause {
                Cause::NoPort {
                    mode: Mode::Normal, ..
                } => {
                    self.set_modem(ModemState::RunsFirmware);
                }
                Cause::NoPort { .. } => self.set_modem(before),
                _ => {}
            })?;
            if mode == Some(Mode::Normal) {
                let evidence = self.came_back_normal()?;
                self.set_modem(ModemState::RunsFirmware);
                return Err(Cause::RunsNormally { evidence });
            }
            match self.open_patiently(HOLDER_LIMIT) {
                Ok(_) => {
                    self.keep_awake();
                    self.set_modem(before);
                    return Ok(());
                }
                // The modem left again while its port was being opened: keep looking.
                Err(Cause::Port(error))
                    if matches!(error.kind, PortErrorKind::Gone | PortErrorKind::NotFound) =>
                {
                    left = self.whereabouts.device().cloned();
                }
                Err(other) => return Err(other),
            }
        }
    }

    /// In words, how the run knows that the modem runs its firmware although it was expected in download mode.
    fn came_back_normal(&self) -> Result<String, Cause> {
        let device = &self.whereabouts.modem()?.device;
        let count = device.interfaces.unwrap_or_default();
        let mut evidence = format!("it came back as {} with {count} interfaces", device.id());
        if self.whereabouts.may_be_pinned() {
            evidence.push_str(
                "; if it can't be kept in download mode at all, see whether the carrier board ties pin 25 (DPR) of the M.2 slot to \
                 ground or 1.8 V",
            );
        }
        Ok(evidence)
    }

    /// Opens the port of a modem in download mode. If the modem leaves the bus before the port is open, waits for the modem and opens its
    /// port where it is then.
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

    /// Notes that the state of a modem that didn't come back is unknown.
    pub(crate) fn note_lost(&mut self, cause: &Cause) {
        if matches!(cause, Cause::DidNotReturn { .. }) {
            self.set_modem(ModemState::Unknown);
        }
    }

    /// Waits for the modem and returns its mode; none for a pseudo-terminal, once its name is there again.
    fn wait_port_back(
        &mut self,
        left: Option<&UsbDevice>,
        until: Instant,
        limit: Duration,
        awaited: Awaited,
    ) -> Result<Option<Mode>, Cause> {
        if self.whereabouts.home().is_some() {
            return self
                .wait_back_until(left, until, limit, awaited, Heed::AtOnce)
                .map(Some);
        }
        loop {
            if let Ok(port) = self.world.find(self.whereabouts.name()) {
                if !self.claim_until(&Spot::of_port(&port), until, Heed::AtOnce)? {
                    continue;
                }
                self.whereabouts.settle_at_port(port, self.now());
                return Ok(None);
            }
            self.wait_bus(until, limit, Heed::AtOnce)?;
        }
    }

    /// Waits until the modem, which has left, is on the bus again with its ports, as it is `awaited`, at the same place or
    /// at its peer. The port in use is then its download port, or the first one through which it can be asked.
    ///
    /// # Errors
    /// The modem isn't back within `limit`, or shows only its boot loader now and then; it is in emergency mode; it is back, but
    /// no driver creates a port for it.
    pub(crate) fn wait_back(&mut self, limit: Duration, awaited: Awaited, heed: Heed) -> Result<Mode, Cause> {
        self.close();
        let until = self.now() + limit;
        let left = self.whereabouts.device().cloned();
        self.wait_back_until(left.as_ref(), until, limit, awaited, heed)
    }

    /// Waits until the modem is on the bus with its ports, wherever it was before, and gives its mode; none for a pseudo-terminal. In
    /// a run that goes on from another one nobody knows whether the modem has left since.
    ///
    /// # Errors
    /// As [`wait_back`](Self::wait_back).
    pub(crate) fn wait_present(&mut self, limit: Duration, awaited: Awaited) -> Result<Option<Mode>, Cause> {
        self.close();
        let until = self.now() + limit;
        let mode = self.wait_port_back(None, until, limit, awaited)?;
        self.whereabouts.note_present();
        Ok(mode)
    }

    /// Looks at the place where the modem was last, and gives its mode; none when no modem is there.
    pub(crate) fn look_here(&mut self) -> Option<Mode> {
        let place = self.whereabouts.device()?.path.clone();
        let there = self.world.device_at(&place).ok()??;
        let modem = Modem::of(there)?;
        let mode = modem.mode;
        self.settle_at(modem);
        Some(mode)
    }

    fn wait_back_until(
        &mut self,
        left: Option<&UsbDevice>,
        until: Instant,
        limit: Duration,
        awaited: Awaited,
        heed: Heed,
    ) -> Result<Mode, Cause> {
        let mut seen: Option<Seen> = None;
        let mut passages = Passages::new(awaited);
        let has_no_peer = self.whereabouts.home().is_some_and(|home| home.peer.is_none());
        let mut next_whole = self.now();
        let mut late_appearances = 0_u8;
        loop {
            let whole_bus = has_no_peer && (seen.is_some() || self.now() >= next_whole);
            if whole_bus {
                next_whole = self.now() + BUS_POLL;
            }
            if let Some(modem) = self.look_for_return(left, whole_bus)? {
                let now = self.now();
                let is_same = |seen: &Seen| seen.is(&modem);
                let before = seen.take().filter(is_same);
                let is_new = before.is_none();
                if is_new && now >= until {
                    // A modem that appears at the last moment may still get its ports, but not again and again.
                    late_appearances = late_appearances.saturating_add(1);
                    if late_appearances > LATE_APPEARANCES {
                        let waited_s = limit.as_secs();
                        return Err(passages.explain(Cause::DidNotReturn { waited_s }));
                    }
                }
                if is_new {
                    self.loader_is_gone(&mut passages, until);
                    self.appeared(&modem);
                }
                let seen = seen.insert(Seen::again(before, &modem, now));
                let since = seen.since;
                if modem.mode == Mode::Download {
                    self.loader_is_here(&mut passages, is_new);
                    if let Some(stays) = passages.until(since).filter(|stays| now < *stays) {
                        self.wait_bus(stays, limit, heed)?;
                        continue;
                    }
                }
                let is_late = now >= since + PORTS_LIMIT;
                let is_quiet = now >= seen.changed + PORTS_QUIET;
                if self.has_its_ports(&modem, is_quiet, is_late) {
                    if !self.claim_until(&Spot::of_device(&modem.device), until, heed)? {
                        continue;
                    }
                    let mode = modem.mode;
                    self.settle_at(modem);
                    return Ok(mode);
                }
                if is_late {
                    let cause = Cause::no_port(&modem);
                    self.settle_at(modem);
                    return Err(cause);
                }
                let next = until.max(since + PORTS_LIMIT);
                self.wait_bus(next, limit, heed)?;
                continue;
            }
            self.loader_is_gone(&mut passages, until);
            self.wait_bus(until, limit, heed)
                .map_err(|cause| passages.explain(cause))?;
        }
    }

    /// Whether the modem has the ports that can be expected. `is_quiet`: no more ports seem to come. `is_late`: any port will do.
    fn has_its_ports(&self, modem: &Modem, is_quiet: bool, is_late: bool) -> bool {
        match modem.mode {
            Mode::Download if is_late => modem.ports.download.is_some(),
            // A driver may still take the interface.
            Mode::Download => modem.ports.has_download_driver(),
            Mode::Normal if is_late => modem.can_be_reached(),
            Mode::Normal if !is_quiet && !modem.is_complete() => false,
            Mode::Normal if self.whereabouts.expects_control() => !modem.ports.control.is_empty(),
            Mode::Normal => modem.can_be_reached(),
            Mode::Emergency | Mode::NotConfigured => false,
        }
    }

    /// Tells that the modem came onto the bus.
    fn appeared(&mut self, modem: &Modem) {
        let now = self.now();
        self.whereabouts.note_arrival(now);
        let kind = EventKind::Appeared {
            usb_id: modem.device.id(),
            mode: modem.mode,
        };
        self.teller.tell(now, kind);
    }

    /// Notes where the modem is now.
    fn settle_at(&mut self, modem: Modem) {
        let model = self.teller.device().model().map(str::to_owned);
        self.whereabouts.settle(modem);
        self.teller
            .set_device(DeviceId::from_port(self.whereabouts.port(), model.as_deref()));
    }

    /// Waits for a change of the bus, or for the next look at it.
    fn wait_bus(&mut self, until: Instant, limit: Duration, heed: Heed) -> Result<(), Cause> {
        if self.now() >= until {
            return Err(Cause::DidNotReturn {
                waited_s: limit.as_secs(),
            });
        }
        let next: Instant = until.min(self.now() + BUS_POLL);
        self.wait(&[Interest::Bus], next, heed)?;
        Ok(())
    }

    /// The modem, if it is back. It is recognised by its place, or by its serial string, for which the whole bus is read.
    fn look_for_return(&mut self, left: Option<&UsbDevice>, whole_bus: bool) -> Result<Option<Modem>, Cause> {
        let Some(home) = self.whereabouts.home().cloned() else {
            return Ok(None);
        };
        // A bus that can't be read now says nothing.
        let mut found = self.at_home(&home, left).unwrap_or_default();
        if found.is_none() && whole_bus {
            let devices = self.world.devices().unwrap_or_default();
            found = self
                .elsewhere(&home, left, &devices)
                .and_then(|there| ours(there, &home));
        }
        let Some(modem) = found else { return Ok(None) };
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

    /// The modem at its place or at the peer of that place. `left` is ignored, even if the kernel still shows it.
    fn at_home(
        &mut self,
        home: &UsbDevice,
        left: Option<&UsbDevice>,
    ) -> Result<Option<Modem>, DiscoveryError> {
        for place in iter::once(&home.path).chain(&home.peer) {
            let there = self.world.device_at(place)?;
            let there = there.filter(|there| !is_left(&there.device, left));
            if let Some(modem) = there.and_then(|there| ours(&there, home)) {
                return Ok(Some(modem));
            }
        }
        Ok(None)
    }

    /// Looks for the modem elsewhere if the kernel doesn't know the peer of its place: a device whose peer is that place, or one with the
    /// same serial string.
    fn elsewhere<'d>(
        &self,
        home: &UsbDevice,
        left: Option<&UsbDevice>,
        devices: &'d [Attached],
    ) -> Option<&'d Attached> {
        if home.peer.is_some() {
            return None;
        }
        let is_peer = |device: &UsbDevice| device.peer.as_ref() == Some(&home.path) && !is_left(device, left);
        let there = devices.iter().find(|there| is_peer(&there.device));
        there.or_else(|| self.by_serial(home, devices))
    }

    /// Where a host doesn't know which port of the other speed is the same socket (linux.md §3): the only modem with this
    /// serial string, when no other one with it was ever seen. Others may be off the bus just now, for modems are updated
    /// side by side.
    fn by_serial<'d>(&self, home: &UsbDevice, devices: &'d [Attached]) -> Option<&'d Attached> {
        home.serial.as_ref()?;
        let fits = |device: &UsbDevice| device.serial == home.serial;
        if self.whereabouts.has_seen_other(home.serial.as_ref()) {
            return None;
        }
        let last = self.whereabouts.device();
        let mut fitting = devices.iter().filter(|there| fits(&there.device));
        let first = fitting.next()?;
        let device = &first.device;
        let was_there = last.is_some_and(|last| last.is_same_appearance(device));
        let is_new = fitting.next().is_none() && !was_there && device.vendor == home.vendor;
        is_new.then_some(first)
    }

    /// Notes what is on the bus before the modem leaves it.
    pub(crate) fn note_bus(&mut self) {
        let devices = self.world.devices().unwrap_or_default();
        self.whereabouts
            .note_seen(devices.into_iter().map(|there| there.device));
    }
}

/// Whether this is the device that has left and is still shown.
fn is_left(device: &UsbDevice, left: Option<&UsbDevice>) -> bool {
    left.is_some_and(|left| left.is_same_appearance(device))
}

/// The device as a modem, if it can be the one from `home`: a device of another vendor in the same socket gets no bytes.
fn ours(there: &Attached, home: &UsbDevice) -> Option<Modem> {
    let is_same_vendor = there.device.vendor == home.vendor;
    Modem::of(there.clone()).or_else(|| is_same_vendor.then(|| Modem::insisted(there.clone())))
}
