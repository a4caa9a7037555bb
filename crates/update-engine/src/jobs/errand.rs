//! Short jobs on one running modem: what it is, its slots, a restart, one AT command.
//!
//! All of them find the modem in the same way and end with the same kind of error. Those that change something have
//! ModemManager let go first; those that only ask share a port with it where that is possible.

use modem_protocol::at::answer::Answer;
use modem_protocol::at::command::Command;
use modem_protocol::at::session::Outcome as AtOutcome;
use modem_protocol::control::Closing;
use modem_protocol::qmi::dms::{
    FirmwarePreference, ImageReference, ImageType, Request as Dms, Response, UniqueId,
};
use modem_world::World;

use crate::decide::{Agreed, checks};
use crate::modem::{DeviceId, Facts, Image, Mode, Modem};
use crate::request::Request;
use crate::run::{Deed, Patience, Run, claim};
use crate::talk::{PATIENCE, find_patiently};
use crate::told::{Cause, Event, ModemState, Step, UpdateError, Warning};

/// What a restart has led to.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Restarted {
    /// Place on the bus where it is now.
    pub path: String,
    /// USB id that it has now.
    pub usb_id: String,
    /// Its mode now.
    pub mode: Mode,
    /// The ways that were tried, and what came of each; the last one worked.
    pub tried: Vec<String>,
}

/// Asks the modem everything that is worth knowing.
///
/// # Errors
/// No such modem, or it answers on none of its ports.
pub fn info(
    world: &mut dyn World,
    request: &Request,
    sink: &mut dyn FnMut(&Event),
) -> Result<(Modem, Facts), UpdateError> {
    ask(world, request, sink, "info")
}

/// The same as the first half of a job on the stored images: other runs don't wait for that, because more may follow.
///
/// # Errors
/// As [`info`].
pub fn stored_images(
    world: &mut dyn World,
    request: &Request,
    sink: &mut dyn FnMut(&Event),
) -> Result<(Modem, Facts), UpdateError> {
    ask(world, request, sink, "slots")
}

fn ask(
    world: &mut dyn World,
    request: &Request,
    sink: &mut dyn FnMut(&Event),
    verb: &'static str,
) -> Result<(Modem, Facts), UpdateError> {
    on_modem(world, request, sink, (verb, Touch::Ask), |run, modem| {
        let facts = run.facts_of(&modem, request)?;
        Ok((modem, facts))
    })
}

/// Restarts the modem into its firmware; one that waits in download mode, too.
///
/// # Errors
/// No way makes it restart, or it doesn't come back.
pub fn reset(
    world: &mut dyn World,
    request: &Request,
    sink: &mut dyn FnMut(&Event),
) -> Result<Restarted, UpdateError> {
    on_modem(world, request, sink, ("reset", Touch::Change), |run, modem| {
        if modem.mode == Mode::Normal {
            run.check_language(&modem, request.control)?;
        }
        run.teller.begin(run.world.now(), Step::Reset);
        let arrival = if modem.mode == Mode::Normal {
            run.restart(modem, request.control)?
        } else {
            run.leave_download_mode(&modem)?
        };
        if arrival.is_in_download_mode() {
            run.set_modem(ModemState::InDownloadMode);
            return Err(Cause::RestartedIntoLoader);
        }
        Ok(restarted(&arrival.modem, arrival.tried))
    })
}

/// Sends the modem into download mode: every way in turn. One that is there already stays as it is.
///
/// # Errors
/// No way leads there; the modem is back in normal mode then, or it doesn't come back.
pub fn enter_download_mode(
    world: &mut dyn World,
    request: &Request,
    sink: &mut dyn FnMut(&Event),
) -> Result<Restarted, UpdateError> {
    enter_download_mode_asking(world, request, sink, &mut |_| false)
}

/// The same; `ask` is shown warnings that nobody has confirmed, and says whether to go on. Nothing was sent by then.
///
/// # Errors
/// As [`enter_download_mode`].
pub fn enter_download_mode_asking(
    world: &mut dyn World,
    request: &Request,
    sink: &mut dyn FnMut(&Event),
    ask: &mut dyn FnMut(&[Warning]) -> bool,
) -> Result<Restarted, UpdateError> {
    on_modem(world, request, sink, ("reset", Touch::Change), |run, modem| {
        if modem.mode == Mode::Download {
            return Ok(restarted(&modem, Vec::new()));
        }
        let mut warnings = Vec::new();
        run.check_download_port(&modem, request.force, &mut warnings)?;
        for warning in &warnings {
            run.teller.warn(run.world.now(), warning.clone());
        }
        warnings.retain(|warning| warning.is_open_for(request));
        if !warnings.is_empty() && !ask(&warnings) {
            return Err(Cause::NotConfirmed { warnings });
        }
        let agreed = Agreed::by(request).with_doubt(!warnings.is_empty());
        run.check_language(&modem, request.control)?;
        run.teller.begin(run.world.now(), Step::EnterDownloadMode);
        let arrival = run.boot_and_hold(modem, request.control, agreed)?;
        if arrival.is_in_download_mode() {
            return Ok(restarted(&arrival.modem, arrival.tried));
        }
        Err(Cause::NotEntered {
            tried: arrival.tried,
            is_pin: run.may_be_pinned(),
        })
    })
}

