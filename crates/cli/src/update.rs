//! `modemflash update`: a modem in download mode.

use firmware_image::Family;
use modem_transport::LinuxWorld;
use modem_world::World;
use update_engine::codes::Code;
use update_engine::devices::{self, Standing};
use update_engine::{Firmware, Request};

use crate::arguments::Update;
use crate::failure::Failure;
use crate::run::{self, Show};
use crate::screen::Pace;
use crate::{Verdict, images};

/// Checks the files, then flashes the modem behind the port.
pub(crate) fn run(arguments: &Update, verbose: u8) -> Verdict {
    let mut world = LinuxWorld::new()
        .and_then(|mut world| world.handle_signals().map(|()| world))
        .map_err(|error| {
            Failure::new(Code::Bug, 1, "this system gives no signals or file descriptors").because(&error)
        })?;
    let family = if arguments.force {
        None
    } else {
        family_behind(&mut world, &arguments.port)
    };
    let firmware = Firmware::from(images::load(&arguments.files, &arguments.images, family)?);
    let request = Request {
        force: arguments.force,
        confirmed: arguments.yes,
        ignore_versions: arguments.force,
        ..Request::on_port(arguments.port.clone())
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

/// The modem's family where its USB id tells one, to choose from a folder with firmware for several. Gobi files don't tell
/// their generation. What is wrong with the port is said later, by the engine.
fn family_behind(world: &mut dyn World, port: &str) -> Option<Family> {
    let device = world.find(port).ok()?.device?;
    let Standing::Known(row) = devices::standing(device.vendor, device.product) else {
        return None;
    };
    row.family
        .clone()
        .filter(|family| !matches!(family, Family::Gobi1000 | Family::Gobi2000 | Family::Gobi3000))
}
