//! The stages of an update as values. A stage can be saved, and another run can go on from it.
//!
//! A stage holds no instant, no handle and nothing borrowed. At its beginning a stage uses the session or port that is open,
//! and opens one if none is.

use serde::{Deserialize, Serialize};

use crate::decide::{Goal, ImageName, Pass};
use crate::request::Request;
use crate::run::{KnownPlace, TellerState};
use crate::told::{Cause, Outcome, Written};

/// The most passes of an update, and the most downloads when a modem comes back in download mode with all images.
pub(super) const PASSES: u8 = 2;

/// How far an update has come: what it does next.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "stage", content = "course", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Stage {
    /// The modem runs its firmware. Next, set its firmware preference. Nothing of this pass is in effect yet.
    Tell(Course),
    /// The modem has the new firmware preference. Next, restart it; if that fails, restore the old preference.
    Restart(Course),
    /// The modem has left the bus and restarts, into download mode or with firmware that it had stored. Next, wait for it.
    Return(Course),
    /// The modem runs its firmware. Next, switch it to download mode without setting a firmware preference.
    Enter(Course),
    /// The modem took the new preference, but came back with its firmware running. Next, try the other ways into download
    /// mode.
    EnterAgain(Course),
    /// The modem waits in download mode. Next, send its images.
    Send(Course),
    /// The modem has all images, restarted, and came back in download mode. Next, send all images once more.
    SendAgain(Course),
    /// The modem has all images and has left the bus to start its new firmware. Next, wait for it.
    Start(Course),
    /// The modem runs its firmware. Next, read its versions back.
    ReadBack(Course),
    /// The update has ended.
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
    /// What the update has to reach.
    pub(super) goal: Goal,
    /// The present pass.
    pub(super) pass: Pass,
    /// The number of downloads, the present one included. A second pass isn't counted here.
    pub(super) downloads: u8,
    /// What was written so far.
    pub(super) written: Written,
    /// The modem has run its firmware again before any image was sent, as a boot loader does that refuses its session and
    /// has to be restarted. modemflash sends such a modem into download mode once more, and then writes nothing before the
    /// boot loader has had time to speak first.
    #[serde(default)]
    pub(super) is_again: bool,
}

impl Course {
    /// The course at the start of its first pass.
    pub(super) fn new(goal: Goal, pass: Pass) -> Self {
        Self {
            goal,
            pass,
            downloads: 1,
            written: Written::default(),
            is_again: false,
        }
    }

    /// Whether this is the first of two passes, which sends the firmware alone. The settings can't be as requested yet.
    pub(super) const fn is_half(&self) -> bool {
        self.goal.firmware_first && self.pass.number == 1
    }
}

/// A stage, with everything that another run needs to go on from it except the images and the bus.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Checkpoint {
    /// Version of this format.
    pub(super) v: u16,
    /// What the user asked for.
    pub(super) request: Request,
    /// The images, by size and checksum.
    pub(super) images: Vec<ImageName>,
    /// Where the modem was last seen.
    pub(super) place: KnownPlace,
    /// What this run has reported about the modem.
    pub(super) told: TellerState,
    /// The stage.
    #[serde(flatten)]
    pub(super) stage: Stage,
}

impl Checkpoint {
    /// The current version of the format.
    pub(super) const VERSION: u16 = 1;

    /// The stage that comes next.
    pub const fn stage(&self) -> &Stage {
        &self.stage
    }
}
