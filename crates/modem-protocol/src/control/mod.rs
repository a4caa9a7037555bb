//! The host's side of a control port in normal mode: opening it, a DMS client, one request after another, closing it
//! (qmi.md §4, mbim.md §4, update-flow.md S1).
//!
//! The driver's loop:
//!
//! 1. [`Session::poll`] until it says [`Step::Wait`], or something that the caller has waited for. Every [`Step::Send`]
//!    is one write.
//! 2. Wait until bytes come or the deadline passes.
//! 3. Hand in what happened: [`Session::receive`], [`Session::closed`].
//! 4. Again from 1. Passed deadlines are noticed by `poll`.

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
    /// The port is open and nothing is under way: a request can be made. It is said as long as it is true.
    Ready,
    /// The answer to the request; it is said once.
    Answer(Result<dms::Response, ControlError>),
    /// The port can't be opened; the session is over except for [`Session::close`].
    Failed(ControlError),
    /// The session is over and the port can be closed, or it has gone.
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
    /// The client id is given back and MBIM is closed, each with two seconds at most.
    Release,
    /// For a modem that is being reset: nothing is given back, and MBIM's close isn't waited for (mbim.md §4.4).
    Abandon,
}

/// How a request, or opening the port for it, fails. `request` is what was asked for, in words.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ControlError {
    /// Nothing came.
    #[error("no answer to \"{request}\" within {} s", waited.as_secs_f32())]
    Silent {
        /// What was asked for last.
        request: &'static str,
        /// How long it was waited for, all attempts together.
        waited: Duration,
    },
    /// The modem said no.
    #[error("\"{request}\" refused: {error}")]
    Refused {
        /// What was asked for.
        request: &'static str,
        /// What the modem said.
        error: QmiError,
    },
    /// The port has gone, or the modem says that it has started anew, while the answer to a request that restarts it
    /// was awaited.
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
    /// An answer didn't come out of its MBIM fragments.
    #[error("answer to \"{request}\" incomplete: {error}")]
    Fragmented {
        /// What was asked for.
        request: &'static str,
        /// What is wrong with it.
        error: FragmentError,
    },
    /// The MBIM function refuses; a modem without QMI over MBIM says "no device support".
    #[error("\"{request}\" refused by the MBIM function: {status}")]
    MbimRefused {
        /// What was asked for.
        request: &'static str,
        /// What the function said.
        status: Status,
    },
    /// The MBIM function can't read what it got.
    #[error("\"{request}\" not understood by the MBIM function: {fault}")]
    MbimFault {
        /// What was asked for.
        request: &'static str,
        /// What the function said.
        fault: ProtocolFault,
    },
    /// qmi-proxy doesn't open the port.
    #[error("qmi-proxy doesn't open {device}: {error}")]
    ProxyRefused {
        /// The port.
        device: String,
        /// What the proxy said.
        error: QmiError,
    },
    /// qmi-proxy ends the connection instead of opening the port; it does so when it can't (qmi.md §6).
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
