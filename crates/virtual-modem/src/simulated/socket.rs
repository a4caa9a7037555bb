//! One socket of the simulated bus: a modem, and what the kernel and ModemManager keep for it.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use modem_world::{
    Attached, Instant, PortError, PortErrorKind, PortHandle, PortHolder, PortId, PortInfo, PortKind,
    UsbDevice, UsbInterface, UsbPath,
};

use super::SocketKind;
use super::kernel::{Kernel, is_kept_open};
use super::line::Line;
use super::manager::Manager;
use crate::layout::{Function, FunctionKind};
use crate::modem::{Output, VirtualModem};
use crate::quirk::Mode;
use crate::random::Random;

/// How often ModemManager writes to a port that it probes, and how long it waits in between; own choice.
const PROBES: u8 = 3;
const PROBE_PERIOD: Duration = Duration::from_secs(1);

/// A modem in its socket.
#[derive(Debug)]
pub(super) struct Socket {
    pub(super) modem: VirtualModem,
    pub(super) place: usize,
    pub(super) kind: SocketKind,
    pub(super) device: Option<UsbDevice>,
    pub(super) interfaces: Vec<UsbInterface>,
    pub(super) attached_at: Instant,
    /// How long the modem had been on the bus already when the world began; `None`: the host doesn't know such times.
    pub(super) before: Option<Duration>,
    /// Interfaces whose drivers haven't bound yet, each with the time at which they will.
    pub(super) unbound: VecDeque<(Instant, Function)>,
    /// When the modem will enumerate again without being asked.
    re_enumerations: Vec<Instant>,
    pub(super) hidden: bool,
    pub(super) ports: Vec<PortInfo>,
    /// Why the ports can't be opened, and until when.
    refused: Option<(PortErrorKind, Instant)>,
    pub(super) opened: Vec<Opened>,
    /// What the kernel holds for each interface with a port.
    pub(super) lines: Vec<Line>,
    /// When the modem wants to be polled next.
    wants: Instant,
    /// When ModemManager writes next; `probes_left` says how often it still will.
    pub(super) probe_at: Instant,
    probes_left: u8,
    /// How many bytes each worker has written to the modem's ports.
    written: BTreeMap<usize, u64>,
}

