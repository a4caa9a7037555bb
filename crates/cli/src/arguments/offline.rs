//! The options of the verbs that need no modem.

use std::path::PathBuf;

use clap::Args;

use super::shared::FirmwareOptions;
#[cfg(feature = "rehearse")]
use super::shared::OutputOptions;

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

/// The list of faults. With clap's indentation it fits 80 columns.
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

/// The state in which a rehearsal finds the modem.
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

    /// Model of the virtual modem; by default a model that the images are for, or EM7565
    #[arg(long = "as", value_name = "MODEL")]
    pub(crate) model: Option<String>,

    /// Where the modem is found: running its old firmware, or stuck in download mode
    #[arg(long, value_enum, value_name = "MODE", default_value_t = RehearsalStart::Normal)]
    pub(crate) from: RehearsalStart,

    /// Something that goes wrong, such as `drop@1048576`; may be given several times (--help lists them)
    #[arg(long = "fault", value_name = "FAULT", long_help = faults())]
    pub(crate) faults: Vec<String>,

    /// Play all waiting times, as slow as with a real modem
    #[arg(long, conflicts_with = "fast")]
    pub(crate) real_time: bool,

    /// Don't play the waiting times
    #[arg(long)]
    pub(crate) fast: bool,

    /// Seed for everything random in the virtual modem
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    pub(crate) seed: u64,

    /// Answer all warnings with yes
    #[arg(short, long)]
    pub(crate) yes: bool,

    /// Send all images even if the modem has them
    #[arg(long)]
    pub(crate) override_download: bool,

    /// As --override-download, and go on in these cases: a file that is probably damaged, versions that differ, another firmware
    /// that has to be installed first
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
