//! ModemManager lets go of one modem, and gets it back whatever happens; the host stays awake.

use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::Stdio;
use std::sync::{Mutex, mpsc};
use std::time::Duration;

use crate::bus::{Bus, FOLDER, Fake, Habit, Login, Running, has, is_root, start, tree};
use crate::process;
use modem_world::{HostError, Inhibition, Interest, UsbPath, Wake, World};
use modemflash_modem_transport::LinuxWorld;

const PATIENCE: Duration = Duration::from_secs(20);

fn modem() -> UsbPath {
    UsbPath::new("1-2")
}

fn world(root: &Path, bus: &Bus) -> LinuxWorld {
    world_with(root, bus, "bus")
}

fn world_with(root: &Path, bus: &Bus, way: &str) -> LinuxWorld {
    let mut world = LinuxWorld::with_root(root).unwrap();
    match way {
        "mmcli" => world.use_mmcli(Some(&bus.address)),
        _ => world.use_bus(&bus.address),
    }
    world
}

/// The ways to ask that this host has.
fn ways() -> Vec<&'static str> {
    let mut ways = vec!["bus"];
    if has(&[("mmcli", "modemmanager")]) {
        ways.push("mmcli");
    }
    ways
}

/// Asks as the engine does it, until there is an answer.
fn inhibit(world: &mut LinuxWorld) -> Inhibition {
    let until = world.now() + PATIENCE;
    loop {
        match world.host().inhibit(&modem()) {
            Inhibition::Pending => {}
            answer => return answer,
        }
        assert_ne!(world.wait(&[Interest::Bus], until), Wake::Deadline, "no answer");
    }
}

fn granted(uid: &str) -> (String, bool) {
    (uid.to_owned(), true)
}

fn released(uid: &str) -> (String, bool) {
    (uid.to_owned(), false)
}

#[test]
fn the_first_answer_is_pending_and_the_wait_ends_when_the_real_one_is_there() {
    let Some(bus) = Bus::start() else { return };
    let _fake = Fake::start(&bus, Habit::Good, &[(FOLDER, &["cdc-wdm4"])]);
    let tree = tree(true);
    let mut world = world(tree.path(), &bus);
    assert_eq!(world.host().inhibit(&modem()), Inhibition::Pending);
    let until = world.now() + PATIENCE;
    assert_eq!(world.wait(&[Interest::Bus], until), Wake::BusChanged);
    assert_eq!(world.host().inhibit(&modem()), Inhibition::Granted);
    assert_eq!(world.host().inhibit(&modem()), Inhibition::Granted);
}

#[test]
fn exactly_this_modem_is_let_go_of_and_given_back() {
    let Some(bus) = Bus::start() else { return };
    let other = "/sys/devices/usb1/1-20";
    let fake = Fake::start(
        &bus,
        Habit::Good,
        &[(other, &["cdc-wdm4"]), (FOLDER, &["cdc-wdm1"])],
    );
    let tree = tree(true);
    for way in ways() {
        let mut world = world_with(tree.path(), &bus, way);
        assert_eq!(inhibit(&mut world), Inhibition::Granted, "{way}");
        assert_eq!(fake.next(), granted(FOLDER), "{way}");
        world.host().release(&modem());
        assert_eq!(fake.next(), released(FOLDER), "{way}");
        assert_eq!(inhibit(&mut world), Inhibition::Granted, "{way}");
        assert_eq!(fake.next(), granted(FOLDER), "{way}");
        world.finish().unwrap();
        assert_eq!(fake.next(), released(FOLDER), "{way}");
    }
}

#[test]
fn a_modem_with_a_name_from_a_udev_rule_is_found_by_its_ports() {
    let Some(bus) = Bus::start() else { return };
    let fake = Fake::start(
        &bus,
        Habit::Good,
        &[("left", &["cdc-wdm3"]), ("right", &["ttyUSB9", "cdc-wdm4"])],
    );
    let tree = tree(true);
    let mut world = world(tree.path(), &bus);
    assert_eq!(inhibit(&mut world), Inhibition::Granted);
    assert_eq!(fake.next(), granted("right"));
}

#[test]
fn a_world_that_is_dropped_gives_the_modem_back() {
    let Some(bus) = Bus::start() else { return };
    let fake = Fake::start(&bus, Habit::Good, &[(FOLDER, &[])]);
    let tree = tree(true);
    for way in ways() {
        let mut world = world_with(tree.path(), &bus, way);
        assert_eq!(inhibit(&mut world), Inhibition::Granted, "{way}");
        assert_eq!(fake.next(), granted(FOLDER), "{way}");
        drop(world);
        assert_eq!(fake.next(), released(FOLDER), "{way}");
    }
}

