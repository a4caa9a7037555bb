//! The kernel's uevent messages, read without libudev (linux.md §4).
//!
//! A message is a series of NUL-terminated strings: first `ACTION@DEVPATH`, then `KEY=value` pairs. Messages
//! of group 2 are udevd's copies; they start with `libudev` and are refused. This module only parses bytes.
//! [`UeventSocket`](crate::UeventSocket) checks whether they came from the kernel.

use modem_world::UsbPath;

/// What happened to a device.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Action {
    /// The device joined.
    Add,
    /// The device left.
    Remove,
    /// Something about the device changed.
    Change,
    /// The device was renamed or got another parent.
    Move,
    /// A driver took the device.
    Bind,
    /// A driver let the device go.
    Unbind,
    /// An action that this program has no name for: `online`, `offline` and what later kernels add.
    Other(String),
}

impl Action {
    fn from_word(word: &str) -> Self {
        match word {
            "add" => Self::Add,
            "remove" => Self::Remove,
            "change" => Self::Change,
            "move" => Self::Move,
            "bind" => Self::Bind,
            "unbind" => Self::Unbind,
            other => Self::Other(other.to_owned()),
        }
    }
}

/// The value of `PRODUCT`: `1199/9091/6`, hexadecimal without leading zeros.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UsbProduct {
    /// `idVendor`.
    pub vendor: u16,
    /// `idProduct`.
    pub product: u16,
    /// `bcdDevice`.
    pub release: u16,
}

impl UsbProduct {
    fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split('/').map(|part| u16::from_str_radix(part, 16).ok());
        let product = Self {
            vendor: parts.next()??,
            product: parts.next()??,
            release: parts.next()??,
        };
        parts.next().is_none().then_some(product)
    }
}

/// One event. Unknown keys are ignored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Uevent {
    /// What happened.
    pub action: Action,
    /// The device, as a path below `/sys`, starting with a slash.
    pub device_path: String,
    /// `SUBSYSTEM`: `usb`, `tty`, `usbmisc`.
    pub subsystem: Option<String>,
    /// `DEVNAME`, without `/dev/`: `ttyUSB0`.
    pub node: Option<String>,
    /// `DEVTYPE`: `usb_device`, `usb_interface`.
    pub kind: Option<String>,
    /// `PRODUCT` of a USB device or interface.
    pub product: Option<UsbProduct>,
    /// `MAJOR` and `MINOR` of the node.
    pub node_number: Option<(u32, u32)>,
    /// `SEQNUM`: the number of the event on this host.
    pub sequence: Option<u64>,
}

/// Why bytes aren't a uevent of the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UeventError {
    /// A copy that udevd sent to its own listeners.
    #[error("a message of udevd, not of the kernel")]
    FromUdevd,
    /// The first string isn't `ACTION@DEVPATH`.
    #[error("no ACTION@DEVPATH at the start")]
    NoHeader,
}

impl Uevent {
    /// Reads one message, a whole datagram. Text that isn't UTF-8 is kept with replacement characters.
    ///
    /// # Errors
    /// The bytes aren't a uevent of the kernel.
    pub fn parse(message: &[u8]) -> Result<Self, UeventError> {
        if message.starts_with(b"libudev") {
            return Err(UeventError::FromUdevd);
        }
        let mut strings = message.split(|&byte| byte == 0).map(String::from_utf8_lossy);
        let header = strings.next().ok_or(UeventError::NoHeader)?;
        let (action, path) = header.split_once('@').ok_or(UeventError::NoHeader)?;
        if action.is_empty() || !path.starts_with('/') {
            return Err(UeventError::NoHeader);
        }
        let mut event = Self {
            action: Action::from_word(action),
            device_path: path.to_owned(),
            subsystem: None,
            node: None,
            kind: None,
            product: None,
            node_number: None,
            sequence: None,
        };
        let (mut major, mut minor) = (None, None);
        for string in strings {
            let Some((key, value)) = string.split_once('=') else {
                continue;
            };
            match key {
                "SUBSYSTEM" => event.subsystem = Some(value.to_owned()),
                "DEVNAME" => event.node = Some(value.to_owned()),
                "DEVTYPE" => event.kind = Some(value.to_owned()),
                "PRODUCT" => event.product = UsbProduct::parse(value),
                "MAJOR" => major = value.parse().ok(),
                "MINOR" => minor = value.parse().ok(),
                "SEQNUM" => event.sequence = value.parse().ok(),
                _ => {}
            }
        }
        event.node_number = major.zip(minor);
        Ok(event)
    }

