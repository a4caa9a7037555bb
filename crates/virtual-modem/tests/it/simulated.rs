//! The simulated world: its clock, its bus, and its kernel.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::common::{hex, image_for, open_request, quick, write_request};
use modem_protocol::hdlc;
use modem_protocol::qdl::message::{HelloRequest, Request};
use modem_world::{
    DiscoveryError, HostError, Instant, Interest, PortErrorKind, PortHandle, PortHolder, UsbPath, Wake, World,
};
use modemflash_virtual_modem::quirk::HelloHabit;
use modemflash_virtual_modem::simulated::{Pace, SimulatedWorld};
use modemflash_virtual_modem::{Firmware, ImageState, Profile, Setup};

fn at(seconds: u64) -> Instant {
    Instant::START + Duration::from_secs(seconds)
}

fn open(world: &mut SimulatedWorld) -> PortHandle {
    let port = world.find(SimulatedWorld::LINK).unwrap();
    world.open(&port.id).unwrap()
}

/// Writes all of it, however short the writes are.
fn write(world: &mut SimulatedWorld, port: PortHandle, mut bytes: &[u8]) {
    while !bytes.is_empty() {
        let deadline = world.now() + Duration::from_secs(600);
        assert_eq!(
            world.wait(&[Interest::Writable(port)], deadline),
            Wake::Writable(port)
        );
        let count = world.try_write(port, bytes).unwrap();
        bytes = &bytes[count..];
    }
}

/// Reads a frame, however it is cut.
fn frame(world: &mut SimulatedWorld, port: PortHandle) -> Vec<u8> {
    let mut decoder = hdlc::Decoder::default();
    let mut buffer = [0; 256];
    loop {
        if let Some(frame) = decoder.next_frame() {
            return frame.unwrap();
        }
        let deadline = world.now() + Duration::from_secs(600);
        assert_eq!(
            world.wait(&[Interest::Readable(port)], deadline),
            Wake::Readable(port)
        );
        let count = world.try_read(port, &mut buffer).unwrap();
        decoder.push(&buffer[..count]);
    }
}

/// A complete QDL session; returns when it was over.
fn flash(world: &mut SimulatedWorld, file: &[u8]) -> Instant {
    let port = open(world);
    let mut ask = |bytes: &[u8]| {
        write(world, port, bytes);
        frame(world, port)
    };
    ask(&Request::Hello(HelloRequest::of_version(6)).frame());
    ask(&Request::Open(open_request(file)).frame());
    for (sequence, chunk) in file[400..].chunks(1024 * 1024).enumerate() {
        ask(&write_request(u16::try_from(sequence).unwrap(), chunk));
    }
    ask(&Request::Done.frame());
    write(world, port, &Request::Reset.frame());
    assert_eq!(
        world.wait(&[Interest::Bus], world.now() + Duration::from_secs(10)),
        Wake::BusChanged
    );
    world.now()
}

#[test]
fn the_clock_jumps_to_what_happens_next() {
    let mut setup = quick("EM7565");
    setup.quirks.hello = HelloHabit::Late(Duration::from_secs(17));
    let mut world = SimulatedWorld::new(setup);
    let port = open(&mut world);
    assert_eq!(world.wait(&[Interest::Readable(port)], at(5)), Wake::Deadline);
    assert_eq!(world.now(), at(5));
    assert_eq!(
        world.wait(&[Interest::Readable(port)], at(60)),
        Wake::Readable(port)
    );
    assert_eq!(world.now(), at(17));
    let mut hello = [0; 100];
    assert_eq!(world.try_read(port, &mut hello), Ok(48));
    assert_eq!(world.try_read(port, &mut hello), Ok(0));
}

#[test]
fn what_the_modem_says_to_a_closed_port_is_lost() {
    let mut setup = quick("EM7565");
    setup.quirks.hello = HelloHabit::AfterEnumeration(Duration::from_secs(1));
    let mut world = SimulatedWorld::new(setup.clone());
    assert_eq!(world.wait(&[], at(2)), Wake::Deadline);
    let port = open(&mut world);
    assert_eq!(world.wait(&[Interest::Readable(port)], at(100)), Wake::Deadline);
    let mut world = SimulatedWorld::new(setup);
    let port = open(&mut world);
    assert_eq!(
        world.wait(&[Interest::Readable(port)], at(100)),
        Wake::Readable(port)
    );
}

