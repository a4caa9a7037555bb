//! What all stages of an update work on: the run, the request and the images.

use modem_world::World;

use crate::decide::{Firmware, checks};
use crate::modem::{DeviceId, Modem, Selector};
use crate::request::{Request, Verb};
use crate::run::{self, Patience, Run, Target};
use crate::talk::find_patiently;
use crate::told::{Cause, Event, Step, UpdateError, Warning};

/// The run of an update, with the request and the images.
pub(super) struct Update<'u> {
    pub(super) run: Run<'u>,
    pub(super) request: Request,
    pub(super) firmware: &'u Firmware,
}

impl<'u> Update<'u> {
    /// What the developer's log says of everything that is done here: which modem.
    pub(super) fn log_span(&self) -> tracing::Span {
        tracing::info_span!("modem", path = %self.run.device())
    }

    /// Looks at the images, then finds the modem. Gives what the user should know of the images.
    ///
    /// # Errors
    /// The images must not be sent; there is no such modem, or another run has it.
    pub(super) fn begin(
        world: &'u mut dyn World,
        verb: Verb,
        request: &Request,
        firmware: &'u Firmware,
        sink: &'u mut dyn FnMut(&Event),
    ) -> Result<(Self, Vec<Warning>), UpdateError> {
        let warnings = match checks::judge_images(request, firmware) {
            Ok(warnings) => warnings,
            Err(cause) => {
                let device = DeviceId::from_selection(&request.select);
                return Err(run::refuse(world, sink, &device, Step::CheckImages, cause));
            }
        };
        let run = run::begin(world, sink, verb, &request.select, |world, patience| {
            find(world, request, verb, patience)
        })?;
        let update = Self {
            run,
            request: request.clone(),
            firmware,
        };
        Ok((update, warnings))
    }
}

/// Finds the modem or the port that the user means.
fn find(
    world: &mut dyn World,
    request: &Request,
    verb: Verb,
    patience: &mut Patience<'_>,
) -> Result<Target, Cause> {
    if let Selector::Port(name) = &request.select {
        let port = world.find(name)?;
        let Some(device) = &port.device else {
            return Ok(Target::Port(port));
        };
        let attached = world.devices()?.into_iter();
        let mut here = attached.filter(|there| there.device.path == device.path);
        return Ok(match here.next().and_then(Modem::of) {
            Some(modem) => Target::Modem(Box::new(modem)),
            None => Target::Port(port),
        });
    }
    let modem = find_patiently(world, request, verb, patience)?;
    Ok(Target::Modem(Box::new(modem)))
}
