//! The tables that say which driver of this host takes which USB device: `modules.alias` for drivers that can
//! be loaded, `modules.builtin.modinfo` for drivers that are part of the kernel (depmod(8); `modules.builtin`
//! exists since Linux 2.6.33, its modinfo since 5.2).
//!
//! The tables are read in pieces, because `modules.alias` has more than a megabyte. If a table is missing,
//! torn or not a table, that is reported as a doubt: the absence of an id then proves nothing.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader};
use std::ops::ControlFlow;
use std::path::Path;

use crate::sysfs::Sysfs;

/// Longer records are cut. The longest line of Debian 12's `modules.alias` has 106 bytes, the longest record
/// of its `modules.builtin.modinfo` 212.
const RECORD_LIMIT: usize = 1024;
/// Estimate: no table is larger. Debian 12's `modules.alias` has 1.3 MB.
const TABLE_LIMIT: u64 = 32 * 1024 * 1024;
/// Where distributions keep the folder of a kernel's modules; the last one is that of NixOS.
const FOLDERS: [&str; 3] = [
    "/lib/modules",
    "/usr/lib/modules",
    "/run/booted-system/kernel-modules/lib/modules",
];

/// One line of a table: which devices a module takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Alias<'t> {
    /// A shell pattern that is matched against what a device reports about itself:
    /// `usb:v1199p9090d*dc*dsc*dp*ic*isc*ip*in*`.
    pub(crate) pattern: &'t [u8],
    /// The module: `qcserial`.
    pub(crate) module: &'t [u8],
    /// Whether the module is part of the kernel, so that it needn't be loaded.
    pub(crate) is_built_in: bool,
}

/// What reading the tables showed besides the lines themselves.
#[derive(Debug, Default)]
pub(crate) struct Tables {
    /// Why a driver may know an id although no table has it.
    pub(crate) doubts: Vec<String>,
    /// Which of the `drivers` that were asked for this kernel has, loaded or not, as far as its folder shows.
    pub(crate) has: Vec<String>,
    /// Whether the caller stopped before everything was read. The other fields then say nothing.
    pub(crate) is_partial: bool,
}

impl Sysfs {
    /// Reads all tables of the running kernel and hands each line about USB devices to `each`, until `each`
    /// breaks off. `drivers` are modules to look for in the kernel's lists of modules.
    pub(crate) fn read_module_tables(
        &self,
        drivers: &[&str],
        mut each: impl FnMut(Alias<'_>) -> ControlFlow<()>,
    ) -> Tables {
        let mut tables = Tables::default();
        let Some(release) = self.kernel_release() else {
            tables
                .doubts
                .push("the kernel doesn't report its release".to_owned());
            return tables;
        };
        let folders = FOLDERS.iter().map(|folder| format!("{folder}/{release}"));
        let Some(folder) = folders
            .into_iter()
            .find(|folder| self.below_root(folder).is_dir())
        else {
            tables
                .doubts
                .push(format!("this host has no /lib/modules/{release}"));
            return tables;
        };
        let at = |name: &str| {
            (
                format!("{folder}/{name}"),
                self.below_root(&format!("{folder}/{name}")),
            )
        };
        let mut lines = 0_usize;
        let mut hand_over = |alias: Alias<'_>| {
            if !alias.pattern.starts_with(b"usb:") {
                return ControlFlow::Continue(());
            }
            lines += 1;
            each(alias)
        };
        let (name, path) = at("modules.alias");
        let mut is_table = true;
        let read = records(&path, b'\n', |record, is_cut| {
            match alias_of_line(record).filter(|_| !is_cut) {
                Some(alias) => return hand_over(alias),
                // Only the name of another kind of device may contain blanks.
                None => {
                    let is_other = record.starts_with(b"alias ") && !record.starts_with(b"alias usb:");
                    is_table &= record.is_empty() || record.starts_with(b"#") || is_other;
                }
            }
            ControlFlow::Continue(())
        });
        match read {
            Ok(ControlFlow::Break(())) => {
                tables.is_partial = true;
                return tables;
            }
            Ok(_) if !is_table => tables.doubts.push(format!("{name} is damaged")),
            Ok(_) => {}
            Err(why) => tables.doubts.push(format!("{name} {why}")),
        }
        let (name, path) = at("modules.builtin.modinfo");
        let read = records(&path, 0, |record, is_cut| {
            let alias = alias_of_modinfo(record).filter(|_| !is_cut);
            alias.map_or(ControlFlow::Continue(()), &mut hand_over)
        });
        match read {
            Ok(ControlFlow::Break(())) => {
                tables.is_partial = true;
                return tables;
            }
            // Older kernels don't have this file. Whether that matters depends on what is built in, which
            // `has` shows.
            Ok(_) | Err(Unread::Missing) => {}
            Err(why) => tables.doubts.push(format!("{name} {why}")),
        }
        if lines == 0 && tables.doubts.is_empty() {
            tables
                .doubts
                .push(format!("{folder} says nothing about USB devices"));
        }
        // If these lists can't be read, that alone raises no doubt.
        for (list, end) in [("modules.builtin", None), ("modules.dep", Some(b':'))] {
            let _ = records(&at(list).1, b'\n', |record, _| {
                let path = match end {
                    Some(end) => record.split(|byte| *byte == end).next().unwrap_or_default(),
                    None => record,
                };
                if let Some(driver) = drivers.iter().find(|driver| is_file_of(path, driver)) {
                    tables.has.push((*driver).to_owned());
                }
                ControlFlow::Continue(())
            });
        }
        tables
    }

