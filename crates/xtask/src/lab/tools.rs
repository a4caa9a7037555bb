//! What the lab needs on the host, and how to get it.

use std::path::Path;
use std::process::Command;

/// What is needed: a program by any of its places, and the Debian package that has it.
const NEEDED: [(&[&str], &str); 6] = [
    (&["/usr/bin/qemu-system-x86_64"], "qemu-system-x86"),
    (&["/bin/busybox", "/usr/bin/busybox"], "busybox-static"),
    (
        &["/lib/systemd/systemd-udevd", "/usr/lib/systemd/systemd-udevd"],
        "udev",
    ),
    (&["/bin/udevadm", "/usr/bin/udevadm"], "udev"),
    (&["/usr/bin/qmi-firmware-update"], "libqmi-utils"),
    (&["/usr/bin/dpkg-deb"], "dpkg"),
];

/// Makes sure that everything is there, installing packages when we are root on a Debian.
///
/// # Errors
/// Why the lab can't run here, as words for a person.
pub(crate) fn prepare() -> Result<(), String> {
    if !cfg!(all(target_os = "linux", target_arch = "x86_64")) {
        return Err("the guest is x86-64 Linux, and so must the host be".into());
    }
    // Reading all of the host's files, and owning what the guest writes, needs root.
    if !is_root() {
        return Err("not root".into());
    }
    let missing = missing();
    if missing.is_empty() {
        return Ok(());
    }
    println!("lab: installing {}", missing.join(" "));
    let installed = install(&missing) || (apt(&["-qq", "update"]) && install(&missing));
    if installed && self::missing().is_empty() {
        return Ok(());
    }
    Err(format!(
        "can't install {} (apt-get, as root, on Debian)",
        missing.join(" ")
    ))
}

/// Where a program of [`NEEDED`] is.
pub(crate) fn find(package: &str) -> Option<&'static Path> {
    let (places, _) = NEEDED.iter().find(|(_, name)| *name == package)?;
    places.iter().map(Path::new).find(|place| place.exists())
}

fn missing() -> Vec<&'static str> {
    let absent = NEEDED
        .iter()
        .filter(|(places, _)| !places.iter().any(|place| Path::new(place).exists()));
    let mut packages: Vec<&str> = absent.map(|(_, package)| *package).collect();
    packages.dedup();
    packages
}

fn install(packages: &[&str]) -> bool {
    apt(&[&["-qq", "install", "-y", "--no-install-recommends"], packages].concat())
}

fn apt(arguments: &[&str]) -> bool {
    let mut command = Command::new("apt-get");
    command
        .env("DEBIAN_FRONTEND", "noninteractive")
        .args(arguments)
        .stdout(std::process::Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

fn is_root() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    // Real, effective, saved, file system.
    let user = status
        .lines()
        .find_map(|line| line.strip_prefix("Uid:")?.split_whitespace().nth(1));
    user == Some("0")
}
