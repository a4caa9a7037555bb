//! Control ports and the sockets of programs that share them, in a tree of its own.

use std::fs;
use std::io::{Read, Write};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::net::{SocketAddr, UnixListener, UnixStream};
use std::time::Duration;

use modem_world::{Interest, PortErrorKind, PortHandle, PortHolder, PortId, PortKind, Wake, World};
use modemflash_modem_transport::LinuxWorld;
use rustix::fs::{FileType, Mode, mknodat};
use tempfile::TempDir;

/// Far more than anything here takes; a wait that reaches it is a failure.
const PATIENCE: Duration = Duration::from_secs(20);

/// A tree with an MBIM modem whose control port is a FIFO: it gives back what it was given.
fn tree() -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path();
    let device = root.join("sys/devices/usb1/1-2");
    let port = device.join("1-2:1.12/usbmisc/cdc-wdm0");
    for folder in [
        port.as_path(),
        &root.join("sys/class/tty"),
        &root.join("sys/class/usbmisc"),
        &root.join("sys/bus/usb/devices"),
        &root.join("dev"),
        &root.join("proc"),
    ] {
        fs::create_dir_all(folder).unwrap();
    }
    for (file, text) in [("idVendor", "1199"), ("idProduct", "9071"), ("devnum", "3")] {
        fs::write(device.join(file), text).unwrap();
    }
    fs::write(device.join("1-2:1.12/bInterfaceClass"), "02").unwrap();
    symlink("../../../devices/usb1/1-2", root.join("sys/bus/usb/devices/1-2")).unwrap();
    symlink("../../../../../../class/usbmisc", port.join("subsystem")).unwrap();
    symlink(
        "../../devices/usb1/1-2/1-2:1.12/usbmisc/cdc-wdm0",
        root.join("sys/class/usbmisc/cdc-wdm0"),
    )
    .unwrap();
    let node = root.join("dev/cdc-wdm0");
    mknodat(rustix::fs::CWD, &node, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
    directory
}

fn control_port() -> PortId {
    PortId::new("/dev/cdc-wdm0")
}

fn wait(world: &mut LinuxWorld, interest: Interest) -> Wake {
    let deadline = world.now() + PATIENCE;
    world.wait(&[interest], deadline)
}

#[test]
fn a_control_port_is_found_opened_and_limited() {
    let tree = tree();
    let mut world = LinuxWorld::with_root(tree.path()).unwrap();
    let found = world.find("cdc-wdm0").unwrap();
    assert_eq!((&found.id, found.kind), (&control_port(), PortKind::Wdm));
    assert_eq!(world.devices().unwrap()[0].ports, [found]);
    let handle = world.open(&control_port()).unwrap();
    assert_eq!(world.largest_write(handle), 4096);
    world.close(handle);
    assert_eq!(world.largest_write(handle), usize::MAX);

    // No driver asked, the descriptors tell (mbim.md §3).
    fs::write(
        tree.path().join("sys/devices/usb1/1-2/descriptors"),
        [0x0c, 0x24, 0x1b, 0, 1, 0, 2, 0x20, 0x80, 0x96, 5, 0],
    )
    .unwrap();
    let handle = world.open(&control_port()).unwrap();
    assert_eq!(world.largest_write(handle), 512);
    assert!(world.try_write(handle, &[0; 513]).is_err());
    assert_eq!(world.try_write(handle, &[0; 512]).unwrap(), 512);
}

#[test]
fn what_a_small_buffer_left_is_told_as_readable_although_the_driver_is_silent() {
    let tree = tree();
    let mut world = LinuxWorld::with_root(tree.path()).unwrap();
    let handle = world.open(&control_port()).unwrap();
    assert_eq!(world.try_write(handle, b"0123456789").unwrap(), 10);
    let mut buffer = [0; 4];
    let mut got = Vec::new();
    while got.len() < 10 {
        assert_eq!(
            wait(&mut world, Interest::Readable(handle)),
            Wake::Readable(handle)
        );
        let count = world.try_read(handle, &mut buffer).unwrap();
        got.extend_from_slice(&buffer[..count]);
    }
    assert_eq!(got, b"0123456789");
    assert_eq!(world.try_read(handle, &mut buffer).unwrap(), 0);
    assert_eq!(
        wait(&mut world, Interest::Writable(handle)),
        Wake::Writable(handle)
    );
}

#[test]
fn the_program_that_has_a_control_port_is_named() {
    let tree = tree();
    let fd = tree.path().join("proc/812/fd");
    fs::create_dir_all(&fd).unwrap();
    fs::write(tree.path().join("proc/812/comm"), "qmi-proxy\n").unwrap();
    symlink("/dev/cdc-wdm0", fd.join("7")).unwrap();
    let mut world = LinuxWorld::with_root(tree.path()).unwrap();
    let error = world.open(&control_port()).unwrap_err();
    assert_eq!(
        error.kind,
        PortErrorKind::Busy {
            holder: Some(PortHolder::parse("qmi-proxy (pid 812)"))
        }
    );
}

