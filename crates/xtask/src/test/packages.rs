//! Debian's packages that some tests need: a bus, ModemManager, and the program that modemflash stands in for.

use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::process::Command;

use super::shell::works;

/// A program that is needed, and the package that has it.
const NEEDED: [(&str, &str); 4] = [
    ("/usr/bin/dbus-daemon", "dbus-daemon"),
    ("/usr/sbin/ModemManager", "modemmanager"),
    ("/usr/bin/mmcli", "modemmanager"),
    ("/usr/bin/qmi-firmware-update", "libqmi-utils"),
];

/// Installs what is missing if we are root on a Debian. A test that still misses something says so itself.
pub(super) fn install_missing() {
    let absent = NEEDED.iter().filter(|(program, _)| !Path::new(program).exists());
    let mut packages: Vec<&str> = absent.map(|(_, package)| *package).collect();
    packages.dedup();
    if packages.is_empty() || !is_root() {
        return;
    }
    println!("   installing {}", packages.join(" "));
    let install = [
        &["-qq", "install", "-y", "--no-install-recommends"][..],
        &packages,
    ]
    .concat();
    if !apt_get(&install) && apt_get(&["-qq", "update"]) {
        apt_get(&install);
    }
}

fn apt_get(arguments: &[&str]) -> bool {
    works(
        Command::new("apt-get")
            // Another apt may be at work.
            .args(["-o", "DPkg::Lock::Timeout=120"])
            .args(arguments)
            .env("DEBIAN_FRONTEND", "noninteractive"),
    )
}

/// The kernel gives a process's folder to the user that the process acts as.
fn is_root() -> bool {
    std::fs::metadata("/proc/self").is_ok_and(|folder| folder.uid() == 0)
}
