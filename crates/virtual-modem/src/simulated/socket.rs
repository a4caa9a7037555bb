//! One socket of the simulated bus: a modem, and what the kernel and ModemManager keep for it.

use std::time::Duration;

use modem_world::{
    Attached, Instant, PortError, PortErrorKind, PortHandle, PortId, PortInfo, PortKind, UsbDevice,
    UsbInterface, UsbPath,
};

use super::SocketKind;
use super::kernel::{self, Names};
use super::line::Line;
use super::manager::Manager;
use crate::layout::{Appearance, FunctionKind};
use crate::modem::{Output, VirtualModem};
use crate::quirk::{Mode, Pieces};
use crate::random::Random;

/// SuperSpeed, in Mbit/s: such a device is on the other bus of the same socket.
const SUPER_SPEED: u32 = 5000;
/// High speed: what a socket without USB 3 has.
const HIGH_SPEED: u32 = 480;
/// How often ModemManager writes to a port that it probes, and how far apart; own choice.
const PROBES: u8 = 3;
const PROBE_PERIOD: Duration = Duration::from_secs(1);

/// A modem in its socket.
#[derive(Debug)]
pub(super) struct Socket {
    modem: VirtualModem,
    place: usize,
    kind: SocketKind,
    device: Option<UsbDevice>,
    interfaces: Vec<UsbInterface>,
    attached_at: Instant,
    hidden: bool,
    ports: Vec<PortInfo>,
    /// Why the ports can't be opened, and until when.
    refused: Option<(PortErrorKind, Instant)>,
    opened: Vec<Opened>,
    /// What the kernel holds for each interface with a port.
    lines: Vec<Line>,
    /// When the modem wants to be polled.
    wants: Instant,
    /// When ModemManager writes next, and how often still.
    probe_at: Instant,
    probes_left: u8,
}

