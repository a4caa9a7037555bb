//! Finding the one modem that the user means, where the bus alone doesn't tell: modems are asked for their IMEI.

use modem_protocol::control::Closing;
use modem_world::{DiscoveryError, LockHolder, Spot, World};

use crate::modem::{DeviceId, Facts, Mode, Modem, Selector, line, modems};
use crate::request::{Request, Verb};
use crate::run::{Patience, Run, Start, Target};
use crate::told::{Cause, Event, Step, UpdateError};

/// The one modem that is meant.
///
/// `verb` is what the user asked for: other runs are told that while modems are asked for their IMEI.
///
/// # Errors
/// No modem fits, or more than one does; another run has a modem that may be the right one.
pub fn find_one(world: &mut dyn World, request: &Request, verb: Verb) -> Result<Modem, UpdateError> {
    let mut sink = |_: &Event| {};
    let mut patience = Patience::new(world, &mut sink);
    find_patiently(world, request, verb, &mut patience).map_err(|cause| {
        let device = DeviceId::from_selection(&request.select);
        UpdateError::untouched(&device, Step::CheckDevice, cause)
    })
}

/// The same, with what is left of the patience.
pub(crate) fn find_patiently(
    world: &mut dyn World,
    request: &Request,
    verb: Verb,
    patience: &mut Patience<'_>,
) -> Result<Modem, Cause> {
    match &request.select {
        Selector::Imei(imei) => by_imei(world, imei, request, verb, patience),
        select => on_bus(world, select),
    }
}

/// The one modem that is meant, by what the bus tells.
fn on_bus(world: &mut dyn World, select: &Selector) -> Result<Modem, Cause> {
    let mut found = select.candidates(world)?;
    match (found.pop(), found.is_empty()) {
        (Some(modem), true) => Ok(modem),
        (Some(last), false) => {
            found.push(last);
            Err(Cause::SeveralModems {
                wanted: select.clone(),
                found: found.iter().map(line).collect(),
            })
        }
        (None, _) => {
            let others = modems(world).unwrap_or_default();
            Err(Cause::NoModem {
                wanted: select.clone(),
                others: others.iter().map(line).collect(),
            })
        }
    }
}

/// What came of looking at one modem.
#[derive(Clone, Debug)]
pub(crate) struct Look {
    /// What the bus tells.
    pub(crate) modem: Modem,
    /// What the modem says of itself; none when it wasn't asked or didn't answer.
    pub(crate) facts: Option<Facts>,
    /// Another run that has the modem; the modem is left to that run.
    pub(crate) lock: Option<LockHolder>,
    /// Why the modem couldn't be asked.
    pub(crate) problem: Option<String>,
    /// Whether the user stopped while the modem was asked.
    pub(crate) is_stopped: bool,
}

/// Looks at all modems. With `ask`, the verb that other runs are told, those in normal mode are asked what they are.
///
/// # Errors
/// The bus can't be read.
pub(crate) fn look_at_all(
    world: &mut dyn World,
    request: &Request,
    ask: Option<Verb>,
) -> Result<Vec<Look>, DiscoveryError> {
    let mut looks = Vec::new();
    for modem in modems(world)? {
        let look = look_at(world, modem, request, ask);
        let is_stopped = look.is_stopped;
        looks.push(look);
        if is_stopped {
            break;
        }
    }
    Ok(looks)
}

/// Looks at one modem, without waiting for another run that has it.
pub(crate) fn look_at(world: &mut dyn World, modem: Modem, request: &Request, ask: Option<Verb>) -> Look {
    let mut sink = |_: &Event| {};
    look_patiently(world, modem, request, ask, &mut Patience::none(&mut sink))
}

