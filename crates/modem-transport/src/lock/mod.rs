//! The locks of this process, which allow one run per modem (`modem_discovery::LockPoint` says what is
//! locked).
//!
//! A directory in sysfs is locked with `flock`; a name is locked by a socket in the abstract name space,
//! which only one process can bind. The kernel releases both when the process ends, however it ends, so
//! nothing is ever left behind. Both attempts succeed or fail at once, and child processes inherit neither
//! lock. If the host gives only one of the two (the profiles of Docker and LXC deny locks below `/sys`), that
//! one is enough to keep other runs away. Both reach only as far as the network namespace, because each
//! namespace has a sysfs tree and abstract names of its own.

mod note;

use std::fs;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use modem_discovery::{LockKind, LockPoint};
use modem_world::{ClaimError, LockHolder};
use rustix::fs::{FlockOperation, Mode, OFlags, flock, fstat};
use rustix::io::Errno;
use rustix::net::{
    AddressFamily, SocketAddrUnix, SocketFlags, SocketType, bind, connect, listen, socket_with, sockopt,
};

use note::Notes;

/// How many processes can ask who owns a name before the queue is full; nothing takes them out of the queue.
/// On some hosts the kernel's own limit is lower (128 before Linux 5.4).
const ASKERS: i32 = 4096;

/// All locks of one world.
#[derive(Debug)]
pub(crate) struct Locks {
    held: Vec<Held>,
    proc: PathBuf,
    notes: Notes,
    /// Put before each name, so that a test's tree has names of its own.
    prefix: String,
}

/// One lock.
#[derive(Debug)]
struct Held {
    point: LockPoint,
    /// The lock is ours as long as this is open.
    lock: OwnedFd,
}

/// The result of trying to lock.
enum Tried {
    /// This world has the lock already.
    Had,
    Taken(OwnedFd),
    Held(LockHolder),
    /// The host doesn't give this lock, or the thing to be locked has just gone.
    NotGiven {
        call: &'static str,
        errno: Errno,
    },
}

/// The identity of a directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Inode {
    device: u64,
    number: u64,
}

impl Locks {
    /// No locks yet, for the host whose files lie below `root`.
    pub(crate) fn new(root: &Path) -> Self {
        let own_tree = fs::metadata(root).ok().filter(|_| root != Path::new("/"));
        let prefix = own_tree.map_or_else(String::new, |root| format!("{}:{}:", root.dev(), root.ino()));
        Self {
            held: Vec::new(),
            proc: root.join("proc"),
            notes: Notes::new(root.join("run")),
            prefix,
        }
    }

    /// Takes all of these locks that the host gives. If another run has one of them, takes none. Locks that
    /// this world already has stay its own.
    ///
    /// # Errors
    /// Another run has one of the locks; or the host gives no lock at all for one of the places, and the
    /// others are taken.
    pub(crate) fn take(&mut self, points: &[LockPoint], verb: &str) -> Result<(), ClaimError> {
        // Drops locks of other pseudo-terminals: one that is gone won't come back under its old name.
        let notes = &self.notes;
        self.held.retain(|held| {
            let is_kept = !held.is_pseudo_terminal() || points.contains(&held.point);
            if !is_kept {
                notes.remove(&held.point.label);
            }
            is_kept
        });
        let mut taken: Vec<Held> = Vec::new();
        let mut not_given = Vec::new();
        for point in points {
            match self.try_lock(point) {
                Tried::Had => {}
                Tried::Taken(lock) => taken.push(Held {
                    point: point.clone(),
                    lock,
                }),
                Tried::Held(holder) => return Err(ClaimError::Held(holder)),
                Tried::NotGiven { call, errno } => {
                    not_given.push((&point.label, call, errno));
                }
            }
        }
        for held in taken {
            let label = &held.point.label;
            if !self.has_place(label) {
                self.notes.write(label, verb);
            }
            // When a hub leaves and comes back, its directory is a new one: drop the lock on the old one.
            self.held.retain(|old| !old.is_for_the_same_as(&held));
            self.held.push(held);
        }
        let bare = not_given.into_iter().find(|(label, ..)| !self.has_place(label));
        bare.map_or(Ok(()), |(_, call, errno)| Err(failed(call, errno)))
    }

    /// Whether one of the locks of this place is ours. That is enough to keep all other runs out.
    fn has_place(&self, label: &str) -> bool {
        self.held.iter().any(|held| held.point.label == label)
    }

    /// Releases the locks of these places.
    pub(crate) fn give_back(&mut self, points: &[LockPoint]) {
        let labels: Vec<&str> = points.iter().map(|point| point.label.as_str()).collect();
        let notes = &self.notes;
        self.held.retain(|held| {
            let is_meant = labels.contains(&held.point.label.as_str());
            if is_meant {
                notes.remove(&held.point.label);
            }
            !is_meant
        });
    }

