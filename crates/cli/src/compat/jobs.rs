//! The jobs of `-u`, `-U` and `-b`.

use std::path::Path;

use firmware_image::source::{FirmwareSet, Inspected, Options, Wanted, gather, inspect};
use modem_world::World;
use update_engine::modem::Mode;
use update_engine::{ControlChoice, Event, Firmware, Given, Request, Selector, errand, update};

use super::console::Console;
use super::option_table::OptionName;
use super::options::AskedOptions;
use super::progress::{CompatJob, ProgressLines};
use super::{refusal, select, verify};

/// Does what the command line asks of a modem. Returns whether the job succeeded.
pub(crate) fn run(asked: &AskedOptions, world: &mut dyn World, console: &mut Console<'_>) -> bool {
    let chosen = match select::choose(asked, world) {
        Ok(chosen) => chosen,
        Err(refused) => {
            console.error(&format!("couldn't select device:: {}", refused.words));
            for line in &refused.more {
                console.warn(&format!("  {line}"));
            }
            return false;
        }
    };
    let is_download = asked.has(OptionName::UpdateDownload);
    let languages = [OptionName::OpenQmi, OptionName::OpenMbim, OptionName::OpenAuto];
    if !is_download && asked.count(&languages) > 1 {
        console.error("cannot specify multiple mode flags to open device");
        return false;
    }
    if asked.has(OptionName::Reset) {
        return reset(asked, chosen.select, world, console);
    }
    let slot = match u8::try_from(asked.storage_index) {
        Ok(index) => Some(index).filter(|index| *index > 0 && !is_download),
        Err(_) if is_download => None,
        Err(_) => {
            console.error("invalid modem storage index");
            return false;
        }
    };
    let Some(firmware) = load(asked, console) else {
        return false;
    };
    let mode = chosen.modem.as_ref().map(|modem| modem.mode);
    match (mode, is_download) {
        (Some(Mode::Normal), true) => {
            console.error(select::NO_DOWNLOAD_PORT);
            console.warn("  the modem runs its firmware: update it with --update");
            return false;
        }
        (Some(Mode::Download), false) => {
            console.warn("note: the modem is in download mode already; it is updated from there");
        }
        _ => {}
    }
    let request = Request {
        given: Given {
            firmware: asked.firmware.clone(),
            config: asked.config.clone(),
            carrier: asked.carrier.clone(),
        },
        // `qmi-firmware-update` doesn't compare versions for a modem in download mode.
        ignore_versions: is_download || asked.has(OptionName::IgnoreVersions),
        download_override: asked.has(OptionName::Override),
        slot,
        skip_read_back: asked.has(OptionName::SkipValidation),
        ..request(asked, chosen.select)
    };
    if !request.ignore_versions && refusal::print_mixed(&firmware, console) {
        return false;
    }
    let mut progress = ProgressLines::new(
        console,
        CompatJob::Update,
        Some(&firmware),
        asked.has(OptionName::Verbose),
    );
    let result = update(world, &request, &firmware, &mut |event: &Event| {
        progress.show(event)
    });
    if let Err(error) = &result {
        refusal::print(error, CompatJob::Update, Some(&firmware), console);
    }
    result.is_ok()
}

fn reset(asked: &AskedOptions, select: Selector, world: &mut dyn World, console: &mut Console<'_>) -> bool {
    let request = request(asked, select);
    let mut progress = ProgressLines::new(console, CompatJob::Reset, None, asked.has(OptionName::Verbose));
    let result = errand::enter_download_mode(world, &request, &mut |event: &Event| progress.show(event));
    match &result {
        Ok(_) => console.say("reseter operation finished successfully"),
        Err(error) => refusal::print(error, CompatJob::Reset, None, console),
    }
    result.is_ok()
}

/// What the requests of all jobs have in common.
fn request(asked: &AskedOptions, select: Selector) -> Request {
    let control = if asked.has(OptionName::OpenQmi) {
        ControlChoice::Qmi
    } else if asked.has(OptionName::OpenMbim) {
        ControlChoice::Mbim
    } else {
        // Auto already uses the proxy if a proxy has the port, so --device-open-proxy needs nothing more.
        ControlChoice::Auto
    };
    Request {
        select,
        control,
        // `qmi-firmware-update` never asks the user, so warnings are only printed.
        confirmed: true,
        ignore_manager: asked.has(OptionName::IgnoreManager),
        ..Request::default()
    }
}

/// Loads and checks the files. If they can't be used, the reason is printed.
fn load(asked: &AskedOptions, console: &mut Console<'_>) -> Option<Firmware> {
    let refuse = |console: &mut Console<'_>, code: &str, why: &str| {
        console.error("unknown firmware image file");
        console.error(&format!("{why} [{code}]"));
        None
    };
    let gathered = match gather(&asked.files, &Options::default()) {
        Ok(gathered) => gathered,
        Err(error) => return refuse(console, error.code(), &error.to_string()),
    };
    for note in &gathered.notes {
        console.warn(&format!("note: {note}"));
    }
    let inspected: Inspected = inspect(gathered, &mut |_| {});
    for note in &inspected.notes {
        console.warn(&format!("note: {note}"));
    }
    match FirmwareSet::choose(inspected, &wanted(asked)) {
        Ok(set) => {
            for left in &set.left_out {
                console.warn(&format!("note: {}: not used ({})", left.name, left.why));
            }
            let firmware = Firmware::from(set);
            let damage = firmware
                .reports()
                .find_map(|report| Some((report, verify::damage(report)?)));
            match damage {
                Some((report, finding)) => {
                    let why = format!("{}: {finding}", report.name);
                    refuse(console, finding.code(), &why)
                }
                None => Some(firmware),
            }
        }
        Err(error) => refuse(console, error.code(), &error.to_string()),
    }
}

/// The versions in the options choose among the files in a folder or an archive. Files that are named one by one are all meant; if
/// their versions differ from the options, that is an error.
fn wanted(asked: &AskedOptions) -> Wanted {
    if !asked.files.iter().any(|path| is_collection(path)) {
        return Wanted::default();
    }
    Wanted {
        firmware: asked.firmware.clone(),
        config: asked.config.clone(),
        carrier: asked.carrier.clone(),
        ..Wanted::default()
    }
}

fn is_collection(path: &Path) -> bool {
    let extension = path.extension().and_then(|extension| extension.to_str());
    let is_archive = extension.is_some_and(|extension| {
        ["zip", "7z", "exe"]
            .iter()
            .any(|known| extension.eq_ignore_ascii_case(known))
    });
    is_archive || path.is_dir()
}
