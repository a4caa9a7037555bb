//! A modem whose interfaces have no driver, or a wrong one. Root runs the commands that `modemflash list` prints, and nothing else.
//! Then each interface must have its driver, the modem must answer over its control port and its AT port, and `list` must have
//! nothing to say about drivers. The modem restarts, and the same is done again, as far as it is needed.

use super::bus::{Bound, PORT_TIMEOUT, Socket};
use super::daemons::Daemons;
use super::modem::Bench;
use super::modules::Modules;
use super::process::{run_logged, until};
use crate::advice::{PRODUCT, Start};
use anyhow::{Context, ensure};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::time::Duration;
use virtual_modem::{Appearance, FunctionKind};

/// From the start of the program to its end. A control port that gives no answer takes most of it.
const DEADLINE: Duration = Duration::from_secs(120);

/// A modem that root takes care of.
#[derive(Debug)]
pub(crate) struct Advised<'a> {
    /// Our program.
    pub(crate) program: &'a Path,
    /// The modem.
    pub(crate) bench: &'a mut Bench,
    /// Where it is plugged in.
    pub(crate) socket: Socket,
    /// udevd.
    pub(crate) daemons: &'a Daemons,
    /// What was said, all of it.
    pub(crate) log: PathBuf,
}

impl Advised<'_> {
    /// Runs all of it, and leaves the guest as it was.
    pub(crate) fn run(&mut self, start: Start) -> anyhow::Result<String> {
        let modules = Modules::provide(&self.log)?;
        let end = self.take_care(start, &modules);
        let restored = modules.restore();
        let detail = end?;
        restored?;
        Ok(detail)
    }

    fn take_care(&mut self, start: Start, modules: &Modules) -> anyhow::Result<String> {
        let appearance = self.bench.appearance(0, PORT_TIMEOUT)?;
        for command in start.commands() {
            modules.root(&command)?;
        }
        self.daemons.settle()?;
        let before = self.drivers();
        let is_lacking = !unserved(&appearance, &before).is_empty();
        let first = self.mend(modules)?;
        ensure!(
            first.is_empty() != is_lacking,
            "{} command(s) were printed for {}",
            first.len(),
            words(&before)
        );
        self.works(&appearance)?;
        self.modemflash(&["reset", "--port", &self.place()?])?;
        let appearance = self.bench.appearance(1, PORT_TIMEOUT)?;
        let is_mbim = appearance.layout.find(FunctionKind::MbimControl).is_some();
        let wanted = start.after_restart(is_mbim);
        let is_there = || (words(&self.drivers()) == wanted).then_some(());
        until(PORT_TIMEOUT, is_there)
            .with_context(|| format!("after the restart: {}, not {wanted}", words(&self.drivers())))?;
        self.daemons.settle()?;
        let second = self.mend(modules)?;
        self.works(&appearance)?;
        // The drivers forget the id.
        modules.unload()?;
        modules.root("modprobe qmi_wwan && modprobe option")?;
        let last = self.drivers();
        ensure!(
            last.iter()
                .all(|(_, driver)| driver.as_deref().is_none_or(|driver| driver == "cdc_mbim")),
            "loaded anew, the drivers still have {}",
            words(&last)
        );
        Ok(format!(
            "{}: {} command(s); after a restart {wanted}: {} command(s)",
            words(&before),
            first.len(),
            second.len()
        ))
    }

    /// Runs the commands that `list` prints about drivers, in their order. They must be all that is needed.
    fn mend(&self, modules: &Modules) -> anyhow::Result<Vec<String>> {
        let commands = self.advice()?;
        for command in &commands {
            modules.root(command)?;
        }
        self.daemons.settle()?;
        Ok(commands)
    }

    /// The commands in what `list` says about drivers.
    fn advice(&self) -> anyhow::Result<Vec<String>> {
        let said = self.modemflash(&["list", "--json"])?;
        let modem = said.first().context("`list` shows no modem")?;
        let warnings = modem["warnings"].as_array().context("no warnings")?;
        let about_drivers = warnings.iter().filter(|warning| warning["code"] == "NO-DRIVER");
        let texts = about_drivers.filter_map(|warning| warning["text"].as_str());
        Ok(texts.flat_map(quoted).collect())
    }

    /// Every interface has its driver, and the modem answers.
    fn works(&self, appearance: &Appearance) -> anyhow::Result<()> {
        let drivers = self.drivers();
        let unserved = unserved(appearance, &drivers);
        ensure!(
            unserved.is_empty(),
            "after the commands interface(s) {unserved:?} don't have their driver: {}",
            words(&drivers)
        );
        let left = self.advice()?;
        ensure!(left.is_empty(), "`list` still has commands: {}", left.join("; "));
        let place = self.place()?;
        let said = self.modemflash(&["info", "--json", "--port", &place])?;
        let over = said.first().and_then(|modem| modem.pointer("/facts/over"));
        ensure!(
            over.is_some_and(|over| over == "QMI" || over == "MBIM"),
            "`info` was answered over {over:?}"
        );
        let said = self.modemflash(&["at", "--json", "--port", &place, "ATI"])?;
        let answer = said.first().map(Value::to_string).unwrap_or_default();
        ensure!(answer.contains("Model: EM7565"), "`at` was answered {answer}");
        Ok(())
    }

    fn drivers(&self) -> Vec<(u8, Option<String>)> {
        let interfaces = self.socket.interfaces().into_iter();
        interfaces
            .map(|Bound { number, driver, .. }| (number, driver))
            .collect()
    }

    fn place(&self) -> anyhow::Result<String> {
        let device = self.socket.device().context("no device")?;
        Ok(device
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned())
    }

    /// Runs our program, which must end with success, and gives the objects that it prints.
    fn modemflash(&self, arguments: &[&str]) -> anyhow::Result<Vec<Value>> {
        let (status, printed, errors) = run_logged(self.program, arguments, &self.log, DEADLINE)?;
        let first = errors.lines().find(|line| line.starts_with("error"));
        ensure!(
            status.success(),
            "{}: {status}: {}",
            arguments.join(" "),
            first.unwrap_or_default()
        );
        if !arguments.contains(&"--json") {
            return Ok(Vec::new());
        }
        let objects = printed.lines().map(serde_json::from_str);
        objects
            .collect::<Result<_, _>>()
            .context("a line that is no JSON")
    }
}

