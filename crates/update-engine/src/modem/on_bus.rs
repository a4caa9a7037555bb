//! The modems on the bus as the engine sees them: where each modem is, in which mode, and what each port is
//! for.
//!
//! A modem is one physical USB position. Its ports are told apart by USB interface and driver (linux.md §2),
//! never by the numbers in their names. This module opens no port.

use firmware_image::Model;
use modem_world::{Attached, DiscoveryError, PortInfo, UsbDevice, UsbInterface, UsbPath, World};

use super::devices::Device;
use super::lacks::{self, Lack};
use super::mode::Mode;
use super::ports::Ports;
use super::roles::Roles;
use super::standing::Standing;

/// A Sierra Wireless modem on the bus.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Modem {
    /// The device, with its place on the bus.
    pub device: UsbDevice,
    /// The modem's row in the device table; none for an id that isn't in the table.
    pub row: Option<&'static Device>,
    /// The mode, judged by what the bus shows.
    pub mode: Mode,
    /// The interfaces of the device.
    pub interfaces: Vec<UsbInterface>,
    /// The modem's ports, by purpose.
    pub ports: Ports,
    /// Whether more ports may appear: an interface has no driver, or an interface of class 0xff has a driver
    /// but no port. Some interfaces never get a driver.
    pub has_bare_interfaces: bool,
}

/// All Sierra Wireless modems on the bus, including those in Qualcomm's emergency mode, in the order of their
/// places.
///
/// # Errors
/// The bus can't be read.
pub fn modems(world: &mut dyn World) -> Result<Vec<Modem>, DiscoveryError> {
    Ok(world.devices()?.into_iter().filter_map(Modem::of).collect())
}

impl Modem {
    /// The USB device as a modem; none if the device is not a Sierra Wireless modem.
    pub fn of(attached: Attached) -> Option<Self> {
        let row = match Standing::of(&attached) {
            Standing::Known(row) => Some(row),
            Standing::UnknownModem | Standing::Emergency => None,
            Standing::NotOurs(_) | Standing::Foreign => return None,
        };
        Some(Self::whatever(attached, row))
    }

    /// The USB device as a modem, even if only the user says that it is one.
    pub fn insisted(attached: Attached) -> Self {
        Self::of(attached.clone()).unwrap_or_else(|| Self::whatever(attached, None))
    }

    pub(crate) fn whatever(attached: Attached, row: Option<&'static Device>) -> Self {
        let Attached {
            device,
            interfaces,
            ports,
        } = attached;
        let mode = Mode::of(&device, &interfaces);
        // The kernel binds a driver a moment before the driver creates its port.
        let has_port = |number: u8| ports.iter().any(|port| port.interface == Some(number));
        let has_bare_interfaces = interfaces.iter().any(|interface| {
            interface.driver.is_none() || (interface.class == VENDOR_SPECIFIC && !has_port(interface.number))
        });
        let roles = Roles::of(&device, &interfaces);
        let ports = Ports::sort(mode, &roles, &interfaces, ports);
        Self {
            device,
            row,
            mode,
            interfaces,
            ports,
            has_bare_interfaces,
        }
    }

    /// The modem's place on the bus.
    pub fn path(&self) -> &UsbPath {
        &self.device.path
    }

    /// Whether `path` is the modem's place, or the same socket on the bus of the other speed.
    pub fn is_at(&self, path: &UsbPath) -> bool {
        self.device.path == *path || self.device.peer.as_ref() == Some(path)
    }

    /// All ports of the modem.
    pub fn all_ports(&self) -> impl Iterator<Item = &PortInfo> {
        self.ports.all()
    }

    /// Whether the modem has a port through which modemflash can talk to it.
    pub fn can_be_reached(&self) -> bool {
        self.all_ports().next().is_some()
    }

    /// Whether all ports through which the modem can be asked have appeared, as far as the bus shows. The
    /// kernel's drivers create the ports one after the other. The result is also false if an interface never
    /// gets a driver and the layout isn't known.
    pub(crate) fn is_complete(&self) -> bool {
        let at = self.roles().at();
        let is_at = |port: &PortInfo| at.is_some() && port.interface == at;
        !self.has_bare_interfaces || self.ports.at.iter().any(is_at)
    }

