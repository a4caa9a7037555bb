//! What `modemflash` must print of a modem as JSON (docs/list-json.md), and what differs from it.

use super::verbs::Here;
use serde_json::{Value, json};
use virtual_modem::{ControlProtocol, Function, FunctionKind, Setup, Storage};

const MANUFACTURER: &str = "Sierra Wireless, Incorporated";

/// The object that `list` and `info` print of a running modem that was made of `setup` and remembers `wanted`.
pub(crate) fn modem_line(setup: &Setup, wanted: &Storage, here: &Here) -> Value {
    let profile = setup.profile;
    let device = &here.appearance.device;
    let capabilities = &profile.capabilities;
    let knows = capabilities.preference;
    let facts = json!({
        "over": match setup.control {
            ControlProtocol::Qmi => "QMI",
            ControlProtocol::Mbim => "MBIM",
        },
        "manufacturer": MANUFACTURER,
        "model": profile.name,
        "revision": revision(setup, wanted),
        "running": {
            "firmware": wanted.current.firmware,
            "config": knows.then_some(&wanted.current.config),
            "carrier": knows.then_some(&wanted.current.carrier),
        },
        "boot_version": format!("{}_{}", profile.family, wanted.boot_firmware),
        "preferred": wanted.preferred.as_ref().map(|pair| {
            json!({ "firmware": pair.firmware, "config": pair.config, "carrier": pair.carrier })
        }),
        "images": image_lines(wanted),
        "modem_slots": knows.then_some(capabilities.modem_slots),
        "pri_slots": knows.then_some(capabilities.pri_slots),
        "operating_mode": "online",
        "mismatch": null,
    });
    json!({
        "v": 1,
        "place": here.place,
        "usb_id": device.id(),
        "speed_mbit": device.speed,
        "name": profile.name,
        "serial": device.serial,
        "mode": "normal",
        "ports": ports(here),
        "imei": wanted.imei,
        "facts": facts,
        "problem": null,
        "warnings": [],
    })
}

/// The ports as `list` has them: control ports first.
pub(crate) fn ports(here: &Here) -> Value {
    let functions = &here.appearance.layout.interfaces;
    let role = |function: &Function| {
        Some(match function.kind {
            FunctionKind::Qmi | FunctionKind::MbimControl => (0, "control"),
            FunctionKind::At => (1, "at"),
            FunctionKind::Diag => (2, "diag"),
            FunctionKind::Nmea => (3, "nmea"),
            FunctionKind::Download => (4, "download"),
            _ => return None,
        })
    };
    let mut ports = Vec::new();
    for function in functions {
        let bound = here
            .interfaces
            .iter()
            .find(|bound| bound.number == function.number);
        let (Some((order, role)), Some(bound)) = (role(function), bound) else {
            continue;
        };
        let Some(port) = &bound.node else { continue };
        let language = match function.kind {
            FunctionKind::Qmi => json!("qmi"),
            FunctionKind::MbimControl => json!("mbim"),
            _ => Value::Null,
        };
        let line = json!({
            "port": port,
            "role": role,
            "language": language,
            "interface": function.number,
            "driver": bound.driver,
        });
        ports.push((order, line));
    }
    ports.sort_by_key(|(order, _)| *order);
    ports.into_iter().map(|(_, line)| line).collect()
}

/// The stored images as `slots` prints them, without the modem's place.
pub(crate) fn image_lines(storage: &Storage) -> Vec<Value> {
    let preferred = storage.preferred.as_ref();
    // A modem without preferences tells of no images.
    if preferred.is_none() {
        return Vec::new();
    }
    let slots = storage.modem_images.iter().zip(1..);
    let firmware = slots.filter_map(|(image, slot): (_, u8)| {
        let image = image.as_ref()?;
        Some(json!({
            "kind": "modem",
            "slot": slot,
            "unique_id": "?_?",
            "build_id": format!("{}_?", image.firmware),
            "is_preferred": preferred.is_some_and(|pair| pair.firmware == image.firmware),
            "is_running": storage.current.firmware == image.firmware,
            "failures": image.failures,
        }))
    });
    let settings = storage.pri_images.iter().map(|image| {
        json!({
            "kind": "PRI",
            "unique_id": image.config,
            "build_id": image.build,
            "is_preferred": preferred.is_some_and(|pair| pair.pri() == *image),
            "is_running": storage.current.pri() == *image,
            "failures": 0,
        })
    });
    firmware.chain(settings).collect()
}

