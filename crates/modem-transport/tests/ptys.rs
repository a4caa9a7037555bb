//! The Linux world on pseudo-terminals and on a tree of its own.
//!
//! This is a program of its own because the other tests start processes. Until such a process runs its own program it has a copy
//! of every port that is open here, and the look for the program that has a port finds it: in 8 of 20,000 opens beside
//! `locks`, which starts two thousand.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

use std::fs;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::time::Duration;

use modem_world::{
    Binding, Instant, Interest, PortErrorKind, PortHandle, PortHolder, PortId, UsbPath, Wake, World,
};
use modemflash_modem_transport::LinuxWorld;
use rustix::io::Errno;
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

/// Far more than anything here takes; a wait that reaches it is a failure.
const PATIENCE: Duration = Duration::from_secs(20);

/// A Sahara hello (sahara-firehose.md §2): 48 bytes, among them 0x04, which a cooked tty takes for the end of a file.
const SAHARA_HELLO: [u8; 48] = {
    let mut hello = [0; 48];
    hello[0] = 0x01;
    hello[4] = 0x30;
    hello[8] = 0x02;
    hello[12] = 0x01;
    hello[17] = 0x04;
    hello
};

/// A pseudo-terminal; the test is the modem.
struct Pty {
    master: OwnedFd,
    port: PortId,
}

impl Pty {
    fn new() -> Self {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
        rustix::io::ioctl_fionbio(&master, true).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        let port = PortId::new(ptsname(&master, Vec::new()).unwrap().into_string().unwrap());
        Self { master, port }
    }

    fn send(&self, bytes: &[u8]) {
        assert_eq!(rustix::io::write(&self.master, bytes), Ok(bytes.len()));
    }

    /// All that is there.
    fn received(&self) -> Vec<u8> {
        let mut received = Vec::new();
        let mut buffer = [0; 4096];
        loop {
            match rustix::io::read(&self.master, &mut buffer) {
                Ok(count) => received.extend_from_slice(&buffer[..count]),
                Err(Errno::AGAIN) => return received,
                Err(errno) => panic!("{errno}"),
            }
        }
    }
}

fn opened() -> (LinuxWorld, Pty, PortHandle) {
    let mut world = LinuxWorld::new().unwrap();
    let pty = Pty::new();
    let handle = world.open(&pty.port).unwrap();
    (world, pty, handle)
}

/// Waits for one interest only.
fn wait(world: &mut LinuxWorld, interest: Interest) -> Wake {
    let deadline = world.now() + PATIENCE;
    world.wait(&[interest], deadline)
}

fn read_exactly(world: &mut LinuxWorld, handle: PortHandle, length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    let mut filled = 0;
    while filled < length {
        assert_eq!(wait(world, Interest::Readable(handle)), Wake::Readable(handle));
        filled += world.try_read(handle, &mut bytes[filled..]).unwrap();
    }
    bytes
}

#[test]
fn a_hello_arrives_whole_and_is_not_echoed() {
    let (mut world, pty, handle) = opened();
    assert!(SAHARA_HELLO.contains(&0x04));
    pty.send(&SAHARA_HELLO);
    assert_eq!(read_exactly(&mut world, handle, SAHARA_HELLO.len()), SAHARA_HELLO);
    assert_eq!(pty.received(), b"");
}

#[test]
fn every_byte_value_goes_through_in_both_directions() {
    let (mut world, pty, handle) = opened();
    let all: Vec<u8> = (0..=255).collect();
    pty.send(&all);
    assert_eq!(read_exactly(&mut world, handle, 256), all);
    assert_eq!(world.try_write(handle, &all).unwrap(), 256);
    assert_eq!(pty.received(), all);
}

#[test]
fn nothing_there_is_not_an_error() {
    let (mut world, _pty, handle) = opened();
    assert_eq!(world.try_read(handle, &mut [0; 16]), Ok(0));
    assert_eq!(world.try_read(handle, &mut []), Ok(0));
    assert_eq!(world.try_write(handle, &[]), Ok(0));
}

#[test]
fn a_full_port_takes_what_it_can_and_the_rest_later() {
    let (mut world, pty, handle) = opened();
    let bytes: Vec<u8> = (0..300_000_u32).map(|index| (index % 251) as u8).collect();
    let mut sent = 0;
    let mut received = Vec::new();
    let mut was_full = false;
    while sent < bytes.len() {
        let count = world.try_write(handle, &bytes[sent..]).unwrap();
        sent += count;
        if count == 0 {
            was_full = true;
            received.extend(pty.received());
            assert_eq!(
                wait(&mut world, Interest::Writable(handle)),
                Wake::Writable(handle)
            );
        }
    }
    received.extend(pty.received());
    assert!(was_full);
    assert!(received == bytes);
}

