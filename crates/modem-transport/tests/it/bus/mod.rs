//! A D-Bus of its own with a ModemManager and a logind that are ours, and the programs that are needed for it.

use std::collections::HashMap;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex};

use tempfile::TempDir;
use zbus::blocking::{Connection, connection, fdo::DBusProxy};
use zbus::fdo::NameOwnerChanged;
use zbus::message::Header;
use zbus::{fdo, interface};

/// The modem that the fake ModemManager has; its place is `1-2`.
pub(crate) const FOLDER: &str = "/sys/devices/usb1/1-2";

const MANAGER: &str = "org.freedesktop.ModemManager1";
const ROOT: &str = "/org/freedesktop/ModemManager1";

/// Whether all these programs are here, each with the Debian package that has it. Says so loudly where they are not, and
/// fails where nothing may be skipped.
pub(crate) fn has(programs: &[(&str, &str)]) -> bool {
    let missing: Vec<&str> = programs
        .iter()
        .filter(|(program, _)| {
            let places = ["/usr/bin", "/usr/sbin", "/bin", "/usr/lib/polkit-1"];
            !places.iter().any(|place| Path::new(place).join(program).exists())
        })
        .map(|(_, package)| *package)
        .collect();
    if missing.is_empty() {
        return true;
    }
    skip(&format!("missing: apt-get install {}", missing.join(" ")));
    false
}

/// Whether we are root; says so loudly when not, and fails where nothing may be skipped.
pub(crate) fn is_root() -> bool {
    let is_root = rustix::process::geteuid().is_root();
    if !is_root {
        skip("not root");
    }
    is_root
}

fn skip(why: &str) {
    let is_ci = std::env::var("CI").is_ok_and(|value| value == "true" || value == "1");
    assert!(!is_ci, "{why}");
    // Not caught as the output of a test that passes.
    let mut loud = std::io::stderr();
    writeln!(loud, "SKIPPED: {why}").unwrap();
}

/// Starts a program with this bus as the system's.
pub(crate) fn start(program: &str, bus: &Bus) -> Running {
    let child = Command::new(program)
        .env("DBUS_SYSTEM_BUS_ADDRESS", &bus.address)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    Running(child)
}

/// A process that ends with the test.
pub(crate) struct Running(pub(crate) Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A bus in a folder of its own.
pub(crate) struct Bus {
    pub(crate) address: String,
    _daemon: Running,
    _folder: TempDir,
}

impl Bus {
    /// `None` when there is no program for it.
    pub(crate) fn start() -> Option<Self> {
        if !has(&[("dbus-daemon", "dbus")]) {
            return None;
        }
        let folder = tempfile::tempdir().unwrap();
        // polkitd gives up being root before it connects.
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let configuration = folder.path().join("bus.conf");
        let listen = folder.path().join("socket");
        fs::write(
            &configuration,
            format!(
                "<!DOCTYPE busconfig PUBLIC \"-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN\" \
                 \"http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd\">\
                 <busconfig><type>system</type><listen>unix:path={}</listen><auth>EXTERNAL</auth>\
                 <policy context=\"default\"><allow user=\"*\"/><allow own=\"*\"/>\
                 <allow send_destination=\"*\" eavesdrop=\"false\"/><allow receive_sender=\"*\"/></policy></busconfig>",
                listen.display()
            ),
        )
        .unwrap();
        let mut daemon = Command::new("dbus-daemon")
            .arg("--config-file")
            .arg(&configuration)
            .args(["--nofork", "--nopidfile", "--print-address"])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        // It prints its address when it listens.
        let mut address = String::new();
        BufReader::new(daemon.stdout.take().unwrap())
            .read_line(&mut address)
            .unwrap();
        assert!(!address.trim().is_empty(), "dbus-daemon doesn't start");
        Some(Self {
            address: address.trim().to_owned(),
            _daemon: Running(daemon),
            _folder: folder,
        })
    }

    pub(crate) fn connect(&self) -> Connection {
        connection::Builder::address(self.address.as_str())
            .unwrap()
            .build()
            .unwrap()
    }

    /// Waits until a program has this name.
    pub(crate) fn wait_for(&self, name: &'static str) {
        let connection = self.connect();
        let (there, is_there) = mpsc::channel();
        std::thread::spawn(move || {
            let proxy = DBusProxy::new(&connection).unwrap();
            let changes = proxy.receive_name_owner_changed_with_args(&[(0, name)]).unwrap();
            let is_owned = |change: &NameOwnerChanged| change.args().unwrap().new_owner().is_some();
            if proxy.name_has_owner(name.try_into().unwrap()).unwrap()
                || changes.into_iter().any(|it| is_owned(&it))
            {
                let _ = there.send(());
            }
        });
        is_there
            .recv_timeout(std::time::Duration::from_secs(20))
            .unwrap_or_else(|_| panic!("{name} doesn't appear on the bus"));
    }
}

/// What the fake does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Habit {
    Good,
    /// It is older than 1.10.
    Old,
    /// This user has no right.
    Refuses,
}

