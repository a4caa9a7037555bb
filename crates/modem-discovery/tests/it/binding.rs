//! Whether a driver of the host will take a modem in download mode: hosts as they are in the field, and damaged ones.

use std::os::unix::fs::symlink;

use crate::tree::Tree;
use modem_world::Binding;

const RELEASE: &str = "6.1.0-48-amd64";
const FOLDER: &str = "lib/modules/6.1.0-48-amd64";
/// Debian 12's own table.
const DEBIAN_12: &str = include_str!("../tables/debian-12-modules.alias");
/// Debian 12's list of what can be loaded, as far as it matters.
const MODULES: &str = "kernel/drivers/usb/serial/usbserial.ko: kernel/drivers/usb/core/usbcore.ko\n\
                       kernel/drivers/usb/serial/option.ko: kernel/drivers/usb/serial/usb_wwan.ko\n\
                       kernel/drivers/usb/serial/qcserial.ko: kernel/drivers/usb/serial/usb_wwan.ko\n";

fn host() -> Tree {
    let tree = Tree::new();
    tree.write("proc/sys/kernel/osrelease", &format!("{RELEASE}\n"));
    tree
}

/// A host with Debian 12's kernel; no driver is loaded yet.
fn debian() -> Tree {
    let tree = host();
    tree.write(&format!("{FOLDER}/modules.alias"), DEBIAN_12);
    tree.write(&format!("{FOLDER}/modules.dep"), MODULES);
    tree.write(
        &format!("{FOLDER}/modules.builtin"),
        "kernel/drivers/usb/core/usb-common.ko\n",
    );
    tree.write(
        &format!("{FOLDER}/modules.builtin.modinfo"),
        "usb_common.license=GPL\0hid.alias=hid:b0003g*v*p*\0",
    );
    tree
}

/// A driver for serial converters that runs; `ids` are those that it was given.
fn driver(tree: &Tree, name: &str, module: &str, ids: &str) {
    let folder = format!("sys/bus/usb-serial/drivers/{name}");
    tree.write(&format!("{folder}/new_id"), ids);
    tree.write(&format!("sys/module/{module}/initstate"), "live\n");
    tree.link(&format!("{folder}/module"), &format!("sys/module/{module}"));
}

fn asked(tree: &Tree, ids: &str) -> Binding {
    let (vendor, product) = ids.split_once(':').unwrap();
    let number = |digits| u16::from_str_radix(digits, 16).unwrap();
    tree.sysfs().will_bind(number(vendor), number(product))
}

#[track_caller]
fn assert_binds(tree: &Tree, ids: &str) {
    assert_eq!(asked(tree, ids), Binding::Binds, "{ids}");
}

#[track_caller]
fn assert_wont(tree: &Tree, ids: &str) {
    assert_eq!(asked(tree, ids), Binding::WontBind, "{ids}");
}

/// It can't be told, and the reason says this.
#[track_caller]
fn assert_asks(tree: &Tree, ids: &str, reason: &str) {
    match asked(tree, ids) {
        Binding::Unknown { why } => assert!(why.contains(reason), "{ids}: {why}"),
        other => panic!("{ids}: {other:?}"),
    }
}

// devices.md, "Kernel driver knowledge"
#[test]
fn debian_12_takes_the_ids_that_mainline_knows_and_no_others() {
    let tree = debian();
    for ids in [
        "1199:9090",
        "1199:9070",
        "1199:9078",
        "1199:907a",
        "1199:68c0",
        "1199:68a2",
        "0f3d:68a2",
        "114f:68a2",
        "413c:81b5",
        "413c:8218",
        "1199:90d2",
        "1199:c080",
        "1199:9062",
        "1199:9000",
        "1199:90e4",
        "03f0:201d",
    ] {
        assert_binds(&tree, ids);
    }
    for ids in [
        "1199:90b0",
        "1199:90c0",
        "1199:90c2",
        "1199:90d8",
        "1199:90e0",
        "1199:90e2",
        "1199:9074",
        "413c:9070",
        "03f0:4e1c",
    ] {
        assert_wont(&tree, ids);
    }
}

#[test]
fn a_driver_that_looks_for_another_interface_takes_no_download_port() {
    let tree = debian();
    // `option` takes 90d3 with the protocols 30 and 40, and 90e3: not what a boot loader has.
    assert_wont(&tree, "1199:90d3");
    assert_wont(&tree, "1199:90e3");
    // qmi_wwan takes interface 8; sierra_net makes no serial port.
    assert_wont(&tree, "1199:9057");
}

