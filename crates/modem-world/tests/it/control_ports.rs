//! Recorder, replayer and damage over a control port, and what of a modem's numbers is in a trace.

use std::time::Duration;

use modemflash_modem_world::trace::{Event, Trace, Written};
use modemflash_modem_world::*;
use test_support::{Behind, OnePort, PORT};

fn milliseconds(count: u64) -> Duration {
    Duration::from_millis(count)
}

/// Has things to say, each at its time, and answers each message after 10 ms.
#[derive(Default)]
struct Talking {
    clock: Instant,
    coming: Vec<(Instant, Result<Vec<u8>, PortErrorKind>)>,
    answers: Vec<Vec<u8>>,
    taken: Vec<Vec<u8>>,
}

type Control = OnePort<Talking>;

impl Behind for Talking {
    const ID: &'static str = "/dev/cdc-wdm0";

    fn now(&self) -> Instant {
        self.clock
    }
    fn wait(&mut self, interests: &[Interest], deadline: Instant) -> Wake {
        let next = self.coming.first().map(|(at, _)| *at);
        let is_heard = interests.contains(&Interest::Readable(PORT));
        match next.filter(|at| *at <= deadline && is_heard) {
            Some(at) => {
                self.clock = self.clock.max(at);
                Wake::Readable(PORT)
            }
            None => {
                self.clock = self.clock.max(deadline);
                Wake::Deadline
            }
        }
    }
    fn try_read(&mut self, buffer: &mut [u8]) -> Result<usize, PortErrorKind> {
        match self.coming.first_mut() {
            Some((at, Ok(bytes))) if *at <= self.clock => {
                let count = bytes.len().min(buffer.len());
                buffer[..count].copy_from_slice(&bytes[..count]);
                bytes.drain(..count);
                if bytes.is_empty() {
                    drop(self.coming.remove(0));
                }
                Ok(count)
            }
            Some((at, Err(kind))) if *at <= self.clock => {
                let kind = kind.clone();
                drop(self.coming.remove(0));
                Err(kind)
            }
            _ => Ok(0),
        }
    }
    fn try_write(&mut self, bytes: &[u8]) -> Result<usize, PortErrorKind> {
        self.taken.push(bytes.to_vec());
        if !self.answers.is_empty() {
            let answer = self.answers.remove(0);
            self.coming.push((self.clock + milliseconds(10), Ok(answer)));
        }
        Ok(bytes.len())
    }
    fn largest_write(&self) -> usize {
        4096
    }
    fn find(&self, _: &str) -> Result<PortInfo, DiscoveryError> {
        Ok(PortInfo {
            id: PortId::new("/dev/cdc-wdm0"),
            kind: PortKind::Wdm,
            device: None,
            interface: Some(8),
            driver: Some("qmi_wwan".into()),
        })
    }
    fn inhibit(&mut self) -> Inhibition {
        if self.clock < Instant::START + milliseconds(50) {
            Inhibition::Pending
        } else {
            Inhibition::Granted
        }
    }
    fn stay_awake(&mut self) -> Result<(), HostError> {
        Err(HostError::NoService {
            service: "systemd-logind".into(),
        })
    }
}

const IMEI: &str = "359072061234567";

/// A small engine: waits for ModemManager, asks for the IMEI in small reads, says it back, and tells what it heard.
fn ask(world: &mut dyn World) -> Result<String, String> {
    let modem = UsbPath::new("1-1.4");
    while world.host().inhibit(&modem) != Inhibition::Granted {
        let deadline = world.now() + milliseconds(20);
        assert_eq!(world.wait(&[Interest::Bus], deadline), Wake::Deadline);
    }
    assert_eq!(world.host().will_bind(0x1199, 0x90b0), Binding::WontBind);
    let asleep = world.host().stay_awake("a test");
    assert!(asleep.is_err());
    let id = world.find("/dev/cdc-wdm0").map_err(|error| error.to_string())?.id;
    let port = world.open(&id).map_err(|error| error.to_string())?;
    assert_eq!(world.largest_write(port), 4096);
    let mut heard = String::new();
    let mut lost = 0;
    for question in ["who?", "again", "long"] {
        let mut message = format!("{question} {heard}").into_bytes();
        if question == "long" {
            message.resize(2000, b'x');
        }
        let count = world
            .try_write(port, &message)
            .map_err(|error| error.to_string())?;
        assert_eq!(count, message.len());
        heard.clear();
        while !heard.ends_with('.') {
            let deadline = world.now() + milliseconds(500);
            assert_ne!(world.wait(&[Interest::Readable(port)], deadline), Wake::Deadline);
            let mut buffer = [0; 7];
            match world.try_read(port, &mut buffer) {
                Ok(count) => heard.push_str(std::str::from_utf8(&buffer[..count]).unwrap()),
                Err(error) if error.kind == PortErrorKind::DataLost => lost += 1,
                Err(error) => return Err(error.to_string()),
            }
        }
    }
    world.close(port);
    world.host().release(&modem);
    Ok(format!("{heard} {lost} lost"))
}

