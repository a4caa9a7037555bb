//! Short jobs on one modem: information, slots, a restart, one AT command.
//!
//! All jobs find the modem in the same way and end with the same kind of error. A job that changes something first makes
//! ModemManager let go of the modem. A job that only asks shares a port with ModemManager if that is possible.

use modem_protocol::at::answer::Answer;
use modem_protocol::at::command::Command;
use modem_protocol::at::session::Outcome as AtOutcome;
use modem_protocol::control::Closing;
use modem_protocol::qmi::dms::{FirmwarePreference, ImageReference, Request as Dms, Response, UniqueId};
use modem_world::World;

use crate::decide::Agreed;
use crate::modem::{DeviceId, Facts, Image, Mode, Modem, Standing};
use crate::request::{Request, Verb};
use crate::run::{self, Deed, Run, Target};
use crate::talk::{PATIENCE, find_patiently};
use crate::told::{Cause, Event, ModemState, Step, UpdateError, Warning};

/// The modem after a restart.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Restarted {
    /// The modem's place on the bus now.
    pub path: String,
    /// The modem's USB id now.
    pub usb_id: String,
    /// The modem's mode now.
    pub mode: Mode,
    /// The ways that were tried, each with its result. The last one worked.
    pub tried: Vec<String>,
}

/// Refuses a modem that doesn't run its firmware, because such a modem can't be asked anything. This opens no port. If the
/// selection leads to no modem or to several, this returns `Ok`, and the job itself fails later.
///
/// # Errors
/// The selected modem doesn't run its firmware.
pub fn require_running(world: &mut dyn World, request: &Request) -> Result<(), UpdateError> {
    match request.select.single(world) {
        Some(modem) if modem.mode != Mode::Normal => Err(UpdateError::untouched(
            &DeviceId::from_modem(&modem),
            Step::CheckDevice,
            Cause::not_running(&modem),
        )),
        _ => Ok(()),
    }
}

/// Asks the modem everything that is worth knowing.
///
/// # Errors
/// There is no such modem, or the modem answers on none of its ports.
pub fn info(
    world: &mut dyn World,
    request: &Request,
    sink: &mut dyn FnMut(&Event),
) -> Result<(Modem, Facts), UpdateError> {
    ask(world, request, sink, Verb::Info)
}

/// Like [`info`], as the first half of a job on the stored images. Other runs don't wait for this run to end, because a
/// change may follow.
///
/// # Errors
/// As [`info`].
pub fn stored_images(
    world: &mut dyn World,
    request: &Request,
    sink: &mut dyn FnMut(&Event),
) -> Result<(Modem, Facts), UpdateError> {
    ask(world, request, sink, Verb::Slots)
}

fn ask(
    world: &mut dyn World,
    request: &Request,
    sink: &mut dyn FnMut(&Event),
    verb: Verb,
) -> Result<(Modem, Facts), UpdateError> {
    on_modem(world, request, sink, (verb, Touch::Ask), |run| {
        let facts = run.facts(request)?;
        Ok((run.whereabouts().modem()?.clone(), facts))
    })
}

/// Restarts the modem into its firmware. This also works for a modem that waits in download mode.
///
/// # Errors
/// No way restarts the modem, or the modem doesn't come back.
pub fn reset(
    world: &mut dyn World,
    request: &Request,
    sink: &mut dyn FnMut(&Event),
) -> Result<Restarted, UpdateError> {
    on_modem(world, request, sink, RESET, |run| {
        let runs = run.whereabouts().modem()?.mode == Mode::Normal;
        if runs {
            run.check_language(request.control)?;
        }
        run.begin(Step::Reset);
        let arrival = if runs {
            run.restart(request.control)?
        } else {
            run.leave_download_mode()?
        };
        if arrival.is_in_download_mode() {
            run.set_modem(ModemState::InDownloadMode);
            return Err(Cause::RestartedIntoLoader);
        }
        Ok(Restarted::of(run.whereabouts().modem()?, arrival.tried))
    })
}

/// Switches the modem to download mode: tries every way in turn. A modem that already is in download mode is left as it is.
///
/// # Errors
/// No way works, and the modem is in normal mode; or the modem doesn't come back.
pub fn enter_download_mode(
    world: &mut dyn World,
    request: &Request,
    sink: &mut dyn FnMut(&Event),
) -> Result<Restarted, UpdateError> {
    enter_download_mode_asking(world, request, sink, &mut |_| false)
}

