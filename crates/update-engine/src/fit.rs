//! Whether images are for this modem.
//!
//! What the headers of the images say is compared with what is known of the modem, the surest first: what its running
//! firmware says of itself, the model that it or its USB strings name, the row of the device table. Platforms are compared
//! as text, so one that no table has is told apart like any other. Only a contradiction refuses. Where a fact is missing,
//! the user is asked; `--yes` answers that.

use firmware_image::{Combination, Family, FamilySource, Platform, Target};
use modem_world::{PortInfo, UsbDevice};

use crate::devices::{self, Device};
use crate::facts::Facts;
use crate::modem::Modem;
use crate::{Cause, Firmware, Protocol, Warning};

/// What is known of a modem, as far as it tells whom images are for.
#[derive(Clone, Copy, Debug, Default)]
pub struct Nature<'a> {
    /// Its name, for people.
    pub name: Option<&'a str>,
    /// Its row of the device table.
    pub row: Option<&'static Device>,
    /// What names its model: what it says, or else the product string of its USB device.
    pub model: Option<&'a str>,
    /// What it says that it runs: `SWI9X07H_00.08.07.00 …`. None while it wasn't asked.
    pub revision: Option<&'a str>,
}

/// The images are for the modem, as far as can be told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fit {
    /// The families that are left.
    pub families: Vec<Family>,
    /// What can't be told, or what the user vouches for: to be confirmed.
    pub doubt: Option<Warning>,
}

impl<'a> Nature<'a> {
    /// What the bus tells of a device.
    pub fn of_device(device: &'a UsbDevice) -> Self {
        let row = devices::lookup(device);
        Self {
            name: row.map(|row| row.models).or(device.product_name.as_deref()),
            row,
            model: device.product_name.as_deref(),
            revision: None,
        }
    }

    /// What the bus tells of a modem.
    pub fn of_modem(modem: &'a Modem) -> Self {
        Self {
            row: modem.row,
            ..Self::of_device(&modem.device)
        }
    }

    /// With what the modem says of itself.
    pub fn with_facts(self, facts: &'a Facts) -> Self {
        Self {
            name: facts.model.as_deref().or(self.name),
            model: facts.model.as_deref().or(self.model),
            revision: facts.revision.as_deref(),
            ..self
        }
    }

    /// What firmware the modem takes: one target, several where its id or its model leaves that open, none where nothing
    /// tells.
    pub fn targets(&self) -> Vec<Target> {
        if let Some(platform) = self.revision.and_then(Platform::first_in) {
            return vec![Target::from(platform)];
        }
        let of_row = self.row.map(Device::targets).unwrap_or_default();
        let Some(of_model) = self.model.and_then(Target::of_model) else {
            return of_row;
        };
        // Gobi ids and names are shared by several generations, and a row may be surer of the line than the name is.
        let agreeing: Vec<Target> = of_row
            .into_iter()
            .filter(|target| is_same_target(target, &of_model))
            .collect();
        match agreeing.as_slice() {
            [] => vec![of_model],
            [one] if !is_surer(&of_model, one) => agreeing,
            _ => vec![of_model],
        }
    }

    /// How it is flashed in download mode; none where nothing tells, or more than one way is left.
    pub fn protocol(&self) -> Option<Protocol> {
        let families: Vec<Family> = self.targets().into_iter().map(|target| target.family).collect();
        common_protocol(&families)
    }
}

/// What the bus tells of how the device behind a port is flashed.
pub(crate) fn protocol_of(port: &PortInfo) -> Option<Protocol> {
    Nature::of_device(port.device.as_ref()?).protocol()
}