#[test]
fn the_inhibition_lasts_while_the_modem_is_away_and_back_in_another_mode() {
    let Some(bus) = Bus::start() else { return };
    let fake = Fake::start(&bus, Habit::Good, &[(FOLDER, &[])]);
    for way in ways() {
        let tree = tree(true);
        let mut world = world_with(tree.path(), &bus, way);
        assert_eq!(inhibit(&mut world), Inhibition::Granted, "{way}");
        assert_eq!(fake.next(), granted(FOLDER), "{way}");
        std::fs::remove_file(tree.path().join("sys/bus/usb/devices/1-2")).unwrap();
        assert_eq!(inhibit(&mut world), Inhibition::Granted, "{way}");
        assert!(fake.changes.try_recv().is_err(), "{way}");
        world.finish().unwrap();
        assert_eq!(fake.next(), released(FOLDER), "{way}");
    }
}

#[test]
fn a_modem_that_is_not_exported_yet_is_unknown_until_it_is() {
    let Some(bus) = Bus::start() else { return };
    let early = Fake::start(&bus, Habit::Good, &[("/sys/devices/usb1/1-3", &["cdc-wdm4"])]);
    let tree = tree(true);
    let mut world = world(tree.path(), &bus);
    assert_eq!(inhibit(&mut world), Inhibition::Unknown);
    assert_eq!(inhibit(&mut world), Inhibition::Unknown);
    early.stop();
    let late = Fake::start(&bus, Habit::Good, &[(FOLDER, &[])]);
    assert_eq!(inhibit(&mut world), Inhibition::Granted);
    assert_eq!(late.next(), granted(FOLDER));
}

#[test]
fn a_modem_that_is_known_but_not_exported_yet_is_let_go_of_too() {
    let Some(bus) = Bus::start() else { return };
    let fake = Fake::with_early(&bus, Habit::Good, &[], &[FOLDER]);
    let tree = tree(true);
    for way in ways() {
        let mut world = world_with(tree.path(), &bus, way);
        assert_eq!(inhibit(&mut world), Inhibition::Granted, "{way}");
        assert_eq!(fake.next(), granted(FOLDER), "{way}");
        world.finish().unwrap();
        assert_eq!(fake.next(), released(FOLDER), "{way}");
    }
}

#[test]
fn a_modem_manager_that_was_started_anew_is_asked_anew() {
    let Some(bus) = Bus::start() else { return };
    let first = Fake::start(&bus, Habit::Good, &[(FOLDER, &[])]);
    let tree = tree(true);
    let mut world = world(tree.path(), &bus);
    assert_eq!(inhibit(&mut world), Inhibition::Granted);
    first.stop();
    let second = Fake::start(&bus, Habit::Good, &[(FOLDER, &[])]);
    // The answer of before may still be given once, but it is looked after.
    let until = world.now() + PATIENCE;
    let change = loop {
        inhibit(&mut world);
        match second.changes.try_recv() {
            Ok(change) => break change,
            Err(_) => assert!(world.now() < until, "the second one isn't asked"),
        }
    };
    assert_eq!(change, granted(FOLDER));
}

#[test]
fn without_modem_manager_nothing_is_needed_and_nothing_is_started() {
    let Some(bus) = Bus::start() else { return };
    let tree = tree(false);
    let mut world = world(tree.path(), &bus);
    assert_eq!(inhibit(&mut world), Inhibition::NotNeeded);
    // Asked again it is looked for again.
    let fake = Fake::start(&bus, Habit::Good, &[(FOLDER, &[])]);
    assert_eq!(inhibit(&mut world), Inhibition::Granted);
    assert_eq!(fake.next(), granted(FOLDER));
}

#[test]
fn an_old_version_and_a_missing_right_come_with_what_to_do() {
    for (habit, words, help) in [
        (Habit::Old, "older than 1.10", "stop ModemManager"),
        (Habit::Refuses, "not you", "run modemflash as root"),
    ] {
        let Some(bus) = Bus::start() else { return };
        let _fake = Fake::start(&bus, habit, &[(FOLDER, &[])]);
        let tree = tree(true);
        let Inhibition::Impossible { why, help: said } = inhibit(&mut world(tree.path(), &bus)) else {
            panic!("{habit:?}")
        };
        assert!(why.contains(words) && said.contains(help), "{why}; {said}");
    }
}

#[test]
fn without_a_bus_it_depends_on_whether_modem_manager_runs() {
    for has_manager in [false, true] {
        let tree = tree(has_manager);
        let mut world = LinuxWorld::with_root(tree.path()).unwrap();
        let nowhere = tree.path().join("no-bus");
        world.use_bus(&format!("unix:path={}", nowhere.display()));
        let answer = inhibit(&mut world);
        match has_manager {
            false => assert_eq!(answer, Inhibition::NotNeeded),
            true => {
                assert!(matches!(answer, Inhibition::Impossible { why, .. } if why.contains("no D-Bus")));
            }
        }
        let absent = HostError::NoService {
            service: "systemd-logind".to_owned(),
        };
        assert_eq!(world.host().stay_awake("a test"), Err(absent));
    }
}