    /// The USB device that this event is about: the device itself, or the device that the interface or port
    /// belongs to.
    pub fn usb_device(&self) -> Option<UsbPath> {
        let mut components = self.device_path.split('/');
        if self.kind.as_deref() == Some("usb_device") {
            return components.next_back().map(UsbPath::new);
        }
        components
            .rev()
            .find_map(|name| interface_name(name))
            .map(|(device, _)| UsbPath::new(device))
    }

    /// The path in sysfs of the USB device that this event is about: `/sys/devices/…/usb1/1-2`.
    pub fn usb_device_directory(&self) -> Option<String> {
        let device = self.usb_device()?;
        let mut directory = String::from("/sys");
        for component in self.device_path.split('/').skip(1) {
            directory.push('/');
            directory.push_str(component);
            if component == device.as_str() {
                return Some(directory);
            }
        }
        None
    }

    /// Number of the USB interface that this event is about.
    pub fn interface(&self) -> Option<u8> {
        self.device_path
            .split('/')
            .rev()
            .find_map(interface_name)
            .map(|(_, interface)| interface)
    }

    /// Whether the event can mean that a port, or the device behind one, came or went.
    pub fn concerns_ports(&self) -> bool {
        matches!(
            self.subsystem.as_deref(),
            Some("usb" | "tty" | "usbmisc" | "usb-serial" | "wwan")
        )
    }
}

