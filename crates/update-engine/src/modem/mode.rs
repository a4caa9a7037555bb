//! The mode of a modem, judged by what the bus shows.

use std::fmt;

use modem_world::{UsbDevice, UsbInterface};

use super::standing::{self, Standing};

/// A modem's mode, judged by what the bus shows (linux.md §2). From outside, memory-dump mode looks like
/// download mode.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// The modem's firmware runs.
    Normal,
    /// The boot loader waits for firmware, or the modem has crashed: the device has one interface, with a pair of bulk
    /// endpoints.
    Download,
    /// Qualcomm's primary boot loader, 05c6:9008: Sierra's boot loader is gone.
    Emergency,
    /// The USB device isn't configured yet, or not authorised, so the mode is not known.
    NotConfigured,
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Normal => "normal",
            Self::Download => "download",
            Self::Emergency => "emergency",
            Self::NotConfigured => "not configured",
        })
    }
}

impl Mode {
    /// The mode of this device.
    pub(super) fn of(device: &UsbDevice, interfaces: &[UsbInterface]) -> Self {
        if Standing::of_id(device.vendor, device.product) == Standing::Emergency {
            return Self::Emergency;
        }
        match (device.interfaces, interfaces) {
            (None | Some(0), _) => Self::NotConfigured,
            // The kernel tells the number of interfaces a moment before their folders.
            (Some(1), []) => match IdSays::of(device) {
                IdSays::Download | IdSays::Either => Self::Download,
                IdSays::Normal => Self::Normal,
                IdSays::Nothing => Self::NotConfigured,
            },
            (Some(1), [only, ..]) if is_download_port(device, only) => Self::Download,
            (Some(_), _) => Self::Normal,
        }
    }
}

/// What the USB id alone says of the mode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum IdSays {
    /// Modems have this id in download mode only.
    Download,
    /// Modems have this id in normal mode only.
    Normal,
    /// Modems have this id in both modes.
    Either,
    /// No table has the id.
    Nothing,
}

impl IdSays {
    fn of(device: &UsbDevice) -> Self {
        let Some(row) = standing::lookup(device) else {
            return Self::Nothing;
        };
        let id = (device.vendor, device.product);
        match (row.normal.contains(&id), row.download.contains(&id)) {
            (true, true) => Self::Either,
            // Nobody has seen the download id of these modems. It may be the same, or another one of the row.
            (true, false) if row.download.is_empty() => Self::Either,
            (true, false) => Self::Normal,
            (false, _) => Self::Download,
        }
    }
}

/// Whether the only interface of a device is the port of a boot loader. The kernel's rule is a vendor-specific interface with exactly
/// one bulk endpoint in each direction (linux.md §2). A modem that is composed to a single function has one interface too: then
/// the id, a third endpoint or the protocol code tells the difference.
fn is_download_port(device: &UsbDevice, only: &UsbInterface) -> bool {
    if only.class != 0xff {
        return false;
    }
    // A boot loader may have a setting without endpoints, which its driver changes (linux.md §2).
    let told = only.endpoints.filter(|endpoints| endpoints.count > 0);
    let is_pair = told.is_none_or(|endpoints| endpoints.is_bulk_pair());
    match IdSays::of(device) {
        IdSays::Normal => false,
        IdSays::Download => is_pair,
        IdSays::Either | IdSays::Nothing => is_pair && !names_function(only),
    }
}

/// Whether the codes of a vendor-specific interface name its function in a running modem: DIAG (30), AT (40), NMEA (60) (devices.md).
fn names_function(only: &UsbInterface) -> bool {
    only.subclass == 0xff && matches!(only.protocol, 0x30 | 0x40 | 0x60)
}

#[cfg(test)]
mod tests {
    use super::*;
    use modem_world::{Endpoints, UsbPath};

    fn mode(id: (u16, u16), count: Option<u8>, interfaces: &[UsbInterface]) -> Mode {
        let device = UsbDevice {
            path: UsbPath::new("1-2"),
            peer: None,
            number: 7,
            vendor: id.0,
            product: id.1,
            interfaces: count,
            speed: Some(480),
            manufacturer: None,
            product_name: None,
            serial: None,
        };
        Mode::of(&device, interfaces)
    }