#[test]
fn a_whole_flash_of_real_length_takes_no_time() {
    let setup = Setup::of(Profile::named("MC7455").unwrap());
    let mut world = SimulatedWorld::new(setup);
    let file = image_for("MC7455", &vec![3; 5 * 1024 * 1024 + 17]);
    let end = flash(&mut world, &file);
    assert!(end > at(4), "programming 5 MiB takes {end:?}");
    assert_eq!(
        world.wait(&[Interest::Bus], end + Duration::from_secs(300)),
        Wake::BusChanged
    );
    assert!(
        world.now().since(end) >= Duration::from_secs(70),
        "a 9x30 takes 70 s to boot"
    );
    let modem = world.modem(0).unwrap();
    assert_eq!(modem.images()[0].length, file.len() as u64);
    assert_eq!(modem.images()[0].crc, crc32fast::hash(&file));
    assert_eq!(modem.images()[0].state, ImageState::Accepted);
    assert_eq!(modem.violations(), []);
}

#[test]
fn a_flash_succeeds_whatever_the_pieces_and_a_seed_repeats_it() {
    let file = image_for("MC7354", &vec![0x7e; 30_000]);
    let mut ends = Vec::new();
    for seed in 0..200 {
        let run = || {
            let mut world = SimulatedWorld::new(Setup::of(Profile::named("MC7354").unwrap())).choppy(seed);
            let end = flash(&mut world, &file);
            let modem = world.modem(0).unwrap();
            assert_eq!(modem.images()[0].bytes.as_deref(), Some(&file[..]), "seed {seed}");
            assert_eq!(modem.violations(), [], "seed {seed}");
            end
        };
        let end = run();
        assert_eq!(end, run(), "seed {seed}");
        ends.push(end);
    }
    ends.dedup();
    assert!(ends.len() > 100, "the pieces differ from seed to seed");
}

#[test]
fn a_modem_that_left_has_new_ports_and_the_old_handle_says_that_it_is_gone() {
    let mut setup = quick("MC7455");
    setup.firmware = Firmware::Sound;
    let mut world = SimulatedWorld::new(setup);
    let before = world.find(SimulatedWorld::LINK).unwrap();
    let port = open(&mut world);
    write(&mut world, port, &Request::Reset.frame());
    assert_eq!(
        world.wait(&[Interest::Bus, Interest::Readable(port)], at(1)),
        Wake::BusChanged
    );
    assert_eq!(world.devices(), Ok(vec![]));
    assert!(world.find(before.id.as_str()).is_err());
    assert_eq!(
        world.wait(&[Interest::Readable(port)], at(1)),
        Wake::Readable(port)
    );
    assert_eq!(
        world.try_read(port, &mut [0; 8]).unwrap_err().kind,
        PortErrorKind::Gone
    );
    assert_eq!(world.try_write(port, b"x").unwrap_err().kind, PortErrorKind::Gone);
    world.close(port);
    assert_eq!(world.wait(&[Interest::Bus], at(1)), Wake::BusChanged);
    assert_eq!(world.wait(&[Interest::Bus], at(1)), Wake::Deadline);
    let ports: Vec<_> = world
        .devices()
        .unwrap()
        .into_iter()
        .flat_map(|it| it.ports)
        .collect();
    assert_eq!(ports.len(), 5);
    let (old, new) = (before.device.unwrap(), ports[0].device.clone().unwrap());
    assert_eq!((&old.path, old.interfaces), (&new.path, Some(1)));
    assert_ne!(old.number, new.number);
    assert_eq!((new.id(), new.interfaces), ("1199:9071".to_owned(), Some(5)));
}

#[test]
fn a_usb_3_model_comes_back_on_the_other_bus_of_its_socket() {
    let mut setup = quick("EM7455");
    setup.firmware = Firmware::Sound;
    let mut world = SimulatedWorld::new(setup);
    let loader = world.port(0).unwrap().device.clone().unwrap();
    assert_eq!(
        (loader.path, loader.peer),
        (UsbPath::new("1-1"), Some(UsbPath::new("2-1")))
    );
    let port = open(&mut world);
    write(&mut world, port, &Request::Reset.frame());
    while world
        .port(0)
        .is_none_or(|port| port.device.as_ref().unwrap().interfaces == Some(1))
    {
        assert_eq!(world.wait(&[Interest::Bus], at(1)), Wake::BusChanged);
    }
    let normal = world.port(0).unwrap().device.clone().unwrap();
    assert_eq!((normal.path, normal.speed), (UsbPath::new("2-1"), Some(5000)));
}

