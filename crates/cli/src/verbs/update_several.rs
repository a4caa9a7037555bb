//! `modemflash update` for several modems. Each modem gets a worker and a line of progress; a table at the end shows all results.

use modem_world::World;
use update_engine::fleet::{Worker, exit_code, update_all};
use update_engine::modem::modems;
use update_engine::on_pcie::{self, OnPcie};
use update_engine::{
    Code, DeviceId, Firmware, Modem, Outcome, Plan, Request, Selector, Trio, UpdateError, Verb, left_out,
    prepare,
};

use crate::arguments::{Arguments, Update};
use crate::ask::{self, Asker, UserAnswer};
use crate::failure::{VerbFailure, Verdict};
use crate::images;
use crate::output::json_events;
use crate::output::stderr::{say, say_warnings};
use crate::screen::{self, Pace};
use crate::text::amounts;
use crate::text::table::Table;
use crate::worlds::chosen_world::ChosenWorld;

/// What is said if the run ends before the workers begin.
const UNCHANGED: &str = "nothing was changed on any modem";

/// Updates the named modems, or all modems that the images are for.
pub(crate) fn run(arguments: &Update, named: &[Selector], all: &Arguments) -> Verdict {
    let mut chosen = ChosenWorld::of(all)?;
    let firmware = Firmware::from(images::load(&arguments.files, &arguments.images, None)?);
    let request = arguments.request();
    let is_json = arguments.output.json;
    let selected = choose(chosen.world(), &request, named, &firmware, is_json)?;
    if selected.is_empty() {
        let left_out = modems(chosen.world()).map_or(0, |modems| modems.len());
        let on_pcie = on_pcie::all(chosen.world()).unwrap_or_default();
        return Err(none_fits(left_out, &on_pcie));
    }
    let mut requests: Vec<Request> = selected
        .iter()
        .map(|select| Request {
            select: select.clone(),
            ..request.clone()
        })
        .collect();
    let places: Vec<String> = selected.iter().map(place).collect();
    if !request.confirmed && !is_json && ask::is_possible() {
        let (world, asker) = chosen.parts();
        match confirm(world, asker, &mut requests, &firmware) {
            None | Some(UserAnswer::Yes) => {}
            Some(refused) => return refused.end(UNCHANGED),
        }
    }
    let pace = if chosen.is_virtual() {
        Pace::Played
    } else {
        Pace::Real
    };
    let (mut crew, asker) = chosen.into_workers(requests.len())?;
    // A signal that came before now reached only the world that asked the modems, and no worker.
    if asker.is_stopped() {
        crew.worlds.clear();
        crew.finish();
        return Err(VerbFailure::new(Code::Stopped, format!("stopped; {UNCHANGED}")));
    }
    let workers = std::mem::take(&mut crew.worlds).into_iter().zip(requests);
    let workers = workers
        .map(|(world, request)| Worker { world, request })
        .collect();
    let mut screens = screen::choose_for_several(is_json, all.verbose, pace, places.clone());
    let results = update_all(workers, &firmware, &mut |number, event| {
        screens.show(number, event);
    });
    screens.rest();
    crew.finish();
    let code = exit_code(&results);
    summary(places, results);
    match screens.lost() {
        Some(lost) if code == 0 => Err(lost),
        _ => Ok(code),
    }
}

/// There is nothing to do with `--all`: of the modems on the bus, `left_out` in number, none takes the images.
fn none_fits(left_out: usize, on_pcie: &[OnPcie]) -> VerbFailure {
    match left_out {
        0 if !on_pcie.is_empty() => {
            let words = on_pcie
                .iter()
                .map(|known| format!("{} ({})", known.modem.place, known.name));
            let words = words.collect::<Vec<_>>().join(", ");
            let what = format!(
                "no modem is on USB; on PCIe, where modemflash can't update a modem yet, there is {words}"
            );
            VerbFailure::new(Code::ModemNone, what)
                .hint("`modemflash list` shows what the host knows of the modem on PCIe")
        }
        0 => VerbFailure::new(Code::ModemNone, "no modem is on the bus"),
        1 => VerbFailure::new(
            Code::ModemNone,
            "the images are not for the only modem on the bus",
        )
        .hint("get the package for this modem; `modemflash inspect FILE` shows which modems a file is for"),
        _ => {
            let what = format!("the images are for none of the {left_out} modems on the bus");
            VerbFailure::new(Code::ModemNone, what)
                .hint("get the package for these modems; `modemflash inspect FILE` shows which modems a file is for")
        }
    }
}

/// The place of a modem, as the user sees it.
fn place(select: &Selector) -> String {
    match select {
        Selector::Place(name) | Selector::Port(name) => name.clone(),
        other => other.to_string(),
    }
}

