//! The two bulk endpoints of a USB interface, without a driver (linux.md §9; kernel,
//! `include/uapi/linux/usbdevice_fs.h` and `Documentation/driver-api/usb/usb.rst`).
//!
//! A driver that has the interface is set aside while the port is open, and gets it back when the port is closed. There is no
//! tty, so nothing is echoed and nothing is changed on its way.

mod end;
mod endpoints;
mod kernel;

use std::collections::VecDeque;
use std::ffi::c_void;
use std::fmt;
use std::fs;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::ptr::NonNull;

use modem_world::PortErrorKind;
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;

use self::end::End;
use self::endpoints::{Bulk, bulk_of};
use self::kernel::{
    BULK, CONNECT_CODE, Call, DISCONNECT_AND_CLAIM, DisconnectClaim, EXCEPT_DRIVER, ON_INTERFACE,
    OfInterface, REAP_NOW, RELEASE, SUBMIT, Urb, call,
};
use crate::tty::{open_error, use_error};

/// How many transfers wait for bytes from the modem at the same time. Each takes one packet, so each packet is reported at once.
const INPUTS: usize = 8;
/// How many transfers to the modem are under way at the same time, and the bytes of each. Own choice: the controller never runs
/// dry between two writes, and not much is lost when the port is closed.
const OUTPUTS: usize = 3;
const OUTPUT_BYTES: usize = 16 * 1024;
/// With so many unread bytes the modem has to wait.
const UNREAD_LIMIT: usize = 64 * 1024;
/// So many failed transfers from the modem in a row mean that it is gone. Drivers of ttys try for ever; the kernel notices within a second
/// that a device has left.
const MOST_FAILURES: u8 = 16;

/// One transfer, with its bytes. While the kernel has it, nobody else touches it. The address of the transfer is that of the part that
/// the kernel knows.
#[repr(C)]
struct Transfer {
    urb: Urb,
    bytes: Vec<u8>,
}

/// An open interface.
pub(crate) struct Usbfs {
    descriptor: OwnedFd,
    interface: u8,
    /// Whether a driver is set aside, which gets the interface back.
    has_driver: bool,
    bulk: Bulk,
    /// Transfers that the kernel has. They are freed when it has given them back, or after it was told to forget them.
    under_way: Vec<NonNull<Transfer>>,
    outputs: usize,
    /// The buffers of transfers from the modem that wait until bytes have been read.
    resting: Vec<Vec<u8>>,
    unread: VecDeque<u8>,
    failures: u8,
    /// Why the port can't be used any more.
    failure: Option<PortErrorKind>,
}

#[expect(unsafe_code, reason = "the transfers are behind addresses")]
// SAFETY: a transfer belongs to this port alone; the kernel doesn't care which thread makes a call.
unsafe impl Send for Usbfs {}

impl fmt::Debug for Usbfs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Usbfs")
            .field("interface", &self.interface)
            .field("bulk", &self.bulk)
            .field("under_way", &self.under_way.len())
            .finish_non_exhaustive()
    }
}

impl Usbfs {
    /// Takes an interface, from its driver if it has one (`has_driver`). `node` is the device in `/dev/bus/usb`, `descriptors` the file with
    /// its USB descriptors.
    ///
    /// # Errors
    /// No permission, no such interface with one bulk endpoint for each direction, or another program has it without a
    /// driver. The driver has kept the interface then.
    pub(crate) fn open(
        node: &Path,
        descriptors: &Path,
        interface: u8,
        has_driver: bool,
    ) -> Result<Self, PortErrorKind> {
        let bulk = fs::read(descriptors).ok();
        let bulk = bulk.and_then(|descriptors| bulk_of(&descriptors, interface));
        let bulk = bulk.ok_or(PortErrorKind::NotASerialPort)?;
        let flags = OFlags::RDWR | OFlags::CLOEXEC;
        let descriptor = loop {
            match rustix::fs::open(node, flags, Mode::empty()) {
                Ok(descriptor) => break descriptor,
                Err(Errno::INTR) => {}
                Err(errno) => return Err(open_error(errno)),
            }
        };
        let mut driver = [0; 256];
        driver.iter_mut().zip(b"usbfs").for_each(|(to, from)| *to = *from);
        let mut claim = DisconnectClaim {
            interface: interface.into(),
            flags: EXCEPT_DRIVER,
            driver,
        };
        call::<DISCONNECT_AND_CLAIM, _>(&descriptor, &mut claim).map_err(open_error)?;
        let mut port = Self {
            descriptor,
            interface,
            has_driver,
            bulk,
            under_way: Vec::new(),
            outputs: 0,
            resting: Vec::new(),
            unread: VecDeque::new(),
            failures: 0,
            failure: None,
        };
        for _ in 0..INPUTS {
            port.submit(port.bulk.input, vec![0; port.bulk.packet])?;
        }
        Ok(port)
    }

