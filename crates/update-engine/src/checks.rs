//! Everything that is looked at before the first byte goes to the modem.

use firmware_image::{Family, Finding, Severity};
use modem_world::{PortInfo, World};

use crate::devices::{self, Device, Quirk, Standing};
use crate::download::Job;
use crate::watch::{Named, weight};
use crate::{
    Cause, DeviceId, Firmware, ModemState, Plan, PlannedImage, PlannedStep, Protocol, Step, UpdateError,
    Warning,
};

/// What the user asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Request {
    /// The port: a device node or a link to one.
    pub port: String,
    /// Go on although the port isn't known to be a modem's in download mode.
    pub force: bool,
    /// The warnings are confirmed.
    pub confirmed: bool,
    /// Go on although the files name different versions; the largest file's count (update-flow.md §5.4).
    pub ignore_versions: bool,
}

/// A plan with all that is needed to carry it out.
pub(crate) struct Prepared {
    pub(crate) plan: Plan,
    pub(crate) port: PortInfo,
    pub(crate) device: DeviceId,
    pub(crate) job: Job,
}

/// Looks at the port and the images and says what an update would do. Nothing is opened, nothing is sent.
///
/// # Errors
/// Anything that speaks against the update; the modem is untouched.
pub fn prepare(world: &mut dyn World, request: &Request, firmware: &Firmware) -> Result<Plan, UpdateError> {
    prepare_all(world, request, firmware)
        .map(|prepared| prepared.plan)
        .map_err(|refusal| refusal.into_error())
}

/// A refusal before the first byte.
pub(crate) struct Refused {
    pub(crate) device: DeviceId,
    pub(crate) step: Step,
    pub(crate) cause: Cause,
}

impl Refused {
    fn into_error(self) -> UpdateError {
        UpdateError::new(&self.device, self.step, ModemState::Untouched, self.cause)
    }
}

pub(crate) fn prepare_all(
    world: &mut dyn World,
    request: &Request,
    firmware: &Firmware,
) -> Result<Prepared, Box<Refused>> {
    let mut device = DeviceId::from_port_name(&request.port);
    let refuse = |device: &DeviceId, step: Step, cause: Cause| {
        let device = device.clone();
        Box::new(Refused { device, step, cause })
    };
    let mut warnings =
        judge_images(request, firmware).map_err(|cause| refuse(&device, Step::CheckImages, cause))?;
    let port = world
        .find(&request.port)
        .map_err(|error| refuse(&device, Step::CheckDevice, error.into()))?;
    device = DeviceId::from_port(
        &port,
        port.device
            .as_ref()
            .and_then(devices::lookup)
            .map(|row| row.models),
    );
    let row = judge_device(request, &port, &mut warnings)
        .map_err(|cause| refuse(&device, Step::CheckDevice, cause))?;
    let families = fit(row, &port, firmware).map_err(|cause| refuse(&device, Step::CheckDevice, cause))?;
    warn_of_habits(row, &port, firmware, &mut warnings);

    let device_protocol = device_protocol(row, &port);
    let image_protocol = common_protocol(&firmware.combination().families);
    let protocol = device_protocol.or(image_protocol);
    let images: Vec<Named> = firmware
        .reports()
        .map(|report| Named {
            file: report.name.clone(),
            bytes: report.size,
        })
        .collect();
    let job = Job {
        qdl: firmware.for_qdl(),
        firehose: firmware.for_firehose(),
        device_protocol,
        image_protocol,
        image_words: words(&firmware.combination().families),
        images,
    };
    // A file that can't be read any more, or can't be sent in the protocol that is to be expected.
    let hindrance = match (&job.qdl, &job.firehose, protocol) {
        (Err(cause @ (Cause::ImageChanged { .. } | Cause::Bug { .. })), _, _)
        | (Err(cause), _, Some(Protocol::Qdl))
        | (_, Err(cause), Some(Protocol::SaharaFirehose)) => Some(cause.clone()),
        (Err(cause), Err(_), None) => Some(cause.clone()),
        _ => None,
    };
    if let Some(cause) = hindrance {
        return Err(refuse(&device, Step::CheckImages, cause));
    }
    let plan = make_plan(firmware, protocol, families, warnings);
    Ok(Prepared {
        plan,
        port,
        device,
        job,
    })
}

