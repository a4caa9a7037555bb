//! `modemflash slots`: lists, selects and deletes stored firmware and carrier settings.

use serde::Serialize;
use update_engine::modem::Modem;
use update_engine::{Advice, Code, Facts, Image, ImageType, Request, errand};

use crate::arguments::{Slots, SlotsAction, SlotsDelete, SlotsSelect};
use crate::ask::{self, UserAnswer};
use crate::failure::{OwnCode, VerbFailure, Verdict};
use crate::output::stderr::{say, say_warnings};
use crate::output::stdout::{print, print_json};
use crate::text::table::{Table, or_hyphen};
use crate::verbs::modem_view::{SCHEMA, name};
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
    errand::require_running(chosen.world(), request)?;
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
        table.push(vec![
            kind_words(image.kind),
            or_hyphen(image.slot.map(|slot| slot.to_string()).as_deref()),
            image.firmware().to_owned(),
            or_hyphen(image.carrier().filter(|carrier| *carrier != "?")),
            or_hyphen(Some(image.unique_id.as_str()).filter(|_| !image.is_firmware())),
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
        let used = facts.images.iter().filter(|image| image.is_firmware()).count();
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

/// What a stored image is, in a user's words.
fn kind_words(kind: ImageType) -> String {
    match kind {
        ImageType::Modem => "firmware".to_owned(),
        ImageType::Pri => "settings".to_owned(),
        other => other.to_string(),
    }
}

/// The verb that fits behind [`words`]: firmware is one, settings are many.
fn verb(image: &Image) -> &'static str {
    if image.kind == ImageType::Pri { "are" } else { "is" }
}

/// One image in words, for a sentence.
fn words(image: &Image) -> String {
    let firmware = image.firmware();
    let slot = image
        .slot
        .map(|slot| format!(" in slot {slot}"))
        .unwrap_or_default();
    let kind = kind_words(image.kind);
    if image.is_firmware() {
        format!("{kind} {firmware}{slot}")
    } else {
        let carrier = image.carrier().unwrap_or("?");
        format!("{kind} {carrier} {} of firmware {firmware}", image.unique_id)
    }
}

fn select(arguments: &SlotsSelect, mut request: Request, is_json: bool, chosen: &mut ChosenWorld) -> Verdict {
    let (modem, facts) = read(chosen, &request)?;
    let firmware = one(
        facts
            .images
            .iter()
            .filter(|image| image.is_firmware_called(&arguments.image)),
        &facts,
        &format!("no firmware {} is stored", arguments.image),
    )?;
    let version = firmware.firmware();
    let belongs = |image: &&Image| image.kind == ImageType::Pri && image.firmware() == version;
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
            .filter(|image| wish.is_none_or(|wish| image.are_settings_called(wish))),
        &facts,
        &missing,
    )?;
    // Keep to the modem that was asked, even if the selection leads to another modem by now.
    request.select = update_engine::Selector::Place(modem.path().to_string());
    chosen.talk(|world| errand::select_images(world, &request, firmware, settings, &mut say_warnings))?;
    say(&format!(
        "{} now prefers firmware {version} with {} {}; `modemflash reset` makes it run",
        modem.path(),
        settings.carrier().unwrap_or("settings"),
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
        facts
            .images
            .iter()
            .filter(|image| image.is_firmware_called(wish) || (!image.is_firmware() && image.has_id(wish))),
        &facts,
        &format!("no image {wish} is stored"),
    )?;
    if let Some(use_of_it) = image.in_use().filter(|_| !arguments.force) {
        let were = if image.is_firmware() { "was" } else { "were" };
        let what = format!(
            "{}: {} {were} not deleted: {use_of_it}",
            modem.path(),
            words(image)
        );
        return Err(VerbFailure::new(Code::SlotInUse, what).hint(Advice::SelectOthers.to_string()));
    }
    if !arguments.yes {
        // A script can't be asked: it needs `--yes`.
        if is_json || !ask::is_possible() {
            let what = format!(
                "{}: {} would be deleted, and nobody said yes",
                modem.path(),
                words(image)
            );
            return Err(VerbFailure::own(OwnCode::NotAgreed, what, "run again with --yes"));
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
            let hint = "say which: a slot, a config version, or a whole build id such as 02.33.03.00_GENERIC";
            Err(VerbFailure::own(OwnCode::SlotAmbiguous, what, hint))
        }
        (None, _) => {
            let what = if facts.images.is_empty() {
                format!("{missing}: the modem reports no stored images")
            } else {
                format!("{missing}; there is:{}", lines(&mut facts.images.iter()))
            };
            let hint = "`modemflash slots` lists what is stored";
            Err(VerbFailure::own(OwnCode::SlotMissing, what, hint))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use update_engine::AskedOver;

    fn image(kind: ImageType, slot: Option<u8>, unique_id: &str, build_id: &str) -> Image {
        Image {
            kind,
            slot,
            unique_id: unique_id.into(),
            build_id: build_id.into(),
            is_preferred: false,
            is_running: false,
            failures: None,
        }
    }

    #[test]
    fn of_two_images_that_fit_both_are_named() {
        let images = [
            image(ImageType::Pri, None, "002.072_000", "02.33.03.00_GENERIC"),
            image(ImageType::Pri, None, "002.079_001", "02.33.03.00_VERIZON"),
        ];
        let failure = one(images.iter(), &Facts::unknown(AskedOver::At), "nothing").unwrap_err();
        assert!(
            format!("{failure:?}").contains("VERIZON 002.079_001"),
            "{failure:?}"
        );
    }
}
