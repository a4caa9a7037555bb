//! The simulated world as the engine sees it.

use std::time::Duration;

use modem_world::{
    Attached, Binding, ClaimError, DiscoveryError, Host, HostError, Inhibition, Instant, Interest,
    LockHolder, PciModem, PortError, PortErrorKind, PortHandle, PortId, PortInfo, PortKind, Spot, UsbPath,
    Wake, World,
};

use super::SimulatedWorld;
use super::line::LARGEST_MESSAGE;
use super::socket::Socket;

impl World for SimulatedWorld {
    fn now(&self) -> Instant {
        self.now
    }

    fn wait(&mut self, interests: &[Interest], deadline: Instant) -> Wake {
        if self.wakes_early(interests) {
            return Wake::BusChanged;
        }
        loop {
            self.pump();
            if let Some(wake) = self.wake(interests) {
                return wake;
            }
            if deadline <= self.now {
                return Wake::Deadline;
            }
            let next = deadline.min(self.next_event());
            debug_assert!(
                next > self.now,
                "a modem wants to be polled again at the same moment"
            );
            self.jump(next);
        }
    }

    fn open(&mut self, port: &PortId) -> Result<PortHandle, PortError> {
        let now = self.now;
        let handle = PortHandle(self.next_handle);
        let Some(socket) = self.sockets.iter_mut().find(|socket| socket.has_port(port)) else {
            return Err(Self::error(port, PortErrorKind::NotFound));
        };
        if let Some(known) = socket.ports().iter().find(|known| known.id == *port) {
            if known.kind == PortKind::Interface && !self.kernel.lends_interfaces {
                return Err(Self::error(port, PortErrorKind::PermissionDenied));
            }
            self.claims.note_open(known, self.worker);
        }
        socket
            .open(port, handle, now)
            .map_err(|kind| Self::error(port, kind))?;
        self.next_handle = self.next_handle.wrapping_add(1);
        if self.kernel.echoes {
            self.pump();
            if let Some(socket) = self.socket_of(handle) {
                socket.echo(handle, now);
            }
        }
        Ok(handle)
    }

    fn open_loader(&mut self, port: &PortInfo) -> Result<PortHandle, PortError> {
        if !self.kernel.lends_interfaces {
            return self.open(&port.id);
        }
        let echoes = std::mem::take(&mut self.kernel.echoes);
        let opened = self.open(&port.id);
        self.kernel.echoes = echoes;
        opened
    }

    fn try_read(&mut self, port: PortHandle, buffer: &mut [u8]) -> Result<usize, PortError> {
        let (now, mut chop) = (self.now, self.chop.take());
        let read = match self.socket_of(port) {
            Some(socket) => socket.read(port, buffer, now, chop.as_mut()),
            None => Err(Self::error(&PortId::new("closed port"), PortErrorKind::NotFound)),
        };
        self.chop = chop;
        read
    }

    fn try_write(&mut self, port: PortHandle, bytes: &[u8]) -> Result<usize, PortError> {
        let (now, mut chop) = (self.now, self.chop.take());
        let worker = self.worker;
        let written = match self.socket_of(port) {
            Some(socket) => socket.write((worker, port), bytes, now, chop.as_mut()),
            None => Err(Self::error(&PortId::new("closed port"), PortErrorKind::NotFound)),
        };
        self.chop = chop;
        written
    }

    fn largest_write(&mut self, port: PortHandle) -> usize {
        let socket = self.socket_of(port);
        match socket.and_then(|socket| socket.port_kind(port)) {
            Some(PortKind::Wdm) => LARGEST_MESSAGE,
            _ => usize::MAX,
        }
    }

    fn close(&mut self, port: PortHandle) {
        let now = self.now;
        if let Some(socket) = self.sockets.iter_mut().find(|socket| socket.has(port)) {
            socket.close(port, &mut self.kernel, now);
        }
    }

    fn find(&mut self, name: &str) -> Result<PortInfo, DiscoveryError> {
        let first = if name == Self::LINK { self.port(0) } else { None };
        let mut ports = self.sockets.iter().flat_map(Socket::ports);
        let found = first.or_else(|| ports.find(|port| port.id.as_str() == name));
        found.cloned().ok_or_else(|| DiscoveryError::NotFound {
            name: name.to_owned(),
        })
    }

    fn devices(&mut self) -> Result<Vec<Attached>, DiscoveryError> {
        Ok(self.sockets.iter().filter_map(Socket::attached).collect())
    }

    fn host(&mut self) -> &mut dyn Host {
        self
    }
}

impl Host for SimulatedWorld {
    fn claim(&mut self, spot: &Spot, verb: &str) -> Result<(), ClaimError> {
        self.claims.claim(spot, verb, self.worker, self.now)
    }

    fn unclaim(&mut self, spot: &Spot) {
        self.claims.unclaim(spot, self.worker);
    }

    fn holder_of(&mut self, spot: &Spot) -> Option<LockHolder> {
        self.claims.holder_of(spot, self.worker, self.now)
    }

    fn re_enumerate(&mut self, device: &UsbPath) -> Result<(), HostError> {
        let now = self.now;
        let unsupported = || HostError::Unsupported {
            device: device.clone(),
        };
        if !self.can_re_enumerate {
            return Err(unsupported());
        }
        let socket = self
            .sockets
            .iter_mut()
            .find(|socket| socket.is_at(device))
            .ok_or_else(unsupported)?;
        socket.configured_again(&mut self.kernel, now);
        for unheard in &mut self.unheard {
            unheard.bus_changes += 1;
        }
        Ok(())
    }

    fn time_on_bus(&mut self, device: &UsbPath) -> Option<Duration> {
        let socket = self.sockets.iter().find(|socket| socket.is_at(device));
        socket?.time_on_bus(self.now)
    }

    fn keep_awake(&mut self, device: &UsbPath) -> Result<(), HostError> {
        self.kept_awake.push(device.clone());
        Ok(())
    }

    fn inhibit(&mut self, device: &UsbPath) -> Inhibition {
        let (now, worker) = (self.now, self.worker);
        let Some(manager) = &mut self.manager else {
            return Inhibition::NotNeeded;
        };
        let socket = self.sockets.iter_mut().find(|socket| socket.is_at(device));
        let since = socket.as_ref().and_then(|socket| socket.running_since());
        let answer = manager.inhibit(device, since, worker, now);
        if let (Inhibition::Granted, Some(socket)) = (&answer, socket) {
            socket.let_go(now);
        }
        answer
    }

    fn release(&mut self, device: &UsbPath) {
        if let Some(manager) = &mut self.manager {
            manager.release(device);
            self.resume_probes(device);
        }
    }

    fn stay_awake(&mut self, why: &str) -> Result<(), HostError> {
        self.awake_reasons.push(why.to_owned());
        Ok(())
    }

    fn will_bind(&mut self, vendor: u16, product: u16) -> Binding {
        self.kernel.will_bind((vendor, product))
    }

    fn pci_modems(&mut self) -> Result<Vec<PciModem>, DiscoveryError> {
        Ok(self.on_pci.clone())
    }
}
