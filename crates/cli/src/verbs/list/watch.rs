//! `modemflash list --watch`: shows modems that appear, change and leave.

use std::collections::BTreeMap;
use std::time::Duration;

use modem_world::{Instant, Interest, UsbPath, Wake};
use serde::Serialize;
use update_engine::boot_loop::BootLoops;
use update_engine::modem::Mode;
use update_engine::survey::{Remark, Surveyed, look, survey};
use update_engine::{RemarkCode, Request};

use crate::failure::{VerbFailure, Verdict};
use crate::output::stdout::{print, print_json, seconds};
use crate::verbs::modem_view::{ModemLine, SCHEMA, mode, name, port_words};
use crate::worlds::chosen_world::ChosenWorld;

/// How long the kernel may take to make the ports of a modem before a warning is shown. The engine has the same limit.
const PORTS_LIMIT: Duration = Duration::from_secs(10);

/// On a virtual bus the verb ends if nothing happens for this long.
const VIRTUAL_END: Duration = Duration::from_secs(600);
/// How long one wait on a real bus lasts; then the next one begins.
const ROUND: Duration = Duration::from_secs(3600);

/// What happened to a modem.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum BusChange {
    Appeared,
    Left,
    Changed,
    BootLoop,
}

#[derive(Debug, Serialize)]
struct BusChangeLine<'a> {
    v: u16,
    t: f64,
    change: BusChange,
    modem: ModemLine<'a>,
}

/// Shows changes until the user stops the verb.
pub(super) fn run(chosen: &mut ChosenWorld, found: Vec<Surveyed>, json: bool) -> Verdict {
    let mut here = by_place(found);
    let mut boot_loops = BootLoops::default();
    let mut unready: BTreeMap<UsbPath, Instant> = BTreeMap::new();
    let round = if chosen.is_virtual() { VIRTUAL_END } else { ROUND };
    loop {
        let late = unready.values().min().map(|since| *since + PORTS_LIMIT);
        let until = late.unwrap_or(chosen.world().now() + round);
        match chosen.world().wait(&[Interest::Bus], until) {
            Wake::Cancelled => return Ok(0),
            Wake::Deadline if chosen.is_virtual() && late.is_none() => return Ok(0),
            _ => {}
        }
        let found = survey(chosen.world(), &Request::default(), None)
            .map_err(|error| VerbFailure::unreadable_bus(&error))?;
        let now = chosen.world().now();
        let then = std::mem::replace(&mut here, by_place(found));
        for (change, surveyed) in changes(&then, &here) {
            let is_new = change == BusChange::Appeared && is_without_ports(surveyed);
            if is_new {
                // The kernel makes the ports after the device. Warn about missing ports only if they stay missing.
                unready.insert(surveyed.modem.path().clone(), now);
                let mut early = surveyed.clone();
                early.warnings.retain(|warning| !is_about_ports(warning));
                tell(json, now, change, &early)?;
            } else {
                unready.remove(surveyed.modem.path());
                tell(json, now, change, surveyed)?;
            }
            let starts = change == BusChange::Appeared && surveyed.modem.mode == Mode::Normal;
            let remark = starts
                .then(|| boot_loops.appeared(&surveyed.modem, now))
                .flatten();
            if let Some(remark) = remark {
                let mut looping = look(chosen.world(), surveyed.modem.clone(), &Request::default(), None);
                looping.warnings = vec![remark];
                tell(json, now, BusChange::BootLoop, &looping)?;
            }
        }
        let is_late = |since: &Instant| now >= *since + PORTS_LIMIT;
        for (path, _) in unready.iter().filter(|(_, since)| is_late(since)) {
            if let Some(surveyed) = here.get(path) {
                tell(json, now, BusChange::Changed, surveyed)?;
            }
        }
        unready.retain(|_, since| !is_late(since));
    }
}

fn is_about_ports(warning: &Remark) -> bool {
    matches!(warning.code, RemarkCode::NoDriver | RemarkCode::NoControlPort)
}

fn is_without_ports(surveyed: &Surveyed) -> bool {
    surveyed.warnings.iter().any(is_about_ports)
}

