//! The peak of memory stays flat, whatever the image size (8 MiB: routers have 64 MB in all).
#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod common;

use std::fs;

use common::{Run, modemflash, put_release, serve, setup};
use firmware_image::Family;
use virtual_modem::Keep;

const MIB: u64 = 1024 * 1024;

#[test]
fn an_update_with_a_large_image_stays_below_8_mib() {
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
        let mut last = None;
        // The mark only rises, so the last one seen before the end is the peak of the flash.
        run.wait_for(|event| {
            if let Ok(text) = fs::read_to_string(&status) {
                last = marks(&text).or(last.take());
            }
            event["event"] == "outcome"
        });
        let (code, seen) = run.finish();
        assert_eq!(code, 0, "{seen}");
        served.stop().unwrap();
        let (peak, anonymous) = last.expect("the program was seen running");
        println!("{model}: peak {peak} KiB, at the end {anonymous} KiB of it not backed by files");
        assert!(peak <= 8 * 1024, "{model}: {peak} KiB");
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
