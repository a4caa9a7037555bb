//! What is asked of the host around an update: that ModemManager lets go, and that nothing falls asleep.

use std::time::Duration;

use modem_world::{HostError, Inhibition, Instant, Interest, PortErrorKind, PortHolder, Program, Spot};

use super::claim;
use super::parts::Run;
use super::stops::Heed;
use crate::modem::Mode;
use crate::request::Request;
use crate::told::RunWarning;
use crate::told::{Cause, Warning};

/// How long ModemManager may take until it knows a modem that it is busy probing (linux.md §6).
const MANAGER_LIMIT: Duration = Duration::from_secs(60);
/// How long it may take to answer: in milliseconds, but for a modem that it is probing (linux.md §6; 15 s in the kernel lab).
const ANSWER_LIMIT: Duration = Duration::from_secs(60);
/// How often it is looked at.
const MANAGER_POLL: Duration = Duration::from_millis(100);
/// What the lock against sleep is for.
const AWAKE_FOR: &str = "the firmware of a modem is being updated";

impl Run<'_> {
    /// Has ModemManager let go of this modem and no other. One in download mode isn't known to it.
    ///
    /// # Errors
    /// It has the modem and can't be asked; the user stops.
    pub(crate) fn inhibit(&mut self, request: &Request) -> Result<(), Cause> {
        let Some(device) = self.whereabouts.device() else {
            return Ok(());
        };
        let path = device.path.clone();
        self.services.note_inhibited(&path);
        let begun = self.now();
        loop {
            let now = self.now();
            let why = match self.world.host().inhibit(&path) {
                Inhibition::NotNeeded | Inhibition::Granted => return Ok(()),
                Inhibition::Impossible { why, help } => return self.without_inhibition(request, why, help),
                // It knows every modem that it has opened; one that it hasn't opened is free.
                Inhibition::Unknown => match self.manager_on_modem() {
                    None => return Ok(()),
                    Some(holder) => {
                        let why = format!("{holder} is looking at the modem and doesn't know it yet");
                        if now >= begun + MANAGER_LIMIT {
                            return self.without_inhibition(request, why, STOP_IT.to_owned());
                        }
                        why
                    }
                },
                Inhibition::Pending if now >= begun + ANSWER_LIMIT => {
                    let why = format!("it doesn't answer within {} s", ANSWER_LIMIT.as_secs());
                    return self.without_inhibition(request, why, STOP_IT.to_owned());
                }
                Inhibition::Pending => "it was asked to let go".to_owned(),
            };
            tracing::debug!(why, "ModemManager");
            self.wait(&[Interest::Bus], now + MANAGER_POLL, Heed::AtOnce)?;
        }
    }

    fn without_inhibition(&mut self, request: &Request, why: String, help: String) -> Result<(), Cause> {
        if !request.ignore_manager && !request.force {
            return Err(Cause::Held { why, help });
        }
        let warning = Warning {
            code: RunWarning::ModemManager.into(),
            text: format!("ModemManager has the modem ({why}) and may spoil the update"),
            confirm: false,
        };
        self.warn(warning);
        Ok(())
    }

    /// Has ModemManager keep away from a modem that is back on the bus: it may have restarted, be on the bus of the other
    /// speed, or be known to it only now. Nothing ends here: what was written is written.
    pub(crate) fn keep_away(&mut self, request: &Request) -> Result<(), Cause> {
        let modem = self.whereabouts.modem()?;
        if modem.mode != Mode::Normal {
            // A boot loader isn't known to ModemManager. Asking all the same may spare the port its probes (linux.md §6).
            self.ask_manager();
            return Ok(());
        }
        match self.inhibit(request) {
            Err(Cause::Held { why, .. }) => {
                tracing::warn!(why, "ModemManager has the modem");
                Ok(())
            }
            other => other,
        }
    }

    /// In a run that goes on from another one: asks ModemManager once more, without waiting, to keep away. It doesn't know a modem that
    /// has just come onto the bus, and may have taken its ports since.
    pub(crate) fn remind_manager(&mut self) {
        if self.services.is_inhibition_lost() {
            self.ask_manager();
        }
    }

    fn ask_manager(&mut self) {
        let Some(path) = self.whereabouts.device().map(|device| device.path.clone()) else {
            return;
        };
        let asked = self.world.host().inhibit(&path);
        tracing::debug!(?asked, "ModemManager");
        self.services.note_inhibited(&path);
    }

    /// ModemManager, also behind the programs that share a port for it, as the holder of one of the modem's ports.
    fn manager_on_modem(&mut self) -> Option<PortHolder> {
        let modem = self.whereabouts.known_modem();
        let modem = modem.filter(|modem| modem.mode == Mode::Normal)?;
        let ports: Vec<_> = modem.all_ports().map(|port| port.id.clone()).collect();
        ports.into_iter().find_map(|port| match self.world.open(&port) {
            Ok(handle) => {
                self.world.close(handle);
                None
            }
            Err(error) => match error.kind {
                PortErrorKind::Busy { holder } => holder.filter(|holder| holder.program() != Program::Other),
                _ => None,
            },
        })
    }

    /// Gives the modem back to ModemManager. Happens by itself when the world ends.
    pub(super) fn let_go(&mut self) {
        for path in self.services.take_inhibited() {
            self.world.host().release(&path);
        }
    }

    /// Keeps the host awake; where it can't be, that is only a pity.
    pub(crate) fn stay_awake(&mut self) {
        match self.world.host().stay_awake(AWAKE_FOR) {
            Ok(()) | Err(HostError::Unsupported { .. }) => {}
            Err(error) => tracing::info!(%error, "the host may go to sleep"),
        }
    }
}

impl Run<'_> {
    /// Has this place, too, as long as the run lasts. The modem is on its way, so another run that has it at this moment, because it
    /// lists what is on the bus, is waited for: false, when it is to be tried again.
    ///
    /// # Errors
    /// Another run still has it at `until`; the user stopped.
    pub(super) fn claim_until(&mut self, spot: &Spot, until: Instant, heed: Heed) -> Result<bool, Cause> {
        match claim::claim(self.world, spot, self.services.verb()) {
            Ok(doubt) => self.tell_doubt(doubt),
            Err(holder) => {
                let now = self.now();
                if now >= until {
                    return Err(Cause::locked(holder));
                }
                self.wait(&[], until.min(now + claim::LOCK_POLL), heed)?;
                return Ok(false);
            }
        }
        self.services.note_claimed(spot);
        Ok(true)
    }

    /// Tells that the host gave no lock, once.
    pub(super) fn tell_doubt(&mut self, doubt: Option<Warning>) {
        if let Some(warning) = doubt.filter(|_| self.services.note_doubt()) {
            self.warn(warning);
        }
    }

    /// Gives back all places; the run is over, and its ports are closed.
    pub(super) fn unclaim(&mut self) {
        for spot in self.services.take_claimed() {
            self.world.host().unclaim(&spot);
        }
    }
}

const STOP_IT: &str = "stop it for the time of the update (`systemctl stop ModemManager`), then run again";