#[test]
fn writes_are_short_and_stand_still_while_the_modem_is_busy() {
    let mut setup = Setup::of(Profile::named("MC7455").unwrap());
    setup.timings.taking_bytes_per_second = 10_000;
    setup.timings.buffer_bytes = 8192;
    let mut world = SimulatedWorld::new(setup);
    let port = open(&mut world);
    let file = image_for("MC7455", &[1; 100_000]);
    write(
        &mut world,
        port,
        &Request::Hello(HelloRequest::of_version(6)).frame(),
    );
    frame(&mut world, port);
    write(&mut world, port, &Request::Open(open_request(&file)).frame());
    frame(&mut world, port);
    let request = write_request(0, &file[400..]);
    let mut written = 0;
    loop {
        let count = world.try_write(port, &request[written..]).unwrap();
        assert!(count <= 4096);
        if count == 0 {
            break;
        }
        written += count;
    }
    assert!((8192..=20_000).contains(&written), "{written}");
    let before = world.now();
    assert_eq!(
        world.wait(&[Interest::Writable(port)], before + Duration::from_secs(5)),
        Wake::Writable(port)
    );
    assert!(world.now() > before);
    write(&mut world, port, &request[written..]);
    frame(&mut world, port);
    assert!(world.now() >= at(9), "100 kB at 10 kB/s");
}

#[test]
fn a_port_is_exclusive_and_names_its_holder() {
    let mut world = SimulatedWorld::new(quick("MC7455"));
    world.hold(0, "ModemManager (pid 812)", at(3));
    let port = world.port(0).unwrap().id.clone();
    let holder = Some(PortHolder::parse("ModemManager (pid 812)"));
    assert_eq!(
        world.open(&port).unwrap_err().kind,
        PortErrorKind::Busy { holder }
    );
    world.wait(&[], at(3));
    let handle = world.open(&port).unwrap();
    assert_eq!(
        world.open(&port).unwrap_err().kind,
        PortErrorKind::Busy { holder: None }
    );
    world.close(handle);
    assert!(world.open(&port).is_ok());
}

#[test]
fn a_scripted_cancellation_comes_once_and_at_its_moment() {
    let mut world = SimulatedWorld::new(quick("MC7455"));
    world.cancel_at(at(7));
    world.cancel_at(at(9));
    assert_eq!(world.wait(&[Interest::Bus], at(60)), Wake::Cancelled);
    assert_eq!(world.now(), at(7));
    assert_eq!(world.wait(&[], at(8)), Wake::Deadline);
    assert_eq!(world.wait(&[], at(60)), Wake::Cancelled);
    assert_eq!(world.wait(&[], at(60)), Wake::Deadline);
}

#[test]
fn the_pacer_is_told_every_jump_and_may_cancel() {
    let mut world = SimulatedWorld::new(quick("MC7455"));
    let paced = Arc::new(Mutex::new(Duration::ZERO));
    let sum = Arc::clone(&paced);
    world.set_pacer(Box::new(move |span| {
        let mut sum = sum.lock().unwrap();
        *sum += span;
        if *sum >= Duration::from_secs(20) {
            Pace::Cancel
        } else {
            Pace::GoOn
        }
    }));
    assert_eq!(world.wait(&[], at(4)), Wake::Deadline);
    assert_eq!(world.wait(&[], at(10)), Wake::Deadline);
    assert_eq!(*paced.lock().unwrap(), Duration::from_secs(10));
    assert_eq!(world.wait(&[], at(25)), Wake::Cancelled);
}

