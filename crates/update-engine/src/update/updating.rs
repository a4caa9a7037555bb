//! Takes an update from one stage to the next, until it has ended or failed.

use modem_world::World;

use super::look::Looked;
use super::stages::{Checkpoint, Stage};
use super::work::Update;
use crate::decide::{Firmware, ImageName};
use crate::modem::DeviceId;
use crate::request::{Request, Verb};
use crate::run;
use crate::told::{Cause, Event, EventKind, Outcome, Plan, Step, UpdateError};

/// An update that has begun and hasn't ended. [`advance`](Self::advance) takes it through one stage.
pub struct Updating<'u> {
    update: Update<'u>,
    stage: Stage,
}

/// The result of [`Updating::advance`].
pub enum Advanced<'u> {
    /// The next stage.
    Stage(Box<Updating<'u>>),
    /// The update has ended.
    Ended(Outcome),
}

impl<'u> Updating<'u> {
    /// Looks at the images and the modem and decides what to do. Nothing changes on the modem. If the plan has warnings that
    /// the user hasn't confirmed yet, `ask` gets the plan and says whether to go on.
    ///
    /// # Errors
    /// Anything that rules the update out.
    pub fn begin(
        world: &'u mut dyn World,
        request: &Request,
        firmware: &'u Firmware,
        sink: &'u mut dyn FnMut(&Event),
        ask: &mut dyn FnMut(&Plan) -> bool,
    ) -> Result<Self, UpdateError> {
        let (mut update, warnings) = Update::begin(world, Verb::Update, request, firmware, sink)?;
        let _entered = update.log_span().entered();
        let begun = match update.look(warnings) {
            Ok(looked) => update.decide(looked, ask),
            Err(cause) => Err(cause),
        };
        match begun {
            Ok(stage) => Ok(Self { update, stage }),
            Err(cause) => Err(update.run.fail(cause)),
        }
    }

    /// Goes on with an update that another run began but didn't end. `checkpoint` says how far that run came.
    ///
    /// # Errors
    /// These are other images; another run has the modem; the modem isn't found.
    pub fn resume(
        world: &'u mut dyn World,
        checkpoint: Checkpoint,
        firmware: &'u Firmware,
        sink: &'u mut dyn FnMut(&Event),
    ) -> Result<Self, UpdateError> {
        let Checkpoint {
            v,
            request,
            images,
            place,
            told,
            stage,
        } = checkpoint;
        let device = DeviceId::from_selection(&request.select);
        if let Err(cause) = check_version(v)
            .and_then(|()| stage.check())
            .and_then(|()| check_images(&images, firmware))
        {
            return Err(run::refuse(world, sink, &device, Step::CheckImages, cause));
        }
        let run = run::resume(world, sink, Verb::Update, &request.select, place, told)?;
        let mut update = Update {
            run,
            request,
            firmware,
        };
        let _entered = update.log_span().entered();
        match update.arrive(stage) {
            Ok(stage) => Ok(Self { update, stage }),
            Err(cause) => Err(update.run.fail(cause)),
        }
    }

    /// How far the update has come, so that another run can go on from here.
    pub fn checkpoint(&self) -> Checkpoint {
        Checkpoint {
            v: Checkpoint::VERSION,
            request: self.update.request.clone(),
            images: self.update.firmware.names(),
            place: self.update.run.whereabouts().to_known(),
            told: self.update.run.told(),
            stage: self.stage.clone(),
        }
    }

    /// Takes the update through its present stage.
    ///
    /// # Errors
    /// The update has failed: [`UpdateError`] says what happened, what is true of the modem now, and what to do. What had to be put back
    /// was put back, as far as the modem let it, so that checkpoints of before are good for nothing any more.
    pub fn advance(self) -> Result<Advanced<'u>, UpdateError> {
        let Self { mut update, stage } = self;
        let _entered = update.log_span().entered();
        let advanced = match stage {
            Stage::End(outcome) => return update.end(outcome).map(Advanced::Ended),
            Stage::Tell(course) => update.tell(course),
            Stage::Restart(course) => update.restart(course),
            Stage::Return(course) => update.wait_return(course),
            Stage::Enter(course) => update.enter(course),
            Stage::EnterAgain(course) => update.enter_again(course),
            Stage::Send(course) => update.send(course),
            Stage::SendAgain(course) => update.send_again(course),
            Stage::Start(course) => update.wait_start(course),
            Stage::ReadBack(course) => update.prove(course),
        };
        match advanced {
            Ok(stage) => Ok(Advanced::Stage(Box::new(Self { update, stage }))),
            Err(cause) => Err(update.run.fail(cause)),
        }
    }

    /// Goes on until the end.
    ///
    /// # Errors
    /// As [`advance`](Self::advance).
    pub fn finish(self) -> Result<Outcome, UpdateError> {
        let mut updating = self;
        loop {
            match updating.advance()? {
                Advanced::Stage(next) => updating = *next,
                Advanced::Ended(outcome) => return Ok(outcome),
            }
        }
    }
}

impl Update<'_> {
    /// Decides what to do, after the plan was agreed to.
    fn decide(&mut self, looked: Looked, ask: &mut dyn FnMut(&Plan) -> bool) -> Result<Stage, Cause> {
        match looked {
            Looked::Running(looked) => self.begin_running(*looked, ask),
            Looked::Waiting(looked) => self.begin_waiting(*looked, ask),
        }
    }

    fn end(mut self, outcome: Outcome) -> Result<Outcome, UpdateError> {
        self.run.end(Ok(()))?;
        self.run.tell(EventKind::Outcome {
            outcome: outcome.clone(),
        });
        Ok(outcome)
    }
}

fn check_version(v: u16) -> Result<(), Cause> {
    if v == Checkpoint::VERSION {
        return Ok(());
    }
    Err(Cause::NotSupported {
        what: format!("this update was begun by another version of modemflash (format {v})"),
    })
}

/// Checks that these are the images with which the update began.
fn check_images(images: &[ImageName], firmware: &Firmware) -> Result<(), Cause> {
    let here = firmware.names();
    for (place, image) in images.iter().enumerate() {
        if !here.get(place).is_some_and(|here| here.is_same(image)) {
            return Err(Cause::ImageChanged {
                file: image.file.clone(),
                why: format!(
                    "the update began with a different image: {} bytes with the checksum {}",
                    image.size, image.sum
                ),
            });
        }
    }
    if here.len() == images.len() {
        return Ok(());
    }
    Err(Cause::ImagesDisagree {
        why: format!(
            "the update began with {} images, not with {}",
            images.len(),
            here.len()
        ),
    })
}
