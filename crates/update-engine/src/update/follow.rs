//! Follows a modem that has all images and restarts, until the update is verified or has failed.
//!
//! An update has at most two passes. If the modem runs, but not what was requested, modemflash sets the firmware preference
//! once more: some modems take over their settings only the second time (field-reports.md D5, D11, F3), and a modem that
//! was found in download mode hasn't been given a preference before.

use super::read_back::ReadBack;
use super::restart::{BOOT_LIMIT, NEW_FIRMWARE};
use super::stages::{Course, PASSES, Stage};
use super::work::Update;
use crate::decide::{AskedImages, Before, Nature, Pass, Which, checks, fit};
use crate::modem::{Facts, Mode};
use crate::run::{Deed, Heed};
use crate::told::{Cause, ModemState, Outcome, Step, Updated};

impl Update<'_> {
    /// [`Stage::Start`]: waits until the modem is on the bus again.
    ///
    /// # Errors
    /// The modem doesn't come back, shows only its boot loader now and then, or comes back without a port; the user stops.
    pub(super) fn wait_start(&mut self, course: Course) -> Result<Stage, Cause> {
        self.run.teller().set_stage(0.85, 0.97);
        self.run.begin(Step::Boot);
        let why = "the modem starts its new firmware and may restart more than once";
        self.run.silence(BOOT_LIMIT, why);
        // A modem that was found in download mode may have any kind of port when its firmware runs.
        if course.goal.found.is_none() {
            self.run.whereabouts_mut().expect_control();
        }
        match self.run.wait_back(BOOT_LIMIT, NEW_FIRMWARE, Heed::AtOnce) {
            Ok(Mode::Download) => self.came_back_in_download_mode(course),
            Ok(_) if self.request.skip_read_back => Ok(Stage::End(course.written.unproven())),
            Ok(_) => {
                self.run.keep_away(&self.request)?;
                Ok(Stage::ReadBack(course))
            }
            Err(
                cause @ Cause::NoPort {
                    mode: Mode::Download, ..
                },
            ) => {
                self.run.set_modem(ModemState::AllWritten);
                Err(cause)
            }
            Err(Cause::NoPort { id, mode, .. }) => Err(Cause::NotReadBack {
                id,
                why: format!("no driver created a port for the modem in {mode} mode"),
            }),
            Err(cause) => {
                self.run.note_whereabouts(&cause);
                Err(cause)
            }
        }
    }

    /// [`Stage::ReadBack`]: asks the modem what it runs. If that isn't what was requested, a second pass follows.
    ///
    /// # Errors
    /// The modem still runs something else after the second pass, doesn't answer, or is a different modem; the user stops.
    pub(super) fn prove(&mut self, course: Course) -> Result<Stage, Cause> {
        if self.request.skip_read_back {
            return Ok(Stage::End(course.written.unproven()));
        }
        self.run.teller().set_stage(0.97, 1.0);
        self.run.begin(Step::ReadBack);
        match self.read_back(&course)? {
            ReadBack::Download => self.came_back_in_download_mode(course),
            ReadBack::Proven(facts) if course.is_half() => self.pass_again(
                course,
                *facts,
                vec!["the firmware is in place, now the settings follow".to_owned()],
            ),
            ReadBack::Proven(facts) => Ok(Stage::End(proven(course, *facts))),
            ReadBack::Differs { facts, differences } => self.pass_again(course, *facts, differences),
        }
    }

    /// Begins a second pass: the modem's firmware runs, but the modem doesn't report what was requested.
    fn pass_again(
        &mut self,
        mut course: Course,
        facts: Facts,
        differences: Vec<String>,
    ) -> Result<Stage, Cause> {
        self.run.note_deed(Deed::Written);
        self.run.set_modem(ModemState::RunsOther);
        let can_be_told = facts.has_preferences() && course.goal.wanted.is_complete();
        let lacks = course.goal.would_lack(&facts, &self.request, self.firmware);
        if course.pass.number >= PASSES || !can_be_told || lacks.is_some() {
            return Err(Cause::NotProven { differences, lacks });
        }
        // A modem that was found in download mode hasn't reported its model and platform before: judge the images once more.
        let nature = Nature::of_modem(self.run.whereabouts().modem()?).with_facts(&facts);
        let vouched = self.request.as_platform.as_ref();
        fit::judge(nature, self.firmware, vouched)?;
        let opening = checks::opening_for(nature, vouched);
        let number = course.pass.number.saturating_add(1);
        self.run.retry("the update", number, &differences.join("; "));
        match self.run.open_talk(self.request.control) {
            // The modem has just answered, but not in the language that the user chose, so the preference can't be set.
            Err(Cause::NotInLanguage { .. }) => {
                let lacks = None;
                return Err(Cause::NotProven { differences, lacks });
            }
            opened => opened?,
        }
        let is_half = course.is_half();
        course.pass = Pass {
            number,
            which: if is_half { Which::All } else { Which::Asked },
            asked: AskedImages::NotSaid,
            // What is put back, should this pass fail, is what the modem has now.
            before: Some(Before::of(&facts, &course.goal.wanted).without_imei()),
            opening,
            state_before: ModemState::RunsOther,
            differences,
        };
        Ok(self.first_stage(course))
    }
}

/// The outcome when the modem runs what was requested.
fn proven(course: Course, facts: Facts) -> Outcome {
    let Course {
        goal, pass, written, ..
    } = course;
    // The modem's firmware runs, but nothing says which version the files contain (Gobi files have no headers).
    if goal.wanted.firmware.is_none() {
        return written.incomparable(facts.running);
    }
    Outcome::Updated(Updated {
        proven: true,
        from: goal.found.map(|found| found.running),
        radio: facts.radio().if_off(),
        to: facts.running,
        accepted: written.accepted,
        not_required: written.not_required,
        bytes: written.bytes,
        passes: pass.number,
    })
}
