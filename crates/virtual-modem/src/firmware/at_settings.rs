//! Stored images, preference and USB settings on the AT port (at.md §3 and the AT traces).

use modem_protocol::at::parse::{
    ActiveSlot, Board as BoardInfo, Composition as Shown, ImageList, ImagePreference, Mismatch,
    Selection as ShownSelection, Speed, Status, StoredImage, UsbIdentity, UsbPids, UsbSpeeds,
};
use modem_protocol::at::{Reply, reply};

use super::dms::MANUFACTURER;
use crate::board::Board;
use crate::layout::{Composition, Layout};
use crate::storage::{Selection, Storage};

/// Runs a command of Sierra's. `name` is the command in capitals without its exclamation mark, `part` the
/// command as it was written, with the mark.
pub(super) fn run(name: &str, part: &str, board: &mut Board) -> Reply {
    let (command, form) = match name.find(['?', '=']) {
        Some(place) => name.split_at(place),
        None => (name, ""),
    };
    let written = part.split_once('=').map_or("", |(_, value)| value);
    let arguments = arguments(written);
    let capabilities = board.setup.profile.capabilities;
    let is_preference = capabilities.preference_commands.contains(&command);
    match (command, form) {
        (_, "?") if is_preference => {
            let lines = reply::impref(&preference(board), &format!("!{command}"));
            Reply::ok(lines)
        }
        (_, "=?") if is_preference => Reply::ok(Vec::new()),
        _ if is_preference => or_error(prefer(&arguments, &mut board.storage)),
        ("IMAGE", "?") if capabilities.preference => Reply::ok(reply::image(&images(board))),
        ("IMAGE", "=?") if capabilities.preference => Reply::ok(
            [
                "AT!IMAGE=<op>[,<type>[,<slot>[,\"<build_id>\",\"<unique_id>\"]]]",
                "op   - 0:delete 1:list 2:get max num images",
                "type - 0:FW 1:CONFIG",
                "slot - FW slot index - none implies all slots",
                "AT!IMAGE?[<op>[,<type>]]",
            ]
            .map(str::to_owned)
            .to_vec(),
        ),
        ("IMAGE", _) if capabilities.preference => or_error(delete(&arguments, &mut board.storage)),
        ("USBCOMP", "?") => Reply::ok(reply::usbcomp(&composition(board))),
        ("USBCOMP", "=?") => Reply::ok(composition_help(board)),
        ("USBCOMP", _) => or_error(compose(&arguments, board)),
        ("UDUSBCOMP", "?") if capabilities.old_power_layout => {
            let number = if board.storage.usb.composition.has(Composition::MBIM) {
                8
            } else {
                6
            };
            Reply::ok(vec![format!("!UDUSBCOMP: {number}")])
        }
        ("USBPID", "?") => Reply::ok(reply::usbpid(&UsbPids {
            application: board.storage.usb.application,
            boot: Some(board.storage.usb.boot),
        })),
        ("USBPID", _) => or_error(set_ids(&arguments, &mut board.storage)),
        ("USBVID", "?") => Reply::ok(vec![
            "!USBVID:".to_owned(),
            format!("{:04X}", board.storage.usb.vendor),
        ]),
        ("USBVID", _) => or_error(set_vendor(&arguments, &mut board.storage)),
        ("USBPRODUCT", "?") => Reply::ok(vec!["!USBPRODUCT:".to_owned(), board.storage.usb.product.clone()]),
        ("USBPRODUCT", _) => or_error(arguments.first().map(|product| {
            board.storage.usb.product.clone_from(product);
        })),
        ("USBINFO", "?") => Reply::ok(reply::usbinfo(&UsbIdentity {
            vendor: board.storage.usb.vendor,
            application: board.storage.usb.application,
            boot: Some(board.storage.usb.boot),
            manufacturer: Some(MANUFACTURER.to_owned()),
            product: Some(board.storage.usb.product.clone()),
        })),
        ("USBSPEED", "?") => Reply::ok(reply::usbspeed(&UsbSpeeds {
            supported: Some(Speed::Super),
            current: if board.storage.usb.is_super_speed {
                Speed::Super
            } else {
                Speed::High
            },
        })),
        ("USBSPEED", _) => match arguments.first().map(String::as_str) {
            Some("0") => {
                board.storage.usb.is_super_speed = false;
                Reply::ok(Vec::new())
            }
            Some("1") => {
                board.storage.usb.is_super_speed = true;
                Reply::ok(Vec::new())
            }
            _ => Reply::error(),
        },
        ("PRIID", _) => or_error(set_oem(&arguments, &mut board.storage)),
        ("BSINFO", "") => Reply::ok(reply::bsinfo(&board_info(board))),
        ("RMARESET", "=1") => {
            restore(board);
            Reply::ok(Vec::new())
        }
        ("NVRESTORE", "=0") => {
            restore(board);
            // at_em7565_lenovo trace.
            Reply::ok(
                [
                    "!NVRESTORE:",
                    "Items Restored:  906",
                    "Items Deleted:   272",
                    "Items Skipped:   4",
                ]
                .map(str::to_owned)
                .to_vec(),
            )
        }
        _ => Reply::error(),
    }
}

