//! Where the modem is, where it was, and where it came from.

use modem_world::{Instant, PortInfo, UsbDevice, UsbPath};
use serde::{Deserialize, Serialize};

use super::claim::Target;
use crate::modem::{Mode, Modem, Quirk, standing};
use crate::told::Cause;

/// Where the modem of a run is.
#[derive(Debug)]
pub(crate) struct Whereabouts {
    /// The name under which the user knows the port.
    name: String,
    /// The modem as it was last seen; none: a port behind which no modem is known to be.
    modem: Option<Box<Modem>>,
    /// The port in use, or the last one: with a modem one of its ports.
    port: PortInfo,
    /// The device as it was found: where it comes back to.
    home: Option<UsbDevice>,
    /// What was ever seen on the bus.
    seen: Vec<UsbDevice>,
    /// Where this modem was seen.
    places: Vec<UsbPath>,
    /// Whether the modem has a control port when its firmware runs, as far as anybody knows.
    has_control: bool,
    /// When the modem was seen to come onto the bus in this run; at first when the run began, for it was there then.
    came: Instant,
    /// Whether this run saw the modem come onto the bus. Otherwise the modem was there before, nobody knows how long.
    was_seen_to_come: bool,
}

/// What another run needs to find the same modem again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct KnownPlace {
    /// The name under which the user knows the port.
    name: String,
    /// The port that was in use, with the device behind it as it was last seen.
    port: PortInfo,
    /// The device as it was found.
    home: Option<UsbDevice>,
    /// What was ever seen on the bus.
    seen: Vec<UsbDevice>,
    /// Where this modem was seen.
    places: Vec<UsbPath>,
    /// Whether the modem has a control port when its firmware runs.
    has_control: bool,
}

impl KnownPlace {
    /// The port that was in use.
    pub(super) const fn port(&self) -> &PortInfo {
        &self.port
    }
}

impl Whereabouts {
    /// Where a run begins; `port` is the one to use.
    pub(super) fn new(now: Instant, name: String, target: Target, port: PortInfo) -> Self {
        let modem = match target {
            Target::Modem(modem) => Some(modem),
            Target::Port(_) | Target::Before(_) => None,
        };
        let has_control = modem
            .as_ref()
            .is_some_and(|modem| !modem.ports.control.is_empty());
        Self {
            name,
            modem,
            home: port.device.clone(),
            seen: Vec::new(),
            places: port.device.iter().map(|device| device.path.clone()).collect(),
            port,
            has_control,
            came: now,
            was_seen_to_come: false,
        }
    }

    /// The same modem, in a run that goes on from another one.
    pub(super) fn known(now: Instant, known: KnownPlace) -> Self {
        let KnownPlace {
            name,
            port,
            home,
            seen,
            places,
            has_control,
        } = known;
        Self {
            name,
            modem: None,
            port,
            home,
            seen,
            places,
            has_control,
            came: now,
            was_seen_to_come: false,
        }
    }

    /// What another run needs to find the modem.
    pub(crate) fn to_known(&self) -> KnownPlace {
        // The number on the bus is good until the next enumeration, and begins anew when the host starts.
        let without_number = |device: &UsbDevice| UsbDevice {
            number: 0,
            ..device.clone()
        };
        KnownPlace {
            name: self.name.clone(),
            port: PortInfo {
                device: self.device().map(without_number),
                ..self.port.clone()
            },
            home: self.home.as_ref().map(without_number),
            seen: self.seen.iter().map(without_number).collect(),
            places: self.places.clone(),
            has_control: self.has_control,
        }
    }

    /// The name under which the user knows the port.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// The modem as it was last seen.
    ///
    /// # Errors
    /// A bug: behind the port no modem is known to be.
    pub(crate) fn modem(&self) -> Result<&Modem, Cause> {
        self.modem.as_deref().ok_or_else(|| Cause::Bug {
            what: format!("no modem is known behind {}", self.port.id),
        })
    }

    /// The modem as it was last seen, where one is known.
    pub(crate) fn known_modem(&self) -> Option<&Modem> {
        self.modem.as_deref()
    }