#[test]
fn a_device_enumerates_again_on_request_where_the_host_can_do_it() {
    let mut world = SimulatedWorld::new(quick("EM7565"));
    let path = UsbPath::new("1-1");
    let before = world.port(0).unwrap().clone();
    world.set_can_re_enumerate(false);
    assert_eq!(
        world.host().re_enumerate(&path),
        Err(HostError::Unsupported { device: path.clone() })
    );
    world.set_can_re_enumerate(true);
    let handle = world.open(&before.id).unwrap();
    assert_eq!(world.host().re_enumerate(&path), Ok(()));
    // The port that was open has gone, and is there again; the device has kept its number.
    assert_eq!(world.wait(&[Interest::Bus], at(5)), Wake::BusChanged);
    let gone = world.try_read(handle, &mut [0; 8]).unwrap_err();
    assert_eq!(gone.kind, PortErrorKind::Gone);
    world.close(handle);
    let after = world.port(0).unwrap();
    assert_eq!(after.device, before.device);
    world.open(&after.id.clone()).unwrap();
    assert!(world.host().re_enumerate(&UsbPath::new("9-9")).is_err());
    world.host().keep_awake(&path).unwrap();
    assert_eq!(world.kept_awake(), [path]);
}

#[test]
fn a_device_that_leaves_when_it_is_configured_anew_comes_back_with_another_number() {
    let mut setup = quick("EM7565");
    setup.quirks.leaves_when_configured = true;
    let mut world = SimulatedWorld::new(setup);
    let before = world.port(0).unwrap().clone();
    world.host().re_enumerate(&UsbPath::new("1-1")).unwrap();
    while world.port(0).is_some() {
        assert_eq!(world.wait(&[Interest::Bus], at(5)), Wake::BusChanged);
    }
    while world.port(0).is_none() {
        assert_eq!(world.wait(&[Interest::Bus], at(5)), Wake::BusChanged);
    }
    assert_ne!(world.port(0).unwrap().device, before.device);
}

#[test]
fn a_hidden_device_leaves_a_bare_port() {
    let mut world = SimulatedWorld::new(quick("MC7455"));
    world.hide_device(0);
    assert_eq!(world.devices(), Ok(vec![]));
    let port = world.find(SimulatedWorld::LINK).unwrap();
    assert_eq!((port.device, port.driver), (None, None));
    assert!(world.open(&port.id).is_ok());
    let missing = DiscoveryError::NotFound {
        name: "/dev/ttyS9".to_owned(),
    };
    assert_eq!(world.find("/dev/ttyS9"), Err(missing));
}

#[test]
fn several_modems_share_the_bus_without_knowing_of_each_other() {
    let mut world = SimulatedWorld::new(quick("MC7455"));
    assert_eq!(world.plug(quick("EM7565")), 1);
    let ports: Vec<_> = world
        .devices()
        .unwrap()
        .into_iter()
        .flat_map(|it| it.ports)
        .collect();
    assert_eq!(ports.len(), 2);
    let handles: Vec<_> = ports.iter().map(|port| world.open(&port.id).unwrap()).collect();
    write(&mut world, handles[0], &hex("7E 70 00 00 14 46 7E"));
    assert_eq!(frame(&mut world, handles[0])[0], 0x0d);
    assert_eq!(
        world.wait(&[Interest::Readable(handles[1])], at(5)),
        Wake::Readable(handles[1])
    );
    assert_eq!(world.modem(1).unwrap().violations(), []);
}

#[test]
fn a_modem_that_nobody_reads_is_throttled_and_goes_on_when_it_is_read() {
    let mut setup = quick("EM7565");
    setup.quirks.endless_log = Some(Duration::from_millis(1));
    let mut world = SimulatedWorld::new(setup);
    let port = open(&mut world);
    let mut buffer = [0; 65_536];
    for packet in [
        "02 00 00 00 30 00 00 00 02 00 00 00 02 00 00 00 00 00 00 00 03 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 \
         00 00 00 00 00 00 00 00 00 00 00 00",
        "0D 00 00 00 0C 00 00 00 00 FF 00 00",
        "0F 00 00 00 0C 00 00 00 00 FF 00 00",
    ] {
        world.wait(&[Interest::Readable(port)], at(60));
        world.try_read(port, &mut buffer).unwrap();
        write(&mut world, port, &hex(packet));
    }
    world.wait(&[], at(3600));
    let count = world.try_read(port, &mut buffer).unwrap();
    assert!(count >= 60_000, "{count}");
    world.wait(&[Interest::Readable(port)], at(3601));
    assert!(world.try_read(port, &mut buffer).unwrap() > 0);
}
