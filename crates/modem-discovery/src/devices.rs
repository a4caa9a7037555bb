//! Lists all USB devices, or reads one of them (linux.md §1 and §2).
//!
//! The folders of ports are listed once, and the target of each link there tells which interface the port
//! belongs to. So forty modems cost a few small files each, and nothing is read once for every port.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use modem_world::{
    Attached, DiscoveryError, Endpoints, PortId, PortInfo, PortKind, UsbDevice, UsbInterface, UsbPath,
};

use crate::sysfs::{Sysfs, failed, link_name, list, natural_order, text};
use crate::uevent::interface_name;

/// `bDeviceClass` of a hub (USB 2.0 specification, §11.23.1).
const HUB_CLASS: &str = "09";
/// `bInterfaceClass` of what only its vendor's drivers know.
const VENDOR_SPECIFIC: u8 = 0xff;

/// Ports by the folder name of their interface: `1-1.2:1.3`.
type PortsByInterface = BTreeMap<String, Vec<(String, PortKind)>>;

impl Sysfs {
    /// All USB devices that are there now except hubs, with their interfaces and ports, in the order of their
    /// places.
    ///
    /// # Errors
    /// The folder of USB devices can't be read. A kernel without USB has no devices.
    pub fn devices(&self) -> Result<Vec<Attached>, DiscoveryError> {
        let folder = self.devices_folder();
        let names = match list(&folder) {
            Ok(names) => names,
            Err(error) if self.is_absent(&error) => Vec::new(),
            Err(error) => return Err(failed(&folder, "readdir", &error)),
        };
        let mut ports = self.ports_by_interface(|_| true);
        let mut found = Vec::new();
        for name in names {
            // The names of root hubs (`usb1`) and interfaces (`1-0:1.0`) have no place order.
            let Some(order) = place_order(&name) else { continue };
            if let Some(attached) = self.attached(&folder.join(&name), &name, &mut ports) {
                found.push((order, attached));
            }
        }
        found.sort_by(|(left, _), (right, _)| left.cmp(right));
        Ok(found.into_iter().map(|(_, attached)| attached).collect())
    }

    /// The device at this place, as [`devices`](Self::devices) reports it.
    ///
    /// # Errors
    /// The folder of USB devices can't be read.
    pub fn device_at(&self, place: &UsbPath) -> Result<Option<Attached>, DiscoveryError> {
        let name = place.as_str();
        let (Some(directory), Some(_)) = (self.device_link(place), place_order(name)) else {
            return Ok(None);
        };
        match fs::metadata(&directory) {
            Ok(_) => {}
            Err(error) if self.is_absent(&error) => return Ok(None),
            Err(error) => return Err(failed(&directory, "stat", &error)),
        }
        let mut ports = self.ports_by_interface(|device| device == name);
        Ok(self.attached(&directory, name, &mut ports))
    }

    fn devices_folder(&self) -> PathBuf {
        self.root().join("sys/bus/usb/devices")
    }

    /// Whether the error only means that something isn't there: a file below a folder of devices, or
    /// the folder itself because this kernel has no such bus.
    pub(crate) fn is_absent(&self, error: &std::io::Error) -> bool {
        error.kind() == std::io::ErrorKind::NotFound && self.root().join("sys/bus").is_dir()
    }

    /// The device in this directory; `None` for a hub, and for a device that leaves while it is read.
    fn attached(&self, directory: &Path, name: &str, ports: &mut PortsByInterface) -> Option<Attached> {
        if text(&directory.join("bDeviceClass")).as_deref() == Some(HUB_CLASS) {
            return None;
        }
        let device = self.read_device(directory)?;
        let mut attached = Attached {
            device,
            interfaces: Vec::new(),
            ports: Vec::new(),
        };
        let mut folders: Vec<(u8, String)> = list(directory)
            .unwrap_or_default()
            .into_iter()
            .filter_map(|folder| {
                let (device, number) = interface_name(&folder)?;
                (device == name).then_some((number, folder))
            })
            .collect();
        folders.sort();
        for (number, folder) in folders {
            let Some(interface) = read_interface(&directory.join(&folder), number) else {
                continue;
            };
            let mut of_interface = ports.remove(&folder).unwrap_or_default();
            of_interface.sort_by_key(|(name, _)| natural_order(name));
            let named = of_interface
                .into_iter()
                .map(|(name, kind)| (format!("/dev/{name}"), kind));
            let itself =
                is_port_itself(&attached.device, &interface).then_some((folder, PortKind::Interface));
            attached
                .ports
                .extend(named.chain(itself).map(|(id, kind)| PortInfo {
                    id: PortId::new(id),
                    kind,
                    device: Some(attached.device.clone()),
                    interface: Some(interface.number),
                    driver: interface.driver.clone(),
                }));
            attached.interfaces.push(interface);
        }
        Some(attached)
    }

    /// The interface of a boot loader with this name, `1-4:1.0`, if no driver has it.
    pub(crate) fn bare_interface(&self, name: &str) -> Option<PortInfo> {
        let (device, _) = interface_name(name)?;
        let there = self.device_at(&UsbPath::new(device)).ok()??;
        there.ports.into_iter().find(|port| port.id.as_str() == name)
    }

