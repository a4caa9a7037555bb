//! What a run asks of the host: that ModemManager lets go of the modem, that the host stays awake, and locks.

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
/// How long ModemManager may take to answer. It answers within milliseconds, except while it is probing the modem (linux.md §6; 15 s in
/// the kernel lab).
const ANSWER_LIMIT: Duration = Duration::from_secs(60);
/// How often the run asks again.
const MANAGER_POLL: Duration = Duration::from_millis(100);
/// The reason for the sleep lock, as the host shows it.
const AWAKE_FOR: &str = "the firmware of a modem is being updated";

impl Run<'_> {
    /// Makes ModemManager let go of this modem and no other. ModemManager doesn't know modems in download mode.
    ///
    /// # Errors
    /// ModemManager has the modem and can't be asked to let go; the user stops.
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
                // ModemManager knows every modem whose ports it has open. A modem that it doesn't know is free.
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

    /// Makes ModemManager keep away from a modem that is back on the bus: ModemManager may have restarted, or may know the modem only now,
    /// or the modem may be on the bus of the other speed. A failure doesn't end the run, because the modem is changed already.
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

    /// The holder of one of the modem's ports, if that is ModemManager or a proxy that works for it.
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

    /// Gives the modem back to ModemManager. If the process ends first, that happens by itself.
    pub(super) fn let_go(&mut self) {
        for path in self.services.take_inhibited() {
            self.world.host().release(&path);
        }
    }

    /// Keeps the host awake. If the host can't be kept awake, the run goes on all the same.
    pub(crate) fn stay_awake(&mut self) {
        match self.world.host().stay_awake(AWAKE_FOR) {
            Ok(()) | Err(HostError::Unsupported { .. }) => {}
            Err(error) => tracing::info!(%error, "the host may go to sleep"),
        }
    }
}

impl Run<'_> {
    /// Locks a further place for the rest of the run. Returns false if another run has it for the moment, perhaps to list the modems: then
    /// the caller looks at the bus again and tries once more.
    ///
    /// # Errors
    /// Another run still has the place at `until`; the user stopped.
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

    /// Warns once that the host gives no lock.
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
