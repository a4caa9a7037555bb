//! Modems on PCIe. modemflash names them; it doesn't open their ports yet.

use modem_world::PciModem;

/// A model on PCIe (pcie.md, Recognition).
struct Row {
    /// PCI device and subsystem device.
    ids: (u16, u16),
    name: &'static str,
    /// The USB id in download mode, if the slot has USB lines.
    loader: &'static str,
}

const ROWS: &[Row] = &[
    Row {
        ids: (0x0306, 0x0200),
        name: "EM919x (SDX55)",
        loader: "1199:90d2",
    },
    Row {
        ids: (0x0308, 0x0301),
        name: "EM929x (SDX65)",
        loader: "1199:90e2",
    },
];

fn row(modem: &PciModem) -> Option<&'static Row> {
    ROWS.iter()
        .find(|row| row.ids == (modem.device, modem.subsystem_device))
}

/// The name of a modem on PCIe.
pub(crate) fn name(modem: &PciModem) -> String {
    let unknown = || format!("unknown Sierra Wireless modem ({})", modem.id());
    row(modem).map_or_else(unknown, |row| row.name.to_owned())
}

/// The USB id of the modem's boot loader in download mode; for an unknown model, the ids of all models.
pub(crate) fn loader(modem: &PciModem) -> String {
    let all = || ROWS.iter().map(|row| row.loader).collect::<Vec<_>>().join(" or ");
    row(modem).map_or_else(all, |row| row.loader.to_owned())
}

/// One line about a modem on PCIe, for a list of modems.
pub(crate) fn line(modem: &PciModem) -> String {
    format!("{} ({}, {})", modem.place, name(modem), modem.id())
}

/// Whether this is the address of a PCI device, `0000:01:00.0`, as opposed to a place on USB.
pub fn is_address(text: &str) -> bool {
    let is_hex = |digits: &str, least: usize, most: usize| {
        (least..=most).contains(&digits.len()) && digits.bytes().all(|digit| digit.is_ascii_hexdigit())
    };
    let Some((bus, function)) = text.rsplit_once('.') else {
        return false;
    };
    let parts: Vec<&str> = bus.split(':').collect();
    let [domain, bus, device] = parts.as_slice() else {
        return false;
    };
    // Domains of virtual host bridges have five digits and more.
    is_hex(domain, 4, 8) && is_hex(bus, 2, 2) && is_hex(device, 2, 2) && is_hex(function, 1, 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_domain_bus_device_and_function() {
        for address in ["0000:01:00.0", "10000:e1:1f.7"] {
            assert!(is_address(address), "{address}");
        }
        for other in [
            "1-1.4",
            "01:00.0",
            "0000:01:00",
            "0000:01:00.",
            "0000:1:00.0",
            "0000:01:0g.0",
            "",
        ] {
            assert!(!is_address(other), "{other}");
        }
    }

    #[test]
    fn models_are_told_apart_by_device_and_subsystem() {
        let of = |device, subsystem_device| PciModem {
            place: "0000:01:00.0".to_owned(),
            vendor: 0x17cb,
            device,
            subsystem_vendor: 0x18d7,
            subsystem_device,
            driver: None,
            ports: Vec::new(),
        };
        let known = of(0x0306, 0x0200);
        assert_eq!(
            (name(&known).as_str(), loader(&known).as_str()),
            ("EM919x (SDX55)", "1199:90d2")
        );
        let known = of(0x0308, 0x0301);
        assert_eq!(
            (name(&known).as_str(), loader(&known).as_str()),
            ("EM929x (SDX65)", "1199:90e2")
        );
        for other in [of(0x0308, 0x0200), of(0x0306, 0x0301), of(0x0309, 0x0200)] {
            assert!(name(&other).starts_with("unknown Sierra Wireless modem (17cb:0"));
            assert_eq!(loader(&other), "1199:90d2 or 1199:90e2");
        }
    }
}
