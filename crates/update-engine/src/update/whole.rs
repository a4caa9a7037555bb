//! The whole job, from whatever state the modem is in to versions that were read back.
//!
//! [`update()`] looks at the images first, then at the modem. One that runs its firmware is asked, told what is to come,
//! sent into download mode and followed (`running`); one that is in download mode already gets its images at once.
//! Both end in the same way: the modem starts, and is asked what it runs (`read_back`).

use std::time::Duration;

use modem_world::{DiscoveryError, PortInfo, Spot, World};

use super::running::{Passed, Reached, Until};
use crate::decide::{Agreed, Firmware, Goal, checks, target};
use crate::modem::{DeviceId, Mode, Modem, Selector};
use crate::request::Request;
use crate::run::{Found, Patience, Run, Teller, claim};
use crate::talk::find_patiently;
use crate::told::{Cause, Event, EventKind, ModemState, Outcome, Plan, Step, UpdateError, Warning};

/// Brings `firmware` to the modem that `request` names, and proves it.
///
/// `sink` gets every event, the last of which is [`EventKind::Outcome`] or [`EventKind::Failed`]. Warnings that need a
/// confirmation end the run unless the request confirms them; [`update_asking`] asks.
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
    match go(world, request, firmware, sink, Until::End(ask))? {
        Reached::End(outcome) => Ok(outcome),
        Reached::Plan(_) => Err(bug("an update ended with its plan")),
    }
}

/// Looks at the images and the modem and says what an update would do. A running modem is asked for its versions; nothing
/// of it is changed.
///
/// # Errors
/// Anything that speaks against the update.
pub fn prepare(world: &mut dyn World, request: &Request, firmware: &Firmware) -> Result<Plan, UpdateError> {
    match go(world, request, firmware, &mut |_| {}, Until::Plan)? {
        Reached::Plan(plan) => Ok(*plan),
        Reached::End(_) => Err(bug("a plan was carried out")),
    }
}

/// What the user's selection leads to.
enum Target {
    /// A modem on the bus.
    Modem(Box<Modem>),
    /// A port behind which no modem is known to be: a pseudo-terminal, or a foreign device.
    Bare(PortInfo),
}

impl Found for Target {
    fn spot(&self) -> Spot {
        match self {
            Self::Modem(modem) => Spot::of_device(&modem.device),
            Self::Bare(port) => Spot::of_port(port),
        }
    }

    fn device(&self) -> DeviceId {
        match self {
            Self::Modem(modem) => modem.device(),
            Self::Bare(port) => DeviceId::from_port(port, None),
        }
    }

    fn again(&self, world: &mut dyn World) -> Result<Option<Self>, DiscoveryError> {
        match self {
            Self::Modem(modem) => Ok(modem.again(world)?.map(|modem| Self::Modem(Box::new(modem)))),
            Self::Bare(port) => {
                let now = world.find(port.id.as_str())?;
                let device = |port: &PortInfo| {
                    port.device
                        .as_ref()
                        .map(|device| (device.path.clone(), device.number))
                };
                Ok((device(&now) == device(port)).then_some(Self::Bare(now)))
            }
        }
    }
}