fn or_error(done: Option<()>) -> Reply {
    done.map_or_else(Reply::error, |()| Reply::ok(Vec::new()))
}

/// The arguments after the equals sign: separated by commas, without quotes.
fn arguments(text: &str) -> Vec<String> {
    let mut arguments = vec![String::new()];
    let mut is_quoted = false;
    for letter in text.chars() {
        match letter {
            '"' => is_quoted = !is_quoted,
            ',' if !is_quoted => arguments.push(String::new()),
            _ => {
                if let Some(last) = arguments.last_mut() {
                    last.push(letter);
                }
            }
        }
    }
    arguments
}

fn preference(board: &Board) -> ImagePreference {
    let has_sub_pri = board.setup.profile.capabilities.sub_pri_index;
    let shown = |selection: &Selection| ShownSelection {
        firmware: Some(selection.firmware.clone()),
        carrier: Some(selection.carrier.clone()),
        config: Some(selection.config_name()),
        sub_pri: has_sub_pri.then(|| "000".to_owned()),
    };
    let storage = &board.storage;
    let names = [Mismatch::Firmware, Mismatch::Carrier, Mismatch::Config];
    let differing = names.into_iter().zip(storage.mismatches());
    ImagePreference {
        preferred: storage.preferred.as_ref().map(shown).unwrap_or_default(),
        current: shown(&storage.current),
        mismatches: differing
            .filter(|(_, differs)| *differs)
            .map(|(name, _)| name)
            .collect(),
    }
}

/// Sets the preference: either a carrier, for which a stored pair is chosen, or firmware, carrier and config
/// name. `None` if no stored images fit.
fn prefer(arguments: &[String], storage: &mut Storage) -> Option<()> {
    let wanted = match arguments {
        [carrier] => storage.stored_pair(carrier)?,
        [firmware, carrier, config] => {
            let version = config.strip_prefix(&format!("{carrier}_")).unwrap_or(config);
            Selection::new(firmware, carrier, version)
        }
        _ => return None,
    };
    if !storage.missing(&wanted).is_empty() {
        return None;
    }
    storage.prefer(wanted);
    storage.awaits_download = false;
    Some(())
}

fn images(board: &Board) -> ImageList {
    let storage = &board.storage;
    let firmware = storage.modem_images.iter().enumerate().map(|(place, image)| {
        let slot = u8::try_from(place + 1).unwrap_or(u8::MAX);
        match image {
            Some(image) => StoredImage {
                slot,
                status: Status::Good,
                lru: image.age,
                failures: [image.failures.into(), 0],
                ids: Some(("?_?".to_owned(), format!("{}_?", image.firmware))),
            },
            None => StoredImage {
                slot,
                status: Status::Empty,
                lru: 0,
                failures: [0, 0],
                ids: None,
            },
        }
    });
    let pri = storage.pri_images.iter().map(|image| StoredImage {
        slot: u8::MAX,
        status: Status::Good,
        lru: 0,
        failures: [0, 0],
        ids: Some((image.config.clone(), image.build.clone())),
    });
    let active = storage
        .slot_of(&storage.current.firmware)
        .and_then(|slot| u8::try_from(slot + 1).ok());
    let capabilities = &board.setup.profile.capabilities;
    ImageList {
        firmware: firmware.collect(),
        most_firmware: Some(capabilities.modem_slots.into()),
        active: Some(active.map_or(ActiveSlot::NotStored, ActiveSlot::Slot)),
        pri: pri.collect(),
        most_pri: Some(capabilities.pri_slots.into()),
    }
}

/// Deletes stored images: `0`, `0,<type>`, `0,<type>,<slot>` or `0,<type>,<slot>,"<build id>","<unique id>"`.
fn delete(arguments: &[String], storage: &mut Storage) -> Option<()> {
    let mut arguments = arguments.iter().map(String::as_str);
    if arguments.next()? != "0" {
        return None;
    }
    let kind = arguments.next();
    let slot = arguments.next();
    let names = arguments.next().zip(arguments.next());
    if matches!(kind, None | Some("0")) {
        match slot {
            None => storage.modem_images.iter_mut().for_each(|slot| *slot = None),
            Some(slot) => {
                let number = usize::from_str_radix(slot, 16).ok()?.checked_sub(1)?;
                *storage.modem_images.get_mut(number)? = None;
            }
        }
    }
    if matches!(kind, None | Some("1")) {
        match names {
            None => storage.pri_images.clear(),
            Some((build, unique)) => storage
                .pri_images
                .retain(|image| image.build != build || image.config != unique),
        }
    }
    matches!(kind, None | Some("0" | "1")).then_some(())
}

