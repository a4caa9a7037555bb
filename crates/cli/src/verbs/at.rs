//! `modemflash at`: sends one AT command.

use modem_protocol::at::command::{Consent, danger, is_valid_text};
use serde::Serialize;
use update_engine::{Request, errand};

use crate::arguments::At;
use crate::ask::{self, Asker, UserAnswer};
use crate::failure::{OwnCode, VerbFailure, Verdict};
use crate::output::stderr::{say, say_warnings};
use crate::output::stdout::{print, print_json};
use crate::verbs::modem_view::SCHEMA;
use crate::worlds::chosen_world::ChosenWorld;

/// The modem's answer as JSON.
#[derive(Debug, Serialize)]
struct AtAnswerLine<'a> {
    v: u16,
    command: &'a str,
    lines: &'a [String],
}

/// Sends the command and prints the lines of the answer.
pub(crate) fn run(arguments: &At, mut chosen: ChosenWorld) -> Verdict {
    let command = arguments.command.trim();
    if !is_valid_text(command) {
        let what = format!("{command:?} is no AT command");
        let hint = "give one command of printable characters that begins with AT, in quotes: 'AT!IMPREF?'";
        return Err(VerbFailure::own(OwnCode::AtInvalid, what, hint));
    }
    let request = Request {
        select: arguments.select.one(),
        ..Request::default()
    };
    errand::require_running(chosen.world(), &request)?;
    match consents(arguments, command, chosen.asker())? {
        UserAnswer::Yes => {}
        refused => return refused.end("nothing was sent to the modem"),
    }
    let lines = chosen.talk(|world| errand::at_command(world, &request, command, &mut say_warnings));
    chosen.finish();
    let lines = lines?;
    if arguments.json {
        print_json(&AtAnswerLine {
            v: SCHEMA,
            command,
            lines: &lines,
        })?;
    } else {
        print(&(lines.join("\n") + "\n"))?;
    }
    Ok(0)
}

/// Whether the user agrees to what the command does (at.md §3, policy).
fn consents(arguments: &At, command: &str, asker: &Asker) -> Result<UserAnswer, VerbFailure> {
    let Some(danger) = danger(command) else {
        return Ok(UserAnswer::Yes);
    };
    let refused = |option| {
        let what = format!("{command} {}", danger.words);
        let hint = format!("if that is meant, run again with {option}");
        VerbFailure::own(OwnCode::NotAgreed, what, hint)
    };
    match danger.consent {
        Consent::Knowledge if arguments.i_know => Ok(UserAnswer::Yes),
        Consent::Knowledge => Err(refused("--i-know")),
        Consent::Confirmation if arguments.yes || arguments.i_know => Ok(UserAnswer::Yes),
        // A script can't be asked: it needs `--yes`.
        Consent::Confirmation if !arguments.json && ask::is_possible() => {
            say(&format!("{command} {}", danger.words));
            Ok(asker.ask("send it?"))
        }
        Consent::Confirmation => Err(refused("--yes")),
    }
}
