//! The program in real time against a virtual modem on a pseudo-terminal: flashes, stops, losses, changed files.

use std::fs::{self, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::common::{Run, last_event, modemflash, put_release, serve, setup};
use firmware_image::Family;
use modem_world::Instant;
use rustix::process::Signal;
use serde_json::json;
use tempfile::TempDir;
use virtual_modem::pty::PtyModem;
use virtual_modem::{Fault, ImageState, Output, Setup, VirtualModem};

const MIB: u64 = 1024 * 1024;

/// Both kinds of boot loader, with the family of their images.
const KINDS: [(&str, Family); 2] = [("MC7455", Family::Swi9x30), ("EM7565", Family::Swi9x50)];

/// A release in a folder of its own.
struct Files {
    folder: TempDir,
    files: Vec<PathBuf>,
}

impl Files {
    fn of(family: Family, size: u64) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let files = put_release(folder.path(), family, size);
        Self { folder, files }
    }

    fn update(&self, port: &str, options: &[&str]) -> Command {
        let mut command = modemflash(self.folder.path());
        command
            .args(["update", "-t", port])
            .args(options)
            .args(&self.files);
        command
    }
}

/// A modem that takes a mebibyte in a tenth of a second.
fn brisk(model: &str) -> Setup {
    setup(model, 10 * MIB)
}

/// One that stands still for some seconds behind the second mebibyte.
fn pausing(model: &str) -> Setup {
    let mut setup = setup(model, 100 * MIB);
    setup.faults.0 = vec![Fault::Stall {
        byte: 2 * MIB,
        lasting: Some(Duration::from_secs(3)),
    }];
    setup
}

/// One that takes nothing behind the second mebibyte.
fn stuck(model: &str) -> Setup {
    let mut setup = setup(model, 100 * MIB);
    setup.faults.0 = vec![Fault::Stall {
        byte: 2 * MIB,
        lasting: None,
    }];
    setup
}

/// The modem has accepted exactly these files.
fn assert_flashed(modem: &VirtualModem, files: &[PathBuf]) {
    assert_eq!(modem.violations(), []);
    let images = modem.images();
    assert_eq!(images.len(), files.len());
    for (image, file) in images.iter().zip(files) {
        assert_eq!(image.state, ImageState::Accepted);
        assert!(
            image.bytes.as_deref() == Some(&*fs::read(file).unwrap()),
            "other bytes than {}",
            file.display()
        );
    }
    assert!(!modem.is_on_bus(), "it has restarted");
}

#[test]
fn a_flash_brings_every_byte_into_the_modem() {
    for (model, family) in KINDS {
        let files = Files::of(family, 3_000_000);
        let (served, port) = serve(brisk(model));
        let (code, seen) = Run::start(files.update(&port, &[])).finish();
        assert_eq!(code, 0, "{seen}");
        assert!(
            seen.contains(
                "all images accepted; the modem was restarted, and its versions were not read back"
            ),
            "{seen}"
        );
        assert!(seen.lines().last().unwrap().starts_with("! next: "), "{seen}");
        assert_flashed(&served.stop().unwrap(), &files.files);
    }
}

#[test]
fn a_closed_terminal_does_not_stop_a_flash() {
    for (model, family) in KINDS {
        let files = Files::of(family, 3_000_000);
        let (served, port) = serve(pausing(model));
        let mut run = Run::start(files.update(&port, &["--json"]));
        run.wait_for_bytes(1);
        run.signal(Signal::HUP);
        let (code, seen) = run.finish();
        assert_eq!(code, 0, "{seen}");
        assert_flashed(&served.stop().unwrap(), &files.files);
    }
}

#[test]
fn one_interrupt_stops_at_the_safe_point() {
    for (model, family) in KINDS {
        let files = Files::of(family, 3_000_000);
        let (served, port) = serve(pausing(model));
        let mut run = Run::start(files.update(&port, &["--json"]));
        run.wait_for_bytes(1);
        run.signal(Signal::INT);
        run.wait_for(|event| event["event"] == "stopping");
        let (code, seen) = run.finish();
        assert_eq!(code, 130, "{seen}");
        let last = last_event(&seen);
        assert_eq!(last["code"], "E-STOPPED", "{seen}");
        assert_eq!(last["exit"], 130);
        assert_eq!(last["modem"]["state"], "partly_written", "{seen}");
        assert!(seen.contains("error[E-STOPPED]: "), "{seen}");
        assert!(seen.contains("hint: run "), "{seen}");
        let modem = served.stop().unwrap();
        assert_eq!(modem.violations(), [], "{model}");
    }
}

