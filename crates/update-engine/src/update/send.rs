//! Sends images to a modem in download mode.

use super::stages::{Course, Stage};
use super::work::Update;
use crate::decide::{AskedImages, Shipment, Which, fit};
use crate::modem::Mode;
use crate::run::HOLDER_LIMIT;
use crate::told::{Cause, ModemState, Step, Written};

impl Update<'_> {
    /// [`Stage::Send`]: sends the images of the present pass.
    ///
    /// # Errors
    /// The download fails, or the user stops. If the modem runs its firmware after that, its old preference is restored.
    pub(super) fn send(&mut self, mut course: Course) -> Result<Stage, Cause> {
        let written = match self.ship(&course, course.pass.which, course.pass.asked) {
            Err(cause @ Cause::RunsNormally { .. }) if self.can_enter_anew(&course) => {
                return self.enter_anew(course, cause);
            }
            shipped => self.or_undone(&course, shipped)?,
        };
        course.written = course.written.and(&written);
        // The modem's place on the bus isn't known, so modemflash can't follow the modem.
        if self.run.whereabouts().home().is_none() {
            return Ok(Stage::End(course.written.unproven()));
        }
        Ok(Stage::Start(course))
    }

    /// [`Stage::SendAgain`]: the modem has all images but came back in download mode. Sends all images once more.
    ///
    /// # Errors
    /// As [`send`](Self::send).
    pub(super) fn send_again(&mut self, mut course: Course) -> Result<Stage, Cause> {
        let shipped = self.ship(&course, Which::All, AskedImages::NotSaid);
        course.written = self.or_undone(&course, shipped)?;
        Ok(Stage::Start(course))
    }

    /// After a download that failed, restores the old preference of a modem whose firmware runs.
    fn or_undone(&mut self, course: &Course, shipped: Result<Written, Cause>) -> Result<Written, Cause> {
        if shipped.is_err() && self.run.modem_state().runs() {
            self.undo_in_normal_mode(course)?;
        }
        shipped
    }

    /// Whether a modem whose firmware runs again, before any image was sent, may be sent into download mode once more.
    fn can_enter_anew(&mut self, course: &Course) -> bool {
        let is_first = !course.is_again && course.pass.number == 1 && !self.run.is_stop_asked();
        is_first
            && self.run.modem_state() == ModemState::RunsFirmware
            && self.run.look_here() == Some(Mode::Normal)
    }

    /// The next stage for a modem whose firmware runs again before any image was sent: the boot loader refused its session
    /// (sahara-firehose.md §6), and the restart that helps against that has led into the firmware.
    ///
    /// # Errors
    /// `cause`, if the modem can't be asked or isn't the same any more. The user stops.
    fn enter_anew(&mut self, mut course: Course, cause: Cause) -> Result<Stage, Cause> {
        course.is_again = true;
        let why =
            format!("{cause}; no image was sent, so modemflash sends the modem into download mode once more");
        self.run.retry("the download", 2, &why);
        self.note_what_runs(&course.pass)?;
        let stage = match course.pass.before {
            Some(_) => Stage::Restart(course.clone()),
            None => Stage::Enter(course.clone()),
        };
        match self.find_running(stage) {
            Ok(next) => Ok(next),
            Err(stop @ (Cause::Stopped { .. } | Cause::StoppedMidway)) => {
                self.undo_in_normal_mode(&course)?;
                Err(stop)
            }
            Err(other) => {
                tracing::info!(%other, "not into download mode again");
                self.undo_in_normal_mode(&course)?;
                Err(cause)
            }
        }
    }

    fn ship(&mut self, course: &Course, which: Which, asked: AskedImages) -> Result<Written, Cause> {
        // In download mode the product string may tell more than the modem did before.
        let here = || fit::opening_of(self.run.whereabouts().port());
        let opening = course.pass.opening.or_else(here);
        let mut shipment = Shipment::of(&self.request, self.firmware, which, asked, opening);
        if course.is_again {
            shipment.listen_first();
        }
        // For a modem that was found in download mode, the images were checked with the plan, and the modem's first answer
        // tells the rest.
        if self.run.modem_state() != ModemState::Untouched {
            self.run.note_loader();
            self.run
                .stop_if_asked("stopped in download mode, before anything was sent")?;
            shipment.check()?;
        }
        let opened = self.open_port();
        let begin = if course.goal.found.is_some() { 0.12 } else { 0.0 };
        let end = if self.run.whereabouts().home().is_some() {
            0.85
        } else {
            1.0
        };
        self.run.teller().set_stage(begin, end);
        opened.and_then(|()| self.run.download(&mut shipment))
    }

    fn open_port(&mut self) -> Result<(), Cause> {
        if self.run.has_open_port() {
            return Ok(());
        }
        self.run.begin(Step::OpenPort);
        self.run.open_following(HOLDER_LIMIT)?;
        self.run.keep_awake();
        Ok(())
    }

    /// The next stage for a modem that has all images but came back in download mode.
    ///
    /// # Errors
    /// All images were sent twice already.
    pub(super) fn came_back_in_download_mode(&mut self, mut course: Course) -> Result<Stage, Cause> {
        self.run.set_modem(ModemState::AllWritten);
        if course.downloads >= super::stages::PASSES {
            return Err(Cause::BackInDownloadMode);
        }
        course.downloads = course.downloads.saturating_add(1);
        let why = "the modem came back in download mode and stays there";
        self.run.retry("the download", course.downloads, why);
        Ok(Stage::SendAgain(course))
    }
}
