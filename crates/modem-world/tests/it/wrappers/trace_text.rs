//! The text of a trace: every event is written and read as documented, and no text makes the reader panic.

use std::time::Duration;

use super::{SERIAL, attached, data, gone_after, holder, milliseconds, port_info, record};
use modemflash_modem_world::trace::{Event, Trace, TraceError, Written};
use modemflash_modem_world::*;
use proptest::prelude::*;
use test_support::PORT;

#[test]
fn the_trace_is_as_documented_and_has_no_serial_number() {
    let (text, _) = record(gone_after(milliseconds(25)), &data(300));
    let device = "usb=1-1.4 peer=2-1.4 number=12 vendor=1199 product=9070 interfaces=1 speed=480 \
                  manufacturer=Sierra%20Wireless,%20Incorporated \
                  name=Sierra%20Wireless%20EM7455%20Qualcomm%C2%AE%20Snapdragon%E2%84%A2%20X7%20100%25 serial=(1)";
    let port = "port=/dev/ttyUSB0 interface=0 driver=qcserial";
    let start = format!(
        "modemflash-trace 1\n# a test\n0.000000 find /dev/serial/by-id/usb-Sierra_(1)-if00 = {port} {device}\n\
         0.000000 devices = {device} function=0/ff/ff/30/qcserial endpoints=2 \
         function=3/ff/ff/30 endpoints=2/1/1 function=8/ff/ff/30/a/b%20c endpoints=2/1/1 {port} \
         port=/dev/cdc-wdm0 kind=wdm interface=8 driver=qmi_wwan\n0.000000 keep-awake 1-1.4 =\n0.000000 open /dev/ttyUSB0 = 1\n0.000000 >> 1 00 01 02 "
    );
    assert!(text.starts_with(&start), "{text}");
    let end = "\n0.025000 bus\n0.025000 devices =\n0.025000 fail 1 gone\n0.025000 end\n";
    assert!(text.ends_with(end), "{text}");
    assert!(!text.contains(SERIAL), "a serial number may be an IMEI");
}

fn pci_modem(place: &str) -> PciModem {
    let port = |id: &str, language: Option<&str>| WwanPort {
        id: PortId::new(id),
        language: language.map(str::to_owned),
    };
    PciModem {
        place: place.to_owned(),
        vendor: 0x17cb,
        device: 0x0306,
        subsystem_vendor: 0x18d7,
        subsystem_device: 0x0200,
        driver: Some("mhi-pci-generic".to_owned()),
        ports: vec![port("/dev/wwan0at0", None), port("/dev/wwan0mbim0", Some("MBIM"))],
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
    let on_bus = |answer| Event::OnBus {
        device: UsbPath::new("1-1.4"),
        answer,
    };
    let bare_pci_modem = PciModem {
        driver: None,
        ports: vec![],
        ..pci_modem("0000:02:00.0")
    };
    let digest = Written::Digest {
        length: 5_000_000_000,
        crc32: 0xab,
        first: vec![1, 2],
        last: vec![3],
    };
    let events = vec![
        on_bus(Some(Duration::from_millis(86_400_123))),
        on_bus(None),
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
        Event::PciModems(Ok(vec![])),
        Event::PciModems(Ok(vec![pci_modem("0000:01:00.0"), bare_pci_modem])),
        Event::PciModems(Err(DiscoveryError::Io {
            path: path.clone(),
            call: "readdir",
            errno: 13,
        })),
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
fn the_documented_example_is_a_trace() {
    let page = include_str!("../../../../../docs/trace-format.md");
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

proptest! {
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
