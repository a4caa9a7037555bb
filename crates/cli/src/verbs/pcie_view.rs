//! How `list` and `info` show a modem on PCIe, in words and in JSON.

use serde::Serialize;
use update_engine::Facts;
use update_engine::modem::{Language, Mode};
use update_engine::on_pcie::OnPcie;
use update_engine::survey::Remark;

use crate::failure::VerbFailure;
use crate::output::stdout::{print, print_json};
use crate::verbs::modem_view::{PortRole, SCHEMA};

/// A modem on PCIe as JSON: the fields of a modem on USB, of which many aren't known, and those of its PCI device.
#[derive(Debug, Serialize)]
pub(crate) struct PcieLine<'a> {
    v: u16,
    place: &'a str,
    peer: Option<&'a str>,
    usb_id: Option<&'a str>,
    pci_id: String,
    pci_subsystem: String,
    number: Option<u32>,
    speed_mbit: Option<u32>,
    name: &'a str,
    serial: Option<&'a str>,
    mode: Option<Mode>,
    ports: Vec<PciePortLine<'a>>,
    imei: Option<&'a str>,
    facts: Option<&'a Facts>,
    problem: Option<&'a str>,
    lock: Option<()>,
    warnings: &'a [Remark],
}

/// A port of a modem on PCIe.
#[derive(Debug, Serialize)]
struct PciePortLine<'a> {
    port: &'a str,
    role: Option<PortRole>,
    language: Option<Language>,
    interface: Option<u8>,
    driver: Option<&'a str>,
    #[serde(rename = "type")]
    kind: Option<&'a str>,
}

impl<'a> PcieLine<'a> {
    /// A line with everything that the bus shows.
    fn new(known: &'a OnPcie) -> Self {
        let modem = &known.modem;
        let ports = modem.ports.iter().map(|port| {
            let (role, language) = purpose(port.language.as_deref());
            PciePortLine {
                port: port.id.as_str(),
                role,
                language,
                interface: None,
                driver: modem.driver.as_deref(),
                kind: port.language.as_deref(),
            }
        });
        Self {
            v: SCHEMA,
            place: &modem.place,
            peer: None,
            usb_id: None,
            pci_id: modem.id(),
            pci_subsystem: modem.subsystem(),
            number: None,
            speed_mbit: None,
            name: &known.name,
            serial: None,
            mode: None,
            ports: ports.collect(),
            imei: None,
            facts: None,
            problem: None,
            lock: None,
            warnings: &known.warnings,
        }
    }
}

/// What a port of this type is for. Types that modemflash doesn't know have no purpose.
fn purpose(kind: Option<&str>) -> (Option<PortRole>, Option<Language>) {
    match kind {
        Some("MBIM") => (Some(PortRole::Control), Some(Language::Mbim)),
        Some("QMI") => (Some(PortRole::Control), Some(Language::Qmi)),
        Some("AT") => (Some(PortRole::At), None),
        Some("QCDM") => (Some(PortRole::Diag), None),
        _ => (None, None),
    }
}

/// The ports of a modem on PCIe, each with its purpose, or else its type: `MBIM /dev/wwan0mbim0`.
pub(crate) fn port_words(known: &OnPcie) -> Vec<String> {
    let ports = known.modem.ports.iter();
    ports
        .map(|port| match port.language.as_deref() {
            Some("QCDM") => format!("DIAG {}", port.id),
            Some(kind) => format!("{kind} {}", port.id),
            None => port.id.to_string(),
        })
        .collect()
}

/// Prints the modem as JSON.
pub(crate) fn print_line(known: &OnPcie) -> Result<(), VerbFailure> {
    print_json(&PcieLine::new(known))
}

/// Prints the page of `info`.
pub(crate) fn show(known: &OnPcie, is_json: bool) -> Result<(), VerbFailure> {
    if is_json {
        print_line(known)
    } else {
        print(&text(known))
    }
}

