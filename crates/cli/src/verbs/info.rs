//! `modemflash info`: shows everything about one modem.

use update_engine::survey::{self, Surveyed, Unasked};
use update_engine::{Facts, ImageType, Trio, on_pcie};

use crate::arguments::{self, Info};
use crate::failure::{VerbFailure, Verdict};
use crate::output::stderr::say_warnings;
use crate::output::stdout::{print, print_json};
use crate::verbs::modem_view::{ModemLine, name, port_words};
use crate::verbs::pcie_view;
use crate::worlds::chosen_world::ChosenWorld;

/// Asks the modem and prints its answers.
pub(crate) fn run(arguments: &Info, mut chosen: ChosenWorld) -> Verdict {
    let request = arguments::request(&arguments.select, &arguments.control);
    if let Some(known) = on_pcie::named(chosen.world(), &request.select) {
        chosen.finish();
        pcie_view::show(&known, arguments.json)?;
        return Ok(0);
    }
    let asked = chosen.talk(|world| survey::one(world, &request, &mut say_warnings));
    chosen.finish();
    match asked {
        Ok(surveyed) => {
            show(&surveyed, arguments.json)?;
            Ok(0)
        }
        Err(unasked) => {
            let Unasked { error, seen } = *unasked;
            if let Some(surveyed) = seen {
                // Show what the bus tells, but fail: a script asked for more than that.
                show(&surveyed, arguments.json)?;
            }
            Err(error.into())
        }
    }
}

fn show(surveyed: &Surveyed, is_json: bool) -> Result<(), VerbFailure> {
    if is_json {
        print_json(&ModemLine::new(surveyed))
    } else {
        print(&text(surveyed))
    }
}

fn text(surveyed: &Surveyed) -> String {
    let (modem, facts) = (&surveyed.modem, surveyed.facts.as_ref());
    let device = &modem.device;
    let mut page = InfoPage::default();
    page.line("place", device.path.as_str());
    if let Some(peer) = &device.peer {
        page.line("same socket", &format!("{peer} at the other speed"));
    }
    page.line("USB id", &device.id());
    if let (Some(usb), Some(speed)) = (modem.usb(), device.speed) {
        page.line("speed", &format!("{usb}, {speed} Mbit/s"));
    }
    page.option("serial", device.serial.as_deref());
    let over = facts.map(|facts| format!(", asked over {}", facts.over));
    page.line("mode", &format!("{}{}", modem.mode, over.unwrap_or_default()));
    for (number, port) in port_words(modem).iter().enumerate() {
        page.line(if number == 0 { "ports" } else { "" }, port);
    }
    if let Some(facts) = facts {
        of_itself(&mut page, facts);
    }
    let mut text = format!("{}\n{}", name(modem, facts), page.text);
    for warning in &surveyed.warnings {
        text.push_str(&format!("warning: {}\n", warning.text));
    }
    text
}

/// Adds what the modem says of itself.
fn of_itself(page: &mut InfoPage, facts: &Facts) {
    page.option("manufacturer", facts.manufacturer.as_deref());
    page.option("model", facts.model.as_deref());
    page.option("revision", facts.revision.as_deref());
    page.option("boot loader", facts.boot_version.as_deref());
    page.option("IMEI", facts.imei.as_deref());
    page.option("SKU", facts.sku.as_deref());
    page.trio("runs", &facts.running);
    match &facts.preferred {
        Some(preferred) if *preferred == facts.running => page.line("prefers", "what it runs"),
        Some(preferred) => page.trio("prefers", preferred),
        None => {}
    }
    for (number, settings) in facts.carrier_settings.iter().enumerate() {
        page.line(if number == 0 { "carrier PRI" } else { "" }, settings);
    }
    page.option("radio", facts.operating_mode.as_deref());
    page.option("mismatch", facts.mismatch.as_deref());
    if !facts.images.is_empty() {
        let count = |kind| facts.images.iter().filter(|image| image.kind == kind).count();
        let of = |slots: Option<u8>| slots.map(|slots| format!(" of {slots}")).unwrap_or_default();
        page.line(
            "stored",
            &format!(
                "{}{} firmware, {}{} carrier settings (`modemflash slots`)",
                count(ImageType::Modem),
                of(facts.modem_slots),
                count(ImageType::Pri),
                of(facts.pri_slots)
            ),
        );
    }
}

/// Lines that consist of a name and a value.
#[derive(Debug, Default)]
struct InfoPage {
    text: String,
}

impl InfoPage {
    fn line(&mut self, name: &str, value: &str) {
        self.text.push_str(&format!("  {name:<14}{value}\n"));
    }

    fn option(&mut self, name: &str, value: Option<&str>) {
        if let Some(value) = value {
            self.line(name, value);
        }
    }

    fn trio(&mut self, name: &str, trio: &Trio) {
        let words = [
            ("firmware", &trio.firmware),
            ("carrier", &trio.carrier),
            ("config", &trio.config),
        ];
        let known: Vec<String> = words
            .into_iter()
            .filter_map(|(what, value)| Some(format!("{what} {}", value.as_ref()?)))
            .collect();
        if !known.is_empty() {
            self.line(name, &known.join(", "));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use modem_world::{LockHolder, Spot};
    use update_engine::modem::modems;
    use update_engine::{Code, Request};
    use virtual_modem::profile::Profile;
    use virtual_modem::simulated::SimulatedWorld;
    use virtual_modem::{Mode, Setup};

    use super::*;

    #[test]
    fn of_a_modem_that_another_run_has_the_bus_is_told_and_who_has_it() {
        let mut world = SimulatedWorld::new(Setup::running(Profile::named("MC7455").unwrap()));
        let modem = modems(&mut world).unwrap().remove(0);
        let holder = LockHolder {
            process: Some(812),
            name: Some("modemflash".to_owned()),
            verb: Some("update".to_owned()),
            held_for: Some(Duration::from_secs(12)),
        };
        world.lock(Spot::of_device(&modem.device), holder);
        let unasked = survey::one(&mut world, &Request::default(), &mut |_| {}).unwrap_err();
        let told = unasked.seen.unwrap();
        assert_eq!(VerbFailure::from(unasked.error).exit(), 4);
        let text = text(&told);
        assert!(text.contains("place         1-1\n"), "{text}");
        assert!(text.contains("QMI /dev/cdc-wdm0"), "{text}");
        assert!(
            text.ends_with(
                "warning: `modemflash update` (pid 812) has been using the modem for 12 s, so modemflash didn't ask the modem\n"
            ),
            "{text}"
        );
        let json = serde_json::to_value(ModemLine::new(&told)).unwrap();
        let lock = serde_json::json!({ "pid": 812, "name": "modemflash", "verb": "update", "held_s": 12 });
        assert_eq!((&json["lock"], &json["facts"]), (&lock, &serde_json::Value::Null));
        assert_eq!(json["warnings"][0]["code"], "LOCKED");
        assert_eq!(world.written(0, 0), 0);

        // Where there is no modem there is nothing to show.
        let mut nobody = SimulatedWorld::new(Setup {
            mode: Mode::Foreign,
            ..Setup::running(Profile::named("MC7455").unwrap())
        });
        let unasked = survey::one(&mut nobody, &Request::default(), &mut |_| {}).unwrap_err();
        assert_eq!(unasked.error.code(), Code::ModemNone);
        assert!(unasked.seen.is_none());
    }
}
