//! The socket of a program that shares a control port with others: qmi-proxy, mbim-proxy (qmi.md §6, mbim.md §6).

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use modem_world::PortErrorKind;
use rustix::io::{self, Errno};
use rustix::net::{
    AddressFamily, SendFlags, SocketAddrUnix, SocketFlags, SocketType, connect, send, socket_with,
};

use crate::tty::use_error;

/// A connection to a socket in the abstract name space.
#[derive(Debug)]
pub(crate) struct Proxy(OwnedFd);

impl Proxy {
    /// Connects to the socket `name`, which is given without the leading `@` or NUL.
    pub(crate) fn open(name: &str) -> Result<Self, PortErrorKind> {
        let address =
            SocketAddrUnix::new_abstract_name(name.as_bytes()).map_err(|_| PortErrorKind::NotFound)?;
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let socket = socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)
            .map_err(|errno| use_error("socket", errno))?;
        loop {
            match connect(&socket, &address) {
                Ok(()) => return Ok(Self(socket)),
                Err(Errno::INTR) => {}
                Err(Errno::CONNREFUSED | Errno::NOENT) => return Err(PortErrorKind::NotFound),
                // The proxy listens, but too many connections are waiting to be accepted.
                Err(Errno::AGAIN) => return Err(PortErrorKind::Busy { holder: None }),
                Err(Errno::ACCESS | Errno::PERM) => return Err(PortErrorKind::PermissionDenied),
                Err(errno) => return Err(use_error("connect", errno)),
            }
        }
    }

    /// Reads what is there; 0 if there is nothing.
    pub(crate) fn read(&self, buffer: &mut [u8]) -> Result<usize, PortErrorKind> {
        if buffer.is_empty() {
            return Ok(0);
        }
        loop {
            match io::read(&self.0, &mut *buffer) {
                Ok(0) => return Err(PortErrorKind::Gone),
                Ok(count) => return Ok(count),
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => return Ok(0),
                Err(Errno::CONNRESET) => return Err(PortErrorKind::Gone),
                Err(errno) => return Err(use_error("read", errno)),
            }
        }
    }

    /// Writes what the socket takes now; 0 if it takes nothing.
    pub(crate) fn write(&self, bytes: &[u8]) -> Result<usize, PortErrorKind> {
        if bytes.is_empty() {
            return Ok(0);
        }
        loop {
            // No SIGPIPE when the proxy is gone.
            match send(&self.0, bytes, SendFlags::NOSIGNAL) {
                Ok(count) => return Ok(count),
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => return Ok(0),
                Err(Errno::CONNRESET | Errno::PIPE) => return Err(PortErrorKind::Gone),
                Err(errno) => return Err(use_error("write", errno)),
            }
        }
    }
}

impl AsFd for Proxy {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
