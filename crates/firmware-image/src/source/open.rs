//! Opens what the user named. Every file that the program reads under a name of the user's is opened here.
//!
//! A name can stand for anything: a pipe on which nobody writes, a modem's port, a watchdog that starts when it is
//! opened, `/proc/kmsg`, which says that it is an ordinary file and then waits for ever. And what a name stands for can
//! change between a look and an open. So the name is looked up once, without opening what is there (`O_PATH`). What
//! was found is judged, and only a stored file is then opened, through what was found and not through its name.
//! Nothing here waits.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use super::error::SourceError;

/// Opens a stored file for reading.
///
/// # Errors
/// [`SourceError::NotAFile`] for a folder, a pipe, a socket, a device, or a file that the kernel makes up. Otherwise the
/// operating system's error.
pub fn open(path: &Path) -> Result<File, SourceError> {
    Place::find(path)?.open()
}

/// What a name stood for when it was looked up. It stays that, whatever happens to the name.
#[derive(Debug)]
pub(crate) struct Place {
    path: PathBuf,
    found: File,
    kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    File,
    Folder,
    Other(&'static str),
}

impl Place {
    /// Looks up a name, through links.
    pub(crate) fn find(path: &Path) -> Result<Self, SourceError> {
        let error = |e| SourceError::from_io(path, e);
        let found = system::find(path).map_err(error)?;
        let kind = kind_of(&found).map_err(error)?;
        Ok(Self {
            path: path.to_path_buf(),
            found,
            kind,
        })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn is_folder(&self) -> bool {
        self.kind == Kind::Folder
    }

    /// Opens what was found for reading, if it is a stored file.
    pub(crate) fn open(&self) -> Result<File, SourceError> {
        self.judge(self.kind)?;
        let error = |e| SourceError::from_io(self.path.as_path(), e);
        let file = system::open(&self.found, &self.path).map_err(error)?;
        // Without /proc the name was used again, and it may stand for something else by now.
        self.judge(kind_of(&file).map_err(error)?)?;
        Ok(file)
    }

    fn judge(&self, kind: Kind) -> Result<(), SourceError> {
        let what = match kind {
            Kind::File => return Ok(()),
            Kind::Folder => "a folder",
            Kind::Other(what) => what,
        };
        Err(SourceError::NotAFile {
            path: self.path.clone(),
            what,
        })
    }

    /// The path of what was found, without links. `None` if it can't be told, for example because it was deleted.
    pub(crate) fn real_path(&self) -> Option<PathBuf> {
        system::real_path(&self.found, &self.path)
    }
}

fn kind_of(found: &File) -> io::Result<Kind> {
    let metadata = found.metadata()?;
    let kind = metadata.file_type();
    Ok(if kind.is_dir() {
        Kind::Folder
    } else if !kind.is_file() {
        Kind::Other(system::words(kind))
    } else if system::is_made_up(found) {
        Kind::Other("a file that the kernel makes up")
    } else {
        Kind::File
    })
}

#[cfg(target_os = "linux")]
mod system {
    use std::fs::{File, FileType};
    use std::io;
    use std::os::fd::AsRawFd;
    use std::os::unix::fs::FileTypeExt;
    use std::path::{Path, PathBuf};

    use rustix::fs::{Mode, OFlags};

    /// Doesn't open what is there, so nothing waits, and no device notices.
    pub(super) fn find(path: &Path) -> io::Result<File> {
        let flags = OFlags::PATH | OFlags::CLOEXEC;
        let found = rustix::io::retry_on_intr(|| rustix::fs::open(path, flags, Mode::empty()))?;
        Ok(found.into())
    }

    pub(super) fn open(found: &File, path: &Path) -> io::Result<File> {
        // NONBLOCK and NOCTTY matter only where /proc is missing, so that the name is used a second time.
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        let open = |path: &Path| rustix::io::retry_on_intr(|| rustix::fs::open(path, flags, Mode::empty()));
        let file = match open(&link_to(found)) {
            Err(rustix::io::Errno::NOENT | rustix::io::Errno::NOTDIR) => open(path),
            opened => opened,
        };
        Ok(file?.into())
    }

    pub(super) fn real_path(found: &File, path: &Path) -> Option<PathBuf> {
        std::fs::read_link(link_to(found))
            .or_else(|_| std::fs::canonicalize(path))
            .ok()
    }

    fn link_to(found: &File) -> PathBuf {
        std::format!("/proc/self/fd/{}", found.as_raw_fd()).into()
    }

    pub(super) fn words(kind: FileType) -> &'static str {
        if kind.is_fifo() {
            "a pipe"
        } else if kind.is_socket() {
            "a socket"
        } else {
            "a device"
        }
    }

    /// Whether the file is on a file system without stored files. Its files say that they are ordinary files, but
    /// reading them may wait for ever (`/proc/kmsg`) or take the bytes away from another program.
    pub(super) fn is_made_up(found: &File) -> bool {
        // include/uapi/linux/magic.h: proc, sysfs, debugfs, tracefs, securityfs, configfs, cgroup, cgroup2, bpf,
        // selinuxfs, efivarfs.
        const MADE_UP: [u32; 11] = [
            0x0000_9fa0,
            0x6265_6572,
            0x6462_6720,
            0x7472_6163,
            0x7363_6673,
            0x6265_6570,
            0x0027_e0eb,
            0x6367_7270,
            0xcafe_4a11,
            0xf97c_ff8c,
            0xde5e_81e4,
        ];
        // The field's type differs between architectures, and has a sign on some; its low 32 bits hold the number.
        let number = |stat: rustix::fs::StatFs| i128::from(stat.f_type) & 0xffff_ffff;
        rustix::fs::fstatfs(found)
            .is_ok_and(|stat| MADE_UP.iter().any(|known| i128::from(*known) == number(stat)))
    }
}

#[cfg(not(target_os = "linux"))]
mod system {
    use std::fs::{File, FileType};
    use std::io;
    use std::path::{Path, PathBuf};

