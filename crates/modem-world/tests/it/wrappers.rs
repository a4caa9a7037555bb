//! Recorder, replayer and damage over a small scripted world.

use std::cell::RefCell;
use std::io;
use std::rc::Rc;
use std::time::Duration;

use modemflash_modem_world::trace::{Event, Trace, TraceError, Written};
use modemflash_modem_world::*;
use proptest::prelude::*;
use test_support::{Behind, OnePort, PORT};

const SERIAL: &str = "359072061234567";

fn milliseconds(count: u64) -> Duration {
    Duration::from_millis(count)
}

fn port_info() -> PortInfo {
    let device = UsbDevice {
        path: UsbPath::new("1-1.4"),
        peer: Some(UsbPath::new("2-1.4")),
        number: 12,
        vendor: 0x1199,
        product: 0x9070,
        interfaces: Some(1),
        speed: Some(480),
        manufacturer: Some("Sierra Wireless, Incorporated".into()),
        product_name: Some("Sierra Wireless EM7455 Qualcomm® Snapdragon™ X7 100%".into()),
        serial: Some(SERIAL.into()),
    };
    PortInfo {
        kind: PortKind::Serial,
        id: PortId::new("/dev/ttyUSB0"),
        device: Some(device),
        interface: Some(0),
        driver: Some("qcserial".into()),
    }
}

fn attached() -> Attached {
    let port = port_info();
    let control = PortInfo {
        kind: PortKind::Wdm,
        id: PortId::new("/dev/cdc-wdm0"),
        interface: Some(8),
        driver: Some("qmi_wwan".into()),
        ..port.clone()
    };
    let interface = |number, driver: Option<&str>| UsbInterface {
        number,
        class: 0xff,
        subclass: 0xff,
        protocol: 0x30,
        driver: driver.map(str::to_owned),
    };
    Attached {
        device: port.device.clone().unwrap(),
        interfaces: vec![
            interface(0, Some("qcserial")),
            interface(3, None),
            interface(8, Some("a/b c")),
        ],
        ports: vec![port, control],
    }
}

/// Answers each 100 bytes with one byte, 40 ms later, and takes at most 64 bytes at once, again 10 ms later.
#[derive(Default)]
struct Answering {
    clock: Instant,
    taken: Vec<u8>,
    coming: Vec<(Instant, u8)>,
    writable_at: Instant,
    gone_at: Option<Instant>,
}

type Fake = OnePort<Answering>;

fn gone_after(span: Duration) -> Fake {
    OnePort(Answering {
        gone_at: Some(Instant::START + span),
        ..Answering::default()
    })
}

impl Answering {
    fn is_gone(&self) -> bool {
        self.gone_at.is_some_and(|at| self.clock >= at)
    }
}

impl Behind for Answering {
    const ID: &'static str = "/dev/ttyUSB0";

    fn now(&self) -> Instant {
        self.clock
    }
    fn wait(&mut self, interests: &[Interest], deadline: Instant) -> Wake {
        let mut next = (deadline, Wake::Deadline);
        for interest in interests {
            let found = match interest {
                Interest::Readable(port) => self.coming.first().map(|&(at, _)| (at, Wake::Readable(*port))),
                Interest::Writable(port) => Some((self.writable_at, Wake::Writable(*port))),
                Interest::Bus => self.gone_at.map(|at| (at, Wake::BusChanged)),
            };
            if let Some(found) = found.filter(|found| found.0 < next.0) {
                next = found;
            }
        }
        self.clock = self.clock.max(next.0);
        next.1
    }
    fn try_read(&mut self, buffer: &mut [u8]) -> Result<usize, PortErrorKind> {
        if self.is_gone() {
            return Err(PortErrorKind::Gone);
        }
        match self.coming.first() {
            Some(&(at, byte)) if at <= self.clock && !buffer.is_empty() => {
                self.coming.remove(0);
                buffer[0] = byte;
                Ok(1)
            }
            _ => Ok(0),
        }
    }
    fn try_write(&mut self, bytes: &[u8]) -> Result<usize, PortErrorKind> {
        if self.is_gone() {
            return Err(PortErrorKind::Io {
                call: "write",
                errno: 5,
            });
        }
        if self.clock < self.writable_at {
            return Ok(0);
        }
        let count = bytes.len().min(64);
        for &byte in &bytes[..count] {
            self.taken.push(byte);
            if self.taken.len() % 100 == 0 {
                self.coming.push((self.clock + milliseconds(40), byte));
            }
        }
        self.writable_at = self.clock + milliseconds(10);
        Ok(count)
    }
    fn find(&self, name: &str) -> Result<PortInfo, DiscoveryError> {
        if name.contains(SERIAL) {
            Ok(port_info())
        } else {
            Err(DiscoveryError::NotFound { name: name.into() })
        }
    }
    fn devices(&self) -> Vec<Attached> {
        if self.is_gone() { vec![] } else { vec![attached()] }
    }
    fn claim(&mut self, spot: &Spot) -> Result<(), ClaimError> {
        match spot.to_string().as_str() {
            "1-2" => Err(ClaimError::Held(holder())),
            _ => Ok(()),
        }
    }
}

