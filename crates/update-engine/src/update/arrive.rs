//! A run goes on from another one: finds the modem, sees that it is still the same, and gives the stage that belongs to where it is now.

use super::restart::BOOT_LIMIT;
use super::stages::{Course, Stage};
use super::work::Update;
use crate::decide::{Nature, fit, target};
use crate::modem::{Facts, Mode};
use crate::run::{Awaited, Deed};
use crate::told::{Cause, ModemState, Step};

/// What the run before may have done to a modem that runs its firmware now.
enum Done {
    /// Nothing that lasts.
    Nothing,
    /// It may have set the firmware preference.
    MayHaveTold,
    /// It may have sent images.
    MayHaveSent,
}

impl Update<'_> {
    /// The stage to go on with.
    ///
    /// # Errors
    /// The modem isn't found, is another one, or answers nothing; the images aren't for it; the user stops.
    pub(super) fn arrive(&mut self, stage: Stage) -> Result<Stage, Cause> {
        self.note_what_may_be(&stage);
        self.run.stay_awake();
        // These wait for the modem by themselves.
        if matches!(stage, Stage::Return(_) | Stage::Start(_) | Stage::End(_)) {
            return Ok(stage);
        }
        self.run.begin(Step::Return);
        let why = "another run has begun the update; the modem is looked for on the bus";
        self.run.silence(BOOT_LIMIT, why);
        // The run before may have ended just after its reset, and the modem may only be passing through its boot loader.
        let awaited = match stage {
            Stage::Send(_) | Stage::SendAgain(_) | Stage::ReadBack(_) => {
                Awaited::Firmware { in_loader: None }
            }
            _ => Awaited::ANY_MODE,
        };
        let mode = self.run.wait_present(BOOT_LIMIT, awaited);
        let mode = mode.inspect_err(|cause| self.run.note_whereabouts(cause))?;
        self.run.keep_awake();
        match (stage, mode) {
            // Behind such a port no modem can be asked.
            (stage, None) => Ok(stage),
            (Stage::ReadBack(course), Some(_)) => {
                self.run.keep_away(&self.request)?;
                Ok(Stage::ReadBack(course))
            }
            (Stage::SendAgain(course), Some(Mode::Download)) => {
                self.find_in_download_mode()?;
                Ok(Stage::SendAgain(course))
            }
            (
                Stage::Tell(course)
                | Stage::Restart(course)
                | Stage::Enter(course)
                | Stage::EnterAgain(course)
                | Stage::Send(course),
                Some(Mode::Download),
            ) => {
                self.find_in_download_mode()?;
                Ok(Stage::Send(course))
            }
            (stage, Some(_)) => self.find_running(stage),
        }
    }

    /// Notes what the stage may have done already: another run may have ended in the middle of it.
    fn note_what_may_be(&mut self, stage: &Stage) {
        match stage {
            Stage::Tell(_) => {
                self.run.note_deed(Deed::Preference);
                self.run.set_modem(ModemState::WrongPreference);
            }
            Stage::Restart(_) | Stage::Return(_) | Stage::Enter(_) | Stage::EnterAgain(_) => {
                self.run.note_deed(Deed::Changed);
            }
            Stage::Send(_) | Stage::SendAgain(_) | Stage::Start(_) | Stage::ReadBack(_) | Stage::End(_) => {}
        }
    }

    /// The modem waits in download mode.
    ///
    /// # Errors
    /// The images aren't for the device that is there now.
    fn find_in_download_mode(&mut self) -> Result<(), Cause> {
        self.run.keep_away(&self.request)?;
        let nature = Nature::of_modem(self.run.whereabouts().modem()?);
        let vouched = self.request.as_platform.as_ref();
        fit::judge(nature, self.firmware, vouched).map(|_| ())
    }

    /// The modem runs its firmware, and is asked who it is before anything is done to it.
    ///
    /// # Errors
    /// It answers nothing, or not over the kind of port that the stage needs; it is another modem, or no modem for these images; it
    /// runs firmware from which no way is known.
    pub(super) fn find_running(&mut self, stage: Stage) -> Result<Stage, Cause> {
        let (course, done) = match stage {
            Stage::Send(course) | Stage::SendAgain(course) => (course, Done::MayHaveSent),
            Stage::Tell(course) | Stage::Restart(course) | Stage::EnterAgain(course) => {
                (course, Done::MayHaveTold)
            }
            Stage::Enter(course) => (course, Done::Nothing),
            other => return Ok(other),
        };
        self.run.inhibit(&self.request)?;
        self.run.open_talk(self.request.control)?;
        let facts = self.run.read_facts()?;
        self.run.stop_if_asked("stopped before the update went on")?;
        self.run.read(&facts);
        self.is_same_modem(&facts, &course.goal)?;
        self.is_still_right(&facts, &course)?;
        match done {
            Done::MayHaveSent => {
                self.run.note_deed(Deed::Written);
                let wanted = course.goal.wanted.firmware.as_ref();
                if wanted.is_some() && wanted == facts.running.firmware.as_ref() {
                    return Ok(Stage::ReadBack(course));
                }
                self.run.set_modem(ModemState::RunsOther);
            }
            Done::MayHaveTold if facts.preferred.as_ref() != Some(&course.goal.wanted) => {
                self.run.teller().note_put_back();
                self.run.set_modem(course.pass.state_before);
            }
            Done::MayHaveTold => {}
            // It was decided, and agreed to, that the modem isn't told.
            Done::Nothing => return Ok(Stage::Enter(course)),
        }
        let next = self.first_stage(course);
        // Told nothing, a modem that knows preferences may keep its radio off: nobody has agreed to that.
        match (next, facts.has_preferences(), self.run.has_control_session()) {
            (Stage::Enter(course), true, false) if course.pass.is_told_over_control() => {
                Err(Cause::Unreachable {
                    tried: vec![format!(
                        "{}: the modem has to be told over a control port",
                        facts.over
                    )],
                })
            }
            (next, ..) => Ok(next),
        }
    }

    /// Whether the images and the way to their versions still fit what the modem says of itself.
    fn is_still_right(&self, facts: &Facts, course: &Course) -> Result<(), Cause> {
        let nature = Nature::of_modem(self.run.whereabouts().modem()?).with_facts(facts);
        fit::judge(nature, self.firmware, self.request.as_platform.as_ref())?;
        let wanted = &course.goal.wanted;
        let is_there = facts.running.firmware == wanted.firmware;
        if !is_there {
            target::way(facts, wanted, self.request.force, &mut Vec::new())?;
        }
        Ok(())
    }
}
