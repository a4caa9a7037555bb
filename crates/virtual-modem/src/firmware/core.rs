//! The state that all ports of running firmware share. The next restart ends it.

use modem_protocol::qmi::dms::{OfflineReason, OperatingMode, OperatingState};
use modem_world::Instant;

use super::clients::Clients;
use crate::board::Board;
use crate::violation::Wrong;

/// The state of the firmware since it booted.
#[derive(Debug)]
pub(crate) struct Core {
    pub(crate) mode: OperatingMode,
    /// Firmware and settings don't belong together, so the radio stays off whatever the host wants.
    pub(crate) is_mismatched: bool,
    pub(crate) clients: Clients,
    /// The next restart ends in boot & hold (DMS 0x0050).
    pub(crate) boots_to_recovery: bool,
    /// The host has given `AT!ENTERCND`.
    pub(crate) is_unlocked: bool,
    pub(crate) started: Instant,
    /// When the last answer on a control port will have been sent.
    due: Instant,
}

impl Core {
    pub(crate) fn new(board: &Board) -> Self {
        let is_mismatched = board.storage.is_mismatched();
        Self {
            mode: if is_mismatched {
                OperatingMode::LowPower
            } else {
                OperatingMode::Online
            },
            is_mismatched,
            clients: Clients::new(board.setup.quirks.has_stale_clients),
            boots_to_recovery: false,
            is_unlocked: false,
            started: board.attached_at,
            due: Instant::START,
        }
    }

    /// Whether the modem still has to send an answer on the control port.
    pub(crate) fn owes_an_answer(&self, now: Instant) -> bool {
        self.due > now
    }

    pub(crate) fn answers_until(&mut self, until: Instant) {
        self.due = self.due.max(until);
    }

    /// Restarts the modem because the host asked for it. If the modem still owed an answer to another
    /// request, that is a violation.
    pub(crate) fn restart(&mut self, owes_an_answer: bool, board: &mut Board, now: Instant) {
        if owes_an_answer {
            board.wrong(Wrong::ResetWhileBusy, now);
        }
        board.storage.holds |= self.boots_to_recovery;
        board.restart_firmware(now);
    }

    pub(crate) fn operating_state(&self) -> OperatingState {
        let radio_is_off = !matches!(self.mode, OperatingMode::Online | OperatingMode::FactoryTest);
        OperatingState {
            mode: self.mode,
            offline_reason: (radio_is_off && self.is_mismatched)
                .then_some(OfflineReason::PRI_VERSION_INCOMPATIBLE),
            is_hardware_restricted: Some(false),
        }
    }

    /// Whether the radio is on.
    pub(crate) fn is_online(&self) -> bool {
        self.mode == OperatingMode::Online
    }
}
