//! How a device comes and goes: its place and number, its drivers one after the other, its ports and their
//! names.

use std::time::Duration;

use modem_world::{Instant, PortId, PortInfo, PortKind, UsbDevice, UsbInterface, UsbPath};

use super::SocketKind;
use super::kernel::{self, Kernel};
use super::line::Line;
use super::socket::{Opener, Socket};
use crate::layout::{Appearance, Function, FunctionKind};
use crate::quirk::Pieces;

/// SuperSpeed, in Mbit/s. Such a device is on the other bus of the same socket.
const SUPER_SPEED: u32 = 5000;
/// High speed, in Mbit/s: the speed of a socket without USB 3.
const HIGH_SPEED: u32 = 480;

impl Socket {
    /// The modem appears. Its interfaces have no drivers yet.
    pub(super) fn attach(&mut self, appearance: Appearance, kernel: &mut Kernel, now: Instant) {
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
        let peer = (self.kind == SocketKind::Usb3).then_some(peer);
        (device.path, device.peer) = (path, peer);
        device.number = kernel.names.device(&device);
        self.attached_at = now;
        let bare = |function: &Function| UsbInterface {
            number: function.number,
            class: function.class.class,
            subclass: function.class.subclass,
            protocol: function.class.protocol,
            endpoints: Some(function.kind.endpoints()),
            driver: None,
        };
        self.interfaces = layout.interfaces.iter().map(bare).collect();
        self.device = Some(device);
        self.offer_interface();
        self.await_drivers(kernel, now);
    }

    /// The interface of a boot loader is a port itself as long as no driver has it.
    fn offer_interface(&mut self) {
        let (Some(device), [function]) = (&self.device, self.modem.layout().interfaces.as_slice()) else {
            return;
        };
        let has_driver = self.interfaces.iter().any(|interface| interface.driver.is_some());
        if function.kind != FunctionKind::Download || has_driver {
            return;
        }
        let id = PortId::new(format!("{}:1.{}", device.path, function.number));
        self.add_port(function.number, id, PortKind::Interface, None);
    }

    fn add_port(&mut self, interface: u8, id: PortId, kind: PortKind, driver: Option<&str>) {
        let joins = self.modem.setup().quirks.pieces == Pieces::Joined;
        self.lines.push(Line::new(interface, id.clone(), kind, joins));
        self.ports.push(PortInfo {
            id,
            kind,
            device: self.device.clone(),
            interface: Some(interface),
            driver: driver.map(str::to_owned),
        });
        self.ports.sort_by_key(|port| port.interface);
    }

    fn await_drivers(&mut self, kernel: &mut Kernel, now: Instant) {
        let Some(device) = &self.device else { return };
        let bindings = kernel.bindings(device, self.modem.layout()).into_iter();
        self.unbound = bindings
            .map(|(after, function)| (now + after, function))
            .collect();
    }

    /// The host configures the device anew: its ports go away and come back, but the device stays
    /// (`authorized`, linux.md §2).
    pub(super) fn configured_again(&mut self, kernel: &mut Kernel, now: Instant) {
        self.lose_ports(kernel);
        self.modem.configured_again(now);
        for interface in &mut self.interfaces {
            interface.driver = None;
        }
        self.offer_interface();
        self.await_drivers(kernel, now);
        self.bind(kernel, now);
    }

    /// Binds the drivers whose time has come. Returns how many ports that made.
    pub(super) fn bind(&mut self, kernel: &mut Kernel, now: Instant) -> u32 {
        let mut made = 0;
        while let Some((_, function)) = self.unbound.front().copied().filter(|(at, _)| *at <= now) {
            self.unbound.pop_front();
            made += u32::from(self.bind_one(&function, kernel, now));
        }
        if made > 0 && self.hidden {
            self.hide_device();
        }
        made
    }