    /// Reads what is there; 0 if there is nothing.
    pub(crate) fn read(&mut self, buffer: &mut [u8]) -> Result<usize, PortErrorKind> {
        self.reap();
        let count = self.unread.len().min(buffer.len());
        for (to, from) in buffer.iter_mut().zip(self.unread.drain(..count)) {
            *to = from;
        }
        // What has arrived comes before the failure that followed it.
        if count == 0 {
            self.failed()?;
        }
        if self.unread.len() < UNREAD_LIMIT {
            for bytes in std::mem::take(&mut self.resting) {
                // A failure is noted, and told by the next call: what was read now mustn't be lost.
                let _ = self.submit(self.bulk.input, bytes);
            }
        }
        Ok(count)
    }

    /// Writes what can be under way now; 0 if enough is.
    pub(crate) fn write(&mut self, bytes: &[u8]) -> Result<usize, PortErrorKind> {
        self.reap();
        self.failed()?;
        let mut taken = 0;
        while let (true, [_, ..]) = (self.has_room(), bytes.get(taken..).unwrap_or_default()) {
            let rest = bytes.get(taken..).unwrap_or_default();
            let part = rest.get(..OUTPUT_BYTES).unwrap_or(rest);
            self.submit(self.bulk.output, part.to_vec())?;
            taken += part.len();
        }
        Ok(taken)
    }

    /// Whether a read returns bytes although `poll` may report nothing.
    pub(crate) fn has_rest(&self) -> bool {
        !self.unread.is_empty() || self.failure.is_some()
    }

    /// Whether a write takes bytes although `poll` may report nothing.
    pub(crate) const fn has_room(&self) -> bool {
        self.outputs < OUTPUTS
    }

    fn failed(&self) -> Result<(), PortErrorKind> {
        self.failure.clone().map_or(Ok(()), Err)
    }

    /// Gives a transfer to the kernel.
    fn submit(&mut self, endpoint: u8, bytes: Vec<u8>) -> Result<(), PortErrorKind> {
        let mut transfer = Box::new(Transfer {
            urb: Urb {
                kind: BULK,
                endpoint,
                status: 0,
                flags: 0,
                buffer: std::ptr::null_mut(),
                buffer_length: i32::try_from(bytes.len()).unwrap_or(i32::MAX),
                actual_length: 0,
                start_frame: 0,
                stream_id: 0,
                error_count: 0,
                signal: 0,
                user_context: std::ptr::null_mut(),
            },
            bytes,
        });
        transfer.urb.buffer = transfer.bytes.as_mut_ptr().cast();
        let transfer = NonNull::from(Box::leak(transfer));
        #[expect(unsafe_code, reason = "usbfs has no safe interface")]
        // SAFETY: the transfer and its bytes stay where they are until the kernel has given the transfer back (`reap`), or was
        // told to forget it (`Drop`). The kernel writes to them only while it gives a transfer back.
        let submitted = unsafe {
            let urb = &raw mut (*transfer.as_ptr()).urb;
            rustix::ioctl::ioctl(&self.descriptor, Call::<SUBMIT>(urb.cast()))
        };
        match submitted {
            Ok(()) => {
                self.under_way.push(transfer);
                self.outputs += usize::from(endpoint == self.bulk.output);
                Ok(())
            }
            Err(errno) => {
                drop(reclaimed(transfer));
                let kind = use_error("USBDEVFS_SUBMITURB", errno);
                self.failure.get_or_insert(kind.clone());
                Err(kind)
            }
        }
    }

