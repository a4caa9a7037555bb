//! What the modem reported before and after the update, in the form of `qmi-firmware-update`.

use update_engine::Facts;

/// The line above and below each part.
pub(crate) const RULE: &str = "------------------------------------------------------------------------";

/// The part that is printed before the modem is asked after the update.
pub(crate) fn before_asking() -> String {
    format!(
        "\n{RULE}\n    NOTE: the modem has to start its new firmware completely before it can be asked\n    \
         what it runs; that may take a while, and several tries.\n{RULE}\n\n\
         waiting some time for the device to boot...\n\
         loading device information after the update...\n"
    )
}

/// The part that compares both reports.
pub(crate) fn compare(before: Option<&Facts>, after: &Facts) -> String {
    let mut text = format!("\n{RULE}\n\n");
    if let Some(before) = before {
        text.push_str(&details(
            "original firmware revision was:",
            "original running firmware details:",
            "original firmware preference details:",
            before,
        ));
        text.push('\n');
    }
    text.push_str(&details(
        "new firmware revision is:",
        "new running firmware details:",
        "new firmware preference details:",
        after,
    ));
    if !after.images.is_empty() {
        text.push_str("\n   NOTE: the images that this modem stores are shown, selected and deleted\n   by `modemflash slots`\n");
    }
    text.push_str(&format!("\n{RULE}\n\n"));
    text
}

fn details(revision: &str, running: &str, preference: &str, facts: &Facts) -> String {
    let unknown = || "unknown".to_owned();
    let mut lines = vec![
        format!("   {revision}"),
        format!("      {}", facts.revision.clone().unwrap_or_else(unknown)),
        format!("   {running}"),
    ];
    let amss = amss_version(facts);
    for (what, value) in [
        ("Model", &facts.model),
        ("Boot version", &facts.boot_version),
        ("AMSS version", &amss),
        ("SKU ID", &facts.sku),
        ("Carrier", &facts.running.carrier),
        ("Config version", &facts.running.config),
    ] {
        if let Some(value) = value {
            lines.push(format!("      {what}: {value}"));
        }
    }
    lines.push(format!("   {preference}"));
    match &facts.preferred {
        None => lines.push("      no preference specified".to_owned()),
        Some(preferred) => {
            let part = |part: &Option<String>| part.clone().unwrap_or_else(|| "?".to_owned());
            let (firmware, config, carrier) = (
                part(&preferred.firmware),
                part(&preferred.config),
                part(&preferred.carrier),
            );
            lines.push(format!(
                "      image 'modem': unique id '?_?', build id '{firmware}_?'"
            ));
            lines.push(format!(
                "      image 'pri': unique id '{config}', build id '{firmware}_{carrier}'"
            ));
        }
    }
    lines.join("\n") + "\n"
}

/// The version with the platform in front, `SWI9X50C_01.14.13.00`: the first word of the revision. If that word doesn't hold the
/// version, the version alone.
fn amss_version(facts: &Facts) -> Option<String> {
    let version = facts.running.firmware.clone()?;
    let first = facts.revision.as_deref()?.split_whitespace().next()?;
    Some(if first.contains(&version) {
        first.to_owned()
    } else {
        version
    })
}
