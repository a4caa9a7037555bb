//! The virtual modem on the guest's bus.

use crate::clock::{now, within};
use anyhow::{Context, anyhow, bail};
use std::fmt::Write as _;
use std::io::Write;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::thread::JoinHandle;
use std::time::Duration;
use virtual_modem::profile::Timings;
use virtual_modem::usbip::vhci::{self, Happening, VhciError};
use virtual_modem::{Appearance, Keep, Profile, Setup, Storage, StoredImage, VirtualModem};

/// A modem on the bus, served by a thread.
#[derive(Debug)]
pub(crate) struct Bench {
    stop: UnixStream,
    thread: Served,
    moves: Receiver<Move>,
    /// Bytes that have come to it.
    received: Arc<AtomicUsize>,
    /// Where it is, as far as was looked.
    place: Place,
}

/// What the modem does on the bus.
#[derive(Clone, Debug)]
enum Move {
    Appeared(Appearance),
    Left,
}

/// Where the modem is.
#[derive(Clone, Debug, Default)]
struct Place {
    appearance: Option<Appearance>,
    /// How often it has left.
    departures: usize,
}

type Served = JoinHandle<(VirtualModem, Result<(), VhciError>)>;

/// What a modem has at the end.
#[derive(Debug)]
pub(crate) struct FlashedModem {
    /// What was written, oldest first.
    pub(crate) images: Vec<StoredImage>,
    /// What it remembers.
    pub(crate) storage: Storage,
    /// What the host did wrong, in words.
    pub(crate) violations: Vec<String>,
    /// Why the front end ended, when it did so by itself.
    pub(crate) failure: Option<String>,
}

impl Bench {
    /// Puts a modem on the bus, at this port of the host controller; what happens to it goes to `log`.
    pub(crate) fn start(
        setup: Setup,
        port: u32,
        mut log: impl Write + Send + 'static,
    ) -> anyhow::Result<Self> {
        Self::start_with(setup, port, move |moment, happening| {
            // A log that can't be written is no reason to end a flash. Its end is flushed when it is dropped.
            let _ = writeln!(log, "{:10.3} {happening}", moment.since_start().as_secs_f64());
        })
    }

    /// Puts a modem on the bus, at this port of the host controller; what happens to it is told to `told`.
    pub(crate) fn start_with(
        setup: Setup,
        port: u32,
        mut told: impl FnMut(modem_world::Instant, &Happening<'_>) + Send + 'static,
    ) -> anyhow::Result<Self> {
        let mut modem = VirtualModem::new(setup);
        let (stop, stopped) = UnixStream::pair()?;
        let (sender, moves) = channel();
        let received = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&received);
        let thread = std::thread::spawn(move || {
            let mut report = |moment: modem_world::Instant, happening: &Happening<'_>| {
                let moved = match happening {
                    Happening::Attached(appearance) => Some(Move::Appeared((*appearance).clone())),
                    Happening::Detached => Some(Move::Left),
                    _ => None,
                };
                if let Happening::Received(_, bytes) = happening {
                    counted.fetch_add(bytes.len(), Ordering::Relaxed);
                }
                if let Some(moved) = moved {
                    // Nobody may be waiting for it.
                    let _ = sender.send(moved);
                }
                told(moment, happening);
            };
            let options = vhci::Options {
                port,
                ..vhci::Options::default()
            };
            let result = vhci::run(&mut modem, &options, stopped.as_fd(), &mut report);
            (modem, result)
        });
        Ok(Self {
            stop,
            thread,
            moves,
            received,
            place: Place::default(),
        })
    }

    /// Bytes that have come to the modem since its start, on all interfaces.
    pub(crate) fn received(&self) -> usize {
        self.received.load(Ordering::Relaxed)
    }

    /// Waits until the modem has left the bus so often since its start, and is on the bus.
    pub(crate) fn appearance(&mut self, departures: usize, timeout: Duration) -> anyhow::Result<Appearance> {
        let deadline = within(timeout);
        loop {
            let left = deadline.saturating_duration_since(now());
            let is_there = self.place.departures >= departures && self.place.appearance.is_some();
            // What has happened already comes first.
            let moved = if is_there {
                self.moves.try_recv().ok()
            } else {
                let moved = self.moves.recv_timeout(left);
                Some(moved.with_context(|| {
                    let Place { departures: left, .. } = self.place;
                    format!(
                        "the modem has left the bus {left} time(s), not {departures}, and isn't there within {} s",
                        timeout.as_secs()
                    )
                })?)
            };
            match (moved, &self.place.appearance) {
                (Some(Move::Appeared(appearance)), _) => self.place.appearance = Some(appearance),
                (Some(Move::Left), _) => {
                    self.place.appearance = None;
                    self.place.departures += 1;
                }
                (None, Some(appearance)) => return Ok(appearance.clone()),
                (None, None) => {}
            }
        }
    }

    /// Takes the modem off the bus.
    pub(crate) fn stop(self) -> anyhow::Result<FlashedModem> {
        let Self { stop, thread, .. } = self;
        drop(stop);
        Self::joined(thread)
    }

    /// Takes the modem off the bus when `end` returns, or finds out that it has left for good before.
    pub(crate) fn stop_after(self, end: impl FnOnce() + Send + 'static) -> anyhow::Result<FlashedModem> {
        let Self { stop, thread, .. } = self;
        std::thread::spawn(move || {
            end();
            drop(stop);
        });
        Self::joined(thread)
    }

    fn joined(thread: Served) -> anyhow::Result<FlashedModem> {
        let Ok((modem, result)) = thread.join() else {
            bail!("the virtual modem has panicked")
        };
        let violations = modem.violations().iter().map(ToString::to_string);
        Ok(FlashedModem {
            images: modem.images().to_vec(),
            storage: modem.storage().clone(),
            violations: violations.collect(),
            failure: result.err().map(|error| error.to_string()),
        })
    }
}

impl FlashedModem {
    /// A failure, together with what the modem has to say about it.
    pub(crate) fn explain(&self, error: anyhow::Error) -> anyhow::Error {
        let mut text = format!("{error:#}");
        if let Some(failure) = &self.failure {
            // Writing to a string can't fail.
            let _ = write!(text, "; virtual modem: {failure}");
        }
        if !self.violations.is_empty() {
            let _ = write!(text, "; violations: {}", self.violations.join("; "));
        }
        anyhow!(text)
    }
}

/// A modem of this model, running or in download mode, with the lab's times: the guest is slow, and booting is not
/// what it is about.
pub(crate) fn setup(profile: &'static Profile, is_running: bool) -> Setup {
    let mut setup = if is_running {
        Setup::running(profile)
    } else {
        Setup::of(profile)
    };
    setup.keep = Keep::Bytes { up_to: 64 << 20 };
    setup.timings = Timings {
        booting: Duration::from_millis(500),
        restarting: Duration::from_millis(500),
        entering: Duration::from_millis(500),
        ready_after: Duration::from_millis(300),
        // Programs read `confirmed` alone from a real modem; under software emulation they need more time for that.
        greeting: Duration::from_millis(500),
        ..profile.timings
    };
    setup
}