/// `uid` was inhibited, or released.
pub(crate) type Change = (String, bool);

/// A ModemManager that is ours.
pub(crate) struct Fake {
    connection: Connection,
    pub(crate) changes: Receiver<Change>,
}

impl Fake {
    /// With one modem per uid, each with these ports.
    pub(crate) fn start(bus: &Bus, habit: Habit, modems: &[(&str, &[&str])]) -> Self {
        Self::with_early(bus, habit, modems, &[])
    }

    /// And with some that it tells nothing of yet.
    pub(crate) fn with_early(bus: &Bus, habit: Habit, modems: &[(&str, &[&str])], early: &[&str]) -> Self {
        let (changed, changes) = mpsc::channel();
        let inhibited = Inhibited {
            changed,
            of_programs: Arc::default(),
        };
        let mut builder = connection::Builder::address(bus.address.as_str())
            .unwrap()
            .serve_at(ROOT, fdo::ObjectManager)
            .unwrap();
        builder = match habit {
            Habit::Old => builder.serve_at(ROOT, OldManager).unwrap(),
            _ => builder
                .serve_at(
                    ROOT,
                    Manager {
                        habit,
                        modems: modems
                            .iter()
                            .map(|(uid, _)| (*uid).to_owned())
                            .chain(early.iter().map(|uid| (*uid).to_owned()))
                            .collect(),
                        inhibited: inhibited.clone(),
                    },
                )
                .unwrap(),
        };
        for (place, (uid, ports)) in modems.iter().enumerate() {
            let modem = Modem {
                uid: (*uid).to_owned(),
                ports: ports.iter().map(|port| ((*port).to_owned(), 6)).collect(),
            };
            builder = builder.serve_at(format!("{ROOT}/Modem/{place}"), modem).unwrap();
        }
        let connection = builder.name(MANAGER).unwrap().build().unwrap();
        inhibited.end_with_their_programs(bus);
        Self { connection, changes }
    }

    /// It ends, as `systemctl stop` does it.
    pub(crate) fn stop(self) {
        self.connection.close().unwrap();
    }

    /// The next thing that happens to an inhibition.
    pub(crate) fn next(&self) -> Change {
        self.changes
            .recv_timeout(std::time::Duration::from_secs(20))
            .expect("nothing happened to an inhibition")
    }
}

/// What is inhibited, and by which program.
#[derive(Clone)]
struct Inhibited {
    changed: Sender<Change>,
    of_programs: Arc<Mutex<HashMap<String, String>>>,
}

impl Inhibited {
    /// As the real one does it: an inhibition ends when its program leaves the bus.
    fn end_with_their_programs(self, bus: &Bus) {
        let connection = bus.connect();
        let proxy = DBusProxy::new(&connection).unwrap();
        let leaving = proxy.receive_name_owner_changed().unwrap();
        std::thread::spawn(move || {
            let _connection = connection;
            for change in leaving {
                let arguments = change.args().unwrap();
                if arguments.new_owner().is_some() {
                    continue;
                }
                let program = arguments.name().to_string();
                let mut of_programs = self.of_programs.lock().unwrap();
                let ended: Vec<String> = of_programs
                    .iter()
                    .filter(|(_, by)| **by == program)
                    .map(|(uid, _)| uid.clone())
                    .collect();
                for uid in ended {
                    of_programs.remove(&uid);
                    let _ = self.changed.send((uid, false));
                }
            }
        });
    }
}

