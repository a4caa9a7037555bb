//! What is asked of the host around an update: that ModemManager lets go, and that nothing falls asleep.

use std::time::Duration;

use modem_world::{HostError, Inhibition, Instant, Interest, PortErrorKind, Spot, UsbPath};

use super::claim;
use super::parts::Run;
use crate::modem::{Mode, Modem};
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
    pub(crate) fn inhibit(&mut self, running: Option<&Modem>, request: &Request) -> Result<(), Cause> {
        let Some(device) = &self.port.device else {
            return Ok(());
        };
        let path = device.path.clone();
        self.note_inhibited(&path);
        let begun = self.world.now();
        loop {
            let now = self.world.now();
            let why = match self.world.host().inhibit(&path) {
                Inhibition::NotNeeded | Inhibition::Granted => return Ok(()),
                Inhibition::Impossible { why, help } => return self.without_inhibition(request, why, help),
                // It knows every modem that it has opened; one that it hasn't opened is free.
                Inhibition::Unknown => match running.and_then(|modem| self.manager_on(modem)) {
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
            let wake = self.world.wait(&[Interest::Bus], now + MANAGER_POLL);
            self.heed(wake)?;
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
        self.teller.warn(self.world.now(), warning);
        Ok(())
    }

    /// Has ModemManager keep away from a modem that is back on the bus: it may have restarted, be on the bus of the other
    /// speed, or be known to it only now. Nothing ends here: what was written is written.
    pub(crate) fn keep_away(&mut self, modem: &Modem, request: &Request) -> Result<(), Cause> {
        if modem.mode != Mode::Normal {
            // A boot loader isn't known to it; that it is asked all the same may spare the port its probes (linux.md §6).
            let asked = self.world.host().inhibit(modem.path());
            tracing::debug!(?asked, "ModemManager");
            self.note_inhibited(modem.path());
            return Ok(());
        }
        match self.inhibit(Some(modem), request) {
            Err(Cause::Held { why, .. }) => {
                tracing::warn!(why, "ModemManager has the modem");
                Ok(())
            }
            other => other,
        }
    }

    fn note_inhibited(&mut self, path: &UsbPath) {
        if !self.inhibited.contains(path) {
            self.inhibited.push(path.clone());
        }
    }

    /// ModemManager, also behind the programs that share a port for it, as the holder of one of the modem's ports.
    fn manager_on(&mut self, modem: &Modem) -> Option<String> {
        let ports: Vec<_> = modem.all_ports().map(|port| port.id.clone()).collect();
        ports.into_iter().find_map(|port| match self.world.open(&port) {
            Ok(handle) => {
                self.world.close(handle);
                None
            }
            Err(error) => match error.kind {
                PortErrorKind::Busy { holder } => holder.filter(|holder| {
                    let names = ["ModemManager", "qmi-proxy", "mbim-proxy"];
                    names.iter().any(|name| holder.starts_with(name))
                }),
                _ => None,
            },
        })
    }

    /// Gives the modem back to ModemManager. Happens by itself when the world ends.
    pub(crate) fn let_go(&mut self) {
        for path in std::mem::take(&mut self.inhibited) {
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
    pub(crate) fn claim_until(&mut self, spot: &Spot, until: Instant) -> Result<bool, Cause> {
        match claim::claim(self.world, spot, self.verb) {
            Ok(doubt) => self.tell_doubt(doubt),
            Err(holder) => {
                let now = self.world.now();
                if now >= until {
                    return Err(Cause::locked(holder));
                }
                let wake = self.world.wait(&[], until.min(now + claim::LOCK_POLL));
                self.heed(wake)?;
                return Ok(false);
            }
        }
        if !self.claimed.contains(spot) {
            self.claimed.push(spot.clone());
        }
        Ok(true)
    }

    /// Gives back all places; the run is over, and its ports are closed.
    pub(crate) fn unclaim(&mut self) {
        for spot in std::mem::take(&mut self.claimed) {
            self.world.host().unclaim(&spot);
        }
    }
}

const STOP_IT: &str = "stop it for the time of the update (`systemctl stop ModemManager`), then run again";
