//! What can go wrong at the seam: kind for the program, errno and path for support.

use crate::{PortHolder, PortId, UsbPath};

/// A port can't be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{port}: {kind}")]
pub struct PortError {
    /// The port.
    pub port: PortId,
    /// What is wrong.
    pub kind: PortErrorKind,
}

/// What is wrong with a port.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PortErrorKind {
    /// There is no such port.
    #[error("no such port")]
    NotFound,
    /// The user isn't allowed to open it.
    #[error("permission denied")]
    PermissionDenied,
    /// Another process has it open.
    #[error("in use{}", holder.as_ref().map(|holder| format!(" by {holder}")).unwrap_or_default())]
    Busy {
        /// The process, when it can be found out.
        holder: Option<PortHolder>,
    },
    /// The port isn't a serial port.
    #[error("not a serial port")]
    NotASerialPort,
    /// The port has left the bus.
    #[error("has gone")]
    Gone,
    /// Bytes from the modem were lost before they were read; the port itself is still usable.
    #[error("bytes from the modem were lost")]
    DataLost,
    /// Anything else.
    #[error("{call}: errno {errno}")]
    Io {
        /// The system call.
        call: &'static str,
        /// Its error number.
        errno: i32,
    },
}

/// The bus can't be read, or the requested port isn't there.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DiscoveryError {
    /// There is no such port.
    #[error("{name}: no such port")]
    NotFound {
        /// The name that was asked for.
        name: String,
    },
    /// The port isn't a serial port.
    #[error("{name}: not a serial port")]
    NotASerialPort {
        /// The name that was asked for.
        name: String,
    },
    /// A file can't be read.
    #[error("{path}: {call}: errno {errno}")]
    Io {
        /// The file.
        path: String,
        /// The system call.
        call: &'static str,
        /// Its error number.
        errno: i32,
    },
}

/// The host can't do what the engine asked for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HostError {
    /// The service of the host that could do this isn't there.
    #[error("{service} isn't there")]
    NoService {
        /// Its name.
        service: String,
    },
    /// A service of the host refused.
    #[error("{service}: {why}")]
    Refused {
        /// Its name.
        service: String,
        /// What the service said.
        why: String,
    },
    /// The host has no way to do this.
    #[error("{device}: not possible on this host")]
    Unsupported {
        /// The device.
        device: UsbPath,
    },
    /// A file can't be written.
    #[error("{path}: errno {errno}")]
    Io {
        /// The file.
        path: String,
        /// Error number.
        errno: i32,
    },
}