#[test]
fn a_full_port_is_tried_again_without_a_word_from_poll() {
    let (mut world, _pty, handle) = opened();
    // Nobody reads, so that after a while `poll` stays silent; n_tty.c calls a tty writable only when it is nearly empty.
    let mut refused_in_a_row = 0;
    while refused_in_a_row < 5 {
        assert_eq!(
            wait(&mut world, Interest::Writable(handle)),
            Wake::Writable(handle)
        );
        refused_in_a_row = if world.try_write(handle, &[0; 4096]).unwrap() == 0 {
            refused_in_a_row + 1
        } else {
            0
        };
    }
}

#[test]
fn a_port_that_hangs_up_has_gone() {
    let (mut world, pty, handle) = opened();
    drop(pty.master);
    assert_eq!(
        wait(&mut world, Interest::Readable(handle)),
        Wake::Readable(handle)
    );
    assert_eq!(
        wait(&mut world, Interest::Writable(handle)),
        Wake::Writable(handle)
    );
    let gone = |error: modem_world::PortError| (error.port == pty.port) && error.kind == PortErrorKind::Gone;
    assert!(world.try_read(handle, &mut [0; 16]).is_err_and(gone));
    assert!(world.try_write(handle, b"x").is_err_and(gone));
    world.close(handle);
}

#[test]
fn a_closed_handle_wakes_at_once_and_says_that_it_is_gone() {
    let (mut world, pty, handle) = opened();
    world.close(handle);
    world.close(handle);
    assert_eq!(
        wait(&mut world, Interest::Readable(handle)),
        Wake::Readable(handle)
    );
    assert_eq!(
        world.try_read(handle, &mut [0; 16]).unwrap_err().kind,
        PortErrorKind::Gone
    );
    assert_eq!(
        world.try_write(handle, b"x").unwrap_err().kind,
        PortErrorKind::Gone
    );
    let again = world.open(&pty.port).unwrap();
    assert_ne!(again, handle);
}

#[test]
fn closing_with_unsent_bytes_returns_and_the_port_can_be_opened_again() {
    let (mut world, pty, handle) = opened();
    while world.try_write(handle, &[0; 4096]).unwrap() > 0 {}
    world.close(handle);
    assert!(world.open(&pty.port).is_ok());
}

#[test]
fn a_port_is_opened_once() {
    let (mut world, pty, _handle) = opened();
    let error = world.open(&pty.port).unwrap_err();
    assert_eq!(
        error.kind,
        PortErrorKind::Busy {
            holder: Some(PortHolder::named("this program"))
        }
    );
}

#[test]
fn no_other_program_gets_an_open_port() {
    let (_world, pty, _handle) = opened();
    let mut other = Command::new("cat");
    other
        .arg(pty.port.as_str())
        .env("LC_ALL", "C")
        .stdin(Stdio::null());
    if rustix::process::geteuid().is_root() {
        // Root is let in everywhere; an ordinary user isn't, although this one has the permission.
        fs::set_permissions(pty.port.as_str(), fs::Permissions::from_mode(0o666)).unwrap();
        other.uid(65534);
    }
    let output = other.output().unwrap();
    assert!(!output.status.success());
    let complaint = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(complaint.contains("Device or resource busy"), "{complaint}");
}

#[test]
fn the_program_that_has_a_port_is_named() {
    let mut world = LinuxWorld::new().unwrap();
    let pty = Pty::new();
    let held = fs::OpenOptions::new().read(true).open(pty.port.as_str()).unwrap();
    let mut holder = Command::new("sleep").arg("600").stdin(held).spawn().unwrap();
    let error = world.open(&pty.port).unwrap_err();
    holder.kill().unwrap();
    holder.wait().unwrap();
    let PortErrorKind::Busy { holder: Some(found) } = error.kind else {
        panic!("{error}")
    };
    // Between fork and exec it still has the name of this test.
    assert_eq!(found.process, Some(holder.id()), "{found}");
}

#[test]
fn what_cannot_be_opened_says_why() {
    let mut world = LinuxWorld::new().unwrap();
    let mut kind = |name: &str| world.open(&PortId::new(name)).unwrap_err().kind;
    assert_eq!(kind("/dev/ttyUSB-none"), PortErrorKind::NotFound);
    assert_eq!(kind("/dev/null"), PortErrorKind::NotASerialPort);
    assert_eq!(kind("/dev"), PortErrorKind::NotASerialPort);
    assert_eq!(kind("/dev/nul\0l"), PortErrorKind::NotFound);
}

#[test]
fn a_pseudo_terminal_is_found_and_has_no_device() {
    let mut world = LinuxWorld::new().unwrap();
    let pty = Pty::new();
    let directory = tempfile::tempdir().unwrap();
    let link = directory.path().join("modem");
    symlink(pty.port.as_str(), &link).unwrap();
    let port = world.find(link.to_str().unwrap()).unwrap();
    assert_eq!((port.id, port.device), (pty.port.clone(), None));
}

#[test]
fn a_wait_ends_at_its_deadline_and_never_before_time() {
    let (mut world, _pty, handle) = opened();
    let deadline = world.now() + Duration::from_millis(20);
    loop {
        match world.wait(&[Interest::Readable(handle), Interest::Bus], deadline) {
            Wake::Deadline => break,
            // Something else on this host's bus.
            Wake::BusChanged => {}
            other => panic!("{other:?}"),
        }
    }
    assert!(world.now() >= deadline);
    assert_eq!(world.wait(&[], Instant::START), Wake::Deadline);
}