/// Errors with the names that the real one gives them.
#[derive(Debug, zbus::DBusError)]
#[zbus(prefix = "org.freedesktop.ModemManager1.Error.Core")]
enum CoreError {
    #[zbus(error)]
    Bus(zbus::Error),
    NotFound(String),
    Unauthorized(String),
}

struct Manager {
    habit: Habit,
    modems: Vec<String>,
    inhibited: Inhibited,
}

#[interface(name = "org.freedesktop.ModemManager1")]
impl Manager {
    fn inhibit_device(
        &self,
        #[zbus(header)] header: Header<'_>,
        uid: String,
        inhibit: bool,
    ) -> Result<(), CoreError> {
        if self.habit == Habit::Refuses {
            return Err(CoreError::Unauthorized("not you".to_owned()));
        }
        if !self.modems.contains(&uid) {
            return Err(CoreError::NotFound(format!("No device found with uid '{uid}'")));
        }
        let program = header.sender().unwrap().to_string();
        let mut of_programs = self.inhibited.of_programs.lock().unwrap();
        if inhibit {
            of_programs.insert(uid.clone(), program);
        } else {
            of_programs.remove(&uid);
        }
        let _ = self.inhibited.changed.send((uid, inhibit));
        Ok(())
    }

    #[zbus(property)]
    fn version(&self) -> String {
        "1.20.4".to_owned()
    }
}

struct OldManager;

#[interface(name = "org.freedesktop.ModemManager1")]
impl OldManager {
    #[zbus(property)]
    fn version(&self) -> String {
        "1.8.2".to_owned()
    }
}

struct Modem {
    uid: String,
    ports: Vec<(String, u32)>,
}

#[interface(name = "org.freedesktop.ModemManager1.Modem")]
impl Modem {
    #[zbus(property)]
    fn device(&self) -> String {
        self.uid.clone()
    }

    #[zbus(property)]
    fn ports(&self) -> Vec<(String, u32)> {
        self.ports.clone()
    }
}

/// A logind that gives out a pipe and tells what it was asked for.
pub(crate) struct Login {
    pub(crate) asked: Sender<(String, String, String)>,
    pub(crate) lock: Mutex<Option<OwnedFd>>,
}

#[interface(name = "org.freedesktop.login1.Manager")]
impl Login {
    fn inhibit(
        &self,
        what: String,
        who: String,
        why: String,
        mode: String,
    ) -> fdo::Result<zbus::zvariant::OwnedFd> {
        assert_eq!(mode, "block");
        let _ = self.asked.send((what, who, why));
        let lock = self.lock.lock().unwrap().take();
        lock.map(Into::into)
            .ok_or_else(|| fdo::Error::AccessDenied("not you".to_owned()))
    }
}

/// A tree with one modem at `1-2` and, if wanted, a process `ModemManager`.
pub(crate) fn tree(has_manager: bool) -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path();
    let device = root.join("sys/devices/usb1/1-2");
    for folder in [
        "sys/class/tty",
        "sys/class/usbmisc",
        "sys/bus/usb/devices",
        "dev",
        "proc/7",
    ] {
        fs::create_dir_all(root.join(folder)).unwrap();
    }
    fs::create_dir_all(device.join("1-2:1.8/usbmisc/cdc-wdm4")).unwrap();
    for (file, text) in [("idVendor", "1199"), ("idProduct", "9071"), ("devnum", "3")] {
        fs::write(device.join(file), text).unwrap();
    }
    fs::write(device.join("1-2:1.8/bInterfaceClass"), "ff").unwrap();
    symlink("../../../devices/usb1/1-2", root.join("sys/bus/usb/devices/1-2")).unwrap();
    symlink(
        "../../devices/usb1/1-2/1-2:1.8/usbmisc/cdc-wdm4",
        root.join("sys/class/usbmisc/cdc-wdm4"),
    )
    .unwrap();
    let name = if has_manager { "ModemManager\n" } else { "init\n" };
    fs::write(root.join("proc/7/comm"), name).unwrap();
    directory
}