/// The places of the modems that are named, each modem once. Without names, the places of all modems that the images may be for. A
/// port without a USB device behind it has no place and stays a port.
fn choose(
    world: &mut dyn World,
    request: &Request,
    named: &[Selector],
    firmware: &Firmware,
    is_json: bool,
) -> Result<Vec<Selector>, VerbFailure> {
    let mut selected: Vec<Selector> = Vec::new();
    if named.is_empty() {
        for modem in modems(world).map_err(|error| VerbFailure::unreadable_bus(&error))? {
            match left_out(world, &modem, request, firmware, &mut say_asking) {
                Some(why) => {
                    let why = why.to_string();
                    if is_json {
                        json_events::left_out(world.now(), &DeviceId::from_modem(&modem), &why)?;
                    }
                    say(&format!(
                        "note: {} ({}) is left out: {why}",
                        modem.path(),
                        modem.name()
                    ));
                }
                None => selected.push(Selector::Place(modem.path().to_string())),
            }
        }
        return Ok(selected);
    }
    for select in named {
        let is_bare = match select {
            Selector::Port(name) => world.find(name).is_ok_and(|port| port.device.is_none()),
            _ => false,
        };
        let select = if is_bare {
            select.clone()
        } else {
            let request = Request {
                select: select.clone(),
                ..request.clone()
            };
            let modem = update_engine::find_one(world, &request, Verb::Update, &mut say_warnings)?;
            Selector::Place(modem.path().to_string())
        };
        if !selected.contains(&select) {
            selected.push(select);
        }
    }
    Ok(selected)
}

/// Says, where a user sits at the terminal, that a modem is asked: that takes seconds.
fn say_asking(modem: &Modem) {
    if ask::is_possible() {
        say(&format!("asking {} what it is", modem.path()));
    }
}

/// Shows the plans for all modems and asks once about all warnings in them. A yes confirms only the warnings that were shown, not
/// those that a run meets later, as with a modem that couldn't be asked yet. If there is an error instead of a plan, one line shows
/// it here, and the run reports it in full later.
fn confirm(
    world: &mut dyn World,
    asker: &Asker,
    requests: &mut [Request],
    firmware: &Firmware,
) -> Option<UserAnswer> {
    let count = amounts::count(requests.len(), "modem");
    say(&format!("asking {count} what they run"));
    let mut is_doubtful = false;
    for request in requests {
        let place = place(&request.select);
        match prepare(world, request, firmware) {
            Ok(plan) => {
                say(&format!("{place}: {}", in_a_line(&plan)));
                for warning in &plan.warnings {
                    say(&format!("  warning: {}", warning.text));
                }
                let shown = plan.to_confirm().map(|warning| warning.code.as_str().to_owned());
                request.confirmed_codes = shown.collect();
                is_doubtful |= !request.confirmed_codes.is_empty();
            }
            Err(error) if error.is_stopped() => return Some(UserAnswer::Left),
            Err(error) => say(&format!("{place}: {}", error.what())),
        }
    }
    is_doubtful.then(|| asker.ask(ask::GO_ON))
}

/// One line about a plan: what the modem runs, and what it is to run.
fn in_a_line(plan: &Plan) -> String {
    let from = match &plan.from {
        Some(from) => format!("runs {from}"),
        None => "waits in download mode".to_owned(),
    };
    let images = amounts::count(plan.images.len(), "image");
    if plan.to == Trio::default() {
        return format!("{from}, gets {images}");
    }
    match &plan.from {
        Some(from) if plan.to.differences(from).is_empty() => {
            format!("already runs {from}, which is what was requested")
        }
        _ => format!("{from}, to become {}, {images}", plan.to),
    }
}

/// Prints how each run ended: first the errors in full, then a table.
fn summary(places: Vec<String>, results: Vec<Result<Outcome, UpdateError>>) {
    let mut table = Table::with_head(&["PLACE", "EXIT", "RESULT"]);
    for (place, result) in places.into_iter().zip(results) {
        let (exit, words) = match result {
            Ok(outcome) => (0, outcome.to_string()),
            Err(error) => {
                let (exit, words) = (error.exit_code(), format!("{}: {}", error.code(), error.what()));
                VerbFailure::from(error).print();
                (exit, words)
            }
        };
        table.push(vec![place, exit.to_string(), words]);
    }
    for line in table.lines() {
        say(&line);
    }
}

#[cfg(test)]
mod tests {
    use modem_world::PciModem;
    use virtual_modem::profile::Profile;
    use virtual_modem::simulated::SimulatedWorld;
    use virtual_modem::{Mode, Setup};

    use super::*;

    #[test]
    fn all_modems_are_none_where_the_only_one_is_on_pcie_and_the_error_names_it() {
        let mut world = SimulatedWorld::new(Setup {
            mode: Mode::Foreign,
            ..Setup::running(Profile::named("MC7455").unwrap())
        });
        let said = |world: &mut SimulatedWorld| {
            let on_pcie = on_pcie::all(world).unwrap();
            format!("{:?}", none_fits(0, &on_pcie))
        };
        assert!(said(&mut world).contains("no modem is on the bus"));
        world.put_on_pcie(PciModem {
            place: "0000:01:00.0".to_owned(),
            vendor: 0x17cb,
            device: 0x0306,
            subsystem_vendor: 0x18d7,
            subsystem_device: 0x0200,
            driver: None,
            ports: Vec::new(),
        });
        assert!(said(&mut world).contains("there is 0000:01:00.0 (EM919x (SDX55))"));
    }
}
