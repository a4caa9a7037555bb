//! Builds a tree of `sys`, `dev` and `proc` in the shape of the kernel's (linux.md §1, §3).

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use modemflash_modem_discovery::Sysfs;
use tempfile::TempDir;

const BUS_PARENT: &str = "sys/devices/pci0000:00/0000:00:14.0";

/// A tree; gone when dropped.
pub(crate) struct Tree {
    directory: TempDir,
}

impl Tree {
    pub(crate) fn new() -> Self {
        let tree = Self {
            directory: tempfile::tempdir().unwrap(),
        };
        for folder in [
            "sys/class/tty",
            "sys/class/usbmisc",
            "sys/bus/usb/devices",
            "sys/bus/usb/drivers",
            "dev/serial/by-id",
            "proc",
        ] {
            fs::create_dir_all(tree.path(folder)).unwrap();
        }
        tree
    }

    pub(crate) fn sysfs(&self) -> Sysfs {
        Sysfs::new(self.directory.path())
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub(crate) fn write(&self, path: &str, text: &str) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    pub(crate) fn read(&self, path: &str) -> String {
        fs::read_to_string(self.path(path)).unwrap()
    }

    /// A link that is relative, as the kernel's are, so that it stays inside the tree.
    pub(crate) fn link(&self, path: &str, target: &str) {
        let up = "../".repeat(Path::new(path).components().count() - 1);
        fs::create_dir_all(self.path(path).parent().unwrap()).unwrap();
        symlink(format!("{up}{target}"), self.path(path)).unwrap();
    }

    /// A USB device; gives its folder. `name` as in `1-1.2`.
    pub(crate) fn device(&self, name: &str, attributes: &[(&str, &str)]) -> String {
        let (bus, ports) = name.split_once('-').unwrap();
        let mut folder = format!("{BUS_PARENT}/usb{bus}");
        let mut so_far = format!("{bus}-");
        for (depth, port) in ports.split('.').enumerate() {
            so_far += &if depth == 0 {
                port.to_owned()
            } else {
                format!(".{port}")
            };
            folder += &format!("/{so_far}");
        }
        for (file, text) in attributes {
            self.write(&format!("{folder}/{file}"), &format!("{text}\n"));
        }
        self.link(&format!("sys/bus/usb/devices/{name}"), &folder);
        folder
    }

    /// An interface of a device; gives its folder.
    pub(crate) fn interface(&self, device_folder: &str, number: u8, driver: Option<&str>) -> String {
        let name = Path::new(device_folder).file_name().unwrap().to_str().unwrap();
        let folder = format!("{device_folder}/{name}:1.{number}");
        self.write(&format!("{folder}/bInterfaceNumber"), &format!("{number:02x}\n"));
        self.write(&format!("{folder}/bInterfaceClass"), "ff\n");
        if let Some(driver) = driver {
            self.write(&format!("sys/bus/usb/drivers/{driver}/uevent"), "");
            self.link(
                &format!("{folder}/driver"),
                &format!("sys/bus/usb/drivers/{driver}"),
            );
        }
        folder
    }

    /// A tty of an interface, with its node.
    pub(crate) fn tty(&self, interface_folder: &str, name: &str) {
        let folder = format!("{interface_folder}/{name}/tty/{name}");
        self.write(&format!("{folder}/uevent"), &format!("DEVNAME={name}\n"));
        self.link(&format!("{folder}/subsystem"), "sys/class/tty");
        self.link(&format!("sys/class/tty/{name}"), &folder);
        self.write(&format!("dev/{name}"), "");
    }

    /// A control port of an interface, with its node.
    pub(crate) fn control_port(&self, interface_folder: &str, name: &str) {
        let folder = format!("{interface_folder}/usbmisc/{name}");
        self.write(&format!("{folder}/uevent"), &format!("DEVNAME={name}\n"));
        self.link(&format!("{folder}/subsystem"), "sys/class/usbmisc");
        self.link(&format!("sys/class/usbmisc/{name}"), &folder);
        self.write(&format!("dev/{name}"), "");
    }

    /// A PCI device with these ids (`17cb:0306`, `18d7:0200`); gives its folder.
    pub(crate) fn pci_device(
        &self,
        address: &str,
        ids: &str,
        subsystem: &str,
        driver: Option<&str>,
    ) -> String {
        let folder = format!("sys/devices/pci0000:00/0000:00:1c.0/{address}");
        let names = ["vendor", "device", "subsystem_vendor", "subsystem_device"];
        for (name, id) in names.iter().zip(ids.split(':').chain(subsystem.split(':'))) {
            self.write(&format!("{folder}/{name}"), &format!("0x{id}\n"));
        }
        if let Some(driver) = driver {
            self.write(&format!("sys/bus/pci/drivers/{driver}/uevent"), "");
            self.link(
                &format!("{folder}/driver"),
                &format!("sys/bus/pci/drivers/{driver}"),
            );
        }
        self.link(&format!("sys/bus/pci/devices/{address}"), &folder);
        folder
    }

    /// A port of the class `wwan` below a device, and the device `wwan0` above the port. The kernel may not tell the type.
    pub(crate) fn wwan_port(&self, device_folder: &str, parent: &str, name: &str, kind: Option<&str>) {
        let above = format!("{device_folder}/wwan/{parent}");
        if !self.path(&above).exists() {
            self.write(&format!("{above}/uevent"), "DEVTYPE=wwan_dev\n");
            self.link(&format!("sys/class/wwan/{parent}"), &above);
        }
        self.write(&format!("{above}/{name}/dev"), "237:0\n");
        if let Some(kind) = kind {
            self.write(&format!("{above}/{name}/type"), &format!("{kind}\n"));
        }
        self.link(&format!("sys/class/wwan/{name}"), &format!("{above}/{name}"));
    }

    /// Two sockets of the same physical port, on the buses of both speeds.
    pub(crate) fn peers(&self, port: &str, peer: &str) {
        let folder = |port: &str| {
            let (bus, number) = port.split_once('-').unwrap();
            format!("{BUS_PARENT}/usb{bus}/{bus}-0:1.0/usb{bus}-port{number}")
        };
        for (one, other) in [(port, peer), (peer, port)] {
            self.write(&format!("{}/connect_type", folder(one)), "hotplug\n");
            self.link(&format!("{}/peer", folder(one)), &folder(other));
        }
    }
}

/// An interface for [`modem`]: its number, class codes, driver and node.
pub(crate) type Function = (u8, &'static str, Option<&'static str>, Option<&'static str>);

/// A device at this place with these ids (`1199:9091`), serial and interfaces; gives its folder.
pub(crate) fn modem(tree: &Tree, place: &str, ids: &str, serial: &str, functions: &[Function]) -> String {
    let (vendor, product) = ids.split_once(':').unwrap();
    let bus = place.split_once('-').unwrap().0;
    let device = tree.device(
        place,
        &[
            ("idVendor", vendor),
            ("idProduct", product),
            ("bDeviceClass", "00"),
            ("bNumInterfaces", &format!("{:2}", functions.len())),
            ("busnum", bus),
            ("devnum", "5"),
            ("speed", "480"),
            ("serial", serial),
        ],
    );
    for &(number, codes, driver, node) in functions {
        let interface = tree.interface(&device, number, driver);
        for (name, code) in ["bInterfaceClass", "bInterfaceSubClass", "bInterfaceProtocol"]
            .iter()
            .zip(codes.split('/'))
        {
            tree.write(&format!("{interface}/{name}"), &format!("{code}\n"));
        }
        match node {
            Some(node) if node.starts_with("cdc-wdm") => tree.control_port(&interface, node),
            Some(node) => tree.tty(&interface, node),
            None => {}
        }
    }
    device
}

/// An EM7565 in normal mode in port 2 of a hub, seven interfaces as `qcserial` and `qmi_wwan` take them.
pub(crate) fn em7565(tree: &Tree) -> String {
    let device = tree.device(
        "1-1.2",
        &[
            ("idVendor", "1199"),
            ("idProduct", "9091"),
            ("bNumInterfaces", " 5"),
            ("busnum", "1"),
            ("devnum", "7"),
            ("speed", "480"),
            ("manufacturer", "Sierra Wireless, Incorporated"),
            (
                "product",
                "Sierra Wireless EM7565 Qualcomm® Snapdragon™ X16 LTE-A",
            ),
            ("serial", "UF81234567890123"),
            ("authorized", "1"),
            ("power/control", "auto"),
        ],
    );
    for (number, tty) in [(0, "ttyUSB0"), (2, "ttyUSB1"), (3, "ttyUSB2")] {
        let interface = tree.interface(&device, number, Some("qcserial"));
        tree.tty(&interface, tty);
    }
    for (number, control) in [(8, "cdc-wdm0"), (10, "cdc-wdm1")] {
        let interface = tree.interface(&device, number, Some("qmi_wwan"));
        tree.control_port(&interface, control);
    }
    device
}
