//! Plain types for modems on PCIe.

use crate::PortId;

/// A Sierra Wireless modem on PCIe, as the kernel describes its PCI device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PciModem {
    /// Its PCI address, `0000:01:00.0`.
    pub place: String,
    /// PCI vendor.
    pub vendor: u16,
    /// PCI device.
    pub device: u16,
    /// PCI subsystem vendor: who made the modem of the chip.
    pub subsystem_vendor: u16,
    /// PCI subsystem device.
    pub subsystem_device: u16,
    /// The driver that has the device: `mhi-pci-generic`.
    pub driver: Option<String>,
    /// The ports of the class `wwan` below the device, in the order of their names.
    pub ports: Vec<WwanPort>,
}

impl PciModem {
    /// Vendor and device: `17cb:0306`.
    pub fn id(&self) -> String {
        format!("{:04x}:{:04x}", self.vendor, self.device)
    }

    /// Vendor and device of the subsystem: `18d7:0200`.
    pub fn subsystem(&self) -> String {
        format!("{:04x}:{:04x}", self.subsystem_vendor, self.subsystem_device)
    }
}

/// A port of the kernel's class `wwan`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WwanPort {
    /// The port: `/dev/wwan0mbim0`.
    pub id: PortId,
    /// The kernel's word for its language: `MBIM`, `QMI`, `AT`, `QCDM`. None if the kernel doesn't say.
    pub language: Option<String>,
}
