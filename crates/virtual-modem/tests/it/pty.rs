//! The modem on a pseudo-terminal, seen by a host that opens it as it would open a serial port.
#![cfg(feature = "pty")]

use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::common::{hex, image_for, open_request, quick, write_request};
use modem_protocol::hdlc;
use modem_protocol::qdl::message::{HelloRequest, Request};
use modem_protocol::sahara::message::{HelloResponse, Packet};
use modemflash_virtual_modem::pty::PtyModem;
use modemflash_virtual_modem::quirk::HelloHabit;
use modemflash_virtual_modem::{Firmware, Profile, Setup, VirtualModem};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

/// How long anything may take on a loaded machine before the test gives up.
const PATIENCE: Timespec = Timespec {
    tv_sec: 30,
    tv_nsec: 0,
};

fn open(path: &Path) -> File {
    let no_controlling_terminal = i32::try_from(rustix::fs::OFlags::NOCTTY.bits()).unwrap();
    OpenOptions::new()
        .read(true)
        .write(true)
        .custom_flags(no_controlling_terminal)
        .open(path)
        .unwrap()
}

/// The next bytes; none when the terminal is hung up.
fn read(port: &mut File) -> Vec<u8> {
    let mut polled = [PollFd::new(&*port, PollFlags::IN)];
    assert_ne!(poll(&mut polled, Some(&PATIENCE)), Ok(0), "nothing comes");
    let mut buffer = [0; 4096];
    let count = port.read(&mut buffer).unwrap_or(0);
    buffer[..count].to_vec()
}

fn read_exactly(port: &mut File, count: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    while bytes.len() < count {
        let more = read(port);
        assert!(!more.is_empty(), "hung up");
        bytes.extend(more);
    }
    bytes
}

fn ask(port: &mut File, bytes: &[u8]) -> Vec<u8> {
    port.write_all(bytes).unwrap();
    let mut decoder = hdlc::Decoder::default();
    loop {
        decoder.push(&read(port));
        if let Some(frame) = decoder.next_frame() {
            return frame.unwrap();
        }
    }
}

fn serve(setup: Setup) -> PtyModem {
    PtyModem::start(VirtualModem::new(setup), None).unwrap()
}

/// Waits until the path is another one.
fn path_other_than(served: &PtyModem, old: Option<&PathBuf>) -> Option<PathBuf> {
    let look = Timespec::try_from(Duration::from_millis(2)).unwrap();
    for _ in 0..15_000 {
        let path = served.path();
        if path.as_ref() != old {
            return path;
        }
        poll(&mut [], Some(&look)).unwrap();
    }
    panic!("the path stays {old:?}");
}

#[test]
fn a_whole_image_is_flashed_through_a_pseudo_terminal() {
    let mut setup = quick("MC7455");
    setup.timings.booting = Duration::from_secs(3600);
    let served = serve(setup);
    let path = served.path().unwrap();
    let mut port = open(&path);
    let body: Vec<u8> = (0..3_000_000_u32).map(|place| place.to_le_bytes()[1]).collect();
    let file = image_for("MC7455", &body);
    assert_eq!(ask(&mut port, &hex("7E 70 00 00 14 46 7E"))[0], 0x0d);
    ask(&mut port, &Request::Hello(HelloRequest::of_version(6)).frame());
    ask(&mut port, &Request::Open(open_request(&file)).frame());
    for (sequence, chunk) in file[400..].chunks(1024 * 1024).enumerate() {
        let answer = ask(&mut port, &write_request(u16::try_from(sequence).unwrap(), chunk));
        assert_eq!(answer[0], 0x28);
    }
    assert_eq!(ask(&mut port, &Request::Done.frame())[..3], [0x2a, 0, 0]);
    port.write_all(&Request::Reset.frame()).unwrap();
    assert_eq!(read(&mut port), b"", "hung up");
    assert_eq!(path_other_than(&served, Some(&path)), None, "off the bus");
    let modem = served.stop().unwrap();
    assert_eq!(modem.images()[0].bytes.as_deref(), Some(&file[..]));
    assert_eq!(modem.violations(), []);
    assert!(!modem.is_on_bus());
}

