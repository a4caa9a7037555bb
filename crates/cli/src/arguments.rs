//! The command line: one definition for parsing, help and man page.

use std::path::PathBuf;

use clap::{ArgAction, Args, Parser, Subcommand};

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
  modemflash inspect SWI9X50C_01.14.13.00.zip      what is in it, is it sound,
                                                   which modems does it fit
  modemflash update -t /dev/ttyUSB0 *.cwe *.nvu    flash a modem in
                                                   download mode
  modemflash rehearse                              see it work without hardware

Exit codes:
    0  done
    1  unexpected failure
    2  wrong command line
    3  image refused
    4  no modem, port busy, or no permission
    5  failed; the modem runs its old firmware
    6  failed; the modem is in download mode
    9  failed; the modem's state is not known
  130  stopped by the user
Each failure prints a stable code; docs/errors.md lists them.")]
pub(crate) struct Arguments {
    /// More detail; up to -vvv, which shows the bytes on the wire
    #[arg(short, long, global = true, action = ArgAction::Count, display_order = 900)]
    pub(crate) verbose: u8,

    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Show what images contain and verify every checksum
    ///
    /// FILE is an image (.cwe, .nvu, .spk, .mbn), a folder, a .zip or .7z archive, or a self-extracting .exe.
    /// Everything is read in place; nothing is unpacked to the disk. Exit code 0 when all of it is sound, 3 when
    /// anything is damaged.
    Inspect(Inspect),
    /// Flash a modem that sits in download mode
    ///
    /// Checks everything first: every checksum in every image, that the images belong together and to this modem, and
    /// that the port is what it should be. Then sends the images, largest first, and restarts the modem.
    ///
    /// The first Ctrl-C stops at the next point at which the modem can be helped; a second one stops at once. A closed
    /// terminal doesn't stop a flash.
    Update(Update),
    /// Flash a virtual modem, to see what happens without hardware
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

/// Which files make up the firmware.
#[derive(Debug, Args)]
pub(crate) struct Images {
    /// Of several carriers in a folder or archive, take this one
    #[arg(long, value_name = "NAME")]
    pub(crate) carrier: Option<String>,

    /// Of several firmware versions in a folder or archive, take this one
    #[arg(long, value_name = "VERSION")]
    pub(crate) firmware: Option<String>,

    /// Of several config versions in a folder or archive, take this one
    #[arg(long, value_name = "VERSION")]
    pub(crate) config: Option<String>,

    /// Unpack 7z archives into this folder instead of unpacking them twice
    #[arg(long, value_name = "DIR")]
    pub(crate) temp_dir: Option<PathBuf>,
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
pub(crate) struct Output {
    /// Print events, one JSON object per line, on standard output (docs/events.md)
    #[arg(long)]
    pub(crate) json: bool,

    /// Write the complete wire trace to this file, for bug reports and `replay`
    #[arg(long, value_name = "FILE")]
    pub(crate) trace: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct Update {
    /// The modem's serial port in download mode, or a link to it
    #[arg(short = 't', long = "tty", value_name = "PORT")]
    pub(crate) port: String,

    /// Images, folders, archives
    #[arg(required = true, value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,

    /// Take warnings as answered with yes; needed in scripts where a warning says that the modem could be harmed
    #[arg(short, long)]
    pub(crate) yes: bool,

    /// Go on although the port or the images don't look like this modem's
    #[arg(long)]
    pub(crate) force: bool,

    #[command(flatten)]
    pub(crate) images: Images,

    #[command(flatten)]
    pub(crate) output: Output,
}

/// The faults, as a list that fits 80 columns behind clap's indentation.
#[cfg(feature = "rehearse")]
fn faults() -> String {
    const WIDTH: usize = 68;
    let forms = virtual_modem::fault::FORMS;
    let column = forms.iter().map(|(form, _)| form.len()).max().unwrap_or(0) + 4;
    let mut text = String::from("Something that goes wrong; may be given several times\n");
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
    text.push_str("\n\n`update` doesn't wait for the return yet: with return: it ends as without");
    text
}

#[cfg(feature = "rehearse")]
#[derive(Debug, Args)]
pub(crate) struct Rehearse {
    /// Images, folders, archives; made up when there are none
    #[arg(value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,

    /// The virtual modem's model; by default what the images are for, or EM7565
    #[arg(long = "as", value_name = "MODEL")]
    pub(crate) model: Option<String>,

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

    /// Go on although the images don't look like this modem's
    #[arg(long)]
    pub(crate) force: bool,

    #[command(flatten)]
    pub(crate) images: Images,

    #[command(flatten)]
    pub(crate) output: Output,
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
    pub(crate) images: Images,

    /// Print events, one JSON object per line, on standard output (docs/events.md)
    #[arg(long)]
    pub(crate) json: bool,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_definition_is_consistent() {
        Arguments::command().debug_assert();
    }
}
