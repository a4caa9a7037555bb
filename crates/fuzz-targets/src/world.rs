//! A wire trace that came from a user.

use modem_world::trace::{Event, TITLE, Trace};
use modem_world::{Instant, Interest, Replayer, Wake, World};

/// The most calls in one replay.
const MOST_CALLS: u32 = 10_000;

/// Parses a trace, writes it and parses it again. Then replays it with calls that follow the trace.
pub(crate) fn trace(bytes: &[u8]) {
    let Ok(trace) = Trace::parse(&String::from_utf8_lossy(bytes)) else {
        return;
    };
    let mut text = format!("{TITLE}\n");
    for entry in &trace.entries {
        text.push_str(&entry.event.line(entry.at));
        text.push('\n');
    }
    let again = Trace::parse(&text).expect("what we wrote");
    let events = |trace: &Trace| {
        trace
            .entries
            .iter()
            .map(|entry| (entry.at, entry.event.clone()))
            .collect::<Vec<_>>()
    };
    assert_eq!(events(&again), events(&trace));
    replay(trace);
}

fn replay(trace: Trace) {
    let entries = trace.entries.clone();
    let mut world = Replayer::new(trace);
    let mut calls = 0;
    let mut handle = None;
    for entry in entries {
        match entry.event {
            Event::Find { name, .. } => drop(world.find(&name)),
            Event::Devices(_) => drop(world.devices()),
            Event::Inhibit { device, .. } => drop(world.host().inhibit(&device)),
            Event::Open { port, .. } => handle = world.open(&port).ok(),
            Event::Close(port) => world.close(port),
            _ => {}
        }
        let interests: Vec<_> = handle
            .into_iter()
            .flat_map(|port| [Interest::Readable(port), Interest::Writable(port)])
            .chain([Interest::Bus])
            .collect();
        loop {
            calls += 1;
            if calls > MOST_CALLS {
                return;
            }
            let before = world.now();
            let wake = world.wait(&interests, entry.at);
            assert!(world.now() >= before, "time goes backwards");
            let is_over = match wake {
                Wake::Readable(port) => world.try_read(port, &mut [0; 64]).is_err(),
                Wake::Writable(port) => world
                    .try_write(port, &[0x7E, 0x70, 0, 0, 0x14, 0x46, 0x7E])
                    .is_err(),
                wake => wake == Wake::Deadline,
            };
            if is_over {
                break;
            }
        }
    }
    world.wait(&[], Instant::FAR);
    drop(world.finish());
}