/// The images' own findings: errors end it, warnings go into the plan.
fn judge_images(request: &Request, firmware: &Firmware) -> Result<Vec<Warning>, Cause> {
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
            (Finding::VersionConflict { .. }, _) if request.ignore_versions => {
                warnings.push(Warning {
                    code: finding.code(),
                    text,
                    confirm: false,
                });
            }
            (Finding::VersionConflict { .. } | Finding::FamilyConflict { .. }, _) => {
                return Err(Cause::ImagesDisagree { why: text });
            }
            (_, Severity::Error) => {
                let file = file.cloned().unwrap_or_default();
                return Err(Cause::ImageDamaged {
                    file,
                    why: finding.to_string(),
                });
            }
            (_, Severity::StrongWarning) => {
                warnings.push(Warning {
                    code: finding.code(),
                    text,
                    confirm: true,
                });
            }
            (_, Severity::Warning) => {
                warnings.push(Warning {
                    code: finding.code(),
                    text,
                    confirm: false,
                });
            }
            (_, Severity::Note) => {}
        }
    }
    Ok(warnings)
}

/// Whether the port is the single port of a Sierra modem in download mode, as the bus says.
fn judge_device(
    request: &Request,
    port: &PortInfo,
    warnings: &mut Vec<Warning>,
) -> Result<Option<&'static Device>, Cause> {
    let name = port.id.to_string();
    let doubt = |warnings: &mut Vec<Warning>, cause: Cause, code: &'static str| {
        if request.force {
            warnings.push(Warning {
                code,
                text: cause.to_string(),
                confirm: false,
            });
            Ok(())
        } else {
            Err(cause)
        }
    };
    let Some(device) = &port.device else {
        if !is_pseudo_terminal(&name) {
            let why = "no USB device is behind it, so it can't be told whether it is a modem".to_owned();
            doubt(
                warnings,
                Cause::UnknownDevice { port: name, why },
                "DEVICE-UNKNOWN",
            )?;
        }
        return Ok(None);
    };
    let id = device.id();
    let row = match devices::standing(device.vendor, device.product) {
        Standing::Emergency => {
            let evidence = format!("{id} is Qualcomm's primary boot loader: Sierra's own is gone");
            return Err(Cause::EmergencyMode { evidence });
        }
        Standing::NotQualcomm => {
            let what = format!("{id}, an Intel modem, which takes none of these files");
            return Err(Cause::NotAModem { port: name, what });
        }
        Standing::Foreign => {
            let product = device.product_name.as_deref().unwrap_or("no name");
            let what = format!("{id} ({product}), which is no Sierra Wireless modem");
            doubt(
                warnings,
                Cause::NotAModem {
                    port: name.clone(),
                    what,
                },
                "DEVICE-FOREIGN",
            )?;
            None
        }
        Standing::UnknownModem => {
            let text = format!("{id} is not in the list of known modems; it is treated by what it answers");
            warnings.push(Warning {
                code: "DEVICE-NOT-LISTED",
                text,
                confirm: false,
            });
            None
        }
        Standing::Known(row) => Some(row),
    };
    match device.interfaces {
        Some(1) => {}
        Some(count) => {
            let evidence = format!("{id} has {count} interfaces; in download mode it has one");
            doubt(warnings, Cause::RunsNormally { evidence }, "MODE-NORMAL")?;
        }
        None => {
            let why = "the device isn't configured yet".to_owned();
            doubt(
                warnings,
                Cause::UnknownDevice { port: name, why },
                "DEVICE-UNKNOWN",
            )?;
        }
    }
    Ok(row)
}

/// Whether the images are for this device. Gives the families that are left.
fn fit(row: Option<&Device>, port: &PortInfo, firmware: &Firmware) -> Result<Vec<Family>, Cause> {
    let of_images = &firmware.combination().families;
    let Some(row) = row else {
        return Ok(of_images.clone());
    };
    let known: Vec<&Family> = of_images.iter().filter(|family| family.is_known()).collect();
    let is_other_family = row
        .family
        .as_ref()
        .is_some_and(|family| !known.is_empty() && !known.iter().any(|known| same_files(family, known)));
    let is_other_protocol = matches!(
        (device_protocol(Some(row), port), common_protocol(of_images)),
        (Some(device), Some(image)) if device != image
    );
    if is_other_family || is_other_protocol {
        let file = firmware
            .reports()
            .next()
            .map(|report| report.name.clone())
            .unwrap_or_default();
        let modem = match &row.family {
            Some(family) => format!("{} ({family})", row.models),
            None => row.models.to_owned(),
        };
        return Err(Cause::ImageOfOtherFamily {
            file,
            image: words(of_images),
            modem,
        });
    }
    Ok(match &row.family {
        Some(family) => vec![family.clone()],
        None => of_images.clone(),
    })
}