#[test]
fn a_control_port_is_opened_once() {
    let tree = tree();
    let mut world = LinuxWorld::with_root(tree.path()).unwrap();
    let handle = world.open(&control_port()).unwrap();
    let error = world.open(&control_port()).unwrap_err();
    assert!(matches!(error.kind, PortErrorKind::Busy { .. }), "{error}");
    world.close(handle);
    assert!(world.open(&control_port()).is_ok());
}

#[test]
fn a_node_that_is_not_there_yet_and_one_that_is_not_permitted_yet_are_told_apart() {
    let tree = tree();
    let node = tree.path().join("dev/cdc-wdm0");
    let mut world = LinuxWorld::with_root(tree.path()).unwrap();
    let early = tree.path().join("dev/early");
    fs::rename(&node, &early).unwrap();
    assert_eq!(
        world.open(&control_port()).unwrap_err().kind,
        PortErrorKind::NotFound
    );
    fs::rename(&early, &node).unwrap();
    let handle = world.open(&control_port()).unwrap();
    world.close(handle);

    fs::set_permissions(&node, fs::Permissions::from_mode(0o000)).unwrap();
    fs::set_permissions(tree.path(), fs::Permissions::from_mode(0o755)).unwrap();
    // Root is let in everywhere, so this thread becomes somebody else.
    let kind = std::thread::scope(|scope| {
        let looking_on = scope.spawn(|| {
            if rustix::process::geteuid().is_root() {
                let nobody = rustix::process::Uid::from_raw(65534);
                rustix::thread::set_thread_uid(nobody).unwrap();
            }
            world.open(&control_port()).unwrap_err().kind
        });
        looking_on.join().unwrap()
    });
    assert_eq!(kind, PortErrorKind::PermissionDenied);
}

/// A program that shares a control port, under a name of its own.
fn proxy(name: &str) -> (UnixListener, PortId) {
    let name = format!("modemflash-test-{}-{name}", std::process::id());
    let address = SocketAddr::from_abstract_name(&name).unwrap();
    let listener = UnixListener::bind_addr(&address).unwrap();
    (listener, PortId::new(format!("@{name}")))
}

fn connected(name: &str) -> (LinuxWorld, PortHandle, UnixStream, UnixListener) {
    let mut world = LinuxWorld::new().unwrap();
    let (listener, id) = proxy(name);
    let handle = world.open(&id).unwrap();
    let (stream, _) = listener.accept().unwrap();
    (world, handle, stream, listener)
}

#[test]
fn a_proxy_is_a_port_in_both_directions() {
    let (mut world, handle, mut stream, listener) = connected("both");
    let name = listener.local_addr().unwrap();
    let name = String::from_utf8(name.as_abstract_name().unwrap().to_vec()).unwrap();
    let found = world.find(&format!("@{name}")).unwrap();
    assert_eq!((found.kind, found.device), (PortKind::Proxy, None));
    assert_eq!(world.largest_write(handle), usize::MAX);

    let mut buffer = [0; 16];
    assert_eq!(world.try_read(handle, &mut buffer).unwrap(), 0);
    assert_eq!(
        wait(&mut world, Interest::Writable(handle)),
        Wake::Writable(handle)
    );
    assert_eq!(world.try_write(handle, b"question").unwrap(), 8);
    stream.read_exact(&mut buffer[..8]).unwrap();
    assert_eq!(&buffer[..8], b"question");
    stream.write_all(b"answer").unwrap();
    assert_eq!(
        wait(&mut world, Interest::Readable(handle)),
        Wake::Readable(handle)
    );
    assert_eq!(world.try_read(handle, &mut buffer).unwrap(), 6);
    assert_eq!(&buffer[..6], b"answer");
}

#[test]
fn a_proxy_that_ends_has_gone_without_a_signal() {
    let (mut world, handle, stream, _listener) = connected("ends");
    drop(stream);
    assert_eq!(
        wait(&mut world, Interest::Readable(handle)),
        Wake::Readable(handle)
    );
    assert_eq!(
        world.try_write(handle, b"x").unwrap_err().kind,
        PortErrorKind::Gone
    );
    assert_eq!(
        world.try_read(handle, &mut [0; 4]).unwrap_err().kind,
        PortErrorKind::Gone
    );
}

#[test]
fn a_proxy_that_does_not_read_takes_nothing_more_after_a_while() {
    let (mut world, handle, mut stream, _listener) = connected("slow");
    let mut written = 0;
    loop {
        match world.try_write(handle, &[1; 10_000]).unwrap() {
            0 => break,
            count => written += count,
        }
    }
    assert!(written > 0);
    let mut all = vec![0; written];
    stream.read_exact(&mut all).unwrap();
    assert_eq!(
        wait(&mut world, Interest::Writable(handle)),
        Wake::Writable(handle)
    );
}

#[test]
fn a_proxy_that_does_not_run_is_not_found() {
    let mut world = LinuxWorld::new().unwrap();
    for name in [
        "@modemflash-test-nobody".to_owned(),
        "@".to_owned() + &"x".repeat(200),
    ] {
        let error = world.open(&PortId::new(name)).unwrap_err();
        assert_eq!(error.kind, PortErrorKind::NotFound);
    }
}
