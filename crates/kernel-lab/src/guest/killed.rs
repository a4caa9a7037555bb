//! `modemflash` is killed while it has the boot loader's interface, whose driver is set aside: the kernel doesn't give the interface back
//! to the driver.

use super::process::until;
use anyhow::{Context, ensure};
use serde_json::Value;
use std::ffi::OsStr;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

/// Until the program has begun to speak with the modem.
const DEADLINE: Duration = Duration::from_secs(60);
/// What it prints then.
const BEGUN: &str = "\"event\":\"connected\"";

/// Starts an update with these arguments, and kills it when the boot loader has answered.
pub(crate) fn kill(program: &Path, update: &[&OsStr], log: &Path) -> anyhow::Result<()> {
    let mut command = Command::new(program);
    command.args(["update", "--json", "--yes"]).args(update);
    command
        .stdin(Stdio::null())
        .stdout(fs::File::create(log)?)
        .stderr(fs::File::create(log.with_extension("errors"))?);
    let mut child = command.spawn().context("no process")?;
    let begun = until(DEADLINE, || {
        let said = fs::read_to_string(log).ok()?;
        said.contains(BEGUN).then_some(())
    });
    let ended = child.try_wait()?;
    child.kill()?;
    child.wait()?;
    ensure!(ended.is_none(), "it had ended before it was killed");
    begun.context("it doesn't speak with the boot loader")
}

/// Checks that the modem is listed with its interface as its only port, and gives the modem's place.
pub(crate) fn place_without_driver(program: &Path) -> anyhow::Result<String> {
    let listed = Command::new(program).args(["list", "--json"]).output()?;
    let listed: Value = serde_json::from_slice(&listed.stdout).context("list")?;
    let place = listed
        .get("place")
        .and_then(Value::as_str)
        .with_context(|| format!("no place in {listed}"))?;
    let port = listed.pointer("/ports/0/port").and_then(Value::as_str);
    ensure!(
        port == Some(&format!("{place}:1.0")),
        "the port should be the interface: {listed}"
    );
    Ok(place.to_owned())
}
