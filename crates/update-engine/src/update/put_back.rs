//! After a failure: restores the modem's old firmware preference, and finds out what the modem runs now.

use std::time::Duration;

use modem_protocol::control::Closing;
use modem_protocol::qmi::dms::{Request as Dms, Response};

use super::stages::Course;
use super::work::Update;
use crate::decide::Pass;
use crate::modem::Mode;
use crate::run::{Deed, Heed};
use crate::talk::{OPEN_PATIENCE, PATIENCE};
use crate::told::{Cause, ModemState};

/// How long to wait while a modem that came back in normal mode answers "not ready" (update-flow.md §8 gives a modem
/// 300 s after a flash; here nothing was written).
const READY_LIMIT: Duration = Duration::from_secs(60);
/// How long to wait before asking such a modem again.
const ASK_AGAIN: Duration = Duration::from_secs(1);

impl Update<'_> {
    /// Restores the old firmware preference when the modem doesn't have the images that the new preference names. If that
    /// fails, the modem's state stays as it is, and the log says why.
    ///
    /// # Errors
    /// The user stops for the second time.
    pub(super) fn put_back(&mut self, pass: &Pass) -> Result<(), Cause> {
        let before = pass.before.as_ref();
        let Some(old) = before.and_then(|before| before.preference.as_ref()) else {
            return self.run.close_session(Closing::Release);
        };
        if !self.run.has_control_session() {
            let opened = self.run.open_control(self.request.control, OPEN_PATIENCE)?;
            if opened.is_err() {
                return Ok(());
            }
        }
        let request = Dms::SetFirmwarePreference {
            preference: old.to_wire(),
            download_override: false,
            storage_index: None,
        };
        match self.run.ask(request, PATIENCE)? {
            // The running firmware may lie outside the modem's slots (field-reports.md D9). The modem then lists images to
            // download although it has them.
            Ok(Response::FirmwarePreferenceSet(Some(list))) if !list.is_empty() && !old.runs => {
                tracing::warn!(?list, "the modem doesn't have the images of its old preference");
            }
            Ok(_) => {
                self.run.teller().note_put_back();
                // If the state is unknown, the restored preference doesn't tell what the modem runs.
                if self.run.modem_state() != ModemState::Unknown {
                    self.run.set_modem(pass.state_before);
                }
            }
            Err(error) => tracing::warn!(%error, "the modem doesn't take its old preference back"),
        }
        self.run.close_session(Closing::Release)
    }

    /// Finds out what a modem runs that was restarted with the new preference: it may have started firmware that it had
    /// stored. While the modem says that it isn't ready, this waits and asks again. If the modem doesn't report its
    /// firmware and may have had the new one stored, its state is unknown.
    ///
    /// # Errors
    /// The user stops for the second time.
    pub(super) fn note_what_runs(&mut self, pass: &Pass) -> Result<(), Cause> {
        let before = pass.before.as_ref();
        let until = self.run.now() + READY_LIMIT;
        let mut is_told = false;
        while let Ok(()) = self.run.open_control(self.request.control, OPEN_PATIENCE)? {
            let facts = self.run.read_facts();
            self.run.close_session(Closing::Release)?;
            let is_booting = match facts {
                Ok(facts) if !facts.is_booting && facts.running.firmware.is_some() => {
                    self.run.read(&facts);
                    let ran = before.and_then(|before| before.running.firmware.as_ref());
                    if ran.is_some() && ran != facts.running.firmware.as_ref() {
                        self.run.note_deed(Deed::Written);
                        self.run.set_modem(ModemState::RunsOther);
                    }
                    return Ok(());
                }
                Ok(facts) => facts.is_booting,
                Err(Cause::Control { .. }) => false,
                Err(other) => return Err(other),
            };
            if !is_booting || self.run.now() >= until {
                break;
            }
            // Wait even after the user asked to stop: the old preference can't be restored before the modem is ready.
            if !std::mem::replace(&mut is_told, true) {
                self.run
                    .silence(READY_LIMIT, "the modem came back, but is not ready yet");
            }
            if self.run.wait_leave(ASK_AGAIN, Heed::AtOnce)? {
                break;
            }
        }
        if before.is_some_and(|before| before.stores_wanted) {
            self.run.set_modem(ModemState::Unknown);
        }
        Ok(())
    }

    /// Restores the old preference if a modem whose download failed came back with its old firmware: the modem must not
    /// prefer images that it doesn't have.
    ///
    /// # Errors
    /// The user stops for the second time.
    pub(super) fn undo_in_normal_mode(&mut self, course: &Course) -> Result<(), Cause> {
        let before = course.pass.before.as_ref();
        let has_preference = before.is_some_and(|before| before.preference.is_some());
        if !has_preference || self.run.look_here() != Some(Mode::Normal) {
            return Ok(());
        }
        self.run.set_modem(ModemState::WrongPreference);
        self.note_what_runs(&course.pass)?;
        self.put_back(&course.pass)
    }
}