    fn only(class: u8, protocol: u8, count: u8, bulk: Option<(u8, u8)>) -> [UsbInterface; 1] {
        [UsbInterface {
            number: 0,
            class,
            subclass: 0xff,
            protocol,
            endpoints: Some(Endpoints { count, bulk }),
            driver: None,
        }]
    }

    const SHARED: (u16, u16) = (0x1199, 0x68c0);

    #[test]
    fn one_interface_with_a_pair_of_bulk_endpoints_is_download_mode() {
        for id in [SHARED, (0x1199, 0x9070), (0x1199, 0xabcc)] {
            for protocol in [0xff, 0x10] {
                assert_eq!(
                    mode(id, Some(1), &only(0xff, protocol, 2, Some((1, 1)))),
                    Mode::Download
                );
                assert_eq!(mode(id, Some(1), &only(0xff, protocol, 2, None)), Mode::Download);
            }
        }
    }

    #[test]
    fn a_boot_loader_with_an_id_that_nobody_has_seen_there_is_one() {
        // EM7700, AirCard, DW5808, EM7455 of Fujitsu: no source has their download ids.
        for id in [
            (0x1199, 0x901c),
            (0x1199, 0x901b),
            (0x1199, 0x9054),
            (0x413c, 0x81a8),
            (0x1199, 0x9075),
        ] {
            assert_eq!(
                mode(id, Some(1), &only(0xff, 0xff, 2, Some((1, 1)))),
                Mode::Download
            );
            assert_eq!(mode(id, Some(1), &only(0xff, 0xff, 3, None)), Mode::Normal);
        }
        // A setting without endpoints, before the driver has chosen the other one.
        assert_eq!(
            mode(SHARED, Some(1), &only(0xff, 0xff, 0, Some((0, 0)))),
            Mode::Download
        );
    }

    #[test]
    fn one_interface_of_another_kind_is_not() {
        assert_eq!(
            mode((0x1199, 0x9070), Some(1), &only(0xff, 0xff, 7, None)),
            Mode::Normal
        );
        // AT alone, seven endpoints, two endpoints in one direction, an AirCard's CD-ROM, MBIM's control interface.
        assert_eq!(
            mode(SHARED, Some(1), &only(0xff, 0xff, 3, Some((1, 1)))),
            Mode::Normal
        );
        assert_eq!(mode(SHARED, Some(1), &only(0xff, 0xff, 7, None)), Mode::Normal);
        assert_eq!(
            mode(SHARED, Some(1), &only(0xff, 0xff, 2, Some((2, 0)))),
            Mode::Normal
        );
        assert_eq!(
            mode(SHARED, Some(1), &only(0xff, 0x40, 2, Some((1, 1)))),
            Mode::Normal
        );
        assert_eq!(
            mode((0x1199, 0xabcd), Some(1), &only(0x08, 0x50, 2, Some((1, 1)))),
            Mode::Normal
        );
        assert_eq!(
            mode((0x1199, 0xabcd), Some(1), &only(0x02, 0, 1, Some((0, 0)))),
            Mode::Normal
        );
        // DIAG alone under a normal id looks like a boot loader, but its id isn't one.
        assert_eq!(
            mode((0x1199, 0x9071), Some(1), &only(0xff, 0xff, 2, Some((1, 1)))),
            Mode::Normal
        );
        // Several interfaces are never a boot loader.
        assert_eq!(
            mode(SHARED, Some(4), &only(0xff, 0xff, 2, Some((1, 1)))),
            Mode::Normal
        );
    }

    #[test]
    fn as_long_as_the_kernel_tells_no_interface_the_id_decides() {
        assert_eq!(mode((0x1199, 0x9070), Some(1), &[]), Mode::Download);
        assert_eq!(mode((0x1199, 0x9071), Some(1), &[]), Mode::Normal);
        assert_eq!(mode((0x1199, 0xabcd), Some(1), &[]), Mode::NotConfigured);
        assert_eq!(mode(SHARED, None, &[]), Mode::NotConfigured);
        assert_eq!(mode((0x05c6, 0x9008), Some(1), &[]), Mode::Emergency);
    }
}
