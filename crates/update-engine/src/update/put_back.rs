//! After a failure: the preference of before is set back, and what the modem runs now is found out.

use std::time::Duration;

use modem_protocol::control::Closing;
use modem_protocol::qmi::dms::{ImageType, Request as Dms, Response};

use crate::decide::Goal;
use crate::modem::{Mode, Modem};
use crate::run::{Deed, Run};
use crate::talk::PATIENCE;
use crate::told::{Cause, ModemState};

/// How long a modem that came back in normal mode is waited for while it answers "not ready" (update-flow.md §8 gives a
/// modem 300 s after a flash; here nothing was written).
const READY_LIMIT: Duration = Duration::from_secs(60);
/// How often it is asked meanwhile.
const ASK_AGAIN: Duration = Duration::from_secs(1);

impl Run<'_> {
    /// Sets the preference of before back when the modem hasn't got what the new one names. A failure is noted, and the
    /// modem's state says it.
    pub(crate) fn put_back(&mut self, modem: &Modem, goal: &Goal<'_>) -> Result<(), Cause> {
        let before = goal.before.as_ref().and_then(|facts| facts.preference.clone());
        let Some(preference) = before else {
            return self.close_session(Closing::Release);
        };
        // If the modem didn't report its settings, assume they match the preference: it refuses that question now and then.
        let runs_preferred = goal.before.as_ref().is_some_and(|facts| {
            let preferred = facts
                .preferred
                .as_ref()
                .filter(|_| facts.running.firmware.is_some());
            preferred.is_some_and(|preferred| {
                preferred.is_by_sim() || preferred.differences(&facts.running).is_empty()
            })
        });
        if !self.has_control_session() {
            let opened = self.open_control(modem, goal.request.control, crate::talk::OPEN_PATIENCE)?;
            if opened.is_err() {
                return Ok(());
            }
        }
        let request = Dms::SetFirmwarePreference {
            preference,
            download_override: false,
            storage_index: None,
        };
        match self.ask(request, PATIENCE)? {
            // What it runs may lie outside its slots (field-reports.md D9); then it isn't asked for in earnest.
            Ok(Response::FirmwarePreferenceSet(Some(list))) if !list.is_empty() && !runs_preferred => {
                tracing::warn!(?list, "the modem hasn't got what it preferred before");
            }
            Ok(_) => {
                self.teller.note_put_back();
                // What runs is another matter.
                if self.teller.modem() != ModemState::Unknown {
                    self.set_modem(goal.state_before);
                }
            }
            Err(error) => tracing::warn!(%error, "the preference of before isn't taken"),
        }
        self.close_session(Closing::Release)
    }

    /// A modem that was restarted with the new preference may have started firmware that it had stored. It is asked, and
    /// waited for while it says that it isn't ready; when it doesn't tell, nobody knows.
    pub(crate) fn note_what_runs(&mut self, modem: &Modem, goal: &Goal<'_>) -> Result<(), Cause> {
        let before = goal.before.as_ref();
        let until = self.world.now() + READY_LIMIT;
        let mut is_told = false;
        while let Ok(()) = self.open_control(modem, goal.request.control, crate::talk::OPEN_PATIENCE)? {
            let facts = self.read_facts();
            self.close_session(Closing::Release)?;
            let is_booting = match facts {
                Ok(facts) if !facts.is_booting && facts.running.firmware.is_some() => {
                    self.teller.read(self.world.now(), &facts);
                    let ran = before.and_then(|before| before.running.firmware.as_ref());
                    if ran.is_some() && ran != facts.running.firmware.as_ref() {
                        self.note_deed(Deed::Written);
                        self.set_modem(ModemState::RunsOther);
                    }
                    return Ok(());
                }
                Ok(facts) => facts.is_booting,
                Err(Cause::Control { .. }) => false,
                Err(other) => return Err(other),
            };
            if !is_booting || self.world.now() >= until {
                break;
            }
            // Also after a wish to stop: what it prefers can't be put back before.
            if !std::mem::replace(&mut is_told, true) {
                self.tell_silence(READY_LIMIT, "the modem came back, but is not ready yet");
            }
            if self.wait_leave(ASK_AGAIN)? {
                break;
            }
        }
        if before.is_some_and(|facts| facts.stores(ImageType::Modem, &goal.wanted)) {
            self.set_modem(ModemState::Unknown);
        }
        Ok(())
    }

    /// A modem whose download failed came back with its old firmware: it must not prefer what it hasn't got.
    pub(crate) fn undo_in_normal_mode(&mut self, goal: &Goal<'_>) -> Result<(), Cause> {
        let place = self.port.device.as_ref().map(|device| device.path.clone());
        let modems = crate::modem::modems(self.world).unwrap_or_default();
        let here = modems
            .into_iter()
            .find(|modem| Some(modem.path()) == place.as_ref());
        let Some(modem) = here.filter(|modem| modem.mode == Mode::Normal) else {
            return Ok(());
        };
        if goal
            .before
            .as_ref()
            .is_some_and(|facts| facts.preference.is_some())
        {
            self.set_modem(ModemState::WrongPreference);
            self.note_what_runs(&modem, goal)?;
            self.put_back(&modem, goal)?;
        }
        Ok(())
    }
}
