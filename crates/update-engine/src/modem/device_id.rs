//! Which modem a message is about.

use std::fmt;
use std::sync::Arc;

use modem_world::PortInfo;
use serde::{Serialize, Serializer};

use super::on_bus::Modem;
use super::selector::Selector;

/// Names one modem in events and errors: by its place on the bus, or by its port if it has no place. Before the modem is
/// found, this holds what the user asked for.
///
/// Every event carries a `DeviceId`, so cloning it is cheap.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceId(Arc<Named>);

/// What a [`DeviceId`] holds.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Named {
    /// A device that was found, or whose port is known.
    Device(Known),
    /// No device yet, only the user's selection.
    Asked(Selector),
}

/// What is known of a device.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
struct Known {
    /// Place on the bus, `1-1.4`. `None` for a pseudo-terminal.
    #[serde(skip_serializing_if = "Option::is_none")]
    path: Option<String>,
    /// The port, `/dev/ttyUSB0`. `None` for a modem without ports.
    #[serde(skip_serializing_if = "Option::is_none")]
    port: Option<String>,
    /// USB id, `1199:9070`.
    #[serde(skip_serializing_if = "Option::is_none")]
    usb_id: Option<String>,
    /// The model, if the modem, its product string or the device table names it.
    #[serde(skip_serializing_if = "Option::is_none")]
    model: Option<String>,
}

impl DeviceId {
    /// A device about which only the name of its port is known.
    pub fn from_port_name(port: impl Into<String>) -> Self {
        Self::of(Known {
            port: Some(port.into()),
            ..Known::default()
        })
    }

    /// A device about which only the user's selection is known.
    pub fn from_selection(select: &Selector) -> Self {
        Self(Arc::new(Named::Asked(select.clone())))
    }

    /// A modem that may have no port.
    pub fn from_modem(modem: &Modem) -> Self {
        Self::of(Known {
            path: Some(modem.path().to_string()),
            port: modem.all_ports().next().map(|port| port.id.to_string()),
            usb_id: Some(modem.device.id()),
            model: Some(modem.name()),
        })
    }

    /// The device behind a port. If `model` is `None`, the product string stands for it.
    pub fn from_port(port: &PortInfo, model: Option<&str>) -> Self {
        let device = port.device.as_ref();
        Self::of(Known {
            path: device.map(|device| device.path.to_string()),
            port: Some(port.id.to_string()),
            usb_id: device.map(modem_world::UsbDevice::id),
            model: model
                .map(str::to_owned)
                .or_else(|| device.and_then(|device| device.product_name.clone()))
                .filter(|name| !name.trim().is_empty()),
        })
    }

    fn of(known: Known) -> Self {
        Self(Arc::new(Named::Device(known)))
    }

    fn known(&self) -> Option<&Known> {
        match &*self.0 {
            Named::Device(known) => Some(known),
            Named::Asked(_) => None,
        }
    }

    /// Place on the bus, `1-1.4`.
    pub fn path(&self) -> Option<&str> {
        self.known()?.path.as_deref()
    }

    /// The port, `/dev/ttyUSB0`: the device's port, or the port that the user named.
    pub fn port(&self) -> Option<&str> {
        match &*self.0 {
            Named::Device(known) => known.port.as_deref(),
            Named::Asked(Selector::Port(name)) => Some(name),
            Named::Asked(_) => None,
        }
    }

    /// USB id, `1199:9070`.
    pub fn usb_id(&self) -> Option<&str> {
        self.known()?.usb_id.as_deref()
    }

    /// The model, if it is known.
    pub fn model(&self) -> Option<&str> {
        self.known()?.model.as_deref()
    }
}

impl fmt::Display for DeviceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &*self.0 {
            Named::Device(known) => {
                f.write_str(known.path.as_deref().or(known.port.as_deref()).unwrap_or("modem"))?
            }
            Named::Asked(Selector::Only) => f.write_str("modem")?,
            Named::Asked(select) => select.fmt(f)?,
        }
        match self.model() {
            Some(model) => write!(f, " ({model})"),
            None => Ok(()),
        }
    }
}

impl Serialize for DeviceId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &*self.0 {
            Named::Device(known) => known.serialize(serializer),
            Named::Asked(_) => Known {
                port: self.port().map(str::to_owned),
                ..Known::default()
            }
            .serialize(serializer),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_without_a_place_on_the_bus_is_named_by_its_port() {
        let id = DeviceId::from_port_name("/dev/pts/3");
        assert_eq!(id.to_string(), "/dev/pts/3");
        assert_eq!(serde_json::to_string(&id).unwrap(), r#"{"port":"/dev/pts/3"}"#);
    }

    // docs/events.md: before a modem is found, `device` has at most the port that was named.
    #[test]
    fn a_selection_is_no_port() {
        for (select, words, json) in [
            (Selector::Only, "modem", "{}"),
            (Selector::Place("1-1.4".into()), "--port 1-1.4", "{}"),
            (Selector::Imei("359260080110775".into()), "--imei …0775", "{}"),
            (
                Selector::Port("/dev/ttyUSB0".into()),
                "/dev/ttyUSB0",
                r#"{"port":"/dev/ttyUSB0"}"#,
            ),
        ] {
            let id = DeviceId::from_selection(&select);
            assert_eq!(id.to_string(), words);
            assert_eq!(serde_json::to_string(&id).unwrap(), json);
            assert_eq!((id.path(), id.usb_id(), id.model()), (None, None, None));
        }
    }
}