    /// What each of the modem's interfaces is for.
    pub(super) fn roles(&self) -> Roles {
        Roles::of(&self.device, &self.interfaces)
    }

    /// The interfaces that no driver has, or a driver that makes the wrong port of it.
    pub fn lacks(&self) -> Vec<Lack> {
        lacks::of(&self.device, self.mode, &self.interfaces)
    }

    /// If the modem has no port because a program uses an interface of it without a driver: that in words, with what to do.
    pub(crate) fn taken_by_a_program(&self) -> Option<String> {
        let is_taken = |interface: &&UsbInterface| interface.driver.as_deref() == Some("usbfs");
        let taken = self.interfaces.iter().find(is_taken)?;
        (!self.can_be_reached()).then(|| {
            format!(
                "a program has interface {} for itself, without a driver, as a virtual machine does; end that program, or take the modem \
                 from the virtual machine",
                taken.number
            )
        })
    }

    /// The modem's name until the modem itself is asked: the model that its product string names, else the models of its USB
    /// id, else its product string, else its USB id.
    pub fn name(&self) -> String {
        let product = self.device.product_name.as_deref();
        let model = product.and_then(Model::in_text).map(|model| model.name);
        let table = self.row.map(|row| row.models);
        let name = model.or(table).or(product).map(str::to_owned);
        name.unwrap_or_else(|| self.device.id())
    }

    /// The modem's speed on the bus, such as `USB 2` or `USB 3`.
    pub fn usb(&self) -> Option<&'static str> {
        Some(match self.device.speed? {
            0..=11 => "low speed",
            12..=479 => "USB 1",
            480..=4999 => "USB 2",
            _ => "USB 3",
        })
    }
}

