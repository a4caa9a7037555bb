//! One open port of any kind.

use std::os::fd::{AsFd, BorrowedFd};
use std::path::{Path, PathBuf};
use std::time::Duration;

use modem_discovery::Sysfs;
use modem_world::{PortErrorKind, PortId};
use rustix::event::PollFlags;

use crate::proxy::Proxy;
use crate::tty::Tty;
use crate::usbfs::Usbfs;
use crate::wdm::Wdm;

/// An open port.
#[derive(Debug)]
pub(crate) struct Port {
    pub(crate) id: PortId,
    pub(crate) channel: Channel,
}

/// What is behind a port.
#[derive(Debug)]
pub(crate) enum Channel {
    Tty(Tty),
    Wdm(Wdm),
    Proxy(Proxy),
    Usbfs(Usbfs),
}

impl Port {
    pub(crate) fn read(&mut self, buffer: &mut [u8]) -> Result<usize, PortErrorKind> {
        match &mut self.channel {
            Channel::Tty(tty) => tty.read(buffer),
            Channel::Wdm(wdm) => wdm.read(buffer),
            Channel::Proxy(proxy) => proxy.read(buffer),
            Channel::Usbfs(usbfs) => usbfs.read(buffer),
        }
    }

    pub(crate) fn write(&mut self, bytes: &[u8]) -> Result<usize, PortErrorKind> {
        match &mut self.channel {
            Channel::Tty(tty) => tty.write(bytes),
            Channel::Wdm(wdm) => wdm.write(bytes),
            Channel::Proxy(proxy) => proxy.write(bytes),
            Channel::Usbfs(usbfs) => usbfs.write(bytes),
        }
    }

    pub(crate) fn largest_write(&self) -> usize {
        match &self.channel {
            Channel::Wdm(wdm) => wdm.largest(),
            Channel::Tty(_) | Channel::Proxy(_) | Channel::Usbfs(_) => usize::MAX,
        }
    }

    /// Whether a read returns bytes although `poll` may report nothing.
    pub(crate) fn has_rest(&self) -> bool {
        match &self.channel {
            Channel::Wdm(wdm) => wdm.has_rest(),
            Channel::Usbfs(usbfs) => usbfs.has_rest(),
            Channel::Tty(_) | Channel::Proxy(_) => false,
        }
    }

    /// Whether a write takes bytes although `poll` may report nothing.
    pub(crate) const fn has_room(&self) -> bool {
        matches!(&self.channel, Channel::Usbfs(usbfs) if usbfs.has_room())
    }

    /// What `poll` has to wait for instead of `flags`. Usbfs reports every finished transfer as room for more, whatever its
    /// direction.
    pub(crate) const fn awaited(&self, flags: PollFlags) -> PollFlags {
        match &self.channel {
            Channel::Usbfs(_) => PollFlags::OUT,
            _ => flags,
        }
    }

    /// After how long to try writing again if `poll` doesn't report the port as writable.
    pub(crate) fn write_retry(&self) -> Option<Duration> {
        match &self.channel {
            Channel::Tty(tty) => tty.write_retry,
            Channel::Wdm(_) | Channel::Proxy(_) | Channel::Usbfs(_) => None,
        }
    }

    /// Notes that the time until the retry has passed.
    pub(crate) fn write_retry_is_over(&mut self) {
        if let Channel::Tty(tty) = &mut self.channel {
            tty.write_retry_is_over();
        }
    }

    /// Closes without waiting for unsent bytes.
    pub(crate) fn close(self) {
        self.channel.close();
    }
}

impl Channel {
    /// Closes without waiting for unsent bytes.
    pub(crate) fn close(self) {
        if let Self::Tty(tty) = self {
            tty.close();
        }
    }
}

impl AsFd for Port {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match &self.channel {
            Channel::Tty(tty) => tty.as_fd(),
            Channel::Wdm(wdm) => wdm.as_fd(),
            Channel::Proxy(proxy) => proxy.as_fd(),
            Channel::Usbfs(usbfs) => usbfs.as_fd(),
        }
    }
}

/// The node of a port below this root.
pub(crate) fn node(root: &Path, port: &PortId) -> PathBuf {
    let name = Path::new(port.as_str());
    root.join(name.strip_prefix("/").unwrap_or(name))
}

/// Opens a port if no other program has it open.
pub(crate) fn open_alone(
    sysfs: &Sysfs,
    port: &PortId,
    open: impl FnOnce() -> Result<Channel, PortErrorKind>,
) -> Result<Channel, PortErrorKind> {
    let own_process = std::process::id();
    let busy = || {
        let holder = sysfs.holder(port, own_process)?;
        Some(PortErrorKind::Busy { holder: Some(holder) })
    };
    // Checked before opening, because root can open a port that another program uses, and such a port mustn't
    // be touched.
    if let Some(busy) = busy() {
        return Err(busy);
    }
    let channel = open()?;
    // Checked again, because another program may have opened the port in between. Nothing has been written
    // yet.
    match busy() {
        Some(busy) => {
            channel.close();
            Err(busy)
        }
        None => Ok(channel),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use modem_world::PortHolder;
    use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

    use super::*;

    #[test]
    fn a_program_that_opened_the_port_at_the_same_time_is_seen_before_the_first_byte() {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
        rustix::io::ioctl_fionbio(&master, true).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        let name = ptsname(&master, Vec::new()).unwrap().into_string().unwrap();
        let port = PortId::new(name.as_str());
        let root = tempfile::tempdir().unwrap();
        let process = root.path().join("proc/812");
        std::fs::create_dir_all(process.join("fd")).unwrap();
        std::fs::write(process.join("comm"), "gpsd\n").unwrap();
        let sysfs = Sysfs::new(root.path());
        let tty = || Tty::open(Path::new(&name)).map(Channel::Tty);
        assert!(open_alone(&sysfs, &port, tty).is_ok());

        let opened = open_alone(&sysfs, &port, || {
            let opened = tty();
            symlink(&name, process.join("fd/7")).unwrap();
            opened
        });
        let holder = Some(PortHolder::parse("gpsd (pid 812)"));
        assert_eq!(opened.unwrap_err(), PortErrorKind::Busy { holder });
        // No one has the port open any more, and nothing was written to it.
        let read = rustix::io::read(&master, &mut [0_u8; 16]);
        assert_eq!(read, Err(rustix::io::Errno::IO));
    }
}
