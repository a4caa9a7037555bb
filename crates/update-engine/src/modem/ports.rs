//! The ports of a modem, by purpose.

use std::cmp::Reverse;
use std::fmt;

use modem_world::{PortInfo, PortKind, UsbInterface};

use super::mode::Mode;
use super::roles::{Role, Roles};

/// The ports of a modem, by purpose.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ports {
    /// Control ports, in the order of their interfaces; at the end those of interfaces that are for something else.
    pub control: Vec<ControlPort>,
    /// Ports that answer AT commands, the likeliest first: the one that is known to, then those of which nothing is known, the
    /// highest interface first (at.md §1).
    pub at: Vec<PortInfo>,
    /// The diagnostic port.
    pub diag: Option<PortInfo>,
    /// The port that sends NMEA position sentences.
    pub nmea: Option<PortInfo>,
    /// The only port of a modem in download mode.
    pub download: Option<PortInfo>,
}

/// A control port, with the language that follows from its driver.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ControlPort {
    /// The port.
    pub port: PortInfo,
    /// Its language.
    pub language: Language,
}

/// The language of a control port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Language {
    /// QMI in QMUX frames.
    Qmi,
    /// MBIM, with QMI inside.
    Mbim,
}

impl fmt::Display for Language {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Qmi => "QMI",
            Self::Mbim => "MBIM",
        })
    }
}

impl Ports {
    pub(super) fn sort(mode: Mode, roles: &Roles, interfaces: &[UsbInterface], ports: Vec<PortInfo>) -> Self {
        let mut sorted = Self::default();
        for port in ports {
            match (port.kind, mode) {
                (PortKind::Wdm, _) => {
                    let language = match port.driver.as_deref() {
                        Some("cdc_mbim") => Language::Mbim,
                        _ => Language::Qmi,
                    };
                    sorted.control.push(ControlPort { port, language });
                }
                (PortKind::Serial, Mode::Download | Mode::Emergency) => sorted.download = Some(port),
                (PortKind::Serial, _) => match roles.role(port.interface) {
                    role if roles.may_be_at(role) => sorted.at.push(port),
                    Role::Diag if sorted.diag.is_none() => sorted.diag = Some(port),
                    Role::Nmea if sorted.nmea.is_none() => sorted.nmea = Some(port),
                    // A serial driver has taken the interface of QMI, where nothing answers AT commands.
                    Role::Qmi => {}
                    _ => sorted.at.push(port),
                },
                (PortKind::Interface, Mode::Download) => sorted.download = Some(port),
                (PortKind::Interface | PortKind::Proxy, _) => {}
            }
        }
        // qmi_wwan makes a control port of an AT or NMEA interface too, if it was told the id alone. Nothing answers QMI there.
        sorted.control.sort_by_key(|control| {
            let interface = control.port.interface;
            let is_other = !matches!(roles.role(interface), Role::Qmi | Role::Mbim);
            (is_other, interface)
        });
        let endpoints = |port: &PortInfo| {
            let mut interfaces = interfaces.iter();
            let own = interfaces.find(|interface| Some(interface.number) == port.interface);
            own.and_then(|interface| interface.endpoints)
                .map(|endpoints| endpoints.count)
        };
        sorted.at.sort_by_key(|port| {
            let likelihood = match roles.role(port.interface) {
                Role::At => 0,
                // Every AT port that was seen has an interrupt endpoint.
                Role::Unknown if endpoints(port).is_none_or(|count| count >= 3) => 1,
                Role::Unknown => 2,
                _ => 3,
            };
            (likelihood, Reverse(port.interface))
        });
        sorted
    }

    /// Whether a driver has made the port of a modem in download mode.
    pub(crate) fn has_download_driver(&self) -> bool {
        let download = self.download.as_ref();
        download.is_some_and(|port| port.kind != PortKind::Interface)
    }

    /// All ports: the control ports, the AT ports, then those with which modemflash doesn't talk.
    pub fn all(&self) -> impl Iterator<Item = &PortInfo> {
        let control = self.control.iter().map(|control| &control.port);
        let known = [&self.diag, &self.nmea, &self.download];
        control.chain(&self.at).chain(known.into_iter().flatten())
    }
}
