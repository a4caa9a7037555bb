//! Ports and devices read from trees in the kernel's shape.

use std::fs;
use std::os::unix::fs::symlink;
use std::time::Duration;

use crate::tree::{Tree, em7565};
use modem_world::{DiscoveryError, HostError, PortId, PortInfo, PortKind, Spot, UsbPath};
use modemflash_modem_discovery::{LockKind, LockPoint, Sysfs};

/// All ports; one look at a place must tell the same as the look at the whole bus.
fn ports(sysfs: &Sysfs) -> Vec<PortInfo> {
    let devices = sysfs.devices().unwrap();
    for there in &devices {
        let alone = sysfs.device_at(&there.device.path).unwrap();
        assert_eq!(alone.as_ref(), Some(there));
    }
    devices.into_iter().flat_map(|attached| attached.ports).collect()
}

fn names(sysfs: &Sysfs) -> Vec<String> {
    ports(sysfs).into_iter().map(|port| port.id.to_string()).collect()
}

#[test]
fn a_tty_leads_to_its_interface_and_its_modem() {
    let tree = Tree::new();
    em7565(&tree);
    let port = tree.sysfs().find("/dev/ttyUSB2").unwrap();
    assert_eq!(port.id, PortId::new("/dev/ttyUSB2"));
    assert_eq!(port.interface, Some(3));
    assert_eq!(port.driver.as_deref(), Some("qcserial"));
    let device = port.device.unwrap();
    assert_eq!(device.path, UsbPath::new("1-1.2"));
    assert_eq!(device.id(), "1199:9091");
    assert_eq!(
        (device.number, device.interfaces, device.speed),
        (7, Some(5), Some(480))
    );
    assert_eq!(
        device.manufacturer.as_deref(),
        Some("Sierra Wireless, Incorporated")
    );
    assert_eq!(
        device.product_name.as_deref(),
        Some("Sierra Wireless EM7565 Qualcomm® Snapdragon™ X16 LTE-A")
    );
    assert_eq!(device.serial.as_deref(), Some("UF81234567890123"));
    assert_eq!(device.peer, None);
}

#[test]
fn links_and_bare_names_lead_to_the_same_port() {
    let tree = Tree::new();
    em7565(&tree);
    symlink(
        "../../ttyUSB2",
        tree.path("dev/serial/by-id/usb-Sierra_EM7565-if03-port0"),
    )
    .unwrap();
    let sysfs = tree.sysfs();
    let direct = sysfs.find("/dev/ttyUSB2").unwrap();
    assert_eq!(
        sysfs
            .find("/dev/serial/by-id/usb-Sierra_EM7565-if03-port0")
            .unwrap(),
        direct
    );
    assert_eq!(sysfs.find("ttyUSB2").unwrap(), direct);
    assert_eq!(sysfs.find("/dev/serial/../ttyUSB2").unwrap(), direct);
}

#[test]
fn a_modem_in_download_mode_has_one_interface_and_missing_strings_stay_missing() {
    let tree = Tree::new();
    // `bNumInterfaces` is printed with "%2d" (linux.md §1).
    let device = tree.device(
        "1-1.2",
        &[
            ("idVendor", "1199"),
            ("idProduct", "9090"),
            ("bNumInterfaces", " 1"),
            ("devnum", "9"),
            ("speed", "480"),
        ],
    );
    let interface = tree.interface(&device, 0, Some("qcserial"));
    tree.tty(&interface, "ttyUSB0");
    let port = tree.sysfs().find("/dev/ttyUSB0").unwrap();
    let device = port.device.unwrap();
    assert_eq!((device.id().as_str(), device.interfaces), ("1199:9090", Some(1)));
    assert_eq!(
        (device.manufacturer, device.product_name, device.serial),
        (None, None, None)
    );
    assert_eq!(port.interface, Some(0));
}

#[test]
fn a_device_that_is_not_configured_has_no_number_of_interfaces() {
    let tree = Tree::new();
    tree.device(
        "2-4",
        &[
            ("idVendor", "1199"),
            ("idProduct", "9071"),
            ("bNumInterfaces", ""),
            ("devnum", "3"),
            ("speed", "1.5"),
        ],
    );
    let device = tree.sysfs().device(&UsbPath::new("2-4")).unwrap();
    assert_eq!((device.interfaces, device.speed), (None, Some(1)));
}

