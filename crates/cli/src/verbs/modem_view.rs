//! How `list` and `info` show a modem, in words and in JSON.

use serde::Serialize;
use update_engine::Facts;
use update_engine::modem::{Language, Mode, Modem};
use update_engine::survey::{Remark, Surveyed};

/// Version of the schema in docs/list-json.md.
pub(crate) const SCHEMA: u16 = 1;

/// A modem as JSON.
#[derive(Debug, Serialize)]
pub(crate) struct ModemLine<'a> {
    v: u16,
    place: &'a str,
    peer: Option<&'a str>,
    usb_id: String,
    number: u32,
    speed_mbit: Option<u32>,
    name: String,
    serial: Option<&'a str>,
    mode: Mode,
    ports: Vec<PortLine>,
    imei: Option<&'a str>,
    facts: Option<&'a Facts>,
    problem: Option<&'a str>,
    lock: Option<LockLine<'a>>,
    warnings: &'a [Remark],
}

/// The process that has locked the modem.
#[derive(Debug, Serialize)]
pub(crate) struct LockLine<'a> {
    pid: Option<u32>,
    name: Option<&'a str>,
    verb: Option<&'a str>,
    held_s: Option<u64>,
}

/// A port of the modem.
#[derive(Debug, Serialize)]
pub(crate) struct PortLine {
    port: String,
    role: PortRole,
    language: Option<Language>,
    interface: Option<u8>,
    driver: Option<String>,
}

/// What a port is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum PortRole {
    Control,
    At,
    Diag,
    Nmea,
    Download,
}

impl<'a> ModemLine<'a> {
    /// A line with everything that is known of a modem.
    pub(crate) fn new(surveyed: &'a Surveyed) -> Self {
        let (modem, facts) = (&surveyed.modem, surveyed.facts.as_ref());
        let device = &modem.device;
        Self {
            v: SCHEMA,
            place: device.path.as_str(),
            peer: device.peer.as_ref().map(modem_world::UsbPath::as_str),
            usb_id: device.id(),
            number: device.number,
            speed_mbit: device.speed,
            name: name(modem, facts),
            serial: device.serial.as_deref(),
            mode: modem.mode,
            ports: ports(modem),
            imei: facts.and_then(|facts| facts.imei.as_deref()),
            facts,
            problem: surveyed.problem.as_deref(),
            lock: surveyed.lock.as_ref().map(|holder| LockLine {
                pid: holder.process,
                name: holder.name.as_deref(),
                verb: holder.verb.as_deref(),
                held_s: holder.held_for.map(|held| held.as_secs()),
            }),
            warnings: &surveyed.warnings,
        }
    }
}

/// The ports of a modem, control ports first.
fn ports(modem: &Modem) -> Vec<PortLine> {
    let line = |port: &modem_world::PortInfo, role, language| PortLine {
        port: port.id.to_string(),
        role,
        language,
        interface: port.interface,
        driver: port.driver.clone(),
    };
    let all = &modem.ports;
    let control = all.control.iter();
    let control = control.map(|control| line(&control.port, PortRole::Control, Some(control.language)));
    let at = all.at.iter().map(|port| line(port, PortRole::At, None));
    let single = [
        (&all.diag, PortRole::Diag),
        (&all.nmea, PortRole::Nmea),
        (&all.download, PortRole::Download),
    ];
    let single = single
        .into_iter()
        .filter_map(|(port, role)| port.as_ref().map(|port| line(port, role, None)));
    control.chain(at).chain(single).collect()
}

/// The name of a modem: the model that it reports, or else the name for its USB id.
pub(crate) fn name(modem: &Modem, facts: Option<&Facts>) -> String {
    let itself = facts.and_then(|facts| facts.model.clone());
    itself.unwrap_or_else(|| modem.name())
}

/// The name of a modem, short enough for a table: of several models, the first.
pub(crate) fn short_name(modem: &Modem, facts: Option<&Facts>) -> String {
    let name = name(modem, facts);
    match name.split_once('/') {
        Some((first, _)) => format!("{first}/…"),
        None => name,
    }
}

/// The mode of a modem, and for a running modem the language it can be asked in: `QMI`, `MBIM`, `AT only`, `download`.
pub(crate) fn mode(modem: &Modem, facts: Option<&Facts>) -> String {
    match modem.mode {
        Mode::Normal => {}
        Mode::NotConfigured => return "not ready".to_owned(),
        other => return other.to_string(),
    }
    match (facts, modem.ports.control.first()) {
        (Some(facts), Some(_)) => facts.over.to_string(),
        (None, Some(control)) => control.language.to_string(),
        (_, None) if modem.can_be_reached() => "AT only".to_owned(),
        (_, None) => "no driver".to_owned(),
    }
}

/// The ports of a modem, each with its purpose: `QMI /dev/cdc-wdm0`.
pub(crate) fn port_words(modem: &Modem) -> Vec<String> {
    ports(modem)
        .into_iter()
        .map(|port| {
            let role = match (port.role, port.language) {
                (_, Some(language)) => language.to_string(),
                (PortRole::At, _) => "AT".to_owned(),
                (PortRole::Diag, _) => "DIAG".to_owned(),
                (PortRole::Nmea, _) => "NMEA".to_owned(),
                _ => "download".to_owned(),
            };
            format!("{role} {}", port.port)
        })
        .collect()
}
