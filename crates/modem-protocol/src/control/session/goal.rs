//! The goal of a session, and the question that is under way.

use core::mem;
use core::time::Duration;

use super::super::ControlError;
use super::ControlState;
use crate::Instant;
use crate::qmi::dms::{self, OperatingMode};

/// What the session wants to reach, and its progress towards that.
#[derive(Clone, Debug)]
pub(super) struct Goal {
    pub(super) aim: Aim,
    pub(super) since: Instant,
    pub(super) until: Instant,
    /// How many attempts at the present stage have failed.
    pub(super) tries: u8,
    /// How many greetings got no answer.
    pub(super) greetings: u8,
    /// How often MBIM was closed and opened again.
    pub(super) reopenings: u8,
    /// Whether the modem has answered a sync for this goal.
    pub(super) is_synced: bool,
    /// The error to report instead of "no answer".
    pub(super) noted: Option<ControlError>,
}

#[derive(Clone, Debug)]
pub(super) enum Aim {
    Open,
    Ask {
        request: dms::Request,
        /// Whether the client id was already replaced.
        is_client_renewed: bool,
        /// Whether the request was already repeated after an internal error.
        is_repeated: bool,
    },
}

/// One question that is under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Exchange {
    pub(super) what: What,
    /// The QMI transaction; 0 if the question isn't QMI.
    pub(super) transaction: u16,
    /// The MBIM transaction; 0 without MBIM.
    pub(super) mbim_transaction: u32,
    pub(super) deadline: Instant,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum What {
    ProxyOpen,
    MbimOpen,
    /// MBIM's close before another open.
    MbimReset,
    /// A question that changes nothing. It is sent first because a modem may ignore the first message.
    Greet,
    Allocate,
    Sync,
    Ask,
    Release,
    MbimClose,
    /// No question: the session waits before the next try.
    Pause,
}

impl Aim {
    /// Whether the client id may be replaced. Each call uses up the one replacement that is allowed.
    pub(super) const fn renew_client(&mut self) -> bool {
        match self {
            Self::Ask {
                is_client_renewed, ..
            } => !mem::replace(is_client_renewed, true),
            Self::Open => false,
        }
    }

    /// Whether the request may be repeated. Each call uses up the one repetition that is allowed.
    pub(super) const fn repeat(&mut self) -> bool {
        match self {
            Self::Ask { is_repeated, .. } => !mem::replace(is_repeated, true),
            Self::Open => false,
        }
    }

    /// Whether the request makes the modem restart.
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

    /// The state after this goal has failed with `error`.
    pub(super) fn fails_with(&self, error: ControlError) -> ControlState {
        match self.aim {
            Aim::Open => ControlState::Failed(error),
            Aim::Ask { .. } => ControlState::Answered(Err(error)),
        }
    }
}
