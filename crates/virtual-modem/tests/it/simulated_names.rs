//! Names, numbers and the coming of ports in the simulated kernel, as Linux has them.

use std::time::Duration;

use modem_world::{Instant, Interest, PortInfo, PortKind, Wake, World};
use modemflash_virtual_modem::Setup;
use modemflash_virtual_modem::profile::Profile;
use modemflash_virtual_modem::simulated::{SimulatedWorld, SocketKind};

fn running(model: &str) -> Setup {
    Setup::running(Profile::named(model).unwrap())
}

fn at(seconds: u64) -> Instant {
    Instant::START + Duration::from_secs(seconds)
}

/// Two modems of the same model.
fn two() -> SimulatedWorld {
    let mut world = SimulatedWorld::new(running("MC7455"));
    world.plug(running("MC7455"));
    world
}

fn ports(world: &mut SimulatedWorld, path: &str) -> Vec<PortInfo> {
    let there = world.devices().unwrap().into_iter();
    let mut at_path = there.filter(|there| there.device.path.as_str() == path);
    at_path.next().map(|there| there.ports).unwrap_or_default()
}

fn names(world: &mut SimulatedWorld, path: &str) -> Vec<String> {
    let ports = ports(world, path);
    ports.iter().map(|port| port.id.to_string()).collect()
}

/// Lets the world stand until then.
fn pass(world: &mut SimulatedWorld, until: Instant) {
    while world.wait(&[], until) != Wake::Deadline {}
}

const FIRST: [&str; 5] = [
    "/dev/ttyUSB0",
    "/dev/ttyUSB1",
    "/dev/ttyUSB2",
    "/dev/cdc-wdm0",
    "/dev/cdc-wdm1",
];
const SECOND: [&str; 5] = [
    "/dev/ttyUSB3",
    "/dev/ttyUSB4",
    "/dev/ttyUSB5",
    "/dev/cdc-wdm2",
    "/dev/cdc-wdm3",
];

#[test]
fn a_name_goes_to_the_next_port_that_appears_whatever_its_device() {
    let mut world = two();
    assert_eq!(names(&mut world, "1-1"), FIRST);
    assert_eq!(names(&mut world, "1-2"), SECOND);
    // The second comes back first.
    world.re_enumerate_at(1, at(1));
    world.re_enumerate_at(0, at(1) + Duration::from_millis(100));
    pass(&mut world, at(2));
    assert_eq!(names(&mut world, "1-2"), FIRST);
    assert_eq!(names(&mut world, "1-1"), SECOND);
}

#[test]
fn a_serial_port_that_is_open_keeps_its_name_until_it_is_closed_and_a_control_port_does_not() {
    let mut world = two();
    let handles: Vec<_> = ports(&mut world, "1-1")
        .iter()
        .filter(|port| matches!(port.id.as_str(), "/dev/ttyUSB1" | "/dev/cdc-wdm0"))
        .map(|port| world.open(&port.id).unwrap())
        .collect();
    world.re_enumerate_at(0, at(1));
    pass(&mut world, at(2));
    assert_eq!(
        names(&mut world, "1-1"),
        [
            "/dev/ttyUSB0",
            "/dev/ttyUSB2",
            "/dev/ttyUSB6",
            "/dev/cdc-wdm0",
            "/dev/cdc-wdm1"
        ]
    );
    // The old handles lead nowhere, and closing them takes no name from who has it now.
    for handle in handles {
        assert!(world.try_write(handle, b"AT\r").is_err());
        world.close(handle);
    }
    world.re_enumerate_at(1, at(3));
    pass(&mut world, at(4));
    assert_eq!(
        names(&mut world, "1-2"),
        [
            "/dev/ttyUSB1",
            "/dev/ttyUSB3",
            "/dev/ttyUSB4",
            "/dev/cdc-wdm2",
            "/dev/cdc-wdm3"
        ]
    );
    assert_eq!((world.written(0, 0), world.written(0, 1)), (0, 0));
}