#[test]
fn the_peer_of_a_port_is_where_the_modem_will_be_at_the_other_speed() {
    // An MC7455 runs at SuperSpeed on bus 2 and comes back in download mode on bus 1 (linux.md §3, B3).
    let tree = Tree::new();
    tree.peers("2-4", "1-4");
    let normal = tree.device(
        "2-4",
        &[
            ("idVendor", "1199"),
            ("idProduct", "9071"),
            ("bNumInterfaces", " 6"),
            ("devnum", "2"),
            ("speed", "5000"),
        ],
    );
    tree.link(
        &format!("{normal}/port"),
        "sys/devices/pci0000:00/0000:00:14.0/usb2/2-0:1.0/usb2-port4",
    );
    let before = tree.sysfs().device(&UsbPath::new("2-4")).unwrap();
    assert_eq!(before.peer, Some(UsbPath::new("1-4")));

    fs::remove_file(tree.path("sys/bus/usb/devices/2-4")).unwrap();
    // This one has no link `port`, as in older kernels.
    let download = tree.device(
        "1-4",
        &[
            ("idVendor", "1199"),
            ("idProduct", "9070"),
            ("bNumInterfaces", " 1"),
            ("devnum", "12"),
            ("speed", "480"),
        ],
    );
    let interface = tree.interface(&download, 0, Some("qcserial"));
    tree.tty(&interface, "ttyUSB0");
    let ports = ports(&tree.sysfs());
    let after = ports[0].device.clone().unwrap();
    assert_eq!(
        (Some(&after.path), after.peer.as_ref()),
        (before.peer.as_ref(), Some(&before.path))
    );
}

#[test]
fn the_peer_behind_a_hub_is_named_as_the_device_there_would_be() {
    let tree = Tree::new();
    let parent = "sys/devices/pci0000:00/0000:00:14.0";
    tree.device(
        "1-1",
        &[("idVendor", "05e3"), ("idProduct", "0610"), ("devnum", "2")],
    );
    let device = tree.device(
        "1-1.3",
        &[("idVendor", "1199"), ("idProduct", "9070"), ("devnum", "4")],
    );
    let port = format!("{parent}/usb1/1-1/1-1:1.0/1-1-port3");
    let peer = format!("{parent}/usb2/2-1/2-1:1.0/2-1-port3");
    tree.write(&format!("{peer}/connect_type"), "hotplug\n");
    tree.link(&format!("{port}/peer"), &peer);
    tree.link(&format!("{device}/port"), &port);
    assert_eq!(
        tree.sysfs().device(&UsbPath::new("1-1.3")).unwrap().peer,
        Some(UsbPath::new("2-1.3"))
    );
}

/// What is locked for a modem at this place, by label; directories without the tree's root.
fn locks(tree: &Tree, place: &str, peer: Option<&str>) -> Vec<(String, String)> {
    let spot = Spot::Socket {
        place: UsbPath::new(place),
        peer: peer.map(UsbPath::new),
    };
    let words = |LockPoint { label, kind }| match kind {
        LockKind::Directory(path) => {
            let path = path.strip_prefix(tree.path("")).unwrap();
            (label, path.to_str().unwrap().to_owned())
        }
        LockKind::Name(name) => (label, format!("name {name}")),
    };
    let points = tree.sysfs().lock_points(&spot);
    points.into_iter().map(words).collect()
}

#[test]
fn both_sides_of_a_usb_3_port_are_locked_whoever_knows_of_the_other() {
    let tree = Tree::new();
    tree.peers("1-4", "2-4");
    tree.link(
        "sys/bus/usb/devices/1-0:1.0",
        "sys/devices/pci0000:00/0000:00:14.0/usb1/1-0:1.0",
    );
    tree.link(
        "sys/bus/usb/devices/2-0:1.0",
        "sys/devices/pci0000:00/0000:00:14.0/usb2/2-0:1.0",
    );
    // The names first: every run takes all in this order.
    let both = [
        ("1-4", "name 1-4"),
        ("2-4", "name 2-4"),
        ("1-4", "sys/bus/usb/devices/1-0:1.0/usb1-port4"),
        ("2-4", "sys/bus/usb/devices/2-0:1.0/usb2-port4"),
    ];
    let both = both.map(|(label, path)| (label.to_owned(), path.to_owned()));
    // No device is there now: the directories stay.
    for (place, peer) in [
        ("1-4", Some("2-4")),
        ("2-4", Some("1-4")),
        ("1-4", None),
        ("2-4", None),
    ] {
        assert_eq!(locks(&tree, place, peer), both, "{place} {peer:?}");
    }
}

