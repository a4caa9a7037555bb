//! All modems of a host at a glance: what the bus shows, what each modem reports about itself, and what may cause trouble.

use modem_world::{DiscoveryError, LockHolder, World};
use serde::Serialize;

use super::errand;
use crate::decide::{Reach, reach};
use crate::modem::{Facts, Mode, Modem, Quirk, Role, Standing, ids};
use crate::request::{Request, Verb};
use crate::run;
use crate::talk::{Look, look_at, look_at_all};
use crate::told::{Cause, Event, RemarkCode, UpdateError};

/// One modem of a survey.
#[derive(Clone, Debug)]
pub struct Surveyed {
    /// What the bus shows.
    pub modem: Modem,
    /// What the modem reports about itself. `None` if it wasn't asked or didn't answer.
    pub facts: Option<Facts>,
    /// The other run that has locked the modem. The modem wasn't asked then.
    pub lock: Option<LockHolder>,
    /// Why the modem couldn't be asked.
    pub problem: Option<String>,
    /// Whether the user stopped while the modem was being asked.
    pub is_stopped: bool,
    /// What the user should know about the modem, in words.
    pub warnings: Vec<Remark>,
}

/// Something that the user should know about a modem.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Remark {
    /// Stable code for programs.
    pub code: RemarkCode,
    /// What is the matter, and what to do, in words.
    pub text: String,
}

/// Looks at all modems. With `ask`, modems in normal mode are also asked what they are; `ask` is the verb that other runs see
/// meanwhile. Nothing changes on the modems. Ports that another program has, and modems that another run of modemflash has,
/// are left alone.
///
/// # Errors
/// The bus can't be read.
pub fn survey(
    world: &mut dyn World,
    request: &Request,
    ask: Option<Verb>,
) -> Result<Vec<Surveyed>, DiscoveryError> {
    let looks = look_at_all(world, request, ask)?;
    Ok(looks.into_iter().map(|look| surveyed(world, look)).collect())
}

