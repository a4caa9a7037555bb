//! The kernel's description of ports and USB devices (linux.md §1 to §3).
//!
//! From a tty the path leads up to its USB interface (the directory with `bInterfaceClass`), and from there
//! to its USB device (the directory with `idVendor`). Any file may be missing, because the device may leave
//! while it is being read. If a required file is missing, the port counts as not there; if an optional file
//! is missing, its value is `None`.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use modem_world::{DiscoveryError, PortId, PortInfo, PortKind, UsbDevice, UsbPath};

use crate::binding::ById;
use crate::devices::wwan_kind;
use crate::lock::hub_port;
use crate::uevent::interface_name;

/// Major numbers of Unix98 pseudo-terminals (`Documentation/admin-guide/devices.txt` of the kernel).
pub(crate) const PSEUDO_TERMINAL_MAJORS: std::ops::RangeInclusive<u32> = 136..=143;

/// No text file of the kernel is longer than a page. A string that a device chose is cut here.
const TEXT_LIMIT: usize = 4096;

/// Reads `sys`, `dev` and `proc` below a root directory.
#[derive(Clone, Debug)]
pub struct Sysfs {
    root: PathBuf,
    /// What the driver tables say about each id. It is kept because reading the tables takes a while.
    pub(crate) in_tables: Arc<Mutex<ById>>,
}

/// What was on the bus at one moment, only to be compared with another snapshot.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Snapshot(BTreeSet<(String, String)>);

impl Default for Sysfs {
    fn default() -> Self {
        Self::new("/")
    }
}

