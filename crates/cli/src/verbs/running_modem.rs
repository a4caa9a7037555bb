//! Verbs that need a modem whose firmware runs.

use modem_world::World;
use update_engine::modem::Mode;
use update_engine::{Cause, DeviceId, ModemState, Request, Step, UpdateError};

use crate::failure::VerbFailure;

/// Refuses a modem that doesn't run its firmware and so can't be asked anything; the hint says what to do. If the selection leads
/// to no modem or to several, the engine reports that later.
///
/// # Errors
/// The selected modem doesn't run its firmware.
pub(crate) fn require(world: &mut dyn World, request: &Request) -> Result<(), VerbFailure> {
    let candidates = request.select.candidates(world).unwrap_or_default();
    let [modem] = candidates.as_slice() else {
        return Ok(());
    };
    if modem.mode == Mode::Normal {
        return Ok(());
    }
    let what = format!("in {} mode it can't be asked anything", modem.mode);
    let device = DeviceId::from_modem(modem);
    let error = UpdateError::new(
        &device,
        Step::CheckDevice,
        ModemState::Untouched,
        Cause::NotSupported { what },
    );
    let failure = VerbFailure::from(error);
    if modem.mode != Mode::Download {
        return Err(failure);
    }
    let place = modem.path();
    Err(failure.hint(format!(
        "`modemflash reset --port {place}` starts the firmware that it has, `modemflash update --port {place} FILE…` gives it some"
    )))
}
