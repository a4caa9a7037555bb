//! Files that the program writes under a name that the user gave. Only this file opens them.
//!
//! Nothing of the user's is destroyed. The name must stand for a new file, an empty file, or an older file of the same kind that no
//! other run is writing; only then the file is written anew. A check is needed because a shell makes `--trace *.cwe` into `--trace
//! first.cwe second.cwe`: the name may be that of a firmware file.

use std::fmt;
use std::fs::{self, File, FileType, Metadata};
use std::io;
use std::os::unix::fs::{FileExt, FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use firmware_image::source::content::{Content, HEAD_SIZE};
use firmware_image::source::is_firmware_name;
use rustix::fs::{FlockOperation, Mode, OFlags, flock};

/// A file that the program wants to write.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OutputFile<'a> {
    /// The name that the user gave.
    pub(crate) path: &'a Path,
    /// Tells from the first bytes of a file whether it is an older file of the same kind.
    pub(crate) is_older: fn(&[u8]) -> bool,
    /// The files that the user has named as input.
    pub(crate) inputs: &'a [PathBuf],
}

/// Why the program refuses to write a file.
#[derive(Debug)]
pub(crate) enum Unwritable {
    /// The name is `-`, which means standard output to other programs.
    Hyphen,
    /// The file is one of the inputs.
    Input,
    /// The file holds something else.
    Foreign(Content),
    /// The name ends like that of firmware or an archive. If the file is empty (as after a broken download) or doesn't exist, only
    /// the name can tell.
    Name,
    /// The name stands for a link, a folder, a device or a pipe.
    Special(&'static str),
    /// Another program is writing the file, most likely another run of this program.
    Busy,
    /// The system reports an error.
    System(io::Error),
}

impl OutputFile<'_> {
    /// Looks at what has this name now, and changes nothing. It is fine if nothing has this name.
    ///
    /// # Errors
    /// The program would refuse to write the file.
    pub(crate) fn judge(&self) -> Result<(), Unwritable> {
        self.judge_contents()?;
        // Judge the contents first: they tell more than the name.
        if is_firmware_name(&self.path.to_string_lossy()) {
            return Err(Unwritable::Name);
        }
        Ok(())
    }

    fn judge_contents(&self) -> Result<(), Unwritable> {
        if self.path == Path::new("-") {
            return Err(Unwritable::Hyphen);
        }
        let metadata = match fs::symlink_metadata(self.path) {
            Ok(metadata) => metadata,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(Unwritable::System(error)),
        };
        self.judge_kind(&metadata)?;
        if metadata.len() == 0 {
            return Ok(());
        }
        let flags = OFlags::RDONLY | CAREFULLY;
        let file = rustix::fs::open(self.path, flags, Mode::empty()).map_err(system)?;
        self.judge_file(&File::from(file))
    }

    /// Opens the file, empties it, and locks it for as long as it is open. Only its owner can read a new file; an existing file
    /// keeps its mode and owner.
    ///
    /// # Errors
    /// Those of [`judge`](Self::judge). Then an existing file is left as it was.
    pub(crate) fn create(&self) -> Result<File, Unwritable> {
        // Judge before opening: opening a device can be enough to start a watchdog.
        self.judge()?;
        // Another file may have taken the name since, so judge again before emptying it. Because of CREATE the kernel refuses
        // another user's file in /tmp (`fs.protected_regular`).
        let flags = OFlags::RDWR | OFlags::CREATE | CAREFULLY;
        let mode = Mode::RUSR | Mode::WUSR;
        let file = File::from(rustix::fs::open(self.path, flags, mode).map_err(system)?);
        lock(&file)?;
        self.judge_file(&file)?;
        file.set_len(0).map_err(Unwritable::System)?;
        Ok(file)
    }

    fn judge_file(&self, file: &File) -> Result<(), Unwritable> {
        let metadata = file.metadata().map_err(Unwritable::System)?;
        self.judge_kind(&metadata)?;
        let mut head = [0; HEAD_SIZE];
        let mut filled = 0;
        while let Some(rest @ [_, ..]) = head.get_mut(filled..) {
            let place = u64::try_from(filled).unwrap_or(u64::MAX);
            match file.read_at(rest, place) {
                Ok(0) => break,
                Ok(count) => filled = filled.saturating_add(count),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(Unwritable::System(error)),
            }
        }
        let head = head.get(..filled).unwrap_or_default();
        if head.is_empty() || (self.is_older)(head) {
            return Ok(());
        }
        Err(Unwritable::Foreign(Content::of(head)))
    }

    fn judge_kind(&self, metadata: &Metadata) -> Result<(), Unwritable> {
        if let Some(words) = special(metadata.file_type()) {
            return Err(Unwritable::Special(words));
        }
        let is_same = |input: &PathBuf| {
            fs::metadata(input)
                .is_ok_and(|input| input.dev() == metadata.dev() && input.ino() == metadata.ino())
        };
        if self.inputs.iter().any(is_same) {
            return Err(Unwritable::Input);
        }
        Ok(())
    }
}

/// Don't follow links, don't wait for the reader of a pipe, and don't take a terminal as our controlling terminal.
const CAREFULLY: OFlags = OFlags::NOFOLLOW
    .union(OFlags::NONBLOCK)
    .union(OFlags::NOCTTY)
    .union(OFlags::CLOEXEC);

/// Locks the file, so that a second run of the same command doesn't empty what the first run writes. On a file system without
/// locks, nothing is locked.
fn lock(file: &File) -> Result<(), Unwritable> {
    match rustix::io::retry_on_intr(|| flock(file, FlockOperation::NonBlockingLockExclusive)) {
        Err(rustix::io::Errno::WOULDBLOCK) => Err(Unwritable::Busy),
        _ => Ok(()),
    }
}

