//! Switches the modem to download mode without setting a firmware preference first.

use modem_protocol::control::Closing;

use super::stages::{Course, Stage};
use super::work::Update;
use crate::told::{Cause, ModemState, Step};

impl Update<'_> {
    /// [`Stage::Enter`]: tries all ways into download mode, in turn.
    ///
    /// # Errors
    /// No way works, or no driver on this host can reach the modem in download mode; the user stops.
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

    /// [`Stage::EnterAgain`]: the modem took the firmware preference and restarted, but into its firmware. Tries the other ways
    /// into download mode (field-reports.md B8).
    ///
    /// # Errors
    /// As [`enter`](Self::enter). The modem's old preference is restored.
    pub(super) fn enter_again(&mut self, course: Course) -> Result<Stage, Cause> {
        self.run.close_session(Closing::Release)?;
        let first = "preference and power cycle: the modem came back in normal mode".to_owned();
        self.run.retry("the switch to download mode", 2, &first);
        // The modem may have come back with a different USB id.
        let is_reachable = self.run.refuse_unreachable(course.goal.agreed);
        let (control, agreed) = (self.request.control, course.goal.agreed);
        let arrival = match is_reachable.and_then(|()| self.run.boot_and_hold(control, agreed)) {
            Ok(arrival) => arrival,
            // The user stopped, or the modem was lost on the way. If its firmware runs, it must not prefer images that it
            // doesn't have.
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
