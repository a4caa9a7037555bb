//! Runs that fail on the way.

use std::time::Duration;

use modem_world::World;
use virtual_modem::simulated::SimulatedWorld;
use virtual_modem::{FaultScript, Mode};

use super::scene::{BEGIN, EM7565, MC7455, bus, files, run, running, waiting};

#[test]
fn a_modem_that_breaks_off_is_left_with_advice_that_works() {
    let files = files(&MC7455);
    let mut setup = waiting("MC7455");
    let script: FaultScript = "drop@100000".parse().unwrap();
    setup.faults = script;
    let mut world = SimulatedWorld::new(setup);
    let seen = run(
        &mut world,
        &["-U", "-t", SimulatedWorld::LINK, &files.system, &files.settings],
    );
    if seen.is_done {
        seen.says(&["firmware update operation finished successfully"]);
    } else {
        assert!(
            seen.err.contains("error: error downloading image: couldn't "),
            "{}",
            seen.err
        );
        assert!(seen.err.contains("\n  modem: "), "{}", seen.err);
    }
}

#[test]
fn a_stop_says_so_in_both_languages() {
    let files = files(&EM7565);
    let mut world = bus("EM7565");
    world.cancel_at(BEGIN + Duration::from_millis(1));
    let seen = run(
        &mut world,
        &["-u", "-d", "1199:9091", &files.system, &files.settings],
    );
    assert!(!seen.is_done);
    assert!(
        seen.err.starts_with("cancelling the operation...\n"),
        "{}",
        seen.err
    );
    assert!(
        seen.err.contains("\nerror: operation cancelled\n"),
        "{}",
        seen.err
    );
}

#[test]
fn a_language_that_gets_no_answer_is_said_with_the_option_that_asked_for_it() {
    let files = files(&MC7455);
    let mut world = bus("MC7455");
    let seen = run(
        &mut world,
        &[
            "-u",
            "-d",
            "1199",
            "--device-open-mbim",
            &files.system,
            &files.settings,
        ],
    );
    seen.fails_like(
        "error: couldn't open QMI device: no answer over MBIM, the language that was requested: ",
    );
    assert!(seen.err.contains("[E-MODEM-UNREACHABLE]"), "{}", seen.err);
    assert!(
        seen.err
            .contains("\nhint: leave out --device-open-qmi or --device-open-mbim"),
        "{}",
        seen.err
    );
    assert!(!seen.out.contains("rebooting"), "{}", seen.out);
}

#[test]
fn failures_on_the_way_have_the_words_that_people_search_for() {
    let cases = [
        (
            "enter:never",
            "error: error waiting for serial device in download mode: waiting for device at \
             '/sys/bus/usb/devices/1-1' timed out",
        ),
        (
            "return:never",
            "error: error waiting for cdc-wdm: waiting for device at '/sys/bus/usb/devices/1-1' timed out",
        ),
        ("return:other-modem", "error: 1-1 "),
        ("refuse@0x48:17", "error: couldn't set firmware preference: "),
        (
            "reject-image",
            "error: error downloading image: couldn't close session: ",
        ),
        (
            "stall@100000",
            "error: error downloading image: couldn't write in session: ",
        ),
        ("error:5@chunk:0", "error: error downloading image: couldn't "),
    ];
    for (model, release) in [("MC7455", MC7455), ("EM7565", EM7565)] {
        let files = files(&release);
        for (fault, first) in cases {
            let mut setup = running(model);
            setup.faults = fault.parse().unwrap();
            let mut world = SimulatedWorld::new(setup);
            world.wait(&[], BEGIN);
            let seen = run(&mut world, &["-u", "-d", "1199", &files.system, &files.settings]);
            seen.fails_like(first);
            if seen.out.contains("downloading") && fault.contains('@') {
                // The modem waits in download mode now, where it has another port.
                assert!(
                    seen.err
                        .contains(" run again with --update-download --tty /dev/ttyUSB"),
                    "{}",
                    seen.err
                );
            }
        }
    }
}

#[test]
fn what_is_no_boot_loader_speaks_an_unsupported_protocol() {
    let files = files(&MC7455);
    for mode in [Mode::Dead, Mode::Diag, Mode::Echo, Mode::Pbl] {
        let mut setup = waiting("MC7455");
        setup.mode = mode;
        let mut world = SimulatedWorld::new(setup);
        let seen = run(
            &mut world,
            &["-U", "-t", SimulatedWorld::LINK, &files.system, &files.settings],
        );
        seen.fails_like("error: unsupported download protocol");
        assert!(!seen.out.contains("downloading"), "{}", seen.out);
    }
}
