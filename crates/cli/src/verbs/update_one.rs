//! Updates one modem, for `update` and `rehearse`: asks the user about warnings, shows the run and records the trace.

use std::cell::{Cell, RefCell};
use std::io;

use modem_world::{Recorder, World};
use update_engine::RunWarning;
use update_engine::codes::Code;
use update_engine::{Firmware, Outcome, Plan, Request, Selector, Verb, update_asking};

use crate::arguments::OutputOptions;
use crate::ask::{self, Asker, UserAnswer};
use crate::failure::{VerbFailure, Verdict};
use crate::output::file::OutputFile;
use crate::output::stderr::{say, say_warnings};
use crate::screen::{self, Pace};
use crate::trace;
use crate::worlds::chosen_world::overheard;

/// How a run is shown and recorded.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RunDisplay<'a> {
    pub(crate) output: &'a OutputOptions,
    pub(crate) trace: Option<OutputFile<'a>>,
    pub(crate) verbose: u8,
    pub(crate) pace: Pace,
}

/// How a run ended.
enum UpdateEnd {
    /// The run reached its goal. If not all events could be written, the reason stands beside it.
    Outcome(Box<Outcome>, Option<Box<VerbFailure>>),
    /// The user didn't say yes.
    Declined(UserAnswer),
}

/// Updates one modem, asks the user about warnings, and says how the run ended.
pub(crate) fn run(
    world: &mut dyn World,
    asker: &Asker,
    request: &Request,
    firmware: &Firmware,
    show: RunDisplay<'_>,
) -> Verdict {
    let end = match show.trace.filter(|_| is_there(world, request)) {
        None => overheard(world, show.verbose, |world| {
            on_screen(world, asker, request, firmware, show)
        })?,
        Some(file) => {
            let head = trace::head::write(request, firmware).map_err(|error| {
                VerbFailure::new(Code::ImageRead, "the images can't be read for the trace").because(&error)
            })?;
            record(world, file, &head, |world| {
                on_screen(world, asker, request, firmware, show)
            })?
        }
    };
    match end {
        UpdateEnd::Outcome(outcome, lost) => {
            finish(&outcome);
            lost.map_or(Ok(0), |lost| Err(*lost))
        }
        UpdateEnd::Declined(answer) => answer.end("nothing was changed on the modem"),
    }
}

/// Whether the selected modem is there. If it isn't, there is nothing to record, and an older trace must not be overwritten.
fn is_there(world: &mut dyn World, request: &Request) -> bool {
    match &request.select {
        // The port alone decides: behind a pseudo-terminal there is no modem on the bus.
        Selector::Port(name) => world.find(name).is_ok(),
        _ => update_engine::find_one(world, request, Verb::Update, &mut say_warnings).is_ok(),
    }
}

fn on_screen(
    world: &mut dyn World,
    asker: &Asker,
    request: &Request,
    firmware: &Firmware,
    show: RunDisplay<'_>,
) -> Result<UpdateEnd, VerbFailure> {
    let screen = RefCell::new(screen::choose(show.output.json, show.verbose, show.pace));
    let declined = Cell::new(None);
    let mut ask = |plan: &Plan| {
        // A script can't be asked: it needs `--yes`.
        if show.output.json || !ask::is_possible() || plan.to_confirm().next().is_none() {
            return false;
        }
        let answer = asker.ask_over(screen.borrow_mut().as_mut(), &questions(plan, request));
        declined.set(Some(answer).filter(|answer| *answer != UserAnswer::Yes));
        answer == UserAnswer::Yes
    };
    let result = update_asking(
        world,
        request,
        firmware,
        &mut |event| screen.borrow_mut().show(event),
        &mut ask,
    );
    let mut screen = screen.into_inner();
    screen.rest();
    match (declined.get(), result) {
        (Some(answer), Err(_)) => Ok(UpdateEnd::Declined(answer)),
        (_, Ok(outcome)) => Ok(UpdateEnd::Outcome(Box::new(outcome), screen.lost().map(Box::new))),
        (_, Err(error)) => Err(VerbFailure::of_shown_run(error)),
    }
}

/// The questions about a plan, one after the other. Two questions if the user contradicts what is known of the modem
/// (`--as-platform`).
fn questions(plan: &Plan, request: &Request) -> Vec<String> {
    let mut questions = vec![ask::GO_ON.to_owned()];
    let is_vouched = plan
        .to_confirm()
        .any(|warning| warning.code == RunWarning::AsPlatform.into());
    if let (true, Some(platform)) = (is_vouched, &request.as_platform) {
        questions.push(format!("are you sure that this modem takes {platform} firmware?"));
    }
    questions
}

/// Prints the last lines of a run that reached its goal.
pub(crate) fn finish(outcome: &Outcome) {
    say(&outcome.to_string());
    if let Outcome::Accepted(accepted) = outcome {
        say(&format!("next: {}", accepted.hint));
    }
}

/// Runs and records everything on the wire in a trace. If writing the trace fails later, the run goes on with a warning.
fn record(
    world: &mut dyn World,
    file: OutputFile<'_>,
    head: &str,
    run: impl FnOnce(&mut dyn World) -> Result<UpdateEnd, VerbFailure>,
) -> Result<UpdateEnd, VerbFailure> {
    let path = file.path.display();
    let file = file
        .create()
        .map_err(|why| trace::file::refused(file.path, &why))?;
    let complain = |error| say(&format!("warning: the trace {path} is incomplete: {error}"));
    let mut recorder = Recorder::new(world, io::BufWriter::new(file), complain);
    recorder.comment(head);
    let result = run(&mut recorder);
    recorder.finish();
    result
}
