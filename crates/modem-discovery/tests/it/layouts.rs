//! Every layout of interfaces that the specification and the field reports know, as a tree.

use std::fs;
use std::os::unix::fs::symlink;

use crate::tree::{Function, Tree, modem};
use modem_world::{Attached, PortId, PortInfo, PortKind, UsbPath};

/// Vendor interfaces: DIAG, NMEA, AT and QMI of most modems are told apart by their numbers alone.
const VENDOR: &str = "ff/ff/ff";
const MBIM_CONTROL: &str = "02/0e/00";
const MBIM_DATA: &str = "0a/00/02";

/// The only device of a tree with just this one.
fn only(ids: &str, functions: &[Function]) -> Attached {
    let tree = Tree::new();
    modem(&tree, "1-1.2", ids, "", functions);
    let mut devices = tree.sysfs().devices().unwrap();
    assert_eq!(devices.len(), 1);
    let attached = devices.remove(0);
    assert_eq!(attached.device.id(), ids);
    assert_eq!(
        attached.device.interfaces.map(usize::from),
        Some(functions.len()),
        "{ids}"
    );
    let seen: Vec<_> = attached
        .interfaces
        .iter()
        .map(|it| {
            let codes = format!("{:02x}/{:02x}/{:02x}", it.class, it.subclass, it.protocol);
            (it.number, codes, it.driver.clone())
        })
        .collect();
    let expected: Vec<_> = functions
        .iter()
        .map(|&(number, codes, driver, _)| (number, codes.to_owned(), driver.map(str::to_owned)))
        .collect();
    assert_eq!(seen, expected, "{ids}");
    let expected: Vec<_> = functions
        .iter()
        .filter_map(|&(number, _, driver, node)| {
            let node = node?;
            Some(PortInfo {
                id: PortId::new(format!("/dev/{node}")),
                kind: if node.starts_with("cdc-wdm") {
                    PortKind::Wdm
                } else {
                    PortKind::Serial
                },
                device: Some(attached.device.clone()),
                interface: Some(number),
                driver: driver.map(str::to_owned),
            })
        })
        .collect();
    assert_eq!(attached.ports, expected, "{ids}");
    // What is found by its name is what is listed.
    for port in &attached.ports {
        assert_eq!(tree.sysfs().find(port.id.as_str()).as_ref(), Ok(port));
    }
    attached
}

#[test]
fn the_layout_of_sierra_modems_has_diag_nmea_at_and_qmi() {
    let functions: [Function; 5] = [
        (0, VENDOR, Some("qcserial"), Some("ttyUSB0")),
        (2, VENDOR, Some("qcserial"), Some("ttyUSB1")),
        (3, VENDOR, Some("qcserial"), Some("ttyUSB2")),
        (8, VENDOR, Some("qmi_wwan"), Some("cdc-wdm0")),
        (10, VENDOR, Some("qmi_wwan"), Some("cdc-wdm1")),
    ];
    for ids in [
        "1199:68a2",
        "1199:68c0",
        "1199:901c",
        "1199:901f",
        "1199:9041",
        "1199:9051",
        "1199:9063",
        "1199:9071",
        "1199:9079",
        "1199:907b",
        "1199:9091",
        "1199:c081",
        "413c:81b6",
        "413c:8217",
        "03f0:4e1d",
    ] {
        only(ids, &functions);
    }
}

#[test]
fn an_old_mc7710_has_its_qmi_at_interface_19() {
    only(
        "1199:68a2",
        &[
            (0, VENDOR, Some("qcserial"), Some("ttyUSB0")),
            (2, VENDOR, Some("qcserial"), Some("ttyUSB1")),
            (3, VENDOR, Some("qcserial"), Some("ttyUSB2")),
            (8, VENDOR, Some("qmi_wwan"), Some("cdc-wdm0")),
            (19, VENDOR, Some("qmi_wwan"), Some("cdc-wdm1")),
        ],
    );
}