#[derive(Debug)]
pub(super) struct Opened {
    pub(super) by: Opener,
    pub(super) port: PortId,
    pub(super) kind: PortKind,
    interface: u8,
    pub(super) gone: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Opener {
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
            before: Some(Duration::ZERO),
            unbound: VecDeque::new(),
            re_enumerations: Vec::new(),
            hidden: false,
            ports: Vec::new(),
            refused: None,
            opened: Vec::new(),
            lines: Vec::new(),
            wants: Instant::START,
            probe_at: Instant::FAR,
            probes_left: 0,
            written: BTreeMap::new(),
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

    /// The ports that the program has open.
    pub(super) fn handles(&self) -> Vec<PortHandle> {
        let of_program = |opened: &Opened| match opened.by {
            Opener::Host(handle) => Some(handle),
            Opener::Manager => None,
        };
        self.opened.iter().filter_map(of_program).collect()
    }

    pub(super) fn has_port(&self, port: &PortId) -> bool {
        self.lines.iter().any(|line| line.port == *port)
    }

    pub(super) fn is_at(&self, path: &UsbPath) -> bool {
        self.device.as_ref().is_some_and(|device| device.path == *path)
    }

    /// Since when the running firmware is on the bus; `None` if no firmware is.
    pub(super) fn running_since(&self) -> Option<Instant> {
        (self.device.is_some() && self.modem.mode() == Mode::Normal).then_some(self.attached_at)
    }

    /// How long the modem is on the bus.
    pub(super) fn time_on_bus(&self, now: Instant) -> Option<Duration> {
        Some(now.since(self.attached_at) + self.before?)
    }

    /// How many bytes this worker has written to the modem's ports.
    pub(super) fn written_by(&self, worker: usize) -> u64 {
        self.written.get(&worker).copied().unwrap_or_default()
    }

    pub(super) fn re_enumerate_at(&mut self, at: Instant) {
        self.re_enumerations.push(at);
    }

    /// Whether the kernel has stopped reading what the modem sends. The modem can then do nothing by itself.
    fn is_throttled(&self) -> bool {
        self.lines.iter().any(Line::is_throttled)
    }

    /// When the next thing happens by itself.
    pub(super) fn next_event(&self, now: Instant) -> Instant {
        let arrivals = self.lines.iter().map(|line| line.next_arrival(now));
        let bound = self.unbound.front().map(|(at, _)| *at);
        let by_itself = self.re_enumerations.iter().copied().chain(bound);
        let arrival = arrivals.chain(by_itself).fold(self.probe_at, Instant::min);
        if self.is_throttled() {
            arrival
        } else {
            arrival.min(self.wants)
        }
    }

    /// Lets the modem do what is due. Returns the number of bus changes: the modem joined or left the bus, or
    /// a port appeared.
    pub(super) fn pump(
        &mut self,
        now: Instant,
        kernel: &mut Kernel,
        mut manager: Option<&mut Manager>,
        mut chop: Option<&mut Random>,
    ) -> u32 {
        if self.re_enumerations.iter().any(|at| *at <= now) {
            self.re_enumerations.retain(|at| *at > now);
            self.re_enumerate(now);
        }
        // A port that appears later than its device is a change of its own.
        let mut changes = self.bind(kernel, now);
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
                    self.attach(appearance, kernel, now);
                    self.bind(kernel, now);
                    if let Some(manager) = manager.as_deref() {
                        self.expect_probes(now + manager.probes_after());
                    }
                }
                Output::Detach => {
                    changes += 1;
                    self.detach(kernel);
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

    /// A transfer of the modem arrives. It is dropped if no one has the port open, and lost for the host if
    /// ModemManager has it open.
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
    pub(super) fn parts(&mut self, handle: PortHandle) -> Result<(&mut VirtualModem, &mut Line), PortError> {
        let opened = self.alive(handle)?;
        let (interface, port) = (opened.interface, opened.port.clone());
        let line = self.lines.iter_mut().find(|line| line.interface == interface);
        let gone = PortError {
            port,
            kind: PortErrorKind::Gone,
        };
        Ok((&mut self.modem, line.ok_or(gone)?))
    }

    /// The device on the bus with its ports; `None` while it isn't there, or is hidden.
    pub(super) fn attached(&self) -> Option<Attached> {
        Some(Attached {
            device: self.device.clone().filter(|_| !self.hidden)?,
            interfaces: self.interfaces.clone(),
            ports: self.ports.clone(),
        })
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
            let holder = (*other == Opener::Manager).then(|| PortHolder::named("ModemManager"));
            return Err(PortErrorKind::Busy { holder });
        }
        self.open_as(Opener::Host(handle), interface, (port.clone(), kind), now);
        Ok(())
    }

    fn open_as(&mut self, by: Opener, interface: u8, port: (PortId, PortKind), now: Instant) {
        let first = self.openers(interface).is_empty();
        self.opened.push(Opened {
            by,
            port: port.0,
            kind: port.1,
            interface,
            gone: false,
        });
        if first {
            self.modem.port_opened(interface, now);
        }
    }

    pub(super) fn close(&mut self, handle: PortHandle, kernel: &mut Kernel, now: Instant) {
        let by = Opener::Host(handle);
        let closed = self.opened.iter().find(|opened| opened.by == by);
        let port = closed.map(|closed| (closed.port.clone(), closed.kind));
        self.close_as(by, now);
        if let Some((port, kind)) = port {
            if is_kept_open(kind) {
                self.free_name(&port, kind, kernel);
            }
        }
    }

    /// Closes one port that `by` has open. Returns whether there was one.
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

    /// From this moment on ModemManager probes the ports.
    pub(super) fn expect_probes(&mut self, at: Instant) {
        (self.probe_at, self.probes_left) = (at, PROBES);
    }

    /// ModemManager opens every serial port that no one has open, and writes to it. After [`PROBES`] times it
    /// closes the ports.
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
                self.open_as(Opener::Manager, interface, (port, PortKind::Serial), now);
            } else if !openers.contains(&Opener::Manager) {
                continue;
            }
            if let Some(line) = self.lines.iter_mut().find(|line| line.interface == interface) {
                line.write(&mut self.modem, b"AT\r", now, None);
            }
        }
    }

    /// ModemManager knows now what the ports are. It keeps the AT port of a running modem open and closes the
    /// others.
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
        (worker, handle): (usize, PortHandle),
        bytes: &[u8],
        now: Instant,
        chop: Option<&mut Random>,
    ) -> Result<usize, PortError> {
        let (modem, line) = self.parts(handle)?;
        let count = line.write(modem, bytes, now, chop);
        *self.written.entry(worker).or_default() += u64::try_from(count).unwrap_or(u64::MAX);
        // The modem's answer is handled at the next pump.
        self.wants = self.wants.min(now);
        Ok(count)
    }
}
