//! Updates several modems at once. Each modem has its own worker and its own world, and no worker knows of the others.
//!
//! A worker that fails doesn't stop the others. A modem that the images aren't for is left out, because `--all` means
//! "every modem that these images are for".

use std::sync::Mutex;

use modem_world::{Instant, World};

use super::whole::update;
use crate::decide::Firmware;
use crate::modem::{DeviceId, Selector};
use crate::request::Request;
use crate::run::side_by_side;
use crate::told::{Cause, Event, EventKind, ModemState, Outcome, Step, UpdateError};

/// The job of one worker.
pub struct Worker<'w> {
    /// The worker's own view of the world.
    pub world: Box<dyn World + Send + 'w>,
    /// What the user asks for. The request names one modem.
    pub request: Request,
}

/// Updates several modems to `firmware` at once. The results are in the order of the workers.
///
/// `sink` gets the events of all workers, one at a time, each with the worker's number.
pub fn update_all(
    workers: Vec<Worker<'_>>,
    firmware: &Firmware,
    sink: &mut (dyn FnMut(usize, &Event) + Send),
) -> Vec<Result<Outcome, UpdateError>> {
    let sink = Mutex::new(sink);
    // If the sink panicked in one worker, the others still finish their modems' updates.
    let tell = |number: usize, event: &Event| {
        let mut sink = sink.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        (*sink)(number, event);
    };
    let tell = &tell;
    let jobs = workers.into_iter().enumerate().map(|(number, mut worker)| {
        move || {
            update(worker.world.as_mut(), &worker.request, firmware, &mut |event| {
                tell(number, event)
            })
        }
    });
    let results = side_by_side(jobs.collect()).into_iter().enumerate();
    let results = results.map(|(number, result)| {
        result.unwrap_or_else(|what| {
            let error = bug(what);
            let failure = error.failure();
            tell(
                number,
                &Event::new(Instant::START, &error.device, EventKind::Failed { failure }),
            );
            Err(error)
        })
    });
    results.collect()
}

/// The error of a worker that ended without a result.
fn bug(what: String) -> UpdateError {
    let device = DeviceId::from_selection(&Selector::Only);
    UpdateError::new(
        &device,
        Step::CheckDevice,
        ModemState::Unknown,
        Cause::Bug { what },
    )
}

/// The exit code of a run over several modems: the common exit code if all modems end with the same one, else 8
/// (docs/errors.md).
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