fn holder() -> LockHolder {
    LockHolder {
        process: Some(812),
        name: Some("modem flash".into()),
        verb: Some("update".into()),
        held_for: Some(Duration::from_secs(12)),
    }
}

/// A small engine: sends `data`, reading all the while, and waits for one answer for each 100 bytes.
fn run(world: &mut dyn World, data: &[u8]) -> Result<Vec<u8>, String> {
    let found = world.find(&format!("/dev/serial/by-id/usb-Sierra_{SERIAL}-if00"));
    let found = found.or_else(|_| world.find("/dev/serial/by-id/usb-Sierra_(1)-if00"));
    let id = found.map_err(|error| error.to_string())?.id;
    assert_eq!(world.devices().unwrap().len(), 1);
    let _ = world.host().keep_awake(&UsbPath::new("1-1.4"));
    let port = world.open(&id).map_err(|error| error.to_string())?;
    let (mut written, mut answers) = (0, vec![]);
    let mut buffer = [0; 16];
    for _ in 0..100_000 {
        if answers.len() == data.len() / 100 && written == data.len() {
            world.close(port);
            return Ok(answers);
        }
        let mut interests = vec![Interest::Readable(port), Interest::Bus];
        if written < data.len() {
            interests.push(Interest::Writable(port));
        }
        let deadline = world.now() + Duration::from_secs(5);
        match world.wait(&interests, deadline) {
            Wake::Readable(_) => {
                let count = world
                    .try_read(port, &mut buffer)
                    .map_err(|error| error.to_string())?;
                answers.extend(&buffer[..count]);
            }
            Wake::Writable(_) => {
                written += world
                    .try_write(port, &data[written..])
                    .map_err(|error| error.to_string())?;
            }
            Wake::BusChanged => {
                world.devices().unwrap();
                let count = world
                    .try_read(port, &mut buffer)
                    .map_err(|error| error.to_string())?;
                answers.extend(&buffer[..count]);
            }
            Wake::Deadline => return Err("silent".into()),
            Wake::Cancelled => return Err("cancelled".into()),
        }
    }
    panic!("no end");
}

fn data(length: usize) -> Vec<u8> {
    (0..length)
        .map(|place| u8::try_from(place % 251).unwrap())
        .collect()
}

fn record(world: impl World, data: &[u8]) -> (String, Result<Vec<u8>, String>) {
    let mut text = vec![];
    let mut recorder = Recorder::new(world, &mut text, |error| panic!("{error}"));
    recorder.comment("a test");
    let result = run(&mut recorder, data);
    recorder.finish();
    (String::from_utf8(text).unwrap(), result)
}

fn replay(text: &str, data: &[u8]) -> (Result<Vec<u8>, String>, Result<(), Difference>) {
    let mut replayer = Replayer::new(Trace::parse(text).unwrap());
    let result = run(&mut replayer, data);
    (result, replayer.finish())
}

#[test]
fn a_recorded_run_is_replayed_with_the_same_result_at_the_same_times() {
    let data = data(5000);
    let (text, result) = record(Fake::default(), &data);
    assert_eq!(result.as_ref().unwrap().len(), 50);
    assert_eq!(replay(&text, &data), (result, Ok(())));
    let trace = Trace::parse(&text).unwrap();
    assert!(trace.is_complete());
    assert_eq!(trace.comments, ["a test"]);
    let mut replayer = Replayer::new(trace.clone());
    run(&mut replayer, &data).unwrap();
    assert_eq!(replayer.now(), trace.entries[trace.entries.len() - 2].at);
}

