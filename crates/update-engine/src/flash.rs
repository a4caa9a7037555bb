//! The whole job in download mode: checks, detection, images, restart.

use std::time::Duration;

use modem_world::World;

use crate::checks::{Prepared, Refused, Request, prepare_all};
use crate::run::Run;
use crate::teller::Teller;
use crate::{Cause, Event, EventKind, Firmware, Outcome, Step, UpdateError};

/// Sends `firmware` to the modem in download mode behind `request.port`, and restarts it.
///
/// `sink` gets every event, the last of which is [`EventKind::Outcome`] or [`EventKind::Failed`]. Before the first
/// byte goes out everything is checked; [`prepare`](crate::prepare) does the same without going on.
///
/// # Errors
/// [`UpdateError`] says what happened, what is true of the modem now, and what to do.
pub fn flash(
    world: &mut dyn World,
    request: &Request,
    firmware: &Firmware,
    sink: &mut dyn FnMut(&Event),
) -> Result<Outcome, UpdateError> {
    let prepared = match prepare_all(world, request, firmware) {
        Ok(prepared) => prepared,
        Err(refused) => {
            let Refused { device, step, cause } = *refused;
            let now = world.now();
            let mut teller = Teller::new(sink, device, now);
            teller.begin(now, step);
            return Err(teller.fail(now, cause));
        }
    };
    let Prepared {
        plan,
        port,
        device,
        job,
    } = prepared;
    let span = tracing::info_span!("modem", path = %device);
    let _entered = span.enter();
    let unconfirmed: Vec<_> = plan.to_confirm().cloned().collect();
    let warnings = plan.warnings.clone();
    let mut run = Run::new(world, sink, &request.port, port, device);
    let now = run.world.now();
    run.teller.tell(now, EventKind::Planned { plan });
    for warning in warnings {
        run.teller.warn(now, warning);
    }
    if !request.confirmed && !unconfirmed.is_empty() {
        return Err(run.teller.fail(
            now,
            Cause::NotConfirmed {
                warnings: unconfirmed,
            },
        ));
    }
    run.teller.begin(now, Step::OpenPort);
    let result = match run.open_patiently(Duration::ZERO) {
        Ok(_) => {
            run.keep_awake();
            run.download(&job, &mut firmware.feed())
        }
        Err(cause) => Err(cause),
    };
    run.close();
    let now = run.world.now();
    match result {
        Ok(outcome) => {
            run.teller.tell(
                now,
                EventKind::Outcome {
                    outcome: outcome.clone(),
                },
            );
            Ok(outcome)
        }
        Err(cause) => Err(run.teller.fail(now, cause)),
    }
}
