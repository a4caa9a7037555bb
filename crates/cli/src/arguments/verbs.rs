//! The options of the verbs that need a modem.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use firmware_image::Platform;
use update_engine::{ControlChoice, Request, Selector};

use super::select::{ControlOptions, SelectOptions, only};
use super::shared::{FirmwareOptions, OutputOptions};

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  modemflash list                     all modems of this host
  modemflash list --no-ask            without opening a port
  modemflash list --watch             see modems come and go
  modemflash list --json | jq .place  for scripts (docs/list-json.md)")]
pub(crate) struct List {
    /// Print JSON objects, one per line (docs/list-json.md)
    #[arg(long)]
    pub(crate) json: bool,

    /// Show only what the bus tells; no port is opened
    #[arg(long)]
    pub(crate) no_ask: bool,

    /// Go on and show what changes on the bus, until Ctrl-C; no port is opened
    #[arg(long)]
    pub(crate) watch: bool,

    #[command(flatten)]
    pub(crate) control: ControlOptions,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  modemflash info                     the only modem
  modemflash info --port 1-1.4        the modem at this place")]
pub(crate) struct Info {
    /// Print one JSON object (docs/list-json.md)
    #[arg(long)]
    pub(crate) json: bool,

    #[command(flatten)]
    pub(crate) select: SelectOptions,

    #[command(flatten)]
    pub(crate) control: ControlOptions,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  modemflash slots                              what is stored
  modemflash slots select 2                     run the image in slot 2
  modemflash slots select 02.33.03.00 --pri GENERIC
  modemflash slots delete 3                     delete the image in slot 3
  modemflash slots delete 002.072_000 --yes     delete carrier settings")]
pub(crate) struct Slots {
    #[command(subcommand)]
    pub(crate) action: Option<SlotsAction>,

    #[command(flatten)]
    pub(crate) list: SlotsList,
}

impl Slots {
    /// Whether standard output is read by a program (`--json`).
    pub(crate) fn is_json(&self) -> bool {
        let behind = match &self.action {
            None => false,
            Some(SlotsAction::List(list)) => list.json,
            Some(SlotsAction::Select(select)) => select.json,
            Some(SlotsAction::Delete(delete)) => delete.json,
        };
        self.list.json || behind
    }

    /// The modems that were named, before the action or behind it.
    pub(super) fn named(&self) -> Vec<Selector> {
        let mut named = self.list.select.all();
        if let Some((select, _)) = self.behind() {
            named.extend(select.all());
        }
        named
    }

    /// A request for the modem that was named before or behind the action.
    pub(crate) fn request(&self) -> Request {
        let control = match self.behind().map(|(_, control)| control.choice()) {
            None | Some(ControlChoice::Auto) => self.list.control.choice(),
            Some(choice) => choice,
        };
        Request {
            select: only(self.named()),
            control,
            ..Request::default()
        }
    }

    /// The options that were given behind the action.
    fn behind(&self) -> Option<(&SelectOptions, &ControlOptions)> {
        Some(match self.action.as_ref()? {
            SlotsAction::List(list) => (&list.select, &list.control),
            SlotsAction::Select(select) => (&select.select, &select.control),
            SlotsAction::Delete(delete) => (&delete.select, &delete.control),
        })
    }
}

#[derive(Debug, Args)]
pub(crate) struct SlotsList {
    /// Print JSON objects, one per image and line (docs/list-json.md)
    #[arg(long)]
    pub(crate) json: bool,

    #[command(flatten)]
    pub(crate) select: SelectOptions,

    #[command(flatten)]
    pub(crate) control: ControlOptions,
}

#[derive(Debug, Subcommand)]
pub(crate) enum SlotsAction {
    /// Show what is stored, as `slots` alone does
    List(SlotsList),
    /// Make a stored firmware the preferred one; it runs after the next restart
    ///
    /// Firmware and carrier settings make a pair, and both have to be stored. If several stored settings belong to the firmware,
    /// choose one of them with --pri. `modemflash reset` restarts the modem.
    #[command(after_help = "\
Examples:
  modemflash slots select 2
  modemflash slots select 02.33.03.00 --pri 002.072_000 && modemflash reset")]
    Select(SlotsSelect),
    /// Delete a stored firmware or carrier settings
    ///
    /// An image that runs or is preferred is deleted only with --force, because without this image the modem keeps its radio off.
    #[command(after_help = "\
Examples:
  modemflash slots delete 3
  modemflash slots delete 02.24.05.06_ATT --yes")]
    Delete(SlotsDelete),
}

#[derive(Debug, Args)]
pub(crate) struct SlotsSelect {
    /// Number of a slot, firmware version, or build id
    #[arg(value_name = "SLOT|VERSION")]
    pub(crate) image: String,

    /// The carrier settings: config version or carrier
    #[arg(long, value_name = "CONFIG|CARRIER")]
    pub(crate) pri: Option<String>,

    /// Print one JSON object that says what was selected (docs/list-json.md)
    #[arg(long)]
    pub(crate) json: bool,

    #[command(flatten)]
    pub(crate) select: SelectOptions,

    #[command(flatten)]
    pub(crate) control: ControlOptions,
}

#[derive(Debug, Args)]
pub(crate) struct SlotsDelete {
    /// Slot number of a firmware, or config version or build id of carrier settings
    #[arg(value_name = "SLOT|CONFIG|BUILD_ID")]
    pub(crate) image: String,