#[test]
fn the_trace_is_as_documented_and_has_no_serial_number() {
    let (text, _) = record(gone_after(milliseconds(25)), &data(300));
    let device = "usb=1-1.4 peer=2-1.4 number=12 vendor=1199 product=9070 interfaces=1 speed=480 \
                  manufacturer=Sierra%20Wireless,%20Incorporated \
                  name=Sierra%20Wireless%20EM7455%20Qualcomm%C2%AE%20Snapdragon%E2%84%A2%20X7%20100%25 serial=(1)";
    let port = "port=/dev/ttyUSB0 interface=0 driver=qcserial";
    let start = format!(
        "modemflash-trace 1\n# a test\n0.000000 find /dev/serial/by-id/usb-Sierra_(1)-if00 = {port} {device}\n\
         0.000000 devices = {device} function=0/ff/ff/30/qcserial function=3/ff/ff/30 function=8/ff/ff/30/a/b%20c {port} \
         port=/dev/cdc-wdm0 kind=wdm interface=8 driver=qmi_wwan\n0.000000 keep-awake 1-1.4 =\n0.000000 open /dev/ttyUSB0 = 1\n0.000000 >> 1 00 01 02 "
    );
    assert!(text.starts_with(&start), "{text}");
    let end = "\n0.025000 bus\n0.025000 devices =\n0.025000 fail 1 gone\n0.025000 end\n";
    assert!(text.ends_with(end), "{text}");
    assert!(!text.contains(SERIAL), "a serial number may be an IMEI");
}

#[test]
fn a_lock_that_another_run_has_is_replayed_and_one_that_was_given_leaves_no_line() {
    let spot = |place| Spot::Socket {
        place: UsbPath::new(place),
        peer: None,
    };
    let mut text = vec![];
    let mut recorder = Recorder::new(Fake::default(), &mut text, |error| panic!("{error}"));
    recorder.devices().unwrap();
    assert_eq!(recorder.claim(&spot("1-1.4"), "at"), Ok(()));
    recorder.devices().unwrap();
    assert_eq!(
        recorder.claim(&spot("1-2"), "at"),
        Err(ClaimError::Held(holder()))
    );
    recorder.finish();
    let text = String::from_utf8(text).unwrap();
    assert!(
        text.ends_with(
            "\n0.000000 locked 1-2 pid=812 name=modem%20flash verb=update held=12\n0.000000 end\n"
        ),
        "{text}"
    );
    assert_eq!(text.lines().count(), 5, "{text}");

    let mut replayer = Replayer::new(Trace::parse(&text).unwrap());
    assert_eq!(replayer.claim(&spot("1-1.4"), "at"), Ok(()));
    assert_eq!(
        replayer.claim(&spot("1-2"), "at"),
        Err(ClaimError::Held(holder()))
    );
    assert_eq!(replayer.claim(&spot("1-2"), "at"), Ok(()));
}

#[test]
fn a_port_that_went_is_replayed() {
    let (text, result) = record(gone_after(milliseconds(25)), &data(300));
    assert_eq!(result, Err("/dev/ttyUSB0: has gone".into()));
    assert_eq!(replay(&text, &data(300)), (result, Ok(())));
}

const SILENCE: &str = "modemflash-trace 1\n\
    0.000000 find /dev/serial/by-id/usb-Sierra_(1)-if00 = port=/dev/ttyUSB0\n\
    0.000000 ports = port=/dev/ttyUSB0 usb=1-1.4\n0.000000 open /dev/ttyUSB0 = 1\n";

#[test]
fn silence_is_replayed_without_waiting() {
    let bytes = " AA".repeat(100);
    let text = format!("{SILENCE}0.100000 >> 1{bytes}\n5.100000 deadline\n5.100000 end\n");
    assert_eq!(replay(&text, &[0xaa; 100]), (Err("silent".into()), Ok(())));
}

#[test]
fn a_request_to_stop_is_replayed() {
    let text = format!("{SILENCE}0.100000 >> 1 AA\n0.200000 cancelled\n0.200000 end\n");
    assert_eq!(replay(&text, &[0xaa; 100]), (Err("cancelled".into()), Ok(())));
}

