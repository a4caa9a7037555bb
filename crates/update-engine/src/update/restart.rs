//! Restarts a running modem, into its firmware or into download mode: tries every way that the specification knows, in
//! turn, and notes the result of each (update-flow.md §4).
//!
//! An accepted request proves little. A way has worked only if the modem leaves the bus and comes back in the right mode.

use std::time::Duration;

use modem_protocol::at::command::Command;
use modem_protocol::at::session::Outcome as AtOutcome;
use modem_protocol::control::{Closing, ControlError};
use modem_protocol::qmi::QmiError;
use modem_protocol::qmi::dms::{BootImageDownloadMode, OperatingMode, Request as Dms};

use crate::decide::Agreed;
use crate::decide::{Shipment, fit};
use crate::modem::{Mode, Modem, Radio};
use crate::request::ControlChoice;
use crate::run::{Awaited, Deed, HOLDER_LIMIT, Heed, RETURN_LIMIT, Run};
use crate::talk::{OPEN_PATIENCE, PATIENCE};
use crate::told::{Cause, EventKind, ModemState, Step};

/// How long a modem may take to leave the bus after a power cycle was accepted (update-flow.md §7).
pub(crate) const POWER_CYCLE_LIMIT: Duration = Duration::from_secs(30);
/// How long a modem may take to leave the bus after it accepted boot & hold: modems took 1 to 5 s (at.md §3), and
/// update-flow.md §4 allows 15 s.
const BOOT_HOLD_LIMIT: Duration = Duration::from_secs(15);
/// How long a modem may take until it is on the bus again with its firmware running (linux.md §5).
pub(crate) const BOOT_LIMIT: Duration = Duration::from_secs(300);
/// What a modem that has accepted all images is expected to show. It may pass through its boot loader on the way.
pub(super) const NEW_FIRMWARE: Awaited = Awaited::Firmware {
    in_loader: Some(ModemState::AllWritten),
};

/// What a restart leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Into {
    /// The modem's firmware.
    Firmware,
    /// The boot loader, which waits for firmware.
    Download,
}

/// The result of restarting: the modem is on the bus, and none of its ports is open.
pub(crate) struct Arrival {
    /// The mode of the modem now.
    pub(crate) mode: Mode,
    /// The ways that were tried, each with its result. If a way worked, it is the last one.
    pub(crate) tried: Vec<String>,
}

impl Arrival {
    /// Whether the modem is in its boot loader, which waits for firmware.
    pub(crate) fn is_in_download_mode(&self) -> bool {
        self.mode == Mode::Download
    }
}

/// One way to restart a modem.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// DMS 0x003E.
    SetFirmwareId,
    /// DMS 0x0050 = 1, then a power cycle.
    BootImageDownloadMode,
    /// DMS 0x002E: offline, then reset.
    PowerCycle,
    /// AT!BOOTHOLD on the AT port with this index.
    BootHold(usize),
    /// AT!RESET on the AT port with this index.
    Reset(usize),
}

impl Way {
    fn words(self, modem: &Modem) -> String {
        let port = |place: usize| {
            let port = modem.ports.at.get(place);
            port.map_or_else(|| "no port".to_owned(), |port| port.id.to_string())
        };
        match self {
            Self::SetFirmwareId => "set firmware id (DMS 0x003E)".to_owned(),
            Self::BootImageDownloadMode => "boot image download mode (DMS 0x0050) and power cycle".to_owned(),
            Self::PowerCycle => "power cycle (DMS 0x002E)".to_owned(),
            Self::BootHold(place) => format!("AT!BOOTHOLD on {}", port(place)),
            Self::Reset(place) => format!("AT!RESET on {}", port(place)),
        }
    }

    const fn is_by_control(self) -> bool {
        matches!(
            self,
            Self::SetFirmwareId | Self::BootImageDownloadMode | Self::PowerCycle
        )
    }
}

/// How a modem answered one way of restarting.
enum RestartReply {
    /// The modem accepted the request, or may have: it left the bus while it was being asked, or didn't answer.
    Yes(String),
    /// The modem refused the request, or couldn't be asked.
    No(String),
}

impl RestartReply {
    /// How to end the session. A modem that restarts forgets its clients, so there is nothing to release.
    const fn closing(&self) -> Closing {
        match self {
            Self::Yes(_) => Closing::Abandon,
            Self::No(_) => Closing::Release,
        }
    }
}

