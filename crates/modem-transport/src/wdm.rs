//! One open control port, `/dev/cdc-wdmN` (qmi.md §2, mbim.md §3).
//!
//! One write is one message, and one read returns at most one control transfer. If the caller's buffer is too
//! small for a transfer, the rest is kept here, so that nothing depends on what the driver does with it.
//!
//! The only `unsafe` code of this crate asks the driver for the size of the largest message.

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

/// The size of the largest message if nothing reports it; all Sierra modems have this size (mbim.md §3).
const USUAL_LIMIT: usize = 4096;

/// An open control port.
#[derive(Debug)]
pub(crate) struct Wdm {
    descriptor: OwnedFd,
    largest: usize,
    /// The last transfer. The caller has taken its bytes up to `taken`.
    transfer: Vec<u8>,
    taken: usize,
}

impl Wdm {
    /// Opens a node. `descriptors` is the file with the USB descriptors of the device, for drivers that don't
    /// have the ioctl.
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
        Ok(Self::over(descriptor, told.unwrap_or(USUAL_LIMIT)))
    }

    /// Makes a port of a descriptor that is open already.
    fn over(descriptor: OwnedFd, largest: usize) -> Self {
        Self {
            descriptor,
            largest,
            transfer: Vec::new(),
            taken: 0,
        }
    }

    /// The size of the largest message.
    pub(crate) const fn largest(&self) -> usize {
        self.largest
    }

    /// Whether a read returns bytes although `poll` may report nothing.
    pub(crate) fn has_rest(&self) -> bool {
        self.taken < self.transfer.len()
    }

    /// Reads what is there, at most the rest of one transfer; 0 if there is nothing.
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
                Err(errno) => return Err(self.use_error("read", errno)),
            }
        }
    }

    /// Writes a whole message, or nothing (0) while the previous one is on its way.
    pub(crate) fn write(&mut self, message: &[u8]) -> Result<usize, PortErrorKind> {
        if message.is_empty() {
            return Ok(0);
        }
        // The driver would truncate the message without an error.
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

    /// The meaning of an error. The driver returns EIO both for a device that was pulled and for a transfer
    /// that the modem refused.
    fn use_error(&self, call: &'static str, errno: Errno) -> PortErrorKind {
        let is_gone = match errno {
            // The modem sent more than the driver could keep. The driver reports this once.
            Errno::NOBUFS => return PortErrorKind::DataLost,
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

/// The size that the driver reports; `None` if it has no such ioctl.
#[expect(unsafe_code, reason = "an ioctl that no safe function has")]
fn largest_message(descriptor: &OwnedFd) -> Option<usize> {
    // SAFETY: this ioctl writes one `__u16` to the address in its argument
    // (`include/uapi/linux/usb/cdc-wdm.h`), and the getter provides room for one `u16`. The number of an
    // ioctl contains the size, so another driver with the same number would write the same size.
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

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};

    /// A control port and its other end, which keeps the boundaries of messages as a modem's transfers do.
    fn pair(largest: usize) -> (Wdm, OwnedFd) {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let (ours, modem) = socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None).unwrap();
        (Wdm::over(ours, largest), modem)
    }

    #[test]
    fn a_transfer_that_is_longer_than_the_buffer_is_handed_out_in_pieces() {
        let (mut port, modem) = pair(4096);
        let long: Vec<u8> = (0..=255).cycle().take(4096).collect();
        io::write(&modem, &long).unwrap();
        io::write(&modem, b"next").unwrap();
        let (mut got, mut buffer) = (Vec::new(), [0; 100]);
        while got.len() < long.len() {
            let count = port.read(&mut buffer).unwrap();
            assert!(count > 0);
            got.extend_from_slice(&buffer[..count]);
            assert_eq!(port.has_rest(), got.len() < long.len());
        }
        assert_eq!(got, long);
        assert_eq!(port.read(&mut buffer), Ok(4));
        assert_eq!(&buffer[..4], b"next");
        assert_eq!(port.read(&mut buffer), Ok(0));
        assert_eq!(port.read(&mut []), Ok(0));
    }

    #[test]
    fn a_modem_with_longer_messages_than_usual_is_read_whole() {
        let (mut port, modem) = pair(8192);
        io::write(&modem, &[7; 8000]).unwrap();
        let mut buffer = [0; 8192];
        assert_eq!(port.read(&mut buffer), Ok(8000));
    }

    #[test]
    fn each_write_is_one_message_and_one_that_is_too_long_is_refused() {
        let (mut port, modem) = pair(64);
        assert_eq!(port.largest(), 64);
        assert_eq!(port.write(&[1; 64]), Ok(64));
        assert_eq!(port.write(&[2; 3]), Ok(3));
        assert_eq!(port.write(&[]), Ok(0));
        let error = PortErrorKind::Io {
            call: "write",
            errno: Errno::MSGSIZE.raw_os_error(),
        };
        assert_eq!(port.write(&[3; 65]), Err(error));
        let mut buffer = [0; 128];
        assert_eq!(io::read(&modem, &mut buffer), Ok(64));
        assert_eq!(io::read(&modem, &mut buffer), Ok(3));
        assert_eq!(io::read(&modem, &mut buffer), Err(Errno::AGAIN));
    }

    #[test]
    fn a_port_that_is_busy_takes_nothing_and_takes_the_message_whole_later() {
        let (mut port, modem) = pair(4096);
        let mut taken = 0;
        while port.write(&[5; 4096]).unwrap() == 4096 {
            taken += 1;
            assert!(taken < 100_000, "it never gets full");
        }
        let mut buffer = [0; 4096];
        for _ in 0..taken {
            assert_eq!(io::read(&modem, &mut buffer), Ok(4096));
        }
        assert_eq!(port.write(&[6; 4096]), Ok(4096));
    }

    #[test]
    fn a_device_that_left_has_gone_after_its_last_words() {
        let (mut port, modem) = pair(4096);
        io::write(&modem, b"last").unwrap();
        drop(modem);
        let mut buffer = [0; 16];
        assert_eq!(port.read(&mut buffer), Ok(4));
        assert_eq!(port.read(&mut buffer), Err(PortErrorKind::Gone));
    }

    #[test]
    fn an_error_of_a_device_that_is_still_there_is_not_its_leaving() {
        let (port, modem) = pair(4096);
        let refused = PortErrorKind::Io {
            call: "read",
            errno: Errno::IO.raw_os_error(),
        };
        assert_eq!(port.use_error("read", Errno::IO), refused);
        drop(modem);
        assert_eq!(port.use_error("read", Errno::IO), PortErrorKind::Gone);
        let (port, _modem) = pair(4096);
        assert_eq!(port.use_error("write", Errno::NODEV), PortErrorKind::Gone);
        assert_eq!(port.use_error("read", Errno::NOBUFS), PortErrorKind::DataLost);
    }

    // mbim.md §3
    #[test]
    fn the_number_of_the_ioctl_is_that_of_this_architecture() {
        let is_other = cfg!(any(
            target_arch = "mips",
            target_arch = "mips64",
            target_arch = "powerpc",
            target_arch = "powerpc64",
            target_arch = "sparc64"
        ));
        assert_eq!(MAX_COMMAND, if is_other { 0x4002_48a0 } else { 0x8002_48a0 });
    }

    #[test]
    fn a_port_that_has_no_such_ioctl_has_no_limit_of_its_own() {
        let (port, _modem) = pair(4096);
        assert_eq!(largest_message(&port.descriptor), None);
    }

    #[test]
    fn the_largest_message_is_found_in_the_descriptors() {
        let device = [18, 1, 0, 2, 0, 0, 0, 64, 0x99, 0x11, 0x71, 0x90, 6, 0, 1, 2, 3, 1];
        let mbim = [
            0x0c, 0x24, 0x1b, 0x00, 0x01, 0x00, 0x08, 0x20, 0x80, 0x96, 0x05, 0x00,
        ];
        let both = [device.as_slice(), &[9, 2, 0x1b, 0x24, 0x0c, 0, 0, 0, 0], &mbim].concat();
        assert_eq!(largest_of(&both), Some(2048));
        assert_eq!(largest_of(&device), None);
        assert_eq!(largest_of(&both[..both.len() - 1]), None);
        for hostile in [[].as_slice(), &[0; 64], &[255; 64], &[1], &[0x0c, 0x24, 0x1b]] {
            assert_eq!(largest_of(hostile), None);
        }
    }
}