#[test]
fn a_port_of_a_hub_is_locked_by_its_name_and_where_there_is_one_by_its_directory() {
    let tree = Tree::new();
    let folder = "sys/devices/pci0000:00/0000:00:14.0/usb1/1-1/1-1:1.0";
    tree.write(&format!("{folder}/1-1-port4/connect_type"), "hotplug\n");
    tree.write(&format!("{folder}/port2/connect_type"), "hotplug\n");
    tree.link("sys/bus/usb/devices/1-1:1.0", folder);
    let one = |label: &str, what: &str| vec![(label.to_owned(), what.to_owned())];
    let two = |label: &str, what: &str| [one(label, &format!("name {label}")), one(label, what)].concat();
    assert_eq!(
        locks(&tree, "1-1.4", None),
        two("1-1.4", "sys/bus/usb/devices/1-1:1.0/1-1-port4")
    );
    // Of old kernels.
    assert_eq!(
        locks(&tree, "1-1.2", None),
        two("1-1.2", "sys/bus/usb/devices/1-1:1.0/port2")
    );
    assert_eq!(locks(&tree, "1-1.3", None), one("1-1.3", "name 1-1.3"));
    assert_eq!(locks(&tree, "1-1", None), one("1-1", "name 1-1"));
    assert_eq!(
        locks(&tree, "../../etc", None),
        one("../../etc", "name ../../etc")
    );
}

#[test]
fn a_port_without_a_device_is_locked_by_what_it_is_and_not_by_a_name_of_it() {
    let sysfs = Sysfs::default();
    let locks = |name: &str| {
        let points = sysfs.lock_points(&Spot::Port(PortId::new(name))).into_iter();
        points.map(|point| point.kind).collect::<Vec<_>>()
    };
    let name = |name: &str| LockKind::Name(name.to_owned());
    // The real null device stands for a serial port on the mainboard.
    let null = locks("/dev/null");
    let [first, LockKind::Directory(folder)] = null.as_slice() else {
        panic!("{null:?}")
    };
    assert_eq!(*first, name("char:1:3"));
    assert!(folder.ends_with("mem/null"), "{}", folder.display());
    let directory = tempfile::tempdir().unwrap();
    let link = directory.path().join("link");
    symlink("/dev/null", &link).unwrap();
    assert_eq!(locks(link.to_str().unwrap()), null);
    assert_eq!(locks("@qmi-proxy"), [name("@qmi-proxy")]);
    assert_eq!(locks("/dev/none"), [name("/dev/none")]);
}

#[test]
fn foreign_devices_are_listed_with_what_they_are_and_ports_are_in_the_order_of_their_numbers() {
    let tree = Tree::new();
    em7565(&tree);
    let foreign = tree.device(
        "3-1",
        &[
            ("idVendor", "0403"),
            ("idProduct", "6001"),
            ("bNumInterfaces", " 1"),
            ("devnum", "2"),
            ("speed", "12"),
        ],
    );
    let interface = tree.interface(&foreign, 0, Some("ftdi_sio"));
    tree.tty(&interface, "ttyUSB10");
    // A port on the mainboard has no USB device and isn't listed.
    tree.write("sys/devices/platform/serial8250/tty/ttyS0/uevent", "");
    tree.link("sys/class/tty/ttyS0", "sys/devices/platform/serial8250/tty/ttyS0");
    tree.write("dev/ttyS0", "");

    let sysfs = tree.sysfs();
    assert_eq!(
        names(&sysfs),
        [
            "/dev/ttyUSB0",
            "/dev/ttyUSB1",
            "/dev/ttyUSB2",
            "/dev/cdc-wdm0",
            "/dev/cdc-wdm1",
            "/dev/ttyUSB10"
        ]
    );
    let port = sysfs.find("/dev/ttyUSB10").unwrap();
    assert_eq!(
        (port.device.unwrap().id().as_str(), port.driver.as_deref()),
        ("0403:6001", Some("ftdi_sio"))
    );
    let mainboard = sysfs.find("/dev/ttyS0").unwrap();
    assert_eq!(
        (mainboard.device, mainboard.interface, mainboard.driver),
        (None, None, None)
    );
}

