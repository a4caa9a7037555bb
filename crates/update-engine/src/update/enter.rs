//! The modem is sent into download mode without being told what is to come.

use modem_protocol::control::Closing;

use super::stages::{Course, Stage};
use super::work::Update;
use crate::told::{Cause, ModemState, Step};

impl Update<'_> {
    /// [`Stage::Enter`]: all ways into download mode, in turn.
    ///
    /// # Errors
    /// No way leads there, or the modem can't be reached there; the user stops.
    pub(super) fn enter(&mut self, course: Course) -> Result<Stage, Cause> {
        self.run.close_session(Closing::Release)?;
        self.run.refuse_unreachable(course.goal.agreed)?;
        self.run.begin(Step::EnterDownloadMode);
        let arrival = self.run.boot_and_hold(self.request.control, course.goal.agreed)?;
        if arrival.is_in_download_mode() {
            Ok(Stage::Send(course))
        } else {
            Err(self.not_entered(arrival.tried))
        }
    }

    /// [`Stage::EnterAgain`]: the modem was told and restarted, but into its firmware: the other ways into download mode
    /// (field-reports.md B8).
    ///
    /// # Errors
    /// As [`enter`](Self::enter); what the modem preferred before is put back.
    pub(super) fn enter_again(&mut self, course: Course) -> Result<Stage, Cause> {
        self.run.close_session(Closing::Release)?;
        let first = "preference and power cycle: it came back in normal mode".to_owned();
        self.run.retry("the way into download mode", 2, &first);
        // The modem may have come back under another id than before.
        let is_reachable = self.run.refuse_unreachable(course.goal.agreed);
        let (control, agreed) = (self.request.control, course.goal.agreed);
        let arrival = match is_reachable.and_then(|()| self.run.boot_and_hold(control, agreed)) {
            Ok(arrival) => arrival,
            // Stopped, or lost on the way: where the modem runs, it must not prefer what it hasn't got.
            Err(cause) => {
                self.undo_in_normal_mode(&course)?;
                return Err(cause);
            }
        };
        if arrival.is_in_download_mode() {
            return Ok(Stage::Send(course));
        }
        self.run.set_modem(ModemState::WrongPreference);
        self.note_what_runs(&course.pass)?;
        self.put_back(&course.pass)?;
        let tried = std::iter::once(first).chain(arrival.tried).collect();
        Err(self.not_entered(tried))
    }

    fn not_entered(&self, tried: Vec<String>) -> Cause {
        Cause::NotEntered {
            tried,
            is_pin: self.run.whereabouts().may_be_pinned(),
        }
    }
}