#[test]
fn the_first_other_byte_is_shown_with_both_sides_in_hex() {
    let mut data = data(500);
    let (text, _) = record(Fake::default(), &data);
    data[70] = 0xee;
    let (result, difference) = replay(&text, &data);
    assert_eq!(result, Err("/dev/ttyUSB0: has gone".into()));
    let difference = difference.unwrap_err();
    assert!(difference.now.starts_with("EE 47 48"), "{difference}");
    assert!(difference.recorded.starts_with("46 47 48"), "{difference}");
    assert!(
        difference.to_string().starts_with("line 7 at 0.0"),
        "{difference}"
    );
}

#[test]
fn a_long_write_is_recorded_short_and_still_checked() {
    let bytes = data(3000);
    let mut text = vec![];
    let mut fake = Fake::default();
    let mut recorder = Recorder::new(&mut fake, &mut text, |error| panic!("{error}"));
    let port = recorder.open(&PortId::new("/dev/ttyUSB0")).unwrap();
    let mut written = 0;
    while written < bytes.len() {
        recorder.wait(&[Interest::Writable(port)], Instant::FAR);
        written += recorder.try_write(port, &bytes[written..]).unwrap();
    }
    recorder.close(port);
    recorder.finish();
    let text = String::from_utf8(text).unwrap();
    assert!(text.len() < 400, "{text}");
    let trace = Trace::parse(&text).unwrap();
    let Event::Written {
        data:
            Written::Digest {
                length,
                crc32,
                first,
                last,
            },
        ..
    } = &trace.entries[1].event
    else {
        panic!("{text}");
    };
    assert_eq!((*length, *crc32), (3000, crc32fast::hash(&bytes)));
    assert_eq!(
        (first.as_slice(), last.as_slice()),
        (&bytes[..64], &bytes[2984..])
    );
    let cases = [
        (None, ""),
        (Some(10), "at byte 10"),
        (Some(63), "at byte 63"),
        (Some(64), "CRC-32"),
        (Some(1500), "CRC-32"),
        (Some(2990), "at byte 2990"),
    ];
    for (changed, expected) in cases {
        let mut bytes = bytes.clone();
        if let Some(place) = changed {
            let place: usize = place;
            bytes[place] ^= 1;
        }
        let mut replayer = Replayer::new(trace.clone());
        let port = replayer.open(&PortId::new("/dev/ttyUSB0")).unwrap();
        let mut written = 0;
        while written < bytes.len() {
            match replayer.try_write(port, &bytes[written..bytes.len().min(written + 700)]) {
                Ok(count) => written += count,
                Err(_) => break,
            }
        }
        assert_eq!(written == bytes.len(), changed.is_none());
        replayer.close(port);
        let message = replayer
            .finish()
            .err()
            .map(|difference| difference.to_string())
            .unwrap_or_default();
        assert_eq!(message.is_empty(), changed.is_none());
        assert!(message.contains(expected), "{message}");
    }
}

#[test]
fn what_the_engine_leaves_out_or_adds_is_a_difference() {
    let long = data(500);
    let (text, _) = record(Fake::default(), &long);
    let (_, less) = replay(&text, &long[..300]);
    let less = less.unwrap_err();
    assert_eq!(less.now, "the end of the run");
    assert!(less.recorded.starts_with(">> 1 "), "{less}");
    let (_, more) = replay(&text, &data(700));
    assert_eq!(more.unwrap_err().recorded, "close 1");
    let untouched = Replayer::new(Trace::parse(&text).unwrap()).finish().unwrap_err();
    assert_eq!(untouched.now, "the end of the run");
    assert!(untouched.recorded.starts_with("open /dev/ttyUSB0"));
}

#[test]
fn a_wait_without_end_is_a_difference() {
    let mut replayer = Replayer::new(Trace::parse(&format!("{SILENCE}1.000000 end\n")).unwrap());
    let port = replayer.open(&PortId::new("/dev/ttyUSB0")).unwrap();
    assert_eq!(
        replayer.wait(&[Interest::Readable(port)], Instant::FAR),
        Wake::Deadline
    );
    assert_eq!(replayer.difference().unwrap().now, "a wait without end");
    assert_eq!(
        replayer.wait(&[Interest::Readable(port)], Instant::FAR),
        Wake::Readable(port)
    );
    assert!(replayer.try_read(port, &mut [0]).is_err());
}

