//! Finds and checks the images behind the paths on the command line, and says what it leaves out.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use firmware_image::Target;
use firmware_image::source::{
    ChoiceError, FirmwareSet, Gathered, Inspected, Options, Progress, SourceError, SpoolPolicy, Wanted,
    gather, inspect,
};
use update_engine::exit::Class;

use crate::arguments::FirmwareOptions;
use crate::failure::VerbFailure;
use crate::output::stderr::say;
use crate::text::terminal;

/// While an image of at least this size is checked, a terminal shows the progress.
const WORTH_SHOWING: u64 = 16 * 1024 * 1024;

/// The checked set of images that the command line means. With a target, files for other modems in folders and archives are left
/// out.
pub(crate) fn load(
    files: &[PathBuf],
    images: &FirmwareOptions,
    target: Option<Target>,
) -> Result<FirmwareSet, VerbFailure> {
    let (family, platform) = match target {
        Some(target) => (Some(target.family), target.platform),
        None => (None, None),
    };
    let wanted = Wanted {
        family,
        platform,
        firmware: images.firmware.clone(),
        config: images.config.clone(),
        carrier: images.carrier.clone(),
    };
    let inspected = check(find(files, images.temp_dir.as_deref())?);
    let set = FirmwareSet::choose(inspected, &wanted).map_err(|error| refused(&error))?;
    for left in &set.left_out {
        say(&format!("note: {}: not used ({})", left.name, left.why));
    }
    Ok(set)
}

/// Finds the images behind the paths, and prints notes about them.
fn find(files: &[PathBuf], temp_dir: Option<&Path>) -> Result<Gathered, VerbFailure> {
    let gathered = gather(files, &options(temp_dir)).map_err(|error| unusable(&error))?;
    say_notes(&gathered);
    Ok(gathered)
}

/// Finds the images behind the paths that can be used. The other paths are returned with the reason.
pub(crate) fn find_usable(
    files: &[PathBuf],
    temp_dir: Option<&Path>,
) -> Result<(Gathered, Vec<(PathBuf, SourceError)>), VerbFailure> {
    let options = options(temp_dir);
    if let Ok(gathered) = gather(files, &options) {
        say_notes(&gathered);
        return Ok((gathered, Vec::new()));
    }
    let (mut usable, mut others) = (Vec::new(), Vec::new());
    for path in files {
        match gather(std::slice::from_ref(path), &options) {
            Ok(_) => usable.push(path),
            Err(error) => others.push((path.clone(), error)),
        }
    }
    // All paths together, because a file counts once even if both the file and its folder are named.
    let gathered = gather(&usable, &options).map_err(|error| unusable(&error))?;
    say_notes(&gathered);
    Ok((gathered, others))
}

fn options(temp_dir: Option<&Path>) -> Options {
    let spool = temp_dir.map_or(SpoolPolicy::default(), |folder| {
        SpoolPolicy::SpoolTo(folder.into())
    });
    Options { spool }
}

fn say_notes(gathered: &Gathered) {
    for note in &gathered.notes {
        say(&format!("note: {note}"));
    }
}

/// Checks every image. On a terminal, the progress of large images is shown.
pub(crate) fn check(gathered: Gathered) -> Inspected {
    let is_terminal = terminal::is_capable();
    let mut shown = false;
    let mut show = |progress: Progress<'_>| {
        if is_terminal && progress.size >= WORTH_SHOWING {
            shown = true;
            let percent = progress
                .done
                .saturating_mul(100)
                .checked_div(progress.size)
                .unwrap_or(100);
            let _ = write!(io::stderr(), "\rchecking {}: {percent} %\x1b[K", progress.name);
        }
    };
    let inspected = inspect(gathered, &mut show);
    if shown {
        let _ = write!(io::stderr(), "\r\x1b[K");
    }
    for note in &inspected.notes {
        say(&format!("note: {note}"));
    }
    inspected
}

/// The failure for a path that can't be used.
pub(crate) fn unusable(error: &SourceError) -> VerbFailure {
    // A path that doesn't exist is probably mistyped: that is a wrong command line. A file that exists but can't be used is a
    // refused image.
    let class = match error {
        SourceError::Missing { .. } => Class::Request,
        _ => Class::Image,
    };
    VerbFailure::of_files(error.code(), class, error.to_string(), error.hint())
}

/// The failure when no set of images can be chosen.
fn refused(error: &ChoiceError) -> VerbFailure {
    VerbFailure::of_files(error.code(), Class::Image, error.to_string(), error.hint())
}