/// Like [`enter_download_mode`], but asks: `ask` gets the warnings that the user hasn't confirmed yet, and says whether to
/// go on. At that time nothing has been sent to the modem.
///
/// # Errors
/// As [`enter_download_mode`].
pub fn enter_download_mode_asking(
    world: &mut dyn World,
    request: &Request,
    sink: &mut dyn FnMut(&Event),
    ask: &mut dyn FnMut(&[Warning]) -> bool,
) -> Result<Restarted, UpdateError> {
    on_modem(world, request, sink, RESET, |run| {
        let modem = run.whereabouts().modem()?;
        if modem.mode == Mode::Download {
            return Ok(Restarted::of(modem, Vec::new()));
        }
        let mut warnings = Vec::new();
        run.check_download_port(request.force, &mut warnings)?;
        for warning in &warnings {
            run.warn(warning.clone());
        }
        warnings.retain(|warning| warning.is_open_for(request));
        if !warnings.is_empty() && !ask(&warnings) {
            return Err(Cause::NotConfirmed { warnings });
        }
        let agreed = Agreed::by(request).with_doubt(!warnings.is_empty());
        run.check_language(request.control)?;
        run.begin(Step::EnterDownloadMode);
        let arrival = run.boot_and_hold(request.control, agreed)?;
        if arrival.is_in_download_mode() {
            return Ok(Restarted::of(run.whereabouts().modem()?, arrival.tried));
        }
        Err(Cause::NotEntered {
            tried: arrival.tried,
            is_pin: run.whereabouts().may_be_pinned(),
        })
    })
}

/// Selects stored images: makes `modem_image` and `pri_image` the modem's preference. They run after the next restart.
///
/// # Errors
/// The modem doesn't have these images, or doesn't support preferences.
pub fn select_images(
    world: &mut dyn World,
    request: &Request,
    modem_image: &Image,
    pri_image: &Image,
    sink: &mut dyn FnMut(&Event),
) -> Result<(), UpdateError> {
    on_modem(world, request, sink, CHANGE_SLOTS, |run| {
        let set = |preference| Dms::SetFirmwarePreference {
            preference,
            download_override: false,
            storage_index: None,
        };
        let chosen = FirmwarePreference(vec![reference(modem_image)?, reference(pri_image)?]);
        let before = match run.ask_once(request, Dms::GetFirmwarePreference)? {
            Response::FirmwarePreference(before) => Some(before),
            _ => None,
        };
        match run.ask_once(request, set(chosen))? {
            // With this preference the modem would wait for images at its next start.
            Response::FirmwarePreferenceSet(Some(list)) if !list.is_empty() => {
                run.set_modem(ModemState::WrongPreference);
                if let Some(before) = before {
                    run.ask_once(request, set(before))?;
                    run.teller().note_put_back();
                    run.set_modem(ModemState::RunsFirmware);
                }
                let kinds: Vec<String> = list.iter().map(ToString::to_string).collect();
                Err(Cause::NotSupported {
                    what: format!(
                        "the modem says that it doesn't have the {} image",
                        kinds.join(" and the ")
                    ),
                })
            }
            _ => Ok(()),
        }
    })
}

/// Deletes a stored image. First this asks again what the modem uses the image for, because another run may have changed
/// that since the user looked.
///
/// # Errors
/// The modem doesn't have the image, or refuses to delete it, as for the running image. The image runs or is preferred, and
/// `even_in_use` is false.
pub fn delete_image(
    world: &mut dyn World,
    request: &Request,
    image: &Image,
    even_in_use: bool,
    sink: &mut dyn FnMut(&Event),
) -> Result<(), UpdateError> {
    on_modem(world, request, sink, CHANGE_SLOTS, |run| {
        let wanted = reference(image)?;
        let facts = run.facts(request)?;
        let is_meant = |stored: &&Image| {
            (&stored.kind, &stored.unique_id, &stored.build_id)
                == (&image.kind, &image.unique_id, &image.build_id)
        };
        let in_use = facts.images.iter().filter(is_meant).find_map(Image::in_use);
        if let Some(in_use) = in_use.filter(|_| !even_in_use) {
            return Err(Cause::SlotInUse {
                image: image.build_id.clone(),
                in_use,
            });
        }
        run.ask_once(request, Dms::DeleteStoredImage(wanted)).map(|_| ())
    })
}

