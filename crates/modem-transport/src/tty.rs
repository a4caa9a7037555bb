//! One open tty: raw, exclusive, and never blocking (linux.md §7).

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use modem_world::PortErrorKind;
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use rustix::termios::{ControlModes, InputModes, LocalModes, OptionalActions, OutputModes, SpecialCodeIndex};
use rustix::{fs, io, termios};

/// How long closing may take before it goes on by itself. Closing a ttyUSB with unsent data waits up to 30 s in the
/// kernel (lab-facts.md §2; `closing_wait` of `struct tty_port`); without such data it takes microseconds.
const CLOSING_PATIENCE: Duration = Duration::from_millis(50);

/// Any speed but 0, which would hang up; a USB modem ignores it (linux.md §7).
const SPEED_BAUD: u32 = 115_200;

/// Shortest wait before writing is tried again although `poll` is silent; doubles up to [`RETRY_LIMIT`] while the port takes nothing.
pub(crate) const RETRY_FIRST: Duration = Duration::from_millis(1);

/// Longest such wait: a modem may hold up the host for 60 s (field-reports.md C10), and needs no hurry then.
const RETRY_LIMIT: Duration = Duration::from_millis(64);

/// An open tty.
#[derive(Debug)]
pub(crate) struct Tty {
    descriptor: OwnedFd,
    /// Set by writing: when to try again without a word from `poll`.
    pub(crate) write_retry: Option<Duration>,
    /// The most bytes that it has taken when it took no more: what the driver's buffers hold.
    capacity: usize,
}

impl Tty {
    /// Opens a node for exclusive use and makes it raw at once: a fresh tty echoes whatever a modem sends back to it,
    /// and takes the 0x04 in a Sahara hello for the end of a file (lab-facts.md §2). Nothing is flushed, because
    /// that hello may be there already.
    pub(crate) fn open(node: &std::path::Path) -> Result<Self, PortErrorKind> {
        let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let descriptor = loop {
            match fs::open(node, flags, Mode::empty()) {
                Ok(descriptor) => break descriptor,
                Err(Errno::INTR) => {}
                Err(errno) => return Err(open_error(errno)),
            }
        };
        make_raw(&descriptor)?;
        termios::ioctl_tiocexcl(&descriptor).map_err(|errno| use_error("TIOCEXCL", errno))?;
        Ok(Self {
            descriptor,
            write_retry: None,
            capacity: 0,
        })
    }

    /// What is there, 0 when nothing is.
    pub(crate) fn read(&self, buffer: &mut [u8]) -> Result<usize, PortErrorKind> {
        if buffer.is_empty() {
            return Ok(0);
        }
        loop {
            match io::read(&self.descriptor, &mut *buffer) {
                // With VMIN 1 an empty tty says EAGAIN; the end of the file is a tty that was hung up.
                Ok(0) => return Err(PortErrorKind::Gone),
                Ok(count) => return Ok(count),
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => return Ok(0),
                Err(errno) => return Err(use_error("read", errno)),
            }
        }
    }

    /// Writes what the port takes now, 0 when it takes nothing.
    pub(crate) fn write(&mut self, bytes: &[u8]) -> Result<usize, PortErrorKind> {
        if bytes.is_empty() {
            return Ok(0);
        }
        loop {
            match io::write(&self.descriptor, bytes) {
                Ok(0) | Err(Errno::AGAIN) => {
                    self.write_retry.get_or_insert(RETRY_FIRST);
                    return Ok(0);
                }
                Ok(count) => {
                    let before = self.write_retry.unwrap_or(RETRY_FIRST);
                    self.write_retry = Some(if count < bytes.len() {
                        self.capacity = self.capacity.max(count);
                        paced(before, count, self.capacity)
                    } else {
                        before
                    });
                    return Ok(count);
                }
                Err(Errno::INTR) => {}
                Err(errno) => return Err(use_error("write", errno)),
            }
        }
    }

    /// The time of a retry was waited for: the next one takes longer, until the port takes something again.
    pub(crate) fn write_retry_is_over(&mut self) {
        self.write_retry = self
            .write_retry
            .map(|before| before.saturating_mul(2).min(RETRY_LIMIT));
    }

    /// Closes without waiting for unsent bytes.
    ///
    /// The kernel's wait can't be switched off for everyone: flushing the output does nothing on usb-serial, and
    /// changing `closing_wait` needs root. So a thread of its own closes, and is left behind when that lasts. The
    /// end of the process interrupts it.
    pub(crate) fn close(self) {
        // While the kernel still closes, this program may open the port anew.
        let _ = termios::ioctl_tiocnxcl(&self.descriptor);
        let (closed, has_closed) = mpsc::sync_channel::<()>(1);
        let descriptor = self.descriptor;
        let spawned = thread::Builder::new().name("close".to_owned()).spawn(move || {
            drop(descriptor);
            drop(closed);
        });
        if spawned.is_ok() {
            // Ends as soon as the other end is dropped.
            let _ = has_closed.recv_timeout(CLOSING_PATIENCE);
        }
    }
}

impl AsFd for Tty {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.descriptor.as_fd()
    }
}

