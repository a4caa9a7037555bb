//! Whether images are for a given modem.
//!
//! The headers of the images are compared with what is known about the modem. The surest source comes first:
//! what the running firmware reports; then the model that the modem or its USB strings name, together with
//! the row in the device table. Platforms are compared as text, so this also works for platforms that no
//! table has. Only a contradiction refuses the images. If a fact is missing, the user is asked, and `--yes`
//! answers that question.

use firmware_image::{Combination, Family, FamilySource, Model, Platform, Target};
use modem_world::{PortInfo, UsbDevice};

use super::firmware::Firmware;
use crate::modem::{Device, Facts, Modem, Opening, Protocol, standing};
use crate::told::RunWarning;
use crate::told::{Cause, Warning};

/// What is known about a modem and helps to judge whether images are for it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Nature<'a> {
    /// The modem's name, for people.
    pub name: Option<&'a str>,
    /// The modem's row in the device table.
    pub row: Option<&'static Device>,
    /// The text that names the model: what the modem reports, or else the product string of its USB device.
    pub model: Option<&'a str>,
    /// The revision that the modem reports: `SWI9X07H_00.08.07.00 …`. None until the modem is asked.
    pub revision: Option<&'a str>,
}

/// The firmware that a modem takes, as far as known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Candidates {
    /// The modem takes firmware for one of these targets; empty if nothing is known.
    pub targets: Vec<Target>,
    /// Whether the modem may still take something else: the name of its model isn't in the list, or doesn't
    /// match its USB id.
    pub is_doubtful: bool,
}

/// The images are for the modem, as far as modemflash can tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fit {
    /// The families that remain possible.
    pub families: Vec<Family>,
    /// What modemflash can't tell, or what only the user vouches for. The user has to confirm this warning.
    pub doubt: Option<Warning>,
}

impl<'a> Nature<'a> {
    /// What the bus shows about a device.
    pub fn of_device(device: &'a UsbDevice) -> Self {
        let row = standing::lookup(device);
        let product = device.product_name.as_deref();
        let model = product.and_then(Model::in_text).map(|model| model.name);
        Self {
            name: model.or(row.map(|row| row.models)).or(product),
            row,
            model: product,
            revision: None,
        }
    }

    /// What the bus shows about a modem.
    pub fn of_modem(modem: &'a Modem) -> Self {
        Self {
            row: modem.row,
            ..Self::of_device(&modem.device)
        }
    }

    /// Adds what the modem reports about itself.
    pub fn with_facts(self, facts: &'a Facts) -> Self {
        Self {
            name: facts.model.as_deref().or(self.name),
            model: facts.model.as_deref().or(self.model),
            revision: facts.revision.as_deref(),
            ..self
        }
    }

    /// The firmware that the modem takes.
    pub fn candidates(&self) -> Candidates {
        let sure = |targets| Candidates {
            targets,
            is_doubtful: false,
        };
        if let Some(platform) = self.revision.and_then(Platform::first_in) {
            return sure(vec![Target::from(platform)]);
        }
        let of_row = self.row.map(Device::targets).unwrap_or_default();
        let Some(model) = self.model.and_then(Model::in_text) else {
            return sure(of_row);
        };
        let Some(of_model) = model.target else {
            return Candidates {
                targets: of_row,
                is_doubtful: true,
            };
        };
        let agrees = |target: &Target| agree(target, &of_model) != Some(false);
        if of_row.is_empty() || of_row.iter().any(agrees) {
            return sure(vec![of_model]);
        }
        // The USB id belongs to one model, and the string names another.
        let mut targets = of_row;
        targets.push(of_model);
        Candidates {
            targets,
            is_doubtful: true,
        }
    }

    /// The protocol in download mode; none if nothing is known, or if both protocols remain possible.
    pub fn protocol(&self) -> Option<Protocol> {
        self.opening().map(Opening::protocol)
    }

    /// Protocol and first word in download mode; none if nothing is known, or if both protocols remain possible.
    pub(crate) fn opening(&self) -> Option<Opening> {
        let targets = self.candidates().targets;
        Opening::common(targets.iter().map(|target| &target.family))
    }
}

