//! The kernel's modules in the guest, where `modprobe` finds them as on any host, and drivers that are loaded only when they are asked
//! for. Other scenarios have all drivers loaded, and no folder of modules.

use super::process::run_into;
use crate::share::MODULES_IN_GUEST;
use anyhow::{Context, ensure};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// For one command: with emulation, a driver takes a second or two to look at all interfaces of a modem.
const DEADLINE: Duration = Duration::from_secs(60);
/// The drivers that a host loads for the modems that they know. A driver that is unloaded forgets the ids that it was told.
const DRIVERS: [&str; 3] = ["option", "qcserial", "qmi_wwan"];

/// A folder of modules, and none of the drivers loaded, until [`Modules::restore`].
#[derive(Debug)]
pub(crate) struct Modules {
    folder: PathBuf,
    log: PathBuf,
}

impl Modules {
    /// Makes the folder and unloads the drivers; what the programs say goes to `log`.
    pub(crate) fn provide(log: &Path) -> anyhow::Result<Self> {
        let release = fs::read_to_string("/proc/sys/kernel/osrelease").context("osrelease")?;
        let folder = Path::new("/lib/modules").join(release.trim());
        let modules = Self {
            folder,
            log: log.to_owned(),
        };
        let _ = fs::remove_dir_all(&modules.folder);
        fs::create_dir_all(&modules.folder)?;
        for entry in fs::read_dir(MODULES_IN_GUEST).context(MODULES_IN_GUEST)? {
            let entry = entry?;
            std::os::unix::fs::symlink(entry.path(), modules.folder.join(entry.file_name()))?;
        }
        modules.root("depmod")?;
        modules.unload()?;
        Ok(modules)
    }

    /// Unloads the drivers, as far as they are loaded: no interface keeps its driver.
    pub(crate) fn unload(&self) -> anyhow::Result<()> {
        for driver in DRIVERS {
            if Path::new("/sys/module").join(driver).exists() {
                self.root(&format!("rmmod {driver}"))?;
            }
        }
        Ok(())
    }

    /// Runs a command in a shell, as root does. It must end with success.
    pub(crate) fn root(&self, command: &str) -> anyhow::Result<()> {
        let output = self.log.with_extension("command");
        let file = fs::File::create(&output)?;
        let mut shell = Command::new("/bin/sh");
        shell.args(["-c", command]);
        let status = run_into(&mut shell, file.try_clone()?, file, DEADLINE);
        let said = fs::read_to_string(&output)?;
        super::ask::append(&self.log, &format!("# {command}\n{said}"))?;
        let status = status?;
        ensure!(status.success(), "`{command}`: {status}: {}", said.trim());
        Ok(())
    }

    /// Everything as other scenarios find it.
    pub(crate) fn restore(self) -> anyhow::Result<()> {
        self.unload()?;
        for driver in DRIVERS.iter().chain(&["cdc_mbim"]) {
            self.root(&format!("modprobe {driver}"))?;
        }
        fs::remove_dir_all(&self.folder)?;
        Ok(())
    }
}