/// Gobi generations share ids and file names (update-flow.md §2): they aren't told apart here.
fn same_files(device: &Family, image: &Family) -> bool {
    let is_gobi = |family: &Family| matches!(family, Family::Gobi1000 | Family::Gobi2000 | Family::Gobi3000);
    device == image || (is_gobi(device) && is_gobi(image))
}

fn device_protocol(row: Option<&Device>, port: &PortInfo) -> Option<Protocol> {
    let device = port.device.as_ref()?;
    row?.protocol_of(device.vendor, device.product)
}

/// The protocol that all of these families share.
fn common_protocol(families: &[Family]) -> Option<Protocol> {
    let mut protocols = families
        .iter()
        .map(|family| family.download_protocol().map(Protocol::from));
    let first = protocols.next()??;
    protocols.all(|other| other == Some(first)).then_some(first)
}

/// Warnings that come from what is known of the device (devices.md, column "quirks").
fn warn_of_habits(row: Option<&Device>, port: &PortInfo, firmware: &Firmware, warnings: &mut Vec<Warning>) {
    // USB 3 begins at 5000 Mbit/s.
    let is_usb3 = port
        .device
        .as_ref()
        .and_then(|device| device.speed)
        .is_some_and(|speed| speed >= 5000);
    if is_usb3 && row.is_some_and(|row| row.has(Quirk::BreaksOnUsb3)) {
        let text = "the modem is on a USB 3 port; old boot loaders (before release 9) stop there at the first blocks. \
                    Should it happen, use a USB 2 port or cable and run again"
            .to_owned();
        warnings.push(Warning {
            code: "USB3",
            text,
            confirm: false,
        });
    }
    let families = &firmware.combination().families;
    let is_touchy = row.is_some_and(|row| row.has(Quirk::PreProductionBricks))
        || families
            .iter()
            .any(|family| matches!(family, Family::Swi9x30 | Family::Swi9x50));
    let firmware_version = firmware.combination().versions.firmware.as_ref();
    if is_touchy && firmware_version.is_some_and(|version| version.text.starts_with("00.")) {
        let text = "this is pre-production firmware (00.xx) with another partition table; \
                    modems have been lost on the way between it and releases"
            .to_owned();
        warnings.push(Warning {
            code: "PRE-PRODUCTION",
            text,
            confirm: true,
        });
    }
}

fn make_plan(
    firmware: &Firmware,
    protocol: Option<Protocol>,
    families: Vec<Family>,
    warnings: Vec<Warning>,
) -> Plan {
    let of = firmware.reports().len();
    let whole = |seconds: f64| {
        std::time::Duration::try_from_secs_f64(seconds).map_or(0, |span| span.as_secs().max(1))
    };
    let mut steps = vec![PlannedStep {
        step: Step::Detect,
        estimate_s: whole(weight::START),
    }];
    for (place, report) in firmware.reports().enumerate() {
        let (image, file) = (place.saturating_add(1), report.name.clone());
        let (write, finalise) = weight::of_image(protocol.unwrap_or(Protocol::SaharaFirehose), report.size);
        steps.push(PlannedStep {
            step: Step::Write {
                image,
                of,
                file: file.clone(),
            },
            estimate_s: whole(write),
        });
        steps.push(PlannedStep {
            step: Step::Finalise { image, of, file },
            estimate_s: whole(finalise),
        });
    }
    steps.push(PlannedStep {
        step: Step::Reset,
        estimate_s: whole(weight::RESET),
    });
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
        estimate_s: steps.iter().map(|step| step.estimate_s).sum(),
        steps,
    }
}

fn words(families: &[Family]) -> String {
    match families {
        [] => "unknown modems".to_owned(),
        families => families
            .iter()
            .map(|family| format!("{family} ({})", family.models()))
            .collect::<Vec<_>>()
            .join(" or "),
    }
}

fn is_pseudo_terminal(name: &str) -> bool {
    name.starts_with("/dev/pts/")
}