/// Sends one AT command. Returns the lines of the answer, the final result last. Before a dangerous command the caller has
/// to ask the user. If the command leads into download mode, and modemflash can't tell whether this host can reach the modem
/// there, this adds a warning.
///
/// # Errors
/// No AT port answers; the command isn't one line of text; the modem says ERROR; the command leads into download mode, where
/// no driver would create a port for the modem.
pub fn at_command(
    world: &mut dyn World,
    request: &Request,
    command: &str,
    sink: &mut dyn FnMut(&Event),
) -> Result<Vec<String>, UpdateError> {
    on_modem(world, request, sink, AT, |run| {
        let Some(command) = Command::given(command) else {
            return Err(Cause::NotSupported {
                what: "an AT command is one line of printable text that begins with AT".to_owned(),
            });
        };
        let runs = run.whereabouts().modem()?.mode == Mode::Normal;
        if command.leads_into_download_mode() && runs {
            let mut warnings = Vec::new();
            run.check_download_port(request.force, &mut warnings)?;
            for warning in warnings {
                run.warn(warning);
            }
        }
        let mut opened = run.open_at()?;
        // Inhibit only if ModemManager has the port: inhibiting drops ModemManager's data connection.
        if opened.as_ref().is_err_and(|none| none.is_managers) {
            run.inhibit(request)?;
            opened = run.open_at()?;
        }
        if let Err(none) = opened {
            return Err(Cause::Unreachable { tried: none.tried });
        }
        run.note_deed(Deed::Changed);
        match run.at(&command)? {
            Ok(AtOutcome::LeftBus) => Ok(vec!["(the modem left the bus)".to_owned()]),
            Ok(AtOutcome::Answered(answer)) => {
                // The words of a query's answer are for the user to judge.
                let is_refused = if command.changes_something() {
                    answer.refusal(command.text()).is_some()
                } else {
                    !answer.result.is_ok()
                };
                let Answer {
                    mut lines, result, ..
                } = answer;
                lines.push(result.to_string());
                if is_refused {
                    Err(Cause::CommandRefused { lines })
                } else {
                    Ok(lines)
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
    /// The job only asks.
    Ask,
    /// The job changes something, so no other program may use the modem meanwhile.
    Change,
}

const RESET: (Verb, Touch) = (Verb::Reset, Touch::Change);
const CHANGE_SLOTS: (Verb, Touch) = (Verb::Slots, Touch::Change);
const AT: (Verb, Touch) = (Verb::At, Touch::Ask);

fn on_modem<T>(
    world: &mut dyn World,
    request: &Request,
    sink: &mut dyn FnMut(&Event),
    (verb, touch): (Verb, Touch),
    job: impl FnOnce(&mut Run<'_>) -> Result<T, Cause>,
) -> Result<T, UpdateError> {
    let mut run = run::begin(world, sink, verb, &request.select, |world, patience| {
        let modem = find_patiently(world, request, verb, patience)?;
        Ok(Target::Modem(Box::new(modem)))
    })?;
    run.begin(Step::CheckDevice);
    let inhibited = match touch {
        Touch::Ask => Ok(()),
        Touch::Change => refuse_foreign(&run, request).and_then(|()| run.inhibit(request)),
    };
    let result = inhibited.and_then(|()| job(&mut run));
    run.end(result)
}

/// Only what is known to be a modem is changed. A device that the user named may still be asked.
fn refuse_foreign(run: &Run<'_>, request: &Request) -> Result<(), Cause> {
    let modem = run.whereabouts().modem()?;
    match Standing::of_device(&modem.device) {
        Standing::Foreign | Standing::NotOurs(_) if !request.force => {
            Err(Cause::foreign(modem.path().as_str(), &modem.device))
        }
        _ => Ok(()),
    }
}

impl Restarted {
    fn of(modem: &Modem, tried: Vec<String>) -> Self {
        Self {
            path: modem.path().to_string(),
            usb_id: modem.device.id(),
            mode: modem.mode,
            tried,
        }
    }
}

fn reference(image: &Image) -> Result<ImageReference, Cause> {
    let unique_id = UniqueId::from_text(&image.unique_id).ok_or_else(|| Cause::NotSupported {
        what: format!("the unique id {} has more than 16 bytes", image.unique_id),
    })?;
    Ok(ImageReference {
        image_type: image.kind,
        unique_id,
        build_id: image.build_id.clone(),
    })
}

impl Run<'_> {
    /// Sends one request over the control port, in a session of its own.
    fn ask_once(&mut self, request: &Request, asked: Dms) -> Result<Response, Cause> {
        self.open_talk(request.control)?;
        if !self.has_control_session() {
            return Err(Cause::NotSupported {
                what: "this needs a control port (QMI or MBIM), and no control port of the modem answers"
                    .to_owned(),
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::modem::ImageType;

    #[test]
    fn an_image_of_an_unknown_type_is_asked_for_by_its_own_number() {
        let image = Image {
            kind: ImageType::Other(7),
            slot: Some(1),
            unique_id: "?_?".to_owned(),
            build_id: "02.33.03.00_?".to_owned(),
            is_preferred: false,
            is_running: false,
            failures: None,
        };
        assert_eq!(reference(&image).unwrap().image_type, ImageType::Other(7));
    }
}
