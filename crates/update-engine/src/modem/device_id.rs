//! Which modem a message is about.

use std::fmt;
use std::sync::Arc;

use modem_world::PortInfo;
use serde::{Serialize, Serializer};

use super::on_bus::Modem;
use super::selector::Selector;

/// Names one modem for events and errors: its place on the bus where it has one, its port otherwise.
///
/// It is cheap to clone: every event carries one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceId(Arc<Facts>);

/// What a [`DeviceId`] holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct Facts {
    /// Place on the bus, `1-1.4`; none for a pseudo-terminal.
    #[serde(skip_serializing_if = "Option::is_none")]
    path: Option<String>,
    /// The port, `/dev/ttyUSB0`.
    port: String,
    /// USB id, `1199:9070`.
    #[serde(skip_serializing_if = "Option::is_none")]
    usb_id: Option<String>,
    /// Model, when the device table or the product string names it.
    #[serde(skip_serializing_if = "Option::is_none")]
    model: Option<String>,
}

impl DeviceId {
    /// A device of which only the name of its port is known.
    pub fn from_port_name(port: impl Into<String>) -> Self {
        Self(Arc::new(Facts {
            path: None,
            port: port.into(),
            usb_id: None,
            model: None,
        }))
    }

    /// A device of which only the user's selection is known.
    pub fn from_selection(select: &Selector) -> Self {
        match select {
            Selector::Port(name) => Self::from_port_name(name.clone()),
            Selector::Only => Self::from_port_name("modem"),
            other => Self::from_port_name(other.to_string()),
        }
    }

    /// A modem that may have no port.
    pub fn from_modem(modem: &Modem) -> Self {
        Self(Arc::new(Facts {
            path: Some(modem.path().to_string()),
            port: modem
                .all_ports()
                .next()
                .map(|port| port.id.to_string())
                .unwrap_or_default(),
            usb_id: Some(modem.device.id()),
            model: Some(modem.name()),
        }))
    }

    /// The device behind a port; `model` as the device table knows it.
    pub fn from_port(port: &PortInfo, model: Option<&str>) -> Self {
        let device = port.device.as_ref();
        Self(Arc::new(Facts {
            path: device.map(|device| device.path.to_string()),
            port: port.id.to_string(),
            usb_id: device.map(modem_world::UsbDevice::id),
            model: model
                .map(str::to_owned)
                .or_else(|| device.and_then(|device| device.product_name.clone()))
                .filter(|name| !name.trim().is_empty()),
        }))
    }

    /// Place on the bus, `1-1.4`.
    pub fn path(&self) -> Option<&str> {
        self.0.path.as_deref()
    }

    /// The port, `/dev/ttyUSB0`.
    pub fn port(&self) -> &str {
        &self.0.port
    }

    /// USB id, `1199:9070`.
    pub fn usb_id(&self) -> Option<&str> {
        self.0.usb_id.as_deref()
    }

    /// Model, when known.
    pub fn model(&self) -> Option<&str> {
        self.0.model.as_deref()
    }
}

impl fmt::Display for DeviceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.path().unwrap_or(self.port()))?;
        match self.model() {
            Some(model) => write!(f, " ({model})"),
            None => Ok(()),
        }
    }
}

impl Serialize for DeviceId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
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
}