/// How long to wait after a port of this capacity took so many bytes and then no more, when the wait before was `before`.
///
/// One that was empty has waited for us, and is to be filled sooner; one that had much left to send was asked too early, which
/// costs as much as a write that is worth it. In between is the pace of the modem.
fn paced(before: Duration, taken: usize, capacity: usize) -> Duration {
    let step = before / 4;
    let next = if taken >= capacity {
        before.saturating_sub(step)
    } else if taken < capacity / 2 {
        before.saturating_add(step)
    } else {
        before
    };
    next.clamp(RETRY_FIRST, RETRY_LIMIT)
}

/// The table in linux.md §7.
fn make_raw(descriptor: &OwnedFd) -> Result<(), PortErrorKind> {
    let mut settings = termios::tcgetattr(descriptor).map_err(|errno| match errno {
        Errno::NOTTY | Errno::INVAL => PortErrorKind::NotASerialPort,
        errno => use_error("tcgetattr", errno),
    })?;
    settings.input_modes -= InputModes::IGNBRK
        | InputModes::BRKINT
        | InputModes::PARMRK
        | InputModes::INPCK
        | InputModes::ISTRIP
        | InputModes::INLCR
        | InputModes::IGNCR
        | InputModes::ICRNL
        | InputModes::IXON
        | InputModes::IXOFF
        | InputModes::IXANY;
    settings.output_modes -= OutputModes::OPOST;
    settings.local_modes -=
        LocalModes::ECHO | LocalModes::ECHONL | LocalModes::ICANON | LocalModes::ISIG | LocalModes::IEXTEN;
    settings.control_modes -= ControlModes::CSIZE
        | ControlModes::PARENB
        | ControlModes::CSTOPB
        | ControlModes::CRTSCTS
        | ControlModes::HUPCL;
    settings.control_modes |= ControlModes::CS8 | ControlModes::CREAD | ControlModes::CLOCAL;
    settings.special_codes[SpecialCodeIndex::VMIN] = 1;
    settings.special_codes[SpecialCodeIndex::VTIME] = 0;
    settings
        .set_speed(SPEED_BAUD)
        .map_err(|errno| use_error("set_speed", errno))?;
    termios::tcsetattr(descriptor, OptionalActions::Now, &settings)
        .map_err(|errno| use_error("tcsetattr", errno))
}

pub(crate) fn open_error(errno: Errno) -> PortErrorKind {
    match errno {
        // ENXIO and ENODEV: the node is there, the device behind it isn't.
        Errno::NOENT | Errno::NOTDIR | Errno::NXIO | Errno::NODEV => PortErrorKind::NotFound,
        Errno::ACCESS | Errno::PERM => PortErrorKind::PermissionDenied,
        Errno::BUSY => PortErrorKind::Busy { holder: None },
        Errno::ISDIR => PortErrorKind::NotASerialPort,
        errno => use_error("open", errno),
    }
}

pub(crate) fn use_error(call: &'static str, errno: Errno) -> PortErrorKind {
    match errno {
        // What a tty says after its device was pulled (linux.md §7), and the USB core while that goes on.
        Errno::IO | Errno::NODEV | Errno::NXIO | Errno::SHUTDOWN => PortErrorKind::Gone,
        errno => PortErrorKind::Io {
            call,
            errno: errno.raw_os_error(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a driver with four buffers of 4 KiB takes from a modem of this speed, when it is tried at this pace.
    fn writes_for(megabyte: usize, bytes_per_second: u64) -> (usize, Duration) {
        const CAPACITY: usize = 16 * 1024;
        let (mut wait, mut writes, mut spent) = (RETRY_FIRST, 0, Duration::ZERO);
        let (mut queued, mut left) = (CAPACITY, megabyte);
        while left > 0 {
            spent += wait;
            let microseconds = u64::try_from(wait.as_micros()).unwrap();
            let drained = usize::try_from(microseconds * bytes_per_second / 1_000_000).unwrap();
            queued = queued.saturating_sub(drained);
            // Whole buffers only.
            let room = (CAPACITY - queued) / 4096 * 4096;
            writes += 1;
            if room == 0 {
                wait = (wait * 2).min(RETRY_LIMIT);
                continue;
            }
            wait = paced(wait, room, CAPACITY);
            queued += room;
            left = left.saturating_sub(room);
        }
        (writes, spent)
    }

    #[test]
    fn a_slow_modem_is_not_tried_in_vain_and_keeps_something_to_do() {
        for bytes_per_second in [300_000, 2_000_000, 8_000_000] {
            let (writes, spent) = writes_for(1 << 20, bytes_per_second);
            // 64 at least, when each fills the port.
            assert!(writes < 200, "{bytes_per_second}: {writes}");
            let ideal = Duration::from_micros((1 << 20) * 1_000_000 / bytes_per_second);
            assert!(spent < ideal.mul_f64(1.1), "{bytes_per_second}: {spent:?}");
        }
    }

    #[test]
    fn waits_stay_between_their_limits() {
        assert_eq!(paced(RETRY_FIRST, 16, 16), RETRY_FIRST);
        assert_eq!(paced(RETRY_LIMIT, 1, 16), RETRY_LIMIT);
        assert_eq!(paced(Duration::from_millis(8), 12, 16), Duration::from_millis(8));
    }
}