/// Whether images are for a modem like this; `vouched` is the platform that the user says it takes.
///
/// # Errors
/// They are for another modem.
pub fn judge(nature: Nature<'_>, firmware: &Firmware, vouched: Option<&Platform>) -> Result<Fit, Cause> {
    let claims = firmware.combination();
    let targets = nature.targets();
    if let Some(platform) = vouched {
        return judge_vouched(nature, firmware, platform, &targets);
    }
    let fit = |families, doubt: Option<String>| Fit {
        families,
        doubt: doubt.map(uncertain),
    };
    let name = nature.name.unwrap_or("this modem");
    match compare(&targets, claims) {
        Agreement::All(families) => Ok(fit(families, None)),
        Agreement::Some(families) => {
            let may_be = listed(&targets);
            let doubt = format!(
                "{name} may take {may_be}, and nothing tells which; the images are for {}",
                words(claims)
            );
            Ok(fit(families, Some(doubt)))
        }
        Agreement::NameDiffers => {
            let doubt = format!(
                "the images don't tell whom they are for, and by their names they are for {}; the modem is {}",
                words(claims),
                called(name, &targets)
            );
            Ok(fit(claims.families.clone(), Some(doubt)))
        }
        Agreement::Silent => {
            let doubt = if is_silent(claims) {
                "the images don't tell which modems they are for".to_owned()
            } else {
                format!(
                    "it isn't known which firmware {name} takes; the images are for {}",
                    words(claims)
                )
            };
            Ok(fit(claims.families.clone(), Some(doubt)))
        }
        Agreement::None => Err(of_others(firmware, called(name, &targets))),
    }
}

/// The cause for images of others.
pub(crate) fn of_others(firmware: &Firmware, modem: String) -> Cause {
    let first = firmware.reports().next().map(|report| report.name.clone());
    Cause::ImageOfOtherFamily {
        file: first.unwrap_or_default(),
        image: words(firmware.combination()),
        modem,
    }
}

/// Whom images are for, in words.
pub fn words(claims: &Combination) -> String {
    if let [_, ..] = claims.platforms.as_slice() {
        let names: Vec<String> = claims.platforms.iter().map(described).collect();
        return names.join(" or ");
    }
    match claims.families.as_slice() {
        [] => "unknown modems".to_owned(),
        families => families
            .iter()
            .map(|family| format!("{family} ({})", family.models()))
            .collect::<Vec<_>>()
            .join(" or "),
    }
}

/// The protocol that all of these families share.
pub(crate) fn common_protocol(families: &[Family]) -> Option<Protocol> {
    let mut protocols = families
        .iter()
        .map(|family| family.download_protocol().map(Protocol::from));
    let first = protocols.next()??;
    protocols.all(|other| other == Some(first)).then_some(first)
}

/// The protocol of the images, as far as their platforms and families tell.
pub(crate) fn image_protocol(claims: &Combination) -> Option<Protocol> {
    common_protocol(&claims.families)
}

/// The code of the warning that a fact is missing.
const UNCERTAIN: &str = "MODEM-UNCERTAIN";
/// The code of the warning that the user vouches for a platform against what is known.
pub const VOUCHED: &str = "AS-PLATFORM";

fn uncertain(text: String) -> Warning {
    Warning {
        code: UNCERTAIN,
        text,
        confirm: true,
    }
}

/// How far what is known of the modem agrees with what the images say.
enum Agreement {
    /// Whatever the modem may be, it takes them.
    All(Vec<Family>),
    /// It may be one that takes them.
    Some(Vec<Family>),
    /// Nothing is known on one side.
    Silent,
    /// Only the names of the files speak, and against it.
    NameDiffers,
    /// They contradict each other.
    None,
}