    /// Releases all locks.
    pub(crate) fn give_all_back(&mut self) {
        for held in self.held.drain(..) {
            self.notes.remove(&held.point.label);
        }
    }

    /// The other run that has one of these locks, as far as that can be seen. This locks nothing, so that a
    /// run that starts now isn't kept out.
    pub(crate) fn holder_of(&self, points: &[LockPoint]) -> Option<LockHolder> {
        points.iter().find_map(|point| match &point.kind {
            LockKind::Directory(directory) => {
                let found = fs::metadata(directory).ok()?;
                let inode = Inode {
                    device: found.dev(),
                    number: found.ino(),
                };
                if self.has(inode) {
                    return None;
                }
                let process = self.process_with(inode)?;
                Some(self.known_holder(&point.label, Some(process)))
            }
            LockKind::Name(name) if self.has_name(name) => None,
            LockKind::Name(name) => match self.ask(name) {
                NameOwner::Nobody => None,
                NameOwner::Held(process) => Some(self.known_holder(&point.label, process)),
            },
        })
    }

    fn try_lock(&self, point: &LockPoint) -> Tried {
        match &point.kind {
            LockKind::Directory(directory) => self.try_directory(directory, &point.label),
            LockKind::Name(name) => self.try_name(name, &point.label),
        }
    }

    fn try_directory(&self, path: &Path, label: &str) -> Tried {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let directory = match again(|| rustix::fs::open(path, flags, Mode::empty())) {
            Ok(directory) => directory,
            Err(errno) => return Tried::NotGiven { call: "open", errno },
        };
        let Some(inode) = inode_of(&directory) else {
            let errno = Errno::STALE;
            return Tried::NotGiven { call: "stat", errno };
        };
        if self.has(inode) {
            return Tried::Had;
        }
        match again(|| flock(&directory, FlockOperation::NonBlockingLockExclusive)) {
            Ok(()) => Tried::Taken(directory),
            Err(Errno::WOULDBLOCK) => Tried::Held(self.known_holder(label, self.process_with(inode))),
            Err(errno) => Tried::NotGiven { call: "flock", errno },
        }
    }

    fn try_name(&self, name: &str, label: &str) -> Tried {
        if self.has_name(name) {
            return Tried::Had;
        }
        let made = stream_socket().and_then(|socket| Ok((socket, self.address(name)?)));
        let (socket, address) = match made {
            Ok(made) => made,
            Err(errno) => {
                return Tried::NotGiven {
                    call: "socket",
                    errno,
                };
            }
        };
        match bind(&socket, &address) {
            Ok(()) => {}
            Err(Errno::ADDRINUSE) => {
                let process = match self.ask(name) {
                    NameOwner::Held(process) => process,
                    NameOwner::Nobody => None,
                };
                return Tried::Held(self.known_holder(label, process));
            }
            Err(errno) => return Tried::NotGiven { call: "bind", errno },
        }
        // Lets others ask who owns the name; no connection is ever accepted. If listening fails, the name is
        // still ours.
        let _ = listen(&socket, ASKERS);
        Tried::Taken(socket)
    }

    fn has(&self, inode: Inode) -> bool {
        self.held.iter().any(|held| {
            matches!(held.point.kind, LockKind::Directory(_)) && inode_of(&held.lock) == Some(inode)
        })
    }

    fn has_name(&self, name: &str) -> bool {
        let is_it = |held: &Held| matches!(&held.point.kind, LockKind::Name(held) if held == name);
        self.held.iter().any(is_it)
    }

    fn address(&self, name: &str) -> Result<SocketAddrUnix, Errno> {
        let name = format!("modemflash/{}{name}", self.prefix);
        SocketAddrUnix::new_abstract_name(short(&name).as_bytes())
    }

    /// Who owns a name, according to the kernel.
    fn ask(&self, name: &str) -> NameOwner {
        let (Ok(socket), Ok(address)) = (stream_socket(), self.address(name)) else {
            return NameOwner::Nobody;
        };
        match again(|| connect(&socket, &address)) {
            Ok(()) => {
                let credentials = sockopt::socket_peercred(&socket).ok();
                let number = credentials.map(|known| known.pid.as_raw_nonzero().get());
                NameOwner::Held(number.and_then(|number| u32::try_from(number).ok()))
            }
            // So many processes have asked that the queue is full.
            Err(Errno::AGAIN) => NameOwner::Held(None),
            Err(_) => NameOwner::Nobody,
        }
    }

