//! Selects the modem in the four ways of `qmi-firmware-update`, with the words of that program if there is no such modem.

use modem_world::{DiscoveryError, PortInfo, World};
use update_engine::{Modem, Selector};

use super::options::AskedOptions;

/// The error for `-U` with a modem that isn't in download mode.
pub(crate) const NO_DOWNLOAD_PORT: &str =
    "No serial device in download mode found to run QDL update operation";

/// The modem that was selected.
#[derive(Debug)]
pub(crate) struct ChosenModem {
    pub(crate) select: Selector,
    /// None if no USB device is known behind the port.
    pub(crate) modem: Option<Modem>,
}

/// Why no modem was selected.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct NoModemChosen {
    /// The words of `qmi-firmware-update`.
    pub(crate) words: String,
    /// Our own words, if they say more.
    pub(crate) more: Vec<String>,
}

impl NoModemChosen {
    fn new(words: impl Into<String>) -> Self {
        Self {
            words: words.into(),
            more: Vec::new(),
        }
    }
}

/// Finds the one modem that the command line names.
///
/// # Errors
/// The command line names no modem, several, or one that isn't there. The error lists the modems that are there.
pub(crate) fn choose(asked: &AskedOptions, world: &mut dyn World) -> Result<ChosenModem, NoModemChosen> {
    look(asked, world).map_err(|mut refused| {
        if refused.more.is_empty() {
            let there = Selector::Only.candidates(world).unwrap_or_default();
            refused.more = there
                .iter()
                .map(|modem| format!("there is: {}", line(modem)))
                .collect();
        }
        refused
    })
}

fn look(asked: &AskedOptions, world: &mut dyn World) -> Result<ChosenModem, NoModemChosen> {
    let ports = [&asked.control_port, &asked.tty].into_iter().flatten();
    let ways = usize::from(asked.by_id.is_some())
        .saturating_add(usize::from(asked.by_number.is_some()))
        .saturating_add(ports.clone().count());
    if ways > 1 {
        return Err(NoModemChosen::new(
            "Only one device selection option may be provided",
        ));
    }
    if let Some(id) = asked.by_id {
        let mut words = format!("vid 0x{:04x}", id.vendor);
        if let Some(product) = id.product {
            words.push_str(&format!(", pid 0x{product:04x}"));
        }
        let select = Selector::Id {
            vendor: id.vendor,
            product: id.product,
        };
        return by_criteria(select, &words, world);
    }
    if let Some(number) = asked.by_number {
        let mut words = format!("dev {:03}", number.device);
        if let Some(bus) = number.bus {
            words = format!("bus {bus:03}, {words}");
        }
        let Ok(bus) = number.bus.map(u16::try_from).transpose() else {
            return Err(not_found(&words));
        };
        let select = Selector::BusNumber {
            bus,
            device: number.device,
        };
        return by_criteria(select, &words, world);
    }
    match ports.into_iter().next() {
        Some(port) => by_port(port, world),
        None => Err(NoModemChosen::new("No device selected")),
    }
}

fn not_found(criteria: &str) -> NoModemChosen {
    NoModemChosen::new(format!("no device found with matching criteria: {criteria}"))
}

fn by_criteria(select: Selector, words: &str, world: &mut dyn World) -> Result<ChosenModem, NoModemChosen> {
    let mut found = select.candidates(world).map_err(|error| {
        let mut none = not_found(words);
        none.more.push(error.to_string());
        none
    })?;
    if found.len() > 1 {
        return Err(NoModemChosen {
            words: format!(
                "multiple devices ({}) found with matching criteria: {words}",
                found.len()
            ),
            more: found.iter().map(line).collect(),
        });
    }
    match found.pop() {
        Some(modem) => Ok(ChosenModem {
            select,
            modem: Some(modem),
        }),
        None => Err(not_found(words)),
    }
}

/// One line about a modem, with the ports by which the user can name it.
fn line(modem: &Modem) -> String {
    let ports: Vec<String> = modem.all_ports().map(|port| port.id.to_string()).collect();
    format!(
        "{} {}, {} in {} mode: {}",
        modem.path(),
        modem.name(),
        modem.device.id(),
        modem.mode,
        ports.join(" ")
    )
}

fn by_port(given: &str, world: &mut dyn World) -> Result<ChosenModem, NoModemChosen> {
    let name = node(given)?;
    let port = match world.find(&name) {
        Ok(port) => port,
        Err(DiscoveryError::NotFound { .. }) if is_known(base_name(&name)) => {
            return Err(NoModemChosen::new("device not found"));
        }
        Err(error) => {
            return Err(NoModemChosen {
                words: "unknown device file type".to_owned(),
                more: vec![error.to_string()],
            });
        }
    };
    let select = Selector::Port(name.clone());
    if let Some(modem) = modem_behind(&port, &select, world) {
        return Ok(ChosenModem {
            select,
            modem: Some(modem),
        });
    }
    if port.device.is_none() && is_known(base_name(&name)) {
        return Err(NoModemChosen::new("couldn't find parent physical USB device"));
    }
    // A pseudo-terminal or a foreign device: the engine judges them.
    Ok(ChosenModem { select, modem: None })
}

fn modem_behind(port: &PortInfo, select: &Selector, world: &mut dyn World) -> Option<Modem> {
    port.device.as_ref()?;
    select.candidates(world).ok()?.pop()
}

/// The device node that is meant. As with `qmi-firmware-update`, only the last part of the path counts if it is the usual name of a
/// port. A link with another name is used as it is.
fn node(given: &str) -> Result<String, NoModemChosen> {
    if given.is_empty() {
        return Err(NoModemChosen::new("couldn't get filename"));
    }
    let base = base_name(given);
    if is_known(base) {
        return Ok(format!("/dev/{base}"));
    }
    Ok(given.to_owned())
}

fn base_name(path: &str) -> &str {
    path.trim_end_matches('/').rsplit('/').next().unwrap_or(path)
}

fn is_known(base: &str) -> bool {
    base.starts_with("tty") || base.starts_with("cdc-wdm")
}
