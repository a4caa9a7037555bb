//! The simulated world with running firmware: devices, control ports, sockets, ModemManager, several workers.

use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use crate::common::normal::running;
use crate::common::quick;
use modem_protocol::mbim::{Body, Message};
use modem_protocol::qmi::dms::{self, OperatingMode};
use modem_protocol::qmi::{Frame, Service, ctl};
use modem_world::{
    Binding, Host, Inhibition, Instant, Interest, PortErrorKind, PortHandle, PortHolder, PortInfo, PortKind,
    UsbPath, Wake, World,
};
use modemflash_virtual_modem::profile::Timings;
use modemflash_virtual_modem::simulated::{Grants, ModemManager, Shared, SimulatedWorld, SocketKind};
use modemflash_virtual_modem::{ControlProtocol, Mode, Profile, Setup};

fn at(milliseconds: u64) -> Instant {
    Instant::START + Duration::from_millis(milliseconds)
}

fn ports(world: &mut dyn World, kind: PortKind) -> Vec<PortInfo> {
    let devices = world.devices().unwrap();
    let ports = devices.into_iter().flat_map(|device| device.ports);
    ports.filter(|port| port.kind == kind).collect()
}

/// Writes a message and reads the next one.
fn ask(world: &mut dyn World, port: PortHandle, message: &[u8]) -> Vec<u8> {
    assert_eq!(world.try_write(port, message).unwrap(), message.len());
    let deadline = world.now() + Duration::from_secs(10);
    assert_eq!(
        world.wait(&[Interest::Readable(port)], deadline),
        Wake::Readable(port)
    );
    let mut buffer = [0; 4096];
    let count = world.try_read(port, &mut buffer).unwrap();
    buffer[..count].to_vec()
}

/// Allocates a client, goes offline and resets; returns when the modem has left the bus.
fn power_cycle(world: &mut dyn World, port: PortHandle) {
    let allocate = ctl::Request::Allocate {
        service: Service::Dms,
    };
    let answer = Frame::parse(&ask(world, port, &allocate.to_frame(1).encode())).unwrap();
    let client = answer.tlvs.get(1).unwrap()[1];
    for (transaction, mode) in [(1, OperatingMode::Offline), (2, OperatingMode::Reset)] {
        let request = dms::Request::SetOperatingMode(mode).to_frame(client, transaction);
        let _ = ask(world, port, &request.encode());
    }
    while world.try_read(port, &mut [0; 16]).is_ok() {
        let deadline = world.now() + Duration::from_secs(60);
        assert_ne!(world.wait(&[Interest::Bus], deadline), Wake::Deadline);
    }
    world.close(port);
}

#[test]
fn a_device_has_all_its_interfaces_with_their_drivers_and_ports() {
    for (model, control, interfaces, names) in [
        (
            "MC7455",
            ControlProtocol::Qmi,
            vec![
                (0, 0xff, "qcserial"),
                (2, 0xff, "qcserial"),
                (3, 0xff, "qcserial"),
                (8, 0xff, "qmi_wwan"),
                (10, 0xff, "qmi_wwan"),
            ],
            vec!["ttyUSB0", "ttyUSB1", "ttyUSB2", "cdc-wdm0", "cdc-wdm1"],
        ),
        (
            "EM9191",
            ControlProtocol::Mbim,
            vec![
                (0, 0x02, "cdc_mbim"),
                (1, 0x0a, "cdc_mbim"),
                (3, 0xff, "option"),
                (4, 0xff, "option"),
            ],
            vec!["cdc-wdm0", "ttyUSB0", "ttyUSB1"],
        ),
    ] {
        let mut setup = running(model);
        setup.control = control;
        let mut world = SimulatedWorld::new(setup);
        let device = world.devices().unwrap().remove(0);
        let found: Vec<_> = device
            .interfaces
            .iter()
            .map(|interface| {
                (
                    interface.number,
                    interface.class,
                    interface.driver.as_deref().unwrap(),
                )
            })
            .collect();
        assert_eq!(found, interfaces, "{model}");
        let ports: Vec<_> = device
            .ports
            .iter()
            .map(|port| port.id.as_str().rsplit('/').next().unwrap())
            .collect();
        assert_eq!(ports, names, "{model}");
        assert!(world.find(&format!("/dev/{}", names[0])).is_ok());
    }
}