/// The same; another run that has the modem for a moment is waited for.
fn look_patiently(
    world: &mut dyn World,
    modem: Modem,
    request: &Request,
    ask: Option<Verb>,
    patience: &mut Patience<'_>,
) -> Look {
    let mut look = Look {
        modem,
        facts: None,
        lock: None,
        problem: None,
        is_stopped: false,
    };
    let can_be_asked = look.modem.mode == Mode::Normal && look.modem.can_be_reached();
    let Some(verb) = ask.filter(|_| can_be_asked) else {
        look.lock = world.host().holder_of(&Spot::of_device(&look.modem.device));
        return look;
    };
    let found = Start::find(world, verb, &request.select, patience, |_, _| {
        Ok(Target::Modem(Box::new(look.modem.clone())))
    });
    let start = match found {
        Ok(start) => start,
        Err(refused) => {
            match refused.1 {
                Cause::Locked { holder, .. } => look.lock = Some(holder),
                other => {
                    look.is_stopped = matches!(other, Cause::Stopped { .. });
                    look.problem = Some(other.to_string());
                }
            }
            return look;
        }
    };
    if let Some(now) = start.modem() {
        look.modem = now.clone();
    }
    let mut sink = |_: &Event| {};
    let mut run = Run::new(world, &mut sink, start);
    let read = run.facts(request);
    match run.end(read) {
        Ok(read) => look.facts = Some(read),
        Err(error) => {
            let cause = error.source;
            look.is_stopped = matches!(*cause, Cause::Stopped { .. } | Cause::StoppedMidway);
            look.problem = Some(cause.to_string());
        }
    }
    look
}

/// Which of these modems has the IMEI. Those that another run has are asked when all others were, as far as the patience goes.
///
/// # Errors
/// None has; or another run has one that may have it.
fn by_imei(
    world: &mut dyn World,
    imei: &str,
    request: &Request,
    verb: Verb,
    patience: &mut Patience<'_>,
) -> Result<Modem, Cause> {
    let has_it = |look: &Look| {
        let its = look.facts.as_ref().and_then(|facts| facts.imei.as_deref());
        its == Some(imei)
    };
    let stopped = Cause::Stopped {
        how: "stopped; the modems were only asked",
    };
    let (mut seen, mut locked) = (Vec::new(), Vec::new());
    for look in look_at_all(world, request, Some(verb))? {
        if look.is_stopped {
            return Err(stopped);
        }
        if has_it(&look) {
            return Ok(look.modem);
        }
        seen.push(line(&look.modem));
        let is_asked_later = look.lock.is_some() && look.modem.mode == Mode::Normal;
        locked.extend(is_asked_later.then_some(look.modem));
    }
    let mut missed = None;
    patience.is_for_all = true;
    for modem in locked {
        let look = look_patiently(world, modem, request, Some(verb), patience);
        if look.is_stopped {
            return Err(stopped);
        }
        if has_it(&look) {
            return Ok(look.modem);
        }
        let path = look.modem.path().clone();
        missed = missed.or(look.lock.map(|holder| (path, holder)));
    }
    patience.is_for_all = false;
    match missed {
        Some((path, holder)) => Err(Cause::Locked {
            holder,
            more: format!(
                ": {path}, which wasn't asked; no other modem is the one with {}",
                request.select
            ),
        }),
        None => Err(Cause::NoModem {
            wanted: request.select.clone(),
            others: seen,
        }),
    }
}

impl Run<'_> {
    /// What a running modem says of itself.
    pub(crate) fn facts(&mut self, request: &Request) -> Result<Facts, Cause> {
        let modem = self.whereabouts().modem()?;
        if modem.mode != Mode::Normal {
            return Err(Cause::not_running(modem));
        }
        self.begin(Step::ReadModem);
        self.open_talk(request.control)?;
        let facts = self.read_facts()?;
        self.close_session(Closing::Release)?;
        self.name_modem(&facts);
        self.read(&facts);
        self.stop_if_asked("stopped; the modem was only asked")?;
        Ok(facts)
    }

    /// From now on the modem is called what it calls itself.
    pub(crate) fn name_modem(&mut self, facts: &Facts) {
        if facts.model.is_some() {
            let device = DeviceId::from_port(self.whereabouts().first_port(), facts.model.as_deref());
            self.teller().set_device(device);
        }
    }
}