#[test]
fn a_driver_that_takes_only_some_forms_of_an_id_leaves_it_open() {
    let tree = debian();
    let with = |line: &str| {
        tree.write(
            &format!("{FOLDER}/modules.alias"),
            &format!("{DEBIAN_12}{line}\n"),
        )
    };
    with("alias usb:v1199p90B0d*dc*dsc*dp*icFFiscFFipFFin* option");
    assert_asks(&tree, "1199:90b0", "only some devices with this id");
    with("alias usb:v1199p90B0d000[1-9]dc*dsc*dp*ic*isc*ip*in* option");
    assert_asks(&tree, "1199:90b0", "only some devices with this id");
    with("alias usb:v1199p90B0d*dc*dsc*dp*icFFisc*ip*in* option");
    assert_binds(&tree, "1199:90b0");
    with("alias usb:v1199p90B0d*dc*dsc*dp*icFFiscFFip30in* option");
    assert_wont(&tree, "1199:90b0");
    with(
        "alias usb:v1199p90B0d*dc*dsc*dp*icFFiscFFip10in* option\nalias usb:v1199p90B0d*dc*dsc*dp*icFFiscFFipFFin* option",
    );
    assert_binds(&tree, "1199:90b0");
}

#[test]
fn an_id_that_was_given_to_a_driver_binds() {
    for (name, module) in [
        ("option1", "option"),
        ("qcserial", "qcserial"),
        ("generic", "usbserial"),
    ] {
        let tree = debian();
        driver(&tree, name, module, "");
        assert_wont(&tree, "1199:90b0");
        for ids in [
            "1199 90b0\n",
            "0403 6001\n1199 90b0\n",
            "1199 90b0 ff\n",
            "1199 90B0",
        ] {
            driver_ids(&tree, name, ids);
            assert_binds(&tree, "1199:90b0");
            assert_wont(&tree, "1199:90b2");
        }
        // Another class, another id, and lines that aren't any.
        for ids in [
            "1199 90b0 02\n",
            "1199 90b1\n",
            "1199\n",
            "90b0 1199\n",
            "\u{fffd}\n",
        ] {
            driver_ids(&tree, name, ids);
            assert_wont(&tree, "1199:90b0");
        }
    }
}

fn driver_ids(tree: &Tree, name: &str, ids: &str) {
    tree.write(&format!("sys/bus/usb-serial/drivers/{name}/new_id"), ids);
}

#[test]
fn an_id_that_was_given_to_a_driver_nobody_knows_leaves_it_open() {
    let tree = debian();
    tree.write("sys/bus/usb/drivers/gobi_vendor/new_id", "1199 90b0\n");
    assert_asks(&tree, "1199:90b0", "the driver gobi_vendor takes the modem");
    // This one makes no serial port.
    tree.write("sys/bus/usb/drivers/gobi_vendor/new_id", "");
    tree.write("sys/bus/usb/drivers/qmi_wwan/new_id", "1199 90b0\n");
    assert_wont(&tree, "1199:90b0");
}

#[test]
fn a_drivers_list_of_given_ids_that_can_not_be_read_leaves_it_open() {
    let tree = debian();
    driver(&tree, "option1", "option", "");
    std::fs::remove_file(tree.path("sys/bus/usb-serial/drivers/option1/new_id")).unwrap();
    // What can't be read by anybody, also not by root, who runs some of these tests.
    std::fs::create_dir(tree.path("sys/bus/usb-serial/drivers/option1/new_id")).unwrap();
    assert_asks(&tree, "1199:90b0", "option1/new_id can't be read");
    assert_binds(&tree, "1199:9090");
    let tree = debian();
    driver(&tree, "option1", "option", &"0403 6001\n".repeat(500));
    assert_asks(&tree, "1199:90b0", "too long");
}

#[test]
fn a_driver_of_another_maker_in_the_table_leaves_it_open() {
    let tree = debian();
    let line = "alias usb:v1199p90B0d*dc*dsc*dp*ic*isc*ip*in* GobiSerial\n";
    tree.write(&format!("{FOLDER}/modules.alias"), &format!("{DEBIAN_12}{line}"));
    assert_asks(&tree, "1199:90b0", "the driver GobiSerial takes the modem");
    assert_wont(&tree, "1199:90b2");
    // Loaded by hand, so that it is in no table.
    let tree = debian();
    driver(&tree, "GobiSerial", "GobiSerial", "");
    assert_asks(&tree, "1199:90b0", "the driver GobiSerial");
    assert_binds(&tree, "1199:9090");
}