    /// Don't ask; needed in scripts
    #[arg(short, long)]
    pub(crate) yes: bool,

    /// Delete the image even if it runs or is preferred
    #[arg(long)]
    pub(crate) force: bool,

    /// Print one JSON object that says what was deleted (docs/list-json.md)
    #[arg(long)]
    pub(crate) json: bool,

    #[command(flatten)]
    pub(crate) select: SelectOptions,

    #[command(flatten)]
    pub(crate) control: ControlOptions,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  modemflash reset                    restart it, also out of download mode
  modemflash reset --download-mode    into its boot loader, to be flashed")]
pub(crate) struct Reset {
    /// Restart into download mode ("boot & hold"); the modem stays there until it is flashed or restarted
    #[arg(long)]
    pub(crate) download_mode: bool,

    /// With --download-mode: answer all warnings with yes; scripts need this if it is unknown whether this host makes a port of the
    /// modem in download mode
    #[arg(short, long, requires = "download_mode")]
    pub(crate) yes: bool,

    /// With --download-mode: go on even if no driver of this host makes a port of the modem there
    #[arg(long, requires = "download_mode")]
    pub(crate) force: bool,

    /// Print events, one JSON object per line, on standard output (docs/events.md)
    #[arg(long)]
    pub(crate) json: bool,

    #[command(flatten)]
    pub(crate) select: SelectOptions,

    #[command(flatten)]
    pub(crate) control: ControlOptions,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  modemflash at ATI
  modemflash at 'AT!IMPREF?'
  modemflash at --yes 'AT!USBCOMP=1,1,100D'")]
pub(crate) struct At {
    /// One command, beginning with AT
    #[arg(value_name = "COMMAND")]
    pub(crate) command: String,

    /// Send the command even if it sets, restarts or deletes something; needed in scripts
    #[arg(short, long)]
    pub(crate) yes: bool,

    /// Send the command even if it deletes settings that can't be brought back (AT!RMARESET, AT!NVRESTORE)
    #[arg(long)]
    pub(crate) i_know: bool,

    /// Print one JSON object (docs/list-json.md)
    #[arg(long)]
    pub(crate) json: bool,

    #[command(flatten)]
    pub(crate) select: SelectOptions,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  modemflash update SWI9X50C_01.14.13.00_GENERIC.zip
  modemflash update --port 1-1.4 *.cwe *.nvu
  modemflash update --port 1-1.3 --port 1-1.4 firmware/
  modemflash update --all --yes --json firmware/ >events.jsonl
  modemflash update -t /dev/ttyUSB0 --carrier VERIZON firmware.7z")]
pub(crate) struct Update {
    /// Images, folders, archives
    #[arg(required = true, value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,

    /// Update every modem that the images are for, all at once
    #[arg(long)]
    pub(crate) all: bool,

    /// Answer all warnings with yes; scripts need this if a warning says that the modem could be harmed
    #[arg(short, long)]
    pub(crate) yes: bool,

    /// Send all images even if the modem has them
    #[arg(long)]
    pub(crate) override_download: bool,

    /// As --override-download, and go on in these cases: a port that doesn't look like a modem's, a file that is probably damaged,
    /// versions that differ, another firmware that has to be installed first, missing images, a download mode in which this host
    /// makes no port of the modem
    #[arg(long)]
    pub(crate) force: bool,

    /// Go on even if the files name different versions
    #[arg(long)]
    pub(crate) ignore_versions: bool,

    /// Treat the modem as one of this platform, such as SWIX65C, whatever modemflash knows of it. Use this only if modemflash is
    /// mistaken: firmware for another platform can make a modem unusable for good. --force doesn't do this
    #[arg(long, value_name = "PLATFORM")]
    pub(crate) as_platform: Option<Platform>,

    /// Store the firmware in this slot, counted from 1
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u8).range(1..))]
    pub(crate) slot: Option<u8>,

    /// Don't ask the modem for its versions at the end; then success isn't proven
    #[arg(long)]
    pub(crate) no_read_back: bool,

    /// Go on although ModemManager runs and can't be asked to let go of the modem
    #[arg(long)]
    pub(crate) ignore_modem_manager: bool,

    #[command(flatten)]
    pub(crate) images: FirmwareOptions,

    #[command(flatten)]
    pub(crate) output: OutputOptions,

    #[command(flatten)]
    pub(crate) select: SelectOptions,

    #[command(flatten)]
    pub(crate) control: ControlOptions,
}

impl Update {
    /// Why these options can't stand together.
    pub(super) fn contradiction(&self) -> Option<&'static str> {
        let named = self.select.all().len();
        if self.all && named > 0 {
            Some("--all means every modem; name modems or give --all")
        } else if !self.all && named <= 1 {
            None
        } else if self.output.trace.is_some() {
            Some("--trace records one modem: give each its own run")
        } else if self.as_platform.is_some() {
            Some("--as-platform is about one modem: name it, and give it a run of its own")
        } else {
            None
        }
    }

    /// The request, without the modem.
    pub(crate) fn request(&self) -> Request {
        Request {
            force: self.force,
            confirmed: self.yes,
            ignore_versions: self.ignore_versions || self.force,
            given: self.images.given(),
            download_override: self.override_download,
            slot: self.slot,
            control: self.control.choice(),
            skip_read_back: self.no_read_back,
            ignore_manager: self.ignore_modem_manager,
            as_platform: self.as_platform.clone(),
            ..Request::default()
        }
    }
}