#[test]
fn a_control_port_takes_and_gives_whole_messages() {
    let mut world = SimulatedWorld::new(running("MC7455")).choppy(3);
    let info = ports(&mut world, PortKind::Wdm).remove(0);
    let port = world.open(&info.id).unwrap();
    assert_eq!(world.largest_write(port), 4096);
    let sync = ctl::Request::Sync.to_frame(1).encode();
    let version = ctl::Request::VersionInfo.to_frame(2).encode();
    for _ in 0..50 {
        assert_eq!(world.try_write(port, &sync).unwrap(), sync.len());
        assert_eq!(world.try_write(port, &version).unwrap(), version.len());
        let _ = world.wait(&[], world.now() + Duration::from_secs(1));
        let mut buffer = [0; 4096];
        let first = world.try_read(port, &mut buffer).unwrap();
        assert!(Frame::parse(&buffer[..first]).is_ok());
        // What a small buffer leaves stays for the next read.
        let part = world.try_read(port, &mut buffer[..10]).unwrap();
        assert_eq!(part, 10);
        let rest = world.try_read(port, &mut buffer[10..]).unwrap();
        assert!(Frame::parse(&buffer[..10 + rest]).is_ok());
        assert_eq!(world.try_read(port, &mut buffer), Ok(0));
    }
    assert_eq!(world.modem(0).unwrap().violations(), []);
    // What is longer is cut, and the modem says what it thinks of that.
    assert_eq!(world.try_write(port, &[1; 5000]), Ok(4096));
    assert_eq!(
        world.modem(0).unwrap().violations()[0].what.kind(),
        "control message"
    );
}

#[test]
fn an_mbim_function_speaks_over_its_control_port() {
    let mut setup = running("EM7565");
    setup.control = ControlProtocol::Mbim;
    let mut world = SimulatedWorld::new(setup);
    let info = ports(&mut world, PortKind::Wdm).remove(0);
    let port = world.open(&info.id).unwrap();
    let open = Message {
        transaction: 1,
        body: Body::Open {
            max_control_transfer: 4096,
        },
    };
    let answer = ask(&mut world, port, &open.encode());
    assert!(matches!(Message::parse(&answer).unwrap().body, Body::OpenDone(_)));
}

#[test]
fn a_control_port_may_be_opened_twice_and_a_serial_port_may_not() {
    let mut world = SimulatedWorld::new(running("MC7455"));
    let control = ports(&mut world, PortKind::Wdm).remove(0);
    assert!(world.open(&control.id).is_ok() && world.open(&control.id).is_ok());
    let serial = ports(&mut world, PortKind::Serial).remove(0);
    assert!(world.open(&serial.id).is_ok());
    assert!(world.open(&serial.id).is_err());
}

#[test]
fn a_socket_with_usb_3_changes_the_bus_and_one_without_never_does() {
    let paths = |kind: SocketKind| {
        let mut setup = running("EM7455");
        setup.timings.leaving = Duration::from_millis(10);
        let mut world = SimulatedWorld::new(quick("MC7455"));
        let place = world.plug_into(kind, setup);
        let device = world.devices().unwrap().remove(place);
        let before = (device.device.path.clone(), device.device.peer.clone());
        let port = device
            .ports
            .iter()
            .find(|port| port.interface == Some(3))
            .unwrap();
        let port = world.open(&port.id).unwrap();
        let _ = world.try_write(port, b"AT!BOOTHOLD\r").unwrap();
        let _ = world.wait(&[], at(10_000));
        let device = world.devices().unwrap().remove(place).device;
        assert_eq!(device.interfaces, Some(1));
        (before, device.path)
    };
    let path = UsbPath::new;
    assert_eq!(
        paths(SocketKind::Usb3),
        ((path("2-2"), Some(path("1-2"))), path("1-2"))
    );
    assert_eq!(paths(SocketKind::Usb2), ((path("1-2"), None), path("1-2")));
}

