//! Modems on PCIe in a line of a trace.

use super::{Expected, Words, put, quote, unquote};
use crate::{PciModem, PortId, WwanPort};

pub(super) fn line(modems: &[PciModem]) -> String {
    modems.iter().map(of_modem).collect::<Vec<_>>().join(" ")
}

fn of_modem(modem: &PciModem) -> String {
    let mut text = format!("pci={}", quote(&modem.place));
    put(&mut text, "id", Some(modem.id()));
    put(&mut text, "subsystem", Some(modem.subsystem()));
    put(&mut text, "driver", modem.driver.as_deref().map(quote));
    for port in &modem.ports {
        put(&mut text, "port", Some(quote(port.id.as_str())));
        put(&mut text, "language", port.language.as_deref().map(quote));
    }
    text
}

/// Modems, each followed by its fields and its ports. Unknown fields are no error: later versions may add some.
pub(super) fn parse(words: &mut Words<'_>) -> Result<Vec<PciModem>, Expected> {
    let mut modems: Vec<PciModem> = Vec::new();
    for word in words.0.by_ref() {
        let (key, value) = word.split_once('=').ok_or("key=value")?;
        if key == "pci" {
            modems.push(PciModem {
                place: unquote(value)?,
                vendor: 0,
                device: 0,
                subsystem_vendor: 0,
                subsystem_device: 0,
                driver: None,
                ports: Vec::new(),
            });
            continue;
        }
        let modem = modems.last_mut().ok_or("pci= first")?;
        match key {
            "id" => (modem.vendor, modem.device) = pair(value)?,
            "subsystem" => (modem.subsystem_vendor, modem.subsystem_device) = pair(value)?,
            "driver" => modem.driver = Some(unquote(value)?),
            "port" => modem.ports.push(WwanPort {
                id: PortId::new(unquote(value)?),
                language: None,
            }),
            "language" => {
                let port = modem.ports.last_mut().ok_or("port= first")?;
                port.language = Some(unquote(value)?);
            }
            _ => {}
        }
    }
    Ok(modems)
}

/// `17cb:0306`.
fn pair(value: &str) -> Result<(u16, u16), Expected> {
    let number = |digits| u16::from_str_radix(digits, 16).ok();
    let (left, right) = value.split_once(':').ok_or("two numbers with a colon")?;
    number(left)
        .zip(number(right))
        .ok_or("two numbers of four hex digits")
}
