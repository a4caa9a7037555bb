//! `modemflash slots`: lists, selects and deletes stored firmware and carrier settings.

use serde::Serialize;
use update_engine::modem::Modem;
use update_engine::{Advice, Code, Facts, Image, Request, errand};

use crate::arguments::{Slots, SlotsAction, SlotsDelete, SlotsSelect};
use crate::ask::{self, UserAnswer};
use crate::failure::{VerbFailure, Verdict};
use crate::output::stderr::{say, say_warnings};
use crate::output::stdout::{print, print_json};
use crate::text::table::{Table, or_hyphen};
use crate::verbs::modem_view::{SCHEMA, name};
use crate::verbs::running_modem;
use crate::worlds::chosen_world::ChosenWorld;

/// Does what the action says.
pub(crate) fn run(arguments: &Slots, mut chosen: ChosenWorld) -> Verdict {
    let (request, is_json) = (arguments.request(), arguments.is_json());
    let verdict = match &arguments.action {
        None | Some(SlotsAction::List(_)) => list(&request, is_json, &mut chosen),
        Some(SlotsAction::Select(select)) => self::select(select, request, is_json, &mut chosen),
        Some(SlotsAction::Delete(delete)) => self::delete(delete, request, is_json, &mut chosen),
    };
    chosen.finish();
    verdict
}

fn read(chosen: &mut ChosenWorld, request: &Request) -> Result<(Modem, Facts), VerbFailure> {
    running_modem::require(chosen.world(), request)?;
    Ok(chosen.talk(|world| errand::stored_images(world, request, &mut say_warnings))?)
}

/// A stored image as JSON.
#[derive(Debug, Serialize)]
struct StoredImageLine<'a> {
    v: u16,
    place: &'a str,
    #[serde(flatten)]
    image: &'a Image,
}

/// The selected images as JSON.
#[derive(Debug, Serialize)]
struct SelectedImagesLine<'a> {
    v: u16,
    place: &'a str,
    selected: [Image; 2],
}

/// The deleted image as JSON.
#[derive(Debug, Serialize)]
struct DeletedImageLine<'a> {
    v: u16,
    place: &'a str,
    deleted: &'a Image,
}

fn list(request: &Request, is_json: bool, chosen: &mut ChosenWorld) -> Verdict {
    let (modem, facts) = read(chosen, request)?;
    if is_json {
        for image in &facts.images {
            print_json(&StoredImageLine {
                v: SCHEMA,
                place: modem.path().as_str(),
                image,
            })?;
        }
    } else {
        print(&text(&modem, &facts))?;
    }
    Ok(0)
}

fn text(modem: &Modem, facts: &Facts) -> String {
    let mut text = format!("{} ({})\n", modem.path(), name(modem, Some(facts)));
    if facts.images.is_empty() {
        text.push_str("  it reports no stored images\n");
    }
    let mut table = Table::with_head(&[
        "KIND",
        "SLOT",
        "FIRMWARE",
        "CARRIER",
        "CONFIG",
        "FAILED BOOTS",
        "",
    ]);
    for image in &facts.images {
        let (firmware, carrier) = parts(image);
        table.push(vec![
            if is_modem(image) { "firmware" } else { "settings" }.to_owned(),
            or_hyphen(image.slot.map(|slot| slot.to_string()).as_deref()),
            firmware.to_owned(),
            or_hyphen(carrier.filter(|carrier| *carrier != "?")),
            or_hyphen(Some(image.unique_id.as_str()).filter(|_| !is_modem(image))),
            or_hyphen(image.failures.map(|count| count.to_string()).as_deref()),
            image.uses().collect::<Vec<_>>().join(", "),
        ]);
    }
    if !facts.images.is_empty() {
        for line in table.lines() {
            text.push_str(&format!("  {line}\n"));
        }
    }
    if let Some(slots) = facts.modem_slots {
        let used = facts.images.iter().filter(|image| is_modem(image)).count();
        text.push_str(&format!("  {used} of {slots} slots for firmware are in use\n"));
    }
    if let Some(preferred) = &facts.preferred {
        let is_stored = facts.images.iter().any(|image| image.is_preferred);
        let end = if is_stored || facts.images.is_empty() {
            ""
        } else {
            ", which it doesn't have"
        };
        text.push_str(&format!("  it prefers {preferred}{end}\n"));
    }
    text
}