impl Sysfs {
    /// The description below `root`: `/` on a real host; in a test, a directory with `sys` and `dev`.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self {
            root: root.into(),
            in_tables: Arc::default(),
        }
    }

    /// `path` below the root. `path` starts with a slash.
    pub(crate) fn below_root(&self, path: &str) -> PathBuf {
        self.root.join(path.trim_start_matches('/'))
    }

    /// The root directory.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// The port that a user means by `name`: a device node, a link to one (`/dev/serial/by-id/…`), a bare
    /// `ttyUSB0` or `cdc-wdm0`, an interface without a driver (`1-4:1.0`), or a socket without a file (`@qmi-proxy`).
    ///
    /// # Errors
    /// There is nothing with this name; it is neither a serial port nor a control port; or there is no
    /// permission to look.
    pub fn find(&self, name: &str) -> Result<PortInfo, DiscoveryError> {
        let not_found = || DiscoveryError::NotFound {
            name: name.to_owned(),
        };
        let not_serial = || DiscoveryError::NotASerialPort {
            name: name.to_owned(),
        };
        if name.is_empty() {
            return Err(not_found());
        }
        if name.starts_with('@') {
            return Ok(bare(PortId::new(name), PortKind::Proxy));
        }
        if let Some(port) = self.bare_interface(name) {
            return Ok(port);
        }
        let given = if name.contains('/') {
            self.below_root(name)
        } else {
            self.root.join("dev").join(name)
        };
        let named = |error: io::Error, call| match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory | io::ErrorKind::InvalidInput => {
                not_found()
            }
            _ => DiscoveryError::Io {
                path: name.to_owned(),
                call,
                errno: error.raw_os_error().unwrap_or(0),
            },
        };
        let node = fs::canonicalize(&given).map_err(|error| named(error, "realpath"))?;
        let metadata = fs::metadata(&node).map_err(|error| named(error, "stat"))?;
        let id = self.port_id(&node).ok_or_else(not_found)?;

        let class_directory = if metadata.file_type().is_char_device() {
            let (major, minor) = (
                rustix::fs::major(metadata.rdev()),
                rustix::fs::minor(metadata.rdev()),
            );
            if PSEUDO_TERMINAL_MAJORS.contains(&major) {
                return Ok(bare(id, PortKind::Serial));
            }
            let characters = self.root.join("sys/dev/char");
            match fs::canonicalize(characters.join(format!("{major}:{minor}"))) {
                Ok(directory) => directory,
                // The node is there, but no driver is behind it: the device has left, and the node is static.
                Err(_) if characters.is_dir() => return Err(not_found()),
                // There is no sysfs at all. Opening the node will show whether it is a serial port.
                Err(_) => {
                    let is_control = id.as_str().contains("/cdc-wdm");
                    let kind = if is_control {
                        PortKind::Wdm
                    } else {
                        PortKind::Serial
                    };
                    return Ok(bare(id, kind));
                }
            }
        } else {
            // A careless `echo > /dev/ttyUSB0` leaves a regular file with this name. Opening it will show
            // that it is no port.
            let file_name = node
                .file_name()
                .and_then(|name| name.to_str())
                .ok_or_else(not_serial)?;
            if node.parent().map(Path::to_path_buf) != fs::canonicalize(self.root.join("dev")).ok() {
                return Err(not_serial());
            }
            let classes = ["tty", "usbmisc", "usb", "wwan"].into_iter();
            classes
                .filter_map(|class| {
                    fs::canonicalize(self.root.join("sys/class").join(class).join(file_name)).ok()
                })
                .next()
                .ok_or_else(not_serial)?
        };
        let name = class_directory
            .file_name()
            .and_then(|name| name.to_str())
            .unwrap_or_default();
        let kind = match link_name(&class_directory.join("subsystem")).as_deref() {
            Some("usbmisc" | "usb") | None if name.starts_with("cdc-wdm") => Some(PortKind::Wdm),
            Some("tty") | None => Some(PortKind::Serial),
            Some("wwan") => wwan_kind(&class_directory, name),
            Some(_) => None,
        };
        Ok(self.port(id, kind.ok_or_else(not_serial)?, &class_directory))
    }

    /// The USB device at this place; `None` if nothing readable is there.
    pub fn device(&self, path: &UsbPath) -> Option<UsbDevice> {
        self.read_device(&fs::canonicalize(self.device_link(path)?).ok()?)
    }

    /// The folder of the device at this place, under the name that is valid on the whole host:
    /// `/sys/devices/…/1-1/1-1.2`.
    pub fn system_path(&self, device: &UsbPath) -> Option<String> {
        let folder = fs::canonicalize(self.device_link(device)?).ok()?;
        let root = fs::canonicalize(&self.root).ok()?;
        Some(format!("/{}", folder.strip_prefix(root).ok()?.to_str()?))
    }

    /// The names of the device's ports: `ttyUSB2`, `cdc-wdm0`.
    pub fn port_names(&self, device: &UsbPath) -> Vec<String> {
        let is_of = |target: &Path| {
            let mut parts = target.iter().filter_map(|part| interface_name(part.to_str()?));
            parts.any(|(owner, _)| owner == device.as_str())
        };
        let links = self.port_links().into_iter();
        links
            .filter(|(_, _, target)| is_of(target))
            .map(|(_, name, _)| name)
            .collect()
    }

    /// The file with the USB descriptors of the device at this place.
    pub fn descriptors(&self, device: &UsbPath) -> Option<PathBuf> {
        Some(self.device_link(device)?.join("descriptors"))
    }

    /// The node of a device for programs that use it without a driver: `/dev/bus/usb/BUS/NUMBER`. The bus has its number from the
    /// file `busnum`.
    pub fn node(&self, device: &UsbDevice) -> Option<PathBuf> {
        let folder = self.device_link(&device.path)?;
        let bus: u32 = text(&folder.join("busnum"))?.trim().parse().ok()?;
        let number: u32 = text(&folder.join("devnum"))?.trim().parse().ok()?;
        Some(self.below_root(&format!("/dev/bus/usb/{bus:03}/{number:03}")))
    }

    /// What is on the bus now: ports, interfaces, and devices with their numbers. The numbers make visible
    /// that a device left and came back between two snapshots; the interfaces show that a device got another
    /// configuration. A snapshot costs a few directory listings, one link for each port and one small file
    /// for each USB device.
    pub fn snapshot(&self) -> Snapshot {
        let mut seen = BTreeSet::new();
        for (_, name, target) in self.port_links() {
            if target
                .iter()
                .any(|part| part.to_str().and_then(interface_name).is_some())
            {
                seen.insert((name, target.to_string_lossy().into_owned()));
            }
        }
        let devices = self.root.join("sys/bus/usb/devices");
        for name in list(&devices).unwrap_or_default() {
            let number = if name.contains(':') {
                String::new()
            } else {
                text(&devices.join(&name).join("devnum")).unwrap_or_default()
            };
            seen.insert((name, number));
        }
        Snapshot(seen)
    }

    /// The link to a device's folder; `None` for a name that could lead elsewhere.
    pub(crate) fn device_link(&self, path: &UsbPath) -> Option<PathBuf> {
        let name = path.as_str();
        let harmless = !name.is_empty()
            && name
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.'));
        (harmless && !name.contains("..")).then(|| self.root.join("sys/bus/usb/devices").join(name))
    }

    fn port_id(&self, node: &Path) -> Option<PortId> {
        let root = fs::canonicalize(&self.root).ok()?;
        Some(PortId::new(format!(
            "/{}",
            node.strip_prefix(root).ok()?.to_str()?
        )))
    }

    fn port(&self, id: PortId, kind: PortKind, class_directory: &Path) -> PortInfo {
        let mut port = bare(id, kind);
        let Some(interface) = class_directory
            .ancestors()
            .find(|path| path.join("bInterfaceClass").exists())
        else {
            return port;
        };
        let Some(device) = interface
            .ancestors()
            .skip(1)
            .find(|path| path.join("idVendor").exists())
        else {
            return port;
        };
        port.device = self.read_device(device);
        let name = interface
            .file_name()
            .and_then(|name| interface_name(name.to_str()?));
        port.interface = text(&interface.join("bInterfaceNumber"))
            .and_then(|number| u8::from_str_radix(&number, 16).ok())
            .or(name.map(|(_, number)| number));
        port.driver = link_name(&interface.join("driver"));
        port
    }

    pub(crate) fn read_device(&self, directory: &Path) -> Option<UsbDevice> {
        let read = |name: &str| text(&directory.join(name));
        let identifier = |name| read(name).and_then(|digits| u16::from_str_radix(&digits, 16).ok());
        Some(UsbDevice {
            path: UsbPath::new(directory.file_name()?.to_str()?),
            peer: peer(directory),
            number: read("devnum")?.parse().ok()?,
            vendor: identifier("idVendor")?,
            product: identifier("idProduct")?,
            interfaces: read("bNumInterfaces").and_then(|number| number.parse().ok()),
            // Low speed is 1.5 Mbit/s. No modem has it, so the fraction isn't worth keeping.
            speed: read("speed")
                .and_then(|speed| speed.split('.').next().and_then(|whole| whole.parse().ok())),
            manufacturer: read("manufacturer"),
            product_name: read("product"),
            serial: read("serial"),
        })
    }
}

