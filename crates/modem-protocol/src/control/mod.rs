//! The host's side of a control port in normal mode: opens the port, gets a DMS client, sends one request after
//! another, closes the port (qmi.md §4, mbim.md §4, update-flow.md S1).
//!
//! The driver's loop:
//!
//! 1. Call [`Session::poll`] until it returns [`Step::Wait`], or the step that the caller waits for. Write every
//!    [`Step::Send`] in one write.
//! 2. Wait until bytes come or the deadline passes.
//! 3. Hand in what happened: [`Session::receive`], [`Session::closed`].
//! 4. Start again from 1. `poll` notices passed deadlines.

mod channel;
mod session;

use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use crate::mbim::{FragmentError, ProtocolFault, Status};
use crate::qmi::{QmiError, dms};
use crate::{Instant, ParseError};

pub use session::Session;

/// How the control port is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Link {
    /// A port that speaks QMI.
    Qmi,
    /// qmi-proxy, which has the port open for several programs.
    QmiProxy {
        /// Path of the port, for the proxy.
        device: String,
    },
    /// A port that speaks MBIM.
    Mbim {
        /// The longest control transfer, in bytes; 4,096 on Sierra modems (mbim.md §3).
        largest: usize,
    },
}

/// What the driver is to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Write these bytes in one piece: a whole frame, or an MBIM message or fragment.
    Send(Vec<u8>),
    /// The port is open and no request is under way, so the caller can make one. `poll` returns this as long as it is
    /// true.
    Ready,
    /// The answer to the request. `poll` returns it once.
    Answer(Result<dms::Response, ControlError>),
    /// The port can't be opened; the session is over except for [`Session::close`].
    Failed(ControlError),
    /// The session is over. The port can be closed, or has already disappeared.
    Closed,
    /// Nothing to do until bytes come or this moment is reached.
    Wait {
        /// The deadline of the present step.
        until: Instant,
    },
}

/// How a session ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Closing {
    /// Give back the client id and close MBIM, waiting at most two seconds for each.
    Release,
    /// For a modem that is being reset: don't give back the client id, and don't wait for MBIM's close (mbim.md
    /// §4.4).
    Abandon,
}

/// How a request fails, or opening the port for it. `request` is the name of the request.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ControlError {
    /// Nothing came.
    #[error("no answer to \"{request}\" within {} s", waited.as_secs_f32())]
    Silent {
        /// The last request.
        request: &'static str,
        /// How long the session waited, all attempts together.
        waited: Duration,
    },
    /// The modem refused.
    #[error("\"{request}\" refused: {error}")]
    Refused {
        /// What was asked for.
        request: &'static str,
        /// What the modem said.
        error: QmiError,
    },
    /// The port has disappeared. Or the modem reports that it has started anew while it should answer a request that
    /// restarts it.
    #[error("the modem left the bus during \"{request}\"")]
    Gone {
        /// What was asked for.
        request: &'static str,
    },
    /// An answer can't be read.
    #[error("answer to \"{request}\" not understood: {error}")]
    Garbled {
        /// What was asked for.
        request: &'static str,
        /// What is wrong with it.
        error: ParseError,
    },
    /// An answer couldn't be put together from its MBIM fragments.
    #[error("answer to \"{request}\" incomplete: {error}")]
    Fragmented {
        /// What was asked for.
        request: &'static str,
        /// What is wrong with it.
        error: FragmentError,
    },
    /// The MBIM function refuses. A modem without QMI over MBIM answers "no device support".
    #[error("\"{request}\" refused by the MBIM function: {status}")]
    MbimRefused {
        /// What was asked for.
        request: &'static str,
        /// What the function said.
        status: Status,
    },
    /// The MBIM function can't read the host's message.
    #[error("\"{request}\" not understood by the MBIM function: {fault}")]
    MbimFault {
        /// What was asked for.
        request: &'static str,
        /// What the function said.
        fault: ProtocolFault,
    },
    /// qmi-proxy refuses to open the port.
    #[error("qmi-proxy doesn't open {device}: {error}")]
    ProxyRefused {
        /// The port.
        device: String,
        /// What the proxy said.
        error: QmiError,
    },
    /// qmi-proxy ended the connection instead of opening the port. It does that if it can't open the port (qmi.md
    /// §6).
    #[error("qmi-proxy ended the connection instead of opening {device}")]
    ProxyClosed {
        /// The port.
        device: String,
    },
    /// The session was closed before.
    #[error("\"{request}\" asked for on a closed port")]
    Closed {
        /// What was asked for.
        request: &'static str,
    },
}