fn is_modem(image: &Image) -> bool {
    image.kind == "modem"
}

/// The two parts of a build id: firmware version and carrier.
fn parts(image: &Image) -> (&str, Option<&str>) {
    match image.build_id.split_once('_') {
        Some((firmware, rest)) => (firmware, Some(rest)),
        None => (&image.build_id, None),
    }
}

/// The verb that fits behind [`words`]: firmware is one, settings are many.
fn verb(image: &Image) -> &'static str {
    if is_modem(image) { "is" } else { "are" }
}

/// One image in words, for a sentence.
fn words(image: &Image) -> String {
    let (firmware, carrier) = parts(image);
    let slot = image
        .slot
        .map(|slot| format!(" in slot {slot}"))
        .unwrap_or_default();
    if is_modem(image) {
        format!("firmware {firmware}{slot}")
    } else {
        let carrier = carrier.unwrap_or("?");
        format!("settings {carrier} {} of firmware {firmware}", image.unique_id)
    }
}

fn select(arguments: &SlotsSelect, mut request: Request, is_json: bool, chosen: &mut ChosenWorld) -> Verdict {
    let (modem, facts) = read(chosen, &request)?;
    let firmware = one(
        facts
            .images
            .iter()
            .filter(|image| is_modem(image) && is_meant(image, &arguments.image)),
        &facts,
        &format!("no firmware {} is stored", arguments.image),
    )?;
    let (version, _) = parts(firmware);
    let belongs = |image: &&Image| !is_modem(image) && parts(image).0 == version;
    let wish = arguments.pri.as_deref();
    let missing = match wish {
        Some(wish) => format!("no settings {wish} of firmware {version} are stored"),
        None => {
            format!("no settings of firmware {version} are stored, and the modem keeps its radio off without")
        }
    };
    let settings = one(
        facts
            .images
            .iter()
            .filter(belongs)
            .filter(|image| wish.is_none_or(|wish| is_settings(image, wish))),
        &facts,
        &missing,
    )?;
    // Keep to the modem that was asked, even if the selection leads to another modem by now.
    request.select = update_engine::Selector::Place(modem.path().to_string());
    chosen.talk(|world| errand::select_images(world, &request, firmware, settings, &mut say_warnings))?;
    let (_, carrier) = parts(settings);
    say(&format!(
        "{} now prefers firmware {version} with {} {}; `modemflash reset` makes it run",
        modem.path(),
        carrier.unwrap_or("settings"),
        settings.unique_id
    ));
    if is_json {
        let preferred = |image: &Image| Image {
            is_preferred: true,
            ..image.clone()
        };
        print_json(&SelectedImagesLine {
            v: SCHEMA,
            place: modem.path().as_str(),
            selected: [preferred(firmware), preferred(settings)],
        })?;
    }
    Ok(0)
}

fn delete(arguments: &SlotsDelete, mut request: Request, is_json: bool, chosen: &mut ChosenWorld) -> Verdict {
    let (modem, facts) = read(chosen, &request)?;
    let wish = &arguments.image;
    let image = one(
        facts.images.iter().filter(|image| {
            if is_modem(image) {
                is_meant(image, wish)
            } else {
                image.unique_id == *wish || image.build_id == *wish
            }
        }),
        &facts,
        &format!("no image {wish} is stored"),
    )?;
    let marks: Vec<&str> = image.uses().collect();
    if !marks.is_empty() && !arguments.force {
        let what = format!(
            "{}: {} {} kept: {}",
            modem.path(),
            words(image),
            verb(image),
            marks.join(", ")
        );
        return Err(VerbFailure::new(Code::SlotInUse, 2, what).hint(Advice::SelectOthers.to_string()));
    }
    if !arguments.yes {
        // A script can't be asked: it needs `--yes`.
        if is_json || !ask::is_possible() {
            let what = format!(
                "{}: {} would be deleted, and nobody said yes",
                modem.path(),
                words(image)
            );
            return Err(VerbFailure::of_code("E-NOT-AGREED", 2, what).hint("run again with --yes"));
        }
        let question = format!("delete {} from {} for good?", words(image), modem.path());
        match chosen.asker().ask(&question) {
            UserAnswer::Yes => {}
            refused => return refused.end("nothing was deleted"),
        }
    }
    request.select = update_engine::Selector::Place(modem.path().to_string());
    chosen.talk(|world| errand::delete_image(world, &request, image, arguments.force, &mut say_warnings))?;
    say(&format!(
        "{}: {} {} deleted",
        modem.path(),
        words(image),
        verb(image)
    ));
    if is_json {
        print_json(&DeletedImageLine {
            v: SCHEMA,
            place: modem.path().as_str(),
            deleted: image,
        })?;
    }
    Ok(0)
}

