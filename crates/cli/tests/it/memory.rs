//! The peak of memory stays flat, whatever the image size (routers have 64 MB in all). The code's own pages don't count
//! here: a build for tests has far more of them than a released one, which `cargo xtask bench memory` measures as a whole.
#![allow(clippy::print_stdout)]

use std::fs;

use crate::common::{Run, modemflash, put_release, serve, setup};
use firmware_image::Family;
use virtual_modem::Keep;

const MIB: u64 = 1024 * 1024;

#[test]
fn an_update_with_a_large_image_needs_little_memory_besides_its_code() {
    for (model, family) in [("MC7455", Family::Swi9x30), ("EM7565", Family::Swi9x50)] {
        let folder = tempfile::tempdir().unwrap();
        let files = put_release(folder.path(), family, 64 * MIB);
        let mut setup = setup(model, 1_000_000_000_000);
        setup.keep = Keep::Sums;
        let (served, port) = serve(setup);
        let mut command = modemflash(folder.path());
        command.args(["update", "--json", "-t", &port]).args(&files);
        let mut run = Run::start(command);
        let status = format!("/proc/{}/status", run.pid().as_raw_nonzero());
        let mut last: Option<(u64, u64)> = None;
        run.wait_for(|event| {
            if let Ok(text) = fs::read_to_string(&status) {
                let highest = |(peak, used): (u64, u64)| {
                    let (peak_before, used_before) = last.unwrap_or_default();
                    (peak.max(peak_before), used.max(used_before))
                };
                last = marks(&text).map(highest).or(last);
            }
            event["event"] == "outcome"
        });
        let (code, seen) = run.finish();
        assert_eq!(code, 0, "{seen}");
        served.stop().unwrap();
        let (peak, anonymous) = last.expect("the program was seen running");
        println!("{model}: peak {peak} KiB, up to {anonymous} KiB of it not backed by files");
        assert!(anonymous <= 3 * 1024, "{model}: {anonymous} KiB");
    }
}

/// `VmHWM` and `RssAnon` in KiB.
fn marks(status: &str) -> Option<(u64, u64)> {
    let of = |name: &str| {
        let line = status.lines().find(|line| line.starts_with(name))?;
        line.split_whitespace().nth(1)?.parse().ok()
    };
    Some((of("VmHWM:")?, of("RssAnon:")?))
}
