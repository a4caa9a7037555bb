//! All checks of images and modem that are made before the first byte goes to the modem.

use firmware_image::{Family, Finding, Platform, Severity};
use modem_world::{PortInfo, UsbDevice};

use super::firmware::Firmware;
use super::fit;
use super::fit::Nature;
use super::goal::{AskedImages, Which};
use super::shipment::Shipment;
use crate::download::weight;
use crate::modem::{
    Device, DeviceId, Facts, Modem, Opening, Protocol, Quirk, Standing, Trio, is_pre_production,
};
use crate::request::Request;
use crate::told::RunWarning;
use crate::told::WarningCode;
use crate::told::{Cause, Plan, PlannedImage, PlannedStep, Step, UpdateError, Warning};

/// What a download to a modem in download mode would do.
pub(crate) struct Prepared {
    pub(crate) plan: Plan,
    /// How to open a session with the modem; `None` if nothing tells it yet.
    pub(crate) opening: Option<Opening>,
}

/// Looks at the images and at the port of a modem in download mode, and says what a download would do. This opens nothing.
pub(crate) fn prepare_download(
    port: &PortInfo,
    request: &Request,
    firmware: &Firmware,
    mut warnings: Vec<Warning>,
) -> Result<Prepared, Box<(Step, Cause)>> {
    let of_device = |cause: Cause| Box::new((Step::CheckDevice, cause));
    let row = judge_device(request, port, &mut warnings).map_err(of_device)?;
    let vouched = request.as_platform.as_ref();
    let nature = port.device.as_ref().map(Nature::of_device);
    let families = match nature {
        Some(nature) => {
            let fit = fit::judge(nature, firmware, vouched).map_err(of_device)?;
            warnings.extend(fit.doubt);
            fit.families
        }
        // A pseudo-terminal: the user named the port, and only the boot loader's protocol can show that the images don't fit.
        None => firmware.combination().families.clone(),
    };
    warn_of_habits(row, port, firmware, &mut warnings);
    let opening = opening_for(nature.unwrap_or_default(), vouched);
    let mut shipment = Shipment::of(request, firmware, Which::All, AskedImages::NotSaid, opening);
    shipment
        .check()
        .map_err(|cause| Box::new((Step::CheckImages, cause)))?;
    let expected = opening
        .map(Opening::protocol)
        .or_else(|| shipment.image_protocol());
    let mut plan = make_plan(firmware, opening, expected, families, warnings);
    // The modem is only followed where its place is known.
    if port.device.is_some() {
        let boot = weight::of_boot(&plan.families);
        plan.steps.push(planned(Step::Boot, boot));
        let has_preferences = weight::has_preferences(&plan.families);
        if !request.skip_read_back && has_preferences {
            // A modem that was found in download mode has been told nothing. It runs the new firmware with its old preference, and
            // is told after the time that it has to take over its settings by itself.
            plan.steps.extend([
                planned(Step::ReadBack, weight::READ_BACK + weight::MISMATCH),
                planned(Step::SetPreference, weight::TALK),
                planned(Step::Boot, boot),
            ]);
        }
        if !request.skip_read_back {
            plan.steps.push(planned(Step::ReadBack, weight::READ_BACK));
        }
    }
    plan.sum_up();
    Ok(Prepared { plan, opening })
}

/// How to open a session with the modem in download mode; `None` if nothing tells it before the modem is asked.
pub(crate) fn opening_for(nature: Nature<'_>, vouched: Option<&Platform>) -> Option<Opening> {
    let vouched = vouched.and_then(Platform::family);
    vouched
        .as_ref()
        .and_then(Opening::of)
        .or_else(|| nature.opening())
}

/// Checks whether the images themselves may be sent, whatever the modem is.
///
/// # Errors
/// The images must not be sent.
pub fn check_images(request: &Request, firmware: &Firmware) -> Result<(), UpdateError> {
    let device = DeviceId::from_selection(&request.select);
    match judge_images(request, firmware) {
        Ok(_) => Ok(()),
        Err(cause) => Err(UpdateError::untouched(&device, Step::CheckImages, cause)),
    }
}

