//! Finds the process that has a port open (linux.md §6): the links in `/proc/*/fd` lead to the device nodes.
//!
//! This needs no D-Bus and no helper program. Without root only the user's own processes can be looked into,
//! and a container sees only its own processes. So finding nobody doesn't prove that nobody has the port.

use std::fs;
use std::path::Path;

use modem_world::{PortHolder, PortId};

use crate::sysfs::{Sysfs, text};

impl Sysfs {
    /// The first process that has the port open, other than `own_process`.
    pub fn holder(&self, port: &PortId, own_process: u32) -> Option<PortHolder> {
        let node = self.below_root(port.as_str());
        let processes = fs::read_dir(self.root().join("proc")).ok()?;
        for entry in processes.flatten() {
            let Some(process) = entry
                .file_name()
                .to_str()
                .and_then(|name| name.parse::<u32>().ok())
            else {
                continue;
            };
            let is_other = process != own_process && has_open(&entry.path(), &node, port);
            if is_other && !self.is_just_forked(process, own_process) {
                let processes = self.root().join("proc");
                let name = process_name(&processes, process).unwrap_or_else(|| "a process".to_owned());
                return Some(PortHolder {
                    name,
                    process: Some(process),
                });
            }
        }
        None
    }

    /// Whether `process` is a child that `parent` has just forked: until the child runs a program of its own,
    /// it shares its parent's open ports.
    fn is_just_forked(&self, process: u32, parent: u32) -> bool {
        let of = |process: u32, file: &str| self.root().join(format!("proc/{process}/{file}"));
        let status = text(&of(process, "status")).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("PPid:"));
        let program = |process| fs::read_link(of(process, "exe")).ok();
        line.and_then(|number| number.trim().parse().ok()) == Some(parent)
            && program(process).is_some_and(|its| program(parent) == Some(its))
    }
}

/// The name of a process as the kernel reports it, safe for a terminal. `processes` is `/proc`.
pub fn process_name(processes: &Path, process: u32) -> Option<String> {
    text(&processes.join(process.to_string()).join("comm"))
}

impl Sysfs {
    /// The first process with this name. The kernel keeps at most 15 bytes of a name.
    pub fn process(&self, name: &str) -> Option<u32> {
        let processes = fs::read_dir(self.root().join("proc")).ok()?;
        processes.flatten().find_map(|entry| {
            let process = entry.file_name().to_str()?.parse().ok()?;
            (text(&entry.path().join("comm")).as_deref() == Some(name)).then_some(process)
        })
    }
}

fn has_open(process: &Path, node: &Path, port: &PortId) -> bool {
    let Ok(descriptors) = fs::read_dir(process.join("fd")) else {
        return false;
    };
    descriptors.flatten().any(|descriptor| {
        // The kernel's links don't contain the root directory that a test may have put in front.
        fs::read_link(descriptor.path())
            .is_ok_and(|target| target == node || target == Path::new(port.as_str()))
    })
}
