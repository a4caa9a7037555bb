//! One modem, one run: locks of real processes, on pseudo-terminals and on a tree in the kernel's shape.
//!
//! A process is this test again, with what it is to do in its environment ([`a_process_of_its_own`]).

use std::fs;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, ChildStdin, Command, Stdio};

use crate::process;
use modem_world::{ClaimError, LockHolder, PortId, Spot, UsbPath, World};
use modemflash_modem_transport::LinuxWorld;
use rustix::io::Errno;
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use tempfile::TempDir;

/// How often two processes start at the same moment.
const STARTS: usize = 1000;

/// A nobody.
const NOBODY: u32 = 65534;

/// What a process is to do: the root of its world, the spot (a place and perhaps its peer, or a port), and what it writes.
const ROOT: &str = "MODEMFLASH_TEST_ROOT";
const PLACE: &str = "MODEMFLASH_TEST_PLACE";
const LETTER: &str = "MODEMFLASH_TEST_LETTER";

/// Takes what it is told to, opens a port and writes to it, says on standard error how that went, and keeps it until its standard
/// input ends. An ordinary run of the tests has nothing for it to do.
#[test]
fn a_process_of_its_own() {
    let Ok(place) = std::env::var(PLACE) else { return };
    let mut world = LinuxWorld::with_root(std::env::var(ROOT).unwrap()).unwrap();
    #[expect(
        clippy::disallowed_methods,
        reason = "a pipe from the test, and nobody to ask"
    )]
    let mut input = std::io::stdin();
    // Both are there before one begins.
    input.read_exact(&mut [0]).unwrap();
    let spot = if place.starts_with('/') {
        Spot::of_port(&world.find(&place).unwrap())
    } else {
        let mut places = place.split(' ').map(UsbPath::new);
        Spot::Socket {
            place: places.next().unwrap(),
            peer: places.next(),
        }
    };
    let word = match world.host().claim(&spot, "update") {
        Ok(()) => match std::env::var(LETTER) {
            Ok(letter) => {
                let Spot::Port(port) = &spot else { panic!() };
                let handle = world.open(port).unwrap();
                assert_eq!(world.try_write(handle, letter.as_bytes()), Ok(1));
                b'+'
            }
            Err(_) => b'+',
        },
        Err(ClaimError::Held(_)) => b'-',
        Err(other) => panic!("{other:?}"),
    };
    std::io::stderr().write_all(&[word]).unwrap();
    let _ = input.read(&mut [0]);
    drop(world);
    std::process::exit(0);
}

/// A process that does it.
struct Process {
    child: Child,
    go: Option<ChildStdin>,
    said: ChildStderr,
}

impl Process {
    fn command(root: &Path, place: &str) -> Command {
        let mut command = process::with_only(module_path!(), "a_process_of_its_own");
        command
            .arg("--test-threads=1")
            .env(ROOT, root)
            .env(PLACE, place)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        command
    }

    fn start(mut command: Command) -> Self {
        let mut child = command.spawn().unwrap();
        Self {
            go: child.stdin.take(),
            said: child.stderr.take().unwrap(),
            child,
        }
    }

    fn go(&mut self) {
        self.go.as_mut().unwrap().write_all(b"!").unwrap();
    }

    /// Whether it got in.
    fn got_in(&mut self) -> bool {
        let mut word = [0];
        self.said.read_exact(&mut word).unwrap();
        match word[0] {
            b'+' => true,
            b'-' => false,
            _ => {
                let mut text = String::from_utf8_lossy(&word).into_owned();
                let _ = self.said.read_to_string(&mut text);
                panic!("{text}");
            }
        }
    }

    fn starts_alone(root: &Path, place: &str) -> (Self, bool) {
        let mut process = Self::start(Self::command(root, place));
        process.go();
        let got_in = process.got_in();
        (process, got_in)
    }

    fn id(&self) -> u32 {
        self.child.id()
    }

    fn ends(mut self) {
        self.go = None;
        assert!(self.child.wait().unwrap().success());
    }
}