fn system(error: rustix::io::Errno) -> Unwritable {
    Unwritable::System(error.into())
}

/// The name of a kind of file that isn't a regular file.
fn special(kind: FileType) -> Option<&'static str> {
    let kinds = [
        (kind.is_file(), None),
        (kind.is_symlink(), Some("a symbolic link")),
        (kind.is_dir(), Some("a folder")),
        (kind.is_fifo(), Some("a pipe")),
        (kind.is_socket(), Some("a socket")),
    ];
    let known = kinds.into_iter().find(|(is, _)| *is);
    known.map_or(Some("a device"), |(_, words)| words)
}

impl Unwritable {
    /// Whether the file is firmware or an archive, by its name or contents, or one of the inputs.
    pub(crate) fn is_firmware(&self) -> bool {
        match self {
            Self::Input | Self::Name => true,
            Self::Foreign(content) => *content == Content::Image || content.is_archive(),
            Self::Hyphen | Self::Special(_) | Self::Busy | Self::System(_) => false,
        }
    }
}

impl fmt::Display for Unwritable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Hyphen => f.write_str("it isn't written to standard output"),
            Self::Input => f.write_str("it is one of the files to be read"),
            Self::Foreign(content @ (Content::Image | Content::Text)) => write!(f, "there is {content}"),
            Self::Foreign(content) if content.is_archive() => write!(f, "there is {content}"),
            Self::Foreign(_) => f.write_str("there is something else"),
            Self::Name => f.write_str("its name is that of firmware or an archive"),
            Self::Special(kind) => write!(f, "there is {kind}"),
            Self::Busy => f.write_str("another run writes it"),
            Self::System(error) => error.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    fn is_note(head: &[u8]) -> bool {
        head.starts_with(b"note ")
    }

    fn output<'a>(path: &'a Path, inputs: &'a [PathBuf]) -> OutputFile<'a> {
        OutputFile {
            path,
            is_older: is_note,
            inputs,
        }
    }

    #[test]
    fn what_changes_its_kind_after_the_judgement_is_judged_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("note");
        let file = output(&path, &[]);
        file.judge().unwrap();
        fs::write(&path, "precious").unwrap();
        assert!(matches!(file.create(), Err(Unwritable::Foreign(Content::Text))));
        fs::remove_file(&path).unwrap();
        symlink(folder.path().join("elsewhere"), &path).unwrap();
        assert!(matches!(file.create(), Err(Unwritable::Special(_))));
        assert!(!folder.path().join("elsewhere").exists());
    }

    #[test]
    fn a_file_that_another_run_writes_is_left_alone_until_that_run_ends() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("note");
        let file = output(&path, &[]);
        // The first run has opened the file. It is refused to others both before and after the first run writes.
        let mut first = file.create().unwrap();
        assert!(matches!(file.create(), Err(Unwritable::Busy)));
        io::Write::write_all(&mut first, b"note 1").unwrap();
        assert!(matches!(file.create(), Err(Unwritable::Busy)));
        assert_eq!(fs::read(&path).unwrap(), b"note 1");
        drop(first);
        drop(file.create().unwrap());
        assert_eq!(fs::read(&path).unwrap(), b"");
    }

    #[test]
    fn a_name_of_firmware_or_an_archive_is_taken_for_no_output_whatever_is_there() {
        let folder = tempfile::tempdir().unwrap();
        for name in [
            "a.cwe",
            "a.CWE",
            "a.nvu",
            "a.spk",
            "a.Spk",
            "a.mbn",
            "a.zip",
            "a.7z",
            "a.exe",
            "a.EXE",
            "1.2.3.cwe",
            "a.tar",
            "a.tar.gz",
            "a.rar",
        ] {
            let path = folder.path().join(name);
            let file = output(&path, &[]);
            assert!(matches!(file.create(), Err(Unwritable::Name)), "{name}");
            assert!(!path.exists(), "{name}");
            for text in ["", "note 1"] {
                fs::write(&path, text).unwrap();
                assert!(matches!(file.create(), Err(Unwritable::Name)), "{name}");
                assert_eq!(fs::read_to_string(&path).unwrap(), text, "{name}");
            }
        }
        for name in [
            "run.trace",
            "log",
            "log.txt",
            "a.log",
            "cwe",
            "zip",
            "a.cwe.trace",
            "a.zip.log",
            "7z",
            "MC7455_02.38.00.00",
            ".zip",
        ] {
            let path = folder.path().join(name);
            drop(
                output(&path, &[])
                    .create()
                    .unwrap_or_else(|why| panic!("{name}: {why}")),
            );
        }
    }

    #[test]
    fn an_input_is_known_by_every_name_also_when_it_looks_like_an_older_output() {
        let folder = tempfile::tempdir().unwrap();
        let (input, link) = (folder.path().join("input"), folder.path().join("link"));
        fs::write(&input, "note 1").unwrap();
        fs::hard_link(&input, &link).unwrap();
        let symbolic = folder.path().join("symbolic");
        symlink(&input, &symbolic).unwrap();
        for given in [&input, &symbolic] {
            let inputs = [given.clone()];
            for path in [&input, &link] {
                assert!(matches!(output(path, &inputs).create(), Err(Unwritable::Input)));
            }
        }
        assert_eq!(fs::read(&input).unwrap(), b"note 1");
        drop(output(&link, &[]).create().unwrap());
        assert_eq!(fs::read(&input).unwrap(), b"");
    }
}
