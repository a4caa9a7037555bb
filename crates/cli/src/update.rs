//! `modemflash update`: a modem in download mode.

use modem_transport::LinuxWorld;
use update_engine::codes::Code;
use update_engine::{Firmware, Request};

use crate::arguments::Update;
use crate::failure::Failure;
use crate::run::{self, Show};
use crate::screen::Pace;
use crate::{Verdict, images};

/// Checks the files, then flashes the modem behind the port.
pub(crate) fn run(arguments: &Update, verbose: u8) -> Verdict {
    let firmware = Firmware::from(images::load(&arguments.files, &arguments.images)?);
    let mut world = LinuxWorld::new()
        .and_then(|mut world| world.handle_signals().map(|()| world))
        .map_err(|error| {
            Failure::new(Code::Bug, 1, "this system gives no signals or file descriptors").because(&error)
        })?;
    let request = Request {
        port: arguments.port.clone(),
        force: arguments.force,
        confirmed: arguments.yes,
        ignore_versions: arguments.force,
    };
    let show = Show {
        output: &arguments.output,
        verbose,
        pace: Pace::Real,
    };
    let verdict = run::run(&mut world, request, &firmware, show);
    if let Err(error) = world.finish() {
        images::say(&format!(
            "warning: a setting of this host wasn't put back: {error}"
        ));
    }
    verdict
}