/// Asks several modems at once what they are; otherwise as [`survey`]. Each modem comes with the world of the worker that asks it. The
/// result is in the order of the modems.
pub fn side_by_side(
    workers: Vec<(Box<dyn World + Send + '_>, Modem)>,
    request: &Request,
    verb: Verb,
) -> Vec<Surveyed> {
    let modems: Vec<Modem> = workers.iter().map(|(_, modem)| modem.clone()).collect();
    let jobs = workers
        .into_iter()
        .map(|(mut world, modem)| move || look(world.as_mut(), modem, request, Some(verb)));
    let looks = run::side_by_side(jobs.collect()).into_iter().zip(modems);
    let looks = looks.map(|(look, modem)| {
        look.unwrap_or_else(|problem| Surveyed {
            warnings: remarks(&modem, None, Some(&problem)),
            problem: Some(problem),
            ..Surveyed::unasked(modem)
        })
    });
    looks.collect()
}

/// Why the modem that the user means couldn't be shown in full.
#[derive(Clone, Debug)]
pub struct Unasked {
    /// What went wrong.
    pub error: UpdateError,
    /// What the bus shows about the modem, if another run has locked it.
    pub seen: Option<Surveyed>,
}

/// Looks at the one modem that the user means. A running modem is asked everything that is worth knowing. About any other
/// modem the bus shows all there is.
///
/// # Errors
/// There is no such modem, or the modem answers on none of its ports. Another run has the modem; [`Unasked::seen`] then has
/// what the bus shows about it.
pub fn one(
    world: &mut dyn World,
    request: &Request,
    sink: &mut dyn FnMut(&Event),
) -> Result<Surveyed, Box<Unasked>> {
    let single = request.select.single(world);
    match single {
        Some(modem) if modem.mode != Mode::Normal => Ok(look(world, modem, request, None)),
        single => match errand::info(world, request, sink) {
            Ok((modem, facts)) => {
                let mut warnings = remarks(&modem, Some(&facts), None);
                warnings.extend(unreachable_later(world, &modem));
                Ok(Surveyed {
                    warnings,
                    facts: Some(facts),
                    ..Surveyed::unasked(modem)
                })
            }
            Err(error) => Err(Box::new(Unasked {
                seen: single.and_then(|modem| left_alone(modem, &error)),
                error,
            })),
        },
    }
}

/// What the bus shows about a modem that wasn't asked because another run has locked it. `None` for any other error.
fn left_alone(modem: Modem, error: &UpdateError) -> Option<Surveyed> {
    let Cause::Locked { holder, .. } = &*error.source else {
        return None;
    };
    let mut warnings = remarks(&modem, None, None);
    add_lock(&mut warnings, &modem, holder);
    Some(Surveyed {
        warnings,
        lock: Some(holder.clone()),
        ..Surveyed::unasked(modem)
    })
}

impl Surveyed {
    /// A modem about which nothing is known but what the bus shows.
    fn unasked(modem: Modem) -> Self {
        Self {
            modem,
            facts: None,
            lock: None,
            problem: None,
            is_stopped: false,
            warnings: Vec::new(),
        }
    }
}

/// Looks at one modem.
pub fn look(world: &mut dyn World, modem: Modem, request: &Request, ask: Option<Verb>) -> Surveyed {
    let look = look_at(world, modem, request, ask);
    surveyed(world, look)
}

fn surveyed(world: &mut dyn World, look: Look) -> Surveyed {
    let mut warnings = remarks(&look.modem, look.facts.as_ref(), look.problem.as_deref());
    if let Some(holder) = &look.lock {
        add_lock(&mut warnings, &look.modem, holder);
    }
    warnings.extend(unreachable_later(world, &look.modem));
    Surveyed {
        modem: look.modem,
        facts: look.facts,
        lock: look.lock,
        problem: look.problem,
        is_stopped: look.is_stopped,
        warnings,
    }
}

/// Adds the remark that another run has the modem. If an interface is in the hands of a program, that is the other run.
fn add_lock(remarks: &mut Vec<Remark>, modem: &Modem, holder: &LockHolder) {
    if modem.taken_by_a_program().is_some() {
        remarks.retain(|remark| remark.code != RemarkCode::NoDriver);
    }
    remarks.push(Remark {
        code: RemarkCode::Locked,
        text: format!("{holder}, so modemflash didn't ask the modem"),
    });
}

/// The remark that an update would fail, because no driver on this host knows the modem's USB id in download mode.
fn unreachable_later(world: &mut dyn World, modem: &Modem) -> Option<Remark> {
    if modem.mode != Mode::Normal {
        return None;
    }
    let Reach::Never { ids: unknown } = reach(world, modem) else {
        return None;
    };
    Some(Remark {
        code: RemarkCode::DownloadNoPort,
        text: format!(
            "an update can't reach the modem on this host: in download mode the modem has the USB id {}, and no driver creates \
             a port for that id. As root, run {}",
            ids::words(&unknown),
            ids::commands(&unknown)
        ),
    })
}

/// What the user should know about a modem, with what to do.
fn remarks(modem: &Modem, facts: Option<&Facts>, problem: Option<&str>) -> Vec<Remark> {
    let mut remarks = Vec::new();
    let mut remark = |code, text: String| remarks.push(Remark { code, text });
    let id = modem.device.id();
    let other = match Standing::of_device(&modem.device) {
        Standing::NotOurs(what) => Some(format!("{id} is {what}, which takes no firmware from modemflash")),
        Standing::Foreign => Some(format!(
            "{id} is not a Sierra Wireless modem, as far as its ids and its names tell"
        )),
        _ => None,
    };
    if let Some(text) = other {
        remark(RemarkCode::DeviceForeign, text);
        if let Some(problem) = problem {
            remark(
                RemarkCode::NotAsked,
                format!("modemflash couldn't ask it: {problem}"),
            );
        }
        return remarks;
    }
    match modem.mode {
        Mode::Emergency => remark(
            RemarkCode::Emergency,
            "only Qualcomm's boot loader is left: Sierra's is gone, so Sierra's files can't repair the modem; ask the vendor"
                .to_owned(),
        ),
        Mode::NotConfigured => remark(
            RemarkCode::NotConfigured,
            "the host has not configured this USB device yet, or does not authorise it".to_owned(),
        ),
        Mode::Download => remark(
            RemarkCode::DownloadMode,
            format!(
                "the modem is waiting for firmware. After an interrupted update: `modemflash update --port {0} FILE…`; \
                 if nothing was sent yet, `modemflash reset --port {0}` starts the firmware that the modem has",
                modem.path()
            ),
        ),
        Mode::Normal => {}
    }
    let is_known_dead = matches!(modem.mode, Mode::Emergency | Mode::NotConfigured);
    let lacks = match modem.ports.download {
        // A boot loader needs no driver.
        Some(_) => Vec::new(),
        None => modem.lacks(),
    };
    for lack in &lacks {
        remark(RemarkCode::NoDriver, lack.to_string());
    }
    if !modem.can_be_reached() && !is_known_dead && lacks.is_empty() {
        let text = modem.taken_by_a_program().unwrap_or_else(|| {
            format!(
                "no driver created a port for {id}. As root, run {}",
                ids::commands(&[(modem.device.vendor, modem.device.product)])
            )
        });
        remark(RemarkCode::NoDriver, text);
    }
    if modem.row.is_none() && !is_known_dead {
        remark(
            RemarkCode::UnknownId,
            format!("the USB id {id} is not in modemflash's list of known modems"),
        );
    }
    let is_mended = lacks
        .iter()
        .any(|lack| lack.is_about(Role::Qmi) || lack.is_about(Role::Mbim));
    if modem.mode == Mode::Normal && modem.ports.control.is_empty() && modem.can_be_reached() && !is_mended {
        remark(
            RemarkCode::NoControlPort,
            "the modem has no QMI or MBIM port, so modemflash can only use AT commands".to_owned(),
        );
    }
    if modem.usb() == Some("USB 3") && modem.row.is_some_and(|row| row.has(Quirk::BreaksOnUsb3)) {
        remark(
            RemarkCode::Usb3,
            "the modem is on USB 3, where old boot loaders (before release 9) stop at the first blocks; USB 2 is safer"
                .to_owned(),
        );
    }
    if let Some(facts) = facts {
        if let Some(mismatch) = &facts.mismatch {
            let preferred = facts
                .preferred
                .as_ref()
                .map(|trio| format!("; the modem prefers {trio}"));
            remark(
                RemarkCode::ImageMismatch,
                format!(
                    "the modem keeps its radio off: {mismatch}{}; finish the update, or select stored images with \
                     `modemflash slots`",
                    preferred.unwrap_or_default()
                ),
            );
        }
        if facts.runs_pre_production() {
            remark(
                RemarkCode::PreProduction,
                "the modem runs pre-production firmware (00.xx); released firmware has made such modems unusable".to_owned(),
            );
        }
    }
    if let Some(problem) = problem {
        remark(
            RemarkCode::NotAsked,
            format!("modemflash couldn't ask the modem: {problem}"),
        );
    }
    remarks
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::modem::AskedOver;
    use modem_world::{Attached, UsbDevice, UsbInterface, UsbPath};

    fn modem(vendor: u16, product: u16, interfaces: u8, speed: u32) -> Modem {
        Modem::insisted(Attached {
            device: UsbDevice {
                path: UsbPath::new("1-2"),
                peer: None,
                number: 1,
                vendor,
                product,
                interfaces: Some(interfaces),
                speed: Some(speed),
                manufacturer: None,
                product_name: None,
                serial: None,
            },
            interfaces: Vec::new(),
            ports: Vec::new(),
        })
    }

    fn codes(modem: &Modem, facts: Option<&Facts>) -> Vec<&'static str> {
        remarks(modem, facts, None)
            .iter()
            .map(|remark| remark.code.as_str())
            .collect()
    }

    // field-reports.md A1, A2
    #[test]
    fn an_id_that_no_driver_knows_is_said_with_the_way_out() {
        let modem = modem(0x413c, 0x81b5, 1, 480);
        let said = remarks(&modem, None, None);
        assert_eq!(said[1].code, RemarkCode::NoDriver);
        assert!(
            said[1]
                .text
                .contains("echo 413c 81b5 ff > /sys/bus/usb-serial/drivers/option1/new_id")
        );
    }

    #[test]
    fn an_interface_in_the_hands_of_a_program_is_no_missing_driver() {
        let loader = modem(0x1199, 0x9090, 1, 480);
        let interface = UsbInterface {
            number: 0,
            class: 0xff,
            subclass: 0xff,
            protocol: 0xff,
            endpoints: None,
            driver: Some("usbfs".into()),
        };
        let taken = Modem {
            mode: Mode::Download,
            interfaces: vec![interface],
            ..loader
        };
        let said = remarks(&taken, None, None);
        assert_eq!(said[1].code, RemarkCode::NoDriver);
        assert!(said[1].text.contains("virtual machine"), "{}", said[1].text);
        let error = Cause::no_port(&taken);
        assert!(
            matches!(&error, Cause::NoPort { lacks, .. } if lacks.contains("virtual machine")),
            "{error:?}"
        );
        let holder = LockHolder {
            process: Some(812),
            name: Some("modemflash".into()),
            verb: Some("update".into()),
            held_for: None,
        };
        let mut said = said;
        add_lock(&mut said, &taken, &holder);
        let codes: Vec<&str> = said.iter().map(|remark| remark.code.as_str()).collect();
        assert_eq!(codes, ["DOWNLOAD-MODE", "LOCKED"]);
    }

    #[test]
    fn each_state_has_its_remark() {
        assert_eq!(codes(&modem(0x05c6, 0x9008, 1, 480), None), ["EMERGENCY"]);
        assert_eq!(
            codes(&modem(0x1199, 0x9091, 6, 5000), None),
            ["NO-DRIVER", "USB3"]
        );
        assert_eq!(
            codes(&modem(0x1199, 0xabcd, 6, 480), None),
            ["NO-DRIVER", "UNKNOWN-ID"]
        );
        let facts = Facts {
            mismatch: Some("PRI version incompatible".into()),
            ..Facts::unknown(AskedOver::At)
        };
        assert_eq!(
            codes(&modem(0x1199, 0x9071, 6, 480), Some(&facts)),
            ["NO-DRIVER", "IMAGE-MISMATCH"]
        );
        let mut facts = Facts::unknown(AskedOver::At);
        facts.running.firmware = Some("00.06.02.00".into());
        for (platform, is_told) in [("SWI9X50C", true), ("SWI9X30C", true), ("SWI9X07Y", false)] {
            facts.revision = Some(format!("{platform}_00.06.02.00 dd2f"));
            let codes = codes(&modem(0x1199, 0x9091, 6, 480), Some(&facts));
            assert_eq!(
                codes.contains(&"PRE-PRODUCTION"),
                is_told,
                "{platform}: {codes:?}"
            );
        }
    }
}
