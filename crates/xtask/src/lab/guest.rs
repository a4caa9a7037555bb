//! The part that runs inside the guest, in the host's root: it puts the virtual modem on the bus, lets a program
//! flash it, and compares what the modem has with the files.

use super::images;
use super::machine::{now, within};
use super::modem::{self, Bench, FlashedModem};
use super::scenario::{ALL, Flasher, Scenario};
use anyhow::{Context, bail, ensure};
use clap::Args;
use serde_json::json;
use std::fs;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, ExitStatus, Stdio};
use std::time::{Duration, Instant};
use virtual_modem::{ImageState, Layout, Profile};

/// The first word of lines on the console that the host looks for.
pub(crate) const BEGINS: &str = "lab: begins ";

/// The part that runs inside the guest.
#[derive(Debug, Args)]
pub(crate) struct Guest {
    /// Folder for results and logs, shared with the host.
    #[arg(long)]
    share: PathBuf,
    /// Our program.
    #[arg(long)]
    ours: Option<PathBuf>,
    /// Names of the scenarios to run.
    scenarios: Vec<String>,
}

impl Guest {
    /// Runs the scenarios, one after the other.
    pub(crate) fn run(&self) -> anyhow::Result<ExitCode> {
        let result = self.run_all();
        // What the kernel has to say, also when something failed.
        let log = Command::new("busybox").arg("dmesg").output().context("dmesg")?;
        fs::write(self.share.join("kernel.log"), log.stdout)?;
        result?;
        Ok(ExitCode::SUCCESS)
    }

    fn run_all(&self) -> anyhow::Result<()> {
        start_udev()?;
        let mut results = fs::File::create(self.share.join("results.jsonl"))?;
        for scenario in ALL
            .iter()
            .filter(|scenario| self.scenarios.iter().any(|name| name == scenario.name))
        {
            println!("{BEGINS}{}", scenario.name);
            let start = now();
            let verdict = self.try_one(scenario);
            let seconds = start.elapsed().as_secs_f64();
            let (passed, detail) = match verdict {
                Ok(detail) => (true, detail),
                Err(error) => (false, format!("{error:#}")),
            };
            let line =
                json!({ "name": scenario.name, "passed": passed, "seconds": seconds, "detail": detail });
            writeln!(results, "{line}")?;
        }
        Ok(())
    }

    /// One flash. What is said about it, in a few words, or why it failed.
    fn try_one(&self, scenario: &Scenario) -> anyhow::Result<String> {
        let files = images::make(scenario, Path::new("/tmp/lab"))?;
        let log = |what: &str| self.share.join(format!("{}.{what}.log", scenario.name));
        let before = serial_ports()?;
        let profile =
            Profile::named(scenario.model).with_context(|| format!("no profile {}", scenario.model))?;
        let mut setup = modem::setup(profile);
        (scenario.habit)(&mut setup.quirks);
        setup.faults = scenario.fault.parse()?;
        let bench = Bench::start(setup, 0, BufWriter::new(fs::File::create(log("modem"))?))?;
        let outcome = self.flash(scenario, &files, &before, &bench, &log);
        let outcome = outcome.and_then(|seconds| wait_for_return(profile, &before).map(|()| seconds));
        let flashed = bench.stop()?;
        // Also after a failure: the next modem's port may have the same name.
        wait_until_gone(&before)?;
        let seconds = outcome.map_err(|error| flashed.explain(error))?;
        compare(&flashed, &files)?;
        let bytes: u64 = files.iter().map(|file| file.content.len() as u64).sum();
        Ok(format!(
            "{} file(s), {bytes} bytes, byte for byte, in {seconds:.1} s",
            files.len()
        ))
    }

    /// Waits for the port, runs the program, waits for the modem's restart. Seconds that the program took.
    fn flash(
        &self,
        scenario: &Scenario,
        files: &[images::File],
        before: &[PathBuf],
        bench: &Bench,
        log: &dyn Fn(&str) -> PathBuf,
    ) -> anyhow::Result<f64> {
        let port = wait_for_port(before)?;
        let start = now();
        let status = run(
            &mut self.command(scenario, &port, files)?,
            &log("program"),
            scenario.deadline,
        )?;
        let seconds = start.elapsed().as_secs_f64();
        ensure!(status.success(), "{}: {status}", scenario.flasher.program());
        if !scenario.fault.is_empty() {
            // It left once in the middle.
            bench.wait_for_restart(RESTART_TIMEOUT)?;
        }
        bench.wait_for_restart(RESTART_TIMEOUT)?;
        Ok(seconds)
    }