#[test]
fn a_process_that_is_killed_gives_the_modem_back() {
    let Some(bus) = Bus::start() else { return };
    for way in ways() {
        let fake = Fake::start(&bus, Habit::Good, &[(FOLDER, &[])]);
        let tree = tree(true);
        let child = process::with_only(module_path!(), "holds_an_inhibition_until_it_is_killed")
            .env("MODEM_MANAGER_TEST_TREE", tree.path())
            .env("MODEM_MANAGER_TEST_WAY", way)
            .env("DBUS_SYSTEM_BUS_ADDRESS", &bus.address)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut child = Running(child);
        let lines = BufReader::new(child.0.stdout.take().unwrap()).lines();
        let said = lines
            .map(Result::unwrap)
            .find(|line| line.contains("the answer is"));
        let said = said.expect("an answer");
        assert!(said.ends_with("Granted"), "{way}: {said}");
        assert_eq!(fake.next(), granted(FOLDER), "{way}");
        child.0.kill().unwrap();
        assert_eq!(fake.next(), released(FOLDER), "{way}");
        fake.stop();
    }
}

#[test]
#[ignore = "is run and killed by another test"]
#[expect(
    clippy::disallowed_methods,
    reason = "nobody is asked: the other test closes the pipe"
)]
fn holds_an_inhibition_until_it_is_killed() {
    let tree = std::env::var_os("MODEM_MANAGER_TEST_TREE").expect("the other test's tree");
    let mut world = LinuxWorld::with_root(tree).unwrap();
    if std::env::var("MODEM_MANAGER_TEST_WAY").unwrap() == "mmcli" {
        world.use_mmcli(None);
    }
    let answer = inhibit(&mut world);
    // Not caught as the output of a test.
    let mut said = std::io::stdout();
    writeln!(said, "\nthe answer is {answer:?}").unwrap();
    std::io::stdin().read_to_end(&mut Vec::new()).unwrap();
    world.host().release(&modem());
}

#[test]
fn the_host_stays_awake_until_the_world_ends() {
    let Some(bus) = Bus::start() else { return };
    let tree = tree(false);
    let mut world = world(tree.path(), &bus);
    let absent = HostError::NoService {
        service: "systemd-logind".to_owned(),
    };
    assert_eq!(world.host().stay_awake("a test"), Err(absent));

    let (asked, questions) = mpsc::channel();
    let (mut watch, lock) = std::io::pipe().unwrap();
    let login = Login {
        asked,
        lock: Mutex::new(Some(lock.into())),
    };
    let _login = zbus::blocking::connection::Builder::address(bus.address.as_str())
        .unwrap()
        .serve_at("/org/freedesktop/login1", login)
        .unwrap()
        .name("org.freedesktop.login1")
        .unwrap()
        .build()
        .unwrap();
    world
        .host()
        .stay_awake("the modem's firmware is updated")
        .unwrap();
    let (what, who, why) = questions.recv_timeout(PATIENCE).unwrap();
    assert_eq!((what.as_str(), who.as_str()), ("sleep:shutdown", "modemflash"));
    assert_eq!(why, "the modem's firmware is updated");
    let refused = world.host().stay_awake("again");
    assert!(
        matches!(refused, Err(HostError::Refused { why, .. }) if why == "not you"),
        "no second lock"
    );
    let held = rustix::event::poll(
        &mut [rustix::event::PollFd::new(&watch, rustix::event::PollFlags::IN)],
        Some(&rustix::event::Timespec::default()),
    );
    assert_eq!(held, Ok(0), "the lock is held");
    drop(world);
    assert_eq!(watch.read(&mut [0; 1]).unwrap(), 0);
}

#[test]
fn the_real_modem_manager_is_asked_and_knows_no_such_modem() {
    let programs = [
        ("ModemManager", "modemmanager"),
        ("mmcli", "modemmanager"),
        ("polkitd", "polkitd"),
    ];
    if !has(&programs) || !is_root() {
        return;
    }
    let Some(bus) = Bus::start() else { return };
    let manager = start("ModemManager", &bus);
    bus.wait_for("org.freedesktop.ModemManager1");
    let tree = tree(true);
    // It asks polkit before it looks for the modem, and refuses root too when there is none.
    let answer = inhibit(&mut world_with(tree.path(), &bus, "mmcli"));
    let Inhibition::Impossible { why, .. } = answer else {
        panic!("{answer:?}")
    };
    assert!(why.contains("PolicyKit"), "{why}");

    let _polkit = start("/usr/lib/polkit-1/polkitd", &bus);
    bus.wait_for("org.freedesktop.PolicyKit1");
    for way in ways() {
        let mut world = world_with(tree.path(), &bus, way);
        assert_eq!(inhibit(&mut world), Inhibition::Unknown, "{way}");
    }
    // Dropping waits for the end of the process, and the bus has noticed it before it answers anybody.
    drop(manager);
    assert_eq!(inhibit(&mut world(tree.path(), &bus)), Inhibition::NotNeeded);
}
