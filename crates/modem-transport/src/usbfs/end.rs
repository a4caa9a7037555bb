//! How a transfer ended.

use modem_world::PortErrorKind;
use rustix::io::Errno;

/// How a transfer ended (kernel, `Documentation/driver-api/usb/error-codes.rst`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    Done,
    /// The device has left, or this program has lost the interface.
    Gone,
    /// No answer, or a damaged one. Controllers report that in several ways, above all between a device's departure and its
    /// notice.
    Silent,
    /// Another error, with its number.
    Failed(i32),
}

impl End {
    /// From the status of a transfer: 0, or the negative number of an error.
    pub(super) fn of(status: i32) -> Self {
        let is = |errno: &Errno| errno.raw_os_error() == status.saturating_neg();
        if status == 0 {
            Self::Done
        } else if [Errno::NODEV, Errno::SHUTDOWN, Errno::NOENT, Errno::CONNRESET]
            .iter()
            .any(is)
        {
            Self::Gone
        } else if [Errno::PROTO, Errno::ILSEQ, Errno::TIME, Errno::COMM]
            .iter()
            .any(is)
        {
            Self::Silent
        } else {
            Self::Failed(status.saturating_neg())
        }
    }

    /// What the port fails with.
    pub(super) const fn error(self, is_output: bool) -> PortErrorKind {
        match self {
            Self::Failed(errno) => PortErrorKind::Io {
                call: if is_output { "bulk write" } else { "bulk read" },
                errno,
            },
            _ => PortErrorKind::Gone,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_status_has_a_meaning() {
        assert_eq!(End::of(0), End::Done);
        // Another program took the interface, or reset the device.
        assert_eq!(End::of(-2), End::Gone);
        assert_eq!(End::of(-104), End::Gone);
        assert_eq!(End::of(-108), End::Gone);
        assert_eq!(End::of(-71), End::Silent);
        assert_eq!(End::of(-32), End::Failed(32));
        for status in [i32::MIN, i32::MAX, 1, -4096] {
            assert!(matches!(End::of(status), End::Failed(_)), "{status}");
        }
    }
}