/// Makes stored images the preferred ones: the modem image `firmware` with the PRI image `config`. They run after the next
/// restart.
///
/// # Errors
/// The modem has no such images, or doesn't know preferences.
pub fn select_images(
    world: &mut dyn World,
    request: &Request,
    modem_image: &Image,
    pri_image: &Image,
    sink: &mut dyn FnMut(&Event),
) -> Result<(), UpdateError> {
    on_modem(world, request, sink, ("slots", Touch::Change), |run, modem| {
        let set = |preference| Dms::SetFirmwarePreference {
            preference,
            download_override: false,
            storage_index: None,
        };
        let chosen = FirmwarePreference(vec![reference(modem_image)?, reference(pri_image)?]);
        let before = match run.ask_once(&modem, request, Dms::GetFirmwarePreference)? {
            Response::FirmwarePreference(before) => Some(before),
            _ => None,
        };
        match run.ask_once(&modem, request, set(chosen))? {
            // It would wait for images at its next start.
            Response::FirmwarePreferenceSet(Some(list)) if !list.is_empty() => {
                run.set_modem(ModemState::WrongPreference);
                if let Some(before) = before {
                    run.ask_once(&modem, request, set(before))?;
                    run.teller.note_put_back();
                    run.set_modem(ModemState::RunsFirmware);
                }
                let kinds: Vec<String> = list.iter().map(ToString::to_string).collect();
                Err(Cause::NotSupported {
                    what: format!(
                        "it says that it doesn't have the {} image",
                        kinds.join(" and the ")
                    ),
                })
            }
            _ => Ok(()),
        }
    })
}

/// Deletes a stored image. What it is used for is read again: since somebody looked, another run may have changed that.
///
/// # Errors
/// The modem has no such image, or refuses, as it does for the one that runs. The image runs or is preferred, and
/// `even_in_use` isn't said.
pub fn delete_image(
    world: &mut dyn World,
    request: &Request,
    image: &Image,
    even_in_use: bool,
    sink: &mut dyn FnMut(&Event),
) -> Result<(), UpdateError> {
    on_modem(world, request, sink, ("slots", Touch::Change), |run, modem| {
        let wanted = reference(image)?;
        let facts = run.facts_of(&modem, request)?;
        let is_meant = |stored: &&Image| {
            (&stored.kind, &stored.unique_id, &stored.build_id)
                == (&image.kind, &image.unique_id, &image.build_id)
        };
        let mut in_use = facts
            .images
            .iter()
            .filter(is_meant)
            .flat_map(Image::uses)
            .peekable();
        if in_use.peek().is_some() && !even_in_use {
            return Err(Cause::SlotInUse {
                image: image.build_id.clone(),
                uses: in_use.collect(),
            });
        }
        run.ask_once(&modem, request, Dms::DeleteStoredImage(wanted))
            .map(|_| ())
    })
}

