//! Compares what the engine says about a whole update with the virtual modem.

use std::time::Duration;

use modem_world::World;
use modemflash_update_engine::{Event, EventKind, Outcome, UpdateError};
use virtual_modem::fault::{Answer, AnswerFault, Fault};
use virtual_modem::simulated::SimulatedWorld;
use virtual_modem::{ImageState, Mode, VirtualModem};

use super::loader::is_excused;
use super::whole::{Case, Subject};
use super::{Promise, Standing};
use crate::support::truth::is_true;

/// Everything that a verdict needs.
pub struct Judged<'j> {
    pub world: &'j SimulatedWorld,
    pub place: usize,
    pub neighbour: Option<usize>,
    pub case: &'j Case,
    pub subject: &'j Subject,
    pub result: &'j Result<Outcome, UpdateError>,
    /// Whether the program ended in the middle without a word, and another run went on.
    pub is_cut: bool,
}

impl Judged<'_> {
    fn modem(&self) -> &VirtualModem {
        self.world.modem(self.place).expect("there is a modem")
    }

    /// How well the modem is.
    pub fn standing(&self) -> Standing {
        let (modem, wanted) = (self.modem(), &self.case.wanted);
        let storage = modem.storage();
        let is_content = storage.preferred.as_ref().is_none_or(|it| *it == storage.current);
        match modem.mode() {
            Mode::Normal if storage.current == *wanted && is_content => Standing::AsWanted,
            Mode::Normal if is_content => Standing::Runs,
            Mode::Normal => Standing::RunsAgainstPreference,
            Mode::Download => Standing::Waits,
            _ => Standing::Lost,
        }
    }

    /// Whether everything is as it must be.
    pub fn verdict(&self) -> Result<(), String> {
        self.others()?;
        match self.result {
            Ok(outcome) => self.success(outcome),
            Err(error) if self.subject.promise == Promise::Flash => {
                let (source, code, modem) = (&error.source, error.code(), error.modem);
                Err(format!("{error}: {source} ({code}); modem {modem:?}"))
            }
            Err(error) => is_true(self.modem(), self.case.images.len(), error)
                .map_err(|why| format!("{error}: {} ({}); {why}", error.source, error.code())),
        }
    }

    /// Checks the rest of the world: time, neighbours, ModemManager.
    fn others(&self) -> Result<(), String> {
        let took = self.world.now().since_start();
        // Each step has a deadline. The limit covers two passes with their waits, and control ports that
        // never answer.
        if took > Duration::from_secs(2 * 3600) {
            return Err(format!("it took {took:?}"));
        }
        if !self.world.inhibited().is_empty() {
            return Err("ModemManager didn't get its modem back".to_owned());
        }
        // Each worker writes to its own modem and to nothing else on the bus.
        let places = (0..).take_while(|place| self.world.modem(*place).is_some());
        let touched = places.filter(|place| *place != self.place);
        if let Some(place) = touched
            .into_iter()
            .find(|place| self.world.written(self.place, *place) > 0)
        {
            let bytes = self.world.written(self.place, place);
            return Err(format!("it wrote {bytes} bytes to the ports of device {place}"));
        }
        let Some(neighbour) = self.neighbour.and_then(|place| self.world.modem(place)) else {
            return Ok(());
        };
        // The neighbour appears once, and again at each of its own restarts.
        let resets = u32::try_from(1 + self.case.restarts.len()).unwrap_or(u32::MAX);
        let is_touched = neighbour.image_bytes() > 0 || neighbour.storage().resets > resets;
        if is_touched || !neighbour.violations().is_empty() {
            return Err(format!("the neighbour was touched: {:?}", neighbour.violations()));
        }
        Ok(())
    }

    fn success(&self, outcome: &Outcome) -> Result<(), String> {
        let (modem, case) = (self.modem(), self.case);
        let (storage, wanted) = (modem.storage(), &case.wanted);
        let is_told = !wanted.firmware.is_empty();
        match outcome {
            Outcome::Updated(updated) if updated.proven && is_told => {}
            Outcome::Unchanged(unchanged) if unchanged.proven && is_told => {
                if modem.image_bytes() > 0 || storage.current != modem.setup().storage.current {
                    return Err("unchanged, but it isn't as it was".to_owned());
                }
            }
            // Nothing names the version of Gobi files.
            Outcome::Accepted(accepted) if !accepted.proven && !is_told => {}
            other => return Err(format!("outcome {other:?}")),
        }
        if modem.mode() != Mode::Normal {
            return Err(format!("success, but it is in {:?}", modem.mode()));
        }
        // A modem without preferences reports its firmware, but not its settings.
        let knows_preference = modem.setup().profile.capabilities.preference;
        if is_told && !knows_preference && storage.current.firmware != wanted.firmware {
            return Err(format!("success, but it runs {}", storage.current));
        }
        if is_told && knows_preference {
            if storage.current != *wanted {
                return Err(format!("success, but it runs {}", storage.current));
            }
            if storage.preferred.as_ref() != Some(wanted) {
                return Err(format!("success, but it prefers {:?}", storage.preferred));
            }
            // The modem may restart once more long after the update was proven.
            if modem.is_on_bus() && !modem.is_online() {
                return Err("success, but its radio is off".to_owned());
            }
        }
        self.memory()?;
        // What ModemManager has written isn't the engine's. It comes back to the modem when the program ends.
        if self.subject.is_exposed || (self.is_cut && self.case.has_manager()) {
            return Ok(());
        }
        let faults = &modem.setup().faults.0;
        // A client id stays allocated if its number never arrived, or if it couldn't be released.
        let spoils_clients = |fault: &Fault| {
            matches!(
                fault,
                Fault::Answer(Answer::Ctl(_), _)
                    | Fault::Answer(_, AnswerFault::Refused(7))
                    | Fault::Lose(_)
                    | Fault::Corrupt(_)
            )
        };
        let is_ctl_spoiled = faults.iter().any(spoils_clients);
        let is_silent = modem.setup().quirks.is_control_silent;
        let wrong = modem.violations().iter().find(|wrong| {
            let is_expected = match wrong.what.kind() {
                // If the driver doesn't name a language, the engine tries another one.
                "control message" => is_silent,
                // A program that ends without a word gives nothing back.
                "clients left" | "reset while busy" => is_ctl_spoiled || self.is_cut,
                _ => is_excused(&wrong.what),
            };
            !is_expected
        });
        wrong.map_or(Ok(()), |wrong| {
            Err(format!("updated, but the host did wrong: {wrong}"))
        })
    }

    /// Checks that everything that the modem accepted is one of the images, byte for byte.
    fn memory(&self) -> Result<(), String> {
        let accepted = self
            .modem()
            .images()
            .iter()
            .filter(|image| image.state == ImageState::Accepted);
        for image in accepted {
            let bytes = image.bytes.as_deref().unwrap_or_default();
            let is_given = self.case.images.iter().any(|given| {
                // A Gobi amss.mbn is sent without its last 8 bytes (qdl.md §5).
                let tail = if given.name == "amss.mbn" { 8 } else { 0 };
                given.bytes.get(..given.bytes.len() - tail) == Some(bytes)
            });
            if !is_given {
                return Err(format!("{} accepted bytes are those of no image", image.length));
            }
        }
        Ok(())
    }
}

