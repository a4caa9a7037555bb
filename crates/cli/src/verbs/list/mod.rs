//! `modemflash list`: shows the modems of this host.

mod watch;

use update_engine::codes::Code;
use update_engine::modem::modems;
use update_engine::on_pcie::OnPcie;
use update_engine::survey::{Surveyed, side_by_side, survey};
use update_engine::{Facts, Modem, Request, Verb, on_pcie};

use crate::arguments::List;
use crate::failure::{VerbFailure, Verdict};
use crate::output::stderr::say;
use crate::output::stdout::{print, print_json};
use crate::text::table::{Table, or_hyphen};
use crate::text::terminal::COLUMNS;
use crate::verbs::modem_view::{ModemLine, mode, port_words, short_name};
use crate::verbs::pcie_view;
use crate::worlds::chosen_world::ChosenWorld;

/// Lists the modems, and with `--watch` goes on to show changes.
pub(crate) fn run(arguments: &List, mut chosen: ChosenWorld) -> Verdict {
    let request = Request {
        control: arguments.control.choice(),
        ..Request::default()
    };
    let asks = !arguments.no_ask && !arguments.watch;
    let on_pcie = on_pcie::all(chosen.world()).unwrap_or_else(|error| {
        // The modems on USB are shown nevertheless.
        say(&format!("warning: the modems on PCIe can't be listed: {error}"));
        Vec::new()
    });
    if asks {
        let modems = modems(chosen.world()).map_err(|error| VerbFailure::unreadable_bus(&error))?;
        if modems.len() > 1 {
            return ask_all(arguments, chosen, &request, modems, &on_pcie);
        }
    }
    let found = chosen
        .talk(|world| survey(world, &request, asks.then_some(Verb::List)))
        .map_err(|error| VerbFailure::unreadable_bus(&error))?;
    let verdict = show(arguments.json, &found, &on_pcie).and_then(|()| {
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
fn ask_all(
    arguments: &List,
    chosen: ChosenWorld,
    request: &Request,
    modems: Vec<Modem>,
    on_pcie: &[OnPcie],
) -> Verdict {
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
    show(arguments.json, &found, on_pcie)?;
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

fn show(json: bool, found: &[Surveyed], on_pcie: &[OnPcie]) -> Result<(), VerbFailure> {
    if json {
        return found
            .iter()
            .try_for_each(|modem| print_json(&ModemLine::new(modem)))
            .and_then(|()| on_pcie.iter().try_for_each(pcie_view::print_line));
    }
    if found.is_empty() && on_pcie.is_empty() {
        say("no Sierra Wireless modem is on the bus");
        return Ok(());
    }
    print(&table(found, on_pcie))
}

/// The table, with ports and warnings below each row. If a row would get too long, the IMEI moves down to the ports.
fn table(found: &[Surveyed], on_pcie: &[OnPcie]) -> String {
    let mut rows = rows(found, on_pcie, true);
    let is_wide = rows.width() > COLUMNS;
    if is_wide {
        rows = self::rows(found, on_pcie, false);
    }
    let mut lines = rows.lines().into_iter();
    let mut text = lines.next().unwrap_or_default() + "\n";
    // The modem comes first: a zip takes from its first side before it knows that the other one has ended.
    for (modem, line) in found.iter().zip(lines.by_ref()) {
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
    for (line, known) in lines.zip(on_pcie) {
        text.push_str(&format!("{line}\n"));
        let ports = pcie_view::port_words(known);
        if !ports.is_empty() {
            text.push_str(&format!("  {}\n", ports.join(", ")));
        }
        for warning in &known.warnings {
            text.push_str(&format!("  warning: {}\n", warning.text));
        }
    }
    text
}

fn rows(found: &[Surveyed], on_pcie: &[OnPcie], with_imei: bool) -> Table {
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
    for known in on_pcie {
        let row = [known.modem.place.as_str(), "-", &known.name, "PCIe"].into_iter();
        let unknown = std::iter::repeat("-");
        table.push(row.chain(unknown).take(head.len()).map(str::to_owned).collect());
    }
    table
}

#[cfg(test)]
mod tests {
    use modem_world::PciModem;
    use virtual_modem::Setup;
    use virtual_modem::profile::Profile;
    use virtual_modem::simulated::SimulatedWorld;

    use super::*;

    #[test]
    fn a_modem_on_pcie_has_a_row_of_its_own_below_those_on_usb() {
        let mut world = SimulatedWorld::new(Setup::running(Profile::named("MC7455").unwrap()));
        world.put_on_pcie(PciModem {
            place: "0000:01:00.0".to_owned(),
            vendor: 0x17cb,
            device: 0x0308,
            subsystem_vendor: 0x18d7,
            subsystem_device: 0x0301,
            driver: None,
            ports: Vec::new(),
        });
        let found = survey(&mut world, &Request::default(), None).unwrap();
        let on_pcie = on_pcie::all(&mut world).unwrap();
        let text = table(&found, &on_pcie);
        let words: Vec<Vec<&str>> = text
            .lines()
            .map(|line| line.split_whitespace().collect())
            .collect();
        assert_eq!(words[1][0], "1-1", "{text}");
        let row = words.iter().find(|words| words[0] == "0000:01:00.0").unwrap();
        assert_eq!(
            row[..5],
            ["0000:01:00.0", "-", "EM929x", "(SDX65)", "PCIe"],
            "{text}"
        );
        assert!(
            text.contains("  warning: modemflash can't ask or update this modem over PCIe yet"),
            "{text}"
        );
        assert!(
            text.ends_with(
                "no driver has the PCI device 17cb:0308; the kernel's driver for it is mhi-pci-generic\n"
            ),
            "{text}"
        );

        let alone = table(&[], &on_pcie);
        assert_eq!(alone.lines().count(), 4, "{alone}");
    }
}
