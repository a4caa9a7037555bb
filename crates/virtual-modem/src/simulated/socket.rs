//! One socket of the simulated bus: a modem, and what the kernel keeps for it.

use std::collections::VecDeque;
use std::time::Duration;

use modem_world::{Instant, PortError, PortErrorKind, PortHandle, PortId, PortInfo, UsbDevice, UsbPath};

use super::Names;
use crate::modem::{Output, VirtualModem};
use crate::random::Random;

/// Bytes that usb-serial takes in one write: a page.
const WRITE_BUFFER: usize = 4096;
/// Unread bytes from which on the kernel throttles the device: its IN endpoint is no longer read, so it can say
/// and take nothing.
const READ_BUFFER: usize = 64 * 1024;
/// SuperSpeed, in Mbit/s: such a device is on the other bus of the same socket.
const SUPER_SPEED: u32 = 5000;

/// A modem in its socket.
#[derive(Debug)]
pub(super) struct Socket {
    modem: VirtualModem,
    place: usize,
    device: Option<UsbDevice>,
    hidden: bool,
    ports: Vec<PortInfo>,
    /// Why the ports can't be opened, and until when.
    refused: Option<(PortErrorKind, Instant)>,
    opened: Vec<Opened>,
    /// Bytes from the modem, and when they are there.
    incoming: VecDeque<(Instant, Vec<u8>)>,
    /// How many bytes of the first of them are read.
    read: usize,
    unread: usize,
    outgoing: Vec<u8>,
    /// When the modem wants to be polled.
    wants: Instant,
}

#[derive(Debug)]
struct Opened {
    handle: PortHandle,
    port: PortId,
    gone: bool,
}

impl Socket {
    pub(super) fn new(modem: VirtualModem, place: usize) -> Self {
        Self {
            modem,
            place,
            device: None,
            hidden: false,
            ports: Vec::new(),
            refused: None,
            opened: Vec::new(),
            incoming: VecDeque::new(),
            read: 0,
            unread: 0,
            outgoing: Vec::new(),
            wants: Instant::START,
        }
    }

    pub(super) const fn modem(&self) -> &VirtualModem {
        &self.modem
    }

    pub(super) fn ports(&self) -> &[PortInfo] {
        &self.ports
    }

    pub(super) fn hide_device(&mut self) {
        self.hidden = true;
        for port in &mut self.ports {
            (port.device, port.interface, port.driver) = (None, None, None);
        }
    }

    pub(super) fn refuse(&mut self, why: PortErrorKind, until: Instant) {
        self.refused = Some((why, until));
    }

    pub(super) fn has(&self, handle: PortHandle) -> bool {
        self.opened.iter().any(|opened| opened.handle == handle)
    }

    pub(super) fn has_port(&self, port: &PortId) -> bool {
        self.ports.iter().any(|known| known.id == *port)
    }

    pub(super) fn is_at(&self, path: &UsbPath) -> bool {
        self.device.as_ref().is_some_and(|device| device.path == *path)
    }

    /// Whether the kernel still reads what the modem says.
    const fn is_throttled(&self) -> bool {
        self.unread >= READ_BUFFER
    }

    /// When something happens next by itself.
    pub(super) fn next_event(&self, now: Instant) -> Instant {
        let incoming = self.incoming.front().map_or(Instant::FAR, |(at, _)| *at);
        let incoming = if incoming <= now { Instant::FAR } else { incoming };
        if self.is_throttled() {
            incoming
        } else {
            incoming.min(self.wants)
        }
    }

    /// Lets the modem do what is due; returns how often it joined or left the bus.
    pub(super) fn pump(&mut self, now: Instant, names: &mut Names, mut chop: Option<&mut Random>) -> u32 {
        let mut changes = 0;
        loop {
            if self.is_throttled() {
                return changes;
            }
            self.drain(now);
            match self.modem.poll(now) {
                Output::Send(bytes) => self.arrive(bytes, now, chop.as_deref_mut()),
                Output::Attach(device) => {
                    changes += 1;
                    self.attach(device, names);
                }
                Output::Detach => {
                    changes += 1;
                    self.detach();
                }
                Output::Wait(until) => {
                    self.wants = until;
                    if self.outgoing.is_empty() || self.modem.room(now) == 0 {
                        return changes;
                    }
                }
            }
        }
    }

    /// Moves bytes from the kernel's buffer to the modem.
    fn drain(&mut self, now: Instant) {
        while !self.outgoing.is_empty() {
            let count = self.modem.room(now).min(self.outgoing.len());
            if count == 0 {
                return;
            }
            self.modem
                .receive(self.outgoing.get(..count).unwrap_or_default(), now);
            self.outgoing.drain(..count);
        }
    }

    /// A transfer of the modem arrives, whole or in two parts; dropped when nobody has the port open.
    fn arrive(&mut self, mut bytes: Vec<u8>, now: Instant, chop: Option<&mut Random>) {
        // An empty transfer would make the port readable with nothing to read.
        if bytes.is_empty() || !self.opened.iter().any(|opened| !opened.gone) {
            return;
        }
        self.unread += bytes.len();
        let last = self.incoming.back().map_or(now, |(at, _)| (*at).max(now));
        if let Some(random) = chop {
            if bytes.len() > 1 && random.once_in(4) {
                let rest = bytes.split_off(random.portion(bytes.len() - 1));
                let later = Duration::from_micros(random.below(20_000));
                self.incoming.push_back((last, bytes));
                self.incoming.push_back((last + later, rest));
                return;
            }
        }
        self.incoming.push_back((last, bytes));
    }

