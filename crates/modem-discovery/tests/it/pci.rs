//! Modems on PCIe (pcie.md, Recognition).

use modem_world::PciModem;

use crate::tree::{Tree, em7565};

fn ports(modem: &PciModem) -> Vec<(&str, Option<&str>)> {
    let ports = modem.ports.iter();
    ports
        .map(|port| (port.id.as_str(), port.language.as_deref()))
        .collect()
}

#[test]
fn a_modem_is_found_with_its_driver_and_its_ports_by_type() {
    let tree = Tree::new();
    let modem = tree.pci_device("0000:01:00.0", "17cb:0306", "18d7:0200", Some("mhi-pci-generic"));
    let below = format!("{modem}/mhi0");
    for (name, kind) in [
        ("wwan0qcdm0", Some("QCDM")),
        ("wwan0mbim0", Some("MBIM")),
        ("wwan0at10", Some("AT")),
        ("wwan0at2", None),
    ] {
        tree.wwan_port(&below, "wwan0", name, kind);
    }
    let found = tree.sysfs().pci_modems().unwrap();
    let [modem] = found.as_slice() else {
        panic!("{found:?}")
    };
    assert_eq!(modem.place, "0000:01:00.0");
    assert_eq!(
        (modem.id().as_str(), modem.subsystem().as_str()),
        ("17cb:0306", "18d7:0200")
    );
    assert_eq!(modem.driver.as_deref(), Some("mhi-pci-generic"));
    let wanted = [
        ("/dev/wwan0at2", None),
        ("/dev/wwan0at10", Some("AT")),
        ("/dev/wwan0mbim0", Some("MBIM")),
        ("/dev/wwan0qcdm0", Some("QCDM")),
    ];
    assert_eq!(ports(modem), wanted);
}

#[test]
fn each_modem_has_the_ports_below_its_own_pci_device() {
    let tree = Tree::new();
    // The port of a modem on USB has a PCI device above it too: the host controller.
    let usb = em7565(&tree);
    tree.wwan_port(&format!("{usb}/1-1.2:1.8"), "wwan2", "wwan2qmi0", Some("QMI"));
    let second = tree.pci_device("0000:02:00.0", "17cb:0308", "18d7:0301", Some("mhi-pci-generic"));
    let first = tree.pci_device("0000:01:00.0", "17cb:9999", "18d7:9999", None);
    tree.wwan_port(&format!("{second}/mhi1"), "wwan1", "wwan1mbim0", Some("MBIM"));
    tree.wwan_port(&first, "wwan0", "wwan0qmi0", Some("QMI"));
    let found = tree.sysfs().pci_modems().unwrap();
    let [one, two] = found.as_slice() else {
        panic!("{found:?}")
    };
    assert_eq!(
        (one.place.as_str(), two.place.as_str()),
        ("0000:01:00.0", "0000:02:00.0")
    );
    assert_eq!(ports(one), [("/dev/wwan0qmi0", Some("QMI"))]);
    assert_eq!(ports(two), [("/dev/wwan1mbim0", Some("MBIM"))]);
    assert_eq!(one.driver, None);
}

#[test]
fn other_devices_are_none_of_sierras_modems() {
    let tree = Tree::new();
    // A Quectel and a Foxconn modem, the generic SDX65, a host controller; and a device of which the kernel doesn't tell all.
    tree.pci_device("0000:01:00.0", "17cb:0306", "17cb:010c", Some("mhi-pci-generic"));
    tree.pci_device("0000:02:00.0", "105b:e0b0", "18d7:0200", Some("mhi-pci-generic"));
    tree.pci_device("0000:03:00.0", "17cb:0308", "17cb:0308", None);
    tree.pci_device("0000:04:00.0", "8086:9a13", "8086:7270", Some("xhci_hcd"));
    tree.pci_device("0000:05:00.0", "17cb:0306", "18d7", None);
    assert_eq!(tree.sysfs().pci_modems().unwrap(), []);
}

#[test]
fn a_kernel_without_pci_has_no_modems_on_it_and_a_host_without_sysfs_is_an_error() {
    let tree = Tree::new();
    assert_eq!(tree.sysfs().pci_modems().unwrap(), []);
    std::fs::remove_dir_all(tree.path("sys")).unwrap();
    assert!(tree.sysfs().pci_modems().is_err());
}