/// A pseudo-terminal; the test is the modem.
fn pty() -> (OwnedFd, String) {
    let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
    rustix::io::ioctl_fionbio(&master, true).unwrap();
    grantpt(&master).unwrap();
    unlockpt(&master).unwrap();
    let name = ptsname(&master, Vec::new()).unwrap().into_string().unwrap();
    (master, name)
}

fn received(master: &OwnedFd) -> Vec<u8> {
    let mut bytes = [0; 64];
    match rustix::io::read(master, &mut bytes) {
        Ok(count) => bytes[..count].to_vec(),
        Err(Errno::AGAIN) => Vec::new(),
        Err(errno) => panic!("{errno}"),
    }
}

fn one_pair(folder: &Path, round: usize) {
    let (master, name) = pty();
    let link = folder.join(format!("modem-{round}"));
    symlink(&name, &link).unwrap();
    // By two names of one port; who is told first changes.
    let names = [name.as_str(), link.to_str().unwrap()];
    let letters = ["a", "b"];
    let mut both: Vec<Process> = (0..2)
        .map(|number| {
            let mut command = Process::command(Path::new("/"), names[number]);
            command.env(LETTER, letters[number]);
            Process::start(command)
        })
        .collect();
    for number in [round % 2, (round + 1) % 2] {
        both[number].go();
    }
    let got_in: Vec<bool> = both.iter_mut().map(Process::got_in).collect();
    let winner = got_in.iter().position(|got_in| *got_in);
    let is_one = got_in.iter().filter(|got_in| **got_in).count() == 1;
    assert!(is_one, "round {round}: {got_in:?}");
    assert_eq!(
        received(&master),
        letters[winner.unwrap()].as_bytes(),
        "round {round}"
    );
    both.into_iter().for_each(Process::ends);
    fs::remove_file(link).unwrap();
}

#[test]
fn of_two_processes_that_start_at_the_same_moment_one_alone_writes_to_the_modem() {
    let folder = tempfile::tempdir().unwrap();
    let (folder, next) = (folder.path(), std::sync::atomic::AtomicUsize::new(0));
    // Some pairs at a time, so that the processors have something to do.
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                loop {
                    let round = next.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                    if round >= STARTS {
                        return;
                    }
                    one_pair(folder, round);
                }
            });
        }
    });
}

/// `sys`, `run` and `proc` of a host with two USB 3 sockets: 1-4 with 2-4, and 1-5 with 2-5. Everybody may look.
struct Host {
    folder: TempDir,
}

impl Host {
    fn new() -> Self {
        let host = Self {
            folder: tempfile::tempdir().unwrap(),
        };
        fs::set_permissions(host.root(), fs::Permissions::from_mode(0o755)).unwrap();
        for folder in ["sys/bus/usb/devices", "run", "proc", "dev"] {
            fs::create_dir_all(host.root().join(folder)).unwrap();
        }
        for (bus, other) in [(1, 2), (2, 1)] {
            let hub = host.root().join(format!("sys/devices/usb{bus}/{bus}-0:1.0"));
            for port in [4, 5] {
                let directory = hub.join(format!("usb{bus}-port{port}"));
                fs::create_dir_all(&directory).unwrap();
                let peer = format!("../../../usb{other}/{other}-0:1.0/usb{other}-port{port}");
                symlink(peer, directory.join("peer")).unwrap();
            }
            let link = host.root().join(format!("sys/bus/usb/devices/{bus}-0:1.0"));
            symlink(hub, link).unwrap();
        }
        symlink("/proc/locks", host.root().join("proc/locks")).unwrap();
        host
    }

    fn root(&self) -> &Path {
        self.folder.path()
    }

    fn world(&self) -> LinuxWorld {
        LinuxWorld::with_root(self.root()).unwrap()
    }

    fn note(&self, place: &str) -> PathBuf {
        self.root().join("run/modemflash").join(place)
    }
}

