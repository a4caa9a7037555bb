//! The guest as a process: QEMU with the host's root and a share for results.

use crate::clock::now;
use crate::guest::processors::{ALL, AT_BOOT};
use anyhow::Context;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Instant;

/// What is booted.
#[derive(Debug)]
pub(crate) struct Machine<'a> {
    /// The kernel.
    pub(crate) kernel: &'a Path,
    /// The first root.
    pub(crate) initramfs: &'a Path,
    /// Folder of the host that the guest can write to.
    pub(crate) share: &'a Path,
    /// Where the console's output is kept.
    pub(crate) console: PathBuf,
}

/// How the guest came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// It switched itself off.
    PoweredOff,
    /// It was killed at its deadline.
    Deadline,
}

impl Machine<'_> {
    /// Boots the guest and waits for its end, at most until `deadline`. Each line of the console goes to
    /// `line`, which gives the deadline from then on: what has been reached may give more time or take it away.
    pub(crate) fn run(
        &self,
        mut deadline: Instant,
        mut line: impl FnMut(&str) -> Option<Instant>,
    ) -> anyhow::Result<End> {
        let mut guest = Guest(self.command().spawn().context("qemu-system-x86_64")?);
        let output = guest.0.stdout.take().context("qemu-system-x86_64: no output")?;
        let mut console = fs::File::create(&self.console)?;
        let (sender, receiver) = channel();
        std::thread::spawn(move || {
            let mut output = BufReader::new(output);
            let mut bytes = Vec::new();
            while output.read_until(b'\n', &mut bytes).is_ok_and(|count| count > 0) {
                if sender.send(std::mem::take(&mut bytes)).is_err() {
                    break;
                }
            }
        });
        loop {
            let left = deadline.saturating_duration_since(now());
            match receiver.recv_timeout(left) {
                Ok(bytes) => {
                    console.write_all(&bytes)?;
                    if let Some(later) = line(String::from_utf8_lossy(&bytes).trim_end()) {
                        deadline = later;
                    }
                }
                Err(RecvTimeoutError::Timeout) => return Ok(End::Deadline),
                // QEMU has closed its output: it is ending.
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        guest.0.wait()?;
        Ok(End::PoweredOff)
    }

    fn command(&self) -> Command {
        let mut command = Command::new("qemu-system-x86_64");
        command.args([
            "-machine", "pc", "-smp", ALL, "-m", "768", "-nic", "none", "-display", "none",
        ]);
        command.args(["-monitor", "none", "-serial", "stdio", "-no-reboot"]);
        if kvm_works() {
            command.args(["-accel", "kvm", "-cpu", "host"]);
        } else {
            command.args(["-accel", "tcg,thread=multi", "-cpu", "max"]);
        }
        command
            .arg("-kernel")
            .arg(self.kernel)
            .arg("-initrd")
            .arg(self.initramfs);
        // A panic ends the guest: -1 restarts at once, and QEMU then ends.
        command.args(["-append", &format!("console=ttyS0 panic=-1 quiet {AT_BOOT}")]);
        let share = |path: &Path, tag: &str, more: &str| {
            // A comma in a path is written twice.
            let path = path.display().to_string().replace(',', ",,");
            format!("local,path={path},mount_tag={tag},security_model=none{more}")
        };
        command
            .arg("-virtfs")
            .arg(share(Path::new("/"), "host", ",readonly=on,multidevs=remap"));
        command.arg("-virtfs").arg(share(self.share, "results", ""));
        command.stdin(Stdio::null()).stdout(Stdio::piped());
        command
    }
}

/// A process that doesn't outlive us.
struct Guest(Child);

impl Drop for Guest {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Whether the processor can run the guest itself. `/dev/kvm` alone says nothing: with `kvm_pvm` on a processor
/// without vmx and svm, Debian's kernel hangs before its first line.
fn kvm_works() -> bool {
    let flags = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let has_flag = has_virtualization(&flags);
    let is_pvm = Path::new("/sys/module/kvm_pvm").exists();
    let may_open = fs::OpenOptions::new()
        .read(true)
        .write(true)
        .open("/dev/kvm")
        .is_ok();
    has_flag && !is_pvm && may_open
}

fn has_virtualization(cpuinfo: &str) -> bool {
    let flags = cpuinfo.lines().filter(|line| line.starts_with("flags"));
    flags
        .flat_map(str::split_whitespace)
        .any(|flag| flag == "vmx" || flag == "svm")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_vmx_or_svm_counts_as_virtualization() {
        assert!(has_virtualization("model name\t: x\nflags\t\t: fpu svm sse2\n"));
        assert!(has_virtualization("flags\t\t: fpu vmx\n"));
        assert!(!has_virtualization(
            "flags\t\t: fpu vmmcall hypervisor\nbugs\t\t: vmx\n"
        ));
    }
}
