//! What a run tells other runs about itself: a small file in `/run/modemflash` for each place that it has
//! locked.
//!
//! Notes are for messages; who has a lock is never decided by them. If a note can't be written, that is no
//! error. A reader doesn't trust a note, because anybody may have written it: it accepts only a regular file
//! with a few bytes that hold numbers and one word in small letters.

use std::io::{Read, Write};
use std::path::PathBuf;
use std::time::Duration;

use rustix::fs::{AtFlags, FileType, Mode, OFlags};
use rustix::io::Errno;
use rustix::time::{ClockId, clock_gettime};

/// No note is longer than this.
const LIMIT: u64 = 256;
/// No verb is longer than this.
const VERB_LIMIT: usize = 20;
/// The folder's name.
const FOLDER: &str = "modemflash";

/// The folder of the notes.
#[derive(Debug)]
pub(super) struct Notes {
    run: PathBuf,
}

/// One note.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Note {
    pub(super) process: u32,
    pub(super) verb: String,
    /// Seconds since the start of this host, because nobody can set that clock.
    since: u64,
}

impl Notes {
    /// The notes below `run`, which is `/run`.
    pub(super) fn new(run: PathBuf) -> Self {
        Self { run }
    }

    /// Writes a note that this process has locked the place called `label`.
    pub(super) fn write(&self, label: &str, verb: &str) {
        // If this fails, other runs only learn less.
        let _ = self.try_write(label, verb);
    }

    fn try_write(&self, label: &str, verb: &str) -> Result<(), Errno> {
        let _ = rustix::fs::mkdir(self.run.join(FOLDER), Mode::from(0o755));
        let folder = self.folder()?;
        let owner = rustix::fs::fstat(&folder)?.st_uid;
        // In a folder of another user anything may happen to a file.
        if owner != 0 && owner != rustix::process::geteuid().as_raw() {
            return Err(Errno::ACCESS);
        }
        let process = std::process::id();
        let text = format!("pid {process}\nverb {verb}\nsince {}\n", seconds_up());
        let name = file_name(label);
        // The file is renamed into place, so that a reader never finds half of it.
        let early = format!(".{name}.{process}");
        let _ = rustix::fs::unlinkat(&folder, early.as_str(), AtFlags::empty());
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = rustix::fs::openat(&folder, early.as_str(), flags, Mode::from(0o644))?;
        let written = std::fs::File::from(file).write_all(text.as_bytes());
        let moved = match written {
            Ok(()) => rustix::fs::renameat(&folder, early.as_str(), &folder, name.as_str()),
            Err(_) => Err(Errno::IO),
        };
        moved.inspect_err(|_| {
            let _ = rustix::fs::unlinkat(&folder, early.as_str(), AtFlags::empty());
        })
    }

    /// Removes the note. Call this while the lock is still ours.
    pub(super) fn remove(&self, label: &str) {
        if let Ok(folder) = self.folder() {
            let _ = rustix::fs::unlinkat(&folder, file_name(label).as_str(), AtFlags::empty());
        }
    }

    /// The note for this place; `None` if there is none, or if the file isn't a valid note.
    pub(super) fn read(&self, label: &str) -> Option<Note> {
        let folder = self.folder().ok()?;
        // A pipe with that name must not block, and a link must not lead elsewhere.
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        let file = rustix::fs::openat(&folder, file_name(label).as_str(), flags, Mode::empty()).ok()?;
        let found = rustix::fs::fstat(&file).ok()?;
        if FileType::from_raw_mode(found.st_mode) != FileType::RegularFile {
            return None;
        }
        let mut text = String::new();
        let file = std::fs::File::from(file);
        file.take(LIMIT).read_to_string(&mut text).ok()?;
        Note::parse(&text)
    }

    fn folder(&self) -> Result<rustix::fd::OwnedFd, Errno> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        rustix::fs::open(self.run.join(FOLDER), flags, Mode::empty())
    }
}

impl Note {
    fn parse(text: &str) -> Option<Self> {
        let value = |key: &str| {
            let mut lines = text.lines();
            lines.find_map(|line| line.strip_prefix(key)?.strip_prefix(' '))
        };
        let verb = value("verb")?;
        let is_word = |verb: &str| verb.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-');
        if verb.is_empty() || verb.len() > VERB_LIMIT || !is_word(verb) {
            return None;
        }
        Some(Self {
            process: value("pid")?.parse().ok()?,
            verb: verb.to_owned(),
            since: value("since")?.parse().ok()?,
        })
    }

    /// How long the run has had the lock; `None` if the note claims to be from the future.
    pub(super) fn age(&self) -> Option<Duration> {
        seconds_up().checked_sub(self.since).map(Duration::from_secs)
    }
}

/// The file name for a label. It can't lead to another folder.
fn file_name(label: &str) -> String {
    let safe = |byte: char| byte.is_ascii_alphanumeric() || matches!(byte, '-' | '.');
    let name = label.chars().map(|byte| if safe(byte) { byte } else { '_' });
    // Names with a leading dot are for files that are still being written.
    let name: String = name.take(64).collect();
    name.trim_start_matches('.').to_owned()
}

/// Seconds since the start of this host.
fn seconds_up() -> u64 {
    u64::try_from(clock_gettime(ClockId::Boottime).tv_sec).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_that_is_torn_or_hostile_is_none() {
        let note = Note::parse("pid 812\nverb update\nsince 100\n").unwrap();
        assert_eq!(
            (note.process, note.verb.as_str(), note.since),
            (812, "update", 100)
        );
        for text in [
            "",
            "pid 812\nverb upd",
            "pid 812\nverb update\n",
            "pid -1\nverb update\nsince 100\n",
            "pid 812\nverb \nsince 100\n",
            "pid 812\nverb \u{1b}[2J\nsince 100\n",
            "pid 812\nverb rm -rf\nsince 100\n",
            "pid 812\nverb aaaaaaaaaaaaaaaaaaaaa\nsince 100\n",
            "pid 812\nverb update\nsince 99999999999999999999\n",
        ] {
            assert_eq!(Note::parse(text), None, "{text:?}");
        }
        let tomorrow = format!("pid 812\nverb update\nsince {}\n", seconds_up() + 86_400);
        assert_eq!(Note::parse(&tomorrow).unwrap().age(), None);
    }

    #[test]
    fn a_label_stays_in_the_folder() {
        assert_eq!(file_name("1-1.4"), "1-1.4");
        assert_eq!(file_name("pts/5"), "pts_5");
        assert_eq!(file_name("../../etc/passwd"), "_.._etc_passwd");
        assert_eq!(file_name(&"x".repeat(500)).len(), 64);
    }
}
