//! Recorder, replayer and damage over a small scripted world.

mod damage;
mod replay;
mod trace_text;

use std::time::Duration;

use modemflash_modem_world::trace::Trace;
use modemflash_modem_world::*;
use test_support::{Behind, OnePort};

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
        endpoints: Some(Endpoints {
            count: 2,
            bulk: (number > 0).then_some((1, 1)),
        }),
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
