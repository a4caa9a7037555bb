//! One socket of the simulated bus: a modem, and what the kernel keeps for it.

use modem_world::{
    Attached, Instant, PortError, PortErrorKind, PortHandle, PortId, PortInfo, PortKind, UsbDevice,
    UsbInterface, UsbPath,
};

use super::Names;
use super::line::Line;
use crate::layout::{Appearance, FunctionKind, InterfaceClass};
use crate::modem::{Output, VirtualModem};
use crate::random::Random;

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
    /// What the kernel holds for each interface with a port.
    lines: Vec<Line>,
    /// When the modem wants to be polled.
    wants: Instant,
}

#[derive(Debug)]
struct Opened {
    handle: PortHandle,
    port: PortId,
    interface: u8,
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
            lines: Vec::new(),
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
        self.lines.iter().any(|line| line.port == *port)
    }

    pub(super) fn is_at(&self, path: &UsbPath) -> bool {
        self.device.as_ref().is_some_and(|device| device.path == *path)
    }

    /// Whether the kernel no longer reads what the modem says: it can then do nothing on its own.
    fn is_throttled(&self) -> bool {
        self.lines.iter().any(Line::is_throttled)
    }

    /// When something happens next by itself.
    pub(super) fn next_event(&self, now: Instant) -> Instant {
        let arrivals = self.lines.iter().map(|line| line.next_arrival(now));
        let arrival = arrivals.fold(Instant::FAR, Instant::min);
        if self.is_throttled() {
            arrival
        } else {
            arrival.min(self.wants)
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
                Output::Send { interface, bytes } => self.arrive(interface, bytes, now, chop.as_deref_mut()),
                Output::Attach(appearance) => {
                    changes += 1;
                    self.attach(appearance, names);
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

    /// A transfer of the modem arrives; dropped when nobody has the port open.
    fn arrive(&mut self, interface: u8, bytes: Vec<u8>, now: Instant, chop: Option<&mut Random>) {
        let is_open = self
            .opened
            .iter()
            .any(|opened| !opened.gone && opened.interface == interface);
        if is_open {
            if let Some(line) = self.line(interface) {
                line.arrive(bytes, now, chop);
            }
        }
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

    fn attach(&mut self, appearance: Appearance, names: &mut Names) {
        let Appearance { mut device, layout } = appearance;
        let number = self.place + 1;
        let paths = (
            UsbPath::new(format!("1-{number}")),
            UsbPath::new(format!("2-{number}")),
        );
        let on_second_bus = device.speed.is_some_and(|speed| speed >= SUPER_SPEED);
        let (path, peer) = if on_second_bus { (paths.1, paths.0) } else { paths };
        names.next_device += 1;
        (device.path, device.peer, device.number) = (path, Some(peer), names.next_device);
        for function in &layout.interfaces {
            let Some(driver) = serial_driver(function.kind, function.class) else {
                continue;
            };
            let id = PortId::new(format!("/dev/ttyUSB{}", names.next_tty));
            names.next_tty += 1;
            self.lines.push(Line::new(function.number, id.clone()));
            self.ports.push(PortInfo {
                id,
                kind: PortKind::Serial,
                device: Some(device.clone()),
                interface: Some(function.number),
                driver: Some(driver.to_owned()),
            });
        }
        self.device = Some(device);
        if self.hidden {
            self.hide_device();
        }
    }

    /// The device on the bus with its ports; none while it isn't there or hidden.
    pub(super) fn attached(&self) -> Option<Attached> {
        let device = self.ports.first()?.device.clone()?;
        let interface = |port: &PortInfo| UsbInterface {
            number: port.interface.unwrap_or(0),
            class: 0xff,
            subclass: 0xff,
            protocol: 0xff,
            driver: port.driver.clone(),
        };
        Some(Attached {
            device,
            interfaces: self.ports.iter().map(interface).collect(),
            ports: self.ports.clone(),
        })
    }

    fn detach(&mut self) {
        self.device = None;
        self.ports.clear();
        self.lines.clear();
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
        let interface = line.ok_or(PortErrorKind::NotFound)?.interface;
        if self
            .opened
            .iter()
            .any(|opened| !opened.gone && opened.interface == interface)
        {
            return Err(PortErrorKind::Busy { holder: None });
        }
        self.opened.push(Opened {
            handle,
            port: port.clone(),
            interface,
            gone: false,
        });
        self.modem.port_opened(interface, now);
        Ok(())
    }

    pub(super) fn close(&mut self, handle: PortHandle, now: Instant) {
        let Some(place) = self.opened.iter().position(|opened| opened.handle == handle) else {
            return;
        };
        let closed = self.opened.swap_remove(place);
        if !closed.gone {
            if let Some(line) = self.line(closed.interface) {
                line.clear();
            }
            self.modem.port_closed(closed.interface, now);
        }
    }

    pub(super) fn re_enumerate(&mut self, now: Instant) {
        self.modem.re_enumerate(now);
    }

    pub(super) fn is_readable(&mut self, handle: PortHandle, now: Instant) -> bool {
        self.parts(handle).map_or(true, |(_, line)| line.is_readable(now))
    }

    pub(super) fn is_writable(&mut self, handle: PortHandle) -> bool {
        self.parts(handle).map_or(true, |(_, line)| line.is_writable())
    }

    fn alive(&self, handle: PortHandle) -> Result<&Opened, PortError> {
        match self.opened.iter().find(|opened| opened.handle == handle) {
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

/// The driver that makes a serial port of an interface; none when there is none.
fn serial_driver(kind: FunctionKind, class: InterfaceClass) -> Option<&'static str> {
    match (kind, class.subclass, class.protocol) {
        (FunctionKind::Foreign, ..) => Some("ftdi_sio"),
        // SDX55 and SDX65 in normal mode (lab-facts.md §2).
        (FunctionKind::At | FunctionKind::Diag, 0xff, 0x30 | 0x40) => Some("option"),
        (FunctionKind::At | FunctionKind::Diag | FunctionKind::Nmea | FunctionKind::Download, ..) => {
            Some("qcserial")
        }
        _ => None,
    }
}
