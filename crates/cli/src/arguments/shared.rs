//! Options that several verbs take.

use std::path::PathBuf;

use clap::Args;
use update_engine::Given;

/// Which files make up the firmware.
#[derive(Debug, Args)]
#[command(next_help_heading = "Which firmware")]
pub(crate) struct FirmwareOptions {
    /// Choose this carrier among several, or name the carrier if no file tells it
    #[arg(long, value_name = "NAME")]
    pub(crate) carrier: Option<String>,

    /// Choose this firmware version among several, or name the version if no file tells it
    #[arg(long, value_name = "VERSION")]
    pub(crate) firmware: Option<String>,

    /// Choose this config version among several, or name the version if no file tells it
    #[arg(long, value_name = "VERSION")]
    pub(crate) config: Option<String>,

    /// Unpack 7z archives into this folder instead of unpacking them twice
    #[arg(long, value_name = "DIR")]
    pub(crate) temp_dir: Option<PathBuf>,
}

impl FirmwareOptions {
    /// The versions on the command line. They are used where the files don't tell a version; where a file tells another one, that
    /// is an error.
    pub(crate) fn given(&self) -> Given {
        Given {
            firmware: self.firmware.clone(),
            config: self.config.clone(),
            carrier: self.carrier.clone(),
        }
    }
}

/// How to show and record a run.
#[derive(Debug, Args)]
#[command(next_help_heading = "Output")]
pub(crate) struct OutputOptions {
    /// Print events, one JSON object per line, on standard output (docs/events.md)
    #[arg(long)]
    pub(crate) json: bool,

    /// Write the complete wire trace to this file, for bug reports and `replay`; an existing file is replaced only if it is an
    /// older trace
    #[arg(long, value_name = "FILE")]
    pub(crate) trace: Option<PathBuf>,
}
