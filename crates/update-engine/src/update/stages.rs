//! The stages of an update as values: each can be written down, and another run can go on from it.
//!
//! A stage holds no instant, no handle and nothing borrowed. What is open when a stage begins is used; what isn't is opened.

use serde::{Deserialize, Serialize};

use crate::decide::{Goal, ImageName, Pass};
use crate::request::Request;
use crate::run::{KnownPlace, Told};
use crate::told::{Cause, Outcome, Written};

/// How often a modem is told, and how often all is sent to it, at most.
pub(super) const PASSES: u8 = 2;

/// Where an update is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "stage", content = "course", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Stage {
    /// The modem runs its firmware and can be told what is to come; that is next. Nothing of this pass is in force.
    Tell(Course),
    /// The modem prefers what is to come, and is to be restarted. What it preferred before is put back if that fails.
    Restart(Course),
    /// The modem has left the bus to restart, in download mode or with firmware that it had stored.
    Return(Course),
    /// The modem runs its firmware and is to go into download mode without being told what is to come.
    Enter(Course),
    /// The same after the modem was told and came back with its firmware running.
    EnterAgain(Course),
    /// The modem waits in download mode for its images.
    Send(Course),
    /// The modem has all images, restarted, and came back in download mode: all of them are sent once more.
    SendAgain(Course),
    /// The modem has all images and has left the bus to start its new firmware.
    Start(Course),
    /// The modem runs: its versions are read back.
    ReadBack(Course),
    /// The update has reached its end.
    End(Outcome),
}

impl Stage {
    /// Whether the counts of a stage that was read can be.
    ///
    /// # Errors
    /// They can't.
    pub(super) fn check(&self) -> Result<(), Cause> {
        let is_possible = |count: u8| (1..=PASSES).contains(&count);
        match self.course() {
            Some(course) if !is_possible(course.pass.number) || !is_possible(course.downloads) => {
                Err(Cause::NotSupported {
                    what: format!(
                        "the stage names pass {} and download {} of at most {PASSES}",
                        course.pass.number, course.downloads
                    ),
                })
            }
            _ => Ok(()),
        }
    }

    /// What the stage carries; none at the end.
    const fn course(&self) -> Option<&Course> {
        match self {
            Self::Tell(course)
            | Self::Restart(course)
            | Self::Return(course)
            | Self::Enter(course)
            | Self::EnterAgain(course)
            | Self::Send(course)
            | Self::SendAgain(course)
            | Self::Start(course)
            | Self::ReadBack(course) => Some(course),
            Self::End(_) => None,
        }
    }
}

/// What an update carries from stage to stage.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Course {
    /// What is to be reached.
    pub(super) goal: Goal,
    /// The present pass.
    pub(super) pass: Pass,
    /// How often all was sent, the present time included.
    pub(super) downloads: u8,
    /// What was written so far.
    pub(super) written: Written,
}

impl Course {
    /// The course at the start of its first pass.
    pub(super) fn new(goal: Goal, pass: Pass) -> Self {
        Self {
            goal,
            pass,
            downloads: 1,
            written: Written::default(),
        }
    }

    /// Whether only the firmware was sent so far, so that nothing else can be as wanted.
    pub(super) const fn is_half(&self) -> bool {
        self.goal.firmware_first && self.pass.number == 1
    }
}

/// A stage with all that another run needs to go on from it, besides the images and the bus.
///
/// It holds the modem's IMEI, because another modem may be put into the socket meanwhile: it belongs to a person.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Checkpoint {
    /// Version of this format.
    pub(super) v: u16,
    /// What the user asked for.
    pub(super) request: Request,
    /// The images, by size and sum.
    pub(super) images: Vec<ImageName>,
    /// Where the modem was last seen.
    pub(super) place: KnownPlace,
    /// What was told of the modem.
    pub(super) told: Told,
    /// The stage.
    #[serde(flatten)]
    pub(super) stage: Stage,
}

impl Checkpoint {
    /// The present version of the format.
    pub(super) const VERSION: u16 = 1;

    /// Where the update is.
    pub const fn stage(&self) -> &Stage {
        &self.stage
    }
}