#[test]
fn drivers_that_run_and_are_in_the_table_raise_no_doubt() {
    let tree = debian();
    for (name, module) in [
        ("option1", "option"),
        ("qcserial", "qcserial"),
        ("generic", "usbserial"),
    ] {
        driver(&tree, name, module, "");
    }
    assert_wont(&tree, "1199:90b0");
    assert_binds(&tree, "1199:9090");
}

#[test]
fn a_kernel_with_all_drivers_built_in_says_it_in_its_modinfo() {
    let tree = host();
    let aliases = DEBIAN_12.lines().filter_map(|line| line.strip_prefix("alias "));
    let modinfo: String = aliases
        .filter_map(|line| line.split_once(' '))
        .map(|(pattern, module)| format!("{module}.alias={pattern}\0"))
        .collect();
    let modinfo = format!("option.description=\"{}\"\0{modinfo}", "text ".repeat(1000));
    tree.write(&format!("{FOLDER}/modules.builtin.modinfo"), &modinfo);
    tree.write(
        &format!("{FOLDER}/modules.builtin"),
        "kernel/drivers/usb/serial/option.ko\nkernel/drivers/usb/serial/qcserial.ko\n",
    );
    assert_binds(&tree, "1199:9090");
    // Only with the other table it is known that nothing can be loaded.
    assert_asks(&tree, "1199:90b0", "modules.alias is missing");
    tree.write(
        &format!("{FOLDER}/modules.alias"),
        "# Aliases extracted from modules themselves.\n",
    );
    assert_wont(&tree, "1199:90b0");
}

#[test]
fn a_driver_that_is_built_in_and_in_no_table_leaves_it_open() {
    let without = |module: &str| {
        let end = format!(" {module}");
        let lines = DEBIAN_12.lines().filter(|line| !line.ends_with(&end));
        lines.map(|line| format!("{line}\n")).collect::<String>()
    };
    let kernel = || {
        let tree = host();
        tree.write(&format!("{FOLDER}/modules.alias"), &without("qcserial"));
        tree
    };
    // Neither a module nor part of the kernel.
    assert_wont(&kernel(), "1199:9090");
    let reason = "no table says which devices the driver qcserial takes";
    let tree = kernel();
    tree.write("sys/bus/usb-serial/drivers/qcserial/uevent", "");
    assert_asks(&tree, "1199:9090", reason);
    let tree = kernel();
    tree.write("sys/module/qcserial/uevent", "");
    assert_asks(&tree, "1199:9090", reason);
    let tree = kernel();
    tree.write(
        &format!("{FOLDER}/modules.builtin"),
        "kernel/drivers/usb/serial/qcserial.ko\n",
    );
    assert_asks(&tree, "1199:9090", reason);
    // A table that was cut between two lines, or depmod that has not run since.
    let tree = kernel();
    tree.write(&format!("{FOLDER}/modules.dep"), MODULES);
    assert_asks(&tree, "1199:9090", reason);
}

#[test]
fn openwrt_has_modules_and_no_table() {
    let tree = host();
    tree.write(&format!("{FOLDER}/qcserial.ko"), "\u{7f}ELF");
    driver(&tree, "qcserial", "qcserial", "");
    driver(&tree, "option1", "option", "1199 90b0\n");
    assert_asks(&tree, "1199:9090", "modules.alias is missing");
    assert_binds(&tree, "1199:90b0");
}

#[test]
fn a_container_without_its_hosts_modules_can_tell_nothing() {
    let tree = host();
    assert_asks(&tree, "1199:90b0", "no /lib/modules/6.1.0-48-amd64");
    // Those of another kernel.
    tree.write("lib/modules/5.10.0-1-amd64/modules.alias", DEBIAN_12);
    assert_asks(&tree, "1199:9090", "no /lib/modules/6.1.0-48-amd64");
    let tree = Tree::new();
    assert_asks(&tree, "1199:9090", "release");
    for release in ["../../etc", "..", "/", "", "a/b", "a\0b"] {
        tree.write("proc/sys/kernel/osrelease", release);
        assert_asks(&tree, "1199:9090", "release");
    }
}

