//! A session with the running firmware, and what it has to say.

use modem_protocol::at;
use modem_protocol::control::{self, ControlError};
use modem_protocol::qmi::dms::Response;
use modem_world::{Instant, PortHandle};

use crate::modem::Language;

/// An open session with the running firmware.
pub(crate) enum Session {
    /// QMI or MBIM over a control port.
    Control(ControlSession),
    /// AT commands over a serial port.
    At(AtSession),
}

/// A session over a control port.
pub(crate) struct ControlSession {
    pub(crate) session: control::Session,
    pub(crate) handle: PortHandle,
    pub(crate) language: Language,
    /// Until then the modem is asked again when the modem answers "not ready".
    pub(crate) ready_by: Instant,
}

/// A session over an AT port.
pub(crate) struct AtSession {
    pub(crate) session: at::session::Session,
    pub(crate) handle: PortHandle,
}

/// What a control session has to say.
pub(crate) enum ControlSaid {
    Ready,
    Answer(Result<Response, ControlError>),
    Failed(ControlError),
    Closed,
}

/// What an AT session has to say.
pub(crate) enum AtSaid {
    Ready,
    Outcome(Result<at::session::Outcome, at::session::AtError>),
}