#[test]
fn an_id_that_no_driver_knows_has_no_ports() {
    let mut world = SimulatedWorld::new(running("MC7455"));
    world.forget_id(0x1199, 0x9071);
    let device = world.devices().unwrap().remove(0);
    assert_eq!(device.ports, []);
    assert!(
        device
            .interfaces
            .iter()
            .all(|interface| interface.driver.is_none())
    );
    // MBIM goes by class.
    let mut setup = running("MC7455");
    setup.control = ControlProtocol::Mbim;
    let place = world.plug(setup);
    let device = world.devices().unwrap().remove(place);
    assert_eq!(device.ports.len(), 1);
}

#[test]
fn what_the_host_says_of_an_id_is_what_becomes_of_it() {
    let every = || SimulatedWorld::new(running("MC7455"));
    let mainline = || every().with_mainline_drivers();
    let taught = || {
        let mut world = mainline();
        world.teach_id(0x1199, 0x90b0);
        world
    };
    let worlds: [&dyn Fn() -> SimulatedWorld; 3] = [&every, &mainline, &taught];
    let mut refused = 0;
    for world in worlds {
        let boots = Profile::ALL.iter().map(|profile| profile.download.product);
        for product in boots.chain([0x90b0, 0x90c2, 0x90d8]) {
            let mut world = world();
            let said = world.will_bind(0x1199, product);
            let mut setup = Setup::of(Profile::named("EM7565").unwrap());
            setup.storage.usb.boot = product;
            let place = world.plug(setup);
            let device = world.devices().unwrap().remove(place);
            assert_eq!(device.device.product, product);
            let is_bound = device.ports.iter().any(|port| port.driver.is_some());
            let expected = if is_bound {
                Binding::Binds
            } else {
                Binding::WontBind
            };
            assert_eq!(said, expected, "{product:04x}");
            refused += usize::from(!is_bound);
        }
    }
    // EM9291's, 90b0, 90c2 and 90d8 on a mainline kernel, and without 90b0 where it was taught.
    assert_eq!(refused, 4 + 3);
    let mut world = every();
    world.hide_driver_tables();
    assert!(matches!(world.will_bind(0x1199, 0x9070), Binding::Unknown { .. }));
}

#[test]
fn a_driver_that_is_taught_an_id_takes_the_device_that_is_there() {
    let mut setup = running("MC7455");
    setup.control = ControlProtocol::Mbim;
    let mut world = SimulatedWorld::new(setup);
    let ports = |world: &mut SimulatedWorld| world.devices().unwrap().remove(0).ports.len();
    let all = ports(&mut world);
    world.forget_id(0x1199, 0x9071);
    assert_eq!(ports(&mut world), 1);
    world.teach_id(0x1199, 0x9071);
    assert_eq!(ports(&mut world), all);
}

#[test]
fn a_foreign_adapter_is_called_as_a_modem_s_port() {
    let mut world = SimulatedWorld::new(running("MC7455"));
    let place = world.plug_foreign();
    let device = world.devices().unwrap().remove(place);
    assert_eq!(device.device.id(), "0403:6001");
    assert_eq!(device.ports[0].driver.as_deref(), Some("ftdi_sio"));
    assert_eq!(device.ports[0].id.as_str(), "/dev/ttyUSB3");
}

