//! Sets the modem's firmware preference, and restarts the modem.

use std::time::Duration;

use modem_protocol::control::ControlError;
use modem_protocol::qmi::dms::{Request as Dms, Response};

use super::restart::{BOOT_LIMIT, POWER_CYCLE_LIMIT};
use super::stages::{Course, Stage};
use super::work::Update;
use crate::decide::{AskedImages, Which};
use crate::modem::Mode;
use crate::run::{Awaited, Deed, Heed, RETURN_LIMIT};
use crate::talk::{PATIENCE, is_unheard};
use crate::told::{Cause, ModemState, Step};

impl Update<'_> {
    /// The first stage of a pass. If the firmware preference can't be set, the modem goes into download mode without one.
    pub(super) fn first_stage(&mut self, course: Course) -> Stage {
        if self.run.has_control_session() && course.pass.knows_preferences(&course.goal) {
            Stage::Tell(course)
        } else {
            Stage::Enter(course)
        }
    }

    /// [`Stage::Tell`]: sets the firmware preference.
    ///
    /// # Errors
    /// The modem refuses, asks for an image that no file contains, or can't be reached in download mode: then its old
    /// preference is restored. The user stops.
    pub(super) fn tell(&mut self, mut course: Course) -> Result<Stage, Cause> {
        course.pass.asked = self.set_preference(&course)?;
        let asked = course.pass.asked;
        if let Some(what) = asked.not_brought(self.firmware).filter(|_| !self.request.force) {
            self.put_back(&course.pass)?;
            // In a second pass: trust the modem's reply over its image list.
            return Err(if course.pass.number == 1 {
                Cause::ImagesMissing { what }
            } else {
                Cause::NotProven {
                    differences: course.pass.differences,
                    lacks: Some(what),
                }
            });
        }
        // A modem that already has all images starts them without going into download mode.
        if !asked.is_nothing() {
            if let Err(cause) = self.run.refuse_unreachable(course.goal.agreed) {
                self.put_back(&course.pass)?;
                return Err(cause);
            }
        }
        Ok(Stage::Restart(course))
    }

    /// Sets the firmware preference; gives what the modem wants to be sent.
    fn set_preference(&mut self, course: &Course) -> Result<AskedImages, Cause> {
        self.run.begin(Step::SetPreference);
        let preference = course.goal.preference()?;
        let request = Dms::SetFirmwarePreference {
            preference,
            download_override: course.pass.which == Which::All
                || self.request.force
                || self.request.download_override,
            storage_index: self.request.slot,
        };
        self.run.note_deed(Deed::Preference);
        // If the run stops before the answer, nobody knows whether the preference took effect.
        let mut answer = self
            .run
            .ask(request.clone(), PATIENCE)
            .inspect_err(|_| self.run.set_modem(ModemState::WrongPreference))?;
        let mut is_in_doubt = false;
        if answer.as_ref().is_err_and(is_unheard) {
            // The modem may have the preference; setting it twice changes nothing.
            is_in_doubt = true;
            self.run.set_modem(ModemState::WrongPreference);
            answer = self.run.ask(request, PATIENCE)?;
        }
        let error = match answer {
            Ok(Response::FirmwarePreferenceSet(list)) => {
                tracing::info!(?list, "to be downloaded");
                let asked = AskedImages::from(list);
                // If the modem prefers what it already runs, its preference isn't wrong, even if images have to be sent.
                let before = course.pass.before.as_ref();
                let is_kept = before.is_some_and(|before| before.running == course.goal.wanted);
                self.run.set_modem(if asked.is_nothing() || is_kept {
                    course.pass.state_before
                } else {
                    ModemState::WrongPreference
                });
                return Ok(asked);
            }
            Ok(other) => {
                return Err(Cause::Bug {
                    what: format!("the modem answered the new firmware preference with {other:?}"),
                });
            }
            Err(error) => error,
        };
        if is_in_doubt || !matches!(error, ControlError::Refused { .. }) {
            self.put_back(&course.pass)?;
        } else {
            self.run.teller().note_put_back();
        }
        Err(Cause::Control { error })
    }

    /// [`Stage::Restart`]: restarts the modem with its new preference, and waits until it leaves the bus.
    ///
    /// # Errors
    /// The modem refuses or stays on the bus: then its old preference is restored. The user stops.
    pub(super) fn restart(&mut self, course: Course) -> Result<Stage, Cause> {
        let is_stored = course.pass.asked.is_nothing();
        self.run.begin(if is_stored {
            Step::Boot
        } else {
            Step::EnterDownloadMode
        });
        if self.run.is_stop_asked() {
            self.put_back(&course.pass)?;
            return Err(Cause::Stopped {
                how: "stopped before the modem was restarted",
            });
        }
        if let Err(why) = self.run.power_cycle_with_preference()? {
            self.put_back(&course.pass)?;
            return Err(Cause::NotRestarted {
                tried: vec![format!("power cycle: {why}")],
            });
        }
        // The modem restarts. Its mode is known only when it is back.
        let before = self.run.modem_state();
        self.run.set_modem(if is_stored {
            ModemState::Restarting
        } else {
            ModemState::Unknown
        });
        if !self.run.wait_leave(POWER_CYCLE_LIMIT, Heed::WhenBack)? {
            self.run.set_modem(before);
            let seconds = POWER_CYCLE_LIMIT.as_secs();
            let tried =
                format!("power cycle: accepted, but the modem was still on the bus {seconds} s later");
            self.put_back(&course.pass)?;
            // A modem that stopped answering is probably just restarting late.
            let has_answered = self.run.modem_state() != before;
            if has_answered || !self.run.wait_leave(Duration::ZERO, Heed::AtOnce)? {
                return Err(Cause::NotRestarted { tried: vec![tried] });
            }
            self.run.set_modem(ModemState::Unknown);
        }
        if is_stored {
            self.run.note_deed(Deed::Written);
        }
        Ok(Stage::Return(course))
    }

    /// [`Stage::Return`]: waits for the modem that was restarted with its new preference.
    ///
    /// # Errors
    /// The modem doesn't come back, or comes back without a port; the user stops.
    pub(super) fn wait_return(&mut self, course: Course) -> Result<Stage, Cause> {
        let is_stored = course.pass.asked.is_nothing();
        let (limit, why, awaited, heed) = if is_stored {
            let why = "the modem starts the firmware that it has";
            let awaited = Awaited::Firmware { in_loader: None };
            (BOOT_LIMIT, why, awaited, Heed::AtOnce)
        } else {
            let why = "the modem restarts into download mode";
            let in_loader = Some(ModemState::InDownloadMode);
            let awaited = Awaited::AnyMode { in_loader };
            (RETURN_LIMIT, why, awaited, Heed::WhenBack)
        };
        self.run.silence(limit, why);
        let mode = self.run.wait_back(limit, awaited, heed);
        let mode = mode.inspect_err(|cause| self.run.note_whereabouts(cause))?;
        self.run.keep_away(&self.request)?;
        Ok(match mode {
            Mode::Download => Stage::Send(course),
            _ if is_stored => Stage::ReadBack(course),
            _ => {
                self.run.set_modem(ModemState::WrongPreference);
                Stage::EnterAgain(course)
            }
        })
    }
}