fn text(known: &OnPcie) -> String {
    let modem = &known.modem;
    let mut lines = vec![
        ("place", format!("{} (PCIe)", modem.place)),
        (
            "PCI id",
            format!("{}, subsystem {}", modem.id(), modem.subsystem()),
        ),
    ];
    lines.extend(modem.driver.clone().map(|driver| ("driver", driver)));
    let names = std::iter::once("ports").chain(std::iter::repeat(""));
    lines.extend(names.zip(port_words(known)));
    let mut text = format!("{}\n", known.name);
    for (name, value) in lines {
        text.push_str(&format!("  {name:<14}{value}\n"));
    }
    for warning in &known.warnings {
        text.push_str(&format!("warning: {}\n", warning.text));
    }
    text
}

#[cfg(test)]
mod tests {
    use modem_world::{PciModem, PortId, WwanPort};
    use update_engine::on_pcie;
    use virtual_modem::Setup;
    use virtual_modem::profile::Profile;
    use virtual_modem::simulated::SimulatedWorld;

    use super::*;

    fn known() -> OnPcie {
        let mut world = SimulatedWorld::new(Setup::running(Profile::named("MC7455").unwrap()));
        let ports = [
            ("/dev/wwan0at0", Some("AT")),
            ("/dev/wwan0mbim0", Some("MBIM")),
            ("/dev/wwan0qcdm0", Some("QCDM")),
            ("/dev/wwan0x0", Some("XMMRPC")),
            ("/dev/wwan0y0", None),
        ];
        world.put_on_pcie(PciModem {
            place: "0000:01:00.0".to_owned(),
            vendor: 0x17cb,
            device: 0x0306,
            subsystem_vendor: 0x18d7,
            subsystem_device: 0x0200,
            driver: Some("mhi-pci-generic".to_owned()),
            ports: ports
                .map(|(id, language)| WwanPort {
                    id: PortId::new(id),
                    language: language.map(str::to_owned),
                })
                .to_vec(),
        });
        on_pcie::all(&mut world).unwrap().remove(0)
    }

    #[test]
    fn the_page_names_the_modem_its_ports_and_the_limits() {
        let text = text(&known());
        let start = "EM919x (SDX55)\n  place         0000:01:00.0 (PCIe)\n  PCI id        17cb:0306, subsystem 18d7:0200\n  \
                     driver        mhi-pci-generic\n  ports         AT /dev/wwan0at0\n                MBIM /dev/wwan0mbim0\n                \
                     DIAG /dev/wwan0qcdm0\n                XMMRPC /dev/wwan0x0\n                /dev/wwan0y0\nwarning: modemflash can't ask";
        assert!(text.starts_with(start), "{text}");
        assert_eq!(text.matches("warning").count(), 1, "{text}");
    }

    #[test]
    fn the_object_has_the_fields_of_a_modem_on_usb() {
        let known = known();
        let json = serde_json::to_value(PcieLine::new(&known)).unwrap();
        assert_eq!(json["place"], "0000:01:00.0");
        assert_eq!(
            (&json["usb_id"], &json["mode"]),
            (&serde_json::Value::Null, &serde_json::Value::Null)
        );
        assert_eq!(json["warnings"][0]["code"], "PCIE");
        let mbim = serde_json::json!({
            "port": "/dev/wwan0mbim0", "role": "control", "language": "mbim", "interface": null,
            "driver": "mhi-pci-generic", "type": "MBIM",
        });
        assert_eq!(json["ports"][1], mbim);
        assert_eq!(json["ports"][3]["role"], serde_json::Value::Null);

        let mut world = SimulatedWorld::new(Setup::running(Profile::named("MC7455").unwrap()));
        let on_usb =
            update_engine::survey::survey(&mut world, &update_engine::Request::default(), None).unwrap();
        let on_usb = serde_json::to_value(crate::verbs::modem_view::ModemLine::new(&on_usb[0])).unwrap();
        for field in on_usb.as_object().unwrap().keys() {
            assert!(json.get(field).is_some(), "{field}");
        }
    }
}
