//! The file of `--trace` (docs/trace-format.md).

use std::path::{Path, PathBuf};

use modem_world::trace::is_begun;

use crate::arguments::OutputOptions;
use crate::failure::{OwnCode, VerbFailure};
use crate::output::file::{OutputFile, Unwritable};

/// The file that `--trace` names, if it is given. The file is judged but not changed. `inputs` are the files to be read.
///
/// # Errors
/// Writing the trace would destroy a file of the user's.
pub(crate) fn judged<'a>(
    output: &'a OutputOptions,
    inputs: &'a [PathBuf],
) -> Result<Option<OutputFile<'a>>, VerbFailure> {
    let Some(path) = output.trace.as_deref() else {
        return Ok(None);
    };
    let file = OutputFile {
        path,
        is_older: is_begun,
        inputs,
    };
    match file.judge() {
        Ok(()) => Ok(Some(file)),
        Err(why) => Err(refused(path, &why)),
    }
}

/// The failure when the trace can't be written.
pub(crate) fn refused(path: &Path, why: &Unwritable) -> VerbFailure {
    let name = path.display();
    let hint = match why {
        _ if why.is_firmware() => format!(
            "--trace takes the name of a file to write, and has taken this one: give both, as in `--trace run.trace {name}`"
        ),
        Unwritable::Hyphen | Unwritable::Special(_) => {
            "name a file; -vvv shows the same on standard error".to_owned()
        }
        Unwritable::Busy => "wait for that run, or give each its own file".to_owned(),
        Unwritable::Foreign(_) | Unwritable::Input | Unwritable::Name => {
            "choose another file: only an older trace or an empty file is written anew".to_owned()
        }
        Unwritable::System(_) => "choose another file, or leave --trace out".to_owned(),
    };
    let what = format!("the trace {name} can't be written: {why}");
    VerbFailure::own(OwnCode::TraceWrite, what, hint)
}
