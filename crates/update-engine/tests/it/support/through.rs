//! A simulated world in which some calls behave differently.

use std::time::Duration;

use modem_world::{
    Attached, Binding, ClaimError, DiscoveryError, Host, HostError, Inhibition, Instant, Interest,
    LockHolder, PciModem, PortError, PortHandle, PortId, PortInfo, Spot, UsbDevice, UsbPath, Wake, World,
};
use virtual_modem::simulated::SimulatedWorld;

/// The calls that behave differently. All others go through to the world.
pub trait Habit {
    fn wait(&mut self, world: &mut SimulatedWorld, interests: &[Interest], deadline: Instant) -> Wake {
        world.wait(interests, deadline)
    }
    fn open_loader(&mut self, world: &mut SimulatedWorld, port: &PortInfo) -> Result<PortHandle, PortError> {
        self.open(world, &port.id)
    }
    fn open(&mut self, world: &mut SimulatedWorld, port: &PortId) -> Result<PortHandle, PortError> {
        world.open(port)
    }
    fn try_read(
        &mut self,
        world: &mut SimulatedWorld,
        port: PortHandle,
        buffer: &mut [u8],
    ) -> Result<usize, PortError> {
        world.try_read(port, buffer)
    }
    fn try_write(
        &mut self,
        world: &mut SimulatedWorld,
        port: PortHandle,
        bytes: &[u8],
    ) -> Result<usize, PortError> {
        world.try_write(port, bytes)
    }
    fn claim(&mut self, world: &mut SimulatedWorld, spot: &Spot, verb: &str) -> Result<(), ClaimError> {
        world.claim(spot, verb)
    }
    /// The device as the engine sees it.
    fn known(&self, device: UsbDevice) -> UsbDevice {
        device
    }
    /// The world's port behind this handle.
    fn behind(&self, port: PortHandle) -> PortHandle {
        port
    }
}

/// A simulated world with a habit.
pub struct Through<H> {
    pub world: SimulatedWorld,
    pub habit: H,
}

impl<H: Habit> Through<H> {
    fn known_port(&self, port: PortInfo) -> PortInfo {
        PortInfo {
            device: port.device.map(|device| self.habit.known(device)),
            ..port
        }
    }
}

impl<H: Habit> World for Through<H> {
    fn now(&self) -> Instant {
        self.world.now()
    }
    fn wait(&mut self, interests: &[Interest], deadline: Instant) -> Wake {
        self.habit.wait(&mut self.world, interests, deadline)
    }
    fn open(&mut self, port: &PortId) -> Result<PortHandle, PortError> {
        self.habit.open(&mut self.world, port)
    }
    fn open_loader(&mut self, port: &PortInfo) -> Result<PortHandle, PortError> {
        self.habit.open_loader(&mut self.world, port)
    }
    fn try_read(&mut self, port: PortHandle, buffer: &mut [u8]) -> Result<usize, PortError> {
        self.habit.try_read(&mut self.world, port, buffer)
    }
    fn try_write(&mut self, port: PortHandle, bytes: &[u8]) -> Result<usize, PortError> {
        self.habit.try_write(&mut self.world, port, bytes)
    }
    fn largest_write(&mut self, port: PortHandle) -> usize {
        self.world.largest_write(self.habit.behind(port))
    }
    fn close(&mut self, port: PortHandle) {
        self.world.close(self.habit.behind(port));
    }
    fn find(&mut self, name: &str) -> Result<PortInfo, DiscoveryError> {
        self.world.find(name).map(|port| self.known_port(port))
    }
    fn devices(&mut self) -> Result<Vec<Attached>, DiscoveryError> {
        let devices = self.world.devices()?.into_iter();
        let known = devices.map(|there| Attached {
            device: self.habit.known(there.device),
            ports: there
                .ports
                .into_iter()
                .map(|port| self.known_port(port))
                .collect(),
            ..there
        });
        Ok(known.collect())
    }
    fn host(&mut self) -> &mut dyn Host {
        self
    }
}

impl<H: Habit> Host for Through<H> {
    fn claim(&mut self, spot: &Spot, verb: &str) -> Result<(), ClaimError> {
        self.habit.claim(&mut self.world, spot, verb)
    }
    fn unclaim(&mut self, spot: &Spot) {
        self.world.unclaim(spot);
    }
    fn holder_of(&mut self, spot: &Spot) -> Option<LockHolder> {
        self.world.holder_of(spot)
    }
    fn re_enumerate(&mut self, device: &UsbPath) -> Result<(), HostError> {
        self.world.re_enumerate(device)
    }
    fn time_on_bus(&mut self, device: &UsbPath) -> Option<Duration> {
        self.world.time_on_bus(device)
    }
    fn keep_awake(&mut self, device: &UsbPath) -> Result<(), HostError> {
        self.world.keep_awake(device)
    }
    fn inhibit(&mut self, device: &UsbPath) -> Inhibition {
        self.world.inhibit(device)
    }
    fn release(&mut self, device: &UsbPath) {
        self.world.release(device);
    }
    fn stay_awake(&mut self, why: &str) -> Result<(), HostError> {
        self.world.stay_awake(why)
    }
    fn will_bind(&mut self, vendor: u16, product: u16) -> Binding {
        self.world.will_bind(vendor, product)
    }
    fn pci_modems(&mut self) -> Result<Vec<PciModem>, DiscoveryError> {
        self.world.pci_modems()
    }
}