/// Whether the user means this firmware: by slot, version or build id.
fn is_meant(image: &Image, wish: &str) -> bool {
    let is_slot = wish.parse::<u8>().is_ok_and(|slot| image.slot == Some(slot));
    is_slot || image.build_id == wish || parts(image).0 == wish
}

/// Whether the user means these settings: by config version, carrier or build id.
fn is_settings(image: &Image, wish: &str) -> bool {
    let is_carrier = parts(image)
        .1
        .is_some_and(|carrier| carrier.eq_ignore_ascii_case(wish));
    is_carrier || image.unique_id == wish || image.build_id == wish
}

/// The only image that was found.
fn one<'a>(
    mut found: impl Iterator<Item = &'a Image>,
    facts: &Facts,
    missing: &str,
) -> Result<&'a Image, VerbFailure> {
    let lines = |images: &mut dyn Iterator<Item = &Image>| -> String {
        images.map(|image| format!("\n    {}", words(image))).collect()
    };
    match (found.next(), found.next()) {
        (Some(image), None) => Ok(image),
        (Some(first), Some(second)) => {
            let all = lines(&mut [first, second].into_iter().chain(found));
            let what = format!("more than one image fits:{all}");
            Err(VerbFailure::of_code("E-SLOT-AMBIGUOUS", 2, what)
                .hint("say which: a slot, a config version, or a whole build id such as 02.33.03.00_GENERIC"))
        }
        (None, _) => {
            let what = if facts.images.is_empty() {
                format!("{missing}: the modem reports no stored images")
            } else {
                format!("{missing}; there is:{}", lines(&mut facts.images.iter()))
            };
            Err(VerbFailure::of_code("E-SLOT-MISSING", 2, what)
                .hint("`modemflash slots` lists what is stored"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image(kind: &str, slot: Option<u8>, unique_id: &str, build_id: &str) -> Image {
        Image {
            kind: kind.into(),
            slot,
            unique_id: unique_id.into(),
            build_id: build_id.into(),
            is_preferred: false,
            is_running: false,
            failures: None,
        }
    }

    #[test]
    fn firmware_is_meant_by_slot_version_or_build_id() {
        let firmware = image("modem", Some(2), "?_?", "02.33.03.00_?");
        for wish in ["2", "02.33.03.00", "02.33.03.00_?"] {
            assert!(is_meant(&firmware, wish), "{wish}");
        }
        for wish in ["1", "02.33", "?_?", ""] {
            assert!(!is_meant(&firmware, wish), "{wish}");
        }
    }

    #[test]
    fn settings_are_meant_by_config_carrier_or_build_id() {
        let settings = image("PRI", None, "002.072_000", "02.33.03.00_GENERIC");
        for wish in ["002.072_000", "generic", "02.33.03.00_GENERIC"] {
            assert!(is_settings(&settings, wish), "{wish}");
        }
        assert!(!is_settings(&settings, "02.33.03.00"));
    }

    #[test]
    fn of_two_images_that_fit_both_are_named() {
        let images = [
            image("PRI", None, "002.072_000", "02.33.03.00_GENERIC"),
            image("PRI", None, "002.079_001", "02.33.03.00_VERIZON"),
        ];
        let failure = one(images.iter(), &Facts::default(), "nothing").unwrap_err();
        assert!(
            format!("{failure:?}").contains("VERIZON 002.079_001"),
            "{failure:?}"
        );
    }
}