#[test]
fn modem_manager_spoils_a_session_unless_it_was_asked_to_keep_away() {
    let run = |asks: bool| {
        let mut setup = Setup::running(Profile::named("EM7565").unwrap());
        setup.timings = Timings {
            answer: Duration::from_millis(2),
            leaving: Duration::from_millis(300),
            entering: Duration::from_secs(5),
            ..Timings::INSTANT
        };
        let mut world = SimulatedWorld::new(setup);
        world.set_modem_manager(ModemManager::default());
        let path = world.devices().unwrap()[0].device.path.clone();
        if asks {
            // It has to know the modem first.
            assert_eq!(world.inhibit(&path), Inhibition::Unknown);
            let _ = world.wait(&[], at(6_000));
            assert_eq!(world.inhibit(&path), Inhibition::Pending);
            let _ = world.wait(&[], at(6_050));
            assert_eq!(world.inhibit(&path), Inhibition::Granted);
        }
        let _ = world.wait(&[], at(7_000));
        let serial = ports(&mut world, PortKind::Serial)[2].id.clone();
        let port = match world.open(&serial) {
            Ok(port) => port,
            Err(error) => {
                let holder = Some(PortHolder::named("ModemManager"));
                assert_eq!(error.kind, PortErrorKind::Busy { holder });
                // The control port isn't exclusive.
                let control = ports(&mut world, PortKind::Wdm).remove(0);
                let port = world.open(&control.id).unwrap();
                // The first message after the opening is ignored.
                let _ = world.try_write(port, &ctl::Request::Sync.to_frame(9).encode());
                power_cycle(&mut world, port);
                let _ = world.wait(&[], world.now() + Duration::from_secs(20));
                return (world.probed().len(), world.modem(0).unwrap().violations().len());
            }
        };
        assert!(asks, "it has let go");
        let _ = world.try_write(port, b"AT!BOOTHOLD\r").unwrap();
        let _ = world.wait(&[], at(20_000));
        assert_eq!(world.modem(0).unwrap().mode(), Mode::Download);
        let before = world.probed().len();
        let port = ports(&mut world, PortKind::Serial).remove(0);
        let port = world.open(&port.id).unwrap();
        assert_eq!(
            world.wait(&[Interest::Readable(port)], at(21_000)),
            Wake::Readable(port)
        );
        assert_eq!(world.probed().len(), before);
        assert_eq!(world.inhibited(), std::slice::from_ref(&path));
        world.release(&path);
        assert_eq!(world.inhibited(), []);
        (0, world.modem(0).unwrap().violations().len())
    };
    assert_eq!(run(true), (0, 0));
    let (probed, _) = run(false);
    assert!(probed >= 3, "{probed} ports");
}

#[test]
fn modem_manager_writes_into_a_boot_loader_that_it_was_not_kept_away_from() {
    let mut world = SimulatedWorld::new(quick("EM7565"));
    world.set_modem_manager(ModemManager::default());
    let _ = world.wait(&[], at(3_000));
    let kinds: Vec<_> = world
        .modem(0)
        .unwrap()
        .violations()
        .iter()
        .map(|wrong| wrong.what.kind())
        .collect();
    assert!(!kinds.is_empty());
    assert_eq!(world.probed().len(), 1);
}

#[test]
fn a_refusal_of_modem_manager_has_its_reason() {
    let mut world = SimulatedWorld::new(running("MC7455"));
    world.set_modem_manager(ModemManager {
        knows_after: Duration::ZERO,
        answers_after: Duration::ZERO,
        grants: Grants::Never {
            why: "not authorised".to_owned(),
        },
        ..ModemManager::default()
    });
    let path = world.devices().unwrap()[0].device.path.clone();
    assert_eq!(world.inhibit(&path), Inhibition::Pending);
    assert!(matches!(
        world.inhibit(&path),
        Inhibition::Impossible { why, .. } if why == "not authorised"
    ));
}

/// What happened, by worker and time.
type Log = Vec<(usize, u128)>;