#[test]
fn one_interrupt_stops_every_one_of_several_modems_at_its_safe_point() {
    let files = Files::of(Family::Swi9x30, 3_000_000);
    let served: Vec<_> = (0..3).map(|_| serve(pausing("MC7455"))).collect();
    let mut command = modemflash(files.folder.path());
    command.args(["update", "--json"]);
    for (_, port) in &served {
        command.args(["-t", port]);
    }
    command.args(&files.files);
    let mut run = Run::start(command);
    let mut begun = std::collections::BTreeSet::new();
    run.wait_for(|event| {
        if event["event"] == "advanced" {
            begun.insert(event["device"]["port"].as_str().unwrap().to_owned());
        }
        begun.len() == 3
    });
    run.signal(Signal::INT);
    let (code, seen) = run.finish();
    assert_eq!(code, 130, "{seen}");
    let count = |event: &str| {
        let events = seen
            .lines()
            .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
        events.filter(|value| value["event"] == event).count()
    };
    assert_eq!((count("stopping"), count("failed")), (3, 3), "{seen}");
    for (modem, _) in served {
        assert_eq!(modem.stop().unwrap().violations(), []);
    }
}

#[test]
fn several_modems_on_ptys_get_every_byte_at_once() {
    let files = Files::of(Family::Swi9x30, 3_000_000);
    let served: Vec<_> = (0..3).map(|_| serve(brisk("MC7455"))).collect();
    let mut command = modemflash(files.folder.path());
    command.arg("update");
    for (_, port) in &served {
        command.args(["-t", port]);
    }
    command.args(&files.files);
    let (code, seen) = Run::start(command).finish();
    assert_eq!(code, 0, "{seen}");
    for (modem, port) in served {
        assert!(
            seen.contains(&format!("! {port}: image 2 of 2 accepted")),
            "{seen}"
        );
        assert_flashed(&modem.stop().unwrap(), &files.files);
    }
}

#[test]
fn two_interrupts_stop_at_once() {
    for (model, family) in KINDS {
        let files = Files::of(family, 3_000_000);
        let (served, port) = serve(stuck(model));
        let mut run = Run::start(files.update(&port, &["--json"]));
        run.wait_for_bytes(1);
        run.signal(Signal::INT);
        run.wait_for(|event| event["event"] == "stopping");
        run.signal(Signal::INT);
        let (code, seen) = run.finish();
        assert_eq!(code, 130, "{seen}");
        assert_eq!(last_event(&seen)["code"], "E-STOPPED", "{seen}");
        assert!(served.stop().unwrap().image_bytes() <= 2 * MIB);
    }
}

/// The modem under a link of the folder: its terminal has another number after each restart, and another test's modem
/// may get the old one.
fn serve_linked(files: &Files, setup: Setup) -> (PtyModem, String) {
    let link = files.folder.path().join("modem");
    let served = PtyModem::start(VirtualModem::new(setup), Some(&link)).unwrap();
    (served, link.to_str().unwrap().to_owned())
}

/// A modem that leaves the bus at these bytes and is back soon.
fn leaving(model: &str, places: &[u64]) -> Setup {
    let mut setup = brisk(model);
    setup.timings.restarting = Duration::from_millis(50);
    setup.faults.0 = places.iter().map(|byte| Fault::Drop { byte: *byte }).collect();
    setup
}

#[test]
fn a_modem_that_leaves_and_comes_back_is_flashed_from_the_start() {
    for (model, family) in KINDS {
        let files = Files::of(family, 3_000_000);
        let (served, port) = serve_linked(&files, leaving(model, &[2 * MIB]));
        let (code, seen) = Run::start(files.update(&port, &[])).finish();
        assert_eq!(code, 0, "{seen}");
        assert!(
            seen.contains("trying the download again (attempt 2): the modem left the bus"),
            "{seen}"
        );
        let modem = served.stop().unwrap();
        assert_eq!(modem.violations(), []);
        let accepted: Vec<_> = modem
            .images()
            .iter()
            .filter(|image| image.state == ImageState::Accepted)
            .map(|image| image.bytes.as_deref().unwrap())
            .collect();
        let wanted: Vec<_> = files.files.iter().map(|file| fs::read(file).unwrap()).collect();
        assert!(accepted == wanted, "other bytes");
    }
}

#[test]
fn a_modem_that_leaves_again_and_again_is_told_as_partly_written() {
    for (model, family) in KINDS {
        let files = Files::of(family, 3_000_000);
        let (served, port) = serve_linked(&files, leaving(model, &[2 * MIB, 3 * MIB]));
        let (code, seen) = Run::start(files.update(&port, &["--json"])).finish();
        let last = last_event(&seen);
        assert_eq!(code, 6, "{seen}");
        assert_eq!(last["exit"], 6);
        assert_eq!(last["modem"]["state"], "partly_written", "{seen}");
        assert!(
            seen.contains(": the modem left the bus while image 1 of 2 was being written"),
            "{seen}"
        );
        assert!(seen.contains("hint: check the cable"), "{seen}");
        served.stop().unwrap();
    }
}

