//! What a session is after, and the question that is under way.

use core::mem;
use core::time::Duration;

use super::super::ControlError;
use super::State;
use crate::Instant;
use crate::qmi::dms::{self, OperatingMode};

/// What is to be reached.
#[derive(Clone, Debug)]
pub(super) struct Goal {
    pub(super) aim: Aim,
    pub(super) since: Instant,
    pub(super) until: Instant,
    /// Attempts at the present part of the way that came to nothing.
    pub(super) tries: u8,
    /// Greetings that stayed without an answer.
    pub(super) greetings: u8,
    /// How often MBIM was closed and opened again.
    pub(super) reopenings: u8,
    /// Whether the modem has answered a sync on the way.
    pub(super) is_synced: bool,
    /// What to say instead of "no answer".
    pub(super) noted: Option<ControlError>,
}

#[derive(Clone, Debug)]
pub(super) enum Aim {
    Open,
    Ask {
        request: dms::Request,
        /// The client id was replaced once.
        is_client_renewed: bool,
        /// It was repeated after an internal error.
        is_repeated: bool,
    },
}

/// One question that is under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Exchange {
    pub(super) what: What,
    /// Its QMI transaction, 0 if it isn't QMI.
    pub(super) transaction: u16,
    /// Its MBIM transaction, 0 if there is no MBIM.
    pub(super) mbim_transaction: u32,
    pub(super) deadline: Instant,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum What {
    ProxyOpen,
    MbimOpen,
    /// MBIM's close before another open.
    MbimReset,
    /// A question that changes nothing, for a modem that ignores the first message.
    Greet,
    Allocate,
    Sync,
    Ask,
    Release,
    MbimClose,
    /// Nothing: some time passes before another try.
    Pause,
}

impl Aim {
    /// Whether the client id may be replaced; it may once.
    pub(super) const fn renew_client(&mut self) -> bool {
        match self {
            Self::Ask {
                is_client_renewed, ..
            } => !mem::replace(is_client_renewed, true),
            Self::Open => false,
        }
    }

    /// Whether the request may be repeated; it may once.
    pub(super) const fn repeat(&mut self) -> bool {
        match self {
            Self::Ask { is_repeated, .. } => !mem::replace(is_repeated, true),
            Self::Open => false,
        }
    }

    /// Whether a modem that does this starts anew.
    pub(super) const fn restarts_the_modem(&self) -> bool {
        use dms::Request;
        matches!(
            self,
            Self::Ask {
                request: Request::SetOperatingMode(OperatingMode::Reset | OperatingMode::ShuttingDown)
                    | Request::SetFirmwareId
                    | Request::SwiResetToDownloadMode,
                ..
            }
        )
    }
}

impl Goal {
    pub(super) fn new(aim: Aim, patience: Duration, now: Instant) -> Self {
        Self {
            aim,
            since: now,
            until: now + patience,
            tries: 0,
            greetings: 0,
            reopenings: 0,
            is_synced: false,
            noted: None,
        }
    }

    pub(super) const fn name(&self, what: What) -> &'static str {
        match (what, &self.aim) {
            (What::Ask, Aim::Ask { request, .. }) => request.name(),
            (What::Ask | What::Pause, _) => "open",
            (What::ProxyOpen, _) => "open through qmi-proxy",
            (What::MbimOpen, _) => "MBIM open",
            (What::MbimReset | What::MbimClose, _) => "MBIM close",
            (What::Greet, _) => "get version info",
            (What::Allocate, _) => "allocate client id",
            (What::Sync, _) => "sync",
            (What::Release, _) => "release client id",
        }
    }

    /// The goal isn't reached.
    pub(super) fn fails_with(&self, error: ControlError) -> State {
        match self.aim {
            Aim::Open => State::Failed(error),
            Aim::Ask { .. } => State::Answered(Err(error)),
        }
    }
}
