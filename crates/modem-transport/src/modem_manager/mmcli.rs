//! Asks ModemManager by its own command `mmcli`, on hosts that have no room for D-Bus in this program.
//!
//! An inhibition lives as long as a child process. The child must not outlive this process, however this
//! process ends, so the child is killed when the pipe to its standard input closes.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, ErrorKind};
use std::process::{Child, Command, Stdio};

use modem_discovery::Sysfs;
use modem_world::{Inhibition, UsbPath};

use super::{Asker, Managed, STOP_IT, Wanted, unreachable};

/// Runs `mmcli` until standard input ends, and prints a line when `mmcli` has ended.
const GUARD: &str = "exec 3<&0; \
     mmcli --inhibit-device=\"$1\" </dev/null 2>&1 3<&- & child=$!; \
     { cat <&3 >/dev/null 2>&1; kill \"$child\" 2>/dev/null; } >/dev/null & \
     exec 3<&-; wait \"$child\"; echo \"ended\"";

/// The child processes that hold the inhibitions.
pub(super) struct Mmcli {
    /// The address of the bus, if it isn't the system's.
    bus: Option<String>,
    sysfs: Sysfs,
    children: HashMap<UsbPath, Guarded>,
}

/// A child that ends when it is dropped.
struct Guarded {
    child: Child,
    /// The process id of the ModemManager that granted the inhibition.
    manager: u32,
}

impl Drop for Guarded {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}

impl Mmcli {
    pub(super) fn new(bus: Option<String>, sysfs: Sysfs) -> Self {
        Self {
            bus,
            sysfs,
            children: HashMap::new(),
        }
    }

    /// Asks for a modem by its folder, then by the name that a udev rule may have given it.
    fn hold(&self, wanted: &Wanted) -> Result<Child, Inhibition> {
        if wanted.folder.is_empty() {
            return Err(Inhibition::Unknown);
        }
        if self.output(&["--version"]).is_none() {
            let why = "it runs, but there is no `mmcli` to ask it with";
            return Err(unreachable(&self.sysfs, why));
        }
        let result = self.start(&wanted.folder);
        let is_unknown = |words: &String| words.contains("NotFound");
        let renamed = match &result {
            Err(words) if is_unknown(words) => self.modems().into_iter().find(|modem| modem.is(wanted)),
            _ => None,
        };
        let result = match renamed {
            Some(modem) => self.start(&modem.uid),
            None => result,
        };
        result.map_err(|words| {
            if is_unknown(&words) {
                return Inhibition::Unknown;
            }
            Inhibition::Impossible {
                why: words,
                help: format!("run modemflash as root, or {STOP_IT}"),
            }
        })
    }

    /// The modems that ModemManager lists; a modem that left in between is missing.
    fn modems(&self) -> Vec<Managed> {
        let list = self.output(&["-L"]).unwrap_or_default();
        let paths = list
            .split_whitespace()
            .filter(|word| word.starts_with("/org/freedesktop/ModemManager1/Modem/"));
        paths
            .filter_map(|path| self.output(&["-K", "-m", path]))
            .map(|text| parse(&text))
            .collect()
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        if let Some(address) = &self.bus {
            command.env("DBUS_SYSTEM_BUS_ADDRESS", address);
        }
        command
    }

    /// What `mmcli` prints; `None` if it can't be run or fails.
    fn output(&self, arguments: &[&str]) -> Option<String> {
        let mut command = self.command("mmcli");
        command.args(arguments).stdin(Stdio::null()).stderr(Stdio::null());
        let output = command.output().ok()?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        output.status.success().then_some(text)
    }

    /// Starts a child that holds the inhibition; the error is the text that `mmcli` printed.
    fn start(&self, uid: &str) -> Result<Child, String> {
        let mut child = self
            .command("sh")
            .args(["-c", GUARD, "sh", uid])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| match error.kind() {
                ErrorKind::NotFound => "there is no shell to run `mmcli` with".to_owned(),
                _ => format!("`mmcli` can't be run: {error}"),
            })?;
        // The first line says whether it worked; after that `mmcli` prints nothing until it ends.
        let mut line = String::new();
        if let Some(stdout) = child.stdout.take() {
            let _ = BufReader::new(stdout).read_line(&mut line);
        }
        let line = line.trim();
        if line.starts_with("successfully") {
            return Ok(child);
        }
        drop(child.stdin.take());
        let _ = child.wait();
        Err(line.strip_prefix("error: ").unwrap_or(line).to_owned())
    }
}

impl Asker for Mmcli {
    fn inhibit(&mut self, device: &UsbPath, wanted: &Wanted) -> Inhibition {
        let Some(manager) = self.sysfs.process("ModemManager") else {
            self.children.clear();
            return Inhibition::NotNeeded;
        };
        if let Some(held) = self.children.get_mut(device) {
            // A ModemManager that has been restarted doesn't know what the previous one granted.
            if held.manager == manager && matches!(held.child.try_wait(), Ok(None)) {
                return Inhibition::Granted;
            }
            self.children.remove(device);
        }
        match self.hold(wanted) {
            Ok(child) => {
                self.children.insert(device.clone(), Guarded { child, manager });
                Inhibition::Granted
            }
            Err(answer) => answer,
        }
    }

    fn release(&mut self, device: &UsbPath) {
        self.children.remove(device);
    }
}

/// Parses the lines `key : value` about one modem.
fn parse(text: &str) -> Managed {
    let mut managed = Managed::default();
    for line in text.lines() {
        let Some((key, value)) = line.split_once(':') else {
            continue;
        };
        let value = value.trim();
        match key.trim() {
            "modem.generic.device" => managed.uid = value.to_owned(),
            "modem.generic.physdev" if value.starts_with('/') => managed.folder = Some(value.to_owned()),
            // `cdc-wdm0 (qmi)`
            key if key.starts_with("modem.generic.ports.value") => {
                managed
                    .ports
                    .extend(value.split_whitespace().next().map(str::to_owned));
            }
            _ => {}
        }
    }
    managed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_mmcli_says_of_a_modem_is_read() {
        let text = "modem.dbus-path                                 : /org/freedesktop/ModemManager1/Modem/0\n\
                    modem.generic.device                            : /sys/devices/usb1/1-2\n\
                    modem.generic.physdev                           : --\n\
                    modem.generic.ports.length                      : 2\n\
                    modem.generic.ports.value[1]                    : cdc-wdm0 (qmi)\n\
                    modem.generic.ports.value[2]                    : ttyUSB2 (at)\n";
        let managed = parse(text);
        assert_eq!(managed.uid, "/sys/devices/usb1/1-2");
        assert_eq!(managed.folder, None);
        assert_eq!(managed.ports, ["cdc-wdm0", "ttyUSB2"]);
    }
}