    /// The kernel's release, `6.1.0-48-amd64`; `None` if the text could lead elsewhere as part of a path.
    fn kernel_release(&self) -> Option<String> {
        let text = crate::sysfs::text(&self.root().join("proc/sys/kernel/osrelease"))?;
        let is_harmless = text.len() <= 128
            && !text.starts_with('.')
            && text
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"-_.+~:".contains(&byte));
        is_harmless.then_some(text)
    }
}

/// `alias usb:v1199p9090d*dc*dsc*dp*ic*isc*ip*in* qcserial`.
fn alias_of_line(line: &[u8]) -> Option<Alias<'_>> {
    let mut words = line.split(|byte| *byte == b' ');
    let is_alias = words.next() == Some(b"alias");
    let (pattern, module) = (words.next()?, words.next()?);
    let is_whole = is_alias && words.next().is_none() && !pattern.is_empty() && !module.is_empty();
    is_whole.then_some(Alias {
        pattern,
        module,
        is_built_in: false,
    })
}

/// `qcserial.alias=usb:v1199p9090d*dc*dsc*dp*ic*isc*ip*in*`.
fn alias_of_modinfo(record: &[u8]) -> Option<Alias<'_>> {
    let dot = record.iter().position(|byte| *byte == b'.')?;
    let (module, rest) = record.split_at_checked(dot)?;
    let pattern = rest.strip_prefix(b".alias=")?;
    Some(Alias {
        pattern,
        module,
        is_built_in: true,
    })
}

/// Whether `path` is the file of that module: `kernel/drivers/usb/serial/qcserial.ko.xz`.
fn is_file_of(path: &[u8], module: &str) -> bool {
    let file = path.rsplit(|byte| *byte == b'/').next().unwrap_or_default();
    let name = file.split(|byte| *byte == b'.').next().unwrap_or_default();
    is_same_module(name, module.as_bytes()) && name.len() < file.len()
}

/// Whether the two names mean the same module: a name may be written with `-` or `_`.
pub(crate) fn is_same_module(one: &[u8], other: &[u8]) -> bool {
    let plain = |byte: &u8| if *byte == b'-' { b'_' } else { *byte };
    one.iter().map(plain).eq(other.iter().map(plain))
}

/// Why a table wasn't read to the end.
#[derive(Debug, PartialEq, Eq)]
enum Unread {
    Missing,
    Failed(io::ErrorKind),
    Torn,
    TooLarge,
}

impl std::fmt::Display for Unread {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Missing => write!(f, "is missing"),
            Self::Failed(kind) => write!(f, "can't be read: {kind}"),
            Self::Torn => write!(f, "ends in the middle"),
            Self::TooLarge => write!(f, "is too large"),
        }
    }
}

impl From<io::Error> for Unread {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => Self::Missing,
            kind => Self::Failed(kind),
        }
    }
}

/// Hands each record to `each`, without its end byte, together with whether it was cut because it is too
/// long. Stops when `each` breaks off.
fn records(
    path: &Path,
    end: u8,
    mut each: impl FnMut(&[u8], bool) -> ControlFlow<()>,
) -> Result<ControlFlow<()>, Unread> {
    // Opening a pipe would wait for a program that writes to it.
    let metadata = fs::metadata(path)?;
    if !metadata.is_file() {
        return Err(Unread::Failed(io::ErrorKind::InvalidInput));
    }
    if metadata.len() > TABLE_LIMIT {
        return Err(Unread::TooLarge);
    }
    let mut file = BufReader::new(File::open(path)?);
    let mut record: Vec<u8> = Vec::with_capacity(RECORD_LIMIT);
    let (mut is_cut, mut total) = (false, 0_u64);
    loop {
        let piece = match file.fill_buf() {
            Ok([]) => break,
            Ok(piece) => piece,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error.into()),
        };
        let length = piece.iter().position(|byte| *byte == end);
        let taken = piece.get(..length.unwrap_or(piece.len())).unwrap_or_default();
        let room = RECORD_LIMIT.saturating_sub(record.len());
        is_cut |= taken.len() > room;
        record.extend(taken.iter().take(room));
        let consumed = taken.len() + usize::from(length.is_some());
        if length.is_some() {
            if each(&record, is_cut).is_break() {
                return Ok(ControlFlow::Break(()));
            }
            record.clear();
            is_cut = false;
        }
        file.consume(consumed);
        total = total.saturating_add(u64::try_from(consumed).unwrap_or(u64::MAX));
        if total > TABLE_LIMIT {
            return Err(Unread::TooLarge);
        }
    }
    if record.is_empty() {
        Ok(ControlFlow::Continue(()))
    } else {
        Err(Unread::Torn)
    }
}

