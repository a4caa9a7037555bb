//! The modems on the bus as the engine sees them: where each modem is, in which mode, and what each port is
//! for.
//!
//! A modem is one physical USB position. Its ports are told apart by USB interface and driver (linux.md §2),
//! never by the numbers in their names. This module opens no port.

use std::fmt;

use firmware_image::Family;
use modem_world::{Attached, DiscoveryError, PortInfo, PortKind, UsbDevice, UsbPath, World};

use super::devices;
use super::devices::{Device, Standing, Takes};

/// A Sierra Wireless modem on the bus.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Modem {
    /// The device, with its place on the bus.
    pub device: UsbDevice,
    /// The modem's row in the device table; none for an id that isn't in the table.
    pub row: Option<&'static Device>,
    /// The mode, judged by what the bus shows.
    pub mode: Mode,
    /// The modem's ports, by purpose.
    pub ports: Ports,
    /// Whether more ports may appear: an interface has no driver, or an interface of class 0xff has a driver
    /// but no port. Some interfaces never get a driver.
    pub has_bare_interfaces: bool,
}

/// A modem's mode, judged by what the bus shows (linux.md §2). From outside, memory-dump mode looks like
/// download mode.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// Several interfaces: the modem's firmware runs.
    Normal,
    /// One interface: the boot loader waits for firmware, or the modem has crashed.
    Download,
    /// Qualcomm's primary boot loader, 05c6:9008: Sierra's boot loader is gone.
    Emergency,
    /// The USB device isn't configured yet, or not authorised, so the mode is not known.
    NotConfigured,
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Normal => "normal",
            Self::Download => "download",
            Self::Emergency => "emergency",
            Self::NotConfigured => "not configured",
        })
    }
}

/// The ports of a modem, by purpose.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ports {
    /// Control ports, in the order of their interfaces.
    pub control: Vec<ControlPort>,
    /// Ports that answer AT commands, the likeliest first. If the layout isn't known: every serial port, the
    /// highest interface first (at.md §1).
    pub at: Vec<PortInfo>,
    /// The diagnostic port.
    pub diag: Option<PortInfo>,
    /// The port that sends NMEA position sentences.
    pub nmea: Option<PortInfo>,
    /// The only port of a modem in download mode.
    pub download: Option<PortInfo>,
}

/// A control port, with the language that follows from its driver.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ControlPort {
    /// The port.
    pub port: PortInfo,
    /// Its language.
    pub language: Language,
}

/// The language of a control port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Language {
    /// QMI in QMUX frames.
    Qmi,
    /// MBIM, with QMI inside.
    Mbim,
}

impl fmt::Display for Language {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Qmi => "QMI",
            Self::Mbim => "MBIM",
        })
    }
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
        let row = match devices::standing(attached.device.vendor, attached.device.product) {
            Standing::Known(row) => Some(row),
            Standing::UnknownModem | Standing::Emergency => None,
            Standing::NotQualcomm | Standing::Foreign => return None,
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
        let standing = devices::standing(device.vendor, device.product);
        let mode = match (standing, device.interfaces) {
            (Standing::Emergency, _) => Mode::Emergency,
            (_, None | Some(0)) => Mode::NotConfigured,
            (_, Some(1)) => Mode::Download,
            (_, Some(_)) => Mode::Normal,
        };
        // The kernel binds a driver a moment before the driver creates its port.
        let has_port = |number: u8| ports.iter().any(|port| port.interface == Some(number));
        let has_bare_interfaces = interfaces.iter().any(|interface| {
            interface.driver.is_none() || (interface.class == VENDOR_SPECIFIC && !has_port(interface.number))
        });
        let ports = Ports::sort(&device, mode, ports);
        Self {
            device,
            row,
            mode,
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
        let ports = &self.ports;
        let control = ports.control.iter().map(|control| &control.port);
        let known = [&ports.diag, &ports.nmea, &ports.download];
        control.chain(&ports.at).chain(known.into_iter().flatten())
    }

    /// Whether the modem has a port through which modemflash can talk to it.
    pub fn can_be_reached(&self) -> bool {
        self.all_ports().next().is_some()
    }

    /// Whether all ports through which the modem can be asked have appeared, as far as the bus shows. The
    /// kernel's drivers create the ports one after the other. The result is also false if an interface never
    /// gets a driver and the layout isn't known.
    pub(crate) fn is_complete(&self) -> bool {
        let at = layout(&self.device).at;
        let is_at = |port: &PortInfo| at.is_some() && port.interface == at;
        !self.has_bare_interfaces || self.ports.at.iter().any(is_at)
    }

    /// The modem's name until the modem itself is asked: the models of its USB id, else its product string,
    /// else its USB id.
    pub fn name(&self) -> String {
        let product = self.device.product_name.clone();
        let table = self.row.map(|row| row.models.to_owned());
        table.or(product).unwrap_or_else(|| self.device.id())
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

/// The USB interfaces of the serial ports in a layout.
struct Serial {
    diag: Option<u8>,
    nmea: Option<u8>,
    at: Option<u8>,
}

/// The layout of a modem in normal mode (linux.md §2, at.md §1). An interface that no table knows is `None`.
fn layout(device: &UsbDevice) -> Serial {
    let known = |diag, nmea, at| Serial { diag, nmea, at };
    match (device.vendor, device.product) {
        // The kernel uses its Gobi layout for the MC7770 too.
        (0x1199, 0x901b) => known(Some(1), Some(3), Some(2)),
        (0x1199, 0x90b1) => known(Some(4), Some(3), Some(2)),
        (0x1199, 0x90c1 | 0x90c3) => known(Some(2), Some(1), Some(0)),
        (0x1199, 0x90d9) => known(Some(2), None, Some(1)),
        (0x1199, 0x90d3 | 0x90e1 | 0x90e3) => known(Some(4), None, Some(3)),
        _ => match devices::lookup(device).map(|row| row.takes) {
            // linux.md §2: Gobi 1000 modems have no port of their own for position sentences.
            Some(Takes::Gobi([Family::Gobi1000])) => known(Some(0), None, Some(2)),
            Some(Takes::Gobi(_)) => known(Some(1), Some(3), Some(2)),
            Some(_) => known(Some(0), Some(2), Some(3)),
            None => known(None, None, None),
        },
    }
}

impl Ports {
    fn sort(device: &UsbDevice, mode: Mode, ports: Vec<PortInfo>) -> Self {
        let mut sorted = Self::default();
        let layout = layout(device);
        for port in ports {
            match (port.kind, mode) {
                (PortKind::Wdm, _) => {
                    let language = match port.driver.as_deref() {
                        Some("cdc_mbim") => Language::Mbim,
                        _ => Language::Qmi,
                    };
                    sorted.control.push(ControlPort { port, language });
                }
                (PortKind::Serial, Mode::Download | Mode::Emergency) => sorted.download = Some(port),
                (PortKind::Serial, _) if port.interface.is_some() && port.interface == layout.diag => {
                    sorted.diag = Some(port);
                }
                (PortKind::Serial, _) if port.interface.is_some() && port.interface == layout.nmea => {
                    sorted.nmea = Some(port);
                }
                (PortKind::Serial, _) => sorted.at.push(port),
                _ => {}
            }
        }
        sorted.control.sort_by_key(|control| control.port.interface);
        // The port that the layout names comes first, then the highest interface.
        sorted
            .at
            .sort_by_key(|port| (port.interface != layout.at, std::cmp::Reverse(port.interface)));
        sorted
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use modem_world::{PortId, UsbInterface};

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
