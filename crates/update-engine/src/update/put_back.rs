//! After a failure: the preference of before is set back, and what the modem runs now is found out.

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

/// How long a modem that came back in normal mode is waited for while it answers "not ready" (update-flow.md §8 gives a
/// modem 300 s after a flash; here nothing was written).
const READY_LIMIT: Duration = Duration::from_secs(60);
/// How often the modem is asked meanwhile.
const ASK_AGAIN: Duration = Duration::from_secs(1);

impl Update<'_> {
    /// Sets the preference of before back when the modem hasn't got what the new one names. A failure is noted, and the
    /// modem's state says it.
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
            // What the modem runs may lie outside its slots (field-reports.md D9). Then it doesn't really ask for images.
            Ok(Response::FirmwarePreferenceSet(Some(list))) if !list.is_empty() && !old.runs => {
                tracing::warn!(?list, "the modem hasn't got what it preferred before");
            }
            Ok(_) => {
                self.run.teller().note_put_back();
                // What runs is another matter.
                if self.run.modem_state() != ModemState::Unknown {
                    self.run.set_modem(pass.state_before);
                }
            }
            Err(error) => tracing::warn!(%error, "the preference of before isn't taken"),
        }
        self.run.close_session(Closing::Release)
    }

    /// A modem that was restarted with the new preference may have started firmware that it had stored. It is asked, and
    /// waited for while it says that it isn't ready; when it doesn't tell, nobody knows.
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
            // Also after a wish to stop: what the modem prefers can't be put back before.
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

    /// A modem whose download failed came back with its old firmware: it must not prefer what it hasn't got.
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
