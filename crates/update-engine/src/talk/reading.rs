//! Reads what a running modem reports about itself, over whichever port answers.

use modem_protocol::at::command::Command;
use modem_protocol::control::{Closing, ControlError};
use modem_protocol::qmi::dms::Request as Dms;

use super::at_port::Told;
use super::control::{OPEN_PATIENCE, PATIENCE};
use crate::modem::{AskedOver, Facts, version_in};
use crate::request::ControlChoice;
use crate::run::Run;
use crate::told::Cause;

impl Run<'_> {
    /// Opens whichever port answers: control ports first, then AT ports. If the user named a language, only control ports in
    /// that language are tried.
    ///
    /// # Errors
    /// No port answers; the user stops.
    pub(crate) fn open_talk(&mut self, choice: ControlChoice) -> Result<(), Cause> {
        let modem = self.whereabouts().modem()?;
        if !modem.can_be_reached() {
            return Err(Cause::no_port(modem));
        }
        let mut tried = match self.open_control(choice, OPEN_PATIENCE)? {
            Ok(()) => return Ok(()),
            Err(tried) => tried,
        };
        self.stop_if_asked("stopped before anything was changed")?;
        // Over AT no firmware preference can be set, and a user who names a language relies on the preference.
        if choice != ControlChoice::Auto {
            return Err(self.unanswered(choice, tried));
        }
        match self.open_at()? {
            Ok(()) => Ok(()),
            Err(more) => {
                tried.extend(more.tried);
                Err(Cause::Unreachable { tried })
            }
        }
    }

    /// If the user named a language, checks that a control port answers in it.
    ///
    /// # Errors
    /// No control port answers in that language; the user stops for the second time.
    pub(crate) fn check_language(&mut self, choice: ControlChoice) -> Result<(), Cause> {
        if choice == ControlChoice::Auto {
            return Ok(());
        }
        match self.open_control(choice, OPEN_PATIENCE)? {
            Ok(()) => self.close_session(Closing::Release),
            Err(tried) => Err(self.unanswered(choice, tried)),
        }
    }

    /// Asks the modem everything that is worth knowing. What the modem doesn't report stays `None`.
    ///
    /// # Errors
    /// The port fails; the user stops for the second time.
    pub(crate) fn read_facts(&mut self) -> Result<Facts, Cause> {
        let over = match self.control().map(|control| control.language) {
            Some(language) => language.into(),
            None => AskedOver::At,
        };
        let mut facts = Facts::unknown(over);
        if self.has_control_session() {
            self.read_by_qmi(&mut facts)?;
        } else {
            self.read_by_at(&mut facts)?;
        }
        facts.mark_images();
        Ok(facts)
    }

    /// Whether a session over a control port is open.
    pub(crate) fn has_control_session(&mut self) -> bool {
        self.control().is_some()
    }

    fn read_by_qmi(&mut self, facts: &mut Facts) -> Result<(), Cause> {
        let questions = [
            Dms::GetIds,
            Dms::GetModel,
            Dms::GetRevision,
            Dms::SwiGetCurrentFirmware,
            Dms::GetFirmwarePreference,
            Dms::ListStoredImages,
            Dms::GetOperatingMode,
            Dms::GetManufacturer,
        ];
        let mut is_heard = false;
        for request in questions {
            let decides = request == Dms::GetFirmwarePreference;
            let mut answer = self.ask(request.clone(), PATIENCE)?;
            // A missing answer proves nothing about the modem, so ask once more (qmi.md §3).
            if answer.as_ref().is_err_and(is_unheard) {
                answer = self.ask(request, PATIENCE)?;
            }
            match answer {
                Ok(response) => {
                    is_heard = true;
                    facts.note(response);
                }
                Err(error @ (ControlError::Gone { .. } | ControlError::Closed { .. })) => {
                    return Err(Cause::Control { error });
                }
                // If the modem has answered nothing so far, don't ask it any more. And without an answer about the preference,
                // a modem that supports preferences would be mistaken for a modem that doesn't.
                Err(error) if is_unheard(&error) && (!is_heard || decides) => {
                    return Err(Cause::Control { error });
                }
                Err(error) => {
                    tracing::info!(%error, "the modem doesn't tell");
                    facts.has_gaps |= is_unheard(&error);
                    is_heard |= matches!(error, ControlError::Refused { .. });
                    facts.is_booting |=
                        matches!(&error, ControlError::Refused { error, .. } if error.is_not_ready());
                }
            }
        }
        if facts.running.firmware.is_none() {
            let revision = facts.revision.as_deref().unwrap_or_default();
            facts.running.firmware = version_in(revision);
        }
        Ok(())
    }

    fn read_by_at(&mut self, facts: &mut Facts) -> Result<(), Cause> {
        if let Some(lines) = self.told_by_at(&Command::IDENTITY, facts)? {
            facts.note_identity_lines(&lines);
        }
        if facts.revision.is_none() {
            let lines = self.told_by_at(&Command::REVISION, facts)?;
            facts.note_revision_lines(&lines.unwrap_or_default());
        }
        let mut preference = self.told_by_at(&Command::PREFERENCE, facts)?;
        if preference.is_none() {
            preference = self.told_by_at(&Command::OLD_PREFERENCE, facts)?;
        }
        facts.note_preference_lines(&preference.unwrap_or_default());
        let images = self.told_by_at(&Command::IMAGES, facts)?;
        facts.note_image_lines(&images.unwrap_or_default());
        let power = self.told_by_at(&Command::POWER, facts)?;
        facts.note_power_lines(&power.unwrap_or_default());
        Ok(())
    }

    /// Asks over AT which carrier settings the modem names. They are only shown: no decision depends on them, so a missing
    /// answer is no gap, and an update doesn't ask.
    ///
    /// # Errors
    /// The user stops for the second time.
    pub(crate) fn read_carrier_settings(&mut self, facts: &mut Facts) -> Result<(), Cause> {
        if facts.over == AskedOver::At {
            if let Told::Lines(lines) = self.at_lines(&Command::PRI)? {
                facts.note_pri_lines(&lines);
            }
        }
        Ok(())
    }

    /// The cause when no control port answers in the language that the user named.
    fn unanswered(&self, choice: ControlChoice, mut tried: Vec<String>) -> Cause {
        let modem = self.whereabouts().known_modem();
        if modem.is_some_and(|modem| modem.ports.control.is_empty()) {
            tried.push("the modem has no control port".to_owned());
        }
        Cause::NotInLanguage { choice, tried }
    }

    fn told_by_at(&mut self, command: &Command, facts: &mut Facts) -> Result<Option<Vec<String>>, Cause> {
        Ok(match self.at_lines(command)? {
            Told::Lines(lines) => Some(lines),
            Told::Refused => None,
            Told::Unheard => {
                facts.has_gaps = true;
                None
            }
        })
    }
}

/// Whether no answer came, or an answer that can't be understood.
pub(crate) const fn is_unheard(error: &ControlError) -> bool {
    matches!(
        error,
        ControlError::Silent { .. } | ControlError::Garbled { .. } | ControlError::Fragmented { .. }
    )
}
