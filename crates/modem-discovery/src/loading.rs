//! What keeps a driver of this host from being loaded when a device appears that it takes: the owner's lists
//! (modprobe.d(5)), the kernel's command line, and a kernel that loads no more modules.
//!
//! If a driver can't be loaded, a table that names it is worth nothing. But an owner who blocks a driver may
//! still load it by hand, so everything found here is only a reason to ask the user.

use crate::local_rules::{COMMAND_LINE, FILES, read};
use crate::module_tables::is_same_module;
use crate::sysfs::{Sysfs, list};

/// Where modprobe looks, the most important folder first: a file hides files of the same name in later
/// folders (modprobe.d(5)).
const FOLDERS: [&str; 5] = [
    "/etc/modprobe.d",
    "/run/modprobe.d",
    "/usr/local/lib/modprobe.d",
    "/usr/lib/modprobe.d",
    "/lib/modprobe.d",
];
/// Contains 1 if no module can be loaded until the next boot (the kernel's
/// `Documentation/admin-guide/sysctl/kernel.rst`).
const DISABLED: &str = "/proc/sys/kernel/modules_disabled";
/// Modules that the drivers for serial ports of modems need.
const NEEDED: [&str; 2] = ["usbserial", "usb_wwan"];

/// Everything that keeps modules from being loaded.
#[derive(Debug, Default)]
pub(crate) struct Bars {
    for_all: Option<String>,
    each: Vec<Bar>,
}

#[derive(Debug)]
struct Bar {
    module: String,
    place: String,
    /// Whether this also holds when another module needs this one. A plain `blacklist` doesn't.
    is_strict: bool,
}

impl Bars {
    /// What keeps this module from being loaded, if anything does. `is_loaded` tells which modules are loaded
    /// already.
    pub(crate) fn against(&self, module: &str, is_loaded: impl Fn(&str) -> bool) -> Option<String> {
        let is_same = |one: &str, other: &str| is_same_module(one.as_bytes(), other.as_bytes());
        if is_loaded(module) {
            return None;
        }
        if let Some(why) = &self.for_all {
            return Some(format!("the driver {module} isn't loaded, and {why}"));
        }
        let bar = self.each.iter().find(|bar| {
            is_same(&bar.module, module)
                || (bar.is_strict
                    && NEEDED
                        .iter()
                        .any(|needed| is_same(&bar.module, needed) && !is_loaded(needed)))
        })?;
        let Bar {
            module: barred,
            place,
            ..
        } = bar;
        let what = if is_same(barred, module) {
            "it".to_owned()
        } else {
            format!("{barred}, which it needs,")
        };
        Some(format!(
            "the driver {module} isn't loaded, and {place} keeps {what} from being loaded"
        ))
    }
}

impl Sysfs {
    /// Reads everything that keeps modules from being loaded.
    pub(crate) fn bars(&self) -> Bars {
        let mut bars = Bars::default();
        if read(&self.below_root(DISABLED)).trim() == "1" {
            bars.for_all = Some(format!("{DISABLED} says that the kernel loads no more modules"));
        }
        let mut seen: Vec<String> = Vec::new();
        for folder in FOLDERS {
            let names = list(&self.below_root(folder)).unwrap_or_default();
            // modprobe reads no other files.
            let names = names.into_iter().filter(|name| name.ends_with(".conf"));
            for name in names.take(FILES) {
                if seen.contains(&name) {
                    continue;
                }
                let place = format!("{folder}/{name}");
                let text = read(&self.below_root(&place)).replace("\\\n", " ");
                let found = text.lines().filter_map(barred_by_line);
                bars.each.extend(found.map(|(module, is_strict)| Bar {
                    module: module.to_owned(),
                    place: place.clone(),
                    is_strict,
                }));
                seen.push(name);
            }
        }
        for word in read(&self.below_root(COMMAND_LINE)).split_whitespace() {
            let Some((name, modules)) = word.trim_matches('"').split_once('=') else {
                continue;
            };
            // The kernel obeys `module_blacklist`, and modprobe obeys `modprobe.blacklist`.
            let is_strict = match name.replace('-', "_").as_str() {
                "module_blacklist" => true,
                "modprobe.blacklist" => false,
                _ => continue,
            };
            let modules = modules.trim_matches('"').split(',');
            bars.each.extend(modules.map(|module| Bar {
                module: module.to_owned(),
                place: COMMAND_LINE.to_owned(),
                is_strict,
            }));
        }
        bars
    }
}

/// The module that a line bars, and whether strictly: `blacklist qcserial`, or `install qcserial /bin/false`,
/// which makes modprobe run that command instead, whatever it does.
fn barred_by_line(line: &str) -> Option<(&str, bool)> {
    let mut words = line.split_whitespace();
    match (words.next()?, words.next()?) {
        ("blacklist", module) => Some((module, false)),
        ("install", module) => Some((module, true)),
        _ => None,
    }
}