    pub(super) fn find(path: &Path) -> io::Result<File> {
        File::open(path)
    }

    pub(super) fn open(found: &File, _path: &Path) -> io::Result<File> {
        found.try_clone()
    }

    pub(super) fn real_path(_found: &File, path: &Path) -> Option<PathBuf> {
        std::fs::canonicalize(path).ok()
    }

    pub(super) fn words(_kind: FileType) -> &'static str {
        "a pipe or a device"
    }

    pub(super) fn is_made_up(_found: &File) -> bool {
        false
    }
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use super::*;
    use std::io::Read;
    use std::os::unix::fs::symlink;
    use std::os::unix::net::UnixListener;
    use std::string::{String, ToString};

    fn refusal(path: &Path) -> String {
        match open(path) {
            Err(e @ SourceError::NotAFile { .. }) => e.to_string(),
            other => panic!("{}: {other:?}", path.display()),
        }
    }

    fn make_pipe(path: &Path) {
        rustix::fs::mknodat(
            rustix::fs::CWD,
            path,
            rustix::fs::FileType::Fifo,
            rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR,
            0,
        )
        .unwrap();
    }

    #[test]
    fn what_is_no_stored_file_is_refused_at_once_also_through_a_link() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        make_pipe(&at("pipe.cwe"));
        let _listener = UnixListener::bind(at("socket.cwe")).unwrap();
        let cases = [
            (at("pipe.cwe"), "a pipe"),
            (at("socket.cwe"), "a socket"),
            ("/dev/null".into(), "a device"),
            ("/dev/ptmx".into(), "a device"),
            (folder.path().to_path_buf(), "a folder"),
            ("/proc/kmsg".into(), "the kernel makes up"),
            ("/proc/self/maps".into(), "the kernel makes up"),
            ("/sys/kernel/uevent_seqnum".into(), "the kernel makes up"),
        ];
        for (number, (path, words)) in cases.into_iter().enumerate() {
            if !path.exists() {
                continue;
            }
            assert!(
                refusal(&path).contains(words),
                "{}: {}",
                path.display(),
                refusal(&path)
            );
            let link = at(&number.to_string());
            symlink(&path, &link).unwrap();
            assert!(refusal(&link).contains(words), "link to {}", path.display());
        }
    }

    #[test]
    fn what_is_refused_is_never_opened() {
        // The kernel tells a writer whether somebody has the pipe open for reading.
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pipe");
        make_pipe(&path);
        let place = Place::find(&path).unwrap();
        assert!(place.open().is_err());
        let flags = rustix::fs::OFlags::WRONLY | rustix::fs::OFlags::NONBLOCK;
        let writer = || rustix::fs::open(&path, flags, rustix::fs::Mode::empty());
        assert_eq!(writer().unwrap_err(), rustix::io::Errno::NXIO);
        let _reader = rustix::fs::open(
            &path,
            rustix::fs::OFlags::RDONLY | rustix::fs::OFlags::NONBLOCK,
            rustix::fs::Mode::empty(),
        )
        .unwrap();
        writer().unwrap();
    }

    #[test]
    fn stored_files_are_opened_by_their_name_a_link_and_an_open_descriptor() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.cwe");
        std::fs::write(&path, b"bytes").unwrap();
        let link = folder.path().join("link");
        symlink(&path, &link).unwrap();
        let held = File::open(&path).unwrap();
        let descriptor = std::os::fd::AsRawFd::as_raw_fd(&held);
        let by_descriptor = PathBuf::from(std::format!("/proc/self/fd/{descriptor}"));
        for name in [path, link, by_descriptor] {
            let mut text = String::new();
            open(&name).unwrap().read_to_string(&mut text).unwrap();
            assert_eq!(text, "bytes", "{}", name.display());
        }
    }

    #[test]
    fn what_was_found_is_opened_even_if_the_name_stands_for_something_else_by_then() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.cwe");
        std::fs::write(&path, b"found").unwrap();
        let place = Place::find(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        make_pipe(&path);
        let mut text = String::new();
        place.open().unwrap().read_to_string(&mut text).unwrap();
        assert_eq!(text, "found");
        assert!(refusal(&path).contains("a pipe"));
    }

    #[test]
    fn what_is_missing_or_forbidden_says_so() {
        let folder = tempfile::tempdir().unwrap();
        let missing = folder.path().join("no.cwe");
        assert_eq!(open(&missing).unwrap_err().code(), "E-SRC-MISSING");
        symlink("nowhere", folder.path().join("dangling")).unwrap();
        assert_eq!(
            open(&folder.path().join("dangling")).unwrap_err().code(),
            "E-SRC-MISSING"
        );
        symlink("circle", folder.path().join("circle")).unwrap();
        assert_eq!(
            open(&folder.path().join("circle")).unwrap_err().code(),
            "E-SRC-UNREADABLE"
        );
    }
}
