//! The few things that are written to sysfs: authorisation and power (linux.md §1, §8). They need root.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use modem_world::{HostError, UsbPath};

use crate::sysfs::{Sysfs, text};

/// The value that `power/control` of a device had before it was changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PowerBefore {
    device: UsbPath,
    number: Option<String>,
    control: String,
}

impl Sysfs {
    /// Makes the kernel configure a device anew, at the same place and with the same number: writes 0 to
    /// `authorized`, then 1. When this returns, the drivers that are loaded have bound.
    ///
    /// # Errors
    /// No such device, or no right to write.
    pub fn re_enumerate(&self, device: &UsbPath) -> Result<(), HostError> {
        let authorized = self.attribute(device, "authorized")?;
        let off = write(&authorized, "0");
        // Written even if the first write failed half-way, because the device must not stay unauthorised.
        let on = write(&authorized, "1");
        off.and(on)
    }

    /// How long a device has been connected to this host. Kernels without power management don't tell it. The file is
    /// `power/connected_duration`, in milliseconds (kernel, Documentation/ABI/testing/sysfs-bus-usb).
    pub fn time_on_bus(&self, device: &UsbPath) -> Option<Duration> {
        let path = self.device_link(device)?.join("power/connected_duration");
        text(&path)?.trim().parse().ok().map(Duration::from_millis)
    }

    /// Keeps a device from being suspended. Returns what [`restore_power`](Self::restore_power) needs, or
    /// `None` if it is kept awake already.
    ///
    /// # Errors
    /// No such device, no power management in this kernel, or no right to write.
    pub fn keep_awake(&self, device: &UsbPath) -> Result<Option<PowerBefore>, HostError> {
        let path = self.attribute(device, "power/control")?;
        let control = text(&path).ok_or_else(|| HostError::Unsupported {
            device: device.clone(),
        })?;
        if control == "on" {
            return Ok(None);
        }
        write(&path, "on")?;
        Ok(Some(PowerBefore {
            device: device.clone(),
            number: self.number(device),
            control,
        }))
    }

    /// Puts `power/control` back. If the device has left the bus in the meantime, nothing is written, even if
    /// it came back: the setting it has now was made by the host's own power management.
    ///
    /// # Errors
    /// No right to write.
    pub fn restore_power(&self, before: &PowerBefore) -> Result<(), HostError> {
        if self.number(&before.device) != before.number {
            return Ok(());
        }
        match self.attribute(&before.device, "power/control") {
            Ok(path) => write(&path, &before.control),
            Err(_) => Ok(()),
        }
    }

    fn number(&self, device: &UsbPath) -> Option<String> {
        text(&self.device_link(device)?.join("devnum"))
    }

    fn attribute(&self, device: &UsbPath, name: &str) -> Result<PathBuf, HostError> {
        let path = self.device_link(device).map(|link| link.join(name));
        path.filter(|path| path.exists())
            .ok_or_else(|| HostError::Unsupported {
                device: device.clone(),
            })
    }
}

fn write(path: &Path, value: &str) -> Result<(), HostError> {
    let failed = |error: io::Error| HostError::Io {
        path: path.display().to_string(),
        errno: error.raw_os_error().unwrap_or(0),
    };
    // The file isn't created if it is missing: a file of ours in the place of sysfs would help nobody.
    let mut file = fs::OpenOptions::new()
        .write(true)
        .truncate(true)
        .open(path)
        .map_err(failed)?;
    io::Write::write_all(&mut file, value.as_bytes()).map_err(failed)
}