fn socket(place: &str, peer: Option<&str>) -> Spot {
    Spot::Socket {
        place: UsbPath::new(place),
        peer: peer.map(UsbPath::new),
    }
}

/// Claims what nobody has any more. Another test may just be starting a process: until that runs its own program it has what
/// this process had at that moment.
#[track_caller]
fn gets(world: &mut LinuxWorld, spot: &Spot) {
    let mut last = Ok(());
    for _ in 0..100_000 {
        last = world.host().claim(spot, "at");
        if last.is_ok() {
            return;
        }
        std::thread::yield_now();
    }
    panic!("{spot:?}: {last:?}");
}

/// Who has it, when it can't be claimed.
#[track_caller]
fn locked(world: &mut LinuxWorld, spot: &Spot) -> LockHolder {
    match world.host().claim(spot, "at") {
        Err(ClaimError::Held(holder)) => holder,
        other => panic!("{other:?}"),
    }
}

#[test]
fn both_places_of_a_usb_3_socket_are_one_lock_and_the_next_socket_is_another() {
    let host = Host::new();
    let (holder, got_in) = Process::starts_alone(host.root(), "2-4 1-4");
    assert!(got_in);
    let mut world = host.world();
    for spot in [
        socket("1-4", Some("2-4")),
        socket("2-4", Some("1-4")),
        socket("1-4", None),
        socket("2-4", None),
    ] {
        let found = locked(&mut world, &spot);
        assert_eq!(found.process, Some(holder.id()), "{spot:?}");
        assert_eq!(found.verb.as_deref(), Some("update"));
        assert!(found.held_for.is_some_and(|held| held.as_secs() < 60));
        assert_eq!(world.host().holder_of(&spot), Some(found));
    }
    let next = socket("1-5", Some("2-5"));
    assert_eq!(world.host().holder_of(&next), None);
    gets(&mut world, &next);
    holder.ends();
    let spot = socket("1-4", Some("2-4"));
    assert_eq!(world.host().holder_of(&spot), None);
    gets(&mut world, &spot);
}

#[test]
fn a_hub_that_left_and_came_back_lets_no_rival_in() {
    let host = Host::new();
    let spot = socket("1-4", Some("2-4"));
    let mut owner = host.world();
    assert_eq!(owner.host().claim(&spot, "update"), Ok(()));
    // Its directories are other ones now, and nobody has locked them yet.
    for (bus, other) in [(1, 2), (2, 1)] {
        let hub = host.root().join(format!("sys/devices/usb{bus}/{bus}-0:1.0"));
        let (left, directory) = (hub.join("left"), hub.join(format!("usb{bus}-port4")));
        fs::rename(&directory, &left).unwrap();
        fs::create_dir(&directory).unwrap();
        let peer = format!("../../../usb{other}/{other}-0:1.0/usb{other}-port4");
        symlink(peer, directory.join("peer")).unwrap();
        fs::remove_dir_all(left).unwrap();
    }
    let rival = |place: &str| {
        let (rival, got_in) = Process::starts_alone(host.root(), place);
        rival.ends();
        got_in
    };
    assert!(!rival("1-4 2-4") && !rival("2-4"));
    assert_eq!(owner.host().claim(&spot, "update"), Ok(()));
    assert!(!rival("1-4 2-4") && !rival("2-4"));
    owner.host().unclaim(&spot);
    gets(&mut host.world(), &spot);
}

#[test]
fn a_process_that_is_killed_leaves_no_lock_and_its_note_misleads_nobody() {
    for place in ["1-4 2-4", "1-9"] {
        let host = Host::new();
        let spot = socket(place.split(' ').next().unwrap(), None);
        let (mut holder, _) = Process::starts_alone(host.root(), place);
        let mut world = host.world();
        assert_eq!(locked(&mut world, &spot).process, Some(holder.id()));
        holder.child.kill().unwrap();
        holder.child.wait().unwrap();
        let note = host.note(&spot.to_string());
        assert!(note.exists(), "it had no time to take it away");
        assert_eq!(world.host().holder_of(&spot), None);
        gets(&mut world, &spot);
        let text = fs::read_to_string(&note).unwrap();
        assert!(
            text.starts_with(&format!("pid {}\nverb at\n", std::process::id())),
            "{text}"
        );
        world.host().unclaim(&spot);
        assert!(!note.exists());
    }
}