#[test]
fn the_folder_of_modules_is_found_wherever_distributions_put_it() {
    for (folder, links) in [
        ("usr/lib/modules", vec![]),
        // Merged /usr, as Debian and Fedora have it.
        ("usr/lib/modules", vec![("lib", "usr/lib")]),
        ("data/modules", vec![("lib/modules", "data/modules")]),
        ("run/booted-system/kernel-modules/lib/modules", vec![]),
    ] {
        let tree = host();
        tree.write(&format!("{folder}/{RELEASE}/modules.alias"), DEBIAN_12);
        for (link, target) in links {
            tree.link(link, target);
        }
        assert_binds(&tree, "1199:9090");
        assert_wont(&tree, "1199:90b0");
    }
    // The folder of one kernel may be a link too.
    let tree = host();
    tree.write("srv/kernel/modules.alias", DEBIAN_12);
    std::fs::create_dir_all(tree.path("lib/modules")).unwrap();
    symlink("../../srv/kernel", tree.path(FOLDER)).unwrap();
    assert_binds(&tree, "1199:9090");
}

#[test]
fn a_table_that_is_not_whole_proves_nothing_that_it_lacks() {
    let path = format!("{FOLDER}/modules.alias");
    let tree = debian();
    let half = DEBIAN_12.len() / 2;
    tree.write(&path, &DEBIAN_12[..half]);
    assert_asks(&tree, "1199:90b0", "ends in the middle");
    // What it has counts.
    tree.write(&path, &DEBIAN_12[..DEBIAN_12.len() - 1]);
    assert_binds(&tree, "1199:9090");
    assert_asks(&tree, "1199:90b0", "ends in the middle");
    for (text, reason) in [
        (String::new(), "says nothing about USB devices"),
        (
            "# Aliases extracted from modules themselves.\n".to_owned(),
            "says nothing about USB devices",
        ),
        (
            "alias pci:v1d2sv*sd*bc*sc*i* e1000\n".to_owned(),
            "says nothing about USB devices",
        ),
        ("<html>not found</html>\n".to_owned(), "is damaged"),
        (format!("{DEBIAN_12}alias usb:v1199p90B0d*\n"), "is damaged"),
        (format!("{DEBIAN_12}\0\0\0\0\n"), "is damaged"),
        (
            format!("{DEBIAN_12}alias usb:v1199{}\n", "*".repeat(100_000)),
            "is damaged",
        ),
        ("x".repeat(1_000_000), "ends in the middle"),
    ] {
        tree.write(&path, &text);
        assert_asks(&tree, "1199:90b0", reason);
    }
    let mut bytes = DEBIAN_12.as_bytes().to_vec();
    bytes.extend([0xff, 0xfe, 0x80, b'\n']);
    std::fs::write(tree.path(&path), &bytes).unwrap();
    assert_asks(&tree, "1199:90b0", "is damaged");
    assert_binds(&tree, "1199:9090");
    // More than any table has, without a byte of it on the disk.
    let file = std::fs::File::create(tree.path(&path)).unwrap();
    file.set_len(1 << 40).unwrap();
    assert_asks(&tree, "1199:90b0", "too large");
    std::fs::remove_file(tree.path(&path)).unwrap();
    std::fs::create_dir(tree.path(&path)).unwrap();
    assert_asks(&tree, "1199:90b0", "can't be read");
}

#[test]
fn a_modinfo_that_is_not_whole_proves_nothing_that_it_lacks() {
    let tree = debian();
    tree.write(
        &format!("{FOLDER}/modules.builtin.modinfo"),
        "hid.alias=hid:b0003g*v*p*\0torn.al",
    );
    assert_asks(&tree, "1199:90b0", "modules.builtin.modinfo ends in the middle");
    assert_binds(&tree, "1199:9090");
}

#[test]
fn names_of_other_things_may_have_blanks() {
    let tree = debian();
    let line = "alias platform:a name with blanks some_module\n";
    tree.write(&format!("{FOLDER}/modules.alias"), &format!("{DEBIAN_12}{line}"));
    assert_wont(&tree, "1199:90b0");
}

