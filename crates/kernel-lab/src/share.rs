//! The folder that the host and all guests of a run see.
//!
//! Each guest has a folder of its own in it for results and logs. Whoever takes a scenario leaves a file with its name in
//! `claims`, so that two guests never try the same one.

use anyhow::Context;
use std::fs;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

/// The folder, as this side sees it.
#[derive(Clone, Debug)]
pub(crate) struct Share(PathBuf);

const CLAIMS: &str = "claims";
const RESULTS: &str = "results.jsonl";
/// The folder with the programs; a guest copies them, and they are removed at the end.
pub(crate) const PROGRAMS: &str = "programs";
/// Where a guest has the kernel's modules that its first root had.
pub(crate) const MODULES_IN_GUEST: &str = "/run/modules";

impl Share {
    /// At this place.
    pub(crate) fn at(folder: &Path) -> Self {
        Self(folder.to_owned())
    }

    /// Makes it, with the folders of so many guests. What a run before has left is removed.
    pub(crate) fn create(folder: &Path, guests: usize) -> anyhow::Result<Self> {
        // There may be nothing.
        let _ = fs::remove_dir_all(folder);
        let share = Self::at(folder);
        for folder in [share.programs(), share.0.join(CLAIMS)] {
            fs::create_dir_all(folder)?;
        }
        for guest in 1..=guests {
            fs::create_dir_all(share.guest(guest))?;
        }
        Ok(share)
    }

    /// Where it is.
    pub(crate) fn folder(&self) -> &Path {
        &self.0
    }

    /// Where the programs lie.
    pub(crate) fn programs(&self) -> PathBuf {
        self.0.join(PROGRAMS)
    }

    /// The folder of the guest with this number.
    pub(crate) fn guest(&self, number: usize) -> PathBuf {
        self.0.join(format!("guest-{number}"))
    }

    /// Where this guest writes down how its scenarios went.
    pub(crate) fn results(&self, guest: usize) -> PathBuf {
        self.guest(guest).join(RESULTS)
    }

    /// Takes a scenario for this guest. Whether it has it now: another guest may have been there before.
    pub(crate) fn claim(&self, scenario: &str, guest: usize) -> anyhow::Result<bool> {
        let claim = self.0.join(CLAIMS).join(scenario);
        match fs::OpenOptions::new().write(true).create_new(true).open(&claim) {
            Ok(mut file) => {
                write!(file, "{guest}")?;
                Ok(true)
            }
            Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(false),
            Err(error) => Err(error).with_context(|| claim.display().to_string()),
        }
    }

    /// The guest that has taken this scenario.
    pub(crate) fn claimed_by(&self, scenario: &str) -> Option<usize> {
        let claim = fs::read_to_string(self.0.join(CLAIMS).join(scenario)).ok()?;
        claim.parse().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scenario_is_taken_by_one_guest_only() {
        let folder = tempfile::tempdir().unwrap();
        let share = Share::create(&folder.path().join("run"), 2).unwrap();
        assert_eq!(share.claimed_by("bind"), None);
        assert!(share.claim("bind", 2).unwrap());
        assert!(!share.claim("bind", 1).unwrap());
        assert_eq!(share.claimed_by("bind"), Some(2));
        assert!(share.claim("bind-again", 1).unwrap());
    }

    #[test]
    fn what_a_run_before_has_left_is_gone() {
        let folder = tempfile::tempdir().unwrap();
        let share = Share::create(folder.path(), 3).unwrap();
        share.claim("bind", 3).unwrap();
        let share = Share::create(folder.path(), 1).unwrap();
        assert_eq!(share.claimed_by("bind"), None);
        assert!(share.guest(1).is_dir() && !share.guest(2).exists());
    }
}