#[test]
fn the_same_modem_in_mbim_has_its_control_port_at_interface_12() {
    only(
        "1199:9071",
        &[
            (0, VENDOR, Some("qcserial"), Some("ttyUSB0")),
            (2, VENDOR, Some("qcserial"), Some("ttyUSB1")),
            (3, VENDOR, Some("qcserial"), Some("ttyUSB2")),
            (12, MBIM_CONTROL, Some("cdc_mbim"), Some("cdc-wdm0")),
            (13, MBIM_DATA, Some("cdc_mbim"), None),
        ],
    );
}

#[test]
fn gobi_1000_has_at_and_qmi_behind_diag() {
    only(
        "413c:8185",
        &[
            (0, VENDOR, Some("qcserial"), Some("ttyUSB0")),
            (2, VENDOR, Some("qcserial"), Some("ttyUSB1")),
            (3, VENDOR, Some("qmi_wwan"), Some("cdc-wdm0")),
        ],
    );
}

#[test]
fn gobi_2000_and_3000_have_qmi_before_everything() {
    for ids in ["1199:9001", "1199:9011", "1199:9013", "1199:9019", "1199:68a5"] {
        let attached = only(
            ids,
            &[
                (0, VENDOR, Some("qmi_wwan"), Some("cdc-wdm0")),
                (1, VENDOR, Some("qcserial"), Some("ttyUSB0")),
                (2, VENDOR, Some("qcserial"), Some("ttyUSB1")),
                (3, VENDOR, Some("qcserial"), Some("ttyUSB2")),
            ],
        );
        assert_eq!(attached.ports[0].kind, PortKind::Wdm);
    }
}

#[test]
fn an_em7565_of_type_1_without_a_driver_still_has_its_mbim_port() {
    // field-reports.md A1: 90b1 is in no mainline driver.
    only(
        "1199:90b1",
        &[
            (0, MBIM_CONTROL, Some("cdc_mbim"), Some("cdc-wdm0")),
            (1, MBIM_DATA, Some("cdc_mbim"), None),
            (2, VENDOR, None, None),
            (3, VENDOR, None, None),
            (4, VENDOR, None, None),
        ],
    );
}

#[test]
fn an_em7565_of_type_1_that_was_given_a_driver_has_its_at_port_at_interface_2() {
    only(
        "1199:90b1",
        &[
            (0, MBIM_CONTROL, Some("cdc_mbim"), Some("cdc-wdm0")),
            (1, MBIM_DATA, Some("cdc_mbim"), None),
            (2, VENDOR, Some("option"), Some("ttyUSB0")),
            (3, VENDOR, Some("option"), Some("ttyUSB1")),
            (4, VENDOR, Some("option"), Some("ttyUSB2")),
            (7, "ff/42/01", None, None),
        ],
    );
}

#[test]
fn an_em7565_of_type_2_has_its_at_port_first() {
    for ids in ["1199:90c1", "1199:90c3"] {
        only(
            ids,
            &[
                (0, VENDOR, Some("option"), Some("ttyUSB0")),
                (1, VENDOR, Some("option"), Some("ttyUSB1")),
                (2, VENDOR, Some("option"), Some("ttyUSB2")),
                (5, "ff/42/01", None, None),
            ],
        );
    }
}

#[test]
fn an_sdx55_has_mbim_and_ports_of_the_driver_option() {
    only(
        "1199:90d3",
        &[
            (0, MBIM_CONTROL, Some("cdc_mbim"), Some("cdc-wdm0")),
            (1, MBIM_DATA, Some("cdc_mbim"), None),
            (3, "ff/ff/40", Some("option"), Some("ttyUSB0")),
            (4, "ff/ff/30", Some("option"), Some("ttyUSB1")),
        ],
    );
}