    /// Binds the driver of this interface, if there is one. Returns whether that made a port.
    fn bind_one(&mut self, function: &Function, kernel: &mut Kernel, now: Instant) -> bool {
        let Some(device) = &self.device else { return false };
        let id = (device.vendor, device.product);
        let Some(driver) = kernel::driver(id, function, &kernel.unknown_ids) else {
            return false;
        };
        // A program that uses the interface itself keeps it.
        let own =
            |port: &PortInfo| port.kind == PortKind::Interface && port.interface == Some(function.number);
        if let Some(port) = self.ports.iter().find(|port| own(port)) {
            if self.opened.iter().any(|opened| opened.port == port.id) {
                return false;
            }
        }
        self.ports.retain(|port| !own(port));
        let is_own = |line: &Line| line.kind == PortKind::Interface && line.interface == function.number;
        self.lines.retain(|line| !is_own(line));
        let mut interfaces = self.interfaces.iter_mut();
        if let Some(interface) = interfaces.find(|interface| interface.number == function.number) {
            interface.driver = Some(driver.to_owned());
        }
        let Some(kind) = kernel::port_kind(function.kind) else {
            return false;
        };
        let id = kernel.names.port(kind);
        self.add_port(function.number, id, kind, Some(driver));
        if driver == "qmi_wwan" {
            // The driver sets DTR when it binds (lab-facts.md §2).
            self.modem.terminal_ready(function.number, true, now);
        }
        true
    }

    /// Makes the drivers that bind by id let go of a device with this id.
    pub(super) fn unbind(&mut self, (vendor, product): (u16, u16), kernel: &mut Kernel) {
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
        let stays = |line: &Line| ports.iter().any(|port| port.id == line.port);
        let (stay, go) = std::mem::take(&mut self.lines).into_iter().partition(stays);
        self.lines = stay;
        self.free_names(go, kernel);
        self.offer_interface();
    }

    /// Makes the drivers that bind by id take a device with this id, if it is here. Returns how many ports
    /// that made.
    pub(super) fn bind_rest(
        &mut self,
        (vendor, product): (u16, u16),
        kernel: &mut Kernel,
        now: Instant,
    ) -> u32 {
        let is_it = |device: &UsbDevice| (device.vendor, device.product) == (vendor, product);
        if !self.device.as_ref().is_some_and(is_it) {
            return 0;
        }
        self.await_drivers(kernel, now);
        let interfaces = &self.interfaces;
        let has_driver = |number: u8| {
            let mut interfaces = interfaces.iter();
            interfaces.any(|interface| interface.number == number && interface.driver.is_some())
        };
        self.unbound.retain(|(_, function)| !has_driver(function.number));
        self.bind(kernel, now)
    }

    /// The modem leaves.
    pub(super) fn detach(&mut self, kernel: &mut Kernel) {
        if let Some(device) = self.device.take() {
            kernel.names.free_device(&device);
            self.before = self.before.map(|_| Duration::ZERO);
        }
        self.interfaces.clear();
        self.lose_ports(kernel);
    }

    fn lose_ports(&mut self, kernel: &mut Kernel) {
        self.unbound.clear();
        self.ports.clear();
        self.opened.retain(|opened| opened.by != Opener::Manager);
        self.probe_at = Instant::FAR;
        for opened in &mut self.opened {
            opened.gone = true;
        }
        let lines = std::mem::take(&mut self.lines);
        self.free_names(lines, kernel);
    }

    /// Frees the names of ports that have gone.
    fn free_names(&self, gone: Vec<Line>, kernel: &mut Kernel) {
        for line in gone {
            self.free_name(&line.port, line.kind, kernel);
        }
    }

    /// Frees the name of a port that has gone, unless the name is still in use.
    pub(super) fn free_name(&self, port: &PortId, kind: PortKind, kernel: &mut Kernel) {
        let is_open = self.opened.iter().any(|opened| opened.port == *port);
        let is_in_use = self.has_port(port) || (is_open && kernel::is_kept_open(kind));
        if !is_in_use {
            kernel.names.free_port(port);
        }
    }
}
