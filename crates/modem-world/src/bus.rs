//! Plain types for ports and the devices behind them.

use std::fmt;

/// A port, by its canonical name: `/dev/ttyUSB0`, `/dev/cdc-wdm0`, or `@qmi-proxy` for a socket without a
/// file. The name is good only until the device leaves the bus; the [`UsbPath`] stays the same.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct PortId(String);

impl PortId {
    /// The port with this canonical name.
    pub fn new(name: impl Into<String>) -> Self {
        Self(name.into())
    }

    /// Its name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for PortId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A place on the bus, as the kernel names it: `1-1.4` is port 4 of the hub in port 1 of bus 1.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct UsbPath(String);

impl UsbPath {
    /// The place with this name.
    pub fn new(name: impl Into<String>) -> Self {
        Self(name.into())
    }

    /// Its name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for UsbPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The kind of a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(rename_all = "snake_case")
)]
pub enum PortKind {
    /// A stream of bytes: `/dev/ttyUSB0`.
    Serial,
    /// A control port, `/dev/cdc-wdm0`: one write is one message (qmi.md §2, mbim.md §3).
    Wdm,
    /// The socket of a program that shares a control port: `@qmi-proxy`, `@mbim-proxy` (qmi.md §6, mbim.md §6).
    Proxy,
    /// A USB interface that no driver has, under the kernel's name for it, `1-4:1.0`: the bytes of its two bulk endpoints, which are those
    /// that a driver would make a serial port of.
    Interface,
}

/// A port and what is known about the device behind it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct PortInfo {
    /// The port.
    pub id: PortId,
    /// What kind it is.
    pub kind: PortKind,
    /// The USB device behind it; none for a pseudo-terminal or a port on the mainboard.
    pub device: Option<UsbDevice>,
    /// Number of the USB interface that the port belongs to.
    pub interface: Option<u8>,
    /// USB driver of that interface: `qcserial`, `option`, `qmi_wwan`, `cdc_mbim`.
    pub driver: Option<String>,
}

/// A USB device with its interfaces and the ports that the kernel's drivers made of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attached {
    /// The device.
    pub device: UsbDevice,
    /// The interfaces of its active configuration, also those without a driver, in the order of their numbers.
    pub interfaces: Vec<UsbInterface>,
    /// Its ports, in the order of their interfaces.
    pub ports: Vec<PortInfo>,
}

/// An interface of a USB device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UsbInterface {
    /// `bInterfaceNumber`.
    pub number: u8,
    /// `bInterfaceClass`.
    pub class: u8,
    /// `bInterfaceSubClass`.
    pub subclass: u8,
    /// `bInterfaceProtocol`.
    pub protocol: u8,
    /// Its endpoints; none if the kernel doesn't tell them.
    pub endpoints: Option<Endpoints>,
    /// The driver that has it.
    pub driver: Option<String>,
}

/// The endpoints of an interface in its present setting, without endpoint 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Endpoints {
    /// `bNumEndpoints`.
    pub count: u8,
    /// How many of them are bulk endpoints: to the host, and from the host. None if only the count is known.
    pub bulk: Option<(u8, u8)>,
}

impl Endpoints {
    /// A pair of bulk endpoints and nothing else: what the kernel's driver takes for a download port (linux.md §2).
    pub fn is_bulk_pair(self) -> bool {
        self.count == 2 && self.bulk.is_none_or(|bulk| bulk == (1, 1))
    }
}

/// A USB device as the kernel describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct UsbDevice {
    /// Its place on the bus.
    pub path: UsbPath,
    /// The same socket on the bus of the other speed (USB 2 / USB 3), when the kernel knows it.
    pub peer: Option<UsbPath>,
    /// Number on the bus; changes with every enumeration.
    pub number: u32,
    /// `idVendor`.
    pub vendor: u16,
    /// `idProduct`.
    pub product: u16,
    /// Number of interfaces of the active configuration; none while it isn't configured.
    pub interfaces: Option<u8>,
    /// Speed in Mbit/s.
    pub speed: Option<u32>,
    /// Manufacturer string.
    pub manufacturer: Option<String>,
    /// Product string.
    pub product_name: Option<String>,
    /// Serial string.
    pub serial: Option<String>,
}

impl UsbDevice {
    /// `1199:9091`.
    pub fn id(&self) -> String {
        format!("{:04x}:{:04x}", self.vendor, self.product)
    }

    /// Whether this is the same device that hasn't left the bus meanwhile: the kernel gives each appearance a number of its own.
    /// Numbers count on each bus by itself, so that the same one at another place is another appearance (linux.md §1).
    pub fn is_same_appearance(&self, other: &Self) -> bool {
        self.path == other.path && self.number == other.number
    }
}