    /// Whether the port in use is that of a boot loader, as far as the bus shows it.
    pub(super) fn is_in_loader(&self) -> bool {
        match &self.modem {
            Some(modem) => modem.mode == Mode::Download,
            None => {
                let mut devices = self.port.device.iter();
                devices.any(|device| device.interfaces == Some(1))
            }
        }
    }

    /// The device as it was last seen.
    pub(crate) fn device(&self) -> Option<&UsbDevice> {
        match &self.modem {
            Some(modem) => Some(&modem.device),
            None => self.port.device.as_ref(),
        }
    }

    /// The port in use, or the last one.
    pub(crate) const fn port(&self) -> &PortInfo {
        &self.port
    }

    /// The first port of the modem, or the only one that is known.
    pub(crate) fn first_port(&self) -> &PortInfo {
        let modem = self.modem.as_deref();
        modem
            .and_then(|modem| modem.all_ports().next())
            .unwrap_or(&self.port)
    }

    /// Uses another port of the modem.
    pub(crate) fn use_port(&mut self, port: &PortInfo) {
        self.port.clone_from(port);
    }

    /// The device as it was found.
    pub(crate) const fn home(&self) -> Option<&UsbDevice> {
        self.home.as_ref()
    }

    /// The modem comes back to where it is now.
    pub(crate) fn set_home(&mut self) {
        self.home = self.device().cloned();
    }

    /// Where this modem was seen.
    pub(super) fn places(&self) -> &[UsbPath] {
        &self.places
    }

    /// The modem is here now. Its first port is the one to use.
    pub(super) fn settle(&mut self, modem: Modem) {
        self.port = match modem.all_ports().next() {
            Some(port) => port.clone(),
            None => PortInfo {
                device: Some(modem.device.clone()),
                ..self.port.clone()
            },
        };
        if !self.places.contains(modem.path()) {
            self.places.push(modem.path().clone());
        }
        self.modem = Some(Box::new(modem));
    }

    /// A port without a modem is here now.
    pub(super) fn settle_at_port(&mut self, port: PortInfo, now: Instant) {
        self.port = port;
        self.note_arrival(now);
    }

    /// The modem came onto the bus.
    pub(super) const fn note_arrival(&mut self, now: Instant) {
        self.came = now;
        self.was_seen_to_come = true;
    }

    /// The modem is on the bus, but nobody knows since when.
    pub(super) const fn note_present(&mut self) {
        self.was_seen_to_come = false;
    }

    /// Whether this run saw the modem come onto the bus.
    pub(crate) const fn was_seen_to_come(&self) -> bool {
        self.was_seen_to_come
    }

    /// When the modem was seen to come onto the bus.
    pub(crate) const fn came(&self) -> Instant {
        self.came
    }

    /// Whether the modem can be expected to have a control port when its firmware runs.
    pub(super) const fn expects_control(&self) -> bool {
        self.has_control
    }

    /// The modem, of which nobody knows what ports it has with its firmware, is waited for the best.
    pub(crate) const fn expect_control(&mut self) {
        self.has_control = true;
    }

    /// Notes what is on the bus.
    pub(super) fn note_seen(&mut self, devices: impl Iterator<Item = UsbDevice>) {
        for device in devices {
            let is_known = |seen: &UsbDevice| {
                seen.path == device.path && (seen.number == device.number || seen.serial == device.serial)
            };
            if !self.seen.iter().any(is_known) {
                self.seen.push(device);
            }
        }
    }

    /// Whether another device with this serial string was ever seen.
    pub(super) fn has_seen_other(&self, serial: Option<&String>) -> bool {
        self.seen
            .iter()
            .any(|seen| seen.serial.as_ref() == serial && !self.places.contains(&seen.path))
    }

    /// Whether a carrier board may keep this modem from staying in download mode (field-reports.md B1).
    pub(crate) fn may_be_pinned(&self) -> bool {
        let home = self.home.as_ref().and_then(standing::lookup);
        home.is_some_and(|row| row.has(Quirk::DprPin))
    }
}