    /// The ports that are there now, grouped by the folder of their interface; only of devices for which
    /// `is_meant` is true.
    fn ports_by_interface(&self, is_meant: impl Fn(&str) -> bool) -> PortsByInterface {
        let mut ports = PortsByInterface::new();
        for (class, name, target) in self.port_links() {
            let interface = target.iter().rev().find_map(|part| {
                let folder = part.to_str()?;
                Some((interface_name(folder)?.0, folder))
            });
            let Some((_, folder)) = interface.filter(|(device, _)| is_meant(device)) else {
                continue;
            };
            let kind = match class {
                "tty" => Some(PortKind::Serial),
                "wwan" => wwan_kind(&self.root().join("sys/class/wwan").join(&name), &name),
                _ => Some(PortKind::Wdm),
            };
            if let Some(kind) = kind {
                let of_interface = ports.entry(folder.to_owned()).or_default();
                // A `wwan` port is the same control port under another name. The kernel lets only the first
                // program in that opens either of them.
                if class != "wwan" || of_interface.is_empty() {
                    of_interface.push((name, kind));
                }
            }
        }
        ports
    }

    /// Class, name and link target of everything that may be a port of a USB device. The order of the classes
    /// matters: `wwan` comes last because it repeats what `usbmisc` has.
    pub(crate) fn port_links(&self) -> Vec<(&'static str, String, PathBuf)> {
        let mut links = Vec::new();
        for class in ["tty", "usbmisc", "usb", "wwan"] {
            let folder = self.root().join("sys/class").join(class);
            for name in list(&folder).unwrap_or_default() {
                let is_other = match class {
                    "usbmisc" | "usb" => !name.starts_with("cdc-wdm"),
                    // Consoles and built-in serial ports, which are most of the ttys on a PC.
                    "tty" => name.strip_prefix("tty").is_none_or(|rest| {
                        let number = rest.strip_prefix('S').unwrap_or(rest);
                        number.bytes().all(|byte| byte.is_ascii_digit())
                    }),
                    _ => false,
                };
                if is_other {
                    continue;
                }
                let entry = folder.join(&name);
                let target = fs::read_link(&entry).or_else(|_| fs::canonicalize(entry.join("device")));
                if let Ok(target) = target {
                    links.push((class, name, target));
                }
            }
        }
        links
    }
}

/// Whether the interface can be used as a port although no driver has it: it is all that the device has, and the kernel's drivers
/// would make a serial port of it (linux.md §2). So it is with a boot loader.
fn is_port_itself(device: &UsbDevice, interface: &UsbInterface) -> bool {
    let bulk = interface.endpoints.and_then(|endpoints| endpoints.bulk);
    device.interfaces == Some(1)
        && interface.driver.is_none()
        && interface.class == VENDOR_SPECIFIC
        && bulk == Some((1, 1))
}

/// The endpoints of the interface in this directory: their number, and of each its folder `ep_81`.
fn read_endpoints(directory: &Path) -> Option<Endpoints> {
    let count = u8::from_str_radix(&text(&directory.join("bNumEndpoints"))?, 16).ok()?;
    let folders = list(directory).unwrap_or_default().into_iter();
    let (mut seen, mut bulk) = (0_u8, (0_u8, 0_u8));
    for folder in folders.filter(|name| name.starts_with("ep_") && name != "ep_00") {
        let read = |name: &str| text(&directory.join(&folder).join(name));
        seen = seen.saturating_add(1);
        if read("type").as_deref() == Some("Bulk") {
            match read("direction").as_deref() {
                Some("in") => bulk.0 = bulk.0.saturating_add(1),
                Some("out") => bulk.1 = bulk.1.saturating_add(1),
                _ => {}
            }
        }
    }
    Some(Endpoints {
        count,
        bulk: (seen == count).then_some(bulk),
    })
}

fn read_interface(directory: &Path, number: u8) -> Option<UsbInterface> {
    let code = |name: &str| u8::from_str_radix(&text(&directory.join(name))?, 16).ok();
    Some(UsbInterface {
        number: code("bInterfaceNumber").unwrap_or(number),
        class: code("bInterfaceClass")?,
        subclass: code("bInterfaceSubClass").unwrap_or(0),
        protocol: code("bInterfaceProtocol").unwrap_or(0),
        endpoints: read_endpoints(directory),
        driver: link_name(&directory.join("driver")),
    })
}

/// The kind of a port of the class `wwan`, read from its file `type` (Linux 5.14, mbim.md §1) or else from
/// its name. Only control ports are used; the others give `None`.
pub(crate) fn wwan_kind(directory: &Path, name: &str) -> Option<PortKind> {
    let kind = text(&directory.join("type")).unwrap_or_else(|| name.to_owned());
    let kind = kind.to_ascii_uppercase();
    (kind.contains("QMI") || kind.contains("MBIM")).then_some(PortKind::Wdm)
}

/// Bus and ports as numbers, so that `1-2` sorts before `1-10`; `None` if the name isn't that of a device.
pub(crate) fn place_order(name: &str) -> Option<(u16, Vec<u16>)> {
    let (bus, ports) = name.split_once('-')?;
    let ports: Result<Vec<u16>, _> = ports.split('.').map(str::parse).collect();
    Some((bus.parse().ok()?, ports.ok()?))
}
