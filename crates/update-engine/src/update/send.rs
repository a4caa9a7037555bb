//! Sends images to a modem in download mode.

use super::stages::{Course, Stage};
use super::work::Update;
use crate::decide::{AskedImages, Shipment, Which};
use crate::run::HOLDER_LIMIT;
use crate::told::{Cause, ModemState, Step, Written};

impl Update<'_> {
    /// [`Stage::Send`]: sends the images of the present pass.
    ///
    /// # Errors
    /// The download fails, or the user stops. If the modem runs its firmware after that, its old preference is restored.
    pub(super) fn send(&mut self, mut course: Course) -> Result<Stage, Cause> {
        let written = self.ship(&course, course.pass.which, course.pass.asked)?;
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
        course.written = self.ship(&course, Which::All, AskedImages::NotSaid)?;
        Ok(Stage::Start(course))
    }

    fn ship(&mut self, course: &Course, which: Which, asked: AskedImages) -> Result<Written, Cause> {
        let protocol = course.pass.protocol;
        let mut shipment = Shipment::of(&self.request, self.firmware, which, asked, protocol);
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
        let written = opened.and_then(|()| self.run.download(&mut shipment));
        if written.is_err() && self.run.modem_state().runs() {
            self.undo_in_normal_mode(course)?;
        }
        written
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
        let why = "the modem came back in download mode";
        self.run.retry("the download", course.downloads, why);
        Ok(Stage::SendAgain(course))
    }
}