fn go(
    world: &mut dyn World,
    request: &Request,
    firmware: &Firmware,
    sink: &mut dyn FnMut(&Event),
    until: Until<'_>,
) -> Result<Reached, UpdateError> {
    let mut device = DeviceId::from_selection(&request.select);
    let refuse =
        |world: &dyn World, sink: &mut dyn FnMut(&Event), device: &DeviceId, step: Step, cause: Cause| {
            let now = world.now();
            let mut teller = Teller::new(sink, device.clone(), now);
            teller.begin(now, step);
            teller.fail(now, cause)
        };
    let warnings = match checks::judge_images(request, firmware) {
        Ok(warnings) => warnings,
        Err(cause) => return Err(refuse(world, sink, &device, Step::CheckImages, cause)),
    };
    let verb = until.verb();
    let mut patience = Patience::new(world, sink);
    let found = claim::find(world, verb, &request.select, &mut patience, |world, patience| {
        find(world, request, verb, patience)
    });
    let (target, claimed) = match found {
        Ok(found) => found,
        Err(refused) => {
            let (device, cause) = *refused;
            return Err(refuse(world, sink, &device, Step::CheckDevice, cause));
        }
    };
    let (port, modem) = match target {
        Target::Bare(port) => (port, None),
        Target::Modem(modem) => {
            device = DeviceId::from_modem(&modem);
            match checks::usable_port(&modem, &request.select) {
                Ok(port) => (port, Some(modem)),
                Err(cause) => {
                    world.host().unclaim(&claimed.spot);
                    return Err(refuse(world, sink, &device, Step::CheckDevice, cause));
                }
            }
        }
    };
    device = DeviceId::from_port(&port, modem.as_deref().map(Modem::name).as_deref());
    let span = tracing::info_span!("modem", path = %device);
    let _entered = span.enter();
    let name = match &request.select {
        Selector::Port(name) => name.clone(),
        _ => port.id.to_string(),
    };
    let mut run = Run::new(world, sink, claimed, &name, port, device);
    run.note_bus();
    let reached = match modem {
        Some(modem) if modem.mode == Mode::Normal => {
            run.had_control = !modem.ports.control.is_empty();
            run.teller.begin(run.world.now(), Step::CheckDevice);
            run.update_running(*modem, request, firmware, warnings, until)
        }
        _ => run.rescue(request, firmware, warnings, until),
    };
    run.close_all();
    run.let_go();
    run.unclaim();
    let now = run.world.now();
    match reached {
        Ok(Reached::End(outcome)) => {
            run.teller.advance_to_end();
            run.teller.finish(now);
            let kind = EventKind::Outcome {
                outcome: outcome.clone(),
            };
            run.teller.tell(now, kind);
            Ok(Reached::End(outcome))
        }
        Ok(plan) => Ok(plan),
        Err(cause) => {
            run.note_absence();
            Err(run.teller.fail(now, cause))
        }
    }
}

/// Finds what is meant.
fn find(
    world: &mut dyn World,
    request: &Request,
    verb: &'static str,
    patience: &mut Patience<'_>,
) -> Result<Target, Cause> {
    if let Selector::Port(name) = &request.select {
        let port = world.find(name)?;
        let Some(device) = &port.device else {
            return Ok(Target::Bare(port));
        };
        let attached = world.devices()?.into_iter();
        let mut here = attached.filter(|there| there.device.path == device.path);
        return Ok(match here.next().and_then(Modem::of) {
            Some(modem) => Target::Modem(Box::new(modem)),
            None => Target::Bare(port),
        });
    }
    let modem = find_patiently(world, request, verb, patience)?;
    Ok(Target::Modem(Box::new(modem)))
}

pub(crate) fn bug(what: &str) -> UpdateError {
    let device = DeviceId::from_port_name("modem");
    let what = what.to_owned();
    UpdateError::new(
        &device,
        Step::CheckDevice,
        ModemState::Unknown,
        Cause::Bug { what },
    )
}

impl Run<'_> {
    /// Sends the images to a modem in download mode, and sees it start.
    fn rescue(
        &mut self,
        request: &Request,
        firmware: &Firmware,
        warnings: Vec<Warning>,
        until: Until<'_>,
    ) -> Result<Reached, Cause> {
        let prepared = match checks::prepare_download(&self.port, request, firmware, warnings) {
            Ok(prepared) => prepared,
            Err(refused) => {
                let (step, cause) = *refused;
                self.teller.begin(self.world.now(), step);
                return Err(cause);
            }
        };
        let ask = match until {
            Until::Plan => return Ok(Reached::Plan(Box::new(prepared.plan))),
            Until::End(ask) => ask,
        };
        let wanted = target::wanted(
            &firmware.combination().versions,
            &request.given,
            request.ignore_versions,
        )?;
        self.announce(&prepared.plan, request, ask)?;
        self.teller.begin(self.world.now(), Step::OpenPort);
        self.inhibit(None, request)?;
        self.open_following(Duration::ZERO)?;
        self.keep_awake();
        self.stay_awake();
        let is_followed = self.home.is_some();
        if is_followed {
            self.teller.set_stage(0.0, 0.85);
        }
        let written = self.download(&prepared.job, &mut firmware.feed(&prepared.places))?;
        if !is_followed {
            return Ok(Reached::End(written.unproven()));
        }
        let goal = Goal {
            wanted,
            request,
            firmware,
            before: None,
            protocol: prepared.job.device_protocol,
            state_before: ModemState::RunsFirmware,
            firmware_first: false,
            // It was found there, with a port.
            agreed: Agreed::by(request).with_doubt(true),
        };
        let passed = Passed { written, back: None };
        self.see_through(&goal, passed).map(Reached::End)
    }
}