/// The lines of the answer to ATI.
pub(crate) fn identity(setup: &Setup) -> Vec<String> {
    let storage = &setup.storage;
    vec![
        format!("Manufacturer: {MANUFACTURER}"),
        format!("Model: {}", setup.profile.name),
        format!("Revision: {}", revision(setup, storage)),
        format!("MEID: {}", storage.imei.get(..14).unwrap_or_default()),
        format!("IMEI: {}", storage.imei),
        "IMEI SV: 20".to_owned(),
        format!("FSN: {}", storage.serial_number),
        "+GCAP: +CGSM".to_owned(),
        "OK".to_owned(),
    ]
}

/// What a modem with this in its memory says of its firmware.
fn revision(setup: &Setup, storage: &Storage) -> String {
    let profile = setup.profile;
    format!(
        "{}_{} {}",
        profile.family, storage.current.firmware, profile.capabilities.build
    )
}

/// Each wanted field that isn't there or says something else. A field more is none of them: fields are added
/// (docs/list-json.md).
pub(crate) fn differences(at: &str, said: &Value, wanted: &Value, found: &mut Vec<String>) {
    match (said, wanted) {
        (Value::Object(said), Value::Object(wanted)) => {
            for (name, wanted) in wanted {
                let said = said.get(name).unwrap_or(&Value::Null);
                differences(&format!("{at}.{name}"), said, wanted, found);
            }
        }
        (Value::Array(some), Value::Array(others)) if some.len() == others.len() => {
            for (place, (said, wanted)) in some.iter().zip(others).enumerate() {
                differences(&format!("{at}[{place}]"), said, wanted, found);
            }
        }
        _ if said == wanted => {}
        _ => found.push(format!("{at}: wanted {wanted}, got {said}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::guest::images;
    use virtual_modem::Profile;

    #[test]
    fn a_field_that_is_missing_or_wrong_is_found_and_one_more_is_not() {
        let wanted = json!({ "v": 1, "facts": { "images": [{ "slot": 1 }], "sku": "a" }, "problem": null });
        let mut found = Vec::new();
        let said = json!({ "v": 1, "facts": { "images": [{ "slot": 1, "new": 0 }], "sku": "a" } });
        differences("info", &said, &wanted, &mut found);
        assert_eq!(found, [""; 0]);
        let said = json!({ "v": 1, "facts": { "images": [{ "slot": 2 }] }, "problem": null });
        differences("info", &said, &wanted, &mut found);
        assert_eq!(
            found,
            [
                "info.facts.images[0].slot: wanted 1, got 2",
                "info.facts.sku: wanted \"a\", got null"
            ]
        );
        found.clear();
        differences(
            "info",
            &json!({ "images": [] }),
            &json!({ "images": [1] }),
            &mut found,
        );
        assert_eq!(found, ["info.images: wanted [1], got []"]);
    }

    #[test]
    fn images_are_told_with_what_runs_and_what_is_preferred() {
        let mut storage = Storage::factory(Profile::named("MC7455").unwrap());
        storage.preferred = Some(images::target());
        let lines = image_lines(&storage);
        let marks: Vec<_> = lines
            .iter()
            .map(|line| (&line["kind"], &line["is_running"], &line["is_preferred"]))
            .collect();
        let (yes, no) = (json!(true), json!(false));
        assert_eq!(marks, [(&json!("modem"), &yes, &no), (&json!("PRI"), &yes, &no)]);
        let mute = Storage::factory(Profile::named("MC7710").unwrap());
        assert_eq!(image_lines(&mute), [Value::Null; 0]);
    }
}
