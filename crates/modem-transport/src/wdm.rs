//! One open control port, `/dev/cdc-wdmN` (qmi.md §2, mbim.md §3).
//!
//! One write is one message, and one read gives at most one control transfer. What the caller's buffer can't take of a
//! transfer is kept here, so that nothing depends on what the driver does with the rest.
//!
//! The one `unsafe` of this crate asks the driver for the size of the largest message.
#![allow(unsafe_code)]

use std::fs;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use modem_world::PortErrorKind;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{Mode, OFlags};
use rustix::io::{self, Errno};
use rustix::ioctl::{self, Getter, Opcode};

use crate::tty::open_error;

/// `IOCTL_WDM_MAX_COMMAND`: 0x800248A0, and 0x400248A0 on MIPS, PowerPC and SPARC (mbim.md §3).
const MAX_COMMAND: Opcode = ioctl::opcode::read::<u16>(b'H', 0xa0);

/// The size of the largest message when nobody tells it; that of all Sierra modems (mbim.md §3).
const USUAL_LIMIT: usize = 4096;

/// An open control port.
#[derive(Debug)]
pub(crate) struct Wdm {
    descriptor: OwnedFd,
    largest: usize,
    /// Bytes of the last transfer that the caller hasn't taken, from `taken` on.
    transfer: Vec<u8>,
    taken: usize,
}

impl Wdm {
    /// Opens a node. `descriptors` is the file with the USB descriptors of its device, for drivers without the ioctl.
    pub(crate) fn open(node: &Path, descriptors: Option<&Path>) -> Result<Self, PortErrorKind> {
        let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let descriptor = loop {
            match rustix::fs::open(node, flags, Mode::empty()) {
                Ok(descriptor) => break descriptor,
                Err(Errno::INTR) => {}
                Err(errno) => return Err(open_error(errno)),
            }
        };
        let told = largest_message(&descriptor).or_else(|| largest_of(&fs::read(descriptors?).ok()?));
        Ok(Self {
            descriptor,
            largest: told.unwrap_or(USUAL_LIMIT),
            transfer: Vec::new(),
            taken: 0,
        })
    }

    /// The size of the largest message.
    pub(crate) const fn largest(&self) -> usize {
        self.largest
    }

    /// Whether reading gives bytes although `poll` may be silent.
    pub(crate) fn has_rest(&self) -> bool {
        self.taken < self.transfer.len()
    }

    /// What is there, at most the rest of one transfer; 0 when nothing is.
    pub(crate) fn read(&mut self, buffer: &mut [u8]) -> Result<usize, PortErrorKind> {
        if buffer.is_empty() {
            return Ok(0);
        }
        if !self.has_rest() {
            self.transfer.resize(self.largest.max(USUAL_LIMIT), 0);
            let result = self.read_transfer();
            self.transfer.truncate(*result.as_ref().unwrap_or(&0));
            self.taken = 0;
            result?;
        }
        let rest = self.transfer.get(self.taken..).unwrap_or_default();
        let count = rest.len().min(buffer.len());
        buffer.iter_mut().zip(rest).for_each(|(to, from)| *to = *from);
        self.taken += count;
        Ok(count)
    }

    fn read_transfer(&mut self) -> Result<usize, PortErrorKind> {
        loop {
            match io::read(&self.descriptor, self.transfer.as_mut_slice()) {
                Ok(0) => return Err(PortErrorKind::Gone),
                Ok(count) => return Ok(count),
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => return Ok(0),
                // The modem said more than the driver could keep; it says so once.
                Err(Errno::NOBUFS) => return Err(PortErrorKind::DataLost),
                Err(errno) => return Err(self.use_error("read", errno)),
            }
        }
    }

    /// Writes a whole message, or nothing (0) while the one before is on its way.
    pub(crate) fn write(&mut self, message: &[u8]) -> Result<usize, PortErrorKind> {
        if message.is_empty() {
            return Ok(0);
        }
        // The driver would cut it off without a word.
        if message.len() > self.largest {
            return Err(PortErrorKind::Io {
                call: "write",
                errno: Errno::MSGSIZE.raw_os_error(),
            });
        }
        loop {
            match io::write(&self.descriptor, message) {
                Ok(0) | Err(Errno::AGAIN) => return Ok(0),
                Ok(count) => return Ok(count),
                Err(Errno::INTR) => {}
                Err(errno) => return Err(self.use_error("write", errno)),
            }
        }
    }

    /// The driver says EIO for a device that was pulled and also for a transfer that the modem refused.
    fn use_error(&self, call: &'static str, errno: Errno) -> PortErrorKind {
        let is_gone = match errno {
            Errno::NODEV | Errno::NXIO | Errno::SHUTDOWN => true,
            Errno::IO => {
                let mut descriptors = [PollFd::new(&self.descriptor, PollFlags::IN)];
                let asked = poll(&mut descriptors, Some(&Timespec::default()));
                let has_hung_up = |polled: &PollFd<'_>| polled.revents().contains(PollFlags::HUP);
                asked.is_ok() && descriptors.iter().any(has_hung_up)
            }
            _ => false,
        };
        if is_gone {
            PortErrorKind::Gone
        } else {
            PortErrorKind::Io {
                call,
                errno: errno.raw_os_error(),
            }
        }
    }
}

impl AsFd for Wdm {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.descriptor.as_fd()
    }
}

/// What the driver says; none when it has no such ioctl.
fn largest_message(descriptor: &OwnedFd) -> Option<usize> {
    // SAFETY: this ioctl writes one `__u16` to where its argument points (`include/uapi/linux/usb/cdc-wdm.h`), and the getter
    // gives a place for one `u16`. Another driver that had the same number would have the same size, which is part of it.
    let told = unsafe { ioctl::ioctl(descriptor, Getter::<MAX_COMMAND, u16>::new()) };
    told.ok().filter(|&bytes| bytes > 0).map(usize::from)
}

/// `wMaxControlMessage` of the MBIM functional descriptor, which starts with `0C 24 1B` (mbim.md §3).
fn largest_of(descriptors: &[u8]) -> Option<usize> {
    let mut rest = descriptors;
    // Each descriptor starts with its length.
    while let Some((descriptor, behind)) = rest.split_at_checked(usize::from(*rest.first()?).max(2)) {
        if let [0x0c, 0x24, 0x1b, _, _, low, high, ..] = descriptor {
            return Some(usize::from(u16::from_le_bytes([*low, *high]))).filter(|&bytes| bytes > 0);
        }
        rest = behind;
    }
    None
}
