//! A rule for udev that keeps ModemManager away from a modem in download mode on the other bus of its socket.
//!
//! An inhibition holds for one place on the bus. A modem that runs on the USB 3 bus is on its peer port in
//! download mode (linux.md §3 and §6), where ModemManager would probe it and spoil the flash, as seen in the
//! kernel lab. The rule matches only devices with a single interface at that place, so it does no harm if it
//! outlives this process. It is gone after the next start of the host at the latest.

use std::fs;
use std::path::{Path, PathBuf};

use modem_world::UsbPath;

/// The folder for rules that last until the next start of the host. udevd notices new rules by itself.
const FOLDER: &str = "/run/udev/rules.d";

/// A rule that exists as long as this value.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Rule(PathBuf);

impl Rule {
    /// Makes the rule for this place; `None` if there is no udevd, or no right to make a rule.
    pub(super) fn make(place: &UsbPath) -> Option<Self> {
        Self::make_in(Path::new(FOLDER), place)
    }

    fn make_in(folder: &Path, place: &UsbPath) -> Option<Self> {
        // The parent folder is made by udevd.
        if !folder.parent()?.is_dir() {
            return None;
        }
        let name = format!("79-modemflash-{place}.rules");
        let file = folder.join(name);
        // Without the rule the update goes on, in the hope that ModemManager is slower.
        fs::create_dir_all(folder).ok()?;
        fs::write(&file, text(place)).ok()?;
        Some(Self(file))
    }
}

impl Drop for Rule {
    fn drop(&mut self) {
        // A rule that can't be removed does no harm.
        let _ = fs::remove_file(&self.0);
    }
}

/// Matches the serial port of a device with one interface at this place. `bNumInterfaces` has a leading blank
/// (linux.md §1).
fn text(place: &UsbPath) -> String {
    format!(
        "# modemflash updates the modem at {place}\n\
         SUBSYSTEM==\"tty\", KERNELS==\"{place}\", ATTRS{{bNumInterfaces}}==\" 1\", ENV{{ID_MM_PORT_IGNORE}}=\"1\"\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rule_is_there_as_long_as_it_is_held() {
        let run = tempfile::tempdir().unwrap();
        let folder = run.path().join("udev/rules.d");
        let place = UsbPath::new("1-1.4");
        assert_eq!(Rule::make_in(&folder, &place), None, "without udevd");
        fs::create_dir(run.path().join("udev")).unwrap();
        let rule = Rule::make_in(&folder, &place).unwrap();
        let file = folder.join("79-modemflash-1-1.4.rules");
        let said = fs::read_to_string(&file).unwrap();
        assert_eq!(
            said.lines().last(),
            Some(
                r#"SUBSYSTEM=="tty", KERNELS=="1-1.4", ATTRS{bNumInterfaces}==" 1", ENV{ID_MM_PORT_IGNORE}="1""#
            )
        );
        drop(rule);
        assert!(!file.exists());
    }
}