/// A port with no known device behind it.
fn bare(id: PortId, kind: PortKind) -> PortInfo {
    PortInfo {
        id,
        kind,
        device: None,
        interface: None,
        driver: None,
    }
}

/// The place on the bus of the other speed: `usb2-port4` is place `2-4`, `2-1-port4` is place `2-1.4`.
fn peer(device: &Path) -> Option<UsbPath> {
    peer_name(&device.join("port")).or_else(|| peer_without_port(device))
}

/// The peer, read from the directory of the hub's port.
pub(crate) fn peer_name(port: &Path) -> Option<UsbPath> {
    let peer = fs::read_link(port.join("peer")).ok()?;
    let (hub, number) = peer.file_name()?.to_str()?.rsplit_once("-port")?;
    number.parse::<u16>().ok()?;
    Some(UsbPath::new(match hub.strip_prefix("usb") {
        Some(bus) => format!("{bus}-{number}"),
        None => format!("{hub}.{number}"),
    }))
}

/// The peer on kernels without the link `port`. They have the folder of the hub's port nevertheless.
fn peer_without_port(device: &Path) -> Option<UsbPath> {
    let (hub, interface, number) = hub_port(device.file_name()?.to_str()?)?;
    let folder = fs::canonicalize(device).ok()?;
    let port = folder
        .parent()?
        .join(interface)
        .join(format!("{hub}-port{number}"));
    peer_name(&port)
}

/// The content of a text file without surrounding blanks, safe for a terminal; `None` if it is empty or can't
/// be read.
pub(crate) fn text(path: &Path) -> Option<String> {
    let mut bytes = fs::read(path).ok()?;
    bytes.truncate(TEXT_LIMIT);
    let text = String::from_utf8_lossy(&bytes);
    let text = text.trim_matches(|character: char| character.is_whitespace() || character == '\0');
    (!text.is_empty()).then(|| printable(text))
}

/// Replaces characters that could move the cursor, hide text or reverse its direction on the user's terminal.
/// A device chooses its own strings, and a process its own name.
pub(crate) fn printable(text: &str) -> String {
    let is_hidden = |character: char| {
        character.is_control()
            || matches!(character, '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}')
            || matches!(character, '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}')
    };
    text.chars()
        .map(|character| if is_hidden(character) { '?' } else { character })
        .collect()
}

/// Base name of a link's target.
pub(crate) fn link_name(path: &Path) -> Option<String> {
    Some(fs::read_link(path).ok()?.file_name()?.to_str()?.to_owned())
}

pub(crate) fn list(directory: &Path) -> io::Result<Vec<String>> {
    Ok(fs::read_dir(directory)?
        .flatten()
        .filter_map(|entry| entry.file_name().into_string().ok())
        .collect())
}

pub(crate) fn failed(path: &Path, call: &'static str, error: &io::Error) -> DiscoveryError {
    DiscoveryError::Io {
        path: path.display().to_string(),
        call,
        errno: error.raw_os_error().unwrap_or(0),
    }
}

/// A sort key that puts `ttyUSB2` before `ttyUSB10`.
pub(crate) fn natural_order(name: &str) -> (String, u64, String) {
    let word = name.trim_end_matches(|character: char| character.is_ascii_digit());
    let number = name
        .get(word.len()..)
        .and_then(|digits| digits.parse().ok())
        .unwrap_or(0);
    (word.to_owned(), number, name.to_owned())
}
