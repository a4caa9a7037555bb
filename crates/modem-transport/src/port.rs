//! One open port of any kind.

use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

use modem_world::{PortErrorKind, PortId};

use crate::proxy::Proxy;
use crate::tty::Tty;
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
}

impl Port {
    pub(crate) fn read(&mut self, buffer: &mut [u8]) -> Result<usize, PortErrorKind> {
        match &mut self.channel {
            Channel::Tty(tty) => tty.read(buffer),
            Channel::Wdm(wdm) => wdm.read(buffer),
            Channel::Proxy(proxy) => proxy.read(buffer),
        }
    }

    pub(crate) fn write(&mut self, bytes: &[u8]) -> Result<usize, PortErrorKind> {
        match &mut self.channel {
            Channel::Tty(tty) => tty.write(bytes),
            Channel::Wdm(wdm) => wdm.write(bytes),
            Channel::Proxy(proxy) => proxy.write(bytes),
        }
    }

    pub(crate) fn largest_write(&self) -> usize {
        match &self.channel {
            Channel::Wdm(wdm) => wdm.largest(),
            Channel::Tty(_) | Channel::Proxy(_) => usize::MAX,
        }
    }

    /// Whether a read returns bytes although `poll` may report nothing.
    pub(crate) fn has_rest(&self) -> bool {
        matches!(&self.channel, Channel::Wdm(wdm) if wdm.has_rest())
    }

    /// After how long to try writing again if `poll` doesn't report the port as writable.
    pub(crate) fn write_retry(&self) -> Option<Duration> {
        match &self.channel {
            Channel::Tty(tty) => tty.write_retry,
            Channel::Wdm(_) | Channel::Proxy(_) => None,
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
        }
    }
}
