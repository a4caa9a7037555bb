//! Where a run can lock a modem, so that the lock is the same for every program and outlives every
//! enumeration.
//!
//! A hub has a directory for each of its ports (linux.md §3). The directory stays while the device behind the
//! port comes and goes, everybody may open it for reading, and the two sides of a USB 3 port link to each
//! other. A port without a USB device has the directory of its character device. Besides each directory a
//! name is locked, for two reasons: the name stays the same when a hub leaves and comes back with new
//! directories, and it can be locked where a container's profile denies locks below `/sys`.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use modem_world::{PortId, Spot, UsbPath};

use crate::devices::place_order;
use crate::sysfs::{PSEUDO_TERMINAL_MAJORS, Sysfs, link_name, peer_name};

/// One lock of a [`Spot`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LockPoint {
    /// The name of what is locked: `1-1.4`, `ttyS0`. Only for messages.
    pub label: String,
    /// What is locked.
    pub kind: LockKind,
}

/// What is locked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LockKind {
    /// This directory in sysfs.
    Directory(PathBuf),
    /// This name. It is one lock for all runs with the same root directory; under another root it is another lock.
    Name(String),
}

impl Sysfs {
    /// All locks of a spot, in the order in which every run takes them: first the names, then the
    /// directories, both sorted by place.
    pub fn lock_points(&self, spot: &Spot) -> Vec<LockPoint> {
        match spot {
            Spot::Socket { .. } => {
                let mut points = BTreeMap::new();
                for name in spot.names() {
                    let directory = self.port_directory(name);
                    let peer = directory.as_deref().and_then(peer_name);
                    points.insert(name.to_owned(), directory);
                    // The caller may not have known the peer.
                    if let Some(peer) = peer.filter(|peer| !points.contains_key(peer.as_str())) {
                        points.insert(peer.to_string(), self.port_directory(peer.as_str()));
                    }
                }
                let of_name = |label: &String| LockPoint {
                    label: label.clone(),
                    kind: LockKind::Name(label.clone()),
                };
                let names: Vec<LockPoint> = points.keys().map(of_name).collect();
                let directories = points.into_iter().filter_map(|(label, directory)| {
                    let kind = LockKind::Directory(directory?);
                    Some(LockPoint { label, kind })
                });
                names.into_iter().chain(directories).collect()
            }
            Spot::Port(port) => self.of_port(port),
        }
    }

    /// The directory of the hub's port at this place, whether or not a device is there.
    fn port_directory(&self, place: &str) -> Option<PathBuf> {
        place_order(place)?;
        let (hub, interface, number) = hub_port(place)?;
        let folder = self
            .device_link(&UsbPath::new(hub.clone()))?
            .parent()?
            .join(interface);
        // Old kernels, which know no peers, call it `port4`, without the hub.
        let names = [format!("{hub}-port{number}"), format!("port{number}")];
        names
            .into_iter()
            .map(|name| folder.join(name))
            .find(|directory| directory.is_dir())
    }

    fn of_port(&self, port: &PortId) -> Vec<LockPoint> {
        let name = port.as_str();
        let label = name.trim_start_matches('@').trim_start_matches("/dev/");
        let point = |kind| LockPoint {
            label: label.to_owned(),
            kind,
        };
        let metadata = fs::metadata(self.below_root(name));
        let Some(node) = metadata.ok().filter(|node| node.file_type().is_char_device()) else {
            return vec![point(LockKind::Name(name.to_owned()))];
        };
        let (major, minor) = (rustix::fs::major(node.rdev()), rustix::fs::minor(node.rdev()));
        if PSEUDO_TERMINAL_MAJORS.contains(&major) {
            // The kernel reuses the number of a pseudo-terminal as soon as the old one is gone, even while a
            // run still waits for the old one. The time at which it was made tells the two apart. It can't be
            // opened just to lock it: its other end would see that as somebody using it.
            let (mount, second, nano) = (node.dev(), node.ctime(), node.ctime_nsec());
            let name = format!("pty:{mount}:{minor}:{second}:{nano}");
            return vec![point(LockKind::Name(name))];
        }
        let directory = self.below_root("/sys/dev/char").join(format!("{major}:{minor}"));
        let number = format!("char:{major}:{minor}");
        let Ok(directory) = fs::canonicalize(directory) else {
            return vec![point(LockKind::Name(number))];
        };
        let whole = whole_modem(&directory);
        // All ports of a modem on PCIe share one name: the modem's PCI address.
        let address = whole.file_name().filter(|_| whole != directory);
        let name = address.map_or(number, |address| format!("pci:{}", address.to_string_lossy()));
        vec![
            point(LockKind::Name(name)),
            point(LockKind::Directory(whole.to_owned())),
        ]
    }
}

/// Hub, its interface, and the number of its port: `1-1.4` gives `1-1`, `1-1:1.0`, `4`; `1-1` gives `usb1`,
/// `1-0:1.0`, `1`.
pub(crate) fn hub_port(place: &str) -> Option<(String, String, &str)> {
    Some(match place.rsplit_once('.') {
        Some((hub, number)) => (hub.to_owned(), format!("{hub}:1.0"), number),
        None => {
            let (bus, number) = place.split_once('-')?;
            (format!("usb{bus}"), format!("{bus}-0:1.0"), number)
        }
    })
}

/// The directory to lock for a port. A modem on PCIe has several ports (`…/wwan/wwan0/wwan0at0`), which come
/// and go with its firmware, so its PCI device is used: that one stays.
fn whole_modem(port: &Path) -> &Path {
    if link_name(&port.join("subsystem")).as_deref() != Some("wwan") {
        return port;
    }
    let is_on_pci = |folder: &&Path| link_name(&folder.join("subsystem")).as_deref() == Some("pci");
    port.ancestors().find(is_on_pci).unwrap_or(port)
}