    fn command(&self, scenario: &Scenario, port: &Path, files: &[images::File]) -> anyhow::Result<Command> {
        let mut command = match scenario.flasher {
            Flasher::Reference => {
                let mut command = Command::new("qmi-firmware-update");
                command.args(["--update-download", "--verbose", "--ignore-mm-runtime-check"]);
                command
            }
            Flasher::Ours => {
                let mut command = Command::new(self.ours.as_ref().context("no modemflash in this run")?);
                command.args(["update", "-vv"]);
                command
            }
        };
        command
            .arg("-t")
            .arg(port)
            .args(files.iter().map(|file| &file.path));
        Ok(command)
    }
}

/// From the end of the program until the modem has left the bus: the modem takes less than a second.
const RESTART_TIMEOUT: Duration = Duration::from_secs(10);
/// From the modem's appearance until its port is there: two seconds under software emulation.
const PORT_TIMEOUT: Duration = Duration::from_secs(30);
/// How often sysfs and processes are looked at.
const GLANCE: Duration = Duration::from_millis(20);

/// Everything was stored and accepted, nothing else was, and the program did nothing that a modem wouldn't take.
fn compare(modem: &FlashedModem, files: &[images::File]) -> anyhow::Result<()> {
    ensure!(
        modem.violations.is_empty(),
        "violations: {}",
        modem.violations.join("; ")
    );
    // What a fault has cut off doesn't count: the flash was done again.
    let images: Vec<_> = modem
        .images
        .iter()
        .filter(|image| image.state != ImageState::Partial)
        .collect();
    let lengths: Vec<u64> = images.iter().map(|image| image.length).collect();
    ensure!(
        images.len() == files.len(),
        "{} files, but the modem has images of {lengths:?} bytes",
        files.len()
    );
    for file in files {
        let name = file.path.file_name().unwrap_or_default().to_string_lossy();
        let same = images
            .iter()
            .find(|image| image.bytes.as_ref() == Some(&file.content));
        let image = same.with_context(|| format!("{name}: not in the modem, which has {lengths:?} bytes"))?;
        ensure!(
            image.state == ImageState::Accepted,
            "{name}: stored, but {:?}",
            image.state
        );
    }
    Ok(())
}

/// Starts udevd, which qmi-firmware-update asks about ports, and lets it look at what is there.
fn start_udev() -> anyhow::Result<()> {
    let daemon = ["/lib/systemd/systemd-udevd", "/usr/lib/systemd/systemd-udevd"];
    let daemon = daemon
        .iter()
        .find(|path| Path::new(path).exists())
        .context("no udevd")?;
    for command in [
        &[*daemon, "--daemon"][..],
        &["udevadm", "trigger"],
        &["udevadm", "settle", "--timeout=30"],
    ] {
        let (program, arguments) = command.split_first().context("no command")?;
        let status = Command::new(program)
            .args(arguments)
            .stdout(Stdio::null())
            .status()
            .context(*program)?;
        ensure!(status.success(), "{command:?}: {status}");
    }
    Ok(())
}

/// All USB serial ports of now, by their folders in sysfs.
fn serial_ports() -> anyhow::Result<Vec<PathBuf>> {
    let entries = fs::read_dir("/sys/class/tty").context("/sys/class/tty")?;
    let mut ports = Vec::new();
    for entry in entries {
        let entry = entry?;
        if entry.file_name().to_string_lossy().starts_with("ttyUSB") {
            ports.push(entry.path());
        }
    }
    Ok(ports)
}

/// The modem's port: the only new one, and qcserial's.
fn wait_for_port(before: &[PathBuf]) -> anyhow::Result<PathBuf> {
    let folder = until(PORT_TIMEOUT, || {
        let new: Vec<PathBuf> = serial_ports()
            .ok()?
            .into_iter()
            .filter(|port| !before.contains(port))
            .collect();
        new.into_iter().next()
    })
    .with_context(|| format!("no serial port within {} s", PORT_TIMEOUT.as_secs()))?;
    let driver = fs::read_link(folder.join("device/driver")).context("driver of the port")?;
    ensure!(
        driver.ends_with("qcserial"),
        "{}: driver {}",
        folder.display(),
        driver.display()
    );
    // The reference takes only ports that udevd has finished with.
    let status = Command::new("udevadm")
        .args(["settle", "--timeout=30"])
        .status()
        .context("udevadm")?;
    ensure!(status.success(), "udevadm settle: {status}");
    let name = folder.file_name().context("a port without a name")?;
    let node = Path::new("/dev").join(name);
    ensure!(node.exists(), "{}: no such file", node.display());
    Ok(node)
}

