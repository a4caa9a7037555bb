//! The command line: one definition for parsing, help and man page.

mod select;
mod verbs;

use std::path::PathBuf;

use clap::error::ErrorKind;
use clap::{ArgAction, Args, CommandFactory, Parser, Subcommand};
use update_engine::Given;

pub(crate) use select::request;
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
    2  wrong command line
    3  image refused
    4  no modem that can be used, or the host can't do it: more than one,
       port busy, no permission, no driver for download mode
    5  failed; the modem runs the firmware that it had
    6  failed; the modem is in download mode
    7  changed, but the modem doesn't run what was wanted
    8  several modems, which ended differently
    9  failed; the modem's state is not known
  130  stopped by the user
After 2, 3 and 4 the modem is as it was found. Each failure prints a stable code; docs/errors.md lists them.")]
pub(crate) struct Arguments {
    /// More detail; up to -vvv, which shows the bytes on the wire where one modem is meant
    #[arg(short, long, global = true, action = ArgAction::Count, display_order = 900)]
    pub(crate) verbose: u8,

    /// Work on virtual modems of these models instead of this host's, without waiting; MC7455@download is one in download mode
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
    /// Shows place on the bus, USB id, model, mode, speed, firmware, carrier, IMEI and ports of every modem, and what may become a
    /// trouble. Running modems are asked what they are; nothing is changed, and a port that another program has is left
    /// to it.
    List(List),
    /// Show everything about one modem
    ///
    /// Asks a running modem over whatever port answers (QMI, MBIM or AT). Of others it shows what the bus tells.
    Info(Info),
    /// Show what images contain and verify every checksum
    ///
    /// FILE is an image (.cwe, .nvu, .spk, .mbn), a folder, a .zip or .7z archive, or a self-extracting .exe.
    /// Everything is read in place; nothing is unpacked to the disk. Exit code 0 when all of it is sound, 3 when
    /// anything is damaged.
    Inspect(Inspect),
    /// Bring firmware to a modem, whatever state it is in, and prove it
    ///
    /// Checks everything first: every checksum in every image, that the images belong together and to this modem. A running
    /// modem is asked what it has, told what is to come, sent into download mode, flashed, and followed until it reports
    /// the versions that were wanted. One that is stuck in download mode is rescued. When it runs all of that already,
    /// nothing is done.
    ///
    /// The first Ctrl-C stops at the next point at which the modem can be helped; a second one stops at once. A closed
    /// terminal doesn't stop an update. The same command is safe to repeat.
    Update(Update),
    /// Show, select and delete stored firmware and carrier settings
    Slots(Slots),
    /// Restart a modem
    ///
    /// Tries every way that there is, one after the other, and says what came of each. Success means that the modem was seen to
    /// leave the bus and to come back.
    Reset(Reset),
    /// Send one AT command and show the answer
    ///
    /// Questions are sent at once. What sets, restarts, restores or deletes something is sent only after a yes, but for a few
    /// commands that are known to change nothing a user notices, such as AT+CMEE= and AT!ENTERCND=.
    At(At),
    /// Update a virtual modem, to see what happens without hardware
    ///
    /// Runs the same engine and shows the same screens as `update`. Without FILE it makes its own images.
    #[cfg(feature = "rehearse")]
    Rehearse(Rehearse),
    /// Feed a recorded wire trace back to the engine
    ///
    /// A trace made by `update --trace` is enough; the images are not needed. Says where the engine does something else than
    /// recorded, and exits with 1 then.
    Replay(Replay),
}

impl Command {
    /// Whether standard output is for a program.
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

/// Which files make up the firmware.
#[derive(Debug, Args)]
#[command(next_help_heading = "Which firmware")]
pub(crate) struct FirmwareOptions {
    /// Of several carriers take this one; or the carrier, where no file tells it
    #[arg(long, value_name = "NAME")]
    pub(crate) carrier: Option<String>,

    /// Of several firmware versions take this one; or the version, where no file tells it
    #[arg(long, value_name = "VERSION")]
    pub(crate) firmware: Option<String>,

    /// Of several config versions take this one; or the version, where no file tells it
    #[arg(long, value_name = "VERSION")]
    pub(crate) config: Option<String>,

    /// Unpack 7z archives into this folder instead of unpacking them twice
    #[arg(long, value_name = "DIR")]
    pub(crate) temp_dir: Option<PathBuf>,
}

impl FirmwareOptions {
    /// The versions on the command line: they fill what the files don't tell, and contradict what they do.
    pub(crate) fn given(&self) -> Given {
        Given {
            firmware: self.firmware.clone(),
            config: self.config.clone(),
            carrier: self.carrier.clone(),
        }
    }
}

#[derive(Debug, Args)]
pub(crate) struct Inspect {
    /// Images, folders, archives
    #[arg(required = true, value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,