/// Judges the findings in the images. The warnings that this returns go into the plan.
///
/// # Errors
/// The images must not be sent.
pub fn judge_images(request: &Request, firmware: &Firmware) -> Result<Vec<Warning>, Cause> {
    if firmware.reports().len() == 0 {
        return Err(Cause::NoImages);
    }
    let mut warnings = Vec::new();
    let of_files = firmware.reports().flat_map(|report| {
        report
            .findings
            .iter()
            .map(move |finding| (Some(&report.name), finding))
    });
    let of_all = firmware
        .combination()
        .findings
        .iter()
        .map(|finding| (None, finding));
    for (file, finding) in of_files.chain(of_all) {
        let text = match file {
            Some(file) => format!("{file}: {finding}"),
            None => finding.to_string(),
        };
        match (finding, finding.severity()) {
            (Finding::VersionConflict { .. } | Finding::VersionsMixed { .. }, _)
                if request.ignore_versions =>
            {
                warnings.push(Warning {
                    code: WarningCode::Images(finding.code()),
                    text,
                    confirm: false,
                });
            }
            (Finding::FamilyContradiction { .. }, _) if is_vouched(request, firmware) => {
                warnings.push(fit::vouched_for("the images are for this modem", &text));
            }
            (
                Finding::VersionConflict { .. }
                | Finding::FamilyConflict { .. }
                | Finding::FamilyContradiction { .. }
                | Finding::PlatformConflict { .. },
                _,
            ) => {
                return Err(Cause::ImagesDisagree { why: text });
            }
            (Finding::BodySuspicious { .. }, _) if !request.force => {
                return Err(Cause::ImageDamaged {
                    file: file.cloned().unwrap_or_default(),
                    why: finding.to_string(),
                    can_be_forced: true,
                });
            }
            (_, Severity::Error) => {
                let file = file.cloned().unwrap_or_default();
                return Err(Cause::ImageDamaged {
                    file,
                    why: finding.to_string(),
                    can_be_forced: false,
                });
            }
            (_, Severity::StrongWarning) => {
                warnings.push(Warning {
                    code: WarningCode::Images(finding.code()),
                    text,
                    confirm: true,
                });
            }
            (_, Severity::Warning) => {
                warnings.push(Warning {
                    code: WarningCode::Images(finding.code()),
                    text,
                    confirm: false,
                });
            }
            (_, Severity::Note) => {}
        }
    }
    Ok(warnings)
}

/// Whether the images name the platform that the user vouches for, perhaps among others, or name no platform.
fn is_vouched(request: &Request, firmware: &Firmware) -> bool {
    let claims = firmware.combination();
    let vouched = request.as_platform.as_ref();
    vouched.is_some_and(|vouched| claims.platforms.is_empty() || fit::names(claims, vouched))
}

/// Refuses for this cause, unless `--force` makes a warning of it.
fn doubt(
    request: &Request,
    warnings: &mut Vec<Warning>,
    cause: Cause,
    code: RunWarning,
) -> Result<(), Cause> {
    if !request.force {
        return Err(cause);
    }
    warnings.push(Warning {
        code: code.into(),
        text: cause.to_string(),
        confirm: false,
    });
    Ok(())
}

/// Checks, by what the bus shows, that a device is a Sierra Wireless modem. `name` is what the user calls it. Returns the modem's row
/// in the device table.
///
/// # Errors
/// The device is none, or one that takes none of these files.
pub(crate) fn judge_standing(
    request: &Request,
    name: &str,
    device: &UsbDevice,
    warnings: &mut Vec<Warning>,
) -> Result<Option<&'static Device>, Cause> {
    let id = device.id();
    match Standing::of_device(device) {
        Standing::Known(row) => Ok(Some(row)),
        Standing::Emergency => Err(Cause::emergency(&id)),
        Standing::NotOurs(what) => Err(Cause::NotAModem {
            port: name.to_owned(),
            what: format!("{id}, {what}, which takes none of these files"),
        }),
        Standing::Foreign => {
            let cause = Cause::foreign(name, device);
            doubt(request, warnings, cause, RunWarning::DeviceForeign)?;
            Ok(None)
        }
        Standing::UnknownModem => {
            warnings.push(Warning {
                code: RunWarning::DeviceNotListed.into(),
                text: format!(
                    "the USB id {id} is not in modemflash's list of known modems; modemflash goes by what the modem answers"
                ),
                confirm: false,
            });
            Ok(None)
        }
    }
}