/// `bInterfaceClass` of vendor-specific interfaces: serial ports and QMI.
const VENDOR_SPECIFIC: u8 = 0xff;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::modem::Language;
    use modem_world::{PortId, PortKind, UsbInterface};

    fn device(vendor: u16, product: u16, interfaces: u8) -> UsbDevice {
        UsbDevice {
            path: UsbPath::new("1-2"),
            peer: Some(UsbPath::new("2-2")),
            number: 7,
            vendor,
            product,
            interfaces: Some(interfaces),
            speed: Some(480),
            manufacturer: None,
            product_name: None,
            serial: None,
        }
    }

    fn attached(device: UsbDevice, ports: &[(&str, u8, &str)]) -> Attached {
        let interfaces = ports
            .iter()
            .map(|(_, number, driver)| UsbInterface {
                number: *number,
                class: 0xff,
                subclass: 0xff,
                protocol: 0xff,
                endpoints: None,
                driver: Some((*driver).to_owned()),
            })
            .collect();
        let ports = ports
            .iter()
            .map(|(name, number, driver)| PortInfo {
                id: PortId::new(*name),
                kind: if name.contains("cdc-wdm") {
                    PortKind::Wdm
                } else {
                    PortKind::Serial
                },
                device: Some(device.clone()),
                interface: Some(*number),
                driver: Some((*driver).to_owned()),
            })
            .collect();
        Attached {
            device,
            interfaces,
            ports,
        }
    }

    #[test]
    fn ports_are_told_apart_by_interface_and_not_by_name() {
        let modem = Modem::of(attached(
            device(0x1199, 0x9071, 5),
            &[
                ("/dev/ttyUSB9", 0, "qcserial"),
                ("/dev/ttyUSB1", 2, "qcserial"),
                ("/dev/ttyUSB0", 3, "qcserial"),
                ("/dev/cdc-wdm4", 10, "qmi_wwan"),
                ("/dev/cdc-wdm5", 8, "qmi_wwan"),
            ],
        ))
        .unwrap();
        assert_eq!(modem.mode, Mode::Normal);
        assert_eq!(modem.ports.diag.as_ref().unwrap().id.as_str(), "/dev/ttyUSB9");
        assert_eq!(modem.ports.nmea.as_ref().unwrap().id.as_str(), "/dev/ttyUSB1");
        assert_eq!(modem.ports.at[0].id.as_str(), "/dev/ttyUSB0");
        assert_eq!(modem.ports.control[0].port.id.as_str(), "/dev/cdc-wdm5");
        assert_eq!(modem.ports.control[0].language, Language::Qmi);
    }

    // As the kernel lab saw it after a restart of a modem whose id qmi_wwan was told.
    #[test]
    fn a_control_port_of_another_interface_comes_after_that_of_qmi() {
        let order = |ports: &[(&str, u8, &str)]| {
            let modem = Modem::of(attached(device(0x1199, 0x90b1, 4), ports)).unwrap();
            let control = modem.ports.control.iter();
            control.map(|control| control.port.interface).collect::<Vec<_>>()
        };
        let taken = [
            ("/dev/cdc-wdm0", 2, "qmi_wwan"),
            ("/dev/cdc-wdm1", 3, "qmi_wwan"),
            ("/dev/cdc-wdm2", 8, "qmi_wwan"),
        ];
        assert_eq!(order(&taken), [Some(8), Some(2), Some(3)]);
        // Without a port that is known as QMI's, each is tried in the order of the interfaces.
        assert_eq!(order(&taken[..2]), [Some(2), Some(3)]);
    }

    #[test]
    fn an_unknown_layout_tries_every_serial_port_the_highest_first() {
        let modem = Modem::of(attached(
            device(0x1199, 0xabcd, 4),
            &[
                ("/dev/ttyUSB0", 1, "option"),
                ("/dev/ttyUSB1", 4, "option"),
                ("/dev/cdc-wdm0", 0, "cdc_mbim"),
            ],
        ))
        .unwrap();
        let order: Vec<_> = modem.ports.at.iter().map(|port| port.interface).collect();
        assert_eq!(order, [Some(4), Some(1)]);
        assert_eq!(modem.ports.control[0].language, Language::Mbim);
    }

    #[test]
    fn more_ports_may_come_as_long_as_an_interface_has_none() {
        let ports = [
            ("/dev/ttyUSB0", 1, "option"),
            ("/dev/ttyUSB1", 4, "option"),
            ("/dev/cdc-wdm0", 0, "cdc_mbim"),
        ];
        let whole = attached(device(0x1199, 0xabcd, 3), &ports);
        assert!(Modem::of(whole.clone()).unwrap().is_complete());
        let mut is_bound = whole.clone();
        is_bound.ports.remove(1);
        assert!(!Modem::of(is_bound).unwrap().is_complete());
        let mut is_not = whole;
        is_not.interfaces[2].driver = None;
        assert!(!Modem::of(is_not).unwrap().is_complete());
        // A known layout says where the AT port is.
        let ports = [("/dev/ttyUSB0", 0, "qcserial"), ("/dev/ttyUSB2", 3, "qcserial")];
        let mut known = attached(device(0x1199, 0x9071, 3), &ports);
        known.interfaces[0].driver = None;
        assert!(Modem::of(known.clone()).unwrap().is_complete());
        known.ports.remove(1);
        assert!(!Modem::of(known).unwrap().is_complete());
    }

    #[test]
    fn one_interface_is_download_mode_also_where_the_id_does_not_change() {
        let modem = Modem::of(attached(
            device(0x1199, 0x68c0, 1),
            &[("/dev/ttyUSB0", 0, "qcserial")],
        ))
        .unwrap();
        assert_eq!(modem.mode, Mode::Download);
        assert!(modem.ports.download.is_some() && modem.ports.at.is_empty());
    }

    #[test]
    fn other_devices_are_no_modems_and_emergency_mode_is_one() {
        assert_eq!(Modem::of(attached(device(0x0403, 0x6001, 1), &[])), None);
        let lost = Modem::of(attached(device(0x05c6, 0x9008, 1), &[])).unwrap();
        assert_eq!(lost.mode, Mode::Emergency);
        assert!(!lost.can_be_reached());
    }
}
