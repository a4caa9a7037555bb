//! What the lab needs on the host, and how to get it.

use std::path::Path;
use std::process::Command;

/// What is needed: a program by any of its places, and the Debian package that has it.
const NEEDED: [(&[&str], &str); 12] = [
    (&["/usr/bin/qemu-system-x86_64"], "qemu-system-x86"),
    (&["/bin/busybox", "/usr/bin/busybox"], "busybox-static"),
    (
        &["/lib/systemd/systemd-udevd", "/usr/lib/systemd/systemd-udevd"],
        "udev",
    ),
    (&["/bin/udevadm", "/usr/bin/udevadm"], "udev"),
    (&["/usr/bin/qmi-firmware-update"], "libqmi-utils"),
    (&["/usr/libexec/qmi-proxy"], "libqmi-proxy"),
    (&["/usr/bin/mbimcli"], "libmbim-utils"),
    (&["/usr/sbin/ModemManager"], "modemmanager"),
    (&["/usr/bin/dbus-daemon"], "dbus-daemon"),
    (&["/usr/bin/dbus-send"], "dbus-bin"),
    (&["/usr/bin/dpkg-deb"], "dpkg"),
    (&["/sbin/modprobe", "/usr/sbin/modprobe"], "kmod"),
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
    let installed = install(&missing) || (update_lists() && install(&missing));
    if installed && self::missing().is_empty() {
        return Ok(());
    }
    Err(format!(
        "can't install {} (apt-get, as root, on Debian)",
        missing.join(" ")
    ))
}

/// Fetches the lists of packages anew.
pub(crate) fn update_lists() -> bool {
    apt(&["-qq", "update"])
}

/// Where a program of [`NEEDED`] is.
pub(crate) fn find(package: &str) -> Option<&'static Path> {
    let (places, _) = NEEDED.iter().find(|(_, name)| *name == package)?;
    places.iter().map(Path::new).find(|place| place.exists())
}

fn missing() -> Vec<&'static str> {
    let absent = NEEDED.iter().filter(|(places, package)| {
        let place = places.iter().map(Path::new).find(|place| place.exists());
        // The guest's first root has no libraries.
        place.is_none_or(|place| *package == "busybox-static" && !is_static(place))
    });
    let mut packages: Vec<&str> = absent.map(|(_, package)| *package).collect();
    packages.dedup();
    packages
}

/// Whether a program needs no loader: the name of one (`/lib64/ld-linux-x86-64.so.2`) isn't in it.
fn is_static(program: &Path) -> bool {
    let names: [&[u8]; 2] = [b"/ld-linux", b"/ld-musl"];
    let bytes = std::fs::read(program).unwrap_or_default();
    // The name stands in the first page.
    let start = bytes.get(..4096).unwrap_or(&bytes);
    !names
        .iter()
        .any(|name| start.windows(name.len()).any(|window| window == *name))
}

fn install(packages: &[&str]) -> bool {
    apt(&[&["-qq", "install", "-y", "--no-install-recommends"], packages].concat())
}

fn apt(arguments: &[&str]) -> bool {
    let mut command = Command::new("apt-get");
    // Another apt may be at work.
    command.args(["-o", "DPkg::Lock::Timeout=120"]).args(arguments);
    command
        .env("DEBIAN_FRONTEND", "noninteractive")
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_that_names_a_loader_is_not_static() {
        // This test, like nearly every program of a Debian, is dynamic.
        assert!(!is_static(&std::env::current_exe().unwrap()));
    }
}