/// The firmware that a modem takes, if what the bus shows leaves exactly one possibility. Targets without a platform don't count,
/// because Gobi files don't tell their generation.
pub fn sure_target(modem: &Modem) -> Option<Target> {
    let takes = Nature::of_modem(modem).candidates();
    match takes.targets.as_slice() {
        [target] if target.platform.is_some() && !takes.is_doubtful => Some(target.clone()),
        _ => None,
    }
}

/// How to open a session with the device behind a port, judged by what the bus shows.
pub(crate) fn opening_of(port: &PortInfo) -> Option<Opening> {
    Nature::of_device(port.device.as_ref()?).opening()
}

/// Whether images are for this modem. `vouched` is the platform whose firmware the modem takes according to
/// the user.
///
/// # Errors
/// The images are for another modem.
pub fn judge(nature: Nature<'_>, firmware: &Firmware, vouched: Option<&Platform>) -> Result<Fit, Cause> {
    let claims = firmware.combination();
    let takes = nature.candidates();
    let name = nature.name.unwrap_or("this modem");
    if let Some(platform) = vouched {
        return judge_vouched(name, firmware, platform, &takes);
    }
    let targets = takes.targets.as_slice();
    let verdicts: Vec<Option<bool>> = targets.iter().map(|target| suits(claims, target)).collect();
    let is_named_only = claims.families_from == FamilySource::FileName;
    if !verdicts.is_empty() && verdicts.iter().all(|verdict| *verdict == Some(false)) {
        if !is_named_only {
            return Err(of_others(firmware, called(name, targets)));
        }
        let doubt = format!(
            "the images don't say which modems they are for, and by their file names they are for {}; the modem is {}",
            words(claims),
            called(name, targets)
        );
        return Ok(asked(claims.families.clone(), doubt));
    }
    let mut families: Vec<Family> = Vec::new();
    for (target, verdict) in targets.iter().zip(&verdicts) {
        if *verdict != Some(false) && target.family.is_known() && !families.contains(&target.family) {
            families.push(target.family.clone());
        }
    }
    if families.is_empty() {
        families.clone_from(&claims.families);
    }
    let is_certain = !verdicts.is_empty() && verdicts.iter().all(|verdict| *verdict == Some(true));
    let doubt = if is_silent(claims) {
        "the images don't say which modems they are for".to_owned()
    } else if let Some(file) = claims.silent.first() {
        format!(
            "{file} doesn't say which modems it is for; the other files are for {}",
            words(claims)
        )
    } else if is_certain && !takes.is_doubtful {
        return Ok(Fit {
            families,
            doubt: None,
        });
    } else {
        let known = match targets {
            [] => format!("it isn't known which firmware {name} takes"),
            targets if takes.is_doubtful => {
                format!(
                    "by its USB id the modem takes {}, but it calls itself {name}",
                    listed(targets)
                )
            }
            [target] => format!("{name} takes {target}"),
            targets => format!("{name} may take {}, and nothing says which", listed(targets)),
        };
        format!(
            "{known}; the images are for {}, which may not be the same",
            words(claims)
        )
    };
    Ok(asked(families, doubt))
}

/// The images may be for the modem, so the user is asked.
fn asked(families: Vec<Family>, doubt: String) -> Fit {
    Fit {
        families,
        doubt: Some(Warning {
            code: RunWarning::ModemUncertain.into(),
            text: doubt,
            confirm: true,
        }),
    }
}

/// The cause for images that are for other modems.
fn of_others(firmware: &Firmware, modem: String) -> Cause {
    let first = firmware.reports().next().map(|report| report.name.clone());
    Cause::ImageOfOtherFamily {
        file: first.unwrap_or_default(),
        image: words(firmware.combination()),
        modem,
    }
}

/// The modems that images are for, in words.
pub fn words(claims: &Combination) -> String {
    let platforms = claims.platforms.iter().map(described);
    let families = claims.families.iter();
    let families = families.map(|family| format!("{family} ({})", family.models()));
    let words: Vec<String> = if claims.platforms.is_empty() {
        families.collect()
    } else {
        platforms.collect()
    };
    if words.is_empty() {
        "unknown modems".to_owned()
    } else {
        words.join(" or ")
    }
}