#[test]
fn a_rule_of_the_host_that_binds_the_id_when_it_comes_leaves_it_open() {
    for (path, text) in [
        (
            "etc/udev/rules.d/99-modem.rules",
            "ACTION==\"add\", ATTRS{idVendor}==\"1199\", ATTRS{idProduct}==\"90b0\", RUN+=\"/sbin/modprobe option\", \
             RUN+=\"/bin/sh -c 'echo 1199 90b0 > /sys/bus/usb-serial/drivers/option1/new_id'\"\n",
        ),
        (
            "usr/lib/udev/rules.d/99-sierra.rules",
            "ATTR{idVendor}!=\"1199\", GOTO=\"end\"\n\
             RUN+=\"/bin/sh -c 'echo 1199 $attr{idProduct} > /sys/bus/usb-serial/drivers/qcserial/new_id'\"\n",
        ),
        (
            "etc/udev/rules.d/50-own.rules",
            "ATTR{idVendor}==\"1199\", ATTR{idProduct}==\"90B0\", RUN+=\"/usr/local/bin/bind-modem\"\n",
        ),
        (
            "etc/modprobe.d/modem.conf",
            "options usbserial vendor=0x1199 product=0x90b0\n",
        ),
        (
            "proc/cmdline",
            "quiet usbserial.vendor=0x1199 usbserial.product=0x90B0\n",
        ),
    ] {
        let tree = debian();
        tree.write(path, text);
        assert_asks(&tree, "1199:90b0", path);
        assert_binds(&tree, "1199:9090");
    }
}

#[test]
fn rules_that_bind_nothing_are_no_reason_to_ask() {
    let tree = debian();
    // ModemManager's, usb_modeswitch's, and one that names or hides a port.
    tree.write(
        "usr/lib/udev/rules.d/77-mm-sierra.rules",
        "ATTRS{idVendor}==\"1199\", ENV{.MM_USBIFNUM}==\"03\", ENV{ID_MM_PORT_TYPE_AT_PRIMARY}=\"1\"\n",
    );
    tree.write(
        "usr/lib/udev/rules.d/40-usb_modeswitch.rules",
        "ATTR{idVendor}==\"1199\", ATTR{idProduct}==\"0fff\", RUN+=\"usb_modeswitch '%b/%k'\"\n\
         ATTR{idVendor}==\"12d1\", ATTR{idProduct}==\"90b0\", RUN+=\"usb_modeswitch '%b/%k'\"\n",
    );
    tree.write(
        "etc/udev/rules.d/90-own.rules",
        "ATTRS{idVendor}==\"1199\", ATTRS{idProduct}==\"90b0\", ENV{ID_MM_DEVICE_IGNORE}=\"1\"\n\
         # echo 1199 90b0 > /sys/bus/usb-serial/drivers/option1/new_id\n\
         ATTRS{serial}==\"0119990b0\", SYMLINK+=\"modem\"\n",
    );
    tree.write("proc/cmdline", "BOOT_IMAGE=/vmlinuz quiet\n");
    assert_wont(&tree, "1199:90b0");
}

// modprobe.d(5); the kernel's Documentation/admin-guide/kernel-parameters.txt
#[test]
fn a_driver_that_the_host_keeps_away_is_in_doubt_until_it_is_loaded() {
    for (path, text) in [
        ("etc/modprobe.d/modem.conf", "# mine\nblacklist qcserial\n"),
        ("usr/lib/modprobe.d/modem.conf", "\tblacklist \\\n  qcserial\n"),
        ("lib/modprobe.d/modem.conf", "install qcserial /bin/false\n"),
        ("run/modprobe.d/modem.conf", "install usb-wwan /bin/true\n"),
        ("proc/cmdline", "quiet module_blacklist=nouveau,qcserial ro\n"),
        ("proc/cmdline", "quiet module_blacklist=usbserial\n"),
        ("proc/cmdline", "modprobe.blacklist=qcserial\n"),
        ("proc/sys/kernel/modules_disabled", "1\n"),
    ] {
        let tree = debian();
        tree.write(path, text);
        assert_asks(&tree, "1199:9090", path);
        assert_asks(&tree, "1199:9090", "the driver qcserial isn't loaded");
        // It takes nothing from what no driver takes.
        assert_wont(&tree, "1199:90b0");
        // A driver that runs counts, whatever the list says; what it needs runs as well.
        driver(&tree, "qcserial", "qcserial", "");
        assert_binds(&tree, "1199:9090");
        let tree = debian();
        tree.write(path, text);
        tree.write("sys/module/qcserial/initstate", "live\n");
        assert_binds(&tree, "1199:9090");
    }
}