    /// The process that has locked a file, according to the kernel; `None` if the process is in another
    /// container.
    fn process_with(&self, inode: Inode) -> Option<u32> {
        let text = fs::read_to_string(self.proc.join("locks")).ok()?;
        let (major, minor) = (rustix::fs::major(inode.device), rustix::fs::minor(inode.device));
        let wanted = format!("{major:02x}:{minor:02x}:{}", inode.number);
        text.lines().find_map(|line| {
            // `1: FLOCK  ADVISORY  WRITE 812 00:16:5257 0 EOF`; a process that waits for a lock has `->`
            // before FLOCK.
            let mut words = line.split_whitespace().skip(1);
            let is_flock = words.next() == Some("FLOCK");
            let process = words.nth(2)?.parse().ok()?;
            (is_flock && words.next() == Some(&wanted)).then_some(process)
        })
    }

    /// The holder, with what is known about it. The holder's own note counts only if it was written by the
    /// process that the kernel names.
    fn known_holder(&self, label: &str, process: Option<u32>) -> LockHolder {
        let Some(process) = process else {
            return LockHolder::default();
        };
        let note = self.notes.read(label).filter(|note| note.process == process);
        LockHolder {
            process: Some(process),
            name: modem_discovery::process_name(&self.proc, process),
            verb: note.as_ref().map(|note| note.verb.clone()),
            held_for: note.and_then(|note| note.age()),
        }
    }
}

/// Who owns a name.
enum NameOwner {
    Nobody,
    Held(Option<u32>),
}

impl Held {
    /// Whether both are locks of the same name, or of the directory of the same port.
    fn is_for_the_same_as(&self, other: &Self) -> bool {
        let is_directory = |held: &Self| matches!(held.point.kind, LockKind::Directory(_));
        self.point.label == other.point.label && is_directory(self) == is_directory(other)
    }

    fn is_pseudo_terminal(&self) -> bool {
        matches!(&self.point.kind, LockKind::Name(name) if name.starts_with("pty:"))
    }
}

fn inode_of(file: impl AsFd) -> Option<Inode> {
    let found = fstat(file).ok()?;
    #[allow(clippy::unnecessary_fallible_conversions, clippy::useless_conversion)]
    Some(Inode {
        device: u64::try_from(found.st_dev).ok()?,
        number: u64::try_from(found.st_ino).ok()?,
    })
}

fn stream_socket() -> Result<OwnedFd, Errno> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)
}

/// The name, or its FNV-1a hash if the name is too long for an address (108 bytes including the NUL in
/// front).
fn short(name: &str) -> String {
    if name.len() <= 100 {
        return name.to_owned();
    }
    let sum = name.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |sum, byte| {
        (sum ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    format!("modemflash/long:{sum:016x}")
}

fn failed(call: &'static str, errno: Errno) -> ClaimError {
    ClaimError::Io {
        call,
        errno: errno.raw_os_error(),
    }
}

/// Repeats a call until no signal interrupts it.
fn again<T>(mut call: impl FnMut() -> Result<T, Errno>) -> Result<T, Errno> {
    loop {
        match call() {
            Err(Errno::INTR) => {}
            other => return other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A place with a name, and with what stands where its directory should be.
    fn place(folder: &Path, label: &str) -> [LockPoint; 2] {
        let file = folder.join(label);
        // This file can't be opened as a directory, not even by root.
        fs::write(&file, "").unwrap();
        [LockKind::Name(label.to_owned()), LockKind::Directory(file)].map(|kind| LockPoint {
            label: label.to_owned(),
            kind,
        })
    }

    #[test]
    fn where_the_host_does_not_lock_the_directory_the_name_keeps_others_away() {
        let folder = tempfile::tempdir().unwrap();
        let points = place(folder.path(), "1-4");
        let (mut owner, mut rival) = (Locks::new(folder.path()), Locks::new(folder.path()));
        assert_eq!(owner.take(&points, "update"), Ok(()));
        assert_eq!(owner.take(&points, "update"), Ok(()));
        assert!(matches!(
            rival.take(&points, "update"),
            Err(ClaimError::Held(holder)) if holder.process == Some(std::process::id())
        ));
        assert!(rival.holder_of(&points).is_some());
        assert_eq!(owner.holder_of(&points), None);
        owner.give_back(&points);
        assert_eq!(rival.take(&points, "update"), Ok(()));
    }

    #[test]
    fn where_the_host_locks_nothing_of_a_place_that_is_said_and_the_other_place_is_locked() {
        let folder = tempfile::tempdir().unwrap();
        let [_, no_lock] = place(folder.path(), "1-4");
        let [peer, _] = place(folder.path(), "2-4");
        let points = [peer.clone(), no_lock];
        let (mut owner, mut rival) = (Locks::new(folder.path()), Locks::new(folder.path()));
        let errno = Errno::NOTDIR.raw_os_error();
        let no_lock = ClaimError::Io { call: "open", errno };
        assert_eq!(owner.take(&points, "update"), Err(no_lock));
        assert!(matches!(rival.take(&[peer], "update"), Err(ClaimError::Held(_))));
    }
}