#[test]
fn a_modem_with_nothing_but_mbim_has_a_control_port_alone() {
    let tree = Tree::new();
    let device = tree.device(
        "1-3",
        &[
            ("idVendor", "1199"),
            ("idProduct", "9091"),
            ("bNumInterfaces", " 2"),
            ("devnum", "5"),
        ],
    );
    let interface = tree.interface(&device, 0, Some("cdc_mbim"));
    tree.control_port(&interface, "cdc-wdm0");
    let sysfs = tree.sysfs();
    assert_eq!(names(&sysfs), ["/dev/cdc-wdm0"]);
    let port = sysfs.find("/dev/cdc-wdm0").unwrap();
    assert_eq!(
        (port.kind, port.driver.as_deref()),
        (PortKind::Wdm, Some("cdc_mbim"))
    );
    assert_eq!(ports(&sysfs), [port]);
    assert_eq!(sysfs.device(&UsbPath::new("1-3")).unwrap().interfaces, Some(2));
}

#[test]
fn an_interface_without_a_driver_has_no_driver() {
    let tree = Tree::new();
    let device = tree.device(
        "1-3",
        &[("idVendor", "1199"), ("idProduct", "90b0"), ("devnum", "5")],
    );
    let interface = tree.interface(&device, 0, None);
    tree.tty(&interface, "ttyUSB0");
    assert_eq!(tree.sysfs().find("ttyUSB0").unwrap().driver, None);
}

#[test]
fn what_is_not_there_or_not_a_port_is_told_apart() {
    let tree = Tree::new();
    em7565(&tree);
    tree.write("dev/notes.txt", "");
    let sysfs = tree.sysfs();
    for name in ["/dev/ttyUSB7", "", "ttyUSB7", "/dev/ttyUSB0/x", "/dev/tty\0USB0"] {
        assert_eq!(
            sysfs.find(name),
            Err(DiscoveryError::NotFound {
                name: name.to_owned()
            })
        );
    }
    symlink("ttyUSB9", tree.path("dev/dangling")).unwrap();
    assert_eq!(
        sysfs.find("/dev/dangling"),
        Err(DiscoveryError::NotFound {
            name: "/dev/dangling".to_owned()
        })
    );
    for name in ["/dev/notes.txt", "/dev/serial"] {
        assert_eq!(
            sysfs.find(name),
            Err(DiscoveryError::NotASerialPort {
                name: name.to_owned()
            })
        );
    }
}

#[test]
fn the_real_null_device_is_not_a_serial_port() {
    assert_eq!(
        Sysfs::default().find("/dev/null"),
        Err(DiscoveryError::NotASerialPort {
            name: "/dev/null".to_owned()
        })
    );
}

#[test]
fn a_device_that_vanishes_half_way_is_not_there() {
    let tree = Tree::new();
    let device = em7565(&tree);
    fs::remove_file(tree.path(&format!("{device}/devnum"))).unwrap();
    let sysfs = tree.sysfs();
    assert_eq!(names(&sysfs), [""; 0]);
    assert_eq!(sysfs.find("/dev/ttyUSB0").unwrap().device, None);
    assert_eq!(sysfs.device(&UsbPath::new("1-1.2")), None);
    assert_eq!(sysfs.device_at(&UsbPath::new("1-1.2")), Ok(None));
}

#[test]
fn no_device_is_at_a_place_that_is_empty_a_hub_or_no_place() {
    let tree = Tree::new();
    em7565(&tree);
    let hub = [("idVendor", "1d6b"), ("idProduct", "0002"), ("devnum", "1")];
    let hub = tree.device("1-3", &hub);
    tree.write(&format!("{hub}/bDeviceClass"), "09\n");
    let sysfs = tree.sysfs();
    for place in ["1-3", "1-9", "1-1.2:1.0", "usb1", "..", ""] {
        assert_eq!(sysfs.device_at(&UsbPath::new(place)), Ok(None), "{place}");
    }
}