#[test]
fn an_sdx55_in_rmnet_mode_is_seen_although_no_driver_knows_it() {
    let attached = only(
        "1199:90d9",
        &[
            (0, VENDOR, None, None),
            (1, VENDOR, None, None),
            (2, VENDOR, None, None),
        ],
    );
    assert!(attached.ports.is_empty());
}

#[test]
fn an_sdx65_has_mbim_and_ports_of_the_driver_option_if_it_knows_the_id() {
    only(
        "1199:90e3",
        &[
            (0, MBIM_CONTROL, Some("cdc_mbim"), Some("cdc-wdm0")),
            (1, MBIM_DATA, Some("cdc_mbim"), None),
            (3, "ff/ff/40", Some("option"), Some("ttyUSB0")),
            (4, "ff/ff/30", Some("option"), Some("ttyUSB1")),
        ],
    );
    // Debian's 6.1 doesn't know this one (lab-facts.md §2).
    only(
        "1199:90e1",
        &[
            (0, MBIM_CONTROL, Some("cdc_mbim"), Some("cdc-wdm0")),
            (1, MBIM_DATA, Some("cdc_mbim"), None),
            (3, "ff/ff/40", None, None),
            (4, "ff/ff/30", None, None),
        ],
    );
}

#[test]
fn a_modem_with_two_mbim_interfaces_only_has_one_control_port() {
    // field-reports.md A4
    let attached = only(
        "1199:68b1",
        &[
            (12, MBIM_CONTROL, Some("cdc_mbim"), Some("cdc-wdm0")),
            (13, MBIM_DATA, Some("cdc_mbim"), None),
        ],
    );
    assert_eq!(attached.ports.len(), 1);
}

#[test]
fn download_mode_is_one_interface_with_a_port_of_whatever_serial_driver() {
    for (ids, driver) in [
        ("1199:9070", "qcserial"),
        ("1199:9090", "qcserial"),
        ("1199:68c0", "qcserial"),
        ("413c:8218", "qcserial"),
        ("1199:90e2", "option"),
        ("1199:90b0", "usbserial_generic"),
    ] {
        only(ids, &[(0, VENDOR, Some(driver), Some("ttyUSB0"))]);
    }
}

#[test]
fn download_mode_without_a_driver_is_seen_without_a_port() {
    // field-reports.md A2, A3, A1
    for ids in ["413c:81b5", "1199:9062", "1199:90b0"] {
        let attached = only(ids, &[(0, VENDOR, None, None)]);
        assert_eq!(attached.device.interfaces, Some(1));
    }
}

#[test]
fn emergency_mode_is_one_interface_of_another_vendor() {
    only("05c6:9008", &[(0, VENDOR, Some("qcserial"), Some("ttyUSB0"))]);
}

#[test]
fn two_modems_with_the_same_ids_and_serial_are_told_apart_by_their_places() {
    let tree = Tree::new();
    let serial = "0123456789ABCDEF";
    let functions = |first, second| -> [Function; 2] {
        [
            (3, VENDOR, Some("qcserial"), Some(first)),
            (8, VENDOR, Some("qmi_wwan"), Some(second)),
        ]
    };
    modem(
        &tree,
        "1-1.10",
        "1199:9091",
        serial,
        &functions("ttyUSB0", "cdc-wdm0"),
    );
    modem(
        &tree,
        "1-1.2",
        "1199:9091",
        serial,
        &functions("ttyUSB1", "cdc-wdm1"),
    );
    let devices = tree.sysfs().devices().unwrap();
    let seen: Vec<_> = devices
        .iter()
        .map(|it| {
            let ports: Vec<_> = it.ports.iter().map(|port| port.id.as_str()).collect();
            (
                it.device.path.as_str(),
                it.device.serial.as_deref().unwrap(),
                ports,
            )
        })
        .collect();
    assert_eq!(
        seen,
        [
            ("1-1.2", serial, vec!["/dev/ttyUSB1", "/dev/cdc-wdm1"]),
            ("1-1.10", serial, vec!["/dev/ttyUSB0", "/dev/cdc-wdm0"]),
        ]
    );
}