#[test]
fn a_trace_that_was_cut_off_is_replayed_up_to_there() {
    let data = data(2000);
    let (text, _) = record(Fake::default(), &data);
    let mut replayed = 0;
    for cut in (0..text.len() - 5).step_by(7) {
        let cut = &text[..cut];
        let Ok(trace) = Trace::parse(cut) else {
            assert!(cut.len() < 20, "{cut}");
            continue;
        };
        assert!(!trace.is_complete());
        if trace.entries.len() < 4 {
            continue;
        }
        let mut replayer = Replayer::new(trace);
        let result = run(&mut replayer, &data);
        assert_eq!(replayer.finish(), Ok(()));
        // Only the close may be missing when the engine got to its end.
        assert!(
            result.as_ref().map_or(true, |answers| answers.len() == 20),
            "{result:?}"
        );
        replayed += usize::from(result.is_err());
    }
    assert!(replayed > 100);
}

#[test]
fn a_full_disk_is_said_once_and_never_fails_the_run() {
    struct Full(usize);
    impl io::Write for Full {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            if self.0 < bytes.len() {
                return Err(io::Error::from(io::ErrorKind::StorageFull));
            }
            self.0 -= bytes.len();
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    for room in [0, 10, 100, 1000] {
        let complaints = Rc::new(RefCell::new(vec![]));
        let seen = Rc::clone(&complaints);
        let mut fake = Fake::default();
        let mut recorder = Recorder::new(&mut fake, Full(room), move |error| {
            seen.borrow_mut().push(error.kind())
        });
        assert_eq!(run(&mut recorder, &data(1000)).unwrap().len(), 10);
        recorder.finish();
        assert_eq!(*complaints.borrow(), [io::ErrorKind::StorageFull]);
    }
}

#[test]
fn every_event_is_read_as_it_was_written() {
    let device = UsbPath::new("1-1.4");
    let name = "a b".to_owned();
    let path = "/sys/x y".to_owned();
    let mut bare = port_info();
    (bare.device, bare.interface, bare.driver, bare.kind) = (None, None, None, PortKind::Proxy);
    let silent = Attached {
        interfaces: vec![],
        ports: vec![],
        ..attached()
    };
    let open = |result| Event::Open {
        port: PortId::new("/dev/ttyUSB0"),
        result,
        largest_write: None,
    };
    let control = Event::Open {
        port: PortId::new("/dev/cdc-wdm0"),
        result: Ok(PORT),
        largest_write: Some(4096),
    };
    let inhibit = |answer| Event::Inhibit {
        device: UsbPath::new("1-1.4"),
        answer,
    };
    let will_bind = |answer| Event::WillBind {
        vendor: 0x1199,
        product: 0x90b0,
        answer,
    };
    let digest = Written::Digest {
        length: 5_000_000_000,
        crc32: 0xab,
        first: vec![1, 2],
        last: vec![3],
    };
    let events = vec![
        Event::Find {
            name: String::new(),
            answer: Ok(port_info()),
        },
        Event::Find {
            name: name.clone(),
            answer: Err(DiscoveryError::NotFound { name: name.clone() }),
        },
        Event::Find {
            name: name.clone(),
            answer: Err(DiscoveryError::NotASerialPort { name }),
        },
        Event::Find {
            name: "p".into(),
            answer: Ok(bare),
        },
        Event::Devices(Ok(vec![attached(), silent])),
        Event::Devices(Ok(vec![])),
        Event::Devices(Err(DiscoveryError::Io {
            path: path.clone(),
            call: "readdir",
            errno: 13,
        })),
        open(Ok(PortHandle(7))),
        open(Err(PortErrorKind::Busy {
            holder: Some(PortHolder::parse("MM (pid 1)")),
        })),
        open(Err(PortErrorKind::Busy { holder: None })),
        open(Err(PortErrorKind::PermissionDenied)),
        open(Err(PortErrorKind::NotASerialPort)),
        open(Err(PortErrorKind::NotFound)),
        control,
        inhibit(Inhibition::NotNeeded),
        inhibit(Inhibition::Unknown),
        inhibit(Inhibition::Pending),
        inhibit(Inhibition::Granted),
        inhibit(Inhibition::Impossible {
            why: "no right".into(),
            help: String::new(),
        }),
        Event::Release(UsbPath::new("1-1.4")),
        Event::Locked {
            spot: "1-2".into(),
            holder: holder(),
        },
        Event::Locked {
            spot: "/dev/pts/7".into(),
            holder: LockHolder::default(),
        },
        will_bind(Binding::Binds),
        will_bind(Binding::WontBind),
        will_bind(Binding::Unknown {
            why: "no table here".into(),
        }),
        Event::StayAwake(Ok(())),
        Event::StayAwake(Err(HostError::NoService {
            service: "systemd-logind".into(),
        })),
        Event::StayAwake(Err(HostError::Refused {
            service: "systemd-logind".into(),
            why: "not now".into(),
        })),
        Event::Failed {
            port: PORT,
            kind: PortErrorKind::DataLost,
        },
        Event::Close(PortHandle(7)),
        Event::Written {
            port: PORT,
            data: Written::Whole(vec![0, 0x7e, 0xff]),
        },
        Event::Written {
            port: PORT,
            data: digest,
        },
        Event::Read {
            port: PORT,
            bytes: vec![9],
        },
        Event::Failed {
            port: PORT,
            kind: PortErrorKind::Gone,
        },
        Event::Failed {
            port: PORT,
            kind: PortErrorKind::Io {
                call: "write",
                errno: 5,
            },
        },
        Event::BusChanged,
        Event::Cancelled,
        Event::Deadline,
        Event::ReEnumerate {
            device: device.clone(),
            result: Ok(()),
        },
        Event::ReEnumerate {
            device: device.clone(),
            result: Err(HostError::Unsupported {
                device: device.clone(),
            }),
        },
        Event::KeepAwake {
            device,
            result: Err(HostError::Io { path, errno: 30 }),
        },
        Event::End,
    ];
    let mut text = format!("{}\n", trace::TITLE);
    for event in &events {
        text.push_str(&event.line(Instant::START + milliseconds(1500)));
        text.push('\n');
    }
    let trace = Trace::parse(&text).unwrap();
    let read: Vec<_> = trace.entries.iter().map(|entry| entry.event.clone()).collect();
    assert_eq!(read, events);
    assert!(
        trace
            .entries
            .iter()
            .all(|entry| entry.at == Instant::START + milliseconds(1500))
    );
    assert_eq!(trace.port_name(), Some(""));
}

#[test]
fn lines_that_are_no_trace_are_errors_with_their_number() {
    assert_eq!(Trace::parse(""), Err(TraceError::Title));
    assert_eq!(Trace::parse("modemflash-trace 2\n"), Err(TraceError::Title));
    let lines = [
        "x",
        "1.0 end",
        "1.000000",
        "1.000000 what",
        "1.000000 end now",
        "1.000000 >> 1",
        "1.000000 >> 1 +5",
        "1.000000 >> 1 123",
        "1.000000 >> -1 00",
        "1.000000 open x",
        "1.000000 open x ? 1",
        "1.000000 find %zz = port=x",
        "1.000000 find x = usb=1-1",
        "1.000000 find x =",
        "1.000000 ports = port=x vendor=1199",
        "1.000000 >>> 1 1 crc32=00 first=0102 last=",
        "1.000000 fail 1 tired",
        "1.000000 re-enumerate x ! y",
        "99999999999999999999.000000 end",
        "0.000001 end\n0.000000 end",
    ];
    for line in lines {
        let result = Trace::parse(&format!("{}\n# x\n{line}\n", trace::TITLE));
        let number = 2 + line.lines().count();
        let is_right = matches!(result, Err(TraceError::Line { line: found, .. }) if found == number);
        assert!(is_right, "{line}: {result:?}");
    }
    let torn = format!("{}\n1.000000 bus\n1.000000 >> 1 7", trace::TITLE);
    assert_eq!(Trace::parse(&torn).unwrap().entries.len(), 1);
}

#[test]
fn damage_is_the_same_for_the_same_seed() {
    let run = |seed| record(Damaged::new(Fake::default(), Damage::WILD, seed), &data(1000)).0;
    assert_eq!(run(1), run(1));
    assert_ne!(run(1), run(2));
}

#[test]
fn split_damage_cuts_writes_into_small_pieces() {
    let mut damaged = Damaged::new(Fake::default(), Damage::SPLIT, 3);
    let port = damaged.open(&PortId::new("/dev/ttyUSB0")).unwrap();
    assert!((1..60).contains(&damaged.try_write(port, &data(60)).unwrap()));
    assert_eq!(damaged.into_inner().0.taken[0], 0);
}

#[test]
fn no_damage_changes_nothing() {
    let none = Damage {
        short_reads: 0,
        short_writes: 0,
        ..Damage::SPLIT
    };
    let plain = record(Fake::default(), &data(1000));
    assert_eq!(record(Damaged::new(Fake::default(), none, 5), &data(1000)), plain);
}

proptest! {
    #[test]
    fn damage_loses_and_changes_no_byte(seed: u64, length in 0usize..2000) {
        let data = data(length);
        let mut damaged = Damaged::new(Fake::default(), Damage::WILD, seed);
        let answers = run(&mut damaged, &data).unwrap();
        prop_assert_eq!(answers, run(&mut Fake::default(), &data).unwrap());
        prop_assert_eq!(damaged.into_inner().0.taken, data);
    }

    #[test]
    fn a_recorded_run_with_damage_is_replayed(seed: u64, length in 1usize..2000) {
        let data = data(length);
        let (text, result) = record(Damaged::new(Fake::default(), Damage::WILD, seed), &data);
        prop_assert_eq!(replay(&text, &data), (result, Ok(())));
    }

    #[test]
    fn no_text_makes_the_reader_or_the_replayer_panic(
        text in "[ -~\n]{0,200}",
        line in "[0-9]{1,3}\\.[0-9]{6} (>> 1|>>> 1|<< 1|open /dev/ttyUSB0 =|fail 1) [0-9A-Z =]{0,40}\n",
    ) {
        let _ = Trace::parse(&text);
        let text = format!("{}\n0.000000 open /dev/ttyUSB0 = 1\n{line}", trace::TITLE);
        if let Ok(trace) = Trace::parse(&text) {
            let mut replayer = Replayer::new(trace);
            let port = replayer.open(&PortId::new("/dev/ttyUSB0")).unwrap();
            prop_assert_eq!(port, PORT);
            for _ in 0..10 {
                replayer.wait(&[Interest::Readable(PORT), Interest::Bus], Instant::FAR);
                let _ = replayer.try_read(PORT, &mut [0; 3]);
                let _ = replayer.try_write(PORT, &[1, 2, 3]);
            }
            let _ = replayer.finish();
        }
    }
}

#[test]
fn the_documented_example_is_a_trace() {
    let page = include_str!("../../../../docs/trace-format.md");
    let example: String = page
        .lines()
        .skip_while(|line| *line != "## Example")
        .filter_map(|line| line.strip_prefix("    "))
        .map(|line| format!("{line}\n"))
        .collect();
    let trace = Trace::parse(&example).unwrap();
    assert!(trace.is_complete());
    assert_eq!(trace.entries.len(), 12);
    assert_eq!(trace.port_name(), Some("/dev/ttyUSB0"));
    let again: String = trace
        .entries
        .iter()
        .map(|entry| entry.event.line(entry.at) + "\n")
        .collect();
    assert!(example.ends_with(&again), "{again}");
}

#[test]
fn a_number_that_is_torn_over_many_reads_and_one_that_never_ends_are_hidden() {
    let mut fake = Fake::default();
    for (place, byte) in b"+CGSN: 359072061234567\r\n359072061234567".iter().enumerate() {
        let at = Instant::START + milliseconds(u64::try_from(place).unwrap());
        fake.coming.push((at, *byte));
    }
    let mut text = Vec::new();
    let mut recorder = Recorder::new(&mut fake, &mut text, |error| panic!("{error}"));
    let port = recorder.open(&PortId::new("/dev/ttyUSB0")).unwrap();
    let mut heard = Vec::new();
    while heard.len() < 39 {
        recorder.wait(&[Interest::Readable(port)], Instant::FAR);
        let mut buffer = [0; 1];
        recorder.try_read(port, &mut buffer).unwrap();
        heard.push(buffer[0]);
    }
    recorder.finish();
    assert!(heard.starts_with(b"+CGSN: 359072061234567\r\n"));
    let trace = Trace::parse(std::str::from_utf8(&text).unwrap()).unwrap();
    let reads: Vec<(Instant, Vec<u8>)> = trace
        .entries
        .iter()
        .filter_map(|entry| match &entry.event {
            Event::Read { bytes, .. } => Some((entry.at, bytes.clone())),
            _ => None,
        })
        .collect();
    assert_eq!(reads.len(), 39);
    assert_eq!(reads[38].0, Instant::START + milliseconds(38));
    let all: Vec<u8> = reads.into_iter().flat_map(|(_, bytes)| bytes).collect();
    assert_eq!(all, b"+CGSN: 000000000000001\r\n000000000000001");
}
