//! Begins and ends the world of this host.

use modem_transport::LinuxWorld;
use update_engine::codes::Code;

use crate::failure::VerbFailure;
use crate::output::stderr::say;

/// The world of this host. Signals stop what is done in it.
pub(crate) fn with_signals() -> Result<LinuxWorld, VerbFailure> {
    LinuxWorld::new()
        .and_then(|mut world| world.handle_signals().map(|()| world))
        .map_err(|error| {
            VerbFailure::new(Code::Bug, "this system gives no signals or file descriptors").because(&error)
        })
}

/// Ends a world of this host: puts back the settings that were changed, and warns if that fails.
pub(crate) fn finish(world: LinuxWorld) {
    if let Err(error) = world.finish() {
        say(&format!(
            "warning: a setting of this host wasn't put back: {error}"
        ));
    }
}
