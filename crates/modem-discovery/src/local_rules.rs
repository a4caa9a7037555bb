//! A host's own rules that give a device to a driver when it appears. No table of the kernel mentions them.
//!
//! Owners of modems that their kernel doesn't know write such rules for udev ("when 1199:90b0 comes, load
//! option and write its new_id") or modprobe ("options usbserial vendor=0x1199 product=0x90b0"). This module
//! doesn't execute rules. Anything that looks like one is a reason to ask the user, not a proof.

use std::fs::{self, File};
use std::io::Read;
use std::path::Path;

use crate::sysfs::{Sysfs, list};

/// The directories with such rules (udev(7), modprobe.d(5)).
const FOLDERS: [&str; 9] = [
    "/etc/udev/rules.d",
    "/run/udev/rules.d",
    "/usr/local/lib/udev/rules.d",
    "/usr/lib/udev/rules.d",
    "/lib/udev/rules.d",
    "/etc/modprobe.d",
    "/run/modprobe.d",
    "/usr/lib/modprobe.d",
    "/lib/modprobe.d",
];
/// The kernel's own command line may contain options of a module.
pub(crate) const COMMAND_LINE: &str = "/proc/cmdline";
/// Estimate: a host has a few hundred rules.
pub(crate) const FILES: usize = 1024;
/// Estimate: the largest rule file of Debian 12, `40-usb_modeswitch.rules`, has less than 64 KiB.
const FILE_LIMIT: u64 = 256 * 1024;

impl Sysfs {
    /// The first file with a rule that may give a device with this id to a driver.
    pub(crate) fn rule_for(&self, vendor: u16, product: u16) -> Option<String> {
        let ids = (format!("{vendor:04x}"), format!("{product:04x}"));
        for folder in FOLDERS {
            let names = list(&self.below_root(folder)).unwrap_or_default();
            for name in names.into_iter().take(FILES) {
                let path = format!("{folder}/{name}");
                if may_bind(&read(&self.below_root(&path)), &ids) {
                    return Some(path);
                }
            }
        }
        may_bind(&read(&self.below_root(COMMAND_LINE)), &ids).then(|| COMMAND_LINE.to_owned())
    }
}

/// The beginning of a file in lower case; empty if there is no such file.
pub(crate) fn read(path: &Path) -> String {
    let mut bytes = Vec::new();
    // Opening a pipe would wait for a program that writes to it.
    if !fs::metadata(path).is_ok_and(|metadata| metadata.is_file()) {
        return String::new();
    }
    if let Ok(file) = File::open(path) {
        // If reading fails half-way, what was read so far still counts.
        let _ = file.take(FILE_LIMIT).read_to_end(&mut bytes);
    }
    bytes.make_ascii_lowercase();
    String::from_utf8_lossy(&bytes).into_owned()
}

fn may_bind(text: &str, (vendor, product): &(String, String)) -> bool {
    if !has_word(text, vendor) {
        return false;
    }
    let is_named = has_word(text, product);
    let lines = text.lines().filter(|line| !line.trim_start().starts_with('#'));
    // A rule for a whole vendor gets the product number from the device.
    lines.clone().any(|line| line.contains("new_id"))
        || (is_named && lines.clone().any(|line| line.contains("usbserial")))
        // The rule runs a program when exactly this device appears; that program may do the same.
        || lines
            .clone()
            .any(|line| line.contains("run") && has_word(line, vendor) && has_word(line, product))
}

/// Whether this number stands in the text on its own, not inside a longer number. `0x` may stand before it.
fn has_word(text: &str, word: &str) -> bool {
    let is_digit = |character: Option<char>| character.is_some_and(|character| character.is_ascii_hexdigit());
    text.match_indices(word).any(|(at, _)| {
        let (before, behind) = (text.get(..at), text.get(at + word.len()..));
        let before = before.unwrap_or_default();
        let before = before.strip_suffix("0x").unwrap_or(before);
        !is_digit(before.chars().next_back()) && !is_digit(behind.unwrap_or_default().chars().next())
    })
}
