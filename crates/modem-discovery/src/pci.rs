//! Finds Sierra Wireless modems on PCIe, with their ports of the class `wwan` (pcie.md, Recognition).

use std::fs;
use std::path::Path;

use modem_world::{DiscoveryError, PciModem, PortId, WwanPort};

use crate::sysfs::{Sysfs, failed, link_name, list, natural_order, text};

/// PCI vendor of Qualcomm, who makes the chips.
const QUALCOMM: u16 = 0x17cb;
/// PCI subsystem vendor of Sierra Wireless, who makes modems of these chips.
const SIERRA: u16 = 0x18d7;

impl Sysfs {
    /// The Sierra Wireless modems on PCIe, with their ports, in the order of their PCI addresses.
    ///
    /// # Errors
    /// The folder of PCI devices can't be read. A kernel without PCI has no devices.
    pub fn pci_modems(&self) -> Result<Vec<PciModem>, DiscoveryError> {
        let folder = self.root().join("sys/bus/pci/devices");
        let mut names = match list(&folder) {
            Ok(names) => names,
            Err(error) if self.is_absent(&error) => Vec::new(),
            Err(error) => return Err(failed(&folder, "readdir", &error)),
        };
        names.sort();
        let modems = names.into_iter();
        Ok(modems
            .filter_map(|name| self.pci_modem(&folder.join(&name), name))
            .collect())
    }

    /// The modem in this directory; `None` for any other device, and for a modem that leaves while it is read.
    fn pci_modem(&self, directory: &Path, place: String) -> Option<PciModem> {
        let number = |name: &str| {
            let text = text(&directory.join(name))?;
            u16::from_str_radix(text.strip_prefix("0x").unwrap_or(&text), 16).ok()
        };
        let (vendor, subsystem_vendor) = (number("vendor")?, number("subsystem_vendor")?);
        if (vendor, subsystem_vendor) != (QUALCOMM, SIERRA) {
            return None;
        }
        Some(PciModem {
            place,
            vendor,
            device: number("device")?,
            subsystem_vendor,
            subsystem_device: number("subsystem_device")?,
            driver: link_name(&directory.join("driver")),
            ports: self.wwan_ports_below(&fs::canonicalize(directory).ok()?),
        })
    }

    /// The ports of the class `wwan` whose own directory lies below this one.
    fn wwan_ports_below(&self, device: &Path) -> Vec<WwanPort> {
        let folder = self.root().join("sys/class/wwan");
        let mut names = list(&folder).unwrap_or_default();
        names.sort_by_key(|name| natural_order(name));
        let of_device = names.into_iter().filter(|name| {
            let entry = folder.join(name);
            // `wwan0`, the parent of the ports, is in the class too, but has no device number.
            entry.join("dev").exists() && fs::canonicalize(&entry).is_ok_and(|port| port.starts_with(device))
        });
        of_device
            .map(|name| WwanPort {
                language: text(&folder.join(&name).join("type")),
                id: PortId::new(format!("/dev/{name}")),
            })
            .collect()
    }
}