#[test]
fn a_driver_that_is_part_of_the_kernel_can_not_be_kept_away() {
    let tree = debian();
    tree.write("etc/modprobe.d/modem.conf", "blacklist option\n");
    tree.write("proc/sys/kernel/modules_disabled", "1\n");
    tree.write(
        &format!("{FOLDER}/modules.builtin.modinfo"),
        "option.alias=usb:v1199p90B0d*dc*dsc*dp*ic*isc*ip*in*\0",
    );
    assert_binds(&tree, "1199:90b0");
}

#[test]
fn what_a_host_keeps_away_besides_is_no_reason_to_ask() {
    let tree = debian();
    tree.write("proc/sys/kernel/modules_disabled", "0\n");
    tree.write(
        "proc/cmdline",
        "quiet module_blacklist=nouveau,qcserial2 blacklist=qcserial\n",
    );
    tree.write(
        "etc/modprobe.d/blacklist.conf",
        "# blacklist qcserial\nblacklist qmi_wwan\nblacklist pcspkr\noptions qcserial dyndbg=+p\nsoftdep qcserial pre: a\n\
         blacklist usbserial\n",
    );
    // modprobe reads no other name, and the owner's file hides that of the distribution.
    tree.write("etc/modprobe.d/old.conf.bak", "blacklist qcserial\n");
    tree.write("usr/lib/modprobe.d/blacklist.conf", "blacklist qcserial\n");
    assert_binds(&tree, "1199:9090");
    // Another driver takes the id too.
    let line = "alias usb:v1199p9090d*dc*dsc*dp*ic*isc*ip*in* option\n";
    tree.write(&format!("{FOLDER}/modules.alias"), &format!("{DEBIAN_12}{line}"));
    tree.write("etc/modprobe.d/more.conf", "blacklist qcserial\n");
    assert_binds(&tree, "1199:9090");
}

#[test]
fn what_whole_tables_say_is_read_once_and_everything_else_each_time() {
    let tree = debian();
    let table = format!("{FOLDER}/modules.alias");
    let sysfs = tree.sysfs();
    tree.write(&table, &DEBIAN_12[..DEBIAN_12.len() / 2]);
    let asked = |product| sysfs.will_bind(0x1199, product);
    // What isn't whole may be so later.
    assert!(matches!(asked(0x90b0), Binding::Unknown { .. }));
    let option = "alias usb:v1199p9090d*dc*dsc*dp*ic*isc*ip*in* option\n";
    tree.write(&table, &format!("{DEBIAN_12}{option}"));
    assert_eq!(asked(0x90b0), Binding::WontBind);
    assert_eq!(asked(0x9090), Binding::Binds);
    // It was read no further than to qcserial.
    tree.write("etc/modprobe.d/modem.conf", "blacklist qcserial\n");
    assert_eq!(asked(0x9090), Binding::Binds);
    std::fs::remove_file(tree.path(&table)).unwrap();
    assert_eq!(asked(0x90b0), Binding::WontBind);
    assert_eq!(asked(0x9090), Binding::Binds);
    assert!(matches!(asked(0x9070), Binding::Unknown { .. }));
    tree.write(
        "etc/modprobe.d/modem.conf",
        "blacklist qcserial\nblacklist option\n",
    );
    assert!(matches!(asked(0x9090), Binding::Unknown { .. }));
    driver(&tree, "option1", "option", "1199 90b0\n");
    assert_eq!(asked(0x9090), Binding::Binds);
    assert_eq!(asked(0x90b0), Binding::Binds);
    driver_ids(&tree, "option1", "");
    assert_eq!(asked(0x90b0), Binding::WontBind);
}

#[test]
fn pipes_are_not_waited_for() {
    let tree = debian();
    std::fs::create_dir_all(tree.path("etc/udev/rules.d")).unwrap();
    std::fs::create_dir(tree.path("etc/udev/rules.d/folder.rules")).unwrap();
    for name in [
        "etc/udev/rules.d/pipe.rules",
        &format!("{FOLDER}/modules.builtin"),
    ] {
        let path = tree.path(name);
        let _ = std::fs::remove_file(&path);
        let made = std::process::Command::new("mkfifo").arg(&path).status();
        assert!(made.is_ok_and(|status| status.success()));
    }
    // Root reads the locked one.
    assert_wont(&tree, "1199:90b0");
}