#[test]
fn numbers_count_on_each_bus_by_itself() {
    let mut setup = running("MC7455");
    setup.storage.usb.is_super_speed = true;
    let mut world = SimulatedWorld::new(running("MC7455"));
    world.plug_into(SocketKind::Usb3, setup);
    let seen = |world: &mut SimulatedWorld| -> Vec<(String, u32)> {
        let devices = world.devices().unwrap().into_iter().map(|there| there.device);
        devices
            .map(|device| (device.path.to_string(), device.number))
            .collect()
    };
    let is = |path: &str, number| (path.to_owned(), number);
    assert_eq!(seen(&mut world), [is("1-1", 2), is("2-2", 2)]);
    world.re_enumerate_at(0, at(1));
    pass(&mut world, at(2));
    assert_eq!(seen(&mut world), [is("1-1", 3), is("2-2", 2)]);
}

#[test]
fn slow_drivers_make_the_ports_one_after_the_other_and_each_is_a_change_of_the_bus() {
    for seed in 0..20 {
        let mut world = two().with_slow_drivers(seed);
        world.re_enumerate_at(0, at(1));
        pass(&mut world, at(1));
        let until = at(1) + Duration::from_secs(2);
        let mut counts = vec![];
        let mut came = None;
        while world.wait(&[Interest::Bus], until) == Wake::BusChanged {
            if world.devices().unwrap().len() == 2 {
                came.get_or_insert(world.now());
                counts.push(ports(&mut world, "1-1").len());
            }
        }
        assert_eq!(counts, [0, 1, 2, 3, 4, 5], "{seed}");
        let mut got = names(&mut world, "1-1");
        let interfaces: Vec<_> = ports(&mut world, "1-1")
            .iter()
            .map(|port| port.interface)
            .collect();
        assert!(interfaces.is_sorted(), "{seed}");
        got.sort();
        let mut first = FIRST.map(str::to_owned);
        first.sort();
        assert_eq!(got, first, "{seed}");
    }
}

#[test]
fn slow_drivers_change_nothing_when_the_modem_leaves_before_they_bind() {
    let mut world = two().with_slow_drivers(7);
    for tenth in 0..40 {
        world.re_enumerate_at(0, at(1) + Duration::from_millis(tenth * 250));
    }
    world.re_enumerate_at(1, at(5));
    pass(&mut world, at(20));
    let kinds = |ports: Vec<PortInfo>| ports.iter().filter(|port| port.kind == PortKind::Wdm).count();
    for path in ["1-1", "1-2"] {
        assert_eq!(names(&mut world, path).len(), 5);
        assert_eq!(kinds(ports(&mut world, path)), 2);
    }
    let mut all = names(&mut world, "1-1");
    all.extend(names(&mut world, "1-2"));
    all.sort();
    let mut wanted = [FIRST, SECOND].concat();
    wanted.sort_unstable();
    assert_eq!(all, wanted);
}

#[test]
fn the_time_of_the_drivers_is_bounded() {
    for seed in 0..50 {
        let mut world = two().with_slow_drivers(seed);
        world.re_enumerate_at(0, at(1));
        // 0.2 s off the bus, 0.5 s for all drivers, 1 s for one that has to be loaded.
        pass(&mut world, at(1) + Duration::from_millis(1700));
        assert_eq!(names(&mut world, "1-1").len(), 5, "{seed}");
    }
}

#[test]
fn what_a_worker_writes_is_counted_for_the_modem_that_it_reaches() {
    let mut world = two();
    let port = ports(&mut world, "1-2").remove(0);
    let handle = world.open(&port.id).unwrap();
    assert_eq!(world.try_write(handle, b"AT\r"), Ok(3));
    assert_eq!((world.written(0, 0), world.written(0, 1)), (0, 3));
    assert_eq!((world.written(1, 1), world.written(0, 2)), (0, 0));
}
