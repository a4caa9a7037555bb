//! `modemflash reset`: restarts a modem. The engine tries all ways until one works.

use std::cell::{Cell, RefCell};

use serde::Serialize;
use update_engine::errand::{self, Restarted};
use update_engine::{Request, Warning};

use crate::arguments::{self, Reset};
use crate::ask;
use crate::ask::UserAnswer;
use crate::failure::{VerbFailure, Verdict};
use crate::output::stderr::say;
use crate::output::stdout::print_json;
use crate::screen::{self, Pace};
use crate::verbs::modem_view::SCHEMA;
use crate::worlds::chosen_world::{ChosenWorld, overheard};

/// The result as JSON.
#[derive(Debug, Serialize)]
struct RestartedLine {
    v: u16,
    restarted: Restarted,
}

/// Restarts the modem and says where it is now.
pub(crate) fn run(arguments: &Reset, mut chosen: ChosenWorld, verbose: u8) -> Verdict {
    let request = Request {
        confirmed: arguments.yes,
        force: arguments.force,
        ..arguments::request(&arguments.select, &arguments.control)
    };
    let pace = if chosen.is_virtual() {
        Pace::Played
    } else {
        Pace::Real
    };
    let screen = RefCell::new(screen::choose(arguments.json, verbose, pace));
    let declined = Cell::new(None);
    let (world, asker) = chosen.parts();
    let mut show = |event: &update_engine::Event| screen.borrow_mut().show(event);
    let mut ask = |_: &[Warning]| {
        // A script can't be asked: it needs `--yes`.
        if arguments.json || !ask::is_possible() {
            return false;
        }
        let answer = asker.ask_over(screen.borrow_mut().as_mut(), &[ask::GO_ON.to_owned()]);
        declined.set(Some(answer).filter(|answer| *answer != UserAnswer::Yes));
        answer == UserAnswer::Yes
    };
    let result = overheard(world, verbose, |world| {
        if arguments.download_mode {
            errand::enter_download_mode_asking(world, &request, &mut show, &mut ask)
        } else {
            errand::reset(world, &request, &mut show)
        }
    });
    let mut screen = screen.into_inner();
    screen.rest();
    chosen.finish();
    if let Some(answer) = declined.get() {
        return answer.end("nothing was changed on the modem");
    }
    let restarted = result.map_err(VerbFailure::of_shown_run)?;
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