/// Splits the directory name of a USB interface: `1-1.2:1.3` is interface 3 of device `1-1.2`.
pub(crate) fn interface_name(name: &str) -> Option<(&str, u8)> {
    let (device, rest) = name.split_once(':')?;
    let (configuration, interface) = rest.split_once('.')?;
    configuration.parse::<u8>().ok()?;
    let (bus, ports) = device.split_once('-')?;
    bus.parse::<u16>().ok()?;
    if ports.split('.').any(|port| port.parse::<u16>().is_err()) {
        return None;
    }
    Some((device, interface.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEVICE: &str = "/devices/pci0000:00/0000:00:14.0/usb1/1-2";

    fn message(header: &str, pairs: &[&str]) -> Vec<u8> {
        let mut bytes = header.as_bytes().to_vec();
        bytes.push(0);
        for pair in pairs {
            bytes.extend_from_slice(pair.as_bytes());
            bytes.push(0);
        }
        bytes
    }

    // linux.md §4, vector 1
    #[test]
    fn vector_1_is_a_tty_that_joined_on_interface_0_of_1_2() {
        let path = format!("{DEVICE}/1-2:1.0/ttyUSB0/tty/ttyUSB0");
        let event = Uevent::parse(&message(
            &format!("add@{path}"),
            &[
                "ACTION=add",
                &format!("DEVPATH={path}"),
                "SUBSYSTEM=tty",
                "MAJOR=188",
                "MINOR=0",
                "DEVNAME=ttyUSB0",
                "SEQNUM=4711",
            ],
        ))
        .unwrap();
        assert_eq!(event.action, Action::Add);
        assert_eq!(event.subsystem.as_deref(), Some("tty"));
        assert_eq!(event.node.as_deref(), Some("ttyUSB0"));
        assert_eq!(event.node_number, Some((188, 0)));
        assert_eq!(event.sequence, Some(4711));
        assert_eq!(
            event.usb_device_directory().as_deref(),
            Some("/sys/devices/pci0000:00/0000:00:14.0/usb1/1-2")
        );
        assert_eq!(event.usb_device(), Some(UsbPath::new("1-2")));
        assert_eq!(event.interface(), Some(0));
        assert!(event.concerns_ports());
    }

    // linux.md §4, vector 2
    #[test]
    fn vector_2_is_a_control_port_that_joined_on_interface_8() {
        let path = format!("{DEVICE}/1-2:1.8/usbmisc/cdc-wdm0");
        let event = Uevent::parse(&message(
            &format!("add@{path}"),
            &[
                "ACTION=add",
                "SUBSYSTEM=usbmisc",
                "MAJOR=180",
                "MINOR=176",
                "DEVNAME=cdc-wdm0",
            ],
        ))
        .unwrap();
        assert_eq!(event.interface(), Some(8));
        assert_eq!(event.node.as_deref(), Some("cdc-wdm0"));
        assert_eq!(event.node_number.map(|(major, _)| major), Some(180));
        assert!(event.concerns_ports());
    }

    // linux.md §4, vector 3
    #[test]
    fn vector_3_is_a_modem_that_left_the_bus() {
        let event = Uevent::parse(&message(
            &format!("remove@{DEVICE}"),
            &[
                "ACTION=remove",
                "SUBSYSTEM=usb",
                "DEVTYPE=usb_device",
                "PRODUCT=1199/9090/6",
            ],
        ))
        .unwrap();
        assert_eq!(event.action, Action::Remove);
        assert_eq!(
            event.product,
            Some(UsbProduct {
                vendor: 0x1199,
                product: 0x9090,
                release: 6
            })
        );
        assert_eq!(event.usb_device(), Some(UsbPath::new("1-2")));
        assert_eq!(
            event.usb_device_directory().as_deref(),
            Some("/sys/devices/pci0000:00/0000:00:14.0/usb1/1-2")
        );
        assert_eq!(event.interface(), None);
    }

    // linux.md §4, vector 4
    #[test]
    fn vector_4_a_copy_of_udevd_is_refused() {
        let mut copy = b"libudev\0".to_vec();
        copy.extend_from_slice(&0xFEED_CAFE_u32.to_be_bytes());
        copy.extend_from_slice(b"add@/devices/x\0SUBSYSTEM=tty\0");
        assert_eq!(Uevent::parse(&copy), Err(UeventError::FromUdevd));
    }

    #[test]
    fn bytes_that_are_no_uevent_are_refused() {
        for bytes in [
            &b""[..],
            b"\0",
            b"add",
            b"@/devices/x\0",
            b"add@devices/x\0",
            b"\xFF\xFE\0\0",
        ] {
            assert_eq!(Uevent::parse(bytes), Err(UeventError::NoHeader), "{bytes:?}");
        }
    }

    #[test]
    fn odd_values_are_passed_over_and_never_a_panic() {
        let event = Uevent::parse(
            b"online@/x\0MAJOR=99999999999999\0PRODUCT=1/2\0=\0SEQNUM=-1\0junk\0DEVNAME=\xFF\0",
        )
        .unwrap();
        assert_eq!(event.action, Action::Other("online".to_owned()));
        assert_eq!(
            (event.node_number, event.product, event.sequence),
            (None, None, None)
        );
        assert_eq!(event.node.as_deref(), Some("\u{FFFD}"));
        assert_eq!((event.usb_device(), event.interface()), (None, None));
        assert!(!event.concerns_ports());
    }

    #[test]
    fn only_real_interface_names_are_interfaces() {
        assert_eq!(interface_name("1-1.2:1.3"), Some(("1-1.2", 3)));
        assert_eq!(interface_name("12-4:1.19"), Some(("12-4", 19)));
        for name in ["0000:00:14.0", "1-2", "a-2:1.0", "1-:1.0", "1-2:1.x", "1-2:1.300"] {
            assert_eq!(interface_name(name), None, "{name}");
        }
    }
}