fn by_place(found: Vec<Surveyed>) -> BTreeMap<UsbPath, Surveyed> {
    let keyed = found.into_iter();
    keyed
        .map(|surveyed| (surveyed.modem.path().clone(), surveyed))
        .collect()
}

/// The changes between two looks at the bus: first the modems that left, then those that appeared or changed. A modem with a new
/// number on the bus has left and come back.
fn changes<'a>(
    then: &'a BTreeMap<UsbPath, Surveyed>,
    now: &'a BTreeMap<UsbPath, Surveyed>,
) -> Vec<(BusChange, &'a Surveyed)> {
    let is_same = |one: &Surveyed, other: Option<&Surveyed>| {
        other.is_some_and(|other| {
            let (one, other) = (&one.modem.device, &other.modem.device);
            one.number == other.number && one.id() == other.id()
        })
    };
    let left = then
        .iter()
        .filter(|(place, modem)| !is_same(modem, now.get(*place)));
    let left = left.map(|(_, modem)| (BusChange::Left, modem));
    let rest = now.iter().filter_map(|(place, modem)| {
        let before = then.get(place);
        if !is_same(modem, before) {
            Some((BusChange::Appeared, modem))
        } else if before.is_some_and(|before| before.modem != modem.modem) {
            Some((BusChange::Changed, modem))
        } else {
            None
        }
    });
    left.chain(rest).collect()
}

fn tell(json: bool, now: Instant, change: BusChange, surveyed: &Surveyed) -> Result<(), VerbFailure> {
    let modem = &surveyed.modem;
    if json {
        return print_json(&BusChangeLine {
            v: SCHEMA,
            t: seconds(now),
            change,
            modem: ModemLine::new(surveyed),
        });
    }
    let sign = match change {
        BusChange::Appeared => '+',
        BusChange::Left => '-',
        BusChange::Changed => '~',
        BusChange::BootLoop => '!',
    };
    let mut text = format!(
        "{sign} {:>7.1} s  {}  {}  {}  {}",
        now.since_start().as_secs_f64(),
        modem.path(),
        modem.device.id(),
        name(modem, None),
        mode(modem, None)
    );
    let ports = port_words(modem);
    if change != BusChange::Left && change != BusChange::BootLoop && !ports.is_empty() {
        text.push_str(&format!("  {}", ports.join(", ")));
    }
    text.push('\n');
    if matches!(change, BusChange::Appeared | BusChange::BootLoop) {
        for warning in &surveyed.warnings {
            text.push_str(&format!("  warning: {}\n", warning.text));
        }
    }
    print(&text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use modem_world::{Attached, UsbDevice};
    use update_engine::Modem;

    fn modem(number: u32, interfaces: u8) -> Surveyed {
        let modem = Modem::insisted(Attached {
            device: UsbDevice {
                path: UsbPath::new("1-2"),
                peer: Some(UsbPath::new("2-2")),
                number,
                vendor: 0x1199,
                product: 0x68c0,
                interfaces: Some(interfaces),
                speed: Some(480),
                manufacturer: None,
                product_name: None,
                serial: None,
            },
            interfaces: Vec::new(),
            ports: Vec::new(),
        });
        Surveyed {
            modem,
            facts: None,
            lock: None,
            problem: None,
            is_stopped: false,
            warnings: Vec::new(),
        }
    }

    fn between(then: Vec<Surveyed>, now: Vec<Surveyed>) -> Vec<BusChange> {
        let (then, now) = (by_place(then), by_place(now));
        changes(&then, &now)
            .into_iter()
            .map(|(change, _)| change)
            .collect()
    }

    #[test]
    fn a_new_number_on_the_bus_is_a_modem_that_left_and_came_back() {
        assert_eq!(between(vec![], vec![modem(1, 5)]), [BusChange::Appeared]);
        assert_eq!(between(vec![modem(1, 5)], vec![]), [BusChange::Left]);
        assert_eq!(
            between(vec![modem(1, 5)], vec![modem(2, 5)]),
            [BusChange::Left, BusChange::Appeared]
        );
        assert_eq!(
            between(vec![modem(1, 5)], vec![modem(1, 4)]),
            [BusChange::Changed]
        );
        assert_eq!(between(vec![modem(1, 5)], vec![modem(1, 5)]), []);
    }
}
