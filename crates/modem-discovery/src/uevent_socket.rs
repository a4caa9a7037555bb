//! The socket on which the kernel announces changes on the bus (linux.md §4).
//!
//! Group 1 is the kernel's own: it works on every host, with or without udev, and without root. In some
//! containers and network namespaces it stays silent, so a listener must also look at the bus now and then.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use modem_world::DiscoveryError;
use rustix::io::Errno;
use rustix::net::netlink::{self, SocketAddrNetlink};
use rustix::net::{AddressFamily, RecvFlags, SocketFlags, SocketType, bind, recvfrom, socket_with};

use crate::uevent::Uevent;

/// The kernel's multicast group; group 2 carries udevd's copies.
const KERNEL_GROUP: u32 = 1;

/// The kernel builds a message in 2048 bytes (`UEVENT_BUFFER_SIZE` in `include/linux/kobject.h`), header included.
const MESSAGE_LIMIT: usize = 8192;

/// A listener for the kernel's uevents. Never blocks; to wait, poll its descriptor.
#[derive(Debug)]
pub struct UeventSocket {
    socket: OwnedFd,
    buffer: Vec<u8>,
}

/// What [`UeventSocket::receive`] found on the socket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Received {
    /// An event.
    Event(Uevent),
    /// Events were lost because they weren't read in time: the caller has to look at the whole bus again.
    Overrun,
    /// Nothing more for now.
    Nothing,
}

impl UeventSocket {
    /// Starts to listen. Call this before anything that makes a device leave: the socket doesn't report
    /// earlier events.
    ///
    /// # Errors
    /// The kernel refuses such a socket, as in some sandboxes.
    pub fn open() -> Result<Self, DiscoveryError> {
        let failed = |call| {
            move |errno: Errno| DiscoveryError::Io {
                path: "uevents".to_owned(),
                call,
                errno: errno.raw_os_error(),
            }
        };
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let socket = socket_with(
            AddressFamily::NETLINK,
            SocketType::DGRAM,
            flags,
            Some(netlink::KOBJECT_UEVENT),
        )
        .map_err(failed("socket"))?;
        bind(&socket, &SocketAddrNetlink::new(0, KERNEL_GROUP)).map_err(failed("bind"))?;
        Ok(Self {
            socket,
            buffer: vec![0; MESSAGE_LIMIT],
        })
    }

    /// Takes the next event. Messages that come from other processes, or that can't be read, are skipped.
    ///
    /// # Errors
    /// The socket is broken.
    pub fn receive(&mut self) -> Result<Received, DiscoveryError> {
        loop {
            match recvfrom(&self.socket, self.buffer.as_mut_slice(), RecvFlags::DONTWAIT) {
                Ok((length, _, sender)) => {
                    // Any process may send to this socket; only the kernel has the netlink address 0.
                    let from_kernel = sender
                        .and_then(|sender| SocketAddrNetlink::try_from(sender).ok())
                        .is_some_and(|sender| sender.pid() == 0);
                    let message = self.buffer.get(..length).unwrap_or_default();
                    match Uevent::parse(message) {
                        Ok(event) if from_kernel => return Ok(Received::Event(event)),
                        _ => {}
                    }
                }
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => return Ok(Received::Nothing),
                Err(Errno::NOBUFS) => return Ok(Received::Overrun),
                Err(errno) => {
                    return Err(DiscoveryError::Io {
                        path: "uevents".to_owned(),
                        call: "recvfrom",
                        errno: errno.raw_os_error(),
                    });
                }
            }
        }
    }
}

impl AsFd for UeventSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::net::{SendFlags, getsockname, sendto};

    #[test]
    fn a_message_of_another_process_is_not_believed() {
        let mut listener = UeventSocket::open().unwrap();
        let address = SocketAddrNetlink::try_from(getsockname(&listener).unwrap()).unwrap();
        let forger = socket_with(
            AddressFamily::NETLINK,
            SocketType::DGRAM,
            SocketFlags::CLOEXEC,
            Some(netlink::KOBJECT_UEVENT),
        )
        .unwrap();
        let target = SocketAddrNetlink::new(address.pid(), 0);
        let sent = sendto(
            &forger,
            b"add@/devices/forged\0SUBSYSTEM=tty\0",
            SendFlags::empty(),
            &target,
        );
        // Root may send to this address family, so the message is then in the listener's queue; for any other
        // user the kernel refuses to send it.
        if rustix::process::geteuid().is_root() {
            sent.unwrap();
        } else {
            assert_eq!(sent, Err(rustix::io::Errno::PERM));
        }
        loop {
            match listener.receive().unwrap() {
                Received::Nothing => break,
                Received::Event(event) => assert_ne!(event.device_path, "/devices/forged"),
                Received::Overrun => {}
            }
        }
    }
}