/// Whether firmware for one target is firmware for the other. `None` if their product lines leave that open.
fn agree(one: &Target, other: &Target) -> Option<bool> {
    match (&one.platform, &other.platform) {
        (Some(one), Some(other)) => one.agrees(other),
        (None, None) => one.family.agrees(other),
        _ => Some(false),
    }
}

/// Whether images with these claims are for a modem that takes `target`. `None` if that is open.
fn suits(claims: &Combination, target: &Target) -> Option<bool> {
    match (&target.platform, claims.platforms.as_slice()) {
        // Gobi files carry no platform.
        (None, [_, ..]) => Some(false),
        (Some(own), [_, ..]) => {
            let mut verdicts = claims.platforms.iter().map(|platform| platform.agrees(own));
            let is_other = claims.platforms.iter().any(|platform| platform.contradicts(own));
            if is_other {
                Some(false)
            } else {
                verdicts.all(|verdict| verdict == Some(true)).then_some(true)
            }
        }
        (_, []) => {
            let verdicts: Vec<Option<bool>> = claims
                .families
                .iter()
                .map(|family| family.agrees(target))
                .collect();
            if verdicts.contains(&Some(true)) {
                Some(true)
            } else if verdicts.is_empty() || verdicts.contains(&None) {
                None
            } else {
                Some(false)
            }
        }
    }
}

/// Whether the images say nothing that can be compared.
fn is_silent(claims: &Combination) -> bool {
    claims.platforms.is_empty() && !claims.families.iter().any(Family::is_known)
}

/// Judges with the platform that the user vouches for. The user's word replaces what is known about the
/// modem, but not what the images say.
fn judge_vouched(
    name: &str,
    firmware: &Firmware,
    platform: &Platform,
    takes: &Candidates,
) -> Result<Fit, Cause> {
    let claims = firmware.combination();
    let vouched = Target::from(platform.clone());
    let has_it = names(claims, platform);
    let may_be = claims.platforms.is_empty()
        && (suits(claims, &vouched) != Some(false) || claims.families_from == FamilySource::FileName);
    if !has_it && !may_be {
        return Err(of_others(firmware, format!("{platform}, as --as-platform says")));
    }
    let known = takes.targets.as_slice();
    let is_known = |target: &Target| agree(target, &vouched) == Some(true);
    let is_superfluous = !known.is_empty() && known.iter().all(is_known) && !takes.is_doubtful;
    let doubt = (!is_superfluous).then(|| {
        let known = match known {
            [] => "nothing else says which firmware the modem takes".to_owned(),
            known => format!("by what modemflash knows, the modem takes {}", listed(known)),
        };
        vouched_for(&format!("{name} takes {platform} firmware"), &known)
    });
    Ok(Fit {
        families: vec![vouched.family],
        doubt,
    })
}

/// Whether the headers name exactly this platform, including the letter of its line.
pub(crate) fn names(claims: &Combination, platform: &Platform) -> bool {
    let mut claimed = claims.platforms.iter();
    claimed.any(|claimed| claimed.agrees(platform) == Some(true))
}

/// The warning about something that only the user vouches for.
pub(crate) fn vouched_for(what: &str, against: &str) -> Warning {
    Warning {
        code: RunWarning::AsPlatform.into(),
        text: format!(
            "nothing but --as-platform says that {what}; {against}. Firmware for another platform can make a modem \
             unusable for good"
        ),
        confirm: true,
    }
}

fn listed(targets: &[Target]) -> String {
    let names: Vec<String> = targets.iter().map(ToString::to_string).collect();
    names.join(" or ")
}

/// The modem's name, with the firmware that it takes.
fn called(name: &str, targets: &[Target]) -> String {
    match targets {
        [] => name.to_owned(),
        targets => format!("{name} ({})", listed(targets)),
    }
}

/// `SWI9X07H (RC76xx)`.
fn described(platform: &Platform) -> String {
    match platform.models() {
        Some(models) => format!("{platform} ({models})"),
        None => format!("{platform}, a platform that modemflash doesn't know"),
    }
}
