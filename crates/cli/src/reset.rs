//! `modemflash reset`: restarts a modem, by whatever way works.

use serde::Serialize;
use update_engine::errand::{self, Restarted};

use crate::Verdict;
use crate::arguments::{self, Reset};
use crate::facts::SCHEMA;
use crate::host::Host;
use crate::images::say;
use crate::output::print_json;
use crate::screen::{self, Pace};

/// How it ended, as JSON has it.
#[derive(Debug, Serialize)]
struct RestartedLine {
    v: u16,
    restarted: Restarted,
}

/// Restarts the modem and says where it is now.
pub(crate) fn run(arguments: &Reset, mut host: Host, verbose: u8) -> Verdict {
    let request = arguments::request(&arguments.select, &arguments.control);
    let pace = if host.is_virtual() {
        Pace::Played
    } else {
        Pace::Real
    };
    let mut screen = screen::choose(arguments.json, verbose, pace);
    let mut show = |event: &update_engine::Event| screen.show(event);
    let errand = if arguments.download_mode {
        errand::enter_download_mode
    } else {
        errand::reset
    };
    let result = host.talk(|world| errand(world, &request, &mut show));
    screen.rest();
    host.finish();
    let restarted = result?;
    say(&format!(
        "the modem is at {} now, USB id {}, in {} mode",
        restarted.path, restarted.usb_id, restarted.mode
    ));
    if let Some(lost) = screen.lost() {
        return Err(lost);
    }
    if arguments.json {
        print_json(&RestartedLine { v: SCHEMA, restarted })?;
    }
    Ok(0)
}
