//! Signals go to all of a process, so this is one test in a process of its own.

use std::time::Duration;

use crate::process;
use modem_world::{Instant, Interest, Wake, World};
use modemflash_modem_transport::LinuxWorld;
use rustix::process::{Signal, getpid, kill_process};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

#[test]
fn ctrl_c_asks_to_stop_each_time_and_a_closed_terminal_changes_nothing() {
    let name = "ctrl_c_asks_to_stop_each_time_and_a_closed_terminal_changes_nothing";
    process::alone(module_path!(), name, signals_come);
}

fn signals_come() {
    let mut world = LinuxWorld::new().unwrap();
    world.handle_signals().unwrap();
    world.handle_signals().unwrap();

    for signal in [Signal::INT, Signal::TERM, Signal::INT] {
        kill_process(getpid(), signal).unwrap();
        assert_eq!(world.wait(&[], Instant::FAR), Wake::Cancelled, "{signal:?}");
    }

    for signal in [Signal::HUP, Signal::PIPE] {
        kill_process(getpid(), signal).unwrap();
    }
    let deadline = world.now() + Duration::from_millis(20);
    assert_eq!(world.wait(&[], deadline), Wake::Deadline);

    // Calls that signals interrupt go on as if nothing had been.
    let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
    grantpt(&master).unwrap();
    unlockpt(&master).unwrap();
    let port = modem_world::PortId::new(ptsname(&master, Vec::new()).unwrap().into_string().unwrap());
    let handle = world.open(&port).unwrap();
    let modem = std::thread::spawn(move || {
        for _ in 0..1000 {
            kill_process(getpid(), Signal::HUP).unwrap();
        }
        rustix::io::write(&master, b"x").unwrap();
        master
    });
    let deadline = world.now() + Duration::from_secs(20);
    assert_eq!(
        world.wait(&[Interest::Readable(handle)], deadline),
        Wake::Readable(handle)
    );
    assert_eq!(world.try_read(handle, &mut [0; 8]), Ok(1));
    drop(modem.join());
}
