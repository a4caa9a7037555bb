//! What the world may ask of a real host: sysfs, locks, and services.

use std::path::PathBuf;
use std::time::Duration;

use modem_discovery::{PowerBefore, Sysfs};
use modem_world::{
    Binding, ClaimError, DiscoveryError, Host, HostError, Inhibition, LockHolder, PciModem, Spot, UsbPath,
};

use crate::lent::Lent;
use crate::lock::Locks;
use crate::modem_manager::ModemManager;

/// Sysfs, the services of the host, and what this run has changed or holds there.
#[derive(Debug)]
pub(crate) struct LinuxHost {
    pub(crate) root: PathBuf,
    /// Ports whose drivers are set aside.
    pub(crate) lent: Lent,
    pub(crate) sysfs: Sysfs,
    pub(crate) locks: Locks,
    pub(crate) power: Vec<PowerBefore>,
    pub(crate) modem_manager: ModemManager,
    #[cfg(feature = "modem-manager")]
    pub(crate) bus_address: Option<String>,
    #[cfg(feature = "modem-manager")]
    pub(crate) awake: crate::logind::Lock,
}

impl LinuxHost {
    /// Restores what was changed on the host. All is tried, and the first error is returned.
    pub(crate) fn restore(&mut self) -> Result<(), HostError> {
        let mut result = Ok(());
        for before in self.power.drain(..).rev() {
            let restored = self.sysfs.restore_power(&before);
            result = result.and(restored);
        }
        self.locks.give_all_back();
        result
    }
}

impl Host for LinuxHost {
    fn claim(&mut self, spot: &Spot, verb: &str) -> Result<(), ClaimError> {
        self.locks.take(&self.sysfs.lock_points(spot), verb)
    }

    fn unclaim(&mut self, spot: &Spot) {
        self.locks.give_back(&self.sysfs.lock_points(spot));
    }

    fn holder_of(&mut self, spot: &Spot) -> Option<LockHolder> {
        self.locks.holder_of(&self.sysfs.lock_points(spot))
    }

    fn re_enumerate(&mut self, device: &UsbPath) -> Result<(), HostError> {
        self.sysfs.re_enumerate(device)
    }

    fn time_on_bus(&mut self, device: &UsbPath) -> Option<Duration> {
        self.sysfs.time_on_bus(device)
    }

    fn keep_awake(&mut self, device: &UsbPath) -> Result<(), HostError> {
        self.power.extend(self.sysfs.keep_awake(device)?);
        Ok(())
    }

    fn inhibit(&mut self, device: &UsbPath) -> Inhibition {
        self.modem_manager.inhibit(&self.sysfs, device)
    }

    fn release(&mut self, device: &UsbPath) {
        self.modem_manager.release(&self.sysfs, device);
    }

    fn will_bind(&mut self, vendor: u16, product: u16) -> Binding {
        self.sysfs.will_bind(vendor, product)
    }

    fn pci_modems(&mut self) -> Result<Vec<PciModem>, DiscoveryError> {
        self.sysfs.pci_modems()
    }

    #[cfg(feature = "modem-manager")]
    fn stay_awake(&mut self, why: &str) -> Result<(), HostError> {
        self.awake.take(self.bus_address.clone(), why)
    }

    #[cfg(not(feature = "modem-manager"))]
    fn stay_awake(&mut self, _: &str) -> Result<(), HostError> {
        Err(HostError::NoService {
            service: "systemd-logind".to_owned(),
        })
    }
}
