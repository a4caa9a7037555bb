//! Where the time of an update goes: what the modem and the kernel saw, between the start and the end of the program.

use super::process::Took;
use crate::clock::now;
use anyhow::Context;
use modem_discovery::{Action, Received, UeventSocket};
use rustix::event::{PollFd, PollFlags, poll};
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use virtual_modem::usbip::vhci::Happening;

/// Something that the modem or the kernel saw.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Seen {
    /// The modem is on the bus; whether as a boot loader.
    Attached { is_loader: bool },
    /// It has left.
    Detached,
    /// A host reads from the interface of this number.
    Opened(u8),
    /// The kernel tells of a new serial port.
    Port,
}

/// What was seen, and when.
#[derive(Clone, Debug, Default)]
pub(super) struct Timeline(Arc<Mutex<Vec<(Instant, Seen)>>>);

/// The steps of an update between the moments that can be seen on the bus.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Steps {
    /// From the start of the program until the modem leaves the bus.
    pub(super) telling: Duration,
    /// Until it is back as a boot loader.
    pub(super) entering: Duration,
    /// Until its port is open: the kernel's part and the program's.
    pub(super) opening: Duration,
    /// Until it leaves the bus again.
    pub(super) download: Duration,
    /// Until it is back.
    pub(super) booting: Duration,
    /// Until the end of the program.
    pub(super) proof: Duration,
    /// From the kernel's word of the download port until that is open.
    pub(super) reaction: Option<Duration>,
}

impl Steps {
    /// All in seconds, in their order.
    pub(super) fn seconds(&self) -> [f64; 6] {
        [
            self.telling,
            self.entering,
            self.opening,
            self.download,
            self.booting,
            self.proof,
        ]
        .map(|step| step.as_secs_f64())
    }
}

impl Timeline {
    /// Notes what a modem tells of itself; most of it is not for here.
    pub(super) fn modem(&self, happening: &Happening<'_>) {
        match happening {
            Happening::Attached(appearance) => self.note(Seen::Attached {
                is_loader: appearance.layout.count() == 1,
            }),
            Happening::Detached => self.note(Seen::Detached),
            Happening::Opened(interface) => self.note(Seen::Opened(*interface)),
            _ => {}
        }
    }

    fn note(&self, seen: Seen) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.push((now(), seen));
    }

    /// The steps of an update that restarts the modem twice; none when it went another way.
    pub(super) fn steps(&self, took: &Took) -> Option<Steps> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut later = all
            .iter()
            .copied()
            .filter(|(at, _)| *at >= took.start && *at <= took.end);
        let mut next = |wanted: fn(Seen) -> bool| later.find(|(_, seen)| wanted(*seen)).map(|(at, _)| at);
        let left = next(|seen| seen == Seen::Detached)?;
        let loader = next(|seen| seen == Seen::Attached { is_loader: true })?;
        let opened = next(|seen| seen == Seen::Opened(0))?;
        let left_again = next(|seen| seen == Seen::Detached)?;
        let back = next(|seen| seen == Seen::Attached { is_loader: false })?;
        if next(|seen| seen == Seen::Detached).is_some() {
            return None;
        }
        let port = all
            .iter()
            .find(|(at, seen)| *seen == Seen::Port && *at >= loader && *at <= opened);
        Some(Steps {
            telling: left - took.start,
            entering: loader - left,
            opening: opened - loader,
            download: left_again - opened,
            booting: back - left_again,
            proof: took.end - back,
            reaction: port.map(|(at, _)| opened - *at),
        })
    }
}

/// Listens to the kernel for new serial ports.
#[derive(Debug)]
pub(super) struct Listener {
    stop: Option<UnixStream>,
    thread: Option<JoinHandle<()>>,
}

impl Listener {
    /// Begins to listen.
    pub(super) fn start(timeline: Timeline) -> anyhow::Result<Self> {
        let mut socket = UeventSocket::open().context("uevents")?;
        let (stop, stopped) = UnixStream::pair()?;
        let thread = std::thread::spawn(move || {
            loop {
                let mut polled = [
                    PollFd::new(&socket, PollFlags::IN),
                    PollFd::new(&stopped, PollFlags::IN),
                ];
                if poll(&mut polled, None).is_err() {
                    continue;
                }
                let [_, end] = &polled;
                if !end.revents().is_empty() {
                    return;
                }
                loop {
                    match socket.receive() {
                        Ok(Received::Event(event)) => {
                            let is_port = event.action == Action::Add
                                && event.subsystem.as_deref() == Some("tty")
                                && event.node.is_some_and(|node| node.starts_with("ttyUSB"));
                            if is_port {
                                timeline.note(Seen::Port);
                            }
                        }
                        Ok(Received::Overrun) => {}
                        Ok(Received::Nothing) => break,
                        Err(_) => return,
                    }
                }
            }
        });
        Ok(Self {
            stop: Some(stop),
            thread: Some(thread),
        })
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // It has nothing to tell.
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn timeline(seen: &[(u64, Seen)]) -> (Timeline, Took) {
        let start = now();
        let at = |milliseconds| start + Duration::from_millis(milliseconds);
        let timeline = Timeline::default();
        *timeline.0.lock().unwrap() = seen.iter().map(|(when, seen)| (at(*when), *seen)).collect();
        let took = Took {
            start,
            end: at(10_000),
            processor: Duration::ZERO,
            peak: 0,
        };
        (timeline, took)
    }

    const UPDATE: [(u64, Seen); 9] = [
        // Another program, and the question before.
        (0, Seen::Port),
        (100, Seen::Opened(8)),
        (1000, Seen::Detached),
        (4000, Seen::Attached { is_loader: true }),
        (4300, Seen::Port),
        (4310, Seen::Opened(0)),
        (5000, Seen::Detached),
        (8000, Seen::Attached { is_loader: false }),
        (8100, Seen::Opened(8)),
    ];

    #[test]
    fn an_update_is_cut_where_the_modem_leaves_and_comes() {
        let (timeline, took) = timeline(&UPDATE);
        let steps = timeline.steps(&took).unwrap();
        assert_eq!(steps.seconds(), [1.0, 3.0, 0.31, 0.69, 3.0, 2.0]);
        assert_eq!(steps.reaction, Some(Duration::from_millis(10)));
    }

    #[test]
    fn an_update_with_one_restart_more_or_less_has_no_steps() {
        let (short, took) = timeline(&UPDATE[..7]);
        assert_eq!(short.steps(&took), None);
        let mut more = UPDATE.to_vec();
        more.push((9000, Seen::Detached));
        let (long, took) = timeline(&more);
        assert_eq!(long.steps(&took), None);
    }
}
