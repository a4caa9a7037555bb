//! Finds the one modem that the user means. If the user names an IMEI, the bus can't tell, so the modems are asked.

use modem_protocol::control::Closing;
use modem_world::{DiscoveryError, LockHolder, Spot, World};

use crate::modem::{DeviceId, Facts, Mode, Modem, Selector, line, modems, on_pcie};
use crate::request::{Request, Verb};
use crate::run::{Patience, Run, Start, Target};
use crate::told::{Cause, Event, Step, UpdateError};

/// Finds the one modem that the user means.
///
/// `verb` is what the user asked for. Other runs see it while this run asks modems for their IMEI. `sink` is told what this waits for: another
/// run, or a modem that isn't at its place yet.
///
/// # Errors
/// No modem fits, or more than one does; another run has a modem that may be the right one.
pub fn find_one(
    world: &mut dyn World,
    request: &Request,
    verb: Verb,
    sink: &mut dyn FnMut(&Event),
) -> Result<Modem, UpdateError> {
    let mut patience = Patience::new(world, sink);
    let device = DeviceId::from_selection(&request.select);
    loop {
        let waited = match find_patiently(world, request, verb, &mut patience) {
            Ok(modem) => return Ok(modem),
            Err(cause) => patience.wait_for_modem(world, &device, &request.select, cause),
        };
        waited.map_err(|cause| UpdateError::untouched(&device, Step::CheckDevice, cause))?;
    }
}

/// Like [`find_one`], but waits for locked modems only as long as `patience` still allows.
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

/// Finds the one modem that the user means, by what the bus shows.
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
            let others = others.iter().map(line).collect();
            Err(no_modem(world, select, others))
        }
    }
}

/// The result of looking at one modem.
#[derive(Clone, Debug)]
pub(crate) struct Look {
    /// What the bus shows.
    pub(crate) modem: Modem,
    /// What the modem reports about itself. `None` if it wasn't asked or didn't answer.
    pub(crate) facts: Option<Facts>,
    /// The other run that has locked the modem. The modem isn't asked then.
    pub(crate) lock: Option<LockHolder>,
    /// Why the modem couldn't be asked.
    pub(crate) problem: Option<String>,
    /// Whether the user stopped while the modem was being asked.
    pub(crate) is_stopped: bool,
}

/// Looks at all modems. With `ask`, modems in normal mode are also asked what they are; `ask` is the verb that other runs see
/// meanwhile.
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

/// Looks at one modem. If another run has the modem, this doesn't wait for that run.
pub(crate) fn look_at(world: &mut dyn World, modem: Modem, request: &Request, ask: Option<Verb>) -> Look {
    let mut sink = |_: &Event| {};
    look_patiently(world, modem, request, ask, &mut Patience::none(&mut sink))
}

/// Looks at one modem. If another run has the modem only for a moment, this waits for that run.
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

/// Finds the modem with this IMEI. Modems that another run has locked are asked last, after waiting as long as `patience`
/// allows.
///
/// # Errors
/// No modem has the IMEI; or another run has locked a modem that may have it.
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
        how: "stopped while the modems were being asked; nothing was changed",
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
                "; that is the modem {path}, which wasn't asked, and no other modem fits {}",
                request.select
            ),
        }),
        None => Err(no_modem(world, &request.select, seen)),
    }
}

/// The cause that no modem on USB fits. The cause also names the modems on PCIe: the user may mean one of them.
fn no_modem(world: &mut dyn World, select: &Selector, others: Vec<String>) -> Cause {
    let on_pcie = world.host().pci_modems().unwrap_or_default();
    Cause::NoModem {
        wanted: select.clone(),
        others,
        on_pcie: on_pcie.iter().map(on_pcie::line).collect(),
    }
}

impl Run<'_> {
    /// Asks a running modem what it is.
    pub(crate) fn facts(&mut self, request: &Request) -> Result<Facts, Cause> {
        let modem = self.whereabouts().modem()?;
        if modem.mode != Mode::Normal {
            return Err(Cause::not_running(modem));
        }
        self.begin(Step::ReadModem);
        self.open_talk(request.control)?;
        let mut facts = self.read_facts()?;
        self.read_carrier_settings(&mut facts)?;
        self.close_session(Closing::Release)?;
        self.name_modem(&facts);
        self.read(&facts);
        self.stop_if_asked("stopped while the modem was being asked; nothing was changed")?;
        Ok(facts)
    }

    /// Uses the model that the modem reports as its name from now on.
    pub(crate) fn name_modem(&mut self, facts: &Facts) {
        if facts.model.is_some() {
            let device = DeviceId::from_port(self.whereabouts().first_port(), facts.model.as_deref());
            self.teller().set_device(device);
        }
    }
}
