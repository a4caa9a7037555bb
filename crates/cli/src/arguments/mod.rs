//! The command line. Parsing, help and the manual page come from this one definition.

mod offline;
mod select;
mod shared;
mod verbs;

use clap::error::ErrorKind;
use clap::{ArgAction, CommandFactory, Parser, Subcommand};

pub(crate) use offline::{Inspect, Replay};
#[cfg(feature = "rehearse")]
pub(crate) use offline::{RehearsalStart, Rehearse};
pub(crate) use select::request;
use select::too_many;
pub(crate) use shared::{FirmwareOptions, OutputOptions};
pub(crate) use verbs::{At, Info, List, Reset, Slots, SlotsAction, SlotsDelete, SlotsSelect, Update};

/// Updates, repairs and inspects the firmware of Sierra Wireless cellular modems.
#[derive(Debug, Parser)]
#[command(
    name = "modemflash",
    version,
    max_term_width = 100,
    subcommand_required = true,
    arg_required_else_help = true
)]
#[command(after_help = "\
Examples:
  modemflash list                                  which modems are there
  modemflash inspect SWI9X50C_01.14.13.00.zip      what is in it, is it sound,
                                                   which modems does it fit
  modemflash update *.cwe *.nvu                    update the only modem
  modemflash update --port 1-1.4 firmware.zip      update the modem there
  modemflash update --all firmware.zip             all that it is for, at once
  modemflash rehearse                              see it work without hardware

Exit codes:
    0  done, or nothing to do
    1  unexpected failure
    2  wrong command line, or a request that can't be met
    3  images refused
    4  no modem that can be used, or the host can't do it: more than one modem,
       port busy, no permission, no driver for download mode
    5  failed; the modem runs the firmware that it had
    6  failed; the modem is in download mode or memory-dump mode
    7  failed; the modem was changed and runs, but not what was requested
    8  several modems, which ended differently
    9  failed; the modem's state is not known
  130  stopped by the user
After 2, 3 and 4 the modem is as it was found. Each failure prints a stable code; docs/errors.md lists them.")]
pub(crate) struct Arguments {
    /// More detail; up to -vvv, which also shows the bytes on the wire of a single modem
    #[arg(short, long, global = true, action = ArgAction::Count, display_order = 900)]
    pub(crate) verbose: u8,

    /// Work on virtual modems of these models instead of the modems of this host, without waiting; MC7455@download is a modem in
    /// download mode
    #[cfg(feature = "rehearse")]
    #[arg(
        long = "virtual",
        global = true,
        value_name = "MODEL[,MODEL…]",
        value_delimiter = ',',
        hide_short_help = true,
        display_order = 901
    )]
    pub(crate) models: Vec<String>,

    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Show the modems of this host
    ///
    /// Shows place on the bus, USB id, model, mode, speed, firmware, carrier, IMEI and ports of every modem, and warns of what may
    /// cause trouble. Running modems are asked what they are, and nothing is changed. A port that another program uses is left
    /// alone.
    List(List),
    /// Show everything about one modem
    ///
    /// Asks a running modem over whatever port answers (QMI, MBIM or AT). Of a modem in another mode it shows what the bus tells.
    Info(Info),
    /// Show what images contain and verify every checksum
    ///
    /// FILE is an image (.cwe, .nvu, .spk, .mbn), a folder, a .zip or .7z archive, or a self-extracting .exe. Everything is read in
    /// place; nothing is unpacked to the disk unless --temp-dir says so. The exit code is 0 if every file can be sent to a modem, 3 if
    /// one is damaged or the files don't belong together, 2 if a file doesn't exist.
    Inspect(Inspect),
    /// Update a modem, whatever state it is in, and verify the result
    ///
    /// Checks everything first: every checksum in every image, and whether the images belong together and fit the modem. A running
    /// modem is asked which firmware it has, told which firmware is to come, sent into download mode, flashed, and followed until
    /// it reports the new versions. A modem that is stuck in download mode is rescued. If the modem already runs them,
    /// nothing is done.
    ///
    /// The first Ctrl-C stops the update at the next safe point; a second one stops it at once. A closed terminal doesn't stop an
    /// update that has begun. It is safe to repeat the same command.
    Update(Update),
    /// Show, select and delete stored firmware and carrier settings
    Slots(Slots),
    /// Restart a modem
    ///
    /// Tries one way after the other until the modem restarts, and says how each of them went. Success means that the modem was
    /// seen to leave the bus and to come back.
    Reset(Reset),
    /// Send one AT command and show the answer
    ///
    /// Queries are sent at once. A command that sets, restarts, restores or deletes something is sent only after a yes. Exceptions
    /// are a few commands that are known to change nothing that a user notices, such as AT+CMEE= and AT!ENTERCND=.
    At(At),
    /// Update a virtual modem, to see what happens without hardware
    ///
    /// Runs the same engine and shows the same screens as `update`. Without FILE it makes its own images.
    #[cfg(feature = "rehearse")]
    Rehearse(Rehearse),
    /// Feed a recorded wire trace back to the engine
    ///
    /// A trace made by `update --trace` is enough; the images are not needed. If the engine does something else than recorded, it
    /// says where, and the exit code is 1.
    Replay(Replay),
}

impl Arguments {
    /// Reads the command line.
    ///
    /// # Errors
    /// The command line is wrong, or asks for help or the version. The error has the words to print in all these cases.
    pub(crate) fn read() -> Result<Self, clap::Error> {
        let arguments = Self::try_parse()?;
        match arguments.contradiction() {
            Some(words) => Err(Self::command().error(ErrorKind::ArgumentConflict, words)),
            None => Ok(arguments),
        }
    }

    /// Why the options can't stand together, if clap can't see that by itself.
    fn contradiction(&self) -> Option<String> {
        match &self.command {
            Command::Info(info) => too_many(&info.select.all()),
            Command::Slots(slots) => too_many(&slots.named()),
            Command::Reset(reset) => too_many(&reset.select.all()),
            Command::At(at) => too_many(&at.select.all()),
            Command::Update(update) => update.contradiction().map(str::to_owned),
            #[cfg(feature = "rehearse")]
            Command::Rehearse(_) if !self.models.is_empty() => {
                Some("rehearse has a virtual modem of its own: name its model with --as".to_owned())
            }
            #[cfg(feature = "rehearse")]
            Command::Rehearse(_) => None,
            Command::List(_) | Command::Inspect(_) | Command::Replay(_) => None,
        }
    }
}

impl Command {
    /// Whether standard output is read by a program (`--json`).
    pub(crate) fn is_json(&self) -> bool {
        match self {
            Self::List(list) => list.json,
            Self::Info(info) => info.json,
            Self::Inspect(inspect) => inspect.json,
            Self::Update(update) => update.output.json,
            Self::Slots(slots) => slots.is_json(),
            Self::Reset(reset) => reset.json,
            Self::At(at) => at.json,
            #[cfg(feature = "rehearse")]
            Self::Rehearse(rehearse) => rehearse.output.json,
            Self::Replay(replay) => replay.json,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_definition_is_consistent() {
        Arguments::command().debug_assert();
    }
}