#[test]
fn a_missing_sysfs_is_an_error_with_its_path() {
    let empty = tempfile::tempdir().unwrap();
    let Err(DiscoveryError::Io { path, call, errno }) = Sysfs::new(empty.path()).devices() else {
        panic!("no error")
    };
    assert!(path.ends_with("sys/bus/usb/devices"), "{path}");
    assert_eq!((call, errno), ("readdir", 2));
    let alone = Sysfs::new(empty.path()).device_at(&UsbPath::new("1-1.2"));
    assert!(
        matches!(alone, Err(DiscoveryError::Io { errno: 2, .. })),
        "{alone:?}"
    );
}

#[test]
fn hostile_strings_do_not_reach_the_terminal_as_control_characters() {
    let tree = Tree::new();
    tree.device(
        "1-3",
        &[
            ("idVendor", "1199"),
            ("idProduct", "9091"),
            ("devnum", "5"),
            ("product", "EM\u{1b}[2J7565\u{7}"),
        ],
    );
    let device = tree.sysfs().device(&UsbPath::new("1-3")).unwrap();
    assert_eq!(device.product_name.as_deref(), Some("EM?[2J7565?"));
}

#[test]
fn snapshots_differ_when_a_modem_came_back_under_the_same_names() {
    let tree = Tree::new();
    let device = em7565(&tree);
    let sysfs = tree.sysfs();
    let before = sysfs.snapshot();
    assert_eq!(sysfs.snapshot(), before);
    tree.write(&format!("{device}/devnum"), "8\n");
    assert_ne!(sysfs.snapshot(), before);
}

#[test]
fn the_holder_of_a_port_is_named_and_we_are_not_it() {
    let tree = Tree::new();
    em7565(&tree);
    for (process, name) in [(812, "ModemManager"), (900, "modemflash")] {
        tree.write(&format!("proc/{process}/comm"), &format!("{name}\n"));
        fs::create_dir_all(tree.path(&format!("proc/{process}/fd"))).unwrap();
        symlink("/dev/null", tree.path(&format!("proc/{process}/fd/0"))).unwrap();
    }
    symlink("/dev/ttyUSB2", tree.path("proc/812/fd/9")).unwrap();
    symlink("/dev/ttyUSB0", tree.path("proc/900/fd/3")).unwrap();
    tree.write("proc/uptime", "1 1\n");
    let sysfs = tree.sysfs();
    let holder = sysfs.holder(&PortId::new("/dev/ttyUSB2"), 900).unwrap();
    assert_eq!(holder.to_string(), "ModemManager (pid 812)");
    assert_eq!(sysfs.holder(&PortId::new("/dev/ttyUSB0"), 900), None);
    assert_eq!(sysfs.holder(&PortId::new("/dev/ttyUSB1"), 900), None);
}

#[test]
fn power_is_kept_on_and_put_back_unless_the_modem_left_in_between() {
    let tree = Tree::new();
    let device = em7565(&tree);
    let control = format!("{device}/power/control");
    let sysfs = tree.sysfs();
    let modem = UsbPath::new("1-1.2");

    let before = sysfs.keep_awake(&modem).unwrap().unwrap();
    assert_eq!(tree.read(&control), "on");
    assert_eq!(sysfs.keep_awake(&modem).unwrap(), None);
    sysfs.restore_power(&before).unwrap();
    assert_eq!(tree.read(&control), "auto");

    let before = sysfs.keep_awake(&modem).unwrap().unwrap();
    tree.write(&format!("{device}/devnum"), "8\n");
    sysfs.restore_power(&before).unwrap();
    assert_eq!(tree.read(&control), "on");
}

#[test]
fn a_host_tells_how_long_a_device_has_been_connected_if_it_knows() {
    let tree = Tree::new();
    let device = em7565(&tree);
    let (sysfs, modem) = (tree.sysfs(), UsbPath::new("1-1.2"));
    assert_eq!(sysfs.time_on_bus(&modem), None);
    tree.write(&format!("{device}/power/connected_duration"), "86400123\n");
    assert_eq!(sysfs.time_on_bus(&modem), Some(Duration::from_millis(86_400_123)));
    tree.write(&format!("{device}/power/connected_duration"), "-1\n");
    assert_eq!(sysfs.time_on_bus(&modem), None);
    assert_eq!(sysfs.time_on_bus(&UsbPath::new("../1-1.2")), None);
}

