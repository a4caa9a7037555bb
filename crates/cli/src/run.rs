//! What `update`, `rehearse` and `replay` have in common: ask where something is doubtful, flash, show, record.

use std::fs::File;
use std::io::{self, BufRead, IsTerminal, Write};
use std::path::Path;

use modem_world::{Recorder, World};
use update_engine::codes::Code;
use update_engine::{Firmware, Outcome, Plan, Request, UpdateError, prepare, update};

use crate::arguments::Output;
use crate::failure::Failure;
use crate::head;
use crate::images::say;
use crate::screen::{self, Pace};
use crate::{INTERRUPTED, Verdict};

/// How a run is shown.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Show<'a> {
    pub(crate) output: &'a Output,
    pub(crate) verbose: u8,
    pub(crate) pace: Pace,
}

/// Asks what there is to ask, flashes, and says how it ended.
pub(crate) fn run(
    world: &mut dyn World,
    mut request: Request,
    firmware: &Firmware,
    show: Show<'_>,
) -> Verdict {
    if !request.confirmed {
        // What speaks against it is said by `flash`, as an event like everything else.
        if let Ok(plan) = prepare(world, &request, firmware) {
            match ask(&plan, show.output.json) {
                Answer::Nothing => {}
                Answer::Yes => request.confirmed = true,
                Answer::No => {
                    say("nothing was sent to the modem");
                    return Ok(INTERRUPTED);
                }
            }
        }
    }
    let outcome = match &show.output.trace {
        None => flash_on_screen(world, &request, firmware, show)?,
        Some(path) => {
            let head = head::write(&request, firmware).map_err(|error| {
                Failure::new(Code::ImageRead, 3, "the images can't be read for the trace").because(&error)
            })?;
            record(world, path, &head, |world| {
                flash_on_screen(world, &request, firmware, show)
            })?
        }
    };
    finish(&outcome);
    Ok(0)
}

fn flash_on_screen(
    world: &mut dyn World,
    request: &Request,
    firmware: &Firmware,
    show: Show<'_>,
) -> Result<Outcome, UpdateError> {
    let mut screen = screen::choose(show.output.json, show.verbose, show.pace);
    let result = update(world, request, firmware, &mut |event| screen.show(event));
    screen.rest();
    result
}

/// The last lines of a run that reached its goal.
fn finish(outcome: &Outcome) {
    say(&outcome.to_string());
    if let Outcome::Accepted(accepted) = outcome {
        say(&format!("next: {}", accepted.next));
    }
}

/// Runs with a trace of everything on the wire. Where the trace can't be written the flash goes on, and it is said.
fn record(
    world: &mut dyn World,
    path: &Path,
    head: &str,
    run: impl FnOnce(&mut dyn World) -> Result<Outcome, UpdateError>,
) -> Result<Outcome, Failure> {
    let file = File::create(path).map_err(|error| {
        let what = format!("the trace {} can't be written: {error}", path.display());
        Failure::of_code("E-TRACE-WRITE", 2, what).hint("choose another file, or leave --trace out")
    })?;
    let complain = |error| {
        say(&format!(
            "warning: the trace {} is incomplete: {error}",
            path.display()
        ))
    };
    let mut recorder = Recorder::new(world, io::BufWriter::new(file), complain);
    recorder.comment(head);
    let result = run(&mut recorder);
    recorder.finish();
    Ok(result?)
}

/// What came of asking.
enum Answer {
    /// There was nothing to ask, or nobody: then the engine refuses what isn't confirmed.
    Nothing,
    Yes,
    No,
}

/// Where a warning says that the modem could be harmed, a terminal is asked. A script needs `--yes`.
fn ask(plan: &Plan, json: bool) -> Answer {
    let mut doubts = plan.to_confirm().peekable();
    if doubts.peek().is_none() || json || !io::stdin().is_terminal() || !io::stderr().is_terminal() {
        return Answer::Nothing;
    }
    for doubt in doubts {
        say(&format!("warning: {}", doubt.text));
    }
    let _ = write!(io::stderr(), "go on all the same? [y/N] ");
    let mut answer = String::new();
    match io::stdin().lock().read_line(&mut answer) {
        Ok(_) if matches!(answer.trim(), "y" | "Y" | "yes" | "Yes") => Answer::Yes,
        _ => Answer::No,
    }
}
