//! Rules of a host that give a device to a driver when it comes, which no table of the kernel tells.
//!
//! Owners of modems that their kernel doesn't know write such rules for udev ("when 1199:90b0 comes, load option and write
//! its new_id") or modprobe ("options usbserial vendor=0x1199 product=0x90b0"). Nothing here carries a rule out. What looks
//! like one is a reason to ask, not a proof.

use std::fs::{self, File};
use std::io::Read;
use std::path::Path;

use crate::sysfs::{Sysfs, list};

/// Where such rules lie (udev(7), modprobe.d(5)).
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
/// The kernel's own command line may have a module's options.
pub(crate) const COMMAND_LINE: &str = "/proc/cmdline";
/// Own choice: a host has some hundred rules.
pub(crate) const FILES: usize = 1024;
/// Own choice: the largest rule file of Debian 12, `40-usb_modeswitch.rules`, has less than 64 KiB.
const FILE_LIMIT: u64 = 256 * 1024;

impl Sysfs {
    /// The first file with a rule that may give such a device to a driver.
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

/// The beginning of a file in lower case; nothing where there is none.
pub(crate) fn read(path: &Path) -> String {
    let mut bytes = Vec::new();
    // To open a pipe would wait for whoever writes to it.
    if !fs::metadata(path).is_ok_and(|metadata| metadata.is_file()) {
        return String::new();
    }
    if let Ok(file) = File::open(path) {
        // What was read before an error is looked at.
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
    // A rule for a whole vendor takes the product's number from the device.
    lines.clone().any(|line| line.contains("new_id"))
        || (is_named && lines.clone().any(|line| line.contains("usbserial")))
        // A program is called when just this device comes: it may do the same.
        || lines
            .clone()
            .any(|line| line.contains("run") && has_word(line, vendor) && has_word(line, product))
}

/// Whether this number stands in the text, and not inside of a longer one. `0x` may stand before it.
fn has_word(text: &str, word: &str) -> bool {
    let is_digit = |character: Option<char>| character.is_some_and(|character| character.is_ascii_hexdigit());
    text.match_indices(word).any(|(at, _)| {
        let (before, behind) = (text.get(..at), text.get(at + word.len()..));
        let before = before.unwrap_or_default();
        let before = before.strip_suffix("0x").unwrap_or(before);
        !is_digit(before.chars().next_back()) && !is_digit(behind.unwrap_or_default().chars().next())
    })
}