#[test]
fn the_program_that_has_the_port_is_named() {
    let files = Files::of(Family::Swi9x50, 5000);
    let (served, port) = serve(brisk("EM7565"));
    // `cat` waits for the modem; it holds the port until it is killed.
    let mut holder = Command::new("cat")
        .arg(&port)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    // The modem says hello as soon as the port is open: then it is held.
    let mut byte = [0; 1];
    holder.stdout.as_mut().unwrap().read_exact(&mut byte).unwrap();
    let (code, seen) = Run::start(files.update(&port, &[])).finish();
    holder.kill().unwrap();
    holder.wait().unwrap();
    assert_eq!(code, 4, "{seen}");
    assert!(seen.contains("error[E-PORT-BUSY]"), "{seen}");
    assert!(seen.contains(&format!("cat (pid {})", holder.id())), "{seen}");
    assert!(seen.contains("modem: untouched"), "{seen}");
    let modem = served.stop().unwrap();
    assert!(modem.images().is_empty());
}

#[test]
fn a_closed_standard_output_does_not_stop_a_flash() {
    for (model, family) in KINDS {
        let files = Files::of(family, 3_000_000);
        let (served, port) = serve(brisk(model));
        let mut child = files
            .update(&port, &["--json"])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // As `| head -1` does: one line, then nobody reads any more.
        drop(child.stdout.take());
        drop(child.stderr.take());
        assert_eq!(child.wait().unwrap().code(), Some(0), "{model}");
        assert_flashed(&served.stop().unwrap(), &files.files);
    }
}

#[test]
fn a_file_that_changes_while_it_is_sent_stops_the_flash_before_a_wrong_byte_goes() {
    for (model, family) in KINDS {
        let files = Files::of(family, 6_000_000);
        let original = fs::read(&files.files[0]).unwrap();
        let (served, port) = serve(pausing(model));
        let mut run = Run::start(files.update(&port, &["--json"]));
        run.wait_for_bytes(1);
        let mut file = OpenOptions::new().write(true).open(&files.files[0]).unwrap();
        file.seek(SeekFrom::End(-200_000)).unwrap();
        file.write_all(&[0xEE; 100_000]).unwrap();
        let (code, seen) = run.finish();
        assert_stopped_by_the_file(code, &seen, "E-IMAGE-CHANGED", model);
        assert_only_bytes_of(served.stop().unwrap(), &original);
    }
}

#[test]
fn a_file_that_is_cut_while_it_is_sent_stops_the_flash() {
    for (model, family) in KINDS {
        let files = Files::of(family, 6_000_000);
        let original = fs::read(&files.files[0]).unwrap();
        let (served, port) = serve(pausing(model));
        let mut run = Run::start(files.update(&port, &["--json"]));
        run.wait_for_bytes(1);
        let file = OpenOptions::new().write(true).open(&files.files[0]).unwrap();
        file.set_len(5_000_000).unwrap();
        let (code, seen) = run.finish();
        assert_stopped_by_the_file(code, &seen, "E-IMAGE-CHANGED", model);
        assert_only_bytes_of(served.stop().unwrap(), &original);
    }
}

fn assert_stopped_by_the_file(code: i32, seen: &str, expected: &str, model: &str) {
    let last = last_event(seen);
    assert_eq!(last["code"], expected, "{model}: {seen}");
    assert_eq!(code, 6, "{seen}");
    assert_eq!(
        last["modem"],
        json!({"state": "partly_written", "accepted": 0, "of": 2})
    );
}

/// Whatever the modem has got of the image is what the file held when it was checked.
fn assert_only_bytes_of(mut modem: VirtualModem, original: &[u8]) {
    // Taken off the bus, it gives up the image that it was getting.
    let later = Instant::from_start(Duration::from_secs(86_400));
    modem.re_enumerate(later);
    while !matches!(modem.poll(later), Output::Wait(_)) {}
    assert!(modem.image_bytes() >= 2 * MIB, "the change came in the middle");
    let image = modem.images().first().expect("an image cut off in the middle");
    let got = image.bytes.as_deref().expect("kept");
    assert_eq!(image.state, ImageState::Partial);
    assert!(got.len() < original.len());
    assert!(got == &original[..got.len()], "wrong bytes were sent");
}

#[test]
fn events_of_a_flash_are_one_object_per_line_and_progress_never_goes_backwards() {
    let files = Files::of(Family::Swi9x30, 3_000_000);
    let (served, port) = serve(brisk("MC7455"));
    let output = files.update(&port, &["--json"]).output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    let mut progress = 0.0;
    for line in String::from_utf8(output.stdout).unwrap().lines() {
        let event: serde_json::Value = serde_json::from_str(line).unwrap();
        assert_eq!(event["v"], 1);
        assert_eq!(event["device"]["port"], *port);
        if let Some(now) = event["progress"].as_f64() {
            assert!(now >= progress, "{line}");
            progress = now;
        }
    }
    assert!(progress > 0.999, "{progress}");
    assert_flashed(&served.stop().unwrap(), &files.files);
}
