//! Several modems at once: a worker and a world for each, none of which knows of the others.
//!
//! One that fails doesn't stop the others. A modem whose model the images aren't for is left out, because `--all` means
//! "every modem that this is for".

use std::sync::Mutex;
use std::thread;

use modem_world::{Instant, World};

use super::whole::update;
use crate::decide::Firmware;
use crate::modem::{DeviceId, Selector};
use crate::request::Request;
use crate::told::{Cause, Event, EventKind, ModemState, Outcome, Step, UpdateError};

/// What a worker is to do.
pub struct Worker<'w> {
    /// Its own view of the world.
    pub world: Box<dyn World + Send + 'w>,
    /// What it is asked for; it names one modem.
    pub request: Request,
}

/// Brings `firmware` to several modems at once; the results are in the order of the workers.
///
/// `sink` gets the events of all of them, one at a time, with the number of the worker.
pub fn update_all(
    workers: Vec<Worker<'_>>,
    firmware: &Firmware,
    sink: &mut (dyn FnMut(usize, &Event) + Send),
) -> Vec<Result<Outcome, UpdateError>> {
    let sink = Mutex::new(sink);
    let sink = &sink;
    thread::scope(|scope| {
        let running: Vec<_> = workers
            .into_iter()
            .enumerate()
            .map(|(number, mut worker)| {
                let run = move || {
                    let mut tell = |event: &Event| {
                        // A sink that panicked elsewhere is no reason to leave a modem in the middle.
                        let mut sink = sink.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
                        (*sink)(number, event);
                    };
                    update(worker.world.as_mut(), &worker.request, firmware, &mut tell)
                };
                thread::Builder::new()
                    .name(format!("modem {number}"))
                    .spawn_scoped(scope, run)
            })
            .collect();
        let ended = running.into_iter().enumerate().map(|(number, worker)| {
            let what = match worker.map(thread::ScopedJoinHandle::join) {
                Ok(Ok(result)) => return result,
                Ok(Err(_)) => "a worker ended in a panic".to_owned(),
                Err(error) => format!("no thread for a worker: {error}"),
            };
            let error = bug(what);
            let failure = error.failure();
            let event = Event::new(Instant::START, &error.device, EventKind::Failed { failure });
            let mut sink = sink.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            (*sink)(number, &event);
            Err(error)
        });
        ended.collect()
    })
}

/// An error of a worker that couldn't tell one itself.
fn bug(what: String) -> UpdateError {
    let device = DeviceId::from_selection(&Selector::Only);
    UpdateError::new(
        &device,
        Step::CheckDevice,
        ModemState::Unknown,
        Cause::Bug { what },
    )
}

/// The exit code of a run over several modems: that of all when they agree, 8 when they don't (docs/errors.md).
pub fn exit_code(results: &[Result<Outcome, UpdateError>]) -> u8 {
    let mut codes = results.iter().map(|result| match result {
        Ok(_) => 0,
        Err(error) => error.exit_code(),
    });
    let Some(first) = codes.next() else { return 0 };
    if codes.all(|code| code == first) { first } else { 8 }
}

#[cfg(test)]
mod tests {
    use super::*;

    // docs/events.md: `device` has a port only where there is one.
    #[test]
    fn an_error_of_a_worker_that_told_nothing_names_no_port() {
        let error = bug("no thread".to_owned());
        assert_eq!(error.device.to_string(), "modem");
        assert_eq!(serde_json::to_string(&error.device).unwrap(), "{}");
    }
}