#[test]
fn a_device_is_authorized_again_and_a_strange_path_is_refused() {
    let tree = Tree::new();
    let device = em7565(&tree);
    let sysfs = tree.sysfs();
    sysfs.re_enumerate(&UsbPath::new("1-1.2")).unwrap();
    assert_eq!(tree.read(&format!("{device}/authorized")), "1");
    for path in ["1-9", "", "../1-1.2", "..", "1-1.2/1-1.2:1.0"] {
        let device = UsbPath::new(path);
        assert_eq!(
            sysfs.re_enumerate(&device),
            Err(HostError::Unsupported {
                device: device.clone()
            })
        );
        assert_eq!(sysfs.keep_awake(&device), Err(HostError::Unsupported { device }));
    }
}

/// A boot loader at `1-1.2`: its interface has one bulk endpoint for each direction.
fn boot_loader(tree: &Tree, interfaces: &str, driver: Option<&str>) -> String {
    let folder = tree.device(
        "1-1.2",
        &[
            ("devnum", "9"),
            ("busnum", "1"),
            ("idVendor", "1199"),
            ("idProduct", "9090"),
            ("bNumInterfaces", interfaces),
        ],
    );
    let interface = tree.interface(&folder, 0, driver);
    tree.write(&format!("{interface}/bNumEndpoints"), "02\n");
    for (endpoint, direction) in [("ep_81", "in"), ("ep_01", "out")] {
        tree.write(&format!("{interface}/{endpoint}/type"), "Bulk\n");
        tree.write(
            &format!("{interface}/{endpoint}/direction"),
            &format!("{direction}\n"),
        );
    }
    interface
}

#[test]
fn the_interface_of_a_boot_loader_is_a_port_itself_as_long_as_no_driver_has_it() {
    let tree = Tree::new();
    let interface = boot_loader(&tree, " 1", None);
    let sysfs = tree.sysfs();
    assert_eq!(names(&sysfs), ["1-1.2:1.0"]);
    let port = sysfs.find("1-1.2:1.0").unwrap();
    assert_eq!(port.kind, PortKind::Interface);
    assert_eq!((port.interface, port.driver), (Some(0), None));
    let node = sysfs.node(&port.device.unwrap()).unwrap();
    assert!(node.ends_with("dev/bus/usb/001/009"), "{}", node.display());

    tree.write("sys/bus/usb/drivers/option/uevent", "");
    tree.link(&format!("{interface}/driver"), "sys/bus/usb/drivers/option");
    tree.tty(&interface, "ttyUSB0");
    assert_eq!(names(&sysfs), ["/dev/ttyUSB0"]);
    assert!(sysfs.find("1-1.2:1.0").is_err());
}

#[test]
fn no_other_interface_is_a_port_without_a_driver() {
    // One of several interfaces of a modem that runs.
    let tree = Tree::new();
    boot_loader(&tree, " 4", None);
    assert_eq!(names(&tree.sysfs()), [""; 0]);
    // A program has it, or a driver that hasn't made a port yet.
    for driver in ["usbfs", "option"] {
        let tree = Tree::new();
        boot_loader(&tree, " 1", Some(driver));
        assert_eq!(names(&tree.sysfs()), [""; 0], "{driver}");
    }
    // Mass storage, and a third endpoint.
    for (file, text) in [("bInterfaceClass", "08\n"), ("bNumEndpoints", "03\n")] {
        let tree = Tree::new();
        let interface = boot_loader(&tree, " 1", None);
        tree.write(&format!("{interface}/{file}"), text);
        assert_eq!(names(&tree.sysfs()), [""; 0], "{file}");
    }
    for name in [
        "1-1.2:1.0",
        "1-1.2:1",
        ":1.0",
        "../1-1.2:1.0",
        "1-1.2:1.0/ttyUSB0",
    ] {
        assert!(Tree::new().sysfs().find(name).is_err(), "{name}");
    }
}