#[test]
fn the_hello_waits_until_the_port_is_opened_and_is_not_echoed_back() {
    let served = serve(Setup::of(Profile::named("EM7565").unwrap()));
    let mut port = open(&served.path().unwrap());
    let hello = read_exactly(&mut port, 48);
    assert!(matches!(Packet::parse(&hello), Ok(Packet::Hello(_))));
    port.write_all(&Packet::HelloResponse(HelloResponse::COMMAND_MODE).to_bytes())
        .unwrap();
    assert_eq!(
        Packet::parse(&read_exactly(&mut port, 8)),
        Ok(Packet::CommandReady)
    );
    assert_eq!(served.stop().unwrap().violations(), []);
}

#[test]
fn a_hello_said_to_a_closed_port_is_lost() {
    let mut setup = quick("EM7565");
    setup.quirks.hello = HelloHabit::AfterEnumeration(Duration::ZERO);
    let served = serve(setup);
    let mut port = open(&served.path().unwrap());
    // The first thing that comes is the hello that these bytes provoke.
    port.write_all(&hex("7E 70 00 00 14 46 7E")).unwrap();
    assert!(matches!(
        Packet::parse(&read_exactly(&mut port, 48)),
        Ok(Packet::Hello(_))
    ));
    assert_eq!(served.stop().unwrap().violations(), []);
}

#[test]
fn the_link_leads_to_the_modem_also_after_a_restart() {
    let folder = std::env::temp_dir().join(format!("virtual-modem-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let link = folder.join("modem");
    std::fs::write(&link, "something old").unwrap();
    let mut setup = quick("MC7455");
    setup.firmware = Firmware::Sound;
    setup.timings.leaving = Duration::from_millis(50);
    setup.timings.booting = Duration::from_millis(100);
    let served = PtyModem::start(VirtualModem::new(setup), Some(&link)).unwrap();
    assert_eq!(std::fs::read_link(&link).ok(), served.path());
    let mut port = open(&link);
    port.write_all(&Request::Reset.frame()).unwrap();
    assert_eq!(read(&mut port), b"", "hung up");
    drop(port);
    let look = Timespec::try_from(Duration::from_millis(2)).unwrap();
    let mut port = (0..15_000)
        .find_map(|_| {
            poll(&mut [], Some(&look)).unwrap();
            OpenOptions::new().read(true).write(true).open(&link).ok()
        })
        .expect("the modem comes back");
    // In normal mode now: the DIAG answer of the field logs.
    port.write_all(&hex("7E 70 00 00 14 46 7E")).unwrap();
    assert_eq!(read_exactly(&mut port, 7), hex("13 70 00 00 6A 9A 7E"));
    served.stop().unwrap();
    assert!(!link.exists());
    std::fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn stopping_hangs_the_terminal_up() {
    let served = serve(quick("MC7455"));
    let mut port = open(&served.path().unwrap());
    assert_eq!(ask(&mut port, &hex("7E 70 00 00 14 46 7E"))[0], 0x0d);
    served.stop().unwrap();
    assert_eq!(read(&mut port), b"");
}

#[test]
fn closing_and_opening_again_is_seen_by_the_modem() {
    let mut setup = quick("EM7565");
    setup.quirks.hello = HelloHabit::AtReopen;
    let served = serve(setup);
    let path = served.path().unwrap();
    // How soon the modem notices depends on the machine, so the port is opened until it has.
    let look = Timespec::try_from(Duration::from_millis(100)).unwrap();
    let hello = (0..300).find_map(|_| {
        let mut port = open(&path);
        let heard = poll(&mut [PollFd::new(&port, PollFlags::IN)], Some(&look)).unwrap() > 0;
        let hello = heard.then(|| read_exactly(&mut port, 48));
        drop(port);
        poll(&mut [], Some(&look)).unwrap();
        hello
    });
    assert!(matches!(Packet::parse(&hello.unwrap()), Ok(Packet::Hello(_))));
    served.stop().unwrap();
}