/// Checks, by what the bus shows, that the port is the single port of a Sierra modem in download mode. Returns the modem's
/// row in the device table.
fn judge_device(
    request: &Request,
    port: &PortInfo,
    warnings: &mut Vec<Warning>,
) -> Result<Option<&'static Device>, Cause> {
    let name = port.id.to_string();
    let doubt = |warnings: &mut Vec<Warning>, cause, code| doubt(request, warnings, cause, code);
    let Some(device) = &port.device else {
        if !is_pseudo_terminal(&name) {
            let why = "no USB device is behind this port, so modemflash can't tell whether it is a modem"
                .to_owned();
            doubt(
                warnings,
                Cause::UnknownDevice { port: name, why },
                RunWarning::DeviceUnknown,
            )?;
        }
        return Ok(None);
    };
    let row = judge_standing(request, &name, device, warnings)?;
    let id = device.id();
    match device.interfaces {
        Some(1) => {}
        Some(count) => {
            let evidence = format!("{id} has {count} USB interfaces; a modem in download mode has one");
            doubt(warnings, Cause::RunsNormally { evidence }, RunWarning::ModeNormal)?;
        }
        None => doubt(warnings, Cause::not_configured(name), RunWarning::DeviceUnknown)?,
    }
    Ok(row)
}

/// Adds warnings about known habits of the device (devices.md, column "quirks") and about pre-production firmware.
pub(crate) fn warn_of_habits(
    row: Option<&Device>,
    port: &PortInfo,
    firmware: &Firmware,
    warnings: &mut Vec<Warning>,
) {
    // USB 3 begins at 5000 Mbit/s.
    let is_usb3 = port
        .device
        .as_ref()
        .and_then(|device| device.speed)
        .is_some_and(|speed| speed >= 5000);
    if is_usb3 && row.is_some_and(|row| row.has(Quirk::BreaksOnUsb3)) {
        let text = "the modem is on a USB 3 port, where old boot loaders (before release 9) stop at the first blocks. \
                    If that happens, use a USB 2 port or cable and run again"
            .to_owned();
        warnings.push(Warning {
            code: RunWarning::Usb3.into(),
            text,
            confirm: false,
        });
    }
    let claims = firmware.combination();
    let version = claims.versions.firmware.as_ref().map(|known| known.text.as_str());
    warnings.extend(of_pre_production(row, &claims.families, version));
}

/// The warning about images with pre-production firmware. If the images don't say which family they are for, this assumes
/// the modem's family.
fn of_pre_production(row: Option<&Device>, families: &[Family], version: Option<&str>) -> Option<Warning> {
    let takes = row.map(Device::targets).unwrap_or_default();
    let of_modem = takes.iter().map(|target| &target.family);
    is_pre_production(families.iter().chain(of_modem), version?).then(|| Warning {
        code: RunWarning::PreProduction.into(),
        text: "the files contain pre-production firmware (00.xx), which has another partition table; updates between such \
               firmware and releases have made modems unusable"
            .to_owned(),
        confirm: true,
    })
}

/// A step with its estimate in whole seconds.
fn planned(step: Step, seconds: f64) -> PlannedStep {
    let rounded = std::time::Duration::try_from_secs_f64(seconds + 0.5);
    let estimate_s = rounded.map_or(0, |span| span.as_secs());
    PlannedStep { step, estimate_s }
}

