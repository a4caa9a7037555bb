//! Ports whose drivers are set aside while this world has their interfaces: sysfs doesn't list them meanwhile, but they are still
//! ports of their modems.

use std::collections::BTreeMap;

use modem_discovery::Sysfs;
use modem_world::{Attached, PortHandle, PortInfo};

/// The ports by their handles.
#[derive(Debug, Default)]
pub(crate) struct Lent(BTreeMap<PortHandle, PortInfo>);

impl Lent {
    /// The driver of this port is set aside from now on.
    pub(crate) fn insert(&mut self, handle: PortHandle, port: PortInfo) {
        self.0.insert(handle, port);
    }

    /// The port was closed, and its driver has it again.
    pub(crate) fn remove(&mut self, handle: &PortHandle) {
        self.0.remove(handle);
    }

    /// The port with this name, if its device is still there.
    pub(crate) fn find(&self, name: &str, sysfs: &Sysfs) -> Option<PortInfo> {
        let is_it = |port: &&PortInfo| {
            let id = port.id.as_str();
            id == name || id.strip_prefix("/dev/") == Some(name)
        };
        let port = self.0.values().find(is_it)?;
        let device = port.device.as_ref()?;
        let is_there = sysfs
            .device(&device.path)
            .is_some_and(|there| there.is_same_appearance(device));
        is_there.then(|| port.clone())
    }

    /// Adds the ports of this device.
    pub(crate) fn add_to(&self, there: &mut Attached) {
        let is_of = |port: &&PortInfo| {
            let mut devices = port.device.iter();
            devices.any(|device| device.is_same_appearance(&there.device))
        };
        let missing = self.0.values().filter(is_of);
        let missing = missing.filter(|port| there.ports.iter().all(|other| other.id != port.id));
        let missing: Vec<PortInfo> = missing.cloned().collect();
        for port in missing {
            let lent = there.interfaces.iter_mut();
            for interface in lent.filter(|interface| Some(interface.number) == port.interface) {
                interface.driver.clone_from(&port.driver);
            }
            there.ports.push(port);
        }
    }
}
