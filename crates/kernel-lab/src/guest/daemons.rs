//! The daemons of the guest: udevd, and ModemManager with what it needs; started and stopped as scenarios want them.

use super::process::{until, until_told};
use crate::scenario::Company;
use anyhow::{Context, ensure};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// What runs.
#[derive(Debug)]
pub(crate) struct Daemons {
    /// Folder for their logs.
    share: PathBuf,
    udev: Option<Child>,
    has_bus: bool,
    modem_manager: Option<Child>,
}

/// From the start of a daemon until it answers, or from the request to end until it has ended.
const DAEMON_TIMEOUT: Duration = Duration::from_secs(60);
const BUS_SOCKET: &str = "/run/dbus/system_bus_socket";
const MODEM_MANAGER: &str = "org.freedesktop.ModemManager1";

impl Daemons {
    /// Nothing runs yet; logs go to this folder.
    pub(crate) fn new(share: &Path) -> Self {
        Self {
            share: share.to_owned(),
            udev: None,
            has_bus: false,
            modem_manager: None,
        }
    }

    /// Starts and stops what has to be.
    pub(crate) fn set(&mut self, company: Company) -> anyhow::Result<()> {
        // Anew for each modem: one that was kept spoke MBIM to the next modem's QMI port, because it had the same name.
        if let Some(daemon) = self.modem_manager.take() {
            end(daemon)?;
        }
        if company.without_udev {
            if let Some(daemon) = self.udev.take() {
                end(daemon)?;
                // Programs look here to find out whether there is a udevd.
                fs::remove_dir_all("/run/udev")?;
            }
        } else if self.udev.is_none() {
            self.udev = Some(self.start_udev()?);
        }
        if company.modem_manager {
            self.start_modem_manager()?;
        }
        Ok(())
    }

    /// Waits until udevd has finished with what has appeared: the reference takes only ports that it has finished with.
    pub(crate) fn settle(&self) -> anyhow::Result<()> {
        if self.udev.is_some() {
            run(&["udevadm", "settle", "--timeout=60"])?;
        }
        Ok(())
    }

    /// Waits until ModemManager, when it runs, has the device in this folder of sysfs: it probes a modem for ten seconds and
    /// more, and exports it then, be it as failed.
    pub(crate) fn manages(&self, device: &Path) -> anyhow::Result<()> {
        if self.modem_manager.is_none() {
            return Ok(());
        }
        let device = device.display().to_string();
        until_told(DAEMON_TIMEOUT * 2, || managed().contains(&device).then_some(()))
            .with_context(|| format!("ModemManager doesn't export {device}"))
    }

    /// ModemManager on a system bus. polkit says who may command it: root may.
    fn start_modem_manager(&mut self) -> anyhow::Result<()> {
        if !self.has_bus {
            fs::create_dir_all("/run/dbus")?;
            run(&["dbus-daemon", "--system", "--fork"])?;
            until(DAEMON_TIMEOUT, || Path::new(BUS_SOCKET).exists().then_some(()))
                .context("no system bus")?;
            self.spawn("/usr/lib/polkit-1/polkitd", &[], "polkitd")?;
            self.has_bus = true;
        }
        let daemon = self.spawn("/usr/sbin/ModemManager", &["--debug"], "ModemManager")?;
        self.modem_manager = Some(daemon);
        until_told(DAEMON_TIMEOUT, || has_owner(MODEM_MANAGER).then_some(()))
            .context("no ModemManager on the bus")
    }

    /// Starts udevd, which qmi-firmware-update asks about ports, and lets it look at what is there.
    fn start_udev(&self) -> anyhow::Result<Child> {
        let daemon = ["/lib/systemd/systemd-udevd", "/usr/lib/systemd/systemd-udevd"];
        let daemon = daemon.iter().find(|path| Path::new(path).exists());
        let daemon = self.spawn(daemon.context("no udevd")?, &[], "udevd")?;
        let answers = || run(&["udevadm", "control", "--ping"]).ok();
        until_told(DAEMON_TIMEOUT, answers).context("udevd doesn't answer")?;
        run(&["udevadm", "trigger"])?;
        run(&["udevadm", "settle", "--timeout=60"])?;
        Ok(daemon)
    }

    fn spawn(&self, program: &str, arguments: &[&str], name: &str) -> anyhow::Result<Child> {
        let log = fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.share.join(format!("{name}.log")))?;
        let mut command = Command::new(program);
        command.args(arguments).stdin(Stdio::null());
        command.stdout(log.try_clone()?).stderr(log);
        command.spawn().with_context(|| program.to_owned())
    }
}

/// Whether somebody has this name on the system bus.
fn has_owner(name: &str) -> bool {
    let method = "org.freedesktop.DBus.NameHasOwner";
    let name = format!("string:{name}");
    ask_bus(&[
        "--dest=org.freedesktop.DBus",
        "/org/freedesktop/DBus",
        method,
        &name,
    ])
    .contains("boolean true")
}

/// All that ModemManager has, as dbus-send prints it.
fn managed() -> String {
    let method = "org.freedesktop.DBus.ObjectManager.GetManagedObjects";
    let destination = format!("--dest={MODEM_MANAGER}");
    ask_bus(&[&destination, "/org/freedesktop/ModemManager1", method])
}

/// The answer to a call on the system bus; nothing when it fails.
fn ask_bus(call: &[&str]) -> String {
    let mut command = Command::new("dbus-send");
    command.args(["--system", "--print-reply"]).args(call);
    let output = command.output();
    output.map_or_else(
        |_| String::new(),
        |output| String::from_utf8_lossy(&output.stdout).into_owned(),
    )
}

/// Asks a daemon to end, and waits for that.
fn end(mut daemon: Child) -> anyhow::Result<()> {
    run(&["kill", "-TERM", &daemon.id().to_string()])?;
    if until(DAEMON_TIMEOUT, || daemon.try_wait().ok().flatten()).is_none() {
        daemon.kill()?;
        daemon.wait()?;
    }
    Ok(())
}

fn run(command: &[&str]) -> anyhow::Result<()> {
    let (program, arguments) = command.split_first().context("no command")?;
    let status = Command::new(program)
        .args(arguments)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    let status = status.with_context(|| (*program).to_owned())?;
    ensure!(status.success(), "{command:?}: {status}");
    Ok(())
}