/// The names of the mask's bits (at.md §3).
const BITS: [(Composition, &str); 7] = [
    (Composition::DIAG, "diag"),
    (Composition::ADB, "adb"),
    (Composition::NMEA, "nmea"),
    (Composition::AT, "modem"),
    (Composition::RMNET0, "rmnet0"),
    (Composition::RMNET1, "rmnet1"),
    (Composition::MBIM, "mbim"),
];

fn composition(board: &Board) -> Shown {
    let usb = &board.storage.usb;
    let kinds = board.setup.profile.capabilities.composition_kinds;
    let kind = kinds.iter().find(|(number, _)| *number == usb.kind);
    let shown = BITS.iter().filter(|(bit, _)| usb.composition.has(*bit));
    Shown {
        index: 1,
        kind: usb.kind.into(),
        kind_name: kind.map(|(_, name)| (*name).to_owned()),
        mask: usb.composition.0,
        interfaces: shown.map(|(_, name)| (*name).to_owned()).collect(),
    }
}

fn composition_help(board: &Board) -> Vec<String> {
    let kinds = board.setup.profile.capabilities.composition_kinds;
    let kinds: Vec<String> = kinds
        .iter()
        .map(|(number, name)| format!("{number}:{name}"))
        .collect();
    let bits = BITS
        .iter()
        .map(|(bit, name)| format!("{} - 0x{:08X}", name.to_ascii_uppercase(), bit.0));
    let head = [
        "!USBCOMP:".to_owned(),
        "AT!USBCOMP=<Config Index>,<Config Type>,<Interface bitmask>".to_owned(),
        "<Config Index>: configuration index to which the composition applies, should be 1".to_owned(),
        format!("<Config Type>: {}", kinds.join(", ")),
        "<Interface bitmask>:".to_owned(),
    ];
    head.into_iter().chain(bits).collect()
}

/// Sets the composition: `1,<type>,<mask in hex>`. It takes effect at the next restart.
fn compose(arguments: &[String], board: &mut Board) -> Option<()> {
    let [index, kind, mask] = arguments else {
        return None;
    };
    let profile = board.setup.profile;
    let kind: u8 = kind.parse().ok()?;
    let is_known = profile
        .capabilities
        .composition_kinds
        .iter()
        .any(|(number, _)| *number == kind);
    let mask = Composition(u32::from_str_radix(mask, 16).ok()?);
    let both = mask.has(Composition::MBIM) && mask.has(Composition::RMNET0);
    if index != "1" || !is_known || both {
        return None;
    }
    let mut usb = board.storage.usb.clone();
    usb.composition = mask;
    if usb.kind != kind {
        usb.choose_kind(kind, profile);
    }
    // The modem refuses a composition that would leave no interface at all.
    if Layout::running(usb.wiring(profile), mask).count() == 0 {
        return None;
    }
    board.storage.usb = usb;
    Some(())
}

/// Sets the product ids. If only one is given, the boot id is the next lower number (at_em7565_lenovo trace).
fn set_ids(arguments: &[String], storage: &mut Storage) -> Option<()> {
    let mut ids = arguments
        .iter()
        .map(|id| u16::from_str_radix(id.trim_start_matches("0x"), 16).ok());
    let application = ids.next()??;
    let boot = match ids.next() {
        Some(boot) => boot?,
        None => application.wrapping_sub(1),
    };
    (storage.usb.application, storage.usb.boot) = (application, boot);
    Some(())
}

fn set_vendor(arguments: &[String], storage: &mut Storage) -> Option<()> {
    let digits = arguments.first()?.trim_start_matches("0x");
    storage.usb.vendor = u16::from_str_radix(digits, 16).ok()?;
    Some(())
}

fn set_oem(arguments: &[String], storage: &mut Storage) -> Option<()> {
    let [part_number, revision, customer] = arguments else {
        return None;
    };
    storage.oem.part_number.clone_from(part_number);
    storage.oem.revision.clone_from(revision);
    storage.oem.customer.clone_from(customer);
    Some(())
}

fn board_info(board: &Board) -> BoardInfo {
    let profile = board.setup.profile;
    BoardInfo {
        product: Some(profile.name.to_owned()),
        revision: Some("40".to_owned()),
        main: Some("MDM9207 (000)".to_owned()),
        radio: Some("WTR2965".to_owned()),
        power: Some("PMD9607 (002)".to_owned()),
        // From the at_misc_wp_rc_em9 trace, but with another chip: the one in the trace refuses some
        // firmwares.
        flash: Some(
            "MT29F4G08ABBFA3W 512MB x8 (173/0/0) (2048 blocks of 64 pages/block 4096B page size)".to_owned(),
        ),
    }
}

/// Restores the factory's USB ids and composition.
fn restore(board: &mut Board) {
    let factory = Storage::factory(board.setup.profile);
    board.storage.usb = factory.usb;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_apart_by_commas_outside_of_quotes() {
        assert_eq!(arguments("1,3,0000100D"), ["1", "3", "0000100D"]);
        assert_eq!(arguments("\"a,b\",\"c\""), ["a,b", "c"]);
        assert_eq!(arguments(""), [""]);
    }
}