    /// Print JSON objects, one per line (docs/inspect-json.md)
    #[arg(long)]
    pub(crate) json: bool,

    /// Unpack 7z archives into this folder
    #[arg(long, value_name = "DIR")]
    pub(crate) temp_dir: Option<PathBuf>,
}

/// How a run is shown and recorded.
#[derive(Debug, Args)]
#[command(next_help_heading = "Output")]
pub(crate) struct OutputOptions {
    /// Print events, one JSON object per line, on standard output (docs/events.md)
    #[arg(long)]
    pub(crate) json: bool,

    /// Write the complete wire trace to this file, for bug reports and `replay`; only an older trace is replaced
    #[arg(long, value_name = "FILE")]
    pub(crate) trace: Option<PathBuf>,
}

/// The faults, as a list that fits 80 columns behind clap's indentation.
#[cfg(feature = "rehearse")]
fn faults() -> String {
    use virtual_modem::fault::{FORMS, NORMAL_FORMS};
    const WIDTH: usize = 68;
    let all = FORMS.iter().chain(NORMAL_FORMS);
    let column = all.map(|(form, _)| form.len()).max().unwrap_or(0) + 4;
    let mut text = String::from("Something that goes wrong; may be given several times\n");
    let mut list = |head: &str, forms: &[(&str, &str)]| {
        text.push_str(&format!("\n{head}:"));
        for (form, meaning) in forms {
            let mut line = format!("  {form:<width$}", width = column - 2);
            for word in meaning.split(' ') {
                if line.len() + word.len() > WIDTH {
                    text.push_str(&format!("\n{}", line.trim_end()));
                    line = " ".repeat(column);
                }
                line.push_str(word);
                line.push(' ');
            }
            text.push_str(&format!("\n{}", line.trim_end()));
        }
    };
    list("In download mode", FORMS);
    list("On the way there and back, and while it runs", NORMAL_FORMS);
    text
}

/// Where a rehearsal begins.
#[cfg(feature = "rehearse")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum RehearsalStart {
    Normal,
    Download,
}

#[cfg(feature = "rehearse")]
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  modemflash rehearse                              images and modem made up
  modemflash rehearse --as MC7455 --from download  rescue one that is stuck
  modemflash rehearse --fault drop@1048576         it leaves in the middle
  modemflash rehearse --fast firmware.zip          your files, without waiting")]
pub(crate) struct Rehearse {
    /// Images, folders, archives; made up when there are none
    #[arg(value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,

    /// The virtual modem's model; by default what the images are for, or EM7565
    #[arg(long = "as", value_name = "MODEL")]
    pub(crate) model: Option<String>,

    /// Where the modem is found: running its old firmware, or stuck in download mode
    #[arg(long, value_enum, value_name = "MODE", default_value_t = RehearsalStart::Normal)]
    pub(crate) from: RehearsalStart,

    /// Something that goes wrong, such as `drop@1048576`; may be given several times (--help lists them)
    #[arg(long = "fault", value_name = "FAULT", long_help = faults())]
    pub(crate) faults: Vec<String>,

    /// Play all the waiting, as slow as a real modem
    #[arg(long, conflicts_with = "fast")]
    pub(crate) real_time: bool,

    /// Don't play the waiting
    #[arg(long)]
    pub(crate) fast: bool,

    /// Chance in the virtual modem comes from this number
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    pub(crate) seed: u64,

    /// Take warnings as answered with yes
    #[arg(short, long)]
    pub(crate) yes: bool,

    /// Send everything although the modem has it
    #[arg(long)]
    pub(crate) override_download: bool,

    /// As --override-download, and go on where it is refused: a file that is probably damaged, versions that differ, a firmware that has to come first
    #[arg(long)]
    pub(crate) force: bool,

    #[command(flatten)]
    pub(crate) images: FirmwareOptions,

    #[command(flatten)]
    pub(crate) output: OutputOptions,
}

#[derive(Debug, Args)]
pub(crate) struct Replay {
    /// A trace written by `--trace`
    #[arg(value_name = "TRACE")]
    pub(crate) trace: PathBuf,

    /// The images of the recorded run; without them their data isn't compared
    #[arg(value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,

    #[command(flatten)]
    pub(crate) images: FirmwareOptions,

    /// Print events, one JSON object per line, on standard output (docs/events.md)
    #[arg(long)]
    pub(crate) json: bool,
}

/// Ends the program as a wrong command line does.
pub(crate) fn wrong(message: impl std::fmt::Display) -> ! {
    Arguments::command()
        .error(ErrorKind::ArgumentConflict, message)
        .exit()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_definition_is_consistent() {
        Arguments::command().debug_assert();
    }
}