/// Whether `text` fits a shell pattern with `*`, `?` and `[…]`, as in fnmatch(3), which modprobe uses.
pub(crate) fn fits(pattern: &[u8], text: &[u8]) -> bool {
    let (mut at, mut place) = (0, 0);
    // Where to go on when the pattern after the last star doesn't fit: the position after that star in the
    // pattern, and the position in the text up to which the star reaches so far.
    let mut retry: Option<(usize, usize)> = None;
    loop {
        let rest = pattern.get(at..).unwrap_or_default();
        let byte = text.get(place).copied();
        let step = match (rest, byte) {
            ([b'*', ..], _) => {
                retry = Some((at + 1, place));
                at += 1;
                continue;
            }
            ([], None) => return true,
            ([b'[', set @ ..], Some(byte)) => in_set(set, byte).map(|length| length + 1),
            ([b'?', ..], Some(_)) => Some(1),
            ([wanted, ..], Some(byte)) if *wanted == byte => Some(1),
            _ => None,
        };
        match (step, retry) {
            (Some(length), _) => {
                at += length;
                place += 1;
            }
            (None, Some((behind, from))) if from < text.len() => {
                retry = Some((behind, from + 1));
                (at, place) = (behind, from + 1);
            }
            (None, _) => return false,
        }
    }
}

/// If `byte` is in a set like `0-24]…`, the length of the set including its `]`; `None` if `byte` isn't in it
/// or the `]` is missing.
fn in_set(set: &[u8], byte: u8) -> Option<usize> {
    let length = set.iter().position(|end| *end == b']')?;
    let mut members = set.get(..length)?;
    let mut is_in = false;
    loop {
        match members {
            [first, b'-', last, rest @ ..] => {
                is_in |= (*first..=*last).contains(&byte);
                members = rest;
            }
            [one, rest @ ..] => {
                is_in |= *one == byte;
                members = rest;
            }
            [] => return is_in.then_some(length + 1),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_of_the_kernel_fits_what_modprobe_says_it_fits() {
        let port = b"usb:v1199p9090d0006dc00dsc00dp00icFFiscFFipFFin00";
        for (pattern, is_fit) in [
            ("usb:v1199p9090d*dc*dsc*dp*ic*isc*ip*in*", true),
            ("usb:v1199p9090d*dc*dsc*dp*ic*isc*ip*", true),
            ("usb:v1199p*d*dc*dsc*dp*icFFiscFFipFFin*", true),
            ("usb:v*p*d*dc*dsc*dp*icFFisc*ip*in*", true),
            ("usb:v1199p909?d*dc*dsc*dp*ic*isc*ip*in*", true),
            ("usb:v1199p9090d000[0-6]dc*dsc*dp*ic*isc*ip*in*", true),
            ("usb:v1199p9090d000[0-5]dc*dsc*dp*ic*isc*ip*in*", false),
            ("usb:v1199p9090d000[68]dc*dsc*dp*ic*isc*ip*in*", true),
            ("usb:v1199p9090d*dc*dsc*dp*icFFiscFFip30in*", false),
            ("usb:v1199p9090d*dc*dsc*dp*ic*isc*ip*in08*", false),
            ("usb:v1199p9091d*dc*dsc*dp*ic*isc*ip*in*", false),
            ("usb:v1199p9090d[", false),
            ("*", true),
            ("**", true),
            ("", false),
        ] {
            assert_eq!(fits(pattern.as_bytes(), port), is_fit, "{pattern}");
        }
        assert!(fits(b"", b"") && fits(b"*", b"") && !fits(b"?", b""));
    }

    #[test]
    fn a_pattern_of_stars_alone_takes_no_longer_than_it_is_long() {
        let pattern = b"*a".repeat(300);
        assert!(!fits(&pattern, &b"a".repeat(200)));
    }

    #[test]
    fn only_whole_lines_are_aliases() {
        assert!(alias_of_line(b"alias usb:v1199p9090d* qcserial").is_some());
        for line in [
            "alias",
            "alias usb:v1199p9090d*",
            "alias  qcserial",
            "options a b",
            "alias a b c",
            "",
        ] {
            assert_eq!(alias_of_line(line.as_bytes()), None, "{line}");
        }
    }
}