#[test]
fn the_same_process_keeps_what_it_has_and_its_other_worlds_are_others() {
    let host = Host::new();
    let (mut first, mut second) = (host.world(), host.world());
    let spot = socket("1-4", Some("2-4"));
    assert_eq!(first.host().claim(&spot, "update"), Ok(()));
    // Again, as after an enumeration, and from the place of the other speed.
    assert_eq!(first.host().claim(&socket("2-4", Some("1-4")), "update"), Ok(()));
    assert_eq!(first.host().holder_of(&spot), None);
    let holder = locked(&mut second, &spot);
    assert_eq!(holder.process, Some(std::process::id()));
    assert_eq!(second.host().holder_of(&spot), Some(holder));
    // What is refused takes nothing, and gives nothing back of what is somebody else's.
    second.host().unclaim(&spot);
    assert_eq!(locked(&mut second, &spot).verb.as_deref(), Some("update"));
    first.host().unclaim(&spot);
    gets(&mut second, &spot);
    drop(second);
    gets(&mut first, &spot);
}

#[test]
fn nothing_is_taken_where_one_of_two_places_is_somebody_elses() {
    let host = Host::new();
    // It doesn't know of a peer: a place without a port of a hub is locked by its name.
    let (holder, _) = Process::starts_alone(host.root(), "2-9");
    let mut world = host.world();
    locked(&mut world, &socket("1-9", Some("2-9")));
    let mut other = host.world();
    gets(&mut other, &socket("1-9", None));
    holder.ends();
}

#[test]
fn the_directory_of_a_hub_that_left_and_came_back_is_locked_anew() {
    let host = Host::new();
    let mut world = host.world();
    let spot = socket("1-4", None);
    assert_eq!(world.host().claim(&spot, "update"), Ok(()));
    let directory = host.root().join("sys/devices/usb1/1-0:1.0/usb1-port4");
    fs::rename(&directory, host.root().join("old")).unwrap();
    fs::create_dir(&directory).unwrap();
    // The modem is back: the run claims its place again.
    assert_eq!(world.host().claim(&spot, "update"), Ok(()));
    let (other, got_in) = Process::starts_alone(host.root(), "1-4");
    assert!(!got_in);
    other.ends();
}

#[test]
fn an_ordinary_user_can_take_the_lock_and_keeps_root_out() {
    let host = Host::new();
    let mut command = Process::command(host.root(), "1-4 2-4");
    if rustix::process::geteuid().is_root() {
        // Somewhere where a nobody may start it.
        let program = host.root().join("program");
        // Not copied by this process: another test may just be starting a process, which has the file open for writing too until
        // it runs its own program, and then this one can't be run.
        let mut copy = Command::new("cp");
        copy.arg(std::env::current_exe().unwrap()).arg(&program);
        assert!(copy.status().unwrap().success());
        let mut unprivileged = Command::new(&program);
        unprivileged
            .args(command.get_args())
            .envs(command.get_envs().filter_map(|(key, value)| Some((key, value?))))
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .uid(NOBODY)
            .gid(NOBODY);
        command = unprivileged;
    }
    let mut holder = Process::start(command);
    holder.go();
    assert!(holder.got_in());
    // It may write no note, where `run` is root's: the kernel names it all the same.
    let found = locked(&mut host.world(), &socket("2-4", None));
    assert_eq!(found.process, Some(holder.id()));
    assert_eq!(found.verb.is_some(), !rustix::process::geteuid().is_root());
    holder.ends();
}