#[test]
fn hubs_are_left_out_and_what_hangs_on_a_chain_of_them_is_not() {
    let tree = Tree::new();
    for hub in ["1-1", "1-1.4", "1-1.4.3"] {
        let folder = tree.device(
            hub,
            &[
                ("idVendor", "05e3"),
                ("idProduct", "0610"),
                ("bDeviceClass", "09"),
                ("devnum", "2"),
                ("bNumInterfaces", " 1"),
            ],
        );
        tree.interface(&folder, 0, Some("hub"));
    }
    // The root hub is in the folder too.
    tree.link(
        "sys/bus/usb/devices/usb1",
        "sys/devices/pci0000:00/0000:00:14.0/usb1",
    );
    let root = "sys/devices/pci0000:00/0000:00:14.0/usb1";
    for (file, text) in [
        ("idVendor", "1d6b"),
        ("idProduct", "0002"),
        ("devnum", "1"),
        ("bDeviceClass", "09"),
    ] {
        tree.write(&format!("{root}/{file}"), text);
    }
    modem(
        &tree,
        "1-1.4.3.1",
        "1199:9091",
        "",
        &[(3, VENDOR, Some("qcserial"), Some("ttyUSB0"))],
    );
    let devices = tree.sysfs().devices().unwrap();
    assert_eq!(devices.len(), 1);
    assert_eq!(devices[0].device.path, UsbPath::new("1-1.4.3.1"));
    assert_eq!(devices[0].ports.len(), 1);
}

#[test]
fn on_old_kernels_control_ports_are_in_the_class_usb_and_no_peer_is_known() {
    // mbim.md §1: before Linux 3.6. The links `port` and `peer` came with 3.16 (linux.md §3).
    let tree = Tree::new();
    fs::remove_dir(tree.path("sys/class/usbmisc")).unwrap();
    let device = modem(
        &tree,
        "1-2",
        "1199:68a2",
        "",
        &[
            (3, VENDOR, Some("qcserial"), Some("ttyUSB0")),
            (8, VENDOR, Some("qmi_wwan"), None),
        ],
    );
    let folder = format!("{device}/1-2:1.8/usb/cdc-wdm0");
    tree.write(&format!("{folder}/dev"), "180:176\n");
    tree.link(&format!("{folder}/subsystem"), "sys/class/usb");
    tree.link("sys/class/usb/cdc-wdm0", &folder);
    // The class has other things too.
    tree.link("sys/class/usb/lp0", &format!("{device}/1-2:1.3"));
    tree.write("dev/cdc-wdm0", "");

    let devices = tree.sysfs().devices().unwrap();
    assert_eq!(devices[0].device.peer, None);
    let control = &devices[0].ports[1];
    assert_eq!((control.kind, control.interface), (PortKind::Wdm, Some(8)));
    assert_eq!(devices[0].ports.len(), 2);
    assert_eq!(tree.sysfs().find("cdc-wdm0").as_ref(), Ok(control));
}