/// Listens to the events of each modem.
pub struct Listener {
    heard: Vec<Heard>,
}

#[derive(Clone, Default)]
struct Heard {
    progress: f64,
    has_ended: bool,
    wrong: Option<String>,
}

impl Listener {
    pub fn new(count: usize) -> Self {
        Self {
            heard: vec![Heard::default(); count],
        }
    }

    pub fn hear(&mut self, number: usize, event: &Event) {
        let heard = &mut self.heard[number];
        let mut complain = |why: String| {
            heard.wrong.get_or_insert(why);
        };
        if heard.has_ended {
            complain(format!("an event behind the last one: {event:?}"));
        }
        if let EventKind::StepStarted { progress, .. }
        | EventKind::StepFinished { progress, .. }
        | EventKind::Advanced { progress, .. } = event.kind
        {
            if progress < heard.progress || progress > 1.0 {
                complain(format!("progress {progress} behind {}", heard.progress));
            }
            heard.progress = progress;
        }
        let json = serde_json::to_string(event).expect("events are JSON");
        if json.contains("01234567") || json.contains("987654321") || json.contains("35926008") {
            heard.wrong.get_or_insert("an event tells an IMEI".to_owned());
        }
        heard.has_ended = matches!(event.kind, EventKind::Outcome { .. } | EventKind::Failed { .. });
    }

    pub fn verdict(&self, number: usize) -> Result<(), String> {
        let heard = &self.heard[number];
        match &heard.wrong {
            Some(wrong) => Err(wrong.clone()),
            None if !heard.has_ended => Err("no last event".to_owned()),
            None => Ok(()),
        }
    }
}
