//! What is true of the modem, noted while the run goes on, so that an error can say it.

use super::parts::Run;
use super::teller::Deed;
use crate::told::ModemState;

impl Run<'_> {
    /// What is true of the modem.
    pub(crate) fn modem_state(&self) -> ModemState {
        self.teller.modem()
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
    pub(super) fn note_absence(&mut self) {
        if !self.teller.modem().runs() {
            return;
        }
        let places = self.whereabouts.places().to_vec();
        let is_gone = !places.is_empty()
            && places
                .iter()
                .all(|place| matches!(self.world.device_at(place), Ok(None)));
        if is_gone {
            self.set_modem(ModemState::Unknown);
        }
    }

    /// Notes that the modem is in download mode. What was written into it before is still there.
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

    /// Notes that the running firmware was asked something: the modem isn't untouched any more, but nothing of it is changed.
    pub(crate) fn note_asked(&mut self) {
        if self.teller.modem() == ModemState::Untouched {
            self.set_modem(ModemState::RunsFirmware);
        }
    }
}