#[test]
fn a_control_port_that_the_class_wwan_repeats_is_listed_once_and_one_that_it_has_alone_too() {
    let tree = Tree::new();
    let functions: [Function; 1] = [(12, MBIM_CONTROL, Some("cdc_mbim"), Some("cdc-wdm0"))];
    let first = modem(&tree, "1-2", "1199:9091", "", &functions);
    let second = modem(
        &tree,
        "1-3",
        "1199:9091",
        "",
        &[(8, VENDOR, Some("qmi_wwan"), None)],
    );
    let ports = [
        (format!("{first}/1-2:1.12"), "wwan0", "wwan0mbim0", "MBIM"),
        (format!("{second}/1-3:1.8"), "wwan1", "wwan1qmi0", "QMI"),
        (format!("{second}/1-3:1.8"), "wwan1", "wwan1at0", "AT"),
    ];
    for (interface, device, name, kind) in ports {
        let folder = format!("{interface}/wwan/{device}/{name}");
        tree.write(&format!("{folder}/type"), &format!("{kind}\n"));
        tree.link(&format!("{folder}/subsystem"), "sys/class/wwan");
        tree.link(&format!("sys/class/wwan/{name}"), &folder);
        tree.write(&format!("dev/{name}"), "");
    }
    // A PCIe modem has no USB device, and none of our business (linux.md §1).
    tree.write("sys/devices/pci0000:00/mhi0/wwan/wwan2/wwan2qmi0/type", "QMI\n");
    tree.link(
        "sys/class/wwan/wwan2qmi0",
        "sys/devices/pci0000:00/mhi0/wwan/wwan2/wwan2qmi0",
    );

    let devices = tree.sysfs().devices().unwrap();
    let names: Vec<Vec<&str>> = devices
        .iter()
        .map(|it| it.ports.iter().map(|port| port.id.as_str()).collect())
        .collect();
    assert_eq!(names, [["/dev/cdc-wdm0"], ["/dev/wwan1qmi0"]]);
    assert_eq!(devices[1].ports[0].kind, PortKind::Wdm);
    let found = tree.sysfs().find("wwan1qmi0").unwrap();
    assert_eq!((found.kind, found.interface), (PortKind::Wdm, Some(8)));
    assert!(tree.sysfs().find("wwan1at0").is_err());
}

#[test]
fn nothing_but_sysfs_is_needed_where_mdev_made_no_links_and_no_nodes() {
    // field-reports.md H4
    let tree = Tree::new();
    modem(
        &tree,
        "1-2",
        "1199:9091",
        "",
        &[(3, VENDOR, Some("qcserial"), Some("ttyUSB0"))],
    );
    fs::remove_dir_all(tree.path("dev")).unwrap();
    fs::remove_dir_all(tree.path("proc")).unwrap();
    let devices = tree.sysfs().devices().unwrap();
    assert_eq!(devices[0].ports[0].id, PortId::new("/dev/ttyUSB0"));
}

#[test]
fn a_link_to_a_control_port_is_that_port() {
    let tree = Tree::new();
    modem(
        &tree,
        "1-2",
        "1199:9091",
        "",
        &[(8, VENDOR, Some("qmi_wwan"), Some("cdc-wdm3"))],
    );
    symlink("cdc-wdm3", tree.path("dev/modem-control")).unwrap();
    let port = tree.sysfs().find("/dev/modem-control").unwrap();
    assert_eq!((port.id.as_str(), port.kind), ("/dev/cdc-wdm3", PortKind::Wdm));
}

#[test]
fn a_device_that_is_not_configured_is_listed_without_interfaces() {
    let tree = Tree::new();
    tree.device(
        "1-2",
        &[
            ("idVendor", "1199"),
            ("idProduct", "9091"),
            ("bDeviceClass", "00"),
            ("bConfigurationValue", ""),
            ("bNumInterfaces", ""),
            ("devnum", "3"),
        ],
    );
    let devices = tree.sysfs().devices().unwrap();
    assert_eq!(devices[0].device.interfaces, None);
    assert!(devices[0].interfaces.is_empty() && devices[0].ports.is_empty());
}

#[test]
fn interfaces_of_a_second_configuration_are_read_like_those_of_the_first() {
    let tree = Tree::new();
    let device = modem(&tree, "1-2", "1199:9091", "", &[]);
    for (file, text) in [
        ("bInterfaceNumber", "0c"),
        ("bInterfaceClass", "02"),
        ("bInterfaceSubClass", "0e"),
    ] {
        tree.write(&format!("{device}/1-2:2.12/{file}"), text);
    }
    tree.control_port(&format!("{device}/1-2:2.12"), "cdc-wdm0");
    let devices = tree.sysfs().devices().unwrap();
    assert_eq!(devices[0].interfaces[0].number, 12);
    assert_eq!(devices[0].ports[0].interface, Some(12));
}

