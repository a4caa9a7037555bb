//! The whole job, from whatever state the modem is in to versions that were read back.
//!
//! [`update()`] looks at the images first, then at the modem. A modem that runs its firmware is asked, told what is to come,
//! sent into download mode and followed; a modem that is in download mode already gets its images at once. Both end in the same
//! way: the modem starts, and is asked what it runs.

use modem_world::World;

use super::look::Looked;
use super::updating::Updating;
use super::work::Update;
use crate::decide::Firmware;
use crate::request::{Request, Verb};
use crate::told::{Event, Outcome, Plan, UpdateError};

/// Brings `firmware` to the modem that `request` names, and proves it.
///
/// `sink` gets every event, the last of which is [`EventKind::Outcome`](crate::EventKind::Outcome) or
/// [`EventKind::Failed`](crate::EventKind::Failed). Warnings that need a confirmation end the run unless the request confirms
/// them; [`update_asking`] asks.
///
/// # Errors
/// [`UpdateError`] says what happened, what is true of the modem now, and what to do.
pub fn update(
    world: &mut dyn World,
    request: &Request,
    firmware: &Firmware,
    sink: &mut dyn FnMut(&Event),
) -> Result<Outcome, UpdateError> {
    update_asking(world, request, firmware, sink, &mut |_| false)
}

/// The same; `ask` is shown a plan with warnings that nobody has confirmed, and says whether to go on. The modem was asked
/// for its versions by then, but nothing of it is changed.
///
/// # Errors
/// As [`update`].
pub fn update_asking(
    world: &mut dyn World,
    request: &Request,
    firmware: &Firmware,
    sink: &mut dyn FnMut(&Event),
    ask: &mut dyn FnMut(&Plan) -> bool,
) -> Result<Outcome, UpdateError> {
    Updating::begin(world, request, firmware, sink, ask)?.finish()
}

/// Looks at the images and the modem and says what an update would do. A running modem is asked for its versions; nothing
/// of it is changed.
///
/// # Errors
/// Anything that speaks against the update.
pub fn prepare(world: &mut dyn World, request: &Request, firmware: &Firmware) -> Result<Plan, UpdateError> {
    let mut sink = |_: &Event| {};
    let (mut update, warnings) = Update::begin(world, Verb::Plan, request, firmware, &mut sink)?;
    let plan = update.look(warnings).map(Looked::into_plan);
    update.run.end(plan)
}