#[derive(Debug)]
struct Opened {
    by: Opener,
    port: PortId,
    interface: u8,
    gone: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Opener {
    Host(PortHandle),
    Manager,
}

impl Socket {
    pub(super) fn new(modem: VirtualModem, place: usize, kind: SocketKind) -> Self {
        Self {
            modem,
            place,
            kind,
            device: None,
            interfaces: Vec::new(),
            attached_at: Instant::START,
            hidden: false,
            ports: Vec::new(),
            refused: None,
            opened: Vec::new(),
            lines: Vec::new(),
            wants: Instant::START,
            probe_at: Instant::FAR,
            probes_left: 0,
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
        self.opened.iter().any(|opened| opened.by == Opener::Host(handle))
    }

    pub(super) fn has_port(&self, port: &PortId) -> bool {
        self.lines.iter().any(|line| line.port == *port)
    }

    pub(super) fn is_at(&self, path: &UsbPath) -> bool {
        self.device.as_ref().is_some_and(|device| device.path == *path)
    }

    /// Since when its firmware is on the bus.
    pub(super) fn running_since(&self) -> Option<Instant> {
        (self.device.is_some() && self.modem.mode() == Mode::Normal).then_some(self.attached_at)
    }

    /// Whether the kernel no longer reads what the modem says: it can then do nothing on its own.
    fn is_throttled(&self) -> bool {
        self.lines.iter().any(Line::is_throttled)
    }

    /// When something happens next by itself.
    pub(super) fn next_event(&self, now: Instant) -> Instant {
        let arrivals = self.lines.iter().map(|line| line.next_arrival(now));
        let arrival = arrivals.fold(self.probe_at, Instant::min);
        if self.is_throttled() {
            arrival
        } else {
            arrival.min(self.wants)
        }
    }

    /// Lets the modem do what is due; returns how often it joined or left the bus.
    pub(super) fn pump(
        &mut self,
        now: Instant,
        names: &mut Names,
        unknown_ids: &[(u16, u16)],
        mut manager: Option<&mut Manager>,
        mut chop: Option<&mut Random>,
    ) -> u32 {
        let mut changes = 0;
        loop {
            if let Some(manager) = manager.as_deref_mut() {
                self.probe(manager, now);
            }
            if self.is_throttled() {
                return changes;
            }
            self.drain(now);
            match self.modem.poll(now) {
                Output::Send { interface, bytes } => self.arrive(interface, bytes, now, chop.as_deref_mut()),
                Output::Attach(appearance) => {
                    changes += 1;
                    self.attach(appearance, names, unknown_ids, now);
                    if let Some(manager) = manager.as_deref() {
                        self.expect_probes(now + manager.probes_after());
                    }
                }
                Output::Detach => {
                    changes += 1;
                    self.detach();
                }
                Output::Wait(until) => {
                    self.wants = until;
                    let modem = &mut self.modem;
                    let stands = |line: &Line| line.is_drained() || modem.room(line.interface, now) == 0;
                    if self.lines.iter().all(stands) {
                        return changes;
                    }
                }
            }
        }
    }

    /// Moves bytes from the kernel's buffers to the modem.
    fn drain(&mut self, now: Instant) {
        for line in &mut self.lines {
            line.drain(&mut self.modem, now);
        }
    }

    /// A transfer of the modem arrives; dropped when nobody has the port open, and lost for the host when ModemManager
    /// has.
    fn arrive(&mut self, interface: u8, bytes: Vec<u8>, now: Instant, chop: Option<&mut Random>) {
        let openers = self.openers(interface);
        if openers.contains(&Opener::Manager) {
            return;
        }
        if !openers.is_empty() {
            if let Some(line) = self.line(interface) {
                line.arrive(bytes, now, chop);
            }
        }
    }

    fn openers(&self, interface: u8) -> Vec<Opener> {
        let alive = self
            .opened
            .iter()
            .filter(|opened| !opened.gone && opened.interface == interface);
        alive.map(|opened| opened.by).collect()
    }

    fn line(&mut self, interface: u8) -> Option<&mut Line> {
        self.lines.iter_mut().find(|line| line.interface == interface)
    }

    /// The modem and the line behind an open port.
    fn parts(&mut self, handle: PortHandle) -> Result<(&mut VirtualModem, &mut Line), PortError> {
        let opened = self.alive(handle)?;
        let (interface, port) = (opened.interface, opened.port.clone());
        let line = self.lines.iter_mut().find(|line| line.interface == interface);
        let gone = PortError {
            port,
            kind: PortErrorKind::Gone,
        };
        Ok((&mut self.modem, line.ok_or(gone)?))
    }

    fn attach(
        &mut self,
        appearance: Appearance,
        names: &mut Names,
        unknown_ids: &[(u16, u16)],
        now: Instant,
    ) {
        let Appearance { mut device, layout } = appearance;
        let number = self.place + 1;
        let paths = (
            UsbPath::new(format!("1-{number}")),
            UsbPath::new(format!("2-{number}")),
        );
        if self.kind == SocketKind::Usb2 {
            device.speed = device.speed.map(|speed| speed.min(HIGH_SPEED));
        }
        let on_second_bus = device.speed.is_some_and(|speed| speed >= SUPER_SPEED);
        let (path, peer) = if on_second_bus { (paths.1, paths.0) } else { paths };
        names.next_device += 1;
        let peer = (self.kind == SocketKind::Usb3).then_some(peer);
        (device.path, device.peer, device.number) = (path, peer, names.next_device);
        self.attached_at = now;
        let joins = self.modem.setup().quirks.pieces == Pieces::Joined;
        self.interfaces.clear();
        for function in &layout.interfaces {
            let driver = kernel::driver(&device, function, unknown_ids);
            self.interfaces.push(UsbInterface {
                number: function.number,
                class: function.class.class,
                subclass: function.class.subclass,
                protocol: function.class.protocol,
                driver: driver.map(str::to_owned),
            });
            let (Some(driver), Some(kind)) = (driver, kernel::port_kind(function.kind)) else {
                continue;
            };
            let id = PortId::new(names.port(kind));
            self.lines
                .push(Line::new(function.number, id.clone(), kind, joins));
            self.ports.push(PortInfo {
                id,
                kind,
                device: Some(device.clone()),
                interface: Some(function.number),
                driver: Some(driver.to_owned()),
            });
            if driver == "qmi_wwan" {
                // The driver sets DTR when it binds (lab-facts.md §2).
                self.modem.terminal_ready(function.number, true, now);
            }
        }
        self.device = Some(device);
        if self.hidden {
            self.hide_device();
        }
    }

    /// The drivers that go by the id let go of such a device.
    pub(super) fn unbind(&mut self, vendor: u16, product: u16) {
        let is_it = |device: &UsbDevice| (device.vendor, device.product) == (vendor, product);
        if !self.device.as_ref().is_some_and(is_it) {
            return;
        }
        let by_class = |driver: &Option<String>| driver.as_deref() == Some("cdc_mbim");
        for interface in self
            .interfaces
            .iter_mut()
            .filter(|interface| !by_class(&interface.driver))
        {
            interface.driver = None;
        }
        self.ports.retain(|port| by_class(&port.driver));
        let ports = &self.ports;
        self.lines
            .retain(|line| ports.iter().any(|port| port.id == line.port));
    }

    /// The device on the bus with its ports; none while it isn't there or hidden.
    pub(super) fn attached(&self) -> Option<Attached> {
        Some(Attached {
            device: self.device.clone().filter(|_| !self.hidden)?,
            interfaces: self.interfaces.clone(),
            ports: self.ports.clone(),
        })
    }

    fn detach(&mut self) {
        self.device = None;
        self.interfaces.clear();
        self.ports.clear();
        self.lines.clear();
        self.opened.retain(|opened| opened.by != Opener::Manager);
        self.probe_at = Instant::FAR;
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
        let line = self.lines.iter().find(|line| line.port == *port);
        let line = line.ok_or(PortErrorKind::NotFound)?;
        let (interface, kind) = (line.interface, line.kind);
        let openers = self.openers(interface);
        // A control port isn't exclusive (qmi.md §2).
        if let (Some(other), PortKind::Serial) = (openers.first(), kind) {
            let holder = (*other == Opener::Manager).then(|| "ModemManager".to_owned());
            return Err(PortErrorKind::Busy { holder });
        }
        self.open_as(Opener::Host(handle), interface, port.clone(), now);
        Ok(())
    }

    fn open_as(&mut self, by: Opener, interface: u8, port: PortId, now: Instant) {
        let first = self.openers(interface).is_empty();
        self.opened.push(Opened {
            by,
            port,
            interface,
            gone: false,
        });
        if first {
            self.modem.port_opened(interface, now);
        }
    }

    pub(super) fn close(&mut self, handle: PortHandle, now: Instant) {
        self.close_as(Opener::Host(handle), now);
    }

    /// Closes one port that this one has open; whether there was one.
    fn close_as(&mut self, by: Opener, now: Instant) -> bool {
        let Some(place) = self.opened.iter().position(|opened| opened.by == by) else {
            return false;
        };
        let closed = self.opened.swap_remove(place);
        if !closed.gone && self.openers(closed.interface).is_empty() {
            if let Some(line) = self.line(closed.interface) {
                line.clear();
            }
            self.modem.port_closed(closed.interface, now);
        }
        true
    }

    pub(super) fn re_enumerate(&mut self, now: Instant) {
        self.modem.re_enumerate(now);
    }

    // ModemManager

    /// ModemManager opens the ports at this moment.
    pub(super) fn expect_probes(&mut self, at: Instant) {
        (self.probe_at, self.probes_left) = (at, PROBES);
    }

    /// ModemManager opens every serial port that nobody has, and writes to it; after some times it closes them.
    fn probe(&mut self, manager: &mut Manager, now: Instant) {
        if self.probe_at > now {
            return;
        }
        let Some(path) = self.device.as_ref().map(|device| device.path.clone()) else {
            return;
        };
        if manager.keeps_away_from(&path) {
            return self.let_go(now);
        }
        if self.probes_left == 0 {
            return self.settle(now);
        }
        self.probes_left -= 1;
        self.probe_at = now + PROBE_PERIOD;
        let serial = self.lines.iter().filter(|line| line.kind == PortKind::Serial);
        let serial: Vec<(u8, PortId)> = serial.map(|line| (line.interface, line.port.clone())).collect();
        for (interface, port) in serial {
            let openers = self.openers(interface);
            if openers.is_empty() {
                manager.probed.push(port.clone());
                self.open_as(Opener::Manager, interface, port, now);
            } else if !openers.contains(&Opener::Manager) {
                continue;
            }
            if let Some(line) = self.lines.iter_mut().find(|line| line.interface == interface) {
                line.write(&mut self.modem, b"AT\r", now, None);
            }
        }
    }

    /// ModemManager has found out what the ports are: it keeps the AT port of a running modem.
    fn settle(&mut self, now: Instant) {
        let kept = self
            .modem
            .layout()
            .find(FunctionKind::At)
            .filter(|_| self.modem.mode() == Mode::Normal);
        let is_kept = |opened: &Opened| opened.by == Opener::Manager && Some(opened.interface) == kept;
        let (kept, others) = std::mem::take(&mut self.opened).into_iter().partition(is_kept);
        self.opened = others;
        self.let_go(now);
        self.opened.extend::<Vec<_>>(kept);
    }

    /// ModemManager closes its ports and keeps away.
    pub(super) fn let_go(&mut self, now: Instant) {
        self.probe_at = Instant::FAR;
        while self.close_as(Opener::Manager, now) {}
    }

    // What the host does

    pub(super) fn is_readable(&mut self, handle: PortHandle, now: Instant) -> bool {
        self.parts(handle).map_or(true, |(_, line)| line.is_readable(now))
    }

    pub(super) fn is_writable(&mut self, handle: PortHandle, now: Instant) -> bool {
        self.parts(handle)
            .map_or(true, |(modem, line)| line.is_writable(modem, now))
    }

    fn alive(&self, handle: PortHandle) -> Result<&Opened, PortError> {
        let opened = self
            .opened
            .iter()
            .find(|opened| opened.by == Opener::Host(handle));
        match opened {
            Some(opened) if !opened.gone => Ok(opened),
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

    /// The kind of an open port.
    pub(super) fn port_kind(&mut self, handle: PortHandle) -> Option<PortKind> {
        self.parts(handle).ok().map(|(_, line)| line.kind)
    }

    pub(super) fn read(
        &mut self,
        handle: PortHandle,
        buffer: &mut [u8],
        now: Instant,
        chop: Option<&mut Random>,
    ) -> Result<usize, PortError> {
        let (_, line) = self.parts(handle)?;
        Ok(line.read(buffer, now, chop))
    }

    pub(super) fn write(
        &mut self,
        handle: PortHandle,
        bytes: &[u8],
        now: Instant,
        chop: Option<&mut Random>,
    ) -> Result<usize, PortError> {
        let (modem, line) = self.parts(handle)?;
        let count = line.write(modem, bytes, now, chop);
        // What it says to that is heard at the next pump.
        self.wants = self.wants.min(now);
        Ok(count)
    }
}