#[test]
fn control_ports_inhibition_and_the_numbers_of_a_modem_are_recorded_and_replayed() {
    let mut control = OnePort(Talking {
        coming: vec![(Instant::START + milliseconds(60), Err(PortErrorKind::DataLost))],
        answers: vec![
            format!("IMEI {IMEI} and 89490200001234567890.").into_bytes(),
            format!("{IMEI}.").into_bytes(),
            format!("still {IMEI}.").into_bytes(),
        ],
        ..Talking::default()
    });
    let mut text = Vec::new();
    let mut recorder = Recorder::new(&mut control, &mut text, |error| panic!("{error}"));
    recorder.comment("request {\"imei\":\"359072061234567\"}\nimage {\"header\":\"00000000000000000000\"}");
    assert_eq!(ask(&mut recorder).unwrap(), format!("still {IMEI}. 1 lost"));
    recorder.finish();
    assert!(
        control.taken[1].ends_with(b"359072061234567 and 89490200001234567890."),
        "the world isn't lied to"
    );

    let text = String::from_utf8(text).unwrap();
    let trace = Trace::parse(&text).unwrap();
    assert_eq!(
        trace.comments,
        [
            "request {\"imei\":\"000000000000001\"}",
            "image {\"header\":\"00000000000000000000\"}"
        ]
    );
    let mut spoken = [vec![], vec![]];
    for entry in &trace.entries {
        match &entry.event {
            Event::Read { bytes, .. } => spoken[0].extend_from_slice(bytes),
            Event::Written {
                data: Written::Whole(bytes),
                ..
            } => spoken[1].extend_from_slice(bytes),
            Event::Written { .. } => panic!("messages to control ports are whole: {text}"),
            _ => {}
        }
    }
    for bytes in &spoken {
        let said = String::from_utf8_lossy(bytes);
        assert!(!said.contains(IMEI) && !said.contains("8949020000"), "{said}");
        assert!(
            said.contains("000000000000001 and 00000000000000000002."),
            "{said}"
        );
    }

    let mut replayer = Replayer::new(trace);
    let result = ask(&mut replayer);
    assert_eq!(replayer.difference(), None);
    assert_eq!(result.unwrap(), "still 000000000000001. 1 lost");
    replayer.finish().unwrap();
}

#[test]
fn a_trace_from_before_drivers_were_asked_is_replayed_as_it_went_on() {
    let text = "modemflash-trace 1\n0.000000 stay-awake =\n0.000000 end\n";
    let mut replayer = Replayer::new(Trace::parse(text).unwrap());
    assert_eq!(replayer.host().will_bind(0x1199, 0x90b0), Binding::Binds);
    replayer.finish().unwrap();
}

#[test]
fn the_modems_on_pcie_are_replayed_and_a_trace_from_before_they_were_asked_for_has_none() {
    let line =
        "pci-modems = pci=0000:01:00.0 id=17cb:0306 subsystem=18d7:0200 port=/dev/wwan0mbim0 language=MBIM";
    for (line, count) in [(line, 1), ("stay-awake =", 0)] {
        let text = format!("modemflash-trace 1\n0.000000 {line}\n0.000000 end\n");
        let mut replayer = Replayer::new(Trace::parse(&text).unwrap());
        let found = replayer.host().pci_modems().unwrap();
        assert_eq!(found.len(), count, "{found:?}");
        assert!(
            found
                .iter()
                .all(|modem| modem.ports[0].language.as_deref() == Some("MBIM"))
        );
        replayer.finish().unwrap();
    }
}

#[test]
fn a_message_to_a_control_port_is_replayed_whole_or_not_at_all() {
    let text = "modemflash-trace 1\n0.000000 open /dev/cdc-wdm0 = 1 largest=4096\n0.000000 >> 1 01 02 03\n0.000000 end\n";
    for message in [&[1, 2][..], &[1, 2, 3, 4]] {
        let mut replayer = Replayer::new(Trace::parse(text).unwrap());
        let port = replayer.open(&PortId::new("/dev/cdc-wdm0")).unwrap();
        assert_eq!(replayer.largest_write(port), 4096);
        assert!(replayer.try_write(port, message).is_err());
        assert!(replayer.finish().is_err());
    }
    let mut replayer = Replayer::new(Trace::parse(text).unwrap());
    let port = replayer.open(&PortId::new("/dev/cdc-wdm0")).unwrap();
    assert_eq!(replayer.try_write(port, &[1, 2, 3]).unwrap(), 3);
    replayer.finish().unwrap();
}

#[test]
fn messages_to_a_control_port_are_not_cut_by_damage() {
    let mut world = Damaged::new(Control::default(), Damage::WILD, 3);
    let port = world.open(&PortId::new("/dev/cdc-wdm0")).unwrap();
    let mut taken = 0;
    while taken < 50 {
        match world.try_write(port, &[7; 100]).unwrap() {
            0 => {}
            count => {
                assert_eq!(count, 100);
                taken += 1;
            }
        }
    }
    assert!(
        world
            .into_inner()
            .0
            .taken
            .iter()
            .all(|message| message.len() == 100)
    );
}
