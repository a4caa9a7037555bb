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

/// How long closing may take before it continues in the background. The kernel waits up to 30 s when it
/// closes a ttyUSB with unsent data (lab-facts.md §2; `closing_wait` of `struct tty_port`); without unsent
/// data it closes within microseconds.
const CLOSING_PATIENCE: Duration = Duration::from_millis(50);

/// Any speed but 0, which would hang up. A USB modem ignores the speed (linux.md §7).
const SPEED_BAUD: u32 = 115_200;

/// The shortest wait before writing is tried again although `poll` reports nothing. The wait doubles up to
/// [`RETRY_LIMIT`] while the port takes nothing.
pub(crate) const RETRY_FIRST: Duration = Duration::from_millis(1);

/// The longest wait. A modem may hold up the host for 60 s (field-reports.md C10), and then there is no
/// hurry.
const RETRY_LIMIT: Duration = Duration::from_millis(64);

/// An open tty.
#[derive(Debug)]
pub(crate) struct Tty {
    descriptor: OwnedFd,
    /// After how long to try writing again if `poll` reports nothing; set by a write.
    pub(crate) write_retry: Option<Duration>,
    /// The most bytes that an incomplete write has taken so far: what the driver's buffers hold.
    capacity: usize,
}

impl Tty {
    /// Opens a node for exclusive use and makes it raw at once. A fresh tty echoes everything that a modem
    /// sends back to the modem, and takes the 0x04 in a Sahara hello for an end of file (lab-facts.md §2).
    /// Nothing is flushed, because that hello may have arrived already.
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

    /// Reads what is there; 0 if there is nothing.
    pub(crate) fn read(&self, buffer: &mut [u8]) -> Result<usize, PortErrorKind> {
        if buffer.is_empty() {
            return Ok(0);
        }
        loop {
            match io::read(&self.descriptor, &mut *buffer) {
                // With VMIN 1 an empty tty returns EAGAIN. An end of file means that the tty was hung up.
                Ok(0) => return Err(PortErrorKind::Gone),
                Ok(count) => return Ok(count),
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => return Ok(0),
                Err(errno) => return Err(use_error("read", errno)),
            }
        }
    }

    /// Writes what the port takes now; 0 if it takes nothing.
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

    /// Notes that the time until a retry has passed: the next wait is longer, until the port takes something
    /// again.
    pub(crate) fn write_retry_is_over(&mut self) {
        self.write_retry = self
            .write_retry
            .map(|before| before.saturating_mul(2).min(RETRY_LIMIT));
    }

    /// Closes without waiting for unsent bytes.
    ///
    /// The kernel's wait for unsent bytes can't be switched off for every user: flushing the output does
    /// nothing on usb-serial, and changing `closing_wait` needs root. So a separate thread closes the port,
    /// and is left behind if that takes long. The end of the process interrupts it.
    pub(crate) fn close(self) {
        // Allows this program to open the port again while the kernel is still closing it.
        let _ = termios::ioctl_tiocnxcl(&self.descriptor);
        let (closed, has_closed) = mpsc::sync_channel::<()>(1);
        let descriptor = self.descriptor;
        let spawned = thread::Builder::new().name("close".to_owned()).spawn(move || {
            drop(descriptor);
            drop(closed);
        });
        if spawned.is_ok() {
            // This returns as soon as the thread drops the other end.
            let _ = has_closed.recv_timeout(CLOSING_PATIENCE);
        }
    }
}

impl AsFd for Tty {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.descriptor.as_fd()
    }
}

/// How long to wait after a port with this capacity took `taken` bytes and then no more, when the wait before
/// was `before`.
///
/// If the port was empty, it has waited for us: wait less. If much was left to send, the write came too
/// early, and it costs as much as a useful one: wait longer. In between, the pace is that of the modem.
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

/// Sets the modes of the table in linux.md §7.
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
        // ENXIO and ENODEV: the node is there, but the device behind it isn't.
        Errno::NOENT | Errno::NOTDIR | Errno::NXIO | Errno::NODEV => PortErrorKind::NotFound,
        Errno::ACCESS | Errno::PERM => PortErrorKind::PermissionDenied,
        Errno::BUSY => PortErrorKind::Busy { holder: None },
        Errno::ISDIR => PortErrorKind::NotASerialPort,
        errno => use_error("open", errno),
    }
}

pub(crate) fn use_error(call: &'static str, errno: Errno) -> PortErrorKind {
    match errno {
        // The errors of a tty after its device was pulled (linux.md §7), and those of the USB core while the
        // device is being removed.
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

    /// The number of writes and the time that it takes to send to a modem of this speed, through a driver
    /// with four buffers of 4 KiB.
    fn writes_for(megabyte: usize, bytes_per_second: u64) -> (usize, Duration) {
        const CAPACITY: usize = 16 * 1024;
        let (mut wait, mut writes, mut spent) = (RETRY_FIRST, 0, Duration::ZERO);
        let (mut queued, mut left) = (CAPACITY, megabyte);
        while left > 0 {
            spent += wait;
            let microseconds = u64::try_from(wait.as_micros()).unwrap();
            let drained = usize::try_from(microseconds * bytes_per_second / 1_000_000).unwrap();
            queued = queued.saturating_sub(drained);
            // A driver takes whole buffers only.
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
            // At least 64, if each write fills the port.
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
