//! `modemflash replay`: feeds a recorded trace back to the engine.

use std::io::Read;

use firmware_image::source;
use modem_world::Replayer;
use modem_world::trace::Trace;
use update_engine::{Firmware, update};

use crate::arguments::Replay;
use crate::failure::{INTERRUPTED, OwnCode, VerbFailure, Verdict};
use crate::images;
use crate::output::stderr::say;
use crate::screen::{self, Pace};
use crate::trace::head::TraceHead;

/// Runs the engine against the trace and says whether it does the same as when the trace was recorded.
pub(crate) fn run(arguments: &Replay, verbose: u8) -> Verdict {
    let (trace, head) = read(arguments)?;
    let request = head.request.clone();
    let is_complete = trace.is_complete();
    let mut world = Replayer::new(trace);
    let firmware = if arguments.files.is_empty() {
        world = world.without_images();
        head.stand_ins().map_err(|why| unusable(arguments, &why))?
    } else {
        Firmware::from(images::load(&arguments.files, &arguments.images, None)?)
    };
    let mut screen = screen::choose(arguments.json, verbose, Pace::Played);
    let result = update(&mut world, &request, &firmware, &mut |event| screen.show(event));
    screen.rest();
    let lost = screen.lost();
    drop(screen);
    match &result {
        Ok(outcome) => say(&format!("the run ends as: {outcome}")),
        Err(error) => VerbFailure::from(error.clone()).print(),
    }
    match world.finish() {
        Ok(()) if is_complete => {
            say("replayed to its end: the engine does what it did when this was recorded")
        }
        Ok(()) => say("replayed as far as the trace goes; it was cut off (no `end`)"),
        Err(difference) => {
            let what = format!("the engine does something else than recorded: {difference}");
            let hint =
                "with another version of modemflash that may be meant; otherwise report it with the trace";
            return Err(VerbFailure::own(OwnCode::TraceDiffers, what, hint));
        }
    }
    if let Some(lost) = lost {
        return Err(lost);
    }
    // The replay went well, even if the recorded run failed. Only the exit code of a run that the user stopped is passed on.
    Ok(if result.is_err_and(|error| error.is_stopped()) {
        INTERRUPTED
    } else {
        0
    })
}

fn read(arguments: &Replay) -> Result<(Trace, TraceHead), VerbFailure> {
    let mut text = String::new();
    source::open(&arguments.trace)
        .map_err(|error| VerbFailure::own(OwnCode::TraceRead, error.to_string(), HINT))?
        .read_to_string(&mut text)
        .map_err(|error| unusable(arguments, &error.to_string()))?;
    let trace = Trace::parse(&text).map_err(|error| unusable(arguments, &error.to_string()))?;
    let head = TraceHead::parse(&trace.comments).map_err(|why| unusable(arguments, &why))?;
    Ok((trace, head))
}

fn unusable(arguments: &Replay, why: &str) -> VerbFailure {
    VerbFailure::own(
        OwnCode::TraceRead,
        format!("{}: {why}", arguments.trace.display()),
        HINT,
    )
}

const HINT: &str = "give a file that was written by `modemflash update --trace FILE` (docs/trace-format.md)";
