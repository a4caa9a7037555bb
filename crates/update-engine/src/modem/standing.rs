//! What a USB device is: a Sierra Wireless modem with or without a row in the device table, something else that has the
//! same vendor number, or a device of another maker.
//!
//! The device table comes first, then the list of devices that are not ours. What no list has is unknown: under Sierra's
//! own vendor numbers it counts as a modem, under other numbers only if its strings and its interfaces say so
//! (devices.md, last section).

use modem_world::{Attached, UsbDevice, UsbInterface};

use super::devices::{DEVICES, Device};

/// Sierra Wireless.
const SIERRA: u16 = 0x1199;
/// AirPrime, later Sierra Wireless.
const AIRPRIME: u16 = 0x0f3d;
/// Wavecom, later Sierra Wireless; it made other devices too.
const WAVECOM: u16 = 0x114f;
/// Vendor numbers under which an unknown product is probably a modem for this program.
const OWN_VENDORS: [u16; 2] = [SIERRA, AIRPRIME];

/// Qualcomm's primary boot loader and its dump mode: Sierra's boot loader is gone (devices.md,
/// field-reports.md E10).
const EMERGENCY: [(u16, u16); 2] = [(0x05c6, 0x9008), (0x05c6, 0x900e)];

/// Devices with a vendor number of ours that take none of these files: vendor, first and last product, what they are
/// (devices.md, last section). Some of them run with one interface.
#[rustfmt::skip]
const NOT_OURS: &[(u16, u16, u16, &str)] = &[
    (SIERRA, 0x0017, 0x0301, "a CDMA modem of an older generation"),
    (SIERRA, 0x0fff, 0x0fff, "the installation CD-ROM of an AirCard"),
    (SIERRA, 0x6467, 0x6469, "an MP gateway"),
    (SIERRA, 0x6802, 0x6893, "an HSPA modem of an older generation"),
    (SIERRA, 0x68aa, 0x68ab, "an HSPA modem of an older generation"),
    (SIERRA, 0xa001, 0xa001, "an EM7345 with Intel's chip"),
    (SIERRA, 0xc001, 0xc001, "an HL78xx, which has no Qualcomm chip"),
    (AIRPRIME, 0x0112, 0x0112, "a CDMA modem of an older generation"),
    (WAVECOM, 0x1234, 0x1234, "a Wavecom modem"),
];

/// What a USB device is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// The ids are in this row of the table.
    Known(&'static Device),
    /// A Sierra Wireless modem, by its vendor number or by its strings, but its ids are not in the table.
    UnknownModem,
    /// Qualcomm's primary boot loader.
    Emergency,
    /// The vendor number is one of ours, but the device takes none of these files. In words, what the device is.
    NotOurs(&'static str),
    /// A device of some other kind.
    Foreign,
}

impl Standing {
    /// What the ids alone say.
    pub fn of_id(vendor: u16, product: u16) -> Self {
        let id = (vendor, product);
        if EMERGENCY.contains(&id) {
            return Self::Emergency;
        }
        let mut rows = DEVICES.iter();
        if let Some(row) = rows.find(|row| row.download.contains(&id) || row.normal.contains(&id)) {
            return Self::Known(row);
        }
        let is_listed = |(maker, first, last, _): &&(u16, u16, u16, &str)| {
            *maker == vendor && (*first..=*last).contains(&product)
        };
        match NOT_OURS.iter().find(is_listed) {
            Some((.., what)) => Self::NotOurs(what),
            None if OWN_VENDORS.contains(&vendor) => Self::UnknownModem,
            None => Self::Foreign,
        }
    }

    /// What ids and strings say; the interfaces aren't known.
    pub fn of_device(device: &UsbDevice) -> Self {
        match Self::of_id(device.vendor, device.product) {
            Self::Foreign if has_name_of_sierra(device) => Self::UnknownModem,
            other => other,
        }
    }

    /// What ids, strings and interfaces say. An unknown device without an interface that a modem could have, such as a
    /// CD-ROM, is no modem.
    pub fn of(attached: &Attached) -> Self {
        let is_possible = attached.interfaces.is_empty() || attached.interfaces.iter().any(is_of_a_modem);
        match Self::of_device(&attached.device) {
            Self::UnknownModem if !is_possible => Self::Foreign,
            other => other,
        }
    }
}

/// The row of the table for a USB device.
pub fn lookup(device: &UsbDevice) -> Option<&'static Device> {
    match Standing::of_id(device.vendor, device.product) {
        Standing::Known(row) => Some(row),
        _ => None,
    }
}

