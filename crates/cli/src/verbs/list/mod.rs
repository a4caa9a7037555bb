//! `modemflash list`: shows the modems of this host.

mod watch;

use update_engine::codes::Code;
use update_engine::modem::modems;
use update_engine::survey::{Surveyed, side_by_side, survey};
use update_engine::{Facts, Modem, Request, Verb};

use crate::arguments::List;
use crate::failure::{VerbFailure, Verdict};
use crate::output::stderr::say;
use crate::output::stdout::{print, print_json};
use crate::text::table::{Table, or_hyphen};
use crate::text::terminal::COLUMNS;
use crate::verbs::modem_view::{ModemLine, mode, port_words, short_name};
use crate::worlds::chosen_world::ChosenWorld;

/// Lists the modems, and with `--watch` goes on to show changes.
pub(crate) fn run(arguments: &List, mut chosen: ChosenWorld) -> Verdict {
    let request = Request {
        control: arguments.control.choice(),
        ..Request::default()
    };
    let asks = !arguments.no_ask && !arguments.watch;
    if asks {
        let modems = modems(chosen.world()).map_err(|error| VerbFailure::unreadable_bus(&error))?;
        if modems.len() > 1 {
            return ask_all(arguments, chosen, &request, modems);
        }
    }
    let found = chosen
        .talk(|world| survey(world, &request, asks.then_some(Verb::List)))
        .map_err(|error| VerbFailure::unreadable_bus(&error))?;
    let verdict = show(arguments.json, &found).and_then(|()| {
        if arguments.watch {
            watch::run(&mut chosen, found, arguments.json)
        } else {
            ended(&found)
        }
    });
    chosen.finish();
    verdict
}

/// Asks several modems at once, so that a modem that is slow to answer doesn't keep the user waiting for the others.
fn ask_all(arguments: &List, chosen: ChosenWorld, request: &Request, modems: Vec<Modem>) -> Verdict {
    let (mut crew, asker) = chosen.into_workers(modems.len())?;
    // A signal that came before now reached only the world that listed the modems, and no worker.
    if asker.is_stopped() {
        crew.worlds.clear();
        crew.finish();
        return Err(stopped());
    }
    let workers = std::mem::take(&mut crew.worlds).into_iter().zip(modems);
    let found = side_by_side(workers.collect(), request, Verb::List);
    crew.finish();
    show(arguments.json, &found)?;
    ended(&found)
}

fn ended(found: &[Surveyed]) -> Verdict {
    if found.iter().any(|surveyed| surveyed.is_stopped) {
        return Err(stopped());
    }
    Ok(0)
}

fn stopped() -> VerbFailure {
    VerbFailure::new(Code::Stopped, "the user stopped it before every modem was asked")
}

fn show(json: bool, found: &[Surveyed]) -> Result<(), VerbFailure> {
    if json {
        return found
            .iter()
            .try_for_each(|modem| print_json(&ModemLine::new(modem)));
    }
    if found.is_empty() {
        say("no Sierra Wireless modem is on the bus");
        return Ok(());
    }
    print(&table(found))
}

/// The table, with ports and warnings below each row. If a row would get too long, the IMEI moves down to the ports.
fn table(found: &[Surveyed]) -> String {
    let mut rows = rows(found, true);
    let is_wide = rows.width() > COLUMNS;
    if is_wide {
        rows = self::rows(found, false);
    }
    let mut lines = rows.lines().into_iter();
    let mut text = lines.next().unwrap_or_default() + "\n";
    for (line, modem) in lines.zip(found) {
        text.push_str(&format!("{line}\n"));
        let mut more = port_words(&modem.modem);
        if let (true, Some(imei)) = (
            is_wide,
            modem.facts.as_ref().and_then(|facts| facts.imei.as_deref()),
        ) {
            more.insert(0, format!("IMEI {imei}"));
        }
        if !more.is_empty() {
            text.push_str(&format!("  {}\n", more.join(", ")));
        }
        for warning in &modem.warnings {
            text.push_str(&format!("  warning: {}\n", warning.text));
        }
    }
    text
}

fn rows(found: &[Surveyed], with_imei: bool) -> Table {
    let mut head = vec!["PLACE", "USB ID", "MODEL", "MODE", "USB", "FIRMWARE", "CARRIER"];
    if with_imei {
        head.push("IMEI");
    }
    let mut table = Table::with_head(&head);
    for surveyed in found {
        let (modem, facts) = (&surveyed.modem, surveyed.facts.as_ref());
        let running = |of: fn(&Facts) -> Option<&str>| or_hyphen(facts.and_then(of));
        let speed = modem.usb().map(|usb| usb.trim_start_matches("USB "));
        let mut row = vec![
            modem.path().to_string(),
            modem.device.id(),
            short_name(modem, facts),
            mode(modem, facts),
            or_hyphen(speed),
            running(|facts| facts.running.firmware.as_deref()),
            running(|facts| facts.running.carrier.as_deref()),
        ];
        if with_imei {
            row.push(running(|facts| facts.imei.as_deref()));
        }
        table.push(row);
    }
    table
}
