//! What every part of a run shares: the world, the port, the buffers, and who tells the events.

use modem_world::{Instant, PortHandle, PortInfo, Spot, UsbDevice, UsbPath, Wake, World};

use super::claim::Claimed;
use super::drive::Buffers;
use super::session::Session;
use super::teller::{Deed, Teller};
use crate::modem::DeviceId;
use crate::told::{Cause, Event, EventKind, ModemState, Warning};

/// A run on one modem.
pub(crate) struct Run<'r> {
    pub(crate) world: &'r mut dyn World,
    pub(crate) teller: Teller<'r>,
    /// The name under which the user knows the port.
    pub(crate) port_name: String,
    /// The port in use, as it is now, with the device behind it as it was last seen.
    pub(crate) port: PortInfo,
    /// The device as it was found at the start: where it comes back to.
    pub(crate) home: Option<UsbDevice>,
    /// What was ever seen on the bus.
    pub(crate) seen: Vec<UsbDevice>,
    /// Where this modem was seen.
    pub(crate) places: Vec<UsbPath>,
    /// What the user asked for, as other runs are told that find the modem locked.
    pub(crate) verb: &'static str,
    /// Places that other runs are kept away from.
    pub(crate) claimed: Vec<Spot>,
    /// Whether the user was told that the host gives no lock.
    pub(crate) is_lock_doubted: bool,
    /// Places that ModemManager was asked to keep away from.
    pub(crate) inhibited: Vec<UsbPath>,
    /// Whether it had a control port with its firmware running.
    pub(crate) had_control: bool,
    /// The open session with the running firmware; its port is its own.
    pub(super) session: Option<Session>,
    /// The open port.
    pub(crate) handle: Option<PortHandle>,
    pub(crate) buffers: Buffers,
    /// How often the user has asked to stop.
    pub(crate) stops: u32,
    /// Whether the user didn't agree to the plan, so that only the end of the session is left.
    pub(crate) is_declined: bool,
    /// Whether a first wish to stop is only noted: the modem is on its way, and nobody knows where to.
    pub(crate) is_following: bool,
    /// When the modem was seen to come onto the bus in this run; at first when the run began, for it was there then.
    pub(crate) came: Instant,
}

impl<'r> Run<'r> {
    /// `claimed`: what the run has already.
    pub(crate) fn new(
        world: &'r mut dyn World,
        sink: &'r mut dyn FnMut(&Event),
        claimed: Claimed,
        port_name: &str,
        port: PortInfo,
        device: DeviceId,
    ) -> Self {
        let came = world.now();
        let home_places = port.device.iter().map(|device| device.path.clone()).collect();
        let teller = Teller::new(sink, device, came);
        let mut run = Self {
            world,
            teller,
            port_name: port_name.to_owned(),
            home: port.device.clone(),
            port,
            seen: Vec::new(),
            places: home_places,
            verb: claimed.verb,
            claimed: vec![claimed.spot],
            is_lock_doubted: false,
            inhibited: Vec::new(),
            had_control: false,
            session: None,
            handle: None,
            buffers: Buffers::default(),
            stops: 0,
            is_declined: false,
            is_following: false,
            came,
        };
        run.tell_doubt(claimed.doubt);
        run
    }

    /// Notes what is true of the modem now. Firmware that runs after something was written isn't the old one; only what
    /// the modem says of itself can prove that it is the wanted one ([`Self::set_proven`]).
    pub(crate) fn set_modem(&mut self, modem: ModemState) {
        let is_other = modem.runs() && self.teller.deed() == Deed::Written;
        let modem = if is_other { ModemState::RunsOther } else { modem };
        self.teller.set_modem(self.world.now(), modem);
    }

    /// Notes that the modem runs what was wanted.
    pub(crate) fn set_proven(&mut self) {
        self.teller.set_modem(self.world.now(), ModemState::RunsFirmware);
    }

    /// Notes what is done to the modem, before it is done.
    pub(crate) fn note_deed(&mut self, deed: Deed) {
        self.teller.note_deed(deed);
    }

    /// At the end of a run that failed: a modem that has left the bus doesn't run any more, as far as anybody can see.
    pub(crate) fn note_absence(&mut self) {
        let places = self.places.clone();
        let is_gone = |run: &mut Self| {
            !places.is_empty()
                && places
                    .iter()
                    .all(|place| matches!(run.world.device_at(place), Ok(None)))
        };
        if self.teller.modem().runs() && is_gone(self) {
            self.set_modem(ModemState::Unknown);
        }
    }

    /// Notes that it is in download mode. What was written into it before is still there.
    pub(crate) fn note_loader(&mut self) {
        let has_written = matches!(
            self.teller.modem(),
            ModemState::PartlyWritten { .. } | ModemState::AllWritten
        );
        if !has_written {
            self.set_modem(ModemState::InDownloadMode);
        }
    }

    /// Notes that bytes go to the modem for the first time.
    pub(crate) fn touched(&mut self) {
        if self.teller.modem() == ModemState::Untouched {
            self.set_modem(ModemState::Unknown);
        }
    }

    /// Waits for the modem, which is on its way; a first wish to stop is heeded by the caller, when it is known again
    /// where the modem is.
    pub(crate) fn following<T>(
        &mut self,
        wait: impl FnOnce(&mut Self) -> Result<T, Cause>,
    ) -> Result<T, Cause> {
        self.is_following = true;
        let waited = wait(self);
        self.is_following = false;
        waited
    }

    /// Looks whether a wake-up is a wish to stop.
    pub(crate) fn heed(&mut self, wake: Wake) -> Result<(), Cause> {
        if wake == Wake::Cancelled {
            self.stops = self.stops.saturating_add(1);
            if self.is_following && self.stops == 1 {
                let when = "when the modem is back on the bus; press Ctrl-C once more to stop now".to_owned();
                self.teller.tell(self.world.now(), EventKind::Stopping { when });
                return Ok(());
            }
            return Err(Cause::Stopped {
                how: "stopped at once; nothing was being sent",
            });
        }
        Ok(())
    }

    /// The running firmware was asked something: it isn't untouched any more, but nothing of it is changed.
    pub(crate) fn note_asked(&mut self) {
        if self.teller.modem() == ModemState::Untouched {
            self.set_modem(ModemState::RunsFirmware);
        }
    }

    /// Notes a wish to stop; the second one ends everything at once.
    pub(crate) fn heed_later(&mut self, wake: Wake) -> Result<(), Cause> {
        // The wish that left the question is already heeded by ending the session in order, which takes seconds at most.
        if wake != Wake::Cancelled || self.is_declined {
            return Ok(());
        }
        self.stops = self.stops.saturating_add(1);
        if self.stops > 1 {
            return Err(Cause::StoppedMidway);
        }
        let when = "after the present request; press Ctrl-C once more to stop now".to_owned();
        self.teller.tell(self.world.now(), EventKind::Stopping { when });
        Ok(())
    }

    /// The place where a wish to stop is heeded: nothing is half done here.
    pub(crate) fn stop_if_asked(&self, how: &'static str) -> Result<(), Cause> {
        if self.stops > 0 {
            return Err(Cause::Stopped { how });
        }
        Ok(())
    }

    /// Tells that the host gave no lock, once.
    pub(crate) fn tell_doubt(&mut self, doubt: Option<Warning>) {
        if let Some(warning) = doubt.filter(|_| !self.is_lock_doubted) {
            self.is_lock_doubted = true;
            self.teller.warn(self.world.now(), warning);
        }
    }
}