/// Whether the strings name Sierra Wireless, or a modem that Semtech sells under its own name ("Semtech EM8695 Mobile
/// Broadband Adapter", devices.md).
fn has_name_of_sierra(device: &UsbDevice) -> bool {
    let says = |text: &Option<String>, name: &str| text.as_ref().is_some_and(|text| text.contains(name));
    let names_model = || {
        let product = device.product_name.as_deref().unwrap_or_default();
        firmware_image::Model::in_text(product).is_some()
    };
    says(&device.manufacturer, "Sierra Wireless")
        || says(&device.product_name, "Sierra Wireless")
        || (says(&device.product_name, "Semtech") && names_model())
}

/// Whether a modem could have this interface: a vendor-specific one, or a control interface of the communications class.
fn is_of_a_modem(interface: &UsbInterface) -> bool {
    matches!(interface.class, 0xff | 0x02)
}

#[cfg(test)]
mod tests {
    use super::*;
    use modem_world::UsbPath;

    fn attached(id: (u16, u16), manufacturer: &str, product: &str, class: u8) -> Attached {
        Attached {
            device: UsbDevice {
                path: UsbPath::new("1-2"),
                peer: None,
                number: 7,
                vendor: id.0,
                product: id.1,
                interfaces: Some(1),
                speed: Some(480),
                manufacturer: (!manufacturer.is_empty()).then(|| manufacturer.to_owned()),
                product_name: (!product.is_empty()).then(|| product.to_owned()),
                serial: None,
            },
            interfaces: vec![UsbInterface {
                number: 0,
                class,
                subclass: 0xff,
                protocol: 0xff,
                endpoints: None,
                driver: None,
            }],
            ports: Vec::new(),
        }
    }

    #[test]
    fn devices_that_are_not_sierra_modems_are_recognised() {
        assert_eq!(Standing::of_id(0x05c6, 0x9008), Standing::Emergency);
        assert_eq!(Standing::of_id(0x413c, 0x2003), Standing::Foreign);
        assert_eq!(Standing::of_id(0x0403, 0x6001), Standing::Foreign);
        assert_eq!(Standing::of_id(0x1199, 0xffff), Standing::UnknownModem);
        for id in [
            (0x1199, 0x0fff),
            (0x1199, 0xc001),
            (0x1199, 0xa001),
            (0x1199, 0x0017),
            (0x1199, 0x0301),
            (0x1199, 0x6802),
            (0x1199, 0x6855),
            (0x1199, 0x6893),
            (0x1199, 0x68aa),
            (0x1199, 0x6468),
            (0x0f3d, 0x0112),
            (0x114f, 0x1234),
        ] {
            let standing = Standing::of_id(id.0, id.1);
            assert!(
                matches!(standing, Standing::NotOurs(_)),
                "{id:04x?}: {standing:?}"
            );
        }
        // Wavecom made other devices too.
        assert_eq!(Standing::of_id(0x114f, 0x0001), Standing::Foreign);
        for id in [(0x114f, 0x68a2), (0x0f3d, 0x68a2), (0x1199, 0x68a3)] {
            assert!(
                matches!(Standing::of_id(id.0, id.1), Standing::Known(_)),
                "{id:04x?}"
            );
        }
    }

    #[test]
    fn no_device_of_the_table_is_in_the_list_of_those_that_are_not_ours() {
        for row in DEVICES {
            for (vendor, product) in row.normal.iter().chain(row.download) {
                for (maker, first, last, what) in NOT_OURS {
                    let is_in = maker == vendor && (*first..=*last).contains(product);
                    assert!(!is_in, "{vendor:04x}:{product:04x}: {what}");
                }
            }
        }
    }

    #[test]
    fn strings_and_interfaces_tell_what_no_table_has() {
        let of = |id, manufacturer, product, class| Standing::of(&attached(id, manufacturer, product, class));
        let sierra = "Sierra Wireless, Incorporated";
        assert_eq!(of((0x413c, 0x9999), sierra, "", 0xff), Standing::UnknownModem);
        assert_eq!(
            of(
                (0x05c6, 0x90b8),
                "",
                "Semtech EM8695 Mobile Broadband Adapter",
                0xff
            ),
            Standing::UnknownModem
        );
        assert_eq!(of((0x413c, 0x9999), "Dell", "", 0xff), Standing::Foreign);
        // Mass storage is no modem, whatever its strings say.
        assert_eq!(of((0x413c, 0x9999), sierra, "", 0x08), Standing::Foreign);
        assert_eq!(of((0x1199, 0xabcd), sierra, "", 0x08), Standing::Foreign);
        // What is known not to be ours stays so.
        assert!(matches!(
            of((0x1199, 0x6855), sierra, "", 0xff),
            Standing::NotOurs(_)
        ));
    }
}