fn compare(targets: &[Target], claims: &Combination) -> Agreement {
    if targets.is_empty() || is_silent(claims) {
        return Agreement::Silent;
    }
    let takes = |target: &Target| match (&target.platform, claims.platforms.as_slice()) {
        (Some(own), [_, ..]) => Some(claims.platforms.iter().all(|platform| platform.is_same(own))),
        // Gobi files carry no platform.
        (None, [_, ..]) => Some(false),
        // A modem of an unlisted platform, and images that tell only a family or a product code.
        _ if !target.family.is_known() => None,
        _ => Some(
            claims
                .families
                .iter()
                .any(|family| is_same_family(&target.family, family)),
        ),
    };
    let verdicts: Vec<Option<bool>> = targets.iter().map(takes).collect();
    let mut families: Vec<Family> = Vec::new();
    for (target, verdict) in targets.iter().zip(&verdicts) {
        if *verdict == Some(true) && !families.contains(&target.family) {
            families.push(target.family.clone());
        }
    }
    if verdicts.iter().all(|verdict| *verdict == Some(true)) {
        Agreement::All(families)
    } else if !families.is_empty() {
        Agreement::Some(families)
    } else if verdicts.contains(&None) {
        Agreement::Silent
    } else if claims.families_from == FamilySource::FileName {
        Agreement::NameDiffers
    } else {
        Agreement::None
    }
}

/// Whether the images tell nothing that can be compared.
fn is_silent(claims: &Combination) -> bool {
    claims.platforms.is_empty() && !claims.families.iter().any(Family::is_known)
}

/// The user says which platform the modem takes: that replaces what is known of the modem, not what the images say.
fn judge_vouched(
    nature: Nature<'_>,
    firmware: &Firmware,
    platform: &Platform,
    targets: &[Target],
) -> Result<Fit, Cause> {
    let claims = firmware.combination();
    let vouched = Target::from(platform.clone());
    let fits = if claims.platforms.is_empty() {
        let is_of_family = claims
            .families
            .iter()
            .any(|family| is_same_family(&vouched.family, family));
        is_of_family || is_silent(claims) || claims.families_from == FamilySource::FileName
    } else {
        claims.platforms.iter().any(|claimed| claimed.is_same(platform))
    };
    if !fits {
        return Err(of_others(firmware, format!("{platform}, as --as-platform says")));
    }
    let is_known_as = !targets.is_empty() && targets.iter().all(|target| is_same_target(target, &vouched));
    let doubt = (!is_known_as).then(|| {
        let name = nature.name.unwrap_or("this modem");
        let known = match targets {
            [] => "nothing else tells what it takes".to_owned(),
            targets => format!("what is known of it says {}", listed(targets)),
        };
        Warning {
            code: VOUCHED,
            text: format!(
                "only --as-platform says that {name} takes {platform} firmware; {known}. Firmware for another platform can \
                 make a modem unusable for good"
            ),
            confirm: true,
        }
    });
    Ok(Fit {
        families: vec![vouched.family],
        doubt,
    })
}

/// Whether firmware for one is firmware for the other.
fn is_same_target(one: &Target, other: &Target) -> bool {
    match (&one.platform, &other.platform) {
        (Some(one), Some(other)) => one.is_same(other),
        (None, None) => is_same_family(&one.family, &other.family),
        _ => false,
    }
}

/// Whether the first names a product line that the second leaves open.
fn is_surer(one: &Target, other: &Target) -> bool {
    let length = |target: &Target| {
        target
            .platform
            .as_ref()
            .map_or(0, |platform| platform.as_str().len())
    };
    length(one) > length(other)
}

/// Gobi generations share ids and file names (update-flow.md §2): they aren't told apart here.
fn is_same_family(device: &Family, image: &Family) -> bool {
    let is_gobi = |family: &Family| matches!(family, Family::Gobi1000 | Family::Gobi2000 | Family::Gobi3000);
    device == image || (is_gobi(device) && is_gobi(image))
}

fn listed(targets: &[Target]) -> String {
    let names: Vec<String> = targets.iter().map(ToString::to_string).collect();
    names.join(" or ")
}

/// The modem, with what it takes.
fn called(name: &str, targets: &[Target]) -> String {
    match targets {
        [] => name.to_owned(),
        targets => format!("{name} ({})", listed(targets)),
    }
}

/// `SWI9X30C (MC7455, EM7455, …)`.
fn described(platform: &Platform) -> String {
    match platform.family() {
        Some(family) => format!("{platform} ({})", family.models()),
        None => format!("{platform}, a platform that this program doesn't know"),
    }
}
