//! Lists the files in a folder and its sub-folders, in a fixed order and with limits.

use std::path::{Path, PathBuf};
use std::string::ToString;
use std::vec::Vec;

use super::error::SourceError;
use super::note::{Note, Reason};
use super::open::Place;
use super::{limits, names};

/// What a folder holds.
#[derive(Debug, Default)]
pub(crate) struct Listing {
    /// Everything that isn't a folder, sorted by name; files come before sub-folders.
    pub(crate) files: Vec<PathBuf>,
    pub(crate) notes: Vec<Note>,
}

/// Lists a folder down to [`limits::FOLDER_DEPTH`] levels.
pub(crate) fn list(folder: &Path) -> Result<Listing, SourceError> {
    let mut listing = Listing::default();
    descend(folder, folder, 1, &mut listing)?;
    Ok(listing)
}

fn descend(top: &Path, folder: &Path, depth: usize, listing: &mut Listing) -> Result<(), SourceError> {
    let error = |e| SourceError::from_io(folder, e);
    let mut entries = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(error)? {
        entries.push(entry.map_err(error)?.path());
        if entries.len().saturating_add(listing.files.len()) > limits::FOLDER_FILES {
            return Err(SourceError::TooManyFiles {
                path: top.to_path_buf(),
                limit: limits::FOLDER_FILES,
            });
        }
    }
    entries.sort();
    let mut folders = Vec::new();
    for path in entries {
        let shown = names::printable(&path.to_string_lossy());
        let last = path
            .file_name()
            .map(|n| n.to_string_lossy().into_owned())
            .unwrap_or_default();
        let mut pass_over = |reason| {
            listing.notes.push(Note::PassedOver {
                name: shown.clone(),
                reason,
            })
        };
        if names::is_system_litter(&last) {
            pass_over(Reason::SystemFile);
            continue;
        }
        let place = match Place::find(&path) {
            Ok(place) => place,
            // For example a link to nothing.
            Err(e) => {
                pass_over(Reason::Unreadable(e.to_string()));
                continue;
            }
        };
        if place.is_folder() {
            if path.is_symlink() {
                pass_over(Reason::FolderLink);
            } else if depth >= limits::FOLDER_DEPTH {
                pass_over(Reason::TooDeep);
            } else {
                folders.push(path);
            }
        } else {
            listing.files.push(path);
        }
    }
    for path in folders {
        let notes_before = listing.notes.len();
        match descend(top, &path, depth.saturating_add(1), listing) {
            // A sub-folder that can't be read may contain the right images, but the user named the folder above it.
            // So pass over it with a note.
            Err(SourceError::NoPermission { path }) => {
                listing.notes.truncate(notes_before);
                let name = names::printable(&path.to_string_lossy());
                listing.notes.push(Note::PassedOver {
                    name,
                    reason: Reason::Unreadable("no permission".into()),
                });
            }
            other => other?,
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::string::{String, ToString};

    fn names_of(listing: &Listing, top: &Path) -> Vec<String> {
        listing
            .files
            .iter()
            .map(|p| p.strip_prefix(top).unwrap().to_string_lossy().to_string())
            .collect()
    }

    #[test]
    fn sub_folders_are_listed_to_a_fixed_depth_in_a_fixed_order() {
        let top = tempfile::tempdir().unwrap();
        let deep = top.path().join("a/b/c/d");
        fs::create_dir_all(&deep).unwrap();
        for path in [
            "z.cwe",
            "a/y.nvu",
            "a/b/x.nvu",
            "a/b/c/w.nvu",
            "a/b/c/d/v.nvu",
            "._z.cwe",
            "A.cwe",
        ] {
            fs::write(top.path().join(path), b"x").unwrap();
        }
        fs::create_dir(top.path().join("__MACOSX")).unwrap();
        fs::write(top.path().join("__MACOSX/z.cwe"), b"x").unwrap();
        let listing = list(top.path()).unwrap();
        assert_eq!(
            names_of(&listing, top.path()),
            ["A.cwe", "z.cwe", "a/y.nvu", "a/b/x.nvu"]
        );
        let reasons: Vec<_> = listing.notes.iter().map(ToString::to_string).collect();
        assert_eq!(reasons.len(), 3, "{reasons:?}");
        assert!(
            reasons
                .iter()
                .any(|r| r.contains("a/b/c") && r.contains("too deep")),
            "{reasons:?}"
        );
    }

    #[cfg(unix)]
    #[test]
    fn links_in_circles_and_to_nothing_are_passed_over_with_a_word() {
        let top = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink(top.path(), top.path().join("again")).unwrap();
        std::os::unix::fs::symlink("nowhere", top.path().join("dangling.cwe")).unwrap();
        fs::write(top.path().join("real.cwe"), b"x").unwrap();
        std::os::unix::fs::symlink("real.cwe", top.path().join("linked.cwe")).unwrap();
        let listing = list(top.path()).unwrap();
        assert_eq!(names_of(&listing, top.path()), ["linked.cwe", "real.cwe"]);
        assert_eq!(listing.notes.len(), 2, "{:?}", listing.notes);
    }
}