#[test]
fn notes_that_are_stale_hostile_or_not_to_be_written_never_mislead() {
    let host = Host::new();
    let (holder, _) = Process::starts_alone(host.root(), "1-4 2-4");
    let (note, mut world) = (host.note("1-4"), host.world());
    let spot = socket("1-4", None);
    let id = holder.id();
    let long = format!("pid {id}\n{}\nverb update\nsince 1\n", "x".repeat(1 << 20));
    for text in [
        "pid 1\nverb reset\nsince 1\n",
        "pid 4294967295\nverb reset\nsince 1\n",
        &format!("pid {id}\nverb \u{1b}[2Jreset\nsince 1\n"),
        &format!("pid {id}\nverb re"),
        &long,
        "",
    ] {
        fs::write(&note, text).unwrap();
        let found = locked(&mut world, &spot);
        assert_eq!((found.process, found.verb), (Some(id), None), "{text:.40}");
    }
    // Neither a link nor a pipe is followed or waited for.
    let elsewhere = host.root().join("elsewhere");
    fs::write(&elsewhere, format!("pid {id}\nverb reset\nsince 1\n")).unwrap();
    fs::remove_file(&note).unwrap();
    symlink(&elsewhere, &note).unwrap();
    assert_eq!(locked(&mut world, &spot).verb, None);
    fs::remove_file(&note).unwrap();
    let (mode, kind) = (rustix::fs::Mode::from(0o644), rustix::fs::FileType::Fifo);
    rustix::fs::mknodat(rustix::fs::CWD, &note, kind, mode, 0).unwrap();
    assert_eq!(locked(&mut world, &spot).verb, None);
    holder.ends();

    // A link in the note's place is replaced, and what it leads to stays as it is.
    let _ = fs::remove_file(&note);
    symlink(&elsewhere, &note).unwrap();
    let before = fs::read_to_string(&elsewhere).unwrap();
    gets(&mut world, &spot);
    assert_eq!(fs::read_to_string(&elsewhere).unwrap(), before);
    assert!(fs::symlink_metadata(&note).unwrap().is_file());
    world.host().unclaim(&spot);

    // No folder for notes, or a link in its place.
    fs::remove_dir_all(host.root().join("run")).unwrap();
    gets(&mut world, &spot);
    world.host().unclaim(&spot);
    fs::create_dir(host.root().join("run")).unwrap();
    fs::create_dir(host.root().join("target")).unwrap();
    symlink("../target", host.root().join("run/modemflash")).unwrap();
    gets(&mut world, &spot);
    assert_eq!(fs::read_dir(host.root().join("target")).unwrap().count(), 0);
}

#[test]
fn a_child_does_not_keep_the_lock() {
    let host = Host::new();
    for place in ["1-4", "1-9"] {
        let spot = socket(place, None);
        let mut world = host.world();
        assert_eq!(world.host().claim(&spot, "update"), Ok(()));
        let mut child = Command::new("sleep").arg("600").spawn().unwrap();
        drop(world);
        gets(&mut host.world(), &spot);
        assert_eq!(child.try_wait().unwrap(), None);
        child.kill().unwrap();
        child.wait().unwrap();
    }
}

#[test]
fn a_pseudo_terminal_with_the_number_of_one_that_has_gone_is_another_port() {
    let (master, name) = pty();
    let mut world = LinuxWorld::new().unwrap();
    let spot = Spot::Port(PortId::new(name.as_str()));
    assert_eq!(world.host().claim(&spot, "update"), Ok(()));
    // The kernel's clock for files has ticks of some milliseconds.
    let made = |name: &str| {
        let node = fs::metadata(name).unwrap();
        (node.ctime(), node.ctime_nsec())
    };
    let first = made(&name);
    loop {
        let (_master, its) = pty();
        if made(&its) != first {
            break;
        }
    }
    drop(master);
    // Others make terminals too: until this number is given away again.
    let mut others = Vec::new();
    let again = (0..1000).find_map(|_| {
        let (master, its) = pty();
        if its == name {
            return Some(master);
        }
        others.push(master);
        None
    });
    if again.is_some() {
        let mut other = LinuxWorld::new().unwrap();
        assert_eq!(other.host().claim(&spot, "update"), Ok(()));
    }
}
