//! One modem, one run: the real program, started twice at the same moment.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::common::{Run, last_event, modemflash, names, put_release, serve, setup};
use firmware_image::Family;
use virtual_modem::ImageState;

const MIB: u64 = 1024 * 1024;

/// How often two start; the lock alone is tried a thousand times in the tests of the transport.
const PAIRS: usize = 20;

fn update(folder: &Path, port: &str, files: &[String]) -> Command {
    let mut command = modemflash(folder);
    command.args(["update", "--json", "-t", port]).args(files);
    command
}

#[test]
fn of_two_programs_that_start_together_one_flashes_the_modem_and_the_other_says_who_does() {
    let folder = &tempfile::tempdir().unwrap();
    let files = put_release(folder.path(), Family::Swi9x30, 500_000);
    let files_by_name = names(&files);
    std::thread::scope(|scope| {
        for pair in 0..PAIRS {
            let (files, names) = (&files, &files_by_name);
            scope.spawn(move || one_pair(folder.path(), pair, files, names));
        }
    });
}

fn one_pair(folder: &Path, pair: usize, files: &[PathBuf], names: &[String]) {
    let (served, port) = serve(setup("MC7455", MIB));
    let runs = [(); 2].map(|()| Run::start(update(folder, &port, names)));
    let pids = runs.each_ref().map(Run::pid);
    let ends = runs.map(Run::finish);
    let winner = ends.iter().position(|(code, _)| *code == 0);
    let Some(winner) = winner else {
        panic!("pair {pair}: nobody got in: {ends:?}")
    };
    let (code, seen) = &ends[1 - winner];
    assert_eq!(*code, 4, "pair {pair}: {seen}");
    let failed = last_event(seen);
    assert_eq!(failed["event"], "failed", "{seen}");
    assert_eq!(failed["code"], "E-MODEM-LOCKED", "{seen}");
    assert_eq!(failed["modem"]["state"], "untouched", "{seen}");
    assert_eq!(failed["next"], "wait_for_other_run", "{seen}");
    let cause = failed["cause"].as_str().unwrap();
    let pid = pids[winner].as_raw_nonzero();
    assert!(cause.contains(&format!("(pid {pid})")), "{cause}");
    // The modem got one flash, byte for byte.
    let modem = served.stop().unwrap();
    assert_eq!(modem.violations(), [], "pair {pair}");
    assert_eq!(modem.images().len(), files.len(), "pair {pair}");
    for (image, file) in modem.images().iter().zip(files) {
        assert_eq!(image.state, ImageState::Accepted);
        assert!(
            image.bytes.as_deref() == Some(&*fs::read(file).unwrap()),
            "pair {pair}"
        );
    }
}

#[test]
fn the_reference_options_meet_the_same_lock() {
    let folder = tempfile::tempdir().unwrap();
    let files = names(&put_release(folder.path(), Family::Swi9x30, 8_000_000));
    let (served, port) = serve(setup("MC7455", 4 * MIB));
    let mut first = Run::start(update(folder.path(), &port, &files));
    first.wait_for_bytes(1);
    let program = folder.path().join("qmi-firmware-update");
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_modemflash"), &program).unwrap();
    let output = Command::new(&program)
        .current_dir(folder.path())
        .args(["--update-download", "-t", &port])
        .args(&files)
        .output()
        .unwrap();
    let errors = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success(), "{errors}");
    assert!(errors.contains("[E-MODEM-LOCKED]"), "{errors}");
    let pid = first.pid().as_raw_nonzero();
    assert!(errors.contains(&format!("(pid {pid})")), "{errors}");
    let (code, seen) = first.finish();
    assert_eq!(code, 0, "{seen}");
    assert_eq!(served.stop().unwrap().violations(), []);
}

#[test]
fn a_program_that_was_killed_locks_nobody_out() {
    let folder = tempfile::tempdir().unwrap();
    let files = names(&put_release(folder.path(), Family::Swi9x30, 8_000_000));
    let (served, port) = serve(setup("MC7455", 4 * MIB));
    let mut first = Run::start(update(folder.path(), &port, &files));
    first.wait_for_bytes(1);
    first.signal(rustix::process::Signal::KILL);
    first.child.wait().unwrap();
    let mut second = Run::start(update(folder.path(), &port, &files));
    // It has the port: what the modem makes of its torn download is another matter.
    second.wait_for(|event| event["event"] == "step_started" && event["step"]["name"] == "detect");
    let _ = second.child.kill();
    second.child.wait().unwrap();
    served.stop().unwrap();
}