/// Each worker power cycles its modem and waits until it is back.
fn side_by_side(seed: u64, modems: usize) -> (Log, Instant) {
    let mut world: Option<SimulatedWorld> = None;
    for number in 0..modems {
        let mut setup = Setup::running(Profile::named("MC7455").unwrap());
        setup.timings.booting = Duration::from_secs(20 + number as u64);
        setup.timings.ready_after = Duration::ZERO;
        match &mut world {
            None => world = Some(SimulatedWorld::new(setup).choppy(seed)),
            Some(world) => {
                let _ = world.plug(setup);
            }
        }
    }
    let shared = Shared::new(world.unwrap(), modems);
    let log = Arc::new(Mutex::new(Vec::new()));
    let threads: Vec<_> = (0..modems)
        .map(|number| {
            let mut worker = shared.worker(number).unwrap();
            let log = Arc::clone(&log);
            thread::spawn(move || {
                let note = |worker: &dyn World| {
                    let now = worker.now().since_start().as_nanos();
                    log.lock().unwrap().push((number, now));
                };
                let path = UsbPath::new(format!("1-{}", number + 1));
                let mine = |worker: &mut dyn World| {
                    let devices = worker.devices().unwrap();
                    devices.into_iter().find(|device| device.device.path == path)
                };
                let device = mine(&mut worker).unwrap();
                let control = device.ports.iter().find(|port| port.kind == PortKind::Wdm);
                let port = worker.open(&control.unwrap().id).unwrap();
                note(&worker);
                power_cycle(&mut worker, port);
                note(&worker);
                while mine(&mut worker).is_none_or(|now| now.device.number == device.device.number) {
                    let deadline = worker.now() + Duration::from_secs(100);
                    assert_ne!(worker.wait(&[Interest::Bus], deadline), Wake::Deadline);
                }
                note(&worker);
            })
        })
        .collect();
    for thread in threads {
        thread.join().unwrap();
    }
    let world = shared.into_world().unwrap();
    let log = log.lock().unwrap().clone();
    (log, world.now())
}

#[test]
fn workers_share_one_clock_and_a_seed_gives_one_run() {
    let (log, end) = side_by_side(7, 4);
    assert_eq!(log.len(), 12);
    // Side by side: as long as the slowest.
    assert!(end < at(30_000), "{end:?}");
    for _ in 0..3 {
        assert_eq!(side_by_side(7, 4), (log.clone(), end));
    }
}

#[test]
fn a_worker_that_ends_or_fails_leaves_the_others_alone() {
    let mut world = SimulatedWorld::new(running("MC7455"));
    let _ = world.plug(running("MC7455"));
    let shared = Shared::new(world, 3);
    let mut first = shared.worker(0).unwrap();
    assert!(shared.worker(0).is_none());
    let failing = shared.worker(1).unwrap();
    let idle = shared.worker(2).unwrap();
    let failing = thread::spawn(move || {
        let _ = failing.now();
        panic!("on purpose");
    });
    let idle = thread::spawn(move || drop(idle));
    assert_eq!(first.wait(&[], at(5_000)), Wake::Deadline);
    assert!(failing.join().is_err());
    idle.join().unwrap();
    assert_eq!(first.wait(&[], at(50_000)), Wake::Deadline);
    assert_eq!(first.now(), at(50_000));
}

#[test]
fn every_worker_hears_of_a_cancellation_and_of_the_bus() {
    let mut world = SimulatedWorld::new(running("MC7455"));
    world.cancel_at(at(1_000));
    let shared = Shared::new(world, 2);
    let threads: Vec<_> = (0..2)
        .map(|number| {
            let mut worker = shared.worker(number).unwrap();
            thread::spawn(move || {
                assert_eq!(worker.wait(&[Interest::Bus], at(9_000)), Wake::Cancelled);
                assert_eq!(worker.now(), at(1_000));
                if number == 0 {
                    worker.host().re_enumerate(&UsbPath::new("1-1")).unwrap();
                }
                assert_eq!(worker.wait(&[Interest::Bus], at(9_000)), Wake::BusChanged);
            })
        })
        .collect();
    for thread in threads {
        thread.join().unwrap();
    }
}

#[test]
fn an_inhibition_ends_with_its_worker() {
    let mut world = SimulatedWorld::new(running("MC7455"));
    world.set_modem_manager(ModemManager {
        knows_after: Duration::ZERO,
        answers_after: Duration::ZERO,
        ..ModemManager::default()
    });
    let shared = Shared::new(world, 1);
    let mut worker = shared.worker(0).unwrap();
    let path = UsbPath::new("1-1");
    assert_eq!(worker.host().inhibit(&path), Inhibition::Pending);
    assert_eq!(worker.host().inhibit(&path), Inhibition::Granted);
    assert_eq!(shared.with(|world| world.inhibited()), [path]);
    drop(worker);
    assert_eq!(shared.with(|world| world.inhibited()), []);
}