fn make_plan(
    firmware: &Firmware,
    opening: Option<Opening>,
    protocol: Option<Protocol>,
    families: Vec<Family>,
    warnings: Vec<Warning>,
) -> Plan {
    let of = firmware.reports().len();
    let mut steps = vec![
        planned(Step::Detect, weight::of_detection(opening)),
        planned(Step::Connect, weight::of_start(opening)),
    ];
    for (place, report) in firmware.reports().enumerate() {
        let (image, file) = (place.saturating_add(1), report.name.clone());
        let (write, finalise) = weight::of_image(protocol.unwrap_or(Protocol::SaharaFirehose), report.size);
        let sent = Step::Write {
            image,
            of,
            file: file.clone(),
        };
        steps.push(planned(sent, write));
        steps.push(planned(Step::Finalise { image, of, file }, finalise));
    }
    steps.push(planned(Step::Reset, weight::RESET));
    let images = firmware
        .reports()
        .map(|report| PlannedImage {
            file: report.name.clone(),
            bytes: report.size,
            firmware: report.versions.firmware.as_ref().map(|known| known.text.clone()),
            carrier: report.versions.carrier.as_ref().map(|known| known.text.clone()),
        })
        .collect();
    Plan {
        images,
        total_bytes: firmware
            .reports()
            .fold(0, |sum: u64, report| sum.saturating_add(report.size)),
        protocol,
        families,
        warnings,
        from: None,
        to: Trio::default(),
        estimate_s: 0,
        steps,
    }
}

/// The plan for a modem that runs its firmware, with the steps before and after the download.
pub(crate) fn make_running_plan(
    modem: &Modem,
    firmware: &Firmware,
    families: Vec<Family>,
    warnings: Vec<Warning>,
    facts: &Facts,
    wanted: &Trio,
    opening: Option<Opening>,
) -> Plan {
    let of_family = families
        .first()
        .and_then(Family::download_protocol)
        .map(Protocol::from);
    let protocol = of_family.or_else(|| modem.row.and_then(|row| row.protocol));
    let mut plan = make_plan(firmware, opening, protocol, families, warnings);
    let mut before = vec![planned(Step::ReadModem, weight::TALK)];
    if facts.has_preferences() {
        before.push(planned(Step::SetPreference, weight::TALK));
    }
    before.push(planned(Step::EnterDownloadMode, weight::ENTER));
    plan.steps.splice(0..0, before);
    let boot = weight::of_boot(&plan.families);
    plan.steps.extend([
        planned(Step::Boot, boot),
        planned(Step::ReadBack, weight::READ_BACK),
    ]);
    plan.sum_up();
    plan.from = Some(facts.running.clone());
    plan.to = wanted.clone();
    plan
}

fn is_pseudo_terminal(name: &str) -> bool {
    name.starts_with("/dev/pts/")
}

#[cfg(test)]
mod tests {
    use super::*;

    // devices.md has rows for MC74xx and EM74xx, Lenovo, Fujitsu and Dell; field-reports.md I13 is a Dell's.
    #[test]
    fn pre_production_images_are_asked_about_on_every_modem_that_takes_the_family() {
        let rows = |family: &Family| {
            let takes = |row: &&Device| row.targets().iter().any(|target| target.family == *family);
            crate::modem::devices::DEVICES
                .iter()
                .filter(takes)
                .collect::<Vec<_>>()
        };
        for family in [Family::Swi9x30, Family::Swi9x50] {
            for row in rows(&family) {
                let warned = of_pre_production(Some(row), &[], Some("00.08.02.00"));
                assert!(warned.is_some_and(|warning| warning.confirm), "{}", row.models);
                assert_eq!(of_pre_production(Some(row), &[], Some("02.33.03.00")), None);
            }
            assert!(of_pre_production(None, std::slice::from_ref(&family), Some("00.08.02.00")).is_some());
        }
        for row in rows(&Family::Swi9x07) {
            assert_eq!(
                of_pre_production(Some(row), &[Family::Swi9x07], Some("00.08.24.02")),
                None,
                "{}",
                row.models
            );
        }
    }
}