    /// Takes back all transfers that the kernel has finished.
    fn reap(&mut self) {
        loop {
            let mut finished: *mut c_void = std::ptr::null_mut();
            match call::<REAP_NOW, _>(&self.descriptor, &mut finished) {
                Ok(()) => {}
                Err(Errno::INTR) => continue,
                Err(Errno::AGAIN) => return,
                Err(errno) => {
                    self.failure.get_or_insert(use_error("USBDEVFS_REAPURB", errno));
                    return;
                }
            }
            let is_it =
                |transfer: &NonNull<Transfer>| std::ptr::eq(transfer.as_ptr().cast::<c_void>(), finished);
            let Some(place) = self.under_way.iter().position(is_it) else {
                continue;
            };
            let transfer = reclaimed(self.under_way.swap_remove(place));
            self.finished(transfer);
        }
    }

    fn finished(&mut self, transfer: Transfer) {
        let is_output = transfer.urb.endpoint == self.bulk.output;
        self.outputs -= usize::from(is_output);
        match End::of(transfer.urb.status) {
            End::Done if is_output => {
                self.failures = 0;
                return;
            }
            End::Done => {
                self.failures = 0;
                let count = usize::try_from(transfer.urb.actual_length).unwrap_or(0);
                self.unread.extend(transfer.bytes.iter().take(count));
            }
            end => {
                self.failures = self.failures.saturating_add(1);
                // A transfer to the modem that failed has lost bytes. One from the modem is tried again if nothing came; a stalled
                // endpoint stays so.
                if is_output || end != End::Silent || self.failures > MOST_FAILURES {
                    self.failure.get_or_insert(end.error(is_output));
                    return;
                }
            }
        }
        if self.unread.len() < UNREAD_LIMIT {
            // A failure is noted, and told by the next call.
            let _ = self.submit(self.bulk.input, transfer.bytes);
        } else {
            self.resting.push(transfer.bytes);
        }
    }
}

impl Drop for Usbfs {
    /// Gives the interface back to its driver, without waiting for what is under way.
    fn drop(&mut self) {
        let mut interface = u32::from(self.interface);
        // All of this fails if the device has gone, and then there is nothing to give back.
        let _ = call::<RELEASE, _>(&self.descriptor, &mut interface);
        if self.has_driver {
            let mut connect = OfInterface {
                interface: self.interface.into(),
                code: CONNECT_CODE,
                data: std::ptr::null_mut(),
            };
            let _ = call::<ON_INTERFACE, _>(&self.descriptor, &mut connect);
        }
        // The kernel has ended all transfers of the interface, and writes to them only in calls that take them back.
        for transfer in self.under_way.drain(..) {
            drop(reclaimed(transfer));
        }
    }
}

impl AsFd for Usbfs {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.descriptor.as_fd()
    }
}

/// A transfer that the kernel doesn't have any more.
fn reclaimed(transfer: NonNull<Transfer>) -> Transfer {
    #[expect(unsafe_code, reason = "the transfers are behind addresses")]
    // SAFETY: the address is that of a leaked box, which is taken back only once: it leaves the list at the same time.
    unsafe {
        *Box::from_raw(transfer.as_ptr())
    }
}

#[cfg(test)]
mod tests {
    use super::endpoints::tests::device;
    use super::*;

    #[test]
    fn a_device_that_is_none_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let descriptors = folder.path().join("descriptors");
        fs::write(&descriptors, device(&[(0x81, 2, 512), (0x01, 2, 512)])).unwrap();
        let node = folder.path().join("005");
        let refused = Usbfs::open(&node, &descriptors, 0, true).unwrap_err();
        assert_eq!(refused, PortErrorKind::NotFound);
        fs::write(&node, "").unwrap();
        assert!(Usbfs::open(&node, &descriptors, 0, true).is_err());
    }
}
