//! What the guest's kernel makes of a modem: the device in sysfs, the drivers of its interfaces, their nodes.

use super::process::until;
use anyhow::Context;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;
use virtual_modem::{Appearance, Function, FunctionKind};

/// The virtual host controller.
const CONTROLLER: &str = "/sys/devices/platform/vhci_hcd.0";
/// From the modem's appearance until its ports are there: two seconds under software emulation.
pub(crate) const PORT_TIMEOUT: Duration = Duration::from_secs(60);

/// A socket of the virtual host controller. It has two hubs, one for each speed; a device is behind one of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Socket(pub(crate) u32);

/// An interface as the kernel has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Bound {
    /// `bInterfaceNumber`.
    pub(crate) number: u8,
    /// Name of its USB driver.
    pub(crate) driver: Option<String>,
    /// Its serial or control port in `/dev`.
    pub(crate) node: Option<PathBuf>,
}

impl Socket {
    /// The folder in sysfs of the device that is there now.
    pub(crate) fn device(self) -> Option<PathBuf> {
        let hubs = fs::read_dir(CONTROLLER).ok()?;
        let mut devices = hubs.filter_map(|hub| {
            let hub = hub.ok()?;
            let name = hub.file_name();
            let bus = name.to_str()?.strip_prefix("usb")?;
            Some(hub.path().join(format!("{bus}-{}", self.0 + 1)))
        });
        devices.find(|device| device.join("idVendor").exists())
    }

    /// Its interfaces, by number.
    pub(crate) fn interfaces(self) -> Vec<Bound> {
        let Some(device) = self.device() else {
            return Vec::new();
        };
        let mut interfaces: Vec<Bound> = children(&device)
            .iter()
            .filter_map(|folder| bound(folder))
            .collect();
        interfaces.sort_unstable_by_key(|interface| interface.number);
        interfaces
    }

    /// Waits until the drivers have bound to a device that appears like this, and the nodes are there.
    pub(crate) fn ready(self, appearance: &Appearance) -> anyhow::Result<Vec<Bound>> {
        let mut seen = Vec::new();
        until(PORT_TIMEOUT, || {
            seen = self.interfaces();
            let is_it = self.device().is_some_and(|folder| {
                let product = fs::read_to_string(folder.join("idProduct")).unwrap_or_default();
                product.trim() == format!("{:04x}", appearance.device.product)
            });
            (is_it && is_bound(appearance, &seen)).then_some(())
        })
        .with_context(|| {
            let wanted: Vec<String> = appearance
                .layout
                .interfaces
                .iter()
                .map(|function| {
                    let driver = driver(appearance, function).unwrap_or("no driver");
                    format!("{} {driver}", function.number)
                })
                .collect();
            format!(
                "{}: wanted {}; there is {seen:?}",
                appearance.device.id(),
                wanted.join(", ")
            )
        })?;
        Ok(seen)
    }

    /// Waits until nothing is there.
    pub(crate) fn empty(self) -> anyhow::Result<()> {
        until(PORT_TIMEOUT, || self.device().is_none().then_some(()))
            .context("the modem stays on the bus after it has left")
    }
}

/// Whether each interface has its driver, and each port its node.
fn is_bound(appearance: &Appearance, seen: &[Bound]) -> bool {
    let functions = &appearance.layout.interfaces;
    seen.len() == functions.len()
        && functions.iter().all(|function| {
            let wanted = driver(appearance, function);
            let found = seen.iter().find(|bound| bound.number == function.number);
            let is_port = function.kind.is_serial() || function.kind.is_message_port();
            found.is_some_and(|bound| {
                bound.driver.as_deref() == wanted
                    && (!is_port || wanted.is_none() || bound.node.as_ref().is_some_and(|node| node.exists()))
            })
        })
}

/// The driver of Debian's kernel that takes this interface (linux.md §2, lab-facts.md §2).
fn driver(appearance: &Appearance, function: &Function) -> Option<&'static str> {
    let is_sdx = (0x90d3..=0x90e3).contains(&appearance.device.product);
    match function.kind {
        FunctionKind::MbimControl | FunctionKind::MbimData => Some("cdc_mbim"),
        FunctionKind::Foreign => Some("ftdi_sio"),
        // SDX55 with QMI is in no table.
        _ if [0x90d8, 0x90d9].contains(&appearance.device.product) => None,
        // EM7565 with one of its other compositions.
        _ if appearance.device.product == crate::advice::PRODUCT => None,
        FunctionKind::Qmi => Some("qmi_wwan"),
        FunctionKind::Diag | FunctionKind::Nmea | FunctionKind::At if is_sdx => Some("option"),
        FunctionKind::Diag | FunctionKind::Nmea | FunctionKind::At | FunctionKind::Download => {
            Some("qcserial")
        }
        FunctionKind::Adb | FunctionKind::Network => None,
    }
}

/// The interface behind a folder of a device; none when it isn't one.
fn bound(folder: &Path) -> Option<Bound> {
    let number = fs::read_to_string(folder.join("bInterfaceNumber")).ok()?;
    let driver = fs::read_link(folder.join("driver")).ok();
    let driver = driver.and_then(|link| Some(link.file_name()?.to_str()?.to_owned()));
    let ports = children(folder)
        .into_iter()
        .chain(children(&folder.join("usbmisc")));
    let mut names = ports.filter_map(|port| port.file_name()?.to_str().map(str::to_owned));
    let node = names.find(|name| name.starts_with("ttyUSB") || name.starts_with("cdc-wdm"));
    Some(Bound {
        number: u8::from_str_radix(number.trim(), 16).ok()?,
        driver,
        node: node.map(|name| Path::new("/dev").join(name)),
    })
}

fn children(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else {
        return Vec::new();
    };
    entries.filter_map(|entry| Some(entry.ok()?.path())).collect()
}

/// The node of the first interface that a wanted function has.
pub(crate) fn node_of(
    appearance: &Appearance,
    interfaces: &[Bound],
    wanted: impl Fn(FunctionKind) -> bool,
) -> Option<PathBuf> {
    let functions = &appearance.layout.interfaces;
    let function = functions.iter().find(|function| wanted(function.kind))?;
    let bound = interfaces.iter().find(|bound| bound.number == function.number)?;
    bound.node.clone()
}