/// Sends one AT command; gives the answer's lines with the final one at the end. Whether a dangerous one is meant, the
/// caller has asked; one that leads into download mode adds a warning where it can't be told whether the modem can be
/// reached there.
///
/// # Errors
/// No AT port answers; the command isn't one line of text; the modem says ERROR; no driver would make a port of the modem
/// where the command sends it.
pub fn at_command(
    world: &mut dyn World,
    request: &Request,
    command: &str,
    sink: &mut dyn FnMut(&Event),
) -> Result<Vec<String>, UpdateError> {
    on_modem(world, request, sink, ("at", Touch::Ask), |run, modem| {
        let Some(command) = Command::given(command) else {
            return Err(Cause::NotSupported {
                what: "an AT command is one line of printable text that begins with AT".to_owned(),
            });
        };
        if command.leads_into_download_mode() && modem.mode == Mode::Normal {
            let mut warnings = Vec::new();
            run.check_download_port(&modem, request.force, &mut warnings)?;
            for warning in warnings {
                run.teller.warn(run.world.now(), warning);
            }
        }
        let mut opened = run.open_at(&modem)?;
        // Only when it has the port: a connection that runs through it ends with that.
        if opened
            .as_ref()
            .is_err_and(|tried| tried.iter().any(|why| why.contains("ModemManager")))
        {
            run.inhibit(Some(&modem), request)?;
            opened = run.open_at(&modem)?;
        }
        if let Err(tried) = opened {
            return Err(Cause::Unreachable { tried });
        }
        run.note_deed(Deed::Changed);
        match run.at(&command)? {
            Ok(AtOutcome::LeftBus) => Ok(vec!["(the modem left the bus)".to_owned()]),
            Ok(AtOutcome::Answered(Answer {
                mut lines, result, ..
            })) => {
                lines.push(result.to_string());
                if result.is_ok() {
                    Ok(lines)
                } else {
                    Err(Cause::CommandRefused { lines })
                }
            }
            Err(error) => Err(Cause::Unreachable {
                tried: vec![error.to_string()],
            }),
        }
    })
}

/// What a job does to the modem.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Touch {
    /// It only asks.
    Ask,
    /// It changes something: nobody else may have the modem.
    Change,
}

fn on_modem<T>(
    world: &mut dyn World,
    request: &Request,
    sink: &mut dyn FnMut(&Event),
    (verb, touch): (&'static str, Touch),
    job: impl FnOnce(&mut Run<'_>, Modem) -> Result<T, Cause>,
) -> Result<T, UpdateError> {
    let refused = |device: &DeviceId, cause: Cause| {
        UpdateError::new(device, Step::CheckDevice, ModemState::Untouched, cause)
    };
    let mut patience = Patience::new(world, sink);
    let find = claim::find(world, verb, &request.select, &mut patience, |world, patience| {
        find_patiently(world, request, verb, patience)
    });
    let (modem, claimed) = find.map_err(|error| refused(&error.0, error.1))?;
    let device = DeviceId::from_modem(&modem);
    let port = match checks::usable_port(&modem, &request.select) {
        Ok(port) => port,
        Err(cause) => {
            world.host().unclaim(&claimed.spot);
            return Err(refused(&device, cause));
        }
    };
    let name = port.id.to_string();
    let device = DeviceId::from_port(&port, Some(&modem.name()));
    let mut run = Run::new(world, sink, claimed, &name, port, device);
    run.had_control = !modem.ports.control.is_empty();
    run.note_bus();
    run.teller.begin(run.world.now(), Step::CheckDevice);
    let inhibited = match touch {
        Touch::Ask => Ok(()),
        Touch::Change => run.inhibit(Some(&modem), request),
    };
    let result = inhibited.and_then(|()| job(&mut run, modem));
    run.close_all();
    run.let_go();
    run.unclaim();
    let now = run.world.now();
    match result {
        Ok(done) => {
            run.teller.advance_to_end();
            run.teller.finish(now);
            Ok(done)
        }
        Err(cause) => {
            run.note_absence();
            Err(run.teller.fail(now, cause))
        }
    }
}

fn restarted(modem: &Modem, tried: Vec<String>) -> Restarted {
    Restarted {
        path: modem.path().to_string(),
        usb_id: modem.device.id(),
        mode: modem.mode,
        tried,
    }
}

fn reference(image: &Image) -> Result<ImageReference, Cause> {
    let unique_id = UniqueId::from_text(&image.unique_id).ok_or_else(|| Cause::NotSupported {
        what: format!("the unique id {} has more than 16 bytes", image.unique_id),
    })?;
    let image_type = if image.kind == ImageType::Pri.to_string() {
        ImageType::Pri
    } else {
        ImageType::Modem
    };
    Ok(ImageReference {
        image_type,
        unique_id,
        build_id: image.build_id.clone(),
    })
}

impl Run<'_> {
    /// One request over the control port.
    fn ask_once(&mut self, modem: &Modem, request: &Request, asked: Dms) -> Result<Response, Cause> {
        self.open_talk(modem, request.control)?;
        if !self.has_control_session() {
            return Err(Cause::NotSupported {
                what: "that needs a control port (QMI or MBIM), and none answers".to_owned(),
            });
        }
        match &asked {
            Dms::SetFirmwarePreference { .. } => self.note_deed(Deed::Preference),
            Dms::DeleteStoredImage(_) => self.note_deed(Deed::Changed),
            _ => {}
        }
        let answer = self.ask(asked, PATIENCE)?;
        self.close_session(Closing::Release)?;
        answer.map_err(|error| Cause::Control { error })
    }
}