impl Start {
    /// What somebody did before.
    fn commands(self) -> Vec<String> {
        let told = |driver: &str, folder: &str| {
            vec![
                format!("modprobe {driver}"),
                format!("echo 1199 {PRODUCT:04x} > /sys/bus/{folder}/new_id"),
            ]
        };
        match self {
            Self::Nothing => Vec::new(),
            Self::OptionHasAll => {
                let mut commands = vec!["rmmod cdc_mbim".to_owned()];
                commands.extend(told("option", "usb-serial/drivers/option1"));
                commands.push("modprobe cdc_mbim".to_owned());
                commands
            }
            Self::QcserialHasSome => told("qcserial", "usb-serial/drivers/qcserial"),
            Self::QmiWwanHasMost => told("qmi_wwan", "usb/drivers/qmi_wwan"),
            Self::OptionIsOlder => ["rmmod cdc_mbim", "modprobe option", "modprobe cdc_mbim"]
                .map(str::to_owned)
                .into(),
        }
    }

    /// What the drivers have when the modem has restarted after the commands: all of them know the id, and the one that was loaded first
    /// takes what it can.
    const fn after_restart(self, is_mbim: bool) -> &'static str {
        match (self, is_mbim) {
            (Self::OptionHasAll, true) => "0 option, 1 option, 2 option, 3 option, 4 option",
            (_, true) => "0 cdc_mbim, 1 cdc_mbim, 2 option, 3 option, 4 option",
            (Self::OptionHasAll | Self::OptionIsOlder, false) => "0 option, 2 option, 3 option, 8 option",
            (Self::QcserialHasSome, false) => "0 option, 2 qcserial, 3 qcserial, 8 qcserial",
            (Self::Nothing | Self::QmiWwanHasMost, false) => "0 option, 2 qmi_wwan, 3 qmi_wwan, 8 qmi_wwan",
        }
    }
}

/// The texts in backquotes.
fn quoted(text: &str) -> Vec<String> {
    text.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

/// The interfaces that don't have the driver of their function. Each driver of serial ports will do for those.
fn unserved(appearance: &Appearance, drivers: &[(u8, Option<String>)]) -> Vec<u8> {
    let functions = appearance.layout.interfaces.iter();
    let unserved = functions.filter(|function| {
        let found = drivers.iter().find(|(number, _)| *number == function.number);
        let driver = found.and_then(|(_, driver)| driver.as_deref());
        let is_right = match function.kind {
            FunctionKind::Qmi => driver == Some("qmi_wwan"),
            FunctionKind::MbimControl | FunctionKind::MbimData => driver == Some("cdc_mbim"),
            _ => matches!(driver, Some("option" | "qcserial")),
        };
        !is_right
    });
    unserved.map(|function| function.number).collect()
}

fn words(drivers: &[(u8, Option<String>)]) -> String {
    let each: Vec<String> = drivers
        .iter()
        .map(|(number, driver)| format!("{number} {}", driver.as_deref().unwrap_or("none")))
        .collect();
    each.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_stand_in_backquotes() {
        let text = "no driver has interface 8 (QMI). As root, run `modprobe a`, then `echo 1 > /b`";
        assert_eq!(quoted(text), ["modprobe a", "echo 1 > /b"]);
        assert_eq!(quoted("no command"), [""; 0]);
    }
}
