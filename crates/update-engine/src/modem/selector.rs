//! How the user chooses a modem: by place, USB id, port, number or IMEI, or because there is only one.

use std::fmt;

use modem_world::{DiscoveryError, PortId, UsbPath, World};
use serde::{Deserialize, Serialize};

use super::on_bus::Modem;

/// How the user says which modem to use. Every form leads to one physical place in the end.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Selector {
    /// The only modem on the bus.
    #[default]
    Only,
    /// The place on the bus, `1-1.4`, or the same socket on the bus of the other speed.
    Place(String),
    /// The USB id; without a product, every product of the vendor.
    Id {
        /// `idVendor`.
        vendor: u16,
        /// `idProduct`.
        product: Option<u16>,
    },
    /// The device number on the bus, as `lsusb` prints it. It is valid until the next enumeration.
    BusNumber {
        /// The bus; none for any bus.
        bus: Option<u16>,
        /// The device number.
        device: u32,
    },
    /// Any port of the modem: a device node, or a link to one.
    Port(String),
    /// The modem's IMEI; modems in normal mode are asked for it.
    Imei(String),
}

impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Only => f.write_str("any modem"),
            Self::Place(path) => write!(f, "--port {path}"),
            Self::Id {
                vendor,
                product: Some(product),
            } => write!(f, "-d {vendor:04x}:{product:04x}"),
            Self::Id {
                vendor,
                product: None,
            } => write!(f, "-d {vendor:04x}"),
            Self::BusNumber {
                bus: Some(bus),
                device,
            } => write!(f, "-s {bus}:{device}"),
            Self::BusNumber { bus: None, device } => write!(f, "-s {device}"),
            Self::Port(name) => f.write_str(name),
            // An IMEI can identify a person, so it stays out of logs.
            Self::Imei(imei) => write!(f, "--imei {}", masked(imei)),
        }
    }
}

/// The last four digits only: enough for users to tell their modems apart, too few to reveal the IMEI.
pub fn masked(imei: &str) -> String {
    let count = imei.chars().count();
    let shown: String = imei.chars().skip(count.saturating_sub(4)).collect();
    format!("…{shown}")
}

impl Selector {
    /// All modems that fit, judged by what the bus shows. The bus doesn't show the IMEI, so for an IMEI every
    /// modem that can be asked fits.
    ///
    /// A device that the user names exactly, by place, number, port or whole id, counts as a modem even if nothing else says that it
    /// is one; a vendor number alone does so only if none of its devices is known to be a modem.
    ///
    /// # Errors
    /// The bus can't be read, or the named port doesn't exist.
    pub fn candidates(&self, world: &mut dyn World) -> Result<Vec<Modem>, DiscoveryError> {
        let named = match self {
            Self::Port(name) => Some(world.find(name)?),
            _ => None,
        };
        let attached = world.devices()?;
        let fits = |modem: &Modem| match self {
            Self::Only => true,
            Self::Place(path) => modem.is_at(&UsbPath::new(path.as_str())),
            Self::Id { vendor, product } => {
                modem.device.vendor == *vendor
                    && product.is_none_or(|product| modem.device.product == product)
            }
            Self::BusNumber { bus, device } => {
                modem.device.number == *device && bus.is_none_or(|bus| bus_of(modem.path()) == Some(bus))
            }
            Self::Port(_) => named
                .as_ref()
                .and_then(|port| port.device.as_ref())
                .is_some_and(|device| modem.path() == &device.path),
            Self::Imei(_) => modem.can_be_reached(),
        };
        let known = attached.iter().cloned().filter_map(Modem::of);
        let found: Vec<Modem> = known.filter(fits).collect();
        let insists = match self {
            Self::Only | Self::Imei(_) => false,
            Self::Id { product, .. } => product.is_some() || found.is_empty(),
            Self::Place(_) | Self::BusNumber { .. } | Self::Port(_) => true,
        };
        if !insists {
            return Ok(found);
        }
        let is_possible = |modem: &Modem| {
            let is_exact = !matches!(self, Self::Id { product: None, .. });
            is_exact || modem.can_be_reached()
        };
        let named = attached.into_iter().map(Modem::insisted);
        Ok(named.filter(|modem| fits(modem) && is_possible(modem)).collect())
    }
}

impl Selector {
    /// The modem that is meant, if the bus alone leads to exactly one. A run that needs the modem finds it again and says why there is
    /// none, or more than one.
    pub fn single(&self, world: &mut dyn World) -> Option<Modem> {
        let mut candidates = self.candidates(world).ok()?;
        let modem = candidates.pop()?;
        candidates.is_empty().then_some(modem)
    }
}

/// One line about a modem, for a list of modems.
pub(crate) fn line(modem: &Modem) -> String {
    let first: Option<&PortId> = modem.all_ports().next().map(|port| &port.id);
    let port = first.map(|port| format!(", {port}")).unwrap_or_default();
    format!(
        "--port {} ({}, {}, {} mode{port})",
        modem.path(),
        modem.name(),
        modem.device.id(),
        modem.mode
    )
}

/// The bus number in a place: `3-1.4` is on bus 3.
fn bus_of(path: &UsbPath) -> Option<u16> {
    path.as_str().split_once('-')?.0.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_imei_is_shown_by_its_last_digits_only() {
        assert_eq!(
            Selector::Imei("359260080110775".into()).to_string(),
            "--imei …0775"
        );
    }

    #[test]
    fn a_bus_is_the_number_before_the_hyphen() {
        assert_eq!(bus_of(&UsbPath::new("3-1.4")), Some(3));
        assert_eq!(bus_of(&UsbPath::new("usb3")), None);
    }
}