    fn attach(&mut self, mut device: UsbDevice, names: &mut Names) {
        let number = self.place + 1;
        let paths = (
            UsbPath::new(format!("1-{number}")),
            UsbPath::new(format!("2-{number}")),
        );
        let on_second_bus = device.speed.is_some_and(|speed| speed >= SUPER_SPEED);
        let (path, peer) = if on_second_bus { (paths.1, paths.0) } else { paths };
        names.next_device += 1;
        (device.path, device.peer, device.number) = (path, Some(peer), names.next_device);
        let profile = self.modem.setup().profile;
        let interfaces: &[u8] = if device.interfaces == Some(1) {
            &[0]
        } else {
            profile.normal_ports
        };
        self.ports = interfaces
            .iter()
            .map(|interface| {
                let id = PortId::new(format!("/dev/ttyUSB{}", names.next_tty));
                names.next_tty += 1;
                PortInfo {
                    id,
                    device: Some(device.clone()),
                    interface: Some(*interface),
                    driver: Some(profile.driver.to_owned()),
                }
            })
            .collect();
        self.device = Some(device);
        if self.hidden {
            self.hide_device();
        }
    }

    fn detach(&mut self) {
        self.device = None;
        self.ports.clear();
        self.incoming.clear();
        (self.read, self.unread) = (0, 0);
        self.outgoing.clear();
        for opened in &mut self.opened {
            opened.gone = true;
        }
    }

    pub(super) fn open(
        &mut self,
        port: &PortId,
        handle: PortHandle,
        now: Instant,
    ) -> Result<(), PortErrorKind> {
        if let Some((why, until)) = &self.refused {
            if now < *until {
                return Err(why.clone());
            }
        }
        if self
            .opened
            .iter()
            .any(|opened| !opened.gone && opened.port == *port)
        {
            return Err(PortErrorKind::Busy { holder: None });
        }
        let first = !self.opened.iter().any(|opened| !opened.gone);
        self.opened.push(Opened {
            handle,
            port: port.clone(),
            gone: false,
        });
        if first {
            self.modem.port_opened(now);
        }
        Ok(())
    }

    pub(super) fn close(&mut self, handle: PortHandle, now: Instant) {
        let Some(place) = self.opened.iter().position(|opened| opened.handle == handle) else {
            return;
        };
        let closed = self.opened.swap_remove(place);
        if !closed.gone && !self.opened.iter().any(|opened| !opened.gone) {
            self.incoming.clear();
            (self.read, self.unread) = (0, 0);
            self.outgoing.clear();
            self.modem.port_closed(now);
        }
    }

    pub(super) fn re_enumerate(&mut self, now: Instant) {
        self.modem.re_enumerate(now);
    }

    pub(super) fn is_readable(&self, handle: PortHandle, now: Instant) -> bool {
        self.is_gone(handle) || self.incoming.front().is_some_and(|(at, _)| *at <= now)
    }

    pub(super) fn is_writable(&self, handle: PortHandle) -> bool {
        self.is_gone(handle) || self.outgoing.len() < WRITE_BUFFER
    }

    fn is_gone(&self, handle: PortHandle) -> bool {
        !self
            .opened
            .iter()
            .any(|opened| opened.handle == handle && !opened.gone)
    }

    fn alive(&self, handle: PortHandle) -> Result<(), PortError> {
        match self.opened.iter().find(|opened| opened.handle == handle) {
            Some(opened) if !opened.gone => Ok(()),
            Some(opened) => Err(PortError {
                port: opened.port.clone(),
                kind: PortErrorKind::Gone,
            }),
            None => Err(PortError {
                port: PortId::new("closed port"),
                kind: PortErrorKind::NotFound,
            }),
        }
    }

    pub(super) fn read(
        &mut self,
        handle: PortHandle,
        buffer: &mut [u8],
        now: Instant,
        chop: Option<&mut Random>,
    ) -> Result<usize, PortError> {
        self.alive(handle)?;
        let mut limit = buffer.len();
        if let Some(random) = chop {
            if random.once_in(4) {
                limit = random.portion(limit.min(64)).min(limit);
            }
        }
        let mut filled = 0;
        while let Some((at, bytes)) = self.incoming.front() {
            let rest = bytes.get(self.read..).unwrap_or_default();
            let count = rest.len().min(limit - filled);
            if *at > now || count == 0 {
                break;
            }
            if let (Some(to), Some(from)) = (buffer.get_mut(filled..filled + count), rest.get(..count)) {
                to.copy_from_slice(from);
            }
            filled += count;
            if count == rest.len() {
                self.read = 0;
                self.incoming.pop_front();
            } else {
                self.read += count;
            }
        }
        self.unread = self.unread.saturating_sub(filled);
        Ok(filled)
    }

    pub(super) fn write(
        &mut self,
        handle: PortHandle,
        bytes: &[u8],
        now: Instant,
        chop: Option<&mut Random>,
    ) -> Result<usize, PortError> {
        self.alive(handle)?;
        let mut count = bytes
            .len()
            .min(WRITE_BUFFER - self.outgoing.len().min(WRITE_BUFFER));
        if let Some(random) = chop {
            if count > 1 && random.once_in(4) {
                count = random.portion(count);
            }
        }
        let taken = bytes.get(..count).unwrap_or_default();
        // Straight through as long as the modem takes it: no copy.
        let mut direct = 0;
        if self.outgoing.is_empty() && !self.is_throttled() {
            direct = self.modem.room(now).min(count);
            if direct > 0 {
                self.modem.receive(taken.get(..direct).unwrap_or_default(), now);
            }
        }
        self.outgoing
            .extend_from_slice(taken.get(direct..).unwrap_or_default());
        // What it says to that is heard at the next pump.
        self.wants = self.wants.min(now);
        Ok(count)
    }
}
