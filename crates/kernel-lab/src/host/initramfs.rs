//! The first root of the guest: a "newc" archive with busybox, the kernel's modules and a script.
//!
//! Source of the format: the kernel's `Documentation/driver-api/early-userspace/buffer-format.rst`.

use crate::share::MODULES_IN_GUEST;

/// An archive in the making.
#[derive(Debug, Default)]
pub(crate) struct Archive {
    bytes: Vec<u8>,
    entries: u32,
}

impl Archive {
    /// Adds a folder, `bin`.
    pub(crate) fn folder(&mut self, name: &str) {
        self.entry(name, 0o040_755, &[]);
    }

    /// Adds a file that can be executed, `bin/busybox`.
    pub(crate) fn program(&mut self, name: &str, content: &[u8]) {
        self.entry(name, 0o100_755, content);
    }

    /// Adds a file.
    pub(crate) fn file(&mut self, name: &str, content: &[u8]) {
        self.entry(name, 0o100_644, content);
    }

    /// The whole archive.
    pub(crate) fn finish(mut self) -> Vec<u8> {
        self.entry("TRAILER!!!", 0, &[]);
        self.bytes
    }

    fn entry(&mut self, name: &str, mode: u32, content: &[u8]) {
        self.entries += 1;
        let links = if mode >> 12 == 4 { 2 } else { 1 };
        let name_size = name.len() + 1;
        // Inode, mode, owner, group, links, time, size, device of file (2), special device (2), name, sum.
        let fields = [
            self.entries as usize,
            mode as usize,
            0,
            0,
            links,
            0,
            content.len(),
            0,
            0,
            0,
            0,
            name_size,
            0,
        ];
        self.bytes.extend(b"070701");
        for field in fields {
            self.bytes.extend(format!("{field:08x}").bytes());
        }
        self.bytes.extend(name.bytes().chain([0]));
        self.align();
        self.bytes.extend(content);
        self.align();
    }

    fn align(&mut self) {
        self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
    }
}

/// What runs first in the guest. It loads the modules in the order of `/modules/order`, puts a writable layer
/// over the host's root, keeps the modules there, and starts `agent`.
///
/// `folder` is where the writable share is to be seen; its folder `programs` is copied to `programs_in_guest`. The agent's output
/// goes to the console.
pub(crate) fn script(agent: &str, folder: &str, programs: &str, programs_in_guest: &str) -> String {
    let modules = MODULES_IN_GUEST;
    format!(
        r#"#!/bin/busybox sh
b=/bin/busybox
$b mount -t devtmpfs none /dev
$b mount -t proc none /proc
$b mount -t sysfs none /sys
for module in $($b cat /modules/order); do
    $b insmod /modules/$module || echo "lab: module $module: not loaded"
done
$b mkdir -p /host /layer /root
$b mount -t 9p -o trans=virtio,version=9p2000.L,ro,msize=262144,cache=loose host /host || echo "lab: no host root"
$b mount -t tmpfs none /layer
$b mkdir /layer/upper /layer/work
$b mount -t overlay -o lowerdir=/host,upperdir=/layer/upper,workdir=/layer/work none /root || echo "lab: no overlay"
for place in dev proc sys; do $b mkdir -p /root/$place; $b mount -o move /$place /root/$place; done
for place in run tmp dev/shm; do $b mkdir -p /root/$place; $b mount -t tmpfs none /root/$place; done
$b mv /modules /root{modules}
$b mkdir -p /root/dev/pts /root{folder}
$b mount -t devpts none /root/dev/pts
$b mount -t 9p -o trans=virtio,version=9p2000.L,msize=262144 results /root{folder} || echo "lab: no share"
$b cp -r /root{folder}/{programs} /root{programs_in_guest} || echo "lab: no programs"
PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/tmp $b chroot /root {agent}
echo "lab: agent ended with $?"
$b cp /bin/busybox /root/run/busybox
/root/run/busybox sync
/root/run/busybox poweroff -f
"#
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_archive_has_the_layout_of_the_kernels_documentation() {
        let mut archive = Archive::default();
        archive.folder("bin");
        archive.program("bin/a", b"hello");
        let bytes = archive.finish();
        let text = String::from_utf8_lossy(&bytes);
        let header = |inode: &str, mode: &str, links: &str, size: &str, name: &str| {
            let zero = "00000000";
            format!("070701{inode}{mode}{zero}{zero}{links}{zero}{size}{zero}{zero}{zero}{zero}{name}{zero}")
        };
        let expected = [
            header("00000001", "000041ed", "00000002", "00000000", "00000004"),
            "bin\0\0\0".into(),
            header("00000002", "000081ed", "00000001", "00000005", "00000006"),
            "bin/a\0hello\0\0\0".into(),
            header("00000003", "00000000", "00000001", "00000000", "0000000b"),
            "TRAILER!!!\0\0\0\0".into(),
        ]
        .concat();
        assert_eq!(text, expected);
    }
}