impl Run<'_> {
    /// Switches the modem to download mode without setting a firmware preference: tries all ways in turn. The caller has
    /// checked that this host can reach the modem in download mode.
    ///
    /// # Errors
    /// The modem is lost on the way; the modem comes back with another USB id, and no driver would take it in download mode;
    /// the user stops.
    pub(crate) fn boot_and_hold(&mut self, choice: ControlChoice, agreed: Agreed) -> Result<Arrival, Cause> {
        let mut ways = vec![Way::SetFirmwareId, Way::BootImageDownloadMode];
        ways.extend((0..self.whereabouts().modem()?.ports.at.len()).map(Way::BootHold));
        self.restart_by(&ways, Into::Download, choice, agreed)
    }

    /// Restarts the modem into its firmware.
    ///
    /// # Errors
    /// The modem is lost on the way; the user stops.
    pub(crate) fn restart(&mut self, choice: ControlChoice) -> Result<Arrival, Cause> {
        let mut ways = vec![Way::PowerCycle];
        ways.extend((0..self.whereabouts().modem()?.ports.at.len()).map(Way::Reset));
        self.restart_by(&ways, Into::Firmware, choice, Agreed::NOTHING)
    }

    fn restart_by(
        &mut self,
        ways: &[Way],
        into: Into,
        choice: ControlChoice,
        agreed: Agreed,
    ) -> Result<Arrival, Cause> {
        let mut tried = Vec::new();
        let id_of = |modem: &Modem| (modem.device.vendor, modem.device.product);
        let mut looked_at = id_of(self.whereabouts().modem()?);
        let mut is_expected = false;
        for way in ways {
            let modem = self.whereabouts().modem()?.clone();
            if into == Into::Download && id_of(&modem) != looked_at {
                self.refuse_unreachable(agreed)?;
                looked_at = id_of(&modem);
            }
            if self.is_stop_asked() && is_expected {
                // The modem accepted a restart and may still leave at any moment.
                self.set_modem(ModemState::Unknown);
            }
            self.stop_if_asked("stopped while the modem still ran its firmware")?;
            let words = way.words(&modem);
            let said = if is_expected && self.wait_leave(Duration::ZERO, Heed::AtOnce)? {
                RestartReply::Yes("not tried, because the modem left the bus after all".to_owned())
            } else {
                self.note_bus();
                if way.is_by_control() {
                    if modem.ports.control.is_empty() {
                        continue;
                    }
                    self.ask_by_control(*way, choice)?
                } else {
                    self.ask_by_at(*way, &modem)?
                }
            };
            let is_taken = matches!(said, RestartReply::Yes(_));
            let (answer, back) = match said {
                RestartReply::No(answer) => (answer, None),
                RestartReply::Yes(answer) => {
                    let limit = match way {
                        Way::SetFirmwareId | Way::BootHold(_) => BOOT_HOLD_LIMIT,
                        _ => POWER_CYCLE_LIMIT,
                    };
                    // The modem restarts. Its mode is known only when it is back.
                    let before = self.modem_state();
                    self.set_modem(ModemState::Unknown);
                    if self.wait_leave(limit, Heed::WhenBack)? {
                        is_expected = false;
                        self.tried(&words, &answer);
                        (answer, Some(self.wait_restarted(into)?))
                    } else {
                        is_expected = true;
                        self.set_modem(before);
                        let seconds = limit.as_secs();
                        (
                            format!("{answer}, but the modem was still on the bus {seconds} s later"),
                            None,
                        )
                    }
                }
            };
            let answer = match &back {
                Some(Mode::Normal) if into == Into::Download => {
                    let id = self.whereabouts().modem()?.device.id();
                    format!("{answer}, but the modem came back in normal mode as {id}")
                }
                _ => answer,
            };
            if back.is_none() {
                self.tried(&words, &answer);
            }
            tried.push(format!("{words}: {answer}"));
            if let Some(mode) = back.filter(|mode| into == Into::Firmware || *mode == Mode::Download) {
                return Ok(Arrival { mode, tried });
            }
            if *way == Way::BootImageDownloadMode && is_taken {
                if let Ok(()) = self.open_control(choice, OPEN_PATIENCE)? {
                    self.forget_download_mode()?;
                    self.close_session(Closing::Release)?;
                }
            }
        }
        if is_expected && self.wait_leave(Duration::ZERO, Heed::AtOnce)? {
            self.set_modem(ModemState::Unknown);
            let mode = self.wait_restarted(into)?;
            return Ok(Arrival { mode, tried });
        }
        if into == Into::Firmware {
            return Err(Cause::NotRestarted { tried });
        }
        let mode = self.whereabouts().modem()?.mode;
        Ok(Arrival { mode, tried })
    }

    /// Cancels DMS 0x0050, so that the next restart leads into the firmware, whoever asks for it. If the modem refuses or
    /// doesn't answer, only the log says so: nothing tells whether the modem still holds the request.
    fn forget_download_mode(&mut self) -> Result<(), Cause> {
        let normal = Dms::SetBootImageDownloadMode(BootImageDownloadMode::Normal);
        let answer = self.ask(normal, PATIENCE)?;
        tracing::info!(?answer, "boot image download mode is cancelled");
        Ok(())
    }

    /// Restarts a modem that waits in download mode, with a download of no images. The modem then starts the firmware that
    /// it has. If it has none, it waits in download mode again.
    ///
    /// # Errors
    /// The boot loader doesn't answer; the modem is lost on the way; the user stops.
    pub(crate) fn leave_download_mode(&mut self) -> Result<Arrival, Cause> {
        self.set_modem(ModemState::InDownloadMode);
        self.open_patiently(HOLDER_LIMIT)?;
        let opening = fit::opening_of(self.whereabouts().port());
        let tried = match self.download(&mut Shipment::of_nothing(opening)) {
            Ok(_) => "restart by the boot loader: the modem left the bus".to_owned(),
            // If the start of the session fails, the modem is restarted as well, and may come back with its firmware running.
            Err(cause @ Cause::RunsNormally { .. }) => cause.to_string(),
            Err(other) => return Err(other),
        };
        let is_back = self.modem_state() == ModemState::RunsFirmware;
        let mode = match is_back.then(|| self.look_here()).flatten() {
            Some(mode) => mode,
            None => {
                self.begin(Step::Boot);
                self.wait_restarted(Into::Firmware)?
            }
        };
        let tried = vec![tried];
        Ok(Arrival { mode, tried })
    }

    /// Waits until the modem, which has left the bus, is back.
    fn wait_restarted(&mut self, into: Into) -> Result<Mode, Cause> {
        let in_loader = Some(ModemState::InDownloadMode);
        let (limit, awaited, heed) = match into {
            Into::Download => (RETURN_LIMIT, Awaited::AnyMode { in_loader }, Heed::WhenBack),
            Into::Firmware => (BOOT_LIMIT, Awaited::Firmware { in_loader }, Heed::AtOnce),
        };
        self.silence(limit, "the modem restarts");
        let mode = self.wait_back(limit, awaited, heed);
        let mode = mode.inspect_err(|cause| {
            self.note_whereabouts(cause);
            if matches!(cause, Cause::LoaderPasses { .. }) {
                self.set_modem(ModemState::Unknown);
            }
        })?;
        let state = match mode {
            Mode::Download => ModemState::InDownloadMode,
            _ => ModemState::RunsFirmware,
        };
        self.set_modem(state);
        Ok(mode)
    }

    /// Notes the modem's state after it didn't come back as expected.
    pub(crate) fn note_whereabouts(&mut self, cause: &Cause) {
        if matches!(cause, Cause::DidNotReturn { .. }) {
            self.set_modem(ModemState::Unknown);
        } else if let Cause::NoPort {
            mode: Mode::Download, ..
        } = cause
        {
            self.set_modem(ModemState::InDownloadMode);
        }
    }

    fn tried(&mut self, way: &str, answer: &str) {
        tracing::info!(way, answer, "tried");
        let kind = EventKind::Tried {
            way: way.to_owned(),
            answer: answer.to_owned(),
        };
        self.tell(kind);
    }

    fn ask_by_control(&mut self, way: Way, choice: ControlChoice) -> Result<RestartReply, Cause> {
        if let Err(tried) = self.open_control(choice, OPEN_PATIENCE)? {
            return Ok(RestartReply::No(tried.join("; ")));
        }
        // A modem that has just started sends a start-up indication. Drain it first, or it is mistaken for the reply to the
        // restart.
        let revision = self.ask(Dms::GetRevision, PATIENCE)?;
        tracing::debug!(?revision, "before it is restarted");
        self.note_deed(Deed::Changed);
        let said = match way {
            Way::SetFirmwareId => {
                let answer = self.ask(Dms::SetFirmwareId, PATIENCE)?;
                accepted(answer.map(|_| ()))
            }
            Way::BootImageDownloadMode => {
                let mode = BootImageDownloadMode::BootAndRecovery;
                let request = Dms::SetBootImageDownloadMode(mode);
                match self.ask(request, PATIENCE)? {
                    Ok(_) => {
                        let said = self.power_cycle()?;
                        if matches!(said, RestartReply::No(_)) {
                            self.forget_download_mode()?;
                        }
                        said
                    }
                    Err(error) => RestartReply::No(error.to_string()),
                }
            }
            _ => self.power_cycle()?,
        };
        self.close_session(said.closing())?;
        Ok(said)
    }

    /// Sets the modem offline, then resets it. If the modem refuses to go offline, the reset may still work (qmi.md §5).
    fn power_cycle(&mut self) -> Result<RestartReply, Cause> {
        self.note_deed(Deed::Changed);
        let offline = Dms::SetOperatingMode(OperatingMode::Offline);
        // Until the modem answers, its radio may be on or off.
        let before = self.teller().set_radio(Radio::NotTold);
        match self.ask(offline, PATIENCE)? {
            Ok(_) => {
                self.teller().set_radio(Radio::Off {
                    why: "offline, for a restart".to_owned(),
                });
            }
            Err(error @ ControlError::Gone { .. }) => return Ok(accepted(Err(error))),
            Err(error) => {
                tracing::info!(%error, "offline");
                if matches!(error, ControlError::Refused { .. }) {
                    self.teller().set_radio(before);
                }
            }
        }
        let reset = Dms::SetOperatingMode(OperatingMode::Reset);
        Ok(accepted(self.ask(reset, PATIENCE)?.map(|_| ())))
    }

    /// The power cycle after a new firmware preference. The inner error says why the modem refused it.
    ///
    /// # Errors
    /// The user stops for the second time.
    pub(crate) fn power_cycle_with_preference(&mut self) -> Result<Result<(), String>, Cause> {
        self.note_bus();
        let said = self.power_cycle()?;
        self.close_session(said.closing())?;
        Ok(match said {
            RestartReply::Yes(_) => Ok(()),
            RestartReply::No(why) => Err(why),
        })
    }

    fn ask_by_at(&mut self, way: Way, modem: &Modem) -> Result<RestartReply, Cause> {
        let (command, place) = match way {
            Way::BootHold(place) => (Command::BOOT_HOLD, place),
            Way::Reset(place) => (Command::RESET, place),
            _ => return Ok(RestartReply::No("not an AT command".to_owned())),
        };
        let Some(port) = modem.ports.at.get(place) else {
            return Ok(RestartReply::No(
                "the modem doesn't have that AT port any more".to_owned(),
            ));
        };
        if let Err(why) = self.open_one_at(port)? {
            return Ok(RestartReply::No(why.to_string()));
        }
        self.note_deed(Deed::Changed);
        let said = self.at_unlocking(&command)?;
        self.close_session(Closing::Release)?;
        Ok(said)
    }

    /// Sends a command. If the modem refuses it, sends the unlock command and then the same command again (at.md §3).
    fn at_unlocking(&mut self, command: &Command) -> Result<RestartReply, Cause> {
        let first = match self.at(command)? {
            Ok(outcome) => outcome,
            Err(error) => return Ok(RestartReply::No(error.to_string())),
        };
        let RestartReply::No(refusal) = said(command, &first) else {
            return Ok(said(command, &first));
        };
        // A locked command is answered with an error. After an OK with a refusal, the firmware doesn't have the command.
        if matches!(&first, AtOutcome::Answered(answer) if answer.result.is_ok()) {
            return Ok(RestartReply::No(refusal));
        }
        match self.at(&Command::UNLOCK)? {
            Ok(AtOutcome::Answered(answer)) if answer.refusal(Command::UNLOCK.text()).is_none() => {}
            _ => {
                return Ok(RestartReply::No(format!(
                    "{refusal}; the unlock command failed, too"
                )));
            }
        }
        Ok(match self.at(command)? {
            Ok(outcome) => said(command, &outcome),
            Err(error) => RestartReply::No(error.to_string()),
        })
    }
}

/// What the modem's answer to an AT command that restarts it means.
fn said(command: &Command, outcome: &AtOutcome) -> RestartReply {
    match outcome {
        AtOutcome::LeftBus => RestartReply::Yes("the modem left the bus at once".to_owned()),
        AtOutcome::Answered(answer) => match answer.refusal(command.text()) {
            None => RestartReply::Yes("OK".to_owned()),
            Some(refusal) => RestartReply::No(refusal),
        },
    }
}

/// What the modem's answer to a request that restarts it means. A modem may leave the bus before it answers
/// (update-flow.md §4). A modem that doesn't answer may restart as well, so modemflash still watches the bus.
fn accepted(answer: Result<(), ControlError>) -> RestartReply {
    match answer {
        Ok(()) => RestartReply::Yes("accepted".to_owned()),
        Err(ControlError::Gone { .. }) => RestartReply::Yes("the modem left the bus at once".to_owned()),
        Err(ControlError::Silent { .. }) => RestartReply::Yes("no answer".to_owned()),
        Err(ControlError::Refused {
            error: QmiError::NoEffect,
            ..
        }) => RestartReply::Yes("no effect (26)".to_owned()),
        Err(error) => RestartReply::No(error.to_string()),
    }
}