#[test]
fn readiness_is_seen_although_the_deadline_has_passed() {
    let (mut world, pty, handle) = opened();
    pty.send(b"x");
    assert_eq!(
        world.wait(&[Interest::Readable(handle)], Instant::START),
        Wake::Readable(handle)
    );
}

#[test]
fn each_request_to_stop_is_told_once_and_before_everything_else() {
    let (mut world, pty, handle) = opened();
    pty.send(b"x");
    let canceller = world.canceller().unwrap();
    canceller.cancel().unwrap();
    canceller.cancel().unwrap();
    let interests = [Interest::Readable(handle)];
    let far = world.now() + PATIENCE;
    assert_eq!(world.wait(&interests, far), Wake::Cancelled);
    assert_eq!(world.wait(&interests, far), Wake::Cancelled);
    assert_eq!(world.wait(&interests, far), Wake::Readable(handle));
}

#[test]
fn a_request_to_stop_ends_a_wait_for_ever() {
    let mut world = LinuxWorld::new().unwrap();
    let canceller = world.canceller().unwrap();
    let asks = std::thread::spawn(move || canceller.cancel());
    assert_eq!(world.wait(&[], Instant::FAR), Wake::Cancelled);
    asks.join().unwrap().unwrap();
}

#[test]
fn a_modem_that_joins_is_noticed_without_a_single_uevent() {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path();
    let interface = root.join("sys/devices/usb1/1-2/1-2:1.0");
    for folder in ["sys/class/tty", "sys/bus/usb/devices", "dev"] {
        fs::create_dir_all(root.join(folder)).unwrap();
    }
    let mut world = LinuxWorld::with_root(root).unwrap();
    assert_eq!(world.devices().unwrap(), []);
    // The first look is over.
    let soon = world.now() + Duration::from_millis(10);
    assert_eq!(world.wait(&[Interest::Bus], soon), Wake::Deadline);

    fs::create_dir_all(interface.join("ttyUSB0/tty/ttyUSB0")).unwrap();
    for (file, text) in [("idVendor", "1199"), ("idProduct", "9090"), ("devnum", "3")] {
        fs::write(root.join("sys/devices/usb1/1-2").join(file), text).unwrap();
    }
    fs::write(interface.join("bInterfaceClass"), "ff").unwrap();
    symlink("../../../devices/usb1/1-2", root.join("sys/bus/usb/devices/1-2")).unwrap();
    symlink(
        "../../devices/usb1/1-2/1-2:1.0/ttyUSB0/tty/ttyUSB0",
        root.join("sys/class/tty/ttyUSB0"),
    )
    .unwrap();

    assert_eq!(wait(&mut world, Interest::Bus), Wake::BusChanged);
    let ports = world.devices().unwrap().remove(0).ports;
    assert_eq!(ports.len(), 1);
    assert_eq!(ports[0].device.as_ref().unwrap().path, UsbPath::new("1-2"));
    let alone = world.device_at(&UsbPath::new("1-2")).unwrap();
    assert_eq!(alone.unwrap().ports, ports);
}

#[test]
fn what_was_changed_on_the_host_is_put_back_at_the_end() {
    let directory = tempfile::tempdir().unwrap();
    let device = directory.path().join("sys/bus/usb/devices/1-2");
    fs::create_dir_all(device.join("power")).unwrap();
    let control = device.join("power/control");
    for finishes in [true, false] {
        fs::write(&control, "auto\n").unwrap();
        let mut world = LinuxWorld::with_root(directory.path()).unwrap();
        world.host().keep_awake(&UsbPath::new("1-2")).unwrap();
        world.host().keep_awake(&UsbPath::new("1-2")).unwrap();
        assert_eq!(fs::read_to_string(&control).unwrap(), "on");
        if finishes {
            world.finish().unwrap();
        } else {
            drop(world);
        }
        assert_eq!(fs::read_to_string(&control).unwrap(), "auto");
    }
}

#[test]
fn the_host_tells_whether_a_driver_will_take_an_id_and_hears_of_one_that_was_given() {
    let root = tempfile::tempdir().unwrap();
    let write = |path: &str, text: &str| {
        let path = root.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    let mut world = LinuxWorld::with_root(root.path()).unwrap();
    let mut asked = |product| world.host().will_bind(0x1199, product);
    assert!(matches!(asked(0x9090), Binding::Unknown { .. }));
    write("proc/sys/kernel/osrelease", "6.1.0\n");
    write(
        "lib/modules/6.1.0/modules.alias",
        "alias usb:v1199p9090d*dc*dsc*dp*ic*isc*ip*in* qcserial\n",
    );
    assert_eq!(asked(0x9090), Binding::Binds);
    assert_eq!(asked(0x90b0), Binding::WontBind);
    write("sys/bus/usb-serial/drivers/option1/new_id", "1199 90b0\n");
    assert_eq!(asked(0x90b0), Binding::Binds);
}