#[test]
fn whatever_file_is_missing_the_others_are_still_read() {
    fn files(folder: &std::path::Path, found: &mut Vec<std::path::PathBuf>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let metadata = fs::symlink_metadata(&path).unwrap();
            if metadata.is_dir() {
                files(&path, found);
            }
            found.push(path);
        }
    }
    let build = || {
        let tree = Tree::new();
        let leaving = modem(
            &tree,
            "1-2",
            "1199:9071",
            "x",
            &[
                (3, VENDOR, Some("qcserial"), Some("ttyUSB0")),
                (8, VENDOR, Some("qmi_wwan"), Some("cdc-wdm0")),
            ],
        );
        modem(
            &tree,
            "1-3",
            "1199:9091",
            "y",
            &[(8, VENDOR, Some("qmi_wwan"), Some("cdc-wdm1"))],
        );
        (tree, leaving)
    };
    let (sample, leaving) = build();
    let mut paths = Vec::new();
    files(&sample.path(&leaving), &mut paths);
    assert!(paths.len() > 20);
    let whole = sample.sysfs().devices().unwrap();
    let mut fewer = 0;
    for path in paths {
        let (tree, _) = build();
        let gone = tree.path(path.strip_prefix(sample.path("")).unwrap().to_str().unwrap());
        if fs::symlink_metadata(&gone).unwrap().is_dir() {
            fs::remove_dir_all(&gone).unwrap();
        } else {
            fs::remove_file(&gone).unwrap();
        }
        let devices = tree.sysfs().devices().unwrap();
        assert_eq!(devices.last(), whole.last(), "without {}", gone.display());
        let _ = tree.sysfs().snapshot();
        fewer += usize::from(devices.len() < whole.len());
    }
    assert!(fewer > 0, "a device without its ids isn't there");
}

#[test]
fn a_snapshot_notices_control_ports_and_another_configuration() {
    let tree = Tree::new();
    let device = modem(
        &tree,
        "1-2",
        "1199:9091",
        "",
        &[(8, VENDOR, Some("qmi_wwan"), None)],
    );
    tree.link("sys/bus/usb/devices/1-2:1.8", &format!("{device}/1-2:1.8"));
    let sysfs = tree.sysfs();
    let before = sysfs.snapshot();
    tree.control_port(&format!("{device}/1-2:1.8"), "cdc-wdm0");
    let with_port = sysfs.snapshot();
    assert_ne!(with_port, before);
    fs::remove_file(tree.path("sys/bus/usb/devices/1-2:1.8")).unwrap();
    assert_ne!(sysfs.snapshot(), with_port);
}

#[test]
fn a_kernel_without_usb_has_no_devices() {
    let tree = Tree::new();
    fs::remove_dir_all(tree.path("sys/bus/usb")).unwrap();
    assert_eq!(tree.sysfs().devices(), Ok(vec![]));
}

#[test]
fn strings_that_turn_the_direction_of_text_or_hide_it_are_made_harmless() {
    let tree = Tree::new();
    let device = modem(&tree, "1-2", "1199:9091", "", &[]);
    tree.write(
        &format!("{device}/product"),
        "EM7565\u{202e}5657ME\u{200b}\u{feff}®\n",
    );
    let devices = tree.sysfs().devices().unwrap();
    assert_eq!(
        devices[0].device.product_name.as_deref(),
        Some("EM7565?5657ME??®")
    );
}

#[test]
fn this_host_is_read_without_an_error_when_it_has_a_sysfs() {
    if fs::metadata("/sys/bus").is_ok() {
        let devices = modemflash_modem_discovery::Sysfs::default().devices().unwrap();
        assert!(devices.iter().all(|it| !it.device.path.as_str().is_empty()));
    }
}
