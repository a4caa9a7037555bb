//! The whole update: it starts from any state that the modem is in, and ends when the versions are read back.
//!
//! [`update()`] looks at the images first, then at the modem. If the modem runs its firmware, modemflash asks it for its
//! versions, sets its firmware preference, switches it to download mode and sends the images. A modem that already is in
//! download mode gets its images at once. Both end in the same way: the modem starts, and modemflash asks what it
//! runs.

use modem_world::World;

use super::look::Looked;
use super::updating::Updating;
use super::work::Update;
use crate::decide::Firmware;
use crate::request::{Request, Verb};
use crate::told::{Event, Outcome, Plan, UpdateError};

/// Updates the modem that `request` names to `firmware`, and verifies what the modem runs.
///
/// `sink` gets every event. The last event is [`EventKind::Outcome`](crate::EventKind::Outcome) or
/// [`EventKind::Failed`](crate::EventKind::Failed). A warning that needs a confirmation ends the run unless the request
/// confirms it; [`update_asking`] asks instead.
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

/// Like [`update`], but asks: if the plan has warnings that the user hasn't confirmed yet, `ask` gets the plan and says
/// whether to go on. At that time modemflash has asked the modem for its versions but has changed nothing.
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

/// Looks at the images and the modem and says what an update would do. A running modem is asked for its versions, but
/// nothing changes on the modem.
///
/// # Errors
/// Anything that rules the update out.
pub fn prepare(world: &mut dyn World, request: &Request, firmware: &Firmware) -> Result<Plan, UpdateError> {
    let mut sink = |_: &Event| {};
    let (mut update, warnings) = Update::begin(world, Verb::Plan, request, firmware, &mut sink)?;
    let plan = update.look(warnings).map(Looked::into_plan);
    update.run.end(plan)
}