/// The modem comes back with its firmware running: the kernel's drivers find the serial ports that it has then.
fn wait_for_return(profile: &Profile, before: &[PathBuf]) -> anyhow::Result<()> {
    let mut found = Vec::new();
    let control = profile.control();
    let wanted =
        Layout::running(profile.wiring(control), profile.composition.speaking(control)).serial_ports();
    until(PORT_TIMEOUT, || {
        let new = serial_ports()
            .ok()?
            .into_iter()
            .filter(|port| !before.contains(port));
        found = new.filter_map(|port| interface_number(&port)).collect();
        found.sort_unstable();
        (found == wanted).then_some(())
    })
    .with_context(|| format!("back with serial ports on interfaces {found:?}, not {wanted:?}"))
}

/// The number of the USB interface behind a serial port.
fn interface_number(port: &Path) -> Option<u8> {
    let device = fs::canonicalize(port.join("device")).ok()?;
    let number = fs::read_to_string(device.parent()?.join("bInterfaceNumber")).ok()?;
    u8::from_str_radix(number.trim(), 16).ok()
}

/// The modem is taken away at the end: its port must not be mistaken for the next one's.
fn wait_until_gone(before: &[PathBuf]) -> anyhow::Result<()> {
    until(PORT_TIMEOUT, || {
        let ports = serial_ports().ok()?;
        ports.iter().all(|port| before.contains(port)).then_some(())
    })
    .context("the modem's serial ports stay after it has left")
}

/// Looks again and again until there is something or the time is over.
fn until<T>(timeout: Duration, mut look: impl FnMut() -> Option<T>) -> Option<T> {
    let deadline = within(timeout);
    loop {
        if let Some(found) = look() {
            return Some(found);
        }
        if now() >= deadline {
            return None;
        }
        pause();
    }
}

#[allow(clippy::disallowed_methods, reason = "the guest runs in real time")]
fn pause() {
    std::thread::sleep(GLANCE);
}

/// Runs a program with its output in a file, and kills it at its deadline.
fn run(command: &mut Command, log: &Path, timeout: Duration) -> anyhow::Result<ExitStatus> {
    let output = fs::File::create(log)?;
    command
        .stdin(Stdio::null())
        .stdout(output.try_clone()?)
        .stderr(output);
    let program = command.get_program().to_string_lossy().into_owned();
    let mut child = command.spawn().with_context(|| program.clone())?;
    let deadline: Instant = within(timeout);
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(status);
        }
        if now() >= deadline {
            child.kill()?;
            child.wait()?;
            bail!("{program}: killed after {} s", timeout.as_secs());
        }
        pause();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use virtual_modem::{StoredImage, Violation, Wrong};

    fn stored(bytes: &[u8], state: ImageState) -> StoredImage {
        StoredImage {
            image_type: 0x80,
            length: bytes.len() as u64,
            crc: 0,
            bytes: Some(bytes.to_vec()),
            state,
            version: String::new(),
        }
    }

    fn modem(images: Vec<StoredImage>) -> FlashedModem {
        FlashedModem {
            images,
            violations: Vec::new(),
            failure: None,
        }
    }

    fn files() -> Vec<images::File> {
        let file = |name: &str, content: &[u8]| images::File {
            path: name.into(),
            content: content.to_vec(),
        };
        vec![file("a.cwe", b"aaaa"), file("b.nvu", b"bb")]
    }

    #[test]
    fn the_same_images_in_another_order_are_as_they_should_be() {
        let images = vec![
            stored(b"bb", ImageState::Accepted),
            stored(b"aaaa", ImageState::Accepted),
        ];
        compare(&modem(images), &files()).unwrap();
    }

    #[test]
    fn a_wrong_byte_a_missing_or_refused_image_and_a_violation_are_found() {
        let accepted = |bytes: &[u8]| stored(bytes, ImageState::Accepted);
        let said = |modem: FlashedModem| compare(&modem, &files()).unwrap_err().to_string();
        assert_eq!(
            said(modem(vec![accepted(b"aaab"), accepted(b"bb")])),
            "a.cwe: not in the modem, which has [4, 2] bytes"
        );
        assert_eq!(
            said(modem(vec![accepted(b"aaaa")])),
            "2 files, but the modem has images of [4] bytes"
        );
        assert_eq!(
            said(modem(vec![
                accepted(b"aaaa"),
                stored(b"bb", ImageState::Rejected)
            ])),
            "b.nvu: stored, but Rejected"
        );
        let mut violated = modem(vec![accepted(b"aaaa"), accepted(b"bb")]);
        let violation = Violation {
            at: modem_world::Instant::START,
            what: Wrong::FrameChecksum,
        };
        violated.violations.push(violation.to_string());
        assert_eq!(said(violated), "violations: 0 s: frame with a wrong checksum");
    }
}
